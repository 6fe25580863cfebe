//! What the receive side costs, per packet of 20 ms, beside what no receiver can do without: to copy a packet and
//! decode it.
//!
//! `cargo bench -p flowswitch-media --bench jitter`; quote the ratios: they hold when the speed of the machine does
//! not. With a number, `-- 100000`, that many packets of an even stream are played and nothing is measured: for
//! tools that count instructions.

#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use flowswitch_media::codec::{Codec, Encoder, G711, MAX_PAYLOAD};
use flowswitch_media::dsp::noise::{ComfortNoise, NoiseShape};
use flowswitch_media::dsp::plc::Concealer;
use flowswitch_media::dsp::stretch::{Care, Stretcher};
use flowswitch_media::frame::{Band, Sound};
use flowswitch_media::jitter::Playout;
use flowswitch_media::rtp::{MediaTime, RtpHeader, SeqNo, Ssrc};

/// Batches of which the quickest counts: what disturbs a batch only makes it slower.
const BATCHES: u32 = 10;
const BATCH: Duration = Duration::from_millis(30);
const TICK: Duration = Duration::from_millis(20);

fn main() {
    let mut even = Stream::new(Codec::Pcmu, Band::Narrow, 0.0, 0.0);
    if let Some(packets) = std::env::args().find_map(|word| word.parse().ok()) {
        return (0..packets).for_each(|_| even.run());
    }
    println!("{:<46} {:>8} {:>9}", "per 20 ms", "ns", "to floor");
    let (packet, mut copy, mut samples) = ([0x5A_u8; 160], [0; 160], [0; 160]);
    let floor = measure(|| {
        copy.copy_from_slice(black_box(&packet));
        G711::Ulaw.decode(black_box(&copy), black_box(&mut samples))
    });
    tell("floor: copy 160 octets, decode PCMU", floor, floor);
    tell("PCMU, even", measure(|| even.run()), floor);
    for (what, codec, band, loss, jitter) in [
        (
            "PCMU, 2 % loss, 40 ms jitter",
            Codec::Pcmu,
            Band::Narrow,
            0.02,
            40.0,
        ),
        (
            "PCMU, even, wanted in the wide band",
            Codec::Pcmu,
            Band::Wide,
            0.0,
            0.0,
        ),
        (
            "L16 of 16 kHz, even, narrow band",
            Codec::L16Wide,
            Band::Narrow,
            0.0,
            0.0,
        ),
        (
            "L16 of 16 kHz, even, wide band",
            Codec::L16Wide,
            Band::Wide,
            0.0,
            0.0,
        ),
        ("G.722, even, wide band", Codec::G722, Band::Wide, 0.0, 0.0),
        (
            "G.722, 2 % loss, 40 ms jitter",
            Codec::G722,
            Band::Wide,
            0.02,
            40.0,
        ),
    ] {
        let mut stream = Stream::new(codec, band, loss, jitter);
        tell(what, measure(|| stream.run()), floor);
    }
    pieces(floor);
}

/// What happens to single frames.
fn pieces(floor: f64) {
    for band in [Band::Narrow, Band::Wide] {
        let name = match band {
            Band::Narrow => "narrow",
            Band::Wide => "wide",
        };
        let frame = band.frame_samples();
        let voice: Vec<i16> = (0..3 * frame).map(|at| voice(at, band)).collect();
        let mut heard = Concealer::in_band(band);
        voice
            .chunks(frame)
            .for_each(|part| heard.accept(&mut part.to_vec()));
        let mut out = vec![0; frame];
        let conceal = measure(|| heard.clone().conceal(black_box(&mut out)));
        tell(
            &format!("conceal the first lost frame, {name}"),
            conceal,
            floor,
        );
        let stretcher = Stretcher::new(band);
        let mut space = vec![0; frame + stretcher.most()];
        let shorten = measure(|| {
            space[..frame].copy_from_slice(&voice[..frame]);
            stretcher.shorten(black_box(&mut space[..frame]), frame, Care::Usual)
        });
        tell(&format!("shorten a frame, {name}"), shorten, floor);
        let lengthen = measure(|| {
            space[..frame].copy_from_slice(&voice[2 * frame..]);
            stretcher.lengthen(
                &voice[..2 * frame],
                black_box(&mut space),
                frame,
                Care::Usual,
            )
        });
        tell(&format!("lengthen a frame, {name}"), lengthen, floor);
    }
    let mut noise = ComfortNoise::new(1);
    noise.set(NoiseShape::from_payload(&[50, 90, 130]).unwrap_or(NoiseShape::SILENCE));
    let mut out = [0; 160];
    tell(
        "comfort noise, narrow",
        measure(|| noise.add(&mut out)),
        floor,
    );
}

/// A vowel of 125 Hz.
fn voice(at: usize, band: Band) -> i16 {
    let place = at * 8_000 / band.sample_rate() as usize % 64;
    (6_000.0 * (-(place as f64) / 12.0).exp() * (place as f64 * 0.6).sin()) as i16
}

/// One peer and the one who listens to it, in virtual time.
struct Stream {
    playout: Playout,
    codec: Codec,
    payload: Vec<u8>,
    loss: f64,
    jitter: f64,
    begin: Instant,
    sent: u32,
    ticks: u32,
    /// Numbers of packets on their way, and when they come.
    coming: Vec<(Duration, u32)>,
    seed: u64,
}

impl Stream {
    fn new(codec: Codec, band: Band, loss: f64, jitter: f64) -> Self {
        let samples: Vec<i16> = (0..codec.band().frame_samples())
            .map(|at| voice(at, codec.band()))
            .collect();
        let mut payload = vec![0; MAX_PAYLOAD];
        let len = Encoder::new(codec).encode(&samples, &mut payload);
        payload.truncate(len);
        Self {
            playout: Playout::new(band),
            codec,
            payload,
            loss,
            jitter,
            begin: Instant::now(),
            sent: 0,
            ticks: 0,
            coming: Vec::new(),
            seed: 7,
        }
    }

    /// A packet is sent, those that are due come, and a frame is played.
    fn run(&mut self) {
        let (lost, late) = (self.chance() < self.loss, self.jitter * self.chance());
        if !lost {
            let at = TICK * self.sent + Duration::from_secs_f64(late / 1_000.0);
            self.coming.push((at, self.sent));
        }
        self.sent += 1;
        let now = TICK * self.ticks + TICK / 2;
        self.ticks += 1;
        let Self {
            playout,
            codec,
            payload,
            begin,
            ..
        } = self;
        self.coming.retain(|(at, number)| {
            let has_come = *at <= now;
            if has_come {
                let header = RtpHeader {
                    marker: false,
                    payload_type: 0,
                    sequence: SeqNo(*number as u16),
                    timestamp: MediaTime(number.wrapping_mul(codec.clock_rate() / 50)),
                    ssrc: Ssrc(1),
                };
                playout.insert(*begin + *at, &header, *codec, payload);
            }
            !has_come
        });
        let mut sound = Sound::SILENCE;
        black_box(playout.pop(*begin + now, &mut sound));
        black_box(&sound);
    }

    fn chance(&mut self) -> f64 {
        self.seed = self
            .seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.seed >> 40) as f64 / (1_u64 << 24) as f64
    }
}

fn tell(what: &str, nanos: f64, floor: f64) {
    println!("{what:<46} {nanos:>8.0} {:>9.1}", nanos / floor);
}

/// Nanoseconds of one `work`, in the quickest of some batches.
fn measure<T>(mut work: impl FnMut() -> T) -> f64 {
    let batch = |_| {
        let (began, mut rounds) = (Instant::now(), 0_u32);
        while began.elapsed() < BATCH {
            for _ in 0..16 {
                black_box(work());
            }
            rounds += 16;
        }
        began.elapsed().as_nanos() as f64 / f64::from(rounds)
    };
    (0..BATCHES).map(batch).fold(f64::MAX, f64::min)
}
