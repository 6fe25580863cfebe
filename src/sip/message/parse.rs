//! Datagrams to messages, and what is to be said about those that are none.

use bytes::Bytes;

use super::check;
use super::head::{Head, Problem, StartLine};
use super::header_name::HeaderName;
use super::headers::Headers;
use super::method::Method;
use super::request::Request;
use super::response::Response;
use super::status::Status;
use super::token;

/// The largest message in a datagram: what UDP can carry.
const MAX_DATAGRAM: usize = 65_535;

/// A request or a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    Request(Request),
    Response(Response),
}

/// What to do with bytes that are no good message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MessageError {
    /// Nothing can be said to the sender; count and drop.
    #[error("dropped: {why}")]
    Drop { why: &'static str },
    /// A request bad enough to refuse but good enough to answer; never an ACK.
    ///
    /// Any of its headers may be missing or malformed but there is a Via, perhaps unreadable; then the
    /// answer goes where the request came from. An unreadable Request-URI stands as [`super::Uri::Other`]
    /// with an empty scheme.
    #[error("refused with {status}: {why}")]
    Refuse {
        request: Box<Request>,
        status: Status,
        why: &'static str,
    },
}

impl Message {
    /// Reads the message in a datagram. CRLFs before it are passed over, what stands behind its
    /// Content-Length is cut off; without Content-Length the body is all the rest (RFC 3261 §18.3).
    ///
    /// # Errors
    /// [`MessageError::Drop`] for what is no SIP, keep-alives, and malformed responses and ACKs;
    /// [`MessageError::Refuse`] for a malformed request.
    pub fn parse_datagram(datagram: Bytes) -> Result<Self, MessageError> {
        if datagram.len() > MAX_DATAGRAM {
            return Err(MessageError::Drop { why: "too long" });
        }
        let start = datagram
            .iter()
            .position(|byte| !matches!(byte, b'\r' | b'\n'))
            .ok_or(MessageError::Drop { why: "keep-alive" })?;
        let datagram = datagram.slice(start..);
        let mut head = Head::parse(&datagram).map_err(|why| MessageError::Drop { why })?;
        let mut body = datagram.slice(head.len..);
        match content_length(&head.headers) {
            Ok(Some(length)) if length > body.len() => {
                let problem = Problem::bad_request("body shorter than Content-Length");
                head.problem.get_or_insert(problem);
            }
            Ok(Some(length)) => body.truncate(length),
            Ok(None) => {}
            Err(problem) => {
                head.problem.get_or_insert(problem);
            }
        }
        Self::assemble(head, body)
    }

    /// Joins head and body and decides what becomes of them.
    pub(super) fn assemble(head: Head, body: Bytes) -> Result<Self, MessageError> {
        let Head {
            start,
            headers,
            problem,
            ..
        } = head;
        match start {
            StartLine::Response { status, reason } => {
                if let Some(Problem { why, .. }) =
                    problem.or_else(|| check::response(&headers).err())
                {
                    return Err(MessageError::Drop { why });
                }
                Ok(Self::Response(Response {
                    status,
                    reason,
                    headers,
                    body,
                }))
            }
            StartLine::Request { method, uri } => {
                let problem = problem.or_else(|| check::request(&method, &headers).err());
                let request = Request {
                    method,
                    uri,
                    headers,
                    body,
                };
                match problem {
                    None => Ok(Self::Request(request)),
                    Some(problem) => Err(refuse(request, problem)),
                }
            }
        }
    }
}

fn refuse(request: Request, Problem { status, why }: Problem) -> MessageError {
    if request.method == Method::Ack || !request.headers.has(&HeaderName::Via) {
        return MessageError::Drop { why };
    }
    MessageError::Refuse {
        request: Box::new(request),
        status,
        why,
    }
}

/// The length of the body as declared; several fields that agree count as one here and are refused
/// with the rest of the checks.
pub(super) fn content_length(headers: &Headers) -> Result<Option<usize>, Problem> {
    let mut length = None;
    for value in headers.get_all(&HeaderName::ContentLength) {
        let one: usize = token::number(value, "Content-Length")?;
        if length.is_some_and(|known| known != one) {
            return Err(Problem::bad_request("two Content-Lengths"));
        }
        length = Some(one);
    }
    Ok(length)
}
