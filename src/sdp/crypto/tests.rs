use std::net::IpAddr;

use flowswitch_media::command::Direction;
use proptest::prelude::*;

use super::*;
use crate::ids::Rng;
use crate::sdp::Attributes;
use crate::sdp::codecs::Codecs;
use crate::sdp::format::PayloadTypes;
use crate::sdp::negotiate::{self, Answer, LocalEnd};

/// A key of 30 octets, and one of 44 without its padding.
const SHORT: &str = "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz";
const LONG: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKis";

fn local(policy: SrtpPolicy) -> LocalEnd {
    LocalEnd {
        address: IpAddr::from([198, 51, 100, 1]),
        port: 20_000,
        session_id: 7,
        version: 1,
        cname: "c".to_owned(),
        peer: IpAddr::from([203, 0, 113, 9]),
        direction: Direction::SendRecv,
        codecs: Codecs::default(),
        payload_types: PayloadTypes::default(),
        crypto: LocalCrypto::new(policy),
    }
}

/// Another stream of randomness for each exchange.
fn rng(local: &mut LocalEnd) -> Rng {
    local.version += 1;
    Rng::from_number(local.version)
}

fn read(media: &str) -> SessionDescription {
    let text = format!(
        "v=0\r\no=- 1 1 IN IP4 192.0.2.10\r\ns=-\r\nc=IN IP4 192.0.2.10\r\nt=0 0\r\n{media}"
    );
    SessionDescription::parse(text.as_bytes()).unwrap()
}

/// A stream by `profile` with these lines.
fn stream(profile: &str, lines: &[&str]) -> String {
    let lines: String = lines
        .iter()
        .map(|line| format!("a=crypto:{line}\r\n"))
        .collect();
    format!("m=audio 4000 {profile} 0 8\r\n{lines}")
}

/// One exchange in which the peer offers.
fn answered(local: &mut LocalEnd, media: &str) -> Result<Answer, NegotiateError> {
    let offer = read(media);
    let mut rng = rng(local);
    local.crypto.prepare_answer(&offer, &mut rng);
    let answer = negotiate::answer(&offer, local)?;
    let srtp = answer.config.srtp.as_deref();
    local.crypto.settle(&answer.description, srtp);
    Ok(answer)
}

fn offered(local: &mut LocalEnd) -> SessionDescription {
    let mut rng = rng(local);
    local.crypto.prepare_offer(&mut rng);
    negotiate::offer(local)
}

/// One exchange in which we offer.
fn accepted(local: &mut LocalEnd, media: &str) -> Result<Option<Box<SrtpConfig>>, NegotiateError> {
    let answer = read(media);
    let config = negotiate::accept(&answer, local)?;
    local.crypto.settle(&answer, config.srtp.as_deref());
    Ok(config.srtp)
}

fn keys_of(attributes: &Attributes) -> Vec<&str> {
    attributes.all("crypto").collect()
}

#[test]
fn the_first_line_that_we_know_is_answered_by_its_tag_with_a_key_of_ours() {
    let mut local = local(SrtpPolicy::Accept);
    let lines = [
        "1 F8_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz",
        &format!("7 aes_cm_128_hmac_sha1_32 inline:{SHORT}|2^31"),
        &format!("9 AEAD_AES_256_GCM inline:{LONG}"),
    ];
    let answer = answered(&mut local, &stream("RTP/SAVP", &lines)).unwrap();
    let srtp = answer.config.srtp.unwrap();
    assert_eq!(srtp.receive.suite(), SrtpSuite::AesCm128HmacSha1Tag32);
    assert_eq!(BASE64.encode(srtp.receive.key_and_salt()), SHORT);
    let media = &answer.description.media[0];
    assert_eq!(media.protocol, "RTP/SAVP");
    let ours = BASE64.encode(srtp.send.key_and_salt());
    assert_ne!(ours, SHORT);
    let line = format!("7 AES_CM_128_HMAC_SHA1_32 inline:{ours}");
    assert_eq!(keys_of(&media.attributes), [line]);
}

#[test]
fn what_is_answered_follows_the_policy() {
    let keyed = format!("1 AES_CM_128_HMAC_SHA1_80 inline:{SHORT}");
    let plain = stream("RTP/AVP", &[]);
    let optional = stream("RTP/AVP", &[&keyed]);
    let secure = stream("RTP/SAVPF", &[&keyed]);
    let both = [plain.clone(), secure.clone()].concat();
    for (policy, expected) in [
        (SrtpPolicy::Off, ["plain", "plain", "refused", "plain"]),
        (SrtpPolicy::Accept, ["plain", "plain", "secure", "secure"]),
        (SrtpPolicy::Prefer, ["plain", "secure", "secure", "secure"]),
        (
            SrtpPolicy::Require,
            ["refused", "secure", "secure", "secure"],
        ),
    ] {
        let come_to = [&plain, &optional, &secure, &both].map(|media| {
            match answered(&mut local(policy), media).map(|answer| answer.config.srtp) {
                Ok(Some(_)) => "secure",
                Ok(None) => "plain",
                Err(_) => "refused",
            }
        });
        assert_eq!(come_to, expected, "{policy:?}");
    }
    let refusal = |policy, media| answered(&mut local(policy), media).unwrap_err();
    let required = refusal(SrtpPolicy::Require, &plain);
    assert_eq!(required, NegotiateError::SrtpRequired);
    assert!(required.warning().contains("SRTP is required"));
    let dtls = stream("UDP/TLS/RTP/SAVP", &[&keyed]);
    for refused in [
        refusal(SrtpPolicy::Off, &secure),
        refusal(SrtpPolicy::Accept, &dtls),
    ] {
        assert!(
            matches!(refused, NegotiateError::NoAudio { .. }),
            "{refused}"
        );
    }
}

#[test]
fn lines_that_cannot_be_followed_are_passed_over_and_named_when_there_is_no_other() {
    let suite = "AES_CM_128_HMAC_SHA1_80";
    for line in [
        format!("1 {suite} inline:{SHORT}|2^20|1:4"),
        format!("1 {suite} inline:{SHORT}|1:4"),
        format!("1 {suite} inline:{SHORT};inline:{SHORT}"),
        format!("1 {suite} inline:{SHORT} UNENCRYPTED_SRTCP"),
        format!("1 {suite} inline:{SHORT} KDR=3"),
        format!("1 {suite} inline:{SHORT} FEC_ORDER=FEC_SRTP"),
        format!("1 {suite} inline:{}", &SHORT[4..]),
        format!("1 {suite} inline:{LONG}"),
        format!("1 {suite} inline:!{}", &SHORT[1..]),
        format!("1 {suite} {SHORT}"),
        format!("1 {suite} uri:{SHORT}"),
        format!("x {suite} inline:{SHORT}"),
        format!("1234567890 {suite} inline:{SHORT}"),
        format!("1 {suite}"),
        String::new(),
    ] {
        assert!(CryptoLine::parse(&line).is_none(), "{line}");
        let error = answered(
            &mut local(SrtpPolicy::Accept),
            &stream("RTP/SAVP", &[&line]),
        );
        assert!(
            matches!(error, Err(NegotiateError::NoCommonSuite { .. })),
            "{line}"
        );
    }
    for line in [
        format!("001 {suite} inline:{SHORT}|1048576 WSH=64 KDR=0 -x=y"),
        format!("2 AEAD_AES_256_GCM INLINE:{LONG}="),
    ] {
        assert!(CryptoLine::parse(&line).is_some(), "{line}");
    }
}

#[test]
fn what_is_offered_follows_the_policy_and_each_suite_has_a_key_of_its_own() {
    for (policy, protocol, count) in [
        (SrtpPolicy::Off, "RTP/AVP", 0),
        (SrtpPolicy::Accept, "RTP/AVP", 0),
        (SrtpPolicy::Prefer, "RTP/AVP", 3),
        (SrtpPolicy::Require, "RTP/SAVP", 3),
    ] {
        let offer = offered(&mut local(policy));
        assert_eq!(offer.media[0].protocol, protocol, "{policy:?}");
        let lines = keys_of(&offer.media[0].attributes);
        assert_eq!(lines.len(), count);
        let parsed = lines.iter().map(|line| CryptoLine::parse(line).unwrap());
        let keys: Vec<String> = parsed
            .map(|line| BASE64.encode(line.key.key_and_salt()))
            .collect();
        assert!(
            keys.iter()
                .all(|key| keys.iter().filter(|other| key[..20] == other[..20]).count() == 1)
        );
        let again = read(&offer.media[0].to_string());
        assert_eq!(again.media[0].attributes, offer.media[0].attributes);
    }
}

#[test]
fn the_answer_to_our_offer_names_one_of_our_suites_or_is_plain_where_that_will_do() {
    let keyed = format!("2 AES_CM_128_HMAC_SHA1_80 inline:{SHORT}");
    let other = format!("1 AEAD_AES_128_GCM inline:{}", "A".repeat(38));
    for (policy, media, is_protected) in [
        (
            SrtpPolicy::Require,
            stream("RTP/SAVP", &[&keyed]),
            Some(true),
        ),
        (
            SrtpPolicy::Require,
            stream("RTP/AVP", &[&keyed]),
            Some(true),
        ),
        (SrtpPolicy::Require, stream("RTP/AVP", &[]), None),
        (SrtpPolicy::Require, stream("RTP/SAVP", &[]), None),
        (SrtpPolicy::Require, stream("RTP/SAVP", &[&other]), None),
        (SrtpPolicy::Prefer, stream("RTP/AVP", &[&keyed]), Some(true)),
        (SrtpPolicy::Prefer, stream("RTP/AVP", &[]), Some(false)),
        (
            SrtpPolicy::Accept,
            stream("RTP/AVP", &[&keyed]),
            Some(false),
        ),
        (SrtpPolicy::Accept, stream("RTP/SAVP", &[&keyed]), None),
    ] {
        let mut local = local(policy);
        let offer = offered(&mut local);
        let srtp = accepted(&mut local, &media);
        assert_eq!(
            srtp.as_ref().ok().map(Option::is_some),
            is_protected,
            "{policy:?} {media}"
        );
        if let Ok(Some(srtp)) = srtp {
            let ours = BASE64.encode(srtp.send.key_and_salt());
            let lines = keys_of(&offer.media[0].attributes);
            assert!(lines[1].ends_with(&ours));
            assert_eq!(BASE64.encode(srtp.receive.key_and_salt()), SHORT);
        }
    }
}

#[test]
fn later_offers_repeat_what_was_agreed_with_the_same_key() {
    let mut local = local(SrtpPolicy::Accept);
    let line = |tag: u32, suite| format!("{tag} {suite} inline:{SHORT}");
    let media = stream("RTP/SAVP", &[&line(4, "AES_CM_128_HMAC_SHA1_80")]);
    let first = answered(&mut local, &media).unwrap().config.srtp.unwrap();
    let offer = offered(&mut local);
    assert_eq!(offer.media[0].protocol, "RTP/SAVP");
    let ours = BASE64.encode(first.send.key_and_salt());
    let repeated = format!("1 AES_CM_128_HMAC_SHA1_80 inline:{ours}");
    assert_eq!(keys_of(&offer.media[0].attributes), [repeated]);
    // Repeated by the peer, nothing changes; with another suite there is another key, and back again a third.
    let again = answered(&mut local, &media).unwrap().config.srtp.unwrap();
    assert_eq!(again, first);
    let media = stream("RTP/SAVP", &[&line(1, "AES_CM_128_HMAC_SHA1_32")]);
    let weaker = answered(&mut local, &media).unwrap().config.srtp.unwrap();
    assert_ne!(weaker.send.key_and_salt(), first.send.key_and_salt());
    let media = stream("RTP/SAVP", &[&line(1, "AES_CM_128_HMAC_SHA1_80")]);
    let third = answered(&mut local, &media).unwrap().config.srtp.unwrap();
    assert_ne!(third.send.key_and_salt(), first.send.key_and_salt());
}

#[test]
fn our_answer_that_is_sent_again_as_an_offer_has_an_answer_too() {
    let mut local = local(SrtpPolicy::Accept);
    let line = format!("4 AES_CM_128_HMAC_SHA1_32 inline:{SHORT}");
    let media = stream("RTP/SAVP", &[&line]);
    let first = answered(&mut local, &media).unwrap().config.srtp;
    assert_eq!(accepted(&mut local, &media).unwrap(), first);
}

#[test]
fn a_call_that_was_agreed_plain_is_offered_plain_again() {
    let mut local = local(SrtpPolicy::Prefer);
    answered(&mut local, &stream("RTP/AVP", &[])).unwrap();
    let offer = offered(&mut local);
    assert_eq!(offer.media[0].protocol, "RTP/AVP");
    assert!(keys_of(&offer.media[0].attributes).is_empty());
}

#[test]
fn two_who_answer_to_one_offer_with_different_suites_are_both_understood() {
    let mut local = local(SrtpPolicy::Require);
    offered(&mut local);
    let one = stream("RTP/SAVP", &[&format!("1 AEAD_AES_256_GCM inline:{LONG}")]);
    let other = stream(
        "RTP/SAVP",
        &[&format!("2 AES_CM_128_HMAC_SHA1_80 inline:{SHORT}")],
    );
    for media in [one, other] {
        assert!(accepted(&mut local, &media).unwrap().is_some());
    }
}

#[test]
fn keys_are_not_written_out() {
    let mut local = local(SrtpPolicy::Require);
    let offer = offered(&mut local);
    let ours = BASE64.encode(local.crypto.key(OFFERED[0]).unwrap().key_and_salt());
    assert!(offer.to_string().contains(&ours));
    assert!(!format!("{offer:?} {local:?}").contains(&ours[..20]));
}

proptest! {
    #[test]
    fn any_line_is_followed_or_passed_over_without_a_panic(line in "\\PC{0,120}", tail in "[ -~]{0,40}") {
        let _ = CryptoLine::parse(&line);
        let _ = CryptoLine::parse(&format!("1 AES_CM_128_HMAC_SHA1_80 inline:{tail}"));
        let _ = CryptoLine::parse(&format!("1 AES_CM_128_HMAC_SHA1_80 inline:{SHORT}{tail}"));
    }

    #[test]
    fn what_we_write_is_read_the_same(octets in prop::collection::vec(any::<u8>(), 44), tag in 0_u32..1_000_000_000) {
        for suite in SrtpSuite::ALL {
            let key = SrtpKey::new(suite, &octets[..suite.key_len() + suite.salt_len()]).unwrap();
            let line = CryptoLine { tag, key: key.clone() }.to_string();
            let read = CryptoLine::parse(&line).unwrap();
            prop_assert_eq!((read.tag, read.key), (tag, key));
        }
    }
}
