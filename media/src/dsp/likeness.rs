//! How like two pieces of sound are: what repeats itself is found by it.

/// How like `other` is to the piece of the same length that `sound` begins with: their product, over what
/// `other` would be worth alone. It is the largest where `other` best foretells `sound`.
pub(super) fn likeness(sound: &[f32], other: &[f32]) -> f32 {
    let (product, _, energy) = products(sound, other);
    product / (energy + 1.0).sqrt()
}

/// From -1, the opposite, to 1, the same but for loudness.
pub(super) fn correlation(sound: &[f32], other: &[f32]) -> f32 {
    let (product, one, two) = products(sound, other);
    product / ((one + 1.0) * (two + 1.0)).sqrt()
}

/// The product of two pieces, as far as the shorter one goes.
pub(super) fn product(one: &[f32], two: &[f32]) -> f32 {
    let count = one.len().min(two.len());
    let (ones, one_rest) = one[..count].as_chunks::<LANES>();
    let (twos, two_rest) = two[..count].as_chunks::<LANES>();
    let mut sums = [0.0; LANES];
    for (one, two) in ones.iter().zip(twos) {
        for lane in 0..LANES {
            sums[lane] += one[lane] * two[lane];
        }
    }
    let rest = one_rest.iter().zip(two_rest);
    sums.iter().sum::<f32>() + rest.map(|(one, two)| one * two).sum::<f32>()
}

/// Mean square.
pub(super) fn power(sound: &[f32]) -> f32 {
    product(sound, sound) / sound.len().max(1) as f32
}

/// Samples to calculate with, as many as there is room for.
pub(super) fn to_floats<'a>(samples: &[i16], room: &'a mut [f32]) -> &'a [f32] {
    let count = samples.len().min(room.len());
    for (float, sample) in room.iter_mut().zip(samples) {
        *float = f32::from(*sample);
    }
    &room[..count]
}

/// Sums that go side by side.
const LANES: usize = 8;

/// The product of two pieces, and the energy of each, as far as the shorter one goes.
fn products(one: &[f32], two: &[f32]) -> (f32, f32, f32) {
    let count = one.len().min(two.len());
    let (ones, one_rest) = one[..count].as_chunks::<LANES>();
    let (twos, two_rest) = two[..count].as_chunks::<LANES>();
    let mut sums = [[0.0; LANES]; 3];
    for (one, two) in ones.iter().zip(twos) {
        for lane in 0..LANES {
            sums[0][lane] += one[lane] * two[lane];
            sums[1][lane] += one[lane] * one[lane];
            sums[2][lane] += two[lane] * two[lane];
        }
    }
    let mut all = sums.map(|lanes| lanes.iter().sum::<f32>());
    for (one, two) in one_rest.iter().zip(two_rest) {
        all[0] += one * two;
        all[1] += one * one;
        all[2] += two * two;
    }
    (all[0], all[1], all[2])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sound_is_like_itself_and_unlike_its_opposite_whatever_its_loudness() {
        let sound: Vec<f32> = (0..77).map(|at| ((at * at) % 31) as f32 - 15.0).collect();
        let louder: Vec<f32> = sound.iter().map(|sample| sample * 9.0).collect();
        let opposite: Vec<f32> = sound.iter().map(|sample| -sample).collect();
        assert!((correlation(&sound, &louder) - 1.0).abs() < 1e-3);
        assert!((correlation(&sound, &opposite) + 1.0).abs() < 1e-3);
        assert!(correlation(&sound, &[0.0; 77]).abs() < 1e-6);
        assert!(likeness(&sound, &sound) > likeness(&sound, &sound[1..]));
        assert!((power(&[3.0; 20]) - 9.0).abs() < 1e-6);
    }
}
