//! Requests to servers that flows make, as the timelines of their calls tell them: whom, and how long it took.

use std::time::Duration;

use super::Switch;
use super::ask::Asker;
use super::outside::{Delivery, OrderId, OutsideAnswer, OutsideFailure, OutsideRequest};
use crate::call::reason::{Exchange as Disappointment, Fact};
use crate::ids::CallId;
use crate::store::timeline::{HttpMoment, What};

/// One under way.
#[derive(Debug)]
pub(super) struct Exchange {
    call: CallId,
    began: Duration,
    purpose: &'static str,
    method: Box<str>,
    host: Box<str>,
}

/// Exchanges that are remembered at one time; others are not told of.
const MOST: usize = 8192;

impl Switch {
    /// An order to the world is given; nothing where it is for no call.
    pub(super) fn exchange_begins(
        &mut self,
        order: OrderId,
        asker: &Asker,
        request: &OutsideRequest,
    ) {
        let call = match asker {
            Asker::Flow(id, _)
            | Asker::Fetch(id, _)
            | Asker::Heard(id, _)
            | Asker::Reply(id, ..)
            | Asker::Written { activeflow: id, .. }
            | Asker::Summary { activeflow: id, .. } => self.call_of(*id),
            Asker::Transcript { transcribe, .. } => {
                let transcription = self.transcriptions.get(transcribe);
                transcription.and_then(super::transcribing::Transcription::call)
            }
            Asker::Message(_) => None,
        };
        let Some(call) = call.filter(|_| self.exchanges.len() < MOST) else {
            return;
        };
        let (purpose, method, url) = match request {
            OutsideRequest::Fetch { url, method, .. } => ("fetch", or(method, "GET"), url.as_str()),
            OutsideRequest::Webhook { uri, method, .. } => {
                ("webhook", or(method, "POST"), uri.as_str())
            }
            OutsideRequest::Email(_) => ("mail", "", ""),
            OutsideRequest::Message(_) => ("message", "", ""),
            OutsideRequest::Transcribe { .. } => ("transcription", "", ""),
            OutsideRequest::Chat { .. } => ("chat", "", ""),
        };
        let exchange = Exchange {
            call,
            began: self.tap.at,
            purpose,
            method: method.into(),
            host: host_of(url).into(),
        };
        self.exchanges.insert(order, exchange);
    }

    /// An order has its answer. A webhook has only been taken over by then: what becomes of it is heard later.
    pub(super) fn exchange_answered(&mut self, order: OrderId, answer: &OutsideAnswer) {
        let is_taken_over =
            |exchange: &Exchange| exchange.purpose == "webhook" && *answer == OutsideAnswer::Done;
        if self.exchanges.get(&order).is_some_and(is_taken_over) {
            return;
        }
        let (status, failure) = match answer {
            OutsideAnswer::Body(_) => (Some(200), None),
            OutsideAnswer::Failed(OutsideFailure::Answered { status }) => {
                (Some(*status), Some("of no use"))
            }
            OutsideAnswer::Failed(failure) => (None, Some(failure.as_str())),
            OutsideAnswer::Done | OutsideAnswer::Text(_) => (None, None),
        };
        if let Some(exchange) = self.exchanges.remove(&order) {
            let took = self.tap.at.saturating_sub(exchange.began);
            self.note_exchange(exchange, status, failure, took);
        }
    }

    /// It is known what became of a webhook.
    pub(super) fn delivered(&mut self, order: OrderId, delivery: Delivery) {
        let Some(exchange) = self.exchanges.remove(&order) else {
            return;
        };
        let failure = match delivery.status {
            Some(..400) => None,
            Some(_) => Some("answered with an error"),
            None => Some("no answer"),
        };
        self.note_exchange(exchange, delivery.status, failure, delivery.took);
    }

    fn note_exchange(
        &mut self,
        exchange: Exchange,
        status: Option<u16>,
        failure: Option<&'static str>,
        took: Duration,
    ) {
        let Exchange {
            call,
            purpose,
            method,
            host,
            ..
        } = exchange;
        if failure.is_some() || took >= Disappointment::SLOW {
            let disappointment = Disappointment {
                purpose,
                host: host.clone(),
                status,
                failure,
                took,
            };
            self.know(call, Fact::Exchange(Box::new(disappointment)));
        }
        let moment = HttpMoment {
            purpose,
            method,
            host,
            status,
            outcome: failure.unwrap_or("done"),
            took,
        };
        self.note(call, What::Http(Box::new(moment)));
    }
}

fn or<'a>(method: &'a str, usual: &'a str) -> &'a str {
    if method.is_empty() { usual } else { method }
}

/// Host and port of a URL: neither who asks nor what is asked for.
fn host_of(url: &str) -> &str {
    let authority = url.split_once("://").map_or("", |(_, rest)| rest);
    let end = authority.find(['/', '?', '#', '\\']);
    let authority = &authority[..end.unwrap_or(authority.len())];
    let host = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    let mut end = host.len().min(LONGEST_HOST);
    while !host.is_char_boundary(end) {
        end -= 1;
    }
    &host[..end]
}

/// No name is longer (RFC 1035 §2.3.4), with a port behind it.
const LONGEST_HOST: usize = 260;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_url_the_host_and_port_are_kept() {
        for (url, host) in [
            ("https://api.example.com/v1?token=secret", "api.example.com"),
            ("http://user:secret@10.0.0.5:8080", "10.0.0.5:8080"),
            ("http://a.example#x@b", "a.example"),
            ("mailto:someone", ""),
        ] {
            assert_eq!(host_of(url), host);
        }
    }
}
