//! One end of a call or message, as the API writes it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::reason::Reason;
use super::refusal::Refusal;
use super::resource::Answer;
use crate::flow;

/// One end of a call or message.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Address {
    /// `tel`, `sip`, `extension`, `agent`, `conference`, `email`, …; empty for none.
    #[serde(rename = "type")]
    #[schema(example = "tel")]
    pub kind: String,
    /// A number, `user@host` or an id.
    #[schema(example = "+15551112222")]
    pub target: String,
    /// The target in words a person knows.
    pub target_name: String,
    /// Display name.
    pub name: String,
    /// Anything more.
    pub detail: String,
}

impl Address {
    /// As calls and messages go by it: a number without separators, a host and a mail address in lower case.
    ///
    /// # Errors
    /// The target is nothing of its type.
    pub fn normal(mut self) -> Answer<Self> {
        let trimmed = self.target.trim();
        self.target = match self.kind.as_str() {
            "tel" | "whatsapp" => number(trimmed),
            "email" => trimmed.to_lowercase(),
            "sip" => with_lower_host(trimmed),
            _ => self.target,
        };
        let target = self.target.as_str();
        let has_both_sides = |text: &str| {
            text.split_once('@')
                .is_some_and(|(user, host)| !user.is_empty() && !host.is_empty())
        };
        let is_right = match self.kind.as_str() {
            "tel" | "whatsapp" => {
                let digits = target.strip_prefix('+').unwrap_or_default();
                (7..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
            }
            "email" | "sip" => has_both_sides(target),
            "agent" | "conference" => Uuid::try_parse(target).is_ok(),
            "extension" => !target.is_empty() || !self.target_name.is_empty(),
            _ => true,
        };
        if is_right {
            return Ok(self);
        }
        let message = format!("{target:?} is no address of the type {:?}", self.kind);
        Err(Refusal::new(Reason::InvalidArgument, message))
    }

    /// As flows and the switch write it.
    #[must_use]
    pub fn to_flow(&self) -> flow::Address {
        flow::Address {
            kind: self.kind.clone(),
            target: self.target.clone(),
            target_name: self.target_name.clone(),
            name: self.name.clone(),
            detail: self.detail.clone(),
        }
    }
}

impl From<&flow::Address> for Address {
    fn from(address: &flow::Address) -> Self {
        Self {
            kind: address.kind.clone(),
            target: address.target.clone(),
            target_name: address.target_name.clone(),
            name: address.name.clone(),
            detail: address.detail.clone(),
        }
    }
}

/// Digits and a `+` before them; a text without digits stays.
fn number(text: &str) -> String {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    match (digits.is_empty(), text.starts_with('+')) {
        (true, _) => text.to_owned(),
        (false, true) => format!("+{digits}"),
        (false, false) => digits,
    }
}

/// `Alice@Host.com;transport=TCP` becomes `Alice@host.com;transport=TCP`.
fn with_lower_host(text: &str) -> String {
    let Some((user, rest)) = text.split_once('@') else {
        return text.to_owned();
    };
    let end = rest.find([';', '?']).unwrap_or(rest.len());
    let (host, more) = rest.split_at(end);
    format!("{user}@{}{more}", host.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normal(kind: &str, target: &str) -> Option<String> {
        let address = Address {
            kind: kind.to_owned(),
            target: target.to_owned(),
            ..Address::default()
        };
        address.normal().ok().map(|address| address.target)
    }

    #[test]
    fn targets_are_brought_to_one_form_and_wrong_ones_are_refused() {
        for (kind, target, wanted) in [
            ("tel", "+1 (555) 123-4567", Some("+15551234567")),
            ("tel", "++15551230", Some("+15551230")),
            ("tel", "00+15551230", None),
            ("tel", "anonymous", None),
            (
                "sip",
                " Alice@Host.com;transport=TCP ",
                Some("Alice@host.com;transport=TCP"),
            ),
            ("sip", "@host", None),
            ("email", "Ann@Example.COM", Some("ann@example.com")),
            ("agent", "ann", None),
            ("extension", "1000", Some("1000")),
            ("", "anything", Some("anything")),
        ] {
            assert_eq!(normal(kind, target).as_deref(), wanted, "{kind} {target}");
        }
    }
}
