//! Session descriptions (RFC 8866) and the offer/answer model (RFC 3264).
//!
//! Text in and text out here; what an offer and an answer come to is in [`negotiate`].

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;

pub mod codecs;
pub mod crypto;
pub mod format;
pub mod negotiate;

/// A session description as far as an audio session needs it; unknown lines are passed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionDescription {
    /// The `o=` line.
    pub origin: Origin,
    /// The `c=` line of the session, used by every medium without its own.
    pub connection: Option<Connection>,
    /// The `t=` line as it came; an answer repeats it (RFC 3264 §6).
    pub time: String,
    /// The `a=` lines of the session.
    pub attributes: Attributes,
    /// The `m=` sections, in order.
    pub media: Vec<MediaDescription>,
}

/// Who made a description, and which version of it this is (RFC 8866 §5.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// `sess-id`.
    pub session_id: u64,
    /// `sess-version`; grows by one with each change.
    pub version: u64,
    /// The address of the maker.
    pub address: IpAddr,
}

/// Where media goes (RFC 8866 §5.7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Connection {
    /// An address; unspecified (`0.0.0.0`, `::`) is the hold of RFC 2543.
    Address(IpAddr),
    /// A name, or a network type that is not ours: the peer's signalling address stands for it.
    Unresolved,
}

/// One `m=` section (RFC 8866 §5.14).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaDescription {
    /// `audio`, `video`, `image`, ….
    pub kind: String,
    /// Zero: refused or not wanted.
    pub port: u16,
    /// `RTP/AVP`, ….
    pub protocol: String,
    /// Payload types, for RTP.
    pub formats: Vec<String>,
    /// The `c=` line of this medium.
    pub connection: Option<Connection>,
    /// The `a=` lines of this medium.
    pub attributes: Attributes,
}

/// The `a=` lines of one section, in order (RFC 8866 §5.13).
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Attributes(Vec<(Cow<'static, str>, String)>);

/// Why a body is not a session description; the caller answers 400.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed session description at line {line}: {why}")]
pub struct ParseError {
    /// Counted from one.
    pub line: usize,
    /// What is wrong with it.
    pub why: &'static str,
}

/// More media sections than any telephone offers; each is answered, so the answer is bounded too.
const MEDIA_LIMIT: usize = 16;
/// There are 128 payload types.
const FORMAT_LIMIT: usize = 128;
/// Lines of one description: room for ICE candidates and fingerprints many times over.
const LINE_LIMIT: usize = 2048;

impl SessionDescription {
    /// Reads a body. Line ends may be CRLF or LF, and bytes that are not UTF-8 are replaced.
    pub fn parse(body: &[u8]) -> Result<Self, ParseError> {
        let text = String::from_utf8_lossy(body);
        let mut parser = Parser::default();
        let mut last = 0;
        for (index, line) in text.lines().enumerate() {
            last = index + 1;
            let fail = |why| ParseError { line: last, why };
            if last > LINE_LIMIT {
                return Err(fail("too many lines"));
            }
            let line = line.trim_end_matches('\r');
            if line.trim().is_empty() {
                continue;
            }
            let (kind, value) = line.split_once('=').ok_or(fail("no '=' after the type"))?;
            parser.line(kind, value.trim()).map_err(fail)?;
        }
        parser
            .finish()
            .map_err(|why| ParseError { line: last, why })
    }
}

#[derive(Default)]
struct Parser {
    version_seen: bool,
    origin: Option<Origin>,
    connection: Option<Connection>,
    time: Option<String>,
    attributes: Attributes,
    media: Vec<MediaDescription>,
}

impl Parser {
    fn line(&mut self, kind: &str, value: &str) -> Result<(), &'static str> {
        if !self.version_seen && kind != "v" {
            return Err("the first line is not v=0");
        }
        match kind {
            "v" if value == "0" => self.version_seen = true,
            "v" => return Err("a version other than 0"),
            "o" => self.origin = Some(parse_origin(value)?),
            "c" => {
                let connection = Some(parse_connection(value)?);
                match self.media.last_mut() {
                    Some(media) => media.connection = connection,
                    None => self.connection = connection,
                }
            }
            "t" if self.time.is_none() => self.time = Some(parse_time(value)),
            "m" if self.media.len() == MEDIA_LIMIT => return Err("too many media sections"),
            "m" => self.media.push(parse_media(value)?),
            "a" => {
                let (name, value) = value.split_once(':').unwrap_or((value, ""));
                let attributes = match self.media.last_mut() {
                    Some(media) => &mut media.attributes,
                    None => &mut self.attributes,
                };
                attributes.push(name.trim(), value.trim());
            }
            _ => {}
        }
        Ok(())
    }

    fn finish(self) -> Result<SessionDescription, &'static str> {
        if !self.version_seen {
            return Err("empty");
        }
        let unplaced = |media: &MediaDescription| media.port != 0 && media.connection.is_none();
        if self.connection.is_none() && self.media.iter().any(unplaced) {
            return Err("no c= line");
        }
        Ok(SessionDescription {
            origin: self.origin.ok_or("no o= line")?,
            connection: self.connection,
            time: self.time.unwrap_or_else(|| "0 0".to_owned()),
            attributes: self.attributes,
            media: self.media,
        })
    }
}

/// Session id and version of peers are kept only as numbers; those that do not fit count as zero.
fn parse_origin(value: &str) -> Result<Origin, &'static str> {
    let mut fields = value.split_ascii_whitespace().skip(1);
    let mut next = || fields.next().ok_or("an o= line with fewer than six fields");
    let (session_id, version) = (next()?, next()?);
    let (_, _, address) = (next()?, next()?, next()?);
    Ok(Origin {
        session_id: session_id.parse().unwrap_or(0),
        version: version.parse().unwrap_or(0),
        address: address
            .parse()
            .unwrap_or(IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED)),
    })
}

fn parse_connection(value: &str) -> Result<Connection, &'static str> {
    let mut fields = value.split_ascii_whitespace();
    let (Some(net), Some(family), Some(address)) = (fields.next(), fields.next(), fields.next())
    else {
        return Err("a c= line with fewer than three fields");
    };
    let known = net.eq_ignore_ascii_case("IN")
        && (family.eq_ignore_ascii_case("IP4") || family.eq_ignore_ascii_case("IP6"));
    let address = address.split('/').next().unwrap_or_default();
    match address.parse::<IpAddr>() {
        Ok(address) if known && address.is_multicast() => Err("a multicast address"),
        Ok(address) if known => Ok(Connection::Address(address)),
        _ => Ok(Connection::Unresolved),
    }
}

/// Two numbers, or the unbounded session: the text is repeated in our answer, so nothing else passes.
fn parse_time(value: &str) -> String {
    let numbers: Vec<u64> = value
        .split_ascii_whitespace()
        .filter_map(|field| field.parse().ok())
        .collect();
    match numbers[..] {
        [start, stop] => format!("{start} {stop}"),
        _ => "0 0".to_owned(),
    }
}

fn parse_media(value: &str) -> Result<MediaDescription, &'static str> {
    let mut fields = value.split_ascii_whitespace();
    let (Some(kind), Some(port), Some(protocol)) = (fields.next(), fields.next(), fields.next())
    else {
        return Err("an m= line with fewer than three fields");
    };
    let port = port.split('/').next().unwrap_or_default();
    let formats: Vec<String> = fields.take(FORMAT_LIMIT).map(str::to_owned).collect();
    let is_token = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
    if !is_token(kind) || !is_token(protocol) || !formats.iter().all(|format| is_token(format)) {
        return Err("an m= line with characters outside a token");
    }
    Ok(MediaDescription {
        kind: kind.to_owned(),
        port: port
            .parse()
            .map_err(|_| "a port that is not a number below 65536")?,
        protocol: protocol.to_owned(),
        formats,
        connection: None,
        attributes: Attributes::default(),
    })
}

impl Attributes {
    /// Adds a line; an empty value is a flag.
    pub fn push(&mut self, name: &str, value: &str) {
        let known = NAMES.iter().find(|known| **known == name);
        let name = known.map_or_else(
            || Cow::Owned(name.to_owned()),
            |known| Cow::Borrowed(*known),
        );
        self.0.push((name, value.to_owned()));
    }

    /// The value of the first line of this name.
    #[must_use]
    pub fn first(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The values of all lines of this name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(move |(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

/// Names of lines that most descriptions have: they are not copied for each.
const NAMES: [&str; 9] = [
    "rtpmap", "fmtp", "ptime", "sendrecv", "rtcp-mux", "crypto", "maxptime", "sendonly", "rtcp",
];

/// Keys are not told.
impl fmt::Debug for Attributes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told = |(name, value): &(Cow<'static, str>, String)| match name
            .eq_ignore_ascii_case("crypto")
        {
            true => (name.clone(), "…".to_owned()),
            false => (name.clone(), value.clone()),
        };
        f.debug_list().entries(self.0.iter().map(told)).finish()
    }
}

impl fmt::Display for SessionDescription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v=0\r\no={}\r\ns=-\r\n", self.origin)?;
        if let Some(connection) = &self.connection {
            write!(f, "c={connection}\r\n")?;
        }
        write!(f, "t={}\r\n{}", self.time, self.attributes)?;
        for media in &self.media {
            write!(f, "{media}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "- {} {} {}",
            self.session_id,
            self.version,
            Connection::Address(self.address)
        )
    }
}

impl fmt::Display for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(IpAddr::V4(address)) => write!(f, "IN IP4 {address}"),
            Self::Address(IpAddr::V6(address)) => write!(f, "IN IP6 {address}"),
            Self::Unresolved => f.write_str("IN IP4 0.0.0.0"),
        }
    }
}

impl fmt::Display for MediaDescription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "m={} {} {}", self.kind, self.port, self.protocol)?;
        for format in &self.formats {
            write!(f, " {format}")?;
        }
        f.write_str("\r\n")?;
        if let Some(connection) = &self.connection {
            write!(f, "c={connection}\r\n")?;
        }
        write!(f, "{}", self.attributes)
    }
}

impl fmt::Display for Attributes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.0 {
            if value.is_empty() {
                write!(f, "a={name}\r\n")?;
            } else {
                write!(f, "a={name}:{value}\r\n")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PHONE: &str = "v=0\r\no=alice 2890844526 2890844527 IN IP4 192.0.2.10\r\ns=call\r\n\
        c=IN IP4 192.0.2.10\r\nt=0 0\r\na=sendrecv\r\nm=audio 49170 RTP/AVP 0 8 101\r\n\
        a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=rtcp-mux\r\n";

    #[test]
    fn a_description_reads_and_writes_back_the_same_meaning() {
        let once = SessionDescription::parse(PHONE.as_bytes()).unwrap();
        let twice = SessionDescription::parse(once.to_string().as_bytes()).unwrap();
        assert_eq!(once, twice);
        assert_eq!(once.media[0].formats, ["0", "8", "101"]);
        assert_eq!(once.media[0].attributes.first("fmtp"), Some("101 0-15"));
    }

    #[test]
    fn lines_may_end_in_lf_alone_and_unknown_ones_are_passed_over() {
        let text = PHONE
            .replace("\r\n", "\n")
            .replace("t=0 0\n", "b=AS:64\nk=x:y\nt=0 0\n");
        assert!(SessionDescription::parse(text.as_bytes()).is_ok());
    }

    #[test]
    fn errors_name_the_line() {
        let wrong = PHONE.replace("49170", "70000");
        let error = SessionDescription::parse(wrong.as_bytes()).unwrap_err();
        assert_eq!(
            (error.line, error.why),
            (7, "a port that is not a number below 65536")
        );
        assert!(SessionDescription::parse(b"").is_err());
        assert!(SessionDescription::parse(b"o=x\r\n").is_err());
        let homeless = PHONE.replace("c=IN IP4 192.0.2.10\r\n", "");
        assert_eq!(
            SessionDescription::parse(homeless.as_bytes())
                .unwrap_err()
                .why,
            "no c= line"
        );
    }

    #[test]
    fn nothing_of_a_peer_s_time_line_but_two_numbers_is_repeated() {
        let text = PHONE.replace("t=0 0", "t=0 0 a=evil");
        assert_eq!(
            SessionDescription::parse(text.as_bytes()).unwrap().time,
            "0 0"
        );
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_or_refused_without_a_panic(body in proptest::collection::vec(0u8..=255, 0..400)) {
            let _ = SessionDescription::parse(&body);
        }

        #[test]
        fn damaged_descriptions_are_read_or_refused_without_a_panic(at in 0usize..240, byte in 0u8..=255) {
            let mut body = PHONE.as_bytes().to_vec();
            let at = at % body.len();
            body[at] = byte;
            let _ = SessionDescription::parse(&body);
        }
    }
}
