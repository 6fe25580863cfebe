//! The voicemail tutorial, word for word as its authors wrote it, on a real call.

use std::fs;
use std::thread;
use std::time::Duration;

use crate::phone::Phone;
use crate::rtp::wait;
use crate::sound;
use crate::switch::{Setting, Switch};
use crate::wav;

/// The example that holds the tutorial's actions as they stand in it.
const FLOW: &str = include_str!("../../examples/tutorials/voicemail.json");

const FORWARDED_TO: &str = "+15551112222";

fn switch() -> (Switch, Phone) {
    let trunk = Phone::trunk();
    let switch = Setting::new()
        .trunk("carrier", &trunk, FORWARDED_TO, "")
        .flow("mailbox", FLOW)
        .start();
    (switch, trunk)
}

#[test]
fn caller_that_nobody_answers_hears_the_text_and_the_beep_and_is_recorded() {
    let (switch, trunk) = switch();
    let setup = Phone::udp(&switch).invite("mailbox");
    let mut incoming = trunk.called();
    let source = incoming.invite.header("From").unwrap_or_default();
    assert!(source.contains("+15559876543"), "{source}");
    incoming.rings();
    thread::sleep(Duration::from_millis(500));
    incoming.refuses("480 Temporarily Unavailable");
    let mut call = setup.answered();
    // The text has 80 characters: five seconds or so, then the beep, and another before the recording.
    call.media.hears_voice(3000);
    let is_recording = wait(Duration::from_secs(10), || !recordings(&switch).is_empty());
    assert!(is_recording, "nothing is recorded");
    let heard = call.media.heard();
    assert!(has_a_beep(&heard), "no beep");
    thread::sleep(Duration::from_millis(600));
    call.media.play(&sound::tone(&[1000.0], 2000, 9000.0));
    let bye = call.is_hung_up_within(Duration::from_secs(15));
    assert!(!bye.start_line.is_empty());
    thread::sleep(Duration::from_millis(500));
    let files = recordings(&switch);
    let said = files
        .iter()
        .find(|path| path.ends_with("_in.wav"))
        .unwrap_or_else(|| panic!("{files:?}"));
    let recording = wav::read(&fs::read(said).unwrap()).unwrap();
    let bars = recording
        .samples
        .chunks(400)
        .filter(|bar| sound::is_tone(bar, 1000.0))
        .count();
    assert!(
        (36..=42).contains(&bars),
        "{} ms of what was said",
        bars * 50
    );
    assert!(
        (9.0..12.0).contains(&recording.seconds()),
        "{} s in all",
        recording.seconds()
    );
}

#[test]
fn caller_that_is_answered_speaks_and_leaves_no_message() {
    let (switch, trunk) = switch();
    let setup = Phone::udp(&switch).invite("mailbox");
    let mut incoming = trunk.called();
    incoming.rings();
    let called = incoming.answers();
    let mut call = setup.answered();
    called.plays(700.0);
    call.media.hears(700.0);
    called.hang_up();
    call.is_hung_up_within(Duration::from_secs(2));
    assert!(recordings(&switch).is_empty());
}

fn recordings(switch: &Switch) -> Vec<String> {
    let Ok(files) = fs::read_dir(switch.recordings()) else {
        return Vec::new();
    };
    files
        .map(|entry| entry.unwrap().path().to_string_lossy().into_owned())
        .collect()
}

/// Whether a steady tone of 100 ms or more is in `samples`, whatever its pitch.
fn has_a_beep(samples: &[i16]) -> bool {
    let mut run = 0;
    let mut last = 0.0;
    samples.chunks(400).any(|bar| {
        let hz = sound::loudest(bar);
        let is_pure = sound::rms(bar) > 300.0 && sound::share(bar, hz) > 0.9;
        run = if is_pure && (hz - last).abs() <= 20.0 {
            run + 1
        } else {
            usize::from(is_pure)
        };
        last = hz;
        run >= 3
    })
}
