//! Sessions that move between threads to join a bridge.

use std::collections::HashMap;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::*;
use crate::codec::G711;
use crate::command::{BridgeId, BridgeRecordingConfig, Part};
use crate::recording::FileFormat;

pub(super) const THREADS: usize = 4;

/// A session for each phone, on threads of their own.
pub(super) fn calls(world: &mut World, phones: &[Phone]) -> Vec<SocketAddr> {
    let sessions = (1..).map(SessionId);
    let mut at = Vec::new();
    for (session, phone) in sessions.zip(phones) {
        let port = world.open(session).unwrap();
        let config = Box::new(phone.config());
        world.host.send(Command::Configure { session, config });
        at.push(SocketAddr::new(LOCAL, port));
    }
    at
}

pub(super) fn join(session: u64, bridge: u64) -> Command {
    Command::Join {
        session: SessionId(session),
        bridge: BridgeId(bridge),
        part: Part::FULL,
    }
}

/// Lets all speak for so many packets, and says what the first of them has heard.
pub(super) fn talk(phones: &mut [Phone], at: &[SocketAddr], packets: u32) -> Vec<i16> {
    phones[0].rtp.set_nonblocking(true).unwrap();
    let begin = Instant::now();
    let mut heard = Vec::new();
    let mut buffer = [0; 2_048];
    for packet in 0..packets {
        for (phone, at) in phones.iter_mut().zip(at) {
            phone.speak(*at);
        }
        let due = begin + Duration::from_millis(20) * (packet + 1);
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        while let Ok(len) = phones[0].rtp.recv(&mut buffer) {
            let (_, payload) = split(&buffer[..len]).unwrap();
            let mut samples = vec![0; payload.len()];
            G711::Ulaw.decode(payload, &mut samples);
            heard.extend(samples);
        }
    }
    phones[0].rtp.set_nonblocking(false).unwrap();
    heard
}

pub(super) fn sing(hertz: f32) -> Phone {
    let mut phone = Phone::new();
    phone.tone = ToneGenerator::single(hertz, -12.0);
    phone
}

#[test]
fn two_on_different_threads_hear_each_other_and_a_recording_goes_on_over_the_move() {
    let folder = Folder::new("moving");
    let mut world = World::start(free_ports(8), THREADS);
    let mut phones = [sing(440.0), sing(700.0)];
    let at = calls(&mut world, &phones);
    let files = (folder.0.join("in.wav"), folder.0.join("out.wav"));
    world.host.send(Command::Record {
        command: CommandId(1),
        session: SessionId(1),
        config: Box::new(RecordingConfig {
            target: RecordingTarget::sides(files.0.clone(), files.1.clone()),
            end_of_silence: None,
            end_of_key: Vec::new(),
            duration: None,
            beep_start: false,
        }),
    });
    talk(&mut phones, &at, 20);
    // Neither is on the thread of bridge 7, nor of the one after it, nor of the one after that.
    for bridge in [7, 8, 9, 7] {
        for session in [1, 2] {
            world.host.send(join(session, bridge));
        }
        world.host.send(Command::RecordBridge {
            command: CommandId(10 + bridge),
            bridge: BridgeId(bridge),
            config: Box::new(BridgeRecordingConfig {
                file: folder.0.join("all.wav"),
                format: FileFormat::Wav,
                duration: None,
            }),
        });
        world.host.send(Command::StopBridgeRecording {
            bridge: BridgeId(bridge),
            command: CommandId(10 + bridge),
        });
        let outcome = world.finished(10 + bridge);
        assert!(
            matches!(outcome, Outcome::Recorded { .. }),
            "{outcome:?} of {bridge}"
        );
        talk(&mut phones, &at, 15);
    }
    let heard = talk(&mut phones, &at, 30);
    assert!(heard.len() > 20 * 160);
    assert!(frequency_power(&heard, 700.0) > -22.0);
    assert!(frequency_power(&heard, 440.0) < -50.0);
    for session in [1, 2] {
        world.host.send(Command::Close {
            session: SessionId(session),
        });
    }
    let outcome = world.finished(1);
    assert!(
        matches!(outcome, Outcome::Recorded { end: RecordingEnd::Stopped, duration }
            if duration > Duration::from_millis(1_500)),
        "{outcome:?}"
    );
    let (said, heard) = (read(&files.0), read(&files.1));
    assert_eq!(said.len(), heard.len());
    // Nobody spoke while an order was waited for.
    let whole = |sound: &[i16], hertz| {
        let parts = sound.chunks_exact(400);
        let has_tone = parts.filter(|part| frequency_power(part, hertz) > -20.0);
        has_tone.count() * 100 / (sound.len() / 400)
    };
    let (said, heard) = (whole(&said, 440.0), whole(&heard[heard.len() / 2..], 700.0));
    assert!(said >= 60 && heard >= 60, "{said} and {heard} of 100");
    world.wait(|event| matches!(event, Event::Closed { .. }).then_some(()));
    // Its ports are free again where they are of.
    world.host.stop();
    assert_eq!(world.host.stats().faults, 0);
}

#[test]
fn any_row_of_joins_leaves_and_closes_over_four_threads_ends_every_order_once() {
    let folder = Folder::new("moving-any");
    for seed in 0..6 {
        println!("seed {seed}");
        let mut rng = StdRng::seed_from_u64(seed);
        let mut world = World::start(free_ports(40), THREADS);
        let mut living: Vec<u64> = Vec::new();
        let mut opened = 0;
        let mut asked = Vec::new();
        for order in 1..=400 {
            let command = CommandId(order);
            let bridge = rng.random_range(0..5);
            if living.is_empty() || (living.len() < 20 && rng.random_ratio(1, 8)) {
                opened += 1;
                let session = SessionId(opened);
                living.push(opened);
                world.host.send(Command::Open {
                    session,
                    local: LOCAL,
                });
                let mut config = Phone::new().config();
                config.remote.set_port(9);
                world.host.send(Command::Configure {
                    session,
                    config: Box::new(config),
                });
                continue;
            }
            let place = rng.random_range(0..living.len());
            let session = SessionId(living[place]);
            match rng.random_range(0..12) {
                0..5 => world.host.send(join(session.0, bridge)),
                5 => world.host.send(Command::Leave { session }),
                6 => {
                    living.swap_remove(place);
                    world.host.send(Command::Close { session });
                }
                7 => {
                    asked.push(order);
                    world.host.send(Command::Record {
                        command,
                        session,
                        config: Box::new(RecordingConfig {
                            target: RecordingTarget::sides(
                                folder.0.join(format!("{seed}-{order}-in.wav")),
                                folder.0.join(format!("{seed}-{order}-out.wav")),
                            ),
                            end_of_silence: None,
                            end_of_key: Vec::new(),
                            duration: None,
                            beep_start: rng.random(),
                        }),
                    });
                }
                8 => {
                    asked.push(order);
                    world.host.send(Command::RecordBridge {
                        command,
                        bridge: BridgeId(bridge),
                        config: Box::new(BridgeRecordingConfig {
                            file: folder.0.join(format!("{seed}-{order}.wav")),
                            format: FileFormat::Wav,
                            duration: None,
                        }),
                    });
                }
                9 => {
                    let command = CommandId(rng.random_range(1..=order));
                    world.host.send(Command::Cancel { session, command });
                }
                _ => {
                    asked.push(order);
                    world.host.send(Command::Play {
                        command,
                        session,
                        prompts: vec![Arc::new(Prompt::from_samples(burst(
                            440.0,
                            -12.0,
                            Duration::from_millis(40),
                        )))],
                        stop_on_digit: false,
                        is_endless: rng.random(),
                    });
                }
            }
            if rng.random_ratio(1, 10) {
                std::thread::sleep(Duration::from_millis(rng.random_range(0..15)));
            }
        }
        for session in living {
            world.host.send(Command::Close {
                session: SessionId(session),
            });
        }
        let begin = Instant::now();
        world.host.stop();
        assert!(
            begin.elapsed() < Duration::from_secs(2),
            "nothing keeps a thread waiting"
        );
        let (mut finished, mut closed) = (HashMap::new(), HashMap::new());
        while let Ok(told) = world.events.try_recv() {
            match told.take(begin) {
                Event::Finished { command, .. } => *finished.entry(command.0).or_insert(0) += 1,
                Event::Closed { session, .. } => *closed.entry(session.0).or_insert(0) += 1,
                _ => {}
            }
        }
        let mut ended: Vec<u64> = finished.keys().copied().collect();
        ended.sort_unstable();
        assert_eq!(ended, asked);
        assert!(
            finished
                .values()
                .chain(closed.values())
                .all(|times| *times == 1)
        );
        assert_eq!(closed.len() as u64, opened);
        assert_eq!(world.host.stats().faults, 0);
    }
}
