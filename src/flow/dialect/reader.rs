//! Reads typed values out of a JSON tree and notes what is wrong with them.
//!
//! A value that is wrong is noted and its default taken, so that reading goes on to the next one.

use std::cell::RefCell;

use super::error::{FlowError, FlowErrorKind, FlowErrors};
use crate::flow::json::{
    Member, Misread, Node, Value, clip, line_and_column, path_of, push_index, push_key,
};
use crate::flow::template::{Late, Scalar, Template};

/// The text being read, and what was found wrong with it.
pub(super) struct Report<'t> {
    text: &'t [u8],
    errors: RefCell<FlowErrors>,
}

impl<'t> Report<'t> {
    pub(super) fn new(text: &'t [u8]) -> Self {
        Self {
            text,
            errors: RefCell::default(),
        }
    }

    /// How many errors there are so far.
    pub(super) fn count(&self) -> usize {
        self.errors.borrow().count()
    }

    /// The errors, once everything is read; `None` when there are none.
    pub(super) fn finish(self) -> Option<FlowErrors> {
        let mut errors = self.errors.into_inner();
        errors.sort();
        (errors.count() > 0).then_some(errors)
    }

    pub(super) fn misread(&self, misread: Misread) {
        self.add(misread.at, path_of(&misread.path), misread.error.into());
    }

    pub(super) fn whole_file(&self, kind: FlowErrorKind) {
        self.add(0, String::new(), kind);
    }

    fn add(&self, at: usize, path: String, kind: FlowErrorKind) {
        self.errors.borrow_mut().add(|| {
            let (line, column) = line_and_column(self.text, at);
            let path = if path.is_empty() {
                "$".to_owned()
            } else {
                path
            };
            FlowError {
                path,
                line,
                column,
                kind,
            }
        });
    }
}

/// A value, with its way from the root.
#[derive(Clone, Copy)]
pub(super) struct Field<'a> {
    report: &'a Report<'a>,
    parent: Option<&'a Field<'a>>,
    step: Step<'a>,
    node: &'a Node,
}

#[derive(Clone, Copy)]
enum Step<'a> {
    Root,
    Key(&'a str),
    Index(usize),
}

impl<'a> Field<'a> {
    pub(super) fn root(report: &'a Report<'a>, node: &'a Node) -> Self {
        Self {
            report,
            parent: None,
            step: Step::Root,
            node,
        }
    }

    pub(super) const fn value(&self) -> &'a Value {
        &self.node.value
    }

    /// Notes that something is wrong with this value.
    pub(super) fn wrong(&self, kind: FlowErrorKind) {
        self.report.add(self.node.at, self.path(), kind);
    }

    /// The field of this name when this is an object that has it; `null` counts as not there.
    pub(super) fn find<'b>(&'b self, key: &'static str) -> Option<Field<'b>> {
        let Value::Object(members) = &self.node.value else {
            return None;
        };
        members
            .iter()
            .find(|member| member.key == key && member.node.value != Value::Null)
            .map(|member| self.member(member))
    }

    /// The items of an array; notes anything else.
    pub(super) fn items<'b>(&'b self) -> impl Iterator<Item = Field<'b>> {
        let items = match &self.node.value {
            Value::List(items) => items.as_slice(),
            _ => {
                self.expected("an array");
                &[]
            }
        };
        items.iter().enumerate().map(|(index, node)| Field {
            report: self.report,
            parent: Some(self),
            step: Step::Index(index),
            node,
        })
    }

    /// The members of an object, with their keys; notes anything else.
    pub(super) fn members<'b>(&'b self) -> impl Iterator<Item = (&'b str, Field<'b>)> {
        let members = match &self.node.value {
            Value::Object(members) => members.as_slice(),
            _ => {
                self.expected("an object");
                &[]
            }
        };
        members
            .iter()
            .map(|member| (member.key.as_str(), self.member(member)))
    }

    /// A string; notes anything else.
    pub(super) fn text(&self) -> Option<&'a str> {
        match &self.node.value {
            Value::Text(text) => Some(text),
            _ => {
                self.expected("a string");
                None
            }
        }
    }

    /// A string that may hold placeholders; notes anything else.
    pub(super) fn template(&self) -> Template {
        self.text().map(Template::new).unwrap_or_default()
    }

    /// A value, the string that spells it, or a string with placeholders; notes anything else.
    pub(super) fn late<T: Scalar>(&self) -> Option<Late<T>> {
        let known = match &self.node.value {
            Value::Text(text) => {
                let template = Template::new(text);
                if template.is_dynamic() {
                    return Some(Late::Template(template));
                }
                T::from_text(text)
            }
            Value::Whole(number) => T::from_whole(*number),
            Value::Real(number) => T::from_real(*number),
            Value::Bool(flag) => T::from_bool(*flag),
            Value::Null | Value::List(_) | Value::Object(_) => None,
        };
        if known.is_none() {
            self.not_a(T::EXPECTED);
        }
        known.map(Late::Known)
    }

    fn not_a(&self, expected: &'static str) {
        match &self.node.value {
            Value::Text(text) => self.wrong(FlowErrorKind::WrongValue {
                expected,
                value: clip(text),
            }),
            Value::Real(number) => {
                self.wrong(FlowErrorKind::WrongValue {
                    expected,
                    value: number.to_string(),
                });
            }
            _ => self.expected(expected),
        }
    }

    pub(super) fn expected(&self, expected: &'static str) {
        self.wrong(FlowErrorKind::WrongType {
            expected,
            found: self.node.value.kind(),
        });
    }

    fn member<'b>(&'b self, member: &'b Member) -> Field<'b> {
        Field {
            report: self.report,
            parent: Some(self),
            step: Step::Key(&member.key),
            node: &member.node,
        }
    }

    fn path(&self) -> String {
        let mut path = self.parent.map(Field::path).unwrap_or_default();
        match self.step {
            Step::Root => {}
            Step::Key(key) => push_key(&mut path, key),
            Step::Index(index) => push_index(&mut path, index),
        }
        path
    }
}
