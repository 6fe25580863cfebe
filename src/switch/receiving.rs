//! Messages that come by SIP (RFC 3428): from whom, in which form, and for whom.
//!
//! ```text
//!   stranger ------------------------------> silence
//!   more than a source may send -----------> silence, or 503
//!   claims to be an extension -------------> 401, until it is proven
//!   anything but UTF-8 text up to 16 KiB --> 415, 413, 400
//!   to a number with a message flow -------> 200, and the flow runs
//!   to an extension, from one or a trunk --> what its telephones answer
//!   to anybody else -----------------------> 404
//! ```

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use super::Switch;
use super::arrive::{Refusal, as_of_flows, later};
use super::identity::{Caller, asks_for_privacy};
use super::messaging::LONGEST_TEXT;
use super::route::normal_number;
use super::texts::{RELAY_PATIENCE, Sender, Text, UNDER_WAY};
use crate::call::address::{Address, dialled};
use crate::flow;
use crate::sip::message::{HeaderName, Headers, Request, Response, Status};
use crate::sip::{Hop, RequestId, Transport};
use crate::store::access::Origin;

/// Where a message is to go on to.
struct Relay {
    /// Who sends it.
    source: Address,
    /// The extension.
    reader: String,
    text: String,
}

impl Switch {
    /// A message came.
    pub(super) fn receive_text(
        &mut self,
        now: Instant,
        id: RequestId,
        request: &Arc<Request>,
        hop: &Hop,
    ) {
        match self.take_text(now, request, hop) {
            Ok(None) => {
                let response = Response::to(request, Status::OK);
                self.endpoint.respond(now, id, response);
            }
            Ok(Some(relay)) => {
                let sender = Sender::Peer {
                    id,
                    request: Arc::clone(request),
                    until: now + RELAY_PATIENCE,
                };
                self.relay_text(now, sender, &request.headers, relay);
            }
            Err(Refusal::Silence) => self.endpoint.ignore_request(id),
            Err(Refusal::Status(status, headers)) => {
                tracing::debug!(remote = %hop.remote, status = status.code(), "message refused");
                let mut response = Response::to(request, status);
                for (name, value) in headers {
                    response.headers.push(name, value);
                }
                self.endpoint.respond(now, id, response);
            }
        }
    }

    /// Gives a message to the flow of a number; one for an extension is given back.
    fn take_text(
        &mut self,
        now: Instant,
        request: &Request,
        hop: &Hop,
    ) -> Result<Option<Relay>, Refusal> {
        if !self.is_trusted(now, hop) {
            return Err(Refusal::Silence);
        }
        if !self.throttle.pass(now, hop.remote.ip()) {
            return Err(self.flooded(now, hop));
        }
        let busy = Refusal::Status(Status::SERVICE_UNAVAILABLE, later());
        if self.stopping.is_some() || self.is_overloaded {
            return Err(busy);
        }
        let extension = self.identify(now, request, hop)?;
        let text = text_of(request)?;
        let is_known = |user: &str| {
            self.flows.message_flow(user).is_some() || self.config.access.password(user).is_some()
        };
        let meant = self.meant(now, request, hop, is_known);
        let user = dialled(&meant).unwrap_or_default();
        let is_ours = extension.is_some() || matches!(self.origin(now, hop), Origin::Trunk(_));
        let source = match &extension {
            Some(extension) => Address::extension(extension),
            None => Address::from_sip(&request.headers.from().map_err(|_| Status::BAD_REQUEST)?),
        };
        if let Some(flow) = self.flows.message_flow(user) {
            if self.activeflows.len() >= self.config.calls {
                return Err(busy);
            }
            let flow = flow.id.clone();
            let number = flow::Address {
                kind: "tel".to_owned(),
                target: normal_number(user),
                ..flow::Address::default()
            };
            self.handle_message(now, as_of_flows(&source), number, text, Some(&flow));
            return Ok(None);
        }
        if !is_ours || self.config.access.password(user).is_none() {
            return Err(Status::NOT_FOUND.into());
        }
        if self.texts.len() >= UNDER_WAY {
            return Err(busy);
        }
        let reader = user.to_owned();
        Ok(Some(Relay {
            source,
            reader,
            text,
        }))
    }

    /// Brings a message to the telephones of an extension.
    fn relay_text(&mut self, now: Instant, sender: Sender, headers: &Headers, relay: Relay) {
        let caller = Caller {
            address: Arc::new(relay.source),
            is_private: asks_for_privacy(headers),
            is_chosen: true,
        };
        let source = as_of_flows(&caller.address);
        let destinations = vec![as_of_flows(&Address::extension(&relay.reader))];
        let message = self.keep_outbound(now, source, destinations, relay.text);
        let text = Text::new(now, sender, caller, &message.text, 1);
        self.send_text(now, &message, text);
    }

    /// A source sends more than it may. Over datagrams it is not answered: nothing is kept of the request,
    /// and when it comes again there may be room for it.
    fn flooded(&mut self, now: Instant, hop: &Hop) -> Refusal {
        if let Some(others) = self.floods.pass(now) {
            tracing::warn!(remote = %hop.remote, others, "too many messages from one source");
        }
        match hop.transport {
            Transport::Udp => Refusal::Silence,
            Transport::Tcp => Refusal::Status(Status::SERVICE_UNAVAILABLE, later()),
        }
    }
}

/// The text of a message, if it is one that is taken.
fn text_of(request: &Request) -> Result<String, Refusal> {
    let unsupported = |name, value| {
        let accepted = vec![(name, Bytes::from_static(value))];
        Refusal::Status(Status::UNSUPPORTED_MEDIA_TYPE, accepted)
    };
    let headers = &request.headers;
    let encoding = headers.get(&HeaderName::ContentEncoding);
    if encoding.is_some_and(|value| !value.eq_ignore_ascii_case(b"identity")) {
        return Err(unsupported(HeaderName::AcceptEncoding, b"identity"));
    }
    let kind = headers.content_type().map_err(|_| Status::BAD_REQUEST)?;
    let is_text = kind.as_ref().is_some_and(|kind| {
        let charset = kind.params.value("charset").unwrap_or("utf-8");
        let is_ours = |known: &&str| charset.eq_ignore_ascii_case(known);
        kind.is("text", "plain") && ["utf-8", "us-ascii"].iter().any(is_ours)
    });
    if kind.is_some() && !is_text {
        return Err(unsupported(HeaderName::Accept, b"text/plain;charset=UTF-8"));
    }
    if request.body.len() > LONGEST_TEXT {
        return Err(Status::REQUEST_ENTITY_TOO_LARGE.into());
    }
    let text = std::str::from_utf8(&request.body).map_err(|_| Status::BAD_REQUEST)?;
    if kind.is_none() || text.trim().is_empty() {
        return Err(Status::BAD_REQUEST.into());
    }
    Ok(text.to_owned())
}
