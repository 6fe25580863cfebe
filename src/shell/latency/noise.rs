//! What is sent: noise at the level of speech that never repeats, so that each packet is known again.

use flowswitch_media::codec::G711;

/// Samples of one packet: 20 ms at 8 kHz.
pub(super) const FRAME: usize = 160;

/// The frame that has this number, as the peer decodes it and as it is sent.
pub(super) fn frame(number: u32, law: G711) -> ([i16; FRAME], [u8; FRAME]) {
    // Mixed, so that a frame is not the one before it, moved by a sample.
    let mut state = mixed(u64::from(number) + 1);
    let samples: [i16; FRAME] = std::array::from_fn(|_| {
        state = state.wrapping_add(GOLDEN);
        // Even over 16 bits, then a fifth of that.
        (mixed(state) as i16) / 5
    });
    let mut payload = [0; FRAME];
    law.encode(&samples, &mut payload);
    let mut heard = [0; FRAME];
    law.decode(&payload, &mut heard);
    (heard, payload)
}

/// The finalizer of SplitMix64: every bit of what goes in moves every bit that comes out.
fn mixed(state: u64) -> u64 {
    let state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    state ^ (state >> 31)
}

/// 2⁶⁴ by the golden ratio.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_at_the_level_of_speech_and_no_two_are_alike() {
        let (first, sent) = frame(0, G711::Ulaw);
        let (second, other) = frame(1, G711::Ulaw);
        let power: f64 = first.iter().map(|s| f64::from(*s).powi(2)).sum();
        let rms = (power / FRAME as f64).sqrt();
        assert!((2_500.0..5_500.0).contains(&rms), "{rms}");
        for shift in 0..FRAME / 2 {
            let pairs = first[shift..].iter().zip(second);
            let product: f64 = pairs.map(|(a, b)| f64::from(*a) * f64::from(b)).sum();
            assert!(product.abs() / power < 0.4, "{shift}: {}", product / power);
        }
        assert_ne!(sent, other);
    }
}
