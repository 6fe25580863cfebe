//! Datagrams that are read at once, and by the tick.

use super::moving::{calls, join, sing, talk};
use super::*;
use crate::delay::Path;

#[test]
fn sound_is_read_by_the_tick_while_three_are_in_a_bridge_and_at_once_before_and_after() {
    let mut world = World::start(free_ports(12), 1);
    let mut phones = [sing(440.0), sing(700.0), sing(1_000.0)];
    let at = calls(&mut world, &phones);
    let mut heard = || {
        // What is looked at is no longer that of before.
        talk(&mut phones, &at, 15);
        let heard = talk(&mut phones, &at, 30);
        assert!(heard.len() > 20 * 160, "{}", heard.len());
        [440.0, 700.0, 1_000.0].map(|hertz| frequency_power(&heard, hertz) > -22.0)
    };
    world.host.send(join(1, 7));
    world.host.send(join(2, 7));
    assert_eq!(heard(), [false, true, false]);
    world.host.send(join(3, 7));
    assert_eq!(heard(), [false, true, true]);
    let session = SessionId(3);
    world.host.send(Command::Leave { session });
    assert_eq!(heard(), [false, true, false]);
    let session = SessionId(1);
    world.host.send(Command::Close { session });
    let stats = world.wait(|event| match event {
        Event::Closed { session, stats } if session.0 == 1 => Some(stats.clone()),
        _ => None,
    });
    assert_eq!((stats.lost_packets, stats.dropped_datagrams), (0, 0));
    let delays = [Path::Relay, Path::Mix].map(|path| stats.delays.of(path).count);
    assert!(delays.iter().all(|count| *count > 15), "{delays:?}");
}
