//! `[[trunks]]`, `[sip] dial_allow` and `srtp`: where calls come from and go to outside, and what of them is
//! protected.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use toml::Spanned;

use super::FileError;
use super::file::{self, Origin};
use super::people::name;
use crate::sdp::crypto::SrtpPolicy;
use crate::sip::message::{HeaderName, Host};
use crate::sip::{Account, SipHost, Transport};
use crate::store::access::DialAllow;
use crate::store::network::Network;
use crate::store::protection::ProtectionTable;
use crate::store::trunks::{Trunk, TrunkOut};

/// A name in DNS has no more letters (RFC 1035 §2.3.4).
const LONGEST_HOST: usize = 253;
/// Letters of a part of a number, and of a header's value: what carriers ask for is far shorter.
const LONGEST_PART: usize = 32;
const LONGEST_VALUE: usize = 256;
/// Headers of one trunk.
const HEADERS: usize = 16;
/// Calls that a limit may allow; more is a typing error.
const MOST_CALLS: u32 = 16_000;
const MOST_CPS: u32 = 1000;
const MOST_PER_DAY: u32 = 10_000_000;

/// Reads the section; `listen` is what calls can leave by.
pub(super) fn trunks(
    origin: &Origin,
    entries: Vec<file::Trunk>,
    listen: &[(Transport, SocketAddr)],
) -> Result<Vec<Trunk>, FileError> {
    let mut trunks: Vec<Trunk> = Vec::new();
    for entry in entries {
        let taken = trunks.iter().map(|trunk| trunk.name.as_str());
        let name = name(origin, "trunks.name", &entry.name, taken)?;
        let out = match &entry.host {
            Some(host) => Some(out(origin, &entry, host, listen)?),
            None => {
                only_calls_in(origin, &entry)?;
                None
            }
        };
        let expected = "expected an address or a network, such as 198.51.100.0/24";
        let network = |text: &Spanned<String>| {
            let wrong =
                |_| origin.wrong(text.span(), "trunks.allowed_ips", text.as_ref(), expected);
            text.as_ref().parse::<Network>().map_err(wrong)
        };
        let networks = entry.allowed_ips.iter().map(network);
        let networks = networks.collect::<Result<Vec<_>, _>>()?;
        if out.is_none() && networks.is_empty() {
            let expected = "needs host to be called, allowed_ips to call us, or both";
            return Err(origin.wrong(entry.name.span(), "trunks.name", name, expected));
        }
        trunks.push(Trunk {
            name,
            networks,
            out,
        });
    }
    Ok(trunks)
}

/// Refuses keys that say how a trunk is called where it is not said that it is.
fn only_calls_in(origin: &Origin, entry: &file::Trunk) -> Result<(), FileError> {
    let of = [
        (
            "trunks.transport",
            entry.transport.as_ref().map(Spanned::span),
        ),
        (
            "trunks.username",
            entry.username.as_ref().map(Spanned::span),
        ),
        (
            "trunks.password",
            entry.password.as_ref().map(Spanned::span),
        ),
        (
            "trunks.register",
            entry.register.as_ref().map(Spanned::span),
        ),
        ("trunks.probe", entry.probe.as_ref().map(Spanned::span)),
        (
            "trunks.prefixes",
            entry.prefixes.as_ref().map(Spanned::span),
        ),
        (
            "trunks.priority",
            entry.priority.as_ref().map(Spanned::span),
        ),
        (
            "trunks.channels",
            entry.channels.as_ref().map(Spanned::span),
        ),
        ("trunks.cps", entry.cps.as_ref().map(Spanned::span)),
        (
            "trunks.calls_per_day",
            entry.calls_per_day.as_ref().map(Spanned::span),
        ),
        (
            "trunks.tech_prefix",
            entry.tech_prefix.as_ref().map(Spanned::span),
        ),
        (
            "trunks.tech_postfix",
            entry.tech_postfix.as_ref().map(Spanned::span),
        ),
        ("trunks.headers", entry.headers.as_ref().map(Spanned::span)),
        (
            "trunks.caller_id",
            entry.caller_id.as_ref().map(Spanned::span),
        ),
    ];
    match of.into_iter().find_map(|(key, span)| Some((key, span?))) {
        Some((key, span)) => Err(origin.wrong(
            span,
            key,
            "…",
            "says how the trunk is called, and needs host",
        )),
        None => Ok(()),
    }
}

fn out(
    origin: &Origin,
    entry: &file::Trunk,
    host: &Spanned<String>,
    listen: &[(Transport, SocketAddr)],
) -> Result<TrunkOut, FileError> {
    let expected = "expected a host name or an address, with or without :PORT";
    let (host, port) = host_and_port(host.as_ref())
        .ok_or_else(|| origin.wrong(host.span(), "trunks.host", host.as_ref(), expected))?;
    let transport = transport(origin, entry.transport.as_ref(), listen)?;
    let usual = TrunkOut::new(SipHost {
        host,
        port,
        transport,
    });
    let limit = |key, value: &Option<Spanned<u32>>, usual, most, expected| match value {
        None => Ok(usual),
        Some(value) if (1..=most).contains(value.as_ref()) => Ok(*value.as_ref()),
        Some(value) => Err(origin.wrong(value.span(), key, value.as_ref(), expected)),
    };
    let account = account(origin, entry)?;
    let register = entry.register.as_ref();
    if let Some(register) = register.filter(|register| *register.as_ref() && account.is_none()) {
        let expected = "needs username and password";
        return Err(origin.wrong(register.span(), "trunks.register", true, expected));
    }
    let channels = "expected 1 to 16000 calls at once";
    let cps = "expected 1 to 1000 calls in a second";
    let per_day = "expected 1 to 10000000 calls in a day";
    Ok(TrunkOut {
        account,
        register: register.is_some_and(|register| *register.as_ref()),
        probe: entry.probe.as_ref().is_none_or(|probe| *probe.as_ref()),
        prefixes: match &entry.prefixes {
            Some(prefixes) => prefixes_of(origin, prefixes.as_ref())?,
            None => usual.prefixes.clone(),
        },
        priority: entry
            .priority
            .as_ref()
            .map_or(usual.priority, |value| *value.as_ref()),
        channels: limit(
            "trunks.channels",
            &entry.channels,
            usual.channels,
            MOST_CALLS,
            channels,
        )?,
        cps: limit("trunks.cps", &entry.cps, usual.cps, MOST_CPS, cps)?,
        calls_per_day: limit(
            "trunks.calls_per_day",
            &entry.calls_per_day,
            usual.calls_per_day,
            MOST_PER_DAY,
            per_day,
        )?,
        tech_prefix: part(origin, "trunks.tech_prefix", entry.tech_prefix.as_ref())?
            .unwrap_or_default(),
        tech_postfix: part(origin, "trunks.tech_postfix", entry.tech_postfix.as_ref())?
            .unwrap_or_default(),
        headers: headers(origin, entry)?,
        caller_id: part(origin, "trunks.caller_id", entry.caller_id.as_ref())?,
        ..usual
    })
}

fn transport(
    origin: &Origin,
    entry: Option<&Spanned<String>>,
    listen: &[(Transport, SocketAddr)],
) -> Result<Option<Transport>, FileError> {
    let Some(entry) = entry else {
        return Ok(None);
    };
    let wrong = |expected| origin.wrong(entry.span(), "trunks.transport", entry.as_ref(), expected);
    let transport = match entry.as_ref().as_str() {
        "udp" => Transport::Udp,
        "tcp" => Transport::Tcp,
        _ => return Err(wrong("expected \"udp\" or \"tcp\"")),
    };
    if listen.iter().any(|(listened, _)| *listened == transport) {
        Ok(Some(transport))
    } else {
        Err(wrong("is not among the transports of sip.listen"))
    }
}

fn account(origin: &Origin, entry: &file::Trunk) -> Result<Option<Account>, FileError> {
    let is_plain =
        |text: &str| (1..=LONGEST_VALUE).contains(&text.len()) && !text.contains(char::is_control);
    match (&entry.username, &entry.password) {
        (None, None) => Ok(None),
        (Some(username), Some(password)) => {
            let expected = "expected up to 256 letters";
            if !is_plain(username.as_ref()) {
                let name = username.as_ref();
                return Err(origin.wrong(username.span(), "trunks.username", name, expected));
            }
            if !is_plain(&password.as_ref().0) {
                return Err(origin.wrong(password.span(), "trunks.password", "…", expected));
            }
            Ok(Some(Account {
                username: username.as_ref().clone(),
                password: password.as_ref().0.clone(),
            }))
        }
        (Some(username), None) => {
            let name = username.as_ref();
            Err(origin.wrong(
                username.span(),
                "trunks.username",
                name,
                "needs password beside it",
            ))
        }
        (None, Some(password)) => Err(origin.wrong(
            password.span(),
            "trunks.password",
            "…",
            "needs username beside it",
        )),
    }
}

fn prefixes_of(origin: &Origin, entries: &[Spanned<String>]) -> Result<Vec<String>, FileError> {
    let prefix = |text: &Spanned<String>| {
        let digits = text.as_ref().strip_prefix('+').unwrap_or(text.as_ref());
        let is_prefix = !text.as_ref().is_empty()
            && digits.len() <= LONGEST_PART
            && digits.bytes().all(|byte| byte.is_ascii_digit());
        let expected = "expected how numbers begin, such as \"+\", \"+49\" or \"0\"";
        let wrong = || origin.wrong(text.span(), "trunks.prefixes", text.as_ref(), expected);
        is_prefix.then(|| text.as_ref().clone()).ok_or_else(wrong)
    };
    entries.iter().map(prefix).collect()
}

/// A part of the user of a URI, which may need no more than escaping.
fn part(
    origin: &Origin,
    key: &'static str,
    entry: Option<&Spanned<String>>,
) -> Result<Option<String>, FileError> {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"+-_.!~*'()&=$,;?/#".contains(&byte);
    let Some(entry) = entry else {
        return Ok(None);
    };
    let text = entry.as_ref();
    if (1..=LONGEST_PART).contains(&text.len()) && text.bytes().all(is_part) {
        return Ok(Some(text.clone()));
    }
    let expected = "expected up to 32 letters, digits, and + - _ . ! ~ * ' ( ) & = $ , ; ? / #";
    Err(origin.wrong(entry.span(), key, text, expected))
}

fn headers(origin: &Origin, entry: &file::Trunk) -> Result<Vec<(HeaderName, Bytes)>, FileError> {
    let Some(table) = &entry.headers else {
        return Ok(Vec::new());
    };
    let mut headers: Vec<(HeaderName, Bytes)> = Vec::new();
    for (name, value) in table.as_ref() {
        let wrong = |expected| origin.wrong(value.span(), "trunks.headers", name, expected);
        let header =
            HeaderName::parse(name.clone()).map_err(|_| wrong("is no name of a header"))?;
        if !is_free(&header) {
            return Err(wrong("is written by flowswitch itself"));
        }
        if headers.iter().any(|(earlier, _)| *earlier == header) {
            return Err(wrong("stands there twice"));
        }
        let text = value.as_ref();
        if text.len() > LONGEST_VALUE || text.contains(char::is_control) {
            return Err(wrong("has more than 256 letters, or a control character"));
        }
        headers.push((header, Bytes::from(text.trim().to_owned())));
    }
    if headers.len() > HEADERS {
        let expected = "expected up to 16 headers";
        return Err(origin.wrong(table.span(), "trunks.headers", headers.len(), expected));
    }
    Ok(headers)
}

/// Claims that no request needs the header to be right: nothing of routing, dialogs, bodies,
/// authentication, extensions or identities.
fn is_free(header: &HeaderName) -> bool {
    use HeaderName::{
        AcceptContact, AlertInfo, CallInfo, Diversion, Geolocation, HistoryInfo, InReplyTo,
        Organization, Other, Priority, RejectContact, RemotePartyId, ReplyTo, RequestDisposition,
        Subject,
    };
    matches!(
        header,
        AcceptContact
            | AlertInfo
            | CallInfo
            | Diversion
            | Geolocation
            | HistoryInfo
            | InReplyTo
            | Organization
            | Other(_)
            | Priority
            | RejectContact
            | RemotePartyId
            | ReplyTo
            | RequestDisposition
            | Subject
    )
}

/// Reads `NAME`, `NAME:PORT`, an address, `ADDRESS:PORT` or `[ADDRESS]:PORT`.
fn host_and_port(text: &str) -> Option<(Host, Option<u16>)> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some((Host::Ip(address), None));
    }
    if let Ok(address) = text.parse::<SocketAddr>() {
        return (address.port() != 0).then(|| (Host::Ip(address.ip()), Some(address.port())));
    }
    match text.rsplit_once(':') {
        Some((name, port)) if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) => {
            let port = port.parse().ok().filter(|port| *port != 0)?;
            Some((host(name)?, Some(port)))
        }
        _ => Some((host(text)?, None)),
    }
}

fn host(text: &str) -> Option<Host> {
    let host = Host::parse(text.as_bytes()).ok()?;
    let is_name = text.len() <= LONGEST_HOST && text.contains(|c: char| c.is_ascii_alphabetic());
    (host.ip().is_some() || is_name).then_some(host)
}

/// Reads `srtp` of `[rtp]` and of the trunks.
pub(super) fn protection(
    origin: &Origin,
    usual: Option<&Spanned<String>>,
    trunks: &[file::Trunk],
) -> Result<ProtectionTable, FileError> {
    let usual = usual.map(|word| policy(origin, "rtp.srtp", word));
    let mut special = HashMap::new();
    for trunk in trunks {
        if let Some(word) = &trunk.srtp {
            let policy = policy(origin, "trunks.srtp", word)?;
            special.insert(trunk.name.as_ref().clone(), policy);
        }
    }
    let usual = usual.transpose()?.unwrap_or_default();
    Ok(ProtectionTable::new(usual, special))
}

fn policy(
    origin: &Origin,
    key: &'static str,
    entry: &Spanned<String>,
) -> Result<SrtpPolicy, FileError> {
    let word = entry.as_ref();
    let likeness = |policy: &SrtpPolicy| strsim::jaro_winkler(policy.as_str(), word);
    let nearest = SrtpPolicy::ALL
        .into_iter()
        .filter(|policy| likeness(policy) > 0.7)
        .max_by(|one, other| likeness(one).total_cmp(&likeness(other)));
    let expected = match nearest {
        Some(SrtpPolicy::Off) => "did you mean \"off\"?",
        Some(SrtpPolicy::Accept) => "did you mean \"accept\"?",
        Some(SrtpPolicy::Prefer) => "did you mean \"prefer\"?",
        Some(SrtpPolicy::Require) => "did you mean \"require\"?",
        None => "expected \"off\", \"accept\", \"prefer\" or \"require\"",
    };
    SrtpPolicy::from_word(word).ok_or_else(|| origin.wrong(entry.span(), key, word, expected))
}

/// Reads the list of hosts that targets may name.
pub(super) fn dial_allow(
    origin: &Origin,
    entries: &[Spanned<String>],
) -> Result<DialAllow, FileError> {
    let (mut networks, mut names) = (Vec::new(), Vec::new());
    for entry in entries {
        let text = entry.as_ref();
        if let Ok(network) = text.parse::<Network>() {
            networks.push(network);
        } else if let Some(Host::Name(name)) = host(text) {
            names.push(name);
        } else {
            let expected = "expected a network, an address or a host name";
            return Err(origin.wrong(entry.span(), "sip.dial_allow", text, expected));
        }
    }
    Ok(DialAllow::new(networks, names))
}
