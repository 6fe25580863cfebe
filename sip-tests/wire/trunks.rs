//! Calls out by trunks: who is asked in which order, what they may learn of us, and who may not be called.

use std::net::{Ipv4Addr, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

use crate::call::Call;
use crate::message::{self, Message, bare_uri};
use crate::phone::{COMMON, Phone};
use crate::rtp::{Media, wait};
use crate::switch::{Setting, Switch};

const NUMBER: &str = "+15550111";

/// Keys of a trunk that has an account.
const ACCOUNT: &str = "username = \"switch\"\npassword = \"merlin\"\n";

const CHALLENGE: &str =
    "Digest realm=\"carrier.example\", nonce=\"n0nce\", algorithm=MD5, qop=\"auth\"";

fn switch(more: &str) -> (Switch, Phone) {
    let trunk = Phone::trunk();
    let switch = Setting::new()
        .trunk("carrier", &trunk, NUMBER, more)
        .connecting("out", NUMBER, "")
        .start();
    (switch, trunk)
}

/// A switch with two trunks for one number, in this order.
fn two_trunks() -> (Switch, Phone, Phone) {
    let (first, second) = (Phone::trunk(), Phone::trunk());
    let switch = Setting::new()
        .trunk("second", &second, NUMBER, "priority = 2\n")
        .trunk("first", &first, NUMBER, "priority = 1\n")
        .connecting("out", NUMBER, "")
        .start();
    (switch, first, second)
}

/// The INVITE again, with what its header `name` has to prove the account of the trunk.
#[track_caller]
fn is_proven(request: &Message, name: &str) {
    let proof = request
        .header(name)
        .unwrap_or_else(|| panic!("no {name} in {request:?}"));
    assert!(
        message::is_proof(proof, "merlin", request.method()),
        "{name}: {proof} proves nothing"
    );
    assert_eq!(
        message::parameter(proof, "username").as_deref(),
        Some("switch")
    );
}

#[track_caller]
fn talk_and_end(caller: Call, mut called: Call) -> Phone {
    called.plays(700.0);
    caller.media.hears(700.0);
    caller.hang_up();
    called.is_hung_up_within(Duration::from_secs(2));
    called.phone
}

#[test]
fn challenge_of_the_trunk_is_answered_with_its_account() {
    for (status, asks, proves, challenge) in [
        (
            "407 Proxy Authentication Required",
            "Proxy-Authenticate",
            "Proxy-Authorization",
            CHALLENGE,
        ),
        (
            "401 Unauthorized",
            "WWW-Authenticate",
            "Authorization",
            CHALLENGE,
        ),
        (
            "407 Proxy Authentication Required",
            "Proxy-Authenticate",
            "Proxy-Authorization",
            "Digest realm=\"carrier.example\", nonce=\"n0nce\", algorithm=SHA-256, qop=\"auth,auth-int\", opaque=\"0pa\"",
        ),
    ] {
        let (switch, trunk) = switch(ACCOUNT);
        let setup = Phone::udp(&switch).invite("out");
        let incoming = trunk.called();
        assert_eq!(incoming.invite.header(proves), None, "nobody asked yet");
        let (call_id, cseq) = (
            incoming.invite.header("Call-ID").map(str::to_owned),
            incoming.invite.cseq().0,
        );
        let trunk = incoming.refuses_with(status, &[(asks, challenge)]);
        let mut incoming = trunk.called();
        is_proven(&incoming.invite, proves);
        assert_eq!(
            incoming.invite.header("Call-ID").map(str::to_owned),
            call_id
        );
        assert_eq!(incoming.invite.cseq().0, cseq + 1);
        incoming.rings();
        let called = incoming.answers();
        talk_and_end(setup.answered(), called);
    }
}

#[test]
fn trunk_that_challenges_for_ever_is_given_up() {
    let (switch, mut trunk) = switch(ACCOUNT);
    let mut setup = Phone::udp(&switch).invite("out");
    for attempt in 1..=4 {
        if !trunk.is_rung_within(Duration::from_millis(1500)) {
            break;
        }
        assert!(attempt <= 3, "it tries for ever");
        let again = CHALLENGE.replace("n0nce", &format!("n0nce{attempt}"));
        let asks = [("Proxy-Authenticate", again.as_str())];
        trunk = trunk
            .called()
            .refuses_with("407 Proxy Authentication Required", &asks);
    }
    let end = setup.final_response();
    assert!(end.status() >= 300, "{}", end.start_line);
}

#[test]
fn challenge_of_a_stranger_within_the_call_gets_no_credentials() {
    let (switch, trunk) = switch(ACCOUNT);
    let setup = Phone::udp(&switch).invite("out");
    let trunk = trunk.called().refuses_with(
        "407 Proxy Authentication Required",
        &[("Proxy-Authenticate", CHALLENGE)],
    );
    let mut incoming = trunk.called();
    is_proven(&incoming.invite, "Proxy-Authorization");
    incoming.rings();
    // The 200 sends all that follows to another address, which asks in the trunk's name.
    let mut rogue = Phone::waiting(UdpSocket::bind((Ipv4Addr::new(127, 0, 0, 9), 0)).unwrap());
    let own = format!("sip:trunk@{}", incoming.phone.local);
    let theirs = format!("sip:trunk@{}", rogue.local);
    let answer = String::from_utf8(incoming.accepts())
        .unwrap()
        .replace(&own, &theirs);
    incoming.phone.send_raw(answer.as_bytes());
    let caller = setup.answered();
    assert!(
        rogue
            .request_within("ACK", Duration::from_secs(2))
            .is_some()
    );
    caller.hang_up();
    let bye = rogue
        .request_within("BYE", Duration::from_secs(2))
        .expect("a BYE");
    for name in ["Authorization", "Proxy-Authorization"] {
        assert_eq!(
            bye.header(name),
            None,
            "credentials for a stranger, unasked"
        );
    }
    for (status, name) in [
        ("401 Unauthorized", "WWW-Authenticate"),
        ("407 Proxy Authentication Required", "Proxy-Authenticate"),
    ] {
        rogue.respond(&bye, status, &[(name, CHALLENGE)], None);
    }
    let again = rogue.request_within("BYE", Duration::from_millis(1500));
    if let Some(again) = again {
        for name in ["Authorization", "Proxy-Authorization"] {
            assert_eq!(again.header(name), None, "credentials for a stranger");
        }
    }
}

#[test]
fn trunk_without_service_is_passed_over_and_left_alone_for_a_while() {
    let (switch, first, second) = two_trunks();
    let setup = Phone::udp(&switch).invite("out");
    let mut first = first.called().refuses("503 Service Unavailable");
    let mut incoming = second.called();
    incoming.rings();
    let called = incoming.answers();
    let second = talk_and_end(setup.answered(), called);
    // Within the minute the next call does not go there.
    let _caller = Phone::udp(&switch).invite("out");
    let _ringing = second.called();
    assert!(
        !first.is_rung_within(Duration::from_millis(700)),
        "it is asked again at once"
    );
}

#[test]
fn silent_trunk_is_passed_over_after_5_s() {
    let (switch, mut first, second) = two_trunks();
    let began = Instant::now();
    let mut setup = Phone::udp(&switch).invite("out");
    let incoming = second.called_within(Duration::from_secs(8));
    let after = began.elapsed();
    assert!((4.0..7.0).contains(&after.as_secs_f64()), "after {after:?}");
    assert!(
        first.is_rung_within(Duration::from_millis(10)),
        "the first was asked"
    );
    let called = incoming.answers();
    let answer = setup.final_response();
    assert_eq!(answer.status(), 200);
    let mut call = setup.accept(answer);
    let ack = call.dialog.ack(&call.phone, 1);
    call.phone.send(&ack);
    talk_and_end(call, called);
}

#[test]
fn refusal_that_means_the_callee_is_not_tried_at_the_next_trunk() {
    let (switch, first, mut second) = two_trunks();
    let mut setup = Phone::udp(&switch).invite("out");
    first.called().refuses("486 Busy Here");
    assert!(!second.is_rung_within(Duration::from_millis(700)));
    assert!(setup.final_response().status() >= 300);
}

#[test]
fn redirect_is_followed_on_loopback_and_nowhere_else() {
    let (switch, trunk) = switch("");
    let other = Phone::trunk();
    let setup = Phone::udp(&switch).invite("out");
    let contact = format!("<sip:elsewhere@{}>", other.local);
    let trunk = moved(trunk, &contact);
    let mut incoming = other.called();
    assert!(
        incoming.invite.start_line.contains("elsewhere"),
        "{}",
        incoming.invite.start_line
    );
    incoming.rings();
    let called = incoming.answers();
    talk_and_end(setup.answered(), called);

    let mut setup = Phone::udp(&switch).invite("out");
    moved(trunk, "<sip:premium@203.0.113.77>");
    assert!(setup.final_response().status() >= 300);
    let is_told = wait(Duration::from_secs(1), || {
        switch.log().contains("dial_allow")
    });
    assert!(is_told, "the log does not say which key would allow it");
}

/// Says 302 with a Contact, once called.
#[track_caller]
fn moved(trunk: Phone, contact: &str) -> Phone {
    let mut incoming = trunk.called();
    let refusal = message::response(
        &incoming.invite,
        "302 Moved Temporarily",
        &[("Contact", contact)],
    );
    let text = String::from_utf8(refusal).unwrap();
    let to = incoming.invite.header("To").unwrap().to_owned();
    let text = text.replace(&format!("To: {to}"), &format!("To: {to};tag=moved"));
    incoming.phone.send_raw(text.as_bytes());
    assert!(
        incoming
            .phone
            .request_within("ACK", Duration::from_secs(2))
            .is_some()
    );
    incoming.phone.forget_resends(&incoming.invite);
    incoming.phone
}

#[test]
fn number_is_written_as_the_trunk_wants_it_with_its_headers() {
    let (switch, trunk) = switch(
        "tech_prefix = \"77\"\ntech_postfix = \"#9\"\nheaders = { X-Token = \"kite\" }\ncaller_id = \"+15550999\"\n",
    );
    let _setup = Phone::udp(&switch).invite("out");
    let incoming = trunk.called();
    let line = &incoming.invite.start_line;
    assert!(
        line.starts_with("INVITE sip:77+15550111%239@")
            || line.starts_with("INVITE sip:77+15550111#9@"),
        "{line}"
    );
    assert_eq!(incoming.invite.header("X-Token"), Some("kite"));
    let from = bare_uri(incoming.invite.header("From").unwrap());
    assert!(from.starts_with("sip:+15550100@"), "{from}");
    incoming.refuses("486 Busy Here");
}

#[test]
fn anonymous_caller_is_known_to_the_trunk_alone() {
    let trunk = Phone::trunk();
    let switch = Setting::new()
        .trunk("carrier", &trunk, NUMBER, "")
        .connecting("out", NUMBER, r#", "anonymous": "yes""#)
        .start();
    let _setup = Phone::udp(&switch).invite("out");
    let incoming = trunk.called();
    let header = |name: &str| incoming.invite.header(name).unwrap_or_default().to_owned();
    assert!(header("From").contains("anonymous"), "{}", header("From"));
    assert!(!header("From").contains("15550100"), "{}", header("From"));
    assert!(
        header("P-Asserted-Identity").contains("+15550100"),
        "{}",
        header("P-Asserted-Identity")
    );
    assert!(header("Privacy").contains("id"), "{}", header("Privacy"));
    incoming.refuses("486 Busy Here");
}

#[test]
fn trunk_carries_no_more_calls_than_it_has_channels() {
    let (switch, trunk) = switch("channels = 1\n");
    let first = Phone::udp(&switch).invite("out");
    let mut incoming = trunk.called();
    incoming.rings();
    let mut called = incoming.answers();
    let first = first.answered();
    let mut second = Phone::udp(&switch).invite("out");
    assert!(second.final_response().status() >= 300);
    assert!(
        called
            .phone
            .request_within("INVITE", Duration::from_millis(200))
            .is_none()
    );
    let caller = thread::spawn(move || first.hang_up());
    called.is_hung_up_within(Duration::from_secs(2));
    caller.join().unwrap();
    thread::sleep(Duration::from_millis(200));
    let _third = Phone::udp(&switch).invite("out");
    called.phone.called();
}

#[test]
fn stranger_does_not_get_out() {
    let mut trunk = Phone::trunk();
    let switch = Setting::new()
        .trunk("carrier", &trunk, "+", "")
        .extension("1001")
        .start();
    for user in [NUMBER, "1001", "tel:+15550111", "sip:+15550111"] {
        let mut setup = Phone::udp(&switch).invite(user);
        let answer = setup.final_response();
        assert!(
            (400..500).contains(&answer.status()),
            "{} for {user}",
            answer.start_line
        );
    }
    // Nor does one that names an extension it cannot prove to be.
    let mut phone = Phone::udp(&switch).named("1001");
    let media = Media::new(phone.local.ip());
    let claim = phone
        .request("INVITE", &phone.uri(NUMBER))
        .set("From", format!("<sip:1001@{}>;tag=claim", phone.server))
        .body(
            "application/sdp",
            message::sdp(media.local(), COMMON, "sendrecv", 1),
        );
    assert_eq!(phone.exchange(&claim).status(), 401);
    let wrong = phone.exchange_as(&claim.set("CSeq", "5 INVITE"), "1001", "wren");
    assert!([401, 403].contains(&wrong.status()), "{}", wrong.start_line);
    assert!(
        !trunk.is_rung_within(Duration::from_millis(300)),
        "the trunk was called"
    );
}

#[test]
fn switch_asks_a_trunk_by_options_whether_it_is_up() {
    let (_switch, mut trunk) = switch("probe = true\n");
    // The first is sent within a third of the half minute between two.
    let asked = trunk.request_within("OPTIONS", Duration::from_secs(11));
    let options = asked.expect("an OPTIONS");
    assert_eq!(
        bare_uri(options.header("To").unwrap()),
        format!("sip:{}", trunk.local)
    );
}

#[test]
fn switch_registers_at_its_carrier_and_refreshes() {
    let carrier = Phone::trunk();
    let _switch = {
        let more = format!("{ACCOUNT}register = true\n");
        Setting::new()
            .trunk("carrier", &carrier, NUMBER, &more)
            .start()
    };
    let mut carrier = carrier;
    let register = carrier
        .request_within("REGISTER", Duration::from_secs(5))
        .expect("a REGISTER");
    assert_eq!(register.header("Authorization"), None);
    carrier.respond(
        &register,
        "401 Unauthorized",
        &[("WWW-Authenticate", CHALLENGE)],
        None,
    );
    carrier.forget_resends(&register);
    let again = carrier
        .request_within("REGISTER", Duration::from_secs(5))
        .expect("a proof");
    is_proven(&again, "Authorization");
    assert_eq!(again.header("Call-ID"), register.header("Call-ID"));
    assert_eq!(again.cseq().0, register.cseq().0 + 1);
    let contact = again
        .header("Contact")
        .unwrap()
        .split(";expires")
        .next()
        .unwrap()
        .to_owned();
    // The shortest that is kept; it is refreshed before nine tenths of it are over.
    let binding = format!("{contact};expires=10");
    carrier.respond(&again, "200 OK", &[("Contact", &binding)], None);
    carrier.forget_resends(&again);
    let refresh = carrier
        .request_within("REGISTER", Duration::from_secs(10))
        .expect("a refresh");
    assert_eq!(refresh.header("Call-ID"), register.header("Call-ID"));
    assert!(refresh.cseq().0 > again.cseq().0);
}
