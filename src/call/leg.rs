//! One dialog with its media session: where their offer and answer meet.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Instant;

use bytes::Bytes;
use flowswitch_media::command::{Command, SessionConfig, SessionId};

use crate::sdp::SessionDescription;
use crate::sdp::negotiate::{self, LocalEnd, NegotiateError};
use crate::sip::message::Status;
use crate::sip::{DialogId, Endpoint};

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

/// Dialog and session of one party.
#[derive(Debug)]
pub struct Leg {
    dialog: DialogId,
    session: SessionId,
    local: LocalEnd,
    exchange: Exchange,
    /// A 180 (false) or 183 with our answer (true) has been sent.
    rang: Option<bool>,
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
            dialog,
            session,
            local,
            exchange: offer.map_or(Exchange::Unasked, Exchange::Offered),
            rang: None,
        }
    }

    /// Whether an offer can be followed at all, asked before a session is opened for it.
    pub fn check(offer: &SessionDescription, address: IpAddr) -> Result<(), NegotiateError> {
        let nowhere = LocalEnd {
            address,
            port: 0,
            session_id: 0,
            version: 0,
            cname: String::new(),
            peer: address,
        };
        negotiate::answer(offer, &nowhere).map(|_| ())
    }

    /// The dialog.
    #[must_use]
    pub const fn dialog(&self) -> DialogId {
        self.dialog
    }

    /// The media session.
    #[must_use]
    pub const fn session(&self) -> SessionId {
        self.session
    }

    /// Tells the caller that we are alerting (180), unless more has been said already.
    pub fn ring(&mut self, down: &mut Down<'_>) {
        if self.rang.is_none() {
            self.rang = Some(false);
            down.endpoint.ring(down.now, self.dialog, None);
        }
    }

    /// Opens the way for early media (183 with our answer). Without an offer there is none before
    /// the answer: what is played runs on unheard, and we ring instead.
    pub fn ring_with_media(&mut self, down: &mut Down<'_>) {
        if self.rang == Some(true) {
            return;
        }
        match self.settle(down) {
            Some(sdp) => {
                self.rang = Some(true);
                down.endpoint.ring(down.now, self.dialog, Some(sdp));
            }
            None => {
                self.ring(down);
                self.configure(down, negotiate::unheard(&self.local));
            }
        }
    }

    /// Answers the INVITE with our answer, or with our offer where the peer made none.
    pub fn answer(&mut self, down: &mut Down<'_>) -> Agreed {
        let (sdp, agreed) = match self.settle(down) {
            Some(answer) => (answer, Agreed::Now),
            None => (self.offer(), Agreed::WithAck),
        };
        down.endpoint.answer(down.now, self.dialog, sdp);
        agreed
    }

    /// Takes the answer that came with an ACK. `false`: there is none that we can follow.
    #[must_use]
    pub fn handle_acked(&mut self, down: &mut Down<'_>, sdp: Option<&Bytes>) -> bool {
        if !matches!(self.exchange, Exchange::Asked) {
            return true;
        }
        let answer = sdp.and_then(|sdp| SessionDescription::parse(sdp).ok());
        let config = answer.and_then(|answer| negotiate::accept(&answer, &self.local).ok());
        let Some(config) = config else {
            return false;
        };
        self.exchange = Exchange::Settled(Bytes::new());
        self.configure(down, config);
        true
    }

    /// Answers a re-INVITE or UPDATE: an offer by our answer, a re-INVITE without one by our offer.
    /// What cannot be followed is refused, and the session goes on as it was (RFC 3261 §14.2).
    pub fn handle_offered(&mut self, down: &mut Down<'_>, sdp: Option<&Bytes>) {
        let Some(sdp) = sdp else {
            let offer = self.offer();
            down.endpoint.answer_offer(down.now, self.dialog, offer);
            return;
        };
        let refusal = match SessionDescription::parse(sdp) {
            Err(_) => Status::BAD_REQUEST,
            Ok(offer) => match self.follow(down, &offer) {
                Some(answer) => {
                    down.endpoint.answer_offer(down.now, self.dialog, answer);
                    return;
                }
                None => Status::NOT_ACCEPTABLE_HERE,
            },
        };
        down.endpoint.refuse_offer(down.now, self.dialog, refusal);
    }

    /// Takes the answer to an offer that said what we said before; one that cannot be followed changes
    /// nothing.
    pub fn handle_answered(&mut self, down: &mut Down<'_>, sdp: &Bytes) {
        let answer = SessionDescription::parse(sdp).ok();
        if let Some(config) = answer.and_then(|answer| negotiate::accept(&answer, &self.local).ok())
        {
            self.configure(down, config);
        }
    }

    /// Ends the media session.
    pub fn close(&self, down: &mut Down<'_>) {
        down.media.push_back(Command::Close {
            session: self.session,
        });
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

    fn configure(&self, down: &mut Down<'_>, config: SessionConfig) {
        down.media.push_back(Command::Configure {
            session: self.session,
            config: Box::new(config),
        });
    }
}
