//! Who may call, who may register, and what a scanner learns: nothing.

use super::*;
use crate::sip::message::{HeaderName, Message, Method};
use crate::store::access::Accept;

const STRANGER: &str = "203.0.113.5";
const TRUNK: &str = "198.51.100.7";

fn world(seed: u64) -> World {
    plan(seed).build()
}

fn plan(seed: u64) -> Plan {
    let mut plan = Plan::new(seed).flow("menu", menu());
    plan.trunks = vec![("carrier", "198.51.100.0/24")];
    plan.extensions = vec![("1000", "secret")];
    plan
}

fn with_password(world: &mut World, user: &str, ip: &str, password: &str) -> PhoneId {
    let phone = world.phone(user, ip);
    world.with(phone, |phone, _| {
        phone.habits.password = Some(password.to_owned())
    });
    phone
}

fn register(world: &mut World, phone: PhoneId) {
    world.with(phone, |phone, now| {
        let contact = format!(
            "Contact: <sip:{}@{}>\r\nExpires: 600\r\n",
            phone.user, phone.sip
        );
        phone.ask(now, Method::Register, &contact);
    });
    world.pass_ms(100);
}

#[test]
fn stranger_s_invite_and_options_get_silence_however_often_they_come() {
    let mut world = world(100);
    let phone = world.phone("caller", STRANGER);
    world.dial(phone, "menu");
    world.with(phone, |phone, now| phone.ask(now, Method::Options, ""));
    world.pass(Duration::from_secs(40));
    assert_eq!(world.words(phone), [""; 0]);
    world.settle();
}

#[test]
fn stranger_s_nonsense_gets_silence_too() {
    let mut world = world(101);
    let phone = world.phone("caller", STRANGER);
    for method in [
        Method::Bye,
        Method::Info,
        Method::Message,
        Method::Subscribe,
        Method::Refer,
        Method::Update,
    ] {
        world.with(phone, |phone, now| phone.ask(now, method, ""));
    }
    world.with(phone, |phone, _| {
        phone.habits.headers = "Require: magic\r\n".to_owned()
    });
    world.dial(phone, "menu");
    world.with(phone, |phone, _| phone.habits.offer = Offer::Broken);
    world.dial(phone, "menu");
    world.pass(Duration::from_secs(40));
    assert_eq!(world.words(phone), [""; 0]);
    world.settle();
}

/// The answer to a REGISTER, without what differs in every message.
fn answer_to_register(user: &str) -> String {
    let mut world = world(102);
    let phone = world.phone(user, STRANGER);
    register(&mut world, phone);
    let seen = world.at(phone).last("401 REGISTER").expect("a challenge");
    let Message::Response(response) = &seen.message else {
        panic!("a response");
    };
    let mut lines = vec![format!("{:?} {:?}", response.status, response.reason)];
    for (name, value) in response.headers.iter() {
        let mut value = String::from_utf8_lossy(value).replace(user, "USER");
        if *name == HeaderName::WwwAuthenticate {
            let (before, rest) = value.split_once("nonce=\"").expect("a nonce");
            let (nonce, after) = rest.split_once('"').expect("its end");
            value = format!("{before}nonce of {} characters{after}", nonce.len());
        }
        if !matches!(
            name,
            HeaderName::CallId | HeaderName::From | HeaderName::To | HeaderName::Via
        ) {
            lines.push(format!("{name:?}: {value}"));
        }
    }
    lines.join("\n")
}

#[test]
fn register_of_a_stranger_is_challenged_alike_whether_the_extension_exists_or_not() {
    assert_eq!(answer_to_register("1000"), answer_to_register("9999"));
}

#[test]
fn registered_stranger_may_call_by_digest() {
    let mut world = world(103);
    let phone = with_password(&mut world, "1000", STRANGER, "secret");
    register(&mut world, phone);
    assert_eq!(world.words(phone), ["401 REGISTER", "200 REGISTER"]);
    world.dial(phone, "menu");
    world.pass_ms(500);
    assert_eq!(world.words(phone)[2..], ["401 INVITE", "200 INVITE"]);
    assert_eq!(world.hears(phone), Some(400));
    assert_eq!(
        world.switch.variable("voipbin.call.source.type"),
        Some("extension")
    );
    assert_eq!(
        world.switch.variable("voipbin.call.source.target"),
        Some("1000")
    );
    world.hang_up(phone);
    world.settle();
}

#[test]
fn registered_stranger_is_a_stranger_again_when_its_binding_has_expired() {
    let mut world = world(104);
    let phone = with_password(&mut world, "1000", STRANGER, "secret");
    register(&mut world, phone);
    world.pass(Duration::from_secs(700));
    world.dial(phone, "menu");
    world.pass(Duration::from_secs(40));
    assert_eq!(world.words(phone), ["401 REGISTER", "200 REGISTER"]);
    world.settle();
}

#[test]
fn wrong_password_is_refused_and_in_the_end_not_even_answered() {
    let mut world = world(105);
    let phone = with_password(&mut world, "1000", "127.0.0.9", "wrong");
    let mut answers = Vec::new();
    for _ in 0..8 {
        let before = world.words(phone).len();
        world.dial(phone, "menu");
        world.pass(Duration::from_secs(1));
        let answered = world.words(phone)[before..]
            .iter()
            .filter(|word| **word == "401 INVITE")
            .count();
        answers.push(answered);
        assert!(!world.words(phone).contains(&"200 INVITE"));
    }
    assert_eq!(answers[..4], [2, 2, 2, 2], "a challenge, and another one");
    assert!(answers.iter().any(|count| *count < 2), "{answers:?}");
    world.settle();
}

#[test]
fn extension_claimed_from_loopback_must_be_proven() {
    let mut world = world(106);
    let [liar, owner] = [
        world.phone("1000", "127.0.0.1"),
        with_password(&mut world, "1000", "127.0.0.2", "secret"),
    ];
    world.dial(liar, "menu");
    world.dial(owner, "menu");
    world.pass_ms(300);
    assert_eq!(world.words(liar), ["401 INVITE"]);
    assert_eq!(world.words(owner), ["401 INVITE", "200 INVITE"]);
    world.hang_up(owner);
    world.settle();
}

#[test]
fn neighbour_who_claims_nothing_needs_no_proof() {
    let mut world = world(107);
    for ip in ["127.0.0.1", "10.1.2.3", "192.168.7.7"] {
        let phone = world.phone("visitor", ip);
        world.dial(phone, "menu");
        world.pass_ms(300);
        assert_eq!(world.state(phone), PhoneState::Answered, "{ip}");
        world.hang_up(phone);
    }
    world.settle();
}

#[test]
fn trunk_is_known_by_its_address_and_may_present_anyone() {
    let mut world = world(108);
    for user in ["+15551112222", "1000", "anonymous"] {
        let phone = world.phone(user, TRUNK);
        world.dial(phone, "menu");
        world.pass_ms(300);
        assert_eq!(world.state(phone), PhoneState::Answered, "{user}");
        world.hang_up(phone);
    }
    world.settle();
}

#[test]
fn anyone_may_call_when_the_policy_says_so_but_an_extension_must_still_be_proven() {
    let mut plan = plan(109);
    plan.accept = Accept::Anyone;
    let mut world = plan.build();
    let [anyone, liar] = [
        world.phone("anyone", STRANGER),
        world.phone("1000", "203.0.113.6"),
    ];
    world.dial(anyone, "menu");
    world.dial(liar, "menu");
    world.pass_ms(300);
    assert_eq!(world.state(anyone), PhoneState::Answered);
    assert_eq!(world.words(liar), ["401 INVITE"]);
    world.hang_up(anyone);
    world.settle();
}

#[test]
fn options_of_a_neighbour_are_answered_with_what_we_can_do() {
    let mut world = world(110);
    let phone = world.phone("caller", "10.0.0.21");
    world.with(phone, |phone, now| phone.ask(now, Method::Options, ""));
    world.pass_ms(100);
    let Some(Message::Response(ok)) = world
        .at(phone)
        .last("200 OPTIONS")
        .map(|seen| &seen.message)
    else {
        panic!("{:?}", world.words(phone));
    };
    assert!(ok.headers.has(&HeaderName::Allow) && ok.headers.has(&HeaderName::Accept));
    world.settle();
}
