//! One dialog with its media session: where their offer and answer meet.

use std::collections::VecDeque;
use std::fmt::{self, Write as _};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Instant;

use bytes::Bytes;
use flowswitch_media::codec::Codec;
use flowswitch_media::command::{Command, Direction, SessionConfig, SessionId};

use super::reason::Mismatch;
use crate::ids::Rng;
use crate::sdp::SessionDescription;
use crate::sdp::codecs::Codecs;
use crate::sdp::crypto::{LocalCrypto, SrtpPolicy};
use crate::sdp::format::PayloadTypes;
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
    /// What keys are made of.
    pub rng: &'a mut Rng,
}

/// Where offer and answer stand (RFC 3264, RFC 3261 §13.2.1).
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
    /// What is sent, once that is agreed on.
    codec: Option<Codec>,
    /// The peer wants to hear nothing of us.
    is_held_by_peer: bool,
    /// The last description of the peer that could not be followed.
    mismatch: Option<Box<Mismatch>>,
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
            codec: None,
            is_held_by_peer: false,
            mismatch: None,
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
            local: nowhere(IpAddr::V4(Ipv4Addr::UNSPECIFIED), Codecs::default()),
            exchange: Exchange::Unasked,
            rang: None,
            is_configured: false,
            codec: None,
            is_held_by_peer: false,
            mismatch: None,
            told: Some(Direction::SendRecv),
        }
    }

    /// Whether an offer can be followed at all, asked before a session is opened for it.
    pub fn check(
        offer: &SessionDescription,
        address: IpAddr,
        codecs: &Codecs,
        srtp: SrtpPolicy,
        rng: &mut Rng,
    ) -> Result<(), NegotiateError> {
        let mut local = nowhere(address, codecs.clone());
        local.crypto = LocalCrypto::new(srtp);
        local.crypto.prepare_answer(offer, rng);
        negotiate::check(offer, &local)
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

    /// What this party is sent, or will be when its offer is answered.
    #[must_use]
    pub fn codec(&self) -> Option<Codec> {
        self.codec.or_else(|| match &self.exchange {
            Exchange::Offered(offer) => negotiate::first_codec(offer, &self.local.codecs),
            Exchange::Unasked | Exchange::Asked | Exchange::Settled(_) => None,
        })
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
            let config = Box::new(negotiate::unheard(&self.local));
            let session = self.session;
            down.media.push_back(Command::Configure { session, config });
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
            None => (self.offer(down), Agreed::WithAck),
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
            let offer = self.offer(down);
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
        let Ok(answer) = SessionDescription::parse(sdp) else {
            return false;
        };
        let config = match negotiate::accept(&answer, &self.local) {
            Ok(config) => config,
            Err(error) => {
                tracing::info!(dialog = ?self.dialog, %error, "answer refused");
                self.fail_by(error);
                return false;
            }
        };
        self.local.crypto.settle(&answer, config.srtp.as_deref());
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
        self.local.crypto.prepare_offer(down.rng);
        let text = text_of(&negotiate::offer(&mut self.local));
        self.local.version += 1;
        down.endpoint.offer(down.now, dialog, text);
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

    /// What stood against the last description of the peer that could not be followed.
    #[must_use]
    pub fn mismatch(&self) -> Option<&Mismatch> {
        self.mismatch.as_deref()
    }

    fn fail_by(&mut self, error: NegotiateError) {
        let ours = self.local.codecs.names();
        self.mismatch = Some(Box::new(Mismatch { error, ours }));
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

    /// The peer of our next INVITE signals from here, is offered this, and its sound is to be protected so; it
    /// does not get to know keys that another knew.
    pub fn turn_to(&mut self, peer: IpAddr, codecs: Codecs, srtp: SrtpPolicy) {
        self.local.peer = peer;
        self.local.codecs = codecs;
        self.local.payload_types = PayloadTypes::default();
        self.local.crypto = LocalCrypto::new(srtp);
    }

    /// Sends the INVITE with our offer. `false`: the SIP core has too many calls.
    #[must_use]
    pub fn dial(&mut self, down: &mut Down<'_>, mut invite: Invite) -> bool {
        invite.sdp = self.offer(down);
        self.dialog = down.endpoint.invite(down.now, invite);
        self.dialog.is_some()
    }

    /// The INVITE came to nothing.
    pub fn handle_undialed(&mut self) {
        self.dialog = None;
        self.is_configured = false;
        self.codec = None;
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
        let answer = match std::mem::replace(&mut self.exchange, Exchange::Unasked) {
            Exchange::Settled(answer) => answer,
            // What is followed takes the place of the offer.
            Exchange::Offered(offer) => return self.follow(down, &offer),
            other @ (Exchange::Unasked | Exchange::Asked) => {
                self.exchange = other;
                return None;
            }
        };
        self.exchange = Exchange::Settled(answer.clone());
        Some(answer)
    }

    fn follow(&mut self, down: &mut Down<'_>, offer: &SessionDescription) -> Option<Bytes> {
        self.local.crypto.prepare_answer(offer, down.rng);
        match negotiate::answer(offer, &self.local) {
            Ok(answer) => {
                self.local.version += 1;
                let (description, srtp) = (&answer.description, &answer.config.srtp);
                self.local.crypto.settle(description, srtp.as_deref());
                let text = text_of(&answer.description);
                self.is_held_by_peer = !answer.config.direction.sends();
                self.told = Some(self.local.direction);
                self.exchange = Exchange::Settled(text.clone());
                self.local.payload_types = answer.payload_types;
                self.configure(down, answer.config);
                Some(text)
            }
            Err(error) => {
                tracing::debug!(dialog = ?self.dialog, %error, "offer refused");
                self.fail_by(error);
                None
            }
        }
    }

    fn offer(&mut self, down: &mut Down<'_>) -> Bytes {
        self.local.crypto.prepare_offer(down.rng);
        let text = text_of(&negotiate::offer(&mut self.local));
        self.local.version += 1;
        self.exchange = Exchange::Asked;
        text
    }

    fn configure(&mut self, down: &mut Down<'_>, config: SessionConfig) {
        self.is_configured = true;
        let codec = config.send.1;
        self.codec = Some(codec);
        // An offer that comes later is no wish for another one.
        self.local.codecs = self.local.codecs.beside(codec);
        down.media.push_back(Command::Configure {
            session: self.session,
            config: Box::new(config),
        });
    }
}

fn text_of(description: &SessionDescription) -> Bytes {
    let mut text = String::with_capacity(320);
    // A write into a String has no way to fail.
    let _ = write!(text, "{description}");
    Bytes::from(text)
}

/// Descriptions may have keys in them, which are not told.
impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Offered(_) => "Offered",
            Self::Unasked => "Unasked",
            Self::Asked => "Asked",
            Self::Settled(_) => "Settled",
        })
    }
}

/// An end that nothing can be sent to yet.
fn nowhere(address: IpAddr, codecs: Codecs) -> LocalEnd {
    LocalEnd {
        address,
        port: 0,
        session_id: 0,
        version: 0,
        cname: String::new(),
        peer: address,
        direction: Direction::SendRecv,
        codecs,
        payload_types: PayloadTypes::default(),
        crypto: LocalCrypto::default(),
    }
}
