//! Soft edges where sound begins, ends, or goes on as another one: no step that clicks.

/// Length of an edge: 5 ms.
pub const EDGE: usize = 40;

/// Lets sound begin softly.
pub fn fade_in(sound: &mut [i16]) {
    for (at, sample) in sound.iter_mut().take(EDGE).enumerate() {
        *sample = (i32::from(*sample) * (at as i32 + 1) / (EDGE as i32 + 1)) as i16;
    }
}

/// Adds what is left of sound that ended at the sample `last`.
pub fn fade_out(last: i32, sum: &mut [i32]) {
    for (at, sample) in sum.iter_mut().take(EDGE).enumerate() {
        *sample += last * (EDGE - at) as i32 / (EDGE as i32 + 1);
    }
}

/// Bends the beginning of `sound` so that it follows the sample `last` without a step.
pub fn smooth(last: i16, sound: &mut [i16]) {
    let Some(first) = sound.first() else { return };
    let step = i32::from(last) - i32::from(*first);
    for (at, sample) in sound.iter_mut().take(EDGE).enumerate() {
        let bent = i32::from(*sample) + step * (EDGE - at) as i32 / (EDGE as i32 + 1);
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
    fn no_edge_has_a_step_beyond_its_share() {
        let mut begins = [20_000; 160];
        fade_in(&mut begins);
        assert!(largest_step(0, &begins) <= 500);
        let mut ends = [0; 160];
        fade_out(-20_000, &mut ends);
        assert!(largest_step(-20_000, &ends.map(|sample| sample as i16)) <= 500);
        let mut changes = [20_000; 160];
        smooth(-20_000, &mut changes);
        assert!(largest_step(-20_000, &changes) <= 1_000);
        assert_eq!(changes[EDGE..], [20_000; 120]);
    }

    #[test]
    fn short_sound_and_none_are_bent_as_far_as_they_go() {
        smooth(5, &mut []);
        let mut three = [i16::MAX; 3];
        smooth(i16::MIN, &mut three);
        assert!(three[0] < 0);
    }
}
