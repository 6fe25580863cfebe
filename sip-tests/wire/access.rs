//! Who may call: trunks by their address, extensions by digest, others on private networks as they are.

use std::net::Ipv4Addr;
use std::time::Duration;

use crate::call::Setup;
use crate::message::{self, Message, Request};
use crate::phone::{COMMON, Phone};
use crate::rtp::Media;
use crate::switch::{Setting, Switch};

/// The loopback address of a carrier; calls come from 127.0.0.1 else.
const CARRIER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

fn switch() -> Switch {
    Setting::new()
        .config(
            "[[extensions]]\nextension = \"1000\"\npassword = \"kestrel\"\n\
             [[trunks]]\nname = \"carrier\"\nallowed_ips = [\"127.0.0.2/32\"]",
        )
        .start()
}

/// An INVITE to `tone` that says it comes from extension 1000.
fn claiming(phone: &Phone, media: &Media) -> Request {
    let offer = message::sdp(media.local(), COMMON, "sendrecv", 1);
    phone
        .request("INVITE", &phone.uri("tone"))
        .set("From", format!("<sip:1000@{}>;tag=claim", phone.server))
        .body("application/sdp", offer)
}

#[test]
fn claim_to_be_an_extension_is_challenged_with_md5_first_and_sha_256_second() {
    let switch = switch();
    let mut phone = Phone::udp(&switch);
    let media = Media::new(phone.local.ip());
    let refused = phone.exchange(&claiming(&phone, &media));
    assert_eq!(refused.status(), 401);
    // Old phones and SIPp 3.6 take the first challenge or none.
    let algorithms: Vec<String> = refused
        .all("WWW-Authenticate")
        .map(|c| message::parameter(c, "algorithm").unwrap_or_else(|| "MD5".into()))
        .collect();
    assert_eq!(algorithms, ["MD5", "SHA-256"]);
    let nobody = phone.request("INVITE", &phone.uri("tone"));
    let nobody = nobody.body(
        "application/sdp",
        message::sdp(media.local(), COMMON, "sendrecv", 1),
    );
    let call = Setup::send(phone, media, nobody).answered();
    call.hang_up();
}

#[test]
fn trunk_is_known_by_its_address_and_may_present_any_caller() {
    let switch = switch();
    let phone = Phone::udp_at(&switch, CARRIER);
    let media = Media::new(CARRIER.into());
    let invite = claiming(&phone, &media);
    let call = Setup::send(phone, media, invite).answered();
    call.media.hears(440.0);
    call.hang_up();
}

#[test]
fn wrong_passwords_bar_their_account_from_their_address_and_nobody_else() {
    let switch = switch();
    let register = |phone: &Phone, user: &str| {
        let aor = format!("<sip:{user}@{}>", phone.server);
        phone
            .request("REGISTER", &format!("sip:{}", phone.server))
            .set("To", &aor)
            .set("From", format!("{aor};tag=reg"))
    };
    let mut guesser = Phone::udp_at(&switch, Ipv4Addr::new(127, 0, 0, 3));
    let mut guesses = 0;
    let brief = Duration::from_millis(700);
    loop {
        let plain = register(&guesser, "1000");
        let refused = guesser.exchange(&plain);
        let wrong = proven(&guesser, &plain, &refused, "wren");
        guesser.send(&wrong);
        guesses += 1;
        match guesser.response_within(&wrong, brief) {
            Some(answer) => assert_eq!(answer.status(), 401),
            None => break,
        }
        assert!(guesses < 20, "20 wrong passwords in a row are looked at");
    }
    let other = register(&guesser, "1001");
    assert_eq!(guesser.exchange(&other).status(), 401);
    let mut owner = Phone::udp(&switch);
    let plain = register(&owner, "1000");
    let refused = owner.exchange(&plain);
    let right = proven(&owner, &plain, &refused, "kestrel");
    assert_eq!(owner.exchange(&right).status(), 200);
}

/// The request again, with what the first challenge of `refused` asks for.
fn proven(phone: &Phone, request: &Request, refused: &Message, password: &str) -> Request {
    let challenge = refused.header("WWW-Authenticate").expect("a challenge");
    let credentials =
        message::authorization(challenge, "1000", password, &request.method, &request.uri);
    request
        .clone()
        .set("Via", phone.via())
        .set("CSeq", format!("2 {}", request.method))
        .set("Authorization", credentials)
}
