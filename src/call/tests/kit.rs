//! A call for tests, and what comes of its verbs.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr};

use flowswitch_media::command::{Command, Direction, SessionId};

use crate::call::address::{Address, AddressKind};
use crate::call::{Call, CallEvent, Down, Leg};
use crate::ids::{CallId, Rng};
use crate::sdp::codecs::Codecs;
use crate::sdp::crypto::LocalCrypto;
use crate::sdp::format::PayloadTypes;
use crate::sdp::negotiate::LocalEnd;
use crate::sip::{DialogId, Endpoint, EndpointConfig};

/// The session of the call.
pub(in crate::call) const SESSION: SessionId = SessionId(4);

/// An incoming call without an offer.
pub(in crate::call) fn call() -> Call {
    let here = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let local = LocalEnd {
        address: here,
        port: 4000,
        session_id: 1,
        version: 1,
        cname: "someone".into(),
        peer: here,
        direction: Direction::SendRecv,
        codecs: Codecs::default(),
        payload_types: PayloadTypes::default(),
        crypto: LocalCrypto::default(),
    };
    let party = Address {
        kind: AddressKind::Sip,
        target: "someone@example.com".into(),
        target_name: String::new(),
        name: String::new(),
        detail: String::new(),
    };
    let leg = Leg::new(DialogId(1), SESSION, local, None);
    let id = CallId(Rng::from_number(1).uuid());
    Call::incoming(crate::sim::start(), id, leg, party.clone(), party)
}

/// Lets a call act; the orders that it gives.
pub(in crate::call) fn act(
    call: &mut Call,
    act: impl FnOnce(&mut Call, &mut Down<'_>),
) -> Vec<Command> {
    let mut endpoint = Endpoint::new(EndpointConfig::default(), Rng::from_number(2));
    let mut media = VecDeque::new();
    let mut down = Down {
        now: crate::sim::start(),
        endpoint: &mut endpoint,
        media: &mut media,
        rng: &mut Rng::from_number(3),
    };
    act(call, &mut down);
    media.into()
}

/// What the call has reported since.
pub(in crate::call) fn events(call: &mut Call) -> Vec<CallEvent> {
    std::iter::from_fn(|| call.poll_event()).collect()
}
