//! Actions that call others or join them: connections, calls, conferences, queues.

use super::*;
use crate::flow::outward::{CallFlow, QueuePlace};

fn place(wait_flow_id: Option<&str>) -> QueuePlace {
    QueuePlace {
        name: "sales".to_owned(),
        wait_flow_id: wait_flow_id.map(str::to_owned),
        confbridge_id: "b".to_owned(),
        ..QueuePlace::default()
    }
}

/// A call in a queue whose wait flow is `wait`, standing in its first turn; with the order's id.
fn queued(wait: &str) -> (Run, FlowCommandId, Arc<Flow>) {
    let mut run = Run::on_call(&list(&[
        action("q", "queue_join", r#"{"queue_id": "q"}"#),
        talk("after", "after"),
        talk("end", "end"),
    ]));
    assert_eq!(run.orders(), ["queue q"]);
    let command = run.last;
    run.tell(FlowEvent::Queued {
        command,
        place: place(Some("wait")),
    });
    (run, command, Arc::new(flow(wait)))
}

fn found(run: &mut Run, flow: &Arc<Flow>) {
    assert_eq!(run.orders(), ["fetch wait"]);
    run.tell(FlowEvent::Fetched {
        command: run.last,
        flow: Some(flow.clone()),
    });
}

const CONNECT: &str =
    r#"{"relay_reason": true, "destinations": [{"type": "tel", "target": "+1"}]}"#;

#[test]
fn a_connection_that_ends_goes_on_and_one_that_cannot_begin_ends_the_flow() {
    let connect = action(
        "c",
        "connect",
        r#"{"destinations": [{"type": "tel", "target": "+1"}]}"#,
    );
    let actions = list(&[connect, talk("t", "nobody came")]);
    let mut run = Run::on_call(&actions);
    run.orders();
    run.finish();
    assert_eq!(run.orders(), ["talk nobody came"]);
    let mut run = Run::on_call(&actions);
    run.orders();
    run.fail();
    assert_eq!(run.orders(), ["failed: action c: no"]);
    for nobody in [
        "{}",
        r#"{"destinations": [{"type": "tel", "target": "${none}"}]}"#,
    ] {
        let mut run = Run::on_call(&list(&[action("c", "connect", nobody)]));
        assert_eq!(run.orders(), ["failed: action c: there is nobody to call"]);
    }
}

#[test]
fn a_connection_that_relays_hangs_up_as_the_first_called_one_was() {
    let mut run = Run::on_call(&list(&[
        action("c", "connect", CONNECT),
        talk("t", "never"),
    ]));
    run.orders();
    let command = run.last;
    let calls = vec![CallId(Uuid::from_u128(31)), CallId(Uuid::from_u128(32))];
    run.tell(FlowEvent::Dialed { command, calls });
    run.finish();
    assert_eq!(
        run.orders(),
        ["hangup as 00000000-0000-0000-0000-00000000001f"]
    );
    run.tell(FlowEvent::CallEnded);
    assert_eq!(run.orders(), ["call ended"]);
    let mut run = Run::on_call(&list(&[
        action("c", "connect", CONNECT),
        talk("t", "a group"),
    ]));
    run.orders();
    run.finish();
    assert_eq!(
        run.orders(),
        ["talk a group"],
        "a group has no cause to relay"
    );
}

#[test]
fn the_actions_of_a_new_call_speak_of_the_flow_that_made_it() {
    let inner = list(&[
        talk("t", "for ${name} from ${voipbin.call.id}"),
        action("s", "variable_set", r#"{"key": "name", "value": "child"}"#),
        talk("u", "${name}"),
        action(
            "b",
            "branch",
            r#"{"variable": "name", "target_ids": {"child": "e"}}"#,
        ),
        action("x", "stop", "{}"),
        talk("e", "by the name of its own"),
    ]);
    let call =
        format!(r#"{{"destinations": [{{"type": "tel", "target": "+1"}}], "actions": {inner}}}"#);
    let set = action(
        "s",
        "variable_set",
        r#"{"key": "name", "value": "${secret}"}"#,
    );
    let cut = action("n", "variable_set", r#"{"key": "name", "value": "Bob"}"#);
    let mut run = Run::on_call(&list(&[
        set,
        cut,
        action("c", "call", &call),
        talk("t", "on"),
    ]));
    assert_eq!(run.orders(), ["call +1"]);
    run.finish();
    assert_eq!(run.orders(), ["talk on"]);
    let Some(CallFlow::Inline(made)) = run.calls.take().map(|calls| calls.flow) else {
        panic!("an inline flow");
    };
    let mut child = Run::new(&made, ReferenceType::Call, Limits::default());
    child.tell(FlowEvent::CallStatus {
        status: CallStatus::Progressing,
    });
    child.flow.start(child.now);
    assert_eq!(
        child.orders(),
        ["talk for Bob from 00000000-0000-0000-0000-000000000007"]
    );
    child.finish();
    assert_eq!(
        child.orders(),
        ["talk Bob"],
        "a placeholder is the parent's"
    );
    child.finish();
    assert_eq!(
        child.orders(),
        ["talk by the name of its own"],
        "a name is the child's"
    );
}

#[test]
fn a_flow_id_goes_before_actions_and_a_call_that_cannot_be_made_ends_the_flow() {
    let call = r#"{"destinations": [{"type": "tel", "target": "+1"}], "flow_id": "f", "actions": [], "chained": true}"#;
    let mut run = Run::on_call(&list(&[action("c", "call", call)]));
    run.orders();
    let calls = run.calls.take().unwrap();
    assert!(matches!(&calls.flow, CallFlow::Stored(id) if id == "f") && calls.chained);
    run.fail();
    assert_eq!(run.orders(), ["failed: action c: no"]);
}

#[test]
fn a_conference_introduces_itself_before_its_bridge() {
    let join = action("c", "conference_join", r#"{"conference_id": "c"}"#);
    let mut run = Run::on_call(&list(&[join.clone(), talk("t", "after")]));
    run.orders();
    run.tell(FlowEvent::ConferenceFound {
        command: run.last,
        confbridge_id: "b".to_owned(),
        pre_flow_id: Some("intro".to_owned()),
    });
    assert_eq!(run.orders(), ["fetch intro"]);
    run.tell(FlowEvent::Fetched {
        command: run.last,
        flow: Some(Arc::new(flow(&list(&[talk("i", "welcome")])))),
    });
    assert_eq!(run.orders(), ["talk welcome"]);
    run.finish();
    assert_eq!(run.orders(), ["bridge b"]);
    run.finish();
    assert_eq!(run.orders(), ["talk after"]);
    let mut run = Run::on_call(&list(&[join]));
    run.orders();
    run.fail();
    assert_eq!(run.orders(), ["failed: action c: no"]);
}

#[test]
fn the_wait_flow_of_a_queue_repeats_beyond_every_limit_of_executions() {
    let (mut run, command, wait) = queued(&list(&[talk("m", "please wait")]));
    for _ in 0..300 {
        found(&mut run, &wait);
        assert_eq!(run.orders(), ["talk please wait"]);
        run.finish();
    }
    found(&mut run, &wait);
    run.orders();
    let music = run.last;
    run.tell(FlowEvent::QueueServed { command });
    assert_eq!(
        run.orders(),
        [format!("cancel {}", music.0), "bridge b".to_owned()]
    );
    run.tell(FlowEvent::QueueServed { command });
    assert_eq!(run.orders(), [""; 0], "served once");
    run.finish();
    let bridge = format!("cancel {}", command.0);
    assert_eq!(run.orders(), [bridge, "talk after".to_owned()]);
    assert_eq!(run.variable("voipbin.queue.name"), "(none)");
    run.tell(FlowEvent::Finished {
        command,
        outcome: FlowOutcome::Done,
    });
    assert_eq!(
        run.orders(),
        [""; 0],
        "the end of the place is stale by then"
    );
}

#[test]
fn a_place_that_is_given_up_goes_on_behind_the_queue() {
    let (mut run, command, wait) = queued(&list(&[talk("m", "please wait")]));
    found(&mut run, &wait);
    run.orders();
    let music = run.last;
    run.tell(FlowEvent::Finished {
        command,
        outcome: FlowOutcome::Done,
    });
    assert_eq!(
        run.orders(),
        [format!("cancel {}", music.0), "talk after".to_owned()]
    );
    run.tell(FlowEvent::QueueServed { command });
    assert_eq!(run.orders(), [""; 0]);
    let mut run = Run::on_call(&list(&[action("q", "queue_join", "{}"), talk("t", "on")]));
    run.orders();
    run.fail();
    assert_eq!(
        run.orders(),
        ["failed: action q: no"],
        "there is no such queue"
    );
}

#[test]
fn a_wait_flow_that_waits_for_nothing_or_is_nowhere_is_plain_waiting() {
    let (mut run, command, wait) = queued(r#"[{"type": "empty"}]"#);
    found(&mut run, &wait);
    assert_eq!(
        run.orders(),
        [""; 0],
        "it is begun once, and not again in the same turn"
    );
    run.tell(FlowEvent::QueueServed { command });
    assert_eq!(run.orders(), ["bridge b"]);
    let (mut run, command, _) = queued("[]");
    run.orders();
    run.tell(FlowEvent::Fetched {
        command: run.last,
        flow: None,
    });
    assert_eq!(run.orders(), [""; 0]);
    run.tell(FlowEvent::Finished {
        command,
        outcome: FlowOutcome::Done,
    });
    assert_eq!(run.orders(), ["talk after"]);
}

#[test]
fn a_wait_flow_that_jumps_out_gives_up_the_place() {
    let goto = action("g", "goto", r#"{"target_id": "end", "loop_count": 1}"#);
    let (mut run, command, wait) = queued(&list(&[goto]));
    found(&mut run, &wait);
    assert_eq!(
        run.orders(),
        [format!("cancel {}", command.0), "talk end".to_owned()]
    );
    assert_eq!(run.variable("voipbin.queuecall.id"), "(none)");
}

#[test]
fn a_call_that_is_being_hung_up_is_served_by_nobody_and_goes_nowhere() {
    let (mut run, command, wait) = queued(&list(&[action("h", "hangup", "{}")]));
    found(&mut run, &wait);
    assert_eq!(run.orders(), ["hangup normal"]);
    run.tell(FlowEvent::QueueServed { command });
    run.tell(FlowEvent::Finished {
        command,
        outcome: FlowOutcome::Done,
    });
    assert_eq!(run.orders(), [""; 0]);
    run.tell(FlowEvent::CallEnded);
    assert_eq!(run.orders(), ["call ended"]);
}

#[test]
fn external_media_may_state_its_two_ways_each_by_itself() {
    let start = |option| {
        let mut run = Run::on_call(&list(&[action("e", "external_media_start", option)]));
        run.orders()
    };
    assert_eq!(start("{}"), ["external media  ulaw Some(Both) Some(Both)"]);
    assert_eq!(
        start(r#"{"direction_listen": "in"}"#),
        ["external media  ulaw Some(In) None"]
    );
}
