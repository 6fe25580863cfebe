//! One dialog with its media session: where their offer and answer meet.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Instant;

use bytes::Bytes;
use flowswitch_media::command::{Command, Direction, SessionConfig, SessionId};

use crate::sdp::SessionDescription;
use crate::sdp::negotiate::{self, LocalEnd, NegotiateError};
use crate::sip::message::Status;
use crate::sip::{DialogId, Endpoint, Invite};

/// What lies below a call while it handles one input: orders go down through it.
pub struct Down<'a> {
    /// When the input came.
    pub now: Instant,
    /// The SIP core.
    pub endpoint: &'a mut Endpoint,
    /// Orders for the media engine, in order.
    pub media: &'a mut VecDeque<Command>,
}

/// Where offer and answer stand (RFC 3264, RFC 3261 §13.2.1).
#[derive(Debug)]
enum Exchange {
    /// The INVITE brought this offer; nothing is agreed yet.
    Offered(SessionDescription),
    /// The INVITE brought none: ours goes into the 200.
    Unasked,
    /// Our offer is out, in the 200 to an INVITE; the answer comes with the ACK.
    Asked,
    /// Both sides agree; the text is our last answer, for a 183 followed by a 200.
    Settled(Bytes),
}

/// How far the media session has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Opening {
    /// The engine knows nothing of it.
    Unasked,
    /// The engine opens it, or could not.
    Asked,
    /// It has its port.
    Open,
}

/// Dialog and session of one party.
#[derive(Debug)]
pub struct Leg {
    /// Of a call that we make, the one of the INVITE that is out now.
    dialog: Option<DialogId>,
    session: SessionId,
    opening: Opening,
    local: LocalEnd,
    exchange: Exchange,
    /// A 180 (false) or 183 with our answer (true) has been sent.
    rang: Option<bool>,
    /// The engine knows what to send and where to.
    is_configured: bool,
    /// The peer wants to hear nothing of us.
    is_held_by_peer: bool,
    /// What we have told the peer that we want of the sound; `None` when it would not hear of it.
    told: Option<Direction>,
}

/// When the peer's side of an answered call is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Agreed {
    /// At once: our answer went out.
    Now,
    /// With the ACK, which brings the peer's answer to our offer.
    WithAck,
}

impl Leg {
    /// A leg for an INVITE whose media session is open; `local` is our end of it.
    #[must_use]
    pub fn new(
        dialog: DialogId,
        session: SessionId,
        local: LocalEnd,
        offer: Option<SessionDescription>,
    ) -> Self {
        Self {
            dialog: Some(dialog),
            session,
            opening: Opening::Open,
            local,
            exchange: offer.map_or(Exchange::Unasked, Exchange::Offered),
            rang: None,
            is_configured: false,
            is_held_by_peer: false,
            told: Some(Direction::SendRecv),
        }
    }

    /// A leg for a party that we are about to call; nothing of it is open yet.
    #[must_use]
    pub fn outgoing(session: SessionId) -> Self {
        Self {
            dialog: None,
            session,
            opening: Opening::Unasked,
            local: nowhere(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
            exchange: Exchange::Unasked,
            rang: None,
            is_configured: false,
            is_held_by_peer: false,
            told: Some(Direction::SendRecv),
        }
    }

    /// Whether an offer can be followed at all, asked before a session is opened for it.
    pub fn check(offer: &SessionDescription, address: IpAddr) -> Result<(), NegotiateError> {
        negotiate::answer(offer, &nowhere(address)).map(|_| ())
    }

    /// The dialog; a party that we are about to call has none yet.
    #[must_use]
    pub const fn dialog(&self) -> Option<DialogId> {
        self.dialog
    }

    /// The address of ours that the peer knows.
    #[must_use]
    pub const fn address(&self) -> IpAddr {
        self.local.address
    }

    /// The media session.
    #[must_use]
    pub const fn session(&self) -> SessionId {
        self.session
    }

    /// Tells the caller that we are alerting (180), unless more has been said already.
    pub fn ring(&mut self, down: &mut Down<'_>) {
        if let (None, Some(dialog)) = (self.rang, self.dialog) {
            self.rang = Some(false);
            down.endpoint.ring(down.now, dialog, None);
        }
    }

    /// Opens the way for early media (183 with our answer). Without an offer there is none before
    /// the answer: what is played runs on unheard, and we ring instead.
    pub fn ring_with_media(&mut self, down: &mut Down<'_>) {
        let Some(dialog) = self.dialog.filter(|_| self.rang != Some(true)) else {
            return;
        };
        match self.settle(down) {
            Some(sdp) => {
                self.rang = Some(true);
                down.endpoint.ring(down.now, dialog, Some(sdp));
            }
            None => {
                self.ring(down);
                self.run_unheard(down);
            }
        }
    }

    /// Lets what is played run although nothing is agreed yet.
    pub fn run_unheard(&mut self, down: &mut Down<'_>) {
        if !self.is_configured {
            self.configure(down, negotiate::unheard(&self.local));
            self.is_configured = false;
        }
    }

    /// Whether the party hears us before the answer: our 183 is out, or its own has come.
    #[must_use]
    pub const fn has_early_media(&self) -> bool {
        self.is_configured
    }

    /// Answers the INVITE with our answer, or with our offer where the peer made none.
    pub fn answer(&mut self, down: &mut Down<'_>) -> Agreed {
        let (sdp, agreed) = match self.settle(down) {
            Some(answer) => (answer, Agreed::Now),
            None => (self.offer(), Agreed::WithAck),
        };
        if let Some(dialog) = self.dialog {
            down.endpoint.answer(down.now, dialog, sdp);
        }
        agreed
    }

    /// Takes the answer that came with an ACK. `false`: there is none that we can follow.
    #[must_use]
    pub fn handle_acked(&mut self, down: &mut Down<'_>, sdp: Option<&Bytes>) -> bool {
        if !matches!(self.exchange, Exchange::Asked) {
            return true;
        }
        sdp.is_some_and(|sdp| self.take_answer(down, sdp))
    }

    /// Answers a re-INVITE or UPDATE: an offer by our answer, a re-INVITE without one by our offer.
    /// What cannot be followed is refused, and the session goes on as it was (RFC 3261 §14.2).
    pub fn handle_offered(&mut self, down: &mut Down<'_>, sdp: Option<&Bytes>) {
        let Some(dialog) = self.dialog else {
            return;
        };
        let Some(sdp) = sdp else {
            let offer = self.offer();
            down.endpoint.answer_offer(down.now, dialog, offer);
            return;
        };
        let refusal = match SessionDescription::parse(sdp) {
            Err(_) => Status::BAD_REQUEST,
            Ok(offer) => match self.follow(down, &offer) {
                Some(answer) => {
                    down.endpoint.answer_offer(down.now, dialog, answer);
                    return;
                }
                None => Status::NOT_ACCEPTABLE_HERE,
            },
        };
        down.endpoint.refuse_offer(down.now, dialog, refusal);
    }

    /// Takes the answer to an offer of ours: `false` when it cannot be followed, which changes nothing.
    pub fn take_answer(&mut self, down: &mut Down<'_>, sdp: &Bytes) -> bool {
        let answer = SessionDescription::parse(sdp).ok();
        let config = answer.and_then(|answer| negotiate::accept(&answer, &self.local).ok());
        let Some(config) = config else {
            return false;
        };
        self.is_held_by_peer = !config.direction.sends();
        self.exchange = Exchange::Settled(Bytes::new());
        self.configure(down, config);
        true
    }

    // Hold.

    /// Tells the peer of an answered call what we want of the sound from now on, by re-INVITE; nothing
    /// where it knows.
    pub fn propose(&mut self, down: &mut Down<'_>, direction: Direction) {
        self.local.direction = direction;
        if self.told == Some(direction) {
            return;
        }
        let Some(dialog) = self.dialog else {
            return;
        };
        self.told = Some(direction);
        let text = negotiate::offer(&self.local).to_string();
        self.local.version += 1;
        down.endpoint.offer(down.now, dialog, Bytes::from(text));
    }

    /// The peer would not hear of it: the session goes on as it was (RFC 3261 §14.1).
    pub fn handle_proposal_refused(&mut self) {
        self.told = None;
    }

    /// Claims that the peer wants to hear nothing of us.
    #[must_use]
    pub const fn is_held_by_peer(&self) -> bool {
        self.is_held_by_peer
    }

    // A party that we call.

    /// Asks for the port of the session, on the side of this address of ours. One that is open on another
    /// side is given up for `session`; the session that is used is returned.
    pub fn open(&mut self, down: &mut Down<'_>, session: SessionId, local: IpAddr) -> SessionId {
        if self.opening != Opening::Unasked {
            self.close(down);
            self.session = session;
        }
        self.opening = Opening::Asked;
        self.is_configured = false;
        let session = self.session;
        down.media.push_back(Command::Open { session, local });
        session
    }

    /// The session has its port; `local` is our end of it.
    pub fn handle_opened(&mut self, local: LocalEnd) {
        self.opening = Opening::Open;
        self.local = local;
    }

    /// The session could not be opened: there is none to close.
    pub fn handle_open_failed(&mut self) {
        self.opening = Opening::Unasked;
    }

    /// The peer of our next INVITE signals from here.
    pub fn turn_to(&mut self, peer: IpAddr) {
        self.local.peer = peer;
    }

    /// Sends the INVITE with our offer. `false`: the SIP core has too many calls.
    #[must_use]
    pub fn dial(&mut self, down: &mut Down<'_>, mut invite: Invite) -> bool {
        invite.sdp = self.offer();
        self.dialog = down.endpoint.invite(down.now, invite);
        self.dialog.is_some()
    }

    /// The INVITE came to nothing.
    pub fn handle_undialed(&mut self) {
        self.dialog = None;
        self.is_configured = false;
    }

    /// Whether an answer to our offer has been followed.
    #[must_use]
    pub const fn is_settled(&self) -> bool {
        matches!(self.exchange, Exchange::Settled(_))
    }

    /// Ends the media session. `false`: there is none, and nothing will be heard of it.
    pub fn close(&self, down: &mut Down<'_>) -> bool {
        let session = self.session;
        let is_known = self.opening != Opening::Unasked;
        if is_known {
            down.media.push_back(Command::Close { session });
        }
        is_known
    }

    /// Our answer to the offer of the INVITE, made once; `None` where there was no offer, or none that
    /// can be followed (those are refused before a leg is made).
    fn settle(&mut self, down: &mut Down<'_>) -> Option<Bytes> {
        match &self.exchange {
            Exchange::Settled(answer) => Some(answer.clone()),
            Exchange::Unasked | Exchange::Asked => None,
            Exchange::Offered(offer) => {
                let offer = offer.clone();
                self.follow(down, &offer)
            }
        }
    }

    fn follow(&mut self, down: &mut Down<'_>, offer: &SessionDescription) -> Option<Bytes> {
        match negotiate::answer(offer, &self.local) {
            Ok(answer) => {
                self.local.version += 1;
                let text = Bytes::from(answer.description.to_string());
                self.is_held_by_peer = !answer.config.direction.sends();
                self.told = Some(self.local.direction);
                self.exchange = Exchange::Settled(text.clone());
                self.configure(down, answer.config);
                Some(text)
            }
            Err(error) => {
                tracing::debug!(dialog = ?self.dialog, %error, "offer refused");
                None
            }
        }
    }

    fn offer(&mut self) -> Bytes {
        let text = negotiate::offer(&self.local).to_string();
        self.local.version += 1;
        self.exchange = Exchange::Asked;
        Bytes::from(text)
    }

    fn configure(&mut self, down: &mut Down<'_>, config: SessionConfig) {
        self.is_configured = true;
        down.media.push_back(Command::Configure {
            session: self.session,
            config: Box::new(config),
        });
    }
}

/// An end that nothing can be sent to yet.
fn nowhere(address: IpAddr) -> LocalEnd {
    LocalEnd {
        address,
        port: 0,
        session_id: 0,
        version: 0,
        cname: String::new(),
        peer: address,
        direction: Direction::SendRecv,
    }
}
