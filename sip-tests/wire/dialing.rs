//! Calls under way: forks, resends, cancelling, and who answers first.

use std::thread;
use std::time::Duration;

use crate::call::Call;
use crate::message::Message;
use crate::phone::Phone;
use crate::switch::{Setting, Switch, connect};

const NUMBER: &str = "+15550111";

fn switch() -> (Switch, Phone) {
    let trunk = Phone::trunk();
    let switch = Setting::new()
        .trunk("carrier", &trunk, NUMBER, "")
        .connecting("out", NUMBER, "")
        .start();
    (switch, trunk)
}

#[track_caller]
fn talk_and_end(caller: Call, mut called: Call) {
    called.plays(700.0);
    caller.media.hears(700.0);
    caller.hang_up();
    called.is_hung_up_within(Duration::from_secs(2));
}

#[test]
fn second_answer_of_a_fork_is_acknowledged_and_hung_up() {
    let (switch, trunk) = switch();
    let setup = Phone::udp(&switch).invite("out");
    let mut incoming = trunk.called();
    incoming.rings();
    incoming.as_another().rings();
    let first = incoming.accepts();
    incoming.as_another();
    let second = incoming.accepts();
    incoming.phone.send_raw(&first);
    incoming.phone.send_raw(&second);
    let tag_of = |bytes: &[u8]| Message::parse(bytes).unwrap().tag("To");
    let mut acks = Vec::new();
    for _ in 0..2 {
        let ack = incoming
            .phone
            .request_within("ACK", Duration::from_secs(2))
            .expect("two ACKs");
        acks.push(ack.tag("To"));
    }
    acks.sort();
    let mut both = vec![tag_of(&first), tag_of(&second)];
    both.sort();
    assert_eq!(acks, both);
    let bye = incoming.phone.takes("BYE");
    assert_eq!(bye.tag("To"), tag_of(&second), "the first answer stays");
    let caller = setup.answered();
    caller.hang_up();
    assert_eq!(incoming.phone.takes("BYE").tag("To"), tag_of(&first));
}

#[test]
fn each_resend_of_the_200_gets_an_ack() {
    let (switch, trunk) = switch();
    let setup = Phone::udp(&switch).invite("out");
    let mut incoming = trunk.called();
    let answer = incoming.accepts();
    for _ in 0..3 {
        incoming.phone.send_raw(&answer);
        let ack = incoming.phone.request_within("ACK", Duration::from_secs(2));
        assert!(ack.is_some());
    }
    incoming.phone.send_raw(&answer);
    let called = incoming.acknowledged(&answer);
    talk_and_end(setup.answered(), called);
}

#[test]
fn caller_that_gives_up_cancels_the_callee() {
    let (switch, trunk) = switch();
    let mut setup = Phone::udp(&switch).invite("out");
    let mut incoming = trunk.called();
    incoming.rings();
    setup.rings_with(180);
    let caller = thread::spawn(move || setup.cancel());
    incoming.canceled_within(Duration::from_secs(2));
    assert_eq!(caller.join().unwrap().status(), 487);
}

#[test]
fn cancel_waits_for_the_first_word_of_the_callee() {
    let (switch, trunk) = switch();
    let setup = Phone::udp(&switch).invite("out");
    let mut incoming = trunk.called();
    assert_eq!(setup.cancel().status(), 487);
    // Nothing was said yet, so there is nothing to cancel (RFC 3261 §9.1).
    let early = incoming
        .phone
        .request_within("CANCEL", Duration::from_millis(300));
    assert!(early.is_none(), "a CANCEL before any response");
    incoming.rings();
    incoming.canceled_within(Duration::from_secs(2));
}

#[test]
fn callee_that_answers_while_it_is_cancelled_is_hung_up() {
    let (switch, trunk) = switch();
    let mut setup = Phone::udp(&switch).invite("out");
    let mut incoming = trunk.called();
    incoming.rings();
    setup.rings_with(180);
    setup.cancel();
    let cancel = incoming
        .phone
        .request_within("CANCEL", Duration::from_secs(2))
        .expect("a CANCEL");
    incoming.phone.respond(&cancel, "200 OK", &[], None);
    let mut called = incoming.answers();
    called.is_hung_up_within(Duration::from_secs(2));
}

#[test]
fn of_three_that_ring_the_first_to_answer_is_joined_and_the_others_are_cancelled() {
    let trunks = [Phone::trunk(), Phone::trunk(), Phone::trunk()];
    let numbers = ["+15550111", "+15550112", "+15550113"];
    let flow = format!(r#"[{}, {{"type": "hangup"}}]"#, connect(&numbers, ""));
    let mut setting = Setting::new().flow("out", &flow);
    for (trunk, number) in trunks.iter().zip(numbers) {
        setting = setting.trunk(number, trunk, number, "");
    }
    let switch = setting.start();
    let setup = Phone::udp(&switch).invite("out");
    let mut ringing: Vec<_> = trunks.into_iter().map(Phone::called).collect();
    for incoming in &mut ringing {
        incoming.rings();
    }
    let winner = ringing.remove(1).answers();
    for loser in ringing {
        loser.canceled_within(Duration::from_secs(2));
    }
    talk_and_end(setup.answered(), winner);
}

#[test]
fn extension_rings_wherever_it_is_registered_and_one_answers() {
    let switch = Setting::new()
        .extension("1001")
        .connecting("desk", "1001", "")
        .start();
    let phones = [
        Phone::extension(&switch, "1001"),
        Phone::extension(&switch, "1001"),
    ];
    let setup = Phone::udp(&switch).invite("desk");
    let [mut first, mut second] = phones.map(Phone::called);
    first.rings();
    second.rings();
    let called = second.answers();
    first.canceled_within(Duration::from_secs(2));
    talk_and_end(setup.answered(), called);
}

#[test]
fn called_one_of_a_call_action_meets_its_actions_while_the_caller_goes_on() {
    let trunk = Phone::trunk();
    let flow = format!(
        r#"[{{"type": "answer"}},
            {{"type": "call", "option": {{
                "source": {{"type": "tel", "target": "+15550100"}},
                "destinations": [{{"type": "tel", "target": "{NUMBER}"}}],
                "actions": [{{"type": "play", "option": {{"stream_urls": ["440.wav"]}}}}, {{"type": "hangup"}}]}}}},
            {{"type": "echo", "option": {{"duration": 60000}}}}]"#
    );
    let switch = Setting::new()
        .trunk("carrier", &trunk, NUMBER, "")
        .flow("out", &flow)
        .start();
    let caller = Phone::udp(&switch).dial("out");
    let mut incoming = trunk.called();
    incoming.rings();
    let mut called = incoming.answers();
    called.media.hears(440.0);
    caller.plays(900.0);
    caller.media.hears(900.0);
    called.is_hung_up_within(Duration::from_secs(5));
    caller.hang_up();
}
