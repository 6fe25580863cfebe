//! What the text of a URL tells of where it leads: no name is looked up here.

use std::net::{IpAddr, Ipv4Addr};

/// What is wrong with a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum UrlFault {
    /// Not `http://` or `https://` with a host.
    NotHttp,
    /// A user or password in it, which the gate refuses and logs would show.
    Credentials,
    /// The host is an address, or a name of this machine or network, that the policy refuses.
    Refused,
}

/// Judges an `http` or `https` URL by its text alone.
pub(super) fn judge(url: &str, permits: &dyn Fn(IpAddr) -> bool) -> Result<(), UrlFault> {
    let rest = strip_scheme(url).ok_or(UrlFault::NotHttp)?;
    judge_host(rest, permits)
}

/// Judges the host at the begin of `rest`, with or without a port and more behind it.
pub(super) fn judge_host(rest: &str, permits: &dyn Fn(IpAddr) -> bool) -> Result<(), UrlFault> {
    let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
    // What a placeholder will hold is not known yet.
    if authority.contains("${") {
        return Ok(());
    }
    if authority.contains('@') {
        return Err(UrlFault::Credentials);
    }
    let host = host_of(authority).to_ascii_lowercase();
    let host = host.trim_end_matches('.');
    if host.is_empty() || host.contains(char::is_whitespace) {
        return Err(UrlFault::NotHttp);
    }
    let is_permitted = match address_of(host) {
        Some(address) => permits(address),
        None => !is_local_name(host) || permits(IpAddr::V4(Ipv4Addr::LOCALHOST)),
    };
    if is_permitted {
        Ok(())
    } else {
        Err(UrlFault::Refused)
    }
}

/// Whether the text names a scheme at all; a prompt without one is a file of the flows directory.
pub(super) fn has_scheme(url: &str) -> bool {
    url.contains("://")
}

fn strip_scheme(url: &str) -> Option<&str> {
    let (scheme, rest) = url.split_once("://")?;
    (scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https")).then_some(rest)
}

fn host_of(authority: &str) -> &str {
    match authority.strip_prefix('[') {
        Some(inside) => inside.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    }
}

/// The address a literal stands for, also in the spellings that URL parsers know: `0x7f.1`, `2130706433`,
/// `017700000001` (WHATWG URL, IPv4 parser).
fn address_of(host: &str) -> Option<IpAddr> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Some(address);
    }
    let parts: Vec<&str> = host.split('.').collect();
    if parts.len() > 4 {
        return None;
    }
    let numbers: Vec<u32> = parts
        .iter()
        .map(|part| number(part))
        .collect::<Option<_>>()?;
    let (last, first) = numbers.split_last()?;
    let mut bits = 0_u32;
    for (index, number) in first.iter().enumerate() {
        bits |= u32::from(u8::try_from(*number).ok()?) << (24 - 8 * index);
    }
    let room = 32 - 8 * u32::try_from(first.len()).ok()?;
    let fits = room == 32 || *last < (1 << room);
    fits.then(|| IpAddr::V4(Ipv4Addr::from_bits(bits | last)))
}

fn number(part: &str) -> Option<u32> {
    if let Some(hex) = part.strip_prefix("0x") {
        return u32::from_str_radix(if hex.is_empty() { "0" } else { hex }, 16).ok();
    }
    match part.strip_prefix('0') {
        Some(octal) if !octal.is_empty() => u32::from_str_radix(octal, 8).ok(),
        _ => part.parse().ok(),
    }
}

/// Names that stand for this machine, its network or a cloud's metadata.
fn is_local_name(host: &str) -> bool {
    const NAMES: [&str; 3] = ["localhost", "metadata", "metadata.google.internal"];
    const ENDINGS: [&str; 5] = [".localhost", ".local", ".internal", ".lan", ".home.arpa"];
    NAMES.contains(&host) || ENDINGS.iter().any(|ending| host.ends_with(ending))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permits(address: IpAddr) -> bool {
        match address.to_canonical() {
            IpAddr::V4(address) => !address.is_loopback() && !address.is_link_local(),
            IpAddr::V6(address) => !address.is_loopback(),
        }
    }

    #[test]
    fn a_literal_is_judged_in_every_spelling() {
        for url in [
            "http://127.0.0.1/x",
            "https://127.0.0.1:8443",
            "http://0x7f.1/",
            "http://2130706433/",
            "http://017700000001",
            "http://[::1]:80/",
            "http://[::ffff:169.254.169.254]/",
            "http://169.254.169.254/latest/meta-data",
            "http://LOCALHOST./",
            "http://a.localhost:8080/",
            "http://metadata.google.internal/",
        ] {
            assert_eq!(judge(url, &permits), Err(UrlFault::Refused), "{url}");
        }
    }

    #[test]
    fn public_names_and_placeholders_pass_and_other_schemes_do_not() {
        for url in [
            "https://example.com/a?b=http://127.0.0.1",
            "http://${host}/a",
            "http://1.1.1.1/",
            "http://300.1.1.1.1/",
        ] {
            assert_eq!(judge(url, &permits), Ok(()), "{url}");
        }
        for url in ["ftp://example.com", "example.com/a", "http:///a", ""] {
            assert_eq!(judge(url, &permits), Err(UrlFault::NotHttp), "{url}");
        }
        assert_eq!(
            judge("https://user:secret@example.com/", &permits),
            Err(UrlFault::Credentials)
        );
    }
}
