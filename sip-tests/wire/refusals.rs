//! Requests that are refused, each with the status of its fault, and the calls that go on all the same.

use std::thread;
use std::time::Duration;

use crate::call::Setup;
use crate::message;
use crate::phone::{COMMON, PATIENCE, Phone};
use crate::rtp::{Media, wait};
use crate::switch::{Setting, Switch};

const RINGS: &str = r#"[{"type": "sleep", "option": {"duration": 60000}}, {"type": "hangup"}]"#;

fn switch() -> Switch {
    Setting::new().flow("rings", RINGS).start()
}

#[test]
fn request_the_switch_cannot_serve_gets_the_status_of_its_fault() {
    let switch = Setting::new()
        .flow(
            "busy",
            r#"[{"type": "hangup", "option": {"reason": "busy"}}]"#,
        )
        .start();
    let mut phone = Phone::udp(&switch);
    let offer = message::sdp("127.0.0.1:40000".parse().unwrap(), COMMON, "sendrecv", 1);
    let g729 = message::sdp("127.0.0.1:40000".parse().unwrap(), &[18], "sendrecv", 1);
    let invite = |phone: &Phone, user: &str| {
        phone
            .request("INVITE", &phone.uri(user))
            .body("application/sdp", offer.clone())
    };

    let refused = phone.exchange(&invite(&phone, "nobody"));
    assert_eq!(refused.status(), 404);
    let refused = phone.exchange(&invite(&phone, "busy"));
    assert_eq!(refused.status(), 486);

    let refused = phone.exchange(
        &phone
            .request("SUBSCRIBE", &phone.uri("tone"))
            .with("Event", "presence"),
    );
    assert!(
        [405, 489].contains(&refused.status()),
        "{}",
        refused.start_line
    );
    let refused = phone.exchange(&phone.request("PUBLISH", &phone.uri("tone")));
    assert_eq!(refused.status(), 405);
    assert!(
        refused
            .header("Allow")
            .is_some_and(|allow| allow.contains("INVITE")),
        "405 says what is allowed"
    );
    let refused = phone.exchange(&phone.request("JUGGLE", &phone.uri("tone")));
    assert_eq!(refused.status(), 501);

    let refused = phone.exchange(&invite(&phone, "tone").body("text/poetry", "a rose"));
    assert_eq!(refused.status(), 415);
    assert!(
        refused
            .header("Accept")
            .is_some_and(|accept| accept.contains("application/sdp"))
    );

    let refused = phone.exchange(&invite(&phone, "tone").with("Require", "teleport"));
    assert_eq!(refused.status(), 420);
    assert_eq!(refused.header("Unsupported"), Some("teleport"));

    let stranger = phone.request("BYE", &phone.uri("tone"));
    let to = format!("{};tag=nobody", stranger.header("To").unwrap());
    assert_eq!(phone.exchange(&stranger.set("To", to)).status(), 481);

    let refused = phone.exchange(&invite(&phone, "tone").body("application/sdp", g729));
    assert_eq!(refused.status(), 488);
    let refused =
        phone.exchange(&invite(&phone, "tone").body("application/sdp", "not a description"));
    assert!(
        [400, 488].contains(&refused.status()),
        "{}",
        refused.start_line
    );

    let mut elsewhere = invite(&phone, "tone");
    elsewhere.uri = "http://127.0.0.1/".into();
    assert_eq!(phone.exchange(&elsewhere).status(), 416);
    let refused = phone.exchange(&invite(&phone, "tone").without("Call-ID"));
    assert_eq!(refused.status(), 400);

    switch.takes_a_call();
}

#[test]
fn invite_that_comes_by_two_ways_is_merged() {
    let switch = switch();
    let mut setup = Phone::udp(&switch).invite("rings");
    setup.rings_with(180);
    let twin = setup.invite.clone().set("Via", setup.phone.via());
    setup.phone.send(&twin);
    // Both have the same CSeq and Call-ID; the branch in the Via tells them apart.
    let own = twin
        .header("Via")
        .unwrap()
        .split("branch=")
        .nth(1)
        .unwrap()
        .to_owned();
    let answer = loop {
        let message = setup.phone.response(&twin);
        if message.header("Via").unwrap().contains(&own) {
            break message;
        }
    };
    assert_eq!(answer.status(), 482);
    setup.phone.acknowledge_refusal(&twin, &answer);
    assert_eq!(setup.cancel().status(), 487);
}

#[test]
fn request_without_hops_left_is_still_answered_for_we_are_its_end() {
    // 483 is a proxy's word (RFC 3261 §16.3); an end may use it too, but never falls silent.
    let switch = switch();
    let mut phone = Phone::udp(&switch);
    let options = phone
        .request("OPTIONS", &phone.uri("tone"))
        .set("Max-Forwards", "0");
    let status = phone.exchange(&options).status();
    assert!([200, 483].contains(&status), "{status}");
}

#[test]
fn second_invite_before_the_answer_to_the_first_is_put_off_with_500() {
    let switch = switch();
    let mut setup = Phone::udp(&switch).invite("rings");
    let ringing = setup.rings_with(180);
    let second = setup
        .invite
        .clone()
        .set("Via", setup.phone.via())
        .set("To", ringing.header("To").unwrap())
        .set("CSeq", "2 INVITE");
    let answer = setup.phone.exchange(&second);
    assert_eq!(answer.status(), 500);
    let pause: u32 = answer.header("Retry-After").unwrap().parse().unwrap();
    assert!(pause <= 10, "RFC 3261 §14.2");
    assert_eq!(setup.cancel().status(), 487);
}

#[test]
fn request_that_is_older_than_the_last_is_refused_with_500() {
    let switch = switch();
    let mut call = Phone::udp(&switch).dial("tone");
    assert_eq!(call.exchange("OPTIONS", |request| request).status(), 200);
    call.dialog.cseq = 0;
    assert_eq!(call.exchange("INFO", |request| request).status(), 500);
    call.dialog.cseq = 10;
    call.media.hears(440.0);
    call.hang_up();
}

#[test]
fn offer_that_crosses_ours_is_put_off_with_491() {
    let switch = switch();
    let phone = Phone::udp(&switch);
    let media = Media::new(phone.local.ip());
    let invite = phone.request("INVITE", &phone.uri("tone"));
    let mut setup = Setup::send(phone, media, invite);
    let answer = setup.final_response();
    let mut call = setup.accept(answer);
    // Our offer stands in the 200 and waits for its answer in the ACK.
    let offer = message::sdp(call.media.local(), COMMON, "sendrecv", 1);
    let update = call
        .dialog
        .request(&call.phone, "UPDATE")
        .body("application/sdp", offer.clone());
    assert_eq!(call.phone.exchange(&update).status(), 491);
    let ack = call
        .dialog
        .ack(&call.phone, 1)
        .body("application/sdp", offer);
    call.phone.send(&ack);
    call.media.hears(440.0);
    call.hang_up();
}

#[test]
fn offer_without_a_common_codec_within_a_call_gets_488_and_changes_nothing() {
    let switch = switch();
    let mut call = Phone::udp(&switch).dial("tone");
    let offer = message::sdp(call.media.local(), &[18], "sendrecv", 2);
    assert_eq!(call.reinvite(offer).status(), 488);
    let invite = call.dialog.request(&call.phone, "INVITE");
    let unreadable = call
        .phone
        .exchange(&invite.body("text/poetry", "a rose is a rose"));
    assert_eq!(unreadable.status(), 415);
    call.media.hears(440.0);
    call.hang_up();
}

#[test]
fn cancel_and_requests_of_no_call_get_481() {
    let switch = switch();
    let mut phone = Phone::udp(&switch);
    for method in ["BYE", "INFO", "UPDATE", "INVITE"] {
        let stranger = phone.request(method, &phone.uri("tone"));
        let to = format!("{};tag=nobody", stranger.header("To").unwrap());
        let answer = phone.exchange(&stranger.set("To", to));
        assert_eq!(answer.status(), 481, "{method}");
    }
    let cancel = phone.request("CANCEL", &phone.uri("tone"));
    assert_eq!(phone.exchange(&cancel).status(), 481);
}

#[test]
fn switch_that_stops_refuses_calls_and_says_so_to_options() {
    let mut switch = switch();
    let mut call = Phone::udp(&switch).dial("tone");
    switch.terminate();
    let bye = call.phone.request_within("BYE", PATIENCE).expect("a BYE");
    let mut late = Phone::udp(&switch);
    let options = late.exchange(&late.request("OPTIONS", &late.uri("tone")));
    assert_eq!(options.status(), 503);
    let mut setup = Phone::udp(&switch).invite("tone");
    let refused = setup.final_response();
    assert_eq!(refused.status(), 503);
    assert!(refused.header("Retry-After").is_some());
    setup.phone.acknowledge_refusal(&setup.invite, &refused);
    call.phone.send_raw(&message::response(&bye, "200 OK", &[]));
    thread::sleep(Duration::from_millis(10));
    assert!(wait(PATIENCE, || switch.is_dead()), "{}", switch.log());
}
