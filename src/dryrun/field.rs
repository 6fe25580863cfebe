//! A value of a test file that knows where it stands, and notes what is wrong with it.

use std::cell::RefCell;
use std::time::Duration;

use crate::flow::json::{Node, Value, clip, line_and_column, push_index, push_key};

/// Something wrong in a test file; nothing of the file is run then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{line}:{column}: {path}: {sentence}")]
pub struct TestFileError {
    /// From one.
    pub line: usize,
    /// In characters, from one.
    pub column: usize,
    /// From the root, as `tests[0].script[1].press`.
    pub path: String,
    /// What is wrong, and what to do.
    pub sentence: String,
}

/// The text, and what is wrong with it.
pub(super) struct Notes<'t> {
    pub(super) text: &'t [u8],
    pub(super) errors: RefCell<Vec<TestFileError>>,
}

/// Most errors that are told.
const MAX_ERRORS: usize = 100;

#[derive(Clone)]
pub(super) struct Field<'a> {
    notes: &'a Notes<'a>,
    path: String,
    node: &'a Node,
}

impl<'a> Field<'a> {
    pub(super) fn root(notes: &'a Notes<'a>, node: &'a Node) -> Self {
        Self {
            notes,
            path: String::new(),
            node,
        }
    }

    pub(super) fn wrong(&self, sentence: impl Into<String>) {
        let mut errors = self.notes.errors.borrow_mut();
        if errors.len() < MAX_ERRORS {
            let (line, column) = line_and_column(self.notes.text, self.node.at);
            let path = if self.path.is_empty() {
                "$"
            } else {
                &self.path
            };
            errors.push(TestFileError {
                line,
                column,
                path: path.to_owned(),
                sentence: sentence.into(),
            });
        }
    }

    pub(super) fn line(&self) -> usize {
        line_and_column(self.notes.text, self.node.at).0
    }

    /// Notes every key that is none of `known`, but for those that begin with `_`.
    pub(super) fn only(&self, known: &[&str]) {
        if !self.is_object() {
            self.expected("an object");
        }
        for (key, field) in self.members() {
            if known.contains(&key) || key.starts_with('_') {
                continue;
            }
            let near = known
                .iter()
                .map(|word| (strsim::jaro_winkler(key, word), word))
                .filter(|(likeness, _)| *likeness >= 0.75)
                .max_by(|(one, _), (other, _)| one.total_cmp(other));
            let help = match near {
                Some((_, word)) => format!("did you mean {word:?}?"),
                None => format!("known here: {}", known.join(", ")),
            };
            field.wrong(format!("unknown key {:?}; {help}", clip(key)));
        }
    }

    pub(super) const fn is_object(&self) -> bool {
        matches!(self.node.value, Value::Object(_))
    }

    pub(super) fn find(&self, key: &str) -> Option<Self> {
        let (_, field) = self.members().find(|(name, _)| *name == key)?;
        (field.node.value != Value::Null).then_some(field)
    }

    pub(super) fn members(&self) -> impl Iterator<Item = (&'a str, Self)> {
        let members = match &self.node.value {
            Value::Object(members) => members.as_slice(),
            _ => &[],
        };
        members.iter().map(|member| {
            let mut path = self.path.clone();
            push_key(&mut path, &member.key);
            (member.key.as_str(), self.inner(path, &member.node))
        })
    }

    /// The items of an array; notes anything else.
    pub(super) fn items(&self) -> impl Iterator<Item = Self> {
        let items = match &self.node.value {
            Value::List(items) => items.as_slice(),
            _ => {
                self.expected("an array");
                &[]
            }
        };
        items.iter().enumerate().map(|(index, node)| {
            let mut path = self.path.clone();
            push_index(&mut path, index);
            self.inner(path, node)
        })
    }

    /// A string; notes anything else.
    pub(super) fn text(&self) -> String {
        match &self.node.value {
            Value::Text(text) => text.clone(),
            _ => {
                self.expected("a string");
                String::new()
            }
        }
    }

    /// One of `words`, as its place among them; notes anything else.
    pub(super) fn word(&self, words: &[&str]) -> Option<usize> {
        let text = self.text();
        let found = words.iter().position(|word| *word == text);
        if found.is_none() {
            self.wrong(format!("{:?} is none of {}", clip(&text), words.join(", ")));
        }
        found
    }

    pub(super) fn flag(&self) -> bool {
        match self.node.value {
            Value::Bool(flag) => flag,
            _ => {
                self.expected("true or false");
                false
            }
        }
    }

    pub(super) fn count(&self) -> usize {
        match self.node.value {
            Value::Whole(number) => usize::try_from(number).ok(),
            _ => None,
        }
        .unwrap_or_else(|| {
            self.expected("a whole number from zero");
            0
        })
    }

    /// A time such as `6s`, `1m30s` or `500ms`.
    pub(super) fn duration(&self) -> Duration {
        let text = self.text();
        duration(&text).unwrap_or_else(|| {
            self.wrong(format!(
                "{:?} is no time of up to a day such as \"6s\", \"1m30s\" or \"500ms\"",
                clip(&text)
            ));
            Duration::ZERO
        })
    }

    /// What stands there as compact JSON, or the string itself.
    pub(super) fn body(&self) -> String {
        match &self.node.value {
            Value::Text(text) => text.clone(),
            _ => to_json(self.node).to_string(),
        }
    }

    pub(super) const fn is_text(&self) -> bool {
        matches!(self.node.value, Value::Text(_))
    }

    pub(super) fn expected(&self, what: &str) {
        self.wrong(format!("expected {what}, found {}", self.node.value.kind()));
    }

    fn inner(&self, path: String, node: &'a Node) -> Self {
        Self {
            notes: self.notes,
            path,
            node,
        }
    }
}

fn duration(text: &str) -> Option<Duration> {
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    let mut rest = text.trim();
    let mut total = Duration::ZERO;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let letters = rest
            .find(|c: char| !c.is_ascii_alphabetic())
            .unwrap_or(rest.len());
        let unit = match &rest[..letters] {
            "ms" => 0.001,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return None,
        };
        total = total.checked_add(Duration::try_from_secs_f64(number * unit).ok()?)?;
        rest = &rest[letters..];
    }
    (total <= DAY).then_some(total)
}

fn to_json(node: &Node) -> serde_json::Value {
    match &node.value {
        Value::Null => serde_json::Value::Null,
        Value::Bool(flag) => (*flag).into(),
        Value::Whole(number) => (*number).into(),
        Value::Real(number) => (*number).into(),
        Value::Text(text) => text.clone().into(),
        Value::List(items) => items.iter().map(to_json).collect(),
        Value::Object(members) => members
            .iter()
            .map(|member| (member.key.clone(), to_json(&member.node)))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_with_their_units() {
        for (text, milliseconds) in [
            ("6s", 6000),
            ("1m30s", 90_000),
            ("500ms", 500),
            ("1.5s", 1500),
        ] {
            assert_eq!(
                duration(text),
                Some(Duration::from_millis(milliseconds)),
                "{text}"
            );
        }
        for text in ["", "6", "s", "6 s", "-1s", "25h", "1e9s", "6sec"] {
            assert_eq!(duration(text), None, "{text}");
        }
    }
}
