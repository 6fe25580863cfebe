//! Who of a bridge speaks: the one who is told of, and those few who are heard where not all are.

use super::gauge::Gauge;
use crate::command::SessionId;

/// One who is louder by so much (3 dB) takes the place of another.
const MARGIN: f32 = 2.0;

/// For so many ticks (300 ms) he has to be; and a change is told no sooner after the one before.
const LEAD: u16 = 15;

/// Who has been silent for so many ticks (2 s) speaks no longer.
const SILENT: u16 = 100;

/// Who has been silent for so many ticks (half a second) gives his place to one who speaks.
const YIELD: u16 = 25;

/// Who speaks now, without flicker.
#[derive(Debug, Default)]
pub(super) struct Speakers {
    current: Option<SessionId>,
    /// Who may follow, and for how many ticks he has been louder.
    rival: Option<(SessionId, u16)>,
    /// Ticks since the last change.
    since: u16,
    is_news: bool,
}

impl Speakers {
    /// A tick is over.
    pub(super) fn tick<'a>(&mut self, members: impl Iterator<Item = (SessionId, &'a Gauge)>) {
        self.since = self.since.saturating_add(1);
        let (mut loudest, mut current) = (None, None);
        for (session, gauge) in members {
            if Some(session) == self.current {
                current = Some(gauge);
            } else if gauge.is_voice() && loudest.is_none_or(|(_, known)| gauge.loudness() > known)
            {
                loudest = Some((session, gauge.loudness()));
            }
        }
        let bar = current.map_or(0.0, |gauge| gauge.loudness() * MARGIN);
        let ahead = loudest.filter(|(_, loudness)| *loudness > bar);
        self.rival = match (ahead, self.rival) {
            (Some((session, _)), Some((known, lead))) if known == session => {
                Some((session, lead.saturating_add(1)))
            }
            (Some((session, _)), _) => Some((session, 1)),
            (None, _) => None,
        };
        // Nobody has to be outdone where nobody speaks; but a cough is no speech.
        let lead = if current.is_some() { LEAD } else { LEAD / 3 };
        let next = match self.rival {
            Some((session, led)) if led >= lead => Some(session),
            _ if current.is_some_and(|gauge| gauge.silent() < SILENT) => self.current,
            _ => None,
        };
        if next != self.current && (self.since >= LEAD || next.is_none()) {
            (self.current, self.rival, self.since) = (next, None, 0);
            self.is_news = true;
        }
    }

    /// Who speaks now, once for each change.
    pub(super) fn poll(&mut self) -> Option<Option<SessionId>> {
        std::mem::take(&mut self.is_news).then_some(self.current)
    }
}

/// Chooses who is heard: `most` of the loudest. At most one takes the place of another in a tick, so that each
/// change is soft.
pub(super) fn choose<'a>(most: usize, gauges: impl Iterator<Item = &'a mut Gauge>) {
    let (mut chosen, mut weakest, mut strongest) = (0, None, None);
    for gauge in gauges {
        if gauge.is_chosen() && gauge.silent() >= YIELD {
            gauge.choose(false);
        }
        if gauge.is_chosen() {
            chosen += 1;
            replace_if(&mut weakest, gauge, |new, old| new < old);
        } else if gauge.is_voice() {
            replace_if(&mut strongest, gauge, |new, old| new > old);
        }
    }
    let Some(next) = strongest else {
        // Who came when there was room for all has to go.
        if chosen > most
            && let Some(weakest) = weakest
        {
            weakest.choose(false);
        }
        return;
    };
    if chosen < most {
        return next.choose(true);
    }
    if let Some(weakest) = weakest
        && (chosen > most || next.loudness() > MARGIN * weakest.loudness())
    {
        weakest.choose(false);
        next.choose(chosen <= most);
    }
}

fn replace_if<'a>(
    place: &mut Option<&'a mut Gauge>,
    gauge: &'a mut Gauge,
    is_better: impl Fn(f32, f32) -> bool,
) {
    if place
        .as_ref()
        .is_none_or(|known| is_better(gauge.loudness(), known.loudness()))
    {
        *place = Some(gauge);
    }
}
