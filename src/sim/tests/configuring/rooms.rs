//! Conferences that are not configured any more, are terminated, or are written down.

use super::*;
use crate::store::conferences::{Conference, ConferenceTable};
use crate::switch::{ConferenceVerb, ControlError};

fn standup() -> Conference {
    Conference {
        id: SALES,
        name: "standup".to_owned(),
        detail: String::new(),
        pre_flow: None,
        post_flow: Some("minutes".to_owned()),
        timeout: None,
        record: false,
        level: true,
        record_format: crate::flow::RecordingFormat::Wav,
        loudest: None,
    }
}

fn meeting(seed: u64) -> (World, Plan, [PhoneId; 2]) {
    let meet = json!([
        {"type": "answer"},
        {"type": "conference_join", "option": {"conference_id": "standup"}},
        {"type": "talk", "option": {"text": "tone 700 2000"}},
    ]);
    let minutes = json!([
        {"type": "webhook_send", "option": {"uri": "http://x/minutes", "method": "POST"}},
    ]);
    let mut plan = Plan::new(seed).flow("meet", meet).flow("minutes", minutes);
    plan.directory.conferences = ConferenceTable::new(vec![standup()]);
    let mut world = plan.clone().build();
    let phones = [
        speaking(&mut world, "alice", "10.0.0.21", 400),
        speaking(&mut world, "bob", "10.0.0.22", 500),
    ];
    for phone in phones {
        world.dial(phone, "meet");
        world.pass_ms(500);
    }
    world.pass_ms(1000);
    (world, plan, phones)
}

fn of_standup(verb: ConferenceVerb) -> Control {
    Control::Conference {
        conference: SALES,
        verb,
    }
}

#[test]
fn a_conference_that_is_gone_is_there_for_those_in_it_until_they_leave() {
    let (mut world, plan, [alice, bob]) = meeting(928);
    let mut gone = plan.clone();
    gone.directory.conferences = ConferenceTable::default();
    configure(&mut world, &gone);
    world.pass_ms(500);
    assert_eq!(
        (world.hears(alice), world.hears(bob)),
        (Some(500), Some(400))
    );
    let late = world.phone("late", "10.0.0.23");
    world.dial(late, "meet");
    world.pass_ms(500);
    assert_eq!(
        world.state(late),
        BY_SWITCH,
        "there is none for who comes now"
    );
    world.hang_up(alice);
    world.hang_up(bob);
    world.pass_ms(500);
    assert_eq!(world.asked.len(), 1, "what follows it follows");
    let over = world.control(of_standup(ConferenceVerb::Terminate));
    assert_eq!(over, Err(ControlError::NoSuchConference));
    world.settle();
}

#[test]
fn a_conference_that_is_terminated_sends_all_on_and_may_be_entered_anew() {
    let (mut world, plan, phones) = meeting(929);
    let mut gone = plan.clone();
    gone.directory.conferences = ConferenceTable::default();
    configure(&mut world, &gone);
    let terminate = of_standup(ConferenceVerb::Terminate);
    assert_eq!(world.control(terminate.clone()), Ok(()));
    world.pass_ms(500);
    for phone in phones {
        assert_eq!(world.hears(phone), Some(700));
    }
    assert_eq!(world.asked.len(), 1);
    world.pass_ms(4000);
    configure(&mut world, &plan);
    world.dial(phones[0], "meet");
    world.pass_ms(500);
    assert_eq!(world.control(terminate.clone()), Ok(()));
    world.settle();
    assert_eq!(
        world.control(terminate),
        Ok(()),
        "a closed room stays closed"
    );
}

#[test]
fn what_is_said_in_a_conference_is_in_words_of_all_who_come_until_it_is_enough() {
    let (mut world, _, phones) = meeting(930);
    let start = of_standup(ConferenceVerb::StartTranscribe {
        options: crate::flow::TranscribeOptions::default(),
    });
    assert_eq!(world.control(start.clone()), Ok(()));
    assert_eq!(world.control(start), Err(ControlError::AlreadyTranscribing));
    let late = speaking(&mut world, "late", "10.0.0.23", 600);
    world.dial(late, "meet");
    world.pass_ms(2000);
    for phone in phones.into_iter().chain([late]) {
        world.say(phone, None);
    }
    world.pass_ms(3000);
    let speakers = |world: &World| {
        let told = world.reports.iter().filter_map(|report| match report {
            Report::Transcript(told) => Some(told.call),
            _ => None,
        });
        let mut speakers: Vec<_> = told.collect();
        speakers.sort_unstable();
        speakers.dedup();
        speakers.len()
    };
    assert_eq!(speakers(&world), 3);
    world.hang_up(late);
    world.pass_ms(500);
    let stop = of_standup(ConferenceVerb::StopTranscribe);
    assert_eq!(world.control(stop.clone()), Ok(()));
    assert_eq!(world.control(stop), Err(ControlError::NotTranscribing));
    let again = of_standup(ConferenceVerb::StartTranscribe {
        options: crate::flow::TranscribeOptions::default(),
    });
    assert_eq!(world.control(again), Ok(()));
    for phone in phones {
        world.hang_up(phone);
    }
    world.settle();
}
