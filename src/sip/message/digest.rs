//! Digest authentication: grammar and hashes, no state (RFC 7616, RFC 8760 for SHA-256 in SIP).

mod challenge;

use std::fmt;

use bytes::Bytes;
use md5::Md5;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::error::ParseError;
use super::method::Method;
use super::token;

pub use challenge::Challenge;

/// The most parameters that credentials may have; the grammar knows twelve.
const MAX_PARAMS: usize = 32;

/// The hash that both sides use; ordered by strength.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Algorithm {
    /// What old telephones speak; also meant when nothing is said.
    Md5,
    Sha256,
}

impl Algorithm {
    /// The word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha256 => "SHA-256",
        }
    }

    /// The hash as lower-case hex.
    #[must_use]
    pub fn hash(self, text: &str) -> String {
        match self {
            Self::Md5 => hex(&Md5::digest(text)),
            Self::Sha256 => hex(&Sha256::digest(text)),
        }
    }

    fn parse(word: &str) -> Result<Self, ParseError> {
        [Self::Md5, Self::Sha256]
            .into_iter()
            .find(|known| known.as_str().eq_ignore_ascii_case(word))
            .ok_or(ParseError::Unsupported("digest algorithm"))
    }
}

/// What a peer says to prove who it is: the value of Authorization or Proxy-Authorization.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    pub username: String,
    pub realm: String,
    pub nonce: String,
    /// The digest URI as text: it is part of the hash, so it is not read any further.
    pub uri: String,
    /// Lower-case hex.
    pub response: String,
    pub algorithm: Algorithm,
    /// `None`: the peer is older than RFC 2617. Such credentials can be replayed.
    pub qop: Option<Qop>,
    pub opaque: Option<String>,
}

/// `qop=auth`, the only one spoken here, with what belongs to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Qop {
    /// How often the nonce has been used, this time counted; eight hex digits on the wire.
    pub nc: u32,
    pub cnonce: String,
}

impl Credentials {
    /// Answers `challenge` for `(username, password)`, with the `nc`th use of its nonce (RFC 7616 §3.4).
    ///
    /// `uri` is the Request-URI as it is written. `cnonce` and `nc` are left out for a peer that knows no
    /// qop.
    #[must_use]
    pub fn answer(
        challenge: &Challenge,
        (username, password): (&str, &str),
        method: &Method,
        uri: &str,
        nc: u32,
        cnonce: &str,
    ) -> Self {
        let algorithm = challenge.algorithm;
        let qop = challenge.knows_qop.then(|| Qop {
            nc,
            cnonce: cnonce.to_owned(),
        });
        let secret = secret(algorithm, username, &challenge.realm, password);
        let nonce = &challenge.nonce;
        Self {
            username: username.to_owned(),
            realm: challenge.realm.clone(),
            nonce: nonce.clone(),
            uri: uri.to_owned(),
            response: response(algorithm, &secret, method, uri, nonce, qop.as_ref()),
            algorithm,
            qop,
            opaque: challenge.opaque.clone(),
        }
    }

    /// The header value.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        self.to_string().into()
    }

    /// Reads credentials: in any order, with or without quotes, names and words without case.
    ///
    /// # Errors
    /// [`ParseError::Unsupported`] for another scheme, algorithm or qop, which counts as no credentials
    /// (RFC 3261 §22.1); [`ParseError::Malformed`] when a needed parameter is absent, stands twice or
    /// breaks its grammar.
    pub fn parse(value: &[u8]) -> Result<Self, ParseError> {
        let wrong = ParseError::Malformed("credentials");
        let mut fields = Fields::parse(after_scheme(value)?)?;
        let algorithm = fields.take("algorithm");
        let algorithm = algorithm.map_or(Ok(Algorithm::Md5), |word| Algorithm::parse(&word))?;
        let (nc, cnonce) = (fields.take("nc"), fields.take("cnonce"));
        let qop = match fields.take("qop") {
            None => None,
            Some(word) if word.eq_ignore_ascii_case("auth") => Some(Qop {
                nc: parse_nc(&nc.ok_or(wrong)?)?,
                cnonce: cnonce.ok_or(wrong)?,
            }),
            Some(_) => return Err(ParseError::Unsupported("digest qop")),
        };
        let response = fields.needed("response")?.to_ascii_lowercase();
        if !response.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(wrong);
        }
        Ok(Self {
            username: fields.needed("username")?,
            realm: fields.needed("realm")?,
            nonce: fields.needed("nonce")?,
            uri: fields.needed("uri")?,
            response,
            algorithm,
            qop,
            opaque: fields.take("opaque"),
        })
    }

    /// The response is the one that `password` gives for a request with this method. Takes the same time
    /// wherever the first difference is. Nonce, realm, count and URI are for the caller to check.
    #[must_use]
    pub fn is_proven_by(&self, method: &Method, password: &str) -> bool {
        let secret = secret(self.algorithm, &self.username, &self.realm, password);
        let wanted = response(
            self.algorithm,
            &secret,
            method,
            &self.uri,
            &self.nonce,
            self.qop.as_ref(),
        );
        bool::from(wanted.as_bytes().ct_eq(self.response.as_bytes()))
    }
}

impl fmt::Display for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digest username=")?;
        token::write_quoted(f, &self.username)?;
        for (name, text) in [
            ("realm", &self.realm),
            ("nonce", &self.nonce),
            ("uri", &self.uri),
            ("response", &self.response),
        ] {
            write!(f, ", {name}=")?;
            token::write_quoted(f, text)?;
        }
        write!(f, ", algorithm={}", self.algorithm.as_str())?;
        if let Some(Qop { nc, cnonce }) = &self.qop {
            write!(f, ", qop=auth, nc={nc:08x}, cnonce=")?;
            token::write_quoted(f, cnonce)?;
        }
        if let Some(opaque) = &self.opaque {
            f.write_str(", opaque=")?;
            token::write_quoted(f, opaque)?;
        }
        Ok(())
    }
}

/// Without what an eavesdropper on the log could guess a password from.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("username", &self.username)
            .field("realm", &self.realm)
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

/// The hash of user, realm and password that can be stored in place of the password (`H(A1)`,
/// RFC 7616 §3.4.2).
#[must_use]
pub fn secret(algorithm: Algorithm, username: &str, realm: &str, password: &str) -> String {
    algorithm.hash(&format!("{username}:{realm}:{password}"))
}

/// The response to a challenge (RFC 7616 §3.4.1); without `qop` as RFC 2069 had it.
#[must_use]
pub fn response(
    algorithm: Algorithm,
    secret: &str,
    method: &Method,
    uri: &str,
    nonce: &str,
    qop: Option<&Qop>,
) -> String {
    let request = algorithm.hash(&format!("{method}:{uri}"));
    algorithm.hash(&match qop {
        Some(Qop { nc, cnonce }) => {
            format!("{secret}:{nonce}:{nc:08x}:{cnonce}:auth:{request}")
        }
        None => format!("{secret}:{nonce}:{request}"),
    })
}

/// What stands behind the word `Digest`.
fn after_scheme(value: &[u8]) -> Result<&[u8], ParseError> {
    let scheme_len = memchr::memchr2(b' ', b'\t', value).unwrap_or(value.len());
    let (scheme, rest) = value.split_at(scheme_len);
    if scheme.eq_ignore_ascii_case(b"Digest") {
        Ok(rest)
    } else {
        Err(ParseError::Unsupported("authentication scheme"))
    }
}

/// Names in lower case with their plain values, each once.
struct Fields(Vec<(String, String)>);

impl Fields {
    fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        let wrong = ParseError::Malformed("credentials");
        let mut fields = Self(Vec::with_capacity(12));
        for element in token::split(bytes, b',', false).filter(|element| !element.is_empty()) {
            let (name, value) = Self::field(element).ok_or(wrong)?;
            if fields.0.iter().any(|(known, _)| *known == name) || fields.0.len() == MAX_PARAMS {
                return Err(wrong);
            }
            fields.0.push((name, value));
        }
        Ok(fields)
    }

    /// The same, but what is no field is passed over and of two with one name the first counts.
    fn parse_readable(bytes: &[u8]) -> Self {
        let fields = token::split(bytes, b',', false).filter_map(Self::field);
        Self(fields.take(MAX_PARAMS).collect())
    }

    fn field(element: &[u8]) -> Option<(String, String)> {
        let equals = memchr::memchr(b'=', element)?;
        let name = token::trim(&element[..equals]);
        let value = match token::trim(&element[equals + 1..]) {
            quoted @ [b'"', ..] if token::quoted_len(quoted) == Some(quoted.len()) => {
                token::unescape_quoted(&quoted[1..quoted.len() - 1])
            }
            bare if memchr::memchr(b'"', bare).is_none() => token::text(bare),
            _ => return None,
        };
        token::is_token(name).then(|| (token::text(name).to_ascii_lowercase(), value))
    }

    fn take(&mut self, name: &str) -> Option<String> {
        let at = self.0.iter().position(|(known, _)| known == name)?;
        Some(self.0.remove(at).1)
    }

    fn needed(&mut self, name: &str) -> Result<String, ParseError> {
        self.take(name).ok_or(ParseError::Malformed("credentials"))
    }
}

fn parse_nc(text: &str) -> Result<u32, ParseError> {
    let wrong = ParseError::Malformed("credentials");
    if text.len() != 8 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(wrong);
    }
    u32::from_str_radix(text, 16).map_err(|_| wrong)
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_rfc_7616_3_9_1_is_proven() {
        for (algorithm, response) in [
            ("md5", "8ca523f5e9506fed4657c9700eebdbec"),
            (
                "\"SHA-256\"",
                "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
            ),
        ] {
            let value = format!(
                "digest RESPONSE={response},nc=00000001 , qop=\"auth\",\
                 cnonce=\"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ\",\
                 nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", Algorithm={algorithm},\
                 username=\"Mufasa\", realm=\"http-auth@example.org\", uri=\"/dir/index.html\", odd=1"
            );
            let credentials = Credentials::parse(value.as_bytes()).unwrap();
            let get = Method::parse("GET").unwrap();
            assert!(credentials.is_proven_by(&get, "Circle of Life"));
            assert!(!credentials.is_proven_by(&get, "Circle of life"));
            assert!(!format!("{credentials:?}").contains(response));
        }
    }

    #[test]
    fn the_count_is_eight_hex_digits() {
        assert_eq!(parse_nc("0000010a"), Ok(266));
        for wrong in ["10a", "+000010a", "0000010g", "00000010a", ""] {
            assert!(parse_nc(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn other_schemes_are_unsupported_and_broken_credentials_malformed() {
        let good = "Digest username=u, realm=r, nonce=n, uri=x, response=00";
        assert!(Credentials::parse(good.as_bytes()).is_ok());
        for other in [
            "Basic YTpi".to_owned(),
            format!("{good}, algorithm=MD5-sess"),
            format!("{good}, qop=auth-int"),
        ] {
            let found = Credentials::parse(other.as_bytes());
            assert!(matches!(found, Err(ParseError::Unsupported(_))), "{other}");
        }
        for wrong in [
            "Digest".to_owned(),
            good.replace("nonce=n", "x=y"),
            good.replace("=00", "=xyz"),
            format!("{good}, realm=other"),
            format!("{good}, qop=auth"),
            format!("{good}, qop=auth, nc=1, cnonce=c"),
            format!("{good}, opaque=\"no end"),
            format!("{good}, word"),
        ] {
            let found = Credentials::parse(wrong.as_bytes());
            assert!(matches!(found, Err(ParseError::Malformed(_))), "{wrong}");
        }
    }
}
