use super::*;
use crate::flow::dialect::{Support, parse_flow};
use crate::ids::Rng;

fn flow(stem: &str, json: &str) -> (String, Arc<Flow>) {
    let flow = parse_flow(
        json.as_bytes(),
        stem,
        &mut Rng::from_number(1),
        Support::Live,
    )
    .unwrap();
    (stem.to_owned(), Arc::new(flow))
}

fn named(stem: &str, name: &str, numbers: &str) -> (String, Arc<Flow>) {
    let json = format!(
        r#"{{"id":"flow-{stem}","name":"{name}","numbers":[{numbers}],"actions":[{{"type":"answer"}}]}}"#
    );
    flow(stem, &json)
}

fn number(number: &str, call: Option<&str>, message: Option<&str>) -> Number {
    Number {
        number: number.to_owned(),
        call_flow: call.map(str::to_owned),
        message_flow: message.map(str::to_owned),
    }
}

#[test]
fn a_number_has_a_flow_for_messages_beside_the_one_for_calls() {
    let numbers = [
        number("+1 555", None, Some("sms")),
        number("+1556", Some("a"), None),
    ];
    let files = vec![named("a", "", r#""+1555""#), named("sms", "", "")];
    let (table, clashes) = FlowTable::new(files, &numbers);
    assert_eq!(clashes, []);
    assert_eq!(table.message_flow("1555").unwrap().id, "flow-sms");
    assert_eq!(table.route("+1555").unwrap().id, "flow-a");
    assert!(table.message_flow("+1556").is_none());
    assert!(table.message_flow("sms").is_none());
}

#[test]
fn a_flow_is_found_by_stem_name_and_number_with_or_without_plus() {
    let (table, clashes) =
        FlowTable::new(vec![named("menu", "Main Menu", r#""+1 (555) 111""#)], &[]);
    assert_eq!(clashes, []);
    for user in ["menu", "Menu", "Main Menu", "+1555111", "1555111"] {
        assert!(table.route(user).is_some(), "{user}");
    }
    assert!(table.route("555111").is_none());
    assert!(table.find("flow-menu").is_some());
    assert!(table.find("menu").is_some());
}

#[test]
fn default_answers_what_nobody_claims() {
    let (table, _) = FlowTable::new(vec![named("default", "", ""), named("menu", "", "")], &[]);
    assert_eq!(table.route("nobody").unwrap().id, "flow-default");
    assert!(table.find("nobody").is_none());
}

#[test]
fn a_claim_made_twice_stays_with_the_first_and_is_told() {
    let (table, clashes) = FlowTable::new(
        vec![named("a", "", r#""+155""#), named("b", "A", r#""155""#)],
        &[],
    );
    let claims: Vec<&str> = clashes.iter().map(|clash| clash.claim.as_str()).collect();
    assert_eq!(claims, ["a", "155"]);
    assert_eq!(table.route("155").unwrap().id, "flow-a");
}

#[test]
fn a_configured_number_beats_one_in_a_flow_in_silence() {
    let numbers = [number("+155", Some("b"), None)];
    let (table, clashes) = FlowTable::new(
        vec![named("a", "", r#""155""#), named("b", "", "")],
        &numbers,
    );
    assert_eq!(clashes, []);
    assert_eq!(table.route("155").unwrap().id, "flow-b");
}

#[test]
fn flows_of_files_and_stored_ones_stand_side_by_side_and_a_file_keeps_what_both_claim() {
    let stored = |id: &str, name: &str, numbers: &str| {
        let json = format!(
            r#"{{"id":"{id}","name":"{name}","numbers":[{numbers}],"actions":[{{"type":"answer"}}]}}"#
        );
        flow("stored", &json).1
    };
    let sources = FlowSources {
        files: vec![named("menu", "Main", r#""155""#)],
        stored: vec![
            stored("flow-menu", "other", ""),
            stored("s1", "Menu", r#""155","156""#),
            stored("s2", "main", ""),
            stored("s3", "night", ""),
        ],
        numbers: vec![
            number("+1 700", Some("s3"), Some("menu")),
            number("1700", Some("s1"), None),
            number("1701", Some("night"), None),
        ],
    };
    let (table, clashes) = sources.table();
    let id = |flow: Option<&Arc<Flow>>| flow.map(|flow| flow.id.clone()).unwrap_or_default();
    for word in ["menu", "Main", "155", "flow-menu"] {
        let found = table.claimed(word).or_else(|| table.find(word));
        assert_eq!(id(found), "flow-menu", "{word}");
        assert!(found.is_some_and(|flow| flow.name != "other"), "{word}");
    }
    assert_eq!(id(table.route("156")), "s1");
    assert_eq!(
        id(table.route("+1700")),
        "s3",
        "a number names a flow by its id"
    );
    assert_eq!(id(table.route("1701")), "s3", "or by its name");
    assert_eq!(id(table.message_flow("1700")), "flow-menu");
    assert_eq!(id(table.find("s2")), "s2");
    let told: Vec<String> = clashes.iter().map(ToString::to_string).collect();
    let clash = |claim: &str, first: &str, second: &str| {
        format!("{claim} is claimed by flow {first} and by flow {second}; {first} keeps it")
    };
    assert_eq!(
        told,
        [
            clash("flow-menu", "menu", "flow-menu"),
            clash("menu", "menu", "s1"),
            clash("main", "menu", "s2"),
            clash("1700", "s3", "s1"),
            clash("155", "menu", "s1"),
        ]
    );
}
