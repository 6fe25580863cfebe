//! What flows reach beyond the call, with real sockets: actions fetched, words transcribed, a webhook and
//! a message sent.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crate::phone::Phone;
use crate::rtp::wait;
use crate::sound;
use crate::switch::Setting;

type Asked = Arc<Mutex<Vec<(String, String)>>>;

/// A web server that answers by path and keeps each request: its path and the whole of it.
fn server(asked: &Asked) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let asked = Arc::clone(asked);
    thread::spawn(move || {
        for stream in listener.incoming() {
            answer(stream.unwrap(), &asked);
        }
    });
    address
}

fn answer(mut stream: TcpStream, asked: &Asked) {
    let mut request = Vec::new();
    let mut chunk = [0; 4096];
    while !is_whole(&request) {
        match stream.read(&mut chunk) {
            Ok(length) if length > 0 => request.extend_from_slice(&chunk[..length]),
            _ => return,
        }
    }
    let text = String::from_utf8_lossy(&request).into_owned();
    let path = text.split(' ').nth(1).unwrap().to_owned();
    let body = match path.as_str() {
        "/next" => r#"[{"type": "play", "option": {"stream_urls": ["440.wav"]}}]"#,
        "/transcriptions" => r#"{"text": "good morning"}"#,
        _ => "",
    };
    asked.lock().unwrap().push((path, text));
    let length = body.len();
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
    let _ = stream.write_all(format!("{head}{body}").as_bytes());
}

fn is_whole(request: &[u8]) -> bool {
    let Some(end) = request.windows(4).position(|window| window == b"\r\n\r\n") else {
        return false;
    };
    let head = String::from_utf8_lossy(&request[..end]).to_ascii_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    let length: usize = length.map_or(0, |length| length.parse().unwrap());
    request.len() >= end + 4 + length
}

#[test]
fn flow_fetches_actions_hears_words_and_tells_them_by_webhook_and_message() {
    let asked = Asked::default();
    let address = server(&asked);
    let flow = serde_json::json!([
        {"type": "answer"},
        {"type": "transcribe_start", "option": {"language": "en-US", "direction": "in"}},
        {"type": "fetch", "option": {"event_url": format!("http://{address}/next")}},
        {"type": "webhook_send", "option": {
            "sync": true, "uri": format!("http://{address}/hook"), "method": "POST",
            "data_type": "text/plain", "data": "heard: ${voipbin.transcribe.text}",
        }},
        {"type": "message_send", "option": {
            "source": {"type": "tel", "target": "+15550100"},
            "destinations": [{"type": "tel", "target": "+15550101"}],
            "text": "${voipbin.transcribe.text}",
        }},
        {"type": "sleep", "option": {"duration": 20000}},
    ]);
    let switch = Setting::new()
        .flow("outside", &flow.to_string())
        .config("[outbound_http]\nallow = [\"127.0.0.0/8\"]")
        .config(&format!(
            "[transcription]\nurl = \"http://{address}/transcriptions\""
        ))
        .config(&format!(
            "[message]\nurl = \"http://{address}/sms\"\nkey = \"secret\""
        ))
        .start();
    let call = Phone::udp(&switch).dial("outside");
    call.media.play(&sound::tone(&[900.0], 800, 8000.0));
    call.media.hears(440.0);
    let has = |path: &str| asked.lock().unwrap().iter().any(|(known, _)| known == path);
    assert!(wait(Duration::from_secs(10), || has("/hook") && has("/sms")));
    call.hang_up();
    let of = |path: &str| {
        let asked = asked.lock().unwrap();
        let found = asked.iter().find(|(known, _)| known == path);
        found.unwrap().1.clone()
    };
    assert!(of("/next").contains("\"activeflow_id\":"));
    assert!(of("/transcriptions").contains("filename=\"speech.wav\""));
    assert!(of("/hook").ends_with("\r\n\r\nheard: good morning"));
    let sms = of("/sms");
    assert!(
        sms.contains("Bearer secret") && sms.contains("\"text\":\"good morning\""),
        "{sms}"
    );
}
