//! Short messages: sent for a flow, received and given to one, and answered by an assistant.

use std::time::Instant;

use uuid::Uuid;

use super::Switch;
use super::ask::Asker;
use super::io::{Output, Report};
use super::outside::{ChatMessage, ChatRole, OutsideAnswer, OutsideRequest, TextMessage};
use crate::flow::{Address, FlowCommandId, FlowOutcome, Reference, ReferenceType};
use crate::ids::ActiveflowId;
use crate::store::messages::{Message, MessageDirection, MessageStatus};

/// Octets of a message: ten times what a short message may be joined of.
const LONGEST_TEXT: usize = 16 << 10;
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
        let conversation = match &destinations[..] {
            [peer] => {
                let made = self.rng.uuid();
                Some(self.messages.converse(made, &source, peer))
            }
            _ => None,
        };
        let message = Message {
            id: self.rng.uuid(),
            conversation,
            direction: MessageDirection::Outbound,
            source: source.clone(),
            destinations: destinations.clone(),
            text: text.clone(),
            status: MessageStatus::Queued,
            created: self.epoch.since_1970(now),
        };
        let request = TextMessage {
            id: message.id,
            source,
            destinations,
            text,
        };
        let asker = Asker::Message(message.id, id, command);
        self.messages.insert(message.clone());
        self.report(Report::Message(message));
        self.ask(asker, OutsideRequest::Message(request));
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

    pub(super) fn message_ended(&mut self, id: Uuid, answer: &OutsideAnswer) {
        let status = match answer {
            OutsideAnswer::Failed(_) => MessageStatus::Failed,
            _ => MessageStatus::Sent,
        };
        if let Some(message) = self.messages.update(id, status).cloned() {
            self.report(Report::Message(message));
        }
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
        let message = Message {
            id: self.rng.uuid(),
            conversation: Some(conversation),
            direction: MessageDirection::Inbound,
            source,
            destinations: vec![destination.clone()],
            text,
            status: MessageStatus::Received,
            created: self.epoch.since_1970(now),
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
