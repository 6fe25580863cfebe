//! Callers who meet: who hears whom, who comes and goes when, and what is recorded and follows.

use std::collections::BTreeMap;

use flowswitch_media::dsp::meter::frequency_power;
use uuid::Uuid;

use super::kit::speaking;
use super::*;
use crate::flow::RecordingFormat;
use crate::sim::net::Weather;
use crate::store::conferences::{Conference, ConferenceTable};
use crate::switch::{
    ConfbridgeNews, ConferenceRecording, ConferenceVerb, ConferencecallStatus, Control,
    ControlError, ControlId, Input, OutsideRequest, Report,
};

const STANDUP: Uuid = Uuid::from_u128(1);
const TONES: [u16; 5] = [400, 500, 600, 800, 900];

pub(super) fn standup() -> Conference {
    Conference {
        id: STANDUP,
        name: "standup".to_owned(),
        detail: String::new(),
        pre_flow: None,
        post_flow: None,
        timeout: None,
        record: false,
        record_format: RecordingFormat::Wav,
        level: true,
        loudest: None,
    }
}

/// Joins the conference; says 700 Hz behind it and hangs up.
fn plan(seed: u64, conference: Conference) -> Plan {
    let mut plan = Plan::new(seed)
        .flow(
            "meet",
            json!([
                {"type": "answer"},
                {"type": "conference_join", "option": {"conference_id": "standup"}},
                {"type": "talk", "option": {"text": "tone 700 2000"}},
                {"type": "hangup"},
            ]),
        )
        .flow(
            "welcome",
            json!([{"type": "talk", "option": {"text": "tone 300 2000"}}]),
        )
        .flow(
            "minutes",
            json!([
                {"type": "talk", "option": {"text": "nobody hears it"}},
                {"type": "webhook_send", "option": {"uri": "http://x/minutes", "method": "POST"}},
            ]),
        );
    plan.directory.conferences = ConferenceTable::new(vec![conference]);
    plan
}

/// A world of this conference with a telephone for each tone, of whom nobody has called yet.
pub(super) fn crowd(seed: u64, conference: Conference) -> (World, Vec<PhoneId>) {
    let mut world = plan(seed, conference).build();
    let phones = TONES.map(|hertz| speaking(&mut world, "member", "10.0.0.21", hertz));
    (world, phones.to_vec())
}

fn ask(world: &mut World, control: Control) -> Result<(), ControlError> {
    let request = ControlId(world.controlled.len() as u64 + 1);
    world.input(Input::Control { request, control });
    let answer = world.controlled.last().expect("it is answered");
    answer.1.clone().map(|_| ())
}

fn record(duration: Option<Duration>) -> Control {
    Control::Conference {
        conference: STANDUP,
        verb: ConferenceVerb::StartRecording {
            options: ConferenceRecording {
                duration,
                ..ConferenceRecording::default()
            },
        },
    }
}

fn stop() -> Control {
    Control::Conference {
        conference: STANDUP,
        verb: ConferenceVerb::StopRecording,
    }
}

impl World {
    /// What participants went through, each by itself, in the order of their coming.
    fn conferencecalls(&self) -> Vec<Vec<&'static str>> {
        let mut all: Vec<(Uuid, Vec<&'static str>)> = Vec::new();
        for report in &self.reports {
            let Report::Conferencecall {
                conferencecall: told,
                ..
            } = report
            else {
                continue;
            };
            match all.iter_mut().find(|(id, _)| *id == told.id) {
                Some((_, statuses)) => statuses.push(told.status.as_str()),
                None => all.push((told.id, vec![told.status.as_str()])),
            }
        }
        all.into_iter().map(|(_, statuses)| statuses).collect()
    }

    fn conferencecall(&self, nth: usize) -> Uuid {
        let mut ids = Vec::new();
        for report in &self.reports {
            if let Report::Conferencecall {
                conferencecall: told,
                ..
            } = report
                && !ids.contains(&told.id)
            {
                ids.push(told.id);
            }
        }
        ids[nth]
    }

    /// Everybody of these hears all the others and not itself.
    fn assert_meeting(&self, members: &[PhoneId]) {
        let of = |phone: &PhoneId| self.at(*phone).habits.tone.unwrap();
        for member in members {
            let mut others: Vec<u16> = members.iter().map(of).collect();
            others.retain(|hertz| *hertz != of(member));
            assert_eq!(self.chord(*member), others, "{}", of(member));
        }
    }

    fn minutes(&self) -> usize {
        let is_it = |asked: &&OutsideRequest| matches!(asked, OutsideRequest::Webhook { uri, .. } if uri.ends_with("minutes"));
        self.asked.iter().filter(is_it).count()
    }
}

#[test]
fn each_of_five_hears_the_four_others_and_not_itself_whoever_comes_late_or_leaves() {
    let (mut world, phones) = crowd(700, standup());
    for phone in &phones[..4] {
        world.dial(*phone, "meet");
    }
    world.pass_ms(1500);
    world.assert_meeting(&phones[..4]);
    world.dial(phones[4], "meet");
    world.pass_ms(1500);
    world.assert_meeting(&phones);
    for left in 0..3 {
        world.hang_up(phones[left]);
        world.pass_ms(800);
        world.assert_meeting(&phones[left + 1..]);
    }
    world.hang_up(phones[3]);
    world.pass_ms(800);
    assert!(world.is_silent(phones[4]), "the last is alone, and stays");
    assert_eq!(world.state(phones[4]), PhoneState::Answered);
    world.hang_up(phones[4]);
    world.settle();
    assert_eq!(
        world.conferencecalls(),
        [["joining", "joined", "leaved"]; 5]
    );
}

#[test]
fn introduction_is_heard_by_each_alone_before_the_room() {
    let conference = Conference {
        pre_flow: Some("welcome".to_owned()),
        ..standup()
    };
    let (mut world, phones) = crowd(701, conference);
    world.dial(phones[0], "meet");
    world.pass_ms(3000);
    world.dial(phones[1], "meet");
    world.pass_ms(1000);
    assert_eq!(world.chord(phones[1]), [300]);
    assert!(world.is_silent(phones[0]), "nobody has come yet");
    world.pass_ms(2000);
    world.assert_meeting(&phones[..2]);
    for phone in &phones[..2] {
        world.hang_up(*phone);
    }
    world.settle();
}

#[test]
fn what_follows_a_conference_runs_once_when_the_last_has_left() {
    let conference = Conference {
        post_flow: Some("minutes".to_owned()),
        pre_flow: Some("welcome".to_owned()),
        ..standup()
    };
    let (mut world, phones) = crowd(702, conference);
    world.dial(phones[0], "meet");
    world.pass_ms(1000);
    world.hang_up(phones[0]);
    world.pass_ms(1000);
    assert_eq!(world.minutes(), 0, "it left before it was in");
    for phone in &phones[1..3] {
        world.dial(*phone, "meet");
    }
    world.pass_ms(3000);
    world.hang_up(phones[1]);
    world.pass_ms(1000);
    assert_eq!(world.minutes(), 0, "somebody is still in it");
    world.hang_up(phones[2]);
    world.pass_ms(1000);
    assert_eq!(world.minutes(), 1);
    world.settle();
    assert_eq!(world.minutes(), 1);
}

#[test]
fn time_that_is_over_sends_all_out_and_their_flows_go_on() {
    let conference = Conference {
        timeout: Some(Duration::from_secs(10)),
        pre_flow: Some("welcome".to_owned()),
        ..standup()
    };
    let (mut world, phones) = crowd(703, conference);
    for phone in &phones[..2] {
        world.dial(*phone, "meet");
    }
    world.pass_ms(8800);
    world.assert_meeting(&phones[..2]);
    world.dial(phones[2], "meet");
    world.pass_ms(2000);
    assert_eq!(world.chord(phones[0]), [700]);
    assert_eq!(world.chord(phones[1]), [700]);
    assert_eq!(world.chord(phones[2]), [300], "its introduction goes on");
    world.dial(phones[3], "meet");
    world.pass_ms(1000);
    assert_eq!(
        world.chord(phones[2]),
        [700],
        "it is turned away at the door"
    );
    world.pass_ms(1700);
    assert!(world.is_silent(phones[3]), "alone in a new room");
    world.hang_up(phones[3]);
    world.settle();
    let mut wanted = vec![vec!["joining", "joined", "leaving", "leaved"]; 2];
    wanted.push(vec!["joining", "leaving", "leaved"]);
    wanted.push(vec!["joining", "joined", "leaved"]);
    assert_eq!(world.conferencecalls(), wanted);
}

#[test]
fn one_that_is_kicked_goes_on_behind_the_conference_and_the_others_stay() {
    let (mut world, phones) = crowd(704, standup());
    for phone in &phones[..3] {
        world.dial(*phone, "meet");
        world.pass_ms(500);
    }
    let kick = Control::KickConferencecall {
        conferencecall: world.conferencecall(1),
    };
    assert_eq!(ask(&mut world, kick.clone()), Ok(()));
    assert_eq!(
        ask(&mut world, kick),
        Err(ControlError::NoSuchConferencecall)
    );
    world.pass_ms(800);
    assert_eq!(world.chord(phones[1]), [700]);
    assert_eq!(world.chord(phones[0]), [600]);
    assert_eq!(world.chord(phones[2]), [400]);
    for phone in &phones[..3] {
        world.hang_up(*phone);
    }
    world.settle();
}

#[test]
fn recording_holds_what_all_have_said_in_one_file() {
    for is_configured in [true, false] {
        let conference = Conference {
            record: is_configured,
            ..standup()
        };
        let (mut world, phones) = crowd(705, conference);
        let nobody = ask(&mut world, record(None));
        assert_eq!(nobody, Err(ControlError::EmptyConference));
        for phone in &phones[..3] {
            world.dial(*phone, "meet");
        }
        world.pass_ms(1500);
        if is_configured {
            let again = ask(&mut world, record(None));
            assert_eq!(again, Err(ControlError::AlreadyRecording));
        } else {
            assert_eq!(ask(&mut world, stop()), Err(ControlError::NotRecording));
            assert_eq!(ask(&mut world, record(None)), Ok(()));
        }
        world.pass_ms(3000);
        if is_configured {
            for phone in &phones[..3] {
                world.hang_up(*phone);
            }
        } else {
            assert_eq!(ask(&mut world, stop()), Ok(()));
        }
        world.pass_ms(1000);
        let [recorded] = &world.media.recordings[..] else {
            panic!("one recording");
        };
        let [file] = &recorded.files[..] else {
            panic!("one file");
        };
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        assert!(
            name.starts_with("confbridge_") && name.ends_with("_in.wav"),
            "{name}"
        );
        let middle = &recorded.heard[recorded.heard.len() / 2..][..1600];
        for hertz in [400.0, 500.0, 600.0] {
            let level = frequency_power(middle, hertz);
            assert!(level > -35.0, "{hertz} Hz at {level}");
        }
        let seconds = recorded.heard.len() / 8000;
        assert!((2..=4).contains(&seconds), "{seconds} s");
        for phone in &phones[..3] {
            world.hang_up(*phone);
        }
        world.settle();
    }
    let (mut world, _) = crowd(706, standup());
    let elsewhere = Control::Conference {
        conference: Uuid::nil(),
        verb: ConferenceVerb::StopRecording,
    };
    assert_eq!(
        ask(&mut world, elsewhere),
        Err(ControlError::NoSuchConference)
    );
}

#[test]
fn recording_has_the_format_that_is_configured_or_asked_for() {
    let conference = Conference {
        record: true,
        record_format: RecordingFormat::Ogg,
        ..standup()
    };
    let (mut world, phones) = crowd(710, conference);
    world.dial(phones[0], "meet");
    world.pass_ms(1000);
    assert_eq!(ask(&mut world, stop()), Ok(()));
    world.pass_ms(500);
    let asked = Control::Conference {
        conference: STANDUP,
        verb: ConferenceVerb::StartRecording {
            options: ConferenceRecording {
                format: RecordingFormat::Mp3,
                ..ConferenceRecording::default()
            },
        },
    };
    let is_supported = cfg!(feature = "mp3");
    let refused = ControlError::RecordingFormat { format: "mp3" };
    let answer = ask(&mut world, asked);
    assert_eq!(answer, is_supported.then_some(()).ok_or(refused));
    world.pass_ms(500);
    world.hang_up(phones[0]);
    world.settle();
    let files = world.media.recordings.iter();
    let extensions: Vec<_> = files
        .map(|recorded| recorded.files[0].extension().unwrap().to_owned())
        .collect();
    let expected = if is_supported {
        &["ogg", "mp3"][..]
    } else {
        &["ogg"]
    };
    assert_eq!(extensions, expected);
}

#[test]
fn recording_ends_by_itself_after_its_time_and_may_be_begun_anew() {
    let (mut world, phones) = crowd(707, standup());
    for phone in &phones[..2] {
        world.dial(*phone, "meet");
    }
    world.pass_ms(1000);
    let second = Some(Duration::from_secs(1));
    for _ in 0..2 {
        assert_eq!(ask(&mut world, record(second)), Ok(()));
        world.pass_ms(1500);
        assert_eq!(ask(&mut world, stop()), Err(ControlError::NotRecording));
    }
    assert_eq!(world.media.recordings.len(), 2);
    for phone in &phones[..2] {
        world.hang_up(*phone);
    }
    world.settle();
}

#[test]
fn conference_that_does_not_exist_ends_the_flow() {
    let mut plan = plan(708, standup());
    plan.flows[0].1 = json!([
        {"type": "answer"},
        {"type": "conference_join", "option": {"conference_id": "nowhere"}},
        {"type": "sleep", "option": {"duration": 60_000}},
    ]);
    let mut world = plan.build();
    let phone = world.phone("alice", "10.0.0.21");
    world.dial(phone, "meet");
    world.pass_ms(1000);
    assert_eq!(world.state(phone), BY_SWITCH);
    world.settle();
}

#[test]
fn connection_with_a_conference_enters_it_without_introduction() {
    let conference = Conference {
        pre_flow: Some("welcome".to_owned()),
        ..standup()
    };
    let mut plan = plan(709, conference);
    plan.flows[0].1 = json!([
        {"type": "connect", "option": {"destinations": [{"type": "conference", "target": "standup"}]}},
        {"type": "talk", "option": {"text": "tone 700 2000"}},
    ]);
    let mut world = plan.build();
    let phones = TONES.map(|hertz| speaking(&mut world, "member", "10.0.0.21", hertz));
    for phone in &phones[..2] {
        world.dial(*phone, "meet");
    }
    world.pass_ms(1000);
    world.assert_meeting(&phones[..2]);
    let kick = Control::KickConferencecall {
        conferencecall: world.conferencecall(0),
    };
    assert_eq!(ask(&mut world, kick), Ok(()));
    world.pass_ms(800);
    assert_eq!(world.chord(phones[0]), [700]);
    world.hang_up(phones[1]);
    world.settle();
    let kicked = ["joining", "joined", "leaving", "leaved"];
    assert_eq!(world.conferencecalls()[0], kicked);
}

#[test]
fn crowds_in_a_conference_over_a_bad_link_all_come_out_of_it() {
    for seed in [720, 721] {
        let conference = Conference {
            pre_flow: Some("welcome".to_owned()),
            post_flow: Some("minutes".to_owned()),
            timeout: Some(Duration::from_secs(25)),
            record: true,
            ..standup()
        };
        let mut plan = plan(seed, conference);
        plan.sip = Weather {
            lost: 5,
            doubled: 5,
            delay: Duration::from_millis(20),
            spread: Duration::from_millis(80),
        };
        let mut world = plan.build();
        let mut rng = crate::ids::Rng::from_number(seed);
        let callers = world.phones(40);
        for caller in &callers {
            let mut ms = |most| Step::Pause(Duration::from_millis(rng.below(most).into()));
            let steps = [
                ms(60_000),
                Step::Dial("meet"),
                Step::UntilAnswered,
                ms(40_000),
            ];
            world.script(*caller, steps.into_iter().chain([Step::HangUp]));
        }
        world.pass(Duration::from_secs(200));
        world.settle();
        let mut ends: BTreeMap<Uuid, ConferencecallStatus> = BTreeMap::new();
        for report in &world.reports {
            if let Report::Conferencecall {
                conferencecall: told,
                ..
            } = report
            {
                ends.insert(told.id, told.status);
            }
        }
        assert!(ends.len() >= 35, "{}", ends.len());
        assert!(
            ends.values()
                .all(|end| *end == ConferencecallStatus::Leaved)
        );
        assert_eq!(world.minutes(), world.media.recordings.len());
        assert!(world.minutes() >= 2);
        let (mut joined, mut left) = (0, 0);
        for report in &world.reports {
            match report {
                Report::Confbridge {
                    news: ConfbridgeNews::Joined(_),
                    ..
                } => joined += 1,
                Report::Confbridge {
                    news: ConfbridgeNews::Leaved(_),
                    ..
                } => left += 1,
                _ => {}
            }
        }
        assert!(joined > 20 && joined == left, "{joined} {left}");
    }
}
