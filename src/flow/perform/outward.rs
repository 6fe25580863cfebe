//! What the actions do that reach the web, mail, messages and assistants.

use std::cell::Cell;

use tracing::warn;

use super::{Fault, Step, Wait};
use crate::flow::action::{
    AddressTemplate, AiSummaryStart, AiTalkStart, AiTaskStart, ConversationSend, EmailSend, Fetch,
    MessageSend, Transcribe, WebhookSend, flow_id,
};
use crate::flow::activeflow::Activeflow;
use crate::flow::command::FlowCommand;
use crate::flow::insert::Grammar;
use crate::flow::outward::{AiSummary, AiTalk, Email, TranscribeOptions};
use crate::flow::reference::Address;
use crate::flow::template::{ResolveError, Template};
use crate::flow::variable::{MAX_SUBSTITUTED, VariableError, Variables};
use crate::ids::RecordingId;

impl Activeflow {
    pub(super) fn fetch(&mut self, fetch: &Fetch) -> Result<Step, Fault> {
        let filler = Filler::new(self.scope());
        let url = filler.fill(Grammar::Uri, &fetch.url)?;
        let method = fetch.method.resolve(filler.scope)?.or("GET");
        let (activeflow, reference) = (self.id(), self.reference.id);
        let body = format!(r#"{{"activeflow_id":"{activeflow}","reference_id":"{reference}"}}"#);
        let command = self.order(|command| FlowCommand::Fetch {
            command,
            url,
            method,
            body,
        });
        Ok(Step::Wait(Wait::Fetch { command }))
    }

    pub(super) fn webhook_send(&mut self, send: &WebhookSend) -> Result<Step, Fault> {
        let filler = Filler::new(self.scope());
        let content_type = filler.fill(Grammar::Line, &send.data_type)?;
        let uri = filler.fill(Grammar::Uri, &send.uri)?;
        let method = send.method.resolve(filler.scope)?.or("POST");
        let body = filler.fill(Grammar::of(&content_type, send.data.as_str()), &send.data)?;
        let wait = send.is_sync.resolve(filler.scope)?;
        let command = self.order(|command| FlowCommand::Webhook {
            command,
            wait,
            uri,
            method,
            content_type,
            body,
        });
        Ok(wait_if(
            wait,
            Wait::Command {
                command,
                stop_on_digit: false,
            },
        ))
    }

    pub(super) fn email_send(&mut self, send: &EmailSend) -> Result<Step, Fault> {
        let filler = Filler::new(self.scope());
        let mut email = Email {
            destinations: filler.addresses(&send.destinations)?,
            subject: filler.fill(Grammar::Line, &send.subject)?,
            content: filler.fill(Grammar::Text, &send.content)?,
            attachments: Vec::new(),
        };
        email.destinations.retain(|address| address.kind == "email");
        for attachment in &send.attachments {
            let kind = filler.fill(Grammar::Line, &attachment.reference_type)?;
            let id = filler.fill(Grammar::Line, &attachment.reference_id)?;
            match uuid::Uuid::try_parse(&id) {
                Ok(id) if kind == "recording" => email.attachments.push(RecordingId(id)),
                _ => warn!(activeflow = %self.id(), kind, id, "nothing to attach"),
            }
        }
        if email.destinations.is_empty() {
            return Err(Fault::NotDone("there is no address to send to"));
        }
        self.order(|command| FlowCommand::Email { command, email });
        Ok(Step::Next)
    }

    pub(super) fn message_send(&mut self, send: &MessageSend) -> Result<Step, Fault> {
        let filler = Filler::new(self.scope());
        let source = filler.address(&send.source)?;
        let destinations = filler.addresses(&send.destinations)?;
        let text = filler.fill(Grammar::Text, &send.text)?;
        if destinations.is_empty() {
            return Err(Fault::NotDone("there is nobody to send to"));
        }
        self.order(|command| FlowCommand::SendMessage {
            command,
            source,
            destinations,
            text,
        });
        Ok(Step::Next)
    }

    pub(super) fn conversation_send(&mut self, send: &ConversationSend) -> Result<Step, Fault> {
        let filler = Filler::new(self.scope());
        let conversation_id = filler.fill(Grammar::Line, &send.conversation_id)?;
        let text = filler.fill(Grammar::Text, &send.text)?;
        let wait = send.is_sync.resolve(filler.scope)?;
        let command = self.order(|command| FlowCommand::SendConversation {
            command,
            conversation_id,
            text,
            wait,
        });
        Ok(wait_if(
            wait,
            Wait::Command {
                command,
                stop_on_digit: false,
            },
        ))
    }

    pub(super) fn transcribe_start(&mut self, start: &Transcribe) -> Result<Step, Fault> {
        let options = transcribe_options(&Filler::new(self.scope()), start)?;
        let command = self.order(|command| FlowCommand::StartTranscribe { command, options });
        Ok(Step::Wait(Wait::Transcribe { command }))
    }

    pub(super) fn transcribe_recording(&mut self, start: &Transcribe) -> Result<Step, Fault> {
        let options = transcribe_options(&Filler::new(self.scope()), start)?;
        self.order(|command| FlowCommand::TranscribeRecordings { command, options });
        Ok(Step::Next)
    }

    pub(super) fn ai_talk(&mut self, start: &AiTalkStart) -> Result<Step, Fault> {
        let filler = Filler::new(self.scope());
        let talk = AiTalk {
            assistance: start.assistance.resolve(filler.scope)?,
            assistant: filler.fill(Grammar::Line, &start.assistant)?,
            language: filler.fill(Grammar::Line, &start.language)?,
            gender: start.gender.resolve(filler.scope)?,
            duration: start.duration.resolve(filler.scope)?.limit(),
        };
        let command = self.order(|command| FlowCommand::AiTalk { command, talk });
        Ok(Step::Wait(Wait::Command {
            command,
            stop_on_digit: false,
        }))
    }

    pub(super) fn ai_task(&mut self, start: &AiTaskStart) -> Result<Step, Fault> {
        let filler = Filler::new(self.scope());
        let talk = AiTalk {
            assistance: start.assistance.resolve(filler.scope)?,
            assistant: filler.fill(Grammar::Line, &start.assistant)?,
            ..AiTalk::default()
        };
        let command = self.order(|command| FlowCommand::AiTask { command, talk });
        Ok(Step::Wait(Wait::Command {
            command,
            stop_on_digit: false,
        }))
    }

    pub(super) fn ai_summary(&mut self, start: &AiSummaryStart) -> Result<Step, Fault> {
        let filler = Filler::new(self.scope());
        let summary = AiSummary {
            reference_type: filler.fill(Grammar::Line, &start.reference_type)?,
            reference_id: filler.fill(Grammar::Line, &start.reference_id)?,
            language: filler.fill(Grammar::Line, &start.language)?,
            on_end_flow_id: flow_id(&filler.fill(Grammar::Line, &start.on_end_flow_id)?),
        };
        self.order(|command| FlowCommand::Summarize { command, summary });
        Ok(Step::Next)
    }
}

fn transcribe_options(
    filler: &Filler<'_>,
    start: &Transcribe,
) -> Result<TranscribeOptions, ResolveError> {
    Ok(TranscribeOptions {
        language: filler.fill(Grammar::Line, &start.language)?,
        direction: start.direction.resolve(filler.scope)?,
        on_end_flow_id: flow_id(&filler.fill(Grammar::Line, &start.on_end_flow_id)?),
    })
}

fn wait_if(waits: bool, wait: Wait) -> Step {
    if waits { Step::Wait(wait) } else { Step::Next }
}

/// Fills in the texts of one action, which may be [`MAX_SUBSTITUTED`] bytes long in all.
pub(super) struct Filler<'v> {
    pub(super) scope: &'v Variables,
    left: Cell<usize>,
}

impl<'v> Filler<'v> {
    pub(super) const fn new(scope: &'v Variables) -> Self {
        Self {
            scope,
            left: Cell::new(MAX_SUBSTITUTED),
        }
    }

    pub(super) fn fill(
        &self,
        grammar: Grammar,
        template: &Template,
    ) -> Result<String, ResolveError> {
        let filled = template.fill_as(grammar, self.scope)?;
        // What is written out in the flow is bounded by its file; only what is inserted can grow.
        if template.is_dynamic() {
            let left = self.left.get().checked_sub(filled.len());
            self.left.set(left.ok_or(VariableError::TextTooLong)?);
        }
        Ok(filled.into_owned())
    }

    pub(super) fn address(&self, address: &AddressTemplate) -> Result<Address, ResolveError> {
        let kind = self.fill(Grammar::Line, &address.kind)?;
        let grammar = match kind.as_str() {
            "sip" => Grammar::Sip,
            "email" => Grammar::Mailbox,
            _ => Grammar::Line,
        };
        Ok(Address {
            kind,
            target: self.fill(grammar, &address.target)?,
            target_name: self.fill(Grammar::Line, &address.target_name)?,
            name: self.fill(Grammar::Line, &address.name)?,
            detail: self.fill(Grammar::Line, &address.detail)?,
        })
    }

    /// Those that have a target.
    pub(super) fn addresses(
        &self,
        addresses: &[AddressTemplate],
    ) -> Result<Vec<Address>, ResolveError> {
        let mut filled = Vec::with_capacity(addresses.len());
        for address in addresses {
            filled.push(self.address(address)?);
        }
        filled.retain(|address| !address.target.is_empty());
        Ok(filled)
    }
}
