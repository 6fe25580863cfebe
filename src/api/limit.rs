//! How often one address may ask.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A rate with a burst.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Requests in a second; zero for no limit.
    pub per_second: u32,
    /// Requests at once.
    pub burst: u32,
}

/// Counts requests by address, as a bucket that leaks (GCRA, ITU-T I.371): each address has the time at which
/// its bucket will be empty, and nothing else.
#[derive(Debug)]
pub struct Limiter {
    interval: Duration,
    depth: Duration,
    empty_at: Mutex<HashMap<IpAddr, Instant>>,
}

/// Addresses that are remembered. When all of them are busy, the newcomers share one bucket.
const ADDRESSES: usize = 10_000;
/// Whose bucket that is.
const OTHERS: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);

impl Limiter {
    /// Nobody has asked yet.
    #[must_use]
    pub fn new(rate: Rate) -> Self {
        let interval = Duration::from_secs(1)
            .checked_div(rate.per_second)
            .unwrap_or_default();
        Self {
            interval,
            depth: interval * rate.burst.max(1),
            empty_at: Mutex::default(),
        }
    }

    /// Takes a request on.
    ///
    /// # Errors
    /// There are too many: how long to wait.
    pub fn pass(&self, now: Instant, address: IpAddr) -> Result<(), Duration> {
        if self.interval.is_zero() {
            return Ok(());
        }
        let mut buckets = self.empty_at.lock().unwrap_or_else(PoisonError::into_inner);
        let mut address = network(address);
        if buckets.len() >= ADDRESSES && !buckets.contains_key(&address) {
            buckets.retain(|_, empty_at| *empty_at > now);
            if buckets.len() >= ADDRESSES {
                address = OTHERS;
            }
        }
        let empty_at = buckets.entry(address).or_insert(now);
        let full_at = (*empty_at).max(now) + self.interval;
        let over = full_at.saturating_duration_since(now + self.depth);
        if !over.is_zero() {
            return Err(over);
        }
        *empty_at = full_at;
        Ok(())
    }
}

/// Whom an address belongs to: in IPv6 a /64, which is what one host gets.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const RATE: Rate = Rate {
        per_second: 10,
        burst: 20,
    };

    fn passed(limiter: &Limiter, now: Instant, address: IpAddr) -> usize {
        (0..1000)
            .take_while(|_| limiter.pass(now, address).is_ok())
            .count()
    }

    #[test]
    fn an_address_has_its_burst_and_then_its_rate_and_others_have_theirs() {
        let (limiter, start) = (Limiter::new(RATE), crate::sim::start());
        let (one, other) = (
            "10.0.0.1".parse().unwrap(),
            "::ffff:10.0.0.2".parse().unwrap(),
        );
        assert_eq!(passed(&limiter, start, one), 20);
        let wait = limiter.pass(start, one).unwrap_err();
        assert_eq!(wait, Duration::from_millis(100));
        assert_eq!(passed(&limiter, start + wait, one), 1);
        assert_eq!(passed(&limiter, start + Duration::from_secs(1), one), 9);
        assert_eq!(passed(&limiter, start + Duration::from_secs(60), one), 20);
        assert_eq!(passed(&limiter, start, other), 20);
    }

    #[test]
    fn a_network_of_ipv6_is_one_address() {
        let (limiter, start) = (Limiter::new(RATE), crate::sim::start());
        assert_eq!(passed(&limiter, start, "2001:db8::1".parse().unwrap()), 20);
        assert_eq!(passed(&limiter, start, "2001:db8::2".parse().unwrap()), 0);
        assert_eq!(
            passed(&limiter, start, "2001:db8:0:1::2".parse().unwrap()),
            20
        );
    }

    #[test]
    fn a_million_addresses_take_no_more_room_than_ten_thousand() {
        let (limiter, start) = (Limiter::new(RATE), crate::sim::start());
        for number in 0..1_000_000u32 {
            let _ = limiter.pass(start, Ipv4Addr::from(number).into());
        }
        assert!(limiter.empty_at.lock().unwrap().len() <= ADDRESSES + 1);
        let later = start + Duration::from_secs(5);
        assert_eq!(passed(&limiter, later, "10.0.0.1".parse().unwrap()), 20);
    }

    #[test]
    fn a_rate_of_zero_is_no_limit() {
        let limiter = Limiter::new(Rate {
            per_second: 0,
            burst: 0,
        });
        let address = "10.0.0.1".parse().unwrap();
        assert_eq!(passed(&limiter, crate::sim::start(), address), 1000);
    }
}
