//! Actions that reach the web, mail, messages and assistants.

use bytes::Bytes;

use super::*;
use crate::flow::outward::{Direction, MachineResult};

/// A started run that the API asked for.
fn by_api(actions: &[String]) -> Run {
    let mut run = Run::new(&flow(&list(actions)), ReferenceType::Api, Limits::default());
    run.flow.start(run.now);
    run
}

fn fetched(run: &mut Run, body: Result<&'static str, &'static str>) {
    let body = body.map(|text| Bytes::from_static(text.as_bytes()));
    run.tell(FlowEvent::FetchedActions {
        command: run.last,
        body,
    });
}

fn fetch() -> Vec<String> {
    let fetch = action("f", "fetch", r#"{"event_url": "https://h/next"}"#);
    vec![fetch, action("b", "block", "{}")]
}

fn at(run: &Run) -> &str {
    run.flow
        .current_action()
        .map_or("(nowhere)", |current| current.id.as_str())
}

#[test]
fn a_fetch_that_brings_no_actions_ends_the_flow_and_says_why() {
    for (body, why) in [
        (
            Err("status 404"),
            "failed: action f: nothing fetched: status 404",
        ),
        (
            Ok("{}"),
            "failed: action f: nothing fetched: $: expected an array of actions, found an object (line 1, column 1)",
        ),
        (
            Ok("[,]"),
            "failed: action f: nothing fetched: [0]: found ',' where a value is expected (line 1, column 2)",
        ),
    ] {
        let mut run = by_api(&fetch());
        run.orders();
        fetched(&mut run, body);
        assert_eq!(run.orders(), [why]);
        assert_eq!(run.end.unwrap().1, None);
    }
    let mut run = by_api(&fetch());
    run.orders();
    run.fail();
    assert_eq!(run.orders(), ["failed: action f: nothing fetched: no"]);
}

#[test]
fn fetched_actions_nest_and_wrong_ones_are_passed_over() {
    let mut run = by_api(&fetch());
    run.orders();
    fetched(
        &mut run,
        Ok(
            r#"[{"type": "dance"}, {"type": "fetch", "option": {"event_url": "https://h/2"}},
        {"type": "variable_set", "option": {"key": "outer", "value": "${inner}!"}}]"#,
        ),
    );
    assert!(run.orders()[0].starts_with("GET https://h/2 "));
    fetched(
        &mut run,
        Ok(r#"{"actions": [{"type": "variable_set", "option": {"key": "inner", "value": "1"}}]}"#),
    );
    assert_eq!((run.variable("outer"), at(&run)), ("1!", "b"));
    let mut run = by_api(&fetch());
    run.orders();
    fetched(&mut run, Ok("[]"));
    assert_eq!(at(&run), "b", "an empty list is passed");
    fetched(&mut run, Ok(r#"[{"type": "stop"}]"#));
    assert_eq!(at(&run), "b", "and the second answer is stale");
}

#[test]
fn a_fetch_that_leads_to_itself_ends_at_100_stacks() {
    let mut run = by_api(&fetch());
    while !run.orders().is_empty() && run.end.is_none() {
        fetched(
            &mut run,
            Ok(r#"[{"type": "fetch", "option": {"event_url": "https://h/"}}]"#),
        );
    }
    assert!(matches!(
        run.end,
        Some((
            FlowEnd::Failed {
                why: FlowFailure::Limit { .. }
            },
            None
        ))
    ));
}

#[test]
fn what_is_sent_off_is_not_waited_for_and_its_failure_moves_nothing() {
    for (kind, option) in [
        ("webhook_send", r#"{"uri": "https://h/"}"#),
        (
            "email_send",
            r#"{"destinations": [{"type": "email", "target": "a@b.org"}]}"#,
        ),
        (
            "message_send",
            r#"{"destinations": [{"type": "tel", "target": "+1"}]}"#,
        ),
        ("conversation_send", "{}"),
        ("transcribe_recording", "{}"),
        ("ai_summary", "{}"),
    ] {
        let mut run = by_api(&[action("a", kind, option), action("b", "block", "{}")]);
        assert_eq!((run.orders().len(), at(&run)), (1, "b"), "{kind}");
        run.fail();
        assert_eq!((run.orders().len(), at(&run)), (0, "b"), "{kind}");
    }
    for kind in ["email_send", "message_send"] {
        let mut run = by_api(&[action("a", kind, "{}"), action("b", "block", "{}")]);
        assert_eq!((run.orders().len(), at(&run)), (0, "b"), "{kind} to nobody");
    }
}

#[test]
fn what_is_sent_with_sync_is_waited_for_and_its_failure_passed_by() {
    for kind in ["webhook_send", "conversation_send"] {
        let mut run = by_api(&[
            action("a", kind, r#"{"sync": true}"#),
            action("b", "block", "{}"),
        ]);
        assert_eq!((run.orders().len(), at(&run)), (1, "a"), "{kind}");
        run.fail();
        assert_eq!(at(&run), "b", "{kind}");
    }
}

#[test]
fn values_are_escaped_for_where_they_go() {
    let set = action(
        "s",
        "variable_set",
        r#"{"key": "x", "value": "a\", \"b\": \"<c>&\r\nBcc: d"}"#,
    );
    let webhook = action(
        "w",
        "webhook_send",
        r#"{"uri": "https://h/?q=${x}", "data_type": "application/json\n", "data": "{\"x\": \"${x}\"}"}"#,
    );
    let email = action(
        "e",
        "email_send",
        r#"{"destinations": [{"type": "email", "target": "${x}@h"}], "subject": "${x}"}"#,
    );
    let orders = by_api(&[set, webhook, email, action("b", "block", "{}")]).orders();
    assert_eq!(
        orders,
        [
            r#"webhook false POST https://h/?q=a%22%2C%20%22b%22%3A%20%22%3Cc%3E%26%0D%0ABcc%3A%20d application/json {"x": "a\", \"b\": \"<c>&\r\nBcc: d"}"#,
            "email abc&Bccd@h a\", \"b\": \"<c>&Bcc: d  0",
        ]
    );
}

#[test]
fn the_texts_of_one_action_are_bounded_in_all() {
    let long = "x".repeat(MAX_VALUE);
    let set = action(
        "s",
        "variable_set",
        &format!(r#"{{"key": "x", "value": "{long}"}}"#),
    );
    let destinations = vec![r#"{"type": "tel", "target": "${x}"}"#; 100].join(",");
    let message = action(
        "m",
        "message_send",
        &format!(r#"{{"destinations": [{destinations}]}}"#),
    );
    let mut run = by_api(&[set, message, action("b", "block", "{}")]);
    assert_eq!((run.orders().len(), at(&run)), (0, "b"));
}

#[test]
fn an_assistant_that_cannot_be_reached_ends_the_flow() {
    for (kind, on_call) in [
        ("ai_talk", true),
        ("chatbot_talk", true),
        ("ai_task", false),
    ] {
        let actions = [action("a", kind, "{}"), action("b", "block", "{}")];
        let mut run = if on_call {
            Run::on_call(&list(&actions))
        } else {
            by_api(&actions)
        };
        run.orders();
        run.fail();
        assert_eq!(run.orders(), ["failed: action a: no"], "{kind}");
    }
}

#[test]
fn a_transcription_that_cannot_start_is_passed_by_and_one_asked_for_outside_moves_nothing() {
    let start = || FlowEvent::TranscribeStarted {
        id: Uuid::from_u128(4),
        language: "de".to_owned(),
        direction: Direction::Both,
    };
    let mut run = Run::on_call(&list(&[
        action("t", "transcribe_start", "{}"),
        talk("z", "on"),
    ]));
    run.orders();
    run.fail();
    assert_eq!(run.orders(), ["talk on"]);
    run.tell(start());
    assert_eq!(
        (
            run.orders().len(),
            run.variable("voipbin.transcribe.language")
        ),
        (0, "de")
    );
}

#[test]
fn a_machine_is_hung_up_on_where_asked_for_and_a_person_never_is() {
    for (handle, result, order) in [
        ("hangup", MachineResult::Machine, "hangup amd"),
        ("hangup", MachineResult::Person, "talk hi"),
        ("hangup", MachineResult::Unsure, "talk hi"),
        ("delay", MachineResult::Machine, "talk hi"),
    ] {
        let amd = action("a", "amd", &format!(r#"{{"machine_handle": "{handle}"}}"#));
        let mut run = Run::on_call(&list(&[amd, talk("t", "hi")]));
        assert_eq!(run.orders(), ["detect true"]);
        run.tell(FlowEvent::MachineDetected {
            command: run.last,
            result,
        });
        assert_eq!(run.orders(), [order]);
        assert_eq!(run.variable("voipbin.amd.result"), result.as_str());
    }
    let mut run = Run::on_call(&list(&[action("a", "amd", "{}"), talk("t", "hi")]));
    run.orders();
    run.fail();
    assert_eq!(
        (run.orders(), run.variable("voipbin.amd.result")),
        (vec!["talk hi".to_owned()], "(none)")
    );
}

#[test]
fn a_detection_in_the_background_may_still_hang_up_and_only_the_last_one_counts() {
    let amd = |id| action(id, "amd", r#"{"machine_handle": "hangup", "async": true}"#);
    let mut run = Run::on_call(&list(&[amd("a"), amd("b"), talk("t", "hi")]));
    assert_eq!(
        run.orders(),
        ["detect false", "cancel 1", "detect false", "talk hi"]
    );
    let result = MachineResult::Machine;
    run.tell(FlowEvent::MachineDetected {
        command: FlowCommandId(1),
        result,
    });
    assert_eq!(run.orders(), [""; 0]);
    run.tell(FlowEvent::MachineDetected {
        command: FlowCommandId(2),
        result,
    });
    assert_eq!(run.orders(), ["cancel 3", "hangup amd"]);
    run.finish();
    run.tell(FlowEvent::MachineDetected {
        command: FlowCommandId(2),
        result,
    });
    assert_eq!(run.orders(), [""; 0]);
}

#[test]
fn a_block_is_resumed_only_where_it_is_believed_to_stand() {
    let mut run = by_api(&[action("a", "block", "{}"), action("b", "block", "{}")]);
    let resume = |run: &mut Run, id: Option<&str>| {
        let current_action = id.and_then(ActionId::parse);
        run.tell(FlowEvent::Resume { current_action });
    };
    assert!(run.flow.is_blocked());
    resume(&mut run, Some("b"));
    run.pass(1_000_000);
    assert_eq!(at(&run), "a");
    resume(&mut run, Some("a"));
    assert_eq!(at(&run), "b");
    resume(&mut run, None);
    assert_eq!(run.orders(), ["finished"]);
    let mut run = Run::on_call(&list(&[talk("t", "hi")]));
    resume(&mut run, None);
    assert_eq!(run.orders(), ["talk hi"], "nothing else is resumed");
}

#[test]
fn a_hangup_relays_the_end_of_another_call_and_never_fails() {
    for (option, order) in [
        (
            r#"{"reference_id": "B8573F30-B031-11ED-AC05-3BC9A62E64C3", "reason": "busy"}"#,
            "hangup as b8573f30-b031-11ed-ac05-3bc9a62e64c3",
        ),
        (
            r#"{"reference_id": "00000000-0000-0000-0000-000000000000", "reason": "busy"}"#,
            "hangup busy",
        ),
        (
            r#"{"reference_id": "${none}", "reason": "failed"}"#,
            "hangup failed",
        ),
        (r#"{"reference_id": "someone"}"#, "hangup normal"),
    ] {
        let mut run = Run::on_call(&list(&[action("h", "hangup", option)]));
        assert_eq!(run.orders(), [order]);
    }
}
