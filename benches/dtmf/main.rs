//! What the detector of keys in the audio is worth: the table of the CM7291 procedure, and an hour and a half
//! of speech and music in which there are no keys.
//!
//! `cargo bench --bench dtmf`; the figures are the same in each run, but for the time of a frame.

#![allow(
    clippy::expect_used,
    reason = "a measurement: what cannot be made ready ends it"
)]

#[path = "../../media/tests/cm7291/mod.rs"]
mod cm7291;
mod speech;

use std::hint::black_box;
use std::time::{Duration, Instant};

use cm7291::sound::{Key, Line, all_keys, louder, told, told_by};
use cm7291::tape::Kind;
use cm7291::{Range, bands, concealed, decoded, dial_tone, disturbed, durations, guard_time};
use cm7291::{levels, network_tones, pauses, signal_to_noise, twist};
use flowswitch_media::dtmf::ToneDetector;
use speech::{TEXTS, VOICES, Voices};

/// Minutes of each kind of music and made-up voices.
const MINUTES: usize = 5;
/// Changes the tape; the same for all runs.
const SEED: u64 = 7_291;

fn main() {
    println!("DTMF in the audio, by the CM7291 procedure\n");
    row("figure", "measured", "required", "spandsp");
    for line in Line::ALL {
        println!("\n{line}");
        tape(line);
        let right = disturbed(line);
        for (what, told) in right {
            row(what, &format!("{told} of 16"), "16", "");
        }
    }
    println!("\nany line");
    timing();
    for (what, told) in network_tones() {
        row(what, &format!("{} keys", told.len()), "0", "");
    }
    println!("\ntalk-off: false digits");
    talk_off();
    println!("\ncost");
    cost();
}

fn row(figure: &str, measured: &str, required: &str, spandsp: &str) {
    println!("{figure:<52} {measured:<20} {required:<16} {spandsp}");
}

/// Side 1 of the tape.
fn tape(line: Line) {
    let told = decoded(line);
    row("decode check", &format!("{told} of 160"), "160", "160");
    let bands = bands(line);
    let widths = range(bands.iter().map(|band| band.below + band.above));
    row(
        "recognition bandwidth, %",
        &span(widths),
        "3.0 to 7.0",
        "3.3-6.3",
    );
    let edges = range(bands.iter().flat_map(|band| [band.below, band.above]));
    row("  told up to so far off, %", &span(edges), "1.5 to 3.4", "");
    row(
        "normal twist, dB",
        &span(twist(line, true)),
        "8.0",
        "8.0-8.6",
    );
    row(
        "reverse twist, dB",
        &span(twist(line, false)),
        "4.0",
        "4.0-4.6",
    );
    let levels = levels(line);
    let ends = levels.first().zip(levels.last());
    let (most, least) = ends.map_or((0, 0), |(most, least)| (*most, *least));
    let measured = format!("{} ({most} to {least} dBm0)", levels.len());
    row("dynamic range, dB", &measured, "25", "39");
    row(
        "guard time, ms",
        &format!("{:.1}", guard_time(line)),
        "23 to 40",
        "27",
    );
    let durations = durations(line);
    let always = format!("{:.1}", durations.most);
    row(
        "shortest digit always told, any place, ms",
        &always,
        "40",
        "27",
    );
    let never = format!("{:.1}", durations.least);
    row("longest digit never told, any place, ms", &never, "23", "");
    let ratios = ['1', '5', '9', 'D'].map(|key| f64::from(signal_to_noise(line, key, 1_000)));
    row(
        "signal to noise, 1000 of 1000 digits, dB",
        &span(range(ratios)),
        "15",
        "9",
    );
    let ratio = format!("{}", dial_tone(line));
    row("signal to dial tone, dB", &ratio, "10", "10");
}

fn timing() {
    let pauses = pauses();
    row(
        "longest interruption bridged, ms",
        &format!("{}", pauses.least),
        "10",
        "",
    );
    row(
        "shortest pause seen, ms",
        &format!("{}", pauses.most),
        "40",
        "",
    );
    for ms in [40, 60, 80, 100] {
        let [one, none, more] = concealed(ms);
        row(
            &format!("digit of {ms} ms, one frame of it lost, told once"),
            &format!("{:.1} %, twice {more}", percent(one, one + none + more)),
            if ms < 80 { "" } else { "100 %" },
            "",
        );
    }
}

fn talk_off() {
    let directory = tempfile::tempdir().expect("a place for the voices");
    let voices = Voices::unpack(directory.path());
    let mut all = 0.0;
    let mut hits = 0;
    for (language, text) in TEXTS {
        let sound = VOICES
            .map(|voice| voices.say(language, voice, text))
            .concat();
        all += tell_talk_off(&format!("speech, {language}"), &sound, &mut hits);
    }
    let speech = (all, hits);
    for kind in Kind::ALL {
        let sound = kind.record(MINUTES * 60, SEED);
        all += tell_talk_off(kind.name(), &sound, &mut hits);
    }
    let of = |(minutes, hits): (f64, usize)| format!("{hits} in {minutes:.0} min");
    row("speech", &of(speech), "0-2 in 30 min", "");
    row("speech and music", &of((all, hits)), "0-2 in 30 min", "");
}

/// Minutes of a piece, which is heard as it is and by µ-law 8 dB louder; the worse of both counts.
fn tell_talk_off(what: &str, sound: &[i16], hits: &mut usize) -> f64 {
    let minutes = sound.len() as f64 / 480_000.0;
    let loud = Line::ALL[1].carry(&louder(sound, 8.0));
    let (plain, loud) = (told(sound), told(&loud));
    let worse = if plain.len() > loud.len() {
        plain
    } else {
        loud
    };
    *hits += worse.len();
    row(
        what,
        &format!("{} in {minutes:.1} min  {worse}", worse.len()),
        "",
        "",
    );
    minutes
}

/// Nanoseconds of a frame of 20 ms, in the quickest of some rounds.
fn cost() {
    let (keys, _) = all_keys(|key| key);
    let held = Key::of('5').ms(1_600.0).sound();
    let sounds = [
        ("silence, ns a frame of 20 ms", vec![0; keys.len()]),
        ("voices, ns", Kind::Voice.record(60, SEED)),
        ("music, ns", Kind::Chords.record(60, SEED)),
        ("keys of 50 ms with pauses, ns", keys),
        ("a key held, ns", held),
    ];
    for (what, sound) in sounds {
        let frames = sound.len().div_ceil(160) as u32;
        let quickest = (0..50).map(|_| time(&sound)).min().unwrap_or_default();
        row(what, &format!("{}", (quickest / frames).as_nanos()), "", "");
    }
}

#[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
fn time(sound: &[i16]) -> Duration {
    let began = Instant::now();
    black_box(told_by(&mut ToneDetector::new(), black_box(sound)));
    began.elapsed()
}

fn range(figures: impl IntoIterator<Item = f64>) -> Range {
    Range::of(figures)
}

fn span(range: Range) -> String {
    format!("{:.1}-{:.1}", range.least, range.most)
}

fn percent(part: usize, all: usize) -> f64 {
    100.0 * part as f64 / all as f64
}
