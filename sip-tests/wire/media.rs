//! What is heard while a call changes: echo, hold, new addresses, other codecs, intruders.

use std::net::UdpSocket;
use std::thread;
use std::time::{Duration, Instant};

use crate::call::Setup;
use crate::message;
use crate::phone::{COMMON, Phone};
use crate::rtp::{self, Media, wait};
use crate::sound::{self, Law};
use crate::switch::{Setting, Switch};
use crate::wav;

fn switch() -> Switch {
    Setting::new()
        .file("long.wav", &wav::plain(440.0, 20_000))
        .flow("long", r#"[{"type": "answer"}, {"type": "play", "option": {"stream_urls": ["long.wav"]}}]"#)
        .flow("echo", r#"[{"type": "answer"}, {"type": "echo", "option": {"duration": 60000}}]"#)
        .flow("stream_echo", r#"[{"type": "answer"}, {"type": "stream_echo", "option": {"duration": 60000}}]"#)
        .flow(
            "dials",
            r#"[{"type": "answer"},
                {"type": "digits_send", "option": {"digits": "19#", "duration": 150, "interval": 100}},
                {"type": "sleep", "option": {"duration": 10000}}]"#,
        )
        .start()
}

#[test]
fn echo_returns_the_tone_it_is_given() {
    let switch = switch();
    let call = Phone::udp(&switch).dial("echo");
    for hz in [500.0, 1300.0] {
        call.media.play(&sound::tone(&[hz], 800, 9000.0));
        call.media.hears(hz);
    }
    call.hang_up();
}

#[test]
fn stream_echo_returns_sound_and_digits() {
    let switch = switch();
    let call = Phone::udp(&switch).dial("stream_echo");
    call.media.play(&sound::tone(&[1000.0], 700, 9000.0));
    call.media.hears(1000.0);
    for digit in "12#".chars() {
        call.media.press(digit);
    }
    call.media.hears_digits("12#");
    call.hang_up();
}

#[test]
fn call_with_a_law_alone_is_heard_both_ways() {
    let switch = switch();
    let call = Phone::udp(&switch)
        .invite_offering("echo", &[8, rtp::EVENT], "sendrecv")
        .answered();
    assert_eq!(call.answer.sdp().unwrap().payload_types.first(), Some(&8));
    call.media.play(&sound::tone(&[800.0], 800, 9000.0));
    call.media.hears(800.0);
    assert!(
        call.media
            .packets()
            .iter()
            .all(|packet| packet.payload_type == 8)
    );
    call.hang_up();
}

#[test]
fn packets_leave_each_20_ms_without_a_gap_in_their_count() {
    let switch = switch();
    let call = Phone::udp(&switch).dial("long");
    call.media.hears(440.0);
    call.media.forget();
    let began = Instant::now();
    thread::sleep(Duration::from_secs(1));
    let packets = call.media.packets();
    // A busy machine lets us sleep for longer than we asked.
    let due = (began.elapsed().as_millis() / 20) as usize;
    assert!(
        packets.len().abs_diff(due) <= 5,
        "{} packets, but {due} were due",
        packets.len()
    );
    for pair in packets.windows(2) {
        assert_eq!(pair[1].seq, pair[0].seq.wrapping_add(1));
        assert_eq!(pair[1].timestamp, pair[0].timestamp.wrapping_add(160));
        assert_eq!(pair[1].ssrc, pair[0].ssrc);
    }
    call.hang_up();
}

#[test]
fn held_call_is_silent_and_sounds_again_when_resumed() {
    let switch = switch();
    let mut call = Phone::udp(&switch).dial("long");
    call.media.hears(440.0);
    let mut version = 1;
    for (asked, answered) in [("sendonly", "recvonly"), ("inactive", "inactive")] {
        version += 1;
        let answer = call.reinvite(message::sdp(call.media.local(), COMMON, asked, version));
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.sdp().unwrap().direction, answered);
        call.media.hears_nothing_for(Duration::from_millis(300));
        version += 1;
        let answer = call.reinvite(message::sdp(
            call.media.local(),
            COMMON,
            "sendrecv",
            version,
        ));
        assert_eq!(answer.sdp().unwrap().direction, "sendrecv");
        call.media.hears(440.0);
    }
    call.hang_up();
}

#[test]
fn hold_by_the_null_address_is_silent_too() {
    let switch = switch();
    let mut call = Phone::udp(&switch).dial("long");
    call.media.hears(440.0);
    let null = (std::net::Ipv4Addr::UNSPECIFIED, call.media.local().port()).into();
    assert_eq!(
        call.reinvite(message::sdp(null, COMMON, "sendrecv", 2))
            .status(),
        200
    );
    call.media.hears_nothing_for(Duration::from_millis(300));
    assert_eq!(
        call.reinvite(message::sdp(call.media.local(), COMMON, "sendrecv", 3))
            .status(),
        200
    );
    call.media.hears(440.0);
    call.hang_up();
}

#[test]
fn sound_follows_the_peer_to_a_new_address_and_codec() {
    let switch = switch();
    let mut call = Phone::udp(&switch).dial("echo");
    call.media.play(&sound::tone(&[500.0], 800, 9000.0));
    call.media.hears(500.0);
    let moved = Media::new(call.phone.local.ip());
    let answer = call.reinvite(message::sdp(moved.local(), &[8, rtp::EVENT], "sendrecv", 2));
    assert_eq!(answer.status(), 200);
    let old = std::mem::replace(&mut call.media, moved);
    old.mute(true);
    call.media.start(answer.sdp().unwrap().media(), Law::A);
    call.media.play(&sound::tone(&[900.0], 1200, 9000.0));
    call.media.hears(900.0);
    old.forget();
    thread::sleep(Duration::from_millis(200));
    assert!(
        old.packets().is_empty(),
        "the old address still gets packets"
    );
    call.hang_up();
}

#[test]
fn update_moves_the_sound_as_a_reinvite_does() {
    let switch = switch();
    let mut call = Phone::udp(&switch).dial("long");
    call.media.hears(440.0);
    let moved = Media::new(call.phone.local.ip());
    let offer = message::sdp(moved.local(), COMMON, "sendrecv", 2);
    let answer = call.exchange("UPDATE", |request| request.body("application/sdp", offer));
    assert_eq!(answer.status(), 200);
    moved.start(answer.sdp().expect("an answer in the 200").media(), Law::Mu);
    moved.hears(440.0);
    call.hang_up();
}

#[test]
fn sound_goes_to_where_the_peer_sends_from() {
    // Behind NAT the description names an address that does not work.
    let switch = switch();
    let phone = Phone::udp(&switch);
    let media = Media::new(phone.local.ip());
    let nowhere = Media::new(phone.local.ip());
    let offer = message::sdp(nowhere.local(), COMMON, "sendrecv", 1);
    let invite = phone
        .request("INVITE", &phone.uri("long"))
        .body("application/sdp", offer);
    let call = Setup::send(phone, media, invite).answered();
    call.media.hears(440.0);
    call.hang_up();
}

#[test]
fn intruder_neither_hears_the_call_nor_is_heard() {
    let switch = switch();
    let call = Phone::udp(&switch).dial("echo");
    call.media.play(&sound::tone(&[500.0], 4000, 9000.0));
    call.media.hears(500.0);
    let target = call.media.remote().unwrap();
    let intruder = UdpSocket::bind("127.0.0.1:0").unwrap();
    intruder
        .set_read_timeout(Some(Duration::from_millis(1)))
        .unwrap();
    let noise = sound::tone(&[1700.0], 20, 20_000.0);
    let payload: Vec<u8> = noise.iter().map(|&sample| Law::Mu.encode(sample)).collect();
    let victim = call.media.packets();
    for n in 0..60u16 {
        let seq = 1000 + n;
        let bytes = rtp::packet(0, n == 0, seq, u32::from(seq) * 160, 0xdead_beef, &payload);
        intruder.send_to(&bytes, target).unwrap();
        thread::sleep(Duration::from_millis(10));
    }
    let mut buffer = [0; 2000];
    assert!(
        intruder.recv_from(&mut buffer).is_err(),
        "the intruder gets packets of the call"
    );
    assert!(
        call.media.packets().len() > victim.len() + 20,
        "the victim still gets his"
    );
    let last = call.media.recent(Duration::from_millis(400));
    assert!(
        sound::is_tone(&last, 500.0) && sound::share(&last, 1700.0) < 0.02,
        "the intruder is heard"
    );
    call.hang_up();
}

#[test]
fn digits_are_sent_as_events_or_as_tones_when_the_peer_has_no_events() {
    let switch = switch();
    let with_events = Phone::udp(&switch).dial("dials");
    let without = Phone::udp(&switch)
        .invite_offering("dials", &[0], "sendrecv")
        .answered();
    with_events.media.hears_digits("19#");
    let ended = wait(Duration::from_secs(3), || {
        let sound = without.media.heard();
        let pound = sound
            .windows(800)
            .step_by(160)
            .any(|w| sound::share(w, 941.0) + sound::share(w, 1477.0) > 0.8);
        let one = sound
            .windows(800)
            .step_by(160)
            .any(|w| sound::share(w, 697.0) + sound::share(w, 1209.0) > 0.8);
        pound && one
    });
    assert!(ended, "no tones of 1 and # in the voice band");
    assert_eq!(without.media.digits(), "");
    with_events.hang_up();
    without.hang_up();
}

#[test]
fn reports_come_by_rtcp_and_are_whole() {
    let switch = switch();
    let call = Phone::udp(&switch).dial("long");
    call.media.hears(440.0);
    let has_come = wait(Duration::from_secs(8), || !call.media.reports().is_empty());
    assert!(has_come, "no RTCP within 8 s");
    let report = call.media.reports().remove(0);
    let ssrc = call.media.packets().last().unwrap().ssrc;
    assert_eq!(
        (report[0] >> 6, report[1]),
        (2, 200),
        "a sender report first"
    );
    assert_eq!(report[4..8], ssrc.to_be_bytes());
    // An SDES chunk with a CNAME stands in every compound (RFC 3550 §6.1).
    let first = (usize::from(u16::from_be_bytes([report[2], report[3]])) + 1) * 4;
    assert_eq!(report.get(first + 1), Some(&202));
    call.hang_up();
}
