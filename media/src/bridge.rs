//! What joins sessions: who is in it, and how their sound gets from one to the other.
//!
//! ```text
//!              fewer than two take part: each for itself, as without a bridge
//!                 .--------.
//!            .--->|  Hold  |<---.
//!            |    '--------'    |
//!            v                  v
//!       .---------.  tapped, .-------.
//!       |  Relay  |<-------->|  Mix  |<--- recorded, whoever takes part
//!       '---------'  voiced  '-------'
//!   exactly two, both in      more than two, or two of whom one hears or speaks only,
//!   full: packets pass        is recorded, listened to, played to: 20 ms at a time
//!   as they come
//! ```
//!
//! The mode is never kept; it follows from the members. One who neither speaks nor hears, or whose own sound
//! is returned to it, keeps its place and takes no part. A bridge does no I/O and touches no session: it
//! says which [`Link`] each is to have, takes what they say and gives what they hear.

mod mix;

use std::time::{Duration, Instant};

pub(crate) use self::mix::Mix;
use self::mix::Voice;
use crate::command::{CommandId, Part, SessionId};
use crate::dsp::joint;
use crate::frame::{FRAME_DURATION, FRAME_SAMPLES, Frame};

/// How the sound of a member reaches the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Link {
    /// Not at all: it looks after itself.
    #[default]
    Apart,
    /// Its packets go to another one as they come.
    Relay {
        /// To whom.
        to: SessionId,
    },
    /// The bridge takes and gives 20 ms at a time.
    Mixed {
        /// What it takes part in.
        part: Part,
        /// The only other one, if there is one: keys are passed on to it.
        partner: Option<SessionId>,
    },
}

/// What of a session decides how it is joined.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Its own sound is returned to it: it takes no part.
    pub(crate) is_apart: bool,
    /// Somebody records it, listens to it or plays to it: its sound is needed as frames.
    pub(crate) is_busy: bool,
}

/// What came of a tick for a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    /// It has begun or ended something, or has a key to pass on.
    Changed,
    /// Its session broke.
    Broken,
}

/// What a bridge does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Hold,
    Relay,
    Mix,
}

/// Members and what runs between them.
#[derive(Debug, Default)]
pub(crate) struct Bridge {
    members: Vec<Member>,
    mix: Mix,
    /// What is left of those who left while they sounded: their last samples.
    tail: i32,
    total: Total,
    recording: Option<BridgeRecording>,
    /// The next tick, while it mixes.
    pub(crate) due: Option<Instant>,
}

#[derive(Debug)]
struct Total([i32; FRAME_SAMPLES]);

impl Default for Total {
    fn default() -> Self {
        Self([0; FRAME_SAMPLES])
    }
}

#[derive(Debug)]
struct Member {
    session: SessionId,
    part: Part,
    standing: Standing,
    /// What its session was told last.
    link: Link,
    mark: Option<Mark>,
    voice: Voice,
}

/// A recording of all that is said.
#[derive(Debug)]
struct BridgeRecording {
    command: CommandId,
    duration: Option<Duration>,
    /// Frames of its time line so far.
    position: u64,
}

/// What became of 20 ms of a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RecordedTick {
    pub(crate) command: CommandId,
    pub(crate) position: u64,
    /// It is as long as it may be.
    pub(crate) is_over: bool,
}

impl Bridge {
    /// Takes a member in, or changes its part.
    pub(crate) fn join(&mut self, session: SessionId, part: Part, standing: Standing) {
        match self.find(session) {
            Some(member) => (member.part, member.standing) = (part, standing),
            None => self.members.push(Member {
                session,
                part,
                standing,
                link: Link::Apart,
                mark: None,
                voice: Voice::default(),
            }),
        }
    }

    /// Lets a member go; what it was saying fades.
    pub(crate) fn leave(&mut self, session: SessionId) {
        let Some(at) = self
            .members
            .iter()
            .position(|member| member.session == session)
        else {
            return;
        };
        let member = self.members.swap_remove(at);
        self.tail += i32::from(member.voice.last());
    }

    /// A member has begun or ended something; `false` when that is known.
    pub(crate) fn restand(&mut self, session: SessionId, standing: Standing) -> bool {
        self.find(session)
            .is_some_and(|member| std::mem::replace(&mut member.standing, standing) != standing)
    }

    /// Notes what came of a tick for the member at `at`; a break is not forgotten for a change.
    pub(crate) fn mark(&mut self, at: usize, mark: Mark) {
        let marked = &mut self.members[at].mark;
        if *marked != Some(Mark::Broken) {
            *marked = Some(mark);
        }
    }

    pub(crate) fn is_broken(&self, at: usize) -> bool {
        self.members[at].mark == Some(Mark::Broken)
    }

    /// A member that has been marked; each is given once.
    pub(crate) fn next_mark(&mut self) -> Option<(SessionId, Mark)> {
        self.members
            .iter_mut()
            .find_map(|member| Some((member.session, member.mark.take()?)))
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Its members, in no order.
    pub(crate) const fn len(&self) -> usize {
        self.members.len()
    }

    /// Who has the place `at`.
    pub(crate) fn member(&self, at: usize) -> SessionId {
        self.members[at].session
    }

    pub(crate) fn mode(&self) -> Mode {
        let mut active = self.members.iter().filter(|member| member.is_active());
        let both = (active.next(), active.next(), active.next());
        match both {
            _ if self.recording.is_some() => Mode::Mix,
            (Some(_), None, _) | (None, ..) => Mode::Hold,
            (Some(one), Some(other), None) if one.is_plain() && other.is_plain() => Mode::Relay,
            _ => Mode::Mix,
        }
    }

    /// A member whose session has to be told its new link; each is given once.
    pub(crate) fn next_change(&mut self) -> Option<(SessionId, Link)> {
        let mode = self.mode();
        let mut active = self.members.iter().filter(|member| member.is_active());
        let pair = match (active.next(), active.next(), active.next()) {
            (Some(one), Some(other), None) => Some((one.session, other.session)),
            _ => None,
        };
        let changed = self.members.iter_mut().find_map(|member| {
            let link = member.wanted(mode, pair);
            (link != std::mem::replace(&mut member.link, link)).then_some(member)
        })?;
        if !matches!(changed.link, Link::Mixed { .. }) {
            self.tail += i32::from(changed.voice.last());
            changed.voice = Voice::default();
        }
        Some((changed.session, changed.link))
    }

    /// Begins a recording; `false` while another one runs.
    pub(crate) fn record(&mut self, command: CommandId, duration: Option<Duration>) -> bool {
        let is_free = self.recording.is_none();
        if is_free {
            self.recording = Some(BridgeRecording {
                command,
                duration,
                position: 0,
            });
        }
        is_free
    }

    /// Ends the recording `is_chosen` says, and tells its order and its length.
    pub(crate) fn end_recording(
        &mut self,
        is_chosen: impl FnOnce(CommandId) -> bool,
    ) -> Option<(CommandId, Duration)> {
        let recording = self
            .recording
            .take_if(|recording| is_chosen(recording.command))?;
        Some((recording.command, recording.length()))
    }

    /// Leaves out ticks that nobody could take, so that the time line of a recording stays true.
    pub(crate) const fn skip(&mut self, frames: u64) {
        if let Some(recording) = &mut self.recording {
            recording.position += frames;
        }
    }

    /// Whether the member at `at` is mixed.
    pub(crate) fn is_mixed(&self, at: usize) -> bool {
        matches!(self.members[at].link, Link::Mixed { .. })
    }

    /// Lets `write` lay down what the member at `at` says; `true` when it is more than silence.
    pub(crate) fn take(&mut self, at: usize, write: impl FnOnce(&mut Frame) -> bool) {
        let Member { part, voice, .. } = &mut self.members[at];
        let last = voice.last();
        let is_heard = write(&mut voice.frame);
        self.tail += voice.take(last, is_heard && part.speaks);
    }

    /// What the member at `at` has said.
    pub(crate) fn frame(&self, at: usize) -> &Frame {
        &self.members[at].voice.frame
    }

    /// All have spoken: adds it up.
    pub(crate) fn sum(&mut self) {
        let Total(total) = &mut self.total;
        total.fill(0);
        let tail = std::mem::take(&mut self.tail);
        let mut is_silent = tail == 0;
        if tail != 0 {
            joint::fade_out(tail, total);
        }
        for member in &self.members {
            if let Some(sound) = member.voice.sound() {
                is_silent = false;
                for (total, sample) in total.iter_mut().zip(&sound.0) {
                    *total += i32::from(*sample);
                }
            }
        }
        self.mix.set(total, None, is_silent);
    }

    /// What all say together.
    pub(crate) const fn everybody(&self) -> &Mix {
        &self.mix
    }

    /// What the member at `at` hears: everybody but itself. `own` is used when that is not what all others
    /// hear too.
    pub(crate) fn heard_by<'a>(&'a self, at: usize, own: &'a mut Mix) -> &'a Mix {
        let member = &self.members[at];
        if !member.part.hears {
            own.set(&[0; FRAME_SAMPLES], None, true);
            return own;
        }
        match member.voice.sound() {
            None => &self.mix,
            Some(sound) => {
                own.set(&self.total.0, Some(sound), false);
                own
            }
        }
    }

    /// Counts 20 ms of the recording.
    pub(crate) fn recorded(&mut self) -> Option<RecordedTick> {
        let recording = self.recording.as_mut()?;
        let position = recording.position;
        recording.position += 1;
        let is_over = recording
            .duration
            .is_some_and(|limit| recording.length() >= limit);
        Some(RecordedTick {
            command: recording.command,
            position,
            is_over,
        })
    }

    fn find(&mut self, session: SessionId) -> Option<&mut Member> {
        self.members
            .iter_mut()
            .find(|member| member.session == session)
    }
}

impl Member {
    /// Whether it takes part.
    const fn is_active(&self) -> bool {
        (self.part.speaks || self.part.hears) && !self.standing.is_apart
    }

    /// Whether packets are all that is needed of it.
    fn is_plain(&self) -> bool {
        self.part == Part::FULL && !self.standing.is_busy
    }

    fn wanted(&self, mode: Mode, pair: Option<(SessionId, SessionId)>) -> Link {
        let partner = pair.map(|(one, other)| if self.session == one { other } else { one });
        match (mode, partner) {
            _ if !self.is_active() => Link::Apart,
            (Mode::Relay, Some(to)) => Link::Relay { to },
            (Mode::Mix, _) => Link::Mixed {
                part: self.part,
                partner,
            },
            (Mode::Hold | Mode::Relay, _) => Link::Apart,
        }
    }
}

impl BridgeRecording {
    fn length(&self) -> Duration {
        FRAME_DURATION * u32::try_from(self.position).unwrap_or(u32::MAX)
    }
}
