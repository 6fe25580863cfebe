//! Bad input from every side: afterwards a normal call passes, and calls that ran were not touched.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

use crate::call::Call;
use crate::message::{self, Message};
use crate::phone::{COMMON, Net, Phone};
use crate::rtp::wait;
use crate::switch::{Setting, Switch};
use crate::wav::{self, Format, Spec};

fn playing(url: &str) -> String {
    format!(
        r#"[{{"type": "answer"}}, {{"type": "play", "option": {{"stream_urls": ["{url}"]}}}},
            {{"type": "play", "option": {{"stream_urls": ["900.wav"]}}}},
            {{"type": "sleep", "option": {{"duration": 20000}}}}]"#
    )
}

fn setting() -> Setting {
    Setting::new()
        .file("900.wav", &wav::plain(900.0, 1500))
        .file("long.wav", &wav::plain(500.0, 60_000))
        .flow(
            "long",
            r#"[{"type": "answer"}, {"type": "play", "option": {"stream_urls": ["long.wav"]}}]"#,
        )
}

/// A call that has to live through what the story does, and hear every packet of it.
fn bystander(switch: &Switch) -> Call {
    let call = Phone::udp(switch).named("bystander").dial("long");
    call.media.hears(500.0);
    call.media.forget();
    call
}

#[track_caller]
fn is_unharmed(call: Call) {
    call.media.hears(500.0);
    let packets = call.media.packets();
    let lost = packets
        .windows(2)
        .filter(|pair| pair[1].seq != pair[0].seq.wrapping_add(1))
        .count();
    let gap = packets
        .windows(2)
        .map(|pair| pair[1].at - pair[0].at)
        .max()
        .unwrap_or_default();
    assert_eq!(lost, 0, "packets of a running call were lost");
    assert!(
        gap < Duration::from_millis(250),
        "a running call was silent for {gap:?}"
    );
    call.hang_up();
}

#[test]
fn garbage_and_cut_datagrams_are_dropped() {
    let switch = setting().start();
    let bystander = bystander(&switch);
    let phone = Phone::udp(&switch);
    let offer = message::sdp(phone.local, COMMON, "sendrecv", 1);
    let invite = phone
        .request("INVITE", &phone.uri("nobody"))
        .body("application/sdp", offer)
        .to_bytes();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let send = |bytes: &[u8]| assert!(socket.send_to(bytes, switch.sip(false)).is_ok());
    for cut in (0..invite.len()).step_by(7) {
        send(&invite[..cut]);
    }
    // A seeded stream of bytes (xorshift), so that a failure can be repeated.
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut byte = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    for len in [0, 1, 2, 4, 12, 100, 1500, 9000, 65_000] {
        send(&(0..len).map(|_| byte()).collect::<Vec<u8>>());
    }
    for _ in 0..500 {
        let mut mutant = invite.clone();
        for _ in 0..3 {
            let at = (usize::from(byte()) << 8 | usize::from(byte())) % mutant.len();
            mutant[at] = byte();
        }
        send(&mutant);
    }
    send(
        &[
            b"INVITE sip:x SIP/2.0\r\n".as_slice(),
            &b"A: b\r\n".repeat(10_000),
        ]
        .concat(),
    );
    send(
        &[
            b"OPTIONS sip:".as_slice(),
            &b"a".repeat(60_000),
            b" SIP/2.0\r\n\r\n",
        ]
        .concat(),
    );
    send(
        &[
            b"OPTIONS sip:a SIP/2.0\r\nVia: ".as_slice(),
            &b"SIP/2.0/UDP a,".repeat(4000),
            b"\r\n\r\n",
        ]
        .concat(),
    );
    send(&b"\r\n".repeat(1000));
    switch.takes_a_call();
    is_unharmed(bystander);
}

#[test]
fn garbage_on_the_media_port_does_not_reach_the_ear() {
    let switch = setting().start();
    let bystander = bystander(&switch);
    let target = bystander.media.remote().unwrap();
    let rtcp = (target.ip(), target.port() + 1).into();
    for to in [target, rtcp] {
        for len in [0, 1, 8, 11, 12, 13, 1400, 60_000] {
            bystander.media.send_raw(&vec![0x80; len], to);
            bystander.media.send_raw(&vec![0xff; len], to);
            bystander.media.send_raw(&vec![0; len], to);
        }
        // A header extension, a CSRC list and padding, each longer than the packet; an RTCP that lies.
        bystander.media.send_raw(
            &[0x90, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0xff, 0xff],
            to,
        );
        bystander
            .media
            .send_raw(&[0x8f, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1], to);
        bystander
            .media
            .send_raw(&[0xa0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0xff], to);
        bystander
            .media
            .send_raw(&[0x81, 0xcd, 0, 1, 0xea, 0xc1, 0x74, 0x96], to);
        bystander
            .media
            .send_raw(&[0x80, 101, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 3], to);
    }
    switch.takes_a_call();
    is_unharmed(bystander);
}

#[test]
fn tcp_peers_that_lie_about_length_are_cut_off() {
    let switch = setting().start();
    let bystander = bystander(&switch);
    let head = "OPTIONS sip:tone@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1:9;branch=z9hG4bKlie\r\n\
                From: <sip:a@b>;tag=1\r\nTo: <sip:tone@127.0.0.1>\r\nCall-ID: lie\r\nCSeq: 1 OPTIONS\r\n";
    for length in [
        "-1",
        "99999999999999999999",
        "18446744073709551615",
        "2147483648",
        "0x10",
        "4, 5",
        "",
    ] {
        let mut stream = TcpStream::connect(switch.sip(false)).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(3)))
            .unwrap();
        stream
            .write_all(format!("{head}Content-Length: {length}\r\n\r\n").as_bytes())
            .unwrap();
        let mut said = Vec::new();
        let end = stream.read_to_end(&mut said);
        let said = String::from_utf8_lossy(&said);
        assert!(
            end.is_ok(),
            "{length:?}: the connection is still open; it said {said:?}"
        );
        assert!(
            !said.starts_with("SIP/2.0 200"),
            "{length:?} was taken: {said}"
        );
    }
    let mut stream = TcpStream::connect(switch.sip(false)).unwrap();
    stream
        .set_write_timeout(Some(Duration::from_secs(1)))
        .unwrap();
    let filler = [b'a'; 65_536];
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(3) && stream.write_all(&filler).is_ok() {}
    assert!(
        began.elapsed() < Duration::from_secs(3),
        "a header without end was read for 3 s"
    );
    switch.takes_a_call();
    is_unharmed(bystander);
}

#[test]
fn slow_and_idle_tcp_peers_hold_up_nobody() {
    let switch = setting().start();
    let bystander = bystander(&switch);
    let idle: Vec<TcpStream> = (0..100)
        .map(|_| TcpStream::connect(switch.sip(false)).unwrap())
        .collect();
    for (n, mut stream) in idle.iter().enumerate() {
        stream
            .write_all(&b"INVITE sip:tone@127.0.0.1 SIP/2.0\r\nVia: "[..n % 40])
            .unwrap();
    }
    // This one asks much and reads nothing.
    let mut deaf = Phone::new(&switch, Net::Tcp);
    for _ in 0..200 {
        let options = deaf.request("OPTIONS", &deaf.uri("tone"));
        deaf.send(&options);
    }
    switch.takes_a_call();
    let call = Phone::new(&switch, Net::Tcp).dial("tone");
    call.media.hears(440.0);
    call.hang_up();
    is_unharmed(bystander);
}

#[test]
fn connection_closed_in_mid_message_ends_nothing_else() {
    let switch = setting().start();
    let bystander = bystander(&switch);
    let call = Phone::new(&switch, Net::Tcp).dial("long");
    call.media.hears(500.0);
    drop(call);
    let mut stream = TcpStream::connect(switch.sip(false)).unwrap();
    stream
        .write_all(b"INVITE sip:tone@127.0.0.1 SIP/2.0\r\nContent-Length: 500\r\n\r\nv=0")
        .unwrap();
    drop(stream);
    switch.takes_a_call();
    is_unharmed(bystander);
}

#[test]
fn flow_file_without_measure_is_refused_and_the_others_serve() {
    let deep = "[".repeat(10_000) + &"]".repeat(10_000);
    let nested = format!(
        r#"[{{"type": "branch", "option": {}1{}}}]"#,
        r#"{"a":"#.repeat(10_000),
        "}".repeat(10_000)
    );
    let big = format!(
        "[{}\n{{\"type\": \"answer\"}}]",
        "{\"type\": \"answer\"},\n".repeat(5_000_000)
    );
    assert!(big.len() > 100_000_000);
    let switch = setting()
        .flow("deep", &deep)
        .flow("nested", &nested)
        .flow("big", &big)
        .start();
    for name in ["deep.json", "nested.json", "big.json"] {
        assert!(
            wait(Duration::from_secs(3), || switch.log().contains(name)),
            "no word of {name}"
        );
    }
    let bystander = bystander(&switch);
    for name in ["deep", "nested", "big"] {
        let mut setup = Phone::udp(&switch).invite(name);
        let answer = setup.final_response();
        assert_eq!(answer.status(), 404, "{name}");
        setup.phone.acknowledge_refusal(&setup.invite, &answer);
    }
    // The same while calls run.
    std::fs::write(switch.flows().join("later.json"), &big).unwrap();
    std::fs::write(switch.flows().join("tone.json"), &deep).unwrap();
    thread::sleep(Duration::from_millis(1500));
    switch.takes_a_call();
    is_unharmed(bystander);
}

#[test]
fn sound_files_that_lie_are_passed_over() {
    let spec = Spec {
        format: Format::Pcm16,
        rate: 8000,
        channels: 1,
    };
    let data: Vec<u8> = crate::sound::tone(&[700.0], 600, 9000.0)
        .iter()
        .flat_map(|s| s.to_le_bytes())
        .collect();
    let mut noise = vec![0xff, 0xfb, 0x90, 0x64];
    noise.extend((0..60_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8));
    let files: [(&str, Vec<u8>); 8] = [
        ("endless.wav", wav::file(spec, &data, u32::MAX)),
        (
            "longer.wav",
            wav::file(spec, &data, data.len() as u32 * 100),
        ),
        ("odd.wav", wav::file(spec, &data[..101], 101)),
        ("empty.wav", Vec::new()),
        ("headless.wav", data.clone()),
        (
            "mute.wav",
            wav::file(
                Spec {
                    channels: 0,
                    ..spec
                },
                &data,
                data.len() as u32,
            ),
        ),
        (
            "still.wav",
            wav::file(Spec { rate: 0, ..spec }, &data, data.len() as u32),
        ),
        ("noise.mp3", noise),
    ];
    let mut setting = setting();
    for (name, bytes) in &files {
        setting = setting
            .file(name, bytes)
            .flow(name.split('.').next().unwrap(), &playing(name));
    }
    let switch = setting.start();
    let bystander = bystander(&switch);
    thread::scope(|scope| {
        for (name, _) in &files {
            let switch = &switch;
            scope.spawn(move || {
                println!("{name}");
                let call = Phone::udp(switch).dial(name.split('.').next().unwrap());
                // What can be read of it is played; then the flow goes on.
                call.media.hears(900.0);
                if ["endless.wav", "longer.wav"].contains(name) {
                    assert!(
                        call.media
                            .heard()
                            .chunks(400)
                            .any(|part| crate::sound::is_tone(part, 700.0)),
                        "{name}"
                    );
                }
                call.hang_up();
            });
        }
    });
    is_unharmed(bystander);
}

#[test]
fn url_that_never_answers_holds_up_its_own_call_only() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let switch = setting()
        .config("[outbound_http]\nallow = [\"127.0.0.0/8\"]")
        .flow("waits", &playing(&format!("http://{address}/never.wav")))
        .start();
    let bystander = bystander(&switch);
    let waiting: Vec<Call> = (0..5).map(|_| Phone::udp(&switch).dial("waits")).collect();
    let (_held, _) = listener.accept().unwrap();
    switch.takes_a_call();
    for call in waiting {
        call.hang_up();
    }
    // The fetch is given up in time, and the flow goes on.
    let call = Phone::udp(&switch).dial("waits");
    let has_gone_on = wait(Duration::from_secs(25), || {
        let last = call.media.recent(Duration::from_millis(160));
        last.len() > 900 && crate::sound::is_tone(&last, 900.0)
    });
    assert!(has_gone_on, "the flow still waits for the URL after 25 s");
    is_unharmed(bystander);
}

#[test]
fn flood_of_invites_is_bounded_and_calls_pass_afterwards() {
    let mut switch = setting().start();
    let bystander = bystander(&switch);
    let phone = Phone::udp(&switch);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let offer = message::sdp(phone.local, COMMON, "sendrecv", 1);
    for n in 0..3000 {
        let invite = phone
            .request("INVITE", &phone.uri("nobody"))
            .body("application/sdp", offer.clone());
        let _ = socket.send_to(&invite.to_bytes(), switch.sip(false));
        if n % 100 == 0 {
            thread::sleep(Duration::from_millis(5));
        }
    }
    let mut buffer = [0; 65_536];
    socket
        .set_read_timeout(Some(Duration::from_millis(300)))
        .unwrap();
    let (len, _) = socket.recv_from(&mut buffer).unwrap();
    assert!(Message::parse(&buffer[..len]).is_some());
    assert!(!switch.is_dead());
    switch.takes_a_call();
    is_unharmed(bystander);
}
