//! Why a text is not JSON, in the words of those who write flows by hand.

use super::finding::Notes;
use super::rule::Rule;
use crate::flow::json::{Misread, SyntaxError, line_and_column, path_of};

/// Notes the one thing that made the reader stop.
pub(super) fn explain(notes: &Notes<'_>, text: &[u8], misread: &Misread) {
    let path = path_of(&misread.path);
    let path = if path.is_empty() {
        "$".to_owned()
    } else {
        path
    };
    let rule = match misread.error {
        SyntaxError::DuplicateKey { .. } => Rule::DuplicateKey,
        _ => Rule::Syntax,
    };
    let around = Around {
        text,
        at: misread.at,
    };
    let (sentence, remedy) = in_words(&misread.error, &around);
    notes.add(misread.at, path, rule, sentence, remedy);
}

fn in_words(error: &SyntaxError, around: &Around<'_>) -> (String, String) {
    match error {
        SyntaxError::Unexpected { found, expected } => unexpected(*found, expected, around),
        SyntaxError::UnexpectedEnd { expected } if expected.contains("closing quote") => (
            "the file ends inside a string".to_owned(),
            "close the string with a straight quote: \"".to_owned(),
        ),
        SyntaxError::UnexpectedEnd { expected } => (
            format!("the file ends where {expected} is expected"),
            "count the brackets: each '{' and '[' needs its '}' and ']'".to_owned(),
        ),
        SyntaxError::TrailingComma => (
            "there is a comma after the last item".to_owned(),
            "remove the comma: JSON allows it between items only".to_owned(),
        ),
        SyntaxError::TrailingText => trailing(around),
        SyntaxError::ControlCharacter if matches!(around.byte(), b'\n' | b'\r') => (
            "a string is not closed before the end of its line".to_owned(),
            "add the missing quote; a line break inside a text is written \\n".to_owned(),
        ),
        SyntaxError::ControlCharacter => (
            "a control character stands inside a string".to_owned(),
            "write a tabulator as \\t, any other as \\u00XX".to_owned(),
        ),
        SyntaxError::NotUtf8 => (
            "the file is not UTF-8".to_owned(),
            "save it as UTF-8".to_owned(),
        ),
        SyntaxError::BadEscape => (
            "a backslash in a string is not followed by what JSON knows".to_owned(),
            "write a backslash itself as \\\\; the others are \\\" \\/ \\n \\t \\r \\b \\f \\uXXXX"
                .to_owned(),
        ),
        SyntaxError::BadNumber => (
            "a number is malformed or too large".to_owned(),
            "write it without leading zeros, with digits on both sides of the point; a phone number is a string in quotes"
                .to_owned(),
        ),
        SyntaxError::TooDeep { limit } => (
            format!("brackets lie in each other deeper than {limit} levels"),
            "flatten the flow".to_owned(),
        ),
        SyntaxError::DuplicateKey { key } => (
            format!("the key {key:?} stands twice in one object"),
            "keep one of the two".to_owned(),
        ),
    }
}

fn unexpected(found: char, expected: &str, around: &Around<'_>) -> (String, String) {
    let (sentence, remedy): (String, &str) = match (found, expected) {
        ('\u{201c}' | '\u{201d}' | '\u{201e}' | '\u{2018}' | '\u{2019}', _) => (
            format!("{found} is a typographic quote"),
            "use the straight quote: \"",
        ),
        ('\'', _) => ("a single quote".to_owned(), "JSON quotes with \" only"),
        ('/', _) => (
            "a comment, perhaps: JSON has none".to_owned(),
            "remove it; a remark can stand in a field whose name begins with _",
        ),
        ('<', "a value") => (
            "a placeholder of the documentation stands where a value belongs".to_owned(),
            "put a value in its place",
        ),
        ('.', _) if around.rest().starts_with(b"...") => (
            "the dots of the documentation stand where something was left out".to_owned(),
            "put in what belongs there, or remove the dots",
        ),
        ('=', "':'") => ("'=' stands where ':' belongs".to_owned(), "use ':'"),
        (_, "':'") => (
            format!("found {found:?} after a key"),
            "a key is followed by ':' and its value",
        ),
        (_, "a key in quotes") => (
            format!("found {found:?} where a key in quotes is expected"),
            "write \"key\": value; every key stands in double quotes",
        ),
        (',' | '}' | ']', "a value") => (
            "a value is missing".to_owned(),
            "write the value, or remove its key",
        ),
        (_, "a value") => no_value(around),
        _ => return after_a_value(found, around),
    };
    (sentence, remedy.to_owned())
}

/// Something unquoted where a value belongs.
fn no_value(around: &Around<'_>) -> (String, &'static str) {
    let word = around.word();
    match word {
        "True" | "False" | "None" | "NULL" | "TRUE" | "FALSE" | "Null" => (
            format!("{word} is not a JSON word"),
            "write true, false or null in lower case",
        ),
        "" => (
            "something stands where a value belongs".to_owned(),
            "a value is a text in quotes, a number, true, false, null, {…} or […]",
        ),
        _ => (
            format!("{word} is not quoted"),
            "put the text in double quotes",
        ),
    }
}

/// Something other than a comma or the right bracket behind a value.
fn after_a_value(found: char, around: &Around<'_>) -> (String, String) {
    let (line, column) = around.end_of_what_went_before();
    match found {
        '}' | ']' => (
            format!(
                "{found:?} closes what another bracket opened, or a bracket is missing before it"
            ),
            "each '{' is closed by '}' and each '[' by ']'".to_owned(),
        ),
        '.' | ';' => (
            format!("{found:?} stands where a comma belongs"),
            "use ','".to_owned(),
        ),
        ':' => (
            "':' stands where a comma belongs".to_owned(),
            "a key with its value can stand in {…} only".to_owned(),
        ),
        _ if line == around.line() && !matches!(found, '"' | '{' | '[') => (
            format!("found {found:?} right behind a value"),
            "separate items with ','; a quote inside a text is written \\\"".to_owned(),
        ),
        _ => (
            format!("a comma is missing at the end of the value in line {line}"),
            format!("put ',' at line {line}, column {column}"),
        ),
    }
}

fn trailing(around: &Around<'_>) -> (String, String) {
    let remedy = match around.byte() {
        b',' => "remove the comma; several actions belong into one […]",
        b'}' | b']' => "there is one closing bracket too many",
        _ => "a file holds one flow; several actions belong into one […]",
    };
    (
        "there is more text after the end of the flow".to_owned(),
        remedy.to_owned(),
    )
}

/// The text around an error.
struct Around<'t> {
    text: &'t [u8],
    at: usize,
}

impl<'t> Around<'t> {
    fn rest(&self) -> &'t [u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn byte(&self) -> u8 {
        self.rest().first().copied().unwrap_or_default()
    }

    /// The unquoted word that begins here.
    fn word(&self) -> &'t str {
        const LONGEST: usize = 32;
        let rest = self.rest();
        let length = rest
            .iter()
            .take(LONGEST)
            .take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_')
            .count();
        std::str::from_utf8(&rest[..length]).unwrap_or_default()
    }

    fn line(&self) -> usize {
        line_and_column(self.text, self.at).0
    }

    /// Where the text before the error ends, white space aside.
    fn end_of_what_went_before(&self) -> (usize, usize) {
        let before = self.text.get(..self.at).unwrap_or_default();
        line_and_column(self.text, before.trim_ascii_end().len())
    }
}
