//! The Replaces header: a call that the one which carries it takes the place of (RFC 3891 §6.1).

use std::fmt::{self, Write as _};

use super::error::ParseError;
use super::params::Params;
use super::token;

/// What an INVITE with Replaces, or a Refer-To with it, speaks of (RFC 3891 §3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replaces {
    /// Call-ID of the dialog.
    pub call_id: String,
    /// The tag of whom it is sent to.
    pub to_tag: String,
    /// The tag of the other.
    pub from_tag: String,
    /// Only a dialog that is not answered yet is meant.
    pub early_only: bool,
}

impl Replaces {
    /// Reads a header value.
    ///
    /// # Errors
    /// [`ParseError::Malformed`] when it has no Call-ID or lacks a tag.
    pub fn parse(value: &[u8]) -> Result<Self, ParseError> {
        let wrong = ParseError::Malformed("Replaces");
        let end = memchr::memchr(b';', value).unwrap_or(value.len());
        let (call_id, params) = value.split_at(end);
        let call_id = token::trim(call_id);
        if call_id.is_empty() || !call_id.iter().all(|byte| is_call_id_byte(*byte)) {
            return Err(wrong);
        }
        let params = Params::parse_header(params).map_err(|_| wrong)?;
        let tag = |name| params.value(name).filter(|tag| !tag.is_empty());
        Ok(Self {
            call_id: token::text(call_id),
            to_tag: tag("to-tag").ok_or(wrong)?.to_owned(),
            from_tag: tag("from-tag").ok_or(wrong)?.to_owned(),
            early_only: params.has("early-only"),
        })
    }
}

impl fmt::Display for Replaces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.call_id.bytes().filter(|byte| is_call_id_byte(*byte)) {
            f.write_char(char::from(byte))?;
        }
        let mut params = Params::new();
        params.set("to-tag", self.to_tag.as_str());
        params.set("from-tag", self.from_tag.as_str());
        if self.early_only {
            params.set("early-only", None);
        }
        params.write_header(f)
    }
}

/// No white space, and nothing that begins a parameter or another element.
const fn is_call_id_byte(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b';' | b',')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_rfc_3891_6_1_is_read_and_written() {
        let text = "98732@sip.example.com ;from-tag=r33th4x0r ; to-tag=ff87ff";
        let replaces = Replaces::parse(text.as_bytes()).unwrap();
        assert_eq!(replaces.call_id, "98732@sip.example.com");
        assert_eq!(
            (replaces.to_tag.as_str(), replaces.from_tag.as_str()),
            ("ff87ff", "r33th4x0r")
        );
        assert!(!replaces.early_only);
        let early = Replaces {
            early_only: true,
            ..replaces
        };
        let text = early.to_string();
        assert_eq!(
            text,
            "98732@sip.example.com;to-tag=ff87ff;from-tag=r33th4x0r;early-only"
        );
        assert_eq!(Replaces::parse(text.as_bytes()), Ok(early));
    }

    #[test]
    fn without_both_tags_and_a_call_id_it_names_nothing() {
        for wrong in [
            "",
            ";to-tag=a;from-tag=b",
            "x",
            "x;to-tag=a",
            "x;from-tag=a",
            "x;to-tag=;from-tag=b",
            "x;to-tag;from-tag=b",
            "x y;to-tag=a;from-tag=b",
            "x, y;to-tag=a;from-tag=b",
            "x;to-tag=a;;from-tag=b",
        ] {
            assert!(Replaces::parse(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn nothing_in_it_can_add_a_header() {
        let replaces = Replaces {
            call_id: "a\r\nX: y;b,c d".into(),
            to_tag: "t\r\nX: y".into(),
            from_tag: "f\"\\".into(),
            early_only: false,
        };
        let text = replaces.to_string();
        assert!(!text.chars().any(char::is_control), "{text}");
        assert!(Replaces::parse(text.as_bytes()).is_ok(), "{text}");
    }
}
