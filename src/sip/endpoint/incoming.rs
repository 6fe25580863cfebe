//! The way of a request through the endpoint: transaction, dialog, or the owner.

use std::sync::Arc;
use std::time::Instant;

use sha2::{Digest as _, Sha256};
use tracing::debug;

use super::refusal::{Refusal, check_extensions, check_outside_dialog};
use super::{Endpoint, TAG_LENGTH};
use crate::sip::dialog::{Dialog, InviteUsage, Part};
use crate::sip::event::{DialogId, Event, RequestId};
use crate::sip::hop::{Hop, response_hop, stamp};
use crate::sip::message::{HeaderName, Method, Params, Request, Status, Via};
use crate::sip::transaction::{Matched, ServerKey};

/// A request on its way, with what was learned of it.
struct Incoming {
    /// With a top Via that says where it really came from.
    request: Arc<Request>,
    /// As the sender wrote it.
    via: Via,
    hop: Hop,
    trusted: bool,
}

impl Endpoint {
    pub(super) fn handle_request(
        &mut self,
        now: Instant,
        hop: Hop,
        request: Request,
        trusted: bool,
    ) {
        let Ok(via) = request.headers.top_via() else {
            self.stats.dropped += 1;
            return;
        };
        match self.layer.handle_request(now, &request, &via) {
            Matched::Absorbed => self.heard = self.layer.heard().flatten(),
            Matched::Ack => self.handle_ack(now, &request),
            Matched::Unknown(key) => {
                let incoming = Incoming::new(request, via, hop, trusted);
                if let Err(refusal) = self.admit(now, key, &incoming) {
                    self.refuse_without_state(&incoming, &refusal);
                }
            }
            Matched::Cancel { key, invite, owner } => {
                let cancel = Incoming::new(request, via, hop, trusted);
                self.heard = owner;
                self.confirm_cancel(now, key, &cancel);
                if let Some(dialog) = owner {
                    self.with(now, dialog, |usage, floor| {
                        usage.handle_cancel(now, floor, invite);
                    });
                }
            }
        }
    }

    /// 200 to a CANCEL, with the To tag of the answers to what it cancels (RFC 3261 §9.2).
    fn confirm_cancel(&mut self, now: Instant, key: ServerKey, cancel: &Incoming) {
        let tag = self.tag_of(cancel);
        let ok = self.identity.response(&cancel.request, Status::OK, &tag);
        let back = response_hop(cancel.hop, &cancel.via);
        let transaction = self.layer.open(now, key, &cancel.request, back, self.heard);
        self.layer.respond(now, transaction, &ok);
    }

    /// Refuses what the message room could not read.
    pub(super) fn handle_unreadable(
        &mut self,
        hop: Hop,
        request: Request,
        status: Status,
        trusted: bool,
    ) {
        // Without a readable Via the answer goes where the request came from.
        let via = request.headers.top_via();
        let is_readable = via.is_ok();
        let via = via.unwrap_or_else(|_| asking_for_port(hop));
        let incoming = if is_readable {
            Incoming::new(request, via, hop, trusted)
        } else {
            Incoming {
                request: Arc::new(request),
                via,
                hop,
                trusted,
            }
        };
        self.refuse_without_state(&incoming, &Refusal::Unreadable(status));
    }

    /// Finds whom a new request is for; an error is what its sender is told.
    fn admit(&mut self, now: Instant, key: ServerKey, incoming: &Incoming) -> Result<(), Refusal> {
        let request = &incoming.request;
        let tag = request.headers.to_tag();
        if let Some(tag) = tag.filter(|_| request.method != Method::Register) {
            let dialog = self.find_dialog(request, &tag);
            let dialog = dialog.ok_or(Refusal::NoDialog)?;
            check_extensions(request)?;
            if self.layer.count() >= self.limits.transactions.saturating_mul(2) {
                return Err(Refusal::Overloaded);
            }
            self.deliver(now, key, incoming, dialog);
            return Ok(());
        }
        check_outside_dialog(request, self.layer.is_merged(request))?;
        if self.layer.count() >= self.limits.transactions {
            return Err(Refusal::Overloaded);
        }
        if request.method == Method::Invite {
            return self.admit_invite(now, key, incoming);
        }
        let message = Arc::clone(request);
        let back = response_hop(incoming.hop, &incoming.via);
        let transaction = self.layer.open(now, key, &message, back, None);
        self.events.push_back(Event::Request {
            request: RequestId(transaction),
            message,
            hop: incoming.hop,
        });
        Ok(())
    }

    fn admit_invite(
        &mut self,
        now: Instant,
        key: ServerKey,
        incoming: &Incoming,
    ) -> Result<(), Refusal> {
        let Incoming {
            request, via, hop, ..
        } = incoming;
        let min_se = self.identity.session.min.as_secs();
        let agreed = self
            .identity
            .session
            .agree(request, Part::Ours)
            .map_err(|error| Refusal::of_session(&error, min_se))?;
        let mut tag = self.tag_of(incoming);
        if self.tags.contains_key(tag.as_str()) {
            tag.push_str(&self.rng.token(TAG_LENGTH));
        }
        let dialog = Dialog::accepting(request, via, *hop, &tag)?;
        if self.slots.len() >= self.limits.dialogs {
            return Err(Refusal::Overloaded);
        }
        self.issued += 1;
        let id = DialogId(self.issued);
        self.heard = Some(id);
        let request = Arc::clone(request);
        let back = response_hop(*hop, via);
        let invite = self.layer.open(now, key, &request, back, Some(id));
        let usage = InviteUsage::new(now, id, dialog, Arc::clone(&request), invite, agreed);
        debug!(dialog = id.0, hop = %hop.remote, "invited");
        self.events.push_back(Event::Invited {
            dialog: id,
            request,
            hop: *hop,
        });
        self.insert(now, id, &tag, usage);
        Ok(())
    }

    fn deliver(&mut self, now: Instant, key: ServerKey, incoming: &Incoming, dialog: DialogId) {
        self.heard = Some(dialog);
        let request = Arc::clone(&incoming.request);
        let back = response_hop(incoming.hop, &incoming.via);
        let transaction = self.layer.open(now, key, &request, back, Some(dialog));
        self.with(now, dialog, |usage, floor| {
            usage.handle_request(now, floor, transaction, &request, incoming.hop);
        });
    }

    fn handle_ack(&mut self, now: Instant, ack: &Request) {
        let tag = ack.headers.to_tag();
        let dialog = tag.and_then(|tag| self.find_dialog(ack, &tag));
        self.heard = dialog;
        match dialog {
            Some(dialog) => self.with(now, dialog, |usage, floor| {
                usage.handle_ack(now, floor, ack)
            }),
            None => self.stats.stray_acks += 1,
        }
    }

    fn find_dialog(&self, request: &Request, local_tag: &str) -> Option<DialogId> {
        let id = *self.tags.get(local_tag)?;
        let call_id = request.headers.call_id().ok()?;
        let from_tag = request.headers.from_tag();
        let usage = &self.slots.get(&id)?.usage;
        usage.is_of(call_id, from_tag.as_deref()).then_some(id)
    }

    /// Answers once and keeps nothing: the request is refused anew when it is resent (RFC 3261 §8.2.7).
    /// A sender that is not trusted is not answered.
    fn refuse_without_state(&mut self, incoming: &Incoming, refusal: &Refusal) {
        if incoming.request.method == Method::Ack {
            self.stats.dropped += 1;
            return;
        }
        if *refusal == Refusal::Overloaded {
            self.stats.overloaded += 1;
        }
        debug!(hop = %incoming.hop.remote, why = %refusal, trusted = incoming.trusted, "refused");
        if !incoming.trusted {
            self.stats.screened += 1;
            return;
        }
        self.stats.refused += 1;
        let tag = self.tag_of(incoming);
        let mut response = self
            .identity
            .response(&incoming.request, refusal.status(), &tag);
        refusal.explain(&mut response);
        let back = response_hop(incoming.hop, &incoming.via);
        self.layer.send(back, response.to_bytes(), None);
    }

    /// The To tag of our answers to a request: the same each time it comes and for its CANCEL, and nobody's
    /// guess.
    fn tag_of(&self, incoming: &Incoming) -> String {
        let headers = &incoming.request.headers;
        let mut hash = Sha256::new();
        hash.update(self.secret);
        for name in [HeaderName::CallId, HeaderName::From] {
            hash.update(headers.get(&name).map_or(&[][..], |value| value));
            hash.update([0]);
        }
        let cseq = headers.cseq().map_or(0, |cseq| cseq.number);
        hash.update(cseq.to_be_bytes());
        hash.update(incoming.via.branch().unwrap_or_default());
        let hash: [u8; 32] = hash.finalize().into();
        let [a, b, c, d, e, f, g, h, ..] = hash;
        format!("{:016x}", u64::from_be_bytes([a, b, c, d, e, f, g, h]))
    }
}

impl Incoming {
    fn new(mut request: Request, via: Via, hop: Hop, trusted: bool) -> Self {
        stamp(&mut request.headers, &via, hop);
        Self {
            request: Arc::new(request),
            via,
            hop,
            trusted,
        }
    }
}

/// Stands for a Via that cannot be read.
fn asking_for_port(hop: Hop) -> Via {
    let mut via = Via {
        transport: hop.transport.token().to_owned(),
        host: hop.remote.ip().into(),
        port: Some(hop.remote.port()),
        params: Params::new(),
    };
    via.params.set("rport", None);
    via
}
