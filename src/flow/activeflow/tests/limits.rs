//! Loops end, and the end says at which limit.

use super::*;

fn forever(actions: &[String]) -> String {
    let mut actions = actions.to_vec();
    actions.push(action(
        "g",
        "goto",
        r#"{"target_id": "a", "loop_count": 1000000}"#,
    ));
    list(&actions)
}

#[test]
fn a_loop_without_a_wait_ends_at_1000_steps() {
    let mut run = Run::on_call(&forever(&[action("a", "empty", "{}")]));
    assert_eq!(
        run.orders(),
        ["failed: limit of 1000 steps without a wait passed"]
    );
    assert_eq!(run.flow.executed_actions().count(), 1000);
    let goto = action("a", "goto", r#"{"target_id": "a", "loop_count": 1000000}"#);
    let mut run = Run::on_call(&list(&[goto]));
    assert_eq!(
        run.orders(),
        ["failed: limit of 1000 steps without a wait passed"]
    );
}

#[test]
fn exactly_1000_steps_are_allowed() {
    let actions = |count| list(&vec![r#"{"type": "empty"}"#.to_owned(); count]);
    assert_eq!(Run::on_call(&actions(1000)).orders(), ["finished"]);
    assert_eq!(
        Run::on_call(&actions(1001)).orders()[0],
        "failed: limit of 1000 steps without a wait passed"
    );
}

#[test]
fn a_loop_with_a_wait_ends_at_100_executions() {
    let mut run = Run::on_call(&forever(&[action("a", "sleep", r#"{"duration": 1000}"#)]));
    run.pass(99_000);
    assert_eq!(run.orders(), [""; 0]);
    run.pass(1_000);
    assert_eq!(
        run.orders(),
        ["failed: limit of 100 executions of one activeflow passed"]
    );
}

#[test]
fn steps_are_counted_anew_after_each_wait() {
    let mut actions = vec![action("s", "sleep", r#"{"duration": 1}"#)];
    actions.extend(vec![r#"{"type": "empty"}"#.to_owned(); 900]);
    let twice = [actions.clone(), actions].concat();
    let mut run = Run::on_call(&list(&twice));
    run.pass(10);
    assert_eq!(run.orders(), ["finished"]);
}

#[test]
fn an_answer_that_only_begins_something_is_no_new_execution() {
    let mut run = Run::on_call(&forever(&[action("a", "answer", "{}")]));
    let mut answers = 0;
    while run.end.is_none() {
        answers += run.orders().len();
        run.finish();
    }
    assert_eq!(answers, 501, "500 answers and the end, at 1000 steps");
}

#[test]
fn limits_are_what_their_owner_says() {
    let limits = Limits {
        executions: 2,
        steps: 3,
        ..Limits::default()
    };
    let sleeping = flow(&forever(&[action("a", "sleep", r#"{"duration": 1}"#)]));
    let mut run = Run::new(&sleeping, ReferenceType::Call, limits);
    run.flow.start(run.now);
    run.pass(10);
    assert_eq!(
        run.orders(),
        ["failed: limit of 2 executions of one activeflow passed"]
    );
    let empty = flow(&forever(&[action("a", "empty", "{}")]));
    let mut run = Run::new(&empty, ReferenceType::Call, limits);
    run.flow.start(run.now);
    assert_eq!(
        run.orders(),
        ["failed: limit of 3 steps without a wait passed"]
    );
}

#[test]
fn a_flow_that_fetches_itself_ends_at_100_stacks() {
    let itself = Arc::new(flow(&list(&[action(
        "f",
        "fetch_flow",
        r#"{"flow_id": "itself"}"#,
    )])));
    let mut run = Run::new(&itself, ReferenceType::Call, Limits::default());
    run.flow.start(run.now);
    let mut fetched = 0;
    while run.orders() == ["fetch itself"] {
        fetched += 1;
        run.tell(FlowEvent::Fetched {
            command: run.last,
            flow: Some(itself.clone()),
        });
    }
    assert_eq!(fetched, 101);
    assert!(matches!(
        run.end,
        Some((
            FlowEnd::Failed {
                why: FlowFailure::Limit {
                    limit: Limit::Stacks(100)
                }
            },
            None
        ))
    ));
}

#[test]
fn a_flow_that_follows_itself_runs_five_times_with_counts_zero_to_four() {
    let itself = flow(
        r#"{"on_complete_flow_id": "itself", "actions": [{"type": "talk"}, {"type": "sleep", "option": {"duration": 5}}]}"#,
    );
    let epoch = Epoch::new(sim::start(), SystemTime::UNIX_EPOCH);
    let mut run = Run::new(&itself, ReferenceType::Call, Limits::default());
    run.tell(FlowEvent::CallStatus {
        status: CallStatus::Progressing,
    });
    run.flow.start(run.now);
    run.tell(FlowEvent::CallEnded);
    let mut counts = Vec::new();
    loop {
        run.orders();
        counts.push(run.variable("voipbin.activeflow.complete_count").to_owned());
        let Some((_, Some(next))) = run.end.take() else {
            break;
        };
        let parent = next.parent.to_string();
        let id = ActiveflowId(Uuid::from_u128(100 + u128::from(next.complete_count)));
        run.flow = Activeflow::following(
            id,
            &itself,
            reference(ReferenceType::Call),
            next,
            epoch,
            Limits::default(),
            Rng::from_number(3),
        );
        run.tell(FlowEvent::CallStatus {
            status: CallStatus::Hangup,
        });
        run.flow.start(run.now);
        assert_eq!(
            run.variable("voipbin.activeflow.reference_activeflow_id"),
            parent
        );
        assert_eq!(run.variable("voipbin.call.status"), "hangup");
        assert!(
            run.flow.is_ended(),
            "media actions of a call that is over are passed over"
        );
    }
    assert_eq!(counts, ["0", "1", "2", "3", "4"]);
}
