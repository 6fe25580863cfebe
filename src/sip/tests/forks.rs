//! Calls of ours that many telephones answer (RFC 3261 §13.2.2.4).

use std::time::Duration;

use super::kit::{ANSWER, Bench, OFFER, branch, order, reply, udp};
use super::outgoing::{assert_nothing_is_left, told};
use crate::sip::message::{HeaderName, Message, Method, Request};

const SECOND: Duration = Duration::from_secs(1);

/// Methods and targets of the requests that left.
fn requests(bench: &mut Bench) -> Vec<(Method, String)> {
    bench
        .sent()
        .iter()
        .map(|(_, _, message)| match message {
            Message::Request(request) => (request.method.clone(), target(request)),
            Message::Response(response) => panic!("{response:?}"),
        })
        .collect()
}

fn target(request: &Request) -> String {
    request.uri.user().unwrap_or_default().to_owned()
}

#[test]
fn branches_that_ring_are_told_apart_and_the_newest_description_counts() {
    let mut bench = Bench::new();
    let (_, invite) = bench.dial(order(udp()));
    for (status, tag, sdp) in [
        (180, "bob", ""),
        (180, "ann", ""),
        (183, "bob", ANSWER),
        (180, "ann", ""),
        (183, "ann", OFFER),
        (183, "bob", ANSWER),
    ] {
        bench.hear(&branch(&invite, status, tag, sdp));
    }
    assert_eq!(
        told(&mut bench),
        [
            "progress 180",
            "progress 180",
            "progress 183 sdp",
            "progress 183 sdp"
        ]
    );
}

#[test]
fn the_first_answer_is_the_call_and_every_other_is_hung_up() {
    let mut bench = Bench::new();
    let (dialog, invite) = bench.dial(order(udp()));
    bench.hear(&branch(&invite, 180, "ann", ""));
    bench.hear(&branch(&invite, 200, "bob", ANSWER));
    assert_eq!(told(&mut bench), ["progress 180", "accepted sdp"]);
    assert_eq!(requests(&mut bench), [(Method::Ack, "bob".into())]);
    bench.hear(&branch(&invite, 200, "ann", OFFER));
    let of_ann = [
        (Method::Ack, "ann".to_owned()),
        (Method::Bye, "ann".to_owned()),
    ];
    assert_eq!(requests(&mut bench), of_ann);
    for tag in ["ann", "bob", "ann"] {
        bench.hear(&branch(&invite, 200, tag, ANSWER));
        assert_eq!(requests(&mut bench), [(Method::Ack, tag.into())]);
    }
    assert!(bench.events().is_empty());
    bench.act(|endpoint, now| endpoint.bye(now, dialog, None));
    assert_nothing_is_left(&mut bench);
}

#[test]
fn the_bye_to_a_branch_counts_on_from_its_prack() {
    let mut bench = Bench::new();
    let (_, invite) = bench.dial(order(udp()));
    let reliable = "\r\nRequire: 100rel\r\nRSeq: 7\r\n";
    bench.hear(&branch(&invite, 183, "ann", ANSWER).replacen("\r\n", reliable, 1));
    let prack = bench.request();
    assert_eq!(
        prack.headers.get(&HeaderName::CSeq),
        Some(&"2 PRACK".into())
    );
    bench.hear(&branch(&invite, 200, "bob", ANSWER));
    bench.sent();
    bench.hear(&branch(&invite, 200, "ann", ANSWER));
    let sent = bench.sent();
    let [_, (_, _, Message::Request(bye))] = sent.as_slice() else {
        panic!("{sent:?}");
    };
    assert_eq!(bye.headers.get(&HeaderName::CSeq), Some(&"3 BYE".into()));
}

#[test]
fn answers_that_come_after_the_call_is_over_are_still_dealt_with() {
    let mut bench = Bench::new();
    let (dialog, invite) = bench.outgoing(order(udp()));
    bench.act(|endpoint, now| endpoint.bye(now, dialog, None));
    let bye = bench.request();
    bench.hear(&reply(&bye, 200, "", ""));
    assert_eq!(bench.endpoint.stats().dialogs, 0);
    bench.hear(&branch(&invite, 200, "bob", ANSWER));
    bench.hear(&branch(&invite, 200, "ann", ANSWER));
    assert_eq!(bench.words(), ["ACK", "ACK", "BYE"]);
    bench.pass(33 * SECOND);
    bench.sent();
    bench.hear(&branch(&invite, 200, "eve", ANSWER));
    assert!(bench.words().is_empty(), "Timer M is over");
    assert_nothing_is_left(&mut bench);
}

#[test]
fn more_branches_than_can_be_are_counted_and_hung_up_without_memory() {
    let mut bench = Bench::new();
    let (dialog, invite) = bench.dial(order(udp()));
    for number in 0..20 {
        bench.hear(&branch(&invite, 180, &format!("t{number}"), ""));
    }
    assert_eq!(bench.events().len(), 8);
    for number in 0..100 {
        bench.hear(&branch(&invite, 200, &format!("t{number}"), ANSWER));
    }
    assert_eq!(bench.sent().len(), 1 + 2 * 99);
    assert_eq!(bench.endpoint.stats().surplus_forks, 12 + 92);
    assert_eq!(bench.endpoint.stats().transactions, 1 + 7);
    bench.act(|endpoint, now| endpoint.bye(now, dialog, None));
    bench.events();
    assert_nothing_is_left(&mut bench);
}

#[test]
fn an_answer_from_a_branch_that_never_rang_is_the_call_too() {
    let mut bench = Bench::new();
    let (_, invite) = bench.dial(order(udp()));
    for number in 0..8 {
        bench.hear(&branch(&invite, 180, &format!("t{number}"), ""));
    }
    bench.hear(&branch(&invite, 200, "bob", ANSWER));
    assert_eq!(requests(&mut bench), [(Method::Ack, "bob".into())]);
}

#[test]
fn the_dialog_takes_target_and_routes_from_the_answer_in_reverse() {
    let mut bench = Bench::new();
    let (_, invite) = bench.dial(order(udp()));
    let ok = branch(&invite, 200, "bob", ANSWER).replacen(
        "\r\n",
        "\r\nRecord-Route: <sip:10.0.0.7;lr>, <sip:10.0.0.8;lr>\r\n",
        1,
    );
    bench.hear(&ok);
    let sent = bench.sent();
    let [(_, hop, Message::Request(ack))] = sent.as_slice() else {
        panic!("{sent:?}");
    };
    let routes: Vec<_> = ack.headers.get_all(&HeaderName::Route).collect();
    assert_eq!(routes, ["<sip:10.0.0.8;lr>", "<sip:10.0.0.7;lr>"]);
    assert_eq!(ack.uri.to_string(), "sip:bob@10.0.0.9:5070");
    assert_eq!(hop.remote, super::kit::address("10.0.0.8:5060"));
}

#[test]
fn a_telephone_behind_a_nat_is_reached_where_it_was_called() {
    let mut bench = Bench::new();
    let mut order = order(udp());
    order.uri = crate::sip::message::Uri::parse(b"sip:bob@192.168.1.7:5070").expect("a URI");
    let (_, invite) = bench.dial(order);
    assert_eq!(invite.uri.to_string(), "sip:bob@192.168.1.7:5070");
    let ok = branch(&invite, 200, "bob", ANSWER).replace("bob@10.0.0.9:5070", "bob@192.168.1.7");
    bench.hear(&ok);
    let (_, hop, _) = bench.sent().remove(0);
    assert_eq!(hop, udp());
}
