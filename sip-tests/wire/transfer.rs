//! A party hands the other on: REFER, REFER with Replaces, INVITE with Replaces, and targets that are forbidden.

use std::time::Duration;

use crate::call::{Call, Setup};
use crate::message;
use crate::phone::{COMMON, Phone};
use crate::rtp::Media;
use crate::switch::{Setting, Switch};

const NUMBER: &str = "+15550111";
const OTHER: &str = "+15550222";

struct Office {
    switch: Switch,
    trunk: Phone,
    other: Phone,
}

/// `out` leads to the one trunk, `other` to the other; 1001 and 1003 may register.
fn office() -> Office {
    let (trunk, other) = (Phone::trunk(), Phone::trunk());
    let switch = Setting::new()
        .trunk("carrier", &trunk, NUMBER, "")
        .trunk("another", &other, OTHER, "")
        .extension("1001")
        .extension("1003")
        .connecting("out", NUMBER, "")
        .connecting("other", OTHER, "")
        .connecting("desk", "1001", "")
        .start();
    Office {
        switch,
        trunk,
        other,
    }
}

/// Extension 1001 calls `user` and proves who it is when asked.
#[track_caller]
fn dials_as_1001(switch: &Switch, user: &str) -> Setup {
    let mut phone = Phone::extension(switch, "1001");
    let media = Media::new(phone.local.ip());
    let offer = message::sdp(media.local(), COMMON, "sendrecv", 1);
    let own = format!(
        "<sip:1001@{}>;tag={}",
        phone.server,
        crate::phone::unique("own")
    );
    let invite = phone
        .request("INVITE", &phone.uri(user))
        .set("From", own)
        .body("application/sdp", offer);
    phone.send(&invite);
    let first = phone.response(&invite);
    if first.status() != 401 {
        return Setup {
            phone,
            media,
            invite,
        };
    }
    phone.acknowledge_refusal(&invite, &first);
    let again = phone
        .proven(&invite, &first, "1001", crate::called::PASSWORD)
        .expect("a challenge");
    Setup::send(phone, media, again)
}

#[track_caller]
fn hear_each_other(a: &Call, b: &Call) {
    a.plays(500.0);
    b.plays(700.0);
    a.media.hears(700.0);
    b.media.hears(500.0);
}

fn target(switch: &Switch, user: &str) -> String {
    format!("<sip:{user}@{}>", switch.sip(false))
}

#[test]
fn caller_hands_the_callee_on_to_an_extension() {
    let Office { switch, trunk, .. } = office();
    let desk = Phone::extension(&switch, "1003");
    let setup = dials_as_1001(&switch, "out");
    let called = trunk.called().answers();
    let mut caller = setup.answered();
    hear_each_other(&caller, &called);
    let accepted = caller.refers(&target(&switch, "1003"));
    assert_eq!(accepted.status(), 202, "{}", accepted.start_line);
    let mut incoming = desk.called();
    incoming.rings();
    let desk = incoming.answers();
    assert_eq!(caller.is_told(Duration::from_secs(3)), 200);
    hear_each_other(&desk, &called);
    caller.is_hung_up_within(Duration::from_secs(3));
    let mut called = called;
    desk.hang_up();
    called.is_hung_up_within(Duration::from_secs(3));
}

#[test]
fn callee_hands_the_caller_on_to_another_extension() {
    let Office { switch, .. } = office();
    let desk = Phone::extension(&switch, "1003");
    let phone = Phone::extension(&switch, "1001");
    let setup = Phone::udp(&switch).invite("desk");
    let mut called = phone.called().answers();
    let caller = setup.answered();
    hear_each_other(&caller, &called);
    assert_eq!(called.refers(&target(&switch, "1003")).status(), 202);
    let mut incoming = desk.called();
    incoming.rings();
    let desk = incoming.answers();
    assert_eq!(called.is_told(Duration::from_secs(3)), 200);
    hear_each_other(&caller, &desk);
    called.is_hung_up_within(Duration::from_secs(3));
    caller.hang_up();
}

#[test]
fn trunk_may_not_transfer() {
    let Office {
        switch,
        trunk,
        mut other,
    } = office();
    let setup = Phone::udp(&switch).invite("out");
    let mut called = trunk.called().answers();
    let caller = setup.answered();
    assert_eq!(called.refers(&target(&switch, OTHER)).status(), 403);
    assert!(!other.is_rung_within(Duration::from_millis(300)));
    hear_each_other(&caller, &called);
    caller.hang_up();
}

#[test]
fn caller_joins_the_two_it_speaks_with() {
    let Office {
        switch,
        trunk,
        other,
    } = office();
    let setup = dials_as_1001(&switch, "out");
    let first = trunk.called().answers();
    let mut held = setup.answered();
    let hold = message::sdp(held.media.local(), COMMON, "sendonly", 2);
    assert_eq!(held.reinvite(hold).status(), 200);
    let setup = dials_as_1001(&switch, "other");
    let second = other.called().answers();
    let mut asking = setup.answered();
    hear_each_other(&asking, &second);
    let uri = format!(
        "<sip:{OTHER}@{}?Replaces={}>",
        switch.sip(false),
        asking.as_replaces()
    );
    assert_eq!(held.refers(&uri).status(), 202);
    assert_eq!(held.is_told(Duration::from_secs(3)), 200);
    hear_each_other(&first, &second);
    held.is_hung_up_within(Duration::from_secs(3));
    asking.is_hung_up_within(Duration::from_secs(3));
    let mut second = second;
    first.hang_up();
    second.is_hung_up_within(Duration::from_secs(3));
}

#[test]
fn invite_that_replaces_takes_over_the_call() {
    let Office { switch, trunk, .. } = office();
    let setup = dials_as_1001(&switch, "out");
    let called = trunk.called().answers();
    let mut old = setup.answered();
    hear_each_other(&old, &called);
    let mut phone = Phone::extension(&switch, "1003");
    let media = Media::new(phone.local.ip());
    let replaces = format!(
        "{};to-tag={};from-tag={}",
        old.dialog.call_id,
        old.dialog.to.split("tag=").nth(1).unwrap(),
        old.dialog.from.split("tag=").nth(1).unwrap()
    );
    let invite = phone
        .request("INVITE", &phone.uri("1001"))
        .set("From", format!("<sip:1003@{}>;tag=takes", phone.server))
        .with("Require", "replaces")
        .with("Replaces", replaces)
        .body(
            "application/sdp",
            message::sdp(media.local(), COMMON, "sendrecv", 1),
        );
    phone.send(&invite);
    let mut first = phone.response(&invite);
    let mut sent = invite.clone();
    if first.status() == 401 {
        phone.acknowledge_refusal(&invite, &first);
        sent = phone
            .proven(&invite, &first, "1003", crate::called::PASSWORD)
            .unwrap();
        phone.send(&sent);
        first = phone.final_response(&sent);
    } else if first.status() < 200 {
        first = phone.final_response(&sent);
    }
    assert_eq!(first.status(), 200, "{}", first.start_line);
    let mut new = Setup {
        phone,
        media,
        invite: sent,
    }
    .accept(first);
    let ack = new.dialog.ack(&new.phone, new.invite.cseq());
    new.phone.send(&ack);
    old.is_hung_up_within(Duration::from_secs(3));
    hear_each_other(&new, &called);
    new.hang_up();
}

#[test]
fn transfer_to_a_forbidden_target_is_refused_and_the_call_goes_on() {
    let Office {
        switch,
        trunk,
        mut other,
    } = office();
    let setup = dials_as_1001(&switch, "out");
    let called = trunk.called().answers();
    let mut caller = setup.answered();
    for uri in [
        "<sip:premium@203.0.113.77>".to_owned(),
        // A number that no trunk takes.
        target(&switch, "+4930123456"),
        "<tel:+4930123456>".to_owned(),
        "<sips:premium@203.0.113.77>".to_owned(),
        "<mailto:x@example.com>".to_owned(),
    ] {
        let answer = caller.refers(&uri);
        if answer.status() == 202 {
            let told = caller.is_told(Duration::from_secs(8));
            assert!(told >= 400, "{uri}: told {told}");
        } else {
            assert!(answer.status() >= 400, "{uri}: {}", answer.start_line);
        }
    }
    hear_each_other(&caller, &called);
    assert!(!other.is_rung_within(Duration::from_millis(10)));
    caller.hang_up();
}

#[test]
fn stranger_cannot_hand_itself_on_to_a_trunk() {
    let Office {
        switch, mut other, ..
    } = office();
    // Nobody has proven to be anybody: a call from a private network to a flow.
    let mut call = Phone::udp(&switch).dial("tone");
    let answer = call.refers(&target(&switch, OTHER));
    if answer.status() == 202 {
        assert!(call.is_told(Duration::from_secs(3)) >= 400);
    }
    assert!(
        !other.is_rung_within(Duration::from_millis(300)),
        "it got out"
    );
}

#[test]
fn failed_transfer_leaves_the_parties_joined() {
    let Office { switch, trunk, .. } = office();
    let desk = Phone::extension(&switch, "1003");
    let setup = dials_as_1001(&switch, "out");
    let called = trunk.called().answers();
    let mut caller = setup.answered();
    assert_eq!(caller.refers(&target(&switch, "1003")).status(), 202);
    desk.called().refuses("486 Busy Here");
    assert_eq!(caller.is_told(Duration::from_secs(3)), 486);
    hear_each_other(&caller, &called);
    caller.hang_up();
}
