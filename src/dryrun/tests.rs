//! Flows against scripts.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::flow::dialect::{Support, parse_flow};
use crate::ids::Rng;
use crate::sim;

fn flow(actions: &str) -> Flow {
    parse_flow(
        actions.as_bytes(),
        "test",
        &mut Rng::from_number(1),
        Support::All,
    )
    .unwrap_or_else(|errors| panic!("{errors}"))
}

/// What is wrong with a run of `actions` when `test` says what must happen.
fn failures(actions: &str, test: &str) -> Vec<String> {
    let text = format!(r#"{{"tests": [{{"name": "t", {test}}}]}}"#);
    let tests = parse_tests(text.as_bytes()).unwrap_or_else(|errors| panic!("{errors:#?}"));
    run_test(&flow(actions), &|_| None, &tests.tests[0], sim::start()).failures
}

fn errors(text: &str) -> Vec<String> {
    let errors = parse_tests(text.as_bytes()).expect_err("it is wrong");
    errors.iter().map(ToString::to_string).collect()
}

const HELLO: &str = r##"[{"id": "a", "type": "talk", "option": {"text": "Hello there, who is it?"}},
    {"id": "b", "type": "digits_receive", "option": {"duration": 5000, "length": 4, "key": "#"}},
    {"id": "c", "type": "recording_start", "option": {"end_of_key": "*", "duration": 20}},
    {"id": "d", "type": "sleep", "option": {"duration": 30000}}]"##;

#[test]
fn what_happens_as_stated_passes() {
    let wrong = failures(
        HELLO,
        r##""dial": "menu", "caller": {"target": "+1555", "name": "Ann"},
        "script": [{"after_prompt": "who is it", "press": "1#"}, {"after": "2s", "press": "*"}],
        "expect": {"prompts": ["Hello"], "path": ["a", "digits_receive", "...", "d"], "recordings": 1,
        "variables": {"voipbin.call.digits": "*", "voipbin.call.source.name": "Ann"}, "end": "finished",
        "answered": true, "ended_by": "flow", "reason": "normal", "duration": {"at_least": "31s", "at_most": "34s"}}"##,
    );
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn a_difference_is_shown_with_the_times_at_which_things_happened() {
    let wrong = failures(
        HELLO,
        r#""script": [{"hang_up": "3s"}],
        "expect": {"prompts": ["Goodbye", "Hello"], "path": ["talk", "sleep"], "end": "finished"}"#,
    );
    assert_eq!(
        wrong,
        [
            "prompts (- expected, + happened):\n    -           Goodbye\n        0:00.0  Hello there, who is it?",
            "path (- expected, + happened):\n        0:00.0  talk  a\n    -           sleep\n    +   0:01.5  digits_receive  b",
            "end: expected finished, was call_ended",
        ]
    );
}

#[test]
fn a_step_whose_moment_never_comes_fails_the_test() {
    let wrong = failures(
        HELLO,
        r#""script": [{"after_prompt": "Goodbye", "press": "1"}]"#,
    );
    assert_eq!(
        wrong,
        ["the step of line 1 was not taken: no (further) prompt contained \"Goodbye\""]
    );
}

#[test]
fn a_talk_waits_for_one_that_goes_on_and_is_not_heard_when_a_key_comes_before() {
    let flow = r#"[{"type": "talk", "option": {"text": "Hello there, who is it?", "async": true}},
        {"type": "talk", "option": {"text": "Press one, or two, or three.", "digits_handle": "next"}}]"#;
    for (script, expect) in [
        (
            "[]",
            r#"{"prompts": ["Hello", "Press"], "duration": {"at_least": "3.3s", "at_most": "3.5s"}}"#,
        ),
        (
            r#"[{"during_prompt": "Hello", "press": "1"}]"#,
            r#"{"prompts": ["Hello"], "duration": {"at_least": "0.5s", "at_most": "0.7s"}}"#,
        ),
        (
            r#"[{"hang_up": "1s"}]"#,
            r#"{"prompts": ["Hello"], "end": "call_ended"}"#,
        ),
    ] {
        let wrong = failures(flow, &format!(r#""script": {script}, "expect": {expect}"#));
        assert_eq!(wrong, Vec::<String>::new());
    }
}

#[test]
fn a_message_starts_a_flow_that_branches_on_its_text() {
    let branch = r#"[{"type": "branch", "option": {"variable": "voipbin.message.text",
        "default_target_id": "no", "target_ids": {"call me": "yes"}}},
        {"id": "no", "type": "stop"}, {"id": "yes", "type": "variable_set", "option": {"key": "found", "value": "1"}}]"#;
    let wrong = failures(
        branch,
        r#""message": "call me", "expect": {"variables": {"found": "1"}, "end": "finished"}"#,
    );
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn a_key_that_nobody_knows_is_an_error_with_the_word_that_was_meant() {
    assert_eq!(
        errors(
            "{\"tests\": [{\"name\": \"x\",\n \"script\": [{\"after_promt\": \"a\", \"press\": \"1w\"}]}]}"
        ),
        [
            "2:29: tests[0].script[0].after_promt: unknown key \"after_promt\"; did you mean \"after_prompt\"?",
            "2:43: tests[0].script[0].press: expected keys of a telephone: 0-9, A-D, * and #",
        ]
    );
    assert!(errors("{\"tests\": [}")[0].contains("not JSON"));
    assert!(errors("{}")[0].contains("there are no \"tests\""));
    let two_deeds = r#"{"tests": [{"name": "x", "script": [{"press": "1", "hang_up": true}]}]}"#;
    assert!(errors(two_deeds)[0].contains("exactly one"));
}

#[test]
fn coverage_names_the_actions_and_ways_that_no_test_has_taken() {
    let menu = flow(
        r#"[{"id": "a", "type": "talk", "option": {"text": "Press one"}}, {"id": "r", "type": "digits_receive"},
        {"id": "b", "type": "branch", "option": {"default_target_id": "n", "target_ids": {"1": "y"}}},
        {"id": "y", "type": "hangup"}, {"id": "n", "type": "hangup"}]"#,
    );
    let tests = parse_tests(
        br#"{"tests": [{"name": "x", "script": [{"after_prompt": "one", "press": "1"}]}]}"#,
    )
    .unwrap();
    let mut coverage = Coverage::new(&menu);
    coverage.add(
        &menu,
        &run_test(&menu, &|_| None, &tests.tests[0], sim::start()),
    );
    assert_eq!((coverage.actions(), coverage.ways()), ((4, 5), (1, 2)));
    assert_eq!(
        coverage.gaps().collect::<Vec<_>>(),
        ["action 4 hangup (n)", "way default of 2 branch (b)"]
    );
}

/// Each `NAME.test.json` below `directory`, with its flow.
fn example_tests(directory: &str) -> Vec<(PathBuf, Flow, TestFile)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(directory);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(root).unwrap() {
        let path = entry.unwrap().path();
        let Some(stem) = path.to_str().unwrap().strip_suffix(".test.json") else {
            continue;
        };
        let text = std::fs::read(format!("{stem}.json")).unwrap();
        let tests = parse_tests(&std::fs::read(&path).unwrap());
        let tests = tests.unwrap_or_else(|errors| panic!("{}: {errors:#?}", path.display()));
        found.push((
            path.clone(),
            flow(std::str::from_utf8(&text).unwrap()),
            tests,
        ));
    }
    found
}

#[test]
fn the_tests_of_all_examples_pass_and_reach_everything() {
    let mut count = 0;
    for (path, flow, tests) in ["examples/flows", "examples/tutorials"]
        .into_iter()
        .flat_map(example_tests)
    {
        let mut coverage = Coverage::new(&flow);
        for test in &tests.tests {
            let report = run_test(&flow, &|_| None, test, sim::start());
            let place = format!("{}: {}", path.display(), test.name);
            assert!(
                report.failures.is_empty(),
                "{place}:\n{}",
                report.failures.join("\n")
            );
            coverage.add(&flow, &report);
            count += 1;
        }
        let gaps: Vec<String> = coverage.gaps().collect();
        assert!(gaps.is_empty(), "{}: {gaps:#?}", path.display());
    }
    assert!(count >= 10, "only {count} tests were run");
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "the one thing measured here is real time"
)]
fn a_thousand_tests_take_less_than_a_second() {
    let examples = example_tests("examples/flows");
    let (_, flow, tests) = examples
        .iter()
        .find(|(path, _, _)| path.ends_with("tutorial.test.json"))
        .unwrap();
    let begun = std::time::Instant::now();
    let mut count = 0;
    while begun.elapsed() < Duration::from_millis(500) {
        for test in &tests.tests {
            assert!(
                run_test(flow, &|_| None, test, sim::start())
                    .failures
                    .is_empty()
            );
            count += 1;
        }
    }
    let a_second = f64::from(count) / begun.elapsed().as_secs_f64();
    println!("figure: dry run: {a_second:.0} tests a second on one core");
    assert!(a_second > 1000.0, "only {a_second:.0} tests a second");
}

#[test]
fn a_fetched_flow_is_found_and_returned_from() {
    let inner = Arc::new(flow(r#"[{"type": "talk", "option": {"text": "inner"}}]"#));
    let outer = flow(
        r#"[{"type": "fetch_flow", "option": {"flow_id": "x"}}, {"type": "talk", "option": {"text": "outer"}}]"#,
    );
    let tests = parse_tests(br#"{"tests": [{"name": "x", "expect": {"prompts": ["inner", "outer"], "end": "finished"}}]}"#).unwrap();
    let flows = |id: &str| (id == "x").then(|| inner.clone());
    let report = run_test(&outer, &flows, &tests.tests[0], sim::start());
    assert_eq!(report.failures, Vec::<String>::new());
}

#[test]
fn the_world_does_what_its_test_says_for_fetch_webhook_and_machine() {
    let actions = r#"[{"type": "answer"},
        {"type": "amd", "option": {"machine_handle": "continue"}},
        {"type": "fetch", "option": {"event_url": "https://example.com/flow"}},
        {"type": "webhook_send", "option": {"sync": true, "uri": "https://example.com/hook", "method": "POST",
            "data_type": "application/json", "data": "{\"who\": \"${voipbin.amd.result}\"}"}},
        {"type": "email_send", "option": {"destinations": [{"type": "email", "target": "a@example.com"}],
            "subject": "Call", "content": "It is over."}}]"#;
    let wrong = failures(
        actions,
        r#""script": [{"machine": "machine", "after": "4s"},
            {"http": {"url": "/flow", "body": [{"type": "talk", "option": {"text": "fetched"}}], "after": "2s"}}],
        "expect": {"prompts": ["fetched"], "webhooks": ["POST https://example.com/hook {\"who\": \"machine\"}"],
            "emails": ["a@example.com: Call: It is over."], "end": "finished", "duration": {"at_least": "6s"}}"#,
    );
    assert_eq!(wrong, Vec::<String>::new());
    let wrong = failures(
        actions,
        r#""script": [{"http": {"url": "/flow", "status": 404}}], "expect": {"end": "finished"}"#,
    );
    assert!(
        wrong[0].starts_with("end: expected finished, was failed ("),
        "{wrong:?}"
    );
}

#[test]
fn a_queue_a_block_and_an_assistant_go_as_the_script_says() {
    let wrong = failures(
        r#"[{"type": "queue_join", "option": {"queue_id": "7d3a8f6c-0000-4000-8000-000000000000"}},
        {"type": "ai_talk", "option": {"assistance_type": "ai", "assistance_id": "x"}}]"#,
        r#""script": [{"agent": "answers", "after": "20s", "talks": "1m"}, {"assistant_talks": "15s"}],
        "expect": {"end": "finished", "answered": true, "duration": {"at_least": "95s", "at_most": "96s"}}"#,
    );
    assert_eq!(wrong, Vec::<String>::new());
    let block = r#"[{"type": "block"}, {"type": "stop"}]"#;
    let resumed = r#""started_by": "api", "script": [{"at": "1h", "resume": true}], "expect": {"end": "stopped"}"#;
    assert_eq!(failures(block, resumed), Vec::<String>::new());
    let waiting = r#""started_by": "api", "expect": {"end": "waiting", "path": ["block"]}"#;
    assert_eq!(failures(block, waiting), Vec::<String>::new());
}

/// Actions of every type with options of every kind.
fn any_action() -> impl Strategy<Value = String> {
    let names: Vec<&str> = crate::flow::lint::action_types().collect();
    let id = proptest::sample::select(vec!["a", "b", "c"]);
    (proptest::sample::select(names), id.clone(), id, 0..70_000).prop_map(|(name, id, to, time)| {
        format!(
            r#"{{"id": "{id}", "type": "{name}", "option": {{"target_id": "{to}", "false_target_id": "{to}",
            "default_target_id": "{to}", "loop_count": 3, "text": "Hello", "duration": {time}, "flow_id": "self",
            "destinations": [{{"type": "tel", "target": "+1"}}], "stream_urls": ["a.wav"], "digits": "12",
            "event_url": "https://example.com", "uri": "https://example.com", "queue_id": "q", "key": "k"}}}}"#
        )
    })
}

proptest! {
    #[test]
    fn every_flow_comes_to_an_end_or_waits(actions in proptest::collection::vec(any_action(), 0..8), keys in "[0-9#*]{1,4}") {
        let flow = Arc::new(flow(&format!("[{}]", actions.join(","))));
        let text = format!(
            r#"{{"tests": [{{"name": "x", "script": [{{"after": "1s", "press": "{keys}"}}, {{"http": {{"url": ""}}}},
            {{"callee": "answers"}}, {{"agent": "answers"}}, {{"hang_up": "10h"}}]}}]}}"#
        );
        let tests = parse_tests(text.as_bytes()).unwrap();
        let _ = run_test(&flow, &|_| Some(flow.clone()), &tests.tests[0], sim::start());
    }

    #[test]
    fn no_bytes_make_the_reader_of_tests_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        let _ = parse_tests(&bytes);
    }
}
