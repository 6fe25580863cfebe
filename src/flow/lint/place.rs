//! A value of the tree that knows its path.

use super::finding::Notes;
use super::rule::Rule;
use crate::flow::json::{Node, Value, push_index, push_key};

/// A value, and where it stands.
#[derive(Clone)]
pub(super) struct Place<'a> {
    notes: &'a Notes<'a>,
    path: String,
    node: &'a Node,
}

impl<'a> Place<'a> {
    pub(super) fn root(notes: &'a Notes<'a>, node: &'a Node) -> Self {
        Self {
            notes,
            path: String::new(),
            node,
        }
    }

    pub(super) const fn value(&self) -> &'a Value {
        &self.node.value
    }

    pub(super) fn text(&self) -> Option<&'a str> {
        match self.value() {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) const fn is_object(&self) -> bool {
        matches!(self.node.value, Value::Object(_))
    }

    /// The member of this name; `null` counts as not there.
    pub(super) fn find(&self, key: &str) -> Option<Self> {
        self.members()
            .find(|(name, member)| *name == key && *member.value() != Value::Null)
            .map(|(_, member)| member)
    }

    /// The members of an object; of anything else none.
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

    /// The items of an array; of anything else none.
    pub(super) fn items(&self) -> impl Iterator<Item = Self> {
        let items = match &self.node.value {
            Value::List(items) => items.as_slice(),
            _ => &[],
        };
        items.iter().enumerate().map(|(index, node)| {
            let mut path = self.path.clone();
            push_index(&mut path, index);
            self.inner(path, node)
        })
    }

    pub(super) fn note(&self, rule: Rule, sentence: impl Into<String>, remedy: impl Into<String>) {
        let path = if self.path.is_empty() {
            "$"
        } else {
            &self.path
        };
        self.notes
            .add(self.node.at, path.to_owned(), rule, sentence, remedy);
    }

    fn inner(&self, path: String, node: &'a Node) -> Self {
        Self {
            notes: self.notes,
            path,
            node,
        }
    }
}

/// The word of `words` that was probably meant by `written`.
pub(super) fn nearest<'w>(
    written: &str,
    words: impl IntoIterator<Item = &'w str>,
) -> Option<&'w str> {
    const ALIKE: f64 = 0.75;
    const LONGEST: usize = 64;
    if written.len() > LONGEST {
        return None;
    }
    let written = written.to_lowercase().replace(['-', ' '], "_");
    words
        .into_iter()
        .map(|word| (strsim::jaro_winkler(&written, word), word))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, word)| word)
}

/// `did you mean "talk"?`, or what to do when nothing is near.
pub(super) fn did_you_mean<'w>(
    written: &str,
    words: impl IntoIterator<Item = &'w str>,
    otherwise: &str,
) -> String {
    nearest(written, words).map_or_else(
        || otherwise.to_owned(),
        |word| format!("did you mean {word:?}?"),
    )
}
