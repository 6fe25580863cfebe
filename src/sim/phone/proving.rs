//! Digest authentication of a telephone, on both sides (RFC 7616).

use std::fmt::Write as _;
use std::time::Instant;

use super::Phone;
use super::line::{Draft, Line};
use crate::sip::message::digest::{self, Qop};
use crate::sip::message::{Algorithm, Credentials, HeaderName, Method, Request, Response};

/// What proofs are made of, for those who ask for them.
#[derive(Debug, Default)]
pub(super) struct Nonce {
    current: String,
    /// One proof has been called too old.
    was_stale: bool,
}

impl Phone {
    /// Repeats a request with a proof, where one is asked for and can be given; claims that it did.
    pub(super) fn prove(
        &mut self,
        now: Instant,
        line: &mut Line,
        draft: &Draft,
        proofs: u32,
        response: &Response,
    ) -> bool {
        let (challenge, header) = match response.status.code() {
            401 => (HeaderName::WwwAuthenticate, "Authorization"),
            407 => (HeaderName::ProxyAuthenticate, "Proxy-Authorization"),
            _ => return false,
        };
        let (Some(password), Some(challenge)) = (
            self.habits.password.clone(),
            response.headers.get(&challenge),
        ) else {
            return false;
        };
        let challenge = String::from_utf8_lossy(challenge).into_owned();
        let is_stale = challenge.to_ascii_lowercase().contains("stale=true");
        if proofs > 0 && !(is_stale && proofs < 3) {
            return false;
        }
        let Some(credentials) = self.credentials(&challenge, &draft.method, &draft.uri, &password)
        else {
            return false;
        };
        // Not the old proof beside the new one.
        let kept = draft.headers.split_inclusive("\r\n");
        let kept: String = kept.filter(|line| !line.starts_with(header)).collect();
        line.cseq += 1;
        let again = Draft {
            cseq: line.cseq,
            branch: self.new_branch(),
            headers: format!("{kept}{header}: {credentials}\r\n"),
            ..draft.clone()
        };
        self.begin(now, line, again, proofs + 1);
        true
    }

    fn credentials(
        &mut self,
        challenge: &str,
        method: &Method,
        uri: &str,
        password: &str,
    ) -> Option<Credentials> {
        let (realm, nonce) = (field(challenge, "realm")?, field(challenge, "nonce")?);
        let algorithm = match field(challenge, "algorithm") {
            Some(name) if name.eq_ignore_ascii_case("SHA-256") => Algorithm::Sha256,
            _ => Algorithm::Md5,
        };
        let qop = field(challenge, "qop").map(|_| Qop {
            nc: 1,
            cnonce: self.rng.token(8),
        });
        let secret = digest::secret(algorithm, &self.user, &realm, password);
        let response = digest::response(algorithm, &secret, method, uri, &nonce, qop.as_ref());
        Some(Credentials {
            username: self.user.clone(),
            realm,
            nonce,
            uri: uri.to_owned(),
            response,
            algorithm,
            qop,
            opaque: field(challenge, "opaque"),
        })
    }

    /// The response that asks for a proof, its status and headers; `None` where none is needed, or this
    /// request brings it.
    pub(super) fn challenge(
        &mut self,
        request: &Request,
        is_within: bool,
    ) -> Option<(u16, String)> {
        let challenge = self.habits.challenge.clone()?;
        if is_within && !challenge.is_everywhere {
            return None;
        }
        let header = match challenge.is_proxy {
            true => HeaderName::ProxyAuthorization,
            false => HeaderName::Authorization,
        };
        let given = request.headers.authorization(&header);
        let given = given.into_iter().flatten().find(|credentials| {
            credentials.realm == challenge.realm
                && credentials.username == challenge.username
                && credentials.nonce == self.nonce.current
                && credentials.algorithm == challenge.algorithm
                && credentials.qop.is_some() == challenge.has_qop
                && credentials.uri == request.uri.to_string()
                && credentials.is_proven_by(&request.method, &challenge.password)
        });
        let is_stale = challenge.is_stale_once && !self.nonce.was_stale && given.is_some();
        if given.is_some() && !is_stale {
            return None;
        }
        self.nonce.was_stale |= is_stale;
        if self.nonce.current.is_empty() || is_stale {
            self.nonce.current = self.rng.token(20);
        }
        let (status, name) = match challenge.is_proxy {
            true => (407, "Proxy-Authenticate"),
            false => (401, "WWW-Authenticate"),
        };
        let mut header = format!(
            "{name}: Digest realm=\"{}\", nonce=\"{}\", algorithm={}",
            challenge.realm,
            self.nonce.current,
            challenge.algorithm.as_str()
        );
        let stale = if is_stale { ", stale=TRUE" } else { "" };
        let qop = match challenge.has_qop {
            true => ", qop=\"auth,auth-int\"",
            false => "",
        };
        let _ = write!(header, "{qop}{stale}\r\n");
        Some((status, header))
    }
}

/// The value of a parameter, with quotes or without.
fn field(challenge: &str, name: &str) -> Option<String> {
    let (_, rest) = challenge.split_once(&format!("{name}="))?;
    let value = match rest.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next(),
        None => rest.split([',', ' ']).next(),
    };
    value.map(str::to_owned)
}
