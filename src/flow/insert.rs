//! Putting a value into a text so that it stays a value there.
//!
//! A caller's display name, a digit, a message can hold any character. Each text that a flow fills in has
//! a grammar (JSON, a URI, a header, SSML, a SIP address), and what is inserted is escaped as that grammar
//! demands: no value can end a string, add a field, change a scheme, a literal host or a recipient.

use std::borrow::Cow;

use super::json;
use super::template::ResolveError;
use super::variable::{Found, MAX_SUBSTITUTED, Piece, VariableError, Variables, pieces};

mod uri;

#[cfg(test)]
mod tests;

/// The grammar of the text that a value goes into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Grammar {
    /// Anything goes.
    Text,
    /// One line, as a header field has it: no control characters (RFC 9110 §5.5).
    Line,
    /// JSON (RFC 8259).
    Json,
    /// A URI (RFC 3986).
    Uri,
    /// `name=value&…` of a form, each value by itself.
    Form,
    /// XML, such as SSML.
    Markup,
    /// `user@host;parameters`, with or without `sip:` (RFC 3261 §19.1.1).
    Sip,
    /// An e-mail address.
    Mailbox,
}

impl Grammar {
    /// That of a body of this media type; one without a type is JSON when it begins like it.
    pub(super) fn of(media_type: &str, body: &str) -> Self {
        let essence = media_type.split(';').next().unwrap_or_default();
        let essence = essence.trim().to_ascii_lowercase();
        let (_, subtype) = essence.split_once('/').unwrap_or_default();
        match subtype.rsplit('+').next().unwrap_or_default() {
            "json" => Self::Json,
            "xml" | "html" => Self::Markup,
            "x-www-form-urlencoded" => Self::Form,
            _ if essence.is_empty() && body.trim_start().starts_with(['{', '[']) => Self::Json,
            _ => Self::Text,
        }
    }
}

/// `text` with its placeholders filled in; what is inserted keeps to `grammar`.
///
/// # Errors
/// The text grows over [`MAX_SUBSTITUTED`], or a value can have no place where it would stand.
pub(super) fn fill<'a>(
    grammar: Grammar,
    text: &'a str,
    variables: &Variables,
) -> Result<Cow<'a, str>, ResolveError> {
    let pieces: Vec<Piece<'_>> = pieces(text).collect();
    if !pieces.iter().any(|piece| matches!(piece, Piece::Name(_))) {
        let is_clean = grammar != Grammar::Line || !text.contains(char::is_control);
        return Ok(if is_clean {
            Cow::Borrowed(text)
        } else {
            Cow::Owned(text.chars().filter(|c| !c.is_control()).collect())
        });
    }
    let mut filled = String::with_capacity(text.len());
    let mut json = JsonPlace::default();
    for (at, piece) in pieces.iter().enumerate() {
        match piece {
            Piece::Plain(plain) => {
                json.pass(plain);
                match grammar {
                    Grammar::Line => push_line(&mut filled, plain),
                    _ => filled.push_str(plain),
                }
            }
            Piece::Name(name) => {
                let found = variables.look_up(name);
                let rest = &pieces[at + 1..];
                match grammar {
                    Grammar::Text => filled.push_str(found.text()),
                    Grammar::Line => push_line(&mut filled, found.text()),
                    Grammar::Json => json.insert(&mut filled, &found),
                    Grammar::Uri => uri::insert(&mut filled, found.text(), rest)?,
                    Grammar::Form => uri::encode(&mut filled, found.text(), ""),
                    Grammar::Markup => push_markup(&mut filled, found.text()),
                    Grammar::Sip => uri::insert_sip(&mut filled, found.text(), rest)?,
                    Grammar::Mailbox => push_mailbox(&mut filled, found.text()),
                }
            }
        }
        if filled.len() > MAX_SUBSTITUTED {
            return Err(VariableError::TextTooLong.into());
        }
    }
    Ok(Cow::Owned(filled))
}

/// A text to be spoken. The template alone decides whether it is SSML: a value that looks like it is read
/// out as it stands, and opens no element.
pub(super) fn fill_speech(text: &str, variables: &Variables) -> Result<String, ResolveError> {
    if is_ssml(text) {
        return Ok(fill(Grammar::Markup, text, variables)?.into_owned());
    }
    let filled = fill(Grammar::Text, text, variables)?;
    if !filled.trim_start_matches(is_blank).starts_with('<') {
        return Ok(filled.into_owned());
    }
    let mut literal = String::from("<speak>");
    push_markup(&mut literal, &filled);
    literal.push_str("</speak>");
    Ok(literal)
}

/// Whether a text is SSML: `<speak`, behind a declaration, comments or a document type.
fn is_ssml(text: &str) -> bool {
    let mut rest = text.trim_start_matches(is_blank);
    loop {
        let end = match rest {
            _ if rest.starts_with("<?") => "?>",
            _ if rest.starts_with("<!--") => "-->",
            _ if rest.starts_with("<!") => ">",
            _ => break,
        };
        let Some(at) = rest.find(end) else {
            return false;
        };
        rest = rest[at + end.len()..].trim_start();
    }
    rest.strip_prefix("<speak")
        .is_some_and(|rest| rest.starts_with(|c: char| c.is_whitespace() || c == '>' || c == '/'))
}

fn is_blank(c: char) -> bool {
    c.is_whitespace() || c == '\u{feff}'
}

/// Where in a JSON text the next value goes.
#[derive(Debug, Default)]
struct JsonPlace {
    in_string: bool,
    after_backslash: bool,
}

impl JsonPlace {
    fn pass(&mut self, plain: &str) {
        for byte in plain.bytes() {
            match byte {
                _ if self.after_backslash => self.after_backslash = false,
                b'\\' if self.in_string => self.after_backslash = true,
                b'"' => self.in_string = !self.in_string,
                _ => {}
            }
        }
    }

    /// Inside a string: its characters. Outside: itself when it is a number, `true`, `false` or `null`,
    /// or JSON of the engine's own making; any other text as a string.
    fn insert(&mut self, filled: &mut String, found: &Found<'_>) {
        if self.in_string {
            if std::mem::take(&mut self.after_backslash) {
                filled.push('\\');
            }
            let quoted = quote(found.text());
            filled.push_str(&quoted[1..quoted.len() - 1]);
        } else if matches!(found, Found::Json(_)) || is_scalar(found.text()) {
            filled.push_str(found.text());
        } else {
            filled.push_str(&quote(found.text()));
        }
    }
}

fn quote(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn is_scalar(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_graphic())
        && json::parse(text.as_bytes()).is_ok_and(|node| {
            !matches!(
                node.value,
                json::Value::Text(_) | json::Value::List(_) | json::Value::Object(_)
            )
        })
}

fn push_line(filled: &mut String, text: &str) {
    filled.extend(text.chars().filter(|c| !c.is_control()));
}

/// The five characters of XML become entities; those that XML cannot hold are left out.
fn push_markup(filled: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '&' => filled.push_str("&amp;"),
            '<' => filled.push_str("&lt;"),
            '>' => filled.push_str("&gt;"),
            '"' => filled.push_str("&quot;"),
            '\'' => filled.push_str("&apos;"),
            '\t' | '\n' | '\r' => filled.push(c),
            '\u{fffe}' | '\u{ffff}' => {}
            c if c.is_control() => {}
            c => filled.push(c),
        }
    }
}

/// Nothing that separates, quotes or encloses addresses (RFC 5322 §3.2.3).
fn push_mailbox(filled: &mut String, text: &str) {
    filled.extend(text.chars().filter(|c| {
        !c.is_control()
            && !c.is_whitespace()
            && !matches!(
                c,
                '<' | '>' | '(' | ')' | ',' | ';' | ':' | '\\' | '"' | '[' | ']'
            )
    }));
}
