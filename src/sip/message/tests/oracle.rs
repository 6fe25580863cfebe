//! What we write, read by rsip, which shares no code and no author with this room.

use std::path::Path;

use bytes::Bytes;
use rsip::message::HasHeaders as _;

use super::{invite, request};
use crate::sip::message::{
    Algorithm, CSeq, Challenge, Credentials, HeaderName, Host, Message, Method, NameAddr, Request,
    Response, SipUri, Status, Uri, Via,
    digest::{self, Qop},
};

/// Messages of our torture set that rsip 0.4 itself reads wrong once we have written them, and why.
const RSIP_IS_WRONG: [(&str, &str); 7] = [
    ("ipv6_everywhere", "has no IPv6 hosts"),
    (
        "latin1_name",
        "refuses a message for one byte that is not UTF-8",
    ),
    ("method_of_odd_letters", "refuses methods it does not know"),
    ("method_with_percent", "refuses methods it does not know"),
    ("scheme_with_slashes", "takes every scheme for a host"),
    (
        "tel_uri",
        "takes the scheme for a host and the number for its port",
    ),
    ("unknown_scheme", "takes every scheme for a host"),
];

/// rsip reads `bytes` and finds in them what we do.
fn agree(name: &str, bytes: &Bytes) -> Result<(), String> {
    let ours =
        Message::parse_datagram(bytes.clone()).map_err(|error| format!("{name}: we: {error}"))?;
    let theirs =
        rsip::SipMessage::try_from(&bytes[..]).map_err(|error| format!("{name}: rsip: {error}"))?;
    let (headers, body) = match (&ours, &theirs) {
        (Message::Request(ours), rsip::SipMessage::Request(theirs)) => {
            if ours.method.as_str() != theirs.method.to_string() {
                return Err(format!("{name}: method {}", theirs.method));
            }
            let uri = theirs.uri.to_string();
            // it writes transports in capitals
            if !ours.uri.to_string().eq_ignore_ascii_case(&uri) {
                return Err(format!("{name}: URI {} is not {}", theirs.uri, ours.uri));
            }
            (&ours.headers, &ours.body)
        }
        (Message::Response(ours), rsip::SipMessage::Response(theirs)) => {
            if ours.status.code() != theirs.status_code.code() {
                return Err(format!("{name}: status {}", theirs.status_code));
            }
            (&ours.headers, &ours.body)
        }
        _ => return Err(format!("{name}: not the same kind")),
    };
    if theirs.body() != body {
        return Err(format!("{name}: body"));
    }
    let ours: Vec<String> = headers
        .iter()
        .map(|(name, value)| format!("{name}: {}", str::from_utf8(value).unwrap()))
        .collect();
    let theirs: Vec<String> = theirs.headers().iter().map(ToString::to_string).collect();
    if ours != theirs {
        return Err(format!("{name}: {ours:#?} is not {theirs:#?}"));
    }
    Ok(())
}

#[test]
fn rsip_reads_every_torture_message_as_we_write_it() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("sip-tests/torture");
    let mut wrong = Vec::new();
    let mut agreed = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let bytes = Bytes::from(std::fs::read(&path).unwrap());
        let Ok(message) = Message::parse_datagram(bytes) else {
            continue;
        };
        let is_excluded = RSIP_IS_WRONG.iter().any(|(excluded, _)| *excluded == name);
        match agree(name, &message.to_bytes()) {
            Ok(()) if is_excluded => wrong.push(format!("{name}: rsip is right")),
            Ok(()) => agreed += 1,
            Err(_) if is_excluded => {}
            Err(why) => wrong.push(why),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(agreed >= 40, "{agreed}");
}

#[test]
fn rsip_reads_a_dialog_as_we_write_it() {
    use rsip::headers::ToTypedHeader as _;
    use rsip::message::HeadersExt as _;

    let invite = request(invite());
    agree("invite", &invite.to_bytes()).unwrap();

    let mut ok = Response::to(&invite, Status::OK);
    let to = ok.headers.to().unwrap().with_tag("ours");
    ok.headers.set(HeaderName::To, to.to_string());
    let contact = SipUri::new(Host::Ip("192.0.2.1".parse().unwrap()))
        .with_user("menu")
        .with_port(5060);
    ok.headers.push(
        HeaderName::Contact,
        NameAddr::new(Uri::Sip(contact.clone())).to_string(),
    );
    ok.headers.push(HeaderName::ContentType, "application/sdp");
    ok.body = Bytes::from_static(b"v=0\r\n");
    agree("ok", &ok.to_bytes()).unwrap();
    let read = rsip::Response::try_from(ok.to_bytes()).unwrap();
    let typed = read.to_header().unwrap().typed().unwrap();
    assert_eq!(typed.tag().unwrap().value(), "ours");
    assert_eq!(
        read.contact_header()
            .unwrap()
            .typed()
            .unwrap()
            .uri
            .host_with_port
            .to_string(),
        "192.0.2.1:5060"
    );

    let mut bye = Request::new(Method::Bye, Uri::Sip(contact));
    let mut via = Via {
        transport: "UDP".into(),
        host: Host::Ip("192.0.2.1".parse().unwrap()),
        port: Some(5060),
        params: Default::default(),
    };
    via.params.set("rport", None);
    via.params.set("branch", "z9hG4bKbye");
    bye.headers.push(HeaderName::Via, via.to_string());
    bye.headers.push(HeaderName::From, to.to_string());
    bye.headers
        .push(HeaderName::To, invite.headers.from().unwrap().to_string());
    bye.headers.push(HeaderName::CallId, "call-1@192.0.2.10");
    let cseq = CSeq {
        number: 7,
        method: Method::Bye,
    };
    bye.headers.push(HeaderName::CSeq, cseq.to_string());
    agree("bye", &bye.to_bytes()).unwrap();
    let read = rsip::Request::try_from(bye.to_bytes()).unwrap();
    assert_eq!(
        read.via_header()
            .unwrap()
            .typed()
            .unwrap()
            .branch()
            .unwrap()
            .value(),
        "z9hG4bKbye"
    );
    assert_eq!(read.cseq_header().unwrap().typed().unwrap().seq, 7);
}

#[test]
fn rsip_computes_the_same_digests_and_reads_challenge_and_credentials() {
    use rsip::headers::auth::{Algorithm as Theirs, AuthQop};
    use rsip::headers::{ToTypedHeader as _, UntypedHeader as _};

    let uri = rsip::Uri::try_from("sip:switch.example").unwrap();
    for (algorithm, theirs) in [
        (Algorithm::Md5, Theirs::Md5),
        (Algorithm::Sha256, Theirs::Sha256),
    ] {
        for qop in [
            None,
            Some(Qop {
                nc: 3,
                cnonce: "c0ffee".into(),
            }),
        ] {
            let their_qop = qop.as_ref().map(|qop| AuthQop::Auth {
                cnonce: qop.cnonce.clone(),
                nc: 3,
            });
            let generator = rsip::services::DigestGenerator {
                username: "ann",
                password: "secret",
                nonce: "n0nce",
                uri: &uri,
                realm: "switch",
                method: &rsip::Method::Register,
                qop: their_qop.as_ref(),
                algorithm: theirs,
            };
            let secret = digest::secret(algorithm, "ann", "switch", "secret");
            let credentials = Credentials {
                username: "ann".into(),
                realm: "switch".into(),
                nonce: "n0nce".into(),
                uri: "sip:switch.example".into(),
                response: digest::response(
                    algorithm,
                    &secret,
                    &Method::Register,
                    "sip:switch.example",
                    "n0nce",
                    qop.as_ref(),
                ),
                algorithm,
                qop,
                opaque: None,
            };
            assert_eq!(generator.compute(), credentials.response);
            assert!(credentials.is_proven_by(&Method::Register, "secret"));
            assert!(!credentials.is_proven_by(&Method::Invite, "secret"));
            assert!(!credentials.is_proven_by(&Method::Register, "secreT"));
            // it calls SHA-256 by a name of its own
            if algorithm == Algorithm::Md5 {
                let read = rsip::headers::Authorization::new(credentials.to_string())
                    .typed()
                    .unwrap();
                assert_eq!(
                    (read.response, read.username),
                    (credentials.response, "ann".into())
                );
            }
        }
    }
    let challenge = Challenge {
        realm: "switch".into(),
        nonce: "n0nce".into(),
        algorithm: Algorithm::Md5,
        opaque: Some("o".into()),
        stale: true,
        knows_qop: true,
    };
    let read = rsip::headers::WwwAuthenticate::new(challenge.to_string())
        .typed()
        .unwrap();
    assert_eq!((read.realm, read.nonce), (challenge.realm, challenge.nonce));
    assert_eq!(
        (read.stale.as_deref(), read.opaque),
        (Some("true"), challenge.opaque)
    );
}
