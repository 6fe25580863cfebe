//! Where one message ends and the next begins on a stream (RFC 3261 §18.3, RFC 5626 §3.5.1).

use bytes::{Buf as _, Bytes, BytesMut};

use super::head::{Head, Problem, StartLine};
use super::parse::{Message, MessageError, content_length};
use super::status::Status;

/// The largest message of a stream unless said otherwise: four times what UDP can carry.
const MAX_MESSAGE: usize = 256 * 1024;

/// The largest header block; the rest of a message may be body.
const MAX_HEAD: usize = 64 * 1024;

/// A buffer that has grown beyond this is given back once it is empty: most connections are idle.
const KEPT_BUFFER: usize = 16 * 1024;

/// Takes bytes as they come, gives out whole messages.
///
/// ```text
///               head found                  body complete
/// Between ---------------------> Body ----------------------> Between, Frame::Message
///    |  CRLFCRLF: Frame::Ping      |
///    '------------- error ---------'--------> Failed (for good: where the next begins is unknown)
/// ```
///
/// Every byte is looked at once, however they are cut. Holds at most one message of the largest size and
/// what the last [`Self::push`] brought, when [`Self::poll_frame`] is drained after each push.
#[derive(Debug)]
pub struct StreamFramer {
    buffer: BytesMut,
    state: State,
    max_message: usize,
}

#[derive(Debug)]
enum State {
    /// Before the end of a head; no end of it before `scanned`.
    Between {
        scanned: usize,
        has_seen_crlf: bool,
    },
    /// The head is read, `length` bytes of body follow.
    Body {
        head: Box<Head>,
        length: usize,
    },
    /// The error still has to be told.
    Failing(FramingError),
    Failed,
}

const BETWEEN: State = State::Between {
    scanned: 0,
    has_seen_crlf: false,
};

/// What came over a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::large_enum_variant,
    reason = "moved at once; a box would cost an allocation a message"
)]
pub enum Frame {
    Message(Result<Message, MessageError>),
    /// CRLF CRLF, to be answered with one CRLF.
    Ping,
    /// One CRLF: the answer to a ping, or nothing at all. Told when the next message begins.
    Pong,
}

/// Where the next message begins cannot be known any more: close the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FramingError {
    #[error("no SIP on this stream")]
    NotSip,
    #[error("header block too long")]
    HeadTooLong,
    #[error("message too long")]
    MessageTooLong,
    /// Content-Length is missing, no number, or stands there with two values.
    #[error("no usable Content-Length")]
    NoLength,
}

impl StreamFramer {
    /// A framer for one connection.
    #[must_use]
    pub fn new() -> Self {
        Self::with_max_message(MAX_MESSAGE)
    }

    /// The same with another limit on head and body together, in bytes.
    #[must_use]
    pub fn with_max_message(max_message: usize) -> Self {
        Self {
            buffer: BytesMut::new(),
            state: BETWEEN,
            max_message,
        }
    }

    /// Adds what was read; ignored after an error.
    pub fn push(&mut self, bytes: &[u8]) {
        if !matches!(self.state, State::Failing(_) | State::Failed) {
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// Claims that no part of a message waits for the rest of it.
    #[must_use]
    pub fn is_between_messages(&self) -> bool {
        self.buffer.is_empty() && matches!(self.state, State::Between { .. })
    }

    /// The next frame, or the error that ends the stream: once, then `None` for good. A request whose
    /// length is wrong or too large is given out before the error, so that it can be answered.
    #[must_use]
    pub fn poll_frame(&mut self) -> Option<Result<Frame, FramingError>> {
        loop {
            match std::mem::replace(&mut self.state, State::Failed) {
                State::Failed => return None,
                State::Failing(error) => {
                    self.buffer = BytesMut::new();
                    return Some(Err(error));
                }
                State::Body { head, length } => {
                    if self.buffer.len() < length {
                        self.state = State::Body { head, length };
                        return None;
                    }
                    self.state = BETWEEN;
                    let body = self.take(length);
                    return Some(Ok(Frame::Message(Message::assemble(*head, body))));
                }
                State::Between {
                    scanned,
                    has_seen_crlf,
                } => match self.between(scanned, has_seen_crlf) {
                    Step::Wait => return None,
                    Step::Again => {}
                    Step::Frame(frame) => return Some(Ok(frame)),
                },
            }
        }
    }

    fn between(&mut self, scanned: usize, has_seen_crlf: bool) -> Step {
        if scanned == 0 {
            let line_end = match *self.buffer {
                [b'\r', b'\n', ..] => 2,
                [b'\n', ..] => 1,
                _ => 0,
            };
            if line_end > 0 {
                self.buffer.advance(line_end);
                self.state = State::Between {
                    scanned: 0,
                    has_seen_crlf: !has_seen_crlf,
                };
                return if has_seen_crlf {
                    Step::Frame(Frame::Ping)
                } else {
                    Step::Again
                };
            }
            if let [] | [b'\r'] = *self.buffer {
                self.state = State::Between {
                    scanned,
                    has_seen_crlf,
                };
                return Step::Wait;
            }
            if has_seen_crlf {
                self.state = BETWEEN;
                return Step::Frame(Frame::Pong);
            }
        }
        match find_head_end(&self.buffer, scanned) {
            Ok(end) if end <= self.max_head() => self.begin(end),
            Err(scanned) if scanned <= self.max_head() => {
                self.state = State::Between {
                    scanned,
                    has_seen_crlf,
                };
                Step::Wait
            }
            _ => self.fail(FramingError::HeadTooLong),
        }
    }

    /// The head ends at `end`: reads it and decides what follows.
    fn begin(&mut self, end: usize) -> Step {
        let bytes = self.take(end);
        let Ok(mut head) = Head::parse(&bytes) else {
            return self.fail(FramingError::NotSip);
        };
        let (error, problem) = match content_length(&head.headers) {
            Ok(Some(length)) if length <= self.max_message.saturating_sub(end) => {
                let head = Box::new(head);
                self.state = State::Body { head, length };
                return Step::Again;
            }
            Ok(Some(_)) => {
                let problem = Problem {
                    status: Status::MESSAGE_TOO_LARGE,
                    why: "message too long",
                };
                (FramingError::MessageTooLong, problem)
            }
            Ok(None) => {
                let problem = Problem::bad_request("no Content-Length on a stream");
                (FramingError::NoLength, problem)
            }
            Err(problem) => (FramingError::NoLength, problem),
        };
        self.state = State::Failing(error);
        if matches!(head.start, StartLine::Response { .. }) {
            return Step::Again;
        }
        head.problem.get_or_insert(problem);
        Step::Frame(Frame::Message(Message::assemble(head, Bytes::new())))
    }

    fn fail(&mut self, error: FramingError) -> Step {
        self.state = State::Failing(error);
        Step::Again
    }

    /// A copy of its own: a header kept for the length of a call must not keep the whole buffer.
    fn take(&mut self, length: usize) -> Bytes {
        let bytes = Bytes::copy_from_slice(&self.buffer[..length]);
        self.buffer.advance(length);
        if self.buffer.is_empty() && self.buffer.capacity() > KEPT_BUFFER {
            self.buffer = BytesMut::new();
        }
        bytes
    }

    fn max_head(&self) -> usize {
        MAX_HEAD.min(self.max_message)
    }
}

impl Default for StreamFramer {
    fn default() -> Self {
        Self::new()
    }
}

#[expect(
    clippy::large_enum_variant,
    reason = "moved at once; a box would cost an allocation a message"
)]
enum Step {
    /// More bytes are needed.
    Wait,
    /// The state is another one.
    Again,
    Frame(Frame),
}

/// Where the empty line behind the header block ends, or up to where there is none. Lines end with LF or
/// CRLF, as [`Head::parse`] has it.
fn find_head_end(bytes: &[u8], scanned: usize) -> Result<usize, usize> {
    let mut from = scanned;
    while let Some(at) = memchr::memchr(b'\n', &bytes[from..]) {
        let end = from + at;
        match &bytes[end + 1..] {
            [b'\n', ..] => return Ok(end + 2),
            [b'\r', b'\n', ..] => return Ok(end + 3),
            [] | [b'\r'] => return Err(end),
            _ => from = end + 1,
        }
    }
    Err(bytes.len())
}
