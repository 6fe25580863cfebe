//! How soon the host has to read what comes for a session.

use super::party::{Party, session};
use super::rig::{Phone, Rig, SESSION, ms};
use crate::command::{Command, CommandId, Part, RecordingConfig, RecordingTarget, SessionId};
use crate::engine::Pace;

/// What has been told since this was asked last.
fn told(rig: &mut Rig) -> Vec<(SessionId, Pace)> {
    let mut paces = std::mem::take(&mut rig.paces);
    paces.sort_by_key(|(session, _)| *session);
    paces
}

fn all_of(guests: usize, pace: Pace) -> Vec<(SessionId, Pace)> {
    (0..guests).map(|guest| (session(guest), pace)).collect()
}

/// Records a session, as command 1.
fn record(rig: &mut Rig, session: SessionId) {
    let config = RecordingConfig {
        target: RecordingTarget::mono("all.wav".into()),
        end_of_silence: None,
        end_of_key: Vec::new(),
        duration: None,
        beep_start: false,
    };
    rig.command(Command::Record {
        command: CommandId(1),
        session,
        config: Box::new(config),
    });
}

#[test]
fn what_is_relayed_is_read_at_once_and_what_is_mixed_by_the_tick() {
    let mut party = Party::of(3);
    party.join(0, Part::FULL);
    party.join(1, Part::FULL);
    party.rig.pass(ms(100));
    assert_eq!(told(&mut party.rig), []);
    party.join(2, Part::FULL);
    party.rig.pass(ms(100));
    assert_eq!(told(&mut party.rig), all_of(3, Pace::ByTick));
    party.leave(2);
    assert_eq!(told(&mut party.rig), all_of(3, Pace::AtOnce));
}

#[test]
fn what_is_only_recorded_is_read_by_the_tick_until_it_is_echoed_or_ends() {
    let mut rig = Rig::with_call(&Phone::new(400.0));
    let cancel = |rig: &mut Rig, command| {
        let (command, session) = (CommandId(command), SESSION);
        rig.command(Command::Cancel { command, session });
    };
    record(&mut rig, SESSION);
    assert_eq!(told(&mut rig), [(SESSION, Pace::ByTick)]);
    rig.command(Command::Echo {
        command: CommandId(2),
        session: SESSION,
        duration: ms(60_000),
        with_digits: true,
    });
    assert_eq!(told(&mut rig), [(SESSION, Pace::AtOnce)]);
    cancel(&mut rig, 2);
    assert_eq!(told(&mut rig), [(SESSION, Pace::ByTick)]);
    cancel(&mut rig, 1);
    assert_eq!(told(&mut rig), [(SESSION, Pace::AtOnce)]);
}

#[test]
fn a_session_that_has_moved_tells_its_pace_anew() {
    let mut party = Party::of(1);
    record(&mut party.rig, session(0));
    assert_eq!(told(&mut party.rig), all_of(1, Pace::ByTick));
    let now = party.rig.now;
    let departure = party.rig.engine.release(now, session(0)).unwrap();
    party.rig.engine.adopt(now, departure);
    party.rig.pass(ms(100));
    assert_eq!(told(&mut party.rig), all_of(1, Pace::ByTick));
}
