//! What 20 ms of each codec cost, beside a floor measured in the same run: a copy of the samples.
//!
//! `cargo bench -p flowswitch-media --bench codecs`, and with `--features libopus` for Opus by the reference
//! library. Quote the ratios: they hold when the speed of the machine does not.

#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

use std::hint::black_box;
use std::time::Instant;

use flowswitch_media::codec::{Codec, Decoder, Encoder, MAX_PAYLOAD};

/// Runs of which the quickest counts: what disturbs a run only makes it slower.
const RUNS: usize = 20;
/// Frames of one run: three seconds.
const FRAMES: usize = 150;
const WIDE: usize = 320;

fn main() {
    let opus = if cfg!(feature = "libopus") {
        "libopus"
    } else {
        "opus-rs"
    };
    println!(
        "{:<24} {:>12} {:>9} {:>10}",
        "", "us per 20 ms", "to floor", "octets"
    );
    let sound = voice(16_000.0);
    let mut copy = [0; WIDE];
    let floor = quickest(|| {
        for frame in sound.chunks_exact(WIDE) {
            copy.copy_from_slice(black_box(frame));
            black_box(&copy);
        }
    });
    tell("floor: copy 320 samples", floor, floor, 0);
    for codec in Codec::ALL {
        let name = match codec {
            Codec::Opus => format!("{} ({opus})", codec.name()),
            _ => format!("{}/{}", codec.name(), codec.band().sample_rate()),
        };
        measure(codec, &name, floor);
    }
}

/// Encodes and decodes three seconds, over and over.
fn measure(codec: Codec, name: &str, floor: f64) {
    let samples = codec.band().frame_samples();
    let sound = voice(f64::from(codec.band().sample_rate()));
    let mut encoder = Encoder::new(codec);
    let mut payload = [0; MAX_PAYLOAD];
    let mut packets: Vec<Vec<u8>> = Vec::new();
    for frame in sound.chunks_exact(samples) {
        let octets = encoder.encode(frame, &mut payload);
        packets.push(payload[..octets].to_vec());
    }
    let octets = packets.iter().map(Vec::len).sum::<usize>() / packets.len();
    let encoding = quickest(|| {
        for frame in sound.chunks_exact(samples) {
            black_box(encoder.encode(frame, &mut payload));
        }
    });
    tell(&format!("{name} encode"), encoding, floor, octets);
    let mut decoder = Decoder::new(codec);
    let mut heard = [0; WIDE];
    let decoding = quickest(|| {
        for packet in &packets {
            black_box(decoder.decode(packet, &mut heard));
        }
    });
    tell(&format!("{name} decode"), decoding, floor, octets);
    if codec == Codec::Opus {
        let lossy = quickest(|| {
            for pair in packets.chunks_exact(2) {
                black_box(decoder.recover(&pair[1], &mut heard));
                black_box(decoder.decode(&pair[1], &mut heard));
            }
        });
        tell("  half of it recovered", lossy, floor, octets);
        let concealing = quickest(|| {
            for packet in packets.chunks_exact(2) {
                black_box(decoder.decode(&packet[0], &mut heard));
                black_box(decoder.conceal(&mut heard));
            }
        });
        tell("  half of it concealed", concealing, floor, octets);
    }
}

/// Three seconds of something like a voice: a pitch that wanders, its harmonics, four swells a second, and a
/// little noise.
fn voice(rate: f64) -> Vec<i16> {
    let mut noise = 1_u32;
    let sample = |at: usize| {
        let turn = std::f64::consts::TAU * at as f64 / rate;
        let swell = 0.55 - 0.45 * (4.0 * turn).cos();
        let harmonic =
            |n| (f64::from(n) * (130.0 * turn + 15.0 * (1.3 * turn).sin())).sin() / f64::from(n);
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let hiss = f64::from(noise >> 16) / 65_536.0 - 0.5;
        (swell * (6_000.0 * (1..25).map(harmonic).sum::<f64>() + 600.0 * hiss)) as i16
    };
    (0..FRAMES * rate as usize / 50).map(sample).collect()
}

/// Microseconds for each frame of the quickest run.
fn quickest(mut run: impl FnMut()) -> f64 {
    let mut least = f64::INFINITY;
    for _ in 0..RUNS {
        let start = Instant::now();
        run();
        least = least.min(start.elapsed().as_secs_f64());
    }
    least * 1e6 / FRAMES as f64
}

fn tell(what: &str, micros: f64, floor: f64, octets: usize) {
    println!(
        "{what:<24} {micros:>12.3} {:>9.0} {octets:>10}",
        micros / floor
    );
}
