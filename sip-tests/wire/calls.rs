//! Calls as signalling: how they begin, change and end, over each transport.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use crate::call::Setup;
use crate::message::{self, Request};
use crate::phone::{COMMON, Net, Phone};
use crate::rtp::Media;
use crate::switch::{Setting, Switch, has_ipv6};
use crate::wav;

const EARLY: &str = r#"[
    {"type": "play", "option": {"stream_urls": ["600.wav"]}},
    {"type": "answer"},
    {"type": "play", "option": {"stream_urls": ["440.wav"]}},
    {"type": "hangup"}
]"#;

const SHORT: &str = r#"[
    {"type": "answer"},
    {"type": "play", "option": {"stream_urls": ["600.wav"]}},
    {"type": "hangup"}
]"#;

const RINGS: &str = r#"[{"type": "sleep", "option": {"duration": 60000}}, {"type": "hangup"}]"#;

fn switch() -> Switch {
    Setting::new()
        .file("600.wav", &wav::plain(600.0, 700))
        .flow("early", EARLY)
        .flow("short", SHORT)
        .flow("rings", RINGS)
        .start()
}

#[test]
fn call_is_answered_and_ends_by_the_callers_bye() {
    switch().takes_a_call();
}

#[test]
fn call_ends_by_the_switchs_bye_when_its_flow_ends() {
    let switch = switch();
    let mut call = Phone::udp(&switch).dial("short");
    call.media.hears(600.0);
    let bye = call.is_hung_up_within(Duration::from_secs(3));
    assert_eq!(
        bye.tag("To"),
        Some(call.dialog.from.split("tag=").nth(1).unwrap().to_owned())
    );
    let again = call.exchange("BYE", |request| request);
    assert_eq!(again.status(), 481, "the dialog is gone");
}

#[test]
fn first_provisional_answer_comes_within_200_ms() {
    let switch = switch();
    let began = Instant::now();
    let mut setup = Phone::udp(&switch).invite("rings");
    setup.rings_with(180);
    assert!(
        began.elapsed() < Duration::from_millis(200),
        "{:?}",
        began.elapsed()
    );
    setup.cancel();
}

#[test]
fn flow_that_plays_before_it_answers_is_heard_as_early_media() {
    let switch = switch();
    let mut setup = Phone::udp(&switch).invite("early");
    let progress = setup.rings_with(183);
    assert!(
        progress.sdp().is_some(),
        "183 without a session description"
    );
    setup.media.hears(600.0);
    let call = setup.answered();
    assert_eq!(
        call.answer.tag("To"),
        progress.tag("To"),
        "one dialog from 183 to 200"
    );
    call.media.hears(440.0);
    call.hang_up();
}

#[test]
fn offer_left_to_the_switch_is_answered_in_the_ack() {
    let switch = switch();
    let phone = Phone::udp(&switch);
    let media = Media::new(phone.local.ip());
    let invite = phone.request("INVITE", &phone.uri("tone"));
    let mut setup = Setup::send(phone, media, invite);
    let answer = setup.final_response();
    assert_eq!(answer.status(), 200);
    let offer = answer.sdp().expect("the 200 carries the offer");
    assert!(
        offer.payload_types.contains(&0) && offer.payload_types.contains(&8),
        "{offer:?}"
    );
    let mut call = setup.accept(answer);
    let ours = message::sdp(call.media.local(), COMMON, "sendrecv", 1);
    let ack = call
        .dialog
        .ack(&call.phone, 1)
        .body("application/sdp", ours);
    call.phone.send(&ack);
    call.media.hears(440.0);
    call.hang_up();
}

#[test]
fn cancelled_invite_gets_487() {
    let switch = switch();
    let mut setup = Phone::udp(&switch).invite("rings");
    setup.rings_with(180);
    assert_eq!(setup.cancel().status(), 487);
    switch.takes_a_call();
}

#[test]
fn resent_invite_is_one_call_and_gets_the_same_answer() {
    let switch = switch();
    let mut setup = Phone::udp(&switch).invite("tone");
    setup.phone.send(&setup.invite.clone());
    let first = setup.final_response();
    setup.phone.send(&setup.invite.clone());
    let second = setup.phone.final_response(&setup.invite);
    assert_eq!(first.status(), 200);
    assert_eq!(
        (first.tag("To"), &first.body),
        (second.tag("To"), &second.body)
    );
    let mut call = setup.accept(first);
    let ack = call.dialog.ack(&call.phone, 1);
    call.phone.send(&ack);
    call.phone.send(&ack);
    call.media.hears(440.0);
    let bye = call.dialog.request(&call.phone, "BYE");
    for _ in 0..3 {
        assert_eq!(
            call.phone.exchange(&bye).status(),
            200,
            "each copy of the BYE is answered"
        );
    }
}

#[test]
fn answer_is_resent_until_the_ack_comes() {
    let switch = switch();
    let mut setup = Phone::udp(&switch).invite("tone");
    let first = setup.final_response();
    let began = Instant::now();
    let second = setup.final_response();
    let third = setup.final_response();
    assert_eq!(
        (first.tag("To"), second.tag("To")),
        (second.tag("To"), third.tag("To"))
    );
    let waited = began.elapsed();
    assert!(
        (1300..2000).contains(&waited.as_millis()),
        "500 and 1000 ms after the first, not {waited:?}"
    );
    let mut call = setup.accept(third);
    let ack = call.dialog.ack(&call.phone, 1);
    call.phone.send(&ack);
    thread::sleep(Duration::from_millis(100));
    let late = call
        .phone
        .response_within(&call.invite, Duration::from_millis(2300));
    assert!(late.is_none(), "still resent after the ACK");
    call.hang_up();
}

#[test]
fn call_passes_over_tcp() {
    let switch = switch();
    let mut call = Phone::new(&switch, Net::Tcp).dial("short");
    call.media.hears(600.0);
    call.is_hung_up_within(Duration::from_secs(3));
}

#[test]
fn tcp_messages_are_read_when_split_and_when_joined() {
    let switch = switch();
    let mut phone = Phone::new(&switch, Net::Tcp);
    let options: Vec<Request> = (0..3)
        .map(|_| phone.request("OPTIONS", &phone.uri("tone")))
        .collect();
    let joined: Vec<u8> = options.iter().flat_map(Request::to_bytes).collect();
    phone.send_raw(&joined);
    for request in &options {
        assert_eq!(phone.final_response(request).status(), 200);
    }
    let media = Media::new(phone.local.ip());
    let offer = message::sdp(media.local(), COMMON, "sendrecv", 1);
    let invite = phone
        .request("INVITE", &phone.uri("tone"))
        .body("application/sdp", offer);
    let bytes = invite.to_bytes();
    let (head, tail) = bytes.split_at(bytes.len() - 40);
    for part in [
        &b"\r\n\r\n"[..],
        &head[..7],
        &head[7..90],
        &head[90..],
        &tail[..1],
    ] {
        phone.send_raw(part);
        thread::sleep(Duration::from_millis(20));
    }
    // The rest of the INVITE comes together with a whole OPTIONS.
    let options = phone.request("OPTIONS", &phone.uri("tone"));
    phone.send_raw(&[&tail[1..], &options.to_bytes()].concat());
    assert_eq!(phone.final_response(&options).status(), 200);
    let mut setup = Setup {
        phone,
        media,
        invite,
    };
    // The answer may have come before the OPTIONS was answered; then it is resent (RFC 3261 §13.3.1.4).
    let answer = setup.final_response();
    let mut call = setup.accept(answer);
    let ack = call.dialog.ack(&call.phone, 1);
    call.phone.send(&ack);
    call.media.hears(440.0);
    call.hang_up();
}

#[test]
fn call_passes_over_ipv6() {
    if !has_ipv6() {
        println!("skipped: this machine has no IPv6 loopback");
        return;
    }
    let switch = switch();
    for net in [Net::Udp6, Net::Tcp6] {
        let call = Phone::new(&switch, net).dial("tone");
        assert!(call.answer.sdp().unwrap().address.is_ipv6());
        call.media.hears(440.0);
        call.hang_up();
    }
}

#[test]
fn options_says_what_the_switch_can_do() {
    let switch = switch();
    let mut phone = Phone::udp(&switch);
    let answer = phone.exchange(&phone.request("OPTIONS", &phone.uri("tone")));
    assert_eq!(answer.status(), 200);
    let allow = answer.header("Allow").expect("Allow");
    for method in [
        "INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "INFO", "UPDATE",
    ] {
        assert!(allow.contains(method), "{method} missing in {allow}");
    }
    assert!(
        answer
            .header("Accept")
            .is_some_and(|accept| accept.contains("application/sdp"))
    );
}

#[test]
fn session_timer_too_short_gets_422_and_a_fair_one_is_agreed() {
    let switch = switch();
    let mut setup = Phone::udp(&switch);
    let offer = message::sdp("127.0.0.1:40000".parse().unwrap(), COMMON, "sendrecv", 1);
    let invite = setup
        .request("INVITE", &setup.uri("tone"))
        .body("application/sdp", offer)
        .with("Supported", "timer");
    let refused = setup.exchange(&invite.with("Session-Expires", "20"));
    assert_eq!(refused.status(), 422);
    assert!(
        refused
            .header("Min-SE")
            .is_some_and(|v| v.parse::<u32>().is_ok_and(|s| s >= 90)),
        "{refused:?}"
    );

    let phone = Phone::udp(&switch);
    let media = Media::new(phone.local.ip());
    let offer = message::sdp(media.local(), COMMON, "sendrecv", 1);
    let invite = phone
        .request("INVITE", &phone.uri("tone"))
        .body("application/sdp", offer)
        .with("Supported", "timer")
        .with("Session-Expires", "1800;refresher=uac");
    let mut call = Setup::send(phone, media, invite).answered();
    let agreed = call
        .answer
        .header("Session-Expires")
        .expect("a Session-Expires in the 200");
    assert!(
        agreed.starts_with("1800") && agreed.contains("refresher=uac"),
        "{agreed}"
    );
    assert!(
        call.answer
            .all("Require")
            .any(|value| value.contains("timer"))
    );
    let refreshed = call.exchange("UPDATE", |request| {
        request
            .with("Supported", "timer")
            .with("Session-Expires", "1800;refresher=uac")
    });
    assert_eq!(refreshed.status(), 200);
    assert!(refreshed.header("Session-Expires").is_some());
    call.media.hears(440.0);
    call.hang_up();
}

#[test]
fn keep_alive_over_tcp_is_answered_and_over_udp_it_is_passed_over() {
    let switch = switch();
    let mut stream = TcpStream::connect(switch.sip(false)).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(2)))
        .unwrap();
    for _ in 0..3 {
        stream.write_all(b"\r\n\r\n").unwrap();
        let mut pong = [0; 2];
        stream.read_exact(&mut pong).expect("RFC 5626 §3.5.1");
        assert_eq!(&pong, b"\r\n");
    }
    let mut phone = Phone::udp(&switch);
    phone.send_raw(b"\r\n\r\n");
    let options = phone.request("OPTIONS", &phone.uri("tone"));
    assert_eq!(phone.exchange(&options).status(), 200);
}

#[test]
fn connection_of_keep_alives_carries_a_call_too() {
    let switch = switch();
    let mut phone = Phone::new(&switch, Net::Tcp);
    phone.send_raw(b"\r\n\r\n");
    let mut call = phone.dial("tone");
    call.phone.send_raw(b"\r\n\r\n");
    call.media.hears(440.0);
    call.hang_up();
}
