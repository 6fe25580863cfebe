//! The switch as a service: HTTP by hand against the real binary.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

use crate::phone::Phone;
use crate::switch::{Setting, Switch};

/// One request on a connection of its own: status and body.
#[track_caller]
fn ask(switch: &Switch, method: &str, path: &str, key: Option<&str>, body: &str) -> (u16, Value) {
    let mut stream = TcpStream::connect(switch.http()).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    let authorization = key.map_or_else(String::new, |key| {
        format!("Authorization: Bearer {key}\r\n")
    });
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: switch\r\nConnection: close\r\n{authorization}Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body).unwrap_or(Value::Null))
}

#[test]
fn flows_are_listed_for_who_has_the_key_and_a_new_one_takes_calls_at_once() {
    let mut switch = Setting::new().start();
    let key = switch.access_key();
    let (status, refused) = ask(&switch, "GET", "/v1.0/flows", None, "");
    assert_eq!(status, 401);
    assert_eq!(refused["error"]["reason"], "AUTHENTICATION_REQUIRED");
    let (status, flows) = ask(&switch, "GET", "/v1.0/flows", Some(&key), "");
    assert_eq!(status, 200);
    assert_eq!(flows["result"][0]["name"], "tone");

    let flow = r#"{"name": "fresh", "actions": [{"type": "answer"},
        {"type": "play", "option": {"stream_urls": ["440.wav"]}}, {"type": "hangup"}]}"#;
    let (status, made) = ask(&switch, "POST", "/v1.0/flows", Some(&key), flow);
    assert_eq!(status, 200, "{made}");
    let number = format!(
        r#"{{"number": "+15551110000", "call_flow_id": {}}}"#,
        made["id"]
    );
    let (status, _) = ask(&switch, "POST", "/v1.0/numbers", Some(&key), &number);
    assert_eq!(status, 200);
    for user in ["fresh", "+15551110000"] {
        let call = Phone::udp(&switch).dial(user);
        call.media.hears(440.0);
        call.hang_up();
    }
    let (status, ready) = ask(&switch, "GET", "/readyz", None, "");
    assert_eq!((status, &ready["ready"]), (200, &Value::Bool(true)));
    assert!(
        !switch
            .log()
            .lines()
            .any(|line| line.contains(&key) && !line.contains("access key:"))
    );
    switch.terminate();
    assert!(switch.exit_within(Duration::from_secs(10)).success());
}
