//! What is asked of a server, checked before a connection is made.

use bytes::Bytes;
use reqwest::header::{
    ETAG, HeaderMap, HeaderName, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED,
};
use reqwest::{Method, StatusCode, Url};

use super::FetchError;

/// One request through the gate.
#[derive(Clone, Debug)]
pub struct Request {
    pub(super) url: Url,
    pub(super) method: Method,
    /// With its type; `None` sends no body and no `Content-Type`.
    pub(super) content: Option<(HeaderValue, Bytes)>,
    /// Of what is known of it already; then a body comes only if that is not the same any more.
    pub(super) validators: Validators,
}

/// What tells whether a resource is still the same (RFC 9110 §8.8), as its server said it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Validators {
    etag: Option<HeaderValue>,
    last_modified: Option<HeaderValue>,
}

impl Validators {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        Self {
            etag: headers.get(ETAG).cloned(),
            last_modified: headers.get(LAST_MODIFIED).cloned(),
        }
    }

    /// The conditions that ask for a change (RFC 9110 §13.1); a server that knows both takes the first.
    pub(super) fn conditions(&self) -> impl Iterator<Item = (HeaderName, &HeaderValue)> {
        let etag = self.etag.iter().map(|value| (IF_NONE_MATCH, value));
        let date = self.last_modified.iter();
        etag.chain(date.map(|value| (IF_MODIFIED_SINCE, value)))
    }
}

impl Request {
    /// A GET of `url`.
    ///
    /// # Errors
    /// [`FetchError::Url`].
    pub fn get(url: &str) -> Result<Self, FetchError> {
        Ok(Self {
            url: checked(url)?,
            method: Method::GET,
            content: None,
            validators: Validators::default(),
        })
    }

    /// A GET of `url` for what has changed since.
    ///
    /// # Errors
    /// [`FetchError::Url`].
    pub fn get_if_changed(url: &str, validators: Validators) -> Result<Self, FetchError> {
        Ok(Self {
            validators,
            ..Self::get(url)?
        })
    }

    /// A request with a body. The method is taken in any case of letters.
    ///
    /// # Errors
    /// [`FetchError::Url`]; [`FetchError::Method`] but for GET, HEAD, POST, PUT, PATCH and DELETE;
    /// [`FetchError::ContentType`] for one that cannot stand in a header.
    pub fn new(
        url: &str,
        method: &str,
        content_type: &str,
        body: Bytes,
    ) -> Result<Self, FetchError> {
        let method = METHODS
            .iter()
            .find(|known| known.as_str().eq_ignore_ascii_case(method))
            .ok_or(FetchError::Method)?;
        let content_type =
            HeaderValue::from_str(content_type).map_err(|_| FetchError::ContentType)?;
        Ok(Self {
            url: checked(url)?,
            method: method.clone(),
            content: Some((content_type, body)),
            validators: Validators::default(),
        })
    }

    /// What is asked after a redirect (RFC 9110 §15.4): the body goes along with 307 and 308, and with
    /// 301 and 302 unless the method was POST.
    pub(super) fn redirected(self, status: StatusCode, url: Url) -> Self {
        let is_dropped = match status {
            StatusCode::SEE_OTHER => self.method != Method::HEAD,
            StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND => self.method == Method::POST,
            _ => false,
        };
        if is_dropped {
            Self {
                url,
                method: Method::GET,
                content: None,
                validators: self.validators,
            }
        } else {
            Self { url, ..self }
        }
    }
}

fn checked(url: &str) -> Result<Url, FetchError> {
    Some(url)
        .filter(|url| url.len() <= LONGEST_URL)
        .and_then(|url| Url::parse(url).ok())
        .filter(|url| matches!(url.scheme(), "http" | "https"))
        .ok_or(FetchError::Url)
}

/// Octets of a URL: the longest that servers commonly take (RFC 9110 §4.1).
pub(super) const LONGEST_URL: usize = 8000;

/// Methods a flow may use: none that asks a proxy for a tunnel or a server for an echo.
const METHODS: [Method; 6] = [
    Method::GET,
    Method::HEAD,
    Method::POST,
    Method::PUT,
    Method::PATCH,
    Method::DELETE,
];

#[cfg(test)]
mod tests {
    use super::*;

    fn post() -> Request {
        Request::new("http://a.example/", "post", "text/plain", Bytes::new()).unwrap()
    }

    #[test]
    fn methods_that_reach_further_than_a_resource_are_refused() {
        assert_eq!(post().method, Method::POST);
        for method in ["CONNECT", "TRACE", "", "GET /admin", "BREW"] {
            let request = Request::new("http://a.example/", method, "text/plain", Bytes::new());
            assert_eq!(request.unwrap_err(), FetchError::Method, "{method:?}");
        }
    }

    #[test]
    fn content_type_cannot_carry_a_second_header() {
        for value in ["text/plain\r\nX-Admin: 1", "a\nb", "a\0b"] {
            let request = Request::new("http://a.example/", "POST", value, Bytes::new());
            assert_eq!(request.unwrap_err(), FetchError::ContentType, "{value:?}");
        }
    }

    #[test]
    fn redirect_of_a_post_is_a_get_unless_the_status_keeps_the_method() {
        let to: Url = "http://b.example/".parse().unwrap();
        for (status, method) in [
            (301, Method::GET),
            (302, Method::GET),
            (303, Method::GET),
            (307, Method::POST),
            (308, Method::POST),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            let next = post().redirected(status, to.clone());
            assert_eq!(next.method, method, "{status}");
            assert_eq!(next.content.is_some(), method == Method::POST);
        }
    }
}
