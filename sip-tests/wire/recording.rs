//! Recordings: what was said is in the file, and the file can be played at every moment.

use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use crate::call::Call;
use crate::phone::Phone;
use crate::rtp::wait;
use crate::sound;
use crate::switch::{Setting, Switch};
use crate::wav::{self, Heard};

fn voicemail(option: &str) -> String {
    format!(
        r#"[{{"type": "answer"}},
            {{"type": "recording_start", "option": {{"format": "wav"{option}}}}},
            {{"type": "sleep", "option": {{"duration": 30000}}}}]"#
    )
}

fn switch() -> Switch {
    Setting::new()
        .flow("voicemail", &voicemail(""))
        .flow("brief", &voicemail(r#", "duration": 1"#))
        .flow("until_key", &voicemail(r##", "end_of_key": "#""##))
        .flow("until_silence", &voicemail(r#", "end_of_silence": 1"#))
        .flow("with_beep", &voicemail(r#", "beep_start": true"#))
        .start()
}

/// The one file with what the caller said.
#[track_caller]
fn recorded(switch: &Switch) -> PathBuf {
    let mut files: Vec<PathBuf> = fs::read_dir(switch.recordings())
        .unwrap_or_else(|error| panic!("{}: {error}", switch.recordings().display()))
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_str().is_some_and(|name| name.ends_with("_in.wav")))
        .collect();
    assert_eq!(files.len(), 1, "{files:?}");
    files.remove(0)
}

#[track_caller]
fn heard(switch: &Switch) -> Heard {
    let path = recorded(switch);
    wav::read(&fs::read(&path).unwrap()).unwrap_or_else(|why| panic!("{}: {why}", path.display()))
}

/// Waits until the file stops growing, and reads it.
#[track_caller]
fn heard_when_closed(switch: &Switch) -> Heard {
    let mut last = u64::MAX;
    let is_still = wait(Duration::from_secs(5), || {
        thread::sleep(Duration::from_millis(300));
        let now = fs::metadata(recorded(switch)).unwrap().len();
        std::mem::replace(&mut last, now) == now
    });
    assert!(is_still, "the file still grows");
    heard(switch)
}

fn speak(call: &Call, hz: f64, millis: usize) {
    call.media.play(&sound::tone(&[hz], millis, 9000.0));
    thread::sleep(Duration::from_millis(millis as u64));
}

/// Seconds of `hz` in a recording.
fn seconds_of(heard: &Heard, hz: f64) -> f64 {
    heard
        .samples
        .chunks(400)
        .filter(|chunk| sound::is_tone(chunk, hz))
        .count() as f64
        * 0.05
}

#[test]
fn voicemail_holds_what_was_said_for_as_long_as_it_was_said() {
    let switch = switch();
    let call = Phone::udp(&switch).dial("voicemail");
    speak(&call, 1000.0, 1000);
    speak(&call, 1500.0, 500);
    thread::sleep(Duration::from_millis(300));
    call.hang_up();
    let heard = heard_when_closed(&switch);
    assert_eq!(heard.rate, 8000);
    let (first, second) = (seconds_of(&heard, 1000.0), seconds_of(&heard, 1500.0));
    assert!((0.85..=1.1).contains(&first), "{first} s of 1000 Hz");
    assert!((0.35..=0.6).contains(&second), "{second} s of 1500 Hz");
    assert!(
        (1.6..=2.6).contains(&heard.seconds()),
        "{} s in all",
        heard.seconds()
    );
}

#[test]
fn recording_is_playable_after_a_kill_and_lost_a_second_at_most() {
    let mut switch = switch();
    let call = Phone::udp(&switch).dial("voicemail");
    speak(&call, 1000.0, 2600);
    switch.kill();
    let heard = heard(&switch);
    // Whole bars of 50 ms are counted, and the caller's first packet leaves up to 20 ms late.
    assert!(heard.seconds() >= 1.55, "{} s of 2.6 s", heard.seconds());
    assert!(
        seconds_of(&heard, 1000.0) >= 1.5,
        "{} s of the tone",
        seconds_of(&heard, 1000.0)
    );
}

#[test]
fn recording_ends_after_its_duration_while_the_call_goes_on() {
    let switch = switch();
    let call = Phone::udp(&switch).dial("brief");
    speak(&call, 1000.0, 2000);
    let heard = heard_when_closed(&switch);
    assert!(
        (0.9..=1.15).contains(&heard.seconds()),
        "{} s",
        heard.seconds()
    );
    call.hang_up();
}

#[test]
fn recording_ends_at_its_key() {
    let switch = switch();
    let call = Phone::udp(&switch).dial("until_key");
    speak(&call, 1000.0, 800);
    call.media.press('5');
    thread::sleep(Duration::from_millis(300));
    call.media.press('#');
    speak(&call, 1500.0, 1000);
    let heard = heard_when_closed(&switch);
    assert!(seconds_of(&heard, 1000.0) > 0.6);
    assert!(seconds_of(&heard, 1500.0) < 0.3, "it went on after the key");
    call.hang_up();
}

#[test]
fn recording_ends_after_silence() {
    let switch = switch();
    let call = Phone::udp(&switch).dial("until_silence");
    speak(&call, 1000.0, 800);
    thread::sleep(Duration::from_millis(1600));
    speak(&call, 1500.0, 800);
    let heard = heard_when_closed(&switch);
    assert!(seconds_of(&heard, 1000.0) > 0.6);
    assert!(
        seconds_of(&heard, 1500.0) < 0.1,
        "it went on after a second of silence"
    );
    call.hang_up();
}

#[test]
fn recording_with_a_beep_lets_the_caller_hear_it() {
    let switch = switch();
    let call = Phone::udp(&switch).dial("with_beep");
    call.media.hears_voice(60);
    call.hang_up();
}
