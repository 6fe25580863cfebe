//! What is asked of a live call or activeflow from outside, and done beside its flow: the cursor stays
//! where it is.
//!
//! A request is answered at once and exactly once, when what it asks for has been taken on or refused; what
//! was taken on may take its time then, and its end is told to nobody. Its orders have a purpose of their
//! own, so that no activeflow takes their end for the end of an action.

use std::time::{Duration, Instant};

use flowswitch_media::command::Mute;
use flowswitch_media::dtmf::Digit;
use uuid::Uuid;

use super::conferencing::ConferenceVerb;
use super::hold::Holding;
use super::io::{Output, Source};
use super::transcribing::TranscribeRefused;
use super::transfer::TransferKind;
use super::{Purpose, Switch};
use crate::call::cause::{Cause, Why};
use crate::call::{Call, Down, PlayRefused, RecordRefused, SendRefused};
use crate::flow::{
    ActionId, Address, Direction, ExternalMedia, FlowEvent, Gender, RecordingOptions,
    TranscribeOptions,
};
use crate::ids::{ActiveflowId, CallId};
use crate::status::{CallStatus, HangupReason};
use crate::store::agents::AgentStatus;

/// One request from outside; chosen by whoever asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ControlId(pub u64);

/// What is asked.
#[derive(Clone, Debug, PartialEq)]
pub enum Control {
    /// Of a call.
    Call {
        /// Which.
        call: CallId,
        /// What.
        verb: CallVerb,
    },
    /// Give the one whom a call talks with to whoever of others answers first.
    Transfer {
        /// At once, or after a talk with the new partner.
        kind: TransferKind,
        /// Who gives.
        transferer: CallId,
        /// To whom: they ring all at once.
        transferees: Vec<Address>,
    },
    /// Of an activeflow.
    Activeflow {
        /// Which.
        activeflow: ActiveflowId,
        /// What.
        verb: FlowVerb,
    },
    /// Send a caller out of its place in a queue, also while it talks with the agent; its flow goes on behind
    /// the queue.
    KickQueuecall {
        /// Which place.
        queuecall: Uuid,
    },
    /// Send somebody out of a conference; its flow goes on behind it.
    KickConferencecall {
        /// Whom.
        conferencecall: Uuid,
    },
    /// Of a conference.
    Conference {
        /// Which.
        conference: Uuid,
        /// What.
        verb: ConferenceVerb,
    },
    /// Say whether an agent has time.
    SetAgent {
        /// Which.
        agent: Uuid,
        /// That it rings is nobody's to say.
        status: AgentStatus,
    },
}

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
    /// Hang up, reason normal.
    Hangup,
}

/// What an activeflow can be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FlowVerb {
    /// Go on behind the `block` where it stands.
    Resume {
        /// Where it is believed to stand; wherever it stands when `None`.
        current_action: Option<ActionId>,
    },
    /// End; its call is hung up, and the flow that follows it starts.
    Stop,
}

/// Why something asked from outside is not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ControlError {
    /// There is none of that id, nor was there one lately.
    #[error("there is no such call")]
    NoSuchCall,
    /// Nothing reaches the party any more.
    #[error("the call is over")]
    CallIsOver,
    /// Only an answered call can do it.
    #[error("the call is not answered")]
    NotAnswered,
    /// As many playbacks as may wait do; ask again when one has been heard.
    #[error("too many playbacks wait for their turn")]
    TooManyPlaybacks,
    /// There is no text or no URL.
    #[error("there is nothing to play")]
    NothingToPlay,
    /// The digits, their length or their gap are not what can be sent.
    #[error("digits must be 1 to 100 of 0-9, A-D, * and #, of 100 ms to 1 s, at most 5 s apart")]
    BadDigits,
    /// As many orders to send digits as may wait do; ask again when one is done.
    #[error("too many digits wait for their turn")]
    TooManyDigits,
    /// A recording runs.
    #[error("a recording is already running")]
    AlreadyRecording,
    /// This build cannot write it.
    #[error("this build cannot record to {format}")]
    RecordingFormat {
        /// What its files are called, behind the dot.
        format: &'static str,
    },
    /// None runs.
    #[error("no recording is running")]
    NotRecording,
    /// The server that it takes is not configured.
    #[error("no provider is configured")]
    NoProvider,
    /// A transcription of the call runs.
    #[error("a transcription is already running")]
    AlreadyTranscribing,
    /// None runs.
    #[error("no transcription is running")]
    NotTranscribing,
    /// As many transcriptions as may be are, in all calls; ask again later.
    #[error("too many transcriptions")]
    TooManyTranscriptions,
    /// The call is in no bridge, in a conference, or not with exactly one other.
    #[error("the call does not talk with exactly one other")]
    NotTalking,
    /// One of the two is being transferred.
    #[error("a transfer is under way")]
    AlreadyTransferring,
    /// Nobody is reached by any of the addresses, or a limit was reached.
    #[error("none of the addresses can be called")]
    NobodyToCall,
    /// The call has as many as it may, or all calls together have.
    #[error("too many external media")]
    TooManyExternalMedia,
    /// Its host, direction, format, encapsulation or transport are not what can be carried.
    #[error("the external media cannot be carried")]
    BadExternalMedia,
    /// None runs.
    #[error("no external media are running")]
    NoExternalMedia,
    /// There is none of that id any more, or never was.
    #[error("there is no such activeflow")]
    NoSuchActiveflow,
    /// The place is given up, or there never was one of that id; or the call waits in no queue.
    #[error("there is no such queuecall")]
    NoSuchQueuecall,
    /// There is none of that id any more, or never was.
    #[error("there is no such conferencecall")]
    NoSuchConferencecall,
    /// There is none of that id.
    #[error("there is no such conference")]
    NoSuchConference,
    /// Nobody is in it.
    #[error("nobody is in the conference")]
    EmptyConference,
    /// There is none of that id.
    #[error("there is no such agent")]
    NoSuchAgent,
    /// An agent rings when it is called, and not when it is told to.
    #[error("the status cannot be set")]
    BadAgentStatus,
    /// The activeflow stands at no `block`.
    #[error("the activeflow is not blocked")]
    NotBlocked,
    /// The activeflow stands at another `block`.
    #[error("the activeflow stands at another action")]
    AtOtherAction,
}

/// Digits of one order.
const DIGITS: std::ops::RangeInclusive<usize> = 1..=100;
/// Length of each.
const TONE: std::ops::RangeInclusive<Duration> =
    Duration::from_millis(100)..=Duration::from_secs(1);
/// Silence between two, at most.
const GAP: Duration = Duration::from_secs(5);

impl Switch {
    pub(super) fn handle_control(&mut self, now: Instant, request: ControlId, control: Control) {
        let result = match control {
            Control::Call { call, verb } => self
                .reachable(call)
                .and_then(|()| self.control_call(now, call, verb)),
            Control::Activeflow { activeflow, verb } => self.control_flow(now, activeflow, verb),
            Control::KickQueuecall { queuecall } => {
                let is_taken = self.queues.kick(now, queuecall);
                is_taken.then_some(()).ok_or(ControlError::NoSuchQueuecall)
            }
            Control::KickConferencecall { conferencecall } => {
                let is_there = self.conferences.kick(conferencecall);
                is_there
                    .then_some(())
                    .ok_or(ControlError::NoSuchConferencecall)
            }
            Control::Conference { conference, verb } => {
                self.control_conference(now, conference, verb)
            }
            Control::Transfer {
                kind,
                transferer,
                transferees,
            } => self
                .reachable(transferer)
                .and_then(|()| self.transfer(now, kind, transferer, &transferees, None)),
            Control::SetAgent {
                status: AgentStatus::Ringing,
                ..
            } => Err(ControlError::BadAgentStatus),
            Control::SetAgent { agent, status } => {
                let is_known = self.set_agent(agent, status);
                is_known.then_some(()).ok_or(ControlError::NoSuchAgent)
            }
        };
        tracing::debug!(request = request.0, ?result, "asked from outside");
        self.outputs
            .push_back(Output::Controlled { request, result });
    }

    fn control_call(
        &mut self,
        now: Instant,
        id: CallId,
        verb: CallVerb,
    ) -> Result<(), ControlError> {
        match verb {
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
            CallVerb::StartRecording { options } => Ok(self.record(now, id, options)?),
            CallVerb::StopRecording => {
                let entry = self.calls.get(&id).ok_or(ControlError::NoSuchCall)?;
                entry.recording.ok_or(ControlError::NotRecording)?;
                self.act(now, id, |call, down| {
                    call.stop_recording(down);
                    Ok(())
                })
            }
            CallVerb::StartTranscribe { options } => Ok(self.transcribe(now, id, options)?),
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
                self.start_external(id, media)?;
                Ok(())
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
            CallVerb::Hangup => self.act(now, id, |call, down| {
                call.hangup(down, Cause::local(HangupReason::Normal, Why::Asked));
                Ok(())
            }),
        }
    }

    fn control_flow(
        &mut self,
        now: Instant,
        id: ActiveflowId,
        verb: FlowVerb,
    ) -> Result<(), ControlError> {
        let run = self.activeflows.get(&id);
        let flow = &run.ok_or(ControlError::NoSuchActiveflow)?.activeflow;
        let event = match verb {
            FlowVerb::Resume { current_action } => {
                if !flow.is_blocked() {
                    return Err(ControlError::NotBlocked);
                }
                let stands_at = flow.current_action().map(|action| &action.id);
                if current_action.is_some() && current_action.as_ref() != stands_at {
                    return Err(ControlError::AtOtherAction);
                }
                FlowEvent::Resume { current_action }
            }
            FlowVerb::Stop => FlowEvent::Stop,
        };
        self.with_flow(now, id, |flow| flow.handle_event(now, event));
        Ok(())
    }

    /// Whether verbs still reach the party of a call.
    fn reachable(&self, id: CallId) -> Result<(), ControlError> {
        match self.calls.get(&id) {
            Some(entry) if entry.call.is_alive() => Ok(()),
            Some(_) => Err(ControlError::CallIsOver),
            None if self.ended.iter().any(|(ended, _)| *ended == id) => {
                Err(ControlError::CallIsOver)
            }
            None => Err(ControlError::NoSuchCall),
        }
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
pub(super) const fn mute_of(direction: Direction) -> Mute {
    match direction {
        Direction::Both => Mute::Both,
        Direction::In => Mute::In,
        Direction::Out => Mute::Out,
    }
}

impl From<PlayRefused> for ControlError {
    fn from(refused: PlayRefused) -> Self {
        match refused {
            PlayRefused::CallIsOver => Self::CallIsOver,
            PlayRefused::TooMany => Self::TooManyPlaybacks,
        }
    }
}

impl From<SendRefused> for ControlError {
    fn from(refused: SendRefused) -> Self {
        match refused {
            SendRefused::CallIsOver => Self::CallIsOver,
            SendRefused::TooMany => Self::TooManyDigits,
        }
    }
}

impl From<RecordRefused> for ControlError {
    fn from(refused: RecordRefused) -> Self {
        match refused {
            RecordRefused::NotProgressing => Self::NotAnswered,
            RecordRefused::AlreadyRecording => Self::AlreadyRecording,
            RecordRefused::Format { format } => Self::RecordingFormat { format },
        }
    }
}

impl From<TranscribeRefused> for ControlError {
    fn from(refused: TranscribeRefused) -> Self {
        match refused {
            TranscribeRefused::NoProvider => Self::NoProvider,
            TranscribeRefused::AlreadyRunning => Self::AlreadyTranscribing,
            TranscribeRefused::TooMany => Self::TooManyTranscriptions,
        }
    }
}
