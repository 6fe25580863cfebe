//! Actions that only move the cursor or set a variable.

use super::*;

#[test]
fn a_branch_takes_the_exact_key_and_empties_what_it_read() {
    let branch =
        r#"{"variable": "choice", "default_target_id": "d", "target_ids": {"a": "x", "": "e"}}"#;
    for (value, said) in [("a", "talk x"), ("A", "talk d"), ("", "talk e")] {
        let set = action(
            "s",
            "variable_set",
            &format!(r#"{{"key": "choice", "value": "{value}"}}"#),
        );
        let actions = [
            set,
            action("b", "branch", branch),
            talk("d", "d"),
            talk("x", "x"),
            talk("e", "e"),
        ];
        let mut run = Run::on_call(&list(&actions));
        assert_eq!(run.orders(), [said]);
        assert_eq!(run.variable("choice"), "");
    }
    let mut run = Run::on_call(&list(&[
        action("b", "branch", branch),
        talk("d", "d"),
        talk("e", "e"),
    ]));
    assert_eq!(
        run.orders(),
        ["talk e"],
        "a missing variable is the key \"\""
    );
}

#[test]
fn a_branch_to_nowhere_ends_the_flow_as_a_failure() {
    let nil = r#"{"default_target_id": "00000000-0000-0000-0000-000000000000"}"#;
    for (option, target) in [
        ("{}", ""),
        (nil, ""),
        (r#"{"default_target_id": "lost"}"#, "lost"),
    ] {
        let mut run = Run::on_call(&list(&[action("b", "branch", option), talk("a", "after")]));
        assert_eq!(
            run.orders(),
            [format!("failed: action b: no action {target:?} to go to")]
        );
    }
}

#[test]
fn a_goto_jumps_exactly_so_often_and_then_falls_through() {
    for (count, said) in [("0", 1), ("-1", 1), ("1", 2), ("\"3\"", 4)] {
        let goto = action(
            "g",
            "goto",
            &format!(r#"{{"target_id": "a", "loop_count": {count}}}"#),
        );
        let mut run = Run::on_call(&list(&[talk("a", "again"), goto, talk("b", "over")]));
        let mut orders = Vec::new();
        while orders.last().is_none_or(|last| last != "talk over") {
            orders.extend(run.orders());
            run.finish();
        }
        assert_eq!(orders.len(), said + 1, "loop_count {count}: {orders:?}");
    }
    let mut run = Run::on_call(&list(&[
        action("g", "goto", r#"{"target_id": "lost"}"#),
        talk("a", "on"),
    ]));
    assert_eq!(
        run.orders(),
        ["talk on"],
        "no loop_count is no jump, so the target is not looked for"
    );
}

#[test]
fn a_goto_whose_count_is_no_number_when_it_runs_ends_the_flow() {
    let goto = action(
        "g",
        "goto",
        r#"{"target_id": "g", "loop_count": "${times}"}"#,
    );
    let mut run = Run::on_call(&list(&[goto]));
    assert_eq!(
        run.orders(),
        ["failed: action g: an option did not become a whole number"]
    );
}

#[test]
fn a_false_condition_jumps_and_without_a_target_it_ends_the_flow() {
    let condition = |target: &str| {
        let option = r#"{"condition": "==", "variable": "voipbin.call.source.target",
            "value_type": "string", "value_string": "+1666", "false_target_id": "TARGET"}"#;
        action("c", "condition_variable", &option.replace("TARGET", target))
    };
    let mut run = Run::on_call(&list(&[
        condition("f"),
        talk("t", "true"),
        talk("f", "false"),
    ]));
    assert_eq!(run.orders(), ["talk false"]);
    let mut run = Run::on_call(&list(&[condition(""), talk("t", "true")]));
    assert!(run.orders()[0].starts_with("failed: action c: no action"));
    assert_eq!(run.end.unwrap().1, None);
}

#[test]
fn the_status_condition_asks_the_call_as_it_is_now() {
    let condition = action(
        "c",
        "condition_call_status",
        r#"{"status": "progressing", "false_target_id": "f"}"#,
    );
    let actions = list(&[
        condition,
        action("t", "beep", "{}"),
        action("f", "play", r#"{"stream_urls": ["f"]}"#),
    ]);
    let mut run = Run::on_call(&actions);
    assert_eq!(run.orders(), ["beep"]);
    let mut run = Run::new(&flow(&actions), ReferenceType::Call, Limits::default());
    run.flow.start(run.now);
    assert_eq!(run.orders(), ["play f"]);
    assert_eq!(run.variable("voipbin.call.status"), "ringing");
    run.tell(FlowEvent::CallStatus {
        status: CallStatus::Progressing,
    });
    assert_eq!(run.variable("voipbin.call.status"), "progressing");
}

#[test]
fn the_clock_of_a_date_condition_is_the_epochs() {
    let condition = action(
        "c",
        "condition_datetime",
        r#"{"condition": "<", "hour": 1, "weekdays": [4], "false_target_id": "f"}"#,
    );
    let sleep = action("s", "sleep", r#"{"duration": 3600000}"#);
    let actions = list(&[
        condition.clone(),
        sleep,
        condition.replace("\"c\"", "\"d\""),
        talk("t", "true"),
        talk("f", "false"),
    ]);
    let mut run = Run::on_call(&actions);
    run.pass(3_600_000);
    assert_eq!(run.orders(), ["talk false"], "1970-01-01 01:00, a Thursday");
}

#[test]
fn variables_are_filled_in_each_time_an_action_runs() {
    let set = action(
        "s",
        "variable_set",
        r#"{"key": "Provider name", "value": "${voipbin.call.source.target}!${none}"}"#,
    );
    let more = action(
        "m",
        "variable_set",
        r#"{"key": "${Provider name}", "value": "${Provider name}+"}"#,
    );
    let mut run = Run::on_call(&list(&[
        set,
        more,
        talk("t", "Hi ${Provider name} ${+1555!}"),
    ]));
    assert_eq!(run.orders(), ["talk Hi +1555! +1555!+"]);
}

#[test]
fn a_variable_over_its_cap_is_not_set_and_the_flow_goes_on() {
    let long = "x".repeat(MAX_VALUE);
    let set = action(
        "s",
        "variable_set",
        &format!(r#"{{"key": "a", "value": "{long}x"}}"#),
    );
    let double = action("d", "variable_set", r#"{"key": "b", "value": "${b}${b}"}"#);
    let small = action("e", "variable_set", r#"{"key": "b", "value": "xx"}"#);
    let again = action("g", "goto", r#"{"target_id": "d", "loop_count": 300}"#);
    let mut run = Run::on_call(&list(&[set, small, double, again, talk("t", "on")]));
    assert_eq!(run.orders(), ["talk on"]);
    assert_eq!(run.variable("a"), "(none)");
    assert_eq!(run.variable("b").len(), MAX_VALUE);
    let total: usize = run
        .flow
        .variables()
        .iter()
        .map(|(name, value)| name.len() + value.len())
        .sum();
    assert!(total <= MAX_TOTAL);
}

#[test]
fn built_in_variables_tell_of_the_run_and_the_call() {
    let run = Run::on_call("[]");
    for (name, value) in [
        (
            "voipbin.activeflow.id",
            "00000000-0000-0000-0000-000000000009",
        ),
        ("voipbin.activeflow.reference_type", "call"),
        (
            "voipbin.activeflow.reference_id",
            "00000000-0000-0000-0000-000000000007",
        ),
        (
            "voipbin.activeflow.reference_activeflow_id",
            "00000000-0000-0000-0000-000000000000",
        ),
        ("voipbin.activeflow.complete_count", "0"),
        ("voipbin.activeflow.tm_create", "1970-01-01T00:00:00Z"),
        ("voipbin.call.id", "00000000-0000-0000-0000-000000000007"),
        ("voipbin.call.caller_id", "+1555"),
        ("voipbin.call.source.target", "+1555"),
        ("voipbin.call.source.name", ""),
        ("voipbin.call.destination.number", "menu"),
        ("voipbin.call.direction", "incoming"),
        (
            "voipbin.call.master_call_id",
            "00000000-0000-0000-0000-000000000000",
        ),
        ("voipbin.call.digits", ""),
        ("voipbin.call.status", "progressing"),
    ] {
        assert_eq!(run.variable(name), value, "{name}");
    }
    assert_eq!(
        run.variable("voipbin.activeflow.flow_id"),
        &**run.flow.flow_id()
    );
}
