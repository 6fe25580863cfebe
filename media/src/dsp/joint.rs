//! Soft edges where sound begins, ends, or goes on as another one: no step that clicks.

use crate::frame::Band;

/// Length of an edge in the narrow band: 5 ms.
pub const EDGE: usize = 40;

/// Length of an edge: 5 ms.
#[must_use]
pub const fn edge(band: Band) -> usize {
    match band {
        Band::Narrow => EDGE,
        Band::Wide => 2 * EDGE,
    }
}

/// Lets sound begin softly.
pub fn fade_in(band: Band, sound: &mut [i16]) {
    let edge = edge(band);
    for (at, sample) in sound.iter_mut().take(edge).enumerate() {
        *sample = (i32::from(*sample) * (at as i32 + 1) / (edge as i32 + 1)) as i16;
    }
}

/// Lets sound end softly at its beginning: what comes behind the edge is silence.
pub fn fade_away(band: Band, sound: &mut [i16]) {
    let edge = edge(band);
    for (at, sample) in sound.iter_mut().enumerate() {
        let left = edge.saturating_sub(at) as i32;
        *sample = (i32::from(*sample) * left / (edge as i32 + 1)) as i16;
    }
}

/// Adds what is left of sound that ended at the sample `last`.
pub fn fade_out(band: Band, last: i32, sum: &mut [i32]) {
    let edge = edge(band);
    for (at, sample) in sum.iter_mut().take(edge).enumerate() {
        *sample += last * (edge - at) as i32 / (edge as i32 + 1);
    }
}

/// Bends the beginning of `sound` so that it follows the sample `last` without a step.
pub fn smooth(band: Band, last: i16, sound: &mut [i16]) {
    let Some(first) = sound.first() else { return };
    let edge = edge(band);
    let step = i32::from(last) - i32::from(*first);
    for (at, sample) in sound.iter_mut().take(edge).enumerate() {
        let bent = i32::from(*sample) + step * (edge - at) as i32 / (edge as i32 + 1);
        *sample = bent.clamp(i32::from(i16::MIN), i32::from(i16::MAX)) as i16;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The largest step of a sound that begins after `last`.
    fn largest_step(last: i16, sound: &[i16]) -> i32 {
        let before = std::iter::once(&last).chain(sound);
        let steps = before
            .zip(sound)
            .map(|(one, next)| i32::from(*next) - i32::from(*one));
        steps.map(i32::abs).max().unwrap_or(0)
    }

    #[test]
    fn no_edge_has_a_step_beyond_its_share_in_either_band() {
        for (band, share) in [(Band::Narrow, 500), (Band::Wide, 250)] {
            let mut begins = [20_000; 160];
            fade_in(band, &mut begins);
            assert!(largest_step(0, &begins) <= share);
            let mut goes = [20_000; 160];
            fade_away(band, &mut goes);
            assert!(largest_step(20_000, &goes) <= share);
            assert_eq!(goes[edge(band)..], [0; 160][edge(band)..]);
            let mut ends = [0; 160];
            fade_out(band, -20_000, &mut ends);
            assert!(largest_step(-20_000, &ends.map(|sample| sample as i16)) <= share);
            let mut changes = [20_000; 160];
            smooth(band, -20_000, &mut changes);
            assert!(largest_step(-20_000, &changes) <= 2 * share);
            assert_eq!(changes[edge(band)..], [20_000; 160][edge(band)..]);
        }
    }

    #[test]
    fn short_sound_and_none_are_bent_as_far_as_they_go() {
        smooth(Band::Narrow, 5, &mut []);
        let mut three = [i16::MAX; 3];
        smooth(Band::Narrow, i16::MIN, &mut three);
        assert!(three[0] < 0);
    }
}
