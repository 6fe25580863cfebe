//! Bodies: JSON in, with the path of what is wrong; JSON out.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::reason::Reason;
use super::refusal::Refusal;

/// Longest body, in bytes; also what a flow may have.
pub const LONGEST_BODY: usize = 1024 * 1024;

/// The media type of all of them.
pub(super) const JSON: &str = "application/json";

/// A body of JSON. One that is empty is read as `{}`.
#[derive(Clone, Copy, Debug)]
pub struct Json<T>(pub T);

impl<S: Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Refusal> {
        let text = read(request).await?;
        parse(&text).map(Self)
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        match serde_json::to_string(&self.0) {
            Ok(text) => text_response(text),
            Err(error) => {
                tracing::error!(%error, "an answer cannot be written; please report this");
                Refusal::from(Reason::Internal).into_response()
            }
        }
    }
}

/// A response of JSON text.
pub(super) fn text_response(text: impl Into<axum::body::Body>) -> Response {
    let body: axum::body::Body = text.into();
    ([(CONTENT_TYPE, JSON)], body).into_response()
}

/// The body, when it is not too long.
pub(super) async fn read(request: Request) -> Result<Bytes, Refusal> {
    axum::body::to_bytes(request.into_body(), LONGEST_BODY)
        .await
        .map_err(|error| {
            let is_too_long = std::error::Error::source(&error)
                .is_some_and(|source| source.to_string().contains("length limit"));
            if is_too_long {
                Reason::PayloadTooLarge.into()
            } else {
                Refusal::new(Reason::InvalidJsonBody, "the body broke off")
            }
        })
}

/// Reads a body.
pub(super) fn parse<T: DeserializeOwned>(text: &[u8]) -> Result<T, Refusal> {
    let text = match text.trim_ascii() {
        b"" => b"{}",
        text => text,
    };
    if holds_nul(text) {
        let message = "the character U+0000 cannot be kept";
        return Err(Refusal::new(Reason::InvalidJsonBody, message));
    }
    let mut reader = serde_json::Deserializer::from_slice(text);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = match error.path().to_string() {
            root if root == "." => "$".to_owned(),
            path => path,
        };
        wrong(path, error.inner())
    })?;
    reader
        .end()
        .map_err(|error| wrong("$".to_owned(), &error))?;
    Ok(value)
}

fn wrong(path: String, error: &serde_json::Error) -> Refusal {
    let details = serde_json::json!({
        "path": path,
        "line": error.line(),
        "column": error.column(),
    });
    Refusal::new(Reason::InvalidJsonBody, format!("{path}: {error}")).with(details)
}

/// Whether a string of it holds U+0000, which no database takes.
fn holds_nul(text: &[u8]) -> bool {
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        let escape = &rest[at + 1..];
        if escape.starts_with(b"u0000") {
            return true;
        }
        rest = escape.get(1..).unwrap_or_default();
    }
    false
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Default, Deserialize)]
    #[serde(default)]
    struct Outer {
        inner: Vec<Inner>,
    }

    #[derive(Debug, Deserialize)]
    struct Inner {
        #[serde(rename = "number")]
        _number: u8,
    }

    #[test]
    fn what_is_wrong_is_told_with_its_path() {
        for (text, path) in [
            (
                r#"{"inner":[{"number":1},{"number":"x"}]}"#,
                "inner[1].number",
            ),
            (r#"{"inner":[{}]}"#, "inner[0]"),
            ("[", "$"),
            ("{} {}", "$"),
            ("nothing", "$"),
        ] {
            let refusal = parse::<Outer>(text.as_bytes()).unwrap_err();
            assert_eq!(refusal.reason(), Reason::InvalidJsonBody);
            let envelope = serde_json::to_value(refusal.envelope("1")).unwrap();
            assert_eq!(envelope["error"]["details"]["path"], path, "{text}");
        }
        assert!(parse::<Outer>(b" \n").unwrap().inner.is_empty());
    }

    #[test]
    fn a_nul_is_refused_and_the_text_that_only_looks_like_one_is_not() {
        assert!(holds_nul(br#"{"a":"b\u0000"}"#));
        assert!(holds_nul(br#"{"a":"\\\u0000"}"#));
        assert!(!holds_nul(br#"{"a":"\\u0000 \n\u0001"}"#));
        assert!(!holds_nul(br"\"));
    }
}
