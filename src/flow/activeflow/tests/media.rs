//! Actions that a call carries out: what is ordered, what ends it, what it leaves behind.

use super::*;
use crate::flow::perform::WantedDigits;

fn recording() -> Recording {
    Recording {
        id: RecordingId(Uuid::from_u128(5)),
        name: "call_7".to_owned(),
        filenames: vec!["call_7_in.wav".to_owned(), "call_7_out.wav".to_owned()],
        format: RecordingFormat::Wav,
    }
}

/// One action, then a beep that shows the cursor has moved.
fn before_a_beep(kind: &str, option: &str) -> String {
    list(&[action("a", kind, option), action("z", "beep", "{}")])
}

#[test]
fn talk_answers_a_call_that_is_not_answered_and_only_then_speaks() {
    let mut run = Run::new(
        &flow(&before_a_beep("talk", r#"{"text": "hi"}"#)),
        ReferenceType::Call,
        Limits::default(),
    );
    run.flow.start(run.now);
    assert_eq!(run.orders(), ["answer"]);
    run.finish();
    assert_eq!(run.orders(), ["talk hi"]);
    assert_eq!(run.variable("voipbin.call.status"), "progressing");
    run.finish();
    assert_eq!(run.orders(), ["beep"]);
}

#[test]
fn talk_is_passed_by_when_the_call_cannot_be_answered() {
    let mut run = Run::new(
        &flow(&before_a_beep("talk", "{}")),
        ReferenceType::Call,
        Limits::default(),
    );
    run.flow.start(run.now);
    run.orders();
    run.tell(FlowEvent::Finished {
        command: run.last,
        outcome: FlowOutcome::Failed { why: "gone" },
    });
    assert_eq!(run.orders(), ["beep"]);
    assert_eq!(run.variable("voipbin.call.status"), "ringing");
}

#[test]
fn play_and_beep_do_not_answer() {
    let play =
        r#"{"stream_urls": ["a.wav", "", "${none}", "b-${voipbin.call.source.target}.wav"]}"#;
    let mut run = Run::new(
        &flow(&before_a_beep("play", play)),
        ReferenceType::Call,
        Limits::default(),
    );
    run.flow.start(run.now);
    assert_eq!(run.orders(), ["play a.wav b-+1555.wav"]);
    run.finish();
    assert_eq!(run.orders(), ["beep"]);
    assert_eq!(
        Run::on_call(&before_a_beep("play", "{}")).orders(),
        ["beep"],
        "nothing to play"
    );
    let set = action(
        "s",
        "variable_set",
        &format!(r#"{{"key": "a", "value": "{}"}}"#, "x".repeat(MAX_VALUE)),
    );
    let urls = [r#""${a}""#; 9].join(",");
    let play = action("p", "play", &format!(r#"{{"stream_urls": [{urls}]}}"#));
    let mut run = Run::on_call(&list(&[set, play, action("z", "beep", "{}")]));
    assert_eq!(run.orders(), ["beep"], "names too long in all");
}

#[test]
fn a_digit_during_a_talk_that_says_so_stops_it_and_stays() {
    let option = r#"{"text": "menu", "digits_handle": "next"}"#;
    let mut run = Run::on_call(&before_a_beep("talk", option));
    run.orders();
    let talk = run.last;
    run.press("5");
    assert_eq!(
        run.orders(),
        [format!("cancel {}", talk.0), "beep".to_owned()]
    );
    assert_eq!(run.digits(), "5");
    run.tell(FlowEvent::Finished {
        command: talk,
        outcome: FlowOutcome::Interrupted { digit: '5' },
    });
    assert_eq!(
        run.orders(),
        [""; 0],
        "the answer of the stopped talk is stale"
    );
}

#[test]
fn a_digit_during_any_other_talk_is_only_kept() {
    let mut run = Run::on_call(&before_a_beep("talk", r#"{"text": "menu"}"#));
    run.orders();
    run.press("12");
    assert_eq!((run.orders(), run.digits()), (vec![], "2"));
}

#[test]
fn an_interrupted_talk_goes_on_also_when_its_owner_stopped_it() {
    let mut run = Run::on_call(&before_a_beep("talk", r#"{"digits_handle": "next"}"#));
    run.orders();
    run.tell(FlowEvent::Finished {
        command: run.last,
        outcome: FlowOutcome::Interrupted { digit: '1' },
    });
    assert_eq!(run.orders(), ["beep"]);
}

#[test]
fn an_async_talk_is_not_waited_for() {
    let mut run = Run::on_call(&before_a_beep("talk", r#"{"text": "hi", "async": true}"#));
    assert_eq!(run.orders(), ["talk hi", "beep"]);
}

/// The time at which a `digits_receive` is over when each of `presses` (ms, digit) comes.
fn received(option: &str, presses: &[(u64, char)]) -> (u64, String) {
    let mut run = Run::on_call(&before_a_beep("digits_receive", option));
    for (at, digit) in presses {
        let due = sim::start() + Duration::from_millis(*at);
        run.pass(u64::try_from(due.duration_since(run.now).as_millis()).unwrap());
        if run
            .flow
            .current_action()
            .is_some_and(|current| current.name == "digits_receive")
        {
            run.press(&digit.to_string());
        }
    }
    run.pass(100_000);
    let moved = run
        .flow
        .current_action()
        .unwrap()
        .at
        .duration_since(sim::start());
    (
        u64::try_from(moved.as_millis()).unwrap(),
        run.digits().to_owned(),
    )
}

#[test]
fn digits_are_collected_until_enough_or_a_terminator_that_stays_in() {
    let presses = [(100, '1'), (200, '2'), (300, '#'), (400, '4')];
    for (option, at, digits) in [
        (r#"{"duration": 1000, "length": 3}"#, 300, "12#"),
        (
            r##"{"duration": 1000, "length": 2, "key": "#"}"##,
            200,
            "12",
        ),
        (
            r##"{"duration": 1000, "length": 9, "key": "*#"}"##,
            300,
            "12#",
        ),
        (r##"{"duration": 1000, "key": "#"}"##, 300, "12#"),
        (r#"{"duration": 1000}"#, 100, "1"),
        (r#"{"duration": 1000, "length": -4}"#, 100, "1"),
        (r#"{"duration": "1000", "length": "2"}"#, 200, "12"),
    ] {
        assert_eq!(
            received(option, &presses),
            (at, digits.to_owned()),
            "{option}"
        );
    }
}

#[test]
fn the_wait_for_digits_begins_anew_with_each() {
    let presses = [(900, '1'), (1800, '2')];
    assert_eq!(
        received(r#"{"duration": 1000, "length": 5}"#, &presses),
        (2800, "12".to_owned())
    );
    assert_eq!(
        received(r#"{"duration": 1000, "length": 5}"#, &[]),
        (1000, String::new())
    );
    assert_eq!(
        received(r#"{"length": 5}"#, &[]),
        (5000, String::new()),
        "five seconds when unstated"
    );
    assert_eq!(
        received(r#"{"duration": 0, "length": 5}"#, &[]),
        (0, String::new())
    );
}

#[test]
fn the_condition_of_digits_has_the_vectors_of_its_model() {
    let wanted = |length, keys: &str| WantedDigits {
        length,
        keys: keys.to_owned(),
    };
    assert!(wanted(3, "").are_in("123"));
    assert!(wanted(0, "#").are_in("#"));
    assert!(wanted(0, "1234567*").are_in("890*"));
    assert!(!wanted(0, "1234567*").are_in("089"));
    assert!(!wanted(0, "").are_in("1"));
}

#[test]
fn what_was_pressed_before_is_looked_at_first_and_shared_until_a_branch() {
    let receive = action("r", "digits_receive", r#"{"duration": 1000, "length": 1}"#);
    let set = action(
        "v",
        "variable_set",
        r#"{"key": "voipbin.call.digits", "value": "7"}"#,
    );
    let branch = action("b", "branch", r#"{"default_target_id": "s"}"#);
    let again = action("s", "digits_receive", r#"{"duration": 1000, "length": 1}"#);
    let mut run = Run::on_call(&list(&[
        set,
        receive,
        branch,
        again,
        action("z", "beep", "{}"),
    ]));
    assert_eq!(
        (run.orders(), run.digits()),
        (vec![], ""),
        "the second one waits: branch emptied it"
    );
    run.press("8");
    assert_eq!((run.orders(), run.digits()), (vec!["beep".to_owned()], "8"));
    run.press("9");
    assert_eq!(run.digits(), "9", "outside it replaces");
    run.press("x");
    assert_eq!(run.digits(), "9", "no telephone has that key");
}

#[test]
fn sleep_wakes_at_its_time_and_zero_is_no_wait() {
    let mut run = Run::on_call(&before_a_beep("sleep", r#"{"duration": 1500}"#));
    let due = sim::start() + Duration::from_millis(1500);
    assert_eq!(run.flow.poll_timeout(), Some(due));
    run.flow.handle_timeout(due - Duration::from_nanos(1));
    assert_eq!(run.orders(), [""; 0], "too early");
    run.flow.handle_timeout(due);
    run.flow.handle_timeout(due);
    assert_eq!(run.orders(), ["beep"]);
    for option in ["{}", r#"{"duration": 0}"#, r#"{"duration": -5}"#] {
        assert_eq!(
            Run::on_call(&before_a_beep("sleep", option)).orders(),
            ["beep"],
            "{option}"
        );
    }
    let long = Run::on_call(&before_a_beep(
        "sleep",
        r#"{"duration": 9223372036854775807}"#,
    ));
    assert_eq!(
        long.flow.poll_timeout(),
        Some(sim::start() + crate::flow::MAX_DURATION)
    );
}

#[test]
fn echo_lasts_three_minutes_unless_told_otherwise() {
    for (kind, option, order) in [
        ("echo", "{}", "echo 180000 false"),
        ("echo", r#"{"duration": -1}"#, "echo 180000 false"),
        ("stream_echo", r#"{"duration": 10000}"#, "echo 10000 true"),
    ] {
        let mut run = Run::on_call(&before_a_beep(kind, option));
        assert_eq!(run.orders(), [order]);
        run.finish();
        assert_eq!(run.orders(), ["beep"]);
    }
}

#[test]
fn digits_are_sent_within_the_ranges_of_the_documents() {
    for (option, order) in [
        (
            r#"{"digits": "12a", "duration": 500, "interval": 0}"#,
            "send 12A 500 0",
        ),
        (
            r#"{"digits": "1", "duration": 5, "interval": 9000}"#,
            "send 1 100 5000",
        ),
        (r#"{"digits": "1", "duration": 2000}"#, "send 1 1000 100"),
        (r#"{"digits": ""}"#, "beep"),
        (
            r#"{"digits": "${voipbin.call.destination.target}"}"#,
            "beep",
        ),
    ] {
        assert_eq!(
            Run::on_call(&before_a_beep("digits_send", option)).orders(),
            [order],
            "{option}"
        );
    }
}

#[test]
fn a_recording_starts_once_on_an_answered_call_and_the_cursor_goes_on() {
    let record = action("r", "recording_start", "{}");
    let actions = list(&[
        record.clone(),
        record.replace("\"r\"", "\"q\""),
        action("x", "recording_stop", "{}"),
        talk("z", "${voipbin.recording.recording_name}"),
    ]);
    let mut run = Run::on_call(&actions);
    assert_eq!(run.orders(), ["record"]);
    let command = run.last;
    run.tell(FlowEvent::RecordingStarted {
        recording: recording(),
    });
    assert_eq!(
        run.orders(),
        ["stop recording"],
        "the second start is passed over"
    );
    run.tell(FlowEvent::Finished {
        command,
        outcome: FlowOutcome::Done,
    });
    assert_eq!(run.orders(), [""; 0]);
    run.tell(FlowEvent::RecordingEnded);
    run.finish();
    assert_eq!(run.orders(), ["talk call_7"]);
    assert_eq!(
        run.variable("voipbin.recording.filenames"),
        "call_7_in.wav,call_7_out.wav"
    );
    assert_eq!(
        run.variable("voipbin.recording.id"),
        "00000000-0000-0000-0000-000000000005"
    );
    assert_eq!(run.variable("voipbin.recording.format"), "wav");
    let mut run = Run::new(
        &flow(&before_a_beep("recording_start", "{}")),
        ReferenceType::Call,
        Limits::default(),
    );
    run.flow.start(run.now);
    assert_eq!(run.orders(), ["beep"], "a ringing call is not recorded");
}

#[test]
fn a_recording_that_cannot_start_is_passed_by() {
    let mut run = Run::on_call(&before_a_beep(
        "recording_start",
        r#"{"format": "${format}"}"#,
    ));
    run.orders();
    run.tell(FlowEvent::Finished {
        command: run.last,
        outcome: FlowOutcome::Failed { why: "disk" },
    });
    assert_eq!(run.orders(), ["beep"]);
    let set = action("s", "variable_set", r#"{"key": "format", "value": "flac"}"#);
    let record = action("r", "recording_start", r#"{"format": "${format}"}"#);
    let mut run = Run::on_call(&list(&[set, record, action("z", "beep", "{}")]));
    assert_eq!(run.orders(), ["beep"], "a format that is not written");
}

#[test]
fn recording_options_have_units_and_zero_is_no_limit() {
    use crate::flow::command::EndOfKey;
    let option = r##"{"end_of_silence": 0, "duration": "60", "end_of_key": "#", "beep_start": true,
            "on_end_flow_id": "minutes"}"##;
    let mut run = Run::on_call(&before_a_beep("recording_start", option));
    let Some(FlowCommand::StartRecording { options, .. }) = run.flow.poll_command() else {
        panic!("no recording");
    };
    assert_eq!(
        options,
        RecordingOptions {
            format: RecordingFormat::Wav,
            layout: RecordingLayout::Split,
            end_of_silence: None,
            end_of_key: EndOfKey::Hash,
            duration: Some(Duration::from_secs(60)),
            beep_start: true,
            on_end_flow_id: Some("minutes".to_owned()),
        }
    );
}
