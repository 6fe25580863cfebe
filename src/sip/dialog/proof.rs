//! What we prove with our account, and to whom we never prove it (RFC 3261 §22.2, §22.3).
//!
//! An answer to a challenge can be carried on by whoever gets it to the one it opens a door at. So the
//! account of a call is shown to one peer only: the INVITE to the hop that it was made for, and later
//! requests of the dialog when they go to the same address and are asked by the realm that asked first. A
//! peer that moves the dialog elsewhere by its Contact, or asks in its own name, gets nothing.

use std::net::IpAddr;
use std::time::Instant;

use bytes::Bytes;

use super::floor::Floor;
use super::invite::InviteUsage;
use crate::ids::Rng;
use crate::sip::event::Account;
use crate::sip::hop::Hop;
use crate::sip::message::{
    Credentials, HeaderName, Headers, Method, NameAddr, Request, Response, Status,
};
use crate::sip::transaction::{ClientEvent, TransactionId};

/// The account of a call, and who has asked for it.
#[derive(Debug)]
pub(super) struct Proof {
    account: Account,
    peer: IpAddr,
    realm: Option<String>,
}

/// The challenges that one request has met.
#[derive(Clone, Debug, Default)]
pub(super) struct Trial {
    tries: u8,
    nonce: String,
}

/// A request within the call that has no final response yet.
#[derive(Debug)]
pub(super) struct Sent {
    /// By which the usage knows it.
    name: TransactionId,
    /// By which it is under way now.
    latest: TransactionId,
    hop: Hop,
    /// Without Via.
    request: Request,
    trial: Trial,
}

/// Credentials as they stand in a request; an ACK carries those of its INVITE (RFC 3261 §13.2.2.4).
#[derive(Clone)]
pub(super) struct Shown {
    name: HeaderName,
    value: Bytes,
    peer: IpAddr,
}

impl Proof {
    /// For the peer at `hop`.
    pub(super) const fn new(account: Account, hop: Hop) -> Self {
        Self {
            account,
            peer: hop.remote.ip(),
            realm: None,
        }
    }

    /// Answers the challenge of `response` to `request`, which went to `hop`; `None` when it is not ours to
    /// answer, or was answered in vain.
    ///
    /// The first challenge to the INVITE sets the realm. One request is tried three times at most, and again
    /// only when its nonce was too old (RFC 7616 §3.3, `stale`).
    pub(super) fn show(
        &mut self,
        request: &Request,
        hop: Hop,
        response: &Response,
        trial: &mut Trial,
        rng: &mut Rng,
    ) -> Option<Shown> {
        let (asked_by, name) = match response.status {
            Status::UNAUTHORIZED => (HeaderName::WwwAuthenticate, HeaderName::Authorization),
            Status::PROXY_AUTHENTICATION_REQUIRED => (
                HeaderName::ProxyAuthenticate,
                HeaderName::ProxyAuthorization,
            ),
            _ => return None,
        };
        let challenge = response.headers.challenge(&asked_by)?;
        let is_first = request.headers.to().is_ok_and(|to| to.tag().is_none());
        let is_known = match &self.realm {
            Some(realm) => *realm == challenge.realm,
            None => is_first,
        };
        let is_worth_it = trial.tries == 0 || (challenge.stale && trial.nonce != challenge.nonce);
        if !is_known || hop.remote.ip() != self.peer || !is_worth_it || trial.tries >= MOST_TRIES {
            return None;
        }
        trial.tries += 1;
        trial.nonce.clone_from(&challenge.nonce);
        self.realm.get_or_insert_with(|| challenge.realm.clone());
        let Account { username, password } = &self.account;
        let credentials = Credentials::answer(
            &challenge,
            (username, password),
            &request.method,
            &request.uri.to_string(),
            1,
            &rng.token(16),
        );
        Some(Shown {
            name,
            value: credentials.to_bytes(),
            peer: self.peer,
        })
    }
}

impl Shown {
    /// Puts the credentials into a request that is sent again, in the place of older ones.
    pub(super) fn replace(&self, headers: &mut Headers, hop: Hop) {
        headers.remove(&HeaderName::Authorization);
        headers.remove(&HeaderName::ProxyAuthorization);
        self.write(headers, hop);
    }

    /// Puts the credentials into a request, unless it goes to somebody else.
    pub(super) fn write(&self, headers: &mut Headers, hop: Hop) {
        if hop.remote.ip() == self.peer {
            headers.push(self.name.clone(), self.value.clone());
        }
    }
}

impl Sent {
    pub(super) fn new(transaction: TransactionId, hop: Hop, request: Request) -> Self {
        Self {
            name: transaction,
            latest: transaction,
            hop,
            request,
            trial: Trial::default(),
        }
    }
}

impl InviteUsage {
    /// Answers a challenge to a request within the call by sending it again; else gives the name that the
    /// usage knows the transaction by.
    pub(super) fn handle_challenge(
        &mut self,
        now: Instant,
        floor: &mut Floor<'_>,
        transaction: TransactionId,
        event: &ClientEvent,
    ) -> Option<TransactionId> {
        let is_it = |sent: &Sent| sent.latest == transaction;
        let Some(at) = self.sent.iter().position(is_it) else {
            return Some(transaction);
        };
        let sent = &mut self.sent[at];
        let response = match event {
            ClientEvent::Response(response) if !response.status.is_final() => {
                return Some(sent.name);
            }
            ClientEvent::Response(response) => Some(response),
            ClientEvent::TimedOut | ClientEvent::TransportFailed => None,
        };
        let shown = self.proof.as_mut().zip(response).and_then(|it| {
            let (proof, response) = it;
            proof.show(
                &sent.request,
                sent.hop,
                response,
                &mut sent.trial,
                floor.rng,
            )
        });
        let Some(shown) = shown else {
            return Some(self.sent.swap_remove(at).name);
        };
        let method = sent.request.method.clone();
        let is_invite = method == Method::Invite;
        let to = sent.request.headers.to().ok();
        self.enter_branch(to.as_ref().and_then(NameAddr::tag));
        let cseq = self.dialog.next_cseq(method);
        self.leave_branch();
        let sent = &mut self.sent[at];
        let headers = &mut sent.request.headers;
        shown.replace(headers, sent.hop);
        headers.set(HeaderName::CSeq, cseq.to_string());
        sent.latest = floor.request(now, sent.hop, sent.request.clone(), Some(self.id));
        if is_invite {
            self.shown = Some((cseq.number, shown));
        }
        None
    }

    /// The transaction by which a request of this name is under way.
    pub(super) fn latest(&self, name: TransactionId) -> TransactionId {
        let sent = self.sent.iter().find(|sent| sent.name == name);
        sent.map_or(name, |sent| sent.latest)
    }
}

/// Without the credentials.
impl std::fmt::Debug for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shown")
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}

/// A peer that calls nonce after nonce stale would have us try for ever.
const MOST_TRIES: u8 = 3;
