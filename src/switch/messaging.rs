//! Short messages: sent for a flow, received and given to one, and answered by an assistant.

use std::time::Instant;

use uuid::Uuid;

use super::Switch;
use super::ask::Asker;
use super::control::ControlError;
use super::outside::{ChatMessage, ChatRole, OutsideRequest};
use super::report::{Change, Report};
use super::texts::{Sender, Text, UNDER_WAY};
use crate::flow::{Address, Anonymous, FlowCommandId, FlowOutcome, Reference, ReferenceType};
use crate::ids::{ActiveflowId, CallId};
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
        if let Err(refused) = self.may_send(&destinations, &text) {
            tracing::warn!(activeflow = %id, "message not sent: {refused}");
            let why = match refused {
                ControlError::MessageTooLong { .. } => "the message is too long",
                ControlError::BadDestinations { count: 0, .. } => "there is nobody to send it to",
                ControlError::BadDestinations { .. } => "it has too many destinations",
                _ => "too many messages are on their way",
            };
            return self.finish_flow_command(now, id, command, FlowOutcome::Failed { why });
        }
        let sender = Sender::Flow(id, command);
        self.send_as(now, sender, self.call_of(id), (source, destinations), text);
    }

    /// Sends a message for somebody outside, and names it.
    pub(super) fn send_for_control(
        &mut self,
        now: Instant,
        ends: (Address, Vec<Address>),
        text: String,
    ) -> Result<Uuid, ControlError> {
        if self.stopping.is_some() {
            return Err(ControlError::Stopping);
        }
        self.may_send(&ends.1, &text)?;
        Ok(self.send_as(now, Sender::Nobody, None, ends, text))
    }

    fn may_send(&self, destinations: &[Address], text: &str) -> Result<(), ControlError> {
        let (length, count) = (text.len(), destinations.len());
        if length > LONGEST_TEXT {
            let most = LONGEST_TEXT;
            return Err(ControlError::MessageTooLong { length, most });
        }
        if !(1..=MOST_TARGETS).contains(&count) {
            let most = MOST_TARGETS;
            return Err(ControlError::BadDestinations { count, most });
        }
        if self.texts.len() >= UNDER_WAY {
            return Err(ControlError::TooManyMessages { limit: UNDER_WAY });
        }
        Ok(())
    }

    fn send_as(
        &mut self,
        now: Instant,
        sender: Sender,
        call: Option<CallId>,
        (source, destinations): (Address, Vec<Address>),
        text: String,
    ) -> Uuid {
        // Who wants to stay unknown does so here too, unless the flow sends in another name.
        let wish = match source.target.is_empty() {
            true => Anonymous::Auto,
            false => Anonymous::No,
        };
        let caller = self.caller(call, &source, wish);
        let message = self.keep_outbound(now, source, destinations, text);
        let targets = message.targets.len();
        let text = Text::new(now, sender, caller, &message.text, targets);
        self.send_text(now, &message, text);
        message.id
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
            [peer] => Some(self.conversation_of(now, &source, peer)),
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
        self.tell_message(Change::Created, message.clone());
        message
    }

    /// The conversation of these two, in which something is being said.
    fn conversation_of(&mut self, now: Instant, own: &Address, peer: &Address) -> Uuid {
        let made = self.rng.uuid();
        let at = self.epoch.since_1970(now);
        let conversation = Box::new(self.messages.converse(made, own, peer, at).clone());
        let id = conversation.id;
        let news = match id == made {
            true => Change::Created,
            false => Change::Updated,
        };
        self.report(Report::Conversation { news, conversation });
        id
    }

    pub(super) fn tell_message(&mut self, news: Change, message: Message) {
        let message = Box::new(message);
        self.report(Report::Message { news, message });
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
        let conversation = self.conversation_of(now, &destination, &source);
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
        self.tell_message(Change::Created, message);
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
