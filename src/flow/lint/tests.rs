//! Every rule finds what it is for, and nothing in what is right.

use proptest::prelude::*;

use super::*;
use crate::ids::Rng;

mod cases;

fn findings_in(text: &[u8]) -> Vec<Finding> {
    let known = BTreeSet::from(["other".to_owned()]);
    let outer = BTreeSet::from(["outer".to_owned()]);
    check(
        text,
        &Surroundings {
            flows: Some(&known),
            is_fetched: false,
            outer_ids: &outer,
            outer_targets: &BTreeSet::new(),
            permits: &|address| !address.is_loopback(),
        },
    )
}

fn rules_in(text: &str) -> Vec<Rule> {
    findings_in(text.as_bytes())
        .iter()
        .map(|finding| finding.rule)
        .collect()
}

fn only(text: &str) -> Finding {
    let findings = findings_in(text.as_bytes());
    assert_eq!(findings.len(), 1, "{findings:#?}");
    findings.into_iter().next().expect("just counted")
}

#[test]
fn every_rule_has_a_flow_that_it_finds_and_one_that_it_passes() {
    for rule in Rule::ALL {
        let case = cases::CASES.iter().find(|case| case.rule == *rule);
        let case = case.unwrap_or_else(|| panic!("{} has no case", rule.code()));
        assert!(
            rules_in(case.wrong).contains(rule),
            "{} is not found in {}: {:#?}",
            rule.code(),
            case.wrong,
            findings_in(case.wrong.as_bytes())
        );
        assert!(
            !rules_in(case.right).contains(rule),
            "{} is found in {}: {:#?}",
            rule.code(),
            case.right,
            findings_in(case.right.as_bytes())
        );
    }
}

#[test]
fn every_action_that_the_reader_knows_is_known_here() {
    for name in action_types() {
        let text = format!(r#"[{{"type": "{name}"}}]"#);
        let read = parse_flow(text.as_bytes(), "x", &mut Rng::from_number(1), Support::All);
        assert!(read.is_ok(), "{name}: {}", read.unwrap_err());
        assert!(!rules_in(&text).contains(&Rule::UnknownAction), "{name}");
    }
}

#[test]
fn a_finding_says_where_what_and_what_to_do() {
    let finding = only(
        "[{\"type\": \"talk\",\n  \"option\": {\"text\": \"Hi\", \"digit_handle\": \"next\"}}]",
    );
    assert_eq!(finding.rule, Rule::UnknownOption);
    assert_eq!(finding.path, "[0].option.digit_handle");
    assert_eq!((finding.line, finding.column), (2, 44));
    assert_eq!(
        finding.sentence,
        "talk has no option \"digit_handle\": it is passed over"
    );
    assert_eq!(finding.remedy, "did you mean \"digits_handle\"?");
}

#[test]
fn the_broken_samples_of_the_documentation_are_explained() {
    for (text, sentence, remedy) in cases::BROKEN {
        let finding = only(text);
        assert_eq!(finding.rule, Rule::Syntax, "{text}");
        assert!(
            finding.sentence.contains(sentence),
            "{text}: {}",
            finding.sentence
        );
        assert!(
            finding.remedy.contains(remedy),
            "{text}: {}",
            finding.remedy
        );
    }
}

#[test]
fn one_action_alone_is_told_to_be_put_into_an_array() {
    let findings = findings_in(br#"{"type": "talk", "option": {"text": "Hi"}}"#);
    assert_eq!(findings[0].sentence, "this is one action, not a flow");
    assert_eq!(findings.len(), 1, "{findings:#?}");
}

#[test]
fn a_missing_comma_is_told_at_the_line_that_lacks_it() {
    let finding = only("[{\"type\": \"hangup\",\n\"option\": {}}\n{\"type\": \"stop\"}]");
    assert_eq!((finding.line, finding.column), (3, 1));
    assert_eq!(finding.remedy, "put ',' at line 2, column 14");
}

#[test]
fn the_flows_of_the_examples_and_of_the_wire_tests_are_clean() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    for directory in ["examples/flows", "examples/tutorials", "sip-tests/flows"] {
        for entry in std::fs::read_dir(root.join(directory)).unwrap() {
            let path = entry.unwrap().path();
            if path.to_string_lossy().ends_with(".test.json") {
                continue;
            }
            let findings = findings_in(&std::fs::read(&path).unwrap());
            let bad: Vec<_> = findings
                .iter()
                .filter(|finding| {
                    finding.rule.severity() > Severity::Note && finding.rule != Rule::NotSupported
                })
                .collect();
            assert!(bad.is_empty(), "{}: {bad:#?}", path.display());
        }
    }
}

#[test]
fn the_outline_of_a_flow_tells_its_ids_targets_and_fetches() {
    let outline = outline(
        br#"{"id": "A", "actions": [{"id": "a", "type": "goto", "option": {"target_id": "b", "loop_count": 1}},
            {"type": "fetch_flow", "option": {"flow_id": "c"}}]}"#,
    );
    assert_eq!(outline.id.as_deref(), Some("A"));
    assert_eq!(outline.action_ids, BTreeSet::from(["a".to_owned()]));
    assert_eq!(outline.targets, BTreeSet::from(["b".to_owned()]));
    assert_eq!(outline.fetches, BTreeSet::from(["c".to_owned()]));
}

#[test]
fn a_flow_of_ten_thousand_actions_is_checked_at_once() {
    let action = r#"{"type": "goto", "option": {"target_id": "00000000-0000-0000-0000-000000000001", "loop_count": 1}},"#;
    let text = format!("[{}{{\"type\": \"stop\"}}]", action.repeat(9_998));
    assert!(findings_in(text.as_bytes()).len() <= 1000);
}

/// Actions of few types and ids, so that every shape of graph comes about.
fn any_action() -> impl Strategy<Value = String> {
    let names: Vec<&str> = action_types().collect();
    let id = proptest::sample::select(vec![
        "a",
        "b",
        "c",
        "",
        "${x}",
        "00000000-0000-0000-0000-000000000002",
    ]);
    let value = proptest::sample::select(vec![
        "1",
        "-1",
        "\"\"",
        "\"${v\"",
        "[]",
        "{}",
        "true",
        "null",
        "\"http://127.0.0.1\"",
        "[{}]",
        "1e300",
    ]);
    (proptest::sample::select(names), id.clone(), id, value).prop_map(|(name, id, to, value)| {
        format!(
            r#"{{"id": "{id}", "type": "{name}", "option": {{"target_id": "{to}", "false_target_id": "{to}",
            "default_target_id": "{to}", "target_ids": {{"1": "{to}", "": "{to}"}}, "loop_count": 7, "length": {value},
            "duration": {value}, "text": {value}, "stream_urls": {value}, "actions": {value}, "destinations": {value}}}}}"#
        )
    })
}

proptest! {
    #[test]
    fn no_flow_makes_the_linter_panic_and_what_the_reader_refuses_is_an_error(
        actions in proptest::collection::vec(any_action(), 0..12),
    ) {
        let text = format!("[{}]", actions.join(","));
        let findings = findings_in(text.as_bytes());
        let is_refused = parse_flow(text.as_bytes(), "x", &mut Rng::from_number(1), Support::All).is_err();
        let has_error = findings.iter().any(|finding| finding.rule.severity() == Severity::Error);
        prop_assert!(has_error || !is_refused, "{}", text);
    }

    #[test]
    fn no_bytes_make_the_linter_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        let _ = (findings_in(&bytes), outline(&bytes));
    }
}

#[test]
fn external_media_that_cannot_be_carried_or_reached_are_found() {
    let rules = |option: &str| {
        let text = format!(
            r#"[{{"type": "answer"}}, {{"type": "external_media_start", "option": {option}}}]"#
        );
        rules_in(&text)
    };
    for right in [
        r#"{"external_host": "media.example.com:9000"}"#,
        r#"{"external_host": "[2001:db8::1]:9", "encapsulation": "audiosocket"}"#,
        r#"{"external_host": "wss://a.example/x", "transport": "websocket", "format": "slin"}"#,
        r#"{"external_host": "${h}", "encapsulation": "${e}", "transport": "tcp", "format": "${f}"}"#,
        r#"{"external_host": "a.example:1", "connection_type": "client", "direction": "in"}"#,
    ] {
        assert_eq!(rules(right), [], "{right}");
    }
    let wrong = [
        (
            Rule::WrongValue,
            r#"{"external_host": "a.example:1", "encapsulation": "rtp", "transport": "tcp"}"#,
        ),
        (
            Rule::WrongValue,
            r#"{"external_host": "a.example:1", "encapsulation": "none", "transport": "udp"}"#,
        ),
        (
            Rule::WrongValue,
            r#"{"external_host": "a.example:1", "transport": "smoke"}"#,
        ),
        (
            Rule::WrongValue,
            r#"{"external_host": "a.example:1", "connection_type": "server"}"#,
        ),
        (
            Rule::WrongValue,
            r#"{"external_host": "a.example:1", "format": "opus"}"#,
        ),
        (
            Rule::WrongValue,
            r#"{"external_host": "ws://me:secret@a.example", "encapsulation": "none"}"#,
        ),
        (Rule::RefusedUrl, r#"{"external_host": "127.0.0.1:9000"}"#),
        (
            Rule::RefusedUrl,
            r#"{"external_host": "ws://localhost/x", "transport": "websocket"}"#,
        ),
    ];
    for (rule, option) in wrong {
        assert_eq!(rules(option), [rule], "{option}");
    }
}
