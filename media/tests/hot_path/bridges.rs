//! What joins sessions, packet by packet and tick by tick.

use super::*;

/// Every `size` of the ten in a bridge of their own.
fn join(world: &mut World, size: u64) {
    for id in 0..SESSIONS {
        world.command(Command::Join {
            session: SessionId(id),
            bridge: BridgeId(id / size),
            part: Part::FULL,
        });
    }
}

/// Half of the sessions send A-law.
fn send_a_law(world: &mut World) {
    for id in (0..SESSIONS).step_by(2) {
        let config = SessionConfig {
            remote: peer(id),
            remote_rtcp: None,
            rtcp_mux: false,
            send: (8, Codec::Pcma),
            receive: vec![(0, Codec::Pcmu), (8, Codec::Pcma)],
            telephone_event: Some(TelephoneEvent::narrow(101)),
            receive_events: vec![101],
            red: None,
            srtp: None,
            direction: Direction::SendRecv,
            ptime: PTIME,
            cname: "someone".into(),
        };
        world.command(Command::Configure {
            session: SessionId(id),
            config: Box::new(config),
        });
    }
}

#[test]
fn a_relay_allocates_nothing_in_one_codec_or_two() {
    for has_two in [false, true] {
        let mut world = World::new(Some(101));
        if has_two {
            send_a_law(&mut world);
        }
        join(&mut world, 2);
        assert_eq!(world.allocations(), 0);
        assert!(world.sent >= SESSIONS * 1_490);
    }
}

#[test]
fn a_relay_in_which_tones_are_looked_for_allocates_nothing() {
    let mut world = World::new(None);
    join(&mut world, 2);
    assert_eq!(world.allocations(), 0);
    assert!(world.sent >= SESSIONS * 1_490);
}

#[test]
fn a_mix_allocates_nothing_for_talkers_listeners_prompts_and_its_recording() {
    let mut world = World::new(Some(101));
    send_a_law(&mut world);
    join(&mut world, 5);
    let listens = Part {
        speaks: false,
        hears: true,
    };
    for id in [3, 4] {
        world.command(Command::Join {
            session: SessionId(id),
            bridge: BridgeId(0),
            part: listens,
        });
    }
    world.command(Command::Play {
        command: CommandId(1),
        session: SessionId(0),
        prompts: vec![Arc::new(Prompt::hold_music())],
        stop_on_digit: false,
        is_endless: true,
    });
    world.command(Command::RecordBridge {
        command: CommandId(2),
        bridge: BridgeId(1),
        config: Box::new(BridgeRecordingConfig {
            file: "all.wav".into(),
            format: FileFormat::Wav,
            duration: None,
        }),
    });
    assert_eq!(world.allocations(), 0);
    assert!(world.sent >= SESSIONS * 1_490);
    assert!(world.recorded >= 1_490);
}

#[test]
fn a_mix_of_both_bands_allocates_nothing_leveled_limited_and_of_the_loudest() {
    for wide in [Codec::L16Wide, Codec::G722] {
        let mut world = World::new(Some(101));
        // Loud enough to be limited.
        for n in 0..160 {
            world.packet[12 + n] = if n % 16 < 8 { 0x90 } else { 0x10 };
        }
        send_in(&mut world, [Codec::Pcmu, wide]);
        join(&mut world, 5);
        world.command(Command::ConfigureBridge {
            bridge: BridgeId(0),
            config: BridgeConfig {
                level: true,
                loudest: NonZeroU8::new(3),
                tells_speaker: true,
            },
        });
        world.command(Command::Play {
            command: CommandId(1),
            session: SessionId(1),
            prompts: vec![Arc::new(Prompt::hold_music())],
            stop_on_digit: false,
            is_endless: true,
        });
        assert_eq!(world.allocations(), 0, "{wide:?}");
        assert!(world.sent >= SESSIONS * 1_490);
    }
}

#[test]
fn externals_that_hear_and_speak_allocate_nothing_alone_or_in_a_bridge() {
    for is_joined in [false, true] {
        let mut world = World::new(Some(101));
        if is_joined {
            join(&mut world, 5);
        }
        world.externals = SESSIONS * 2;
        for external in 0..world.externals {
            world.command(Command::OpenExternal {
                external: ExternalId(external),
                session: SessionId(external / 2),
                config: ExternalConfig {
                    listen: Some(Sides::Both),
                    speak: Some(Sides::Both),
                },
            });
        }
        assert_eq!(world.allocations(), 0);
        assert!(world.sent >= SESSIONS * 1_490);
        assert!(world.heard >= SESSIONS * 2 * 1_490);
    }
}
