//! Externals on real threads: what they hear and say, wherever their session goes.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::moving::{THREADS, calls, join, sing, talk};
use super::*;
use crate::command::{ExternalConfig, ExternalId, Sides};

const EXTERNAL: ExternalId = ExternalId(3);

/// Says when it is dropped.
struct Flag(Arc<AtomicBool>);

impl Drop for Flag {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn an_external_hears_and_is_heard_before_and_after_its_session_moves_and_ends_with_it() {
    let mut world = World::start(free_ports(8), THREADS);
    let mut phones = [sing(440.0), sing(700.0)];
    let at = calls(&mut world, &phones);
    let (sender, ticks) = mpsc::sync_channel(1_000);
    let (gone, is_dropped) = (
        Arc::new(AtomicU64::new(0)),
        Arc::new(AtomicBool::new(false)),
    );
    let (counted, flag) = (Arc::clone(&gone), Flag(Arc::clone(&is_dropped)));
    let config = ExternalConfig {
        listen: Some(Sides::Peer),
        speak: Some(Sides::Us),
    };
    let inlet = world
        .host
        .open_external(EXTERNAL, SessionId(1), config, move |heard, gone| {
            let _is_kept = &flag;
            counted.store(gone, Ordering::Relaxed);
            let _ = sender.try_send(heard.map(|frame| frame.0));
        });
    let is_over = Arc::new(AtomicBool::new(false));
    let is_silent = Arc::clone(&is_over);
    let speaking = std::thread::spawn(move || {
        let mut tone = ToneGenerator::single(1_900.0, -12.0);
        let mut samples = [0; 160];
        while !is_silent.load(Ordering::Relaxed) {
            tone.fill(&mut samples);
            inlet.say(&samples);
            std::thread::sleep(Duration::from_millis(20));
        }
        inlet
    });
    for bridge in [None, Some(7), Some(8)] {
        for session in bridge.iter().flat_map(|_| [1, 2]) {
            world.host.send(join(session, bridge.unwrap_or(0)));
        }
        talk(&mut phones, &at, 15);
        while ticks.try_recv().is_ok() {}
        let heard = talk(&mut phones, &at, 25);
        assert!(frequency_power(&heard, 1_900.0) > -25.0, "{bridge:?}");
        assert_eq!(frequency_power(&heard, 700.0) > -25.0, bridge.is_some());
        let external: Vec<i16> = ticks.try_iter().flat_map(Option::unwrap).collect();
        assert!(external.len() > 15 * 160);
        assert!(frequency_power(&external, 440.0) > -22.0, "{bridge:?}");
        assert!(frequency_power(&external, 1_900.0) < -40.0, "{bridge:?}");
    }
    assert!(gone.load(Ordering::Relaxed) > 60 * 160);
    world.host.send(Command::Close {
        session: SessionId(1),
    });
    let stats = world.wait(|event| match event {
        Event::ExternalClosed { external, result } => {
            assert_eq!(*external, EXTERNAL);
            Some(result.clone().unwrap())
        }
        _ => None,
    });
    assert!(
        stats.frames > 60 && stats.heard_samples > 60 * 160,
        "{stats:?}"
    );
    assert!(is_dropped.load(Ordering::Relaxed));
    is_over.store(true, Ordering::Relaxed);
    // What is said to nobody goes nowhere, and harms nothing.
    assert_eq!(speaking.join().unwrap().say(&[1; 200]), 200);
}

#[test]
fn an_external_of_no_session_ends_at_once_and_one_of_a_stopped_host_too() {
    let mut world = World::start(free_ports(2), 1);
    for (external, why) in [(1, MediaError::UnknownSession), (2, MediaError::Internal)] {
        let external = ExternalId(external);
        let inlet =
            world
                .host
                .open_external(external, SESSION, ExternalConfig::default(), |_, _| {});
        let ended = world.wait(|event| match event {
            Event::ExternalClosed { result, .. } => Some(result.clone()),
            _ => None,
        });
        assert_eq!(ended, Err(why));
        assert_eq!(inlet.say(&[0; 320]), 320);
        assert!(!inlet.clear());
        world.host.stop();
    }
}
