//! What users of VoIPBIN know a flow to do, beyond the tutorial's menu.

use super::*;
use crate::flow::outward::MachineResult;
use crate::flow::reference::MessageVariables;
use crate::flow::variable::injected;

/// A run that a message has started.
fn by_message(actions: &[String], text: &str) -> Run {
    let address = |target: &str| crate::flow::Address {
        kind: "tel".to_owned(),
        target: target.to_owned(),
        ..Default::default()
    };
    let message = MessageVariables {
        conversation: Uuid::from_u128(7),
        owner: Uuid::nil(),
        id: Uuid::from_u128(8),
        text: text.to_owned(),
        own: address("+100"),
        peer: address("+200"),
        is_incoming: true,
    };
    let mut run = Run::new(&flow("[]"), ReferenceType::Conversation, Limits::default());
    run.flow = Activeflow::new(
        ActiveflowId(Uuid::from_u128(9)),
        &flow(&list(actions)),
        reference(ReferenceType::Conversation),
        message.to_pairs(),
        Epoch::new(sim::start(), SystemTime::UNIX_EPOCH),
        Limits::default(),
        Rng::from_number(3),
    );
    run.flow.start(run.now);
    run
}

#[test]
fn a_message_branches_by_its_text_word_for_word() {
    let branch = r#"{"variable": "voipbin.message.text", "default_target_id": "d",
        "target_ids": {"call me": "c", "text me": "t"}}"#;
    let answer = |id, text: &str| {
        let option = format!(
            r#"{{"source": {{"target": "${{voipbin.message.destination.number}}"}},
                "destinations": [{{"type": "tel", "target": "${{voipbin.message.source.number}}"}}], "text": "{text}"}}"#
        );
        action(id, "message_send", &option)
    };
    let actions = [
        action("a", "answer", "{}"),
        action("b", "branch", branch),
        answer("d", "what?"),
        action("s", "stop", "{}"),
        answer("c", "calling"),
        action("s2", "stop", "{}"),
        answer("t", "texting"),
    ];
    for (text, orders) in [
        ("call me", ["message +100 +200 calling", "stopped"]),
        ("text me", ["message +100 +200 texting", "finished"]),
        ("Call me", ["message +100 +200 what?", "stopped"]),
    ] {
        let mut run = by_message(&actions, text);
        assert_eq!(run.orders(), orders);
        assert_eq!(
            run.variable("voipbin.message.text"),
            "",
            "branch empties it"
        );
        for (name, value) in [
            ("voipbin.conversation_message.text", text),
            ("voipbin.conversation_message.direction", "incoming"),
            ("voipbin.conversation.peer.target", "+200"),
            ("voipbin.conversation.self.target", "+100"),
            ("voipbin.activeflow.reference_type", "conversation"),
        ] {
            assert_eq!(run.variable(name), value);
        }
    }
}

#[test]
fn two_fetched_actions_run_in_order_and_then_the_flow_goes_on() {
    let mut run = Run::on_call(&list(&[
        action("f", "fetch", r#"{"event_url": "https://h/"}"#),
        talk("t", "back"),
    ]));
    run.orders();
    let body = br#"[{"type": "talk", "option": {"text": "one"}}, {"type": "talk", "option": {"text": "two"}}]"#;
    run.tell(FlowEvent::FetchedActions {
        command: run.last,
        body: Ok(bytes::Bytes::from_static(body)),
    });
    for said in ["talk one", "talk two", "talk back", "finished"] {
        assert_eq!(run.orders(), [said]);
        run.finish();
    }
}

#[test]
fn a_next_id_skips_what_stands_between() {
    let skip = r#"{"id": "a", "next_id": "c", "type": "empty"}"#.to_owned();
    let mut run = Run::on_call(&list(&[skip, talk("b", "skipped"), talk("c", "here")]));
    assert_eq!(run.orders(), ["talk here"]);
}

#[test]
fn a_caller_whom_nobody_answers_leaves_a_message() {
    let actions = list(&[
        action(
            "c",
            "connect",
            r#"{"destinations": [{"type": "tel", "target": "+1"}]}"#,
        ),
        action(
            "s",
            "condition_call_status",
            r#"{"status": "progressing", "false_target_id": "v"}"#,
        ),
        action("h", "hangup", "{}"),
        talk("v", "leave a message"),
        action("b", "beep", "{}"),
        action("r", "recording_start", r#"{"beep_start": true}"#),
        action("w", "sleep", r#"{"duration": 10000}"#),
        action("e", "hangup", "{}"),
    ]);
    let mut run = Run::new(&flow(&actions), ReferenceType::Call, Limits::default());
    run.flow.start(run.now);
    for order in [
        "connect +1",
        "answer",
        "talk leave a message",
        "beep",
        "record",
    ] {
        assert_eq!(run.orders(), [order]);
        run.finish();
    }
    run.pass(9_999);
    assert_eq!(run.orders(), [""; 0]);
    run.pass(1);
    assert_eq!(run.orders(), ["hangup normal"]);
    let mut run = Run::new(&flow(&actions), ReferenceType::Call, Limits::default());
    run.flow.start(run.now);
    run.orders();
    run.tell(FlowEvent::CallStatus {
        status: CallStatus::Progressing,
    });
    run.finish();
    assert_eq!(
        run.orders(),
        ["hangup normal"],
        "after a talk there is no voicemail"
    );
}

#[test]
fn variables_that_come_with_a_request_are_there_and_the_engines_own_cannot() {
    let pairs = [
        ("who", "Bob"),
        ("voipbin.activeflow.id", "mine"),
        ("VOIPBIN.x", "1"),
    ];
    let pairs = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let mut run = Run::new(&flow("[]"), ReferenceType::Api, Limits::default());
    run.flow = Activeflow::new(
        ActiveflowId(Uuid::from_u128(9)),
        &flow(&list(&[action("b", "block", "{}")])),
        reference(ReferenceType::Api),
        injected(pairs).unwrap(),
        Epoch::new(sim::start(), SystemTime::UNIX_EPOCH),
        Limits::default(),
        Rng::from_number(3),
    );
    run.flow.start(run.now);
    assert_eq!(
        (run.variable("who"), run.variable("VOIPBIN.x")),
        ("Bob", "(none)")
    );
    assert_eq!(
        run.variable("voipbin.activeflow.id"),
        run.flow.id().to_string()
    );
}

#[test]
fn what_is_asked_for_outside_leaves_the_cursor_where_it_is() {
    let mut run = Run::on_call(&list(&[talk("t", "hi"), talk("z", "next")]));
    run.orders();
    let recording = Recording {
        id: RecordingId(Uuid::nil()),
        name: String::new(),
        filenames: Vec::new(),
        format: RecordingFormat::Wav,
    };
    for event in [
        FlowEvent::RecordingStarted { recording },
        FlowEvent::RecordingEnded,
        FlowEvent::TranscribeStarted {
            id: Uuid::nil(),
            language: String::new(),
            direction: crate::flow::Direction::Both,
        },
        FlowEvent::Finished {
            command: FlowCommandId(1_000),
            outcome: FlowOutcome::Done,
        },
        FlowEvent::MachineDetected {
            command: run.last,
            result: MachineResult::Machine,
        },
        FlowEvent::CallStatus {
            status: CallStatus::Progressing,
        },
    ] {
        run.tell(event);
        assert_eq!(run.orders(), [""; 0]);
    }
    run.finish();
    assert_eq!(run.orders(), ["talk next"]);
}
