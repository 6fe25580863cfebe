//! One finding, and the list they are gathered in.

use std::cell::RefCell;

use super::rule::Rule;
use crate::flow::json::line_and_column;

/// One thing that is wrong or odd, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Which rule found it.
    pub rule: Rule,
    /// From the root, as `actions[2].option.duration`; `$` for the file itself.
    pub path: String,
    /// From one.
    pub line: usize,
    /// In characters, from one.
    pub column: usize,
    /// What is wrong.
    pub sentence: String,
    /// What to do about it.
    pub remedy: String,
}

/// The findings of one text, at most [`Notes::MAX`] of them.
pub(super) struct Notes<'t> {
    text: &'t [u8],
    /// With byte offsets: lines are counted at the end, once.
    found: RefCell<Vec<(usize, Finding)>>,
}

impl<'t> Notes<'t> {
    /// More than anybody reads; the rest comes to light when these are mended.
    pub(super) const MAX: usize = 1000;

    pub(super) fn new(text: &'t [u8]) -> Self {
        Self {
            text,
            found: RefCell::default(),
        }
    }

    pub(super) fn add(
        &self,
        at: usize,
        path: String,
        rule: Rule,
        sentence: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        let mut found = self.found.borrow_mut();
        if found.len() < Self::MAX {
            let finding = Finding {
                rule,
                path,
                line: 0,
                column: 0,
                sentence: sentence.into(),
                remedy: remedy.into(),
            };
            found.push((at, finding));
        }
    }

    /// In the order of the text.
    pub(super) fn finish(self) -> Vec<Finding> {
        let mut found = self.found.into_inner();
        found.sort_by(|(at, one), (other_at, other)| {
            (at, one.rule, &one.path).cmp(&(other_at, other.rule, &other.path))
        });
        let text = self.text;
        found
            .into_iter()
            .map(|(at, finding)| {
                let (line, column) = line_and_column(text, at);
                Finding {
                    line,
                    column,
                    ..finding
                }
            })
            .collect()
    }
}
