//! One of the four machines, for the layer that treats them alike.

use std::time::Instant;

use bytes::Bytes;

use super::ClientEvent;
use super::client_invite::ClientInvite;
use super::client_request::ClientRequest;
use super::server_invite::ServerInvite;
use super::server_request::ServerRequest;

#[derive(Debug)]
pub(super) enum Machine {
    ServerInvite(ServerInvite),
    ServerRequest(ServerRequest),
    ClientInvite(ClientInvite),
    ClientRequest(ClientRequest),
}

impl Machine {
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        match self {
            Self::ServerInvite(machine) => machine.handle_timeout(now),
            Self::ServerRequest(machine) => machine.handle_timeout(now),
            Self::ClientInvite(machine) => machine.handle_timeout(now),
            Self::ClientRequest(machine) => machine.handle_timeout(now),
        }
    }

    pub(super) fn poll_transmit(&mut self) -> Option<Bytes> {
        match self {
            Self::ServerInvite(machine) => machine.poll_transmit(),
            Self::ServerRequest(machine) => machine.poll_transmit(),
            Self::ClientInvite(machine) => machine.poll_transmit(),
            Self::ClientRequest(machine) => machine.poll_transmit(),
        }
    }

    pub(super) fn poll_event(&mut self) -> Option<ClientEvent> {
        match self {
            Self::ServerInvite(_) | Self::ServerRequest(_) => None,
            Self::ClientInvite(machine) => machine.poll_event(),
            Self::ClientRequest(machine) => machine.poll_event(),
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        match self {
            Self::ServerInvite(machine) => machine.poll_timeout(),
            Self::ServerRequest(machine) => machine.poll_timeout(),
            Self::ClientInvite(machine) => machine.poll_timeout(),
            Self::ClientRequest(machine) => machine.poll_timeout(),
        }
    }

    pub(super) const fn lingers(&self) -> bool {
        match self {
            Self::ServerInvite(machine) => machine.lingers(),
            Self::ServerRequest(machine) => machine.lingers(),
            Self::ClientInvite(machine) => machine.lingers(),
            Self::ClientRequest(machine) => machine.lingers(),
        }
    }

    pub(super) const fn is_terminated(&self) -> bool {
        match self {
            Self::ServerInvite(machine) => machine.is_terminated(),
            Self::ServerRequest(machine) => machine.is_terminated(),
            Self::ClientInvite(machine) => machine.is_terminated(),
            Self::ClientRequest(machine) => machine.is_terminated(),
        }
    }
}
