//! A phone: one SIP socket, and the calls that start from it.
//!
//! It never resends and never answers by itself, so that a story says every message it means.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::call::{Call, Setup};
use crate::message::{self, Message, Request};
use crate::rtp::{self, Media};
use crate::switch::Switch;

/// How long a phone waits for what must come.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// PCMU, PCMA and telephone-event: what most phones offer.
pub const COMMON: &[u8] = &[0, 8, rtp::EVENT];

/// How a phone reaches the switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Net {
    Udp,
    Tcp,
    Udp6,
    Tcp6,
}

enum Wire {
    Udp(UdpSocket),
    Tcp { socket: TcpStream, buffer: Vec<u8> },
}

pub struct Phone {
    wire: Wire,
    pub local: SocketAddr,
    pub server: SocketAddr,
    pub user: String,
    requests: VecDeque<Message>,
}

impl Phone {
    pub fn new(switch: &Switch, net: Net) -> Self {
        let server = switch.sip(matches!(net, Net::Udp6 | Net::Tcp6));
        let ip = match server {
            SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
            SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
        };
        let (wire, local) = match net {
            Net::Udp | Net::Udp6 => {
                let socket = UdpSocket::bind((ip, 0)).unwrap();
                let local = socket.local_addr().unwrap();
                (Wire::Udp(socket), local)
            }
            Net::Tcp | Net::Tcp6 => {
                let socket = TcpStream::connect(server).unwrap();
                socket.set_nodelay(true).unwrap();
                let local = socket.local_addr().unwrap();
                (
                    Wire::Tcp {
                        socket,
                        buffer: Vec::new(),
                    },
                    local,
                )
            }
        };
        Phone {
            wire,
            local,
            server,
            user: "phone".into(),
            requests: VecDeque::new(),
        }
    }

    pub fn udp(switch: &Switch) -> Self {
        Phone::new(switch, Net::Udp)
    }

    /// A phone with a source address of its own, such as 127.0.0.2.
    pub fn udp_at(switch: &Switch, ip: Ipv4Addr) -> Self {
        let socket = UdpSocket::bind((ip, 0)).unwrap();
        let local = socket.local_addr().unwrap();
        Phone {
            wire: Wire::Udp(socket),
            local,
            ..Phone::udp(switch)
        }
    }

    /// A phone that learns from the first message where the switch is.
    pub fn waiting(socket: UdpSocket) -> Self {
        let local = socket.local_addr().unwrap();
        Phone {
            wire: Wire::Udp(socket),
            local,
            server: SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
            user: "phone".into(),
            requests: VecDeque::new(),
        }
    }

    /// Calls itself `user` from now on.
    pub fn named(mut self, user: &str) -> Self {
        self.user = user.to_owned();
        self
    }

    /// The address of `user` at the switch.
    pub fn uri(&self, user: &str) -> String {
        format!("sip:{user}@{}", self.server)
    }

    /// A request outside any dialog, complete but for what a story adds.
    pub fn request(&self, method: &str, uri: &str) -> Request {
        let own = format!("sip:{}@{}", self.user, self.local);
        Request::new(method, uri)
            .with("Via", self.via())
            .with("Max-Forwards", "70")
            .with(
                "From",
                format!("\"A phone\" <{own}>;tag={}", unique("from")),
            )
            .with("To", format!("<{uri}>"))
            .with("Call-ID", format!("{}@phone.invalid", unique("call")))
            .with("CSeq", format!("1 {method}"))
            .with("Contact", format!("<{own}{}>", self.contact_parameter()))
            .with("User-Agent", "wire")
    }

    /// A Via of a new transaction.
    pub fn via(&self) -> String {
        format!(
            "SIP/2.0/{} {};rport;branch=z9hG4bK{}",
            self.transport(),
            self.local,
            unique("b")
        )
    }

    pub fn send(&mut self, request: &Request) {
        self.send_raw(&request.to_bytes());
    }

    pub fn send_raw(&mut self, bytes: &[u8]) {
        match &mut self.wire {
            Wire::Udp(socket) => drop(socket.send_to(bytes, self.server).unwrap()),
            Wire::Tcp { socket, .. } => socket.write_all(bytes).unwrap(),
        }
    }

    /// The next message, whatever it is.
    pub fn receive(&mut self, patience: Duration) -> Option<Message> {
        let until = Instant::now() + patience;
        let mut chunk = [0; 65_536];
        loop {
            if let Wire::Tcp { buffer, .. } = &mut self.wire
                && let Some(message) = message::next_of_stream(buffer)
            {
                return Some(message);
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            match &mut self.wire {
                Wire::Udp(socket) => {
                    socket.set_read_timeout(Some(left)).unwrap();
                    if let Ok((len, source)) = socket.recv_from(&mut chunk)
                        && let Some(message) = Message::parse(&chunk[..len])
                    {
                        if self.server.port() == 0 {
                            self.server = source;
                        }
                        return Some(message);
                    }
                }
                Wire::Tcp { socket, buffer } => {
                    socket.set_read_timeout(Some(left)).unwrap();
                    match socket.read(&mut chunk) {
                        Ok(0) => return None,
                        Ok(len) => buffer.extend_from_slice(&chunk[..len]),
                        Err(_) => {}
                    }
                }
            }
        }
    }

    /// The next response to `request`, provisional or final; requests that come between are kept.
    pub fn response_within(&mut self, request: &Request, patience: Duration) -> Option<Message> {
        let until = Instant::now() + patience;
        loop {
            let message = self.receive(until.saturating_duration_since(Instant::now()))?;
            if message.status() == 0 {
                self.requests.push_back(message);
            } else if message.cseq() == (request.cseq(), &request.method)
                && message.header("Call-ID") == request.header("Call-ID")
            {
                return Some(message);
            }
        }
    }

    #[track_caller]
    pub fn response(&mut self, request: &Request) -> Message {
        let message = self.response_within(request, PATIENCE);
        message.unwrap_or_else(|| panic!("no answer to {} {}", request.method, request.uri))
    }

    /// The final response to a request already sent.
    #[track_caller]
    pub fn final_response(&mut self, request: &Request) -> Message {
        loop {
            let message = self.response(request);
            if message.status() >= 200 {
                return message;
            }
        }
    }

    /// Sends and returns the final response; a refused INVITE is acknowledged.
    #[track_caller]
    pub fn exchange(&mut self, request: &Request) -> Message {
        self.send(request);
        let answer = self.final_response(request);
        if request.method == "INVITE" && answer.status() >= 300 {
            self.acknowledge_refusal(request, &answer);
        }
        answer
    }

    /// ACK to a non-2xx: same transaction as the INVITE (RFC 3261 §17.1.1.3).
    pub fn acknowledge_refusal(&mut self, invite: &Request, answer: &Message) {
        let mut ack = invite
            .clone()
            .set("CSeq", format!("{} ACK", invite.cseq()))
            .without("Content-Type");
        ack.method = "ACK".into();
        ack.body.clear();
        let ack = ack.set("To", answer.header("To").unwrap_or_default());
        self.send(&ack);
    }

    /// Waits for a request from the switch.
    pub fn request_within(&mut self, method: &str, patience: Duration) -> Option<Message> {
        let until = Instant::now() + patience;
        loop {
            if let Some(at) = self
                .requests
                .iter()
                .position(|message| message.method() == method)
            {
                return self.requests.remove(at);
            }
            let message = self.receive(until.saturating_duration_since(Instant::now()))?;
            if message.status() == 0 {
                self.requests.push_back(message);
            }
        }
    }

    /// Puts a request back that nobody wanted yet.
    pub fn keep(&mut self, request: Option<Message>) {
        self.requests.extend(request);
    }

    /// Forgets what came in the transaction of `request`: resends that were sent before our answer.
    pub fn forget_resends(&mut self, request: &Message) {
        let via = request.header("Via").map(str::to_owned);
        self.requests
            .retain(|kept| kept.header("Via").map(str::to_owned) != via);
    }

    /// Sends an INVITE and leaves it open.
    pub fn invite(self, user: &str) -> Setup {
        self.invite_offering(user, COMMON, "sendrecv")
    }

    pub fn invite_offering(self, user: &str, payload_types: &[u8], direction: &str) -> Setup {
        let media = Media::new(self.local.ip());
        let offer = message::sdp(media.local(), payload_types, direction, 1);
        let invite = self
            .request("INVITE", &self.uri(user))
            .body("application/sdp", offer);
        Setup::send(self, media, invite)
    }

    /// Makes a call that is answered.
    #[track_caller]
    pub fn dial(self, user: &str) -> Call {
        self.invite(user).answered()
    }

    fn transport(&self) -> &'static str {
        match self.wire {
            Wire::Udp(_) => "UDP",
            Wire::Tcp { .. } => "TCP",
        }
    }

    pub fn contact_parameter(&self) -> &'static str {
        match self.wire {
            Wire::Udp(_) => "",
            Wire::Tcp { .. } => ";transport=tcp",
        }
    }
}

/// A token that no other message of this run has.
pub fn unique(prefix: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!(
        "{prefix}{:x}x{:x}",
        std::process::id(),
        COUNT.fetch_add(1, Ordering::Relaxed)
    )
}
