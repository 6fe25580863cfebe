//! The variables of one activeflow, and `${name}` in texts.
//!
//! A placeholder is `${`, then the shortest run of anything but a line break, then `}`. Its variable
//! may be missing: then it stands for nothing. Inserted text is never scanned again, so what a caller
//! sends (a display name, a digit) cannot pull in another variable.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::reference_data::{REFERENCE_DATA, reference_data};

/// Largest value of one variable, in bytes.
pub const MAX_VALUE: usize = 32 * 1024;
/// Largest sum of all names and values of an activeflow, in bytes.
pub const MAX_TOTAL: usize = 256 * 1024;
/// Most variables that come from outside at the start of an activeflow.
pub const MAX_INJECTED: usize = 100;
/// Largest sum of names and values that come from outside at the start, in bytes.
pub const MAX_INJECTED_TOTAL: usize = 64 * 1024;
/// Longest text that the templates of one option may grow to, in bytes.
pub const MAX_SUBSTITUTED: usize = 256 * 1024;

/// Digits pressed so far.
pub(super) const DIGITS: &str = "voipbin.call.digits";
/// Status of the call, as it is now.
pub(super) const CALL_STATUS: &str = "voipbin.call.status";
/// Who has answered, as far as it is known.
pub(super) const AMD_RESULT: &str = "voipbin.amd.result";
/// Where a talk with an assistant stands.
pub(super) const AICALL_STATUS: &str = "voipbin.aicall.status";
/// Names that only a call that waits in a queue has.
pub(super) const QUEUE: [&str; 2] = ["voipbin.queue.", "voipbin.queuecall."];
/// Names the engine owns and rewrites in each activeflow.
pub(super) const ACTIVEFLOW: &str = "voipbin.activeflow.";
/// Names nobody may inject.
const RESERVED: &str = "voipbin.";

/// Why a variable was not set, or a text not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VariableError {
    /// The value alone is too long.
    #[error("a value is longer than {MAX_VALUE} bytes")]
    ValueTooLong,
    /// All variables together would be too long.
    #[error("the variables would be longer than {MAX_TOTAL} bytes in all")]
    TotalTooLong,
    /// Too many come from outside.
    #[error("more than {MAX_INJECTED} variables")]
    TooMany,
    /// Those from outside are too long in all.
    #[error("the variables are longer than {MAX_INJECTED_TOTAL} bytes in all")]
    InjectedTooLong,
    /// A text with its placeholders filled in is too long.
    #[error("the text would be longer than {MAX_SUBSTITUTED} bytes")]
    TextTooLong,
}

/// Names and values, within [`MAX_VALUE`] and [`MAX_TOTAL`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Variables {
    values: BTreeMap<Cow<'static, str>, String>,
    /// Bytes of all names and values.
    total: usize,
}

impl Variables {
    /// Sets one variable; on an error the old value stays.
    pub fn set(
        &mut self,
        name: impl Into<Cow<'static, str>>,
        value: impl Into<String>,
    ) -> Result<(), VariableError> {
        let (name, value) = (name.into(), value.into());
        if value.len() > MAX_VALUE {
            return Err(VariableError::ValueTooLong);
        }
        let known = self.values.get_mut(&name);
        let replaced = known.as_ref().map_or(0, |known| name.len() + known.len());
        let total = self.total - replaced + name.len() + value.len();
        if total > MAX_TOTAL {
            return Err(VariableError::TotalTooLong);
        }
        self.total = total;
        match known {
            Some(known) => *known = value,
            None => {
                self.values.insert(name, value);
            }
        }
        Ok(())
    }

    /// The value of a variable; names are case-sensitive and may hold anything.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// All variables in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.values
            .iter()
            .map(|(name, value)| (&**name, value.as_str()))
    }

    /// `text` with every placeholder replaced by its value.
    pub fn substitute<'a>(&self, text: &'a str) -> Result<Cow<'a, str>, VariableError> {
        if !has_placeholder(text) {
            return Ok(Cow::Borrowed(text));
        }
        let mut filled = String::with_capacity(text.len());
        for piece in pieces(text) {
            match piece {
                Piece::Plain(plain) => filled.push_str(plain),
                Piece::Name(name) => filled.push_str(self.look_up(name).text()),
            }
            if filled.len() > MAX_SUBSTITUTED {
                return Err(VariableError::TextTooLong);
            }
        }
        Ok(Cow::Owned(filled))
    }

    /// What a placeholder of this name stands for: its value, or what is made when it is read.
    pub(super) fn look_up(&self, name: &str) -> Found<'_> {
        match self.value(name) {
            Some(value) => Found::Value(value),
            None if name == REFERENCE_DATA => {
                reference_data(self).map_or(Found::Value(""), Found::Json)
            }
            None => Found::Value(""),
        }
    }

    /// Forgets every variable whose name begins so.
    pub(super) fn forget(&mut self, prefix: &str) {
        let total = &mut self.total;
        self.values.retain(|name, value| {
            let goes = name.starts_with(prefix);
            if goes {
                *total -= name.len() + value.len();
            }
            !goes
        });
    }
}

/// What a placeholder stands for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found<'a> {
    /// The value of a variable; empty when there is none.
    Value(&'a str),
    /// A JSON object that the engine has made itself.
    Json(String),
}

impl Found<'_> {
    pub(super) fn text(&self) -> &str {
        match self {
            Self::Value(text) => text,
            Self::Json(text) => text,
        }
    }
}

/// Variables that a caller of the API hands in: names are trimmed; empty ones and those of the engine
/// (`voipbin.`, in any case) are left out. All or nothing: over a cap none is taken.
///
/// # Errors
/// Over [`MAX_INJECTED`], [`MAX_INJECTED_TOTAL`] or [`MAX_VALUE`].
pub fn injected(
    pairs: impl IntoIterator<Item = (String, String)>,
) -> Result<Vec<(String, String)>, VariableError> {
    let mut taken: Vec<(String, String)> = Vec::new();
    let mut total = 0;
    for (name, value) in pairs {
        let name = name.trim();
        let is_reserved = name
            .get(..RESERVED.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(RESERVED));
        if name.is_empty() || is_reserved {
            continue;
        }
        if taken.len() == MAX_INJECTED {
            return Err(VariableError::TooMany);
        }
        if value.len() > MAX_VALUE {
            return Err(VariableError::ValueTooLong);
        }
        total += name.len() + value.len();
        if total > MAX_INJECTED_TOTAL {
            return Err(VariableError::InjectedTooLong);
        }
        taken.push((name.to_owned(), value));
    }
    Ok(taken)
}

/// Whether a text holds at least one whole placeholder.
pub(super) fn has_placeholder(text: &str) -> bool {
    text.contains("${") && pieces(text).any(|piece| matches!(piece, Piece::Name(_)))
}

/// A part of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    /// As it stands.
    Plain(&'a str),
    /// A placeholder.
    Name(&'a str),
}

/// Cuts a text into placeholders and what lies between; linear also in a text of openings alone.
pub(super) fn pieces(mut rest: &str) -> impl Iterator<Item = Piece<'_>> {
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (piece, length) = match rest.find("${") {
            None => (Piece::Plain(rest), rest.len()),
            Some(0) => placeholder_or_line(rest),
            Some(start) => (Piece::Plain(&rest[..start]), start),
        };
        rest = &rest[length..];
        Some(piece)
    })
}

/// The placeholder that `text` begins with, or the text that cannot hold a whole one; with its length.
fn placeholder_or_line(text: &str) -> (Piece<'_>, usize) {
    match text.find(['}', '\n']) {
        None => (Piece::Plain(text), text.len()),
        Some(end) if text.as_bytes()[end] == b'}' => (Piece::Name(&text["${".len()..end]), end + 1),
        Some(end) => (Piece::Plain(&text[..=end]), end + 1),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pair(name: &str, value: impl Into<String>) -> (String, String) {
        (name.to_owned(), value.into())
    }

    fn with(pairs: &[(&str, &str)]) -> Variables {
        let mut variables = Variables::default();
        for &(name, value) in pairs {
            variables.set(name.to_owned(), value).unwrap();
        }
        variables
    }

    #[test]
    fn placeholders_are_filled_and_missing_ones_vanish() {
        let variables = with(&[
            ("voipbin.test.name", "test name"),
            ("Provider name", "voipbin"),
        ]);
        let filled = |text| variables.substitute(text).unwrap().into_owned();
        assert_eq!(
            filled(
                "test data ${voipbin.test.name} and ${voipbin.test.name} and ${voipbin.test.none}"
            ),
            "test data test name and test name and "
        );
        assert_eq!(filled("${Provider name}${}${provider name}!"), "voipbin!");
        assert_eq!(filled("no name"), "no name");
    }

    #[test]
    fn a_placeholder_ends_at_the_first_brace_and_never_spans_lines() {
        let variables = with(&[("a", "1"), ("b${a", "2"), (" a ", "3"), ("x\ny", "4")]);
        let filled = |text| variables.substitute(text).unwrap().into_owned();
        assert_eq!(filled("${a"), "${a");
        assert_eq!(filled("$${a}}"), "$1}");
        assert_eq!(filled("${b${a}}"), "2}", "no nesting: the name is `b${{a`");
        assert_eq!(filled("${ a }"), "3", "no trimming");
        assert_eq!(filled("${x\ny}${a}"), "${x\ny}1");
        assert_eq!(filled("${no\n ${a} $ {a} {a}"), "${no\n 1 $ {a} {a}");
    }

    #[test]
    fn inserted_text_is_not_scanned_again() {
        let variables = with(&[("name", "${secret}"), ("secret", "key"), ("half", "${sec")]);
        assert_eq!(variables.substitute("${name}").unwrap(), "${secret}");
        assert_eq!(variables.substitute("${half}ret}").unwrap(), "${secret}");
    }

    #[test]
    fn a_value_over_a_cap_is_refused_and_the_old_one_stays() {
        let mut variables = with(&[("a", "old")]);
        let longest = "x".repeat(MAX_VALUE);
        assert_eq!(
            variables.set("a", format!("{longest}x")),
            Err(VariableError::ValueTooLong)
        );
        assert_eq!(variables.value("a"), Some("old"));
        for name in ["1", "2", "3", "4", "5", "6", "7"] {
            variables.set(name, longest.as_str()).unwrap();
        }
        assert_eq!(
            variables.set("8", longest.as_str()),
            Err(VariableError::TotalTooLong)
        );
        variables.set("7", "").unwrap();
        variables.set("8", &longest).unwrap();
        assert_eq!(
            variables.total,
            variables
                .iter()
                .map(|(n, v)| n.len() + v.len())
                .sum::<usize>()
        );
    }

    #[test]
    fn a_template_that_would_explode_is_refused() {
        let variables = with(&[("a", &"x".repeat(MAX_VALUE))]);
        assert_eq!(
            variables.substitute(&"${a}".repeat(8)).unwrap().len(),
            MAX_SUBSTITUTED
        );
        assert_eq!(
            variables.substitute(&"${a}".repeat(9)),
            Err(VariableError::TextTooLong)
        );
    }

    #[test]
    fn injected_names_are_trimmed_and_the_engines_own_left_out() {
        let given = [
            (" a ", "1"),
            ("", "2"),
            ("  ", "3"),
            ("VoIPBin.call.id", "4"),
            ("voipbin", "5"),
        ];
        let taken = injected(given.map(|(n, v)| (n.to_owned(), v.to_owned()))).unwrap();
        assert_eq!(taken, [pair("a", "1"), pair("voipbin", "5")]);
        let many = |count: usize| injected((0..count).map(|n| (n.to_string(), String::new())));
        assert_eq!(many(100).unwrap().len(), 100);
        assert_eq!(many(101), Err(VariableError::TooMany));
        let long = |length| injected([pair("a", "x".repeat(length))]);
        assert!(long(MAX_VALUE).is_ok());
        assert_eq!(long(MAX_VALUE + 1), Err(VariableError::ValueTooLong));
        let three = injected(["a", "b", "c"].map(|name| pair(name, "x".repeat(MAX_VALUE))));
        assert_eq!(three, Err(VariableError::InjectedTooLong));
    }

    proptest! {
        #[test]
        fn a_text_without_placeholders_comes_back_as_it_was(text in "[${}a\\n]{0,20}") {
            let pieces: String = pieces(&text).map(|piece| match piece {
                Piece::Plain(plain) => plain.to_owned(),
                Piece::Name(name) => format!("${{{name}}}"),
            }).collect();
            prop_assert_eq!(&pieces, &text);
            if !has_placeholder(&text) {
                prop_assert_eq!(Variables::default().substitute(&text).unwrap(), &*text);
            }
        }
    }
}
