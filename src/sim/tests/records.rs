//! What is told of each call when it is over: once, who and why, and when.

use super::kit::*;
use super::*;
use crate::call::cause::Why;
use crate::sim::phone::{Called, Say};
use crate::status::CallStatus::{self, Dialing, Progressing, Ringing};
use crate::store::calls::{CallCounts, CallDirection};

/// Who began it, how far it came, how it ended, the SIP status and the cause value of the end.
type End<'a> = (CallDirection, CallStatus, &'a str, Option<u16>, u8);

const IN: CallDirection = CallDirection::Incoming;
const OUT: CallDirection = CallDirection::Outgoing;

/// A caller who is connected with a trunk that behaves like this, and stays so long, in milliseconds.
fn told(called: Called, stays: u64) -> World {
    let flow = connect_then_talk(&json!({}));
    let mut world = trunk_plan(1000).flow("out", flow).build();
    let caller = world.phone("alice", "10.0.0.21");
    let trunk = world.trunk("carrier.example", "10.0.1.1");
    world.when_called(trunk, called);
    world.dial(caller, "out");
    world.pass_ms(stays);
    world.hang_up(caller);
    world.settle();
    world
}

#[test]
fn each_end_is_told_once_with_who_and_why() {
    const FLOW: End<'_> = (
        IN,
        Progressing,
        "normal by local: the flow hung up",
        None,
        16,
    );
    let caller_left = (
        IN,
        Progressing,
        "normal by remote: the peer hung up",
        None,
        16,
    );
    let gave_up = "normal by remote: the caller gave up before the answer";
    let no_response =
        "dialout by local: the peer does not answer: check its address and that it can be reached";
    let table: [(Called, u64, [End<'_>; 2]); 7] = [
        (
            Called::refuses(486),
            9000,
            [
                (
                    OUT,
                    Dialing,
                    "busy by remote: the peer refused with 486",
                    Some(486),
                    17,
                ),
                FLOW,
            ],
        ),
        (
            Called::refuses_after(500, 603),
            9000,
            [
                (
                    OUT,
                    Ringing,
                    "noanswer by remote: the peer refused with 603",
                    Some(603),
                    21,
                ),
                FLOW,
            ],
        ),
        (
            Called::answers_for(500, 1000),
            9000,
            [
                (
                    OUT,
                    Progressing,
                    "normal by remote: the peer hung up",
                    None,
                    16,
                ),
                FLOW,
            ],
        ),
        (
            Called::answers_after(500),
            4000,
            [
                caller_left,
                (
                    OUT,
                    Progressing,
                    "normal by local: the call it belongs to is over",
                    None,
                    16,
                ),
            ],
        ),
        (
            Called::rings(),
            4000,
            [
                (IN, Ringing, gave_up, None, 16),
                (
                    OUT,
                    Ringing,
                    "cancel by local: the call it belongs to is over",
                    None,
                    16,
                ),
            ],
        ),
        (
            Called::says([(0, Say::Trying)]),
            70_000,
            [(OUT, Dialing, no_response, None, 19), FLOW],
        ),
        (
            Called::rings(),
            70_000,
            [
                (
                    OUT,
                    Ringing,
                    "noanswer by local: nobody answered in time",
                    None,
                    19,
                ),
                FLOW,
            ],
        ),
    ];
    for (called, stays, ends) in table {
        let world = told(called.clone(), stays);
        let found: Vec<(CallDirection, CallStatus, String, Option<u16>, u8)> = world
            .records()
            .iter()
            .map(|record| {
                let cause = &record.cause;
                let (status, value) = (cause.status(), cause.value.0);
                (
                    record.direction,
                    record.reached(),
                    cause.to_string(),
                    status,
                    value,
                )
            })
            .collect();
        let ends = ends.map(|(direction, reached, cause, status, value)| {
            (direction, reached, cause.to_owned(), status, value)
        });
        assert_eq!(found, ends, "{called:?}");
    }
}

#[test]
fn moments_are_those_at_which_the_parties_were_heard() {
    let world = told(Called::answers_for(1000, 3000), 20_000);
    let start = Duration::from_secs(1_700_000_000);
    let ms = |moment: Duration| (moment - start).as_millis();
    let records = world.records();
    let [callee, caller] = records[..] else {
        panic!("{records:?}");
    };
    // 5 ms for each message, 1 ms for each port, 10 ms to find the trunk.
    assert_eq!(
        [
            callee.began,
            callee.rang.unwrap(),
            callee.answered.unwrap(),
            callee.ended
        ]
        .map(ms),
        [6, 27, 1027, 4027]
    );
    assert_eq!(
        [caller.began, caller.rang.unwrap(), caller.answered.unwrap()].map(ms),
        [6, 6, 1027]
    );
    // The sound takes 30 ms to be made and 2 s to be played; its end is told within a tick.
    assert!((6057..6080).contains(&ms(caller.ended)), "{caller:?}");
    assert_eq!(callee.talked(), Duration::from_secs(3));
    assert_eq!(callee.lasted(), Duration::from_millis(4021));
    assert_eq!((callee.master, caller.master), (Some(caller.id), None));
    assert_eq!(callee.destination.target, "+15551112222");
    assert_eq!(caller.source.target, "alice@10.0.0.21");
    assert!(caller.stats.sent_packets > 90, "{:?}", caller.stats);
}

#[test]
fn a_record_says_how_the_media_was() {
    let flow = json!([{"type": "answer"}, {"type": "echo", "option": {"duration": 4000}}]);
    let mut world = Plan::new(1001).flow("echo", flow).build();
    let phone = speaking(&mut world, "alice", "10.0.0.21", 440);
    world.dial(phone, "echo");
    world.settle();
    let records = world.records();
    let [record] = records[..] else {
        panic!("{records:?}");
    };
    let stats = &record.stats;
    assert_eq!(stats.codec.map(|codec| codec.name()), Some("PCMU"));
    let paths: Vec<_> = stats.delays.iter().map(|(path, _)| path.name()).collect();
    assert_eq!(paths, ["echo"], "{}", stats.delays);
    let echo = stats.delays.iter().map(|(_, figures)| figures.count);
    assert!(echo.sum::<u64>() > 150, "{}", stats.delays);
    assert_eq!(
        stats.heard_mos.map(|mos| mos.to_string()).as_deref(),
        Some("4.40")
    );
}

#[test]
fn call_that_fails_is_told_once_too() {
    for is_incoming in [true, false] {
        let mut world = trunk_plan(1001)
            .flow("out", connect_then_talk(&json!({})))
            .build();
        let caller = world.phone("alice", "10.0.0.21");
        let trunk = world.trunk("carrier.example", "10.0.1.1");
        world.when_called(trunk, Called::answers_after(200));
        world.dial(caller, "out");
        world.pass_ms(1000);
        world.with_switch(|switch, now| match is_incoming {
            true => switch.poison_where(now, |is_incoming| is_incoming),
            false => switch.poison_where(now, |is_incoming| !is_incoming),
        });
        world.pass_ms(5000);
        world.settle();
        let records = world.records();
        assert_eq!(records.len(), 2);
        let failed = records
            .iter()
            .filter(|record| record.cause.why == Why::Internal);
        let failed: Vec<_> = failed
            .map(|record| (record.direction == IN, record.reached()))
            .collect();
        assert_eq!(failed, [(is_incoming, Progressing)]);
        assert_ne!(records[0].id, records[1].id);
    }
}

#[test]
fn caller_who_is_not_let_in_has_made_no_call() {
    for (calls, dialled, refusal) in [(0, "menu", "503 INVITE"), (10, "nowhere", "404 INVITE")] {
        let mut plan = Plan::new(1002).flow("menu", menu());
        plan.calls = calls;
        let mut world = plan.build();
        let phone = world.phone("caller", "10.0.0.21");
        world.dial(phone, dialled);
        world.settle();
        assert_eq!(world.words(phone), [refusal]);
        assert_eq!(world.records(), [] as [&CallRecord; 0]);
        assert_eq!(world.switch.counts(), CallCounts::default());
    }
}
