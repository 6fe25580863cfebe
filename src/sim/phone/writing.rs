//! What a telephone writes: descriptions, proofs, requests.

use std::fmt::Write as _;

use super::{Offer, Phone};
use crate::sip::message::digest::{self, Qop};
use crate::sip::message::{Algorithm, Credentials, HeaderName, Method, Response};

impl Phone {
    /// An Authorization line for the first challenge of a response.
    pub(super) fn prove(&mut self, method: Method, response: &Response) -> Option<String> {
        let password = self.habits.password.clone()?;
        if method == Method::Register && self.nonce_count > 0 {
            return None;
        }
        let challenge = response.headers.get(&HeaderName::WwwAuthenticate)?;
        let challenge = String::from_utf8_lossy(challenge);
        let field = |name: &str| {
            let (_, rest) = challenge.split_once(&format!("{name}=\""))?;
            Some(rest.split_once('"')?.0.to_owned())
        };
        let (realm, nonce) = (field("realm")?, field("nonce")?);
        self.nonce_count += 1;
        let qop = Qop {
            nc: 1,
            cnonce: self.rng.token(8),
        };
        let secret = digest::secret(Algorithm::Sha256, &self.user, &realm, &password);
        let uri = self.target.clone();
        let answer = digest::response(
            Algorithm::Sha256,
            &secret,
            &method,
            &uri,
            &nonce,
            Some(&qop),
        );
        let credentials = Credentials {
            username: self.user.clone(),
            realm,
            nonce,
            uri,
            response: answer,
            algorithm: Algorithm::Sha256,
            qop: Some(qop),
            opaque: field("opaque"),
        };
        Some(format!("Authorization: {credentials}\r\n"))
    }

    pub(super) fn description(&mut self) -> String {
        let events = "a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\n";
        match self.habits.offer {
            Offer::Full | Offer::None => self.describe("0 8 101", events),
            Offer::Pcma => self.describe("8 101", events),
            Offer::NoEvents => self.describe("0 8", ""),
            Offer::Foreign => self.describe("18", "a=rtpmap:18 G729/8000\r\n"),
            Offer::Broken => "v=0\r\nthis is no description\r\n".to_owned(),
        }
    }

    pub(super) fn describe(&mut self, formats: &str, attributes: &str) -> String {
        self.version += 1;
        let (ip, port) = (self.rtp.ip(), self.rtp.port());
        format!(
            "v=0\r\no=phone 7 {} IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\n\
             m=audio {port} RTP/AVP {formats}\r\n{attributes}a={}\r\n",
            self.version, self.direction
        )
    }

    pub(super) fn contact(&self) -> String {
        let transport = if self.stream.is_some() {
            ";transport=tcp"
        } else {
            ""
        };
        format!("<sip:{}@{}{transport}>", self.user, self.sip)
    }

    pub(super) fn new_branch(&mut self, cseq: u32) -> String {
        let branch = format!("z9hG4bK{}", self.rng.token(12));
        self.branches.insert(cseq, branch.clone());
        branch
    }

    pub(super) fn write(
        &self,
        method: &str,
        cseq: u32,
        branch: &str,
        headers: &str,
        body: &str,
    ) -> String {
        let tag = if self.to_tag.is_empty() || method == "CANCEL" {
            ""
        } else {
            ";tag="
        };
        let to_tag = if tag.is_empty() { "" } else { &self.to_tag };
        let to = format!("<{}>{tag}{to_tag}", self.dialled);
        let target = if method == "CANCEL" {
            &self.dialled
        } else {
            &self.target
        };
        self.write_to(method, target, cseq, branch, &to, headers, body)
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of a message")]
    pub(super) fn write_to(
        &self,
        method: &str,
        target: &str,
        cseq: u32,
        branch: &str,
        to: &str,
        headers: &str,
        body: &str,
    ) -> String {
        let mut text = format!("{method} {target} SIP/2.0\r\n");
        let _ = write!(
            text,
            "Via: SIP/2.0/{} {};rport;branch={branch}\r\n",
            if self.stream.is_some() { "TCP" } else { "UDP" },
            self.sip
        );
        let _ = write!(
            text,
            "From: <sip:{}@{}>;tag={}\r\n",
            self.user,
            self.sip.ip(),
            self.from_tag
        );
        let _ = write!(
            text,
            "To: {to}\r\nCall-ID: {}\r\nCSeq: {cseq} {method}\r\n",
            self.call_id
        );
        let _ = write!(text, "Max-Forwards: 70\r\n{headers}");
        if !headers.contains("Contact:") && !matches!(method, "ACK" | "CANCEL" | "BYE") {
            let _ = write!(text, "Contact: {}\r\n", self.contact());
        }
        if self.habits.takes_updates && method == "INVITE" {
            text.push_str("Allow: INVITE, ACK, BYE, CANCEL, UPDATE\r\n");
        }
        if !body.is_empty() && !headers.contains("Content-Type:") {
            text.push_str("Content-Type: application/sdp\r\n");
        }
        let _ = write!(text, "Content-Length: {}\r\n\r\n{body}", body.len());
        text
    }
}
