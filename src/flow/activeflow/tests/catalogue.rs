//! Every type of action: what it orders, what ends it, where it leads, what it sets.

use std::collections::BTreeSet;

use super::*;
use crate::flow::lint::{self, Finding, Rule, Severity, Surroundings};
use crate::flow::outward::{Direction, MachineResult, QueuePlace};

/// One type of action, before a `block` that shows that the cursor has moved.
struct Row {
    kind: &'static str,
    option: &'static str,
    /// What the linter knows of its options.
    linted: Linted,
    on: ReferenceType,
    /// What it orders at once.
    orders: &'static [&'static str],
    /// What ends it.
    ends: fn(&mut Run),
    leads: Leads,
    /// Variables afterwards.
    sets: &'static [(&'static str, &'static str)],
}

enum Linted {
    /// There are none.
    NoOption,
    /// These of the sample cannot be left out.
    Needs(&'static [&'static str]),
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
use Linted::{Needs, NoOption};
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
    Row { kind: "agent_call", option: r#"{"agent_id": "eb1a"}"#, linted: Needs(&["agent_id"]), on: Call, orders: &["connect eb1a"], ends: when_done, leads: On(&[]), sets: &[] },
    Row {
        kind: "ai_summary",
        option: r#"{"reference_type": "call", "reference_id": "7"}"#,
        linted: Needs(&[]),
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
        linted: Needs(&[]),
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
    Row { kind: "ai_task", option: r#"{"ai_id": "x"}"#, linted: Needs(&[]), on: Api, orders: &["ai task x"], ends: when_done, leads: On(&[]), sets: &[] },
    Row {
        kind: "amd",
        option: r#"{"machine_handle": "continue", "sync": true}"#,
        linted: Needs(&[]),
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
    Row { kind: "answer", option: "{}", linted: NoOption, on: Call, orders: &["answer"], ends: when_done, leads: On(&[]), sets: &[("voipbin.call.status", "progressing")] },
    Row { kind: "beep", option: "{}", linted: NoOption, on: Call, orders: &["beep"], ends: when_done, leads: On(&[]), sets: &[] },
    Row {
        kind: "block",
        option: "{}",
        linted: NoOption,
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
    Row { kind: "branch", option: r#"{"variable": "v", "target_ids": {"1": "s"}}"#, linted: Needs(&[]), on: Api, orders: &["stopped"], ends: at_once, leads: Away, sets: &[("v", "")] },
    Row { kind: "call", option: r#"{"destinations": [{"type": "tel", "target": "+1"}], "flow_id": "f"}"#, linted: Needs(&["destinations", "flow_id"]), on: Api, orders: &["call +1"], ends: when_done, leads: On(&[]), sets: &[] },
    Row { kind: "case_create", option: "{}", linted: Needs(&[]), on: Api, orders: &[], ends: at_once, leads: On(&[]), sets: &[("contact_case_id", "(none)")] },
    Row { kind: "chatbot_talk", option: r#"{"chatbot_id": "x"}"#, linted: Needs(&[]), on: Call, orders: &["ai talk x None"], ends: when_done, leads: On(&[]), sets: &[] },
    Row { kind: "condition_call_digits", option: r#"{"length": 1, "false_target_id": "s"}"#, linted: Needs(&["false_target_id"]), on: Call, orders: &["stopped"], ends: at_once, leads: Away, sets: &[] },
    Row { kind: "condition_call_status", option: r#"{"status": "ringing", "false_target_id": "s"}"#, linted: Needs(&["status", "false_target_id"]), on: Call, orders: &["stopped"], ends: at_once, leads: Away, sets: &[] },
    Row { kind: "condition_datetime", option: r#"{"condition": "==", "month": 1, "false_target_id": "s"}"#, linted: Needs(&["condition", "false_target_id"]), on: Api, orders: &[], ends: at_once, leads: On(&[]), sets: &[] },
    Row { kind: "condition_variable", option: r#"{"condition": "==", "variable": "v", "value_type": "string", "value_string": "2", "false_target_id": "s"}"#, linted: Needs(&["condition", "variable", "value_type", "false_target_id"]), on: Api, orders: &["stopped"], ends: at_once, leads: Away, sets: &[("v", "1")] },
    Row { kind: "confbridge_join", option: r#"{"confbridge_id": "b"}"#, linted: Needs(&["confbridge_id"]), on: Call, orders: &["bridge b"], ends: when_done, leads: On(&[]), sets: &[] },
    Row {
        kind: "conference_join",
        option: r#"{"conference_id": "c"}"#,
        linted: Needs(&["conference_id"]),
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
    Row { kind: "connect", option: r#"{"destinations": [{"type": "tel", "target": "+1"}, {"type": "tel", "target": "+2"}]}"#, linted: Needs(&["destinations"]), on: Call, orders: &["connect +1,+2"], ends: when_done, leads: On(&[]), sets: &[] },
    Row { kind: "conversation_send", option: r#"{"conversation_id": "c", "text": "hi ${v}", "sync": true}"#, linted: Needs(&["conversation_id", "text"]), on: Api, orders: &["say true c hi 1"], ends: when_done, leads: On(&[]), sets: &[] },
    Row {
        kind: "digits_receive",
        option: r##"{"duration": 5000, "key": "#"}"##,
        linted: Needs(&[]),
        on: Call,
        orders: &[],
        ends: |run| run.press("12#"),
        leads: On(&[]),
        sets: &[("voipbin.call.digits", "12#")],
    },
    Row { kind: "digits_send", option: r##"{"digits": "1#", "duration": 100, "interval": 50}"##, linted: Needs(&["digits"]), on: Call, orders: &["send 1# 100 50"], ends: when_done, leads: On(&[]), sets: &[] },
    Row { kind: "echo", option: r#"{"duration": 1000}"#, linted: Needs(&[]), on: Call, orders: &["echo 1000 false"], ends: when_done, leads: On(&[]), sets: &[] },
    Row { kind: "email_send", option: r#"{"destinations": [{"type": "email", "target": "a@b.org"}], "subject": "s${v}", "content": "c", "attachments": [{"reference_type": "recording", "reference_id": "b8573f30-b031-11ed-ac05-3bc9a62e64c3"}]}"#, linted: Needs(&["destinations"]), on: Api, orders: &["email a@b.org s1 c 1"], ends: at_once, leads: On(&[]), sets: &[] },
    Row { kind: "empty", option: "{}", linted: NoOption, on: Api, orders: &[], ends: at_once, leads: On(&[]), sets: &[] },
    Row { kind: "external_media_start", option: r#"{"external_host": "h:1", "direction": "in"}"#, linted: Needs(&["external_host"]), on: Call, orders: &["external media h:1 ulaw Some(In) Some(In)"], ends: when_done, leads: On(&[]), sets: &[] },
    Row { kind: "external_media_stop", option: "{}", linted: NoOption, on: Call, orders: &["stop external media"], ends: when_done, leads: On(&[]), sets: &[] },
    Row {
        kind: "fetch",
        option: r#"{"event_url": "https://h/${v}", "event_method": "post"}"#,
        linted: Needs(&["event_url"]),
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
        linted: Needs(&["flow_id"]),
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
    Row { kind: "goto", option: r#"{"target_id": "s", "loop_count": 1}"#, linted: Needs(&["target_id"]), on: Api, orders: &["stopped"], ends: at_once, leads: Away, sets: &[] },
    Row { kind: "hangup", option: r#"{"reason": "busy"}"#, linted: Needs(&[]), on: Call, orders: &["hangup busy"], ends: with_the_call, leads: Over("call ended"), sets: &[("voipbin.call.status", "hangup")] },
    Row { kind: "hangup_relay", option: r#"{"reference_id": "b8573f30-b031-11ed-ac05-3bc9a62e64c3"}"#, linted: Needs(&["reference_id"]), on: Call, orders: &["hangup as b8573f30-b031-11ed-ac05-3bc9a62e64c3"], ends: with_the_call, leads: Over("call ended"), sets: &[("voipbin.call.status", "hangup")] },
    Row { kind: "message_send", option: r#"{"source": {"type": "tel", "target": "+1"}, "destinations": [{"type": "tel", "target": "+2"}], "text": "hi ${v}"}"#, linted: Needs(&["destinations", "text"]), on: Api, orders: &["message +1 +2 hi 1"], ends: at_once, leads: On(&[]), sets: &[] },
    Row { kind: "mute", option: "{}", linted: Needs(&[]), on: Call, orders: &["mute both"], ends: when_done, leads: On(&[]), sets: &[] },
    Row { kind: "play", option: r#"{"stream_urls": ["https://h/${v}.wav"]}"#, linted: Needs(&["stream_urls"]), on: Call, orders: &["play https://h/1.wav"], ends: when_done, leads: On(&[]), sets: &[] },
    Row {
        kind: "queue_join",
        option: r#"{"queue_id": "q"}"#,
        linted: Needs(&["queue_id"]),
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
        linted: Needs(&[]),
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
    Row { kind: "recording_stop", option: "{}", linted: NoOption, on: Call, orders: &["stop recording"], ends: when_done, leads: On(&[]), sets: &[] },
    Row {
        kind: "sleep",
        option: r#"{"duration": 1000}"#,
        linted: Needs(&["duration"]),
        on: Call,
        orders: &[],
        ends: |run| run.pass(1000),
        leads: On(&[]),
        sets: &[],
    },
    Row { kind: "stop", option: "{}", linted: NoOption, on: Api, orders: &["stopped"], ends: at_once, leads: Away, sets: &[] },
    Row { kind: "stream_echo", option: "{}", linted: Needs(&[]), on: Call, orders: &["echo 180000 true"], ends: when_done, leads: On(&[]), sets: &[] },
    Row { kind: "talk", option: r#"{"text": "hi ${v}"}"#, linted: Needs(&["text"]), on: Call, orders: &["talk hi 1"], ends: when_done, leads: On(&[]), sets: &[] },
    Row { kind: "transcribe_recording", option: r#"{"language": "en-US"}"#, linted: Needs(&[]), on: Api, orders: &["transcribe recordings en-US"], ends: at_once, leads: On(&[]), sets: &[] },
    Row {
        kind: "transcribe_start",
        option: r#"{"language": "en-US", "direction": "in"}"#,
        linted: Needs(&[]),
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
    Row { kind: "transcribe_stop", option: "{}", linted: NoOption, on: Call, orders: &["stop transcribing"], ends: when_done, leads: On(&[]), sets: &[] },
    Row { kind: "variable_set", option: r#"{"key": "Provider name", "value": "voipbin ${v}"}"#, linted: Needs(&["key"]), on: Api, orders: &[], ends: at_once, leads: On(&[]), sets: &[("Provider name", "voipbin 1")] },
    Row { kind: "webhook_send", option: r#"{"sync": true, "uri": "https://h/", "method": "PUT", "data_type": "application/json", "data": "{\"v\": \"${v}\"}"}"#, linted: Needs(&["uri"]), on: Api, orders: &[r#"webhook true PUT https://h/ application/json {"v": "1"}"#], ends: when_done, leads: On(&[]), sets: &[] },
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

/// The errors that the linter finds in one action with these options.
fn errors_in(kind: &str, option: &serde_json::Map<String, serde_json::Value>) -> Vec<Finding> {
    let option = serde_json::to_string(option).unwrap();
    let actions = list(&[action("a", kind, &option), action("s", "stop", "{}")]);
    let none = BTreeSet::new();
    let around = Surroundings {
        flows: None,
        is_fetched: false,
        outer_ids: &none,
        outer_targets: &none,
        permits: &|_| true,
    };
    let findings = lint::check(actions.as_bytes(), &around).into_iter();
    findings
        .filter(|finding| finding.rule.severity() == Severity::Error)
        .collect()
}

#[test]
fn the_linter_passes_every_sample_and_finds_what_is_left_out_of_it_or_unknown() {
    for Row {
        kind,
        option,
        linted,
        ..
    } in ROWS
    {
        let sample: serde_json::Map<_, _> = serde_json::from_str(option).unwrap();
        assert_eq!(errors_in(kind, &sample), [], "{kind}");
        let mut more = sample.clone();
        more.insert("no_such_option".to_owned(), 1.into());
        let unknown = errors_in(kind, &more);
        assert_eq!(unknown.len(), 1, "{kind}: {unknown:?}");
        assert_eq!(unknown[0].rule, Rule::UnknownOption, "{kind}");
        let has_none = unknown[0].remedy.ends_with("has no options: remove it");
        assert_eq!(has_none, matches!(linted, NoOption), "{kind}");
        let needed = match linted {
            NoOption => &[],
            Needs(names) => *names,
        };
        assert!(
            needed.iter().all(|name| sample.contains_key(*name)),
            "{kind}"
        );
        for name in sample.keys() {
            let mut less = sample.clone();
            less.remove(name);
            let errors = errors_in(kind, &less);
            let is_missed = errors.iter().any(|finding| {
                finding.rule == Rule::MissingOption && finding.sentence.contains(name)
            });
            let is_needed = needed.contains(&name.as_str());
            assert_eq!(is_missed, is_needed, "{kind} without {name}: {errors:?}");
        }
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
