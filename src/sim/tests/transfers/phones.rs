//! Transfers that telephones ask for: REFER, and INVITE with Replaces.

use super::super::kit::{out, plan_with, speaking};
use super::*;
use crate::sim::phone::LineId;
use crate::store::trunks::TrunkOut;

impl Talks {
    fn refer(&mut self, phone: PhoneId, target: &str) {
        self.world
            .with(phone, |phone, now| phone.refer(now, target));
    }

    /// Bob holds alice and calls carol; both of his calls.
    fn ask_back(&mut self) -> [LineId; 2] {
        let first = self.world.line(self.bob).id;
        self.world
            .with(self.bob, |phone, now| phone.hold(now, "sendonly"));
        self.world.pass_ms(300);
        self.world.dial(self.bob, CAROL);
        self.world.pass_ms(2500);
        self.hear([None, Some(600), Some(500)]);
        assert!(self.world.hears_music(self.alice));
        [first, self.world.line(self.bob).id]
    }

    /// What names the call of a telephone to the switch, with a telephone of ours on the other side.
    fn replaces(&self, phone: PhoneId) -> String {
        let line = self.world.line(phone);
        format!(
            "Replaces: {};to-tag={};from-tag={}",
            line.call_id, line.remote_tag, line.local_tag
        )
    }

    /// A telephone sends an INVITE with more headers, and is given half a second.
    fn take(&mut self, phone: PhoneId, header: &str) {
        let header = format!("{header}\r\n");
        self.world
            .with(phone, |phone, now| phone.dial_with(now, BOB, &header));
        self.world.pass_ms(500);
    }
}

#[test]
fn telephone_is_told_how_its_transfer_goes_and_is_hung_up_when_it_has_worked() {
    for target in ["sip:1002@10.0.0.1", "sip:extension%3A1002@switch.example"] {
        let mut t = talks(740);
        t.refer(t.bob, target);
        t.world.pass_ms(500);
        assert!(t.world.hears_ringback(t.alice));
        assert!(t.world.is_silent(t.bob));
        assert_eq!(t.world.state(t.bob), PhoneState::Answered);
        t.world.pass_ms(1500);
        t.hear([Some(600), None, Some(400)]);
        assert_eq!(
            t.world.at(t.bob).notified(),
            [
                "SIP/2.0 100 Trying",
                "SIP/2.0 180 Ringing",
                "SIP/2.0 200 OK"
            ]
        );
        assert_eq!(t.world.state(t.bob), BY_SWITCH);
        assert_eq!(t.cursor(), "connect");
        t.world.hang_up(t.carol);
        t.world.pass_ms(500);
        assert_eq!(t.cursor(), "after");
        t.rest();
        assert_eq!(t.times_after(), 1);
    }
}

#[test]
fn telephone_hangs_up_after_the_202_and_is_told_all_the_same() {
    let mut t = talks(741);
    t.refer(t.bob, "sip:1002@10.0.0.1");
    t.world.pass_ms(50);
    assert!(t.world.words(t.bob).contains(&"202 REFER"));
    t.world.hang_up(t.bob);
    t.world.pass_ms(500);
    assert!(t.world.hears_ringback(t.alice));
    t.world.pass_ms(1500);
    t.hear([Some(600), None, Some(400)]);
    let told = t.world.at(t.bob).notified();
    assert_eq!(told.last().map(String::as_str), Some("SIP/2.0 200 OK"));
    t.rest();
}

#[test]
fn telephone_that_has_waited_has_its_talk_back_when_nobody_takes_it() {
    for hangs_up in [false, true] {
        let mut t = talks(742);
        t.world
            .when_called(t.carol, Called::refuses_after(800, 486));
        t.world
            .with(t.bob, |phone, now| phone.hold(now, "sendonly"));
        t.world.pass_ms(300);
        assert!(t.world.hears_music(t.alice));
        t.refer(t.bob, "sip:1002@10.0.0.1");
        t.world.pass_ms(400);
        assert!(t.world.hears_ringback(t.alice));
        if hangs_up {
            t.world.hang_up(t.bob);
        }
        t.world.pass_ms(1000);
        let told = t.world.at(t.bob).notified();
        assert_eq!(
            told.last().map(String::as_str),
            Some("SIP/2.0 486 Busy Here")
        );
        if hangs_up {
            assert_eq!(t.cursor(), "after");
        } else {
            assert_eq!(t.cursor(), "connect");
            assert!(t.world.hears_music(t.alice));
            t.world
                .with(t.bob, |phone, now| phone.hold(now, "sendrecv"));
            t.world.pass_ms(500);
            t.hear([Some(500), Some(400), None]);
        }
        t.rest();
    }
}

#[test]
fn only_an_extension_may_refer_and_only_whom_it_talks_with() {
    let mut t = talks(743);
    t.refer(t.alice, "sip:1002@10.0.0.1");
    t.world.pass_ms(500);
    assert!(t.world.words(t.alice).contains(&"403 REFER"));
    t.hear([Some(500), Some(400), None]);
    t.refer(t.bob, "sip:9999@10.0.0.1");
    t.world.pass_ms(500);
    assert!(t.world.words(t.bob).contains(&"404 REFER"));
    t.hear([Some(500), Some(400), None]);
    t.rest();
    // The extension alone, in a flow of ours.
    let mut t = before_talks(talks_plan(744).flow("wait", patience()));
    t.world.dial(t.bob, "wait");
    t.world.pass_ms(500);
    t.refer(t.bob, "sip:1002@10.0.0.1");
    t.world.pass_ms(500);
    assert!(t.world.words(t.bob).contains(&"603 REFER"));
    t.rest();
}

#[test]
fn trunk_may_not_refer() {
    let flow = json!([{"type": "connect", "option": {
        "destinations": [{"type": "tel", "target": "+15551112222"}],
    }}]);
    let mut t = before_talks(talks_plan(745).flow("number", flow));
    t.world.dial(t.alice, "number");
    t.world.pass_ms(2000);
    assert_eq!(t.world.voices(t.alice), [800]);
    t.refer(t.carrier, "sip:1002@10.0.0.1");
    t.world.pass_ms(500);
    assert!(t.world.words(t.carrier).contains(&"403 REFER"));
    assert_eq!(t.world.voices(t.alice), [800]);
    t.rest();
}

#[test]
fn referred_number_leaves_by_a_trunk_within_its_limits_and_nothing_else_leaves() {
    let limited = TrunkOut {
        channels: 1,
        ..out("carrier.example")
    };
    let trunks = plan_with(0, vec![limited]).directory.trunks;
    for target in ["tel:+15551112222", "sip:+15551112222@10.0.0.1"] {
        let mut plan = talks_plan(746);
        plan.directory.trunks = trunks.clone();
        let mut t = before_talks(plan);
        t.world.dial(t.alice, "out");
        t.world.pass_ms(2000);
        t.refer(t.bob, target);
        t.world.pass_ms(2000);
        assert_eq!(t.world.voices(t.alice), [800]);
        assert_eq!(t.world.voices(t.carrier), [400]);
        // The one channel is taken.
        let dave = speaking(&mut t.world, "dave", "10.0.0.24", 900);
        t.world.dial(dave, "out");
        t.world.pass_ms(2000);
        assert_eq!(t.world.voices(dave), [500]);
        t.refer(t.bob, target);
        t.world.pass_ms(1000);
        let told = t.world.at(t.bob).notified();
        assert!(told.last().unwrap().starts_with("SIP/2.0 5"), "{told:?}");
        assert_eq!(t.world.voices(dave), [500], "as before");
        t.hang_up_all(dave);
        t.rest();
    }
    for stranger in ["sip:eve@203.0.113.5", "sip:eve@203.0.113.5;maddr=10.0.0.23"] {
        let mut t = talks(747);
        t.refer(t.bob, stranger);
        t.world.pass_ms(1000);
        let told = t.world.at(t.bob).notified();
        assert!(!told.iter().any(|line| line.contains("200")), "{told:?}");
        assert_eq!(t.world.strays, []);
        t.hear([Some(500), Some(400), None]);
        t.rest();
    }
}

#[test]
fn telephone_with_two_calls_joins_those_it_talks_with_and_leaves_both() {
    for by in 0..2 {
        for last in 0..2 {
            let mut t = talks(748);
            let lines = t.ask_back();
            t.world.with(t.bob, |phone, now| {
                phone.take_up(lines[by]);
                phone.refer_into(now, lines[1 - by]);
            });
            t.world.pass_ms(700);
            t.hear([Some(600), None, Some(400)]);
            let told = t.world.at(t.bob).notified();
            assert_eq!(told.last().map(String::as_str), Some("SIP/2.0 200 OK"));
            let living = t.world.at(t.bob).lines().filter(|line| line.is_living());
            assert_eq!(living.count(), 0);
            assert_eq!(t.cursor(), "connect");
            t.world.hang_up(if last == 0 { t.carol } else { t.alice });
            t.world.pass_ms(500);
            if last == 0 {
                assert_eq!(t.cursor(), "after");
            } else {
                assert_eq!(t.world.state(t.carol), BY_SWITCH);
            }
            t.rest();
            assert_eq!(t.times_after(), usize::from(last == 0));
        }
    }
}

#[test]
fn two_callers_of_one_telephone_are_joined_and_the_flow_of_the_one_who_stays_goes_on() {
    for first_leaves in [true, false] {
        let mut t = talks(749);
        let first = t.world.line(t.bob).id;
        let dave = speaking(&mut t.world, "dave", "10.0.0.24", 900);
        t.world.dial(dave, "out");
        t.world.pass_ms(1500);
        assert_eq!(t.world.voices(dave), [500]);
        t.world
            .with(t.bob, |phone, now| phone.refer_into(now, first));
        t.world.pass_ms(700);
        assert_eq!(
            (t.world.voices(t.alice), t.world.voices(dave)),
            (vec![900], vec![400])
        );
        let (leaves, stays) = match first_leaves {
            true => (t.alice, dave),
            false => (dave, t.alice),
        };
        t.world.hang_up(leaves);
        t.world.pass_ms(500);
        assert_eq!(t.world.voices(stays), [700], "the next action");
        t.world.pass_ms(1500);
        assert_eq!(t.world.state(stays), BY_SWITCH);
        t.rest();
    }
}

#[test]
fn extension_that_has_called_gives_whom_it_called_away() {
    let mut t = before_talks(talks_plan(755));
    t.world.dial(t.bob, "+15551112222");
    t.world.pass_ms(2500);
    assert_eq!(t.world.voices(t.bob), [800]);
    t.refer(t.bob, "sip:1002@10.0.0.1");
    t.world.pass_ms(500);
    assert!(t.world.hears_ringback(t.carrier));
    t.world.pass_ms(1500);
    assert_eq!(t.world.state(t.bob), BY_SWITCH);
    assert_eq!(t.world.voices(t.carrier), [600]);
    assert_eq!(t.world.voices(t.carol), [800]);
    t.world.hang_up(t.carrier);
    t.world.pass_ms(500);
    assert_eq!(t.world.state(t.carol), BY_SWITCH);
    t.rest();
}

#[test]
fn what_a_refer_may_not_join_stays_as_it_is() {
    let mut t = talks(750);
    let lines = t.ask_back();
    // Carol, another extension, knows the tags of bob's call.
    let header = t.replaces(t.bob).replace("Replaces: ", "");
    let escaped = header
        .replace(';', "%3B")
        .replace('=', "%3D")
        .replace('@', "%40");
    t.refer(t.carol, &format!("sip:x@10.0.0.1?Replaces={escaped}"));
    t.world.pass_ms(300);
    assert!(t.world.words(t.carol).contains(&"403 REFER"));
    t.refer(
        t.bob,
        "sip:x@10.0.0.1?Replaces=a%3Bto-tag%3Db%3Bfrom-tag%3Dc",
    );
    t.world.pass_ms(300);
    assert!(t.world.words(t.bob).contains(&"481 REFER"));
    t.world
        .with(t.bob, |phone, now| phone.refer_into(now, lines[1]));
    t.world.pass_ms(300);
    assert!(t.world.words(t.bob).contains(&"603 REFER"), "into itself");
    t.hear([None, Some(600), Some(500)]);
    t.rest();
}

#[test]
fn ringing_call_is_picked_up_by_another_extension() {
    for early_only in ["", ";early-only"] {
        let mut t = before_talks(talks_plan(751));
        t.world.when_called(t.bob, Called::rings());
        t.world.dial(t.alice, "out");
        t.world.pass_ms(1000);
        let header = t.replaces(t.bob) + early_only;
        t.take(t.carol, &header);
        assert_eq!(t.world.state(t.bob), BY_SWITCH);
        assert_eq!(t.world.words(t.bob).last(), Some(&"ACK"));
        t.hear([Some(600), None, Some(400)]);
        assert_eq!(t.cursor(), "connect");
        t.world.hang_up(t.carol);
        t.world.pass_ms(500);
        assert_eq!(t.cursor(), "after");
        t.rest();
        assert_eq!(t.times_after(), 1);
    }
}

#[test]
fn talk_goes_on_at_another_telephone() {
    for is_callee in [true, false] {
        for last in 0..2 {
            let mut t = talks(752);
            let replaced = if is_callee { t.bob } else { t.alice };
            let (stays, tone) = if is_callee {
                (t.alice, 400)
            } else {
                (t.bob, 500)
            };
            let header = t.replaces(replaced);
            t.take(t.carol, &header);
            assert_eq!(t.world.state(replaced), BY_SWITCH);
            assert_eq!(t.world.voices(stays), [600]);
            assert_eq!(t.world.voices(t.carol), [tone]);
            t.world.hang_up(if last == 0 { t.carol } else { stays });
            t.world.pass_ms(2000);
            for phone in [stays, t.carol] {
                assert!(!t.world.line(phone).is_living());
            }
            t.rest();
            assert_eq!(t.times_after(), usize::from(is_callee && last == 0));
        }
    }
}

#[test]
fn what_may_not_be_replaced_is_refused_as_rfc_3891_says() {
    let mut t = talks(753);
    let header = t.replaces(t.bob);
    let refused = [
        (t.carol, format!("{header};early-only"), "486 INVITE"),
        (t.alice, header.clone(), "403 INVITE"),
        (
            t.carol,
            "Replaces: a;to-tag=b;from-tag=c".to_owned(),
            "481 INVITE",
        ),
        (t.carol, "Replaces: a".to_owned(), "400 INVITE"),
    ];
    for (phone, header, status) in refused {
        t.take(phone, &header);
        assert!(t.world.words(phone).contains(&status), "{header}");
        assert_eq!(t.world.voices(t.bob), [400], "{header}");
    }
    t.rest();
}

#[test]
fn caller_that_is_not_answered_and_one_that_is_alone_are_not_replaced() {
    let mut t = before_talks(
        talks_plan(754)
            .flow("wait", patience())
            .flow("ring", ringing()),
    );
    for (flow, status) in [("ring", "481 INVITE"), ("wait", "603 INVITE")] {
        t.world.dial(t.alice, flow);
        t.world.pass_ms(500);
        let line = t.world.line(t.alice);
        assert!(!line.remote_tag.is_empty());
        let header = t.replaces(t.alice);
        t.take(t.carol, &header);
        assert!(t.world.words(t.carol).contains(&status), "{flow}");
        t.hang_up_all(t.alice);
        t.world.pass_ms(300);
    }
    t.rest();
}
