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
//!   full, of one codec or     is recorded, listened to, played to, has another codec:
//!   G.711: packets pass       20 ms at a time
//!   as they come
//! ```
//!
//! The mode is never kept; it follows from the members. One who neither speaks nor hears, or whose own sound
//! is returned to it, keeps its place and takes no part. What each hears in a mix is all but itself, in the band
//! of its codec, within what a sample holds; where more than two take part, voices are brought to one level. A bridge does no I/O and touches no session: it
//! says which [`Link`] each is to have, takes what they say and gives what they hear.

mod gauge;
mod mix;
mod speakers;
mod sum;
#[cfg(test)]
mod tests;
mod voice;

use std::time::{Duration, Instant};

pub(crate) use self::mix::Mix;
use self::speakers::Speakers;
use self::sum::{Limits, Sum};
use self::voice::{Taking, Voice};
use crate::codec::Codec;
use crate::command::{BridgeConfig, CommandId, Part, SessionId};
use crate::frame::{Band, FRAME_DURATION, Sound};

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
    /// What it sends to its peer, once that is agreed on.
    pub(crate) sends: Option<Codec>,
    /// What its peer sends.
    pub(crate) hears: Option<Codec>,
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
    config: BridgeConfig,
    sum: Sum,
    /// What all say, and its gains.
    mix: Mix,
    limits: Limits,
    speakers: Speakers,
    recording: Option<BridgeRecording>,
    /// The next tick, while it mixes.
    pub(crate) due: Option<Instant>,
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
    /// The gains of what it hears.
    limits: Limits,
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
                limits: Limits::default(),
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
        self.sum.fade(member.voice.ending());
    }

    /// Mixes in another way from now on.
    pub(crate) fn configure(&mut self, config: BridgeConfig) {
        self.config = config;
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
            (Some(_), Some(_), None) if self.config.tells_speaker => Mode::Mix,
            (Some(_), None, _) | (None, ..) => Mode::Hold,
            (Some(one), Some(other), None) if one.can_relay(other) => Mode::Relay,
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
            self.sum.fade(changed.voice.ending());
            changed.voice = Voice::default();
        }
        Some((changed.session, changed.link))
    }

    /// Gets ready for those who are mixed from now on: the bands that they hear, and how loud they are. A
    /// recording hears the wide one from its beginning, because somebody with it may come at any time.
    pub(crate) fn prepare(&mut self) {
        let mixed = || self.members.iter().filter(|member| member.is_mixed());
        let is_wide = self.recording.is_some() || mixed().any(|member| member.band() == Band::Wide);
        let is_gauged = self.config.loudest.is_some()
            || self.config.tells_speaker
            || self.config.level && mixed().nth(2).is_some();
        self.sum.set_wide(is_wide);
        for member in &mut self.members {
            if !is_gauged {
                member.voice.gauge = None;
            } else if member.is_mixed() {
                member.voice.gauge.get_or_insert_default();
            }
            if let Some(gauge) = &mut member.voice.gauge
                && self.config.loudest.is_none()
            {
                gauge.choose(true);
            }
        }
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
        self.members[at].is_mixed()
    }

    /// Lets `write` lay down what the member at `at` says; `true` when it is more than silence.
    pub(crate) fn take(&mut self, at: usize, write: impl FnOnce(&mut Sound) -> bool) {
        let Member { part, voice, .. } = &mut self.members[at];
        let last = voice.ending();
        let is_heard = write(&mut voice.sound);
        let taking = Taking {
            is_heard: is_heard && part.speaks,
            is_leveled: self.config.level,
        };
        self.sum.fade(voice.take(last, taking));
    }

    /// All have spoken: adds it up.
    pub(crate) fn sum(&mut self) {
        self.sum
            .add_up(self.members.iter().map(|member| &member.voice));
        let is_wide = self.sum.wide.is_some();
        self.sum
            .without(None, &mut self.limits, is_wide, &mut self.mix);
        if self.config.tells_speaker {
            self.speakers.tick(self.members.iter().filter_map(|member| {
                let gauge = member.voice.gauge.as_deref()?;
                Some((member.session, gauge))
            }));
        }
        if let Some(most) = self.config.loudest {
            let voices = self.members.iter_mut().map(|member| &mut member.voice);
            let gauges = voices.filter_map(|voice| voice.gauge.as_deref_mut());
            speakers::choose(usize::from(most.get()), gauges);
        }
    }

    /// What all say together.
    pub(crate) const fn everybody(&self) -> &Mix {
        &self.mix
    }

    /// Who speaks now, once for each change.
    pub(crate) fn poll_speaker(&mut self) -> Option<Option<SessionId>> {
        self.speakers.poll()
    }

    /// What the member at `at` has said, and what it hears: everybody but itself. `own` is used when that is
    /// not what all others hear too.
    pub(crate) fn heard_by<'a>(&'a mut self, at: usize, own: &'a mut Mix) -> (&'a Sound, &'a Mix) {
        let member = &mut self.members[at];
        let said = &member.voice.sound;
        if !member.part.hears {
            own.hush();
            return (said, own);
        }
        if member.voice.sound().is_none() && member.limits.agree_with(&self.limits) {
            member.limits = self.limits;
            return (said, &self.mix);
        }
        let is_wide = member.standing.band() == Band::Wide;
        self.sum
            .without(Some(&member.voice), &mut member.limits, is_wide, own);
        (said, own)
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

impl Standing {
    /// The band of what it sends.
    fn band(&self) -> Band {
        self.sends.map_or(Band::Narrow, Codec::band)
    }
}

impl Member {
    /// Whether it takes part.
    const fn is_active(&self) -> bool {
        (self.part.speaks || self.part.hears) && !self.standing.is_apart
    }

    const fn is_mixed(&self) -> bool {
        matches!(self.link, Link::Mixed { .. })
    }

    /// The band that it hears.
    fn band(&self) -> Band {
        self.standing.band()
    }

    /// Whether packets are all that is needed of it.
    fn is_plain(&self) -> bool {
        self.part == Part::FULL && !self.standing.is_busy
    }

    /// Whether the packets of each can go to the other as they come.
    fn can_relay(&self, other: &Self) -> bool {
        let can_pass = |from: &Standing, to: &Standing| match (from.hears, to.sends) {
            (Some(from), Some(to)) => from.passes_as(to),
            _ => true,
        };
        self.is_plain()
            && other.is_plain()
            && can_pass(&self.standing, &other.standing)
            && can_pass(&other.standing, &self.standing)
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
