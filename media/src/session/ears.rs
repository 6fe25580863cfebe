//! Orders that listen without recording: who has answered, and what is said, utterance by utterance.

use super::Session;
use crate::amd::{AmdConfig, Detector, Verdict};
use crate::command::{
    CommandId, Event, ListenConfig, MediaError, Outcome, SessionId, Side, Utterance,
};
use crate::dsp::utterance::{self, UtteranceCutter};
use crate::frame::Frame;
use crate::outbox::Outbox;

/// Listeners of one session at once: a transcription and a talk, and as many that have not ended yet.
const MAX_LISTENERS: usize = 4;

/// Everything of a session that listens.
#[derive(Debug, Default)]
pub(super) struct Ears {
    detecting: Option<Box<Detecting>>,
    listeners: Vec<Listening>,
}

#[derive(Debug)]
struct Detecting {
    command: CommandId,
    detector: Detector,
}

#[derive(Debug)]
struct Listening {
    command: CommandId,
    peer: Option<UtteranceCutter>,
    us: Option<UtteranceCutter>,
}

impl Ears {
    /// Whether somebody listens to the peer or to us.
    pub(super) fn are_open(&self) -> bool {
        self.detecting.is_some() || !self.listeners.is_empty()
    }

    /// Whether somebody listens to what we send.
    pub(super) fn hear_us(&self) -> bool {
        self.listeners
            .iter()
            .any(|listening| listening.us.is_some())
    }

    /// Lets time pass in which nobody could listen.
    pub(super) fn skip(&mut self, frames: u64) {
        for listening in &mut self.listeners {
            let cutters = [&mut listening.peer, &mut listening.us];
            cutters
                .into_iter()
                .flatten()
                .for_each(|cutter| cutter.skip(frames));
        }
    }
}

impl Session {
    /// Finds out who has answered, in place of a detection that runs now.
    pub(crate) fn detect_machine(
        &mut self,
        command: CommandId,
        config: &AmdConfig,
        out: &mut Outbox,
    ) {
        let detecting = Detecting {
            command,
            detector: Detector::new(config),
        };
        if let Some(old) = self.ears.detecting.replace(Box::new(detecting)) {
            out.finished(old.command, Outcome::Canceled);
        }
        self.listen_if_needed();
    }

    /// Hands over what is said, utterance by utterance, beside those who listen already.
    pub(crate) fn listen(&mut self, command: CommandId, config: &ListenConfig, out: &mut Outbox) {
        if self.ears.listeners.len() >= MAX_LISTENERS {
            let why = MediaError::TooManyListeners;
            return out.finished(command, Outcome::Failed { why });
        }
        let cutter = |is_wanted: bool| is_wanted.then(|| UtteranceCutter::new(&config.limits));
        self.ears.listeners.push(Listening {
            command,
            peer: cutter(config.sides.has_peer()),
            us: cutter(config.sides.has_us()),
        });
        self.listen_if_needed();
    }

    /// Lets everybody who listens have 20 ms of both sides.
    pub(super) fn hear(&mut self, heard: &Frame, said: &Frame, out: &mut Outbox) {
        let Ears {
            detecting,
            listeners,
        } = &mut self.ears;
        if let Some(mut running) = detecting.take() {
            match running.detector.push(&heard.0) {
                Some(Verdict { result, cause }) => {
                    out.finished(running.command, Outcome::Detected { result, cause });
                }
                None => *detecting = Some(running),
            }
        }
        for listening in listeners {
            let command = listening.command;
            let sides = [
                (Side::Peer, &mut listening.peer, heard),
                (Side::Us, &mut listening.us, said),
            ];
            for (side, cutter, frame) in sides {
                if let Some(utterance) = cutter.as_mut().and_then(|cutter| cutter.push(frame)) {
                    out.event(told(self.id, command, side, utterance));
                }
            }
        }
    }

    /// Ends the detection or the listening that `command` began.
    pub(super) fn cancel_listening(&mut self, command: CommandId, out: &mut Outbox) {
        self.end_listening(|known| known == command, out);
    }

    /// Ends all that listens: the session closes.
    pub(super) fn close_ears(&mut self, out: &mut Outbox) {
        self.end_listening(|_| true, out);
    }

    /// Ends what is chosen, each after what it has heard of an utterance that is not over.
    fn end_listening(&mut self, is_chosen: impl Fn(CommandId) -> bool, out: &mut Outbox) {
        let session = self.id;
        let detecting = self
            .ears
            .detecting
            .take_if(|detecting| is_chosen(detecting.command));
        if let Some(detecting) = detecting {
            out.finished(detecting.command, Outcome::Canceled);
        }
        self.ears.listeners.retain_mut(|listening| {
            let command = listening.command;
            if !is_chosen(command) {
                return true;
            }
            let sides = [
                (Side::Peer, &mut listening.peer),
                (Side::Us, &mut listening.us),
            ];
            for (side, cutter) in sides {
                if let Some(utterance) = cutter.as_mut().and_then(UtteranceCutter::finish) {
                    out.event(told(session, command, side, utterance));
                }
            }
            out.finished(command, Outcome::Canceled);
            false
        });
    }
}

fn told(
    session: SessionId,
    command: CommandId,
    side: Side,
    utterance: utterance::Utterance<'_>,
) -> Event {
    Event::Utterance(Utterance {
        session,
        command,
        side,
        start: utterance.start,
        samples: utterance.samples.into(),
    })
}
