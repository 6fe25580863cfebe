//! What is read, what is refused, and where.

use proptest::prelude::*;

use super::*;

fn error_of(text: &str) -> (usize, SyntaxError) {
    let misread = parse(text.as_bytes()).expect_err("must not parse");
    (misread.at, misread.error)
}

fn to_serde(node: &Node) -> serde_json::Value {
    match &node.value {
        Value::Null => serde_json::Value::Null,
        Value::Bool(flag) => (*flag).into(),
        Value::Whole(number) => (*number).into(),
        Value::Real(number) => (*number).into(),
        Value::Text(text) => text.as_str().into(),
        Value::List(items) => items.iter().map(to_serde).collect(),
        Value::Object(members) => members
            .iter()
            .map(|member| (member.key.clone(), to_serde(&member.node)))
            .collect(),
    }
}

#[test]
fn values_know_where_they_stand() {
    let node = parse(b" {\"a\": [1, \"\\u00e9\\ud83d\\ude00\"]}").unwrap();
    assert_eq!(node.at, 1);
    let Value::Object(members) = node.value else {
        panic!("not an object")
    };
    let Value::List(items) = &members[0].node.value else {
        panic!("not a list")
    };
    assert_eq!((items[0].at, items[1].at), (8, 11));
    assert_eq!(items[1].value, Value::Text("é😀".to_owned()));
}

#[test]
fn a_column_counts_characters_and_a_line_ends_at_its_newline() {
    let text = "{\n \"ä\": x}".as_bytes();
    let misread = parse(text).expect_err("x is not a value");
    assert_eq!(line_and_column(text, misread.at), (2, 7));
    assert_eq!(misread.path, [Segment::Key("ä".to_owned())]);
}

#[test]
fn what_is_not_json_is_refused_where_it_goes_wrong() {
    assert_eq!(error_of("[1,]"), (2, SyntaxError::TrailingComma));
    assert_eq!(error_of("[1] 2"), (4, SyntaxError::TrailingText));
    assert_eq!(error_of("{\"a\":1,\"b\":2,\"a\":3}").0, 13);
    assert_eq!(error_of("\"a\nb\""), (2, SyntaxError::ControlCharacter));
    assert_eq!(error_of("\"\\ud800x\""), (1, SyntaxError::BadEscape));
    assert_eq!(error_of("\"\\ud800\\u0041\""), (1, SyntaxError::BadEscape));
    assert_eq!(error_of("01"), (0, SyntaxError::BadNumber));
    assert_eq!(error_of("1e999"), (0, SyntaxError::BadNumber));
    assert_eq!(
        error_of("[\"a"),
        (
            3,
            SyntaxError::UnexpectedEnd {
                expected: "the closing quote of a string"
            }
        )
    );
    assert_eq!(parse(b"\"\xff\"").expect_err("not UTF-8").at, 1);
}

#[test]
fn ten_thousand_levels_are_an_error_and_128_are_not() {
    let nested = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
    assert_eq!(
        error_of(&nested(10_000)),
        (128, SyntaxError::TooDeep { limit: 128 })
    );
    assert!(parse(nested(128).as_bytes()).is_ok());
}

proptest! {
    #[test]
    fn the_same_texts_and_values_as_serde_json_are_read(text in "[\\[\\]{}:,\"\\\\eEtrufalsn0-9+. ua-]{0,24}") {
        let ours = parse(text.as_bytes());
        let theirs = serde_json::from_str::<serde_json::Value>(&text);
        match (ours, theirs) {
            (Ok(ours), Ok(theirs)) => prop_assert_eq!(to_serde(&ours), theirs),
            (Err(Misread { error: SyntaxError::DuplicateKey { .. }, .. }), _) => {}
            (ours, theirs) => prop_assert_eq!(ours.is_ok(), theirs.is_ok(), "{}", text),
        }
    }
}
