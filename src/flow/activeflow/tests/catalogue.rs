//! Every type of action: what it orders, what ends it, where it leads, what it sets.

use super::*;
use crate::flow::outward::{Direction, MachineResult, QueuePlace};

/// One type of action, before a `block` that shows that the cursor has moved.
struct Row {
    kind: &'static str,
    option: &'static str,
    on: ReferenceType,
    /// What it orders at once.
    orders: &'static [&'static str],
    /// What ends it.
    ends: fn(&mut Run),
    leads: Leads,
    /// Variables afterwards.
    sets: &'static [(&'static str, &'static str)],
}

enum Leads {
    /// To the next action, ordering this on the way.
    On(&'static [&'static str]),
    /// To the end.
    Over(&'static str),
    /// To a `stop` elsewhere.
    Away,
}

use Leads::{Away, On, Over};
use ReferenceType::{Api, Call};

fn at_once(_: &mut Run) {}

fn when_done(run: &mut Run) {
    run.finish();
}

fn with_the_call(run: &mut Run) {
    run.tell(FlowEvent::CallEnded);
}

fn told(event: FlowEvent) -> FlowEvent {
    event
}

fn queue_place(wait_flow_id: Option<&str>) -> QueuePlace {
    QueuePlace {
        id: Uuid::from_u128(21),
        queue_id: Uuid::from_u128(22),
        name: "sales".to_owned(),
        detail: String::new(),
        timeout_wait: Duration::from_secs(60),
        timeout_service: Duration::ZERO,
        wait_flow_id: wait_flow_id.map(str::to_owned),
        confbridge_id: "b".to_owned(),
    }
}

#[rustfmt::skip] // one action, one line
const ROWS: &[Row] = &[
    Row { kind: "agent_call", option: r#"{"agent_id": "eb1a"}"#, on: Call, orders: &["connect eb1a"], ends: when_done, leads: On(&[]), sets: &[] },
    Row {
        kind: "ai_summary",
        option: r#"{"reference_type": "call", "reference_id": "7"}"#,
        on: Api,
        orders: &["summarize call 7"],
        ends: |run| {
            let summary = crate::flow::AiSummary {
                reference_type: "call".to_owned(),
                reference_id: "7".to_owned(),
                ..Default::default()
            };
            run.tell(told(FlowEvent::SummaryMade {
                id: Uuid::nil(),
                summary,
                content: "short".to_owned(),
            }));
        },
        leads: On(&[]),
        sets: &[
            ("voipbin.ai_summary.content", "short"),
            ("voipbin.ai_summary.reference_id", "7"),
            ("voipbin.ai_summary.id", NIL),
            ("voipbin.ai_summary.language", ""),
            ("voipbin.ai_summary.reference_type", "call"),
        ],
    },
    Row {
        kind: "ai_talk",
        option: r#"{"assistance_id": "x", "duration": 60}"#,
        on: Call,
        orders: &["ai talk x Some(60s)"],
        ends: |run| {
            run.tell(FlowEvent::AiTalkStarted {
                id: Uuid::nil(),
                assistant: "x".to_owned(),
                model: "m".to_owned(),
                language: "en".to_owned(),
            });
            assert_eq!(run.variable("voipbin.aicall.status"), "progressing");
            run.finish();
        },
        leads: On(&[]),
        sets: &[
            ("voipbin.aicall.ai_id", "x"),
            ("voipbin.aicall.ai_engine_model", "m"),
            ("voipbin.aicall.status", "terminated"),
            ("voipbin.aicall.stt_language", "en"),
            ("voipbin.aicall.id", NIL),
            ("voipbin.aicall.confbridge_id", NIL),
            ("voipbin.aicall.pipecatcall_id", NIL),
        ],
    },
    Row { kind: "ai_task", option: r#"{"ai_id": "x"}"#, on: Api, orders: &["ai task x"], ends: when_done, leads: On(&[]), sets: &[] },
    Row {
        kind: "amd",
        option: r#"{"machine_handle": "continue", "sync": true}"#,
        on: Call,
        orders: &["detect true"],
        ends: |run| {
            run.tell(FlowEvent::MachineDetected {
                command: run.last,
                result: MachineResult::Machine,
            });
        },
        leads: On(&[]),
        sets: &[("voipbin.amd.result", "machine")],
    },
    Row { kind: "answer", option: "{}", on: Call, orders: &["answer"], ends: when_done, leads: On(&[]), sets: &[("voipbin.call.status", "progressing")] },
    Row { kind: "beep", option: "{}", on: Call, orders: &["beep"], ends: when_done, leads: On(&[]), sets: &[] },
    Row {
        kind: "block",
        option: "{}",
        on: Call,
        orders: &[],
        ends: |run| {
            run.tell(FlowEvent::Resume {
                current_action: ActionId::parse("a"),
            })
        },
        leads: On(&[]),
        sets: &[],
    },
    Row { kind: "branch", option: r#"{"variable": "v", "target_ids": {"1": "s"}}"#, on: Api, orders: &["stopped"], ends: at_once, leads: Away, sets: &[("v", "")] },
    Row { kind: "call", option: r#"{"destinations": [{"type": "tel", "target": "+1"}], "flow_id": "f"}"#, on: Api, orders: &["call +1"], ends: when_done, leads: On(&[]), sets: &[] },
    Row { kind: "case_create", option: "{}", on: Api, orders: &[], ends: at_once, leads: On(&[]), sets: &[("contact_case_id", "(none)")] },
    Row { kind: "chatbot_talk", option: r#"{"chatbot_id": "x"}"#, on: Call, orders: &["ai talk x None"], ends: when_done, leads: On(&[]), sets: &[] },
    Row { kind: "condition_call_digits", option: r#"{"length": 1, "false_target_id": "s"}"#, on: Call, orders: &["stopped"], ends: at_once, leads: Away, sets: &[] },
    Row { kind: "condition_call_status", option: r#"{"status": "ringing", "false_target_id": "s"}"#, on: Call, orders: &["stopped"], ends: at_once, leads: Away, sets: &[] },
    Row { kind: "condition_datetime", option: r#"{"condition": "==", "month": 1, "false_target_id": "s"}"#, on: Api, orders: &[], ends: at_once, leads: On(&[]), sets: &[] },
    Row { kind: "condition_variable", option: r#"{"condition": "==", "variable": "v", "value_type": "string", "value_string": "2", "false_target_id": "s"}"#, on: Api, orders: &["stopped"], ends: at_once, leads: Away, sets: &[("v", "1")] },
    Row { kind: "confbridge_join", option: r#"{"confbridge_id": "b"}"#, on: Call, orders: &["bridge b"], ends: when_done, leads: On(&[]), sets: &[] },
    Row {
        kind: "conference_join",
        option: r#"{"conference_id": "c"}"#,
        on: Call,
        orders: &["conference c"],
        ends: |run| {
            run.tell(FlowEvent::ConferenceFound {
                command: run.last,
                confbridge_id: "b".to_owned(),
                pre_flow_id: None,
            });
            assert_eq!(run.orders(), ["bridge b"]);
            run.finish();
        },
        leads: On(&[]),
        sets: &[],
    },
    Row { kind: "connect", option: r#"{"destinations": [{"type": "tel", "target": "+1"}, {"type": "tel", "target": "+2"}]}"#, on: Call, orders: &["connect +1,+2"], ends: when_done, leads: On(&[]), sets: &[] },
    Row { kind: "conversation_send", option: r#"{"conversation_id": "c", "text": "hi ${v}", "sync": true}"#, on: Api, orders: &["say true c hi 1"], ends: when_done, leads: On(&[]), sets: &[] },
    Row {
        kind: "digits_receive",
        option: r##"{"duration": 5000, "key": "#"}"##,
        on: Call,
        orders: &[],
        ends: |run| run.press("12#"),
        leads: On(&[]),
        sets: &[("voipbin.call.digits", "12#")],
    },
    Row { kind: "digits_send", option: r##"{"digits": "1#", "duration": 100, "interval": 50}"##, on: Call, orders: &["send 1# 100 50"], ends: when_done, leads: On(&[]), sets: &[] },
    Row { kind: "echo", option: r#"{"duration": 1000}"#, on: Call, orders: &["echo 1000 false"], ends: when_done, leads: On(&[]), sets: &[] },
    Row { kind: "email_send", option: r#"{"destinations": [{"type": "email", "target": "a@b.org"}], "subject": "s${v}", "content": "c", "attachments": [{"reference_type": "recording", "reference_id": "b8573f30-b031-11ed-ac05-3bc9a62e64c3"}]}"#, on: Api, orders: &["email a@b.org s1 c 1"], ends: at_once, leads: On(&[]), sets: &[] },
    Row { kind: "empty", option: "{}", on: Api, orders: &[], ends: at_once, leads: On(&[]), sets: &[] },
    Row { kind: "external_media_start", option: r#"{"external_host": "h:1", "direction": "in"}"#, on: Call, orders: &["external media h:1 ulaw Some(In) Some(In)"], ends: when_done, leads: On(&[]), sets: &[] },
    Row { kind: "external_media_stop", option: "{}", on: Call, orders: &["stop external media"], ends: when_done, leads: On(&[]), sets: &[] },
    Row {
        kind: "fetch",
        option: r#"{"event_url": "https://h/${v}", "event_method": "post"}"#,
        on: Api,
        orders: &[concat!(
            "POST https://h/1 ",
            r#"{"activeflow_id":"00000000-0000-0000-0000-000000000009","reference_id":"00000000-0000-0000-0000-000000000007"}"#
        )],
        ends: |run| {
            let body = Ok(bytes::Bytes::from_static(
                br#"[{"type": "variable_set", "option": {"key": "f", "value": "2"}}]"#,
            ));
            run.tell(FlowEvent::FetchedActions {
                command: run.last,
                body,
            });
        },
        leads: On(&[]),
        sets: &[("f", "2")],
    },
    Row {
        kind: "fetch_flow",
        option: r#"{"flow_id": "f"}"#,
        on: Api,
        orders: &["fetch f"],
        ends: |run| {
            let inner = flow(&list(&[action(
                "i",
                "variable_set",
                r#"{"key": "f", "value": "3"}"#,
            )]));
            run.tell(FlowEvent::Fetched {
                command: run.last,
                flow: Some(Arc::new(inner)),
            });
        },
        leads: On(&[]),
        sets: &[("f", "3")],
    },
    Row { kind: "goto", option: r#"{"target_id": "s", "loop_count": 1}"#, on: Api, orders: &["stopped"], ends: at_once, leads: Away, sets: &[] },
    Row { kind: "hangup", option: r#"{"reason": "busy"}"#, on: Call, orders: &["hangup busy"], ends: with_the_call, leads: Over("call ended"), sets: &[("voipbin.call.status", "hangup")] },
    Row { kind: "hangup_relay", option: r#"{"reference_id": "b8573f30-b031-11ed-ac05-3bc9a62e64c3"}"#, on: Call, orders: &["hangup as b8573f30-b031-11ed-ac05-3bc9a62e64c3"], ends: with_the_call, leads: Over("call ended"), sets: &[("voipbin.call.status", "hangup")] },
    Row { kind: "message_send", option: r#"{"source": {"type": "tel", "target": "+1"}, "destinations": [{"type": "tel", "target": "+2"}], "text": "hi ${v}"}"#, on: Api, orders: &["message +1 +2 hi 1"], ends: at_once, leads: On(&[]), sets: &[] },
    Row { kind: "mute", option: "{}", on: Call, orders: &["mute both"], ends: when_done, leads: On(&[]), sets: &[] },
    Row { kind: "play", option: r#"{"stream_urls": ["https://h/${v}.wav"]}"#, on: Call, orders: &["play https://h/1.wav"], ends: when_done, leads: On(&[]), sets: &[] },
    Row {
        kind: "queue_join",
        option: r#"{"queue_id": "q"}"#,
        on: Call,
        orders: &["queue q"],
        ends: |run| {
            let command = run.last;
            run.tell(FlowEvent::Queued {
                command,
                place: queue_place(None),
            });
            for (name, value) in [
                ("voipbin.queue.name", "sales"),
                ("voipbin.queue.detail", ""),
                ("voipbin.queuecall.timeout_wait", "60000"),
                ("voipbin.queuecall.timeout_service", "0"),
            ] {
                assert_eq!(run.variable(name), value);
            }
            run.tell(FlowEvent::QueueServed { command });
            assert_eq!(run.orders(), ["bridge b"]);
            run.finish();
        },
        leads: On(&["cancel 1"]),
        sets: &[
            ("voipbin.queue.name", "(none)"),
            ("voipbin.queuecall.id", "(none)"),
        ],
    },
    Row {
        kind: "recording_start",
        option: "{}",
        on: Call,
        orders: &["record"],
        ends: |run| {
            run.tell(FlowEvent::RecordingStarted {
                recording: Recording {
                    id: RecordingId(Uuid::nil()),
                    name: "r".to_owned(),
                    filenames: vec!["r_in.wav".to_owned(), "r_out.wav".to_owned()],
                    format: RecordingFormat::Wav,
                },
            })
        },
        leads: On(&[]),
        sets: &[
            ("voipbin.recording.id", NIL),
            ("voipbin.recording.recording_name", "r"),
            ("voipbin.recording.filenames", "r_in.wav,r_out.wav"),
            ("voipbin.recording.format", "wav"),
            ("voipbin.recording.reference_type", "call"),
        ],
    },
    Row { kind: "recording_stop", option: "{}", on: Call, orders: &["stop recording"], ends: when_done, leads: On(&[]), sets: &[] },
    Row {
        kind: "sleep",
        option: r#"{"duration": 1000}"#,
        on: Call,
        orders: &[],
        ends: |run| run.pass(1000),
        leads: On(&[]),
        sets: &[],
    },
    Row { kind: "stop", option: "{}", on: Api, orders: &["stopped"], ends: at_once, leads: Away, sets: &[] },
    Row { kind: "stream_echo", option: "{}", on: Call, orders: &["echo 180000 true"], ends: when_done, leads: On(&[]), sets: &[] },
    Row { kind: "talk", option: r#"{"text": "hi ${v}"}"#, on: Call, orders: &["talk hi 1"], ends: when_done, leads: On(&[]), sets: &[] },
    Row { kind: "transcribe_recording", option: r#"{"language": "en-US"}"#, on: Api, orders: &["transcribe recordings en-US"], ends: at_once, leads: On(&[]), sets: &[] },
    Row {
        kind: "transcribe_start",
        option: r#"{"language": "en-US", "direction": "in"}"#,
        on: Call,
        orders: &["transcribe en-US in"],
        ends: |run| {
            run.tell(FlowEvent::TranscribeStarted {
                id: Uuid::nil(),
                language: "en-US".to_owned(),
                direction: Direction::In,
            });
            run.tell(FlowEvent::Transcribed {
                text: "hello".to_owned(),
            });
        },
        leads: On(&[]),
        sets: &[
            ("voipbin.transcribe.id", NIL),
            ("voipbin.transcribe.language", "en-US"),
            ("voipbin.transcribe.direction", "in"),
            ("voipbin.transcribe.text", "hello"),
        ],
    },
    Row { kind: "transcribe_stop", option: "{}", on: Call, orders: &["stop transcribing"], ends: when_done, leads: On(&[]), sets: &[] },
    Row { kind: "variable_set", option: r#"{"key": "Provider name", "value": "voipbin ${v}"}"#, on: Api, orders: &[], ends: at_once, leads: On(&[]), sets: &[("Provider name", "voipbin 1")] },
    Row { kind: "webhook_send", option: r#"{"sync": true, "uri": "https://h/", "method": "PUT", "data_type": "application/json", "data": "{\"v\": \"${v}\"}"}"#, on: Api, orders: &[r#"webhook true PUT https://h/ application/json {"v": "1"}"#], ends: when_done, leads: On(&[]), sets: &[] },
];

const NIL: &str = "00000000-0000-0000-0000-000000000000";

/// The types of VoIPBIN's action page, and those that only its overview or its source knows.
const TYPES: usize = 39 + 8;

#[test]
fn every_type_of_action_orders_ends_leads_and_sets_as_the_table_says() {
    let mut kinds: Vec<&str> = ROWS.iter().map(|row| row.kind).collect();
    kinds.sort_unstable();
    kinds.dedup();
    assert_eq!(kinds.len(), TYPES);
    for row in ROWS {
        let actions = [
            action("v", "variable_set", r#"{"key": "v", "value": "1"}"#),
            action("a", row.kind, row.option),
            action("z", "block", "{}"),
            action("s", "stop", "{}"),
        ];
        let mut run = match row.on {
            Call => Run::on_call(&list(&actions)),
            kind => Run::new(&flow(&list(&actions)), kind, Limits::default()),
        };
        run.flow.start(run.now);
        assert_eq!(run.orders(), row.orders, "{}", row.kind);
        (row.ends)(&mut run);
        let at = run.flow.current_action().map(|current| current.id.as_str());
        match row.leads {
            On(orders) => {
                assert_eq!(at, Some("z"), "{}", row.kind);
                assert_eq!(run.orders(), orders, "{}", row.kind);
            }
            Over(end) => assert_eq!(run.orders(), [end], "{}", row.kind),
            Away => assert!(run.flow.is_ended(), "{}", row.kind),
        }
        for (name, value) in row.sets {
            assert_eq!(run.variable(name), *value, "{}: {name}", row.kind);
        }
        let met: Vec<&str> = run.flow.executed_actions().map(|step| step.name).collect();
        assert!(met.contains(&row.kind), "{} is remembered", row.kind);
    }
}

/// The media table: what a call alone can do is passed over without one, and the other way round.
#[test]
fn an_action_that_does_not_suit_what_started_the_flow_is_passed_over() {
    use crate::flow::action::Needs;
    let kinds = [Call, Api, ReferenceType::Conversation, ReferenceType::None];
    for row in ROWS {
        let actions = list(&[
            action("a", row.kind, row.option),
            action("s", "stop", "{}"),
            action("z", "block", "{}"),
        ]);
        let flow = flow(&actions);
        for kind in kinds {
            let suits = match flow.actions[0].kind.needs() {
                Needs::Nothing => true,
                Needs::Call | Needs::LiveCall => kind == Call,
                Needs::NoCall => !matches!(kind, Call | ReferenceType::None),
            };
            let mut run = Run::new(&flow, kind, Limits::default());
            run.flow.start(run.now);
            if !suits {
                assert_eq!(run.orders(), ["stopped"], "{} in {kind:?}", row.kind);
            }
        }
    }
}
