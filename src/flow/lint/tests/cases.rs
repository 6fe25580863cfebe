//! A flow that each rule finds, and one that it passes.

use super::Rule;

pub(super) struct Case {
    pub(super) rule: Rule,
    pub(super) wrong: &'static str,
    pub(super) right: &'static str,
}

const fn case(rule: Rule, wrong: &'static str, right: &'static str) -> Case {
    Case { rule, wrong, right }
}

pub(super) const CASES: &[Case] = &[
    case(
        Rule::Syntax,
        r#"[{"type": "stop",}]"#,
        r#"[{"type": "stop"}]"#,
    ),
    case(
        Rule::DuplicateKey,
        r#"[{"type": "stop", "type": "answer"}]"#,
        r#"[{"type": "stop"}]"#,
    ),
    case(Rule::NotAFlow, "1", "[]"),
    case(
        Rule::UnknownAction,
        r#"[{"type": "tlak"}]"#,
        r#"[{"type": "Hangup_relay", "option": {"reference_id": "x"}}]"#,
    ),
    case(
        Rule::UnknownOption,
        r#"[{"type": "beep", "option": {"times": 2}}]"#,
        r#"[{"type": "beep", "option": {"_times": 2}}]"#,
    ),
    case(
        Rule::UnknownField,
        r#"[{"type": "beep", "nextid": "x"}]"#,
        r#"[{"type": "beep", "tm_execute": null}]"#,
    ),
    case(
        Rule::WrongType,
        r#"[{"type": "sleep", "option": {"duration": true}}]"#,
        r#"[{"type": "sleep", "option": {"duration": "5000"}}]"#,
    ),
    case(
        Rule::MissingOption,
        r#"[{"type": "talk"}]"#,
        r#"[{"type": "talk", "option": {"text": "Hi"}}]"#,
    ),
    case(
        Rule::WrongValue,
        r#"[{"type": "digits_send", "option": {"digits": "1w2"}}]"#,
        r##"[{"type": "digits_send", "option": {"digits": "1a#"}}]"##,
    ),
    case(
        Rule::UnknownWord,
        r#"[{"type": "talk", "option": {"text": "Hi", "gender": "robot"}}]"#,
        r#"[{"type": "talk", "option": {"text": "Hi", "gender": "${g}"}}]"#,
    ),
    case(
        Rule::OutOfRange,
        r#"[{"type": "digits_send", "option": {"digits": "1", "duration": 50}}]"#,
        r#"[{"type": "digits_send", "option": {"digits": "1", "duration": 1000, "interval": 0}}]"#,
    ),
    case(
        Rule::NotSupported,
        r#"[{"type": "case_create", "option": {"name": "x"}}]"#,
        r#"[{"type": "talk", "option": {"text": "Hi"}}]"#,
    ),
    case(
        Rule::RecordingFormat,
        r#"[{"type": "recording_start", "option": {"format": "flac"}}]"#,
        r#"[{"type": "recording_start", "option": {"format": "mp3", "layout": "stereo"}}]"#,
    ),
    case(
        Rule::RefusedUrl,
        r#"[{"type": "webhook_send", "option": {"uri": "http://127.0.0.1/x"}}]"#,
        r#"[{"type": "webhook_send", "option": {"uri": "https://example.com/x"}}]"#,
    ),
    case(
        Rule::Deprecated,
        r#"[{"type": "chatbot_talk", "option": {"chatbot_id": "x"}}]"#,
        r#"[{"type": "ai_talk", "option": {"ai_id": "x"}}]"#,
    ),
    case(
        Rule::DanglingTarget,
        r#"[{"type": "goto", "option": {"target_id": "nowhere", "loop_count": 1}}]"#,
        r#"[{"id": "A1D3B7F0-0000-4000-8000-000000000000", "type": "beep"},
            {"type": "goto", "option": {"target_id": "a1d3b7f0-0000-4000-8000-000000000000", "loop_count": 1}},
            {"type": "goto", "option": {"target_id": "00000000-0000-0000-0000-000000000002", "loop_count": 1}}]"#,
    ),
    case(
        Rule::OuterTarget,
        r#"[{"type": "goto", "option": {"target_id": "outer", "loop_count": 1}}]"#,
        r#"[{"id": "outer", "type": "beep"}, {"type": "goto", "option": {"target_id": "outer", "loop_count": 1}}]"#,
    ),
    case(
        Rule::NoDefault,
        r#"[{"id": "a", "type": "beep"}, {"type": "branch", "option": {"target_ids": {"1": "a"}}}]"#,
        r#"[{"id": "a", "type": "beep"}, {"type": "branch", "option": {"default_target_id": "a"}}]"#,
    ),
    case(
        Rule::Unreachable,
        r#"[{"type": "stop"}, {"type": "beep"}]"#,
        r#"[{"type": "fetch", "option": {"event_url": "https://example.com"}}, {"type": "stop"}, {"id": "a", "type": "beep"}]"#,
    ),
    case(
        Rule::DuplicateId,
        r#"[{"id": "a", "type": "beep"}, {"id": "a", "type": "beep"}]"#,
        r#"[{"id": "a", "type": "beep"}, {"id": "b", "type": "beep"}]"#,
    ),
    case(
        Rule::LoopWithoutWait,
        r#"[{"id": "a", "type": "variable_set", "option": {"key": "x", "value": "1"}}, {"type": "empty", "next_id": "a"}]"#,
        r#"[{"id": "a", "type": "sleep", "option": {"duration": 1000}}, {"type": "empty", "next_id": "a"}]"#,
    ),
    case(
        Rule::LoopOverLimit,
        r#"[{"id": "a", "type": "beep"}, {"type": "goto", "option": {"target_id": "a", "loop_count": 200}}]"#,
        r#"[{"id": "a", "type": "beep"}, {"type": "goto", "option": {"target_id": "a", "loop_count": 50}}]"#,
    ),
    case(
        Rule::NeverJumps,
        r#"[{"id": "a", "type": "beep"}, {"type": "goto", "option": {"target_id": "a"}}]"#,
        r#"[{"id": "a", "type": "beep"}, {"type": "goto", "option": {"target_id": "a", "loop_count": "${n}"}}]"#,
    ),
    case(
        Rule::ImpossibleKey,
        r#"[{"type": "digits_receive", "option": {"length": 1}},
            {"type": "branch", "option": {"default_target_id": "a", "target_ids": {"12": "a"}}}, {"id": "a", "type": "stop"}]"#,
        r#"[{"type": "digits_receive", "option": {"length": 2}},
            {"type": "branch", "option": {"default_target_id": "a", "target_ids": {"12": "a", "1": "a"}}}, {"id": "a", "type": "stop"}]"#,
    ),
    case(
        Rule::KeyWithoutEnd,
        r##"[{"type": "digits_receive", "option": {"key": "#"}},
            {"type": "branch", "option": {"default_target_id": "a", "target_ids": {"12": "a"}}}, {"id": "a", "type": "stop"}]"##,
        r##"[{"type": "digits_receive", "option": {"key": "#"}},
            {"type": "branch", "option": {"default_target_id": "a", "target_ids": {"12": "a", "12#": "a"}}}, {"id": "a", "type": "stop"}]"##,
    ),
    case(
        Rule::MediaWithoutCall,
        r#"{"numbers": [], "actions": [{"type": "beep"}]}"#,
        r#"{"numbers": [], "actions": [{"type": "variable_set", "option": {"key": "a", "value": "b"}}]}"#,
    ),
    case(
        Rule::RecordingUnanswered,
        r#"[{"type": "beep"}, {"type": "recording_start"}]"#,
        r#"[{"type": "talk", "option": {"text": "Hi"}}, {"type": "recording_start"}]"#,
    ),
    case(
        Rule::DigitsUnanswered,
        r#"[{"type": "beep"}, {"type": "digits_receive"}]"#,
        r#"[{"type": "answer"}, {"type": "digits_receive"}]"#,
    ),
    case(
        Rule::UnknownFlow,
        r#"[{"type": "fetch_flow", "option": {"flow_id": "othr"}}]"#,
        r#"[{"type": "fetch_flow", "option": {"flow_id": "other"}}]"#,
    ),
    case(
        Rule::VariableSpelling,
        r#"[{"id": "a", "type": "branch", "option": {"variable": "${x}", "default_target_id": "b"}}, {"id": "b", "type": "stop"}]"#,
        r#"[{"id": "a", "type": "branch", "option": {"variable": "x", "default_target_id": "b"}}, {"id": "b", "type": "stop"}]"#,
    ),
    case(
        Rule::OpenPlaceholder,
        r#"[{"type": "talk", "option": {"text": "Hello ${name"}}]"#,
        r#"[{"type": "talk", "option": {"text": "Hello ${name}"}}]"#,
    ),
    case(
        Rule::UnknownVariable,
        r#"[{"type": "talk", "option": {"text": "You are ${voipbin.call.source.nmae}"}}]"#,
        r#"[{"type": "talk", "option": {"text": "You are ${voipbin.call.source.name}"}}]"#,
    ),
];

/// As they stand in VoIPBIN's documentation, with a part of the sentence and of the remedy.
pub(super) const BROKEN: &[(&str, &str, &str)] = &[
    (
        "{\n\"type\": \"condition_call_status\",\n\"option\": {\n\"status\": \"progressing,\n\"false_target_id\": \"x\"\n}\n}",
        "not closed before the end of its line",
        "missing quote",
    ),
    (
        "{\n\"condition\": \">=,\n\"minute\": 0\n\"hour\": 8\n}",
        "not closed",
        "quote",
    ),
    (
        "{\n\"minute\": 0\n\"hour\": 8\n}",
        "comma is missing at the end of the value in line 2",
        "line 2, column 12",
    ),
    (
        "{\n\"type\": \"fetch\".\n\"option\": {}\n}",
        "'.' stands where a comma belongs",
        "use ','",
    ),
    (
        "{\n\"type\": \"stream_echo\"\n\"option\": {\n\"duration\": 10000\n}\n}",
        "comma is missing at the end of the value in line 2",
        "line 2, column 22",
    ),
    (
        "{\n\"type\": \"external_media_stop\",\n}",
        "comma after the last item",
        "remove the comma",
    ),
    (
        "{\n\"option\": {\n\"duration\": <number>,\n}\n}",
        "placeholder of the documentation",
        "put a value",
    ),
    (
        "{\n\"option\": {\n...\n}\n}",
        "dots of the documentation",
        "remove the dots",
    ),
    (
        "{\n\"sync\": boolean,\n\"uri\": \"<string>\"\n}",
        "boolean is not quoted",
        "double quotes",
    ),
    (
        "{\n\"target_ids\": {\n\"<string>\": <string>,\n}\n}",
        "placeholder",
        "put a value",
    ),
    (
        "{\n\"type\": \"digits_send\"\n},\n",
        "more text after the end",
        "remove the comma",
    ),
    (
        "{\"target_ids\": {\n\"1\": \"9c30642a-f05e-11ef-8674-ebba44c5cb0f2\",\n}}",
        "comma after the last item",
        "remove the comma",
    ),
    (
        "...\n{\n\"type\": \"branch\"\n}\n...",
        "dots of the documentation",
        "remove the dots",
    ),
    ("{type: \"talk\"}", "key in quotes", "double quotes"),
    ("[{'type': 'talk'}]", "single quote", "\" only"),
    (
        "[{\u{201c}type\u{201d}: 1}]",
        "typographic",
        "straight quote",
    ),
    ("[True]", "True is not a JSON word", "lower case"),
    ("[{\"a\" 1}]", "after a key", "followed by ':'"),
    ("[{\"a\": 1}", "the file ends", "brackets"),
    ("[{\"a\": 1]]", "another bracket", "closed by"),
    ("[1] // done", "more text", "one flow"),
    ("[01]", "number", "quotes"),
    ("[\"\\d\"]", "backslash", "\\\\"),
];
