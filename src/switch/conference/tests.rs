use std::time::Duration;

use super::*;
use crate::sim;

const STANDUP: Uuid = Uuid::from_u128(1);

fn conference(timeout: Option<u64>, record: bool) -> Conference {
    Conference {
        id: STANDUP,
        name: "standup".to_owned(),
        detail: String::new(),
        pre_flow: None,
        post_flow: None,
        timeout: timeout.map(Duration::from_secs),
        record,
        record_format: crate::flow::RecordingFormat::Wav,
        level: true,
        loudest: None,
    }
}

fn guest(number: u128) -> Guest {
    Guest {
        call: CallId(Uuid::from_u128(number)),
        activeflow: Some(ActiveflowId(Uuid::from_u128(number))),
    }
}

/// A house of one conference, with what it says in words.
struct House {
    conferences: Conferences,
    conference: Conference,
    now: Instant,
    issued: u128,
}

impl House {
    fn new(timeout: Option<u64>, record: bool) -> Self {
        Self {
            conferences: Conferences::default(),
            conference: conference(timeout, record),
            now: sim::start(),
            issued: 100,
        }
    }

    fn number(&mut self) -> Uuid {
        self.issued += 1;
        Uuid::from_u128(self.issued)
    }

    fn enter(&mut self, number: u128) -> Uuid {
        let (confbridge, id) = (self.number(), Uuid::from_u128(1000 + number));
        let guest = guest(number);
        self.conferences
            .enter(self.now, &self.conference, confbridge, id, guest)
    }

    fn come(&mut self, number: u128) -> Uuid {
        let confbridge = self.enter(number);
        let door = self.conferences.door(confbridge, guest(number).call);
        assert_eq!(door, Door::Open(STANDUP));
        let id = self.number();
        self.conferences.joined(confbridge, id, guest(number));
        confbridge
    }

    fn leave(&mut self, confbridge: Uuid, number: u128) {
        self.conferences.left(confbridge, guest(number).call);
    }

    fn pass(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
        self.conferences.handle_timeout(self.now);
    }

    fn said(&mut self) -> Vec<String> {
        let mut said = Vec::new();
        while let Some(event) = self.conferences.poll_event() {
            said.push(match event {
                ConferenceEvent::Record { .. } => "record".to_owned(),
                ConferenceEvent::Kick { call, .. } => format!("kick {}", call.0.as_u128()),
                ConferenceEvent::Closing { .. } => "closing".to_owned(),
                ConferenceEvent::Closed { .. } => "closed".to_owned(),
                ConferenceEvent::Moved(told) => {
                    format!("{} {}", told.call.0.as_u128(), told.status.as_str())
                }
            });
        }
        said
    }
}

#[test]
fn room_opens_with_the_first_and_closes_once_behind_the_last() {
    let mut house = House::new(None, false);
    let room = house.come(1);
    assert_eq!(house.come(2), room);
    assert_eq!(
        house.said(),
        ["1 joining", "1 joined", "2 joining", "2 joined"]
    );
    assert_eq!(house.conferences.in_use(STANDUP), Some(room));
    house.leave(room, 1);
    house.leave(room, 1);
    assert_eq!(house.said(), ["1 leaved"]);
    house.leave(room, 2);
    assert_eq!(house.said(), ["2 leaved", "closed"]);
    assert_ne!(house.come(3), room);
    assert_eq!(house.conferences.len(), 1);
}

#[test]
fn room_stays_open_for_those_on_the_way_and_is_not_used_by_them() {
    let mut house = House::new(None, false);
    let room = house.come(1);
    assert_eq!(house.enter(2), room);
    assert_eq!(house.enter(2), room, "a second time changes nothing");
    house.said();
    house.leave(room, 1);
    assert_eq!(house.said(), ["1 leaved"]);
    assert_eq!(house.conferences.in_use(STANDUP), None);
    house.conferences.call_over(guest(2).call);
    assert_eq!(house.said(), ["2 leaved", "closed"]);
    house.enter(3);
    house.conferences.call_over(guest(3).call);
    assert_eq!(house.said(), ["3 joining", "3 leaved"], "nobody was in it");
    assert_eq!(house.conferences.len(), 0);
}

#[test]
fn first_in_the_bridge_has_it_recorded_and_the_next_do_not_again() {
    let mut house = House::new(None, true);
    house.enter(1);
    assert_eq!(house.said(), ["1 joining"]);
    house.come(1);
    house.come(2);
    assert_eq!(
        house.said(),
        ["1 joined", "record", "2 joining", "2 joined"]
    );
}

#[test]
fn time_that_is_over_sends_everybody_out_and_the_next_enters_another_room() {
    let mut house = House::new(Some(60), false);
    let room = house.come(1);
    house.pass(30);
    house.come(2);
    house.enter(3);
    house.said();
    house.pass(29);
    assert_eq!(house.said(), [""; 0]);
    house.pass(1);
    assert_eq!(
        house.said(),
        [
            "closing",
            "1 leaving",
            "kick 1",
            "2 leaving",
            "kick 2",
            "3 leaving"
        ]
    );
    assert_eq!(house.conferences.door(room, guest(3).call), Door::Closed);
    assert_ne!(house.come(4), room);
    house.leave(room, 1);
    house.leave(room, 2);
    assert_eq!(
        house.said(),
        [
            "3 leaved",
            "4 joining",
            "4 joined",
            "1 leaved",
            "2 leaved",
            "closed"
        ]
    );
}

#[test]
fn one_that_is_kicked_on_the_way_is_turned_away_at_the_door_and_may_come_again() {
    let mut house = House::new(None, false);
    let room = house.come(1);
    house.enter(2);
    let id = Uuid::from_u128(1002);
    assert!(house.conferences.kick(id));
    assert!(house.conferences.kick(id), "it is still on the way out");
    house.said();
    assert_eq!(house.conferences.door(room, guest(2).call), Door::Closed);
    assert!(!house.conferences.kick(id));
    house.come(2);
    assert_eq!(house.said(), ["2 leaved", "2 joining", "2 joined"]);
    house.conferences.kick(id);
    assert_eq!(house.said(), ["2 leaving", "kick 2"]);
    house.leave(room, 2);
    assert_eq!(house.said(), ["2 leaved"]);
}

#[test]
fn one_that_comes_by_another_door_takes_part_all_the_same() {
    let mut house = House::new(None, false);
    let room = house.come(1);
    house.said();
    assert_eq!(
        house.conferences.door(room, guest(2).call),
        Door::Open(STANDUP)
    );
    house.conferences.joined(room, Uuid::from_u128(7), guest(2));
    assert_eq!(house.said(), ["2 joining", "2 joined"]);
    let elsewhere = Uuid::from_u128(8);
    assert_eq!(house.conferences.door(elsewhere, guest(2).call), Door::None);
}
