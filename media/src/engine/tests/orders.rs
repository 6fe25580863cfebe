//! Every order ends once, whatever happens to its session.

use std::collections::HashMap;
use std::sync::Arc;

use proptest::prelude::*;

use super::rig::{PTIME, Phone, Rig, SESSION, config, digits, ms};
use crate::amd::AmdConfig;
use crate::command::{
    Command, CommandId, Event, ListenConfig, MediaError, Outcome, RecordingConfig, RecordingTarget,
    SessionId, Sides,
};
use crate::dsp::utterance::UtteranceLimits;
use crate::engine::Input;
use crate::prompt::Prompt;

fn prompt() -> Arc<Prompt> {
    Arc::new(Prompt::from_samples(vec![1_000; 1_600]))
}

fn record(command: u64, session: SessionId) -> Command {
    let config = RecordingConfig {
        target: RecordingTarget::sides("in.wav".into(), "out.wav".into()),
        end_of_silence: Some(ms(100)),
        end_of_key: digits("#"),
        duration: None,
        beep_start: command.is_multiple_of(2),
    };
    Command::Record {
        command: CommandId(command),
        session,
        config: Box::new(config),
    }
}

/// How many kinds of orders take time.
const KINDS: u8 = 6;

/// One of the orders that take time.
fn order(kind: u8, command: u64, session: SessionId) -> Command {
    let id = CommandId(command);
    match kind % KINDS {
        0 => Command::Play {
            command: id,
            session,
            prompts: vec![prompt()],
            stop_on_digit: true,
            is_endless: false,
        },
        1 => Command::SendDigits {
            command: id,
            session,
            digits: digits("12"),
            tone: ms(80),
            gap: ms(60),
        },
        2 => Command::Echo {
            command: id,
            session,
            duration: ms(150),
            with_digits: true,
        },
        3 => record(command, session),
        4 => Command::DetectMachine {
            command: id,
            session,
            config: Box::new(AmdConfig {
                initial_silence: ms(400),
                ..AmdConfig::default()
            }),
        },
        _ => Command::Listen {
            command: id,
            session,
            config: ListenConfig {
                sides: [Sides::Peer, Sides::Us, Sides::Both][command as usize % 3],
                limits: UtteranceLimits::default(),
            },
        },
    }
}

#[test]
fn orders_of_an_unknown_session_fail_at_once() {
    let mut rig = Rig::new();
    for kind in 0..KINDS {
        rig.command(order(kind, u64::from(kind), SessionId(404)));
        let why = MediaError::UnknownSession;
        assert_eq!(
            rig.finished(u64::from(kind)),
            Some(&Outcome::Failed { why })
        );
    }
}

#[test]
fn orders_of_a_closed_session_are_canceled_before_it_is_told_closed() {
    let mut rig = Rig::with_call(&Phone::new(400.0));
    let kinds = [0, 1, 2, 4, 5];
    for kind in kinds {
        rig.command(order(kind, u64::from(kind), SESSION));
    }
    rig.command(Command::Close { session: SESSION });
    for command in kinds.map(u64::from) {
        assert_eq!(rig.finished(command), Some(&Outcome::Canceled));
    }
    assert!(matches!(rig.events.last(), Some((_, Event::Closed { .. }))));
}

#[test]
fn an_order_given_twice_under_one_id_ends_once() {
    let mut rig = Rig::with_call(&Phone::new(400.0));
    rig.command(order(0, 1, SESSION));
    rig.command(order(2, 1, SESSION));
    rig.pass(ms(1_000));
    assert_eq!(rig.finished(1), Some(&Outcome::Done));
}

#[test]
fn canceling_what_does_not_run_does_nothing() {
    let mut rig = Rig::with_call(&Phone::new(400.0));
    rig.command(order(0, 1, SESSION));
    rig.command(Command::Cancel {
        session: SESSION,
        command: CommandId(2),
    });
    rig.command(Command::Cancel {
        session: SessionId(9),
        command: CommandId(1),
    });
    rig.pass(ms(1_000));
    rig.command(Command::Cancel {
        session: SESSION,
        command: CommandId(1),
    });
    assert_eq!(rig.finished(1), Some(&Outcome::Done));
}

#[test]
fn a_session_without_a_port_ends_its_orders() {
    let mut rig = Rig::new();
    rig.answers = false;
    rig.open(SESSION);
    rig.command(order(0, 1, SESSION));
    rig.input(Input::Bound {
        session: SESSION,
        result: Err(MediaError::NoPort),
    });
    assert_eq!(
        rig.finished(1),
        Some(&Outcome::Failed {
            why: MediaError::NoPort
        })
    );
    let open_failed = Event::OpenFailed {
        session: SESSION,
        why: MediaError::NoPort,
    };
    assert_eq!(
        rig.events.last().map(|(_, event)| event),
        Some(&open_failed)
    );
}

#[test]
fn a_panic_in_one_session_ends_it_alone() {
    let mut rig = Rig::new();
    for session in [SESSION, SessionId(2)] {
        rig.open(session);
        rig.configure(session, config(&Phone::new(400.0)));
        (0..KINDS)
            .for_each(|kind| rig.command(order(kind, session.0 * 10 + u64::from(kind), session)));
    }
    rig.engine.poison(SESSION);
    rig.pass(ms(5_000));
    let why = MediaError::Internal;
    for command in 10..10 + u64::from(KINDS) {
        assert_eq!(
            rig.finished(command),
            Some(&Outcome::Failed { why: why.clone() })
        );
    }
    assert_eq!(rig.finished(20), Some(&Outcome::Done));
    let closed: Vec<_> = rig
        .events
        .iter()
        .filter(|(_, event)| matches!(event, Event::Closed { .. }))
        .collect();
    assert_eq!(closed.len(), 1);
    assert_eq!(
        (rig.engine.stats().sessions, rig.engine.stats().faults),
        (1, 1)
    );
}

#[derive(Clone, Debug)]
enum Step {
    Open(u64),
    Configure(u64),
    Order(u8, u64),
    Cancel(u64, u64),
    Close(u64),
    Poison(u64),
    Hear(u64),
    Key(u64),
    RecordingFails(u64),
    Pass(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let session = 0..3_u64;
    prop_oneof![
        2 => session.clone().prop_map(Step::Open),
        2 => session.clone().prop_map(Step::Configure),
        8 => (any::<u8>(), session.clone()).prop_map(|(kind, session)| Step::Order(kind, session)),
        3 => (session.clone(), 0..40_u64).prop_map(|(session, command)| Step::Cancel(session, command)),
        1 => session.clone().prop_map(Step::Close),
        1 => session.clone().prop_map(Step::Poison),
        4 => session.clone().prop_map(Step::Hear),
        2 => session.prop_map(Step::Key),
        1 => (0..40_u64).prop_map(Step::RecordingFails),
        8 => (0..400_u64).prop_map(Step::Pass),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn every_order_of_any_sequence_ends_exactly_once(steps in prop::collection::vec(step(), 1..80)) {
        let mut rig = Rig::new();
        let mut phone = Phone::new(400.0);
        let mut given = 0;
        for step in steps {
            match step {
                Step::Open(session) => rig.open(SessionId(session)),
                Step::Configure(session) => rig.configure(SessionId(session), config(&phone)),
                Step::Order(kind, session) => {
                    rig.command(order(kind, given, SessionId(session)));
                    given += 1;
                }
                Step::Cancel(session, command) => {
                    let (session, command) = (SessionId(session), CommandId(command));
                    rig.command(Command::Cancel { session, command });
                }
                Step::Close(session) => rig.command(Command::Close { session: SessionId(session) }),
                Step::Poison(session) => rig.engine.poison(SessionId(session)),
                Step::Hear(session) => {
                    let (session, source, bytes) = (SessionId(session), phone.address, phone.speak());
                    rig.receive_at(session, source, &bytes);
                    rig.pass(PTIME);
                }
                Step::Key(session) => {
                    let (session, source) = (SessionId(session), phone.address);
                    let begin = phone.timestamp;
                    let bytes = phone.event('#', begin, 160, true);
                    rig.receive_at(session, source, &bytes);
                }
                Step::RecordingFails(command) => {
                    let result = Err(MediaError::Internal);
                    rig.input(Input::Recorded { recording: CommandId(command), result });
                }
                Step::Pass(time) => rig.pass(ms(time)),
            }
        }
        (0..3).for_each(|session| rig.command(Command::Close { session: SessionId(session) }));
        let mut ends: HashMap<u64, usize> = HashMap::new();
        for (_, event) in &rig.events {
            if let Event::Finished { command, .. } = event {
                *ends.entry(command.0).or_default() += 1;
            }
        }
        for command in 0..given {
            prop_assert_eq!(ends.get(&command), Some(&1), "command {}", command);
        }
        prop_assert_eq!(ends.len() as u64, given);
        prop_assert!(rig.engine.is_idle());
    }
}
