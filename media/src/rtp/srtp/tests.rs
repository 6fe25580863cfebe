//! Vectors of the standards, another implementation as a partner, and what happens to packets on their way.

use aes_gcm::{AesGcm, KeyInit};
use proptest::prelude::*;
use webrtc_srtp::context::Context;
use webrtc_srtp::protection_profile::ProtectionProfile;
use zeroize::Zeroizing;

use super::keys::{Part, derive};
use super::transform::{CounterMode, Galois};
use super::*;
use crate::command::SrtpSuite;
use crate::rtp::{CompoundWriter, MediaTime, RtpHeader};

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .chars()
        .filter_map(|digit| digit.to_digit(16))
        .map(|digit| digit as u8)
        .collect();
    digits
        .chunks(2)
        .map(|pair| pair[0] << 4 | pair[1])
        .collect()
}

fn key(suite: SrtpSuite, seed: u8) -> SrtpKey {
    let len = suite.key_len() + suite.salt_len();
    let octets: Vec<u8> = (0..len as u8)
        .map(|place| place.wrapping_mul(7) ^ seed)
        .collect();
    SrtpKey::new(suite, &octets).unwrap()
}

fn packet(ssrc: u32, seq: u16, payload: &[u8]) -> Vec<u8> {
    let header = RtpHeader {
        marker: false,
        payload_type: 0,
        sequence: SeqNo(seq),
        timestamp: MediaTime(u32::from(seq) * 160),
        ssrc: Ssrc(ssrc),
    };
    let mut octets = vec![0; HEADER_LEN];
    header.write(&mut octets);
    octets.extend_from_slice(payload);
    octets
}

fn report(ssrc: u32) -> Vec<u8> {
    let mut octets = [0; 200];
    let mut writer = CompoundWriter::new(&mut octets);
    writer.receiver_report(Ssrc(ssrc), &[]);
    writer.source_description(Ssrc(ssrc), "somebody@somewhere");
    let len = writer.finish().unwrap();
    octets[..len].to_vec()
}

/// A sender and a receiver of one key.
fn pair(suite: SrtpSuite) -> (Protector, Unprotector) {
    let key = key(suite, 1);
    (Protector::new(&key, Ssrc(9)), Unprotector::new(&key))
}

/// Packet `seq` of the sender, protected.
fn sealed(sender: &mut Protector, seq: u16) -> Vec<u8> {
    let mut bytes = packet(sender.ssrc.0, seq, &seq.to_be_bytes());
    sender.protect_rtp(&mut bytes, 0).unwrap();
    bytes
}

/// What comes of a packet, which is not changed.
fn open(receiver: &mut Unprotector, sealed: &[u8]) -> Result<Vec<u8>, SrtpError> {
    let mut bytes = sealed.to_vec();
    let len = receiver.unprotect_rtp(&mut bytes)?;
    bytes.truncate(len);
    Ok(bytes)
}

#[test]
fn session_keys_are_those_of_rfc_3711_appendix_b_3() {
    let master = "E1F97A0D3E018BE0D64FA32C06DE4139 0EC675AD498AFEEBB6960B3AABE6";
    let master = SrtpKey::new(SrtpSuite::AesCm128HmacSha1Tag80, &hex(master)).unwrap();
    let derived = |part, len| {
        let mut derived = vec![0xFF; len];
        derive(&master, Stream::Rtp, part, &mut derived);
        derived
    };
    let cipher = "C61E7A93744F39EE10734AFE3FF7A087";
    assert_eq!(derived(Part::Cipher, 16), hex(cipher));
    assert_eq!(derived(Part::Salt, 14), hex("30CBBC08863D8C85D49DB34A9AE1"));
    let tag = "CEBE321F6FF7716B6FD4AB49AF256A156D38BAA48F0A0ACF3C34E2359E6CDBCE";
    assert_eq!(derived(Part::Tag, 32), hex(tag));
}

#[test]
fn the_key_stream_is_that_of_rfc_3711_appendix_b_2() {
    let key = hex("2B7E151628AED2A6ABF7158809CF4F3C");
    let salt = hex("F0F1F2F3F4F5F6F7F8F9FAFBFCFD");
    let salt = Zeroizing::new(salt.try_into().unwrap());
    let keys = CounterMode::with_session_keys(&key.try_into().unwrap(), &[0; 20], salt, 10);
    let mut stream = [0; 48];
    keys.apply((Ssrc(0), 0), &mut stream);
    let expected = "E03EAD0935C95E80E166B16DD92B4EB4 D23513162B02D0F72A43A2FE4A5F97AB
        41E95B3BB0A2E8DD477901E4FCA894C0";
    assert_eq!(stream[..], hex(expected));
}

/// Both ciphers of RFC 7714 §16, whose session keys are counted up and whose salt is a sentence.
fn galois() -> [Transform; 2] {
    let octets: Vec<u8> = (0..32).collect();
    let salt = || Zeroizing::new(*b"Quid pro quo");
    let short = AesGcm::new_from_slice(&octets[..16]).unwrap();
    let long = AesGcm::new_from_slice(&octets).unwrap();
    [
        Transform::Galois128(Galois::with_session_keys(short, salt())),
        Transform::Galois256(Galois::with_session_keys(long, salt())),
    ]
}

#[test]
fn galois_packets_are_those_of_rfc_7714_section_16() {
    let mut plain = hex("8040f17b 8041f8d3 5501a0b2");
    plain.extend_from_slice(b"Gallia est omnis divisa in partes tres");
    let expected = [
        "f24de3a3fb34de6cacba861c9d7e4bcabe633bd50d294e6f42a5f47a51c7d19b36de3adf8833
         899d7f27beb16a9152cf765ee4390cce",
        "32b1de78a822fe12ef9f78fa332e33aab18012389a58e2f3b50b2a0276ffae0f1ba63799b87b
         7aa3db36dfffd6b0f9bb7878d7a76c13",
    ];
    for (keys, expected) in galois().into_iter().zip(expected) {
        let number = (Ssrc(0x5501_A0B2), 0xF17B);
        let mut bytes = plain.clone();
        assert!(keys.seal_rtp(number, &mut bytes, 0, 12));
        assert_eq!(bytes[12..], hex(expected));
        assert_eq!(keys.open_rtp(number, &mut bytes, 12), Some(plain.len()));
        assert_eq!(bytes[..plain.len()], plain);
    }
}

#[test]
fn galois_reports_are_those_of_rfc_7714_section_17() {
    let plain = hex(
        "81c8000d 4d617273 4e545031 4e545032 52545020 0000042a 0000e930 4c756e61
        deadbeef deadbeef deadbeef deadbeef deadbeef",
    );
    let expected = [
        "63e94885dcdab67ca727d7662f6b7e997ff5c0f76c06f32dc676a5f1730d6fda4ce09b468630
         3ded0bb9275bc84aa45896cf4d2fc5abf87245d9eade800005d4",
        "d50ae4d1f5ce5d304ba297e47d470c282c3ece5dbffe0a50a2eaa5c1110555be8415f658c61d
         e0476f1b6fad1d1eb30c4446839f57ff6f6cb26ac3be800005d4",
    ];
    for (keys, expected) in galois().into_iter().zip(expected) {
        let ssrc = Ssrc(0x4D61_7273);
        let mut bytes = plain.clone();
        assert!(keys.seal_rtcp((ssrc, 0x5D4), &mut bytes, 0));
        assert_eq!(bytes[8..], hex(expected));
        assert_eq!(keys.rtcp_index(&bytes), Some(0x5D4));
        assert_eq!(keys.open_rtcp(ssrc, &mut bytes), Some(plain.len()));
        assert_eq!(bytes[..plain.len()], plain);
    }
}

/// Another implementation with the same key.
fn other(key: &SrtpKey) -> Context {
    let profile = match key.suite() {
        SrtpSuite::AeadAes256Gcm => ProtectionProfile::AeadAes256Gcm,
        SrtpSuite::AeadAes128Gcm => ProtectionProfile::AeadAes128Gcm,
        SrtpSuite::AesCm128HmacSha1Tag80 => ProtectionProfile::Aes128CmHmacSha1_80,
        SrtpSuite::AesCm128HmacSha1Tag32 => ProtectionProfile::Aes128CmHmacSha1_32,
    };
    Context::new(key.key(), key.salt(), profile, None, None).unwrap()
}

#[test]
fn another_implementation_understands_us_and_we_it_over_the_wrap() {
    for suite in SrtpSuite::ALL {
        let key = key(suite, 1);
        let (mut ours, mut theirs) = (other(&key), other(&key));
        let (mut sender, mut receiver) = pair(suite);
        for seq in (65_500..=65_535).chain(0..100) {
            let mut plain = packet(9, seq, &[0x5A; 160]);
            // A list of sources and an extension, which stay readable.
            if seq % 3 == 0 {
                plain[0] |= 0x11;
                plain.splice(12..12, *b"CSRC\xBE\xDE\x00\x01\x10\xAA\x00\x00");
            }
            let mut bytes = plain.clone();
            sender.protect_rtp(&mut bytes, 0).unwrap();
            assert_eq!(ours.decrypt_rtp(&bytes).unwrap(), plain, "{suite:?}");
            let sealed = theirs.encrypt_rtp(&plain).unwrap();
            assert_eq!(open(&mut receiver, &sealed).unwrap(), plain, "{suite:?}");
        }
        for _ in 0..3 {
            let plain = report(9);
            let mut bytes = plain.clone();
            sender.protect_rtcp(&mut bytes, 0).unwrap();
            assert_eq!(ours.decrypt_rtcp(&bytes).unwrap(), plain, "{suite:?}");
            let mut sealed = theirs.encrypt_rtcp(&plain).unwrap().to_vec();
            let len = receiver.unprotect_rtcp(&mut sealed).unwrap();
            assert_eq!(sealed[..len], plain, "{suite:?}");
        }
    }
}

#[test]
fn a_packet_in_the_middle_of_a_buffer_is_protected_and_what_is_before_it_is_not_touched() {
    for suite in SrtpSuite::ALL {
        let (mut sender, mut receiver) = pair(suite);
        let plain = packet(9, 7, b"sound");
        let mut bytes = [b"before".as_slice(), &plain].concat();
        sender.protect_rtp(&mut bytes, 6).unwrap();
        assert_eq!(&bytes[..6], b"before");
        assert!(bytes.len() - 6 - plain.len() <= Protector::OVERHEAD);
        assert_eq!(open(&mut receiver, &bytes[6..]).unwrap(), plain);
    }
}

#[test]
fn a_packet_is_taken_once() {
    for suite in SrtpSuite::ALL {
        let (mut sender, mut receiver) = pair(suite);
        let bytes = sealed(&mut sender, 7);
        assert!(open(&mut receiver, &bytes).is_ok());
        assert_eq!(open(&mut receiver, &bytes), Err(SrtpError::Replayed));
        let mut rtcp = report(9);
        sender.protect_rtcp(&mut rtcp, 0).unwrap();
        assert!(receiver.unprotect_rtcp(&mut rtcp.clone()).is_ok());
        assert_eq!(receiver.unprotect_rtcp(&mut rtcp), Err(SrtpError::Replayed));
    }
}

#[test]
fn any_bit_that_is_changed_on_the_way_makes_a_packet_nobody_s_and_changes_nothing() {
    for suite in SrtpSuite::ALL {
        let (mut sender, mut receiver) = pair(suite);
        let bytes = sealed(&mut sender, 7);
        let mut rtcp = report(9);
        sender.protect_rtcp(&mut rtcp, 0).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let before = changed.clone();
            assert!(
                receiver.unprotect_rtp(&mut changed).is_err(),
                "{suite:?} {bit}"
            );
            assert_eq!(changed, before);
        }
        for bit in 0..rtcp.len() * 8 {
            let mut changed = rtcp.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let before = changed.clone();
            assert!(
                receiver.unprotect_rtcp(&mut changed).is_err(),
                "{suite:?} {bit}"
            );
            assert_eq!(changed, before);
        }
        assert!(receiver.sources.is_empty());
        assert!(open(&mut receiver, &bytes).is_ok() && receiver.unprotect_rtcp(&mut rtcp).is_ok());
    }
}

#[test]
fn a_report_that_is_proven_but_not_encrypted_is_taken() {
    let (ssrc, plain) = (Ssrc(9), report(9));
    for suite in [SrtpSuite::AesCm128HmacSha1Tag80, SrtpSuite::AeadAes256Gcm] {
        let key = key(suite, 1);
        let mut bytes = plain.clone();
        match Transform::new(&key, Stream::Rtcp) {
            Transform::CounterMode(keys) => {
                bytes.extend_from_slice(&3_u32.to_be_bytes());
                keys.push_tag(&mut bytes, 0, &[]);
            }
            Transform::Galois256(keys) => {
                let known = [&plain[..], &3_u32.to_be_bytes()].concat();
                bytes.extend_from_slice(&keys.tag_of((ssrc, 3), &known));
                bytes.extend_from_slice(&3_u32.to_be_bytes());
            }
            Transform::Galois128(_) => unreachable!("not asked for"),
        }
        let mut receiver = Unprotector::new(&key);
        let mut changed = bytes.clone();
        changed[9] ^= 1;
        let before = changed.clone();
        assert_eq!(
            receiver.unprotect_rtcp(&mut changed),
            Err(SrtpError::Unauthentic)
        );
        assert_eq!(changed, before);
        assert_eq!(receiver.unprotect_rtcp(&mut bytes), Ok(plain.len()));
        assert_eq!(bytes[..plain.len()], plain);
    }
}

#[test]
fn two_hundred_thousand_packets_with_loss_and_disorder_are_all_opened() {
    let (mut sender, mut receiver) = pair(SrtpSuite::AesCm128HmacSha1Tag32);
    let mut late = None;
    let mut opened = 0;
    for number in 30_000_u32..230_000 {
        let bytes = sealed(&mut sender, number as u16);
        match number % 10 {
            3 => continue,
            5 => late = Some(bytes),
            _ => opened += u32::from(open(&mut receiver, &bytes).is_ok()),
        }
        if number % 10 == 9 {
            let late = late.take().unwrap();
            opened += u32::from(open(&mut receiver, &late).is_ok());
        }
    }
    assert_eq!(opened, 180_000);
    let highest = receiver.sources[0].rtp.estimate(SeqNo(229_999_u32 as u16));
    assert_eq!(highest, Some(229_999));
}

#[test]
fn a_stream_that_is_heard_from_after_its_first_wrap_only_is_opened() {
    let (mut sender, mut receiver) = pair(SrtpSuite::AesCm128HmacSha1Tag80);
    let before = sealed(&mut sender, 65_535);
    let after = sealed(&mut sender, 0);
    assert!(open(&mut receiver, &after).is_ok());
    assert!(open(&mut receiver, &before).is_ok());
}

#[test]
fn a_stream_that_was_not_heard_for_a_cycle_is_found_again() {
    let (mut sender, mut receiver) = pair(SrtpSuite::AesCm128HmacSha1Tag80);
    let _ = open(&mut receiver, &sealed(&mut sender, 10));
    (11..50_000).for_each(|number| drop(sealed(&mut sender, number)));
    let opened = (50_000..50_100).filter(|number| {
        let bytes = sealed(&mut sender, *number);
        open(&mut receiver, &bytes).is_ok()
    });
    assert_eq!(
        opened.count(),
        0,
        "they look older than the one that was heard"
    );
    let opened = (50_100..=65_535).filter(|number| {
        let bytes = sealed(&mut sender, *number);
        open(&mut receiver, &bytes).is_ok()
    });
    assert_eq!(opened.count(), 0);
    let opened = (0..100).filter(|number| {
        let bytes = sealed(&mut sender, *number);
        open(&mut receiver, &bytes).is_ok()
    });
    assert_eq!(opened.count(), 100);
}

#[test]
fn another_stream_under_the_same_key_begins_in_its_first_cycle_and_the_first_one_goes_on() {
    let key = key(SrtpSuite::AeadAes128Gcm, 1);
    let mut receiver = Unprotector::new(&key);
    let (mut one, mut other) = (Protector::new(&key, Ssrc(1)), Protector::new(&key, Ssrc(2)));
    for number in 0..70_000_u32 {
        assert!(open(&mut receiver, &sealed(&mut one, number as u16)).is_ok());
    }
    assert!(open(&mut receiver, &sealed(&mut other, 70_000_u32 as u16)).is_ok());
    assert!(open(&mut receiver, &sealed(&mut one, 70_000_u32 as u16)).is_ok());
    assert_eq!(receiver.sources.len(), 2);
}

#[test]
fn streams_are_remembered_in_bounded_memory_and_strangers_are_not_at_all() {
    let (key, wrong) = (
        key(SrtpSuite::AeadAes128Gcm, 1),
        key(SrtpSuite::AeadAes128Gcm, 2),
    );
    let mut receiver = Unprotector::new(&key);
    for ssrc in 0..100 {
        let stranger = sealed(&mut Protector::new(&wrong, Ssrc(ssrc + 1_000)), 1);
        assert_eq!(open(&mut receiver, &stranger), Err(SrtpError::Unauthentic));
        assert!(
            open(
                &mut receiver,
                &sealed(&mut Protector::new(&key, Ssrc(ssrc)), 1)
            )
            .is_ok()
        );
    }
    assert_eq!(receiver.sources.len(), MAX_SOURCES);
    assert_eq!(receiver.sources[0].ssrc, Ssrc(84));
}

#[test]
fn no_number_is_sent_twice_and_no_other_stream_at_all() {
    let (mut sender, _) = pair(SrtpSuite::AeadAes256Gcm);
    let _ = sealed(&mut sender, 65_535);
    let _ = sealed(&mut sender, 1);
    let mut again = packet(9, 65_535, b"another sound");
    assert_eq!(sender.protect_rtp(&mut again, 0), Err(SrtpError::Replayed));
    assert!(sender.protect_rtp(&mut packet(9, 0, b""), 0).is_ok());
    assert_eq!(
        sender.protect_rtp(&mut packet(8, 2, b""), 0),
        Err(SrtpError::Exhausted)
    );
    sender.next_report = RTCP_INDICES;
    assert_eq!(
        sender.protect_rtcp(&mut report(9), 0),
        Err(SrtpError::Exhausted)
    );
}

proptest! {
    #[test]
    fn any_octets_are_refused_without_a_panic(
        octets in prop::collection::vec(any::<u8>(), 0..120), first in 0x80_u8..0xC0, suite in 0_usize..4,
    ) {
        let (mut sender, mut receiver) = pair(SrtpSuite::ALL[suite]);
        for mut octets in [octets.clone(), [vec![first], octets].concat()] {
            let before = octets.clone();
            prop_assert!(receiver.unprotect_rtp(&mut octets).is_err());
            prop_assert!(receiver.unprotect_rtcp(&mut octets).is_err());
            prop_assert_eq!(&octets, &before);
            let _ = sender.protect_rtp(&mut octets, 0);
            let _ = sender.protect_rtcp(&mut octets, 0);
        }
    }

    #[test]
    fn what_is_cut_off_is_refused(len in 0_usize..40, suite in 0_usize..4) {
        let (mut sender, mut receiver) = pair(SrtpSuite::ALL[suite]);
        let bytes = sealed(&mut sender, 1);
        let mut rtcp = report(9);
        sender.protect_rtcp(&mut rtcp, 0).unwrap();
        if len < bytes.len() {
            prop_assert!(receiver.unprotect_rtp(&mut bytes[..len].to_vec()).is_err());
        }
        prop_assert!(receiver.unprotect_rtcp(&mut rtcp[..len.min(rtcp.len() - 1)].to_vec()).is_err());
    }
}
