use super::*;
use crate::call::cause::{Cause, NoWay, Why};
use crate::call::q850::Q850;
use crate::status::{CallStatus, HangupReason};

#[test]
fn every_code_is_one_word_of_its_own_and_problems_have_a_remedy() {
    let mut words: Vec<&str> = Code::ALL.iter().map(|code| code.word()).collect();
    let count = words.len();
    words.sort_unstable();
    words.dedup();
    assert_eq!(words.len(), count);
    for word in words {
        assert!(
            word.bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte == b'_'),
            "{word}"
        );
    }
    assert_eq!(Code::Refused(486).to_string(), "refused_486");
    assert!(!Code::NoAck.remedy().is_empty());
}

#[test]
fn facts_stand_in_the_sentence() {
    let mut facts = Facts::default();
    let no_ack = Cause::local(HangupReason::Failed, Why::NoAck);
    let without = Reason::of(&no_ack, &facts);
    facts.add(Fact::Contact("<sip:menu@10.0.0.1:5060>".into()));
    facts.add(Fact::Silent("192.0.2.1:5060".parse().unwrap()));
    facts.add(Fact::Silent("192.0.2.2:5060".parse().unwrap()));
    let with = Reason::of(&no_ack, &facts);
    assert_eq!(without.sentence, "no ACK came within 32 s for our 200");
    assert_eq!(
        with.sentence,
        "no ACK came within 32 s for our 200, whose Contact was <sip:menu@10.0.0.1:5060>"
    );
    let silent = Cause::undialed(CallStatus::Dialing, Q850::NO_RESPONSE, Why::NoResponse);
    assert_eq!(
        Reason::of(&silent, &facts).sentence,
        "no answer at all from 192.0.2.1:5060 and 192.0.2.2:5060"
    );
    let lost = Why::NoWay(NoWay::Unresolved);
    let lost = Cause::undialed(CallStatus::Dialing, Q850::NO_ROUTE, lost);
    facts.add(Fact::Host("sip.example.com".into()));
    assert_eq!(
        Reason::of(&lost, &facts).sentence,
        "the host \"sip.example.com\" cannot be found"
    );
}

#[test]
fn facts_are_bounded_and_known_once() {
    let mut facts = Facts::default();
    for port in 0..100 {
        for _ in 0..2 {
            facts.add(Fact::Silent(([192, 0, 2, 1], port).into()));
        }
    }
    assert_eq!(facts.iter().count(), 16);
}
