//! The engine against a scripted owner, in virtual time.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use uuid::Uuid;

use super::*;
use crate::flow::command::{RecordingFormat, RecordingLayout, RecordingOptions};
use crate::flow::dialect::{Support, parse_flow};
use crate::flow::event::{FlowOutcome, Recording};
use crate::flow::outward::NewCalls;
use crate::flow::reference::CallVariables;
use crate::flow::variable::{DIGITS, MAX_TOTAL, MAX_VALUE};
use crate::ids::{CallId, RecordingId, Rng};
use crate::sim;

mod behaviours;
mod catalogue;
mod control;
mod examples;
mod legs;
mod limits;
mod media;
mod outward;
mod properties;
mod run;
mod tutorial;

use run::{Run, flow, reference};

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
