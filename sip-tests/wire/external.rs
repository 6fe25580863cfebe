//! External media with real servers on loopback: each returns what it hears, so that a caller hears itself.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use tokio_tungstenite::tungstenite;

use crate::phone::Phone;
use crate::rtp::wait;
use crate::sound;
use crate::switch::{Setting, Switch};

/// What a server was told beside sound.
type Told = Arc<Mutex<Vec<String>>>;

fn rtp_echo() -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    thread::spawn(move || {
        let mut packet = [0; 2048];
        while let Ok((len, from)) = socket.recv_from(&mut packet) {
            let _ = socket.send_to(&packet[..len], from);
        }
    });
    address
}

/// Serves one connection on a thread of its own.
fn serve(told: &Told, converse: impl FnOnce(TcpStream, &Told) + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let told = Arc::clone(told);
    thread::spawn(move || converse(listener.accept().unwrap().0, &told));
    address
}

fn audiosocket_echo(mut stream: TcpStream, told: &Told) {
    let mut head = [0; 3];
    while stream.read_exact(&mut head).is_ok() {
        let mut payload = vec![0; usize::from(u16::from_be_bytes([head[1], head[2]]))];
        stream.read_exact(&mut payload).unwrap();
        match head[0] {
            0x10 => {
                let _ = stream.write_all(&head);
                let _ = stream.write_all(&payload);
            }
            kind => told.lock().unwrap().push(format!("{kind} {payload:?}")),
        }
    }
}

fn websocket_echo(stream: TcpStream, told: &Told) {
    let mut socket = tungstenite::accept(stream).unwrap();
    while let Ok(message) = socket.read() {
        match message {
            tungstenite::Message::Binary(sound) => {
                let _ = socket.send(tungstenite::Message::Binary(sound));
            }
            tungstenite::Message::Text(text) => told.lock().unwrap().push(text.to_string()),
            _ => {}
        }
    }
}

/// Answers, sends the caller's sound there and plays what comes back, stops that at a key, then plays 440 Hz.
fn switch(option: &serde_json::Value, config: &str) -> Switch {
    let flow = serde_json::json!([
        {"type": "answer"},
        {"type": "external_media_start", "option": option},
        {"type": "digits_receive", "option": {"duration": 20000, "length": 1}},
        {"type": "external_media_stop"},
        {"type": "play", "option": {"stream_urls": ["440.wav"]}},
    ]);
    let setting = Setting::new().flow("external", &flow.to_string());
    setting.config(config).start()
}

const LOOPBACK: &str = "[outbound_http]\nallow = [\"127.0.0.0/8\"]";

#[track_caller]
fn returns_the_voice_of_the_caller(mut option: serde_json::Value) -> Switch {
    option["direction_listen"] = "in".into();
    option["direction_speak"] = "out".into();
    let switch = switch(&option, LOOPBACK);
    let call = Phone::udp(&switch).dial("external");
    call.media.play(&sound::tone(&[900.0], 2000, 8000.0));
    call.media.hears(900.0);
    call.media.press('5');
    call.media.hears(440.0);
    call.hang_up();
    assert!(switch.log().contains("external media are connected"));
    switch
}

#[test]
fn caller_hears_its_voice_returned_by_rtp() {
    for format in ["ulaw", "slin"] {
        let host = rtp_echo().to_string();
        returns_the_voice_of_the_caller(
            serde_json::json!({"external_host": host, "format": format}),
        );
    }
}

#[test]
fn caller_hears_its_voice_returned_by_audiosocket() {
    let told = Told::default();
    let host = serve(&told, audiosocket_echo).to_string();
    returns_the_voice_of_the_caller(serde_json::json!({
        "external_host": host, "encapsulation": "audiosocket", "transport": "tcp",
        "transport_data": "01020304-0506-0708-090a-0b0c0d0e0f10",
    }));
    let is_over = || told.lock().unwrap().len() == 3;
    assert!(wait(Duration::from_secs(3), is_over), "{told:?}");
    let expected = [
        "1 [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]",
        "3 [53]",
        "0 []",
    ];
    assert_eq!(*told.lock().unwrap(), expected);
}

#[test]
fn caller_hears_its_voice_returned_by_a_websocket() {
    let told = Told::default();
    let host = serve(&told, websocket_echo);
    returns_the_voice_of_the_caller(serde_json::json!({
        "external_host": format!("ws://{host}/voice"), "encapsulation": "none",
        "transport": "websocket", "format": "alaw", "data": "from the flow",
    }));
    let is_over = || told.lock().unwrap().len() == 3;
    assert!(wait(Duration::from_secs(3), is_over), "{told:?}");
    let told = told.lock().unwrap();
    assert!(told[0].contains("\"event\":\"start\"") && told[0].contains("from the flow"));
    assert!(told[1].contains("\"event\":\"dtmf\"") && told[1].contains("\"5\""));
    assert_eq!(told[2], "{\"event\":\"stop\"}");
}

#[test]
fn host_that_the_policy_refuses_is_not_reached_and_the_call_goes_on() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let option = serde_json::json!({"external_host": host, "transport": "tcp"});
    let switch = switch(&option, "");
    let call = Phone::udp(&switch).dial("external");
    let is_told = || switch.log().contains("outbound_http.allow");
    assert!(wait(Duration::from_secs(5), is_told));
    assert!(listener.accept().is_err());
    call.media.press('5');
    call.media.hears(440.0);
    call.hang_up();
}
