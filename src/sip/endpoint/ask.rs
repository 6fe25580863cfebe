//! Requests of ours outside calls: MESSAGE, OPTIONS, REGISTER (RFC 3261 §8.1).

use std::sync::Arc;
use std::time::Instant;

use tracing::debug;

use super::Endpoint;
use super::answers::Answers;
use crate::sip::event::{Account, Ask, AskId, Event, NoAnswer};
use crate::sip::hop::Hop;
use crate::sip::message::{CSeq, HeaderName, Method, Request, Response};
use crate::sip::transaction::{ClientEvent, TransactionId};

/// A request of ours that has no answer yet.
#[derive(Debug)]
pub(super) struct Asking {
    id: AskId,
    hop: Hop,
    /// Without Via.
    request: Request,
    cseq: u32,
    account: Option<Account>,
    answers: Answers,
}

impl Endpoint {
    /// Sends a request outside of calls; exactly one [`Event::Responded`] follows, at once when there are too
    /// many transactions already.
    ///
    /// A challenge is answered with [`Ask::account`], which takes the next CSeq number; the Call-ID and number
    /// that the answer came to stand in the response.
    pub fn ask(&mut self, now: Instant, ask: Ask) -> AskId {
        self.issued += 1;
        let id = AskId(self.issued);
        let is_for_calls = matches!(ask.method, Method::Invite | Method::Ack | Method::Cancel);
        if is_for_calls || self.layer.count() >= self.limits.transactions {
            self.stats.overloaded += 1;
            self.tell(id, Err(NoAnswer::TransportFailed));
            return id;
        }
        let asking = self.compose(id, ask);
        self.send_asking(now, asking);
        id
    }

    /// Takes what became of a request of ours outside calls.
    pub(super) fn handle_ask_event(
        &mut self,
        now: Instant,
        transaction: TransactionId,
        event: ClientEvent,
    ) {
        let response = match event {
            ClientEvent::Response(response) if !response.status.is_final() => return,
            ClientEvent::Response(response) => Ok(response),
            ClientEvent::TimedOut => Err(NoAnswer::TimedOut),
            ClientEvent::TransportFailed => Err(NoAnswer::TransportFailed),
        };
        let Some(mut asking) = self.asking.remove(&transaction) else {
            return;
        };
        match (&response, &asking.account) {
            (Ok(challenged), Some(account)) if asking.answers.take(challenged) => {
                asking
                    .answers
                    .write(&mut asking.request, account, &mut self.rng);
                asking.cseq += 1;
                asking.number();
                self.send_asking(now, asking);
            }
            _ => self.tell(asking.id, response),
        }
    }

    fn compose(&mut self, id: AskId, ask: Ask) -> Asking {
        let (call_id, cseq) = ask
            .sequence
            .unwrap_or_else(|| (self.rng.token(CALL_ID_LENGTH).into(), 1));
        let mut request = Request::new(ask.method, ask.uri);
        let headers = &mut request.headers;
        headers.push(HeaderName::MaxForwards, "70");
        let from = ask.from.with_tag(&self.rng.token(TAG_LENGTH));
        headers.push(HeaderName::From, from.to_string());
        let mut to = ask.to;
        to.params.remove("tag");
        headers.push(HeaderName::To, to.to_string());
        headers.push(HeaderName::CallId, call_id);
        for route in &ask.routes {
            headers.push(HeaderName::Route, route.to_string());
        }
        for (name, value) in ask.headers {
            headers.push(name, value);
        }
        self.identity.sign(headers, HeaderName::UserAgent);
        if let Some((kind, body)) = ask.body {
            headers.push(HeaderName::ContentType, kind);
            request.body = body;
        }
        let mut asking = Asking {
            id,
            hop: ask.hop,
            request,
            cseq,
            account: ask.account,
            answers: Answers::default(),
        };
        asking.number();
        asking
    }

    fn send_asking(&mut self, now: Instant, asking: Asking) {
        let sent_by = self.identity.advertised(asking.hop);
        let request = asking.request.clone();
        let transaction =
            self.layer
                .request(now, asking.hop, sent_by, request, &mut self.rng, None);
        self.asking.insert(transaction, asking);
    }

    fn tell(&mut self, ask: AskId, result: Result<Arc<Response>, NoAnswer>) {
        debug!(ask = ask.0, status = ?result.as_ref().map(|response| response.status), "responded");
        self.events.push_back(Event::Responded { ask, result });
    }
}

impl Asking {
    /// Writes the CSeq of this attempt.
    fn number(&mut self) {
        let cseq = CSeq {
            number: self.cseq,
            method: self.request.method.clone(),
        };
        self.request.headers.set(HeaderName::CSeq, cseq.to_string());
    }
}

/// Five bits each: unlike any other, ever.
const CALL_ID_LENGTH: usize = 24;

/// Five bits each.
const TAG_LENGTH: usize = 16;
