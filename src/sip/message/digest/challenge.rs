//! What is asked of one that has to prove who it is (RFC 7616 §3.3).

use std::fmt;

use bytes::Bytes;

use super::{Algorithm, Fields, after_scheme};
use crate::sip::message::error::ParseError;
use crate::sip::message::token;

/// The value of WWW-Authenticate or Proxy-Authenticate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    pub realm: String,
    pub nonce: String,
    pub algorithm: Algorithm,
    pub opaque: Option<String>,
    /// The credentials were right but for the age of their nonce: the peer need not ask its user again.
    pub stale: bool,
    /// Asks for `qop=auth`; without it the answer is that of RFC 2069, which can be replayed.
    pub knows_qop: bool,
}

impl Challenge {
    /// Reads the value of one header field: in any order, with or without quotes, names and words without
    /// case; what is not known is passed over.
    ///
    /// # Errors
    /// [`ParseError::Unsupported`] for another scheme or algorithm, or when only a qop beside `auth` is
    /// offered; [`ParseError::Malformed`] when realm or nonce is absent, or what has to be sent back holds
    /// a control character and so cannot be.
    pub fn parse(value: &[u8]) -> Result<Self, ParseError> {
        let wrong = ParseError::Malformed("challenge");
        let params = after_scheme(value)?;
        let mut fields = Fields::parse_readable(params);
        let algorithm = fields.take("algorithm");
        let algorithm = algorithm.map_or(Ok(Algorithm::Md5), |word| Algorithm::parse(&word))?;
        // Without quotes around it the list was cut at its first comma, and the rest passed over.
        let qop = fields.take("qop").unwrap_or_default();
        let mut offered = qop
            .split(',')
            .map(str::trim)
            .filter(|word| !word.is_empty());
        let knows_qop = offered
            .clone()
            .any(|word| word.eq_ignore_ascii_case("auth"));
        if !knows_qop && offered.next().is_some() {
            return Err(ParseError::Unsupported("digest qop"));
        }
        let challenge = Self {
            realm: fields.take("realm").ok_or(wrong)?,
            nonce: fields.take("nonce").ok_or(wrong)?,
            algorithm,
            opaque: fields.take("opaque"),
            stale: fields
                .take("stale")
                .is_some_and(|word| word.eq_ignore_ascii_case("true")),
            knows_qop,
        };
        let has_control = |text: &str| text.chars().any(char::is_control);
        let opaque = challenge.opaque.as_deref().unwrap_or_default();
        if has_control(&challenge.realm) || has_control(&challenge.nonce) || has_control(opaque) {
            return Err(wrong);
        }
        Ok(challenge)
    }

    /// The header value.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        self.to_string().into()
    }
}

impl fmt::Display for Challenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digest realm=")?;
        token::write_quoted(f, &self.realm)?;
        f.write_str(", nonce=")?;
        token::write_quoted(f, &self.nonce)?;
        if let Some(opaque) = &self.opaque {
            f.write_str(", opaque=")?;
            token::write_quoted(f, opaque)?;
        }
        write!(f, ", algorithm={}", self.algorithm.as_str())?;
        if self.knows_qop {
            f.write_str(", qop=\"auth\"")?;
        }
        if self.stale {
            f.write_str(", stale=true")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::message::{Credentials, Method};

    fn answer(challenge: &str, account: (&str, &str), cnonce: &str) -> Credentials {
        let challenge = Challenge::parse(challenge.as_bytes()).unwrap();
        let get = Method::parse("GET").unwrap();
        Credentials::answer(&challenge, account, &get, "/dir/index.html", 1, cnonce)
    }

    #[test]
    fn the_example_of_rfc_2617_3_5_is_answered() {
        let challenge = "Digest realm=\"testrealm@host.com\", qop=\"auth,auth-int\", \
             nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", opaque=\"5ccc069c403ebaf9f0171e9517f40e41\"";
        let account = ("Mufasa", "Circle Of Life");
        let credentials = answer(challenge, account, "0a4f113b");
        assert_eq!(credentials.response, "6629fae49393a05397450978507c4ef1");
        assert_eq!(
            credentials.to_string(),
            "Digest username=\"Mufasa\", realm=\"testrealm@host.com\", \
             nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", uri=\"/dir/index.html\", \
             response=\"6629fae49393a05397450978507c4ef1\", algorithm=MD5, qop=auth, nc=00000001, \
             cnonce=\"0a4f113b\", opaque=\"5ccc069c403ebaf9f0171e9517f40e41\""
        );
    }

    #[test]
    fn the_examples_of_rfc_7616_3_9_1_are_answered() {
        for (algorithm, response) in [
            ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
            (
                "SHA-256",
                "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
            ),
        ] {
            let challenge = format!(
                "Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", algorithm={algorithm}, \
                 nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", \
                 opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""
            );
            let cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
            let credentials = answer(&challenge, ("Mufasa", "Circle of Life"), cnonce);
            assert_eq!(credentials.response, response);
            let written = Credentials::parse(&credentials.to_bytes());
            assert_eq!(written.as_ref(), Ok(&credentials));
        }
    }

    #[test]
    fn a_peer_without_qop_gets_the_answer_of_rfc_2069() {
        let credentials = answer("Digest realm=r,nonce=n", ("u", "p"), "c");
        assert_eq!(credentials.qop, None);
        let get = Method::parse("GET").unwrap();
        assert!(credentials.is_proven_by(&get, "p"));
        assert!(!credentials.to_string().contains("cnonce"));
    }

    #[test]
    fn challenges_are_read_however_trunks_write_them() {
        for (text, knows_qop, stale) in [
            ("digest REALM=r, NONCE=n", false, false),
            (
                "Digest\trealm=\"r\" ,nonce = \"n\",qop=auth,auth-int,",
                true,
                false,
            ),
            (
                "Digest realm=r, nonce=n, qop=\"auth-int , AUTH\", stale=TRUE",
                true,
                true,
            ),
            (
                "Digest realm=r, nonce=n, qop=\"\", stale=\"false\", algorithm=\"md5\"",
                false,
                false,
            ),
            (
                "Digest realm=r, nonce=n, domain=\"sip:a, sip:b\", odd, x=\"y",
                false,
                false,
            ),
            (
                "Digest realm=r, realm=other, nonce=n, algorithm=MD5",
                false,
                false,
            ),
        ] {
            let challenge = Challenge::parse(text.as_bytes()).unwrap();
            let found = (challenge.realm.as_str(), challenge.nonce.as_str());
            assert_eq!(found, ("r", "n"), "{text}");
            assert_eq!(
                (challenge.knows_qop, challenge.stale),
                (knows_qop, stale),
                "{text}"
            );
        }
    }

    #[test]
    fn what_cannot_be_answered_is_told_from_what_is_broken() {
        for text in [
            "Basic realm=r",
            "NTLM",
            "Digest realm=r, nonce=n, algorithm=MD5-sess",
            "Digest realm=r, nonce=n, algorithm=SHA-512-256",
            "Digest realm=r, nonce=n, qop=\"auth-int\"",
        ] {
            let found = Challenge::parse(text.as_bytes());
            assert!(matches!(found, Err(ParseError::Unsupported(_))), "{text}");
        }
        for text in [
            "Digest",
            "Digest realm=r",
            "Digest nonce=n",
            "Digest realm=r, nonce=\"\x01\"",
        ] {
            let found = Challenge::parse(text.as_bytes());
            assert!(matches!(found, Err(ParseError::Malformed(_))), "{text}");
        }
    }

    #[test]
    fn a_challenge_and_its_answer_are_one_line_whatever_is_in_them() {
        let challenge = Challenge {
            realm: "a \"b\"\r\nX: y".into(),
            nonce: "n".into(),
            algorithm: Algorithm::Sha256,
            opaque: None,
            stale: true,
            knows_qop: true,
        };
        assert_eq!(
            challenge.to_string(),
            r#"Digest realm="a \"b\"  X: y", nonce="n", algorithm=SHA-256, qop="auth", stale=true"#
        );
        let account = ("u\r\nX: y", "p\r\n");
        let answer =
            Credentials::answer(&challenge, account, &Method::Invite, "sip:a\nb", 1, "c\0");
        assert!(!answer.to_string().chars().any(char::is_control));
    }
}
