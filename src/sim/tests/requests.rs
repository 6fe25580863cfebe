//! What is asked for from outside that is no verb of a call: flows, messages, transcriptions, what follows
//! recordings.

use uuid::Uuid;

use super::interrupts::{called, record};
use super::*;
use crate::flow::dialect::{Support, parse_flow};
use crate::flow::{Address, CallFlow, RecordingOptions, TranscribeOptions};
use crate::ids::{ActiveflowId, RecordingId, Rng};
use crate::store::transcripts::TranscribeOf;
use crate::switch::{CallVerb, Control, ControlError, Controlled, FlowVerb, Input, OutsideRequest};

/// Tells a server who it is, waits to be resumed, and tells it again.
fn told() -> Value {
    let tell = |data: &str| {
        json!({"type": "webhook_send", "option": {
            "uri": "https://example.com/hook", "method": "POST", "data": data,
        }})
    };
    json!([
        tell("${name} ${voipbin.activeflow.reference_type}"),
        {"type": "talk", "option": {"text": "nobody hears it"}},
        {"id": "wait", "type": "block"},
        tell("resumed"),
    ])
}

/// The bodies of webhooks.
fn bodies(world: &World) -> Vec<&str> {
    let webhooks = world.asked.iter().filter_map(|request| match request {
        OutsideRequest::Webhook { body, .. } => Some(body.as_str()),
        _ => None,
    });
    webhooks.collect()
}

fn run(id: Option<ActiveflowId>, flow: CallFlow, name: &str) -> Control {
    Control::CreateActiveflow {
        id,
        flow,
        variables: vec![("name".to_owned(), name.to_owned())],
    }
}

fn stored(name: &str) -> CallFlow {
    CallFlow::Stored(name.to_owned())
}

fn inline(flow: &Value) -> CallFlow {
    let text = flow.to_string();
    let mut rng = Rng::from_number(1);
    let flow = parse_flow(text.as_bytes(), "inline", &mut rng, Support::Live);
    CallFlow::Inline(flow.expect("a sound flow").into())
}

#[test]
fn a_flow_without_a_call_runs_at_once_blocks_tells_its_variables_and_is_resumed() {
    for (seed, flow) in [(910, stored("told")), (911, inline(&told()))] {
        let mut world = Plan::new(seed).flow("told", told()).build();
        let id = ActiveflowId(Uuid::from_u128(5));
        let made = world.controls(run(Some(id), flow.clone(), "ann"));
        assert_eq!(made, Ok(Controlled::Activeflow(id)));
        assert_eq!(bodies(&world), ["ann api"]);
        let verb = |verb| Control::Activeflow {
            activeflow: id,
            verb,
        };
        let Ok(Controlled::Variables(variables)) = world.controls(verb(FlowVerb::Variables)) else {
            panic!("no variables");
        };
        assert_eq!(variables["name"], "ann");
        assert_eq!(variables["voipbin.activeflow.id"], id.to_string());
        assert_eq!(
            world.control(run(Some(id), flow.clone(), "bob")),
            Err(ControlError::ActiveflowExists)
        );
        let resume = FlowVerb::Resume {
            current_action: None,
        };
        assert_eq!(world.control(verb(resume)), Ok(()));
        assert_eq!(bodies(&world), ["ann api", "resumed"]);
        let over = world.control(verb(FlowVerb::Variables));
        assert_eq!(over, Err(ControlError::NoSuchActiveflow));
        assert!(world.controls(run(Some(id), flow, "again")).is_ok());
        assert_eq!(world.control(verb(FlowVerb::Stop)), Ok(()));
        world.settle();
    }
}

#[test]
fn flows_that_are_not_there_too_many_or_too_late_are_not_run() {
    let mut plan = Plan::new(912).flow("told", told());
    plan.calls = 2;
    let mut world = plan.build();
    let missing = ControlError::NoSuchFlow {
        flow: "nowhere".to_owned(),
    };
    assert_eq!(
        world.control(run(None, stored("nowhere"), "ann")),
        Err(missing)
    );
    for name in ["ann", "bob"] {
        assert_eq!(world.control(run(None, stored("told"), name)), Ok(()));
    }
    let full = ControlError::TooManyActiveflows { limit: 2 };
    assert_eq!(world.control(run(None, stored("told"), "eve")), Err(full));
    for activeflow in world.switch.names().1 {
        let verb = FlowVerb::Stop;
        let stop = Control::Activeflow { activeflow, verb };
        assert_eq!(world.control(stop), Ok(()));
    }
    world.settle();
    world.input(Input::Stop);
    assert_eq!(
        world.control(run(None, stored("told"), "late")),
        Err(ControlError::Stopping)
    );
}

/// Tells a server whose recording it was, what its call knew, and that it belongs to none.
fn minutes() -> Value {
    json!([
        {"type": "talk", "option": {"text": "nobody hears it"}},
        {"type": "webhook_send", "option": {
            "uri": "https://example.com/minutes", "method": "POST",
            "data": "${who}|${voipbin.activeflow.reference_type}|${voipbin.recording.reference_type}|${voipbin.recording.id}",
        }},
    ])
}

fn recorded_flow() -> Value {
    json!([
        {"type": "answer"},
        {"type": "variable_set", "option": {"key": "who", "value": "${voipbin.call.source.target}"}},
        {"type": "sleep", "option": {"duration": 60_000}},
    ])
}

#[test]
fn a_flow_follows_a_recording_when_its_files_are_complete_and_inherits_what_the_call_knew() {
    for is_hung_up in [false, true] {
        let plan = Plan::new(913).flow("minutes", minutes());
        let (mut world, phone) = called(plan, recorded_flow());
        let options = RecordingOptions {
            on_end_flow_id: Some("minutes".to_owned()),
            ..RecordingOptions::default()
        };
        let call = world.call();
        let verb = CallVerb::StartRecording { options };
        let begun = world.controls(Control::Call { call, verb });
        let Ok(Controlled::Recording(RecordingId(recording))) = begun else {
            panic!("{begun:?}");
        };
        world.pass_ms(1000);
        assert_eq!(bodies(&world), [""; 0]);
        match is_hung_up {
            true => world.hang_up(phone),
            false => assert_eq!(world.ask(CallVerb::StopRecording), Ok(())),
        }
        world.pass_ms(1000);
        let told = format!("caller@10.0.0.21||call|{recording}");
        assert_eq!(bodies(&world), [told], "{is_hung_up}");
        world.hang_up(phone);
        world.settle();
    }
}

#[test]
fn a_flow_names_what_follows_its_recording_too() {
    let flow = json!([
        {"type": "answer"},
        {"type": "variable_set", "option": {"key": "who", "value": "me"}},
        {"type": "recording_start", "option": {"on_end_flow_id": "minutes"}},
        {"type": "sleep", "option": {"duration": 500}},
        {"type": "recording_stop"},
        {"type": "sleep", "option": {"duration": 1000}},
    ]);
    let (mut world, _) = called(Plan::new(914).flow("minutes", minutes()), flow);
    world.pass_ms(1000);
    let [told] = bodies(&world)[..] else {
        panic!("{:?}", bodies(&world));
    };
    assert!(told.starts_with("me||call|"), "{told}");
    world.settle();
}

fn words(of: TranscribeOf) -> Control {
    Control::StartTranscribe {
        of,
        options: TranscribeOptions {
            language: "en-US".to_owned(),
            ..TranscribeOptions::default()
        },
    }
}

/// What is in words by now.
fn transcripts(world: &World) -> usize {
    let told = world.reports.iter();
    told.filter(|report| matches!(report, Report::Transcript(_)))
        .count()
}

#[test]
fn a_call_and_its_complete_recording_are_put_into_words_by_their_ids() {
    let (mut world, phone) = called(Plan::new(915), recorded_flow());
    let call = world.call();
    let begun = world.controls(Control::Call {
        call,
        verb: record(),
    });
    let Ok(Controlled::Recording(recording)) = begun else {
        panic!("{begun:?}");
    };
    let made = world.controls(words(TranscribeOf::Call(call)));
    let Ok(Controlled::Transcribe(transcribe)) = made else {
        panic!("{made:?}");
    };
    assert_eq!(
        world.control(words(TranscribeOf::Call(call))),
        Err(ControlError::AlreadyTranscribing)
    );
    assert_eq!(
        world.control(words(TranscribeOf::Recording(recording))),
        Err(ControlError::RecordingNotComplete)
    );
    world.say(phone, Some(900));
    world.pass_ms(2000);
    world.say(phone, None);
    world.pass_ms(3000);
    let stop = Control::StopTranscribe { transcribe };
    assert_eq!(world.control(stop.clone()), Ok(()));
    world.pass_ms(1000);
    let heard = transcripts(&world);
    assert!(heard >= 1);
    assert_eq!(world.control(stop), Err(ControlError::NotTranscribing));
    assert_eq!(world.ask(CallVerb::StopRecording), Ok(()));
    world.pass_ms(1000);
    let known = words(TranscribeOf::Recording(recording));
    assert_eq!(world.control(known), Ok(()));
    world.pass_ms(1000);
    assert_eq!(transcripts(&world), heard + 2, "what was said and heard");
    let unknown = TranscribeOf::Recording(RecordingId(call.0));
    assert_eq!(
        world.control(words(unknown)),
        Err(ControlError::NoSuchRecording)
    );
    world.hang_up(phone);
    world.settle();
    assert_eq!(
        world.control(words(TranscribeOf::Call(call))),
        Err(ControlError::CallIsOver)
    );
    let nowhere = TranscribeOf::Confbridge(Uuid::from_u128(1));
    assert_eq!(
        world.control(words(nowhere)),
        Err(ControlError::NoSuchConfbridge)
    );
}

fn text(kind: &str, target: &str, text: &str) -> Control {
    let address = |kind: &str, target: &str| Address {
        kind: kind.to_owned(),
        target: target.to_owned(),
        ..Address::default()
    };
    Control::SendMessage {
        source: address("tel", "+15550100"),
        destinations: vec![address(kind, target)],
        text: text.to_owned(),
    }
}

#[test]
fn a_message_asked_for_from_outside_leaves_once_under_its_id() {
    let mut world = Plan::new(916).build();
    let made = world.controls(text("tel", "+15551112222", "hello"));
    let Ok(Controlled::Messages(messages)) = made else {
        panic!("{made:?}");
    };
    world.pass_ms(1000);
    let [OutsideRequest::Message(sent)] = &world.asked[..] else {
        panic!("{:?}", world.asked);
    };
    assert_eq!((vec![sent.id], sent.text.as_str()), (messages, "hello"));
    let long = "x".repeat(20_000);
    let too_long = ControlError::MessageTooLong {
        length: 20_000,
        most: 16 << 10,
    };
    assert_eq!(
        world.control(text("tel", "+15551112222", &long)),
        Err(too_long)
    );
    let nobody = Control::SendMessage {
        source: Address::default(),
        destinations: Vec::new(),
        text: "hello".to_owned(),
    };
    let none = ControlError::BadDestinations {
        count: 0,
        most: 100,
    };
    assert_eq!(world.control(nobody), Err(none));
    world.settle();
}
