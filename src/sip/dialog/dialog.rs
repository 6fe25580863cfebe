//! A dialog: who speaks with whom, in which order, by which way (RFC 3261 §12).

use std::net::SocketAddr;

use bytes::Bytes;

use super::identity::with_tag;
use crate::sip::event::Invite;
use crate::sip::hop::{ConnectionId, DEFAULT_PORT, Hop, Transport, is_private};
use crate::sip::message::{
    CSeq, Contacts, HeaderName, Method, NameAddr, ParseError, Request, Response, Uri, Via,
};
use crate::sip::transaction::has_cookie;

/// The peer relation that an INVITE makes.
#[derive(Clone, Debug)]
pub struct Dialog {
    call_id: Bytes,
    /// The Call-ID is of our making: the call is ours.
    is_ours: bool,
    /// Our From in requests, with our tag.
    local: Bytes,
    /// Our To in requests, with the peer's tag once it is known.
    remote: Bytes,
    local_tag: Box<str>,
    remote_tag: Option<Box<str>>,
    local_cseq: u32,
    remote_cseq: u32,
    remote_target: Uri,
    routes: Vec<NameAddr>,
    hop: Hop,
    is_behind_nat: bool,
}

impl Dialog {
    /// The dialog that answering `invite` makes (RFC 3261 §12.1.1). `via` is its top Via as the peer
    /// wrote it, `local_tag` ours.
    ///
    /// # Errors
    /// The header that cannot be read; answer 400.
    pub fn accepting(
        invite: &Request,
        via: &Via,
        hop: Hop,
        local_tag: &str,
    ) -> Result<Self, ParseError> {
        let from = invite.headers.from()?;
        let remote_target = match contact(invite)? {
            Some(contact) => contact,
            // RFC 2543 did not ask for a Contact: such a peer is reached as it calls itself.
            None if !has_cookie(via) => from.uri.clone(),
            None => return Err(ParseError::Missing("Contact")),
        };
        Ok(Self {
            call_id: required(invite, HeaderName::CallId, "Call-ID")?,
            is_ours: false,
            local: with_tag(&required(invite, HeaderName::To, "To")?, local_tag),
            remote: required(invite, HeaderName::From, "From")?,
            local_tag: local_tag.into(),
            remote_tag: from.tag().map(Into::into),
            local_cseq: 0,
            remote_cseq: invite.headers.cseq()?.number,
            remote_target,
            routes: invite.headers.record_routes()?,
            hop,
            is_behind_nat: via.host.ip().is_some_and(|ip| ip != hop.remote.ip()),
        })
    }

    /// Our half of the dialogs that `invite` may make; the other halves come with the responses.
    #[must_use]
    pub fn dialing(invite: &Invite, call_id: Bytes, local_tag: &str) -> Self {
        let mut to = invite.to.clone();
        to.params.remove("tag");
        let named = invite.uri.as_sip().and_then(|uri| uri.host.ip());
        Self {
            call_id,
            is_ours: true,
            local: invite.from.clone().with_tag(local_tag).to_string().into(),
            remote: to.to_string().into(),
            local_tag: local_tag.into(),
            remote_tag: None,
            local_cseq: 0,
            remote_cseq: 0,
            remote_target: invite.uri.clone(),
            routes: invite.routes.clone(),
            hop: invite.hop,
            // Who is called by another address than the one in the URI is not reached by that one.
            is_behind_nat: invite.routes.is_empty()
                && named.is_some_and(|ip| ip != invite.hop.remote.ip()),
        }
    }

    /// Takes the peer's half from a response to our INVITE (RFC 3261 §12.1.2, §13.2.2.4).
    pub fn learn(&mut self, response: &Response) {
        if let Some(to) = response.headers.get(&HeaderName::To) {
            self.remote = to.clone();
        }
        self.remote_tag = remote_tag(response).map(Into::into);
        self.routes = response.headers.record_routes().unwrap_or_default();
        self.routes.reverse();
        self.refresh_target(response.headers.contacts());
    }

    /// A request of ours within the dialog (RFC 3261 §12.2.1.1), with the next CSeq, without Via.
    pub fn request(&mut self, method: Method) -> Request {
        self.local_cseq += 1;
        self.compose(method, self.local_cseq)
    }

    /// The next CSeq, for a request that is sent anew.
    pub fn next_cseq(&mut self, method: Method) -> CSeq {
        self.local_cseq += 1;
        CSeq {
            number: self.local_cseq,
            method,
        }
    }

    /// Goes on counting behind the requests of another dialog that the same INVITE made.
    pub fn follow(&mut self, other: &Self) {
        self.local_cseq = self.local_cseq.max(other.local_cseq);
    }

    /// The ACK to a 2xx of the INVITE of ours that had this CSeq (RFC 3261 §13.2.2.4).
    #[must_use]
    pub fn ack(&self, cseq: u32) -> Request {
        self.compose(Method::Ack, cseq)
    }

    /// Takes the CSeq of a request of the peer; false when it is older than one before, which is
    /// answered with 500 (RFC 3261 §12.2.2).
    pub fn accept_cseq(&mut self, number: u32) -> bool {
        if number < self.remote_cseq {
            return false;
        }
        self.remote_cseq = number;
        true
    }

    /// Takes a new Contact from a target refresh request or its 2xx (RFC 3261 §12.2.1.2, §12.2.2).
    pub fn refresh_target(&mut self, contacts: Result<Contacts, ParseError>) {
        if let Ok(Contacts::List(list)) = contacts
            && let Some(contact) = list.into_iter().next()
        {
            self.remote_target = contact.uri;
        }
    }

    /// The peer was heard from `hop`: a NAT or a new connection may have changed it.
    pub const fn heard_from(&mut self, hop: Hop) {
        self.hop = hop;
    }

    /// A response of the peer came from `hop`: when that is where the peer was heard from, by a connection
    /// that was opened for our request, later requests go by it as well.
    pub fn handle_connection(&mut self, hop: Hop) {
        if self.hop.connection.is_none()
            && self.hop.transport == hop.transport
            && self.hop.remote == hop.remote
        {
            self.hop.connection = hop.connection;
        }
    }

    /// The connection is gone; a later request has to open one.
    pub fn handle_connection_lost(&mut self, connection: ConnectionId) {
        if self.hop.connection == Some(connection) {
            self.hop.connection = None;
        }
    }

    /// Where requests of ours go.
    ///
    /// The next hop is the first route, else the Contact (RFC 3261 §12.2.1.1). It is where the peer was
    /// heard from unless it names another address that can be reached: a name is not resolved here, and
    /// an address behind a NAT leads nowhere.
    #[must_use]
    pub fn next_hop(&self) -> Hop {
        let uri = self
            .routes
            .first()
            .map_or(&self.remote_target, |route| &route.uri);
        let Some(uri) = uri.as_sip() else {
            return self.hop;
        };
        let Some(ip) = uri.host.ip() else {
            return self.hop;
        };
        let heard = self.hop.remote.ip();
        let is_hidden = is_private(ip) && !is_private(heard);
        let is_direct = self.routes.is_empty();
        if ip.is_unspecified()
            || uri.secure
            || ip.is_ipv4() != heard.is_ipv4()
            || (ip != heard && (is_hidden || (is_direct && self.is_behind_nat)))
            || (ip == heard && self.hop.connection.is_some())
        {
            return self.hop;
        }
        let transport = match uri.params.value("transport") {
            Some(token) if token.eq_ignore_ascii_case("tcp") => Transport::Tcp,
            Some(token) if token.eq_ignore_ascii_case("udp") => Transport::Udp,
            // A transport that is not spoken here: the way the peer came by is all there is.
            Some(_) => return self.hop,
            None if ip == heard => self.hop.transport,
            None => Transport::Udp,
        };
        Hop {
            transport,
            local: self.hop.local,
            remote: SocketAddr::new(ip, uri.port.unwrap_or(DEFAULT_PORT)),
            connection: None,
        }
    }

    /// Where the peer was heard from last.
    #[must_use]
    pub const fn hop(&self) -> Hop {
        self.hop
    }

    /// Claims that a message with this Call-ID and tag of the peer belongs here (RFC 3261 §12).
    #[must_use]
    pub fn is_of(&self, call_id: &[u8], remote_tag: Option<&str>) -> bool {
        self.call_id == call_id && self.remote_tag.as_deref() == remote_tag
    }

    /// Claims that the peer has this tag.
    #[must_use]
    pub fn is_with(&self, remote_tag: Option<&str>) -> bool {
        self.remote_tag.as_deref() == remote_tag
    }

    /// Claims that the call is ours, and the Call-ID with it (RFC 3261 §14.1).
    #[must_use]
    pub const fn is_ours(&self) -> bool {
        self.is_ours
    }

    /// Our tag.
    #[must_use]
    pub fn local_tag(&self) -> &str {
        &self.local_tag
    }

    fn compose(&self, method: Method, cseq: u32) -> Request {
        let is_strict = self
            .routes
            .first()
            .and_then(|route| route.uri.as_sip())
            .is_some_and(|uri| !uri.is_loose_router());
        let uri = if is_strict {
            strict_uri(&self.routes[0].uri)
        } else {
            self.remote_target.clone()
        };
        let cseq = CSeq {
            number: cseq,
            method: method.clone(),
        };
        let mut request = Request::new(method, uri);
        let headers = &mut request.headers;
        headers.push(HeaderName::MaxForwards, "70");
        headers.push(HeaderName::From, self.local.clone());
        headers.push(HeaderName::To, self.remote.clone());
        headers.push(HeaderName::CallId, self.call_id.clone());
        headers.push(HeaderName::CSeq, cseq.to_string());
        for route in self.routes.iter().skip(usize::from(is_strict)) {
            headers.push(HeaderName::Route, route.to_string());
        }
        if is_strict {
            headers.push(HeaderName::Route, format!("<{}>", self.remote_target));
        }
        request
    }
}

/// The tag of the one who answered.
#[must_use]
pub(super) fn remote_tag(response: &Response) -> Option<String> {
    let to = response.headers.to().ok()?;
    to.tag().map(str::to_owned)
}

fn contact(request: &Request) -> Result<Option<Uri>, ParseError> {
    match request.headers.contacts()? {
        Contacts::List(list) => Ok(list.into_iter().next().map(|contact| contact.uri)),
        Contacts::None => Ok(None),
        Contacts::Wildcard => Err(ParseError::Malformed("Contact")),
    }
}

fn required(request: &Request, name: HeaderName, word: &'static str) -> Result<Bytes, ParseError> {
    let value = request.headers.get(&name);
    value.cloned().ok_or(ParseError::Missing(word))
}

/// What a strict router gets as Request-URI: nothing that may not stand there (RFC 3261 §19.1.1).
fn strict_uri(route: &Uri) -> Uri {
    let mut uri = route.clone();
    if let Uri::Sip(sip) = &mut uri {
        sip.headers.clear();
        sip.params.remove("method");
    }
    uri
}
