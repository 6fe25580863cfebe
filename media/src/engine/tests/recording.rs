//! What is recorded, of whom, and when it ends.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::rig::{PTIME, Phone, Recorded, Rig, SESSION, digits, is_tone, ms};
use crate::command::{
    Command, CommandId, Event, MediaError, Outcome, RecordingConfig, RecordingEnd, RecordingTarget,
};
use crate::dsp::tone::burst;
use crate::engine::Input;
use crate::frame::Frame;
use crate::prompt::Prompt;

fn options() -> RecordingConfig {
    RecordingConfig {
        target: RecordingTarget::sides("in.wav".into(), "out.wav".into()),
        end_of_silence: None,
        end_of_key: Vec::new(),
        duration: None,
        beep_start: false,
    }
}

fn record(rig: &mut Rig, command: u64, config: RecordingConfig) {
    let command = CommandId(command);
    rig.command(Command::Record {
        command,
        session: SESSION,
        config: Box::new(config),
    });
}

fn recorded(end: RecordingEnd, duration: Duration) -> Option<Outcome> {
    Some(Outcome::Recorded { end, duration })
}

/// Whether `hertz` is what is heard on one side.
fn has_tone(frames: &[Recorded], side: fn(&Recorded) -> &Frame, hertz: f32) -> bool {
    let sound: Vec<i16> = frames.iter().flat_map(|frame| side(frame).0).collect();
    is_tone(&sound, hertz)
}

const HEARD: fn(&Recorded) -> &Frame = |frame| &frame.heard;
const SAID: fn(&Recorded) -> &Frame = |frame| &frame.said;

#[test]
fn what_the_peer_says_and_what_it_hears_are_recorded_side_by_side() {
    let mut phone = Phone::new(400.0);
    let mut rig = Rig::with_call(&phone);
    record(&mut rig, 1, options());
    let prompts = vec![Arc::new(Prompt::from_samples(burst(
        900.0,
        -12.0,
        ms(1_000),
    )))];
    let (command, session) = (CommandId(2), SESSION);
    rig.command(Command::Play {
        command,
        session,
        prompts,
        stop_on_digit: false,
        is_endless: false,
    });
    rig.listen_to(&mut phone, ms(1_000));
    rig.command(Command::Cancel {
        session: SESSION,
        command: CommandId(1),
    });
    assert!(has_tone(&rig.recorded[10..45], HEARD, 400.0));
    assert!(has_tone(&rig.recorded[5..45], SAID, 900.0));
    let positions: Vec<u64> = rig.recorded.iter().map(|frame| frame.position).collect();
    assert_eq!(positions, (0..51).collect::<Vec<u64>>());
    assert_eq!(
        rig.finished(1).cloned(),
        recorded(RecordingEnd::Stopped, ms(1_020))
    );
}

#[test]
fn an_echo_is_recorded_as_what_the_peer_hears() {
    let mut phone = Phone::new(400.0);
    let mut rig = Rig::with_call(&phone);
    let (command, session) = (CommandId(2), SESSION);
    rig.command(Command::Echo {
        command,
        session,
        duration: ms(9_000),
        with_digits: false,
    });
    record(&mut rig, 1, options());
    rig.listen_to(&mut phone, ms(1_000));
    assert!(has_tone(&rig.recorded[10..45], SAID, 400.0));
    assert_eq!(rig.rtp().len(), 50);
}

#[test]
fn a_tone_with_lost_and_swapped_packets_is_recorded_without_a_hole() {
    let mut phone = Phone::new(400.0);
    let mut rig = Rig::with_call(&phone);
    record(&mut rig, 1, options());
    let mut held: Option<Vec<u8>> = None;
    for n in 0..200 {
        let packet = phone.speak();
        match n % 25 {
            7 => {}
            12 => held = Some(packet),
            _ => rig.receive(phone.address, &packet),
        }
        if n % 25 == 13
            && let Some(late) = held.take()
        {
            rig.receive(phone.address, &late);
        }
        rig.pass(PTIME);
    }
    assert!(has_tone(&rig.recorded[10..190], HEARD, 400.0));
    let quiet = rig.recorded[10..190]
        .iter()
        .filter(|frame| frame.heard == Frame::SILENCE)
        .count();
    assert_eq!(quiet, 0);
}

#[test]
fn a_recording_begins_behind_its_beep() {
    let mut phone = Phone::new(400.0);
    let mut rig = Rig::with_call(&phone);
    record(
        &mut rig,
        1,
        RecordingConfig {
            beep_start: true,
            duration: Some(ms(500)),
            ..options()
        },
    );
    rig.listen_to(&mut phone, ms(2_000));
    let beep = rig.rtp().len() as u64 * 20;
    assert!((100..1_000).contains(&beep), "a beep of {beep} ms");
    assert_eq!(rig.recorded.len(), 25);
    assert!(
        rig.recorded
            .iter()
            .all(|frame| frame.said == Frame::SILENCE)
    );
    assert_eq!(
        rig.finished(1).cloned(),
        recorded(RecordingEnd::Duration, ms(500))
    );
}

#[test]
fn silence_of_the_peer_ends_a_recording_also_when_it_sends_nothing() {
    let mut phone = Phone::new(400.0);
    let mut rig = Rig::with_call(&phone);
    record(
        &mut rig,
        1,
        RecordingConfig {
            end_of_silence: Some(ms(2_000)),
            ..options()
        },
    );
    rig.listen_to(&mut phone, ms(3_000));
    assert_eq!(rig.finished(1), None);
    rig.pass(ms(3_000));
    let Some(Outcome::Recorded {
        end: RecordingEnd::Silence,
        duration,
    }) = rig.finished(1)
    else {
        panic!("{:?}", rig.finished(1))
    };
    assert!((ms(4_900)..ms(5_300)).contains(duration), "{duration:?}");
}

#[test]
fn a_key_ends_a_recording_only_when_it_is_one_of_the_given() {
    let mut phone = Phone::new(400.0);
    let mut rig = Rig::with_call(&phone);
    record(
        &mut rig,
        1,
        RecordingConfig {
            end_of_key: digits("#"),
            ..options()
        },
    );
    rig.listen_to(&mut phone, ms(400));
    for key in ['5', '#'] {
        assert_eq!(rig.finished(1), None);
        let begin = phone.timestamp;
        let packet = phone.event(key, begin, 160, true);
        rig.receive(phone.address, &packet);
        rig.pass(PTIME);
    }
    let Some(Outcome::Recorded {
        end: RecordingEnd::Key,
        duration,
    }) = rig.finished(1)
    else {
        panic!("{:?}", rig.finished(1))
    };
    assert!((ms(420)..=ms(440)).contains(duration), "{duration:?}");
    assert_eq!(rig.heard_digits(), "5#");
}

#[test]
fn a_second_recording_is_refused_while_one_runs_but_not_while_its_files_are_completed() {
    let phone = Phone::new(400.0);
    let mut rig = Rig::with_call(&phone);
    rig.answers = false;
    record(&mut rig, 1, options());
    record(&mut rig, 2, options());
    assert_eq!(
        rig.finished(2),
        Some(&Outcome::Failed {
            why: MediaError::AlreadyRecording
        })
    );
    rig.command(Command::Cancel {
        session: SESSION,
        command: CommandId(1),
    });
    assert_eq!(rig.finished(1), None);
    record(&mut rig, 3, options());
    rig.input(Input::Recorded {
        recording: CommandId(1),
        result: Ok(()),
    });
    assert!(rig.finished(1).is_some());
    assert_eq!(rig.finished(3), None);
}

#[test]
fn files_that_fail_end_the_recording_at_once_and_leave_the_call_alone() {
    let mut phone = Phone::new(400.0);
    let mut rig = Rig::with_call(&phone);
    record(
        &mut rig,
        1,
        RecordingConfig {
            beep_start: true,
            ..options()
        },
    );
    let why = MediaError::File {
        file: PathBuf::from("in.wav"),
        kind: std::io::ErrorKind::PermissionDenied,
    };
    rig.input(Input::Recorded {
        recording: CommandId(1),
        result: Err(why.clone()),
    });
    assert_eq!(rig.finished(1), Some(&Outcome::Failed { why }));
    rig.listen_to(&mut phone, ms(2_000));
    assert!(rig.recorded.is_empty() && rig.ends.is_empty());
}

#[test]
fn a_session_is_closed_only_when_its_files_are_complete() {
    let phone = Phone::new(400.0);
    let mut rig = Rig::with_call(&phone);
    record(&mut rig, 1, options());
    rig.pass(ms(100));
    rig.answers = false;
    rig.command(Command::Close { session: SESSION });
    let is_closed = |rig: &Rig| {
        rig.events
            .iter()
            .any(|(_, event)| matches!(event, Event::Closed { .. }))
    };
    assert!(!is_closed(&rig) && !rig.engine.is_idle());
    rig.input(Input::Recorded {
        recording: CommandId(1),
        result: Ok(()),
    });
    assert!(is_closed(&rig) && rig.engine.is_idle());
    assert!(matches!(
        rig.finished(1),
        Some(Outcome::Recorded {
            end: RecordingEnd::Stopped,
            ..
        })
    ));
}

#[test]
fn frames_that_a_sleeping_machine_missed_leave_a_hole_of_their_length() {
    let phone = Phone::new(400.0);
    let mut rig = Rig::with_call(&phone);
    record(&mut rig, 1, options());
    rig.pass(ms(100));
    rig.now += Duration::from_secs(3);
    rig.pass(ms(100));
    let last = rig.recorded.last().unwrap().position;
    assert!((158..=160).contains(&last), "position {last}");
    assert!(rig.recorded.len() < 20);
}
