//! Where calls to telephone numbers leave, in which order trunks are tried, and how much each may carry.

use std::fmt;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::network::Network;
use crate::sip::message::HeaderName;
use crate::sip::{Account, SipHost};

/// A carrier or PBX.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trunk {
    /// Its name in the configuration.
    pub name: String,
    /// Where its calls come from; with none it only takes ours.
    pub networks: Vec<Network>,
    /// How it is called; without, it only calls us.
    pub out: Option<TrunkOut>,
}

/// How a trunk is called, and how often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrunkOut {
    /// Where it is reached.
    pub host: SipHost,
    /// Answers its challenges, and nobody else's.
    pub account: Option<Account>,
    /// Keeps a registration there.
    pub register: bool,
    /// Is asked every now and then how it is (OPTIONS); else only calls tell.
    pub probe: bool,
    /// Beginnings of the numbers it may be called for, each digits or `+` and digits; with none it is
    /// called for no number.
    pub prefixes: Vec<String>,
    /// Lower comes first, among prefixes of one length.
    pub priority: u32,
    /// Calls at once.
    pub channels: u32,
    /// Calls started in a second.
    pub cps: u32,
    /// Calls and short messages started in a day of UTC.
    pub calls_per_day: u32,
    /// Written before the number, where a carrier tells its customers apart by it.
    pub tech_prefix: String,
    /// Written after the number.
    pub tech_postfix: String,
    /// Go with each INVITE and MESSAGE.
    pub headers: Vec<(HeaderName, Bytes)>,
    /// Who calls, when the caller has no number of its own to show.
    pub caller_id: Option<String>,
}

impl TrunkOut {
    /// Calls at once, unless the configuration says otherwise: a small business's line group.
    pub const CHANNELS: u32 = 100;
    /// Calls started in a second, unless the configuration says otherwise: what carriers grant at first.
    pub const CPS: u32 = 10;
    /// Calls started in a day, unless the configuration says otherwise: a stolen password costs a day of
    /// this at most.
    pub const CALLS_PER_DAY: u32 = 10_000;

    /// A trunk that is reached at `host`, may be called for every number with a country code, and has
    /// the usual limits.
    #[must_use]
    pub fn new(host: SipHost) -> Self {
        Self {
            host,
            account: None,
            register: false,
            probe: true,
            prefixes: vec!["+".to_owned()],
            priority: 1,
            channels: Self::CHANNELS,
            cps: Self::CPS,
            calls_per_day: Self::CALLS_PER_DAY,
            tech_prefix: String::new(),
            tech_postfix: String::new(),
            headers: Vec::new(),
            caller_id: None,
        }
    }

    /// The user part by which this trunk is asked for `number`.
    #[must_use]
    pub fn user(&self, number: &str) -> String {
        [&self.tech_prefix, number, &self.tech_postfix].concat()
    }
}

/// One trunk of a [`TrunkTable`], of that table alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TrunkId(usize);

/// What was heard of a trunk when it was last asked how it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Health {
    /// It was not asked yet.
    #[default]
    Unknown,
    /// It answers.
    Healthy,
    /// It does not.
    Unhealthy,
}

impl Health {
    /// The word of the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Healthy => "healthy",
            Self::Unhealthy => "unhealthy",
        }
    }
}

/// Why a call may not leave by a trunk now; the next trunk may take it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Barred {
    /// All its channels are taken, until one of its calls ends.
    #[error("channels: {limit} calls at once")]
    Channels {
        /// As configured.
        limit: u32,
    },
    /// Too many calls were started within a second.
    #[error("cps: {limit} calls in a second")]
    Cps {
        /// As configured.
        limit: u32,
    },
    /// All calls of this day of UTC were made.
    #[error("calls_per_day: {limit} calls in a day")]
    PerDay {
        /// As configured.
        limit: u32,
    },
}

/// The trunks that can be called, with what they carry at the moment.
#[derive(Clone, Debug, Default)]
pub struct TrunkTable(Vec<Line>);

#[derive(Clone, Debug)]
struct Line {
    name: String,
    out: TrunkOut,
    health: Health,
    /// Calls at the moment.
    calls: u32,
    rate: Rate,
    today: Today,
}

/// What was started in one day.
#[derive(Clone, Copy, Debug, Default)]
struct Today {
    /// Of UTC, since 1970.
    day: u64,
    calls: u32,
}

/// A token bucket that holds a second's calls, as the instant at which it will be full again.
#[derive(Clone, Copy, Debug, Default)]
struct Rate {
    full_at: Option<Instant>,
}

impl TrunkTable {
    /// Takes the trunks that can be called, in the order of the configuration.
    #[must_use]
    pub fn new(trunks: Vec<Trunk>) -> Self {
        let line = |trunk: Trunk| {
            Some(Line {
                name: trunk.name,
                out: trunk.out?,
                health: Health::Unknown,
                calls: 0,
                rate: Rate::default(),
                today: Today::default(),
            })
        };
        Self(trunks.into_iter().filter_map(line).collect())
    }

    /// The trunks that `number` may leave by, the best first: the longest matching prefix, then the
    /// lowest priority, then the order of the configuration. Those known to be down come after all that
    /// are not: with nothing better, a try costs little.
    ///
    /// `number` is digits, or `+` and digits; anything else matches nothing.
    #[must_use]
    pub fn route(&self, number: &str) -> Vec<TrunkId> {
        let digits = number.strip_prefix('+').unwrap_or(number);
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Vec::new();
        }
        let mut found: Vec<_> = self
            .ids()
            .filter_map(|id| {
                let line = &self.0[id.0];
                let prefixes = line.out.prefixes.iter();
                let length = prefixes
                    .filter(|prefix| number.starts_with(prefix.as_str()))
                    .map(String::len)
                    .max()?;
                let is_down = line.health == Health::Unhealthy;
                Some((is_down, std::cmp::Reverse(length), line.out.priority, id))
            })
            .collect();
        found.sort_unstable();
        found.into_iter().map(|(.., id)| id).collect()
    }

    /// All trunks that can be called, in the order of the configuration.
    pub fn ids(&self) -> impl Iterator<Item = TrunkId> + use<> {
        (0..self.0.len()).map(TrunkId)
    }

    /// The trunk of this name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<TrunkId> {
        self.0
            .iter()
            .position(|line| line.name == name)
            .map(TrunkId)
    }

    /// How a trunk is called.
    #[must_use]
    pub fn get(&self, trunk: TrunkId) -> &TrunkOut {
        &self.0[trunk.0].out
    }

    /// Its name in the configuration.
    #[must_use]
    pub fn name(&self, trunk: TrunkId) -> &str {
        &self.0[trunk.0].name
    }

    /// Counts a call that is about to start at `now`, on the day `day` (of UTC, since 1970): it takes a
    /// channel until [`Self::release`]. One that is barred counts nothing.
    ///
    /// # Errors
    /// Which limit of the trunk is reached.
    pub fn admit(&mut self, now: Instant, day: u64, trunk: TrunkId) -> Result<(), Barred> {
        let line = &mut self.0[trunk.0];
        let TrunkOut {
            channels,
            cps,
            calls_per_day,
            ..
        } = line.out;
        if line.calls >= channels {
            return Err(Barred::Channels { limit: channels });
        }
        let today = line.today.after(day, calls_per_day)?;
        if !line.rate.take(now, cps) {
            return Err(Barred::Cps { limit: cps });
        }
        line.calls += 1;
        line.today = today;
        Ok(())
    }

    /// Counts a short message that is about to leave on the day `day` (of UTC, since 1970). It costs money
    /// as a call does, so it is one of the calls of that day; it takes no channel and no part of `cps`.
    ///
    /// # Errors
    /// [`Barred::PerDay`], and then it counts nothing.
    pub fn admit_message(&mut self, day: u64, trunk: TrunkId) -> Result<(), Barred> {
        let line = &mut self.0[trunk.0];
        line.today = line.today.after(day, line.out.calls_per_day)?;
        Ok(())
    }

    /// Gives back the channel of a call that was admitted; once for each.
    pub fn release(&mut self, trunk: TrunkId) {
        let calls = &mut self.0[trunk.0].calls;
        *calls = calls.saturating_sub(1);
    }

    /// Calls on the trunk at the moment.
    #[must_use]
    pub fn calls(&self, trunk: TrunkId) -> u32 {
        self.0[trunk.0].calls
    }

    /// Keeps what was heard of it.
    pub fn set_health(&mut self, trunk: TrunkId, health: Health) {
        self.0[trunk.0].health = health;
    }

    /// What was heard of it last.
    #[must_use]
    pub fn health(&self, trunk: TrunkId) -> Health {
        self.0[trunk.0].health
    }

    /// Claims that nothing speaks against calling it.
    #[must_use]
    pub fn is_healthy(&self, trunk: TrunkId) -> bool {
        self.health(trunk) != Health::Unhealthy
    }
}

impl Today {
    /// One more on the day `day`, as long as there are fewer than `limit`.
    const fn after(self, day: u64, limit: u32) -> Result<Self, Barred> {
        let calls = if self.day == day { self.calls } else { 0 };
        if calls >= limit {
            return Err(Barred::PerDay { limit });
        }
        let calls = calls + 1;
        Ok(Self { day, calls })
    }
}

impl Rate {
    fn take(&mut self, now: Instant, per_second: u32) -> bool {
        let Some(each) = SECOND.checked_div(per_second) else {
            return false;
        };
        let full_at = self.full_at.map_or(now, |at| at.max(now)) + each;
        let fits = full_at.duration_since(now) <= SECOND;
        if fits {
            self.full_at = Some(full_at);
        }
        fits
    }
}

const SECOND: Duration = Duration::from_secs(1);

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim;
    use crate::sip::message::Host;

    fn out(prefixes: &[&str], priority: u32) -> TrunkOut {
        let host = SipHost {
            host: Host::Name("sip.example.com".to_owned()),
            port: None,
            transport: None,
        };
        TrunkOut {
            prefixes: prefixes.iter().map(|text| (*text).to_owned()).collect(),
            priority,
            ..TrunkOut::new(host)
        }
    }

    fn table(trunks: Vec<(&str, TrunkOut)>) -> TrunkTable {
        let trunk = |(name, out): (&str, TrunkOut)| Trunk {
            name: name.to_owned(),
            networks: Vec::new(),
            out: Some(out),
        };
        TrunkTable::new(trunks.into_iter().map(trunk).collect())
    }

    fn names<'a>(table: &'a TrunkTable, number: &str) -> Vec<&'a str> {
        let ids = table.route(number);
        ids.into_iter().map(|id| table.name(id)).collect()
    }

    fn one(limits: impl FnOnce(&mut TrunkOut)) -> (TrunkTable, TrunkId) {
        let mut trunk = out(&["+"], 1);
        limits(&mut trunk);
        let table = table(vec![("one", trunk)]);
        let id = table.find("one").unwrap();
        (table, id)
    }

    #[test]
    fn the_longest_prefix_wins_then_the_priority_then_the_order_of_the_file() {
        let table = table(vec![
            ("world", out(&["+"], 1)),
            ("second", out(&["+49"], 2)),
            ("first", out(&["+1", "+49"], 1)),
            ("also first", out(&["+49"], 1)),
            ("berlin", out(&["+4930"], 9)),
            ("local", out(&["0"], 1)),
        ]);
        assert_eq!(
            names(&table, "+4930123456"),
            ["berlin", "first", "also first", "second", "world"]
        );
        assert_eq!(
            names(&table, "+4989123456"),
            ["first", "also first", "second", "world"]
        );
        assert_eq!(names(&table, "+15551112222"), ["first", "world"]);
        assert_eq!(names(&table, "030123456"), ["local"]);
        assert_eq!(names(&table, "112"), [""; 0]);
    }

    #[test]
    fn what_is_no_number_leaves_by_no_trunk() {
        let table = table(vec![("world", out(&["+", "0"], 1)), ("none", out(&[], 1))]);
        for text in [
            "", "+", "++1", "+1;x", "+1@host", "0 1", "sip:+1", "+١٢", "0\r\n",
        ] {
            assert_eq!(names(&table, text), [""; 0], "{text:?}");
        }
    }

    #[test]
    fn a_trunk_that_is_down_is_the_last_to_be_tried() {
        let mut table = table(vec![("far", out(&["+"], 1)), ("near", out(&["+49"], 1))]);
        let near = table.find("near").unwrap();
        table.set_health(near, Health::Unhealthy);
        assert_eq!(names(&table, "+4930"), ["far", "near"]);
        assert!(!table.is_healthy(near));
        table.set_health(near, Health::Healthy);
        assert_eq!(names(&table, "+4930"), ["near", "far"]);
    }

    #[test]
    fn a_trunk_without_a_host_is_not_called() {
        let trunk = Trunk {
            name: "in".to_owned(),
            networks: Vec::new(),
            out: None,
        };
        let table = TrunkTable::new(vec![trunk]);
        assert_eq!((table.ids().count(), table.find("in")), (0, None));
    }

    #[test]
    fn channels_are_taken_until_they_are_released() {
        let (mut table, id) = one(|trunk| trunk.channels = 2);
        let now = sim::start();
        assert_eq!(table.admit(now, 0, id), Ok(()));
        assert_eq!(table.admit(now, 0, id), Ok(()));
        assert_eq!(table.admit(now, 0, id), Err(Barred::Channels { limit: 2 }));
        table.release(id);
        assert_eq!(table.admit(now, 0, id), Ok(()));
        for _ in 0..5 {
            table.release(id);
        }
        assert_eq!(table.calls(id), 0);
    }

    #[test]
    fn a_second_of_calls_may_start_at_once_and_then_one_by_one() {
        let (mut table, id) = one(|trunk| trunk.cps = 4);
        let start = sim::start();
        let at_once = (0..9).filter(|_| table.admit(start, 0, id).is_ok());
        assert_eq!(at_once.count(), 4);
        let is_admitted = |ms: &u64| {
            table
                .admit(start + Duration::from_millis(*ms), 0, id)
                .is_ok()
        };
        let after: Vec<u64> = (1..1200).filter(is_admitted).collect();
        assert_eq!(after, [250, 500, 750, 1000]);
        let later = start + Duration::from_secs(60);
        let burst = (0..9).filter(|_| table.admit(later, 0, id).is_ok()).count();
        assert_eq!(burst, 4);
        assert_eq!(table.admit(later, 0, id), Err(Barred::Cps { limit: 4 }));
    }

    #[test]
    fn the_calls_of_a_day_begin_anew_with_the_next_one_and_barred_ones_do_not_count() {
        let (mut table, id) = one(|trunk| (trunk.calls_per_day, trunk.channels) = (2, 1));
        let now = sim::start();
        assert_eq!(table.admit(now, 7, id), Ok(()));
        assert_eq!(table.admit(now, 7, id), Err(Barred::Channels { limit: 1 }));
        table.release(id);
        assert_eq!(table.admit(now, 7, id), Ok(()));
        table.release(id);
        assert_eq!(table.admit(now, 7, id), Err(Barred::PerDay { limit: 2 }));
        assert_eq!(table.admit(now, 8, id), Ok(()));
    }

    #[test]
    fn a_message_is_one_of_the_calls_of_a_day_and_takes_no_channel() {
        let (mut table, id) =
            one(|trunk| (trunk.calls_per_day, trunk.channels, trunk.cps) = (3, 1, 1));
        let now = sim::start();
        assert_eq!(table.admit_message(7, id), Ok(()));
        assert_eq!(table.admit(now, 7, id), Ok(()));
        assert_eq!(table.admit_message(7, id), Ok(()));
        assert_eq!(table.admit_message(7, id), Err(Barred::PerDay { limit: 3 }));
        assert_eq!(table.admit_message(8, id), Ok(()));
    }

    #[test]
    fn a_limit_of_zero_lets_nothing_out() {
        let now = sim::start();
        for limit in [
            |trunk: &mut TrunkOut| trunk.channels = 0,
            |trunk: &mut TrunkOut| trunk.cps = 0,
            |trunk: &mut TrunkOut| trunk.calls_per_day = 0,
        ] {
            let (mut table, id) = one(limit);
            assert!(table.admit(now, 0, id).is_err());
        }
    }

    #[test]
    fn a_number_is_written_between_the_tech_prefix_and_postfix() {
        let mut trunk = out(&["+"], 1);
        (trunk.tech_prefix, trunk.tech_postfix) = ("1234#".to_owned(), "*9".to_owned());
        assert_eq!(trunk.user("+15551112222"), "1234#+15551112222*9");
    }
}
