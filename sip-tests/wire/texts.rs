//! SIP MESSAGE in and out (RFC 3428).

use std::time::Duration;

use crate::message::Message;
use crate::phone::Phone;
use crate::switch::{Setting, Switch};

const OWN: &str = "+15550123";
const THEIRS: &str = "+15550111";

/// A text to [`OWN`] is sent on to a trunk and to an extension.
fn switch() -> (Switch, Phone) {
    let trunk = Phone::trunk();
    let flow = format!(
        r#"[{{"type": "message_send", "option": {{
            "source": {{"type": "tel", "target": "{OWN}"}},
            "destinations": [{{"type": "tel", "target": "{THEIRS}"}}, {{"type": "extension", "target": "1001"}}],
            "text": "they say: ${{voipbin.message.text}}"}}}}]"#
    );
    let switch = Setting::new()
        .trunk("carrier", &trunk, THEIRS, "")
        .extension("1001")
        .flow("send_on", &flow)
        .config(&format!(
            "[[numbers]]\nnumber = \"{OWN}\"\nmessage_flow = \"send_on\""
        ))
        .start();
    (switch, trunk)
}

fn text(message: &Message) -> String {
    String::from_utf8_lossy(&message.body).into_owned()
}

#[test]
fn text_that_comes_in_runs_the_flow_of_its_number_which_sends_it_on() {
    let (switch, mut trunk) = switch();
    let mut desk = Phone::extension(&switch, "1001");
    let mut sender = Phone::udp(&switch);
    let message = sender
        .request("MESSAGE", &sender.uri(OWN))
        .without("Contact")
        .body("text/plain;charset=UTF-8", "grüße");
    let answer = sender.exchange(&message);
    assert!(
        [200, 202].contains(&answer.status()),
        "{}",
        answer.start_line
    );
    for phone in [&mut trunk, &mut desk] {
        let message = phone.takes("MESSAGE");
        assert_eq!(text(&message), "they say: grüße");
        assert!(message.header("From").unwrap().contains(OWN));
        assert!(
            message
                .header("Content-Type")
                .unwrap()
                .starts_with("text/plain")
        );
    }
}

#[test]
fn text_to_nobody_and_of_a_strange_kind_is_refused() {
    let (switch, _trunk) = switch();
    let mut sender = Phone::udp(&switch);
    let nobody = sender
        .request("MESSAGE", &sender.uri("+15550999"))
        .body("text/plain", "hello");
    assert_eq!(sender.exchange(&nobody).status(), 404);
    let strange = sender
        .request("MESSAGE", &sender.uri(OWN))
        .body("application/x-strange", "hello");
    assert_eq!(sender.exchange(&strange).status(), 415);
}

#[test]
fn resent_text_runs_the_flow_once() {
    let (switch, mut trunk) = switch();
    let mut sender = Phone::udp(&switch);
    let message = sender
        .request("MESSAGE", &sender.uri(OWN))
        .body("text/plain", "once");
    sender.send(&message);
    sender.send(&message);
    assert!(sender.final_response(&message).status() < 300);
    trunk.takes("MESSAGE");
    assert!(
        trunk
            .request_within("MESSAGE", Duration::from_millis(400))
            .is_none()
    );
}
