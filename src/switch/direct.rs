//! What a registered telephone may dial without a flow of ours: numbers, extensions, and addresses that
//! say what they are.
//!
//! It is for those alone who have proven by digest who they are: nobody else finds a way out here.

use std::sync::Arc;

use serde_json::json;

use super::Switch;
use crate::flow::Flow;
use crate::flow::dialect::{Support, parse_flow};
use crate::sip::message::Uri;

/// Prefixes of user parts that say what the rest is.
const KINDS: [&str; 5] = ["agent", "conference", "extension", "sip", "tel"];

impl Switch {
    /// The flow for what an extension has dialled, made for this one call; `None` when it is nobody.
    pub(super) fn direct_flow(&mut self, uri: &Uri) -> Option<Arc<Flow>> {
        let (kind, target) = dialled_kind(uri)?;
        // A placeholder would be filled in by the flow.
        let is_plain = |c: char| !c.is_control() && !matches!(c, '$' | '{' | '}');
        if target.is_empty() || target.len() > LONGEST || !target.chars().all(is_plain) {
            return None;
        }
        let is_ours = match kind {
            "extension" => self.config.access.password(&target).is_some(),
            "agent" => self.config.directory.agents.find(&target).is_some(),
            "conference" => self.config.directory.conferences.find(&target).is_some(),
            _ => true,
        };
        if !is_ours {
            return None;
        }
        let actions = json!({"actions": [
            {"type": "connect", "option": {
                "destinations": [{"type": kind, "target": target}],
                "early_media": true,
                "relay_reason": true,
            }},
            {"type": "hangup", "option": {"reason": "noanswer"}},
        ]});
        let text = actions.to_string();
        match parse_flow(text.as_bytes(), "direct", &mut self.rng, Support::Live) {
            Ok(flow) => Some(Arc::new(flow)),
            Err(errors) => {
                tracing::warn!(%errors, "no flow for what an extension has dialled");
                None
            }
        }
    }
}

/// The longest name that anything has here.
const LONGEST: usize = 256;

/// What kind of address a request URI names, and the address: `+` and digits are a number, a prefix says
/// its kind, and all else is an extension.
pub(super) fn dialled_kind(uri: &Uri) -> Option<(&'static str, String)> {
    let user = match uri {
        Uri::Tel(tel) => return Some(("tel", tel.number.clone())),
        // `sip:agent:name@host` reads as a user with a password.
        Uri::Sip(sip) => match (sip.user.as_deref()?, sip.password.as_deref()) {
            (user, Some(password)) => format!("{user}:{password}"),
            (user, None) => user.to_owned(),
        },
        Uri::Other { .. } => return None,
    };
    if let Some((kind, target)) = user.split_once(':') {
        let known = KINDS
            .iter()
            .find(|known| known.eq_ignore_ascii_case(kind))?;
        return Some((known, target.to_owned()));
    }
    let name = user.split(';').next().unwrap_or_default();
    let is_number = name.starts_with('+');
    Some((if is_number { "tel" } else { "extension" }, name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dialled_is_a_number_an_extension_or_says_its_kind() {
        for (uri, wanted) in [
            ("sip:+15551112222@host", Some(("tel", "+15551112222"))),
            ("sip:+15551112222;npdi@host", Some(("tel", "+15551112222"))),
            ("tel:+1-555-111", Some(("tel", "+1555111"))),
            ("sip:1001@host", Some(("extension", "1001"))),
            ("sip:agent:bob@host", Some(("agent", "bob"))),
            ("sip:Conference%3Adaily@host", Some(("conference", "daily"))),
            (
                "sip:sip%3Abob%40pbx.example@host",
                Some(("sip", "bob@pbx.example")),
            ),
            ("sip:line:x@host", None),
            ("sip:host", None),
            ("urn:service:sos", None),
        ] {
            let read = dialled_kind(&Uri::parse(uri.as_bytes()).unwrap());
            let read = read.as_ref().map(|(kind, target)| (*kind, target.as_str()));
            assert_eq!(read, wanted, "{uri}");
        }
    }
}
