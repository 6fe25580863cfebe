//! Messages bent at random: nothing panics, nothing grows, and calls still work.

use std::time::Duration;

use super::kit::{ANSWER, Bench, Caller, OFFER, config, udp};
use crate::ids::Rng;
use crate::sip::message::{Response, Status};
use crate::sip::{DialogId, EndpointConfig, Event, Limits};

/// A script of one call with everything in it, told by one caller.
fn script(number: u32) -> Vec<String> {
    let mut caller = Caller::new(&format!("h{number}"));
    caller.headers = "Supported: timer\r\nSession-Expires: 120;refresher=uac\r\n".into();
    let mut lines = vec![caller.invite(OFFER), caller.cancel(), caller.ack("")];
    caller.to_tag = "guess".into();
    let relay = "Content-Type: application/dtmf-relay\r\n";
    lines.push(caller.ack(ANSWER));
    lines.push(caller.next("INVITE", "", OFFER));
    lines.push(caller.next("UPDATE", "", OFFER));
    lines.push(caller.next("INFO", relay, "Signal=5\r\n"));
    lines.push(caller.next("REGISTER", "Expires: 60\r\n", ""));
    lines.push(caller.next("BYE", "", ""));
    lines.push(lines[0].replacen("INVITE sip:menu@10.0.0.1 SIP/2.0", "SIP/2.0 200 OK", 1));
    lines
}

fn bend(rng: &mut Rng, text: &str) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for _ in 0..rng.below(4) {
        let at = usize::try_from(rng.below(u32::try_from(bytes.len()).unwrap_or(1))).unwrap_or(0);
        match rng.below(4) {
            0 => bytes.truncate(at),
            1 => bytes[at] = u8::try_from(32 + rng.below(95)).unwrap_or(b' '),
            2 => {
                bytes.remove(at);
            }
            _ => bytes.insert(
                at,
                b";<>\":,@ \r\n="[usize::try_from(rng.below(11)).unwrap_or(0)],
            ),
        }
        if bytes.is_empty() {
            break;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Does with every piece of news something a hurried owner might do; notes every call.
fn react(bench: &mut Bench, rng: &mut Rng, calls: &mut Vec<DialogId>) {
    for event in bench.events() {
        let choice = rng.below(5);
        if let Event::Invited { dialog, .. } = event {
            calls.push(dialog);
        }
        bench.act(|endpoint, now| match event {
            Event::Invited { dialog, .. } => match choice {
                0 => endpoint.ignore(now, dialog),
                1 => endpoint.refuse(now, dialog, Status::BUSY_HERE, Vec::new()),
                2 => endpoint.ring(now, dialog, Some(ANSWER.into())),
                3 => endpoint.bye(now, dialog, None),
                _ => endpoint.answer(now, dialog, ANSWER.into()),
            },
            Event::Offered { dialog, .. } if choice == 0 => {
                endpoint.refuse_offer(now, dialog, Status::NOT_ACCEPTABLE_HERE);
            }
            Event::Offered { dialog, .. } => endpoint.answer_offer(now, dialog, ANSWER.into()),
            Event::Digit { dialog, .. } => endpoint.bye(now, dialog, None),
            Event::Request {
                request, message, ..
            } => {
                endpoint.respond(now, request, Response::to(&message, Status::OK));
            }
            _ => {}
        });
    }
}

#[test]
fn bent_messages_neither_panic_nor_pile_up_and_calls_still_work() {
    let seed = 20;
    println!("seed {seed}");
    let mut rng = Rng::from_number(seed);
    let limits = Limits {
        transactions: 200,
        dialogs: 50,
    };
    let config = EndpointConfig {
        session_expires: Duration::from_secs(120),
        limits,
        ..config()
    };
    let mut bench = Bench::with(config, udp());
    bench.is_strict = false;
    let mut calls = Vec::new();
    for round in 0..3000 {
        for line in script(round % 40) {
            let line = bend(&mut rng, &line);
            let trusted = rng.below(4) > 0;
            bench.hear_from(bench.hop, &line, trusted);
            react(&mut bench, &mut rng, &mut calls);
        }
        if round % 10 == 0 {
            bench.pass(Duration::from_millis(u64::from(rng.below(3000))));
        }
        let stats = bench.endpoint.stats();
        assert!(
            stats.transactions <= 400 && stats.dialogs <= 50,
            "{stats:?}"
        );
        bench.sent();
    }
    for dialog in calls {
        bench.act(|endpoint, now| endpoint.bye(now, dialog, None));
    }
    bench.pass(Duration::from_secs(600));
    bench.sent();
    bench.events();
    let stats = bench.endpoint.stats();
    assert_eq!((stats.transactions, stats.dialogs), (0, 0), "{stats:?}");
    let mut caller = Caller::new("good");
    bench.call(&mut caller);
    bench.hear(&caller.next("BYE", "", ""));
    assert_eq!(bench.words(), ["200 BYE"]);
}
