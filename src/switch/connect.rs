//! The `connect` of a flow: others are called, and the first who answers is joined with the caller.
//!
//! ```text
//!              a callee rings           it is heard early         it answers
//!   Calling ------------------> 180, --------------------> joined ----------> answered, joined
//!      |                     or ringback                                        |
//!      | nobody answers                                                         | one of them leaves
//!      v                                                                        v
//!   next action <---------------------------------------------------------- next action
//! ```

use std::sync::Arc;
use std::time::Instant;

use flowswitch_media::command::{BridgeId, Part};

use super::bridges::BridgeKind;
use super::dial::{DialFor, DialId, Made};
use super::identity::{Caller, is_private};
use super::route::Destination;
use super::{News, Purpose, Switch};
use crate::call::Call;
use crate::call::address::{Address, AddressKind};
use crate::call::cause::{Cause, Why};
use crate::flow::{self, Dial, FlowCommandId, FlowEvent, FlowOutcome};
use crate::ids::{ActiveflowId, CallId};
use crate::status::{CallStatus, HangupReason};
use crate::store::agents::RingMethod;

/// A caller that waits to be connected, or is.
#[derive(Debug)]
pub(super) struct Connect {
    /// The caller.
    pub master: CallId,
    /// What waits for it.
    pub order: (ActiveflowId, FlowCommandId),
    /// Where the two talk.
    pub bridge: BridgeId,
    early_media: bool,
    /// The callee that the caller hears before the answer.
    heard: Option<CallId>,
}

impl Switch {
    /// Begins a `connect`.
    pub(super) fn connect(
        &mut self,
        now: Instant,
        id: ActiveflowId,
        command: FlowCommandId,
        dial: Dial,
    ) {
        let Some(master) = self.call_of(id) else {
            let why = "there is no call to connect";
            return self.finish_flow_command(now, id, command, FlowOutcome::Failed { why });
        };
        let destinations = self.destinations(&dial.destinations);
        if let [Destination::Conference(conference), ..] = destinations[..] {
            return self.enter_conference(now, (id, command), master, conference);
        }
        if destinations.is_empty() {
            let why = "none of the destinations can be called";
            return self.finish_flow_command(now, id, command, FlowOutcome::Failed { why });
        }
        let has_groups = destinations
            .iter()
            .any(|destination| !matches!(destination, Destination::Party(_)));
        let confbridge = self.rng.uuid();
        let bridge = self.new_bridge(now, confbridge, BridgeKind::Connect, master);
        let made = Made {
            caller: self.caller(Some(master), &dial.source, dial.anonymous),
            master: Some(master),
            flow: Some(id),
            meets: None,
        };
        let connect = Connect {
            master,
            order: (id, command),
            bridge,
            early_media: dial.early_media,
            heard: None,
        };
        let purpose = DialFor::Connect(connect);
        let dial = self.dial(now, purpose, made, RingMethod::RingAll, destinations);
        if let Some(entry) = self.calls.get_mut(&master) {
            entry.connecting = Some(dial);
        }
        if !has_groups && let Some(dial) = self.dials.get(&dial) {
            // A group has no cause to relay.
            let calls = dial.calls();
            let event = FlowEvent::Dialed { command, calls };
            self.with_flow(now, id, |flow| flow.handle_event(now, event));
        }
        if !self.is_ringing(dial) {
            self.connect_over(now, dial);
        }
    }

    /// Who calls: whom the flow names, else whoever is being connected.
    pub(super) fn caller(
        &self,
        master: Option<CallId>,
        source: &flow::Address,
        wish: flow::Anonymous,
    ) -> Caller {
        let entry = master.and_then(|master| self.calls.get(&master));
        let is_chosen = !source.target.is_empty();
        let kind = match source.kind.as_str() {
            "tel" => AddressKind::Tel,
            "extension" => AddressKind::Extension,
            _ => AddressKind::Sip,
        };
        let name = [&source.target_name, &source.name]
            .into_iter()
            .find(|name| !name.is_empty());
        let address = match entry {
            Some(entry) if !is_chosen => Arc::clone(entry.call.source()),
            _ => Arc::new(Address {
                kind,
                target: source.target.clone(),
                target_name: name.cloned().unwrap_or_default(),
                name: source.name.clone(),
                detail: source.detail.clone(),
            }),
        };
        Caller {
            address,
            is_private: is_private(wish, entry.is_some_and(|entry| entry.is_private)),
            is_chosen,
        }
    }

    /// A callee rings: so does the caller, or it hears that they do.
    pub(super) fn leg_rings(&mut self, now: Instant, id: DialId) {
        let Some(dial) = self.dials.get_mut(&id) else {
            return;
        };
        let is_settled = dial.winner.is_some();
        let Some(connect) = dial.connect().filter(|_| !is_settled) else {
            return;
        };
        if connect.heard.is_some() {
            return;
        }
        let master = connect.master;
        let is_heard = self
            .calls
            .get(&master)
            .is_some_and(|entry| entry.call.is_heard());
        if is_heard {
            let ringback = Arc::clone(&self.ringback);
            self.fill(now, master, ringback);
        } else {
            self.with_call(now, master, Call::ring);
        }
    }

    /// A callee is heard before its answer.
    pub(super) fn leg_sounds(&mut self, now: Instant, id: DialId, call: CallId) {
        let Some(dial) = self.dials.get_mut(&id) else {
            return;
        };
        let is_settled = dial.winner.is_some();
        let Some(connect) = dial.connect().filter(|_| !is_settled) else {
            return;
        };
        if !connect.early_media || connect.heard.is_some_and(|heard| heard != call) {
            return;
        }
        connect.heard = Some(call);
        let (master, bridge) = (connect.master, connect.bridge);
        self.stop_filling(now, master);
        self.join_bridge(now, call, bridge, Part::FULL, None);
        self.join_bridge(now, master, bridge, Part::FULL, None);
    }

    /// A callee that did not answer is gone, and others may still.
    pub(super) fn leg_silent(&mut self, now: Instant, id: DialId, call: CallId) {
        let Some(dial) = self.dials.get_mut(&id) else {
            return;
        };
        let calls = dial.calls();
        let Some(connect) = dial.connect().filter(|connect| connect.heard == Some(call)) else {
            return;
        };
        connect.heard = None;
        // Another one takes its place, or the caller hears again that they ring.
        let status = |leg: &CallId| Some(self.calls.get(leg)?.call.status());
        let heard = calls.iter().find(|leg| {
            let entry = self.calls.get(leg);
            entry.is_some_and(|entry| entry.call.is_dialing() && entry.call.is_heard())
        });
        if let Some(heard) = heard {
            self.leg_sounds(now, id, *heard);
        } else if calls
            .iter()
            .any(|leg| status(leg) == Some(CallStatus::Ringing))
        {
            self.leg_rings(now, id);
        }
    }

    /// A callee has answered: caller and callee are joined.
    pub(super) fn connected(&mut self, now: Instant, id: DialId, call: CallId) {
        let Some(connect) = self.dials.get_mut(&id).and_then(|dial| dial.connect()) else {
            return;
        };
        let (master, bridge) = (connect.master, connect.bridge);
        connect.heard = Some(call);
        tracing::info!(call = %master, callee = %call, "connected");
        self.stop_filling(now, master);
        let order = self.new_order(master, Purpose::Control);
        self.with_call(now, master, |call, down| call.answer(down, order));
        self.join_bridge(now, call, bridge, Part::FULL, None);
        self.join_bridge(now, master, bridge, Part::FULL, None);
    }

    /// The one who had answered is gone, after all others.
    pub(super) fn leg_parted(&mut self, now: Instant, id: DialId, call: CallId) {
        let dial = self.dials.get_mut(&id);
        let Some(dial) = dial.filter(|dial| dial.winner == Some(call)) else {
            return;
        };
        if dial.connect().is_some() {
            self.connect_over(now, id);
        } else {
            // A groupcall has had what it was for.
            self.forget_dial(id);
        }
    }

    /// One of two who talked is left alone: what has brought it there is over, and so is a call that has no
    /// flow to go on with.
    pub(super) fn connection_parted(&mut self, now: Instant, last: CallId) {
        let Some(entry) = self.calls.get(&last) else {
            return;
        };
        let is_ownerless = entry.activeflow.is_none();
        if let Some(id) = entry.connecting {
            let is_settled = |id| {
                self.dials
                    .get(&id)
                    .is_some_and(|dial| dial.winner.is_some())
            };
            if is_settled(id) {
                self.connect_over(now, id);
            }
            return;
        }
        self.leave_bridge(now, last);
        if is_ownerless {
            self.hang_up_legs(now, vec![last], &Why::OtherEnded);
        }
    }

    /// The connection that a call has begun.
    pub(super) fn connect_of(&mut self, master: CallId) -> Option<&mut Connect> {
        let dial = self.calls.get(&master)?.connecting?;
        self.dials.get_mut(&dial)?.connect()
    }

    /// The connection is over, or will never be: the caller's flow goes on.
    pub(super) fn connect_over(&mut self, now: Instant, id: DialId) {
        let Some(mut dial) = self.forget_dial(id) else {
            return;
        };
        let legs = dial.calls();
        let Some(connect) = dial.connect() else {
            return;
        };
        let (master, (flow, command), bridge) = (connect.master, connect.order, connect.bridge);
        if let Some(entry) = self.calls.get_mut(&master) {
            entry.connecting = None;
        }
        self.stop_filling(now, master);
        if self.bridge_of(master) == Some(bridge) {
            self.leave_bridge(now, master);
        }
        self.close_if_empty(now, bridge);
        self.hang_up_legs(now, legs, &Why::OtherEnded);
        self.finish_flow_command(now, flow, command, FlowOutcome::Done);
        // What its flow does next, an answer or a refusal, comes before the ringing.
        self.news.insert(News::Ring(master));
    }

    /// The flow has left its `connect`, or its call is over.
    pub(super) fn cancel_connect(
        &mut self,
        now: Instant,
        id: ActiveflowId,
        command: FlowCommandId,
    ) -> bool {
        let Some(dial) = self
            .call_of(id)
            .and_then(|call| self.calls.get(&call))
            .and_then(|entry| entry.connecting)
        else {
            return false;
        };
        let connect = self.dials.get_mut(&dial).and_then(|dial| dial.connect());
        let is_it = connect.is_some_and(|connect| connect.order == (id, command));
        if is_it {
            self.connect_over(now, dial);
        }
        is_it
    }

    /// The caller is gone: whom it called, or talked with, is hung up.
    pub(super) fn master_left(&mut self, now: Instant, id: DialId) {
        if let Some(mut dial) = self.forget_dial(id) {
            self.hang_up_legs(now, dial.calls(), &Why::OtherEnded);
            if let Some(connect) = dial.connect() {
                self.close_if_empty(now, connect.bridge);
            }
        }
    }

    /// Hangs up a call as another ended.
    pub(super) fn relay_end(&mut self, now: Instant, id: ActiveflowId, reference: CallId) {
        let ended = self.ended.iter().rev().find(|(call, _)| *call == reference);
        let cause = ended.map(|(_, cause)| cause.clone());
        let Some(call) = self.call_of(id) else {
            return;
        };
        self.with_call(now, call, |call, down| {
            let cause = match cause {
                Some(cause) => cause.relayed(call.is_incoming(), call.status()),
                None => Cause::local(HangupReason::Normal, Why::FlowEnded),
            };
            call.hangup(down, cause);
        });
    }
}
