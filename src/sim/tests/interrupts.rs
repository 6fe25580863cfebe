//! What is played and recorded from outside in calls whose flows are busy: the cursor stays where it is.

use super::*;
use crate::flow::{Direction, Gender, RecordingOptions, TranscribeOptions};
use crate::ids::CallId;
use crate::sim::voice::tone_of;
use crate::switch::{
    CallVerb, Control, ControlError, ControlId, Controlled, FlowVerb, Input, Providers, Report,
    TranscribeNews,
};

impl World {
    /// Asks something; whether it was taken on.
    pub(super) fn control(&mut self, control: Control) -> Result<(), ControlError> {
        self.controls(control).map(|_| ())
    }

    /// Asks something; the one answer.
    pub(super) fn controls(&mut self, control: Control) -> Result<Controlled, ControlError> {
        let asked = self.controlled.len();
        let request = ControlId(asked as u64);
        self.input(Input::Control { request, control });
        assert_eq!(self.controlled.len(), asked + 1);
        let (answered, result) = self.controlled[asked].clone();
        assert_eq!(answered, request);
        result
    }

    /// Asks something of the only call.
    pub(super) fn ask(&mut self, verb: CallVerb) -> Result<(), ControlError> {
        let call = self.call();
        self.control(Control::Call { call, verb })
    }

    /// Asks something of the only activeflow.
    pub(super) fn ask_flow(&mut self, verb: FlowVerb) -> Result<(), ControlError> {
        let activeflow = self.switch.names().1[0];
        self.control(Control::Activeflow { activeflow, verb })
    }

    pub(super) fn call(&self) -> CallId {
        self.switch.names().0[0]
    }

    pub(super) fn cursor(&self) -> &str {
        self.switch.cursor().unwrap_or("nowhere")
    }
}

pub(super) fn talk(text: &str) -> CallVerb {
    CallVerb::Talk {
        text: text.to_owned(),
        language: "en-US".to_owned(),
        gender: Gender::Neutral,
    }
}

pub(super) fn play(urls: &[&str]) -> CallVerb {
    CallVerb::Play {
        urls: urls.iter().map(|url| (*url).to_owned()).collect(),
    }
}

pub(super) fn digits(digits: &str) -> CallVerb {
    CallVerb::SendDigits {
        digits: digits.to_owned(),
        tone: Duration::from_millis(100),
        gap: Duration::from_millis(100),
    }
}

pub(super) fn record() -> CallVerb {
    CallVerb::StartRecording {
        options: RecordingOptions::default(),
    }
}

pub(super) fn transcribe() -> CallVerb {
    CallVerb::StartTranscribe {
        options: TranscribeOptions {
            language: "en-US".to_owned(),
            direction: Direction::In,
            on_end_flow_id: None,
        },
    }
}

/// A call to a flow of these actions, which is given half a second.
pub(super) fn called(plan: Plan, actions: Value) -> (World, PhoneId) {
    let mut world = plan.flow("flow", actions).build();
    let phone = world.phone("caller", "10.0.0.21");
    world.dial(phone, "flow");
    world.pass_ms(500);
    (world, phone)
}

/// Answers, says 400 Hz for two seconds, waits for five, says 700 Hz for one.
pub(super) fn busy() -> Value {
    json!([
        {"id": "answer", "type": "answer"},
        {"id": "talk", "type": "talk", "option": {"text": "tone 400 2000"}},
        {"id": "sleep", "type": "sleep", "option": {"duration": 5000}},
        {"id": "last", "type": "talk", "option": {"text": "tone 700 1000"}},
    ])
}

/// Answers and waits for a minute.
pub(super) fn quiet(plan: Plan) -> (World, PhoneId) {
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
    for verb in [talk("tone 900 500"), digits("1"), record(), transcribe()] {
        assert_eq!(world.ask(verb), Ok(()));
    }
    world.pass_ms(500);
    assert_eq!(world.cursor(), "answer");
    world.with(phone, |phone, _| phone.habits.acks = true);
    world.pass_ms(3000);
    assert_eq!((world.hears(phone), world.cursor()), (Some(400), "talk"));
    assert_eq!(world.at(phone).tones(), [900, 400]);
    assert_eq!(world.at(phone).voice().keys, "1");
    world.hang_up(phone);
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
    assert_eq!(world.at(phone).voice().keys, "12345A");
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
    world.say(phone, Some(900));
    world.pass_ms(1000);
    world.say(phone, None);
    world.pass_ms(200);
    assert_eq!(world.ask(CallVerb::StopTranscribe), Ok(()));
    world.pass_ms(500);
    assert_eq!(world.cursor(), "sleep");
    assert_eq!(
        world.switch.variable("voipbin.transcribe.text"),
        Some("hello")
    );
    let is_end = |report: &Report| {
        matches!(
            report,
            Report::Transcribe {
                news: TranscribeNews::Done,
                ..
            }
        )
    };
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
    assert_eq!(
        world.ask(transcribe()),
        Err(ControlError::NoProvider {
            section: "transcription"
        })
    );
    world.hang_up(phone);
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
    assert_eq!(world.at(phone).voice().keys, "1".repeat(17));
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
