//! Sends messages by SIP (RFC 3428), each try after the other as its answers allow.
//!
//! A `tel` target goes to the gateway where one is configured, because trunks that take MESSAGE are not
//! the rule; else to the trunks that a call would take, of which it counts as one call of the day.

use std::sync::Arc;
use std::time::Instant;

use uuid::Uuid;

use super::ask::Asker;
use super::outside::{OutsideAnswer, OutsideRequest, TextMessage};
use super::report::Change;
use super::route::{Destination, Line, Party, Target, Way, reachable};
use super::seeking::Seeker;
use super::texts::{Sender, Text, is_of_sip};
use super::{Deadline, Switch};
use crate::call::cause::NoWay;
use crate::call::q850::Q850;
use crate::flow::{Address, FlowOutcome};
use crate::sip::message::{Method, NameAddr, Response, Status};
use crate::sip::{Ask, Hop, NoAnswer, Transport};
use crate::store::messages::{Message, MessageStatus};

/// What a body is.
const PLAIN_TEXT: &str = "text/plain;charset=UTF-8";

impl Switch {
    /// Sends a message that is kept already.
    pub(super) fn send_text(&mut self, now: Instant, message: &Message, mut text: Text) {
        let id = message.id;
        for (target, one) in message.targets.iter().enumerate() {
            match self.places(&one.destination) {
                None => text.by_gateway.push(target),
                Some(Ok(places)) => text.branch(target, places),
                Some(Err(why)) => tracing::warn!(message = %id, target, %why, "message not sent"),
            }
        }
        if !text.by_gateway.is_empty() {
            let destinations = text.by_gateway.iter();
            let destinations = destinations.map(|at| message.targets[*at].destination.clone());
            let request = TextMessage {
                id,
                source: message.source.clone(),
                destinations: destinations.collect(),
                text: message.text.clone(),
            };
            self.ask(Asker::Message(id), OutsideRequest::Message(request));
        }
        self.texts.insert(id, text);
        self.with_text(now, id, |switch, text| {
            for branch in 0..text.branches.len() {
                switch.try_branch(now, id, text, branch);
            }
            for target in text.waiting() {
                switch.check_target(now, id, text, target);
            }
        });
    }

    /// The places that a target is reached at by SIP, each by its ways; `None` where that is for the gateway.
    fn places(&self, destination: &Address) -> Option<Result<Vec<Vec<Way>>, NoWay>> {
        let is_for_gateway = destination.kind == "tel" && self.config.providers.message;
        if is_for_gateway || !is_of_sip(destination) {
            return None;
        }
        match self.destination(destination)? {
            Destination::Party(Party { ways, .. }) => Some(ways.map(|ways| vec![ways])),
            Destination::Group(group) => {
                let ways = |member| match member {
                    Destination::Party(Party { ways, .. }) => ways.ok(),
                    Destination::Group(_) | Destination::Conference(_) => None,
                };
                Some(Ok(group.members.into_iter().filter_map(ways).collect()))
            }
            Destination::Conference(_) => None,
        }
    }

    /// Lets something happen to a message, and ends it when nothing more will.
    fn with_text(&mut self, now: Instant, id: Uuid, act: impl FnOnce(&mut Self, &mut Text)) {
        let Some(mut text) = self.texts.remove(&id) else {
            return;
        };
        act(self, &mut text);
        if text.is_over() {
            self.deadlines.set(Deadline::Text(id), None);
            return self.text_over(now, text);
        }
        let wake = text.wake();
        self.deadlines.set(Deadline::Text(id), Some(wake));
        self.texts.insert(id, text);
    }

    /// Goes on to the next address of a branch, its next way, or its end.
    fn try_branch(&mut self, now: Instant, id: Uuid, text: &mut Text, index: usize) {
        loop {
            let branch = &mut text.branches[index];
            if let Some(hop) = branch.hops.pop_front() {
                return self.ask_reader(now, id, text, index, hop);
            }
            let Some(way) = branch.ways.pop_front() else {
                branch.is_over = true;
                let target = branch.target;
                return self.check_target(now, id, text, target);
            };
            let target = way.target.clone();
            let line = way.line;
            branch.way = Some(way);
            if !self.may_text(now, id, line) {
                text.why = "the trunk has sent enough today";
                continue;
            }
            match target {
                Target::Hop(hop) => text.branches[index].hops.push_back(hop),
                Target::Host(host) => {
                    self.seek(Seeker::Text(id, index), host);
                    return;
                }
            }
        }
    }

    /// Counts a message that goes by a trunk.
    fn may_text(&mut self, now: Instant, id: Uuid, line: Line) -> bool {
        let Some(trunk) = line.trunk() else {
            return true;
        };
        let day = self.epoch.since_1970(now).as_secs() / 86_400;
        let trunks = &mut self.config.directory.trunks;
        let admitted = trunks.admit_message(day, trunk);
        if let Err(limit) = admitted
            && let Some(others) = self.limits.pass(now)
        {
            let trunk = trunks.name(trunk);
            tracing::warn!(message = %id, trunk, %limit, others, "trunk has reached a limit");
        }
        admitted.is_ok()
    }

    /// The addresses of a host that a message goes to are known.
    pub(super) fn reader_found(&mut self, now: Instant, id: Uuid, index: usize, hops: Vec<Hop>) {
        self.with_text(now, id, |switch, text| {
            let branch = &mut text.branches[index];
            let Some(way) = &branch.way else {
                return;
            };
            match reachable(way.line, hops, &switch.config.directory.dial_allow) {
                Ok(mut hops) => {
                    hops.sort_by_cached_key(|hop| switch.silent_hops.has(now, hop));
                    let is_long = text.body.len() > LONGEST_IN_DATAGRAM && way.may_stream();
                    branch.hops = match is_long {
                        true => hops.into_iter().flat_map(by_stream_first).collect(),
                        false => hops.into(),
                    };
                }
                Err(why) => tracing::warn!(message = %id, %why, "message not sent there"),
            }
            switch.try_branch(now, id, text, index);
        });
    }

    fn ask_reader(&mut self, now: Instant, id: Uuid, text: &mut Text, index: usize, hop: Hop) {
        let branch = &mut text.branches[index];
        branch.hop = Some(hop);
        let Some(way) = &branch.way else {
            return;
        };
        let trunks = &self.config.directory.trunks;
        let here = self.endpoint.advertised(hop);
        let identity = text.caller.identity(way, trunks, here);
        let account = match way.line {
            Line::Trunk(trunk) if way.is_to(trunks.get(trunk)) => trunks.get(trunk).account.clone(),
            _ => None,
        };
        let ask = Ask {
            method: Method::Message,
            hop,
            uri: way.uri.clone(),
            from: identity.from,
            to: NameAddr::new(way.uri.clone()),
            sequence: None,
            routes: self.routes_of(way),
            headers: identity.headers,
            body: Some((PLAIN_TEXT.to_owned(), text.body.clone())),
            account,
        };
        let ask = self.endpoint.ask(now, ask);
        self.asks.insert(ask, Seeker::Text(id, index));
    }

    /// Somebody has answered a message, or has not.
    pub(super) fn reader_responded(
        &mut self,
        now: Instant,
        id: Uuid,
        index: usize,
        result: &Result<Arc<Response>, NoAnswer>,
    ) {
        let status = result.as_ref().ok().map(|response| response.status);
        self.with_text(now, id, |switch, text| {
            let branch = &mut text.branches[index];
            let line = branch.way.as_ref().map(|way| way.line);
            let trunk = line.and_then(Line::trunk);
            if let Some(trunk) = trunk {
                switch.heard_of(now, trunk, status);
            }
            if let Some(status) = status.filter(|status| status.is_success()) {
                // What a trunk has taken is not with the reader yet, nor is what was merely accepted.
                let is_there = status == Status::OK && trunk.is_none();
                let standing = match is_there {
                    true => MessageStatus::Delivered,
                    false => MessageStatus::Sent,
                };
                branch.is_over = true;
                let target = branch.target;
                return switch.settle_target(now, id, text, target, standing);
            }
            let is_of_hop = status.is_none_or(|status| status == Status::SERVICE_UNAVAILABLE);
            if is_of_hop && let Some(hop) = branch.hop.filter(|_| line != Some(Line::Extension)) {
                switch.silent_hops.add(now, hop);
            }
            if !is_of_hop {
                branch.hops.clear();
            }
            let is_final =
                status.is_some_and(|status| !Q850::of_status(status).may_be_tried_elsewhere());
            if is_final {
                branch.hops.clear();
                branch.ways.clear();
            }
            tracing::debug!(message = %id, ?status, "message not taken");
            text.why = match status {
                Some(_) => "it was refused",
                None => "nobody answered",
            };
            text.status = status;
            switch.try_branch(now, id, text, index);
        });
    }

    /// The gateway has taken a message, or has not.
    pub(super) fn gateway_answered(&mut self, now: Instant, id: Uuid, answer: &OutsideAnswer) {
        self.with_text(now, id, |switch, text| {
            let standing = match answer {
                OutsideAnswer::Failed(failure) => {
                    text.why = failure.as_str();
                    MessageStatus::Failed
                }
                _ => MessageStatus::Sent,
            };
            let targets = std::mem::take(&mut text.by_gateway);
            switch.settle_targets(now, id, text, &targets, standing);
        });
    }

    /// It is time to tell who waits, or to give up.
    pub(super) fn handle_text_timeout(&mut self, now: Instant, id: Uuid) {
        self.with_text(now, id, |switch, text| {
            if let Sender::Peer { until, .. } = &text.sender
                && *until <= now
            {
                switch.tell_sender(now, text, Status::ACCEPTED);
            }
            if text.until <= now {
                text.why = "it took too long";
                let waiting = text.waiting();
                switch.settle_targets(now, id, text, &waiting, MessageStatus::Failed);
            }
        });
    }

    /// A target that neither a branch nor the gateway can bring it to has failed.
    fn check_target(&mut self, now: Instant, id: Uuid, text: &mut Text, target: usize) {
        if text.is_hopeless(target) && !text.by_gateway.contains(&target) {
            self.settle_target(now, id, text, target, MessageStatus::Failed);
        }
    }

    fn settle_target(
        &mut self,
        now: Instant,
        id: Uuid,
        text: &mut Text,
        target: usize,
        standing: MessageStatus,
    ) {
        self.settle_targets(now, id, text, &[target], standing);
    }

    /// Writes down what became of it at these targets, and tells it once.
    fn settle_targets(
        &mut self,
        now: Instant,
        id: Uuid,
        text: &mut Text,
        targets: &[usize],
        standing: MessageStatus,
    ) {
        let mut news = targets.to_vec();
        news.retain(|target| text.settle(*target, standing));
        if news.is_empty() {
            return;
        }
        let at = self.epoch.since_1970(now);
        if let Some(message) = self.messages.update(id, &news, standing, at).cloned() {
            self.tell_message(Change::Updated, message);
        }
    }

    /// It is known of all targets what became of it there.
    fn text_over(&mut self, now: Instant, mut text: Text) {
        match text.sender {
            Sender::Flow(flow, command) => {
                let outcome = match text.is_taken() {
                    true => FlowOutcome::Done,
                    false => FlowOutcome::Failed { why: text.why },
                };
                self.finish_flow_command(now, flow, command, outcome);
            }
            Sender::Peer { .. } => {
                let status = match text.is_taken() {
                    true => Status::OK,
                    false => text.status.map_or(UNAVAILABLE, passed_on),
                };
                self.tell_sender(now, &mut text, status);
            }
            Sender::Nobody => {}
        }
    }

    fn tell_sender(&mut self, now: Instant, text: &mut Text, status: Status) {
        let sender = std::mem::replace(&mut text.sender, Sender::Nobody);
        if let Sender::Peer { id, request, .. } = sender {
            let response = Response::to(&request, status);
            self.endpoint.respond(now, id, response);
        }
    }
}

/// The same place by a stream, and then by what it is reached by (RFC 3261 §18.1.1).
fn by_stream_first(hop: Hop) -> Vec<Hop> {
    let stream = Hop {
        transport: Transport::Tcp,
        connection: None,
        ..hop
    };
    match hop.transport {
        Transport::Udp => vec![stream, hop],
        Transport::Tcp => vec![hop],
    }
}

/// Octets of a text with which a MESSAGE stays below 1300 octets (RFC 3428 §8).
const LONGEST_IN_DATAGRAM: usize = 700;

const UNAVAILABLE: Status = Status::TEMPORARILY_UNAVAILABLE;

/// What who sends a message is told of the answer of its reader: what the reader has decided, and of all else
/// that it is not there.
const fn passed_on(status: Status) -> Status {
    match status.code() {
        486 | 488 | 600 | 603 | 606 => status,
        _ => UNAVAILABLE,
    }
}
