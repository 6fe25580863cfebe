//! What is silenced, which way, and what is heard all the same.

use std::sync::Arc;
use std::time::Duration;

use super::rig::{
    PTIME, Phone, Recorded, Rig, SESSION, TELEPHONE_EVENT, config, digits, is_tone, ms,
};
use crate::command::{
    Command, CommandId, Event, ListenConfig, Mute, Outcome, RecordingConfig, RecordingTarget,
    SessionConfig, Side, Sides,
};
use crate::dsp::tone::burst;
use crate::frame::Frame;
use crate::prompt::Prompt;
use crate::sim::start;

const RECORDING: CommandId = CommandId(90);

fn mute(rig: &mut Rig, direction: Mute) {
    rig.command(Command::Mute {
        session: SESSION,
        direction,
    });
}

fn echo(rig: &mut Rig) {
    rig.command(Command::Echo {
        command: CommandId(80),
        session: SESSION,
        duration: ms(60_000),
        with_digits: true,
    });
}

fn play(rig: &mut Rig, command: u64, hertz: f32, time: Duration) {
    rig.command(Command::Play {
        command: CommandId(command),
        session: SESSION,
        prompts: vec![Arc::new(Prompt::from_samples(burst(hertz, -12.0, time)))],
        stop_on_digit: false,
        is_endless: false,
    });
}

fn record(rig: &mut Rig) {
    rig.command(Command::Record {
        command: RECORDING,
        session: SESSION,
        config: Box::new(RecordingConfig {
            target: RecordingTarget::sides("in.wav".into(), "out.wav".into()),
            end_of_silence: None,
            end_of_key: Vec::new(),
            duration: None,
            beep_start: false,
        }),
    });
}

fn press(rig: &mut Rig, phone: &mut Phone, digit: char) {
    let begin = phone.timestamp;
    for n in 1..=3 {
        let packet = phone.event(digit, begin, n * 160, n == 3);
        rig.receive(phone.address, &packet);
        rig.pass(PTIME);
    }
}

/// One side of what is recorded: its tone, or whether it is silent.
fn hears(frames: &[Recorded], side: fn(&Recorded) -> &Frame, hertz: Option<f32>) -> bool {
    let sound: Vec<i16> = frames.iter().flat_map(|frame| side(frame).0).collect();
    match hertz {
        Some(hertz) => is_tone(&sound, hertz),
        None => sound.iter().all(|sample| sample.unsigned_abs() <= 8),
    }
}

const HEARD: fn(&Recorded) -> &Frame = |frame| &frame.heard;
const SAID: fn(&Recorded) -> &Frame = |frame| &frame.said;

#[test]
fn a_peer_that_is_muted_is_silent_in_its_echo_and_its_recording_until_it_is_lifted() {
    let mut phone = Phone::new(400.0);
    let mut rig = Rig::with_call(&phone);
    echo(&mut rig);
    record(&mut rig);
    rig.listen_to(&mut phone, ms(1_000));
    mute(&mut rig, Mute::In);
    rig.listen_to(&mut phone, ms(1_000));
    mute(&mut rig, Mute::Off);
    rig.listen_to(&mut phone, ms(1_000));
    let sound = rig.sound();
    assert_eq!(sound.len(), 24_000);
    assert!(is_tone(&sound[..8_000], 400.0) && is_tone(&sound[16_000..], 400.0));
    assert!(sound[8_000..16_000].iter().all(|sample| *sample == 0));
    for (frames, hertz) in [
        (10..45, Some(400.0)),
        (55..98, None),
        (110..145, Some(400.0)),
    ] {
        let frames = &rig.recorded[frames];
        assert!(hears(frames, HEARD, hertz) && hears(frames, SAID, hertz));
    }
}

#[test]
fn what_we_say_to_a_muted_peer_leaves_and_is_recorded() {
    let mut phone = Phone::new(400.0);
    let mut rig = Rig::with_call(&phone);
    mute(&mut rig, Mute::In);
    record(&mut rig);
    play(&mut rig, 1, 900.0, ms(1_000));
    rig.listen_to(&mut phone, ms(1_000));
    assert!(is_tone(&rig.sound(), 900.0));
    assert!(hears(&rig.recorded[5..45], SAID, Some(900.0)));
    assert!(hears(&rig.recorded, HEARD, None));
}

#[test]
fn keys_of_a_muted_peer_are_heard_as_events_and_not_as_tones() {
    let mut phone = Phone::new(400.0);
    let mut rig = Rig::with_call(&phone);
    mute(&mut rig, Mute::Both);
    phone.press('5');
    rig.listen_to(&mut phone, ms(400));
    assert_eq!(rig.heard_digits(), "");
    press(&mut rig, &mut phone, '7');
    assert_eq!(rig.heard_digits(), "7");
}

#[test]
fn nobody_who_listens_hears_what_is_muted() {
    for (direction, expected) in [
        (Mute::Off, vec![Side::Peer, Side::Us]),
        (Mute::In, vec![Side::Us]),
        (Mute::Out, vec![Side::Peer]),
        (Mute::Both, vec![]),
    ] {
        let mut phone = Phone::new(400.0);
        let mut rig = Rig::with_call(&phone);
        mute(&mut rig, direction);
        rig.command(Command::Listen {
            command: CommandId(1),
            session: SESSION,
            config: ListenConfig {
                sides: Sides::Both,
                ..ListenConfig::default()
            },
        });
        play(&mut rig, 2, 900.0, ms(1_000));
        rig.listen_to(&mut phone, ms(1_000));
        rig.pass(ms(3_000));
        let told = rig.events.iter().filter_map(|(_, event)| match event {
            Event::Utterance(utterance) => Some(utterance.side),
            _ => None,
        });
        let mut told: Vec<Side> = told.collect();
        told.sort_by_key(|side| *side == Side::Us);
        assert_eq!(told, expected, "{direction:?}");
    }
}

#[test]
fn a_prompt_to_a_peer_that_must_not_hear_runs_on_and_goes_on_where_it_would_be() {
    let mut phone = Phone::new(400.0);
    let mut rig = Rig::with_call(&phone);
    record(&mut rig);
    play(&mut rig, 1, 900.0, ms(2_000));
    rig.listen_to(&mut phone, ms(500));
    mute(&mut rig, Mute::Out);
    let before = rig.rtp().len();
    rig.listen_to(&mut phone, ms(1_000));
    assert_eq!(rig.rtp().len(), before);
    mute(&mut rig, Mute::Off);
    rig.listen_to(&mut phone, ms(1_000));
    let (last, first) = (rig.rtp()[before - 1].header(), rig.rtp()[before].header());
    assert!(first.marker);
    assert_eq!(first.sequence, last.sequence.next());
    assert_eq!(first.timestamp.since(last.timestamp), 51 * 160);
    assert_eq!(rig.finished(1), Some(&Outcome::Done));
    let took = rig.finished_at(1).unwrap() - start();
    assert!((ms(2_000)..ms(2_030)).contains(&took), "{took:?}");
    assert!(is_tone(&rig.sound(), 900.0));
    assert!(hears(&rig.recorded[28..73], SAID, None));
    assert!(hears(&rig.recorded[10..100], HEARD, Some(400.0)));
}

#[test]
fn an_echo_or_a_key_is_not_sent_to_a_peer_that_must_not_hear() {
    let mut phone = Phone::new(400.0);
    let mut rig = Rig::with_call(&phone);
    echo(&mut rig);
    rig.listen_to(&mut phone, ms(200));
    record(&mut rig);
    mute(&mut rig, Mute::Out);
    let before = rig.rtp().len();
    rig.listen_to(&mut phone, ms(1_000));
    press(&mut rig, &mut phone, '7');
    rig.command(Command::SendDigits {
        command: CommandId(1),
        session: SESSION,
        digits: digits("12"),
        tone: ms(100),
        gap: ms(100),
    });
    rig.listen_to(&mut phone, ms(1_000));
    assert_eq!(
        (rig.finished(1), rig.rtp().len()),
        (Some(&Outcome::Done), before)
    );
    assert_eq!(rig.heard_digits(), "7");
    assert!(hears(&rig.recorded[10..45], HEARD, Some(400.0)));
    assert!(hears(&rig.recorded, SAID, None));
    mute(&mut rig, Mute::Off);
    rig.listen_to(&mut phone, ms(200));
    let (last, first) = (rig.rtp()[before - 1].header(), rig.rtp()[before].header());
    assert_eq!(first.sequence, last.sequence.next());
    assert!(first.marker && first.payload_type != TELEPHONE_EVENT);
}

#[test]
fn silence_outlasts_a_new_description_and_holds_the_path_open() {
    let phone = Phone::new(400.0);
    let mut rig = Rig::with_call(&phone);
    mute(&mut rig, Mute::Both);
    let ptime = ms(30);
    rig.configure(
        SESSION,
        SessionConfig {
            ptime,
            ..config(&phone)
        },
    );
    play(&mut rig, 1, 900.0, ms(1_000));
    rig.pass(ms(16_000));
    assert_eq!(rig.finished(1), Some(&Outcome::Done));
    assert_eq!(rig.sound(), [0; 240]);
}

#[test]
fn ways_that_are_silenced_add_up() {
    assert_eq!(Mute::In.and(Mute::Out), Mute::Both);
    assert_eq!(Mute::Both.and(Mute::In), Mute::Both);
    assert_eq!(Mute::Off.and(Mute::Out), Mute::Out);
    assert_eq!(Mute::Off.and(Mute::Off), Mute::Off);
}
