//! Each operator, both spellings, at its edges.

use super::*;

fn variables(pairs: &[(&str, &str)]) -> Variables {
    let mut variables = Variables::default();
    for (name, value) in pairs {
        variables.set((*name).to_owned(), *value).unwrap();
    }
    variables
}

fn operator(text: &str) -> Late<Operator> {
    Late::Known(Operator::from_text(text).unwrap())
}

/// `"text OP value"` as the author of a flow means it.
fn holds(variable: &str, op: &str, value_type: ValueType, value: &str) -> bool {
    let condition = VariableCondition {
        operator: operator(op),
        variable: Template::new(variable),
        value_type: Late::Known(value_type),
        value_string: Template::new(value),
        value_number: Late::Template(Template::new(value)),
        value_length: Late::Template(Template::new(value)),
        false_target: Target::default(),
    };
    let known = [
        ("tier", "gold"),
        ("n", "10"),
        ("empty", ""),
        ("voipbin.call.source.target", "+1555"),
    ];
    {
        let known = variables(&known);
        condition.is_true(&known, &known).unwrap()
    }
}

#[test]
fn symbols_and_words_mean_the_same_and_nothing_else_is_ever_true() {
    for (symbol, word, below, same, above) in [
        ("==", "equal", false, true, false),
        ("!=", "not_equal", true, false, true),
        (">", "greater", false, false, true),
        (">=", "greater_equal", false, true, true),
        ("<", "less", true, false, false),
        ("<=", "less_equal", true, true, false),
        ("", "Equal", false, false, false),
        ("=", "=>", false, false, false),
    ] {
        for op in [symbol, word] {
            for (left, expected) in [("9", below), ("10", same), ("11", above)] {
                assert_eq!(
                    holds(left, op, ValueType::Number, "10"),
                    expected,
                    "{left} {op} 10"
                );
            }
        }
    }
}

#[test]
fn a_variable_is_a_name_or_a_template_or_the_text_itself() {
    let equals = |variable, value| holds(variable, "==", ValueType::String, value);
    assert!(equals("voipbin.call.source.target", "+1555"));
    assert!(equals("${voipbin.call.source.target}", "+1555"));
    assert!(equals("tier", "gold"));
    assert!(equals("${tier}-${n}", "gold-10"));
    assert!(equals("${missing}", ""));
    assert!(equals("voipbin.call.nothing", ""));
    assert!(equals("nothing", "nothing"));
    assert!(equals("empty", ""));
}

#[test]
fn strings_are_compared_byte_by_byte_and_numbers_as_numbers() {
    assert!(holds("9", ">", ValueType::String, "10"));
    assert!(!holds("9", ">", ValueType::Number, "10"));
    assert!(holds("16777217", "!=", ValueType::Number, "16777216"));
    assert!(holds("0.1", "==", ValueType::Number, "0.10"));
    assert!(holds("Z", "<", ValueType::String, "a"));
    assert!(!holds("gold", "==", ValueType::Unknown, "gold"));
}

#[test]
fn a_text_that_is_no_number_makes_every_operator_false() {
    for op in ["==", "!=", ">", ">=", "<", "<="] {
        for left in ["tier", "empty", "nan", "1 0", "inf"] {
            assert!(!holds(left, op, ValueType::Number, "10"), "{left} {op}");
        }
    }
}

#[test]
fn length_is_that_of_the_value_in_bytes() {
    assert!(holds("tier", "==", ValueType::Length, "4"));
    assert!(holds("empty", "==", ValueType::Length, "0"));
    assert!(holds("é", "==", ValueType::Length, "2"));
    assert!(!holds("tier", "<", ValueType::Length, "4"));
}

/// Seconds since 1970 of 2024-02-29 16:45:30 UTC, a Thursday.
const LEAP_THURSDAY: u64 = 1_709_225_130;

/// Fields as (month, day, hour, minute); -1 is any.
fn at_leap_thursday(op: &str, fields: [i64; 4], weekdays: &[i64]) -> bool {
    let [month, day, hour, minute] = fields.map(|field| Some(Late::Known(field)));
    let condition = DatetimeCondition {
        operator: operator(op),
        minute,
        hour,
        day,
        month,
        weekdays: weekdays.iter().copied().map(Late::Known).collect(),
        false_target: Target::default(),
    };
    condition
        .is_true(Duration::from_secs(LEAP_THURSDAY), &Variables::default())
        .unwrap()
}

#[test]
fn now_stands_on_the_left_and_the_fields_are_one_tuple() {
    assert!(at_leap_thursday(">=", [0, -1, 8, 0], &[]), "after eight");
    assert!(!at_leap_thursday("<", [0, -1, 8, 0], &[]));
    assert!(
        at_leap_thursday("<=", [-1, -1, 17, 30], &[]),
        "16:45 is before 17:30"
    );
    assert!(!at_leap_thursday(">", [-1, -1, 17, 30], &[]));
    assert!(at_leap_thursday(">", [-1, -1, 16, 44], &[]));
    assert!(!at_leap_thursday(">", [-1, -1, 16, 45], &[]));
    assert!(at_leap_thursday("==", [2, 29, 16, 45], &[]));
    assert!(at_leap_thursday("!=", [2, 29, 16, 46], &[]));
    assert!(at_leap_thursday("<", [3, 1, 0, 0], &[]));
    assert!(
        !at_leap_thursday("==", [-1, -1, 0, 0], &[]),
        "an explicit zero is midnight"
    );
}

#[test]
fn weekdays_hold_whatever_the_operator_is() {
    let any = [-1; 4];
    assert!(at_leap_thursday("==", any, &[4]));
    assert!(at_leap_thursday("!=", any, &[1, 4]));
    assert!(!at_leap_thursday("==", any, &[0, 1, 2, 3, 5, 6]));
    assert!(!at_leap_thursday("!=", [-1, -1, 3, -1], &[0]));
    assert!(
        !at_leap_thursday("", any, &[4]),
        "no operator is never true"
    );
}

#[test]
fn a_missing_field_is_any() {
    let condition = DatetimeCondition {
        operator: operator(">"),
        ..Default::default()
    };
    assert_eq!(
        condition.is_true(Duration::ZERO, &Variables::default()),
        Ok(true)
    );
    let at_hour = DatetimeCondition {
        hour: Some(Late::Known(16)),
        operator: operator("=="),
        ..Default::default()
    };
    let now = Duration::from_secs(LEAP_THURSDAY);
    assert_eq!(at_hour.is_true(now, &Variables::default()), Ok(true));
}

#[test]
fn call_digits_are_enough_by_count_or_by_what_they_hold() {
    let holds = |length, key: &str, digits: &str| {
        let condition = CallDigitsCondition {
            length: Late::Known(length),
            key: Template::new(key),
            false_target: Target::default(),
        };
        condition.is_true(digits, &Variables::default()).unwrap()
    };
    assert!(holds(3, "", "123"));
    assert!(!holds(3, "", "12"));
    assert!(holds(9, "23", "123"));
    assert!(!holds(9, "32", "123"));
    assert!(!holds(0, "", "123"));
}
