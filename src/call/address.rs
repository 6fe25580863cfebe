//! A party as flows and the API see it.

use std::net::IpAddr;

use crate::sip::message::{Host, NameAddr, Uri};

/// What kind of name a party has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressKind {
    /// A telephone number; the target is in E.164 with `+` where the peer gave it so.
    Tel,
    /// `user@host`.
    Sip,
    /// One of our extensions, proven by digest.
    Extension,
}

impl AddressKind {
    /// The word of the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tel => "tel",
            Self::Sip => "sip",
            Self::Extension => "extension",
        }
    }
}

/// One end of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// How to read `target`.
    pub kind: AddressKind,
    /// The number, `user@host`, or extension.
    pub target: String,
    /// A name for the target: the display name the peer sent, or the extension.
    pub target_name: String,
    /// What whoever asked for the call calls it.
    pub name: String,
    /// What whoever asked for the call says of it.
    pub detail: String,
}

impl Address {
    /// The party a From, To or request URI names.
    #[must_use]
    pub fn from_sip(party: &NameAddr) -> Self {
        let target_name = party.display_name.clone().unwrap_or_default();
        Self {
            target_name,
            ..Self::from_uri(&party.uri)
        }
    }

    /// The party a URI names.
    #[must_use]
    pub fn from_uri(uri: &Uri) -> Self {
        let (kind, target) = match uri {
            Uri::Tel(tel) => (AddressKind::Tel, digits_of(&tel.number)),
            Uri::Sip(sip) => match sip.user.as_deref() {
                Some(user) if is_number(name_of(user)) => {
                    (AddressKind::Tel, digits_of(name_of(user)))
                }
                Some(user) => (AddressKind::Sip, format!("{user}@{}", host_text(&sip.host))),
                None => (AddressKind::Sip, host_text(&sip.host)),
            },
            Uri::Other { .. } => (AddressKind::Sip, uri.to_string()),
        };
        Self {
            kind,
            target,
            target_name: String::new(),
            name: String::new(),
            detail: String::new(),
        }
    }

    /// One of our extensions.
    #[must_use]
    pub fn extension(name: &str) -> Self {
        Self {
            kind: AddressKind::Extension,
            target: name.to_owned(),
            target_name: name.to_owned(),
            name: String::new(),
            detail: String::new(),
        }
    }
}

/// The user part that a request is for: what flows are looked up by. Parameters that a carrier adds to
/// it, as in `+15551112222;npdi@host` (RFC 3261 §19.1.6, RFC 4694), are not part of the name.
#[must_use]
pub fn dialled(uri: &Uri) -> Option<&str> {
    match uri {
        Uri::Sip(sip) => sip.user.as_deref().map(name_of),
        Uri::Tel(tel) => Some(&tel.number),
        Uri::Other { .. } => None,
    }
}

/// A user part without the parameters of a telephone number in it.
fn name_of(user: &str) -> &str {
    user.split_once(';').map_or(user, |(name, _)| name)
}

/// A global number: `+` and at least seven digits, with visual separators (RFC 3966 §5.1). Shorter or
/// local ones stay SIP users, because they may be names of extensions.
fn is_number(user: &str) -> bool {
    let Some(rest) = user.strip_prefix('+') else {
        return false;
    };
    let separator = |c: char| matches!(c, '-' | '.' | '(' | ')');
    rest.chars().all(|c| c.is_ascii_digit() || separator(c))
        && rest.chars().filter(char::is_ascii_digit).count() >= 7
}

fn digits_of(number: &str) -> String {
    number
        .chars()
        .filter(|c| *c == '+' || c.is_ascii_digit())
        .collect()
}

fn host_text(host: &Host) -> String {
    match host {
        Host::Name(name) => name.to_ascii_lowercase(),
        Host::Ip(IpAddr::V4(address)) => address.to_string(),
        Host::Ip(IpAddr::V6(address)) => format!("[{address}]"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(uri: &str) -> (AddressKind, String) {
        let address = Address::from_uri(&Uri::parse(uri.as_bytes()).unwrap());
        (address.kind, address.target)
    }

    #[test]
    fn global_numbers_are_tel_and_everything_else_is_sip() {
        assert_eq!(
            address("sip:+1-555-111-2222@carrier.example"),
            (AddressKind::Tel, "+15551112222".to_owned())
        );
        assert_eq!(
            address("tel:+15551112222;phone-context=x"),
            (AddressKind::Tel, "+15551112222".to_owned())
        );
        assert_eq!(
            address("sip:1000@Example.COM"),
            (AddressKind::Sip, "1000@example.com".to_owned())
        );
        assert_eq!(
            address("sip:[2001:db8::1]"),
            (AddressKind::Sip, "[2001:db8::1]".to_owned())
        );
    }

    #[test]
    fn what_is_dialled_is_the_user_part_or_the_number() {
        let dialled_of =
            |uri: &str| dialled(&Uri::parse(uri.as_bytes()).unwrap()).map(str::to_owned);
        assert_eq!(dialled_of("sip:menu@host").as_deref(), Some("menu"));
        assert_eq!(
            dialled_of("tel:+15551112222").as_deref(),
            Some("+15551112222")
        );
        assert_eq!(dialled_of("sip:host"), None);
        let ported = "sip:+15551112222;npdi;rn=+15550000000@host";
        assert_eq!(dialled_of(ported).as_deref(), Some("+15551112222"));
        assert_eq!(
            address(ported),
            (AddressKind::Tel, "+15551112222".to_owned())
        );
    }
}
