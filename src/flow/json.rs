//! JSON text to a tree that knows where each value stands (RFC 8259).
//!
//! A flow is written by hand, so an error must say line, column and path; a reader that keeps only
//! values cannot. Strict in grammar (no comments, no trailing comma), with two rules of its own: a key
//! that stands twice in one object is refused, because nobody can tell which was meant, and a byte
//! order mark at the start is skipped, because editors write it.

use std::fmt::Write as _;

mod compact;

/// How deep lists and objects may lie in each other.
pub(crate) const MAX_DEPTH: usize = 128;

/// A value and the byte offset of its first character.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Node {
    pub(crate) at: usize,
    pub(crate) value: Value,
}

/// What stands there; numbers without fraction and exponent that fit are whole.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Whole(i64),
    Real(f64),
    Text(String),
    List(Vec<Node>),
    Object(Vec<Member>),
}

/// One `"key": value` of an object.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Member {
    pub(crate) key: String,
    pub(crate) node: Node,
}

impl Value {
    /// What an author calls this kind of value.
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Whole(_) | Self::Real(_) => "a number",
            Self::Text(_) => "a string",
            Self::List(_) => "an array",
            Self::Object(_) => "an object",
        }
    }
}

/// Why a text is not JSON.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SyntaxError {
    /// The text stops in the middle.
    #[error("the text ends where {expected} is expected")]
    UnexpectedEnd {
        /// What should come.
        expected: &'static str,
    },
    /// A character that cannot stand here.
    #[error("found {found:?} where {expected} is expected")]
    Unexpected {
        /// The character.
        found: char,
        /// What should come.
        expected: &'static str,
    },
    /// A comma with nothing after it.
    #[error("a comma before the closing bracket is not allowed")]
    TrailingComma,
    /// More text after the value.
    #[error("text after the end of the value")]
    TrailingText,
    /// Bytes that are not UTF-8.
    #[error("the text is not UTF-8")]
    NotUtf8,
    /// A line break or another control character inside a string.
    #[error("a control character inside a string must be escaped")]
    ControlCharacter,
    /// `\` followed by something that JSON does not know, or half of a surrogate pair.
    #[error("unknown escape in a string")]
    BadEscape,
    /// Not written as JSON writes numbers, or too large.
    #[error("malformed or too large number")]
    BadNumber,
    /// Deeper than anything a person writes.
    #[error("nested deeper than {limit} levels")]
    TooDeep {
        /// Levels allowed.
        limit: usize,
    },
    /// The same key again in one object.
    #[error("the key {key:?} stands twice in one object")]
    DuplicateKey {
        /// Which, cut to a readable length.
        key: String,
    },
}

/// A [`SyntaxError`] and where it is.
#[derive(Debug)]
pub(crate) struct Misread {
    pub(crate) at: usize,
    /// From the innermost value outward.
    pub(crate) path: Vec<Segment>,
    pub(crate) error: SyntaxError,
}

/// One step of a path from the root of the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Segment {
    Key(String),
    Index(usize),
}

/// Reads one JSON value that fills the whole text.
pub(crate) fn parse(text: &[u8]) -> Result<Node, Misread> {
    let text = std::str::from_utf8(text)
        .map_err(|error| Misread::new(error.valid_up_to(), SyntaxError::NotUtf8))?;
    let mut parser = Parser {
        text,
        at: if text.starts_with(BYTE_ORDER_MARK) {
            BYTE_ORDER_MARK.len_utf8()
        } else {
            0
        },
        depth: 0,
    };
    let node = parser.value()?;
    parser.skip_space();
    if parser.at < text.len() {
        return Err(Misread::new(parser.at, SyntaxError::TrailingText));
    }
    Ok(node)
}

/// Line and column of a byte offset, both from one; a column is a character.
pub(crate) fn line_and_column(text: &[u8], at: usize) -> (usize, usize) {
    let before = &text[..at.min(text.len())];
    let line_start = before
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |newline| newline + 1);
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let column = before[line_start..]
        .iter()
        .filter(|byte| !is_continuation(**byte))
        .count()
        + 1;
    (line, column)
}

impl Misread {
    fn new(at: usize, error: SyntaxError) -> Self {
        Self {
            at,
            path: Vec::new(),
            error,
        }
    }

    fn within(mut self, segment: Segment) -> Self {
        self.path.push(segment);
        self
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

impl Parser<'_> {
    fn value(&mut self) -> Result<Node, Misread> {
        self.skip_space();
        let at = self.at;
        let value = match self.peek() {
            Some(b'{') => self.nested(Self::object)?,
            Some(b'[') => self.nested(Self::list)?,
            Some(b'"') => Value::Text(self.text()?),
            Some(b'-' | b'0'..=b'9') => self.number()?,
            Some(b't') if self.take("true") => Value::Bool(true),
            Some(b'f') if self.take("false") => Value::Bool(false),
            Some(b'n') if self.take("null") => Value::Null,
            _ => return Err(self.unexpected("a value")),
        };
        Ok(Node { at, value })
    }

    fn nested(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<Value, Misread>,
    ) -> Result<Value, Misread> {
        if self.depth == MAX_DEPTH {
            return Err(Misread::new(
                self.at,
                SyntaxError::TooDeep { limit: MAX_DEPTH },
            ));
        }
        self.depth += 1;
        self.at += 1;
        let value = read(self)?;
        self.depth -= 1;
        Ok(value)
    }

    fn list(&mut self) -> Result<Value, Misread> {
        let mut items = Vec::new();
        self.skip_space();
        if self.take("]") {
            return Ok(Value::List(items));
        }
        loop {
            let item = self
                .value()
                .map_err(|error| error.within(Segment::Index(items.len())))?;
            items.push(item);
            if self.is_last(b']', "',' or ']'")? {
                return Ok(Value::List(items));
            }
        }
    }

    fn object(&mut self) -> Result<Value, Misread> {
        let mut members = Vec::new();
        let mut key_at = Vec::new();
        self.skip_space();
        if self.take("}") {
            return Ok(Value::Object(members));
        }
        loop {
            self.skip_space();
            key_at.push(self.at);
            if self.peek() != Some(b'"') {
                return Err(self.unexpected("a key in quotes"));
            }
            let key = self.text()?;
            self.skip_space();
            if !self.take(":") {
                return Err(self.unexpected("':'").within(Segment::Key(key)));
            }
            match self.value() {
                Ok(node) => members.push(Member { key, node }),
                Err(error) => return Err(error.within(Segment::Key(key))),
            }
            if self.is_last(b'}', "',' or '}'")? {
                break;
            }
        }
        match second_of_a_pair(&members) {
            Some(second) => Err(Misread::new(
                key_at[second],
                SyntaxError::DuplicateKey {
                    key: clip(&members[second].key),
                },
            )),
            None => Ok(Value::Object(members)),
        }
    }

    /// After an item: takes the comma (`false`) or the closing bracket (`true`).
    fn is_last(&mut self, close: u8, expected: &'static str) -> Result<bool, Misread> {
        self.skip_space();
        match self.peek() {
            Some(byte) if byte == close => {
                self.at += 1;
                Ok(true)
            }
            Some(b',') => {
                let comma = self.at;
                self.at += 1;
                self.skip_space();
                if self.peek() == Some(close) {
                    return Err(Misread::new(comma, SyntaxError::TrailingComma));
                }
                Ok(false)
            }
            _ => Err(self.unexpected(expected)),
        }
    }

    fn text(&mut self) -> Result<String, Misread> {
        let mut decoded = String::new();
        self.at += 1;
        loop {
            let rest = &self.text.as_bytes()[self.at..];
            let plain = rest
                .iter()
                .position(|byte| matches!(byte, b'"' | b'\\' | 0..=0x1f))
                .unwrap_or(rest.len());
            decoded.push_str(&self.text[self.at..self.at + plain]);
            self.at += plain;
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(decoded);
                }
                Some(b'\\') => decoded.push(self.escape()?),
                Some(_) => return Err(Misread::new(self.at, SyntaxError::ControlCharacter)),
                None => return Err(self.unexpected("the closing quote of a string")),
            }
        }
    }

    fn escape(&mut self) -> Result<char, Misread> {
        let bad = Misread::new(self.at, SyntaxError::BadEscape);
        let letter = self.text.as_bytes().get(self.at + 1).copied();
        self.at += 2;
        Ok(match letter {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode_escape().ok_or(bad),
            _ => return Err(bad),
        })
    }

    /// The character of `\uXXXX`, or of a surrogate pair of two of them (RFC 8259 §7).
    fn unicode_escape(&mut self) -> Option<char> {
        let first = self.hex()?;
        if !(0xd800..0xdc00).contains(&first) {
            return char::from_u32(first);
        }
        if !self.take("\\u") {
            return None;
        }
        let second = self.hex()?;
        if !(0xdc00..0xe000).contains(&second) {
            return None;
        }
        char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00))
    }

    fn hex(&mut self) -> Option<u32> {
        let digits = self.text.as_bytes().get(self.at..self.at + 4)?;
        let mut code = 0;
        for digit in digits {
            code = code * 16 + char::from(*digit).to_digit(16)?;
        }
        self.at += 4;
        Some(code)
    }

    fn number(&mut self) -> Result<Value, Misread> {
        let start = self.at;
        let bad = |at| Misread::new(at, SyntaxError::BadNumber);
        self.take("-");
        let leading_zero = self.peek() == Some(b'0');
        let digits = self.digits();
        if digits == 0 || (leading_zero && digits > 1) {
            return Err(bad(start));
        }
        let mut is_whole = true;
        if self.take(".") {
            is_whole = false;
            if self.digits() == 0 {
                return Err(bad(start));
            }
        }
        if self.take("e") || self.take("E") {
            is_whole = false;
            if !self.take("+") {
                self.take("-");
            }
            if self.digits() == 0 {
                return Err(bad(start));
            }
        }
        let number = &self.text[start..self.at];
        if let (true, Ok(whole)) = (is_whole, number.parse()) {
            return Ok(Value::Whole(whole));
        }
        match number.parse::<f64>() {
            Ok(real) if real.is_finite() => Ok(Value::Real(real)),
            _ => Err(bad(start)),
        }
    }

    fn digits(&mut self) -> usize {
        let rest = &self.text.as_bytes()[self.at..];
        let count = rest
            .iter()
            .position(|byte| !byte.is_ascii_digit())
            .unwrap_or(rest.len());
        self.at += count;
        count
    }

    fn take(&mut self, word: &str) -> bool {
        let is_there = self.text.as_bytes()[self.at..].starts_with(word.as_bytes());
        if is_there {
            self.at += word.len();
        }
        is_there
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn unexpected(&self, expected: &'static str) -> Misread {
        let found = self
            .text
            .get(self.at..)
            .and_then(|rest| rest.chars().next());
        Misread::new(
            self.at,
            match found {
                Some(found) => SyntaxError::Unexpected { found, expected },
                None => SyntaxError::UnexpectedEnd { expected },
            },
        )
    }
}

/// The first characters of a text that goes into an error.
pub(crate) fn clip(text: &str) -> String {
    const LENGTH: usize = 64;
    match text.char_indices().nth(LENGTH) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// The path of a misread, from the root.
pub(crate) fn path_of(segments: &[Segment]) -> String {
    let mut path = String::new();
    for segment in segments.iter().rev() {
        match segment {
            Segment::Key(key) => push_key(&mut path, key),
            Segment::Index(index) => push_index(&mut path, *index),
        }
    }
    path
}

/// `.key`, or `["a key"]` when it is not a plain word.
pub(crate) fn push_key(path: &mut String, key: &str) {
    let is_word = !key.is_empty()
        && key
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if !is_word {
        let _ = write!(path, "[{:?}]", clip(key));
    } else {
        if !path.is_empty() {
            path.push('.');
        }
        path.push_str(&clip(key));
    }
}

pub(crate) fn push_index(path: &mut String, index: usize) {
    let _ = write!(path, "[{index}]");
}

/// Index of the first member whose key stood before.
fn second_of_a_pair(members: &[Member]) -> Option<usize> {
    let mut order: Vec<usize> = (0..members.len()).collect();
    order.sort_by(|one, other| members[*one].key.cmp(&members[*other].key));
    order
        .windows(2)
        .filter(|pair| members[pair[0]].key == members[pair[1]].key)
        .map(|pair| pair[1])
        .min()
}

const fn is_continuation(byte: u8) -> bool {
    byte & 0xc0 == 0x80
}

const BYTE_ORDER_MARK: char = '\u{feff}';

#[cfg(test)]
mod tests;
