//! What else is asked from outside of calls and their flows, with sense and without.

use super::interrupts::{busy, called, digits, play, quiet, record, talk, transcribe};
use super::monkeys::{FLOWS, chance, millis, misbehave, nonsense, pick, tone, weather};
use super::*;
use crate::flow::{ActionId, Address, Anonymous, CallFlow, Direction, NewCalls, TranscribeOptions};
use crate::ids::{ActiveflowId, CallId, RecordingId, Rng};
use crate::store::transcripts::TranscribeOf;
use crate::switch::{CallVerb, Control, ControlError, FlowVerb, Input, Switch};

#[test]
fn each_way_of_a_call_is_silenced_and_let_through_from_outside() {
    use Direction::{Both, In, Out};
    let flow = json!([
        {"type": "answer"},
        {"id": "echo", "type": "echo", "option": {"duration": 60_000}},
    ]);
    let (mut world, phone) = called(Plan::new(232), flow);
    world.say(phone, Some(900));
    // Whether the talk of the switch and the echo of the party are heard after each.
    let table = [
        (true, In, true, false),
        (true, Out, false, false),
        (false, In, false, false),
        (false, In, false, false),
        (false, Out, true, true),
        (true, Both, false, false),
        (false, Out, true, false),
        (false, Out, true, false),
        (false, Both, true, true),
        (true, Out, false, false),
        (false, Both, true, true),
        (false, Both, true, true),
    ];
    for (row, (mutes, direction, prompt, echo)) in table.into_iter().enumerate() {
        let verb = if mutes {
            CallVerb::Mute { direction }
        } else {
            CallVerb::Unmute { direction }
        };
        assert_eq!(world.ask(verb), Ok(()));
        world.pass_ms(300);
        assert_eq!(world.hears(phone), echo.then_some(900), "echo, row {row}");
        assert_eq!(world.ask(talk("tone 500 300")), Ok(()));
        world.pass_ms(200);
        assert_eq!(
            world.hears(phone),
            prompt.then_some(500),
            "prompt, row {row}"
        );
        world.pass_ms(300);
        assert_eq!(world.cursor(), "echo");
    }
    world.hang_up(phone);
    world.settle();
}

#[test]
fn blocked_flow_goes_on_when_it_is_resumed_where_it_stands() {
    let flow = json!([
        {"type": "answer"},
        {"id": "one", "type": "block"},
        {"id": "two", "type": "block"},
        {"id": "talk", "type": "talk", "option": {"text": "tone 700 1000"}},
    ]);
    let (mut world, phone) = called(Plan::new(233), flow);
    let at = |action: &str| FlowVerb::Resume {
        current_action: ActionId::parse(action),
    };
    assert_eq!(world.cursor(), "one");
    assert_eq!(world.ask(talk("tone 900 300")), Ok(()));
    world.pass_ms(500);
    assert_eq!(world.cursor(), "one");
    assert_eq!(world.ask_flow(at("two")), Err(ControlError::AtOtherAction));
    assert_eq!(world.cursor(), "one");
    assert_eq!(world.ask_flow(at("one")), Ok(()));
    assert_eq!(world.cursor(), "two");
    assert_eq!(world.ask_flow(at("one")), Err(ControlError::AtOtherAction));
    let anywhere = FlowVerb::Resume {
        current_action: None,
    };
    assert_eq!(world.ask_flow(anywhere.clone()), Ok(()));
    assert_eq!(world.cursor(), "talk");
    assert_eq!(world.ask_flow(anywhere), Err(ControlError::NotBlocked));
    world.pass_ms(2000);
    assert_eq!(world.at(phone).tones(), [900, 700]);
    world.settle();
}

#[test]
fn stopped_flow_hangs_up_and_its_follower_starts() {
    let last = json!([
        {"type": "webhook_send", "option": {"uri": "https://example.com/hook", "method": "POST", "data": "over"}},
    ]);
    let flow = json!({"actions": busy(), "on_complete_flow_id": "last"});
    let (mut world, phone) = called(Plan::new(234).flow("last", last), flow);
    assert_eq!(world.ask(talk("tone 900 300")), Ok(()));
    assert_eq!(world.ask_flow(FlowVerb::Stop), Ok(()));
    world.pass_ms(500);
    assert_eq!(world.state(phone), BY_SWITCH);
    assert_eq!(world.at(phone).tones(), [400]);
    assert_eq!(world.asked.len(), 1);
    world.settle();
}

#[test]
fn call_hung_up_from_outside_is_over_for_all_who_ask_then() {
    let (mut world, phone) = called(Plan::new(235), busy());
    let (call, activeflow) = (world.call(), world.switch.names().1[0]);
    assert_eq!(world.ask(CallVerb::Hangup), Ok(()));
    assert_eq!(world.ask(CallVerb::Hangup), Err(ControlError::CallIsOver));
    world.settle();
    assert_eq!(world.state(phone), BY_SWITCH);
    for verb in [
        talk("tone 900 300"),
        play(&["tone 900 300"]),
        digits("1"),
        record(),
        CallVerb::StopRecording,
        transcribe(),
        CallVerb::StopTranscribe,
        CallVerb::Mute {
            direction: Direction::In,
        },
        CallVerb::Unmute {
            direction: Direction::In,
        },
        CallVerb::Hangup,
    ] {
        let control = Control::Call {
            call,
            verb: verb.clone(),
        };
        assert_eq!(world.control(control), Err(ControlError::CallIsOver));
        let call = CallId(activeflow.0);
        let control = Control::Call { call, verb };
        assert_eq!(world.control(control), Err(ControlError::NoSuchCall));
    }
    for verb in [
        FlowVerb::Stop,
        FlowVerb::Resume {
            current_action: None,
        },
    ] {
        let control = Control::Activeflow { activeflow, verb };
        assert_eq!(world.control(control), Err(ControlError::NoSuchActiveflow));
    }
    world.settle();
}

#[test]
fn call_that_fails_takes_all_with_it_that_was_asked_of_it() {
    let (mut world, _) = quiet(Plan::new(238));
    for verb in [
        talk("tone 900 3000"),
        play(&["never"]),
        digits("123"),
        record(),
        transcribe(),
    ] {
        assert_eq!(world.ask(verb), Ok(()));
    }
    world.pass_ms(300);
    assert_eq!(world.ask(CallVerb::StopTranscribe), Ok(()));
    world.with_switch(Switch::poison);
    world.settle();
}

fn direction(rng: &mut Rng) -> Direction {
    pick(rng, &[Direction::Both, Direction::In, Direction::Out])
}

fn call_verb(rng: &mut Rng) -> CallVerb {
    match rng.below(16) {
        0..=3 => talk(&tone(rng)),
        4 | 5 => play(&[&tone(rng), &tone(rng)]),
        6 => digits(pick(rng, &["12#", "", "x", "0"])),
        7 | 8 => record(),
        9 => CallVerb::StopRecording,
        10 => transcribe(),
        11 => CallVerb::StopTranscribe,
        12 => CallVerb::Mute {
            direction: direction(rng),
        },
        13 | 14 => CallVerb::Unmute {
            direction: direction(rng),
        },
        _ => CallVerb::Hangup,
    }
}

/// Something that no call or activeflow is asked.
fn request(rng: &mut Rng, calls: &[CallId]) -> Control {
    let flow = match chance(rng, 90) {
        true => CallFlow::Stored(pick(rng, &FLOWS).to_owned()),
        false => CallFlow::Stored("nowhere".to_owned()),
    };
    let call = match calls {
        [] => CallId(rng.uuid()),
        calls => pick(rng, calls),
    };
    let to = |target: &str| Address {
        kind: "sip".to_owned(),
        target: target.to_owned(),
        ..Address::default()
    };
    let variables = vec![("name".to_owned(), "value".to_owned())];
    let of = match rng.below(3) {
        0 => TranscribeOf::Call(call),
        1 => TranscribeOf::Recording(RecordingId(call.0)),
        _ => TranscribeOf::Confbridge(call.0),
    };
    match rng.below(5) {
        0 => Control::CreateActiveflow {
            id: chance(rng, 50).then_some(ActiveflowId(call.0)),
            flow,
            variables,
        },
        1 => Control::CreateCalls {
            calls: Box::new(NewCalls {
                source: Address::default(),
                destinations: vec![to("ann@10.0.0.99"), to("bob@10.0.0.21")],
                flow,
                chained: false,
                early_execution: chance(rng, 30),
                anonymous: Anonymous::Auto,
            }),
            variables,
        },
        2 => Control::StartTranscribe {
            of,
            options: TranscribeOptions::default(),
        },
        3 => Control::SendMessage {
            source: to("me@10.0.0.1"),
            destinations: vec![to("ann@10.0.0.99")],
            text: "hello".to_owned(),
        },
        _ => Control::HangupGroupcall { groupcall: call.0 },
    }
}

fn interfere(world: &mut World, rng: &mut Rng) {
    let (calls, activeflows) = world.switch.names();
    let control = if chance(rng, 15) {
        request(rng, &calls)
    } else if chance(rng, 80) {
        let nobody = CallId(rng.uuid());
        let call = if calls.is_empty() {
            nobody
        } else {
            pick(rng, &calls)
        };
        Control::Call {
            call,
            verb: call_verb(rng),
        }
    } else {
        let none = ActiveflowId(rng.uuid());
        let activeflow = if activeflows.is_empty() {
            none
        } else {
            pick(rng, &activeflows)
        };
        let current_action = chance(rng, 50).then(|| ActionId::parse("1")).flatten();
        let verb = if chance(rng, 80) {
            FlowVerb::Resume { current_action }
        } else {
            FlowVerb::Stop
        };
        Control::Activeflow { activeflow, verb }
    };
    // That it is answered once is asserted there.
    let _ = world.control(control);
}

#[test]
fn no_nonsense_from_outside_leaves_anything_behind() {
    for seed in 240..252 {
        let mut rng = Rng::from_number(seed);
        let mut plan = Plan::new(seed);
        for name in FLOWS {
            plan = plan.flow(name, nonsense(&mut rng));
        }
        (plan.sip, plan.rtp) = (weather(&mut rng), weather(&mut rng));
        (plan.fetching, plan.reporting) = (millis(&mut rng, 400), millis(&mut rng, 30));
        let configuration = plan.configuration();
        let mut world = plan.build();
        (world.media.binding, world.media.filing) = (millis(&mut rng, 300), millis(&mut rng, 1000));
        let phones = world.phones(8);
        for _ in 0..400 {
            let phone = pick(&mut rng, &phones);
            misbehave(&mut world, &mut rng, phone);
            for _ in 0..rng.below(4) {
                interfere(&mut world, &mut rng);
            }
            if chance(&mut rng, 5) {
                world.input(Input::Configure(Box::new(configuration.clone())));
            }
            world.pass(millis(&mut rng, 150));
        }
        let refused = world
            .controlled
            .iter()
            .filter(|(_, result)| result.is_err());
        let (refused, asked) = (refused.count(), world.controlled.len());
        println!("{asked} asked, {refused} refused");
        assert!(asked > 400 && refused < asked, "they are about something");
        for phone in phones {
            world.hang_up(phone);
        }
        // Calls that are held up by a sound that never comes are ended as too long.
        world.pass(Duration::from_secs(3700));
        world.settle();
    }
}
