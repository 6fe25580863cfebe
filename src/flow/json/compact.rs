//! A tree back to JSON text, without spaces.

use std::fmt::Write as _;

use super::Value;

impl Value {
    /// Writes the value behind `text`. `false`: it would be longer than `limit` octets, and is written in
    /// part.
    pub(crate) fn write(&self, text: &mut String, limit: usize) -> bool {
        // Writing to a string does not fail.
        let _ = match self {
            Self::Null => text.write_str("null"),
            Self::Bool(flag) => write!(text, "{flag}"),
            Self::Whole(number) => write!(text, "{number}"),
            Self::Real(number) => write!(text, "{number}"),
            Self::Text(string) => {
                write_text(text, string);
                Ok(())
            }
            Self::List(items) => {
                for (at, item) in items.iter().enumerate() {
                    text.push(if at == 0 { '[' } else { ',' });
                    if !item.value.write(text, limit) {
                        return false;
                    }
                }
                text.write_str(if items.is_empty() { "[]" } else { "]" })
            }
            Self::Object(members) => {
                for (at, member) in members.iter().enumerate() {
                    text.push(if at == 0 { '{' } else { ',' });
                    write_text(text, &member.key);
                    text.push(':');
                    if !member.node.value.write(text, limit) {
                        return false;
                    }
                }
                text.write_str(if members.is_empty() { "{}" } else { "}" })
            }
        };
        text.len() <= limit
    }
}

/// A string with what must be escaped (RFC 8259 §7).
fn write_text(text: &mut String, string: &str) {
    text.push('"');
    for c in string.chars() {
        match c {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            c if c < ' ' => {
                let _ = write!(text, "\\u{:04x}", u32::from(c));
            }
            c => text.push(c),
        }
    }
    text.push('"');
}

#[cfg(test)]
mod tests {
    use crate::flow::json::parse;

    fn written(json: &str, limit: usize) -> Option<String> {
        let mut text = String::new();
        let root = parse(json.as_bytes()).expect("the JSON of the test");
        root.value.write(&mut text, limit).then_some(text)
    }

    #[test]
    fn what_was_read_is_written_again_without_spaces() {
        for (read, wrote) in [
            ("{ }", "{}"),
            ("[ ]", "[]"),
            (
                r#"{"a": [1, -2.5, null, true], "b": {"c": ""}}"#,
                r#"{"a":[1,-2.5,null,true],"b":{"c":""}}"#,
            ),
            (
                r#"["\u0001\t\"\\\n\r é"]"#,
                "[\"\\u0001\\t\\\"\\\\\\n\\r é\"]",
            ),
        ] {
            assert_eq!(written(read, 1000).as_deref(), Some(wrote));
        }
    }

    #[test]
    fn what_would_be_too_long_is_given_up() {
        assert_eq!(written("[1,2,3]", 7).as_deref(), Some("[1,2,3]"));
        assert_eq!(written("[1,2,3]", 6), None);
        assert_eq!(written(r#"{"a":"bcdefgh","i":[1]}"#, 8), None);
    }
}
