//! Flows whose actions reach beyond the call, from the action to what the caller notices.

use super::*;
use crate::flow::Address;
use crate::switch::{Input, OutsideAnswer, OutsideFailure, OutsideRequest, Providers};

fn call(plan: Plan, flow: Value) -> (World, PhoneId) {
    let mut world = plan.flow("flow", flow).build();
    let phone = world.phone("caller", "10.0.0.21");
    world.dial(phone, "flow");
    (world, phone)
}

/// The bodies of webhooks.
fn bodies(world: &World) -> Vec<&str> {
    world
        .asked
        .iter()
        .filter_map(|request| match request {
            OutsideRequest::Webhook { body, .. } => Some(body.as_str()),
            _ => None,
        })
        .collect()
}

#[test]
fn fetched_actions_are_run_in_the_middle_and_the_server_is_told_for_whom() {
    let flow = json!([
        {"type": "answer"},
        {"type": "fetch", "option": {"event_url": "https://example.com/next", "event_method": "POST"}},
        {"type": "talk", "option": {"text": "tone 700 300"}},
    ]);
    let mut world = Plan::new(110).flow("flow", flow).build();
    world.answering = |_| {
        let actions = json!([{"type": "talk", "option": {"text": "tone 600 300"}}]);
        Some(OutsideAnswer::Body(actions.to_string().into()))
    };
    let phone = world.phone("caller", "10.0.0.21");
    world.dial(phone, "flow");
    world.pass_ms(100);
    let ids = ["voipbin.activeflow.id", "voipbin.call.id"]
        .map(|name| world.switch.variable(name).unwrap_or_default().to_owned());
    world.pass_ms(2000);
    assert_eq!(world.at(phone).tones(), [600, 700]);
    let [OutsideRequest::Fetch { url, method, body }] = &world.asked[..] else {
        panic!("not one fetch: {:?}", world.asked);
    };
    assert_eq!(
        (url.as_str(), method.as_str()),
        ("https://example.com/next", "POST")
    );
    let body: Value = serde_json::from_str(body).unwrap();
    assert_eq!(
        body,
        json!({"activeflow_id": ids[0], "reference_id": ids[1]})
    );
    world.settle();
}

#[test]
fn fetch_that_fails_ends_the_call() {
    let flow = json!([
        {"type": "answer"},
        {"type": "fetch", "option": {"event_url": "https://example.com/next"}},
        {"type": "talk", "option": {"text": "tone 700 300"}},
    ]);
    let (mut world, phone) = call(Plan::new(111), flow);
    world.pass_ms(1000);
    assert_eq!(world.at(phone).tones(), [0; 0]);
    assert_eq!(world.state(phone), BY_SWITCH);
    world.settle();
}

#[test]
fn webhook_is_waited_for_only_where_it_is_asked_and_its_failure_is_passed_by() {
    for (seed, sync) in [(112, false), (113, true)] {
        let flow = json!([
            {"type": "answer"},
            {"type": "webhook_send", "option": {
                "sync": sync, "uri": "https://example.com/hook", "method": "POST",
                "data_type": "application/json", "data": "{\"call\": \"${voipbin.call.id}\"}",
            }},
            {"type": "talk", "option": {"text": "tone 700 300"}},
        ]);
        let mut world = Plan::new(seed).flow("flow", flow).build();
        world.asking = Duration::from_secs(1);
        world.answering = |_| Some(OutsideAnswer::Failed(OutsideFailure::Busy));
        let phone = world.phone("caller", "10.0.0.21");
        world.dial(phone, "flow");
        world.pass_ms(300);
        assert_eq!(world.hears(phone).is_none(), sync);
        world.pass_ms(2000);
        assert_eq!(world.at(phone).tones(), [700]);
        let sent: Value = serde_json::from_str(bodies(&world)[0]).unwrap();
        assert!(
            sent["call"].as_str().is_some_and(|id| id.len() == 36),
            "{sent}"
        );
        world.settle();
    }
}

#[test]
fn words_of_the_caller_are_in_a_variable() {
    let flow = json!([
        {"type": "answer"},
        {"type": "transcribe_start", "option": {"language": "en-US"}},
        {"type": "sleep", "option": {"duration": 5000}},
        {"type": "transcribe_stop"},
        {"type": "webhook_send", "option": {
            "uri": "https://example.com/hook", "method": "POST", "data": "${voipbin.transcribe.text}",
        }},
        {"type": "sleep", "option": {"duration": 1000}},
    ]);
    let (mut world, phone) = call(Plan::new(114), flow);
    world.pass_ms(500);
    world.with(phone, |phone, now| phone.say(now, Some(900)));
    world.pass_ms(1000);
    world.with(phone, |phone, now| phone.say(now, None));
    world.pass_ms(4500);
    assert_eq!(bodies(&world), ["hello"]);
    world.settle();
}

#[test]
fn flow_goes_on_when_the_time_of_a_talk_is_over() {
    let flow = json!([
        {"type": "answer"},
        {"type": "ai_talk", "option": {"assistance_type": "ai", "duration": 3}},
        {"type": "talk", "option": {"text": "tone 700 300"}},
    ]);
    let (mut world, phone) = call(Plan::new(115), flow);
    world.pass_ms(2000);
    assert_eq!(world.at(phone).tones(), [500], "the assistant");
    world.pass_ms(2000);
    assert_eq!(world.at(phone).tones(), [500, 700]);
    world.settle();
}

#[test]
fn talk_without_a_server_ends_the_flow_and_a_transcription_does_not() {
    for (seed, action, survives) in [(116, "ai_talk", false), (117, "transcribe_start", true)] {
        let flow = json!([
            {"type": "answer"},
            {"type": action, "option": {}},
            {"type": "talk", "option": {"text": "tone 700 300"}},
        ]);
        let mut plan = Plan::new(seed);
        plan.providers = Providers::default();
        let (mut world, phone) = call(plan, flow);
        world.pass_ms(1000);
        let expected: &[u16] = if survives { &[700] } else { &[] };
        assert_eq!(world.at(phone).tones(), expected, "{action}");
        world.settle();
    }
}

#[test]
fn machine_is_hung_up_on_and_a_person_is_talked_to() {
    let flow = json!([
        {"type": "answer"},
        {"type": "amd", "option": {"machine_handle": "hangup", "async": false}},
        {"type": "talk", "option": {"text": "tone 700 300"}},
        {"type": "sleep", "option": {"duration": 1000}},
    ]);
    // Says a word; talks on and on.
    for (seed, words, tones) in [(118, 1, &[700][..]), (119, 12, &[])] {
        let (mut world, phone) = call(Plan::new(seed), flow.clone());
        world.pass_ms(600);
        for _ in 0..words {
            // A voice that stayed on one tone would be the beep of a machine.
            for hertz in [500, 800, 600, 900, 700] {
                world.with(phone, |phone, now| phone.say(now, Some(hertz)));
                world.pass_ms(80);
            }
            world.with(phone, |phone, now| phone.say(now, None));
            world.pass_ms(200);
        }
        world.pass_ms(1500);
        assert_eq!(world.at(phone).tones(), tones, "{words} words");
        let result = world
            .switch
            .variable("voipbin.amd.result")
            .map(str::to_owned);
        assert_eq!(result.as_deref(), (words == 1).then_some("person"));
        world.pass_ms(3000);
        assert_eq!(world.state(phone), BY_SWITCH);
        world.settle();
    }
}

#[test]
fn message_starts_a_flow_that_answers_in_the_conversation() {
    let flow = json!([
        {"type": "webhook_send", "option": {
            "uri": "https://example.com/hook", "method": "POST", "data": "${voipbin.message.text}",
        }},
        {"type": "talk", "option": {"text": "tone 400 500"}},
        {"type": "conversation_send", "option": {
            "conversation_id": "${voipbin.conversation.id}", "text": "thank you", "sync": true,
        }},
        {"type": "ai_talk", "option": {}},
    ]);
    let mut world = Plan::new(120).flow("sms", flow).build();
    let tel = |number: &str| Address {
        kind: "tel".to_owned(),
        target: number.to_owned(),
        ..Address::default()
    };
    world.input(Input::Message {
        source: tel("+15550101"),
        destination: tel("+15550100"),
        text: "are you open?".to_owned(),
        flow: Some("sms".to_owned()),
    });
    world.pass_ms(1000);
    assert_eq!(bodies(&world), ["are you open?"]);
    let sent: Vec<&str> = world
        .asked
        .iter()
        .filter_map(|request| match request {
            OutsideRequest::Message(message) => {
                assert_eq!(message.destinations, [tel("+15550101")]);
                Some(message.text.as_str())
            }
            _ => None,
        })
        .collect();
    assert_eq!(
        sent,
        ["thank you", "tone 500 300"],
        "and what the assistant wrote"
    );
    let talk = world.asked.iter().find_map(|request| match request {
        OutsideRequest::Chat { messages } => Some(messages),
        _ => None,
    });
    let said: Vec<&str> = talk
        .unwrap()
        .iter()
        .map(|one| one.content.as_str())
        .collect();
    assert_eq!(said[1..], ["are you open?", "thank you"]);
    assert_eq!(world.switch.activeflows(), 0);
    world.settle();
}

#[test]
fn flow_that_follows_a_transcription_knows_what_was_said() {
    let flow = json!([
        {"type": "answer"},
        {"type": "recording_start", "option": {"duration": 1}},
        {"type": "sleep", "option": {"duration": 2000}},
        {"type": "transcribe_recording", "option": {"language": "en", "on_end_flow_id": "after"}},
        {"type": "sleep", "option": {"duration": 2000}},
    ]);
    let after = json!([{"type": "webhook_send", "option": {
        "uri": "https://example.com/hook", "method": "POST", "data": "${voipbin.transcribe.text}",
    }}]);
    let (mut world, phone) = call(Plan::new(121).flow("after", after), flow);
    world.pass_ms(3000);
    assert_eq!(bodies(&world), ["hello\nhello"], "both sides");
    world.hang_up(phone);
    world.settle();
}

#[test]
fn summaries_that_follow_each_other_come_to_an_end() {
    let flow = json!([
        {"type": "answer"},
        {"type": "transcribe_start", "option": {}},
        {"type": "sleep", "option": {"duration": 3000}},
        {"type": "webhook_send", "option": {
            "uri": "https://example.com/hook", "method": "POST", "data": "${voipbin.transcribe.id}",
        }},
        {"type": "sleep", "option": {"duration": 60_000}},
    ]);
    let (mut world, phone) = call(Plan::new(122), flow);
    world.pass_ms(500);
    world.with(phone, |phone, now| phone.say(now, Some(900)));
    world.pass_ms(1000);
    world.with(phone, |phone, now| phone.say(now, None));
    world.pass_ms(2500);
    let id = bodies(&world)[0].to_owned();
    let again = json!([{"type": "ai_summary", "option": {
        "reference_type": "transcribe", "reference_id": id, "language": "en", "on_end_flow_id": "again",
    }}]);
    let table = world.table(&[("again", again)], &[]);
    world.input(Input::Flows(table));
    world.input(Input::Message {
        source: Address::default(),
        destination: Address::default(),
        text: String::new(),
        flow: Some("again".to_owned()),
    });
    world.pass_ms(10_000);
    let summaries = world
        .asked
        .iter()
        .filter(|request| matches!(request, OutsideRequest::Chat { .. }));
    assert_eq!(summaries.count(), 5);
    world.hang_up(phone);
    world.settle();
}
