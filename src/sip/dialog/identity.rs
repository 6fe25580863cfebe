//! What we say of ourselves in the messages of a dialog.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;

use super::refresh::SessionPolicy;
use crate::sip::hop::{Hop, Transport, is_private};
use crate::sip::message::{HeaderName, Headers, Method, Request, Response, SipUri, Status, Uri};

/// Our address and abilities.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Where the public internet reaches us, when it is not our own address.
    pub external_address: Option<IpAddr>,
    /// For Server and User-Agent; empty says nothing.
    pub user_agent: Bytes,
    /// What we want of session timers.
    pub session: SessionPolicy,
}

/// Methods that are answered within a dialog or outside one.
pub const ALLOW: &str =
    "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, PRACK, REFER, MESSAGE, REGISTER";

/// The extensions that are understood: session timers (RFC 4028), reliable provisional responses (RFC 3262),
/// calls that take the place of others (RFC 3891), REFER without subscription (RFC 4488).
pub const SUPPORTED: &str = "timer, 100rel, replaces, norefersub";

impl Identity {
    /// The address that the peer at `hop` shall write to.
    #[must_use]
    pub fn advertised(&self, hop: Hop) -> SocketAddr {
        match self.external_address {
            Some(ip) if !is_private(hop.remote.ip()) && ip.is_ipv4() == hop.local.is_ipv4() => {
                SocketAddr::new(ip, hop.local.port())
            }
            _ => hop.local,
        }
    }

    /// Our Contact towards `hop`, with the user part that the peer knows us by.
    #[must_use]
    pub fn contact(&self, hop: Hop, user: Option<&str>) -> String {
        let address = self.advertised(hop);
        let mut uri = SipUri::new(address.ip().into()).with_port(address.port());
        uri.user = user.map(str::to_owned);
        if hop.transport == Transport::Tcp {
            uri.params.set("transport", "tcp");
        }
        let mut contact = String::with_capacity(64);
        // A write into a String has no way to fail.
        let _ = write!(contact, "<{}>", Uri::Sip(uri));
        contact
    }

    /// A response to `request` whose To carries `tag`.
    #[must_use]
    pub fn response(&self, request: &Request, status: Status, tag: &str) -> Response {
        let mut response = Response::to(request, status);
        let has_tag = request.headers.to_tag().is_some();
        if !has_tag && let Some(to) = response.headers.get(&HeaderName::To) {
            let to = with_tag(to, tag);
            response.headers.set(HeaderName::To, to);
        }
        self.sign(&mut response.headers, HeaderName::Server);
        response
    }

    /// Adds Server or User-Agent.
    pub fn sign(&self, headers: &mut Headers, name: HeaderName) {
        if !self.user_agent.is_empty() {
            headers.push(name, self.user_agent.clone());
        }
    }
}

/// `value` of a To with `;tag=` behind it.
#[must_use]
pub fn with_tag(value: &Bytes, tag: &str) -> Bytes {
    let mut tagged = Vec::with_capacity(value.len() + tag.len() + 5);
    tagged.extend_from_slice(value);
    tagged.extend_from_slice(b";tag=");
    tagged.extend_from_slice(tag.as_bytes());
    tagged.into()
}

/// Claims that the peer says it takes UPDATE (RFC 3311 §5.1).
pub(super) fn takes_updates(headers: &Headers) -> bool {
    let allowed = headers.tokens(&HeaderName::Allow);
    allowed
        .iter()
        .any(|method| method == Method::Update.as_str())
}

/// Puts a description into a message.
pub(super) fn put_sdp(headers: &mut Headers, body: &mut Bytes, sdp: Bytes) {
    headers.push(HeaderName::ContentType, "application/sdp");
    *body = sdp;
}

/// Says what we can.
pub(super) fn write_abilities(headers: &mut Headers) {
    headers.push(HeaderName::Allow, ALLOW);
    headers.push(HeaderName::Supported, SUPPORTED);
}
