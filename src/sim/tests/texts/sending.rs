//! Messages that flows send: by which ways, under which rules, and what becomes of them.

use super::*;
use crate::flow::Address;
use crate::sim::phone::Challenge;
use crate::sip::Transport;
use crate::switch::{OutsideAnswer, OutsideFailure};

fn tel(number: &str) -> Address {
    address("tel", number)
}

fn address(kind: &str, target: &str) -> Address {
    Address {
        kind: kind.to_owned(),
        target: target.to_owned(),
        ..Address::default()
    }
}

/// Runs a flow without a call that sends `hello` to these, and then tells a webhook `after`.
fn send(world: &mut World, source: &Value, destinations: &Value) {
    let flow = json!([
        {"type": "message_send", "option": {
            "source": source, "destinations": destinations, "text": "hello",
        }},
        {"type": "webhook_send", "option": {
            "uri": "https://example.com/hook", "method": "POST", "data": "after",
        }},
    ]);
    run(world, flow);
}

/// Runs a flow without a call.
fn run(world: &mut World, flow: Value) {
    let table = world.table(&[("send", flow)], &[]);
    world.input(Input::Flows(table));
    world.reports.clear();
    world.input(Input::Message {
        source: Address::default(),
        destination: Address::default(),
        text: String::new(),
        flow: Some("send".to_owned()),
    });
}

#[test]
fn flow_sends_to_each_of_several_and_goes_on_once() {
    let mut world = texting(749, vec![out("carrier.example")]).build();
    let alice = extension(&mut world, "1000", "first", "10.0.0.21");
    let trunk = world.trunk("carrier.example", "198.51.100.5");
    let host = world.trunk("pbx.example", "10.0.2.1");
    let source = json!({"type": "tel", "target": NUMBER});
    let destinations = json!([
        {"type": "extension", "target": "1000"},
        {"type": "extension", "target": "1001"},
        {"type": "extension", "target": "nobody"},
        {"type": "sip", "target": "bob@pbx.example"},
        {"type": "sip", "target": "eve@198.51.100.77"},
        {"type": "tel", "target": "+1 (555) 111-2222"},
        {"type": "email", "target": "ann@example.com"},
    ]);
    send(&mut world, &source, &destinations);
    world.pass_ms(500);
    let standings = [
        "delivered",
        "failed",
        "failed",
        "delivered",
        "failed",
        "sent",
        "failed",
    ];
    assert_eq!(world.standings(), standings);
    for phone in [alice, trunk, host] {
        assert_eq!(world.at(phone).texts(), ["hello"]);
    }
    let asked = world.messaged(trunk);
    assert_eq!(asked.uri.to_string(), "sip:+15551112222@carrier.example");
    assert_eq!(world.told(), ["after"]);
    assert_eq!(world.strays, [], "nothing left for where nothing may");
    world.settle();
}

#[test]
fn number_goes_to_the_gateway_where_there_is_one_and_to_trunks_where_there_is_none() {
    for (has_gateway, works) in [(true, true), (true, false), (false, true)] {
        let mut plan = texting(750, vec![out("carrier.example")]);
        plan.providers.message = has_gateway;
        let mut world = plan.build();
        if !works {
            world.answering = |request| {
                Some(match request {
                    OutsideRequest::Message(_) => {
                        OutsideAnswer::Failed(OutsideFailure::Unavailable)
                    }
                    _ => OutsideAnswer::Done,
                })
            };
        }
        let trunk = world.trunk("carrier.example", "198.51.100.5");
        let destinations = json!([{"type": "tel", "target": "+15551112222"}]);
        send(&mut world, &json!({}), &destinations);
        world.pass_ms(500);
        assert_eq!(world.at(trunk).texts().is_empty(), has_gateway);
        let gave = |request: &&OutsideRequest| match request {
            OutsideRequest::Message(message) => message.destinations == [tel("+15551112222")],
            _ => false,
        };
        assert_eq!(
            world.asked.iter().filter(gave).count(),
            usize::from(has_gateway)
        );
        assert_eq!(world.standings(), [if works { "sent" } else { "failed" }]);
        assert_eq!(world.told(), ["after"]);
        world.settle();
    }
}

#[test]
fn trunk_gets_a_message_under_its_rules_and_its_account() {
    let trunk = TrunkOut {
        account: Some(Account {
            username: "us".to_owned(),
            password: "secret".to_owned(),
        }),
        tech_prefix: "99#".to_owned(),
        caller_id: Some("+15550001111".to_owned()),
        headers: vec![(HeaderName::parse("X-Token").unwrap(), "abc".into())],
        calls_per_day: 2,
        channels: 1,
        cps: 1,
        ..out("carrier.example")
    };
    let mut world = texting(751, vec![trunk]).build();
    let trunk = world.trunk("carrier.example", "198.51.100.5");
    world.with(trunk, |phone, _| {
        phone.habits.challenge = Some(Challenge::new("carrier.example", "us", "secret"));
    });
    let destinations = json!([
        {"type": "tel", "target": "+15551112222"},
        {"type": "tel", "target": "+15551112223"},
        {"type": "tel", "target": "+15551112224"},
    ]);
    let log = logged(|| {
        send(&mut world, &json!({}), &destinations);
        world.pass_ms(500);
    });
    assert_eq!(world.standings(), ["sent", "sent", "failed"]);
    assert!(log.contains("calls_per_day"), "{log}");
    let asked = world.messaged(trunk);
    assert!(
        asked
            .uri
            .to_string()
            .contains("+15551112223@carrier.example")
    );
    assert!(asked.uri.to_string().starts_with("sip:99"));
    let from = asked.headers.from().unwrap().uri.to_string();
    assert_eq!(from, "sip:+15550001111@carrier.example");
    let token = HeaderName::parse("X-Token").unwrap();
    assert_eq!(asked.headers.get(&token).unwrap(), "abc");
    world.settle();
}

#[test]
fn message_goes_on_to_the_next_trunk_unless_the_reader_has_decided() {
    for (status, is_next) in [
        (503, true),
        (500, true),
        (405, true),
        (404, true),
        (0, true),
        (486, false),
        (603, false),
    ] {
        let second = TrunkOut {
            priority: 2,
            ..out("b.example")
        };
        let mut world = texting(752, vec![out("a.example"), second]).build();
        let first = world.trunk("a.example", "198.51.100.5");
        let second = world.trunk("b.example", "198.51.100.6");
        world.with(first, |phone, _| {
            phone.habits.messaged = status;
            phone.habits.answers = status != 0;
        });
        let destinations = json!([{"type": "tel", "target": "+15551112222"}]);
        send(&mut world, &json!({}), &destinations);
        world.pass(Duration::from_secs(40));
        assert_eq!(
            world.at(second).texts().len(),
            usize::from(is_next),
            "{status}"
        );
        let standing = if is_next { "sent" } else { "failed" };
        assert_eq!(world.standings(), [standing], "{status}");
        assert_eq!(world.told(), ["after"], "{status}");
        world.settle();
    }
}

#[test]
fn message_to_trunks_that_say_nothing_is_given_up_in_time() {
    let names = [
        "a.example",
        "b.example",
        "c.example",
        "d.example",
        "e.example",
    ];
    let mut world = texting(753, names.map(out).into()).build();
    for (name, ip) in names.into_iter().zip(1..) {
        let trunk = world.trunk(name, &format!("198.51.100.{ip}"));
        world.with(trunk, |phone, _| phone.habits.answers = false);
    }
    send(
        &mut world,
        &json!({}),
        &json!([{"type": "tel", "target": "+15551112222"}]),
    );
    world.pass(Duration::from_secs(99));
    assert_eq!(world.standings(), ["queued"]);
    world.pass(Duration::from_secs(2));
    assert_eq!(world.standings(), ["failed"]);
    assert_eq!(world.told(), ["after"]);
    world.settle();
}

#[test]
fn long_message_takes_a_stream_unless_datagrams_are_wanted() {
    for (transport, way) in [(None, "TCP"), (Some(Transport::Udp), "UDP")] {
        let mut trunk = out("carrier.example");
        trunk.host.transport = transport;
        let mut world = texting(756, vec![trunk]).build();
        let trunk = world.trunk("carrier.example", "198.51.100.5");
        let long = "a".repeat(4000);
        let flow = json!([{"type": "message_send", "option": {
            "source": {}, "destinations": [{"type": "tel", "target": "+15551112222"}], "text": long,
        }}]);
        run(&mut world, flow);
        world.pass_ms(500);
        assert_eq!(world.at(trunk).texts(), [long]);
        let via = world.messaged(trunk).headers.top_via().unwrap();
        assert_eq!(via.transport, way);
        assert_eq!(world.standings(), ["sent"]);
        world.settle();
    }
}

#[test]
fn message_to_nobody_or_to_too_many_is_not_sent_and_the_flow_goes_on() {
    let many = vec![json!({"type": "extension", "target": "1000"}); 101];
    for destinations in [json!(many), json!([{"type": "tel", "target": "nonsense"}])] {
        let mut world = texting(754, Vec::new()).build();
        send(&mut world, &json!({}), &destinations);
        world.pass_ms(300);
        assert_eq!(world.told(), ["after"]);
        world.settle();
    }
}
