//! Requests that never reach the owner, and what their sender is told (RFC 3261 §8.2).

use crate::sip::dialog::{ALLOW, ContentError, SUPPORTED, SessionError, sdp};
use crate::sip::message::{HeaderName, Method, ParseError, Request, Response, Status, Uri};

/// Why a request goes no further; each is one answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(super) enum Refusal {
    /// What the message room says of a request it could not read.
    #[error("unreadable")]
    Unreadable(Status),
    /// A header cannot be read: 400.
    #[error(transparent)]
    Malformed(#[from] ParseError),
    /// A method we know and do not serve: 405.
    #[error("method not allowed")]
    MethodNotAllowed,
    /// A method nobody told us of: 501.
    #[error("method not implemented")]
    NotImplemented,
    /// Request-URI of a scheme we do not speak: 416.
    #[error("unsupported uri scheme")]
    UnsupportedScheme,
    /// A method that is served within calls only, though it could stand outside: 403.
    #[error("forbidden outside a call")]
    Forbidden,
    /// It came before by another way: 482.
    #[error("merged request")]
    Merged,
    /// It needs extensions we lack: 420.
    #[error("required extensions {0:?}")]
    BadExtension(Vec<String>),
    /// 413 or 415.
    #[error(transparent)]
    Content(#[from] ContentError),
    /// For a dialog or transaction that is not here: 481.
    #[error("no such dialog or transaction")]
    NoDialog,
    /// A session interval under `min_se` seconds: 422.
    #[error("session interval under {min_se} s")]
    IntervalTooSmall { min_se: u64 },
    /// No room for another call or transaction: 503.
    #[error("overloaded")]
    Overloaded,
}

impl Refusal {
    pub(super) const fn status(&self) -> Status {
        match self {
            Self::Unreadable(status) => *status,
            Self::Malformed(_) => Status::BAD_REQUEST,
            Self::MethodNotAllowed => Status::METHOD_NOT_ALLOWED,
            Self::NotImplemented => Status::NOT_IMPLEMENTED,
            Self::UnsupportedScheme => Status::UNSUPPORTED_URI_SCHEME,
            Self::Forbidden => Status::FORBIDDEN,
            Self::Merged => Status::LOOP_DETECTED,
            Self::BadExtension(_) => Status::BAD_EXTENSION,
            Self::Content(error) => error.status(),
            Self::NoDialog => Status::CALL_DOES_NOT_EXIST,
            Self::IntervalTooSmall { .. } => Status::SESSION_INTERVAL_TOO_SMALL,
            Self::Overloaded => Status::SERVICE_UNAVAILABLE,
        }
    }

    /// Adds the headers that say what would have been taken.
    pub(super) fn explain(&self, response: &mut Response) {
        let headers = &mut response.headers;
        match self {
            Self::MethodNotAllowed | Self::NotImplemented => headers.push(HeaderName::Allow, ALLOW),
            Self::BadExtension(missing) => {
                headers.push(HeaderName::Unsupported, missing.join(", "));
            }
            Self::Content(error) => error.explain(response),
            Self::IntervalTooSmall { min_se } => {
                headers.push(HeaderName::MinSe, min_se.to_string())
            }
            Self::Overloaded => headers.push(HeaderName::RetryAfter, RETRY_AFTER),
            Self::Unreadable(_)
            | Self::Malformed(_)
            | Self::UnsupportedScheme
            | Self::Forbidden
            | Self::Merged
            | Self::NoDialog => {}
        }
    }
}

impl Refusal {
    /// What a session timer error of an INVITE comes to.
    pub(super) const fn of_session(error: &SessionError, min_se: u64) -> Self {
        match error {
            SessionError::TooSmall => Self::IntervalTooSmall { min_se },
            SessionError::Malformed(error) => Self::Malformed(*error),
        }
    }
}

/// Checks a request outside dialogs in the order of RFC 3261 §8.2.
///
/// Max-Forwards of zero is not refused: this is where the request wanted to go, and only a proxy would
/// have to pass it on (RFC 4475 §3.3.11).
pub(super) fn check_outside_dialog(request: &Request, is_merged: bool) -> Result<(), Refusal> {
    match &request.method {
        Method::Invite | Method::Options | Method::Register | Method::Message => {}
        Method::Ack
        | Method::Cancel
        | Method::Bye
        | Method::Info
        | Method::Update
        | Method::Prack => return Err(Refusal::NoDialog),
        // To call somebody because a stranger says so is nothing that is asked for here.
        Method::Refer => return Err(Refusal::Forbidden),
        Method::Other(_) => return Err(Refusal::NotImplemented),
        _ => return Err(Refusal::MethodNotAllowed),
    }
    if matches!(request.uri, Uri::Other { .. }) {
        return Err(Refusal::UnsupportedScheme);
    }
    if is_merged {
        return Err(Refusal::Merged);
    }
    check_extensions(request)?;
    if request.method == Method::Invite {
        sdp(request)?;
        request.headers.replaces()?;
    }
    Ok(())
}

/// Checks Require (RFC 3261 §8.2.2.3). Proxy-Require is for proxies.
pub(super) fn check_extensions(request: &Request) -> Result<(), Refusal> {
    let missing: Vec<String> = request
        .headers
        .tokens(&HeaderName::Require)
        .into_iter()
        .filter(|wanted| !is_understood(wanted, &request.method))
        .collect();
    if missing.is_empty() {
        Ok(())
    } else {
        Err(Refusal::BadExtension(missing))
    }
}

fn is_understood(extension: &str, method: &Method) -> bool {
    let is_path = *method == Method::Register && extension.eq_ignore_ascii_case("path");
    let mut supported = SUPPORTED.split(", ");
    is_path || supported.any(|known| extension.eq_ignore_ascii_case(known))
}

/// Seconds: a flood is over, or a proxy has found another way.
const RETRY_AFTER: &str = "10";
