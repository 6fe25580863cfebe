//! The branch tutorial of VoIPBIN's documents, word for word, on every way through it.

use super::*;

fn tutorial() -> Run {
    let mut run = Run::new(
        &flow(include_str!("../../../../examples/flows/tutorial.json")),
        ReferenceType::Call,
        Limits::default(),
    );
    run.flow.start(run.now);
    assert_eq!(run.orders(), ["answer"]);
    run.finish();
    run
}

/// The first words of the one thing that is being said.
fn heard(run: &mut Run) -> String {
    let orders = run.orders();
    assert_eq!(orders.len(), 1, "{orders:?}");
    orders[0].split(' ').take(3).collect::<Vec<_>>().join(" ")
}

#[test]
fn each_digit_has_its_song_and_then_the_call_is_hung_up() {
    for (digit, song) in [
        ("1", "talk Empty spaces,"),
        ("2", "talk Mama, Just"),
        ("3", "talk Steve walks"),
    ] {
        let mut run = tutorial();
        assert_eq!(heard(&mut run), "talk Hello. This");
        run.finish();
        run.pass(4_999);
        assert_eq!(run.orders(), [""; 0]);
        run.press(digit);
        assert_eq!(heard(&mut run), song);
        assert_eq!(run.digits(), "", "branch empties the digits");
        run.finish();
        assert_eq!(run.orders(), ["hangup normal"]);
        run.tell(FlowEvent::CallEnded);
        assert_eq!(run.orders(), ["call ended"]);
    }
}

#[test]
fn a_caller_who_says_nothing_hears_the_menu_three_times_and_then_that_it_is_over() {
    let mut run = tutorial();
    for _ in 0..3 {
        assert_eq!(heard(&mut run), "talk Hello. This");
        run.finish();
        run.pass(5_000);
        assert_eq!(heard(&mut run), "talk You didn't");
        run.finish();
    }
    assert_eq!(heard(&mut run), "talk Loop over.");
    run.finish();
    assert_eq!(run.orders(), ["hangup normal"]);
    assert_eq!(run.now, sim::start() + Duration::from_secs(15));
}

#[test]
fn a_wrong_digit_is_the_default_and_the_second_round_may_still_branch() {
    let mut run = tutorial();
    heard(&mut run);
    run.finish();
    run.press("9");
    assert_eq!(heard(&mut run), "talk You didn't");
    run.finish();
    assert_eq!(heard(&mut run), "talk Hello. This");
    run.finish();
    run.press("2");
    assert_eq!(heard(&mut run), "talk Mama, Just");
}

#[test]
fn a_digit_during_the_menu_counts_when_the_menu_is_over() {
    let mut run = tutorial();
    heard(&mut run);
    run.press("13");
    assert_eq!(run.orders(), [""; 0]);
    run.finish();
    assert_eq!(heard(&mut run), "talk Steve walks", "the last one pressed");
}
