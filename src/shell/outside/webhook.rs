//! Webhooks of flows: taken over at once, delivered in three tries.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::{Semaphore, oneshot};

use super::{failure, host_of};
use crate::shell::fetch::{Gate, Request};
use crate::switch::{Delivery, OutsideFailure};

/// Deliveries under way.
#[derive(Debug)]
pub(super) struct Webhooks {
    gate: Arc<Gate>,
    places: Arc<Semaphore>,
    pause: Duration,
}

/// Tries of one delivery.
const TRIES: u32 = 3;
/// Between two tries.
const PAUSE: Duration = Duration::from_secs(1);
/// Deliveries under way; a receiver that hangs holds one for half a minute.
const UNDER_WAY: u32 = 1024;
/// Octets of one body: with all deliveries under way a gigabyte at most.
const LONGEST_BODY: usize = 1 << 20;

impl Webhooks {
    pub(super) fn new(gate: Arc<Gate>) -> Self {
        Self {
            gate,
            places: Arc::new(Semaphore::new(UNDER_WAY as usize)),
            pause: PAUSE,
        }
    }

    /// Begins a delivery, and does not wait for it; what becomes of it is told later.
    pub(super) fn take(
        &self,
        uri: &str,
        method: &str,
        content_type: &str,
        body: String,
    ) -> Result<oneshot::Receiver<Delivery>, OutsideFailure> {
        let host = host_of(uri);
        if body.len() > LONGEST_BODY {
            tracing::warn!(host, length = body.len(), "webhook is too long");
            return Err(OutsideFailure::Refused);
        }
        let method = if method.is_empty() { "POST" } else { method };
        let request =
            Request::new(uri, method, content_type, Bytes::from(body)).map_err(|error| {
                tracing::warn!(host, %error, "webhook cannot be sent");
                failure(&error)
            })?;
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            tracing::warn!(host, "webhook dropped: too many are under way");
            return Err(OutsideFailure::Busy);
        };
        let (gate, pause) = (Arc::clone(&self.gate), self.pause);
        let (told, outcome) = oneshot::channel();
        tokio::spawn(async move {
            let delivery = deliver(&gate, request, &host, pause).await;
            drop(place);
            // Perhaps nobody wants to know.
            let _ = told.send(delivery);
        });
        Ok(outcome)
    }

    /// Waits for those under way.
    pub(super) async fn finish(&self) {
        // Nobody closes the semaphore.
        let _all = self.places.acquire_many(UNDER_WAY).await;
    }
}

/// Tries again when nobody answered or the server failed (5xx), not when it refused (4xx).
async fn deliver(gate: &Gate, request: Request, host: &str, pause: Duration) -> Delivery {
    let began = Instant::now();
    let mut delivery = Delivery {
        status: None,
        tries: 0,
        took: Duration::ZERO,
    };
    for attempt in 1..=TRIES {
        delivery.tries = attempt;
        if attempt > 1 {
            tokio::time::sleep(pause).await;
        }
        let answer = gate.deliver(request.clone()).await;
        delivery.took = began.elapsed();
        delivery.status = answer.as_ref().ok().copied();
        match answer {
            Ok(status) if status < 400 => {
                tracing::debug!(host, status, attempt, "webhook delivered");
                break;
            }
            Ok(status) => {
                tracing::warn!(host, status, attempt, "webhook answered with an error");
                if status < 500 {
                    break;
                }
            }
            Err(error) => {
                tracing::warn!(host, %error, attempt, "webhook not delivered");
                if !error.may_pass() {
                    break;
                }
            }
        }
    }
    delivery
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::super::server::Server;
    use super::*;
    use crate::shell::fetch::{FetchLimits, OutboundPolicy};

    fn webhooks(allow: &str) -> Webhooks {
        let allow = vec![allow.parse().unwrap()];
        let limits = FetchLimits {
            total: Duration::from_millis(300),
            ..FetchLimits::default()
        };
        let gate = Gate::new(OutboundPolicy { allow }, limits).unwrap();
        Webhooks {
            pause: Duration::from_millis(10),
            ..Webhooks::new(Arc::new(gate))
        }
    }

    async fn tell(webhooks: &Webhooks, uri: &str) -> Result<Delivery, OutsideFailure> {
        let answer = webhooks.take(uri, "put", "text/plain", "hello".to_owned());
        webhooks.finish().await;
        let delivery = answer?.await;
        Ok(delivery.expect("each is told of"))
    }

    #[tokio::test]
    async fn webhook_goes_out_once_with_method_type_and_body() {
        let server = Server::start(|_| Server::status(204)).await;
        let answer = tell(&webhooks("127.0.0.1"), &server.url("/hook")).await;
        let delivery = answer.unwrap();
        assert_eq!((delivery.status, delivery.tries), (Some(204), 1));
        let requests = server.requests();
        assert_eq!(requests.len(), 1);
        assert_eq!(requests[0].line, "PUT /hook HTTP/1.1");
        assert_eq!(requests[0].header("content-type"), Some("text/plain"));
        assert_eq!(requests[0].body, b"hello");
    }

    #[tokio::test]
    async fn webhook_is_tried_three_times_when_the_server_fails_and_once_when_it_refuses() {
        for (code, tries) in [(500, 3), (503, 3), (400, 1), (404, 1)] {
            let server = Server::start(move |_| Server::status(code)).await;
            let delivery = tell(&webhooks("127.0.0.1"), &server.url("/"))
                .await
                .unwrap();
            assert_eq!(server.requests().len(), tries, "{code}");
            let told = (delivery.status, delivery.tries as usize);
            assert_eq!(told, (Some(code), tries));
        }
    }

    #[tokio::test]
    async fn webhook_that_comes_through_at_the_second_try_is_not_sent_a_third_time() {
        let seen = AtomicUsize::new(0);
        let server = Server::start(move |_| match seen.fetch_add(1, Ordering::Relaxed) {
            0 => Server::silence(),
            _ => Server::status(200),
        })
        .await;
        let _ = tell(&webhooks("127.0.0.1"), &server.url("/")).await;
        assert_eq!(server.requests().len(), 2);
    }

    #[tokio::test]
    async fn webhook_to_a_private_address_is_never_sent() {
        let server = Server::start(|_| Server::status(200)).await;
        let answer = tell(&webhooks("10.0.0.0/8"), &server.url("/")).await;
        assert_eq!(answer.unwrap().status, None, "taken over, then refused");
        assert!(server.requests().is_empty());
    }

    #[tokio::test]
    async fn webhook_that_can_never_be_sent_is_refused_at_once() {
        let webhooks = webhooks("127.0.0.1");
        for (uri, method, content_type, body) in [
            ("file:///etc/passwd", "POST", "", 0),
            ("http://127.0.0.1/", "CONNECT", "", 0),
            ("http://127.0.0.1/", "POST", "a\r\nb: c", 0),
            ("http://127.0.0.1/", "POST", "", LONGEST_BODY + 1),
        ] {
            let answer = webhooks.take(uri, method, content_type, "x".repeat(body));
            assert_eq!(
                answer.err(),
                Some(OutsideFailure::Refused),
                "{uri} {method}"
            );
        }
    }

    #[tokio::test]
    async fn more_webhooks_than_may_be_under_way_are_refused() {
        let webhooks = webhooks("127.0.0.1");
        let _all = webhooks.places.try_acquire_many(UNDER_WAY).unwrap();
        let answer = webhooks.take("http://127.0.0.1/", "", "", String::new());
        assert_eq!(answer.err(), Some(OutsideFailure::Busy));
    }
}
