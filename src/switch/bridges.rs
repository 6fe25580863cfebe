//! Who is joined with whom, and what becomes of those who are left.
//!
//! ```text
//!   connect      two; when one leaves, the other goes on alone: the caller's flow, or the end
//!   conference   any number
//!   queue        a caller and an agent; when one leaves, so does the other
//!   bare         made by a flow that named it; any number
//! ```
//!
//! A bridge is there from its first member to its last, outside under a UUID (its confbridge), in the
//! engine under a number.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use flowswitch_media::command::{BridgeId, Part};
use flowswitch_media::dtmf::Digit;
use uuid::Uuid;

use super::report::{ConfbridgeNews, Report};
use super::{Purpose, Switch};
use crate::flow::{FlowCommandId, FlowOutcome};
use crate::ids::{ActiveflowId, CallId, IdMap};
use crate::store::confbridges::{ConfbridgeOf, ConfbridgeState};

/// All bridges.
#[derive(Debug, Default)]
pub(super) struct Bridges {
    bridges: IdMap<BridgeId, Bridge>,
    names: HashMap<Uuid, BridgeId>,
}

/// One bridge.
#[derive(Debug)]
pub(super) struct Bridge {
    /// Its outward name.
    pub confbridge: Uuid,
    /// What it is for.
    pub kind: BridgeKind,
    /// What is said in it is written down.
    pub transcribing: Option<Uuid>,
    members: Vec<Member>,
    /// When it came to be, since 1970.
    created: Duration,
}

/// What a bridge is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BridgeKind {
    /// A caller and whom it was connected with.
    Connect,
    /// A conference.
    Conference(Uuid),
    /// A caller and the agent of a place in a queue.
    Queue(Uuid),
    /// A flow has named it.
    Bare,
}

/// Who is in it.
#[derive(Clone, Copy, Debug)]
struct Member {
    call: CallId,
    /// The action that is over when it leaves.
    order: Option<(ActiveflowId, FlowCommandId)>,
}

impl Bridges {
    /// The bridge of this outward name.
    pub(super) fn find(&self, confbridge: Uuid) -> Option<BridgeId> {
        self.names.get(&confbridge).copied()
    }

    /// One of them, while it has members or waits for its first.
    pub(super) fn get(&self, bridge: BridgeId) -> Option<&Bridge> {
        self.bridges.get(&bridge)
    }

    pub(super) fn get_mut(&mut self, bridge: BridgeId) -> Option<&mut Bridge> {
        self.bridges.get_mut(&bridge)
    }

    /// How many there are.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.bridges.len()
    }
}

impl Bridge {
    /// Who is in it, in the order of their coming.
    pub(super) fn members(&self) -> impl Iterator<Item = CallId> {
        self.members.iter().map(|member| member.call)
    }

    /// Claims that a call is in it.
    pub(super) fn has(&self, call: CallId) -> bool {
        self.members().any(|member| member == call)
    }

    /// The other one, where two are joined.
    fn other(&self, call: CallId) -> Option<CallId> {
        let mut others = self.members().filter(|member| *member != call);
        match (others.next(), others.next()) {
            (Some(other), None) if self.has(call) => Some(other),
            _ => None,
        }
    }
}

impl Switch {
    /// Makes a bridge for a call that is about to join it, on its lane.
    pub(super) fn new_bridge(
        &mut self,
        now: Instant,
        confbridge: Uuid,
        kind: BridgeKind,
        call: CallId,
    ) -> BridgeId {
        let lane = self.lane_of(call).unwrap_or_default();
        let id = BridgeId::on(lane, self.next_number());
        let bridge = Bridge {
            confbridge,
            kind,
            transcribing: None,
            members: Vec::new(),
            created: self.epoch.since_1970(now),
        };
        self.bridges.bridges.insert(id, bridge);
        self.bridges.names.insert(confbridge, id);
        self.tell_confbridge(now, ConfbridgeNews::Created, id);
        id
    }

    /// Takes a call into a bridge, out of the one it was in; one that is in it already has another part
    /// from now on. `false`: the call is over.
    pub(super) fn join_bridge(
        &mut self,
        now: Instant,
        call: CallId,
        bridge: BridgeId,
        part: Part,
        order: Option<(ActiveflowId, FlowCommandId)>,
    ) -> bool {
        if self.bridge_of(call).is_some_and(|other| other != bridge) {
            self.leave_bridge(now, call);
        }
        if self.bridges.get(bridge).is_none() {
            return false;
        }
        let part = self.part_of(call, part);
        let mut has_joined = false;
        self.with_call(now, call, |call, down| {
            has_joined = call.join(down, bridge, part);
        });
        let Some(room) = self.bridges.bridges.get_mut(&bridge) else {
            return false;
        };
        if has_joined && !room.has(call) {
            room.members.push(Member { call, order });
            self.member_joined(now, call, bridge);
        }
        self.close_if_empty(now, bridge);
        has_joined
    }

    /// A new member is in a bridge.
    fn member_joined(&mut self, now: Instant, call: CallId, bridge: BridgeId) {
        let Some(Bridge {
            confbridge, kind, ..
        }) = self.bridges.get(bridge)
        else {
            return;
        };
        let (confbridge, kind) = (*confbridge, *kind);
        tracing::debug!(%call, %confbridge, "joined");
        self.tell_confbridge(now, ConfbridgeNews::Joined(call), bridge);
        self.overhear_member(now, call, bridge);
        match kind {
            BridgeKind::Conference(_) => self.came_to_conference(confbridge, call),
            BridgeKind::Queue(place) => self.came_to_service(now, place, call),
            BridgeKind::Connect | BridgeKind::Bare => {}
        }
        self.retune_bridge(now, bridge);
    }

    /// Takes a call out of its bridge: the action that brought it there is over, and so may be the bridge.
    pub(super) fn leave_bridge(&mut self, now: Instant, call: CallId) {
        let Some(bridge) = self.bridge_of(call) else {
            return;
        };
        self.with_call(now, call, |call, down| call.leave(down));
        self.member_left(now, call, bridge);
    }

    /// A member is out of a bridge, by leaving it or by its end.
    pub(super) fn member_left(&mut self, now: Instant, call: CallId, bridge: BridgeId) {
        let Some(room) = self.bridges.bridges.get_mut(&bridge) else {
            return;
        };
        let at = room.members.iter().position(|member| member.call == call);
        let Some(member) = at.map(|at| room.members.remove(at)) else {
            return;
        };
        let confbridge = room.confbridge;
        tracing::debug!(%call, %confbridge, "left");
        self.tell_confbridge(now, ConfbridgeNews::Leaved(call), bridge);
        self.leave_overhearing(now, call);
        if let Some((flow, command)) = member.order {
            self.finish_flow_command(now, flow, command, FlowOutcome::Done);
        }
        self.retune(now, call);
        self.retune_bridge(now, bridge);
        if !self.left_transfer(now, bridge, call) {
            self.someone_left(now, bridge, call);
        }
        self.close_if_empty(now, bridge);
    }

    /// What becomes of those who are still in a bridge that `left` has left.
    pub(super) fn someone_left(&mut self, now: Instant, bridge: BridgeId, left: CallId) {
        let Some(room) = self.bridges.get(bridge) else {
            return;
        };
        let alone = match room.members[..] {
            [last] => Some(last.call),
            _ => None,
        };
        match (room.kind, alone) {
            (BridgeKind::Connect, Some(last)) => self.connection_parted(now, last),
            (BridgeKind::Queue(place), alone) => self.left_service(now, place, left, alone),
            (BridgeKind::Conference(_), _) => self.conferences.left(room.confbridge, left),
            // One that has no flow has nobody else to come to it.
            (BridgeKind::Bare, Some(last)) if !self.has_flow(last) => {
                self.connection_parted(now, last);
            }
            (BridgeKind::Connect | BridgeKind::Bare, _) => {}
        }
    }

    /// Takes a member out of its bridge into another one, with the action that has brought it there.
    pub(super) fn move_member(&mut self, now: Instant, call: CallId, to: BridgeId) {
        let Some(from) = self.bridge_of(call).filter(|from| *from != to) else {
            return;
        };
        let rooms = &mut self.bridges.bridges;
        let Some(reached) = rooms.get(&to).map(|room| room.confbridge) else {
            return;
        };
        let taken = rooms.get_mut(&from).and_then(|room| {
            let at = room.members.iter().position(|one| one.call == call)?;
            Some((room.members.remove(at), room.confbridge))
        });
        if let (Some((member, left)), Some(room)) = (taken, rooms.get_mut(&to)) {
            room.members.push(member);
            tracing::debug!(%call, from = %left, to = %reached, "moved");
            self.tell_confbridge(now, ConfbridgeNews::Leaved(call), from);
            self.tell_confbridge(now, ConfbridgeNews::Joined(call), to);
        }
        let part = self.part_of(call, Part::FULL);
        self.with_call(now, call, |call, down| {
            call.join(down, to, part);
        });
        self.leave_overhearing(now, call);
        self.overhear_member(now, call, to);
        self.close_if_empty(now, from);
        self.retune_bridge(now, to);
    }

    fn has_flow(&self, call: CallId) -> bool {
        let entry = self.calls.get(&call);
        entry.is_some_and(|entry| entry.activeflow.is_some() || entry.meets.is_some())
    }

    /// Forgets a bridge that nobody is in.
    pub(super) fn close_if_empty(&mut self, now: Instant, bridge: BridgeId) {
        let is_empty = |bridge: &&Bridge| bridge.members.is_empty();
        if let Some(room) = self.bridges.bridges.get(&bridge).filter(is_empty) {
            let transcribing = room.transcribing;
            self.bridges.names.remove(&room.confbridge);
            self.tell_confbridge(now, ConfbridgeNews::Terminated, bridge);
            self.bridges.bridges.remove(&bridge);
            if let Some(transcribe) = transcribing {
                self.stop_overhearing(now, transcribe);
            }
        }
    }

    /// Tells something of a bridge.
    pub(super) fn tell_confbridge(&mut self, now: Instant, news: ConfbridgeNews, bridge: BridgeId) {
        let Some(room) = self.bridges.get(bridge) else {
            return;
        };
        let confbridge = ConfbridgeState {
            id: room.confbridge,
            of: match room.kind {
                BridgeKind::Connect => ConfbridgeOf::Connect,
                BridgeKind::Conference(conference) => ConfbridgeOf::Conference(conference),
                BridgeKind::Queue(place) => ConfbridgeOf::Queuecall(place),
                BridgeKind::Bare => ConfbridgeOf::Flow,
            },
            calls: room.members.len(),
            created: room.created,
            updated: self.epoch.since_1970(now),
        };
        self.report(Report::Confbridge { news, confbridge });
    }

    /// The bridge a call is in.
    pub(super) fn bridge_of(&self, call: CallId) -> Option<BridgeId> {
        let bridge = self.calls.get(&call)?.call.bridge()?;
        let room = self.bridges.get(bridge)?;
        room.has(call).then_some(bridge)
    }

    /// The one that a call is joined with, where it is one.
    pub(super) fn partner_of(&self, call: CallId) -> Option<CallId> {
        self.bridges.get(self.bridge_of(call)?)?.other(call)
    }

    /// A flow joins the bridge of a name; there is one from the first who does.
    pub(super) fn join_confbridge(
        &mut self,
        now: Instant,
        id: ActiveflowId,
        command: FlowCommandId,
        name: &str,
    ) {
        let (call, confbridge) = (self.call_of(id), Uuid::parse_str(name));
        let (Some(call), Ok(confbridge)) = (call, confbridge) else {
            let why = "there is no call, or no such bridge";
            return self.finish_flow_command(now, id, command, FlowOutcome::Failed { why });
        };
        let Some(bridge) = self.bridge_for(now, confbridge, call) else {
            return self.finish_flow_command(now, id, command, FlowOutcome::Done);
        };
        let order = Some((id, command));
        if !self.join_bridge(now, call, bridge, Part::FULL, order) {
            let why = "the call is over";
            self.finish_flow_command(now, id, command, FlowOutcome::Failed { why });
        }
    }

    /// Takes the call of a flow out of the bridge that an action has brought it to.
    pub(super) fn leave_confbridge(
        &mut self,
        now: Instant,
        id: ActiveflowId,
        command: FlowCommandId,
    ) -> bool {
        let Some(call) = self.call_of(id) else {
            return false;
        };
        let is_of_it = self.bridge_of(call).is_some_and(|bridge| {
            let room = self.bridges.get(bridge);
            let has_order = |member: &Member| member.order == Some((id, command));
            room.is_some_and(|room| room.members.iter().any(has_order))
        });
        if is_of_it {
            self.leave_bridge(now, call);
        }
        is_of_it
    }

    /// A digit that came by INFO goes on to the one that a call is joined with; those in the sound and
    /// beside it go there with the sound.
    pub(super) fn pass_digit(
        &mut self,
        now: Instant,
        call: CallId,
        digit: Digit,
        length: Duration,
    ) {
        let part = |call| self.part_of(call, Part::FULL);
        let partner = self.partner_of(call).filter(|_| part(call).speaks);
        let Some(partner) = partner.filter(|partner| part(*partner).hears) else {
            return;
        };
        let order = self.new_order(partner, Purpose::Control);
        let tone = length.clamp(SHORTEST, LONGEST);
        self.with_call(now, partner, |call, down| {
            // One that is refused is finished by the call.
            let _ = call.send_digits(down, order, vec![digit], tone, GAP);
        });
    }
}

/// The shortest tone that every receiver takes for a digit (ITU-T Q.24 asks for 40 ms).
const SHORTEST: Duration = Duration::from_millis(100);
/// The longest that is passed on.
const LONGEST: Duration = Duration::from_secs(1);
/// Between two.
const GAP: Duration = Duration::from_millis(50);
