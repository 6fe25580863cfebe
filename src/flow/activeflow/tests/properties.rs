//! Whatever the flow and whatever comes: no panic, no loop, one end.

use proptest::prelude::*;

use super::*;
use crate::flow::outward::{Direction, MachineResult, QueuePlace};

/// One action of any type, its targets among twelve ids of which some are nowhere.
fn any_action() -> impl Strategy<Value = String> {
    let target = prop_oneof![
        8 => (0u8..12).prop_map(|id| format!("\"{id}\"")),
        1 => Just("\"00000000-0000-0000-0000-000000000001\"".to_owned()),
        1 => Just("\"${voipbin.call.digits}\"".to_owned()),
    ];
    let kinds = (
        0usize..46,
        target.clone(),
        target.clone(),
        -1i64..4,
        0u64..3000,
    );
    (0u8..10, proptest::option::weighted(0.2, target), kinds).prop_map(
        |(id, next, (kind, one, other, count, time))| {
            let (name, option) = match kind {
                0 => ("talk", r#"{"text": "${a}", "digits_handle": "next"}"#.to_owned()),
                1 => ("branch", format!(r#"{{"default_target_id": {one}, "target_ids": {{"1": {other}}}}}"#)),
                2 => ("goto", format!(r#"{{"target_id": {one}, "loop_count": {count}}}"#)),
                3 => ("goto", format!(r#"{{"target_id": {one}, "loop_count": 1000000}}"#)),
                4 => ("condition_variable", format!(r#"{{"condition": "==", "variable": "a", "value_type": "length", "value_length": {count}, "false_target_id": {one}}}"#)),
                5 => ("condition_datetime", format!(r#"{{"condition": "<=", "minute": {count}, "false_target_id": {one}}}"#)),
                6 => ("condition_call_digits", format!(r#"{{"length": {count}, "false_target_id": {one}}}"#)),
                7 => ("condition_call_status", format!(r#"{{"status": "progressing", "false_target_id": {one}}}"#)),
                8 => ("variable_set", r#"{"key": "a", "value": "${a}${a}1"}"#.to_owned()),
                9 => ("variable_set", format!(r#"{{"key": "${{a}}", "value": {one}}}"#)),
                10 => ("digits_receive", format!(r##"{{"duration": {time}, "length": {count}, "key": "#"}}"##)),
                11 => ("sleep", format!(r#"{{"duration": {time}}}"#)),
                12 => ("fetch_flow", r#"{"flow_id": "x"}"#.to_owned()),
                13 => ("hangup", "{}".to_owned()),
                14 => ("stop", "{}".to_owned()),
                15 => ("recording_start", "{}".to_owned()),
                16 => ("recording_stop", "{}".to_owned()),
                17 => ("digits_send", r#"{"digits": "${voipbin.call.digits}"}"#.to_owned()),
                18 => ("play", r#"{"stream_urls": ["a"]}"#.to_owned()),
                19 => ("echo", "{}".to_owned()),
                20 => ("beep", "{}".to_owned()),
                21 => ("answer", "{}".to_owned()),
                22 => ("fetch", r#"{"event_url": "https://h/${a}"}"#.to_owned()),
                23 => ("webhook_send", r#"{"sync": true, "uri": "${a}", "data": "{${a}}"}"#.to_owned()),
                24 => ("webhook_send", "{}".to_owned()),
                25 => ("email_send", r#"{"destinations": [{"type": "email", "target": "${a}"}]}"#.to_owned()),
                26 => ("message_send", r#"{"destinations": [{"type": "sip", "target": "a@b${a}"}]}"#.to_owned()),
                27 => ("conversation_send", r#"{"sync": "${a}"}"#.to_owned()),
                28 => ("transcribe_start", "{}".to_owned()),
                29 => ("transcribe_stop", "{}".to_owned()),
                30 => ("transcribe_recording", "{}".to_owned()),
                31 => ("ai_talk", format!(r#"{{"duration": {count}}}"#)),
                32 => ("ai_task", "{}".to_owned()),
                33 => ("ai_summary", "{}".to_owned()),
                34 => ("amd", r#"{"machine_handle": "hangup"}"#.to_owned()),
                35 => ("amd", r#"{"machine_handle": "hangup", "async": true}"#.to_owned()),
                36 => ("block", "{}".to_owned()),
                37 => ("mute", "{}".to_owned()),
                38 => ("connect", r#"{"relay_reason": true, "destinations": [{"target": "1"}]}"#.to_owned()),
                39 => ("call", format!(r#"{{"destinations": [{{"target": "1"}}], "actions": [{{"id": {one}, "type": "stop"}}]}}"#)),
                40 => ("conference_join", "{}".to_owned()),
                41 => ("confbridge_join", "{}".to_owned()),
                42 | 43 => ("queue_join", "{}".to_owned()),
                44 => ("external_media_start", "{}".to_owned()),
                _ => ("empty", "{}".to_owned()),
            };
            let next = next.map_or_else(String::new, |next| format!(r#""next_id": {next}, "#));
            format!(r#"{{"id": "{id}", {next}"type": "{name}", "option": {option}}}"#)
        },
    )
}

#[derive(Clone, Debug)]
enum Happening {
    Finish,
    Fail,
    Stale,
    Fetched(bool),
    Digit(char),
    Pass(u64),
    Status(CallStatus),
    Recording(bool),
    FetchedActions(bool),
    Detected(MachineResult),
    Transcribing,
    Talking,
    Dialed,
    Conference(bool),
    Queued(bool),
    Served,
    QueueOver,
    Resume(Option<u8>),
    Stop,
}

fn any_happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        6 => Just(Happening::Finish),
        1 => Just(Happening::Fail),
        1 => Just(Happening::Stale),
        2 => any::<bool>().prop_map(Happening::Fetched),
        2 => prop::sample::select(vec!['1', '2', '#', 'é']).prop_map(Happening::Digit),
        4 => (0u64..4000).prop_map(Happening::Pass),
        1 => prop::sample::select(vec![CallStatus::Progressing, CallStatus::Hangup]).prop_map(Happening::Status),
        1 => any::<bool>().prop_map(Happening::Recording),
        1 => any::<bool>().prop_map(Happening::FetchedActions),
        1 => prop::sample::select(vec![MachineResult::Machine, MachineResult::Person]).prop_map(Happening::Detected),
        1 => Just(Happening::Transcribing),
        1 => Just(Happening::Talking),
        1 => Just(Happening::Dialed),
        1 => any::<bool>().prop_map(Happening::Conference),
        3 => any::<bool>().prop_map(Happening::Queued),
        1 => Just(Happening::Served),
        1 => Just(Happening::QueueOver),
        2 => proptest::option::of(0u8..12).prop_map(Happening::Resume),
        1 => Just(Happening::Stop),
    ]
}

fn is_waiting_for(run: &Run, command: FlowCommandId) -> bool {
    matches!(&run.flow.state, State::Waiting(wait) if wait.command() == Some(command))
}

fn happen(run: &mut Run, inner: &Arc<Flow>, happening: &Happening) {
    let command = run.last;
    match happening {
        Happening::Finish => {
            let is_awaited = is_waiting_for(run, command);
            let turn = run.flow.turn;
            run.finish();
            assert!(
                !is_awaited || !is_waiting_for(run, command),
                "a Finished is lost"
            );
            let orders = run.flow.commands.len();
            let moved = (run.flow.turn, run.flow.steps);
            run.finish();
            assert_eq!(
                orders,
                run.flow.commands.len(),
                "the second answer orders nothing"
            );
            assert_eq!(
                moved,
                (run.flow.turn, run.flow.steps),
                "and moves nothing, since {turn}"
            );
        }
        Happening::Fail => run.tell(FlowEvent::Finished {
            command,
            outcome: FlowOutcome::Failed { why: "no" },
        }),
        Happening::Stale => {
            let command = FlowCommandId(command.0.wrapping_sub(1));
            run.tell(FlowEvent::Finished {
                command,
                outcome: FlowOutcome::Interrupted { digit: '1' },
            });
        }
        Happening::Fetched(found) => {
            run.tell(FlowEvent::Fetched {
                command,
                flow: found.then(|| inner.clone()),
            });
        }
        Happening::Digit(digit) => run.tell(FlowEvent::Digit { digit: *digit }),
        Happening::Pass(milliseconds) => run.pass(*milliseconds),
        Happening::Status(status) => run.tell(FlowEvent::CallStatus { status: *status }),
        Happening::Recording(true) => run.tell(FlowEvent::RecordingStarted {
            recording: Recording {
                id: RecordingId(Uuid::nil()),
                name: String::new(),
                filenames: Vec::new(),
                format: RecordingFormat::Wav,
            },
        }),
        Happening::FetchedActions(found) => {
            let text = br#"[{"type": "talk"}, {"type": "x"}, {"type": "fetch"}]"#;
            let body = if *found {
                Ok(bytes::Bytes::from_static(text))
            } else {
                Err("no")
            };
            run.tell(FlowEvent::FetchedActions { command, body });
        }
        Happening::Detected(result) => {
            let command = run
                .flow
                .detection
                .as_ref()
                .map_or(command, |running| running.command);
            run.tell(FlowEvent::MachineDetected {
                command,
                result: *result,
            });
        }
        Happening::Transcribing => run.tell(FlowEvent::TranscribeStarted {
            id: Uuid::nil(),
            language: String::new(),
            direction: Direction::Both,
        }),
        Happening::Talking => run.tell(FlowEvent::AiTalkStarted {
            id: Uuid::nil(),
            assistant: String::new(),
            model: String::new(),
            language: String::new(),
        }),
        Happening::Dialed => run.tell(FlowEvent::Dialed {
            command,
            calls: vec![CallId(Uuid::from_u128(3))],
        }),
        Happening::Conference(has_intro) => run.tell(FlowEvent::ConferenceFound {
            command,
            confbridge_id: "b".to_owned(),
            pre_flow_id: has_intro.then(|| "x".to_owned()),
        }),
        Happening::Queued(has_wait_flow) => run.tell(FlowEvent::Queued {
            command,
            place: QueuePlace {
                wait_flow_id: has_wait_flow.then(|| "x".to_owned()),
                ..QueuePlace::default()
            },
        }),
        Happening::Served => {
            if let Some(command) = run.flow.queues.first().copied() {
                run.tell(FlowEvent::QueueServed { command });
            }
        }
        Happening::QueueOver => {
            if let Some(command) = run.flow.queues.last().copied() {
                let outcome = FlowOutcome::Done;
                run.tell(FlowEvent::Finished { command, outcome });
                let is_over = matches!(run.flow.state, State::Ended | State::Waiting(Wait::Hangup));
                assert!(is_over || !run.flow.cursor.holds(command));
            }
        }
        Happening::Resume(id) => {
            let current_action = id.and_then(|id| ActionId::parse(&id.to_string()));
            run.tell(FlowEvent::Resume { current_action });
        }
        Happening::Recording(false) => run.tell(FlowEvent::RecordingEnded),
        Happening::Stop => run.tell(FlowEvent::Stop),
    }
}

proptest! {
    #[test]
    fn any_flow_in_any_weather_keeps_its_limits_and_ends_once(
        outer in proptest::collection::vec(any_action(), 0..10),
        inner in proptest::collection::vec(any_action(), 0..6),
        happenings in proptest::collection::vec(any_happening(), 0..150),
        is_call in prop::bool::weighted(0.8),
    ) {
        let kind = if is_call { ReferenceType::Call } else { ReferenceType::Api };
        let inner = Arc::new(flow(&list(&inner)));
        let mut run = Run::new(&flow(&list(&outer)), kind, Limits::default());
        run.flow.start(run.now);
        let mut ends = 0;
        for happening in &happenings {
            let orders = run.orders();
            prop_assert!(orders.len() <= 2002, "{} orders at once", orders.len());
            ends += usize::from(run.end.is_some() && !orders.is_empty());
            happen(&mut run, &inner, happening);
            prop_assert!(run.flow.executions <= run.flow.limits.executions + 1);
            prop_assert!(run.flow.steps <= run.flow.limits.steps + 1);
            prop_assert!(run.flow.cursor.depth() <= run.flow.limits.stacks + 1);
            prop_assert!(run.flow.executed_actions().count() <= Activeflow::HISTORY);
            let total: usize = run.flow.variables().iter().map(|(name, value)| name.len() + value.len()).sum();
            prop_assert!(total <= MAX_TOTAL);
        }
        run.tell(if is_call { FlowEvent::CallEnded } else { FlowEvent::Stop });
        ends += usize::from(!run.orders().is_empty() && run.end.is_some());
        prop_assert_eq!(ends, 1);
        prop_assert!(run.flow.is_ended() && run.flow.poll_timeout().is_none());
    }
}
