//! How many messages a source may send: a bucket of tokens for each.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::sip::auth::network;
use crate::time::DeadlineQueue;

/// A bucket for each source that has sent lately, as the instant at which it will be full again.
#[derive(Debug, Default)]
pub(super) struct Throttle {
    full_at: HashMap<IpAddr, Instant>,
    /// When a bucket need not be remembered any more.
    forgotten: DeadlineQueue<IpAddr>,
}

/// What a bucket holds: a telephone asks twice for each message, and a gateway has many customers.
const BURST: u32 = 100;
/// How long a token takes to come back: twenty in a second.
const EACH: Duration = Duration::from_millis(50);
/// Sources that are remembered; with so many busy ones at once, new ones have to wait.
const SOURCES: usize = 10_000;

impl Throttle {
    /// Takes a token of `source`; false when there is none.
    pub(super) fn pass(&mut self, now: Instant, source: IpAddr) -> bool {
        while let Some(full) = self.forgotten.poll(now) {
            self.full_at.remove(&full);
        }
        let source = network(source);
        let known = self.full_at.get(&source).copied();
        if known.is_none() && self.full_at.len() >= SOURCES {
            return false;
        }
        let full_at = known.map_or(now, |at| at.max(now)) + EACH;
        if full_at.duration_since(now) > EACH * BURST {
            return false;
        }
        self.full_at.insert(source, full_at);
        self.forgotten.set(source, Some(full_at));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(number: u32) -> IpAddr {
        IpAddr::V4(number.into())
    }

    #[test]
    fn source_has_a_burst_and_then_twenty_in_a_second_and_others_are_not_held_up() {
        let now = crate::sim::start();
        let mut throttle = Throttle::default();
        let passed = (0..1000).filter(|_| throttle.pass(now, source(1)));
        assert_eq!(passed.count(), 100);
        assert!(throttle.pass(now, source(2)));
        let later = now + Duration::from_secs(1);
        let passed = (0..1000).filter(|_| throttle.pass(later, source(1)));
        assert_eq!(passed.count(), 20);
    }

    #[test]
    fn a_whole_network_of_ipv6_is_one_source() {
        let now = crate::sim::start();
        let mut throttle = Throttle::default();
        let of = |host: u16| IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, host]);
        let passed = (0..1000).filter(|host| throttle.pass(now, of(*host)));
        assert_eq!(passed.count(), 100);
    }

    #[test]
    fn sources_are_bounded_and_forgotten_when_their_bucket_is_full() {
        let now = crate::sim::start();
        let mut throttle = Throttle::default();
        let passed = (0..20_000).filter(|number| throttle.pass(now, source(*number)));
        assert_eq!(passed.count(), SOURCES);
        assert!(throttle.pass(now + EACH, source(30_000)));
        assert_eq!(throttle.full_at.len(), 1);
    }
}
