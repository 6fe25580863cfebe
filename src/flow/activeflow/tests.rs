//! The engine against a scripted owner, in virtual time.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use uuid::Uuid;

use super::*;
use crate::flow::command::{RecordingFormat, RecordingOptions};
use crate::flow::dialect::parse_flow;
use crate::flow::reference::CallVariables;
use crate::flow::variable::{MAX_TOTAL, MAX_VALUE};
use crate::ids::{CallId, RecordingId, Rng};
use crate::sim;

mod control;
mod examples;
mod limits;
mod media;
mod properties;
mod tutorial;

/// A flow under way, and the last command it waits for.
struct Run {
    flow: Activeflow,
    now: Instant,
    last: FlowCommandId,
    end: Option<(FlowEnd, Option<OnComplete>)>,
}

fn flow(actions: &str) -> Flow {
    parse_flow(actions.as_bytes(), "test", &mut Rng::from_number(1))
        .unwrap_or_else(|errors| panic!("{errors}"))
}

fn reference(kind: ReferenceType) -> Reference {
    Reference {
        kind,
        id: Uuid::from_u128(7),
    }
}

impl Run {
    fn new(flow: &Flow, kind: ReferenceType, limits: Limits) -> Self {
        let call = CallVariables {
            id: CallId(Uuid::from_u128(7)),
            source: crate::flow::Address {
                target: "+1555".to_owned(),
                ..Default::default()
            },
            destination: crate::flow::Address {
                target: "menu".to_owned(),
                ..Default::default()
            },
            is_incoming: true,
            master: None,
            status: CallStatus::Ringing,
        };
        let variables = if kind == ReferenceType::Call {
            call.to_pairs()
        } else {
            Vec::new()
        };
        let id = ActiveflowId(Uuid::from_u128(9));
        let epoch = Epoch::new(sim::start(), SystemTime::UNIX_EPOCH);
        Self {
            flow: Activeflow::new(id, flow, reference(kind), variables, epoch, limits),
            now: sim::start(),
            last: FlowCommandId(0),
            end: None,
        }
    }

    /// A started run on an answered call.
    fn on_call(actions: &str) -> Self {
        let mut run = Self::new(&flow(actions), ReferenceType::Call, Limits::default());
        run.tell(FlowEvent::CallStatus {
            status: CallStatus::Progressing,
        });
        run.flow.start(run.now);
        run
    }

    fn tell(&mut self, event: FlowEvent) {
        self.flow.handle_event(self.now, event);
    }

    fn press(&mut self, digits: &str) {
        for digit in digits.chars() {
            self.tell(FlowEvent::Digit { digit });
        }
    }

    fn finish(&mut self) {
        self.tell(FlowEvent::Finished {
            command: self.last,
            outcome: FlowOutcome::Done,
        });
    }

    /// Lets time pass, waking the flow when it asked to be woken.
    fn pass(&mut self, milliseconds: u64) {
        let until = self.now + Duration::from_millis(milliseconds);
        while let Some(at) = self.flow.poll_timeout().filter(|at| *at <= until) {
            self.now = at;
            self.flow.handle_timeout(at);
        }
        self.now = until;
    }

    /// What the flow has ordered since, in short words.
    fn orders(&mut self) -> Vec<String> {
        let mut orders = Vec::new();
        while let Some(command) = self.flow.poll_command() {
            assert!(self.end.is_none(), "{command:?} after the end");
            orders.push(match command {
                FlowCommand::Answer { command } => self.waits_for(command, "answer"),
                FlowCommand::Talk { command, text, .. } => {
                    self.waits_for(command, &format!("talk {text}"))
                }
                FlowCommand::Play { command, urls } => {
                    self.waits_for(command, &format!("play {}", urls.join(" ")))
                }
                FlowCommand::Beep { command } => self.waits_for(command, "beep"),
                FlowCommand::SendDigits {
                    command,
                    digits,
                    tone,
                    gap,
                } => self.waits_for(
                    command,
                    &format!("send {digits} {} {}", tone.as_millis(), gap.as_millis()),
                ),
                FlowCommand::Echo {
                    command,
                    duration,
                    with_digits,
                } => self.waits_for(
                    command,
                    &format!("echo {} {with_digits}", duration.as_millis()),
                ),
                FlowCommand::StartRecording { command, .. } => self.waits_for(command, "record"),
                FlowCommand::StopRecording { command } => self.waits_for(command, "stop recording"),
                FlowCommand::Cancel { command } => format!("cancel {}", command.0),
                FlowCommand::FetchFlow { command, flow_id } => {
                    self.waits_for(command, &format!("fetch {flow_id}"))
                }
                FlowCommand::Hangup { reason } => format!("hangup {}", reason.as_str()),
                FlowCommand::Ended { why, on_complete } => {
                    let order = match &why {
                        FlowEnd::Finished => "finished".to_owned(),
                        FlowEnd::Stopped => "stopped".to_owned(),
                        FlowEnd::CallEnded => "call ended".to_owned(),
                        FlowEnd::Failed { why } => format!("failed: {why}"),
                    };
                    self.end = Some((why, on_complete));
                    order
                }
            });
        }
        orders
    }

    fn waits_for(&mut self, command: FlowCommandId, order: &str) -> String {
        self.last = command;
        order.to_owned()
    }

    fn variable(&self, name: &str) -> &str {
        self.flow.variables().value(name).unwrap_or("(none)")
    }

    fn digits(&self) -> &str {
        self.variable(DIGITS)
    }
}

/// `{"type": …, "option": …}` with an id.
fn action(id: &str, kind: &str, option: &str) -> String {
    format!(r#"{{"id": "{id}", "type": "{kind}", "option": {option}}}"#)
}

fn talk(id: &str, text: &str) -> String {
    action(id, "talk", &format!(r#"{{"text": "{text}"}}"#))
}

fn list(actions: &[String]) -> String {
    format!("[{}]", actions.join(","))
}

#[test]
fn an_empty_flow_finishes_at_once_and_a_second_start_does_nothing() {
    let mut run = Run::on_call("[]");
    assert_eq!(run.orders(), ["finished"]);
    run.flow.start(run.now);
    run.tell(FlowEvent::Stop);
    assert_eq!(run.orders(), [""; 0]);
}

#[test]
fn the_cursor_waits_for_the_answer_to_its_command_and_for_no_other() {
    let mut run = Run::on_call(&list(&[talk("a", "one"), talk("b", "two")]));
    assert_eq!(run.orders(), ["talk one"]);
    for stale in [FlowCommandId(0), FlowCommandId(99)] {
        run.tell(FlowEvent::Finished {
            command: stale,
            outcome: FlowOutcome::Done,
        });
        run.tell(FlowEvent::Fetched {
            command: stale,
            flow: None,
        });
    }
    assert_eq!(run.orders(), [""; 0]);
    let first = run.last;
    run.finish();
    assert_eq!(run.orders(), ["talk two"]);
    run.tell(FlowEvent::Finished {
        command: first,
        outcome: FlowOutcome::Done,
    });
    assert_eq!(
        run.orders(),
        [""; 0],
        "the second answer to one command is stale"
    );
    run.finish();
    assert_eq!(run.orders(), ["finished"]);
}

#[test]
fn what_a_media_command_fails_at_is_passed_by() {
    let mut run = Run::on_call(&list(&[talk("a", "one"), action("b", "beep", "{}")]));
    run.orders();
    run.tell(FlowEvent::Finished {
        command: run.last,
        outcome: FlowOutcome::Failed { why: "no voice" },
    });
    assert_eq!(run.orders(), ["beep"]);
}

#[test]
fn without_a_call_media_actions_are_passed_over_and_still_remembered() {
    let actions = list(&[
        action("a", "answer", "{}"),
        talk("b", "hello"),
        action("c", "sleep", r#"{"duration": 1000}"#),
        action("d", "digits_receive", "{}"),
        action("e", "condition_call_status", "{}"),
        action("f", "variable_set", r#"{"key": "x", "value": "1"}"#),
        action("g", "hangup", "{}"),
        action("h", "stop", "{}"),
    ]);
    for kind in [ReferenceType::Api, ReferenceType::None] {
        let mut run = Run::new(&flow(&actions), kind, Limits::default());
        run.flow.start(run.now);
        run.tell(FlowEvent::CallEnded);
        assert_eq!(run.orders(), ["stopped"]);
        assert_eq!(run.variable("x"), "1");
        let ids: Vec<&str> = run
            .flow
            .executed_actions()
            .map(|executed| executed.id.as_str())
            .collect();
        assert_eq!(ids, ["a", "b", "c", "d", "e", "f", "g", "h"]);
        assert_eq!(run.flow.current_action(), None);
    }
}

#[test]
fn the_current_action_is_where_the_cursor_is() {
    let mut run = Run::on_call(&list(&[
        action("s", "sleep", r#"{"duration": 10}"#),
        talk("t", "x"),
    ]));
    assert_eq!(
        run.flow.current_action().map(|current| current.name),
        Some("sleep")
    );
    run.pass(10);
    let current = run.flow.current_action().cloned().unwrap();
    assert_eq!(
        (current.id.as_str(), current.at),
        ("t", sim::start() + Duration::from_millis(10))
    );
    assert_eq!(run.flow.executed_actions().count(), 1);
}

#[test]
fn hangup_gives_its_reason_and_the_flow_ends_with_the_call() {
    let hangup = action("h", "hangup", r#"{"reason": "busy"}"#);
    let mut run = Run::on_call(&list(&[hangup, talk("t", "never")]));
    assert_eq!(run.orders(), ["hangup busy"]);
    run.press("1");
    run.pass(60_000);
    assert_eq!(run.orders(), [""; 0]);
    run.tell(FlowEvent::CallEnded);
    assert_eq!(run.orders(), ["call ended"]);
    let mut run = Run::on_call(&list(&[action("h", "hangup", r#"{"reason": "tired"}"#)]));
    assert_eq!(run.orders(), ["hangup normal"]);
}

#[test]
fn a_call_that_ends_or_a_stop_ends_the_flow_wherever_it_is() {
    for waiting in [
        talk("t", "x"),
        action("s", "sleep", r#"{"duration": 9}"#),
        action("f", "fetch_flow", "{}"),
    ] {
        let mut run = Run::on_call(&list(std::slice::from_ref(&waiting)));
        run.orders();
        run.tell(FlowEvent::CallEnded);
        assert_eq!(run.orders(), ["call ended"], "{waiting}");
        run.finish();
        run.pass(60_000);
        assert_eq!(run.orders(), [""; 0]);
        let mut run = Run::on_call(&list(&[waiting]));
        run.orders();
        run.tell(FlowEvent::Stop);
        assert_eq!(run.orders(), ["stopped"]);
    }
}

#[test]
fn a_fetched_flow_runs_and_returns_behind_the_action_that_fetched_it() {
    let inner = Arc::new(flow(&list(&[
        talk("x", "inner"),
        action("g", "goto", r#"{"target_id": "end", "loop_count": 1}"#),
    ])));
    let fetch = action(
        "f",
        "fetch_flow",
        r#"{"flow_id": "212A32A8-9529-11ec-8bf0-8b89df407b6e"}"#,
    );
    let mut run = Run::on_call(&list(&[
        fetch.clone(),
        talk("b", "skipped"),
        talk("end", "outer"),
    ]));
    assert_eq!(run.orders(), ["fetch 212a32a8-9529-11ec-8bf0-8b89df407b6e"]);
    run.tell(FlowEvent::Fetched {
        command: run.last,
        flow: Some(inner),
    });
    assert_eq!(run.orders(), ["talk inner"]);
    run.finish();
    assert_eq!(
        run.orders(),
        ["talk outer"],
        "a jump finds its target in the outer flow"
    );
    let mut run = Run::on_call(&list(&[fetch.clone(), talk("b", "next")]));
    run.orders();
    run.tell(FlowEvent::Fetched {
        command: run.last,
        flow: Some(Arc::new(flow("[]"))),
    });
    assert_eq!(run.orders(), ["talk next"], "an empty flow is passed");
    let mut run = Run::on_call(&list(&[fetch, talk("b", "next")]));
    run.orders();
    run.tell(FlowEvent::Fetched {
        command: run.last,
        flow: None,
    });
    assert_eq!(
        run.orders(),
        ["failed: no flow \"212a32a8-9529-11ec-8bf0-8b89df407b6e\""]
    );
}

#[test]
fn what_comes_after_is_told_with_its_inheritance_but_not_after_a_failure() {
    let json =
        |actions: &str| format!(r#"{{"on_complete_flow_id": "after", "actions": {actions}}}"#);
    let set = action("s", "variable_set", r#"{"key": "mine", "value": "1"}"#);
    for (last, event) in [
        ("stop", None),
        ("empty", None),
        ("beep", Some(FlowEvent::CallEnded)),
        ("beep", Some(FlowEvent::Stop)),
    ] {
        let mut run = Run::on_call(&json(&list(&[set.clone(), action("l", last, "{}")])));
        if let Some(event) = event {
            run.tell(event);
        }
        run.orders();
        let next = run.end.unwrap().1.expect("a flow to follow");
        assert_eq!(
            (next.flow_id.as_str(), next.complete_count, next.parent),
            ("after", 1, run.flow.id())
        );
        assert!(
            next.variables
                .contains(&("mine".to_owned(), "1".to_owned()))
        );
        assert!(
            next.variables
                .iter()
                .any(|(name, _)| name == "voipbin.call.id")
        );
        assert!(
            next.variables
                .iter()
                .all(|(name, _)| !name.starts_with("voipbin.activeflow."))
        );
    }
    let mut run = Run::on_call(&json(&list(&[action("b", "branch", "{}")])));
    assert!(run.orders()[0].starts_with("failed"));
    assert_eq!(run.end.unwrap().1, None);
}
