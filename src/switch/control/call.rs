//! What a live call can be asked.

use std::time::{Duration, Instant};

use flowswitch_media::command::Mute;
use flowswitch_media::dtmf::Digit;

use super::{ControlError, Controlled};
use crate::call::cause::{Cause, Why};
use crate::call::{Call, Down};
use crate::flow::{Direction, ExternalMedia, Gender, RecordingOptions, TranscribeOptions};
use crate::ids::CallId;
use crate::status::{CallStatus, HangupReason};
use crate::switch::hold::Holding;
use crate::switch::io::Source;
use crate::switch::{Purpose, Switch};

/// What a call can be asked.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum CallVerb {
    /// Speak a text, when all that plays or waits has been heard. As the action `talk` it answers a call
    /// that is not answered; a text that cannot be spoken is passed over.
    Talk {
        /// Plain text, or SSML when it begins with `<speak`.
        text: String,
        /// Language tag (BCP 47); may be empty.
        language: String,
        /// Voice wished for.
        gender: Gender,
    },
    /// Play files or URLs one after another, when all that plays or waits has been heard. As the action
    /// `play` it does not answer: it is early media where the call is not answered.
    Play {
        /// At least one; names without a scheme are files of the flows directory.
        urls: Vec<String>,
    },
    /// Send digits to the party, behind those that are being sent.
    SendDigits {
        /// 1 to 100 of `0-9 A-D * #`.
        digits: String,
        /// Length of each, 100 ms to 1 s.
        tone: Duration,
        /// Silence between two, up to 5 s.
        gap: Duration,
    },
    /// Record the call, which must be answered. Its flow has the variables of the recording from then on.
    StartRecording {
        /// What and how long.
        options: RecordingOptions,
    },
    /// Stop the recording, whoever asked for it; its files are complete a little later.
    StopRecording,
    /// Write down what is said. Its flow has the variables of the transcription from then on.
    StartTranscribe {
        /// What and how.
        options: TranscribeOptions,
    },
    /// Stop writing down, whoever asked for it; what has been said is still put into words.
    StopTranscribe,
    /// Silence the party, what it would hear, or both, beside what is silenced already.
    Mute {
        /// Which way.
        direction: Direction,
    },
    /// Lift that, whoever asked for it: both less one way is the other way, anything less itself or less
    /// both is nothing.
    Unmute {
        /// Which way.
        direction: Direction,
    },
    /// Send the sound of the call elsewhere, or take it from there. What cannot be connected ends a little
    /// later.
    StartExternalMedia {
        /// Where and how.
        media: ExternalMedia,
    },
    /// End all of that, whoever asked for it.
    StopExternalMedia,
    /// Send the call out of the queue where it waits or is served; of several, out of the innermost.
    LeaveQueue,
    /// Put the party on hold: it is told so, hears nothing of those it is joined with, and they nothing of
    /// it. What is played to it is heard as ever.
    Hold,
    /// Take it back.
    Unhold,
    /// Let the party hear music in place of those it is joined with, whenever nothing else is played to it.
    Moh,
    /// End that.
    Unmoh,
    /// Let the party hear nothing of those it is joined with. What is played to it is heard as ever.
    Silence,
    /// End that.
    Unsilence,
    /// Say what has happened in it so far; answered with [`Controlled::Timeline`].
    Timeline,
    /// Hang up, reason normal.
    Hangup,
}

/// Digits of one order.
const DIGITS: std::ops::RangeInclusive<usize> = 1..=100;
/// Length of each.
const TONE: std::ops::RangeInclusive<Duration> =
    Duration::from_millis(100)..=Duration::from_secs(1);
/// Silence between two, at most.
const GAP: Duration = Duration::from_secs(5);

impl Switch {
    pub(super) fn control_call(
        &mut self,
        now: Instant,
        id: CallId,
        verb: CallVerb,
    ) -> Result<Controlled, ControlError> {
        let done = match verb {
            CallVerb::Talk {
                text,
                language,
                gender,
            } => {
                if text.trim().is_empty() {
                    return Err(ControlError::NothingToPlay);
                }
                let source = Source::Text {
                    text,
                    language,
                    gender,
                };
                self.say(now, id, vec![source])?;
                self.answer_for_talk(now, id)
            }
            CallVerb::Play { urls } if urls.is_empty() => Err(ControlError::NothingToPlay),
            CallVerb::Play { urls } => {
                self.say(now, id, urls.into_iter().map(Source::Url).collect())
            }
            CallVerb::SendDigits { digits, tone, gap } => {
                let digits: Vec<Digit> = digits
                    .chars()
                    .map(Digit::from_char)
                    .collect::<Option<_>>()
                    .ok_or(ControlError::BadDigits)?;
                if !DIGITS.contains(&digits.len()) || !TONE.contains(&tone) || gap > GAP {
                    return Err(ControlError::BadDigits);
                }
                let order = self.new_order(id, Purpose::Control);
                self.act(now, id, |call, down| {
                    Ok(call.send_digits(down, order, digits, tone, gap)?)
                })
            }
            CallVerb::StartRecording { options } => {
                let recording = self.record(now, id, options)?;
                return Ok(Controlled::Recording(recording));
            }
            CallVerb::StopRecording => {
                let entry = self.calls.get(&id).ok_or(ControlError::NoSuchCall)?;
                entry.recording.ok_or(ControlError::NotRecording)?;
                self.act(now, id, |call, down| {
                    call.stop_recording(down);
                    Ok(())
                })
            }
            CallVerb::StartTranscribe { options } => {
                let transcribe = self.transcribe(now, id, options)?;
                return Ok(Controlled::Transcribe(transcribe));
            }
            CallVerb::StopTranscribe => self
                .end_transcribe(now, id)
                .then_some(())
                .ok_or(ControlError::NotTranscribing),
            CallVerb::Mute { direction } => self.act(now, id, |call, down| {
                call.mute(down, mute_of(direction));
                Ok(())
            }),
            CallVerb::Unmute { direction } => self.act(now, id, |call, down| {
                call.unmute(down, mute_of(direction));
                Ok(())
            }),
            CallVerb::StartExternalMedia { media } => {
                let external = self.start_external(id, media)?;
                return Ok(Controlled::ExternalMedia(external));
            }
            CallVerb::StopExternalMedia => self
                .stop_externals(now, id)
                .then_some(())
                .ok_or(ControlError::NoExternalMedia),
            CallVerb::LeaveQueue => {
                let innermost = self.queues.of_call(id).next_back();
                let place = innermost.ok_or(ControlError::NoSuchQueuecall)?.place;
                self.queues.kick(now, place);
                Ok(())
            }
            CallVerb::Hold => self.hold(now, id, true),
            CallVerb::Unhold => self.hold(now, id, false),
            CallVerb::Moh => self.tune(now, id, |holding| holding.has_music = true),
            CallVerb::Unmoh => self.tune(now, id, |holding| holding.has_music = false),
            CallVerb::Silence => self.tune(now, id, |holding| holding.is_silenced = true),
            CallVerb::Unsilence => self.tune(now, id, |holding| holding.is_silenced = false),
            CallVerb::Timeline => {
                let entry = self.calls.get(&id).ok_or(ControlError::NoSuchCall)?;
                return Ok(Controlled::Timeline(Box::new(entry.timeline.clone())));
            }
            CallVerb::Hangup => self.act(now, id, |call, down| {
                call.hangup(down, Cause::local(HangupReason::Normal, Why::Asked));
                Ok(())
            }),
        };
        done.map(|()| Controlled::Done)
    }

    fn tune(
        &mut self,
        now: Instant,
        id: CallId,
        change: impl FnOnce(&mut Holding),
    ) -> Result<(), ControlError> {
        self.set_holding(now, id, change);
        Ok(())
    }

    /// Lets a call act for somebody outside.
    fn act(
        &mut self,
        now: Instant,
        id: CallId,
        act: impl FnOnce(&mut Call, &mut Down<'_>) -> Result<(), ControlError>,
    ) -> Result<(), ControlError> {
        let mut result = Err(ControlError::CallIsOver);
        self.with_call(now, id, |call, down| result = act(call, down));
        result
    }

    fn say(&mut self, now: Instant, id: CallId, sources: Vec<Source>) -> Result<(), ControlError> {
        let order = self.new_order(id, Purpose::Control);
        Ok(self.begin_play(now, id, order, sources, false)?)
    }

    /// Answers a call that is not answered. One whose flow has just answered it is left to the flow, which
    /// may wait for the ACK.
    fn answer_for_talk(&mut self, now: Instant, id: CallId) -> Result<(), ControlError> {
        let status = self.calls.get(&id).map(|entry| entry.call.status());
        if !matches!(status, Some(CallStatus::Dialing | CallStatus::Ringing)) {
            return Ok(());
        }
        let order = self.new_order(id, Purpose::Control);
        self.act(now, id, |call, down| {
            call.answer(down, order);
            Ok(())
        })
    }
}

/// The way to silence that a flow or a request names.
pub(in crate::switch) const fn mute_of(direction: Direction) -> Mute {
    match direction {
        Direction::Both => Mute::Both,
        Direction::In => Mute::In,
        Direction::Out => Mute::Out,
    }
}
