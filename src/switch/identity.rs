//! Who we say is calling, and what of it the called one may see (RFC 3323, RFC 3325).

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;

use super::route::{Line, Way, normal_number};
use crate::call::address::{Address, AddressKind};
use crate::flow::Anonymous;
use crate::sip::message::{HeaderName, Headers, Host, NameAddr, SipUri, Uri};
use crate::store::trunks::TrunkTable;

/// Who calls.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    /// As flows and records name it.
    pub address: Arc<Address>,
    /// Claims that the called one must not see who it is.
    pub is_private: bool,
    /// Claims that a flow chose it, and that it is not merely whoever is being connected.
    pub is_chosen: bool,
}

/// The part of an INVITE that says who calls.
pub(super) struct Identity {
    pub from: NameAddr,
    pub contact_user: Option<String>,
    pub headers: Vec<(HeaderName, Bytes)>,
}

impl Caller {
    /// Who calls by this way, written for a peer that knows us by the address `here`.
    ///
    /// A trunk is shown a number: the caller's where a flow chose one, else the trunk's own. It is the
    /// only one that learns the number of a caller who wants to stay unknown, for it may have to.
    pub(super) fn identity(&self, way: &Way, trunks: &TrunkTable, here: SocketAddr) -> Identity {
        let own = |user: &str| {
            let host = Host::Ip(here.ip());
            SipUri::new(host).with_user(user)
        };
        let mut headers = Vec::new();
        let (user, name, uri) = match way.line {
            Line::Trunk(trunk) => {
                let out = trunks.get(trunk);
                headers.extend(out.headers.iter().cloned());
                let number = self.number().or_else(|| out.caller_id.clone());
                let uri = number.as_deref().map(|number| match &out.account {
                    // A carrier that knows us by name wants its own domain there.
                    Some(_) => SipUri::new(out.host.host.clone()).with_user(number),
                    None => own(number),
                });
                let name = self.number().and_then(|_| self.name());
                (number, name, uri)
            }
            Line::TrunkHost(_) | Line::Extension | Line::Host(_) => {
                let user = self.user();
                let uri = user.as_deref().map(own);
                (user, self.name(), uri)
            }
        };
        if self.is_private {
            headers.push((HeaderName::Privacy, Bytes::from_static(b"id")));
        }
        let is_known = !self.is_private;
        match uri {
            Some(uri) if is_known => Identity {
                from: NameAddr {
                    display_name: name,
                    ..NameAddr::new(Uri::Sip(uri))
                },
                contact_user: user,
                headers,
            },
            uri => {
                if let (Line::Trunk(_), Some(uri)) = (way.line, uri) {
                    let asserted = NameAddr::new(Uri::Sip(uri)).to_string();
                    headers.push((HeaderName::PAssertedIdentity, Bytes::from(asserted)));
                }
                Identity {
                    from: nobody(),
                    contact_user: None,
                    headers,
                }
            }
        }
    }

    /// The number that a flow chose to show.
    fn number(&self) -> Option<String> {
        let Address { kind, target, .. } = &*self.address;
        let is_number =
            *kind == AddressKind::Tel && target.bytes().any(|byte| byte.is_ascii_digit());
        (self.is_chosen && is_number).then(|| normal_number(target))
    }

    fn user(&self) -> Option<String> {
        let target = &self.address.target;
        let user = match self.address.kind {
            AddressKind::Sip => target.split('@').next().unwrap_or_default(),
            AddressKind::Tel | AddressKind::Extension => target,
        };
        (!user.is_empty()).then(|| user.to_owned())
    }

    fn name(&self) -> Option<String> {
        let name = &self.address.target_name;
        (!name.is_empty()).then(|| name.clone())
    }
}

/// Whether the called one must not see who calls: as the flow says, else as the call that it is made for
/// asked for.
pub(super) const fn is_private(wish: Anonymous, master: bool) -> bool {
    match wish {
        Anonymous::Yes => true,
        Anonymous::No => false,
        Anonymous::Auto => master,
    }
}

/// Whether the one who sent these headers wants to stay unknown (RFC 3323 §4.2, RFC 3325 §9.3).
pub(super) fn asks_for_privacy(headers: &Headers) -> bool {
    let mut asks = false;
    for value in headers.get_all(&HeaderName::Privacy) {
        let text = String::from_utf8_lossy(value);
        for word in text.split([';', ',']).map(str::trim) {
            if word.eq_ignore_ascii_case("none") {
                return false;
            }
            asks |= ["id", "user", "header", "full"]
                .iter()
                .any(|known| known.eq_ignore_ascii_case(word));
        }
    }
    asks
}

/// Who calls when nobody may know (RFC 3323 §4.1.1.3).
fn nobody() -> NameAddr {
    let uri = SipUri::new(Host::Name("anonymous.invalid".to_owned())).with_user("anonymous");
    NameAddr {
        display_name: Some("Anonymous".to_owned()),
        ..NameAddr::new(Uri::Sip(uri))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn privacy_is_asked_for_by_id_user_header_and_full_and_not_by_none() {
        for (values, wanted) in [
            (&["id"][..], true),
            (&["user;critical"], true),
            (&["session", "Header"], true),
            (&["full"], true),
            (&["none"], false),
            (&["id;none"], false),
            (&["session"], false),
            (&["critical"], false),
            (&[], false),
        ] {
            let mut headers = Headers::new();
            for value in values {
                headers.push(HeaderName::Privacy, *value);
            }
            assert_eq!(asks_for_privacy(&headers), wanted, "{values:?}");
        }
    }

    #[test]
    fn the_wish_of_the_flow_comes_before_that_of_the_caller() {
        for (wish, master, wanted) in [
            (Anonymous::Yes, false, true),
            (Anonymous::No, true, false),
            (Anonymous::Auto, true, true),
            (Anonymous::Auto, false, false),
        ] {
            assert_eq!(is_private(wish, master), wanted, "{wish:?} {master}");
        }
    }
}
