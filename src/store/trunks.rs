//! Where calls to telephone numbers leave, in which order trunks are tried, and how much each may carry.

use std::collections::BTreeMap;
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

    /// Claims that who is registered there, and by what, is the same.
    #[must_use]
    pub fn is_the_same_place(&self, other: &Self) -> bool {
        self.host == other.host && self.account == other.account && self.register == other.register
    }

    /// The user part by which this trunk is asked for `number`.
    #[must_use]
    pub fn user(&self, number: &str) -> String {
        [&self.tech_prefix, number, &self.tech_postfix].concat()
    }
}

/// One trunk of a [`TrunkTable`]. It stays the same trunk when the table is [replaced](TrunkTable::replace),
/// as long as there is one of its name.
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
pub struct TrunkTable {
    /// Those that are gone too, while anything is left of them.
    lines: BTreeMap<TrunkId, Line>,
    /// Those that can be called, in the order of the configuration.
    order: Vec<TrunkId>,
    issued: usize,
}

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
        let line = |trunk: Trunk| Some(Line::new(trunk.name, trunk.out?));
        let mut table = Self::default();
        for line in trunks.into_iter().filter_map(line) {
            let id = table.insert(line);
            table.order.push(id);
        }
        table
    }

    /// Takes what another table configures. Trunks of one name stay the same, with what they carry and have
    /// carried today; what is heard of them too, unless they are at another host now. Those that are gone
    /// are told, and called no more; what they carry is counted until [`Self::forget_gone`].
    pub fn replace(&mut self, new: Self) -> Vec<TrunkId> {
        let before = std::mem::take(&mut self.order);
        let mut new_lines = new.lines;
        for id in new.order {
            let Some(mut line) = new_lines.remove(&id) else {
                continue;
            };
            let mut known = before.iter().copied();
            let known =
                known.find(|id| self.lines.get(id).is_some_and(|old| old.name == line.name));
            let id = match known.and_then(|id| Some((id, self.lines.get_mut(&id)?))) {
                Some((id, old)) => {
                    (line.calls, line.rate, line.today) = (old.calls, old.rate, old.today);
                    if line.out.host == old.out.host {
                        line.health = old.health;
                    }
                    *old = line;
                    id
                }
                None => self.insert(line),
            };
            self.order.push(id);
        }
        let is_gone = |id: &TrunkId| !self.order.contains(id);
        before.into_iter().filter(is_gone).collect()
    }

    /// Keeps what a trunk was before under another id, as one that is gone: something is still to be done there.
    pub fn keep_old(&mut self, trunk: TrunkId, out: TrunkOut) -> TrunkId {
        let name = self.name(trunk).to_owned();
        self.insert(Line::new(name, out))
    }

    /// Forgets those that are gone and carry nothing, but for those that `is_used`.
    pub fn forget_gone(&mut self, is_used: impl Fn(TrunkId) -> bool) {
        let order = &self.order;
        self.lines
            .retain(|id, line| order.contains(id) || line.calls > 0 || is_used(*id));
    }

    fn insert(&mut self, line: Line) -> TrunkId {
        let id = TrunkId(self.issued);
        self.issued += 1;
        self.lines.insert(id, line);
        id
    }

    /// A trunk of this table, which has not been forgotten.
    fn line(&self, trunk: TrunkId) -> &Line {
        &self.lines[&trunk]
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
            .enumerate()
            .filter_map(|(place, id)| {
                let line = self.line(id);
                let prefixes = line.out.prefixes.iter();
                let length = prefixes
                    .filter(|prefix| number.starts_with(prefix.as_str()))
                    .map(String::len)
                    .max()?;
                let is_down = line.health == Health::Unhealthy;
                let length = std::cmp::Reverse(length);
                Some((is_down, length, line.out.priority, place, id))
            })
            .collect();
        found.sort_unstable();
        found.into_iter().map(|(.., id)| id).collect()
    }

    /// All trunks that can be called, in the order of the configuration.
    pub fn ids(&self) -> impl Iterator<Item = TrunkId> {
        self.order.iter().copied()
    }

    /// The trunk of this name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<TrunkId> {
        self.ids().find(|id| self.line(*id).name == name)
    }

    /// How a trunk is called.
    #[must_use]
    pub fn get(&self, trunk: TrunkId) -> &TrunkOut {
        &self.line(trunk).out
    }

    /// Its name in the configuration.
    #[must_use]
    pub fn name(&self, trunk: TrunkId) -> &str {
        &self.line(trunk).name
    }

    /// Counts a call that is about to start at `now`, on the day `day` (of UTC, since 1970): it takes a
    /// channel until [`Self::release`]. One that is barred counts nothing.
    ///
    /// # Errors
    /// Which limit of the trunk is reached.
    pub fn admit(&mut self, now: Instant, day: u64, trunk: TrunkId) -> Result<(), Barred> {
        let Some(line) = self.lines.get_mut(&trunk) else {
            return Err(Barred::Channels { limit: 0 });
        };
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
        let Some(line) = self.lines.get_mut(&trunk) else {
            return Err(Barred::PerDay { limit: 0 });
        };
        line.today = line.today.after(day, line.out.calls_per_day)?;
        Ok(())
    }

    /// Gives back the channel of a call that was admitted; once for each.
    pub fn release(&mut self, trunk: TrunkId) {
        if let Some(line) = self.lines.get_mut(&trunk) {
            line.calls = line.calls.saturating_sub(1);
        }
    }

    /// Calls on the trunk at the moment.
    #[must_use]
    pub fn calls(&self, trunk: TrunkId) -> u32 {
        self.line(trunk).calls
    }

    /// Keeps what was heard of it.
    pub fn set_health(&mut self, trunk: TrunkId, health: Health) {
        if let Some(line) = self.lines.get_mut(&trunk) {
            line.health = health;
        }
    }

    /// What was heard of it last.
    #[must_use]
    pub fn health(&self, trunk: TrunkId) -> Health {
        self.line(trunk).health
    }

    /// Claims that nothing speaks against calling it.
    #[must_use]
    pub fn is_healthy(&self, trunk: TrunkId) -> bool {
        self.health(trunk) != Health::Unhealthy
    }
}

impl Line {
    /// One that carries nothing and of which nothing was heard.
    fn new(name: String, out: TrunkOut) -> Self {
        Self {
            name,
            out,
            health: Health::Unknown,
            calls: 0,
            rate: Rate::default(),
            today: Today::default(),
        }
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
mod tests;
