//! How long packets are held: as long as nearly all of them need to be there in time.
//!
//! All figures are in samples of media time.

/// Follows how late packets come, compared with the fastest one lately.
#[derive(Clone, Debug)]
pub(super) struct DelayEstimate {
    /// Smallest transit time in the running and in the last period, which follows a clock that drifts.
    fastest: (i64, i64),
    period_began: i64,
    /// Part of packets by lateness, in bins of [`Self::BIN`]; older packets count less and less.
    histogram: [f32; Self::BINS],
    /// The last packet that came too late: when, and by how much.
    spike: Option<(i64, i64)>,
    target: i64,
}

impl DelayEstimate {
    /// One packet time of 20 ms: less would lose packets to the tick that plays them.
    pub(super) const MIN: i64 = 160;
    /// 200 ms: beyond it a talk is no talk any more.
    pub(super) const MAX: i64 = 1_600;
    /// 5 ms.
    const BIN: i64 = 40;
    const BINS: usize = (Self::MAX / Self::BIN) as usize;
    /// A packet counts half after 350 others (7 s).
    const FORGET: f32 = 0.998;
    /// Part of packets that may come too late.
    const LATE: f32 = 0.005;
    /// 5 s: the fastest packet of one to two periods is what others are compared with.
    const PERIOD: i64 = 40_000;
    /// The delay that a late packet has asked for is kept for 4 s, then falls by 20 ms a second.
    const HOLD: i64 = 32_000;
    const FALL: i64 = 50;

    pub(super) const fn new() -> Self {
        Self {
            fastest: (0, 0),
            period_began: 0,
            histogram: [0.0; Self::BINS],
            spike: None,
            target: Self::MIN,
        }
    }

    /// Starts a new time line, on which a packet of this transit time is the fastest.
    pub(super) fn restart(&mut self, now: i64, transit: i64) {
        self.fastest = (transit, transit);
        self.period_began = now;
    }

    /// How much later than the fastest a packet of this transit time comes.
    pub(super) fn lateness(&self, transit: i64) -> i64 {
        transit - self.base()
    }

    /// Transit time of the fastest packet.
    pub(super) fn base(&self) -> i64 {
        self.fastest.0.min(self.fastest.1)
    }

    /// How long a packet is held that came as fast as the fastest.
    pub(super) const fn target(&self) -> i64 {
        self.target
    }

    /// Takes the transit time of a packet that came.
    pub(super) fn update(&mut self, now: i64, transit: i64) {
        if now - self.period_began >= Self::PERIOD {
            self.fastest = (transit, self.fastest.0);
            self.period_began = now;
        }
        self.fastest.0 = self.fastest.0.min(transit);
        let lateness = self.lateness(transit);
        let bin = ((lateness / Self::BIN) as usize).min(Self::BINS - 1);
        for part in &mut self.histogram {
            *part *= Self::FORGET;
        }
        self.histogram[bin] += 1.0 - Self::FORGET;
        if lateness > self.target {
            let wished = lateness.min(Self::MAX);
            if self.held(now) < wished {
                self.spike = Some((now, wished));
            }
        }
        self.target = self.usual().max(self.held(now)).clamp(Self::MIN, Self::MAX);
    }

    /// What the last late packet still asks for.
    fn held(&self, now: i64) -> i64 {
        self.spike.map_or(0, |(at, lateness)| {
            lateness - (now - at - Self::HOLD).max(0) / Self::FALL
        })
    }

    /// The lateness that all but a few packets keep.
    fn usual(&self) -> i64 {
        let mut late = 0.0;
        for (bin, part) in self.histogram.iter().enumerate().rev() {
            late += part;
            if late > Self::LATE {
                return (bin as i64 + 1) * Self::BIN;
            }
        }
        0
    }
}
