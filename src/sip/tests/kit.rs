//! The endpoint with a hand that writes messages to it and reads what it says, and when.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::ids::Rng;
use crate::sip::message::{HeaderName, Message, NameAddr, Request, Response, Status, Uri};
use crate::sip::{
    ConnectionId, DialogId, Endpoint, EndpointConfig, Event, Hop, Invite, RequestId, Transport,
};

pub(in crate::sip) const OFFER: &str = "v=0\r\no=- 1 1 IN IP4 10.0.0.9\r\ns=-\r\n";
pub(in crate::sip) const ANSWER: &str = "v=0\r\no=- 2 1 IN IP4 10.0.0.1\r\ns=-\r\n";

pub(in crate::sip) fn config() -> EndpointConfig {
    EndpointConfig {
        session_expires: Duration::ZERO,
        ..EndpointConfig::default()
    }
}

pub(in crate::sip) fn udp() -> Hop {
    Hop {
        transport: Transport::Udp,
        local: address("10.0.0.1:5060"),
        remote: address("10.0.0.9:5070"),
        connection: None,
    }
}

pub(in crate::sip) fn tcp() -> Hop {
    Hop {
        transport: Transport::Tcp,
        connection: Some(ConnectionId(7)),
        ..udp()
    }
}

pub(in crate::sip) fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address of the test")
}

pub(in crate::sip) fn request(text: &str) -> Request {
    match Message::parse_datagram(Bytes::copy_from_slice(text.as_bytes())) {
        Ok(Message::Request(request)) => request,
        other => panic!("no request: {other:?}\n{text}"),
    }
}

/// A message that left, with the milliseconds at which it did.
pub(in crate::sip) type Sent = (u64, Hop, Message);

/// One endpoint, its clock, and all that came out of it.
pub(in crate::sip) struct Bench {
    pub(in crate::sip) endpoint: Endpoint,
    pub(in crate::sip) now: Instant,
    pub(in crate::sip) hop: Hop,
    /// Whether all we write must be readable; what is malformed is given back as it came.
    pub(in crate::sip) is_strict: bool,
    sent: Vec<Sent>,
    events: Vec<(u64, Event)>,
}

impl Bench {
    pub(in crate::sip) fn new() -> Self {
        Self::with(config(), udp())
    }

    pub(in crate::sip) fn with(config: EndpointConfig, hop: Hop) -> Self {
        Self {
            endpoint: Endpoint::new(config, Rng::from_number(1)),
            now: crate::sim::start(),
            hop,
            is_strict: true,
            sent: Vec::new(),
            events: Vec::new(),
        }
    }

    /// Milliseconds since the start.
    pub(in crate::sip) fn ms(&self) -> u64 {
        u64::try_from((self.now - crate::sim::start()).as_millis()).expect("a test is short")
    }

    pub(in crate::sip) fn hear(&mut self, text: &str) {
        self.hear_from(self.hop, text, true);
    }

    pub(in crate::sip) fn hear_from(&mut self, hop: Hop, text: &str, trusted: bool) {
        let message = Message::parse_datagram(Bytes::copy_from_slice(text.as_bytes()));
        self.endpoint
            .handle_message(self.now, hop, message, trusted);
        self.drain();
    }

    /// Lets time pass, with every timer at its own instant.
    pub(in crate::sip) fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        let mut rounds = 0;
        while let Some(at) = self.endpoint.poll_timeout().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.endpoint.handle_timeout(self.now);
            self.drain();
            rounds += 1;
            assert!(rounds < 100_000, "timers never come to rest");
        }
        self.now = end;
    }

    pub(in crate::sip) fn act(&mut self, act: impl FnOnce(&mut Endpoint, Instant)) {
        act(&mut self.endpoint, self.now);
        self.drain();
    }

    pub(in crate::sip) fn drain(&mut self) {
        let ms = self.ms();
        while let Some(event) = self.endpoint.poll_event() {
            self.events.push((ms, event));
        }
        while let Some(transmit) = self.endpoint.poll_transmit() {
            let message = Message::parse_datagram(transmit.bytes.clone());
            match message {
                Ok(message) => self.sent.push((ms, transmit.hop, message)),
                Err(error) if self.is_strict => {
                    panic!(
                        "we wrote {error}: {}",
                        String::from_utf8_lossy(&transmit.bytes)
                    );
                }
                Err(_) => {}
            }
        }
    }

    pub(in crate::sip) fn sent(&mut self) -> Vec<Sent> {
        std::mem::take(&mut self.sent)
    }

    /// The statuses and methods that left, in order.
    pub(in crate::sip) fn words(&mut self) -> Vec<String> {
        self.sent()
            .iter()
            .map(|(_, _, message)| word(message))
            .collect()
    }

    /// The same with the millisecond of each.
    pub(in crate::sip) fn timed_words(&mut self) -> Vec<(u64, String)> {
        self.sent()
            .iter()
            .map(|(at, _, message)| (*at, word(message)))
            .collect()
    }

    /// [`Self::timed_words`], of which the caller learns our tag.
    pub(in crate::sip) fn learned(&mut self, caller: &mut Caller) -> Vec<(u64, String)> {
        let sent = self.sent();
        for (_, _, message) in &sent {
            if let Message::Response(response) = message
                && response.status != Status::TRYING
            {
                caller.learn(response);
            }
        }
        sent.iter()
            .map(|(at, _, message)| (*at, word(message)))
            .collect()
    }

    /// The only response that left.
    pub(in crate::sip) fn response(&mut self) -> Response {
        let mut sent = self.sent();
        assert_eq!(sent.len(), 1, "{sent:?}");
        match sent.remove(0).2 {
            Message::Response(response) => response,
            Message::Request(request) => panic!("no response: {request:?}"),
        }
    }

    /// The only request that left.
    pub(in crate::sip) fn request(&mut self) -> Request {
        let mut sent = self.sent();
        assert_eq!(sent.len(), 1, "{sent:?}");
        match sent.remove(0).2 {
            Message::Request(request) => request,
            Message::Response(response) => panic!("no request: {response:?}"),
        }
    }

    pub(in crate::sip) fn events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
            .into_iter()
            .map(|(_, event)| event)
            .collect()
    }

    pub(in crate::sip) fn timed_events(&mut self) -> Vec<(u64, Event)> {
        std::mem::take(&mut self.events)
    }

    /// The only event, which is a new call.
    pub(in crate::sip) fn invited(&mut self) -> DialogId {
        match self.events().as_slice() {
            [Event::Invited { dialog, .. }] => *dialog,
            other => panic!("no new call: {other:?}"),
        }
    }

    /// The only event, which is a request outside dialogs.
    pub(in crate::sip) fn asked(&mut self) -> RequestId {
        match self.events().as_slice() {
            [Event::Request { request, .. }] => *request,
            other => panic!("no request: {other:?}"),
        }
    }

    /// A call of ours that has just left.
    pub(in crate::sip) fn dial(&mut self, order: Invite) -> (DialogId, Request) {
        let mut dialog = None;
        self.act(|endpoint, now| dialog = endpoint.invite(now, order));
        (dialog.expect("there is room"), self.request())
    }

    /// A call of ours that is up, with nothing left to read.
    pub(in crate::sip) fn outgoing(&mut self, order: Invite) -> (DialogId, Request) {
        let (dialog, invite) = self.dial(order);
        self.hear(&branch(&invite, 200, "bob", ANSWER));
        assert_eq!(self.words(), ["ACK"]);
        assert!(matches!(self.events().as_slice(), [Event::Accepted { .. }]));
        (dialog, invite)
    }

    /// A call that is up, acknowledged, with nothing left to read.
    pub(in crate::sip) fn call(&mut self, caller: &mut Caller) -> DialogId {
        self.hear(&caller.invite(OFFER));
        let dialog = self.invited();
        self.act(|endpoint, now| endpoint.answer(now, dialog, ANSWER.into()));
        let ok = self.response();
        assert_eq!(ok.status, Status::OK);
        caller.learn(&ok);
        self.hear(&caller.ack(""));
        assert!(matches!(self.events().as_slice(), [Event::Acked { .. }]));
        dialog
    }
}

pub(in crate::sip) fn word(message: &Message) -> String {
    match message {
        Message::Request(request) => request.method.to_string(),
        Message::Response(response) => {
            let cseq = response.headers.cseq().expect("every response has one");
            format!("{} {}", response.status, cseq.method)
        }
    }
}

/// Writes the messages of a calling party.
pub(in crate::sip) struct Caller {
    pub(in crate::sip) call_id: String,
    pub(in crate::sip) from_tag: String,
    pub(in crate::sip) to_tag: String,
    pub(in crate::sip) cseq: u32,
    pub(in crate::sip) branch: u32,
    pub(in crate::sip) via: String,
    /// More headers of the INVITE, each with its line end.
    pub(in crate::sip) headers: String,
}

impl Caller {
    pub(in crate::sip) fn new(name: &str) -> Self {
        Self {
            call_id: format!("{name}@10.0.0.9"),
            from_tag: format!("tag-{name}"),
            to_tag: String::new(),
            cseq: 1,
            branch: 0,
            via: "SIP/2.0/UDP 10.0.0.9:5070;rport".into(),
            headers: String::new(),
        }
    }

    /// The INVITE; the same again when called again.
    pub(in crate::sip) fn invite(&self, sdp: &str) -> String {
        self.write(
            "INVITE",
            "sip:menu@10.0.0.1",
            self.cseq,
            self.branch,
            &self.headers,
            sdp,
        )
    }

    pub(in crate::sip) fn cancel(&self) -> String {
        self.write(
            "CANCEL",
            "sip:menu@10.0.0.1",
            self.cseq,
            self.branch,
            "",
            "",
        )
    }

    /// The ACK of the last INVITE; to a 2xx when our tag was learned, then with a branch of its own.
    pub(in crate::sip) fn ack(&self, sdp: &str) -> String {
        let branch = if self.to_tag.is_empty() {
            self.branch
        } else {
            self.branch + 1000
        };
        self.write("ACK", "sip:menu@10.0.0.1", self.cseq, branch, "", sdp)
    }

    /// The next request within the dialog.
    pub(in crate::sip) fn next(&mut self, method: &str, headers: &str, body: &str) -> String {
        self.cseq += 1;
        self.branch += 1;
        self.write(
            method,
            "sip:menu@10.0.0.1",
            self.cseq,
            self.branch,
            headers,
            body,
        )
    }

    pub(in crate::sip) fn learn(&mut self, response: &Response) {
        let to = response.headers.to().expect("every response has one");
        self.to_tag = to.tag().expect("and a tag but in a 100").to_owned();
    }

    pub(in crate::sip) fn write(
        &self,
        method: &str,
        uri: &str,
        cseq: u32,
        branch: u32,
        headers: &str,
        body: &str,
    ) -> String {
        let mut text = format!("{method} {uri} SIP/2.0\r\n");
        let _ = write!(
            text,
            "Via: {};branch=z9hG4bK-{}-{branch}\r\n",
            self.via, self.call_id
        );
        let _ = write!(text, "Max-Forwards: 70\r\nCall-ID: {}\r\n", self.call_id);
        let _ = write!(text, "From: <sip:alice@10.0.0.9>;tag={}\r\n", self.from_tag);
        let tag = if self.to_tag.is_empty() { "" } else { ";tag=" };
        let _ = write!(text, "To: <sip:menu@10.0.0.1>{tag}{}\r\n", self.to_tag);
        let _ = write!(text, "CSeq: {cseq} {method}\r\n{headers}");
        if !headers.contains("Contact:") && method != "CANCEL" {
            text.push_str("Contact: <sip:alice@10.0.0.9:5070>\r\n");
        }
        if !body.is_empty() && !headers.contains("Content-Type:") {
            text.push_str("Content-Type: application/sdp\r\n");
        }
        let _ = write!(text, "Content-Length: {}\r\n\r\n{body}", body.len());
        text
    }
}

/// A call of ours to the peer at `hop`, without account.
pub(in crate::sip) fn order(hop: Hop) -> Invite {
    let address = |text: &str| NameAddr::parse(text.as_bytes()).expect("an address of the test");
    Invite {
        hop,
        uri: Uri::parse(b"sip:bob@10.0.0.9:5070").expect("a URI of the test"),
        from: address("\"Menu\" <sip:menu@10.0.0.1>"),
        to: address("<sip:bob@10.0.0.9>"),
        contact_user: Some("menu".into()),
        routes: Vec::new(),
        headers: Vec::new(),
        sdp: OFFER.into(),
        account: None,
        patience: Duration::from_secs(5),
    }
}

/// A response of the peer with this To tag to an INVITE of ours.
pub(in crate::sip) fn branch(invite: &Request, status: u16, tag: &str, body: &str) -> String {
    let mut invite = invite.clone();
    if let Some(to) = invite.headers.get(&HeaderName::To) {
        let to = format!("{};tag={tag}", String::from_utf8_lossy(to));
        invite.headers.set(HeaderName::To, to);
    }
    let headers = format!("Contact: <sip:{tag}@10.0.0.9:5070>");
    reply(&invite, status, &headers, body)
}

/// A response of the peer to a request of ours.
pub(in crate::sip) fn reply(request: &Request, status: u16, headers: &str, body: &str) -> String {
    let status = Status::new(status).expect("a status of the test");
    let mut response = Response::to(request, status);
    for line in headers.lines() {
        let (name, value) = line.split_once(": ").expect("a header line of the test");
        let name = HeaderName::parse(name.to_owned()).expect("a header name of the test");
        response.headers.push(name, value.to_owned());
    }
    if !body.is_empty() {
        response
            .headers
            .push(HeaderName::ContentType, "application/sdp");
        response.body = body.to_owned().into();
    }
    String::from_utf8(response.to_bytes().to_vec()).expect("ASCII")
}
