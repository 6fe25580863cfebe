//! A hundred thousand calls without sound, over a link that loses, doubles and reorders: every one ends, has
//! its record, and leaves nothing.

use std::collections::{BTreeMap, HashSet};

use uuid::Uuid;

use super::kit::{out, plan_with};
use super::*;
use crate::call::address::AddressKind;
use crate::call::cause::Why;
use crate::flow::Address;
use crate::ids::{CallId, Rng};
use crate::sim::net::Weather;
use crate::sim::phone::{Called, Say};
use crate::store::agents::{Agent, AgentStatus, AgentTable, RingMethod, Tag};
use crate::store::calls::{CallCounts, CallDirection};
use crate::store::conferences::{Conference, ConferenceTable};
use crate::store::queues::{Queue, QueueTable};
use crate::store::trunks::TrunkOut;
use crate::switch::ConferencecallStatus;

const BAD: Weather = Weather {
    lost: 5,
    doubled: 5,
    delay: Duration::from_millis(10),
    spread: Duration::from_millis(80),
};

/// The extensions, and how many telephones each has.
const EXTENSIONS: [(&str, &str, u8); 4] = [
    ("1001", "of 1001", 1),
    ("1002", "of 1002", 2),
    ("1003", "of 1003", 3),
    ("1004", "of 1004", 2),
];

/// What is dialled, and how often of a hundred times.
const DIALLED: [(&str, u32); 14] = [
    ("desk", 10),
    ("desks", 8),
    ("mobile", 6),
    ("out", 14),
    ("heard", 6),
    ("relayed", 6),
    ("slow", 3),
    ("three", 11),
    ("sales", 10),
    ("support", 8),
    ("duet", 5),
    ("standup", 5),
    ("lecture", 4),
    ("short", 4),
];

const QUEUES: [(&str, u64, u64); 2] = [("sales", 8, 4), ("support", 5, 0)];
const AGENTS: u8 = 40;
const CALLERS: usize = 2000;

/// Rooms: their name, their timeout in seconds, and what is met before and behind them.
const ROOMS: [(&str, u64, Option<&str>, Option<&str>); 3] = [
    ("duet", 6, None, None),
    ("standup", 20, Some("short talk"), None),
    ("lecture", 0, None, Some("minutes")),
];

/// Does `option` of an action, then says something and hangs up.
fn does(kind: &str, option: &Value) -> Value {
    json!([
        {"type": kind, "option": option},
        {"type": "talk", "option": {"text": "tone 400 800"}},
        {"type": "hangup"},
    ])
}

fn answers_and_does(kind: &str, option: &Value) -> Value {
    let mut flow = does(kind, option);
    let actions = flow.as_array_mut().expect("actions");
    actions.insert(0, json!({"type": "answer"}));
    flow
}

fn trunk(name: &str, prefix: &str, priority: u32) -> TrunkOut {
    TrunkOut {
        prefixes: vec![prefix.to_owned()],
        priority,
        channels: 10_000,
        cps: 10_000,
        calls_per_day: u32::MAX,
        ..out(name)
    }
}

fn agents() -> AgentTable {
    let address = |kind: &str, target: String| Address {
        kind: kind.to_owned(),
        target,
        ..Address::default()
    };
    let agent = |number: u8| {
        let mut addresses = vec![address("sip", format!("a{number}@agent{number}.example"))];
        if number.is_multiple_of(4) {
            addresses.push(address("extension", "1002".to_owned()));
        }
        let (queue, _, _) = QUEUES[usize::from(number % 2)];
        Agent {
            id: Uuid::from_u128(100 + u128::from(number)),
            name: format!("agent{number}"),
            status: AgentStatus::Available,
            ring_method: match number % 8 {
                0 => RingMethod::Linear,
                _ => RingMethod::RingAll,
            },
            tags: vec![Tag::from(queue)],
            addresses,
        }
    };
    AgentTable::new((0..AGENTS).map(agent).collect())
}

fn queues() -> QueueTable {
    let queue = |(number, (name, wait, service)): (u128, (&str, u64, u64))| Queue {
        id: Uuid::from_u128(number),
        name: name.to_owned(),
        detail: String::new(),
        wait_flow: Some("short talk".to_owned()),
        wait_timeout: Duration::from_secs(wait),
        service_timeout: Duration::from_secs(service),
        tags: vec![Tag::from(name)],
    };
    QueueTable::new((1..).zip(QUEUES).map(queue).collect())
}

fn conferences() -> ConferenceTable {
    let room = |(number, (name, timeout, before, behind))| {
        let flow = |name: Option<&str>| name.map(str::to_owned);
        let name: &str = name;
        Conference {
            id: Uuid::from_u128(number),
            name: name.to_owned(),
            detail: String::new(),
            pre_flow: flow(before),
            post_flow: flow(behind),
            timeout: (timeout > 0).then(|| Duration::from_secs(timeout)),
            record: false,
            record_format: crate::flow::RecordingFormat::Wav,
            level: true,
            loudest: None,
        }
    };
    ConferenceTable::new((1..).zip(ROOMS).map(room).collect())
}

fn plan(seed: u64) -> Plan {
    let trunks = vec![
        trunk("carrier.example", "+1", 1),
        trunk("dead.example", "+49", 1),
        trunk("backup.example", "+", 2),
    ];
    let number = json!({"type": "tel", "target": "+15551112222"});
    let heard = json!({"destinations": [number], "early_media": true});
    let relayed = json!({"destinations": [number], "early_media": true, "relay_reason": true});
    let extension = |name: &str| json!({"destinations": [{"type": "extension", "target": name}]});
    let three = json!({"destinations": [
        {"type": "extension", "target": "1001"},
        number,
        {"type": "sip", "target": "eve@backup.example"},
    ]});
    let slow = json!({"destinations": [{"type": "tel", "target": "+4930123456"}]});
    let talk = json!({"text": "tone 300 2000"});
    let mut plan = plan_with(seed, trunks)
        .flow("desk", does("connect", &extension("1001")))
        .flow("desks", does("connect", &extension("1003")))
        .flow("mobile", does("connect", &extension("1004")))
        .flow(
            "out",
            answers_and_does("connect", &json!({"destinations": [number]})),
        )
        .flow("heard", does("connect", &heard))
        .flow("relayed", does("connect", &relayed))
        .flow("slow", does("connect", &slow))
        .flow("three", does("connect", &three))
        .flow("short", answers_and_does("talk", &talk))
        .flow("short talk", json!([{"type": "talk", "option": talk}]))
        .flow(
            "minutes",
            json!([{"type": "sleep", "option": {"duration": 1000}}]),
        );
    for (name, _, _) in QUEUES {
        plan = plan.flow(
            name,
            answers_and_does("queue_join", &json!({"queue_id": name})),
        );
    }
    for (name, ..) in ROOMS {
        let option = json!({"conference_id": name});
        plan = plan.flow(name, answers_and_does("conference_join", &option));
    }
    plan.extensions = EXTENSIONS
        .map(|(name, password, _)| (name, password))
        .into();
    plan.directory.agents = agents();
    plan.directory.queues = queues();
    plan.directory.conferences = conferences();
    plan.is_bulk = true;
    plan.calls = 10_000;
    plan
}

/// Says this and nothing more, and falls silent when long nobody can be waiting any more: the CANCEL of
/// one whose every word was lost never comes.
fn only(say: Say) -> Called {
    Called::says([(0, say), (90_000, Say::Refuse(480, String::new()))])
}

/// How those who are called behave: chance takes one for each call.
fn moods() -> Vec<Called> {
    let late = Called {
        ignores: 2,
        ..Called::answers_after(300)
    };
    let crossing = Called {
        outruns_cancel: true,
        ..Called::answers_after(4000)
    };
    vec![
        Called::answers_after(500),
        Called::answers_after(2000),
        Called::answers_for(300, 1500),
        Called::answers_for(1000, 5000),
        Called::early_then_answers_after(1500),
        Called::early_then_answers_after(400).reliably(),
        Called::answers_after(900).and_says([(0, Say::Ringing), (100, Say::Answer)]),
        only(Say::Ringing).and_says([(0, Say::Early), (1200, Say::Answer)]),
        Called::refuses(486),
        Called::refuses_after(700, 486),
        Called::refuses_after(2000, 480),
        Called::refuses(603),
        Called::refuses(503),
        only(Say::Ringing),
        only(Say::Trying),
        late,
        crossing,
    ]
}

/// Those who are called: trunks, agents, and the telephones of extensions, which have registered.
fn callees(world: &mut World) {
    let mut called = vec![
        world.trunk("carrier.example", "10.0.1.1"),
        world.trunk("backup.example", "10.0.1.2"),
    ];
    let dead = world.trunk("dead.example", "10.0.1.3");
    world.with(dead, |phone, _| phone.habits.is_deaf = true);
    for (index, (name, password, count)) in (10..).step_by(10).zip(EXTENSIONS) {
        for nth in 0..count {
            let phone = world.phone(name, &format!("10.0.3.{}", index + nth));
            world.with(phone, |phone, now| {
                phone.habits.password = Some(password.to_owned());
                phone.register(now);
            });
            called.push(phone);
        }
    }
    world.pass_ms(500);
    for phone in &called {
        world.with(*phone, |phone, _| phone.habits.moods = moods());
    }
    let deaf = called.pop().expect("the last telephone of 1004");
    world.with(deaf, |phone, _| phone.habits.is_deaf = true);
    for number in 0..AGENTS {
        let agent = world.trunk(
            &format!("agent{number}.example"),
            &format!("10.0.2.{}", number + 1),
        );
        let moods = vec![
            Called::answers_after(300),
            Called::answers_after(1500),
            Called::answers_for(200, 2500),
            Called::answers_for(700, 6000),
            Called::refuses_after(300, 486),
            only(Say::Ringing),
        ];
        world.with(agent, |phone, _| phone.habits.moods = moods);
    }
}

fn dialled(rng: &mut Rng) -> &'static str {
    let mut number = rng.below(DIALLED.iter().map(|(_, share)| share).sum());
    for (name, share) in DIALLED {
        if number < share {
            return name;
        }
        number -= share;
    }
    unreachable!("the shares are a hundred")
}

/// Each telephone calls so often, and hangs up at any moment unless it is hung up on before.
fn callers(world: &mut World, rng: &mut Rng, calls: u32) -> Vec<PhoneId> {
    let phones = world.phones(CALLERS);
    for (index, phone) in phones.iter().enumerate() {
        world.with(*phone, |phone, _| {
            phone.habits.takes_reliable = index % 3 == 0;
            phone.habits.takes_updates = index % 4 == 0;
            if index % 10 == 0 {
                phone.habits.offer = Offer::None;
            }
        });
        let mut steps = Vec::new();
        for _ in 0..calls {
            let stays = match rng.below(100) {
                0..50 => rng.below(5000),
                50..97 => 4000 + rng.below(14_000),
                _ => 62_000 + rng.below(4000),
            };
            steps.extend([
                Step::Pause(Duration::from_millis(rng.below(20_000).into())),
                Step::Dial(dialled(rng)),
                Step::Pause(Duration::from_millis(stays.into())),
                Step::HangUp,
                Step::UntilOver,
            ]);
        }
        world.script(*phone, steps);
    }
    phones
}

/// What was told of calls.
#[derive(Default)]
struct Told {
    ids: HashSet<CallId>,
    masters: HashSet<CallId>,
    counts: CallCounts,
    /// How many ended like this.
    ends: BTreeMap<(CallDirection, &'static str, String), u32>,
    /// Answered ones that came in, by what was dialled.
    answered: BTreeMap<String, u32>,
    /// Came into a room.
    met: u64,
}

impl Told {
    /// Takes the records that there are by now.
    fn take(&mut self, world: &mut World) {
        let now = Duration::from_secs(1_700_000_000) + (world.now - crate::sim::start());
        for report in std::mem::take(&mut world.reports) {
            match report {
                Report::CallEnded(record) => self.check(&record, now),
                Report::Conferencecall {
                    conferencecall: told,
                    ..
                } => {
                    self.met += u64::from(told.status == ConferencecallStatus::Joined);
                }
                _ => {}
            }
        }
    }

    fn check(&mut self, record: &CallRecord, now: Duration) {
        assert!(self.ids.insert(record.id), "told twice: {record:?}");
        let moments = [
            Some(record.began),
            record.rang,
            record.answered,
            Some(record.ended),
            Some(now),
        ];
        assert!(moments.into_iter().flatten().is_sorted(), "{record:?}");
        assert!(record.lasted() <= Duration::from_secs(3600), "{record:?}");
        let is_fault = matches!(
            record.cause.why,
            Why::Internal | Why::MediaFailed | Why::FlowFailed
        );
        assert!(!is_fault, "{record:?}");
        match record.direction {
            CallDirection::Incoming => {
                self.counts.incoming += 1;
                assert_eq!((record.rang, record.master), (Some(record.began), None));
                assert_eq!(record.destination.kind, AddressKind::Sip);
                let name = record
                    .destination
                    .target
                    .split('@')
                    .next()
                    .unwrap_or_default();
                *self.answered.entry(name.to_owned()).or_default() +=
                    u32::from(record.answered.is_some());
            }
            CallDirection::Outgoing => {
                self.counts.outgoing += 1;
                self.masters.extend(record.master);
            }
        }
        let end = (
            record.direction,
            record.reached().as_str(),
            record.cause.to_string(),
        );
        *self.ends.entry(end).or_default() += 1;
    }
}

/// As many calls as these callers make, each so often.
fn many(seed: u64, calls: u32) -> u64 {
    let mut world = plan(seed).build();
    let mut rng = Rng::from_number(seed);
    callees(&mut world);
    world.sip.weather = BAD;
    let phones = callers(&mut world, &mut rng, calls);
    let mut told = Told::default();
    let is_busy = |world: &World| {
        phones
            .iter()
            .any(|phone| !world.at(*phone).script.is_empty())
    };
    while is_busy(&world) {
        assert!(
            world.now - crate::sim::start() < Duration::from_secs(3000),
            "it goes on and on"
        );
        world.pass(Duration::from_secs(10));
        told.take(&mut world);
    }
    world.settle();
    told.take(&mut world);
    for ((direction, reached, cause), count) in &told.ends {
        println!("{count:6} {} {reached}: {cause}", direction.as_str());
    }
    println!(
        "{:?}, met {}, answered {:?}",
        told.counts, told.met, told.answered
    );
    println!(
        "{} orders, {} happenings",
        world.media.orders(),
        world.happened()
    );
    assert_eq!(world.phone_leftovers(), [""; 0]);
    assert_eq!(told.counts, world.switch.counts());
    assert!(
        told.masters.is_subset(&told.ids),
        "whom calls were made for"
    );
    // Only who gave up within the millisecond in which its port was opened has made no call.
    let dials = CALLERS as u64 * u64::from(calls);
    assert!((dials - dials / 200..=dials).contains(&told.counts.incoming));
    for (name, share) in DIALLED {
        let answered = told.answered.get(name).copied().unwrap_or_default();
        let few = u32::try_from(dials).expect("not so many") * share / 100 / 20;
        assert!(answered >= few, "{answered} answered of {name}");
    }
    assert!(told.met > dials / 40, "{} met", told.met);
    for (number, _) in (1..).zip(QUEUES) {
        let counts = world
            .switch
            .directory()
            .queues
            .counts(Uuid::from_u128(number));
        assert_eq!(counts.incoming, counts.serviced + counts.abandoned);
        assert!(
            counts.serviced > dials / 200 && counts.abandoned > dials / 200,
            "{counts:?}"
        );
    }
    told.counts.incoming + told.counts.outgoing
}

#[test]
fn fifty_thousand_calls_end_have_their_records_and_leave_nothing() {
    let calls = many(450, 13);
    assert!(calls >= 50_000, "{calls}");
}

#[test]
fn fifty_thousand_others_end_have_their_records_and_leave_nothing() {
    let calls = many(451, 13);
    assert!(calls >= 50_000, "{calls}");
}
