//! A telephone asks for a transfer by REFER (RFC 3515, RFC 5589).
//!
//! Only an extension may: who has proven by digest to be one when it called, or was called where it is
//! registered. Whom it may name is whom it may dial.

use std::time::Instant;

use super::direct::dialled_kind;
use super::transfer::{Talk, TransferKind, can_join};
use super::{ControlError, Switch};
use crate::call::address::AddressKind;
use crate::flow;
use crate::ids::CallId;
use crate::sip::DialogId;
use crate::sip::message::{Host, Replaces, Status, Uri};

impl Switch {
    /// Answers a REFER, and does what it asks for.
    pub(super) fn handle_referred(
        &mut self,
        now: Instant,
        dialog: DialogId,
        target: &Uri,
        replaces: Option<&Replaces>,
    ) {
        let done = match replaces {
            Some(replaces) => self.refer_into(now, dialog, replaces),
            None => self.refer_to(now, dialog, target),
        };
        if let Err(status) = done {
            tracing::info!(?dialog, status = status.code(), "REFER refused");
            self.endpoint.refuse_refer(now, dialog, status);
        }
    }

    /// The one it talks with is to be given to somebody else.
    fn refer_to(&mut self, now: Instant, dialog: DialogId, target: &Uri) -> Result<(), Status> {
        let call = self.call_by(dialog).ok_or(Status::CALL_DOES_NOT_EXIST)?;
        self.extension_of(call).ok_or(Status::FORBIDDEN)?;
        let target = self.referred(call, target).ok_or(Status::NOT_FOUND)?;
        self.transfer(now, TransferKind::Blind, call, &[target], Some(dialog))
            .map_err(refusal)?;
        self.endpoint.accept_refer(now, dialog);
        Ok(())
    }

    /// The ones it talks with in two calls are to talk with each other.
    fn refer_into(
        &mut self,
        now: Instant,
        dialog: DialogId,
        replaces: &Replaces,
    ) -> Result<(), Status> {
        let call = self.call_by(dialog).ok_or(Status::CALL_DOES_NOT_EXIST)?;
        let extension = self.extension_of(call).ok_or(Status::FORBIDDEN)?;
        let other = self.endpoint.find_replaced(replaces);
        let other = other.and_then(|other| self.call_by(other));
        let other = other.ok_or(Status::CALL_DOES_NOT_EXIST)?;
        if self.extension_of(other) != Some(extension) {
            return Err(Status::FORBIDDEN);
        }
        let (one, other) = (self.talk(call)?, self.talk(other)?);
        if replaces.early_only || one.bridge == other.bridge {
            return Err(Status::DECLINE);
        }
        if !can_join(&one, &other) {
            return Err(refusal(ControlError::NotTalking));
        }
        // The telephone is told before its calls end: many forget what they asked for with the BYE.
        self.endpoint.accept_refer(now, dialog);
        self.endpoint.notify_refer(now, dialog, Status::OK);
        self.join_talks(now, one, other).map_err(refusal)
    }

    fn talk(&self, call: CallId) -> Result<Talk, Status> {
        self.talk_of(call).map_err(refusal)
    }

    /// The extension whose telephone the party of a call is, as far as that is proven.
    pub(super) fn extension_of(&self, call: CallId) -> Option<&str> {
        let entry = self.calls.get(&call)?;
        let (address, is_proven) = match entry.outgoing.as_ref() {
            // An address of this kind is given to those alone who have proven it.
            None => (entry.call.source(), entry.call.is_incoming()),
            Some(outgoing) => (entry.call.destination(), outgoing.is_at_extension()),
        };
        let is_extension = is_proven && address.kind == AddressKind::Extension;
        is_extension.then_some(address.target.as_str())
    }

    /// Whom a telephone means by this URI: somebody elsewhere where it names a trunk, another address, or a
    /// host of `[sip] dial_allow`; else whom it would reach by dialling it.
    fn referred(&self, call: CallId, uri: &Uri) -> Option<flow::Address> {
        let here = self.calls.get(&call)?.call.leg().address();
        let directory = &self.config.directory;
        let (kind, target) = match uri {
            Uri::Sip(sip) => {
                let trunks = &directory.trunks;
                let is_elsewhere = match &sip.host {
                    Host::Ip(address) => *address != here,
                    name @ Host::Name(_) => {
                        directory.dial_allow.allows(name)
                            || trunks
                                .ids()
                                .any(|trunk| trunks.get(trunk).host.host.is_equivalent(name))
                    }
                };
                match is_elsewhere {
                    true => ("sip", uri.to_string()),
                    false => dialled_kind(uri)?,
                }
            }
            Uri::Tel(_) => dialled_kind(uri)?,
            Uri::Other { .. } => return None,
        };
        Some(flow::Address {
            kind: kind.to_owned(),
            target,
            ..flow::Address::default()
        })
    }
}

/// How a REFER is refused.
fn refusal(error: ControlError) -> Status {
    match error {
        ControlError::NoSuchCall => Status::CALL_DOES_NOT_EXIST,
        ControlError::NobodyToCall { .. } => Status::NOT_FOUND,
        ControlError::AlreadyTransferring => Status::REQUEST_PENDING,
        _ => Status::DECLINE,
    }
}
