//! Scripts of voice, silence and tones.

use std::f64::consts::TAU;
use std::time::Duration;

use super::*;
use crate::dsp::tone::ToneGenerator;
use crate::sim::Chance;

/// A part of what is heard, in milliseconds.
#[derive(Clone, Copy, Debug)]
enum Part {
    Quiet(usize),
    Voice(usize),
    Tone(f32, usize),
    Tones(f32, f32, usize),
}
use Part::{Quiet, Tone as Beeps, Tones, Voice};

fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// The parts one after another, on a line with a little noise.
fn sound(parts: &[Part]) -> Vec<i16> {
    let mut chance = Chance::new(1);
    let mut sound = Vec::new();
    for part in parts {
        let begin = sound.len();
        match *part {
            Quiet(ms) => sound.resize(begin + ms * 8, 0),
            // Four syllables a second, of many harmonics that sink as a voice does.
            Voice(ms) => sound.extend((0..ms * 8).map(|n| {
                let t = n as f64 / 8_000.0;
                let turn = TAU * t * (150.0 - 10.0 * t);
                let vowel: f64 = (1..12).map(|k| (turn * f64::from(k)).sin()).sum();
                (1_200.0 * vowel * (0.55 - 0.45 * (TAU * 4.0 * (t + 0.1)).cos())) as i16
            })),
            Beeps(hertz, ms) => {
                sound.resize(begin + ms * 8, 0);
                ToneGenerator::single(hertz, -14.0).fill(&mut sound[begin..]);
            }
            Tones(low, high, ms) => {
                sound.resize(begin + ms * 8, 0);
                ToneGenerator::dual((low, -14.0), (high, -14.0)).fill(&mut sound[begin..]);
            }
        }
    }
    sound
        .into_iter()
        .map(|sample| sample.saturating_add((chance.normal() * 20.0) as i16))
        .collect()
}

/// The verdict and when it comes, the same for pieces of any size.
fn judge(config: &AmdConfig, parts: &[Part]) -> Option<(AmdCause, Duration)> {
    let sound = sound(parts);
    let verdict_of = |piece: usize| {
        let mut detector = Detector::new(config);
        let mut told = sound
            .chunks(piece)
            .enumerate()
            .filter_map(|(n, piece)| Some((n, detector.push(piece)?)));
        let first = told.next();
        assert_eq!(told.next(), None, "decided twice");
        first
    };
    let first = verdict_of(FRAME_SAMPLES);
    let verdict = |told: Option<(usize, Verdict)>| told.map(|(_, verdict)| verdict);
    assert_eq!(verdict(verdict_of(37)), verdict(first));
    first.map(|(n, verdict)| (verdict.cause, ms(20 * (n as u64 + 1))))
}

fn cause(parts: &[Part]) -> AmdCause {
    judge(&AmdConfig::default(), parts).unwrap().0
}

#[test]
fn a_word_and_a_pause_are_a_person_800_ms_later() {
    let parts = [Quiet(600), Voice(500), Quiet(3_000)];
    let (cause, at) = judge(&AmdConfig::default(), &parts).unwrap();
    assert_eq!(cause, AmdCause::ShortGreeting);
    assert!(
        (ms(1_880)..=ms(1_940)).contains(&at),
        "decided after {at:?}"
    );
    assert_eq!(Verdict::from(cause).result, Answerer::Person);
}

#[test]
fn long_greetings_many_words_and_nothing_at_all_are_machines() {
    assert_eq!(cause(&[Quiet(300), Voice(4_000)]), AmdCause::LongGreeting);
    let with_pauses = [Voice(900), Quiet(500), Voice(900), Quiet(500), Voice(900)];
    assert_eq!(cause(&with_pauses), AmdCause::LongGreeting);
    let hurried = [Voice(120), Quiet(100)].repeat(10);
    assert_eq!(cause(&hurried), AmdCause::TooManyWords);
    assert_eq!(cause(&[Quiet(3_000)]), AmdCause::InitialSilence);
    assert_eq!(
        Verdict::from(AmdCause::InitialSilence).result,
        Answerer::Machine
    );
}

#[test]
fn clicks_are_neither_words_nor_the_end_of_a_silence() {
    let clicks = [Quiet(400), Voice(40)].repeat(10);
    assert_eq!(cause(&clicks), AmdCause::InitialSilence);
    let after = [
        Voice(400),
        Quiet(400),
        Voice(40),
        Quiet(360),
        Voice(40),
        Quiet(360),
    ];
    assert_eq!(cause(&after), AmdCause::ShortGreeting);
}

#[test]
fn a_beep_is_told_with_its_beginning_when_it_is_over() {
    for hertz in [420.0, 700.0, 1_000.0, 1_375.0, 1_980.0] {
        let parts = [Voice(900), Quiet(400), Beeps(hertz, 300), Quiet(2_000)];
        let (cause, told) = judge(&AmdConfig::default(), &parts).unwrap();
        let AmdCause::Beep { at } = cause else {
            panic!("{cause:?} for {hertz} Hz")
        };
        assert!(at.abs_diff(ms(1_300)) <= ms(20), "{hertz} Hz at {at:?}");
        assert!(
            told.abs_diff(ms(1_620)) <= ms(20),
            "{hertz} Hz told {told:?}"
        );
    }
}

#[test]
fn tones_of_150_ms_are_beeps_wherever_they_begin_and_those_of_100_ms_are_not() {
    for offset in (0..20).step_by(3) {
        let heard = |length: usize| {
            cause(&[
                Voice(600),
                Quiet(200 + offset),
                Beeps(1_000.0, length),
                Quiet(2_000),
            ])
        };
        assert!(matches!(heard(150), AmdCause::Beep { .. }), "{offset} ms");
        assert_eq!(heard(100), AmdCause::ShortGreeting, "{offset} ms");
    }
}

#[test]
fn two_tones_at_once_are_no_beep() {
    // A key, and the ringing tone of North America.
    for (low, high) in [(770.0, 1_336.0), (440.0, 480.0)] {
        let parts = [Voice(500), Quiet(300), Tones(low, high, 400), Quiet(2_000)];
        assert!(!matches!(cause(&parts), AmdCause::Beep { .. }), "{low} Hz");
    }
}

#[test]
fn a_telephone_that_rings_on_is_waited_for_and_a_fax_machine_is_not() {
    let forwarded = [
        Quiet(500),
        Beeps(425.0, 1_000),
        Quiet(2_000),
        Voice(500),
        Quiet(2_000),
    ];
    assert_eq!(cause(&forwarded), AmdCause::ShortGreeting);
    let fax = [Quiet(1_000), Beeps(2_100.0, 3_300)];
    let (cause, at) = judge(&AmdConfig::default(), &fax).unwrap();
    assert!(matches!(cause, AmdCause::Beep { .. }), "{cause:?}");
    assert!((ms(3_960)..=ms(4_060)).contains(&at), "{at:?}");
}

#[test]
fn a_machine_is_awaited_to_its_beep_when_a_message_is_to_be_left() {
    let config = AmdConfig {
        wait_for_beep: Duration::from_secs(5),
        max_words: 100,
        ..AmdConfig::default()
    };
    let greeting = [Voice(3_000), Quiet(700), Voice(1_500), Quiet(600)];
    let beep = [Beeps(1_000.0, 400), Quiet(500)];
    let (cause, at) = judge(&config, &[&greeting[..], &beep].concat()).unwrap();
    assert!(matches!(cause, AmdCause::Beep { .. }), "{cause:?}");
    assert!(at.abs_diff(ms(6_220)) <= ms(20), "{at:?}");
    let (cause, at) = judge(&config, &[&greeting[..], &[Quiet(6_000)]].concat()).unwrap();
    assert_eq!(cause, AmdCause::LongGreeting);
    assert!(at.abs_diff(ms(7_200)) <= ms(200), "{at:?}");
    // A person is not kept waiting.
    let person = [Voice(500), Quiet(2_000)];
    assert_eq!(judge(&config, &person).unwrap().0, AmdCause::ShortGreeting);
}

#[test]
fn what_is_not_decided_in_time_stays_unsure() {
    let config = AmdConfig {
        after_greeting_silence: Duration::from_secs(60),
        ..AmdConfig::default()
    };
    let (cause, at) = judge(&config, &[Voice(500), Quiet(8_000)]).unwrap();
    assert_eq!((cause, at), (AmdCause::Timeout, ms(6_000)));
    assert_eq!(Verdict::from(cause).result, Answerer::Unsure);
}

#[test]
fn any_configuration_and_any_sound_end_in_one_verdict() {
    let sounds = [
        sound(&[Voice(900), Quiet(900), Beeps(900.0, 9_000)]),
        vec![i16::MIN; 80_000],
        vec![0; 80_000],
    ];
    for duration in [Duration::ZERO, ms(19), ms(40), Duration::MAX] {
        let config = AmdConfig {
            initial_silence: duration,
            greeting: duration,
            after_greeting_silence: duration,
            total: ms(5_000),
            min_word: duration,
            between_words: duration,
            max_words: 0,
            min_beep: duration,
            wait_for_beep: duration.min(ms(1_000)),
        };
        for sound in &sounds {
            let mut detector = Detector::new(&config);
            let verdicts = sound.chunks(160).filter_map(|frame| detector.push(frame));
            assert_eq!(verdicts.count(), 1, "{config:?}");
        }
    }
}
