//! Talks of callers with assistants: their steps become verbs of the call and orders to the world.

use std::time::Instant;

use flowswitch_media::command::{CommandId, ListenConfig, Sides};
use uuid::Uuid;

use super::ask::Asker;
use super::io::Source;
use super::outside::{OutsideRequest, Sound};
use super::talk::{Talk, TalkStep};
use super::{Deadline, Purpose, Switch};
use crate::flow::{AiTalk, FlowCommandId, FlowEvent, FlowOutcome};
use crate::ids::ActiveflowId;

/// A talk with its orders to the engine.
#[derive(Debug)]
pub(super) struct Talking {
    talk: Talk,
    listening: CommandId,
    speaking: Option<CommandId>,
}

impl Talking {
    /// Whether this command of the flow is the talk.
    pub(super) fn is_for(&self, command: FlowCommandId) -> bool {
        self.talk.command == command
    }

    /// Its orders.
    pub(super) fn orders(&self) -> impl Iterator<Item = CommandId> {
        [Some(self.listening), self.speaking].into_iter().flatten()
    }
}

impl Switch {
    /// Begins a talk; without a call, the assistant writes in the conversation.
    pub(super) fn start_talk(
        &mut self,
        now: Instant,
        id: ActiveflowId,
        command: FlowCommandId,
        asked: &AiTalk,
    ) {
        let Some(call) = self.call_of(id) else {
            return self.assist(now, id, command);
        };
        let why = match self.config.providers {
            providers if !providers.transcription => Some("not configured: [transcription]"),
            providers if !providers.chat => Some("not configured: [chat]"),
            _ => None,
        };
        if let Some(why) = why {
            tracing::warn!(activeflow = %id, "{why}");
            return self.finish_flow_command(now, id, command, FlowOutcome::Failed { why });
        }
        let name = self.rng.uuid();
        let listening = self.new_order(call, Purpose::Talking(id));
        let prompt = &self.config.assistant.prompt;
        let talk = Talk::new(now, name, command, asked, prompt);
        let Some(run) = self.activeflows.get_mut(&id) else {
            return;
        };
        run.talking = Some(Talking {
            talk,
            listening,
            speaking: None,
        });
        let config = ListenConfig {
            sides: Sides::Peer,
            ..ListenConfig::default()
        };
        self.with_call(now, call, |call, down| call.listen(down, listening, config));
        let event = FlowEvent::AiTalkStarted {
            id: name,
            assistant: asked.assistant.clone(),
            model: self.config.assistant.model.clone(),
            language: asked.language.clone(),
        };
        tracing::info!(%call, talk = %name, "a talk with an assistant begins");
        self.with_flow(now, id, |flow| flow.handle_event(now, event));
        self.with_current_talk(now, id, |_| {});
    }

    /// Lets the talk of that name act, if it still is.
    pub(super) fn with_talk(
        &mut self,
        now: Instant,
        id: ActiveflowId,
        name: Uuid,
        act: impl FnOnce(&mut Talk),
    ) {
        let run = self.activeflows.get(&id);
        let talking = run.and_then(|run| run.talking.as_ref());
        if talking.is_some_and(|talking| talking.talk.id == name) {
            self.with_current_talk(now, id, act);
        }
    }

    /// Lets the talk of an activeflow act, and does what it wants done.
    pub(super) fn with_current_talk(
        &mut self,
        now: Instant,
        id: ActiveflowId,
        act: impl FnOnce(&mut Talk),
    ) {
        let Some(talking) = self.talking(id) else {
            return;
        };
        act(&mut talking.talk);
        let at = talking.talk.poll_timeout();
        self.deadlines.set(Deadline::Talk(id), Some(at));
        while let Some(step) = self
            .talking(id)
            .and_then(|talking| talking.talk.poll_step())
        {
            self.talk_step(now, id, step);
        }
    }

    /// One of the orders of a talk came to its end.
    pub(super) fn talk_order_ended(&mut self, now: Instant, id: ActiveflowId, order: CommandId) {
        let Some(talking) = self.talking(id) else {
            return;
        };
        if talking
            .speaking
            .take_if(|speaking| *speaking == order)
            .is_some()
        {
            self.with_current_talk(now, id, Talk::handle_spoken);
        } else if talking.listening == order {
            // The call is over, or the engine cannot listen: there is nothing to talk about.
            self.end_talk(now, id, FlowOutcome::Done);
        }
    }

    /// Ends the talk of an activeflow, if there is one.
    pub(super) fn end_talk(&mut self, now: Instant, id: ActiveflowId, outcome: FlowOutcome) {
        let call = self.call_of(id);
        let Some(talking) = self
            .activeflows
            .get_mut(&id)
            .and_then(|run| run.talking.take())
        else {
            return;
        };
        self.deadlines.set(Deadline::Talk(id), None);
        for order in talking.orders() {
            if let Some(call) = call.filter(|_| self.orders.contains_key(&order)) {
                self.with_call(now, call, |call, down| call.cancel(down, order));
            }
        }
        self.finish_flow_command(now, id, talking.talk.command, outcome);
    }

    fn talking(&mut self, id: ActiveflowId) -> Option<&mut Talking> {
        self.activeflows.get_mut(&id)?.talking.as_mut()
    }

    fn talk_step(&mut self, now: Instant, id: ActiveflowId, step: TalkStep) {
        let (Some(call), Some(talking)) = (self.call_of(id), self.talking(id)) else {
            return;
        };
        let Talk {
            id: name, gender, ..
        } = talking.talk;
        let language = talking.talk.language.clone();
        match step {
            TalkStep::Hear(samples) => {
                let sound = Sound::Samples(samples);
                let request = OutsideRequest::Transcribe { sound, language };
                self.ask(Asker::Heard(id, name), request);
            }
            TalkStep::Think { turn, messages } => {
                let request = OutsideRequest::Chat { messages };
                self.ask(Asker::Reply(id, name, turn), request);
            }
            TalkStep::Speak(text) => {
                let order = self.new_order(call, Purpose::Talking(id));
                if let Some(talking) = self.talking(id) {
                    talking.speaking = Some(order);
                }
                let source = Source::Text {
                    text,
                    language,
                    gender,
                };
                let _ = self.begin_play(now, call, order, vec![source], false);
            }
            TalkStep::Hush => {
                if let Some(order) = talking.speaking.take() {
                    talking.talk.handle_spoken();
                    self.with_call(now, call, |call, down| call.cancel(down, order));
                }
            }
            TalkStep::End(outcome) => self.end_talk(now, id, outcome),
        }
    }
}
