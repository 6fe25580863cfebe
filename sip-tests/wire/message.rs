//! SIP as text: just enough to write a request by hand and to read what comes back.
//!
//! Deliberately not the product's message layer: what the switch writes has to be readable to others.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};

use md5::Digest as _;

/// A message that came in.
#[derive(Clone, Debug)]
pub struct Message {
    pub start_line: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Message {
    /// Reads one whole message; nothing when it is not one.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let end = find(bytes, b"\r\n\r\n")?;
        let head = String::from_utf8_lossy(&bytes[..end]);
        let mut lines = head.split("\r\n");
        let start_line = lines.next()?.to_owned();
        let headers = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
            .collect();
        Some(Message {
            start_line,
            headers,
            body: bytes[end + 4..].to_vec(),
        })
    }

    /// The status of a response, 0 for a request.
    pub fn status(&self) -> u16 {
        status_of(&self.start_line)
    }

    /// The method of a request, "" for a response.
    pub fn method(&self) -> &str {
        if self.status() == 0 {
            self.start_line.split(' ').next().unwrap_or("")
        } else {
            ""
        }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers
            .iter()
            .filter(move |(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// Number and method of the transaction it belongs to.
    pub fn cseq(&self) -> (u32, &str) {
        let (number, method) = self
            .header("CSeq")
            .and_then(|v| v.split_once(' '))
            .unwrap_or(("0", ""));
        (number.parse().unwrap_or(0), method.trim())
    }

    /// The tag of `From` or `To`.
    pub fn tag(&self, name: &str) -> Option<String> {
        let value = self.header(name)?;
        let tag = value
            .split(';')
            .find_map(|param| param.trim().strip_prefix("tag="))?;
        Some(tag.to_owned())
    }

    /// The URI of the first Contact.
    pub fn contact(&self) -> Option<String> {
        self.header("Contact").map(bare_uri)
    }

    pub fn sdp(&self) -> Option<Sdp> {
        Sdp::parse(&self.body)
    }
}

/// The status of a status line, 0 when it is none.
pub fn status_of(line: &str) -> u16 {
    let mut words = line.split(' ');
    match words.next() {
        Some("SIP/2.0") => words.next().and_then(|code| code.parse().ok()).unwrap_or(0),
        _ => 0,
    }
}

/// The URI between angle brackets, or the whole value without parameters.
pub fn bare_uri(value: &str) -> String {
    match value.split_once('<') {
        Some((_, rest)) => rest.split('>').next().unwrap_or("").to_owned(),
        None => value.split(';').next().unwrap_or("").to_owned(),
    }
}

/// What of a session description concerns one audio stream.
#[derive(Clone, Debug, PartialEq)]
pub struct Sdp {
    pub address: IpAddr,
    pub port: u16,
    pub payload_types: Vec<u8>,
    pub direction: String,
    /// Everything it says, line by line.
    pub lines: Vec<String>,
}

impl Sdp {
    fn parse(body: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(body);
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let first = |prefix: &str| lines.iter().find_map(|line| line.strip_prefix(prefix));
        let address = first("c=IN IP4 ")
            .or(first("c=IN IP6 "))?
            .trim()
            .parse()
            .ok()?;
        let mut audio = first("m=audio ")?.split(' ');
        let port = audio.next()?.parse().ok()?;
        let payload_types = audio
            .skip(1)
            .filter_map(|pt| pt.trim().parse().ok())
            .collect();
        let direction = ["sendrecv", "sendonly", "recvonly", "inactive"]
            .into_iter()
            .find(|d| {
                lines
                    .iter()
                    .any(|line| line.strip_prefix("a=").is_some_and(|a| a.trim() == *d))
            })
            .unwrap_or("sendrecv")
            .to_owned();
        Some(Sdp {
            address,
            port,
            payload_types,
            direction,
            lines,
        })
    }

    pub fn media(&self) -> SocketAddr {
        SocketAddr::new(self.address, self.port)
    }
}

/// An offer or answer of a phone at `media`; `payload_types` may name 0, 8, 18 and 101.
pub fn sdp(media: SocketAddr, payload_types: &[u8], direction: &str, version: u32) -> Vec<u8> {
    let (kind, address) = (if media.is_ipv4() { "IP4" } else { "IP6" }, media.ip());
    let list: Vec<String> = payload_types.iter().map(u8::to_string).collect();
    let mut text = format!(
        "v=0\r\no=phone 4711 {version} IN {kind} {address}\r\ns=call\r\nc=IN {kind} {address}\r\nt=0 0\r\n\
         m=audio {} RTP/AVP {}\r\n",
        media.port(),
        list.join(" ")
    );
    for payload_type in payload_types {
        let name = match payload_type {
            0 => "PCMU/8000",
            8 => "PCMA/8000",
            18 => "G729/8000",
            101 => "telephone-event/8000",
            _ => continue,
        };
        let _ = write!(text, "a=rtpmap:{payload_type} {name}\r\n");
    }
    if payload_types.contains(&101) {
        text.push_str("a=fmtp:101 0-15\r\n");
    }
    let _ = write!(text, "a=ptime:20\r\na={direction}\r\n");
    text.into_bytes()
}

/// A request to be written; headers stand as they are given.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    pub uri: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Request {
    pub fn new(method: &str, uri: &str) -> Self {
        Request {
            method: method.to_owned(),
            uri: uri.to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    /// A request that came in, as one that could be sent.
    pub fn from_message(message: &Message) -> Self {
        let mut words = message.start_line.split(' ').skip(1);
        Request {
            method: message.method().to_owned(),
            uri: words.next().unwrap_or_default().to_owned(),
            headers: message.headers.clone(),
            body: message.body.clone(),
        }
    }

    /// Adds a header below the others.
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// Replaces a header, or adds it.
    pub fn set(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.retain(|(n, _)| !n.eq_ignore_ascii_case(name));
        self.with(name, value)
    }

    pub fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(n, _)| !n.eq_ignore_ascii_case(name));
        self
    }

    pub fn body(self, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let mut request = self.set("Content-Type", content_type);
        request.body = body.into();
        request
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    pub fn cseq(&self) -> u32 {
        self.header("CSeq")
            .and_then(|v| v.split(' ').next())
            .and_then(|n| n.parse().ok())
            .unwrap_or(0)
    }

    pub fn to_bytes(&self) -> Vec<u8> {
        let mut text = format!("{} {} SIP/2.0\r\n", self.method, self.uri);
        for (name, value) in &self.headers {
            let _ = write!(text, "{name}: {value}\r\n");
        }
        let _ = write!(text, "Content-Length: {}\r\n\r\n", self.body.len());
        let mut bytes = text.into_bytes();
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

/// A response to `request` with its Via, From, To, Call-ID and CSeq.
pub fn response(request: &Message, status: &str, extra: &[(&str, &str)]) -> Vec<u8> {
    let mut text = head_of_response(request, status, extra);
    text.push_str("Content-Length: 0\r\n\r\n");
    text.into_bytes()
}

/// As [`response`], with a body.
pub fn response_with(
    request: &Message,
    status: &str,
    extra: &[(&str, &str)],
    content_type: &str,
    body: &[u8],
) -> Vec<u8> {
    let mut text = head_of_response(request, status, extra);
    let _ = write!(
        text,
        "Content-Type: {content_type}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let mut bytes = text.into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

fn head_of_response(request: &Message, status: &str, extra: &[(&str, &str)]) -> String {
    let mut text = format!("SIP/2.0 {status}\r\n");
    for (name, value) in &request.headers {
        if ["via", "from", "to", "call-id", "cseq", "record-route"]
            .contains(&name.to_ascii_lowercase().as_str())
        {
            let _ = write!(text, "{name}: {value}\r\n");
        }
    }
    for (name, value) in extra {
        let _ = write!(text, "{name}: {value}\r\n");
    }
    text
}

/// Splits a stream into messages by Content-Length; what is left over stays in `stream`.
pub fn next_of_stream(stream: &mut Vec<u8>) -> Option<Message> {
    while stream.starts_with(b"\r\n") {
        stream.drain(..2);
    }
    let head = find(stream, b"\r\n\r\n")? + 4;
    let message = Message::parse(&stream[..head])?;
    let body: usize = message
        .header("Content-Length")
        .or(message.header("l"))?
        .parse()
        .ok()?;
    if stream.len() < head + body {
        return None;
    }
    let whole: Vec<u8> = stream.drain(..head + body).collect();
    Message::parse(&whole)
}

/// An answer to a digest challenge (RFC 7616 §3.4), for `WWW-Authenticate: Digest …`.
pub fn authorization(
    challenge: &str,
    user: &str,
    password: &str,
    method: &str,
    uri: &str,
) -> String {
    let realm = parameter(challenge, "realm").unwrap_or_default();
    let nonce = parameter(challenge, "nonce").unwrap_or_default();
    let algorithm = parameter(challenge, "algorithm").unwrap_or_else(|| "MD5".into());
    let hash = |text: String| match algorithm.as_str() {
        "SHA-256" => hex(&sha2::Sha256::digest(text.as_bytes())),
        _ => hex(&md5::Md5::digest(text.as_bytes())),
    };
    let ha1 = hash(format!("{user}:{realm}:{password}"));
    let ha2 = hash(format!("{method}:{uri}"));
    let (nc, cnonce) = ("00000001", "f00dcafe");
    let proof = hash(format!("{ha1}:{nonce}:{nc}:{cnonce}:auth:{ha2}"));
    let opaque = parameter(challenge, "opaque")
        .map(|o| format!(", opaque=\"{o}\""))
        .unwrap_or_default();
    format!(
        "Digest username=\"{user}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{uri}\", response=\"{proof}\", \
         algorithm={algorithm}, qop=auth, nc={nc}, cnonce=\"{cnonce}\"{opaque}"
    )
}

/// Whether credentials (`Authorization: Digest …`) prove `password` for a request of `method`.
pub fn is_proof(credentials: &str, password: &str, method: &str) -> bool {
    let value = |name: &str| parameter(credentials, name).unwrap_or_default();
    let hash = |text: String| match value("algorithm").as_str() {
        "SHA-256" => hex(&sha2::Sha256::digest(text.as_bytes())),
        _ => hex(&md5::Md5::digest(text.as_bytes())),
    };
    let ha1 = hash(format!(
        "{}:{}:{password}",
        value("username"),
        value("realm")
    ));
    let ha2 = hash(format!("{method}:{}", value("uri")));
    let middle = match value("qop").as_str() {
        "" => value("nonce"),
        qop => format!(
            "{}:{}:{}:{qop}",
            value("nonce"),
            value("nc"),
            value("cnonce")
        ),
    };
    hash(format!("{ha1}:{middle}:{ha2}")) == value("response")
}

/// A parameter of a challenge, without its quotes.
pub fn parameter(challenge: &str, name: &str) -> Option<String> {
    let rest = challenge.trim_start_matches("Digest");
    rest.split(',').find_map(|param| {
        let (n, value) = param.trim().split_once('=')?;
        n.eq_ignore_ascii_case(name)
            .then(|| value.trim_matches('"').to_owned())
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    bytes
        .windows(needle.len())
        .position(|window| window == needle)
}
