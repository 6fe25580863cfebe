//! Playing files: every format a prompt may have, from the flows directory and from the web.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::Command;
use std::thread;
use std::time::Duration;

use crate::phone::Phone;
use crate::sound::Law;
use crate::switch::{Setting, Switch};
use crate::wav::{self, Format, Spec};

const SLEEP: &str = r#"{"type": "sleep", "option": {"duration": 10000}}"#;

const NEXT: &str = r#"{"type": "play", "option": {"stream_urls": ["900.wav"]}}"#;

fn playing(urls: &[&str]) -> String {
    let urls = serde_json::to_string(urls).unwrap();
    format!(
        r#"[{{"type": "answer"}}, {{"type": "play", "option": {{"stream_urls": {urls}}}}}, {SLEEP}]"#
    )
}

/// Calls each flow at once and listens for its own frequency.
fn each_is_heard(switch: &Switch, wanted: &[(String, f64)]) {
    thread::scope(|scope| {
        for (flow, hz) in wanted {
            scope.spawn(move || {
                println!("{flow}: {hz} Hz");
                let call = Phone::udp(switch).dial(flow);
                call.media.hears(*hz);
                call.hang_up();
            });
        }
    });
}

#[test]
fn wav_of_every_format_rate_and_channel_count_is_heard_at_its_pitch() {
    let specs = [
        (Format::Pcm8, 8000, 1),
        (Format::Pcm8, 22_050, 2),
        (Format::Pcm16, 8000, 2),
        (Format::Pcm16, 11_025, 1),
        (Format::Pcm16, 16_000, 1),
        (Format::Pcm16, 22_050, 1),
        (Format::Pcm16, 44_100, 2),
        (Format::Pcm16, 48_000, 1),
        (Format::Pcm24, 48_000, 2),
        (Format::Pcm24, 8000, 1),
        (Format::Law(Law::Mu), 8000, 1),
        (Format::Law(Law::A), 8000, 1),
        (Format::Law(Law::Mu), 16_000, 1),
        (Format::Law(Law::A), 8000, 2),
    ];
    let mut setting = Setting::new();
    let mut wanted = Vec::new();
    for (n, (format, rate, channels)) in specs.into_iter().enumerate() {
        let name = format!("wav{n}");
        let hz = 400.0 + 120.0 * n as f64;
        println!("{name}: {format:?} {rate} Hz, {channels} channels, tone {hz}");
        setting = setting
            .file(
                &format!("{name}.wav"),
                &wav::tone(
                    Spec {
                        format,
                        rate,
                        channels,
                    },
                    hz,
                    1200,
                ),
            )
            .flow(&name, &playing(&[&format!("{name}.wav")]));
        wanted.push((name, hz));
    }
    each_is_heard(&setting.start(), &wanted);
}

#[test]
fn mp3_is_heard() {
    let Some(mp3) = mp3_of(600.0) else {
        println!("skipped: the program `lame` is not installed");
        return;
    };
    let switch = Setting::new()
        .file("tone.mp3", &mp3)
        .flow("mp3", &playing(&["tone.mp3"]))
        .start();
    each_is_heard(&switch, &[("mp3".into(), 600.0)]);
}

#[test]
fn urls_are_played_one_after_another_and_a_missing_one_is_passed_over() {
    let switch = Setting::new()
        .file("500.wav", &wav::plain(500.0, 500))
        .file("900.wav", &wav::plain(900.0, 500))
        .flow(
            "list",
            &playing(&["500.wav", "nowhere.wav", "file:900.wav"]),
        )
        .flow("missing", &playing(&["nowhere.wav"]).replace(SLEEP, NEXT))
        .start();
    let call = Phone::udp(&switch).dial("list");
    call.media.hears(500.0);
    call.media.hears(900.0);
    call.hang_up();
    let call = Phone::udp(&switch).dial("missing");
    call.media.hears(900.0);
    call.hang_up();
}

#[test]
fn name_that_climbs_out_of_the_flows_directory_is_not_played() {
    let setting = Setting::new();
    std::fs::write(
        setting.flows().join("../secret.wav"),
        wav::plain(700.0, 3000),
    )
    .unwrap();
    let absolute = setting.flows().join("../secret.wav");
    let then_next = |url: &str| playing(&[url]).replace(SLEEP, NEXT);
    let switch = setting
        .file("900.wav", &wav::plain(900.0, 800))
        .flow("climb", &then_next("../secret.wav"))
        .flow("absolute", &then_next(absolute.to_str().unwrap()))
        .flow(
            "file",
            &then_next(&format!("file://{}", absolute.display())),
        )
        .start();
    for flow in ["climb", "absolute", "file"] {
        let call = Phone::udp(&switch).dial(flow);
        call.media.hears(900.0);
        let heard = call.media.heard();
        assert!(
            !heard
                .chunks(800)
                .any(|part| crate::sound::is_tone(part, 700.0)),
            "{flow} got out"
        );
        call.hang_up();
    }
}

#[test]
fn file_from_the_web_is_heard_where_its_network_is_allowed() {
    let web = serve(wav::plain(800.0, 1500));
    let flow = playing(&[&format!("http://{web}/prompt.wav")]);
    let open = Setting::new()
        .config("[outbound_http]\nallow = [\"127.0.0.0/8\"]")
        .flow("web", &flow)
        .start();
    let closed = Setting::new().flow("web", &flow).start();
    each_is_heard(&open, &[("web".into(), 800.0)]);
    let call = Phone::udp(&closed).dial("web");
    thread::sleep(Duration::from_millis(700));
    assert!(
        !crate::sound::is_tone(&call.media.recent(Duration::from_millis(300)), 800.0),
        "loopback was not allowed"
    );
    call.hang_up();
}

/// A web server of one file; it lives as long as the process.
fn serve(body: Vec<u8>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = Vec::new();
            let mut chunk = [0; 1024];
            while !request.windows(4).any(|w| w == b"\r\n\r\n") {
                match stream.read(&mut chunk) {
                    Ok(len) if len > 0 => request.extend_from_slice(&chunk[..len]),
                    _ => break,
                }
            }
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: audio/wav\r\nContent-Length: {}\r\n\r\n",
                body.len()
            );
            let _ = stream
                .write_all(head.as_bytes())
                .and_then(|()| stream.write_all(&body));
        }
    });
    address
}

/// An MP3 made by the program `lame`; nothing where it is not installed.
fn mp3_of(hz: f64) -> Option<Vec<u8>> {
    let dir = tempfile::tempdir().unwrap();
    let (source, target) = (dir.path().join("tone.wav"), dir.path().join("tone.mp3"));
    std::fs::write(
        &source,
        wav::tone(
            Spec {
                format: Format::Pcm16,
                rate: 44_100,
                channels: 2,
            },
            hz,
            1500,
        ),
    )
    .unwrap();
    let status = Command::new("lame")
        .args(["--quiet", "-b", "64"])
        .arg(&source)
        .arg(&target)
        .status()
        .ok()?;
    status.success().then(|| std::fs::read(target).unwrap())
}
