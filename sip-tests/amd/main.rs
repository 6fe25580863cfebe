//! How often answering-machine detection is right: greetings of people and machines in eight languages,
//! said by the embedded voice in several ways, over lines of different noise.
//!
//! A machine whose whole announcement is as short as what people say, and that does not beep within the
//! 800 ms behind it, is taken for a person; there are some of those among them.
//!
//! `cargo test --test amd` tells the figures; with `-- --nocapture` every miss and the whole table.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a measurement: what cannot be made ready is a failed test"
)]

mod greetings;
mod line;

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use flowswitch::shell::fetch::OutboundPolicy;
use flowswitch::shell::prompts::{PromptLimits, Prompts, PromptsConfig};
use flowswitch::shell::speech::SpeechConfig;
use flowswitch::switch::Source;
use flowswitch_media::amd::{AmdCause, AmdConfig, Answerer, Detector, Verdict};

use greetings::{Around, Greeting, MACHINES, PEOPLE};
use line::{Chance, Noise, music, send, tone};

/// Changes every trial; the same for all runs.
const SEED: u64 = 20_240_229;

/// Lines over which each greeting is heard: noise, and how many decibels it is below the voice.
const LINES: [(Noise, f32); 6] = [
    (Noise::White, 45.0),
    (Noise::White, 20.0),
    (Noise::White, 12.0),
    (Noise::Brown, 18.0),
    (Noise::Brown, 12.0),
    (Noise::Hum, 15.0),
];

/// Ways in which each greeting is said: percent of its pace, and semitones above its pitch.
const VOICES: [(u32, i32); 3] = [(100, 0), (85, 2), (120, -2)];

/// A greeting as it is said, and where its beep is.
struct Said {
    name: String,
    expected: Answerer,
    sound: Vec<i16>,
    beep: Option<Duration>,
}

impl Greeting {
    fn ssml(&self, (rate, pitch): (u32, i32)) -> String {
        let pause = r#"<break time="450ms"/>"#;
        format!(
            r#"<speak><prosody rate="{}%" pitch="{:+}st">{}</prosody></speak>"#,
            self.rate * rate / 100,
            self.pitch + pitch,
            self.text.join(pause)
        )
    }
}

/// Every greeting in every voice; said once for all tests.
fn everybody() -> &'static [Said] {
    static SAID: OnceLock<Vec<Said>> = OnceLock::new();
    SAID.get_or_init(say_all)
}

fn say_all() -> Vec<Said> {
    let began = Instant::now();
    let directory = tempfile::tempdir().unwrap();
    let prompts = &Prompts::new(PromptsConfig {
        flows_dir: directory.path().to_owned(),
        data_dir: directory.path().to_owned(),
        speech: SpeechConfig::Embedded,
        outbound: OutboundPolicy::default(),
        limits: PromptLimits::default(),
    })
    .unwrap();
    let greetings = PEOPLE
        .iter()
        .map(|greeting| (Answerer::Person, greeting))
        .chain(
            MACHINES
                .iter()
                .map(|greeting| (Answerer::Machine, greeting)),
        );
    let voices = greetings.flat_map(|greeting| VOICES.map(|voice| (greeting, voice)));
    let saying = voices.map(|((expected, greeting), voice)| async move {
        let source = Source::Text {
            text: greeting.ssml(voice),
            language: greeting.language.to_owned(),
            gender: greeting.gender,
        };
        let words = if greeting.text.is_empty() {
            Vec::new()
        } else {
            prompts.load(&source).await.unwrap().samples().to_vec()
        };
        said(expected, greeting, words)
    });
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let said = runtime.block_on(futures_util::future::join_all(saying));
    println!("said {} greetings in {:.1?}", said.len(), began.elapsed());
    said
}

fn said(expected: Answerer, greeting: &Greeting, words: Vec<i16>) -> Said {
    let mut sound = Vec::new();
    let mut beep = None;
    match greeting.around {
        Around::Nothing => sound = words,
        Around::Beep { after, hertz, ms } => {
            sound.extend(words);
            sound.extend(vec![0; after as usize * 8]);
            beep = Some(Duration::from_millis(sound.len() as u64 / 8));
            sound.extend(tone(hertz, ms));
        }
        Around::Music => {
            sound.extend(music(3_000, &mut Chance::new(SEED)));
            sound.extend(words);
        }
    }
    Said {
        name: format!("{}: {}", greeting.language, greeting.text.join(" ")),
        expected,
        sound,
        beep,
    }
}

/// What arrives of a greeting over one line: silence before it that differs each time, and behind it.
/// Also how much came before.
fn heard(said: &Said, line: (Noise, f32), chance: &mut Chance) -> (Vec<i16>, Duration) {
    let before = Duration::from_millis(chance.between(60.0, 1_800.0) as u64);
    let level = chance.between(-33.0, -18.0);
    let mut sound = vec![0; before.as_millis() as usize * 8];
    sound.extend(&said.sound);
    sound.extend(vec![0; 8_000 * 4]);
    (send(&sound, level, line, chance), before)
}

/// The verdict, and when it came.
fn decide(config: &AmdConfig, sound: &[i16]) -> (Option<Verdict>, Duration) {
    let mut detector = Detector::new(config);
    let mut verdicts = sound.chunks(160).enumerate().filter_map(|(n, frame)| {
        let verdict = detector.push(frame)?;
        Some((verdict, Duration::from_millis(20 * (n as u64 + 1))))
    });
    let first = verdicts.next();
    assert_eq!(verdicts.next(), None, "decided twice");
    first.map_or((None, Duration::ZERO), |(verdict, at)| (Some(verdict), at))
}

/// How often each cause decided, who was right, and how long that took.
#[derive(Default)]
struct Table {
    causes: BTreeMap<(&'static str, String), u32>,
    right: BTreeMap<&'static str, u32>,
    trials: BTreeMap<&'static str, u32>,
    right_by_line: [u32; LINES.len()],
    total: Duration,
    longest: Duration,
}

impl Table {
    fn enter(&mut self, said: &Said, line: usize, verdict: Verdict, at: Duration) {
        let truth = name_of(said.expected);
        let is_right = verdict.result == said.expected;
        let cause = match verdict.cause {
            AmdCause::Beep { .. } => "Beep".to_owned(),
            cause => format!("{cause:?}"),
        };
        *self.causes.entry((truth, cause)).or_default() += 1;
        *self.trials.entry(truth).or_default() += 1;
        *self.right.entry(truth).or_default() += u32::from(is_right);
        self.right_by_line[line] += u32::from(is_right);
        self.total += at;
        self.longest = self.longest.max(at);
    }

    fn accuracy(&self) -> f64 {
        percent(self.right.values().sum(), self.trials.values().sum())
    }

    fn accuracy_of(&self, truth: &str) -> f64 {
        percent(self.right[truth], self.trials[truth])
    }

    fn print(&self) {
        let trials: u32 = self.trials.values().sum();
        println!("\n{:8} {:16} {:>6}", "truth", "decided by", "trials");
        for ((truth, cause), count) in &self.causes {
            println!("{truth:8} {cause:16} {count:>6}");
        }
        for ((noise, below), right) in LINES.iter().zip(self.right_by_line) {
            let share = percent(right, trials / LINES.len() as u32);
            println!("{noise:?} noise {below} dB below the voice: {share:.1} % right");
        }
        figure(&format!(
            "machine detection right in {:.1} % of {trials} trials: people {:.1} %, machines {:.1} % \
             (seed {SEED}); after {:.2?} on average, {:.2?} at most",
            self.accuracy(),
            self.accuracy_of("person"),
            self.accuracy_of("machine"),
            self.total / trials,
            self.longest,
        ));
    }
}

#[test]
fn people_and_machines_are_told_apart_over_noisy_lines() {
    assert!(PEOPLE.len() >= 40 && MACHINES.len() >= 40);
    let mut chance = Chance::new(SEED);
    let mut table = Table::default();
    for said in everybody() {
        for (n, line) in LINES.into_iter().enumerate() {
            let (sound, _) = heard(said, line, &mut chance);
            let (verdict, at) = decide(&AmdConfig::default(), &sound);
            let verdict = verdict.unwrap();
            table.enter(said, n, verdict, at);
            if verdict.result != said.expected {
                println!(
                    "  {:?} over {line:?} at {at:?}: {}",
                    verdict.cause, said.name
                );
            }
        }
    }
    table.print();
    assert!(table.accuracy() >= 95.0, "{:.1} %", table.accuracy());
    for truth in ["person", "machine"] {
        let accuracy = table.accuracy_of(truth);
        assert!(accuracy >= 92.0, "{truth}: {accuracy:.1} %");
    }
}

#[test]
fn the_beep_of_a_machine_is_found_where_it_is_and_speech_is_none() {
    let mut chance = Chance::new(SEED);
    let config = AmdConfig {
        wait_for_beep: Duration::from_secs(20),
        ..AmdConfig::default()
    };
    let (mut found, mut beeps, mut false_beeps, mut others) = (0, 0, 0, 0);
    for said in everybody() {
        for line in LINES {
            let (sound, before) = heard(said, line, &mut chance);
            let (verdict, at) = decide(&config, &sound);
            let told = match verdict.map(|verdict| verdict.cause) {
                Some(AmdCause::Beep { at }) => Some(at),
                _ => None,
            };
            match said.beep.map(|beep| beep + before) {
                Some(beep) => {
                    beeps += 1;
                    let is_found =
                        told.is_some_and(|told| told.abs_diff(beep) <= Duration::from_millis(60));
                    found += u32::from(is_found);
                    if !is_found {
                        println!("  {told:?} for {beep:?} at {at:?}, {line:?}: {}", said.name);
                    }
                }
                None => {
                    others += 1;
                    false_beeps += u32::from(told.is_some());
                    if told.is_some() {
                        println!("  no beep at {told:?}, {line:?}: {}", said.name);
                    }
                }
            }
        }
    }
    figure(&format!(
        "{found} of {beeps} beeps found within 60 ms; {false_beeps} of {others} others taken for one"
    ));
    assert!(percent(found, beeps) >= 95.0);
    assert!(percent(false_beeps, others) <= 0.5);
}

/// Tells a figure although the test passes: what is printed by macros would be kept back.
fn figure(text: &str) {
    let _ = writeln!(std::io::stderr(), "figure: {text}");
}

const fn name_of(answerer: Answerer) -> &'static str {
    match answerer {
        Answerer::Person => "person",
        Answerer::Machine => "machine",
        Answerer::Unsure => "unsure",
    }
}

fn percent(part: u32, whole: u32) -> f64 {
    100.0 * f64::from(part) / f64::from(whole)
}
