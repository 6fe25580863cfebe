//! Orders to the world outside, and whom their answers are for.

use std::time::{Duration, Instant};

use uuid::Uuid;

use super::outside::{Mail, OrderId, OutsideAnswer, OutsideFailure, OutsideRequest};
use super::{Output, Switch};
use crate::flow::{AiSummary, Direction, Email, FlowCommandId, FlowEvent, FlowOutcome};
use crate::ids::{ActiveflowId, CallId};

/// Whom the answer to an order is for.
#[derive(Debug)]
pub(super) enum Asker {
    /// A command of a flow that is finished with it.
    Flow(ActiveflowId, FlowCommandId),
    /// A command of a flow that wants actions.
    Fetch(ActiveflowId, FlowCommandId),
    /// A message under way.
    Message(Uuid),
    /// A transcription: words of one of its calls.
    Transcript {
        transcribe: Uuid,
        said: (CallId, Direction, Duration),
    },
    /// A talk: what the caller said.
    Heard(ActiveflowId, Uuid),
    /// A talk: what the assistant says.
    Reply(ActiveflowId, Uuid, u32),
    /// A conversation: what the assistant writes.
    Written {
        conversation: Uuid,
        activeflow: ActiveflowId,
        command: FlowCommandId,
    },
    /// A flow that wants something summed up.
    Summary {
        activeflow: ActiveflowId,
        command: FlowCommandId,
        summary: AiSummary,
        generation: u32,
    },
}

/// Orders under way at one time. The shell works on a few dozen at once and gives each up within a
/// minute or so; more than these would wait longer than anybody listens.
const UNDER_WAY: usize = 4096;

impl Switch {
    /// Gives an order to the world; one that cannot be given is answered all the same.
    pub(super) fn ask(&mut self, asker: Asker, request: OutsideRequest) {
        let order = OrderId(self.next_number());
        let possible = if self.asked.len() < UNDER_WAY {
            self.config.providers.check(&request)
        } else {
            Err(OutsideFailure::Busy)
        };
        self.exchange_begins(order, &asker, &request);
        self.asked.insert(order, asker);
        match possible {
            Ok(()) => self.outputs.push_back(Output::Outside { order, request }),
            Err(failure) => {
                tracing::warn!("{failure}");
                self.unasked.push_back((order, failure));
            }
        }
    }

    /// An order came to its end.
    pub(super) fn handle_outside(&mut self, now: Instant, order: OrderId, answer: OutsideAnswer) {
        let Some(asker) = self.asked.remove(&order) else {
            return;
        };
        match asker {
            Asker::Flow(id, command) => {
                self.finish_flow_command(now, id, command, outcome(&answer));
            }
            Asker::Fetch(id, command) => {
                let body = match answer {
                    OutsideAnswer::Body(body) => Ok(body),
                    OutsideAnswer::Failed(failure) => Err(failure.as_str()),
                    OutsideAnswer::Done | OutsideAnswer::Text(_) => Err("not an answer"),
                };
                let event = FlowEvent::FetchedActions { command, body };
                self.with_flow(now, id, |flow| flow.handle_event(now, event));
            }
            Asker::Message(message) => self.gateway_answered(now, message, &answer),
            Asker::Transcript { transcribe, said } => {
                self.handle_transcript(now, transcribe, said, text(&answer));
            }
            Asker::Heard(id, talk) => {
                self.with_talk(now, id, talk, |talk| talk.handle_heard(text(&answer)));
            }
            Asker::Reply(id, talk, turn) => {
                self.with_talk(now, id, talk, |talk| talk.handle_reply(turn, text(&answer)));
            }
            Asker::Written {
                conversation,
                activeflow,
                command,
            } => match answer {
                OutsideAnswer::Text(text) => {
                    self.converse(now, activeflow, command, conversation, text);
                }
                _ => self.finish_flow_command(now, activeflow, command, outcome(&answer)),
            },
            Asker::Summary {
                activeflow,
                command,
                summary,
                generation,
            } => {
                let made = match answer {
                    OutsideAnswer::Text(content) => {
                        self.summary_made(now, activeflow, summary, content, generation);
                        OutsideAnswer::Done
                    }
                    other => other,
                };
                self.finish_flow_command(now, activeflow, command, outcome(&made));
            }
        }
    }

    pub(super) fn fetch_actions(
        &mut self,
        id: ActiveflowId,
        command: FlowCommandId,
        (url, method, body): (String, String, String),
    ) {
        let request = OutsideRequest::Fetch { url, method, body };
        self.ask(Asker::Fetch(id, command), request);
    }

    /// A mail with those of its recordings whose files are complete.
    pub(super) fn send_mail(&mut self, id: ActiveflowId, command: FlowCommandId, email: Email) {
        let mut attachments = Vec::new();
        for recording in email.attachments {
            match self.recordings.find(recording) {
                Some(known) if known.is_complete => {
                    attachments.push(known.file_in.clone());
                    attachments.extend(known.file_out.clone());
                }
                _ => tracing::warn!(%recording, "left out of the mail: not there, or not complete"),
            }
        }
        let mail = Mail {
            destinations: email.destinations,
            subject: email.subject,
            content: email.content,
            attachments,
        };
        self.ask(Asker::Flow(id, command), OutsideRequest::Email(mail));
    }
}

/// What a flow is told of an answer that brings it nothing.
fn outcome(answer: &OutsideAnswer) -> FlowOutcome {
    match answer {
        OutsideAnswer::Failed(failure) => FlowOutcome::Failed {
            why: failure.as_str(),
        },
        _ => FlowOutcome::Done,
    }
}

fn text(answer: &OutsideAnswer) -> Option<&str> {
    match answer {
        OutsideAnswer::Text(text) => Some(text),
        _ => None,
    }
}
