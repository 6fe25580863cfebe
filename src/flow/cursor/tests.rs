//! Where the cursor goes.

use super::*;
use crate::flow::action::ActionKind;
use crate::flow::template::Scalar;

fn id(text: &str) -> ActionId {
    Option::from_text(text).flatten().expect("an id")
}

/// `"A B>D C"`: three actions, the second with a `next_id`.
fn actions(text: &str) -> Arc<Actions> {
    let actions = text
        .split_whitespace()
        .map(|word| {
            let (name, next) = word
                .split_once('>')
                .map_or((word, None), |(n, x)| (n, Some(x)));
            Action {
                id: id(name),
                next_id: next.map(id),
                kind: ActionKind::Empty,
                option: Action::no_option(),
            }
        })
        .collect();
    Arc::new(actions)
}

fn place(cursor: &Cursor) -> String {
    cursor
        .current()
        .map_or_else(String::new, |(actions, at)| actions[at].id.to_string())
}

/// The ids met until the end, at most twelve.
fn walk(cursor: &mut Cursor) -> String {
    let mut met = Vec::new();
    while met.len() < 12 && cursor.advance() == Arrival::Action {
        met.push(place(cursor));
    }
    met.join(" ")
}

#[test]
fn without_next_ids_the_order_is_that_of_the_array() {
    assert_eq!(walk(&mut Cursor::new(actions("A B C"))), "A B C");
    assert_eq!(walk(&mut Cursor::new(actions(""))), "");
}

#[test]
fn a_next_id_skips_and_one_that_stands_nowhere_finishes() {
    assert_eq!(walk(&mut Cursor::new(actions("A>C B C"))), "A C");
    assert_eq!(walk(&mut Cursor::new(actions("A>Z B C"))), "A");
}

#[test]
fn the_end_of_a_stack_returns_after_the_action_that_entered_it() {
    let mut cursor = Cursor::new(actions("A B C"));
    cursor.jump(&id("B"));
    cursor.push(actions("x y z"));
    assert_eq!(walk(&mut cursor), "x y z C");
    assert_eq!(cursor.depth(), 1);
}

#[test]
fn the_next_id_of_the_entering_action_is_honoured_on_return() {
    let mut cursor = Cursor::new(actions("A>C B C"));
    cursor.jump(&id("A"));
    cursor.push(actions("x"));
    assert_eq!(walk(&mut cursor), "x C");
}

#[test]
fn targets_are_searched_from_the_top_downward_and_leave_what_lies_above() {
    let mut cursor = Cursor::new(actions("A B C"));
    cursor.jump(&id("A"));
    cursor.push(actions("x B y"));
    cursor.advance();
    assert_eq!(cursor.jump(&id("B")), Some(Arrival::Action));
    assert_eq!(cursor.depth(), 2, "the B of the top stack");
    assert_eq!(cursor.jump(&id("C")), Some(Arrival::Action));
    assert_eq!((cursor.depth(), place(&cursor)), (1, "C".to_owned()));
    assert_eq!(cursor.jump(&id("x")), None, "never upward");
}

#[test]
fn a_next_id_may_leave_the_stack() {
    let mut cursor = Cursor::new(actions("A B C"));
    cursor.jump(&id("A"));
    cursor.push(actions("x>C y"));
    assert_eq!(walk(&mut cursor), "x C");
}

#[test]
fn reserved_ids_start_again_and_finish_unless_an_action_bears_them() {
    let (start, finish) = (
        ActionId::from(ActionId::START),
        ActionId::from(ActionId::FINISH),
    );
    let mut cursor = Cursor::new(actions("A B"));
    cursor.jump(&id("B"));
    assert_eq!(cursor.jump(&start), Some(Arrival::Action));
    assert_eq!(place(&cursor), "A");
    assert_eq!(cursor.jump(&finish), Some(Arrival::Finish));
    let mut cursor = Cursor::new(actions("A 00000000-0000-0000-0000-000000000001"));
    cursor.jump(&start);
    assert_eq!(place(&cursor), start.as_str());
}

#[test]
fn a_goto_jumps_exactly_so_often_and_is_never_armed_again() {
    let mut cursor = Cursor::new(actions("A G"));
    cursor.jump(&id("G"));
    let jumps: Vec<bool> = (0..5).map(|_| cursor.count_jump(2)).collect();
    assert_eq!(jumps, [true, true, false, false, false]);
    assert!(!cursor.count_jump(0));
    cursor.push(actions("H"));
    cursor.advance();
    assert!(cursor.count_jump(1), "another stack counts for itself");
}
