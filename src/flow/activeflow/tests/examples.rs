//! The example flows, each on its ways through.

use std::path::Path;

use super::*;

/// Runs an example with a caller who presses `digits` at the first wait for digits and nothing after;
/// gives what was ordered, each order by its first word, a talk by its first three.
fn ordered(name: &str, digits: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("examples/flows/{name}.json"));
    let text = std::fs::read_to_string(path).unwrap();
    let mut run = Run::new(&flow(&text), ReferenceType::Call, Limits::default());
    run.flow.start(run.now);
    let (mut digits, mut all) = (digits, Vec::new());
    for _ in 0..200 {
        for order in run.orders() {
            if order.starts_with("hangup") {
                run.tell(FlowEvent::CallEnded);
            }
            let length = if order.starts_with("talk") { 3 } else { 1 };
            all.push(order.split(' ').take(length).collect::<Vec<_>>().join(" "));
        }
        if run.end.is_some() {
            return all;
        }
        if all.last().is_some_and(|last| last == "record") {
            run.tell(FlowEvent::RecordingEnded);
        }
        match run.flow.current_action().map(|current| current.name) {
            Some("digits_receive") => {
                run.press(std::mem::take(&mut digits));
                run.pass(60_000);
            }
            Some("sleep") => run.pass(60_000),
            _ => run.finish(),
        }
    }
    panic!("{name} does not end: {all:?}");
}

#[test]
fn the_menu_leads_to_a_greeting_an_echo_and_a_recording() {
    let start = ["answer", "talk Welcome to"];
    let end = ["talk Good bye.", "hangup", "call"];
    let choice = |digits, between: &[&str]| {
        assert_eq!(
            ordered("menu", digits),
            [&start, between, &end].concat(),
            "{digits}"
        );
    };
    choice("1", &["talk Good morning."]);
    choice("2", &["talk You will", "echo"]);
    choice(
        "3",
        &["talk Speak after", "record", "stop", "talk Thank you."],
    );
    let again = ["talk Sorry, that", "talk Welcome to"];
    choice("", &[&again[..], &again, &again[..1]].concat());
}

#[test]
fn the_other_examples_do_what_their_names_say() {
    assert_eq!(ordered("echo", ""), ["answer", "echo", "hangup", "call"]);
    assert_eq!(
        ordered("voicemail", "1#"),
        [
            "answer",
            "talk Nobody can",
            "record",
            "stop",
            "talk Thank you",
            "hangup",
            "call"
        ]
    );
    assert_eq!(
        ordered("early", ""),
        ["beep", "beep", "answer", "talk The beeps", "hangup", "call"]
    );
    assert_eq!(
        ordered("hours", ""),
        ["answer", "talk We are", "hangup", "call"]
    );
    assert_eq!(ordered("dtmf", ""), ["answer", "send", "hangup", "call"]);
    assert_eq!(
        ordered("hello", ""),
        ["answer", "talk <speak>Hello. <break", "hangup", "call"]
    );
}
