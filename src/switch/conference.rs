//! Conferences: rooms that open with the first who enters and close behind the last.
//!
//! ```text
//!                 enter            its flow joins the bridge             it leaves
//!   participant: ------> Joining -----------------------------> Joined ------------> Leaved
//!                           | kick, time over                      | kick, time over   ^
//!                           v                                      v                   |
//!                        Leaving -- turned away at the bridge -> Leaving --------------'
//! ```
//!
//! Between entering and joining a caller hears the introduction (pre_flow). The room is closed when nobody is
//! in it or on the way; what follows it (post_flow) follows once, and only if somebody was.
//!
//! It knows no call and no bridge: whoever owns it joins callers, takes them out, and says when they are.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::Instant;

use uuid::Uuid;

use crate::ids::{ActiveflowId, CallId};
use crate::store::conferences::Conference;
use crate::time::DeadlineQueue;

#[cfg(test)]
mod tests;

/// All rooms with somebody in them or on the way, by the name of their bridge (confbridge).
#[derive(Debug, Default)]
pub(super) struct Conferences {
    rooms: HashMap<Uuid, Room>,
    /// Where the next who comes to a conference enters.
    open: HashMap<Uuid, Uuid>,
    /// Who is on the way, and where to.
    expected: BTreeSet<(CallId, Uuid)>,
    deadlines: DeadlineQueue<Uuid>,
    events: VecDeque<ConferenceEvent>,
}

#[derive(Debug)]
struct Room {
    /// As it was configured when the room opened.
    conference: Conference,
    was_used: bool,
    participants: Vec<Participant>,
}

#[derive(Debug)]
struct Participant {
    id: Uuid,
    guest: Guest,
    status: ConferencecallStatus,
}

/// Who takes part, and for which run of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Guest {
    pub call: CallId,
    pub activeflow: Option<ActiveflowId>,
}

/// What a conference wants done, or told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ConferenceEvent {
    /// The first is in its bridge: record it.
    Record { conference: Uuid, confbridge: Uuid },
    /// Take somebody out of its bridge.
    Kick { call: CallId, confbridge: Uuid },
    /// Its time is over, and everybody is sent out.
    Closing { confbridge: Uuid },
    /// Everybody has left.
    Closed {
        conference: Box<Conference>,
        confbridge: Uuid,
    },
    /// Somebody stands elsewhere.
    Moved(Conferencecall),
}

/// Whether a caller may join a bridge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Door {
    /// It is the bridge of no conference.
    None,
    /// Of this one.
    Open(Uuid),
    /// The caller was sent away before it came there, or the room is closing.
    Closed,
}

/// Somebody in a conference as the API tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conferencecall {
    /// Which.
    pub id: Uuid,
    /// Of which conference.
    pub conference: Uuid,
    /// Who takes part.
    pub call: CallId,
    /// The run of a flow that brought it there.
    pub activeflow: Option<ActiveflowId>,
    /// Where it stands.
    pub status: ConferencecallStatus,
}

/// Where somebody in a conference stands, in the words of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ConferencecallStatus {
    /// On the way.
    Joining,
    /// In it.
    Joined,
    /// Being sent out.
    Leaving,
    /// Out.
    Leaved,
}

impl ConferencecallStatus {
    /// As the API writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Joining => "joining",
            Self::Joined => "joined",
            Self::Leaving => "leaving",
            Self::Leaved => "leaved",
        }
    }
}

impl Conferences {
    /// Lets somebody into a conference: the bridge where the others are, which is `confbridge` for the first.
    /// One that has been let in and has not come there keeps its place.
    pub(super) fn enter(
        &mut self,
        now: Instant,
        conference: &Conference,
        confbridge: Uuid,
        id: Uuid,
        guest: Guest,
    ) -> Uuid {
        if let Some(confbridge) = self.on_the_way(conference.id, guest) {
            return confbridge;
        }
        let confbridge = *self.open.entry(conference.id).or_insert(confbridge);
        let room = self.rooms.entry(confbridge).or_insert_with(|| {
            let closes = conference.timeout.map(|timeout| now + timeout);
            self.deadlines.set(confbridge, closes);
            Room {
                conference: conference.clone(),
                was_used: false,
                participants: Vec::new(),
            }
        });
        let status = ConferencecallStatus::Joining;
        room.participants.push(Participant { id, guest, status });
        self.events.extend(room.told(room.participants.len() - 1));
        self.expected.insert((guest.call, confbridge));
        confbridge
    }

    /// Whether somebody may join a bridge. A caller that was sent away on its way there is out with this.
    pub(super) fn door(&mut self, confbridge: Uuid, call: CallId) -> Door {
        let Some(room) = self.rooms.get(&confbridge) else {
            return Door::None;
        };
        let conference = room.conference.id;
        let own = room
            .participants
            .iter()
            .find(|known| known.guest.call == call);
        let is_sent_away = own.is_some_and(|own| own.status == ConferencecallStatus::Leaving);
        let is_closing = self.open.get(&conference) != Some(&confbridge);
        if is_sent_away || is_closing {
            self.left(confbridge, call);
            return Door::Closed;
        }
        Door::Open(conference)
    }

    /// A caller is in the bridge of a room; one that did not come through its door is let in with `id`.
    pub(super) fn joined(&mut self, confbridge: Uuid, id: Uuid, guest: Guest) {
        let Some(room) = self.rooms.get_mut(&confbridge) else {
            return;
        };
        let at = match room.find(guest.call) {
            Some(at) if room.participants[at].status == ConferencecallStatus::Joining => at,
            Some(_) => return,
            None => {
                let status = ConferencecallStatus::Joining;
                room.participants.push(Participant { id, guest, status });
                let at = room.participants.len() - 1;
                self.events.extend(room.told(at));
                at
            }
        };
        room.participants[at].status = ConferencecallStatus::Joined;
        self.events.extend(room.told(at));
        self.expected.remove(&(guest.call, confbridge));
        let is_first = !std::mem::replace(&mut room.was_used, true);
        if is_first && room.conference.record {
            let conference = room.conference.id;
            self.events.push_back(ConferenceEvent::Record {
                conference,
                confbridge,
            });
        }
    }

    /// A caller is out of a room, or will not come.
    pub(super) fn left(&mut self, confbridge: Uuid, call: CallId) {
        let Some(room) = self.rooms.get_mut(&confbridge) else {
            return;
        };
        let Some(at) = room.find(call) else {
            return;
        };
        room.participants[at].status = ConferencecallStatus::Leaved;
        self.events.extend(room.told(at));
        room.participants.remove(at);
        self.expected.remove(&(call, confbridge));
        self.close_if_empty(confbridge);
    }

    /// A call is over: where it was on its way to, it will not come.
    pub(super) fn call_over(&mut self, call: CallId) {
        let own = (call, Uuid::nil())..=(call, Uuid::max());
        let expected: Vec<(CallId, Uuid)> = self.expected.range(own).copied().collect();
        for (call, confbridge) in expected {
            self.left(confbridge, call);
        }
    }

    /// Sends somebody out. `false`: there is no such participant any more.
    pub(super) fn kick(&mut self, id: Uuid) -> bool {
        let is_it = |known: &Participant| known.id == id;
        let found = self.rooms.iter().find_map(|(confbridge, room)| {
            let at = room.participants.iter().position(is_it)?;
            Some((*confbridge, at))
        });
        let Some((confbridge, at)) = found else {
            return false;
        };
        self.send_out(confbridge, at);
        true
    }

    /// Lets time pass: everybody is sent out of a room whose time is over.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        while let Some(confbridge) = self.deadlines.poll(now) {
            self.close_room(confbridge);
        }
    }

    /// Sends everybody out of the room of a conference, if it is open.
    pub(super) fn close(&mut self, conference: Uuid) {
        if let Some(confbridge) = self.open.get(&conference).copied() {
            self.close_room(confbridge);
        }
    }

    fn close_room(&mut self, confbridge: Uuid) {
        let Some(room) = self.rooms.get(&confbridge) else {
            return;
        };
        // Who comes now enters another room.
        self.open.remove(&room.conference.id);
        self.events
            .push_back(ConferenceEvent::Closing { confbridge });
        for at in 0..room.participants.len() {
            self.send_out(confbridge, at);
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) has something to do.
    #[must_use]
    pub(super) fn poll_timeout(&mut self) -> Option<Instant> {
        self.deadlines.poll_timeout()
    }

    /// Takes the next thing to be done.
    #[must_use]
    pub(super) fn poll_event(&mut self) -> Option<ConferenceEvent> {
        self.events.pop_front()
    }

    /// The bridge of a conference with somebody in it.
    pub(super) fn in_use(&self, conference: Uuid) -> Option<Uuid> {
        let confbridge = self.open.get(&conference)?;
        let room = self.rooms.get(confbridge)?;
        let is_in = |known: &Participant| known.status == ConferencecallStatus::Joined;
        room.participants.iter().any(is_in).then_some(*confbridge)
    }

    /// Claims that somebody is in the room of a conference, or on the way there.
    pub(super) fn is_open(&self, conference: Uuid) -> bool {
        self.open.contains_key(&conference)
    }

    /// What a conference was configured to be when this room of it opened.
    pub(super) fn as_opened(&self, confbridge: Uuid) -> Option<&Conference> {
        Some(&self.rooms.get(&confbridge)?.conference)
    }

    /// Rooms that are not closed.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.rooms.len()
    }

    /// Where somebody is on the way to in a conference already; one who was sent away meanwhile comes anew.
    fn on_the_way(&mut self, conference: Uuid, guest: Guest) -> Option<Uuid> {
        let confbridge = *self.open.get(&conference)?;
        let room = self.rooms.get(&confbridge)?;
        let at = room.find(guest.call)?;
        match room.participants[at].status {
            ConferencecallStatus::Joining => return Some(confbridge),
            ConferencecallStatus::Leaving => self.left(confbridge, guest.call),
            ConferencecallStatus::Joined | ConferencecallStatus::Leaved => {}
        }
        None
    }

    fn send_out(&mut self, confbridge: Uuid, at: usize) {
        let Some(room) = self.rooms.get_mut(&confbridge) else {
            return;
        };
        let Some(participant) = room.participants.get_mut(at) else {
            return;
        };
        let before = participant.status;
        if before == ConferencecallStatus::Leaving {
            return;
        }
        participant.status = ConferencecallStatus::Leaving;
        let call = participant.guest.call;
        self.events.extend(room.told(at));
        if before == ConferencecallStatus::Joined {
            let kick = ConferenceEvent::Kick { call, confbridge };
            self.events.push_back(kick);
        }
    }

    fn close_if_empty(&mut self, confbridge: Uuid) {
        let room = self.rooms.get(&confbridge);
        if room.is_none_or(|room| !room.participants.is_empty()) {
            return;
        }
        let Some(Room {
            conference,
            was_used,
            ..
        }) = self.rooms.remove(&confbridge)
        else {
            return;
        };
        self.deadlines.set(confbridge, None);
        if self.open.get(&conference.id) == Some(&confbridge) {
            self.open.remove(&conference.id);
        }
        if was_used {
            let closed = ConferenceEvent::Closed {
                conference: Box::new(conference),
                confbridge,
            };
            self.events.push_back(closed);
        }
    }
}

impl Room {
    fn find(&self, call: CallId) -> Option<usize> {
        let is_its = |known: &Participant| known.guest.call == call;
        self.participants.iter().position(is_its)
    }

    fn told(&self, at: usize) -> Option<ConferenceEvent> {
        let participant = self.participants.get(at)?;
        Some(ConferenceEvent::Moved(Conferencecall {
            id: participant.id,
            conference: self.conference.id,
            call: participant.guest.call,
            activeflow: participant.guest.activeflow,
            status: participant.status,
        }))
    }
}
