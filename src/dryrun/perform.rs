//! What the world does when the flow asks for it.

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::log::{End, EndedBy, Prompt};
use super::script::{Answer, Callee, HttpReply};
use super::world::{Due, Run};
use crate::flow::{
    Address, EndOfKey, FlowCommand, FlowCommandId, FlowEnd, FlowEvent, FlowOutcome, MachineResult,
    QueuePlace, Recording, RecordingOptions,
};
use crate::ids::{CallId, RecordingId};
use crate::status::HangupReason;

/// Speech of a calm voice: characters a second, blanks included.
const CHARACTERS_A_SECOND: u32 = 15;
/// The shortest sound.
const SHORTEST: Duration = Duration::from_millis(300);
/// A file or URL, whose length is not known here.
const SOUND: Duration = Duration::from_secs(3);
const BEEP: Duration = Duration::from_millis(400);

/// A recording under way.
pub(super) struct Running {
    pub(super) command: FlowCommandId,
    end_of_key: EndOfKey,
}

impl Running {
    pub(super) const fn ends_with(&self, digit: char) -> bool {
        match self.end_of_key {
            EndOfKey::None => false,
            EndOfKey::Any => true,
            EndOfKey::Star => digit == '*',
            EndOfKey::Hash => digit == '#',
        }
    }
}

impl Run<'_> {
    pub(super) fn perform(&mut self, command: FlowCommand) {
        match command {
            FlowCommand::Talk { command, text, .. } => self.play(command, vec![text]),
            FlowCommand::Play { command, urls } => self.play(command, urls),
            FlowCommand::Beep { command } => self.play(command, vec!["beep".to_owned()]),
            FlowCommand::Answer { command } => {
                self.become_answered();
                self.finish(command, FlowOutcome::Done);
            }
            FlowCommand::SendDigits {
                command,
                digits,
                tone,
                gap,
            } => {
                let count = u32::try_from(digits.len()).unwrap_or(u32::MAX);
                let at = self.since();
                self.log.digits_sent.push((at, digits));
                self.done_after(tone * count + gap * count.saturating_sub(1), command);
            }
            FlowCommand::Echo {
                command, duration, ..
            } => self.done_after(duration, command),
            FlowCommand::StartRecording { command, options } => self.record(command, options),
            FlowCommand::StopRecording { command } => {
                self.end_recording();
                self.finish(command, FlowOutcome::Done);
            }
            FlowCommand::Cancel { command } => {
                self.cancel(command);
                self.finish(command, FlowOutcome::Done);
            }
            FlowCommand::FetchFlow { command, flow_id } => {
                let flow = (self.flows)(&flow_id);
                self.tell(FlowEvent::Fetched { command, flow });
            }
            FlowCommand::Hangup { reason } => self.hang_up(EndedBy::Flow, reason),
            FlowCommand::HangupRelay { .. } => self.hang_up(EndedBy::Flow, HangupReason::Normal),
            FlowCommand::DetectMachine { command, .. } => self.detect(command),
            FlowCommand::Ended { why, on_complete } => {
                let on_complete = on_complete.map(|next| next.flow_id);
                self.ended(end_of(&why), on_complete);
            }
            other => self.reach_out(other),
        }
    }

    /// What goes beyond the call.
    fn reach_out(&mut self, command: FlowCommand) {
        let at = self.since();
        match command {
            FlowCommand::Fetch { command, url, .. } => self.fetch(command, &url),
            FlowCommand::Webhook {
                command,
                uri,
                method,
                body,
                ..
            } => {
                let text = format!("{method} {uri} {body}");
                self.log.webhooks.push((at, text));
                let status = self.reply_to(&uri).map_or(200, |reply| reply.status);
                let outcome = if status < 400 {
                    FlowOutcome::Done
                } else {
                    FlowOutcome::Failed {
                        why: "the test's server refuses it",
                    }
                };
                let after = self.reply_to(&uri).map_or(WEB, |reply| reply.after);
                self.later(after, Due::Done { command, outcome });
            }
            FlowCommand::Email { command, email } => {
                let text = format!(
                    "{}: {}: {}",
                    targets(&email.destinations),
                    email.subject,
                    email.content
                );
                self.log.emails.push((at, text));
                self.done_after(WEB, command);
            }
            FlowCommand::SendMessage {
                command,
                destinations,
                text,
                ..
            } => {
                let text = format!("{}: {text}", targets(&destinations));
                self.log.messages.push((at, text));
                self.done_after(WEB, command);
            }
            FlowCommand::SendConversation {
                command,
                conversation_id,
                text,
                ..
            } => {
                let text = format!("{conversation_id}: {text}");
                self.log.messages.push((at, text));
                self.done_after(WEB, command);
            }
            FlowCommand::StartTranscribe { command, options } => {
                let id = self.rng.uuid();
                self.tell(FlowEvent::TranscribeStarted {
                    id,
                    language: options.language,
                    direction: options.direction,
                });
                self.finish(command, FlowOutcome::Done);
            }
            FlowCommand::AiTalk { command, talk } | FlowCommand::AiTask { command, talk } => {
                let id = self.rng.uuid();
                self.tell(FlowEvent::AiTalkStarted {
                    id,
                    assistant: talk.assistant,
                    model: "none".to_owned(),
                    language: talk.language,
                });
                let talks = self.test.world.assistant.unwrap_or(Callee::TALKS);
                let limit = talk.duration.unwrap_or(Duration::MAX);
                self.done_after(talks.min(limit), command);
            }
            FlowCommand::Mute { command, .. }
            | FlowCommand::StopTranscribe { command }
            | FlowCommand::TranscribeRecordings { command, .. }
            | FlowCommand::Summarize { command, .. }
            | FlowCommand::StartExternalMedia { command, .. }
            | FlowCommand::StopExternalMedia { command } => {
                self.finish(command, FlowOutcome::Done);
            }
            other => self.join(other),
        }
    }

    /// What brings others in.
    fn join(&mut self, command: FlowCommand) {
        match command {
            FlowCommand::Connect { command, dial } => self.connect(command, &dial.destinations),
            FlowCommand::Call { command, calls } => {
                self.log_calls(&calls.destinations);
                self.finish(command, FlowOutcome::Done);
            }
            FlowCommand::JoinConference {
                command,
                conference_id,
            } => self.tell(FlowEvent::ConferenceFound {
                command,
                confbridge_id: conference_id,
                pre_flow_id: None,
            }),
            FlowCommand::JoinConfbridge { command, .. } => {
                let talks = self
                    .test
                    .world
                    .agent
                    .map_or(Callee::TALKS, |agent| agent.talks);
                self.done_after(talks, command);
            }
            FlowCommand::JoinQueue { command, queue_id } => self.queue(command, &queue_id),
            // Every other command has been carried out above.
            _ => {}
        }
    }

    pub(super) fn end_recording(&mut self) {
        if let Some(running) = self.recording.take() {
            self.tell(FlowEvent::RecordingEnded);
            self.finish(running.command, FlowOutcome::Done);
        }
    }

    fn since(&self) -> Duration {
        self.now - self.start
    }

    /// Plays when all that plays or waits has been heard, as a call does.
    fn play(&mut self, command: FlowCommandId, texts: Vec<String>) {
        let mut at = self.silent_at() - self.start;
        for text in texts {
            let length = self.length_of(&text);
            self.log.prompts.push(Prompt {
                command,
                at,
                ended: None,
                text,
            });
            at += length;
        }
        self.done_after(at - self.since(), command);
    }

    /// When the last of what plays or waits will have been heard.
    fn silent_at(&self) -> Instant {
        let is_prompt = |command: FlowCommandId| {
            let mut prompts = self.log.prompts.iter().rev();
            prompts.any(|prompt| prompt.command == command)
        };
        let ends = self.due.iter().filter_map(|((at, _), due)| match due {
            Due::Done { command, .. } if is_prompt(*command) => Some(*at),
            _ => None,
        });
        ends.max().unwrap_or(self.now)
    }

    fn length_of(&self, text: &str) -> Duration {
        let stated = self
            .test
            .lengths
            .iter()
            .find(|(part, _)| text.contains(part.as_str()));
        if let Some((_, length)) = stated {
            return *length;
        }
        if text == "beep" {
            return BEEP;
        }
        let is_sound = !text.contains(char::is_whitespace)
            && (text.contains("://")
                || [".wav", ".mp3", ".ogg", ".opus", ".flac"]
                    .iter()
                    .any(|end| text.ends_with(end)));
        if is_sound {
            return SOUND;
        }
        let spoken = u32::try_from(spoken_characters(text)).unwrap_or(u32::MAX);
        (Duration::from_secs(1) * spoken / CHARACTERS_A_SECOND).max(SHORTEST)
    }

    fn record(&mut self, command: FlowCommandId, options: RecordingOptions) {
        self.log.recordings += 1;
        self.recording = Some(Running {
            command,
            end_of_key: options.end_of_key,
        });
        // Nobody speaks here but in prompts, so silence begins at once.
        let limits = [options.duration, options.end_of_silence];
        if let Some(limit) = limits.into_iter().flatten().min() {
            self.later(limit, Due::RecordingOver(command));
        }
        let name = format!("recording-{}", self.log.recordings);
        let recording = Recording {
            id: RecordingId(self.rng.uuid()),
            filenames: options.layout.filenames(&name, options.format),
            name,
            format: options.format,
        };
        self.tell(FlowEvent::RecordingStarted { recording });
    }

    fn detect(&mut self, command: FlowCommandId) {
        let usual = (MachineResult::Person, Duration::from_secs(3));
        let (result, after) = self.test.world.machine.unwrap_or(usual);
        self.later(
            after,
            Due::News(FlowEvent::MachineDetected { command, result }),
        );
    }

    fn fetch(&mut self, command: FlowCommandId, url: &str) {
        let (body, after) = match self.reply_to(url) {
            Some(reply) if reply.status == 200 => {
                (Ok(Bytes::from(reply.body.clone())), reply.after)
            }
            Some(reply) => (Err("the test's server refuses it"), reply.after),
            None => (Err("the test has no \"http\" reply for this URL"), WEB),
        };
        let event = FlowEvent::FetchedActions { command, body };
        self.later(after, Due::News(event));
    }

    fn reply_to(&self, url: &str) -> Option<&HttpReply> {
        let replies = &self.test.world.http;
        replies.iter().find(|reply| url.contains(&reply.url))
    }

    fn connect(&mut self, command: FlowCommandId, destinations: &[Address]) {
        self.log_calls(destinations);
        let is_one_call = |address: &&Address| matches!(address.kind.as_str(), "tel" | "sip");
        let count = destinations.iter().filter(is_one_call).count();
        let calls = (0..count).map(|_| CallId(self.rng.uuid())).collect();
        self.tell(FlowEvent::Dialed { command, calls });
        let callees = &self.test.world.callees;
        let callee = callees.get(self.callees_asked).or(callees.last());
        let callee = callee.copied().unwrap_or(Callee {
            answer: Answer::Never,
            after: Duration::from_secs(60),
            talks: Duration::ZERO,
        });
        self.callees_asked += 1;
        if callee.answer == Answer::Answers {
            self.later(callee.after, Due::Answered);
            self.done_after(callee.after + callee.talks, command);
        } else {
            self.done_after(callee.after, command);
        }
    }

    fn queue(&mut self, command: FlowCommandId, queue_id: &str) {
        let place = QueuePlace {
            id: self.rng.uuid(),
            name: queue_id.to_owned(),
            confbridge_id: queue_id.to_owned(),
            ..QueuePlace::default()
        };
        self.tell(FlowEvent::Queued { command, place });
        match self.test.world.agent {
            Some(agent) if agent.answer == Answer::Answers => {
                self.later(agent.after, Due::Answered);
                self.later(agent.after, Due::News(FlowEvent::QueueServed { command }));
                self.done_after(agent.after + agent.talks, command);
            }
            Some(agent) => self.done_after(agent.after, command),
            None => self.done_after(Duration::from_secs(60), command),
        }
    }

    fn log_calls(&mut self, destinations: &[Address]) {
        let at = self.since();
        let calls = destinations.iter().map(|to| (at, to.target.clone()));
        self.log.calls.extend(calls);
    }
}

/// How long a web or mail server takes.
const WEB: Duration = Duration::from_millis(100);

/// Characters outside of SSML tags.
fn spoken_characters(text: &str) -> usize {
    let mut is_inside = false;
    let is_ssml = text.trim_start().starts_with("<speak");
    text.chars()
        .filter(|character| {
            match character {
                '<' if is_ssml => is_inside = true,
                '>' if is_inside => {
                    is_inside = false;
                    return false;
                }
                _ => {}
            }
            !is_inside
        })
        .count()
}

fn targets(addresses: &[Address]) -> String {
    let targets: Vec<&str> = addresses.iter().map(|to| to.target.as_str()).collect();
    targets.join(", ")
}

fn end_of(why: &FlowEnd) -> End {
    let (word, failure) = match why {
        FlowEnd::Finished => ("finished", None),
        FlowEnd::Stopped => ("stopped", None),
        FlowEnd::CallEnded => ("call_ended", None),
        FlowEnd::Failed { why } => ("failed", Some(why.to_string())),
    };
    End { word, failure }
}
