//! Addresses that were silent or overloaded a moment ago, so that the next call need not wait for them too.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use crate::sip::Hop;

/// The addresses.
#[derive(Debug, Default)]
pub(super) struct SilentHops {
    until: HashMap<Hop, Instant>,
    /// In the order of their ends; one that was added again stands here twice.
    order: VecDeque<(Instant, Hop)>,
}

/// How long an address is passed over: a carrier's restart.
const SHUNNED: Duration = Duration::from_secs(60);
/// More are not remembered.
const MOST: usize = 1000;

impl SilentHops {
    /// Passes it over from now on, for a while.
    pub(super) fn add(&mut self, now: Instant, hop: Hop) {
        let until = now + SHUNNED;
        self.until.insert(key(hop), until);
        self.order.push_back((until, key(hop)));
        self.forget(now);
    }

    /// Whether it is passed over.
    pub(super) fn has(&mut self, now: Instant, hop: &Hop) -> bool {
        self.forget(now);
        self.until.contains_key(&key(*hop))
    }

    fn forget(&mut self, now: Instant) {
        while let Some((until, hop)) = self.order.front().copied() {
            if until > now && self.order.len() <= MOST {
                return;
            }
            self.order.pop_front();
            if self.until.get(&hop) == Some(&until) {
                self.until.remove(&hop);
            }
        }
    }
}

/// An address is the same by whichever connection it is reached.
const fn key(hop: Hop) -> Hop {
    Hop {
        connection: None,
        ..hop
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;
    use crate::sip::Transport;

    fn hop(port: u16) -> Hop {
        Hop {
            transport: Transport::Udp,
            local: SocketAddr::from(([10, 0, 0, 1], 5060)),
            remote: SocketAddr::from(([10, 0, 0, 2], port)),
            connection: None,
        }
    }

    #[test]
    fn silent_address_is_passed_over_for_a_minute_and_a_thousand_are_remembered() {
        let now = crate::sim::start();
        let mut hops = SilentHops::default();
        hops.add(now, hop(1));
        hops.add(now + SHUNNED / 2, hop(1));
        assert!(hops.has(now + SHUNNED, &hop(1)));
        assert!(!hops.has(now + SHUNNED, &hop(2)));
        assert!(!hops.has(now + SHUNNED + SHUNNED / 2, &hop(1)));
        for port in 1..=1001 {
            hops.add(now, hop(port));
        }
        assert!(!hops.has(now, &hop(1)));
        assert!(hops.has(now, &hop(2)));
        assert_eq!(hops.order.len(), MOST);
    }
}
