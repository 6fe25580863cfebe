//! How long things take: printed for those who want to know, asserted only so far as a busy machine allows.

use std::io::Write as _;
use std::thread;
use std::time::{Duration, Instant};

use crate::phone::Phone;
use crate::rtp::{self, wait};
use crate::sound;
use crate::switch::Setting;

#[test]
fn echo_returns_a_packet_when_it_comes_and_not_at_the_next_tick() {
    const PACKETS: u16 = 200;
    let switch = Setting::new()
        .flow(
            "echo",
            r#"[{"type": "answer"}, {"type": "echo", "option": {"duration": 60000}}]"#,
        )
        .start();
    let call = Phone::udp(&switch).dial("echo");
    call.media.play(&sound::tone(&[500.0], 600, 9000.0));
    call.media.hears(500.0);
    call.media.mute(true);
    thread::sleep(Duration::from_millis(100));
    let remote = call.media.remote().unwrap();
    let (seq, timestamp, ssrc) = call.media.last_sent();
    call.media.forget();
    let mut sent = Vec::new();
    for n in 0..PACKETS {
        let seq = seq.wrapping_add(1 + n);
        // The pause while muted is silence that nobody sent: time goes on in the timestamps.
        let timestamp = timestamp.wrapping_add(160 * (6 + u32::from(n)));
        let bytes = rtp::packet(0, n == 0, seq, timestamp, ssrc, &[n as u8; 160]);
        sent.push(Instant::now());
        call.media.send_raw(&bytes, remote);
        // 20 ms and a little, so that the packets pass through every phase of a tick.
        thread::sleep(Duration::from_micros(19_600));
    }
    thread::sleep(Duration::from_millis(60));
    let packets = call.media.packets();
    let mut away: Vec<Duration> = (0..PACKETS)
        .filter_map(|n| {
            let echo = packets.iter().find(|p| p.payload == [n as u8; 160])?;
            Some(echo.at.saturating_duration_since(sent[usize::from(n)]))
        })
        .collect();
    assert!(
        away.len() >= usize::from(PACKETS) * 95 / 100,
        "{} of {PACKETS} came back",
        away.len()
    );
    away.sort_unstable();
    let (median, p99) = (away[away.len() / 2], away[away.len() * 99 / 100]);
    figure(&format!(
        "echo of {} packets: median {median:?}, 99 % within {p99:?}",
        away.len()
    ));
    // A tick every 20 ms would make it 10 ms on top of one tick's work at least.
    assert!(median < Duration::from_millis(5), "median {median:?}");
    call.hang_up();
}

#[test]
fn first_words_leave_soon_after_the_answer() {
    let switch = Setting::new()
        .flow(
            "hello",
            r#"[{"type": "answer"},
                {"type": "talk", "option": {"text": "Good morning, and welcome.", "language": "en-US"}},
                {"type": "sleep", "option": {"duration": 10000}}]"#,
        )
        .start();
    let mut first = Vec::new();
    for _ in 0..3 {
        let mut setup = Phone::udp(&switch).invite("hello");
        let answer = setup.final_response();
        let answered = Instant::now();
        let mut call = setup.accept(answer);
        let ack = call.dialog.ack(&call.phone, 1);
        call.phone.send(&ack);
        let mut heard = None;
        wait(Duration::from_secs(5), || {
            heard = call.media.packets().into_iter().find(|packet| {
                let sound: Vec<i16> = packet
                    .payload
                    .iter()
                    .map(|&b| sound::Law::Mu.decode(b))
                    .collect();
                sound::rms(&sound) > 200.0
            });
            heard.is_some()
        });
        let heard = heard.expect("no word within 5 s");
        first.push(heard.at.saturating_duration_since(answered));
        call.hang_up();
    }
    // The first call has the text made, the others find it in the cache.
    figure(&format!("from the 200 to the first word: {first:?}"));
    assert!(
        first.iter().all(|time| *time < Duration::from_secs(1)),
        "{first:?}"
    );
}

/// Tells a figure although the story passes: what is printed by macros would be kept back.
/// `sip-tests/run` shows these lines in its summary.
pub fn figure(text: &str) {
    let _ = writeln!(std::io::stderr(), "figure: {text}");
}
