//! What was said, in a few sentences.

use std::time::Instant;

use uuid::Uuid;

use super::Switch;
use super::ask::Asker;
use super::outside::{ChatMessage, ChatRole, OutsideRequest};
use crate::flow::{
    AiSummary, Direction, FlowCommandId, FlowEvent, FlowOutcome, Reference, ReferenceType,
};
use crate::ids::ActiveflowId;

/// Octets of a text that is to be summed up.
const LONGEST_TEXT: usize = 30_000;

impl Switch {
    /// Has the words of a call or a transcription summed up.
    pub(super) fn summarize(
        &mut self,
        now: Instant,
        id: ActiveflowId,
        command: FlowCommandId,
        summary: AiSummary,
    ) {
        let mut text = String::new();
        let reference = Uuid::try_parse(&summary.reference_id).unwrap_or_default();
        for transcript in self.transcripts.of(reference) {
            let who = match transcript.direction {
                Direction::Out => "B",
                Direction::In | Direction::Both => "A",
            };
            text += &format!("{who}: {}\n", transcript.text);
            if text.len() > LONGEST_TEXT {
                break;
            }
        }
        if text.is_empty() {
            let why = "there are no words to sum up";
            tracing::warn!(activeflow = %id, "{why}");
            return self.finish_flow_command(now, id, command, FlowOutcome::Failed { why });
        }
        let mut content =
            "Sum up this talk of A and B in a few sentences of plain text.".to_owned();
        if !summary.language.is_empty() {
            content += &format!(" Write in the language {}.", summary.language);
        }
        let system = ChatMessage {
            role: ChatRole::System,
            content,
        };
        let said = ChatMessage {
            role: ChatRole::User,
            content: text,
        };
        let request = OutsideRequest::Chat {
            messages: vec![system, said],
        };
        let generation = self.activeflows.get(&id).map_or(0, |run| run.generation);
        let asker = Asker::Summary {
            activeflow: id,
            command,
            summary,
            generation,
        };
        self.ask(asker, request);
    }

    /// Something is summed up.
    pub(super) fn summary_made(
        &mut self,
        now: Instant,
        id: ActiveflowId,
        summary: AiSummary,
        content: String,
        generation: u32,
    ) {
        let made = self.rng.uuid();
        let event = FlowEvent::SummaryMade {
            id: made,
            summary: summary.clone(),
            content: content.clone(),
        };
        self.with_flow(now, id, |flow| flow.handle_event(now, event));
        let Some(flow) = summary.on_end_flow_id else {
            return;
        };
        let reference = Reference {
            kind: ReferenceType::Ai,
            id: made,
        };
        let variables = [
            ("id", made.to_string()),
            ("reference_type", summary.reference_type),
            ("reference_id", summary.reference_id),
            ("language", summary.language),
            ("content", content),
        ]
        .map(|(name, value)| (format!("voipbin.ai_summary.{name}"), value));
        self.start_without_call(now, &flow, reference, variables.into(), generation + 1);
    }
}
