//! Files that are read, files that are not, and what is said of them.

use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::flow::action::{ActionKind, Flow};
use crate::flow::template::{Late, Milliseconds};
use crate::ids::Rng;

fn read(json: &str) -> Result<Flow, FlowErrors> {
    parse_flow(
        json.as_bytes(),
        "stem",
        &mut Rng::from_number(1),
        Support::Live,
    )
}

/// The errors, one line each.
fn errors_of(json: &str) -> Vec<String> {
    let errors = read(json).expect_err("must not be read");
    errors.iter().map(ToString::to_string).collect()
}

/// The one error of a flow of this one action.
fn error_of_action(action: &str) -> String {
    let errors = errors_of(&format!("[{action}]"));
    assert_eq!(errors.len(), 1, "{errors:?}");
    errors[0].clone()
}

fn kind_of(action: &str) -> ActionKind {
    let flow = read(&format!("[{action}]")).expect("a flow of one action");
    flow.actions[0].kind.clone()
}

#[test]
fn an_object_keeps_its_id_name_numbers_and_what_comes_after_it() {
    let flow = read(
        r#"{"id": "B8781E56-C524-11EC-889F-D37B0DBB7EB8", "name": "menu", "type": "flow", "detail": "",
            "customer_id": "x", "tm_create": null, "numbers": ["+15550100", " 200 "],
            "on_complete_flow_id": "after", "actions": [{"type": "answer"}]}"#,
    )
    .unwrap();
    assert_eq!(flow.id, "b8781e56-c524-11ec-889f-d37b0dbb7eb8");
    assert_eq!(
        (flow.name.as_str(), flow.numbers),
        ("menu", vec!["+15550100".into(), "200".into()])
    );
    assert_eq!(flow.on_complete_flow_id.as_deref(), Some("after"));
    assert_eq!(flow.actions.len(), 1);
}

#[test]
fn a_bare_array_is_named_by_its_file_and_gets_ids() {
    let flow = read(
        r#"[{"type": "stop"}, {"type": "stop", "id": "00000000-0000-0000-0000-000000000000"}]"#,
    )
    .unwrap();
    assert_eq!(flow.name, "stem");
    assert_eq!((flow.id.len(), flow.on_complete_flow_id), (36, None));
    let ids: Vec<&str> = flow
        .actions
        .iter()
        .map(|action| action.id.as_str())
        .collect();
    assert_ne!(ids[0], ids[1]);
    assert!(
        ids.iter()
            .all(|id| uuid::Uuid::try_parse(id).unwrap().get_version_num() == 4)
    );
}

#[test]
fn a_nil_next_id_or_completion_flow_is_none() {
    let nil = "00000000-0000-0000-0000-000000000000";
    let flow = read(&format!(
        r#"{{"on_complete_flow_id": "{nil}", "actions": [{{"type": "stop", "next_id": "{nil}"}}]}}"#
    ))
    .unwrap();
    assert_eq!(
        (flow.on_complete_flow_id, &flow.actions[0].next_id),
        (None, &None)
    );
}

#[test]
fn all_errors_of_a_file_are_told_with_path_line_and_column() {
    let errors = errors_of(
        "{\n \"actions\": [\n  {\"type\": \"dance\"},\n  {\"type\": \"case_create\"},\n  \
         {\"type\": \"sleep\", \"option\": {\"duration\": [1]}},\n  {\"id\": 7}, 8\n ]\n}",
    );
    assert_eq!(
        errors,
        [
            "actions[0].type: there is no action \"dance\" (line 3, column 12)",
            "actions[1].type: \"case_create\" is not supported by this version (line 4, column 12)",
            "actions[2].option.duration: expected a whole number of milliseconds, found an array \
             (line 5, column 44)",
            "actions[3]: the field \"type\" is missing (line 6, column 3)",
            "actions[3].id: expected a string, found a number (line 6, column 10)",
            "actions[4]: expected an action object, found a number (line 6, column 14)",
        ]
    );
}

#[test]
fn a_file_that_is_no_flow_says_what_it_should_be() {
    assert_eq!(
        errors_of("7"),
        ["$: expected a flow object or an array of actions, found a number (line 1, column 1)"]
    );
    assert_eq!(
        errors_of("{}"),
        ["$: the field \"actions\" is missing (line 1, column 1)"]
    );
    assert_eq!(
        errors_of("[{\"type\": \"stop\",}]"),
        ["[0]: a comma before the closing bracket is not allowed (line 1, column 17)"]
    );
    assert_eq!(
        errors_of("{\"actions\": [{\"option\": {\"a b\": nul"),
        ["actions[0].option[\"a b\"]: found 'n' where a value is expected (line 1, column 33)"]
    );
    assert!(errors_of("")[0].starts_with("$: the text ends where a value is expected"));
}

#[test]
fn files_too_long_too_deep_or_with_too_many_actions_are_refused() {
    let long = " ".repeat(MAX_TEXT + 1);
    assert_eq!(
        read(&long).unwrap_err().iter().next().unwrap().kind,
        FlowErrorKind::TextTooLong
    );
    let deep = errors_of(&("[".repeat(10_000) + &"]".repeat(10_000)));
    assert!(
        deep[0].ends_with("nested deeper than 128 levels (line 1, column 129)"),
        "{deep:?}"
    );
    let many = |count| format!("[{}]", vec![r#"{"type":"empty"}"#; count].join(","));
    assert_eq!(read(&many(MAX_ACTIONS)).unwrap().actions.len(), MAX_ACTIONS);
    assert_eq!(errors_of(&many(MAX_ACTIONS + 1)).len(), 1);
    let wrong = read(&format!("[{}]", vec!["1"; 5_000].join(","))).unwrap_err();
    assert_eq!((wrong.iter().count(), wrong.count()), (100, 5_000));
    assert!(wrong.to_string().ends_with("\nand 4900 more"));
}

#[test]
fn every_action_of_voipbin_is_known_here_or_named_as_not_supported() {
    let (mut known, mut later) = (0, 0);
    for name in CATALOGUE {
        match read(&format!(r#"[{{"type": "{name}"}}]"#)) {
            Ok(flow) => {
                known += 1;
                assert_eq!(flow.actions[0].kind.name(), name);
            }
            Err(errors) => {
                later += 1;
                let told = format!(
                    "[0].type: {name:?} is not supported by this version (line 1, column 11)"
                );
                assert_eq!(errors.to_string(), told);
            }
        }
    }
    assert_eq!((known, later), (46, 1));
}

#[test]
fn what_a_live_call_cannot_do_is_accepted_where_all_is() {
    let all = |json: &str| {
        parse_flow(
            json.as_bytes(),
            "stem",
            &mut Rng::from_number(1),
            Support::All,
        )
    };
    for name in CATALOGUE {
        let flow = all(&format!(r#"[{{"type": "{name}"}}]"#)).unwrap();
        assert_eq!(flow.actions[0].kind.name(), name);
    }
    for (alias, name) in [
        ("Hangup_relay", "hangup_relay"),
        ("ai_summarize", "ai_summary"),
    ] {
        let flow = all(&format!(r#"[{{"type": "{alias}"}}]"#)).unwrap();
        assert_eq!(flow.actions[0].kind.name(), name);
    }
    let inner =
        r#"[{"type": "call", "option": {"actions": [{"type": "talk", "option": {"text": 1}}]}}]"#;
    assert_eq!(
        all(inner).unwrap_err().to_string(),
        "[0].option.actions[0].option.text: expected a string, found a number (line 1, column 78)"
    );
    let anonymous = r#"[{"type": "connect", "option": {"anonymous": "maybe"}}]"#;
    assert!(
        all(anonymous)
            .unwrap_err()
            .to_string()
            .contains("yes, no and auto")
    );
}

#[test]
fn what_is_fetched_may_be_an_array_or_an_object_and_wrong_actions_are_left_out() {
    let fetched = |json: &str| parse_fetched(json.as_bytes(), &mut Rng::from_number(1));
    let mixed = r#"[{"type": "answer"}, {"type": "dance"}, 7, {"type": "talk", "option": {"text": 1}},
        {"id": "x", "type": "stop"}]"#;
    for text in [mixed.to_owned(), format!(r#"{{"actions": {mixed}}}"#)] {
        let (actions, left_out) = fetched(&text).unwrap();
        let names: Vec<&str> = actions.iter().map(|action| action.kind.name()).collect();
        assert_eq!((names, left_out), (vec!["answer", "stop"], 3));
        assert_eq!(actions[0].id.as_str().len(), 36, "an id was made");
        assert_eq!(actions[1].id.as_str(), "x");
    }
    for wrong in ["", "<html>", "7", "{}", r#"{"actions": 1}"#, "[}"] {
        assert!(fetched(wrong).is_err(), "{wrong}");
    }
    let many = format!("[{}]", vec!["{}"; MAX_ACTIONS + 1].join(","));
    assert!(fetched(&many).is_err());
    assert!(fetched(&" ".repeat(MAX_TEXT + 1)).is_err());
}

#[test]
fn numbers_may_be_strings_or_templates() {
    let duration = |json: &str| match kind_of(&format!(
        r#"{{"type": "sleep", "option": {{"duration": {json}}}}}"#
    )) {
        ActionKind::Sleep { duration } => duration,
        other => panic!("{other:?}"),
    };
    assert_eq!(duration("1000"), Late::Known(Milliseconds(1000)));
    assert_eq!(duration("\"1000\""), Late::Known(Milliseconds(1000)));
    assert_eq!(duration("1e3"), Late::Known(Milliseconds(1000)));
    assert_eq!(duration("null"), Late::Known(Milliseconds(0)));
    assert!(matches!(duration("\"${wait}\""), Late::Template(_)));
    assert_eq!(
        error_of_action(r#"{"type": "sleep", "option": {"duration": "soon"}}"#),
        "[0].option.duration: \"soon\" is not a whole number of milliseconds (line 1, column 43)"
    );
    assert_eq!(
        error_of_action(r#"{"type": "sleep", "option": {"duration": 1.5}}"#),
        "[0].option.duration: \"1.5\" is not a whole number of milliseconds (line 1, column 43)"
    );
}

#[test]
fn options_of_a_wrong_type_are_errors_and_unknown_ones_are_not() {
    for (option, path) in [
        (r#""talk", "option": {"text": 1}"#, "text"),
        (r#""talk", "option": {"async": "maybe"}"#, "async"),
        (
            r#""play", "option": {"stream_urls": "a.wav"}"#,
            "stream_urls",
        ),
        (
            r#""play", "option": {"stream_urls": ["a.wav", 2]}"#,
            "stream_urls[1]",
        ),
        (
            r#""branch", "option": {"target_ids": {"1": 1}}"#,
            "target_ids.1",
        ),
        (r#""branch", "option": {"target_ids": ["x"]}"#, "target_ids"),
        (r#""goto", "option": {"loop_count": true}"#, "loop_count"),
        (
            r#""condition_datetime", "option": {"weekdays": [1, "x"]}"#,
            "weekdays[1]",
        ),
        (
            r#""condition_variable", "option": {"value_number": "ten"}"#,
            "value_number",
        ),
        (r#""digits_send", "option": {"digits": "12p"}"#, "digits"),
        (
            r#""recording_start", "option": {"end_of_key": "7"}"#,
            "end_of_key",
        ),
        (r#""hangup", "option": {"reference_id": 7}"#, "reference_id"),
        (
            r#""fetch", "option": {"event_method": "GET /"}"#,
            "event_method",
        ),
        (
            r#""email_send", "option": {"destinations": [1]}"#,
            "destinations[0]",
        ),
        (
            r#""email_send", "option": {"attachments": [{"reference_type": "call"}]}"#,
            "attachments[0]",
        ),
        (
            r#""message_send", "option": {"source": {"target": 1}}"#,
            "source.target",
        ),
        (
            r#""transcribe_start", "option": {"direction": "up"}"#,
            "direction",
        ),
    ] {
        let error = error_of_action(&format!(r#"{{"type": {option}}}"#));
        assert!(
            error.starts_with(&format!("[0].option.{path}: ")),
            "{path}: {error}"
        );
    }
    assert_eq!(
        error_of_action(r#"{"type": "answer", "option": []}"#),
        "[0].option: expected an object, found an array (line 1, column 31)"
    );
    kind_of(r#"{"type": "talk", "option": {"text": "a", "provider": "gcp", "lenght": 3}}"#);
    kind_of(r#"{"type": "answer", "option": null, "tm_execute": null, "extra": 1}"#);
}

#[test]
fn recordings_are_wav_mp3_or_ogg() {
    for format in ["m4a", "opus", "flac"] {
        assert_eq!(
            error_of_action(&format!(
                r#"{{"type": "recording_start", "option": {{"format": "{format}"}}}}"#
            )),
            format!(
                "[0].option.format: {format:?} is not supported: recordings are written as wav, mp3 or ogg \
                 (line 1, column 51)"
            )
        );
    }
    for format in [
        "\"wav\"",
        "\"mp3\"",
        "\"ogg\"",
        "\"\"",
        "null",
        "\"${format}\"",
    ] {
        kind_of(&format!(
            r#"{{"type": "recording_start", "option": {{"format": {format}}}}}"#
        ));
    }
}

#[test]
fn the_flows_that_ship_as_examples_are_read() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/flows");
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if stem.ends_with(".test") {
            continue;
        }
        let text = std::fs::read(&path).unwrap();
        let flow = parse_flow(&text, &stem, &mut Rng::from_number(2), Support::Live)
            .unwrap_or_else(|errors| panic!("{}:\n{errors}", path.display()));
        assert_eq!(flow.name, stem);
        names.push(stem);
    }
    for name in ["menu", "echo", "voicemail", "tutorial"] {
        assert!(names.iter().any(|known| known == name), "{name} is missing");
    }
}

proptest! {
    /// A flow with one stretch replaced: never a panic, and as much JSON as serde_json says.
    #[test]
    fn a_mutilated_flow_is_refused_exactly_when_it_is_no_json(
        from in 0usize..400, length in 0usize..6, with in "[\\[\\]{}:,\"\\\\a0-9.eu$-]{0,4}",
    ) {
        let cut = |at: usize| at.min(SAMPLE.len());
        let text = [&SAMPLE[..cut(from)], &with, &SAMPLE[cut(from + length)..]].concat();
        let is_syntax_error = read(&text).is_err_and(|errors| {
            errors.iter().any(|error| matches!(&error.kind,
                FlowErrorKind::Syntax(error) if !matches!(error, crate::flow::SyntaxError::DuplicateKey { .. })))
        });
        let is_json = serde_json::from_str::<serde_json::Value>(&text).is_ok();
        prop_assert_eq!(is_syntax_error, !is_json, "{}", text);
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        let _ = parse_flow(&bytes, "stem", &mut Rng::from_number(1), Support::Live);
    }
}

const SAMPLE: &str = r##"{"id": "menu", "numbers": ["+1555"], "actions": [{"type": "talk", "option":
{"text": "Hello \u00e9 ${name}", "gender": "male", "async": false}}, {"type": "digits_receive", "option":
{"duration": 5e3, "length": -1.5e0, "key": "#"}}, {"type": "branch", "option": {"target_ids": {"1": "x"}}},
{"type": "condition_datetime", "option": {"weekdays": [1, 2, "3"], "hour": null}}]}"##;

/// Every action type of VoIPBIN's documents and of its present source.
const CATALOGUE: [&str; 47] = [
    "agent_call",
    "ai_summary",
    "ai_talk",
    "ai_task",
    "amd",
    "answer",
    "beep",
    "block",
    "branch",
    "call",
    "case_create",
    "chatbot_talk",
    "condition_call_digits",
    "condition_call_status",
    "condition_datetime",
    "condition_variable",
    "confbridge_join",
    "conference_join",
    "connect",
    "conversation_send",
    "digits_receive",
    "digits_send",
    "echo",
    "email_send",
    "empty",
    "external_media_start",
    "external_media_stop",
    "fetch",
    "fetch_flow",
    "goto",
    "hangup",
    "hangup_relay",
    "message_send",
    "mute",
    "play",
    "queue_join",
    "recording_start",
    "recording_stop",
    "sleep",
    "stop",
    "stream_echo",
    "talk",
    "transcribe_recording",
    "transcribe_start",
    "transcribe_stop",
    "variable_set",
    "webhook_send",
];
