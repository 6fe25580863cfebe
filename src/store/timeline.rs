//! What happened in one call, on one axis of time: SIP messages, statuses, steps of the flow, the media and
//! what the flow asked of servers.
//!
//! ```text
//!   first FIRST moments          newest NEWEST moments
//!   |---------------------| ... |-------------------------|   what lies between is counted alone
//! ```
//!
//! A message that is sent again makes no moment of its own: it is counted at the first one. What was said,
//! which keys were pressed, and paths, queries and bodies of requests to servers are not kept.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use crate::flow::ActionId;
use crate::status::CallStatus;

/// The moments of one call, the oldest first; bounded.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Timeline {
    first: Vec<Moment>,
    newest: VecDeque<Moment>,
    dropped: u64,
    /// The final status of the INVITE, as far as there is one.
    status: Option<u16>,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// When, since 1970-01-01 UTC.
    pub at: Duration,
    /// What.
    pub what: What,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum What {
    /// A SIP message left or came.
    Sip(SipMoment),
    /// The call stands here now.
    Status(CallStatus),
    /// The flow came to an action.
    Step {
        /// Which.
        action: ActionId,
        /// Its type.
        name: &'static str,
    },
    /// News of the sound.
    Media(MediaMoment),
    /// The flow has asked a server for something, and it is over.
    Http(Box<HttpMoment>),
    /// The party pressed a key.
    Digit,
}

/// A SIP message of the call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SipMoment {
    /// Claims that we have sent it.
    pub is_sent: bool,
    /// Who is at the other end.
    pub peer: SocketAddr,
    /// `INVITE sip:menu@10.0.0.1`, `486 Busy Here`: the first line without the version, cut after
    /// [`SipMoment::LONGEST`] octets, and without a password in it.
    pub line: Cow<'static, str>,
    /// Number of its CSeq.
    pub cseq: u32,
    /// Method of its CSeq; empty for one that we do not know.
    pub method: &'static str,
    /// Octets of the whole message. What came is counted as if it had been written without short names.
    pub octets: u32,
    /// How often it was sent again.
    pub again: u16,
    /// From the first time to the last.
    pub lasted: Duration,
}

/// News of the sound of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MediaMoment {
    /// Our RTP port is open.
    Opened {
        /// It.
        port: u16,
    },
    /// What is sent where is agreed on, anew or for the first time; its RTP is expected from there.
    Agreed {
        /// Where the peer says that it is.
        remote: SocketAddr,
        /// What it is sent.
        codec: &'static str,
    },
    /// Its RTP comes from here, from now on.
    Heard {
        /// Where it comes from.
        source: SocketAddr,
    },
    /// Something begins that takes its time.
    Began {
        /// What.
        what: Doing,
        /// Names it, until it ends.
        order: u64,
    },
    /// It has ended.
    Ended {
        /// What.
        what: Doing,
        /// How: `done`, `interrupted`, `canceled`, `failed`.
        how: &'static str,
    },
    /// It is in a bridge now, or takes another part there.
    Joined {
        /// Claims that it neither hears the others nor is heard: it is on hold.
        is_held: bool,
    },
    /// It is out of its bridge.
    Left,
    /// It is muted one way or both, or no more.
    Muted {
        /// `none`, `in`, `out` or `both`.
        way: &'static str,
    },
    /// The party has put us on hold, or has taken us back.
    Hold {
        /// On hold.
        is_held: bool,
    },
    /// It is over.
    Closed,
}

/// What takes its time in a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    /// Sound is played.
    Playing,
    /// Music or ringback fills silence.
    Filling,
    /// Keys are sent.
    SendingDigits,
    /// The party hears itself.
    Echo,
    /// It is recorded.
    Recording,
    /// Whether a person has answered is found out.
    Detecting,
    /// Somebody listens: a transcription, a talk.
    Listening,
}

impl Doing {
    /// For a reader.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Playing => "playback",
            Self::Filling => "music or ringback",
            Self::SendingDigits => "sending of digits",
            Self::Echo => "echo",
            Self::Recording => "recording",
            Self::Detecting => "machine detection",
            Self::Listening => "listening",
        }
    }
}

/// A request to a server that is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpMoment {
    /// For what: `fetch`, `webhook`, `mail`, `message`, `transcription`, `chat`.
    pub purpose: &'static str,
    /// `POST`; empty where the shell chooses it.
    pub method: Box<str>,
    /// Host of the server, where the flow has named it.
    pub host: Box<str>,
    /// Status of the answer.
    pub status: Option<u16>,
    /// `done`, or why not.
    pub outcome: &'static str,
    /// From the order to the answer.
    pub took: Duration,
}

impl SipMoment {
    /// Octets of a line that are kept.
    pub const LONGEST: usize = 128;

    /// Claims that `other` is this message once more.
    fn is_again(&self, other: &Self) -> bool {
        (self.cseq, self.is_sent, self.peer) == (other.cseq, other.is_sent, other.peer)
            && self.method == other.method
            && self.line == other.line
    }

    /// The status, when it is a response.
    fn status(&self) -> Option<u16> {
        let digits = self.line.get(..3)?;
        digits.parse().ok()
    }
}

impl Timeline {
    /// Moments from the beginning that are kept.
    pub const FIRST: usize = 64;
    /// Newest moments that are kept.
    pub const NEWEST: usize = 192;
    /// Room for an ordinary call: one allocation.
    const USUAL: usize = 16;
    /// How far back a message is looked for that comes again.
    const LOOK_BACK: usize = 24;

    /// A call about which nothing is known.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            first: Vec::new(),
            newest: VecDeque::new(),
            dropped: 0,
            status: None,
        }
    }

    /// Adds a moment; one after another in time.
    pub fn push(&mut self, at: Duration, what: What) {
        let moment = Moment { at, what };
        if self.first.len() < Self::FIRST {
            if self.first.capacity() == 0 {
                self.first.reserve_exact(Self::USUAL);
            }
            return self.first.push(moment);
        }
        if self.newest.len() == Self::NEWEST {
            self.newest.pop_front();
            self.dropped += 1;
        }
        self.newest.push_back(moment);
    }

    /// Adds a message, or counts it where it was first.
    pub fn push_sip(&mut self, at: Duration, message: SipMoment) {
        let tail = self.newest.iter_mut().rev();
        let mut known = tail
            .chain(self.first.iter_mut().rev())
            .take(Self::LOOK_BACK);
        let again = known.find_map(|moment| match &mut moment.what {
            What::Sip(sip) if sip.is_again(&message) => Some((moment.at, sip)),
            _ => None,
        });
        if let Some((first, sip)) = again {
            sip.again = sip.again.saturating_add(1);
            sip.lasted = at.saturating_sub(first);
            return;
        }
        let is_answered = matches!(self.status, Some(200..=299));
        if message.method == "INVITE" && !is_answered {
            let last = message.status().filter(|status| *status >= 200);
            self.status = last.or(self.status);
        }
        self.push(at, What::Sip(message));
    }

    /// Adds the end of what began under this order; nothing where that is not known any more.
    pub fn push_end(&mut self, at: Duration, order: u64, how: &'static str) {
        let mut known = self.newest.iter().rev().chain(self.first.iter().rev());
        let began = known.find_map(|moment| match moment.what {
            What::Media(MediaMoment::Began { what, order: begun }) if begun == order => Some(what),
            _ => None,
        });
        if let Some(what) = began {
            self.push(at, What::Media(MediaMoment::Ended { what, how }));
        }
    }

    /// The moments that are kept, the oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Moment> {
        self.first.iter().chain(&self.newest)
    }

    /// How many there were between the first [`Self::FIRST`] and those after, and are not kept.
    #[must_use]
    pub const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// The last final status of the first INVITE: what was really sent or came.
    #[must_use]
    pub const fn status(&self) -> Option<u16> {
        self.status
    }

    /// Claims that nothing is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.first.is_empty()
    }
}

/// For the log, which is not told who calls whom.
impl fmt::Debug for Timeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timeline")
            .field("moments", &self.iter().count())
            .field("dropped", &self.dropped)
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

/// One step of a flow, with when it was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathStep {
    /// Which action.
    pub action: ActionId,
    /// Its type.
    pub name: &'static str,
    /// When the cursor came to it, since 1970-01-01 UTC.
    pub at: Duration,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sip(line: &'static str, cseq: u32) -> SipMoment {
        SipMoment {
            is_sent: false,
            peer: SocketAddr::from(([10, 0, 0, 9], 5060)),
            line: Cow::Borrowed(line),
            cseq,
            method: "INVITE",
            octets: 500,
            again: 0,
            lasted: Duration::ZERO,
        }
    }

    #[test]
    fn the_first_and_the_newest_are_kept_and_what_lies_between_is_counted() {
        let mut timeline = Timeline::new();
        for second in 0..1000 {
            timeline.push(Duration::from_secs(second), What::Digit);
        }
        let kept: Vec<u64> = timeline.iter().map(|moment| moment.at.as_secs()).collect();
        assert_eq!(kept.len(), Timeline::FIRST + Timeline::NEWEST);
        assert_eq!(kept[..2], [0, 1]);
        assert_eq!(kept[63..66], [63, 808, 809]);
        assert_eq!((kept.last(), timeline.dropped()), (Some(&999), 744));
    }

    #[test]
    fn a_message_that_comes_again_is_counted_at_the_first() {
        let mut timeline = Timeline::new();
        for ms in [0, 500, 1500, 3500] {
            timeline.push_sip(Duration::from_millis(ms), sip("INVITE sip:a@b", 1));
        }
        timeline.push_sip(Duration::from_secs(9), sip("INVITE sip:a@b", 2));
        let found: Vec<(u16, Duration)> = timeline
            .iter()
            .filter_map(|moment| match &moment.what {
                What::Sip(sip) => Some((sip.again, sip.lasted)),
                _ => None,
            })
            .collect();
        assert_eq!(
            found,
            [(3, Duration::from_millis(3500)), (0, Duration::ZERO)]
        );
    }

    #[test]
    fn the_status_is_the_last_final_one_until_there_was_an_answer() {
        let mut timeline = Timeline::new();
        let told = [
            "100 Trying",
            "401 Unauthorized",
            "486 Busy Here",
            "200 OK",
            "488 No",
        ];
        let after = told.map(|line| {
            timeline.push_sip(Duration::ZERO, sip(line, 1));
            timeline.status()
        });
        assert_eq!(after, [None, Some(401), Some(486), Some(200), Some(200)]);
    }

    #[test]
    fn a_moment_is_small() {
        assert!(size_of::<Moment>() <= 128, "{}", size_of::<Moment>());
    }
}
