//! Why calls ended, as it is told: code, facts, and the whole as a ladder.

use super::kit::*;
use super::*;
use crate::api::ladder::ladder;
use crate::api::timeline::CallTimeline;
use crate::sim::phone::Called;
use crate::store::access::Accept;
use crate::store::calls::RefusedCall;
use crate::store::timeline::{Timeline, What};
use crate::switch::{Delivery, OutsideAnswer};

impl World {
    fn refused(&self) -> Vec<&RefusedCall> {
        let refused = self.reports.iter().filter_map(|report| match report {
            Report::Refused(refused) => Some(refused.as_ref()),
            _ => None,
        });
        refused.collect()
    }

    /// The ladder of the last call that is over, without its id, which is chance.
    fn explained(&self) -> String {
        let record = *self.records().last().expect("a call is over");
        read_back(&CallTimeline::ended(record))
    }
}

/// As somebody who asks for the JSON sees it.
fn read_back(timeline: &CallTimeline) -> String {
    let json = serde_json::to_string(timeline).unwrap();
    let read: CallTimeline = serde_json::from_str(&json).unwrap();
    assert_eq!(read, *timeline);
    let text = ladder(&read);
    for line in text.lines() {
        assert!(line.chars().count() <= 100, "{line:?}");
    }
    text.replace(&timeline.id.to_string(), "ID")
}

fn codes(record: &CallRecord) -> Vec<String> {
    let findings = record.findings.iter();
    findings.map(|found| found.code.to_string()).collect()
}

#[test]
fn no_ack_is_told_with_the_contact_that_was_not_reached() {
    let mut world = Plan::new(1).flow("patience", patience()).build();
    let phone = world.phone("caller", "10.0.0.21");
    world.with(phone, |phone, _| phone.habits.acks = false);
    world.dial(phone, "patience");
    world.settle();
    assert_eq!(world.explained(), GOLDEN_NO_ACK);
    let records = world.records();
    assert_eq!(records[0].status, Some(200));
    assert_eq!(codes(records[0]), ["no_rtp"], "it never sent any either");
}

#[test]
fn no_common_codec_is_told_with_both_lists() {
    let mut world = menu_world(2);
    let phone = world.phone("caller", "10.0.0.21");
    world.with(phone, |phone, _| phone.habits.offer = Offer::Foreign);
    world.dial(phone, "menu");
    world.settle();
    assert!(world.records().is_empty());
    let refused = world.refused();
    assert_eq!(refused.len(), 1);
    let told = read_back(&CallTimeline::refused(refused[0]));
    assert_eq!(told, GOLDEN_NO_COMMON_CODEC);
}

#[test]
fn a_stranger_is_told_with_the_trunk_that_it_is_nearest_to() {
    let mut plan = trunk_plan(3).flow("menu", menu());
    plan.accept = Accept::Known;
    plan.trunks = vec![("near", "203.0.113.64/26"), ("far", "198.51.100.0/24")];
    let mut world = plan.build();
    let phone = world.phone("caller", "203.0.113.7");
    world.dial(phone, "menu");
    world.pass_ms(400);
    let refused = world.refused();
    let told = read_back(&CallTimeline::refused(refused[0]));
    assert_eq!(told, GOLDEN_STRANGER);
    assert_eq!(refused[0].status, None, "it was not answered");
    world.settle();
}

#[test]
fn a_stranger_that_calls_a_number_of_a_trunk_is_told_so() {
    let mut own = out("carrier.example");
    own.caller_id = Some("+4930123456".to_owned());
    let mut world = plan_with(4, vec![own]).flow("menu", menu()).build();
    let phone = world.phone("caller", "203.0.113.7");
    world.dial(phone, "4930123456");
    world.pass_ms(400);
    assert_eq!(
        world.refused()[0].reason.sentence,
        "203.0.113.7 is no trunk and was not answered: the number +4930123456 exists in trunk \
         \"carrier.example\", but the source is not in its `allowed_ips`"
    );
    world.settle();
}

#[test]
fn no_rtp_is_found_with_where_it_was_expected_from() {
    let echo = json!([{"type": "answer"}, {"type": "echo", "option": {"duration": 5000}}]);
    let mut world = Plan::new(5).flow("echo", echo).build();
    let phone = world.phone("caller", "10.0.0.21");
    world.dial(phone, "echo");
    world.pass_ms(1000);
    world.with(phone, |phone, now| phone.say(now, None));
    world.settle();
    let record = world.records()[0];
    assert_eq!(codes(record), ["no_rtp"]);
    assert_eq!(world.explained(), GOLDEN_NO_RTP);
}

#[test]
fn a_slow_webhook_and_a_slow_fetch_are_found() {
    let flow = json!([
        {"type": "answer"},
        {"type": "webhook_send", "option": {
            "uri": "https://hooks.example/secret?token=1", "method": "POST", "data": "{}",
        }},
        {"type": "fetch", "option": {"event_url": "https://flows.example/next", "event_method": "POST"}},
        {"type": "sleep", "option": {"duration": 5000}},
    ]);
    let mut world = Plan::new(6).flow("hooks", flow).build();
    world.asking = Duration::from_secs(4);
    world.answering = |request| match request {
        crate::switch::OutsideRequest::Fetch { .. } => {
            Some(OutsideAnswer::Body(bytes::Bytes::from_static(b"[]")))
        }
        _ => Some(OutsideAnswer::Done),
    };
    world.delivery = Delivery {
        status: Some(503),
        tries: 3,
        took: Duration::from_secs(2),
    };
    let phone = speaking(&mut world, "caller", "10.0.0.21", 440);
    world.dial(phone, "hooks");
    world.pass(Duration::from_secs(30));
    world.settle();
    let text = world.explained();
    assert!(!text.contains("secret"), "{text}");
    for line in [
        "http: fetch POST flows.example: 200 after",
        "http: webhook POST hooks.example: 503",
        "the webhook to hooks.example answered 503 after 2.0 s",
    ] {
        assert!(text.contains(line), "{text}");
    }
    let found = codes(world.records()[0]);
    assert_eq!(found, ["webhook_slow", "webhook_failed"], "{text}");
}

#[test]
fn busy_is_told_with_what_the_peer_said() {
    let flow = connect_then_talk(&json!({}));
    let mut world = trunk_plan(7).flow("out", flow).build();
    let caller = speaking(&mut world, "alice", "10.0.0.21", 440);
    let trunk = world.trunk("carrier.example", "10.0.1.1");
    world.when_called(trunk, Called::refuses(486));
    world.dial(caller, "out");
    world.pass_ms(9000);
    world.settle();
    let callee = world.records()[0];
    let told = read_back(&CallTimeline::ended(callee));
    assert_eq!(told, GOLDEN_BUSY);
    assert_eq!(callee.status, Some(486));
}

#[test]
fn a_limit_is_told_with_the_trunk_and_the_figure() {
    let mut one = out("carrier.example");
    one.channels = 0;
    let flow = connect_then_talk(&json!({}));
    let mut world = plan_with(8, vec![one]).flow("out", flow).build();
    let caller = speaking(&mut world, "alice", "10.0.0.21", 440);
    world.dial(caller, "out");
    world.pass_ms(9000);
    world.settle();
    let reason = &world.records()[0].reason;
    assert_eq!(reason.code.to_string(), "limit_reached");
    assert_eq!(
        reason.sentence,
        "a limit was reached by every trunk for the number: \"carrier.example\" (channels: 0 calls at once)"
    );
}

#[test]
fn a_flow_that_goes_in_circles_is_told_with_its_limit() {
    let circle =
        json!([{"id": "a", "type": "goto", "option": {"target_id": "a", "loop_count": 100_000}}]);
    let mut world = Plan::new(9).flow("circle", circle).build();
    let phone = world.phone("caller", "10.0.0.21");
    world.dial(phone, "circle");
    world.settle();
    let record = world.records()[0];
    assert_eq!(record.reason.code.to_string(), "limit_reached");
    assert_eq!(
        record.reason.sentence,
        "the flow was ended: limit of 1000 steps without a wait passed"
    );
    assert_eq!(record.path.len(), CallRecord::PATH);
    assert!(record.timeline.iter().count() <= Timeline::FIRST + Timeline::NEWEST);
    assert!(record.timeline.dropped() > 0);
}

#[test]
fn of_a_flood_of_refused_invites_five_in_a_second_are_told_and_the_others_counted() {
    let mut world = Plan::new(10).flow("menu", menu()).build();
    let phone = world.phone("caller", "203.0.113.7");
    for _ in 0..40 {
        let mut invite = String::new();
        world.with(phone, |phone, now| invite = phone.sample_invite(now));
        world.inject(phone, invite.into());
    }
    assert_eq!(world.refused().len(), 5);
    world.pass_ms(1000);
    let mut invite = String::new();
    world.with(phone, |phone, now| invite = phone.sample_invite(now));
    world.inject(phone, invite.into());
    let others: Vec<u64> = world
        .refused()
        .iter()
        .map(|refused| refused.others)
        .collect();
    assert_eq!(others, [0, 0, 0, 0, 0, 35]);
    world.settle();
}

#[test]
fn a_call_with_a_key_a_prompt_and_a_hold_is_told_as_a_whole() {
    let mut world = menu_world(11);
    let phone = speaking(&mut world, "caller", "10.0.0.21", 440);
    world.dial(phone, "menu");
    world.pass_ms(1000);
    world.with(phone, |phone, now| phone.press(now, '2', Key::Event));
    world.pass_ms(200);
    world.with(phone, |phone, now| phone.hold(now, "sendonly"));
    world.pass_ms(300);
    world.with(phone, |phone, now| phone.hold(now, "sendrecv"));
    world.settle();
    let record = world.records()[0];
    let steps: Vec<&str> = record.path.iter().map(|step| step.name).collect();
    assert_eq!(
        steps,
        [
            "answer",
            "talk",
            "digits_receive",
            "branch",
            "talk",
            "hangup"
        ]
    );
    let digits = record.timeline.iter();
    let digits = digits.filter(|moment| moment.what == What::Digit).count();
    assert_eq!(digits, 1);
    assert_eq!(world.explained(), GOLDEN_MENU);
}

mod golden;

use golden::*;
