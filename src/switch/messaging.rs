//! Short messages: sent for a flow, received and given to one, and answered by an assistant.

use std::time::Instant;

use uuid::Uuid;

use super::Switch;
use super::ask::Asker;
use super::io::{Output, Report};
use super::outside::{ChatMessage, ChatRole, OutsideRequest};
use super::texts::{Sender, Text, UNDER_WAY};
use crate::flow::{Address, Anonymous, FlowCommandId, FlowOutcome, Reference, ReferenceType};
use crate::ids::ActiveflowId;
use crate::store::messages::{Message, MessageDirection, MessageStatus, Target};

/// Octets of a message: ten times what a short message may be joined of.
pub(super) const LONGEST_TEXT: usize = 16 << 10;
/// Destinations of one message.
const MOST_TARGETS: usize = 100;
/// Messages of a conversation that an assistant is shown.
const REMEMBERED: usize = 20;

impl Switch {
    /// Sends a message for a flow.
    pub(super) fn send_message(
        &mut self,
        now: Instant,
        id: ActiveflowId,
        command: FlowCommandId,
        (source, destinations): (Address, Vec<Address>),
        text: String,
    ) {
        if text.len() > LONGEST_TEXT {
            let why = "the message is too long";
            tracing::warn!(activeflow = %id, length = text.len(), "{why}");
            return self.finish_flow_command(now, id, command, FlowOutcome::Failed { why });
        }
        let why = match destinations.len() {
            0 => Some("there is nobody to send it to"),
            1..=MOST_TARGETS if self.texts.len() < UNDER_WAY => None,
            1..=MOST_TARGETS => Some("too many messages are on their way"),
            _ => Some("it has too many destinations"),
        };
        if let Some(why) = why {
            tracing::warn!(activeflow = %id, destinations = destinations.len(), "message not sent: {why}");
            return self.finish_flow_command(now, id, command, FlowOutcome::Failed { why });
        }
        // Who wants to stay unknown does so here too, unless the flow sends in another name.
        let wish = match source.target.is_empty() {
            true => Anonymous::Auto,
            false => Anonymous::No,
        };
        let caller = self.caller(self.call_of(id), &source, wish);
        let message = self.keep_outbound(now, source, destinations, text);
        let sender = Sender::Flow(id, command);
        let targets = message.targets.len();
        let text = Text::new(now, sender, caller, &message.text, targets);
        self.send_text(now, &message, text);
    }

    /// Writes down a message that is about to leave, and tells of it.
    pub(super) fn keep_outbound(
        &mut self,
        now: Instant,
        source: Address,
        destinations: Vec<Address>,
        text: String,
    ) -> Message {
        let conversation = match &destinations[..] {
            [peer] => {
                let made = self.rng.uuid();
                Some(self.messages.converse(made, &source, peer))
            }
            _ => None,
        };
        let updated = self.epoch.since_1970(now);
        let target = |destination| Target {
            destination,
            status: MessageStatus::Queued,
            updated,
        };
        let message = Message {
            id: self.rng.uuid(),
            conversation,
            direction: MessageDirection::Outbound,
            source,
            targets: destinations.into_iter().map(target).collect(),
            text,
            created: updated,
        };
        self.messages.insert(message.clone());
        self.report(Report::Message(message.clone()));
        message
    }

    /// Says something in a conversation that there is.
    pub(super) fn send_conversation(
        &mut self,
        now: Instant,
        id: ActiveflowId,
        command: FlowCommandId,
        conversation_id: &str,
        text: String,
    ) {
        match Uuid::try_parse(conversation_id) {
            Ok(conversation) => self.converse(now, id, command, conversation, text),
            Err(_) => self.no_conversation(now, id, command),
        }
    }

    pub(super) fn converse(
        &mut self,
        now: Instant,
        id: ActiveflowId,
        command: FlowCommandId,
        conversation: Uuid,
        text: String,
    ) {
        match self.messages.conversation(conversation).cloned() {
            Some(known) => {
                let ends = (known.own, vec![known.peer]);
                self.send_message(now, id, command, ends, text);
            }
            None => self.no_conversation(now, id, command),
        }
    }

    fn no_conversation(&mut self, now: Instant, id: ActiveflowId, command: FlowCommandId) {
        let why = "there is no such conversation";
        tracing::warn!(activeflow = %id, "{why}");
        self.finish_flow_command(now, id, command, FlowOutcome::Failed { why });
    }

    /// A message came in: it is kept, and starts the flow that answers messages there.
    pub(super) fn handle_message(
        &mut self,
        now: Instant,
        source: Address,
        destination: Address,
        mut text: String,
        flow: Option<&str>,
    ) {
        text.truncate(text.floor_char_boundary(LONGEST_TEXT));
        let made = self.rng.uuid();
        let conversation = self.messages.converse(made, &destination, &source);
        let updated = self.epoch.since_1970(now);
        let message = Message {
            id: self.rng.uuid(),
            conversation: Some(conversation),
            direction: MessageDirection::Inbound,
            source,
            targets: vec![Target {
                destination: destination.clone(),
                status: MessageStatus::Received,
                updated,
            }],
            text,
            created: updated,
        };
        let variables = variables(&message, conversation, &destination);
        self.messages.insert(message.clone());
        self.report(Report::Message(message));
        let Some(flow) = flow else {
            return;
        };
        let reference = Reference {
            kind: ReferenceType::Conversation,
            id: conversation,
        };
        self.start_without_call(now, flow, reference, variables, 0);
    }

    /// Lets an assistant write the next message of the conversation of a flow.
    pub(super) fn assist(&mut self, now: Instant, id: ActiveflowId, command: FlowCommandId) {
        let reference = self
            .activeflows
            .get(&id)
            .map(|run| run.activeflow.reference())
            .filter(|reference| reference.kind == ReferenceType::Conversation);
        let Some(conversation) = reference.map(|reference| reference.id) else {
            let why = "there is nobody to talk with";
            return self.finish_flow_command(now, id, command, FlowOutcome::Failed { why });
        };
        let mut messages: Vec<ChatMessage> = self
            .messages
            .of_conversation(conversation)
            .take(REMEMBERED)
            .map(|message| ChatMessage {
                role: match message.direction {
                    MessageDirection::Inbound => ChatRole::User,
                    MessageDirection::Outbound => ChatRole::Assistant,
                },
                content: message.text.clone(),
            })
            .collect();
        messages.push(self.config.assistant.instruction());
        messages.reverse();
        let asker = Asker::Written {
            conversation,
            activeflow: id,
            command,
        };
        self.ask(asker, OutsideRequest::Chat { messages });
    }

    pub(super) fn report(&mut self, report: Report) {
        self.outputs.push_back(Output::Report(report));
    }
}

/// What a flow knows of the message that started it.
fn variables(message: &Message, conversation: Uuid, own: &Address) -> Vec<(String, String)> {
    let peer = &message.source;
    let mut pairs: Vec<(String, String)> = [
        ("voipbin.conversation.id", conversation.to_string()),
        ("voipbin.conversation_message.id", message.id.to_string()),
        ("voipbin.conversation_message.text", message.text.clone()),
        (
            "voipbin.conversation_message.direction",
            message.direction.as_str().to_owned(),
        ),
        ("voipbin.message.text", message.text.clone()),
        ("voipbin.message.source.number", peer.target.clone()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    for (end, address) in [("self", own), ("peer", peer)] {
        for (field, value) in [
            ("type", &address.kind),
            ("target", &address.target),
            ("target_name", &address.target_name),
            ("name", &address.name),
            ("detail", &address.detail),
        ] {
            let name = format!("voipbin.conversation.{end}.{field}");
            pairs.push((name, value.clone()));
        }
    }
    pairs
}
