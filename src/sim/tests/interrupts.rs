//! What is asked from outside of calls whose flows are busy: it is done, and the cursor stays where it is.

use super::monkeys::{FLOWS, chance, millis, misbehave, nonsense, pick, tone, weather};
use super::*;
use crate::flow::{
    ActionId, Direction, EndOfKey, Gender, RecordingFormat, RecordingOptions, TranscribeOptions,
};
use crate::ids::{ActiveflowId, CallId, Rng};
use crate::sim::voice::tone_of;
use crate::switch::{
    CallVerb, Control, ControlError, ControlId, FlowVerb, Input, Providers, Report, Switch,
};

impl World {
    /// Asks something; the one answer.
    fn control(&mut self, control: Control) -> Result<(), ControlError> {
        let asked = self.controlled.len();
        let request = ControlId(asked as u64);
        self.input(Input::Control { request, control });
        assert_eq!(self.controlled.len(), asked + 1);
        let (answered, result) = self.controlled[asked];
        assert_eq!(answered, request);
        result
    }

    /// Asks something of the only call.
    fn ask(&mut self, verb: CallVerb) -> Result<(), ControlError> {
        let call = self.call();
        self.control(Control::Call { call, verb })
    }

    /// Asks something of the only activeflow.
    fn ask_flow(&mut self, verb: FlowVerb) -> Result<(), ControlError> {
        let activeflow = self.switch.names().1[0];
        self.control(Control::Activeflow { activeflow, verb })
    }

    fn call(&self) -> CallId {
        self.switch.names().0[0]
    }

    fn cursor(&self) -> &str {
        self.switch.cursor().unwrap_or("nowhere")
    }
}

fn talk(text: &str) -> CallVerb {
    CallVerb::Talk {
        text: text.to_owned(),
        language: "en-US".to_owned(),
        gender: Gender::Neutral,
    }
}

fn play(urls: &[&str]) -> CallVerb {
    CallVerb::Play {
        urls: urls.iter().map(|url| (*url).to_owned()).collect(),
    }
}

fn digits(digits: &str) -> CallVerb {
    CallVerb::SendDigits {
        digits: digits.to_owned(),
        tone: Duration::from_millis(100),
        gap: Duration::from_millis(100),
    }
}

fn record() -> CallVerb {
    CallVerb::StartRecording {
        options: RecordingOptions {
            format: RecordingFormat::Wav,
            end_of_silence: None,
            end_of_key: EndOfKey::None,
            duration: None,
            beep_start: false,
        },
    }
}

fn transcribe() -> CallVerb {
    CallVerb::StartTranscribe {
        options: TranscribeOptions {
            language: "en-US".to_owned(),
            direction: Direction::In,
            on_end_flow_id: None,
        },
    }
}

/// A call to a flow of these actions, which is given half a second.
fn called(plan: Plan, actions: Value) -> (World, PhoneId) {
    let mut world = plan.flow("flow", actions).build();
    let phone = world.phone("caller", "10.0.0.21");
    world.dial(phone, "flow");
    world.pass_ms(500);
    (world, phone)
}

/// Answers, says 400 Hz for two seconds, waits for five, says 700 Hz for one.
fn busy() -> Value {
    json!([
        {"id": "answer", "type": "answer"},
        {"id": "talk", "type": "talk", "option": {"text": "tone 400 2000"}},
        {"id": "sleep", "type": "sleep", "option": {"duration": 5000}},
        {"id": "last", "type": "talk", "option": {"text": "tone 700 1000"}},
    ])
}

/// Answers and waits for a minute.
fn quiet(plan: Plan) -> (World, PhoneId) {
    called(
        plan,
        json!([
            {"id": "answer", "type": "answer"},
            {"id": "sleep", "type": "sleep", "option": {"duration": 60_000}},
        ]),
    )
}

#[test]
fn talk_from_outside_is_heard_after_the_flow_s_own_which_alone_moves_the_cursor() {
    let (mut world, phone) = called(Plan::new(220), busy());
    assert_eq!(world.ask(talk("tone 900 1500")), Ok(()));
    world.pass_ms(1400);
    assert_eq!((world.hears(phone), world.cursor()), (Some(400), "talk"));
    world.pass_ms(300);
    assert_eq!((world.hears(phone), world.cursor()), (Some(900), "sleep"));
    world.pass_ms(2000);
    assert_eq!((world.hears(phone), world.cursor()), (None, "sleep"));
    world.pass_ms(5000);
    assert_eq!(world.at(phone).tones(), [400, 900, 700]);
    assert_eq!(world.state(phone), BY_SWITCH);
    world.settle();
}

#[test]
fn talk_from_outside_is_heard_at_once_while_the_flow_sleeps_or_waits_for_digits() {
    for (seed, kind, option) in [
        (221, "sleep", json!({"duration": 4000})),
        (
            222,
            "digits_receive",
            json!({"duration": 4000, "length": 3}),
        ),
    ] {
        let flow = json!([
            {"type": "answer"},
            {"id": "wait", "type": kind, "option": option},
            {"id": "last", "type": "talk", "option": {"text": "tone 700 1000"}},
        ]);
        let (mut world, phone) = called(Plan::new(seed), flow);
        assert_eq!(world.ask(talk("tone 900 1000")), Ok(()));
        world.pass_ms(200);
        assert_eq!((world.hears(phone), world.cursor()), (Some(900), "wait"));
        world.pass_ms(1300);
        assert_eq!((world.hears(phone), world.cursor()), (None, "wait"));
        world.pass_ms(2300);
        assert_eq!(world.cursor(), "last", "{kind}");
        world.pass_ms(2000);
        assert_eq!(world.at(phone).tones(), [900, 700]);
        world.settle();
    }
}

#[test]
fn digit_during_a_talk_from_outside_is_the_flow_s_and_the_talk_goes_on() {
    let flow = json!([
        {"type": "answer"},
        {"id": "wait", "type": "digits_receive", "option": {"duration": 9000, "length": 1}},
        {"id": "last", "type": "sleep", "option": {"duration": 9000}},
    ]);
    let (mut world, phone) = called(Plan::new(223), flow);
    assert_eq!(world.ask(talk("tone 900 2000")), Ok(()));
    world.pass_ms(500);
    world.press(phone, '5', Key::Event);
    world.pass_ms(500);
    assert_eq!((world.hears(phone), world.cursor()), (Some(900), "last"));
    assert_eq!(world.switch.variable("voipbin.call.digits"), Some("5"));
    world.hang_up(phone);
    world.settle();
}

#[test]
fn talk_of_the_flow_waits_for_the_one_from_outside_unless_a_digit_ends_it_before() {
    for (seed, presses) in [(224, false), (225, true)] {
        let flow = json!([
            {"type": "answer"},
            {"type": "sleep", "option": {"duration": 1000}},
            {"id": "talk", "type": "talk", "option": {"text": "tone 400 1000", "digits_handle": "next"}},
            {"id": "last", "type": "talk", "option": {"text": "tone 700 1000"}},
        ]);
        let (mut world, phone) = called(Plan::new(seed), flow);
        assert_eq!(world.ask(talk("tone 900 2000")), Ok(()));
        world.pass_ms(1000);
        assert_eq!((world.hears(phone), world.cursor()), (Some(900), "talk"));
        if presses {
            world.press(phone, '1', Key::Event);
            world.pass_ms(200);
            assert_eq!((world.hears(phone), world.cursor()), (Some(900), "last"));
        }
        world.pass_ms(5000);
        let heard: &[u16] = if presses {
            &[900, 700]
        } else {
            &[900, 400, 700]
        };
        assert_eq!(world.at(phone).tones(), heard);
        world.settle();
    }
}

#[test]
fn talk_from_outside_answers_a_ringing_call_and_play_does_not() {
    let ringing = json!([{"id": "sleep", "type": "sleep", "option": {"duration": 60_000}}]);
    let (mut world, phone) = called(Plan::new(226), ringing);
    assert_eq!(world.ask(play(&["tone 500 300", "tone 600 300"])), Ok(()));
    assert_eq!(world.ask(record()), Err(ControlError::NotAnswered));
    world.pass_ms(1000);
    assert_eq!(world.at(phone).tones(), [500, 600], "early media");
    assert!(!world.words(phone).contains(&"200"));
    assert_eq!(world.ask(talk("tone 900 500")), Ok(()));
    world.pass_ms(300);
    assert_eq!((world.hears(phone), world.cursor()), (Some(900), "sleep"));
    assert_eq!(world.state(phone), PhoneState::Answered);
    assert_eq!(
        world.switch.variable("voipbin.call.status"),
        Some("progressing")
    );
    world.hang_up(phone);
    world.settle();
}

#[test]
fn talk_from_outside_leaves_an_answer_that_waits_for_its_ack_to_the_flow() {
    let mut world = Plan::new(227).flow("flow", busy()).build();
    let phone = world.phone("caller", "10.0.0.21");
    world.with(phone, |phone, _| {
        phone.habits.offer = Offer::None;
        phone.habits.acks = false;
    });
    world.dial(phone, "flow");
    world.pass_ms(500);
    assert_eq!(world.cursor(), "answer");
    assert_eq!(world.ask(talk("tone 900 500")), Ok(()));
    world.pass_ms(500);
    assert_eq!(world.cursor(), "answer");
    world.settle();
}

#[test]
fn digits_from_outside_wait_for_those_of_the_flow_which_alone_move_the_cursor() {
    let flow = json!([
        {"type": "answer"},
        {"id": "send", "type": "digits_send", "option": {"digits": "1234", "duration": 200, "interval": 200}},
        {"id": "wait", "type": "sleep", "option": {"duration": 60_000}},
    ]);
    let (mut world, phone) = called(Plan::new(228), flow);
    assert_eq!(world.cursor(), "send");
    assert_eq!(world.ask(digits("5A")), Ok(()));
    assert_eq!(world.cursor(), "send");
    world.pass_ms(3000);
    assert_eq!(world.cursor(), "wait");
    assert_eq!(world.at(phone).voice.keys, "12345A");
    for wrong in ["", "12x", &"1".repeat(101)] {
        assert_eq!(world.ask(digits(wrong)), Err(ControlError::BadDigits));
    }
    for (tone, gap) in [(50, 100), (1001, 100), (100, 5001)] {
        let verb = CallVerb::SendDigits {
            digits: "1".to_owned(),
            tone: Duration::from_millis(tone),
            gap: Duration::from_millis(gap),
        };
        assert_eq!(world.ask(verb), Err(ControlError::BadDigits));
    }
    world.hang_up(phone);
    world.settle();
}

#[test]
fn recording_from_outside_is_the_flow_s_to_know_and_moves_nothing() {
    let (mut world, phone) = called(Plan::new(229), busy());
    assert_eq!(
        world.ask(CallVerb::StopRecording),
        Err(ControlError::NotRecording)
    );
    assert_eq!(world.ask(record()), Ok(()));
    assert_eq!(world.cursor(), "talk");
    let id = world.switch.variable("voipbin.recording.id");
    assert_eq!(id.map(str::len), Some(36));
    assert_eq!(world.ask(record()), Err(ControlError::AlreadyRecording));
    world.pass_ms(1000);
    assert_eq!(world.ask(CallVerb::StopRecording), Ok(()));
    world.pass_ms(100);
    assert_eq!(world.cursor(), "talk");
    let recorded = &world.media.recordings[0];
    assert_eq!(tone_of(&recorded.said[1600..3200]), Some(400));
    assert_eq!(
        world.ask(CallVerb::StopRecording),
        Err(ControlError::NotRecording)
    );
    assert_eq!(world.ask(record()), Ok(()), "another");
    world.pass_ms(1000);
    assert_eq!(world.cursor(), "sleep");
    world.hang_up(phone);
    world.settle();
    assert_eq!(world.media.recordings.len(), 2);
}

#[test]
fn transcription_from_outside_tells_the_flow_its_words_and_moves_nothing() {
    let (mut world, phone) = quiet(Plan::new(230));
    assert_eq!(
        world.ask(CallVerb::StopTranscribe),
        Err(ControlError::NotTranscribing)
    );
    assert_eq!(world.ask(transcribe()), Ok(()));
    assert_eq!(
        world.ask(transcribe()),
        Err(ControlError::AlreadyTranscribing)
    );
    world.with(phone, |phone, now| phone.voice.say(now, Some(900)));
    world.pass_ms(1000);
    world.with(phone, |phone, now| phone.voice.say(now, None));
    world.pass_ms(200);
    assert_eq!(world.ask(CallVerb::StopTranscribe), Ok(()));
    world.pass_ms(500);
    assert_eq!(world.cursor(), "sleep");
    assert_eq!(
        world.switch.variable("voipbin.transcribe.text"),
        Some("hello")
    );
    let is_end = |report: &Report| matches!(report, Report::TranscribeEnded { .. });
    assert_eq!(
        world.reports.iter().filter(|report| is_end(report)).count(),
        1
    );
    assert_eq!(world.ask(transcribe()), Ok(()), "another");
    world.hang_up(phone);
    world.settle();
}

#[test]
fn transcription_without_a_server_is_refused() {
    let mut plan = Plan::new(231);
    plan.providers = Providers::default();
    let (mut world, phone) = quiet(plan);
    assert_eq!(world.ask(transcribe()), Err(ControlError::NoProvider));
    world.hang_up(phone);
    world.settle();
}

#[test]
fn each_way_of_a_call_is_silenced_and_let_through_from_outside() {
    use Direction::{Both, In, Out};
    let flow = json!([
        {"type": "answer"},
        {"id": "echo", "type": "echo", "option": {"duration": 60_000}},
    ]);
    let (mut world, phone) = called(Plan::new(232), flow);
    world.with(phone, |phone, now| phone.voice.say(now, Some(900)));
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
fn more_than_may_wait_or_nothing_at_all_is_refused_with_its_reason() {
    let (mut world, phone) = quiet(Plan::new(236));
    assert_eq!(world.ask(talk(" ")), Err(ControlError::NothingToPlay));
    assert_eq!(world.ask(play(&[])), Err(ControlError::NothingToPlay));
    for _ in 0..17 {
        assert_eq!(world.ask(play(&["tone 900 40"])), Ok(()));
        assert_eq!(world.ask(digits("1")), Ok(()));
    }
    assert_eq!(
        world.ask(talk("tone 500 40")),
        Err(ControlError::TooManyPlaybacks)
    );
    assert_eq!(world.ask(digits("2")), Err(ControlError::TooManyDigits));
    world.pass_ms(6000);
    assert_eq!(world.at(phone).voice.keys, "1".repeat(17));
    assert_eq!(world.ask(talk("tone 500 300")), Ok(()));
    world.pass_ms(500);
    assert_eq!(world.at(phone).tones().last(), Some(&500));
    assert_eq!(world.cursor(), "sleep");
    world.hang_up(phone);
    world.settle();
}

#[test]
fn sound_from_outside_that_cannot_be_made_is_passed_over() {
    let (mut world, phone) = called(Plan::new(237), busy());
    for text in ["wrong", "tone 900 300"] {
        assert_eq!(world.ask(talk(text)), Ok(()));
    }
    world.pass_ms(2500);
    assert_eq!(world.at(phone).tones(), [400, 900]);
    assert_eq!(world.cursor(), "sleep");
    world.hang_up(phone);
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

fn interfere(world: &mut World, rng: &mut Rng) {
    let (calls, activeflows) = world.switch.names();
    let control = if chance(rng, 80) {
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
        let mut world = plan.build();
        (world.media.binding, world.media.filing) = (millis(&mut rng, 300), millis(&mut rng, 1000));
        let phones = world.phones(8);
        for _ in 0..400 {
            let phone = pick(&mut rng, &phones);
            misbehave(&mut world, &mut rng, phone);
            for _ in 0..rng.below(4) {
                interfere(&mut world, &mut rng);
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
