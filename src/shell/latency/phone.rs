//! The SIP half of the call: one caller over UDP, with the product's own endpoint.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use flowswitch_media::codec::G711;
use flowswitch_media::command::{Direction, SessionConfig};

use super::LatencyError;
use crate::ids::Rng;
use crate::sdp::codecs::Codecs;
use crate::sdp::crypto::LocalCrypto;
use crate::sdp::format::PayloadTypes;
use crate::sdp::negotiate::{self, LocalEnd};
use crate::sdp::{Attributes, Connection, MediaDescription, Origin, SessionDescription};
use crate::sip::message::{Host, Message, NameAddr, Params, SipUri, Status, Uri};
use crate::sip::{Account, DialogId, Endpoint, EndpointConfig, Event, Hop, Invite, Transport};

/// Who is called, and as whom.
#[derive(Clone, Debug)]
pub(super) struct Party {
    pub(super) host: Host,
    pub(super) target: SocketAddr,
    pub(super) user: String,
    pub(super) from: String,
    pub(super) password: Option<String>,
}

/// Times from the INVITE on.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Setup {
    /// Until the first 180 or 183, if there was one.
    pub(super) ringing: Option<Duration>,
    /// Until the 200.
    pub(super) answered: Duration,
}

/// A call that is up.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answered {
    /// Where the peer takes RTP.
    pub(super) remote: SocketAddr,
    /// What it wants to hear.
    pub(super) law: G711,
    pub(super) setup: Setup,
}

/// How a call goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    /// The peer takes RTP elsewhere from now on.
    Moved(SocketAddr),
    /// The peer has hung up.
    Ended,
}

/// One caller.
#[derive(Debug)]
pub(super) struct Phone {
    socket: UdpSocket,
    endpoint: Endpoint,
    hop: Hop,
    party: Party,
    local: LocalEnd,
    dialog: Option<DialogId>,
    /// What the peer hears, once that is agreed.
    law: Option<G711>,
}

impl Phone {
    /// A caller that is reached where `party` is reached from; its RTP is at `port`, once that is known.
    pub(super) fn new(party: Party, mut rng: Rng) -> io::Result<Self> {
        let any: IpAddr = match party.target {
            SocketAddr::V4(_) => IpAddr::from([0_u8; 4]),
            SocketAddr::V6(_) => IpAddr::from([0_u8; 16]),
        };
        let socket = UdpSocket::bind((any, 0))?;
        // Now the address is our own that leads there, and a closed port is told.
        socket.connect(party.target)?;
        let local = socket.local_addr()?;
        let config = EndpointConfig {
            user_agent: concat!("flowswitch/", env!("CARGO_PKG_VERSION")).to_owned(),
            session_expires: Duration::ZERO,
            ..EndpointConfig::default()
        };
        Ok(Self {
            local: LocalEnd {
                address: local.ip(),
                port: 0,
                session_id: u64::from(rng.next_u32()),
                version: 1,
                cname: rng.token(16),
                peer: party.target.ip(),
                direction: Direction::SendRecv,
                codecs: Codecs::g711(),
                payload_types: PayloadTypes::default(),
                crypto: LocalCrypto::default(),
            },
            hop: Hop {
                transport: Transport::Udp,
                local,
                remote: party.target,
                connection: None,
            },
            endpoint: Endpoint::new(config, rng),
            socket,
            party,
            dialog: None,
            law: None,
        })
    }

    /// Our address, as the peer sees it unless there is a NAT between.
    pub(super) fn address(&self) -> IpAddr {
        self.hop.local.ip()
    }

    /// Calls, with RTP at `port`, and waits for the answer.
    ///
    /// # Errors
    /// There is none, or none to talk with; no call is left behind.
    pub(super) fn call(
        &mut self,
        port: u16,
        is_stopped: &AtomicBool,
    ) -> Result<Answered, LatencyError> {
        self.local.port = port;
        let began = Instant::now();
        let invite = self.invite(offer(&self.local));
        self.dialog = self.endpoint.invite(began, invite);
        let mut setup = Setup::default();
        let answer = self.ringing(began, &mut setup, is_stopped);
        if answer.is_err() {
            self.hang_up();
        }
        let answer = answer?;
        setup.answered = began.elapsed();
        let agreed = answer
            .and_then(|body| SessionDescription::parse(&body).ok())
            .and_then(|answer| negotiate::accept(&answer, &self.local).ok())
            .and_then(|config| speaks(&config));
        let Some((remote, law)) = agreed else {
            self.hang_up();
            let target = self.party.target;
            return Err(LatencyError::NoAudio { target });
        };
        self.law = Some(law);
        Ok(Answered { remote, law, setup })
    }

    /// Answers what the peer asks within the call, without waiting.
    pub(super) fn listen(&mut self) -> Option<News> {
        let mut news = None;
        // A peer that is gone does not take the figures with it.
        while let Ok(Some(event)) = self.next_event(Duration::ZERO) {
            match event {
                Event::Offered { dialog, sdp, .. } => {
                    let remote = self.answer_offer(dialog, sdp.as_deref());
                    news = remote.map(News::Moved).or(news);
                }
                Event::Ended { .. } => {
                    self.dialog = None;
                    return Some(News::Ended);
                }
                Event::Referred { dialog, .. } => {
                    let status = Status::NOT_IMPLEMENTED;
                    self.endpoint.refuse_refer(Instant::now(), dialog, status);
                }
                _ => {}
            }
        }
        news
    }

    /// Ends the call, if there is one, and waits a moment for the peer's word.
    pub(super) fn hang_up(&mut self) {
        let Some(dialog) = self.dialog.take() else {
            return;
        };
        let deadline = Instant::now() + GOODBYE;
        self.endpoint.bye(Instant::now(), dialog, None);
        while self.endpoint.stats().dialogs > 0 {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || self.next_event(left.min(SLICE)).is_err() {
                return;
            }
        }
    }

    /// Waits for the peer's answer: its description, if it has one.
    fn ringing(
        &mut self,
        began: Instant,
        setup: &mut Setup,
        is_stopped: &AtomicBool,
    ) -> Result<Option<Bytes>, LatencyError> {
        let (target, user) = (self.party.target, &self.party.user.clone());
        loop {
            if is_stopped.load(Ordering::Relaxed) {
                return Err(LatencyError::Interrupted);
            }
            if began.elapsed() > PATIENCE {
                return Err(LatencyError::NotPickedUp {
                    user: user.clone(),
                    patience: PATIENCE,
                });
            }
            let event = match self.next_event(SLICE) {
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                    self.dialog = None;
                    return Err(LatencyError::Closed { target });
                }
                event => event?,
            };
            match event {
                Some(Event::Progress { .. }) => {
                    setup.ringing.get_or_insert_with(|| began.elapsed());
                }
                Some(Event::Accepted { sdp, .. }) => return Ok(sdp),
                Some(Event::Rejected { response, .. }) => {
                    self.dialog = None;
                    return Err(LatencyError::Refused {
                        target,
                        user: user.clone(),
                        status: response.status,
                        reason: String::from_utf8_lossy(&response.reason).into_owned(),
                    });
                }
                Some(Event::Unanswered { why, .. }) => {
                    self.dialog = None;
                    return Err(LatencyError::NoAnswer { target, why });
                }
                _ => {}
            }
        }
    }

    /// Where the peer wants RTP from now on, when its offer can be followed: the law must not change.
    fn answer_offer(&mut self, dialog: DialogId, sdp: Option<&[u8]>) -> Option<SocketAddr> {
        self.local.version += 1;
        let answer = sdp
            .and_then(|body| SessionDescription::parse(body).ok())
            .and_then(|offer| negotiate::answer(&offer, &self.local).ok());
        let agreed = answer
            .as_ref()
            .and_then(|answer| speaks(&answer.config))
            .filter(|(_, law)| self.law == Some(*law))
            .map(|(remote, _)| remote);
        let now = Instant::now();
        match answer.filter(|_| agreed.is_some()) {
            Some(answer) => {
                let body = answer.description.to_string().into();
                self.endpoint.answer_offer(now, dialog, body);
            }
            None => {
                let status = Status::NOT_ACCEPTABLE_HERE;
                self.endpoint.refuse_offer(now, dialog, status);
            }
        }
        agreed
    }

    fn invite(&self, sdp: SessionDescription) -> Invite {
        let party = &self.party;
        let uri = |user: &str, host: &Host, port| {
            Uri::Sip(SipUri {
                secure: false,
                user: Some(user.to_owned()),
                password: None,
                host: host.clone(),
                port,
                params: Params::new(),
                headers: Vec::new(),
            })
        };
        let called = uri(&party.user, &party.host, Some(party.target.port()));
        let caller = uri(&party.from, &Host::Ip(self.address()), None);
        Invite {
            hop: self.hop,
            uri: called.clone(),
            from: NameAddr::new(caller),
            to: NameAddr::new(called),
            contact_user: Some(party.from.clone()),
            routes: Vec::new(),
            headers: Vec::new(),
            sdp: sdp.to_string().into(),
            account: party.password.clone().map(|password| Account {
                username: party.from.clone(),
                password,
            }),
            patience: SILENCE,
        }
    }

    /// The next news, for which it waits at most so long.
    fn next_event(&mut self, wait: Duration) -> io::Result<Option<Event>> {
        let deadline = Instant::now() + wait;
        loop {
            while let Some(transmit) = self.endpoint.poll_transmit() {
                // What is lost is sent again; a closed port is told when we read.
                let _ = self.socket.send(&transmit.bytes);
            }
            if let Some(event) = self.endpoint.poll_event() {
                return Ok(Some(event));
            }
            let wake = self
                .endpoint
                .poll_timeout()
                .map_or(deadline, |at| at.min(deadline));
            let is_read = self.read(wake.saturating_duration_since(Instant::now()))?;
            let now = Instant::now();
            self.endpoint.handle_timeout(now);
            if !is_read && now >= deadline && self.is_idle() {
                return Ok(None);
            }
        }
    }

    /// Claims that nothing waits to be sent or told: of the endpoint's timers one may be far away.
    fn is_idle(&mut self) -> bool {
        self.endpoint
            .poll_timeout()
            .is_none_or(|at| at > Instant::now())
    }

    /// Takes a datagram that comes within this time; whether one did.
    fn read(&mut self, wait: Duration) -> io::Result<bool> {
        self.socket.set_nonblocking(wait.is_zero())?;
        if !wait.is_zero() {
            self.socket.set_read_timeout(Some(wait))?;
        }
        let mut buffer = vec![0; 65_535];
        match self.socket.recv(&mut buffer) {
            Ok(length) => {
                buffer.truncate(length);
                let message = Message::parse_datagram(buffer.into());
                let now = Instant::now();
                self.endpoint.handle_message(now, self.hop, message, true);
                Ok(true)
            }
            Err(error) if is_nothing(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

impl Drop for Phone {
    fn drop(&mut self) {
        self.hang_up();
    }
}

/// Where the peer wants to hear what.
fn speaks(config: &SessionConfig) -> Option<(SocketAddr, G711)> {
    let law = config.send.1.law()?;
    (config.remote.port() != 0).then_some((config.remote, law))
}

/// G.711 alone: the sound has to come back as it went.
fn offer(local: &LocalEnd) -> SessionDescription {
    let mut attributes = Attributes::default();
    attributes.push("rtpmap", "0 PCMU/8000");
    attributes.push("rtpmap", "8 PCMA/8000");
    attributes.push("ptime", "20");
    attributes.push("sendrecv", "");
    SessionDescription {
        origin: Origin {
            session_id: local.session_id,
            version: local.version,
            address: local.address,
        },
        connection: Some(Connection::Address(local.address)),
        time: "0 0".to_owned(),
        attributes: Attributes::default(),
        media: vec![MediaDescription {
            kind: "audio".to_owned(),
            port: local.port,
            protocol: "RTP/AVP".to_owned(),
            formats: vec!["0".to_owned(), "8".to_owned()],
            connection: None,
            attributes,
        }],
    }
}

fn is_nothing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted
    )
}

/// How long a peer may say nothing at all before it counts as dead.
const SILENCE: Duration = Duration::from_secs(8);
/// How long it may ring.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long the peer may take for its last word.
const GOODBYE: Duration = Duration::from_secs(2);
/// How soon Ctrl-C is noticed.
const SLICE: Duration = Duration::from_millis(100);
