//! A call that we make: from its media port to the answer, over as many INVITEs as it takes.
//!
//! ```text
//!   open ----> Opened ----> dial ----> Progress* ----> Accepted: progressing
//!    ^                       ^             |
//!    |                       '--- next hop or trunk <--- Rejected, Unanswered ---> fail
//!    '---- a hop on another side of ours ----'
//! ```
//!
//! Whether and where it is tried again is the switch's to decide.

use std::net::IpAddr;

use bytes::Bytes;
use flowswitch_media::command::SessionId;

use super::call::Call;
use super::cause::{Cause, Why};
use super::event::CallEvent;
use super::leg::Down;
use crate::sdp::codecs::Codecs;
use crate::sdp::crypto::SrtpPolicy;
use crate::sdp::negotiate::LocalEnd;
use crate::sip::Invite;
use crate::status::{CallStatus, HangupReason};

impl Call {
    /// Asks for a media port on this side of ours; `session` is used when there is one on another side
    /// already, which is given up. The session that is being opened is returned.
    pub fn open(&mut self, down: &mut Down<'_>, session: SessionId, local: IpAddr) -> SessionId {
        self.leg.open(down, session, local)
    }

    /// The media port is there.
    pub fn handle_opened(&mut self, local: LocalEnd) {
        self.leg.handle_opened(local);
    }

    /// There is no media port.
    pub fn handle_open_failed(&mut self, down: &mut Down<'_>) {
        self.handle_closed(down, Box::default());
    }

    /// Sends the INVITE with our offer of `codecs` to a peer that signals from `peer`. `false`: there are too
    /// many calls.
    #[must_use]
    pub fn dial(
        &mut self,
        down: &mut Down<'_>,
        (peer, srtp): (IpAddr, SrtpPolicy),
        codecs: Codecs,
        invite: Invite,
    ) -> bool {
        self.leg.turn_to(peer, codecs, srtp);
        self.is_alive() && self.leg.dial(down, invite)
    }

    /// The peer has said something before its answer; with a description that can be followed there is
    /// early media.
    pub fn handle_progress(&mut self, down: &mut Down<'_>, sdp: Option<&Bytes>) {
        if !self.is_dialing() || !self.is_alive() {
            return;
        }
        let had_media = self.leg.has_early_media();
        let has_media = sdp.is_some_and(|sdp| self.leg.take_answer(down, sdp));
        // What is heard comes first: then nobody need be told that it rings.
        if has_media && !had_media {
            self.report(CallEvent::EarlyMedia);
        }
        self.enter(down.now, CallStatus::Ringing);
    }

    /// The peer has answered.
    pub fn handle_accepted(&mut self, down: &mut Down<'_>, sdp: Option<&Bytes>) {
        if !self.is_dialing() || !self.is_alive() {
            return;
        }
        let is_agreed = match sdp {
            Some(sdp) => self.leg.take_answer(down, sdp),
            None => self.leg.is_settled(),
        };
        if is_agreed {
            self.enter(down.now, CallStatus::Progressing);
            self.handle_agreed(down);
            self.tell_held();
        } else {
            self.hangup(down, Cause::local(HangupReason::Failed, Why::BadAnswer));
        }
    }

    /// The INVITE came to nothing; another may follow.
    pub fn handle_undialed(&mut self) {
        self.leg.handle_undialed();
    }

    /// Gives up: no INVITE is out, and none will follow.
    pub fn fail(&mut self, down: &mut Down<'_>, cause: Cause) {
        if self.is_alive() {
            self.close(down, cause);
        }
    }

    /// Whether the party hears us: answered, or by early media.
    #[must_use]
    pub const fn is_heard(&self) -> bool {
        matches!(self.status(), CallStatus::Progressing) || self.leg().has_early_media()
    }
}
