//! Who has answered, and what is said, utterance by utterance.

use std::sync::Arc;
use std::time::Duration;

use super::rig::{PTIME, Phone, Rig, SESSION, is_tone, ms};
use crate::amd::{AmdCause, Answerer};
use crate::command::{
    Command, CommandId, Event, ListenConfig, MediaError, Outcome, Side, Sides, Utterance,
};
use crate::dsp::tone::burst;
use crate::dsp::utterance::UtteranceLimits;
use crate::prompt::Prompt;

fn detect(rig: &mut Rig, command: u64) {
    rig.command(Command::DetectMachine {
        command: CommandId(command),
        session: SESSION,
        config: Box::default(),
    });
}

fn listen(rig: &mut Rig, command: u64, sides: Sides) {
    rig.command(Command::Listen {
        command: CommandId(command),
        session: SESSION,
        config: ListenConfig {
            sides,
            limits: UtteranceLimits::default(),
        },
    });
}

fn cancel(rig: &mut Rig, command: u64) {
    rig.command(Command::Cancel {
        session: SESSION,
        command: CommandId(command),
    });
}

fn play(rig: &mut Rig, command: u64, hertz: f32, length: Duration) {
    let prompts = vec![Arc::new(Prompt::from_samples(burst(hertz, -12.0, length)))];
    rig.command(Command::Play {
        command: CommandId(command),
        session: SESSION,
        prompts,
        stop_on_digit: false,
        is_endless: false,
    });
}

/// Lets `phone` be silent for `time`, one packet every 20 ms.
fn hush(rig: &mut Rig, phone: &mut Phone, time: Duration) {
    for _ in 0..time.as_millis() / 20 {
        let packet = phone.hush();
        rig.receive(phone.address, &packet);
        rig.pass(PTIME);
    }
}

fn utterances(rig: &Rig) -> Vec<&Utterance> {
    let utterance = |(_, event): &'_ (_, Event)| matches!(event, Event::Utterance(_));
    let told = rig.events.iter().filter(|event| utterance(event));
    told.map(|(_, event)| match event {
        Event::Utterance(utterance) => utterance,
        _ => unreachable!(),
    })
    .collect()
}

/// Whether the time is right but for what the jitter buffer takes.
fn is_about(time: Duration, wished: Duration) -> bool {
    time + ms(60) >= wished && time <= wished + ms(160)
}

fn result_of(rig: &Rig, command: u64) -> Option<(Answerer, AmdCause)> {
    match rig.finished(command) {
        Some(Outcome::Detected { result, cause }) => Some((*result, *cause)),
        _ => None,
    }
}

#[test]
fn a_phone_that_says_a_word_and_waits_is_a_person() {
    // Of 300 Hz, because a tone above 390 Hz is a beep.
    let mut phone = Phone::new(300.0);
    let mut rig = Rig::with_call(&phone);
    detect(&mut rig, 1);
    hush(&mut rig, &mut phone, ms(600));
    rig.listen_to(&mut phone, ms(500));
    hush(&mut rig, &mut phone, ms(700));
    assert_eq!(rig.finished(1), None);
    hush(&mut rig, &mut phone, ms(300));
    assert_eq!(
        result_of(&rig, 1),
        Some((Answerer::Person, AmdCause::ShortGreeting))
    );
}

#[test]
fn a_phone_that_talks_on_is_a_machine_and_so_is_one_that_beeps() {
    let mut phone = Phone::new(300.0);
    let mut rig = Rig::with_call(&phone);
    detect(&mut rig, 1);
    rig.listen_to(&mut phone, ms(3_000));
    assert_eq!(
        result_of(&rig, 1),
        Some((Answerer::Machine, AmdCause::LongGreeting))
    );
    let mut phone = Phone::new(1_000.0);
    let mut rig = Rig::with_call(&phone);
    detect(&mut rig, 1);
    hush(&mut rig, &mut phone, ms(1_000));
    rig.listen_to(&mut phone, ms(400));
    hush(&mut rig, &mut phone, ms(400));
    let Some((Answerer::Machine, AmdCause::Beep { at })) = result_of(&rig, 1) else {
        panic!("{:?}", rig.finished(1))
    };
    assert!(is_about(at, ms(1_000)), "{at:?}");
}

#[test]
fn a_phone_that_sends_nothing_is_decided_too_and_then_costs_no_ticks() {
    let mut rig = Rig::with_call(&Phone::new(300.0));
    detect(&mut rig, 1);
    rig.pass(ms(2_600));
    assert_eq!(
        result_of(&rig, 1),
        Some((Answerer::Machine, AmdCause::InitialSilence))
    );
    rig.pass(ms(1_000));
    let wakes = rig.wakes;
    rig.pass(ms(1_000));
    assert!(rig.wakes <= wakes + 1, "{} wakes", rig.wakes - wakes);
}

#[test]
fn a_detection_can_be_canceled_and_is_replaced_by_a_newer_one() {
    let mut rig = Rig::with_call(&Phone::new(300.0));
    detect(&mut rig, 1);
    detect(&mut rig, 2);
    assert_eq!(rig.finished(1), Some(&Outcome::Canceled));
    cancel(&mut rig, 2);
    assert_eq!(rig.finished(2), Some(&Outcome::Canceled));
    rig.pass(ms(10_000));
    assert_eq!(rig.finished(2), Some(&Outcome::Canceled));
}

#[test]
fn what_each_side_says_is_handed_over_utterance_by_utterance() {
    let mut phone = Phone::new(400.0);
    let mut rig = Rig::with_call(&phone);
    listen(&mut rig, 1, Sides::Both);
    hush(&mut rig, &mut phone, ms(1_000));
    rig.listen_to(&mut phone, ms(800));
    hush(&mut rig, &mut phone, ms(1_000));
    play(&mut rig, 2, 900.0, ms(600));
    hush(&mut rig, &mut phone, ms(2_000));
    let told = utterances(&rig);
    let heard: Vec<_> = told.iter().map(|said| (said.command, said.side)).collect();
    assert_eq!(
        heard,
        [(CommandId(1), Side::Peer), (CommandId(1), Side::Us)]
    );
    // 300 ms before and 200 ms after.
    for (said, hertz, begin, length) in [(told[0], 400.0, 1_000, 800), (told[1], 900.0, 2_800, 600)]
    {
        assert!(is_about(said.start, ms(begin - 300)), "{said:?}");
        let samples = said.samples.len();
        assert!(
            samples.abs_diff((300 + length + 200) * 8) <= 50 * 8,
            "{said:?}"
        );
        assert!(is_tone(&said.samples[350 * 8..(250 + length) * 8], hertz));
    }
    cancel(&mut rig, 1);
    assert_eq!(rig.finished(1), Some(&Outcome::Canceled));
    assert_eq!(utterances(&rig).len(), 2);
}

#[test]
fn what_is_being_said_when_the_call_ends_is_handed_over_first() {
    let mut phone = Phone::new(400.0);
    let mut rig = Rig::with_call(&phone);
    listen(&mut rig, 1, Sides::Peer);
    rig.listen_to(&mut phone, ms(600));
    rig.command(Command::Close { session: SESSION });
    let last: Vec<_> = rig
        .events
        .iter()
        .rev()
        .take(3)
        .map(|(_, event)| event)
        .collect();
    assert!(
        matches!(
            last[..],
            [
                Event::Closed { .. },
                Event::Finished {
                    outcome: Outcome::Canceled,
                    ..
                },
                Event::Utterance(_)
            ]
        ),
        "{last:?}"
    );
}

#[test]
fn an_echo_is_what_we_say() {
    let mut phone = Phone::new(400.0);
    let mut rig = Rig::with_call(&phone);
    rig.command(Command::Echo {
        command: CommandId(9),
        session: SESSION,
        duration: ms(60_000),
        with_digits: false,
    });
    listen(&mut rig, 1, Sides::Us);
    rig.listen_to(&mut phone, ms(500));
    hush(&mut rig, &mut phone, ms(1_000));
    let told = utterances(&rig);
    assert_eq!(told.len(), 1);
    assert!(told[0].side == Side::Us && is_tone(&told[0].samples[800..3_200], 400.0));
}

#[test]
fn four_may_listen_at_once_beside_a_detection_and_a_fifth_is_refused() {
    let mut phone = Phone::new(400.0);
    let mut rig = Rig::with_call(&phone);
    detect(&mut rig, 9);
    (0..5).for_each(|command| listen(&mut rig, command, Sides::Peer));
    let why = MediaError::TooManyListeners;
    assert_eq!(rig.finished(4), Some(&Outcome::Failed { why }));
    rig.listen_to(&mut phone, ms(500));
    hush(&mut rig, &mut phone, ms(1_000));
    assert_eq!(utterances(&rig).len(), 4);
    cancel(&mut rig, 2);
    listen(&mut rig, 5, Sides::Peer);
    assert_eq!(rig.finished(5), None);
}

#[test]
fn keys_end_nothing_that_listens() {
    let mut phone = Phone::new(400.0);
    let mut rig = Rig::with_call(&phone);
    listen(&mut rig, 1, Sides::Peer);
    rig.listen_to(&mut phone, ms(200));
    let begin = phone.timestamp;
    let packet = phone.event('5', begin, 160, true);
    rig.receive(phone.address, &packet);
    rig.listen_to(&mut phone, ms(400));
    hush(&mut rig, &mut phone, ms(1_000));
    assert_eq!(rig.heard_digits(), "5");
    assert_eq!(utterances(&rig).len(), 1);
}
