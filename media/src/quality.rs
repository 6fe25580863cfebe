//! How good a call sounds, by the E-model (ITU-T G.107, wideband G.107.1): from delay, loss and codec to a
//! rating R, and from that to a mean opinion score.
//!
//! ```text
//!   narrowband  R = 93.2          - Id(delay: talker and listener echo, being slow) - Ie,eff(codec, loss)
//!   wideband    R = (129 - Idd(delay: being slow) - Ie,eff(codec, loss)) / 1.29
//!
//!   R    93.2   90     80     70     60     50        MOS = 1 + 0.035 R + R (R - 60) (100 - R) 7e-6
//!   MOS  4.41   4.34   4.03   3.60   3.10   2.58
//! ```
//!
//! All that is not named here has the default values of the standards. Either scale is its own: 4.41 is the
//! best a narrowband call can be for somebody who expects no more, and a wideband call has 4.5 when nothing at
//! all is wrong with it. So scores of calls of one band are compared with each other, not with those of the
//! other band.

use std::fmt;
use std::time::Duration;

use crate::codec::Codec;
use crate::frame::Band;

/// What one way of a call is like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Conditions {
    /// What the sound is coded with.
    pub codec: Codec,
    /// From the mouth to the ear.
    pub delay: Duration,
    /// Part of the packets, 0 to 1, that were not heard: lost, or too late.
    pub loss: f64,
    /// How much longer the rows of lost packets are than chance alone would make them (G.107 §7.5 BurstR);
    /// 1 and less: as chance makes them.
    pub burst_ratio: f64,
}

/// A mean opinion score of a conversation, 1.00 to 4.50, kept in hundredths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mos(u16);

/// What a codec takes from the rating.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Impairment {
    /// Without any loss (G.113 Ie, on the scale of its band).
    without_loss: f64,
    /// How well it stands random loss (G.113 Bpl, in percent).
    robustness: f64,
}

impl Conditions {
    /// The rating: R of G.107, 0 to 100; of a wideband codec R of G.107.1 (0 to 129) on a scale to 100.
    #[must_use]
    pub fn rating(&self) -> f64 {
        let codec = self.codec_impairment();
        let rating = match self.codec.band() {
            Band::Narrow => BASIC - delay_impairment(self.delay) - codec,
            Band::Wide => (WIDE_BASIC - slowness(self.delay) - codec) / (WIDE_BASIC / 100.0),
        };
        rating.clamp(0.0, 100.0)
    }

    /// The opinion that goes with the rating.
    #[must_use]
    pub fn mos(&self) -> Mos {
        Mos::from_rating(self.rating())
    }

    /// What codec and loss take together (Ie,eff of G.107 §7.5).
    fn codec_impairment(&self) -> f64 {
        let Impairment {
            without_loss,
            robustness,
        } = Impairment::of(self.codec);
        let percent = self.loss.clamp(0.0, 1.0) * 100.0;
        // The formula holds for twice as long rows, or for little loss.
        let longest = if percent < 2.0 { LONGEST_ROW } else { 2.0 };
        let burst_ratio = self.burst_ratio.clamp(1.0, longest);
        without_loss + (95.0 - without_loss) * percent / (percent / burst_ratio + robustness)
    }
}

impl Mos {
    /// The opinion that goes with a rating of 0 to 100 (G.107 Annex B).
    #[must_use]
    pub fn from_rating(rating: f64) -> Self {
        let rating = rating.clamp(0.0, 100.0);
        let cubic = rating * (rating - 60.0) * (100.0 - rating) * 7e-6;
        let mos = (1.0 + 0.035 * rating + cubic).clamp(1.0, 4.5);
        Self((mos * 100.0).round() as u16)
    }

    /// As a number between 1 and 4.5.
    #[must_use]
    pub fn as_f64(self) -> f64 {
        f64::from(self.0) / 100.0
    }
}

impl fmt::Display for Mos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2}", self.as_f64())
    }
}

impl Impairment {
    /// | codec | without loss | robustness | source |
    /// |---|---|---|---|
    /// | G.711 | 0 | 25.1 | G.113 Appendix I: planning values under random loss, of G.711 with the concealment of its Appendix I, which ours is made after; 4.3 would hold without any |
    /// | linear samples | 0 | 25.1 | an estimate: they lose as G.711 does, and are concealed alike |
    /// | G.722 | 13 | 10 | G.113 Appendix IV: planning value of the wide band, at 64 kbit/s; the robustness is an estimate |
    /// | Opus | 13 | 18 | estimates, at some 24 kbit/s |
    ///
    /// G.722 with concealment is put between G.711 without it and with it, because its predictor needs a while to
    /// find back. Opus is taken to lose as much as G.722; its robustness follows what Alahmadi, Pocta and Melvin
    /// measured for its wideband mode (ACM TOMM 17 (4), 2021: 18 to 19 at 13 to 15 kbit/s). Robustness is said of the
    /// receiver too: of a peer it is taken that it conceals as we do.
    const fn of(codec: Codec) -> Self {
        let (without_loss, robustness) = match codec {
            Codec::Pcmu | Codec::Pcma | Codec::L16 | Codec::L16Wide => (0.0, 25.1),
            Codec::G722 => (13.0, 10.0),
            Codec::Opus => (13.0, 18.0),
        };
        Self {
            without_loss,
            robustness,
        }
    }
}

/// Signal to noise, and what goes with it, of a connection with all defaults (G.107 §7.2: Ro), less what
/// loudness, sidetone and quantizing take (§7.3: Is).
const BASIC: f64 = RATIO - 1.4136;
const RATIO: f64 = 94.7688;

/// Noise of the connection with all defaults, dBm0p (G.107 §7.2: No).
const NOISE: f64 = -61.1792;

/// Defaults of G.107: receive loudness, loss of the talker's echo, loss of the listener's echo; decibels.
const RECEIVE_LOUDNESS: f64 = 2.0;
const TALKER_ECHO_LOSS: f64 = 65.0;
const LISTENER_ECHO_LOSS: f64 = 110.0;

/// The rating of a wideband connection without a fault (G.107.1 §7.1).
const WIDE_BASIC: f64 = 129.0;

/// Rows of lost packets are not taken as longer than so many times of what chance makes.
const LONGEST_ROW: f64 = 8.0;

/// What a delay takes: echo of the talker, echo of the listener, being slow (Id of G.107 §7.4).
fn delay_impairment(delay: Duration) -> f64 {
    let one_way = delay.as_secs_f64() * 1_000.0;
    let masking = TALKER_ECHO_LOSS
        - 40.0 * ((1.0 + one_way / 10.0) / (1.0 + one_way / 150.0)).log10()
        + 6.0 * (-0.3 * one_way * one_way).exp();
    let talker = -1.5 * (NOISE - RECEIVE_LOUDNESS) - (80.0 + 2.5 * (masking - 14.0));
    let talker =
        (talker / 2.0 + (talker * talker / 4.0 + 100.0).sqrt() - 1.0) * (1.0 - (-one_way).exp());
    let listener = RATIO - 10.5 * (LISTENER_ECHO_LOSS + 7.0) * (2.0 * one_way + 1.0).powf(-0.25);
    let listener = listener / 2.0 + (listener * listener / 4.0 + 169.0).sqrt();
    talker + listener + slowness(delay)
}

/// What a conversation loses by being slow, however free of echo (Idd of G.107 §7.4).
fn slowness(delay: Duration) -> f64 {
    let hundreds = delay.as_secs_f64() * 10.0;
    if hundreds <= 1.0 {
        return 0.0;
    }
    let x = hundreds.log2();
    let root = |x: f64| (1.0 + x.powi(6)).powf(1.0 / 6.0);
    25.0 * (root(x) - 3.0 * root(x / 3.0) + 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn conditions(codec: Codec, delay: u64, percent: f64) -> Conditions {
        Conditions {
            codec,
            delay: ms(delay),
            loss: percent / 100.0,
            burst_ratio: 1.0,
        }
    }

    fn is_near(found: f64, truth: f64, within: f64) -> bool {
        (found - truth).abs() <= within
    }

    #[test]
    fn ratings_and_opinions_are_those_of_annex_b() {
        let table = [
            (93.2, 4.41),
            (90.0, 4.34),
            (80.0, 4.02),
            (70.0, 3.60),
            (60.0, 3.10),
            (50.0, 2.58),
            (0.0, 1.0),
            (3.0, 1.0),
            (100.0, 4.5),
            (120.0, 4.5),
            (-5.0, 1.0),
        ];
        for (rating, mos) in table {
            let found = Mos::from_rating(rating).as_f64();
            assert!(is_near(found, mos, 0.006), "{rating}: {found}");
        }
    }

    #[test]
    fn a_narrowband_call_without_a_fault_rates_93_2() {
        let best = conditions(Codec::Pcmu, 0, 0.0);
        assert!(is_near(best.rating(), 93.2, 0.05), "{}", best.rating());
        assert_eq!(best.mos().to_string(), "4.41");
    }

    #[test]
    fn delay_costs_little_up_to_150_ms_and_much_from_there() {
        // Worked out by hand from the formulas of §7.4 with the defaults.
        for (delay, rating) in [
            (50, 91.76),
            (100, 90.66),
            (150, 89.54),
            (200, 85.8),
            (300, 72.67),
            (400, 62.25),
        ] {
            let found = conditions(Codec::Pcma, delay, 0.0).rating();
            assert!(is_near(found, rating, 0.02), "{delay} ms: {found}");
        }
    }

    #[test]
    fn loss_costs_what_the_robustness_of_the_codec_says() {
        // (95 - 0) * 1 / (1 + 25.1) and so on.
        for (percent, less) in [(1.0, 3.640), (3.0, 10.142), (5.0, 15.781), (10.0, 27.066)] {
            let best = conditions(Codec::Pcmu, 0, 0.0).rating();
            let found = best - conditions(Codec::Pcmu, 0, percent).rating();
            assert!(is_near(found, less, 0.01), "{percent} %: {found}");
        }
    }

    #[test]
    fn wideband_loss_costs_by_the_formula_of_the_narrow_band_on_the_wide_scale() {
        // 13 + (95 - 13) * 5 / (5 + 10), of 129.
        let found = conditions(Codec::G722, 20, 5.0).rating();
        assert!(
            is_near(found, (116.0 - 410.0 / 15.0) / 1.29, 1e-9),
            "{found}"
        );
    }

    #[test]
    fn loss_in_rows_is_worse_than_by_chance_but_no_worse_than_the_model_holds_for() {
        let by_chance = conditions(Codec::Pcmu, 50, 5.0);
        let in_rows = |burst_ratio| {
            Conditions {
                burst_ratio,
                ..by_chance
            }
            .rating()
        };
        assert!(in_rows(2.0) < by_chance.rating());
        assert!(is_near(in_rows(50.0), in_rows(2.0), 1e-9));
        assert!(is_near(in_rows(0.5), by_chance.rating(), 1e-9));
        assert!(is_near(in_rows(f64::INFINITY), in_rows(2.0), 1e-9));
    }

    #[test]
    fn wideband_codecs_are_rated_on_their_own_scale() {
        let best = conditions(Codec::L16Wide, 20, 0.0);
        assert_eq!((best.rating(), best.mos().as_f64()), (100.0, 4.5));
        let g722 = conditions(Codec::G722, 20, 0.0).rating();
        assert!(is_near(g722, 116.0 / 1.29, 1e-9), "{g722}");
        let lossy = |codec| conditions(codec, 20, 5.0).rating();
        assert!(lossy(Codec::Opus) > lossy(Codec::G722));
    }

    #[test]
    fn the_worst_there_is_has_a_score_of_one() {
        let worst = conditions(Codec::Opus, 10_000, 100.0);
        assert_eq!((worst.rating(), worst.mos().as_f64()), (0.0, 1.0));
        let nonsense = Conditions {
            loss: 7.0,
            delay: Duration::MAX,
            ..worst
        };
        assert_eq!(nonsense.mos().as_f64(), 1.0);
    }
}
