//! Sessions whose packets are protected, beside others whose are not.

use std::time::Duration;

use super::party::{Party, TONES, session};
use super::rig::{PTIME, Phone, Rig, SESSION, TELEPHONE_EVENT, at, config, is_tone, ms};
use crate::command::{
    Command, CommandId, Event, Part, SessionConfig, SessionId, SessionStats, SrtpConfig, SrtpKey,
    SrtpSuite,
};
use crate::engine::Input;
use crate::rtp::{Compound, CompoundWriter, Protector, Ssrc, Unprotector, is_rtcp};

/// The key by which `session` of the engine sends (1), or hears (2).
fn key(suite: SrtpSuite, session: SessionId, way: u8) -> SrtpKey {
    let len = suite.key_len() + suite.salt_len();
    let octet = |place: usize| (place as u8).wrapping_mul(session.0 as u8 * 16 + way);
    let octets: Vec<u8> = (1..=len).map(octet).collect();
    SrtpKey::new(suite, &octets).unwrap()
}

fn keys(suite: SrtpSuite, session: SessionId) -> Option<Box<SrtpConfig>> {
    Some(Box::new(SrtpConfig {
        send: key(suite, session, 1),
        receive: key(suite, session, 2),
    }))
}

/// Lets a phone protect what it sends, as `session` expects it.
fn arm(phone: &mut Phone, suite: SrtpSuite, session: SessionId) {
    phone.srtp = Some(Protector::new(&key(suite, session, 2), Ssrc(phone.ssrc)));
}

/// What a phone hears of `session`: nothing, unless it has the key.
fn ear(suite: SrtpSuite, session: SessionId) -> Unprotector {
    Unprotector::new(&key(suite, session, 1))
}

/// Opens what was sent to a phone, in place; all of it can be.
fn unseal(rig: &mut Rig, session: SessionId, ear: &mut Unprotector) {
    for sent in rig.sent.iter_mut().filter(|sent| sent.session == session) {
        let is_rtcp = is_rtcp(&sent.bytes);
        let len = match is_rtcp {
            true => ear.unprotect_rtcp(&mut sent.bytes),
            false => ear.unprotect_rtp(&mut sent.bytes),
        };
        sent.bytes.truncate(len.unwrap());
    }
}

/// An echo for a phone that protects its packets.
fn echoing(suite: SrtpSuite) -> (Rig, Phone) {
    let mut phone = Phone::new(400.0);
    phone.seq = 30_000;
    let mut agreed = config(&phone);
    agreed.srtp = keys(suite, SESSION);
    arm(&mut phone, suite, SESSION);
    let mut rig = Rig::new();
    rig.open(SESSION);
    rig.configure(SESSION, agreed);
    rig.command(Command::Echo {
        command: CommandId(1),
        session: SESSION,
        duration: Duration::from_secs(100_000),
        with_digits: true,
    });
    (rig, phone)
}

fn stats(rig: &mut Rig) -> SessionStats {
    rig.command(Command::Close { session: SESSION });
    let closed = rig.events.iter().find_map(|(_, event)| match event {
        Event::Closed { stats, .. } => Some(**stats),
        _ => None,
    });
    closed.unwrap()
}

#[test]
fn a_phone_hears_its_protected_sound_and_keys_again_by_every_suite() {
    for suite in SrtpSuite::ALL {
        let (mut rig, mut phone) = echoing(suite);
        rig.listen_to(&mut phone, ms(1_000));
        let begin = phone.timestamp;
        let packet = phone.event('5', begin, 160, false);
        rig.receive(phone.address, &packet);
        assert_eq!(rig.heard_digits(), "5");
        let plain = rig.rtp()[0].bytes.clone();
        unseal(&mut rig, SESSION, &mut ear(suite, SESSION));
        assert_ne!(plain[12..172], rig.rtp()[0].bytes[12..]);
        assert_eq!(rig.rtp().len(), 51);
        assert!(is_tone(&rig.sound(), 400.0), "{suite:?}");
        assert_eq!(rig.rtp()[50].header().payload_type, TELEPHONE_EVENT);
        assert_eq!(stats(&mut rig).dropped_datagrams, 0);
    }
}

#[test]
fn two_hear_each_other_whichever_of_them_is_protected() {
    let suite = |guest: usize| SrtpSuite::ALL[guest + 1];
    for secured in [[true, true], [true, false], [false, true]] {
        for listens in [false, true] {
            let mut party = Party::with(2, |guest, config| {
                if secured[guest] {
                    config.srtp = keys(suite(guest), session(guest));
                }
            });
            for (guest, is_secured) in secured.into_iter().enumerate() {
                if is_secured {
                    arm(&mut party.guests[guest].phone, suite(guest), session(guest));
                }
                party.join(guest, Part::FULL);
            }
            // Who is recorded is mixed, and not passed on.
            if listens {
                party.rig.command(Command::Listen {
                    command: CommandId(5),
                    session: session(0),
                    config: crate::command::ListenConfig::default(),
                });
            }
            party.talk(ms(400));
            let mut ears = [0, 1].map(|guest| ear(suite(guest), session(guest)));
            let open = |party: &mut Party, ears: &mut [Unprotector; 2]| {
                for guest in [0, 1].into_iter().filter(|guest| secured[*guest]) {
                    unseal(&mut party.rig, session(guest), &mut ears[guest]);
                }
            };
            open(&mut party, &mut ears);
            party.forget();
            party.talk(ms(2_000));
            open(&mut party, &mut ears);
            assert!(party.hears_only(0, TONES[1]), "{secured:?} {listens}");
            assert!(party.hears_only(1, TONES[0]), "{secured:?} {listens}");
        }
    }
}

#[test]
fn packets_that_were_here_before_are_damaged_or_another_s_are_dropped_and_counted() {
    let suite = SrtpSuite::AesCm128HmacSha1Tag32;
    let (mut rig, mut phone) = echoing(suite);
    rig.listen_to(&mut phone, ms(200));
    let packet = phone.speak();
    rig.receive(phone.address, &packet);
    let sent = rig.rtp().len();
    rig.receive(phone.address, &packet);
    let mut damaged = phone.speak();
    damaged[40] ^= 1;
    rig.receive(phone.address, &damaged);
    let mut plain = Phone::new(400.0);
    (plain.ssrc, plain.seq) = (phone.ssrc, phone.seq);
    rig.receive(phone.address, &plain.speak());
    arm(&mut plain, suite, SessionId(7));
    rig.receive(phone.address, &plain.speak());
    rig.receive(phone.address, &[0x80; 3]);
    assert_eq!(rig.rtp().len(), sent, "nothing of it is returned");
    rig.listen_to(&mut phone, PTIME);
    assert_eq!(rig.rtp().len(), sent + 1);
    let stats = stats(&mut rig);
    assert_eq!((stats.srtp_failures, stats.dropped_datagrams), (5, 5));
    assert_eq!(stats.received_packets, 12);
}

#[test]
fn who_has_not_the_key_is_never_taken_for_the_peer() {
    let (mut rig, mut phone) = echoing(SrtpSuite::AeadAes256Gcm);
    let mut stranger = Phone::new(900.0);
    // From the very address of the description, and from another port of its host.
    for address in ["192.0.2.7:4000", "192.0.2.7:5000", "198.51.100.9:7000"] {
        stranger.address = at(address);
        for _ in 0..20 {
            rig.receive(stranger.address, &stranger.speak());
        }
    }
    assert_eq!((rig.rtp().len(), rig.pins.len()), (0, 0));
    phone.address = at("192.0.2.7:6000");
    rig.listen_to(&mut phone, ms(100));
    assert_eq!(rig.rtp().len(), 5);
    assert!(rig.rtp().iter().all(|sent| sent.to == phone.address));
}

#[test]
fn seventy_thousand_packets_wrap_the_numbers_of_both_and_are_all_heard() {
    let suite = SrtpSuite::AesCm128HmacSha1Tag80;
    let (mut rig, mut phone) = echoing(suite);
    let mut ear = ear(suite, SESSION);
    for _ in 0..70 {
        for _ in 0..1_000 {
            let packet = phone.hush();
            rig.receive(phone.address, &packet);
            rig.pass(PTIME);
        }
        unseal(&mut rig, SESSION, &mut ear);
        assert_eq!(rig.rtp().len(), 1_000);
        rig.sent.clear();
    }
    let stats = stats(&mut rig);
    assert_eq!((stats.srtp_failures, stats.received_packets), (0, 70_000));
}

#[test]
fn reports_are_protected_both_ways() {
    let suite = SrtpSuite::AeadAes128Gcm;
    let (mut rig, mut phone) = echoing(suite);
    rig.listen_to(&mut phone, ms(8_000));
    let mut report = [0; 64];
    let mut writer = CompoundWriter::new(&mut report);
    writer.receiver_report(Ssrc(phone.ssrc), &[]);
    writer.source_description(Ssrc(phone.ssrc), "a phone");
    let len = writer.finish().unwrap();
    let mut sealed = report[..len].to_vec();
    let mut protector = Protector::new(&key(suite, SESSION, 2), Ssrc(phone.ssrc));
    protector.protect_rtcp(&mut sealed, 0).unwrap();
    for bytes in [&report[..len], &sealed, &sealed] {
        let arrival = rig.now;
        rig.input(Input::Datagram {
            arrival,
            session: SESSION,
            source: at("192.0.2.7:4001"),
            rtcp: true,
            bytes,
        });
    }
    let reports = rig.sent.iter().filter(|sent| sent.rtcp);
    assert!(reports.clone().count() >= 1);
    assert!(
        reports
            .clone()
            .all(|sent| sent.bytes[sent.bytes.len() - 4] & 0x80 != 0)
    );
    unseal(&mut rig, SESSION, &mut ear(suite, SESSION));
    let reports = rig.sent.iter().filter(|sent| sent.rtcp);
    assert!(
        reports
            .clone()
            .all(|sent| Compound::parse(&sent.bytes).is_ok())
    );
    // The first was not protected, and the last was here before.
    assert_eq!(stats(&mut rig).srtp_failures, 2);
}

#[test]
fn another_key_of_the_peer_is_taken_while_packets_under_the_old_one_are_still_on_their_way() {
    let suite = SrtpSuite::AesCm128HmacSha1Tag80;
    let (mut rig, mut phone) = echoing(suite);
    let mut ear = ear(suite, SESSION);
    let rekeyed = |phone: &Phone, session: u64| {
        let agreed = config(phone);
        let receive = key(suite, SessionId(session), 2);
        let send = key(suite, SESSION, 1);
        let srtp = Some(Box::new(SrtpConfig { send, receive }));
        SessionConfig { srtp, ..agreed }
    };
    rig.listen_to(&mut phone, ms(200));
    rig.configure(SESSION, rekeyed(&phone, 3));
    rig.listen_to(&mut phone, ms(200));
    let late = phone.speak();
    arm(&mut phone, suite, SessionId(3));
    rig.listen_to(&mut phone, ms(200));
    rig.receive(phone.address, &late);
    rig.listen_to(&mut phone, ms(2_000));
    // Our own key is the same, and so are its numbers; the old one of the peer is of no use any more.
    unseal(&mut rig, SESSION, &mut ear);
    assert_eq!(rig.rtp().len(), 131);
    arm(&mut phone, suite, SESSION);
    rig.listen_to(&mut phone, ms(200));
    let stats = stats(&mut rig);
    assert_eq!((stats.srtp_failures, stats.received_packets), (10, 131));
}

#[test]
fn another_stream_of_the_peer_begins_under_the_same_key() {
    let suite = SrtpSuite::AeadAes256Gcm;
    let (mut rig, mut phone) = echoing(suite);
    rig.listen_to(&mut phone, ms(200));
    (phone.ssrc, phone.seq) = (phone.ssrc + 1, 60_000);
    arm(&mut phone, suite, SESSION);
    rig.listen_to(&mut phone, ms(200));
    let stats = stats(&mut rig);
    // Its first packet only proves that there is a stream.
    assert_eq!((stats.srtp_failures, stats.dropped_datagrams), (0, 1));
}
