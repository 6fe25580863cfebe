//! Recordings: what is in them, what their flow knows of them, and who waits for their files.

use super::*;
use crate::sim::voice::tone_of;

fn record(rest: &[serde_json::Value]) -> serde_json::Value {
    let mut actions = vec![
        json!({"type": "answer"}),
        json!({"type": "recording_start", "option": {"format": "wav"}}),
    ];
    actions.extend_from_slice(rest);
    serde_json::Value::Array(actions)
}

#[test]
fn recording_holds_both_sides_and_its_variables_name_the_files() {
    let flow = record(&[
        json!({"type": "talk", "option": {"text": "tone 500 2000"}}),
        json!({"type": "recording_stop"}),
        json!({"type": "sleep", "option": {"duration": 1000}}),
    ]);
    let mut world = Plan::new(50).flow("record", flow).build();
    let phone = world.phone("caller", "10.0.0.21");
    world.dial(phone, "record");
    world.with(phone, |phone, now| phone.say(now, Some(900)));
    world.pass_ms(1000);
    assert_eq!(world.media.recordings.len(), 0);
    world.pass_ms(1500);
    let files = world
        .switch
        .variable("voipbin.recording.filenames")
        .unwrap_or_default()
        .to_owned();
    assert_eq!(world.media.recordings.len(), 1);
    let recorded = &world.media.recordings[0];
    let names = recorded
        .files
        .iter()
        .map(|file| file.file_name().unwrap().to_str().unwrap());
    assert_eq!(files, names.collect::<Vec<_>>().join(","));
    assert!(recorded.files[0].starts_with("recordings"), "{files}");
    for (side, tone) in [(&recorded.heard, 900), (&recorded.said, 500)] {
        assert!(
            (1.9..2.3).contains(&(side.len() as f64 / 8000.0)),
            "{}",
            side.len()
        );
        let middle = &side[8000..9600];
        assert_eq!(tone_of(middle), Some(tone));
    }
    world.settle();
}

#[test]
fn recording_stop_waits_until_the_files_are_complete() {
    let flow = record(&[
        json!({"type": "sleep", "option": {"duration": 500}}),
        json!({"type": "recording_stop"}),
        json!({"type": "talk", "option": {"text": "tone 500 1000"}}),
    ]);
    let mut world = Plan::new(51).flow("record", flow).build();
    world.media.filing = Duration::from_secs(2);
    let phone = world.phone("caller", "10.0.0.21");
    world.dial(phone, "record");
    world.pass_ms(2300);
    assert_eq!(world.hears(phone), None);
    world.pass_ms(600);
    assert_eq!(world.hears(phone), Some(500));
    world.settle();
}

#[test]
fn second_recording_may_start_after_the_first_has_ended() {
    let flow = record(&[
        json!({"type": "sleep", "option": {"duration": 500}}),
        json!({"type": "recording_stop"}),
        json!({"type": "recording_start", "option": {"duration": 1}}),
        json!({"type": "sleep", "option": {"duration": 3000}}),
    ]);
    let mut world = Plan::new(52).flow("record", flow).build();
    let phone = world.phone("caller", "10.0.0.21");
    world.dial(phone, "record");
    world.with(phone, |phone, now| phone.say(now, Some(900)));
    world.pass_ms(5000);
    let lengths: Vec<usize> = world
        .media
        .recordings
        .iter()
        .map(|one| one.heard.len() / 800)
        .collect();
    assert_eq!(lengths.len(), 2, "{lengths:?}");
    assert_eq!(lengths[1], 10, "one second");
    world.settle();
}

#[test]
fn on_complete_flow_starts_when_the_files_are_complete_and_skips_its_media() {
    let first = json!({
        "on_complete_flow_id": "after",
        "actions": record(&[json!({"type": "sleep", "option": {"duration": 60_000}})]),
    });
    let after = json!([
        {"type": "talk", "option": {"text": "tone 500 1000"}},
        {"type": "echo"},
        {"type": "condition_variable", "option": {
            "condition": "!=", "variable": "${voipbin.recording.filenames}",
            "value_type": "string", "value_string": "",
            "false_target_id": "unknown",
        }},
        {"id": "known", "type": "variable_set", "option": {"key": "seen", "value": "yes"}},
        {"type": "stop"},
        {"id": "unknown", "type": "stop"},
    ]);
    let mut plan = Plan::new(53).flow("record", first);
    plan = plan.flow("after", after);
    let log = logged(|| {
        let mut world = plan.build();
        world.media.filing = Duration::from_secs(2);
        let phone = world.phone("caller", "10.0.0.21");
        world.dial(phone, "record");
        world.pass_ms(1000);
        world.hang_up(phone);
        world.pass_ms(1900);
        assert_eq!(world.switch.calls(), 1, "the disk is slow");
        tracing::debug!("still no file");
        world.pass_ms(1000);
        assert_eq!(world.switch.calls(), 0);
        assert_eq!(world.media.orders(), 1, "the recording alone");
        world.settle();
    });
    let order = [
        "still no file",
        "on-complete flow",
        "kind=\"talk\"",
        "action=known",
    ];
    let places = order.map(|words| {
        log.find(words)
            .unwrap_or_else(|| panic!("no {words}:\n{log}"))
    });
    assert!(places.is_sorted(), "{log}");
    assert_eq!(log.matches("passed over").count(), 2, "{log}");
}

#[test]
fn recording_ends_with_the_call_and_is_finished_once() {
    for filing in [0, 3000] {
        let flow = record(&[json!({"type": "sleep", "option": {"duration": 60_000}})]);
        let mut world = Plan::new(54).flow("record", flow).build();
        world.media.filing = Duration::from_millis(filing);
        let phone = world.phone("caller", "10.0.0.21");
        world.dial(phone, "record");
        world.pass_ms(1000);
        world.hang_up(phone);
        world.settle();
        assert_eq!(world.media.recordings.len(), 1);
    }
}
