//! The invite usage of a call of ours up to its answer (RFC 3261 §9.1, §13.2).
//!
//! ```text
//!          INVITE out        401, 407, 422: INVITE out again
//!              |            .---.
//!              v           /     v
//!           Calling ------' --> Calling -- bye --> Unwanted
//!        1xx   |                                      |  1xx: CANCEL out
//!              v                                      v
//!          Proceeding --------- bye: CANCEL out --> Canceling
//!
//!                            Calling, Proceeding      Unwanted, Canceling
//!   2xx                      ACK out: Established     ACK and BYE out: Leaving
//!   300-699                  Rejected, Ended          Rejected, Ended
//!   nothing within the patience, Timer B, 64*T1 after the CANCEL, transport gone:
//!                            Unanswered, Ended        Unanswered, Ended
//! ```
//!
//! Each To tag of a response is a branch, an early dialog of its own. The branch of the first 2xx becomes
//! the call; what the others say later is dealt with by [`Forks`].

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tracing::debug;

use super::content;
use super::dialog::{Dialog, remote_tag};
use super::floor::Floor;
use super::forks::{Forks, REMEMBERED};
use super::identity::{put_sdp, takes_updates, write_abilities};
use super::invite::{InviteUsage, State};
use super::proof::{Proof, Shown, Trial};
use super::refresh::SessionTimer;
use super::reliable::Confirmed;
use crate::sip::event::{DialogId, EndCause, Event, Invite, NoAnswer};
use crate::sip::hop::{ConnectionId, Hop};
use crate::sip::message::{HeaderName, Method, Request, Response, Status};
use crate::sip::transaction::{ClientEvent, TransactionId};

/// An INVITE of ours without a final response.
#[derive(Debug)]
pub(super) struct Dialing {
    invite: TransactionId,
    state: Waiting,
    hop: Hop,
    /// As it was sent, without Via.
    request: Request,
    branches: Vec<Branch>,
    /// The branch whose dialog stands in for [`InviteUsage::dialog`] just now.
    entered: Option<usize>,
    trial: Trial,
    shown: Option<Shown>,
    is_interval_raised: bool,
}

#[derive(Debug)]
enum Waiting {
    Calling {
        /// `None` once the peer has said something.
        patience_at: Option<Instant>,
    },
    Proceeding,
    Unwanted {
        patience_at: Option<Instant>,
        reason: Option<Bytes>,
    },
    Canceling {
        reason: Option<Bytes>,
    },
}

/// One early dialog.
#[derive(Debug)]
struct Branch {
    dialog: Dialog,
    /// What was told last.
    said: Status,
    sdp: Option<Bytes>,
    confirmed: Confirmed,
    /// The peer hung up before its answer arrived, with this Reason.
    left: Option<Option<Bytes>>,
}

impl Branch {
    /// One that has said nothing yet.
    fn new(dialog: Dialog) -> Self {
        Self {
            dialog,
            said: Status::TRYING,
            sdp: None,
            confirmed: Confirmed::default(),
            left: None,
        }
    }
}

impl Dialing {
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        match &self.state {
            Waiting::Calling { patience_at } | Waiting::Unwanted { patience_at, .. } => {
                *patience_at
            }
            Waiting::Proceeding | Waiting::Canceling { .. } => None,
        }
    }

    /// Claims that this transaction is the INVITE.
    pub(super) fn is_of(&self, transaction: TransactionId) -> bool {
        self.invite == transaction
    }

    /// The branch whose peer has this tag.
    fn branch(&self, remote_tag: Option<&str>) -> Option<usize> {
        self.branches
            .iter()
            .position(|branch| branch.dialog.is_with(remote_tag))
    }

    /// Claims that the peer of this branch belongs to a dialog with this Call-ID.
    pub(super) fn is_of_dialog(&self, call_id: &[u8], remote_tag: Option<&str>) -> bool {
        self.branches
            .iter()
            .any(|branch| branch.dialog.is_of(call_id, remote_tag))
    }

    pub(super) fn handle_connection_lost(&mut self, connection: ConnectionId) {
        for branch in &mut self.branches {
            branch.dialog.handle_connection_lost(connection);
        }
    }

    /// The peer of the entered branch hung up before its answer came: it is noted until the answer does.
    pub(super) fn handle_bye(&mut self, reason: Option<Bytes>) {
        if let Some(at) = self.entered {
            self.branches[at].left = Some(reason);
        }
    }
}

impl InviteUsage {
    /// Calls somebody with our tag `local_tag`.
    #[must_use]
    pub fn dialing(
        now: Instant,
        floor: &mut Floor<'_>,
        id: DialogId,
        invite: Invite,
        local_tag: &str,
    ) -> Self {
        let call_id = floor.rng.token(CALL_ID_LENGTH);
        let mut dialog = Dialog::dialing(&invite, call_id.into(), local_tag);
        let mut request = dialog.request(Method::Invite);
        let headers = &mut request.headers;
        let contact = floor
            .identity
            .contact(invite.hop, invite.contact_user.as_deref());
        headers.push(HeaderName::Contact, contact);
        write_abilities(headers);
        floor.identity.session.propose(headers, None);
        for (name, value) in invite.headers {
            headers.push(name, value);
        }
        put_sdp(headers, &mut request.body, invite.sdp.clone());
        let transaction = floor.request(now, invite.hop, request.clone(), Some(id));
        let dialing = Dialing {
            invite: transaction,
            state: Waiting::Calling {
                patience_at: Some(now + invite.patience),
            },
            hop: invite.hop,
            request,
            branches: Vec::new(),
            entered: None,
            trial: Trial::default(),
            shown: None,
            is_interval_raised: false,
        };
        Self {
            user: invite.contact_user.map(Into::into),
            last_sdp: invite.sdp,
            proof: invite
                .account
                .map(|account| Proof::new(account, invite.hop)),
            ..Self::in_state(id, dialog, State::Dialing(Box::new(dialing)))
        }
    }

    /// Takes what became of our INVITE.
    pub(super) fn handle_dialing_event(
        &mut self,
        now: Instant,
        floor: &mut Floor<'_>,
        event: &ClientEvent,
    ) {
        let why = match event {
            ClientEvent::Response(response) if response.status.is_provisional() => {
                return self.handle_provisional(now, floor, response);
            }
            ClientEvent::Response(response) if response.status.is_success() => {
                return self.handle_first_answer(now, floor, response);
            }
            ClientEvent::Response(response) => {
                if !self.invite_again(now, floor, response) {
                    self.state = State::Ended;
                    self.events.push_back(Event::Rejected {
                        dialog: self.id,
                        response: Arc::clone(response),
                    });
                }
                return;
            }
            ClientEvent::TimedOut => NoAnswer::TimedOut,
            ClientEvent::TransportFailed => NoAnswer::TransportFailed,
        };
        self.end_unanswered(why);
    }

    /// Gives up on a peer that is silent. If it comes to life later it is told that nobody waits for it.
    pub(super) fn handle_dialing_timeout(&mut self, now: Instant, floor: &mut Floor<'_>) {
        let State::Dialing(dialing) = &self.state else {
            return;
        };
        if dialing.poll_timeout().is_none_or(|at| at > now) {
            return;
        }
        let invite = dialing.invite;
        floor.layer.abandon(now, invite);
        self.forks = Some(Forks::new(now, self.id, invite, self.dialog.clone(), None));
        self.end_unanswered(NoAnswer::TimedOut);
    }

    /// Takes back a call that has no answer yet: CANCEL, as soon as there is a provisional response
    /// (RFC 3261 §9.1).
    pub(super) fn cancel(&mut self, now: Instant, floor: &mut Floor<'_>, reason: Option<Bytes>) {
        let State::Dialing(dialing) = &mut self.state else {
            return;
        };
        dialing.state = match std::mem::replace(&mut dialing.state, Waiting::Proceeding) {
            Waiting::Calling { patience_at } => Waiting::Unwanted {
                patience_at,
                reason,
            },
            Waiting::Proceeding => {
                floor.layer.cancel(now, dialing.invite, reason.clone());
                Waiting::Canceling { reason }
            }
            canceled @ (Waiting::Unwanted { .. } | Waiting::Canceling { .. }) => canceled,
        };
    }

    /// Lets the branch whose peer has this tag be the dialog, until [`Self::leave_branch`].
    pub(super) fn enter_branch(&mut self, remote_tag: Option<&str>) {
        if let State::Dialing(dialing) = &mut self.state
            && let Some(at) = dialing.branch(remote_tag)
        {
            std::mem::swap(&mut self.dialog, &mut dialing.branches[at].dialog);
            dialing.entered = Some(at);
        }
    }

    /// Undoes [`Self::enter_branch`].
    pub(super) fn leave_branch(&mut self) {
        if let State::Dialing(dialing) = &mut self.state
            && let Some(at) = dialing.entered.take()
        {
            std::mem::swap(&mut self.dialog, &mut dialing.branches[at].dialog);
        }
    }

    fn handle_provisional(&mut self, now: Instant, floor: &mut Floor<'_>, response: &Response) {
        let State::Dialing(dialing) = &mut self.state else {
            return;
        };
        match &mut dialing.state {
            Waiting::Calling { .. } => dialing.state = Waiting::Proceeding,
            Waiting::Proceeding => {}
            Waiting::Unwanted { reason, .. } => {
                let reason = reason.take();
                dialing.state = Waiting::Proceeding;
                return self.cancel(now, floor, reason);
            }
            Waiting::Canceling { .. } => return,
        }
        if response.status == Status::TRYING {
            return;
        }
        let tag = remote_tag(response);
        let known = dialing.branch(tag.as_deref());
        if known.is_none() && dialing.branches.len() == REMEMBERED {
            *floor.surplus_forks += 1;
            return;
        }
        let at = known.unwrap_or_else(|| {
            let mut dialog = self.dialog.clone();
            dialog.learn(response);
            dialing.branches.push(Branch::new(dialog));
            dialing.branches.len() - 1
        });
        let branch = &mut dialing.branches[at];
        let (is_in_turn, rack) = branch.confirmed.take(response);
        if !is_in_turn {
            return;
        }
        let sdp = content::answer(response);
        let is_new_sdp = sdp.is_some() && branch.sdp != sdp;
        let is_news = branch.said != response.status || is_new_sdp;
        if is_news {
            branch.said = response.status;
            branch.dialog.refresh_target(response.headers.contacts());
            if sdp.is_some() {
                branch.sdp.clone_from(&sdp);
            }
            self.events.push_back(Event::Progress {
                dialog: self.id,
                status: response.status,
                sdp,
            });
        }
        if let Some(rack) = rack {
            self.enter_branch(tag.as_deref());
            self.confirm(now, floor, &rack);
            self.leave_branch();
        }
    }

    /// Takes the first 2xx: its branch is the call, unless nobody wants it any more.
    fn handle_first_answer(&mut self, now: Instant, floor: &mut Floor<'_>, response: &Response) {
        let State::Dialing(mut dialing) = std::mem::replace(&mut self.state, State::Established)
        else {
            return;
        };
        let tag = remote_tag(response);
        let branch = dialing.branch(tag.as_deref());
        let branch = branch.map(|branch| dialing.branches.swap_remove(branch));
        let (told, left) = branch.as_ref().map_or((None, None), |branch| {
            (branch.sdp.clone(), branch.left.clone())
        });
        let mut ours = self.dialog.clone();
        for other in &dialing.branches {
            ours.follow(&other.dialog);
        }
        if let Some(branch) = branch {
            self.dialog = branch.dialog;
        }
        self.dialog.learn(response);
        let mut forks = Forks::new(now, self.id, dialing.invite, ours, dialing.shown);
        forks.acknowledge(floor, &self.dialog, response);
        self.forks = Some(forks);
        match dialing.state {
            Waiting::Unwanted { reason, .. } | Waiting::Canceling { reason, .. } => {
                return self.leave(now, floor, reason);
            }
            Waiting::Calling { .. } | Waiting::Proceeding => {}
        }
        self.peer_takes_updates = takes_updates(&response.headers);
        self.timer = SessionTimer::asking(floor.identity.session.interval);
        let agreed = response.headers.session_expires().ok().flatten();
        self.timer.handle_refreshed(now, agreed);
        debug!(dialog = self.id.0, "accepted");
        self.events.push_back(Event::Accepted {
            dialog: self.id,
            sdp: content::answer(response).or(told),
        });
        if let Some(reason) = left {
            self.end(EndCause::Bye { reason });
        }
    }

    /// Sends the INVITE again when its refusal can be met: a challenge to our account (RFC 3261 §22.2), or
    /// a session interval that is too short (RFC 4028 §7.4). Not once the call is unwanted.
    fn invite_again(&mut self, now: Instant, floor: &mut Floor<'_>, response: &Response) -> bool {
        let State::Dialing(dialing) = &mut self.state else {
            return false;
        };
        if matches!(
            dialing.state,
            Waiting::Unwanted { .. } | Waiting::Canceling { .. }
        ) {
            return false;
        }
        let headers = &mut dialing.request.headers;
        if response.status == Status::SESSION_INTERVAL_TOO_SMALL {
            let min = response.headers.min_se().ok().flatten();
            let Some(min) = min.filter(|_| !dialing.is_interval_raised) else {
                return false;
            };
            dialing.is_interval_raised = true;
            headers.remove(&HeaderName::SessionExpires);
            let min = Duration::from_secs(min.into());
            floor.identity.session.propose(headers, Some(min));
        } else {
            let Some(proof) = &mut self.proof else {
                return false;
            };
            let shown = proof.show(
                &dialing.request,
                dialing.hop,
                response,
                &mut dialing.trial,
                floor.rng,
            );
            let Some(shown) = shown else {
                return false;
            };
            let headers = &mut dialing.request.headers;
            shown.replace(headers, dialing.hop);
            dialing.shown = Some(shown);
        }
        let cseq = self.dialog.next_cseq(Method::Invite);
        let headers = &mut dialing.request.headers;
        headers.set(HeaderName::CSeq, cseq.to_string());
        dialing.invite = floor.request(now, dialing.hop, dialing.request.clone(), Some(self.id));
        dialing.branches.clear();
        dialing.state = Waiting::Calling { patience_at: None };
        true
    }

    fn end_unanswered(&mut self, why: NoAnswer) {
        self.state = State::Ended;
        self.events.push_back(Event::Unanswered {
            dialog: self.id,
            why,
        });
    }
}

/// Five bits each: unique, and nobody's guess.
const CALL_ID_LENGTH: usize = 24;
