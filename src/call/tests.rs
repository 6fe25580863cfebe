//! What waits its turn in a call: playbacks and digits.

use std::sync::Arc;
use std::time::Duration;

use flowswitch_media::command::{Command, CommandId, Outcome};
use flowswitch_media::dtmf::Digit;
use flowswitch_media::prompt::Prompt;

use super::cause::{Cause, Why};
use super::digits::DigitPath;
use super::{Call, CallEvent, Down, PlayRefused, SendRefused};
use kit::{act, call, events};

pub(super) mod kit;
mod protecting;

const TONE: Duration = Duration::from_millis(100);

fn prompts() -> Vec<Arc<Prompt>> {
    vec![Arc::new(Prompt::from_samples(vec![0; 160]))]
}

/// Lets a call act; the numbers of the playbacks it starts and cancels, those canceled below zero.
fn voiced(call: &mut Call, change: impl FnOnce(&mut Call, &mut Down<'_>)) -> Vec<i64> {
    let number = |command: CommandId| i64::try_from(command.0).unwrap();
    act(call, change)
        .into_iter()
        .filter_map(|order| match order {
            Command::Play { command, .. } | Command::SendDigits { command, .. } => {
                Some(number(command))
            }
            Command::Cancel { command, .. } => Some(-number(command)),
            _ => None,
        })
        .collect()
}

/// What has ended since, and how.
fn finished(call: &mut Call) -> Vec<(u64, Outcome)> {
    events(call)
        .into_iter()
        .filter_map(|event| match event {
            CallEvent::Finished { command, outcome } => Some((command.0, outcome)),
            _ => None,
        })
        .collect()
}

/// A call with so many playbacks from number 1 on, all with their prompts; the first plays.
fn playing(count: u64, stop_on_digit: bool) -> Call {
    let mut call = call();
    let started = voiced(&mut call, |call, down| {
        for number in 1..=count {
            call.begin_play(CommandId(number), stop_on_digit).unwrap();
        }
        for number in (1..=count).rev() {
            call.play(down, CommandId(number), prompts());
        }
    });
    assert_eq!(started, [1]);
    call
}

fn ends(call: &mut Call, number: u64) -> Vec<i64> {
    voiced(call, |call, down| {
        call.handle_finished(down, CommandId(number), Outcome::Done);
    })
}

#[test]
fn playbacks_play_in_the_order_they_were_asked_for_whenever_their_prompts_come() {
    let mut call = playing(3, false);
    assert_eq!(ends(&mut call, 1), [2]);
    assert_eq!(ends(&mut call, 2), [3]);
    assert_eq!(ends(&mut call, 3), [0; 0]);
    let done = [1, 2, 3].map(|number| (number, Outcome::Done));
    assert_eq!(finished(&mut call), done);
}

#[test]
fn playback_without_prompts_keeps_its_place_until_it_is_known_to_have_none() {
    let mut call = call();
    let started = voiced(&mut call, |call, down| {
        call.begin_play(CommandId(1), false).unwrap();
        call.begin_play(CommandId(2), false).unwrap();
        call.play(down, CommandId(2), prompts());
    });
    assert_eq!(started, [0; 0]);
    let started = voiced(&mut call, |call, down| {
        assert!(call.forget_play(down, CommandId(1)));
        assert!(!call.forget_play(down, CommandId(1)), "it is gone");
        assert!(!call.forget_play(down, CommandId(2)), "it plays");
    });
    assert_eq!(started, [2]);
    assert_eq!(finished(&mut call), []);
}

#[test]
fn canceled_playback_leaves_its_place_at_once_and_finishes_once() {
    let mut call = playing(3, false);
    let orders = voiced(&mut call, |call, down| call.cancel(down, CommandId(2)));
    assert_eq!(orders, [0; 0], "the engine never knew of it");
    assert_eq!(finished(&mut call), [(2, Outcome::Canceled)]);
    let orders = voiced(&mut call, |call, down| call.cancel(down, CommandId(1)));
    assert_eq!(orders, [-1, 3]);
    let orders = voiced(&mut call, |call, down| {
        call.handle_finished(down, CommandId(1), Outcome::Canceled);
    });
    assert_eq!(orders, [0; 0]);
    assert_eq!(finished(&mut call), [(1, Outcome::Canceled)]);
}

#[test]
fn digit_ends_the_first_playback_only() {
    let digit = Digit::from_char('5').unwrap();
    let mut call = call();
    let orders = voiced(&mut call, |call, down| {
        for number in 1..=3 {
            call.begin_play(CommandId(number), number < 3).unwrap();
        }
        call.handle_digit(down, digit, DigitPath::Event);
        call.play(down, CommandId(2), prompts());
        call.handle_digit(down, digit, DigitPath::Event);
        call.handle_digit(down, Digit::from_char('6').unwrap(), DigitPath::Info);
    });
    assert_eq!(
        orders,
        [2, -2],
        "one is still loading, the engine hears the second"
    );
    assert_eq!(finished(&mut call), [(1, Outcome::Interrupted { digit })]);
    let orders = voiced(&mut call, |call, down| {
        call.play(down, CommandId(3), prompts());
        call.handle_digit(down, Digit::from_char('7').unwrap(), DigitPath::Info);
        call.handle_finished(down, CommandId(2), Outcome::Canceled);
        call.handle_digit(down, Digit::from_char('8').unwrap(), DigitPath::Info);
    });
    assert_eq!(orders, [-2, 3], "the last stops for no digit");
    let digit = Digit::from_char('7').unwrap();
    assert_eq!(finished(&mut call), [(2, Outcome::Interrupted { digit })]);
}

#[test]
fn seventeenth_that_waits_is_refused_and_finished() {
    let mut call = playing(17, false);
    let newest = CommandId(18);
    assert_eq!(call.begin_play(newest, false), Err(PlayRefused::TooMany));
    assert_eq!(finished(&mut call), [(18, Outcome::Canceled)]);
    assert_eq!(ends(&mut call, 1), [2]);
    assert_eq!(call.begin_play(newest, false), Ok(()));
}

#[test]
fn playbacks_and_digits_wait_for_the_ack_that_says_where_to_send_them() {
    let mut call = call();
    let orders = voiced(&mut call, |call, down| {
        call.answer(down, CommandId(9));
        let digits = vec![Digit::from_char('1').unwrap()];
        call.send_digits(down, CommandId(2), digits, TONE, TONE)
            .unwrap();
        call.begin_play(CommandId(1), false).unwrap();
        call.play(down, CommandId(1), prompts());
    });
    assert_eq!(orders, [0; 0]);
    assert_eq!(finished(&mut call), []);
}

#[test]
fn end_of_the_call_finishes_all_that_waits_and_the_engine_the_rest() {
    let mut call = playing(3, true);
    voiced(&mut call, |call, down| {
        for number in 11..=13 {
            let digits = vec![Digit::from_char('1').unwrap()];
            call.send_digits(down, CommandId(number), digits, TONE, TONE)
                .unwrap();
        }
    });
    let orders = voiced(&mut call, |call, down| {
        call.handle_gone(down, Cause::remote(Why::PeerHungUp));
    });
    assert_eq!(orders, [0; 0]);
    let canceled = [2, 3, 12, 13].map(|number| (number, Outcome::Canceled));
    assert_eq!(finished(&mut call), canceled);
    let orders = voiced(&mut call, |call, down| {
        call.handle_finished(down, CommandId(1), Outcome::Canceled);
        call.handle_finished(down, CommandId(11), Outcome::Canceled);
        let begun = call.begin_play(CommandId(4), false);
        assert_eq!(begun, Err(PlayRefused::CallIsOver));
        let sent = call.send_digits(down, CommandId(14), Vec::new(), TONE, TONE);
        assert_eq!(sent, Err(SendRefused::CallIsOver));
    });
    assert_eq!(orders, [0; 0]);
    let canceled = [1, 11, 4, 14].map(|number| (number, Outcome::Canceled));
    assert_eq!(finished(&mut call), canceled);
}

#[test]
fn digits_are_sent_one_order_after_another() {
    let mut call = call();
    let digits = vec![Digit::from_char('1').unwrap()];
    let orders = voiced(&mut call, |call, down| {
        for number in 1..=17 {
            call.send_digits(down, CommandId(number), digits.clone(), TONE, TONE)
                .unwrap();
        }
        let sent = call.send_digits(down, CommandId(18), digits.clone(), TONE, TONE);
        assert_eq!(sent, Err(SendRefused::TooMany));
    });
    assert_eq!(orders, [1]);
    assert_eq!(finished(&mut call), [(18, Outcome::Canceled)]);
    assert_eq!(ends(&mut call, 1), [2]);
    let orders = voiced(&mut call, |call, down| {
        call.cancel(down, CommandId(3));
        call.cancel(down, CommandId(2));
        call.handle_finished(down, CommandId(2), Outcome::Canceled);
    });
    assert_eq!(orders, [-2, 4]);
    let ended = finished(&mut call);
    let canceled = [3, 2].map(|number| (number, Outcome::Canceled));
    assert_eq!(ended[1..], canceled);
}
