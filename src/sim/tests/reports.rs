//! What whoever watches is told of each story, in which order, and what stands in it.

use std::collections::HashMap;

use super::conferences::{crowd, standup};
use super::kit::*;
use super::queues::shop;
use super::talks::{BOB, CAROL, talks};
use super::*;
use crate::call::address::AddressKind;
use crate::flow::{Address, Direction, FlowEnd, ReferenceType};
use crate::ids::CallId;
use crate::sim::phone::Called;
use crate::status::CallStatus;
use crate::store::activeflows::{ActiveflowState, ActiveflowStatus};
use crate::store::call_state::CallState;
use crate::store::calls::CallDirection;
use crate::switch::{
    CallNews, CallVerb, Change, ConfbridgeNews, Control, Input, RecordingNews, TransferKind,
    TransferNews,
};

mod bindings;

/// What was told, a line for each: calls by the order of their beginning (`a`, `b`, …), with their action.
fn story(world: &World) -> Vec<String> {
    let mut names = HashMap::new();
    let mut name = |id: CallId| {
        let next = char::from(b'a' + names.len() as u8);
        *names.entry(id).or_insert(next)
    };
    let mut lines = Vec::new();
    for report in &world.reports {
        lines.push(match report {
            Report::Call { news, call } => {
                let action = call.action.as_ref().map_or("-", |action| action.kind);
                format!("{} {} {action}", name(call.id), news.as_str())
            }
            Report::CallEnded(record) => format!("{} record", name(record.id)),
            Report::Activeflow { news, activeflow } => {
                let ActiveflowState {
                    status, current, ..
                } = &**activeflow;
                let current = current.as_ref().map_or("-", |action| action.kind);
                match (news, status) {
                    (Change::Created, _) => "flow created".to_owned(),
                    (_, ActiveflowStatus::Running) => format!("flow at {current}"),
                    (_, ActiveflowStatus::Ended) => "flow ended".to_owned(),
                }
            }
            Report::Groupcall { news, groupcall } => {
                let (calls, living) = (groupcall.calls.len(), groupcall.living);
                format!("group {news:?} {living}/{calls}").to_lowercase()
            }
            Report::Confbridge { news, confbridge } => match news {
                ConfbridgeNews::Joined(call) => format!("{} joined", name(*call)),
                ConfbridgeNews::Leaved(call) => format!("{} leaved", name(*call)),
                news => format!("bridge {news:?} {}", confbridge.of.as_str()).to_lowercase(),
            },
            Report::Recording { news, .. } => format!("recording {news:?}").to_lowercase(),
            Report::Conferencecall { conferencecall, .. } => {
                let status = conferencecall.status.as_str();
                format!("{} {status}", name(conferencecall.call))
            }
            Report::Queuecall { queuecall, .. } => {
                format!(
                    "{} {} in queue",
                    name(queuecall.call),
                    queuecall.status.as_str()
                )
            }
            Report::Queue { counts, .. } => format!(
                "queue {} {} {}",
                counts.incoming, counts.serviced, counts.abandoned
            ),
            Report::Agent { status, .. } => format!("agent {}", status.as_str()),
            Report::Transfer { news, transfer } => {
                format!("{} {news:?}", transfer.kind()).to_lowercase()
            }
            Report::Message { news, message } => {
                format!("message {news:?} {}", message.status().as_str()).to_lowercase()
            }
            Report::Conversation { news, .. } => format!("conversation {news:?}").to_lowercase(),
            Report::Binding { news, binding } => {
                format!("binding {news:?} {}", binding.extension).to_lowercase()
            }
            other => format!("{other:?}"),
        });
    }
    lines
}

/// The lines of a story that begin like one of these.
fn lines_of(world: &World, starts: &[&str]) -> Vec<String> {
    let is_wanted = |line: &String| starts.iter().any(|start| line.starts_with(start));
    story(world).into_iter().filter(is_wanted).collect()
}

/// The news of a call.
fn news_of(world: &World, id: CallId) -> Vec<(CallNews, &CallState)> {
    let of = |report| match report {
        &Report::Call { news, ref call } if call.id == id => Some((news, &**call)),
        _ => None,
    };
    world.reports.iter().filter_map(of).collect()
}

/// The calls, in the order of their beginning.
fn calls(world: &World) -> Vec<CallId> {
    let created = |report: &Report| match report {
        Report::Call { news, call } => (*news == CallNews::Created).then_some(call.id),
        _ => None,
    };
    world.reports.iter().filter_map(created).collect()
}

#[test]
fn call_that_is_answered_and_hung_up_is_told_at_each_status_and_action() {
    let flow = json!([
        {"id": "a", "type": "answer"},
        {"id": "t", "type": "talk", "option": {"text": "tone 400 1000", "language": "en-US"}},
        {"id": "h", "type": "hangup"},
    ]);
    let mut world = Plan::new(1200).flow("greet", flow).build();
    let phone = world.phone("+15551112222", "10.0.0.21");
    world.dial(phone, "greet");
    world.settle();
    assert_eq!(
        story(&world),
        [
            "a created -",
            "flow created",
            "a progressing answer",
            "a updated talk",
            "flow at talk",
            "a terminating hangup",
            "flow ended",
            "a hangup hangup",
            "a record",
        ]
    );
    let all = news_of(&world, calls(&world)[0]);
    let (_, created) = all[0];
    assert_eq!(created.status, CallStatus::Ringing);
    assert_eq!(created.direction, CallDirection::Incoming);
    assert_eq!(created.kind.as_str(), "flow");
    assert_eq!(created.source.kind, AddressKind::Tel);
    assert_eq!(created.source.target, "+15551112222");
    assert_eq!(created.destination.target, "greet@10.0.0.1");
    assert!(created.flow.is_some() && created.activeflow.is_some());
    assert_eq!(
        (created.rang, created.answered),
        (Some(created.created), None)
    );
    assert_eq!((created.master, created.recording), (None, None));
    assert_eq!(created.updated, created.created);
    let (_, answered) = all[1];
    assert_eq!(answered.answered, Some(answered.updated));
    let (_, talking) = all[2];
    let action = talking.action.as_ref().unwrap();
    assert_eq!((action.id.as_str(), action.kind), ("t", "talk"));
    assert_eq!(
        &*action.option,
        r#"{"language":"en-US","text":"tone 400 1000"}"#
    );
    assert!(action.executed >= answered.updated && action.executed <= talking.updated);
    let (_, terminating) = all[3];
    assert_eq!((terminating.hungup, &terminating.cause), (None, &None));
    let (_, over) = all[4];
    let cause = over.cause.as_ref().unwrap();
    assert_eq!(cause.to_string(), "normal by local: the flow hung up");
    assert_eq!(over.action.as_ref().unwrap().id.as_str(), "h");
    let record = world.records()[0];
    assert_eq!(
        (over.hungup, over.answered),
        (Some(record.ended), record.answered)
    );
    assert_eq!(
        (over.activeflow, &over.flow),
        (created.activeflow, &created.flow)
    );
}

#[test]
fn each_action_of_a_flow_is_told_once_as_current_and_once_as_executed() {
    let mut world = menu_world(1201);
    let phone = world.phone("caller", "10.0.0.21");
    world.dial(phone, "menu");
    world.pass_ms(500);
    world.press(phone, '2', Key::Event);
    world.settle();
    let (mut executed, mut states) = (Vec::new(), Vec::new());
    for report in &world.reports {
        if let Report::Activeflow { activeflow, .. } = report {
            executed.extend(activeflow.executed.iter().map(|action| action.kind));
            states.push(&**activeflow);
        }
    }
    let wanted = [
        "answer",
        "talk",
        "digits_receive",
        "branch",
        "talk",
        "hangup",
    ];
    assert_eq!(executed, wanted);
    let (first, last) = (states[0], states[states.len() - 1]);
    assert_eq!(first.status, ActiveflowStatus::Running);
    assert_eq!(first.current, None);
    assert_eq!(first.reference.kind, ReferenceType::Call);
    assert_eq!(first.reference.id, calls(&world)[0].0);
    assert_eq!(last.status, ActiveflowStatus::Ended);
    assert_eq!(last.end, Some(FlowEnd::CallEnded));
    assert_eq!((last.created, last.current.as_ref()), (first.created, None));
    assert!(states.iter().all(|state| state.id == first.id));
}

#[test]
fn busy_callee_is_told_as_a_call_of_its_own_and_as_chained() {
    let flow = connect_then_talk(&json!({}));
    let mut world = trunk_plan(1202).flow("out", flow).build();
    let caller = world.phone("alice", "10.0.0.21");
    let trunk = world.trunk("carrier.example", "10.0.1.1");
    world.when_called(trunk, Called::refuses_after(500, 486));
    world.dial(caller, "out");
    world.settle();
    let [a, b] = calls(&world)[..] else {
        panic!("{:?}", story(&world));
    };
    let of_b = lines_of(&world, &["b "]);
    assert_eq!(
        of_b,
        [
            "b created -",
            "b dialing -",
            "b ringing -",
            "b hangup -",
            "b record"
        ]
    );
    let (_, over) = *news_of(&world, b).last().unwrap();
    assert_eq!(over.cause.as_ref().unwrap().status(), Some(486));
    assert_eq!((over.master, over.groupcall), (Some(a), None));
    assert_eq!(over.direction, CallDirection::Outgoing);
    assert_eq!(&*over.trunks[0], "carrier.example");
    assert_eq!((over.answered, over.flow.as_ref()), (None, None));
    assert!(over.rang.unwrap() < over.hungup.unwrap());
    let (_, over) = *news_of(&world, a).last().unwrap();
    assert_eq!(over.chained, [b]);
}

#[test]
fn two_who_are_called_are_a_groupcall_and_the_first_answer_wins() {
    let flow = connect_then_talk(&json!({"destinations": [
        {"type": "tel", "target": "+15551112222", "name": "Bob", "detail": "at home"},
        {"type": "sip", "target": "bob@10.0.1.2"},
    ]}));
    let mut world = trunk_plan(1203).flow("out", flow).build();
    let caller = world.phone("alice", "10.0.0.21");
    let slow = world.trunk("carrier.example", "10.0.1.1");
    let quick = world.trunk("other.example", "10.0.1.2");
    world.hosts.insert(
        "10.0.1.2".to_owned(),
        vec![(crate::sip::Transport::Udp, "10.0.1.2:5060".parse().unwrap())],
    );
    world.when_called(slow, Called::rings());
    world.when_called(quick, Called::answers_after(700));
    world.dial(caller, "out");
    world.pass_ms(3000);
    world.hang_up(caller);
    world.settle();
    let wanted = [
        "bridge created connect",
        "group created 2/2",
        "group progressing 2/2",
        "c joined",
        "a joined",
        "group updated 1/2",
        "a leaved",
        "c leaved",
        "bridge terminated connect",
        "group hangup 0/2",
    ];
    let told = lines_of(
        &world,
        &[
            "group", "bridge", "a joined", "a leaved", "c joined", "c leaved",
        ],
    );
    assert_eq!(told, wanted);
    let [a, b, c] = calls(&world)[..] else {
        panic!("{:?}", story(&world));
    };
    let groupcall = world.reports.iter().rev().find_map(|report| match report {
        Report::Groupcall { groupcall, .. } => Some(groupcall),
        _ => None,
    });
    let groupcall = groupcall.unwrap();
    assert_eq!(
        (&groupcall.calls[..], groupcall.answered),
        (&[b, c][..], Some(c))
    );
    assert_eq!((groupcall.master, groupcall.flow.as_ref()), (Some(a), None));
    let kinds = groupcall.destinations.iter().map(|one| one.kind.as_str());
    assert_eq!(kinds.collect::<Vec<_>>(), ["tel", "sip"]);
    for id in [b, c] {
        let all = news_of(&world, id);
        assert!(
            all.iter()
                .all(|(_, call)| call.groupcall == Some(groupcall.id))
        );
    }
    let (_, lost) = *news_of(&world, b).last().unwrap();
    assert_eq!(
        (
            lost.destination.name.as_str(),
            lost.destination.detail.as_str()
        ),
        ("Bob", "at home")
    );
    let statuses: Vec<CallNews> = news_of(&world, b).iter().map(|(news, _)| *news).collect();
    use CallNews::{Canceling, Created, Dialing, Hangup, Ringing};
    assert_eq!(statuses, [Created, Dialing, Ringing, Canceling, Hangup]);
    // The bridge shows while it talks, and no longer.
    let bridged: Vec<bool> = news_of(&world, c)
        .iter()
        .map(|(_, call)| call.confbridge.is_some())
        .collect();
    assert_eq!(
        bridged.iter().filter(|is_in| **is_in).count(),
        1,
        "{bridged:?}"
    );
    assert_eq!(bridged.last(), Some(&false));
}

#[test]
fn another_trunk_is_told_as_a_change_of_the_same_call() {
    let mut world = plan_with(1204, vec![out("a.example"), out("b.example")])
        .flow("out", connect_then_talk(&json!({})))
        .build();
    let caller = world.phone("alice", "10.0.0.21");
    let first = world.trunk("a.example", "10.0.1.1");
    let second = world.trunk("b.example", "10.0.1.2");
    world.when_called(first, Called::refuses(503));
    world.when_called(second, Called::answers_after(200));
    world.dial(caller, "out");
    world.pass_ms(1500);
    let b = calls(&world)[1];
    let trunks: Vec<(CallNews, usize)> = news_of(&world, b)
        .iter()
        .map(|(news, call)| (*news, call.trunks.len()))
        .collect();
    use CallNews::{Created, Dialing, Progressing, Ringing, Updated};
    let wanted = [
        (Created, 0),
        (Dialing, 1),
        (Updated, 2),
        (Ringing, 2),
        (Progressing, 2),
        // It is in the bridge.
        (Updated, 2),
    ];
    assert_eq!(trunks, wanted);
    world.hang_up(caller);
    world.settle();
}

#[test]
fn silence_and_hold_from_outside_are_told_and_nothing_is_told_twice() {
    let mut world = Plan::new(1205).flow("wait", patience()).build();
    let phone = world.phone("caller", "10.0.0.21");
    world.dial(phone, "wait");
    world.pass_ms(500);
    let call = calls(&world)[0];
    world.reports.clear();
    let mut told = Vec::new();
    for verb in [
        CallVerb::Mute {
            direction: Direction::In,
        },
        CallVerb::Mute {
            direction: Direction::In,
        },
        CallVerb::Mute {
            direction: Direction::Both,
        },
        CallVerb::Unmute {
            direction: Direction::Both,
        },
        CallVerb::Hold,
        CallVerb::Unhold,
    ] {
        assert_eq!(world.control(Control::Call { call, verb }), Ok(()));
        let news = news_of(&world, call);
        let shown = |(news, call): &(CallNews, &CallState)| {
            assert_eq!(*news, CallNews::Updated);
            (call.muted, call.is_held)
        };
        told.push(news.iter().map(shown).collect::<Vec<_>>());
        world.reports.clear();
    }
    let wanted = [
        vec![(Some(Direction::In), false)],
        vec![],
        vec![(Some(Direction::Both), false)],
        vec![(None, false)],
        vec![(None, true)],
        vec![(None, false)],
    ];
    assert_eq!(told, wanted);
    world.hang_up(phone);
    world.settle();
}

#[test]
fn recording_shows_in_its_call_while_it_runs_and_stays_in_the_list() {
    let flow = json!([
        {"type": "answer"},
        {"type": "recording_start", "option": {"format": "wav"}},
        {"type": "talk", "option": {"text": "tone 500 1000"}},
        {"type": "recording_stop"},
        {"type": "sleep", "option": {"duration": 1000}},
    ]);
    let mut world = Plan::new(1206).flow("record", flow).build();
    let phone = world.phone("caller", "10.0.0.21");
    world.dial(phone, "record");
    world.settle();
    assert_eq!(
        lines_of(&world, &["recording"]),
        ["recording started", "recording finished"]
    );
    let recordings: Vec<_> = world
        .reports
        .iter()
        .filter_map(|report| match report {
            Report::Recording { news, recording } => Some((*news, &**recording)),
            _ => None,
        })
        .collect();
    let [
        (RecordingNews::Started, began),
        (RecordingNews::Finished, ended),
    ] = recordings[..]
    else {
        panic!("{recordings:?}");
    };
    assert_eq!((began.ended, began.is_complete), (None, false));
    assert!(ended.ended.unwrap() > ended.began && ended.is_complete);
    assert!(ended.name.starts_with("call_"), "{}", ended.name);
    assert_eq!(ended.format.as_str(), "wav");
    let call = calls(&world)[0];
    let shown: Vec<_> = news_of(&world, call)
        .iter()
        .map(|(_, call)| (call.recording.is_some(), call.recordings.len()))
        .collect();
    assert!(shown.contains(&(true, 1)));
    assert_eq!(shown.last(), Some(&(false, 1)));
    let (_, last) = *news_of(&world, call).last().unwrap();
    assert_eq!(
        (last.recordings[0], last.activeflow),
        (ended.id, ended.activeflow)
    );
}

#[test]
fn place_in_a_queue_and_its_agent_are_told_with_the_counts_of_the_queue() {
    let (mut world, caller, _) = shop(1207, 0, 0, Called::answers_for(1000, 2000));
    world.dial(caller, "line");
    world.settle();
    assert_eq!(
        lines_of(
            &world,
            &[
                "queue",
                "agent",
                "group",
                "bridge",
                "a initiating",
                "a waiting",
                "a connecting",
                "a service",
                "a done"
            ]
        ),
        [
            "queue 1 0 0",
            "a initiating in queue",
            "a waiting in queue",
            "agent ringing",
            "group created 1/1",
            "a connecting in queue",
            "group progressing 1/1",
            "agent busy",
            "bridge created connect",
            "queue 1 1 0",
            "a service in queue",
            "agent available",
            "bridge terminated connect",
            "group hangup 0/1",
            "a done in queue",
        ]
    );
    let last = world.reports.iter().rev().find_map(|report| match report {
        Report::Queuecall { queuecall, updated } => Some((queuecall, *updated)),
        _ => None,
    });
    let (queuecall, updated) = last.unwrap();
    let taken = updated - queuecall.service - queuecall.waiting;
    let first = world.reports.iter().find_map(|report| match report {
        Report::Queuecall { updated, .. } => Some(*updated),
        _ => None,
    });
    assert_eq!(first, Some(taken));
    let (_, over) = *news_of(&world, calls(&world)[0]).last().unwrap();
    assert_eq!(over.activeflow, Some(queuecall.activeflow));
}

#[test]
fn conference_is_told_by_its_bridge_and_by_who_takes_part() {
    let mut conference = standup();
    conference.timeout = Some(Duration::from_secs(10));
    let (mut world, phones) = crowd(1208, conference);
    for phone in &phones[..2] {
        world.dial(*phone, "meet");
        world.pass_ms(1000);
    }
    world.settle();
    assert_eq!(
        lines_of(&world, &["bridge", "a jo", "a lea", "b jo", "b lea"]),
        [
            "bridge created conference",
            "a joined",
            "a joining",
            "a joined",
            "b joined",
            "b joining",
            "b joined",
            "bridge terminating conference",
            "a leaving",
            "a leaved",
            "b leaving",
            "b leaved",
            "bridge terminated conference",
            "a leaved",
            "b leaved",
        ]
    );
}

#[test]
fn transfer_is_told_from_its_beginning_to_the_new_talk() {
    for (kind, wanted) in [
        (TransferKind::Blind, vec!["blind created", "blind done"]),
        (
            TransferKind::Attended,
            vec!["attended created", "attended answered", "attended done"],
        ),
    ] {
        let mut t = talks(1209);
        assert_eq!(t.transfer(kind, BOB, CAROL), Ok(()));
        t.world.pass_ms(2000);
        t.world.hang_up(t.bob);
        t.world.pass_ms(500);
        assert_eq!(lines_of(&t.world, &["blind", "attended"]), wanted);
        let transfer = t
            .world
            .reports
            .iter()
            .rev()
            .find_map(|report| match report {
                Report::Transfer { transfer, .. } => Some(transfer),
                _ => None,
            });
        let transfer = transfer.unwrap();
        let [a, b, c] = calls(&t.world)[..] else {
            panic!("{:?}", story(&t.world));
        };
        assert_eq!((transfer.transferer, transfer.remaining), (b, a));
        assert_eq!(transfer.transferee, Some(c));
        assert_eq!(transfer.transferees[0].target, CAROL);
        let (_, new) = *news_of(&t.world, c).last().unwrap();
        assert_eq!(new.groupcall, Some(transfer.groupcall));
        assert_eq!(new.confbridge, Some(transfer.confbridge));
        t.rest();
    }
    let mut t = talks(1210);
    t.world
        .when_called(t.carol, Called::refuses_after(200, 486));
    assert_eq!(t.transfer(TransferKind::Blind, BOB, CAROL), Ok(()));
    t.world.pass_ms(1000);
    assert_eq!(
        lines_of(&t.world, &["blind"]),
        ["blind created", "blind failed"]
    );
    let failed = |report: &Report| match report {
        Report::Transfer { news, transfer } => {
            *news == TransferNews::Failed && transfer.transferee.is_none()
        }
        _ => false,
    };
    assert!(t.world.reports.iter().any(failed));
    t.rest();
}

#[test]
fn messages_and_their_conversation_are_told_as_they_come_and_change() {
    let tel = |number: &str| Address {
        kind: "tel".to_owned(),
        target: number.to_owned(),
        ..Address::default()
    };
    let mut world = Plan::new(1211).build();
    for _ in 0..2 {
        world.input(Input::Message {
            source: tel("+15550101"),
            destination: tel("+15550100"),
            text: "hello".to_owned(),
            flow: None,
        });
        world.pass_ms(1000);
    }
    assert_eq!(
        story(&world),
        [
            "conversation created",
            "message created received",
            "conversation updated",
            "message created received",
        ]
    );
    let conversations: Vec<_> = world
        .reports
        .iter()
        .filter_map(|report| match report {
            Report::Conversation { conversation, .. } => Some(&**conversation),
            _ => None,
        })
        .collect();
    let [first, second] = conversations[..] else {
        panic!("{conversations:?}");
    };
    assert_eq!((first.id, first.created), (second.id, second.created));
    assert!(second.updated > second.created && first.updated == first.created);
}
