//! Prompts and digits on their way out.

use std::sync::Arc;
use std::time::Duration;

use super::rig::{PTIME, Phone, Rig, SESSION, TELEPHONE_EVENT, at, config, digits, is_tone, ms};
use crate::codec::Codec;
use crate::command::{Command, CommandId, Direction, Outcome, SessionConfig, SessionId};
use crate::dsp::tone::burst;
use crate::dtmf::ToneDetector;
use crate::prompt::Prompt;
use crate::sim::start;

fn tone(hertz: f32, time: Duration) -> Arc<Prompt> {
    Arc::new(Prompt::from_samples(burst(hertz, -12.0, time)))
}

fn play(rig: &mut Rig, command: u64, prompts: Vec<Arc<Prompt>>) {
    let command = CommandId(command);
    rig.command(Command::Play {
        command,
        session: SESSION,
        prompts,
        stop_on_digit: true,
        is_endless: false,
    });
}

#[test]
fn a_prompt_leaves_in_even_packets_within_6_ms_and_finishes_when_its_time_is_over() {
    let mut rig = Rig::with_call(&Phone::new(400.0));
    play(&mut rig, 1, vec![tone(440.0, ms(1_010))]);
    rig.pass(ms(2_000));
    let rtp = rig.rtp();
    assert_eq!(rtp.len(), 51);
    assert!(rtp[0].at - start() <= ms(6));
    for (n, pair) in rtp.windows(2).enumerate() {
        let (one, next) = (pair[0].header(), pair[1].header());
        assert_eq!(pair[1].at - pair[0].at, PTIME);
        assert_eq!(next.sequence, one.sequence.next());
        assert_eq!(next.timestamp.since(one.timestamp), 160);
        assert_eq!((one.marker, next.marker), (n == 0, false));
    }
    assert_eq!(rig.finished(1), Some(&Outcome::Done));
    assert_eq!(rig.finished_at(1), Some(rtp[50].at + PTIME));
    assert!(is_tone(&rig.sound()[..8_000], 440.0));
}

#[test]
fn every_packet_time_and_codec_carries_the_same_sound() {
    for (ptime, codec) in [(10, Codec::Pcma), (30, Codec::Pcmu), (60, Codec::Pcma)] {
        let phone = Phone::new(400.0);
        let mut rig = Rig::with_call(&phone);
        let send = (codec.static_payload_type().unwrap(), codec);
        rig.configure(
            SESSION,
            SessionConfig {
                ptime: ms(ptime),
                send,
                ..config(&phone)
            },
        );
        play(&mut rig, 1, vec![tone(600.0, ms(600))]);
        rig.pass(ms(1_000));
        assert_eq!(rig.rtp().len() as u64, 600 / ptime);
        assert!(is_tone(&rig.sound(), 600.0));
        assert_eq!(rig.finished(1), Some(&Outcome::Done));
    }
}

#[test]
fn a_prompt_that_is_asked_for_when_one_ends_continues_it_without_a_gap() {
    let mut rig = Rig::with_call(&Phone::new(400.0));
    play(&mut rig, 1, vec![tone(440.0, ms(200))]);
    while rig.finished(1).is_none() {
        rig.pass(ms(1));
    }
    rig.pass(Duration::from_micros(700));
    play(&mut rig, 2, vec![tone(880.0, ms(200))]);
    rig.pass(ms(500));
    let rtp = rig.rtp();
    assert_eq!(rtp.len(), 20);
    assert_eq!(rtp.iter().filter(|sent| sent.header().marker).count(), 1);
    assert_eq!(
        rtp[10].header().timestamp.since(rtp[9].header().timestamp),
        160
    );
    assert!(rtp[10].at - rtp[9].at <= ms(22));
    assert_eq!(rtp[11].at - rtp[9].at, PTIME * 2);
}

#[test]
fn a_newer_prompt_replaces_an_older_one() {
    let mut rig = Rig::with_call(&Phone::new(400.0));
    play(&mut rig, 1, vec![tone(440.0, ms(1_000))]);
    rig.pass(ms(300));
    play(&mut rig, 2, vec![tone(880.0, ms(400))]);
    rig.pass(ms(1_000));
    assert_eq!(rig.finished(1), Some(&Outcome::Canceled));
    assert_eq!(rig.finished(2), Some(&Outcome::Done));
    let sound = rig.sound();
    // 16 packets of the one, and 5 ms in which it goes over into the other.
    assert!(is_tone(&sound[..2_560], 440.0) && is_tone(&sound[2_600..], 880.0));
}

#[test]
fn on_hold_a_prompt_runs_on_silently_and_goes_on_where_it_would_be() {
    let phone = Phone::new(400.0);
    let mut rig = Rig::with_call(&phone);
    play(
        &mut rig,
        1,
        vec![tone(440.0, ms(500)), tone(880.0, ms(500))],
    );
    rig.pass(ms(210));
    rig.configure(
        SESSION,
        SessionConfig {
            direction: Direction::RecvOnly,
            ..config(&phone)
        },
    );
    let before = rig.rtp().len();
    rig.pass(ms(400));
    assert_eq!(rig.rtp().len(), before);
    rig.configure(SESSION, config(&phone));
    rig.pass(ms(1_000));
    let resumed = rig.rtp()[before].header();
    assert!(resumed.marker);
    assert_eq!(
        resumed.sequence,
        rig.rtp()[before - 1].header().sequence.next()
    );
    assert!(is_tone(&rig.sound()[before * 160..], 880.0));
    assert_eq!(rig.finished(1), Some(&Outcome::Done));
    assert!((ms(1_000)..ms(1_030)).contains(&(rig.finished_at(1).unwrap() - start())));
}

#[test]
fn a_prompt_waits_for_the_first_configuration() {
    let mut rig = Rig::new();
    rig.open(SESSION);
    play(&mut rig, 1, vec![tone(440.0, ms(100))]);
    rig.pass(ms(5_000));
    assert_eq!((rig.rtp().len(), rig.finished(1)), (0, None));
    rig.configure(SESSION, config(&Phone::new(400.0)));
    rig.pass(ms(200));
    assert_eq!(
        (rig.rtp().len(), rig.finished(1)),
        (5, Some(&Outcome::Done))
    );
}

#[test]
fn nothing_is_sent_to_a_peer_without_an_address_and_the_prompt_still_ends() {
    let mut phone = Phone::new(400.0);
    phone.address = at("0.0.0.0:4000");
    let mut rig = Rig::with_call(&phone);
    play(&mut rig, 1, vec![tone(440.0, ms(100))]);
    rig.pass(Duration::from_secs(60));
    assert!(rig.sent.is_empty());
    assert_eq!(rig.finished(1), Some(&Outcome::Done));
}

#[test]
fn digits_leave_as_events_when_the_peer_knows_them_and_pause_the_prompt() {
    let mut rig = Rig::with_call(&Phone::new(400.0));
    play(&mut rig, 1, vec![tone(440.0, ms(400))]);
    rig.pass(ms(100));
    let (command, session) = (CommandId(2), SESSION);
    rig.command(Command::SendDigits {
        command,
        session,
        digits: digits("5#"),
        tone: ms(100),
        gap: ms(60),
    });
    rig.pass(ms(1_500));
    assert_eq!(rig.finished(2), Some(&Outcome::Done));
    assert_eq!(rig.finished(1), Some(&Outcome::Done));
    let rtp = rig.rtp();
    let events: Vec<_> = rtp
        .iter()
        .filter(|sent| sent.header().payload_type == TELEPHONE_EVENT)
        .collect();
    assert_eq!(events.iter().filter(|sent| sent.header().marker).count(), 2);
    assert_eq!(
        events
            .iter()
            .filter(|sent| sent.payload()[1] & 0x80 != 0)
            .count(),
        6
    );
    assert_eq!(events[0].payload()[0], 5);
    assert!(
        rtp.windows(2)
            .all(|two| two[1].header().sequence == two[0].header().sequence.next())
    );
    let five: Vec<_> = events
        .iter()
        .filter(|sent| sent.payload()[0] == 5)
        .collect();
    assert!(
        five.iter()
            .all(|sent| sent.header().timestamp == five[0].header().timestamp)
    );
    assert_eq!(rig.sound().len(), 400 * 8);
}

#[test]
fn digits_leave_as_tones_when_the_peer_has_no_telephone_event() {
    let phone = Phone::new(400.0);
    let mut rig = Rig::with_call(&phone);
    rig.configure(
        SESSION,
        SessionConfig {
            telephone_event: None,
            receive_events: Vec::new(),
            red: None,
            ..config(&phone)
        },
    );
    let (command, session) = (CommandId(2), SESSION);
    rig.command(Command::SendDigits {
        command,
        session,
        digits: digits("159D*"),
        tone: ms(90),
        gap: ms(70),
    });
    rig.pass(ms(2_000));
    assert_eq!(rig.finished(2), Some(&Outcome::Done));
    let mut detector = ToneDetector::new();
    let heard: String = rig
        .sound()
        .chunks(160)
        .filter_map(|frame| detector.push(frame))
        .map(|key| key.to_char())
        .collect();
    assert_eq!(heard, "159D*");
}

#[test]
fn a_thousand_prompts_begun_at_once_leave_spread_over_five_milliseconds() {
    let mut rig = Rig::new();
    let prompt = tone(440.0, ms(1_000));
    for id in 0..1_000 {
        let session = SessionId(id);
        rig.open(session);
        rig.configure(session, config(&Phone::new(400.0)));
        let prompts = vec![Arc::clone(&prompt)];
        rig.command(Command::Play {
            command: CommandId(id),
            session,
            prompts,
            stop_on_digit: false,
            is_endless: false,
        });
    }
    rig.pass(ms(40));
    for slot in 0..5 {
        let at = start() + ms(20 + slot);
        assert_eq!(rig.rtp().iter().filter(|sent| sent.at == at).count(), 200);
    }
}

#[test]
fn an_idle_call_sends_one_packet_of_silence_in_15_s_and_is_woken_for_reports_only() {
    let mut rig = Rig::with_call(&Phone::new(400.0));
    rig.pass(Duration::from_secs(61));
    assert_eq!(rig.rtp().len(), 4);
    let reports = rig.sent.iter().filter(|sent| sent.rtcp).count();
    assert!((9..=30).contains(&reports), "{reports} reports");
    assert!(rig.wakes <= reports as u64 + 8, "{} wakes", rig.wakes);
}
