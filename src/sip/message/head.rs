//! The start line and the header block of a message: one reader for datagrams and streams, so that the
//! two never disagree on where a header ends.

use bytes::Bytes;

use super::error::ParseError;
use super::header_name::HeaderName;
use super::headers::Headers;
use super::method::Method;
use super::status::Status;
use super::token;
use super::uri::Uri;

/// The most header fields; a call through a dozen proxies has under sixty.
const MAX_FIELDS: usize = 256;

/// The longest header value, unfolded, in bytes: room for the largest identity tokens in use.
const MAX_VALUE: usize = 16 * 1024;

/// What stands before the body, as far as it could be read.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) start: StartLine,
    pub(super) headers: Headers,
    /// The first thing that was wrong.
    pub(super) problem: Option<Problem>,
    /// Where the body begins.
    pub(super) len: usize,
}

#[derive(Debug)]
pub(super) enum StartLine {
    Request { method: Method, uri: Uri },
    Response { status: Status, reason: Bytes },
}

/// Why a request is refused and with what.
#[derive(Clone, Copy, Debug)]
pub(super) struct Problem {
    pub(super) status: Status,
    pub(super) why: &'static str,
}

impl Problem {
    pub(super) const fn bad_request(why: &'static str) -> Self {
        Self {
            status: Status::BAD_REQUEST,
            why,
        }
    }
}

impl From<ParseError> for Problem {
    fn from(error: ParseError) -> Self {
        Self::bad_request(match error {
            ParseError::Missing(what)
            | ParseError::Malformed(what)
            | ParseError::TooMany(what)
            | ParseError::Unsupported(what) => what,
        })
    }
}

impl Head {
    /// Reads the head of a message that begins at the first byte.
    ///
    /// # Errors
    /// Why there is nobody to answer: no start line of SIP.
    pub(super) fn parse(bytes: &Bytes) -> Result<Self, &'static str> {
        let mut lines = Lines {
            bytes,
            at: 0,
            has_bare_cr: false,
        };
        let first = lines.next().ok_or("no start line")?;
        let mut problem = None;
        let start = StartLine::parse(bytes, first, &mut problem)?;
        let mut headers = Headers::with_capacity(16);
        let mut wrong = |found| {
            problem.get_or_insert(found);
        };
        let mut fields = 0;
        let has_nul = memchr::memchr(0, bytes).is_some();
        let is_whole = loop {
            let Some(line) = lines.next() else {
                break false;
            };
            if line.is_empty() {
                break true;
            }
            fields += 1;
            if fields > MAX_FIELDS {
                wrong(Problem::bad_request("too many header fields"));
                continue;
            }
            let more = lines.continuation();
            let is_suspect = has_nul || lines.has_bare_cr;
            match field(bytes, line, more.as_deref()) {
                Ok((_, value)) if is_suspect && has_line_breaker(&value) => {
                    wrong(Problem::bad_request("control character in a header"));
                }
                Ok((name, value)) => headers.push_received(name, value),
                Err(found) => wrong(found),
            }
        };
        if !is_whole {
            wrong(Problem::bad_request("no end of the header block"));
        }
        Ok(Self {
            start,
            headers,
            problem,
            len: lines.at,
        })
    }
}

impl StartLine {
    fn parse(
        all: &Bytes,
        line: &[u8],
        problem: &mut Option<Problem>,
    ) -> Result<Self, &'static str> {
        if line.len() > 4 && line[..4].eq_ignore_ascii_case(b"SIP/") {
            return Self::response(all, line);
        }
        let mut wrong = |why| {
            problem.get_or_insert(Problem::bad_request(why));
        };
        let trimmed = token::trim(line);
        if trimmed.len() != line.len() {
            wrong("white space around the request line");
        }
        let not_sip = "not SIP";
        let first = memchr::memchr2(b' ', b'\t', trimmed).ok_or(not_sip)?;
        let last = memchr::memrchr2(b' ', b'\t', trimmed).ok_or(not_sip)?;
        let method = Method::parse(all.slice_ref(&trimmed[..first])).map_err(|_| not_sip)?;
        let version = &trimmed[last + 1..];
        if !is_version(version) {
            return Err(not_sip);
        }
        let uri = trimmed.get(first + 1..last).ok_or(not_sip)?;
        if trimmed[first] != b' '
            || trimmed[last] != b' '
            || memchr::memchr2(b' ', b'\t', uri).is_some()
        {
            wrong("white space in the request line");
        }
        let uri = Uri::parse(uri).unwrap_or_else(|_| {
            wrong("Request-URI");
            Uri::unreadable(all.slice_ref(uri))
        });
        if uri.as_sip().is_some_and(|uri| !uri.headers.is_empty()) {
            wrong("headers in the Request-URI");
        }
        if !version.eq_ignore_ascii_case(b"SIP/2.0") {
            *problem = Some(Problem {
                status: Status::VERSION_NOT_SUPPORTED,
                why: "SIP version",
            });
        }
        Ok(Self::Request { method, uri })
    }

    fn response(all: &Bytes, line: &[u8]) -> Result<Self, &'static str> {
        let space = memchr::memchr(b' ', line).ok_or("no status code")?;
        if !line[..space].eq_ignore_ascii_case(b"SIP/2.0") {
            return Err("SIP version of a response");
        }
        let rest = &line[space + 1..];
        let (code, reason) = rest.split_at(rest.len().min(3));
        if code.len() != 3 || !matches!(reason.first(), None | Some(b' ')) {
            return Err("status code");
        }
        if memchr::memchr2(b'\r', 0, reason).is_some() {
            return Err("control character in the reason phrase");
        }
        let status = token::number(code, "status code")
            .ok()
            .and_then(Status::new);
        Ok(Self::Response {
            status: status.ok_or("status code")?,
            reason: all.slice_ref(token::trim(reason)),
        })
    }
}

/// `SIP/` digits `.` digits
fn is_version(version: &[u8]) -> bool {
    version.len() > 4
        && version[..4].eq_ignore_ascii_case(b"SIP/")
        && version[4..].contains(&b'.')
        && version[4..]
            .split(|byte| *byte == b'.')
            .all(|number| !number.is_empty() && number.iter().all(u8::is_ascii_digit))
}

/// Name and value of one header field; `folded` is what stands on the lines that continue it.
fn field(all: &Bytes, line: &[u8], folded: Option<&[u8]>) -> Result<(HeaderName, Bytes), Problem> {
    let colon = memchr::memchr(b':', line).ok_or(Problem::bad_request("header without colon"))?;
    let mut name = &line[..colon];
    while let [rest @ .., b' ' | b'\t'] = name {
        name = rest;
    }
    let name = HeaderName::parse_in(all, name)?;
    let first = token::trim(&line[colon + 1..]);
    let value = match folded {
        Some(more) => {
            let joined = Bytes::from([first, more].concat());
            joined.slice_ref(token::trim(&joined))
        }
        None => all.slice_ref(first),
    };
    if value.len() > MAX_VALUE {
        return Err(Problem::bad_request("header too long"));
    }
    Ok((name, value))
}

/// A CR without LF, which some readers take for a line end, or a NUL, which some take for the end of
/// all. A quoted pair may be a NUL (RFC 3261 §25.1), nothing else.
fn has_line_breaker(value: &[u8]) -> bool {
    memchr::memchr2_iter(b'\r', 0, value)
        .any(|at| value[at] == b'\r' || at == 0 || value[at - 1] != b'\\')
}

/// Reads lines that end with LF or CRLF; both are taken off.
struct Lines<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Some line so far had a CR that no LF follows.
    has_bare_cr: bool,
}

impl<'a> Lines<'a> {
    /// `None` when no whole line is left.
    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = &self.bytes[self.at..];
        let mut from = 0;
        loop {
            let end = from + memchr::memchr2(b'\r', b'\n', &rest[from..])?;
            let line_end = match rest[end..] {
                [b'\n', ..] => 1,
                [b'\r', b'\n', ..] => 2,
                _ => {
                    self.has_bare_cr = true;
                    from = end + 1;
                    continue;
                }
            };
            self.at += end + line_end;
            return Some(&rest[..end]);
        }
    }

    /// The lines that continue the last one, each with one space before it (RFC 3261 §7.3.1).
    fn continuation(&mut self) -> Option<Vec<u8>> {
        let mut joined = None;
        while let Some(b' ' | b'\t') = self.bytes.get(self.at) {
            let line = self.next()?;
            let joined: &mut Vec<u8> = joined.get_or_insert_default();
            joined.push(b' ');
            joined.extend_from_slice(token::trim(line));
        }
        joined
    }
}
