//! Extensions: registering by digest, and calling as one.

use crate::call::Setup;
use crate::message::{self, Message, Request, authorization, parameter};
use crate::phone::{COMMON, Phone};
use crate::rtp::Media;
use crate::switch::{Setting, Switch};

fn switch() -> Switch {
    Setting::new()
        .config("[[extensions]]\nextension = \"1000\"\npassword = \"kestrel\"")
        .start()
}

fn register(phone: &Phone, user: &str) -> Request {
    let aor = format!("<sip:{user}@{}>", phone.server);
    let domain = format!("sip:{}", phone.server);
    phone
        .request("REGISTER", &domain)
        .set("To", &aor)
        .set("From", format!("{aor};tag=reg"))
        .with("Expires", "300")
}

/// The challenge of `answer` with `algorithm`.
#[track_caller]
fn challenge(answer: &Message, algorithm: &str) -> String {
    let found = answer.all("WWW-Authenticate").find(|c| {
        parameter(c, "algorithm")
            .unwrap_or_else(|| "MD5".into())
            .eq_ignore_ascii_case(algorithm)
    });
    found
        .unwrap_or_else(|| panic!("no {algorithm} challenge in {answer:?}"))
        .to_owned()
}

/// The same request again as a new transaction, with credentials.
fn authorized(
    phone: &Phone,
    request: &Request,
    challenge: &str,
    user: &str,
    password: &str,
) -> Request {
    let credentials = authorization(challenge, user, password, &request.method, &request.uri);
    request
        .clone()
        .set("Via", phone.via())
        .set("CSeq", format!("{} {}", request.cseq() + 1, request.method))
        .set("Authorization", credentials)
}

#[test]
fn extension_registers_with_md5_and_with_sha_256_and_unregisters() {
    let switch = switch();
    for algorithm in ["MD5", "SHA-256"] {
        let mut phone = Phone::udp(&switch).named("1000");
        let plain = register(&phone, "1000");
        let refused = phone.exchange(&plain);
        assert_eq!(refused.status(), 401);
        let challenge = challenge(&refused, algorithm);
        assert_eq!(parameter(&challenge, "qop").as_deref(), Some("auth"));
        let good = authorized(&phone, &plain, &challenge, "1000", "kestrel");
        let accepted = phone.exchange(&good);
        assert_eq!(accepted.status(), 200, "{algorithm}");
        let binding = accepted.header("Contact").expect("the binding");
        assert!(
            binding.contains(&phone.local.to_string()) && binding.contains("expires="),
            "{binding}"
        );

        let gone = plain
            .set("Contact", "*")
            .set("Expires", "0")
            .set("CSeq", "5 REGISTER");
        let refused = phone.exchange(&gone);
        assert_eq!(refused.status(), 401);
        let challenge = self::challenge(&refused, algorithm);
        let accepted = phone.exchange(&authorized(&phone, &gone, &challenge, "1000", "kestrel"));
        assert_eq!(accepted.status(), 200);
        assert_eq!(accepted.header("Contact"), None, "no binding is left");
    }
}

#[test]
fn wrong_password_and_unknown_extension_look_alike() {
    let switch = switch();
    let mut answers = Vec::new();
    for user in ["1000", "2000"] {
        let mut phone = Phone::udp(&switch).named(user);
        let plain = register(&phone, user);
        let first = phone.exchange(&plain);
        let bad = authorized(&phone, &plain, &challenge(&first, "MD5"), user, "wren");
        let second = phone.exchange(&bad);
        let shape = |answer: &Message| -> (u16, Vec<String>) {
            (
                answer.status(),
                answer
                    .headers
                    .iter()
                    .map(|(name, _)| name.clone())
                    .collect(),
            )
        };
        assert_ne!(second.status(), 200);
        answers.push((shape(&first), shape(&second)));
    }
    assert_eq!(answers[0], answers[1]);
}

#[test]
fn credentials_are_good_for_one_request_only() {
    let switch = switch();
    let mut phone = Phone::udp(&switch).named("1000");
    let plain = register(&phone, "1000");
    let refused = phone.exchange(&plain);
    let good = authorized(
        &phone,
        &plain,
        &challenge(&refused, "SHA-256"),
        "1000",
        "kestrel",
    );
    assert_eq!(phone.exchange(&good).status(), 200);
    let replayed = good
        .clone()
        .set("Via", phone.via())
        .set("CSeq", "9 REGISTER");
    assert_eq!(
        phone.exchange(&replayed).status(),
        401,
        "the same nonce count again"
    );
    let invented = authorization(
        "Digest realm=\"flowswitch\", nonce=\"0123456789abcdef\", algorithm=MD5",
        "1000",
        "kestrel",
        "REGISTER",
        &good.uri,
    );
    let invented = good
        .set("Via", phone.via())
        .set("CSeq", "10 REGISTER")
        .set("Authorization", invented);
    assert_eq!(
        phone.exchange(&invented).status(),
        401,
        "a nonce that we never gave"
    );
}

#[test]
fn binding_shorter_than_we_allow_gets_423() {
    let switch = switch();
    let mut phone = Phone::udp(&switch).named("1000");
    let brief = register(&phone, "1000").set("Expires", "3");
    let refused = phone.exchange(&brief);
    let answer = phone.exchange(&authorized(
        &phone,
        &brief,
        &challenge(&refused, "MD5"),
        "1000",
        "kestrel",
    ));
    assert_eq!(answer.status(), 423);
    assert!(answer.header("Min-Expires").is_some());
}

#[test]
fn wildcard_that_keeps_its_bindings_is_refused() {
    let switch = switch();
    let mut phone = Phone::udp(&switch).named("1000");
    let wild = register(&phone, "1000").set("Contact", "*");
    let refused = phone.exchange(&wild);
    let again = authorized(
        &phone,
        &wild,
        &challenge(&refused, "MD5"),
        "1000",
        "kestrel",
    );
    assert_eq!(phone.exchange(&again).status(), 400, "RFC 3261 §10.2.2");
}

#[test]
fn extension_may_be_bound_in_several_places_and_each_goes_by_itself() {
    let switch = switch();
    let places: Vec<Phone> = (0..3).map(|_| Phone::udp(&switch).named("1000")).collect();
    let addresses: Vec<String> = places.iter().map(|place| place.local.to_string()).collect();
    let mut listed = String::new();
    for mut place in places {
        for (expires, cseq) in [
            ("300", "1 REGISTER"),
            ("0", "5 REGISTER"),
            ("300", "9 REGISTER"),
        ] {
            let plain = register(&place, "1000")
                .set("Expires", expires)
                .set("CSeq", cseq);
            let refused = place.exchange(&plain);
            let again = authorized(
                &place,
                &plain,
                &challenge(&refused, "SHA-256"),
                "1000",
                "kestrel",
            );
            let accepted = place.exchange(&again);
            assert_eq!(accepted.status(), 200);
            listed = accepted.all("Contact").collect::<Vec<_>>().join(", ");
            let is_listed = listed.contains(&place.local.to_string());
            assert_eq!(is_listed, expires != "0", "{listed}");
        }
    }
    for address in addresses {
        assert!(listed.contains(&address), "{address} is not in {listed}");
    }
}

#[test]
fn call_that_claims_to_be_an_extension_has_to_prove_it() {
    let switch = switch();
    let mut phone = Phone::udp(&switch).named("1000");
    let media = Media::new(phone.local.ip());
    let offer = message::sdp(media.local(), COMMON, "sendrecv", 1);
    let own = format!("<sip:1000@{}>;tag=mine", phone.server);
    let invite = phone
        .request("INVITE", &phone.uri("tone"))
        .set("From", own)
        .body("application/sdp", offer);
    let refused = phone.exchange(&invite);
    assert_eq!(refused.status(), 401);
    let challenge = challenge(&refused, "MD5");
    let wrong = phone.exchange(&authorized(&phone, &invite, &challenge, "1000", "wren"));
    assert!([401, 403].contains(&wrong.status()), "{}", wrong.start_line);
    let again = wrong
        .all("WWW-Authenticate")
        .next()
        .map_or(challenge, str::to_owned);
    let good = authorized(&phone, &invite, &again, "1000", "kestrel").set("CSeq", "3 INVITE");
    let call = Setup::send(phone, media, good).answered();
    call.media.hears(440.0);
    call.hang_up();
}
