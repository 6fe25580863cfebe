//! What is measured: delays by path, jitter, round trips, opinions.

use std::time::Duration;

use super::party::{Party, session};
use super::rig::{PTIME, Phone, Rig, SESSION, ms};
use crate::command::{Command, CommandId, DigitSource, Event, Part, SessionId, SessionStats};
use crate::delay::{DelayFigures, Path};
use crate::engine::Input;
use crate::prompt::Prompt;
use crate::rtp::{Compound, CompoundWriter, ReportBlock, RtcpPacket, Ssrc};

const SENDING: Duration = Duration::from_micros(100);

fn stats(rig: &mut Rig, session: SessionId) -> SessionStats {
    rig.command(Command::Close { session });
    let stats = rig.events.iter().find_map(|(_, event)| match event {
        Event::Closed {
            session: closed,
            stats,
        } if *closed == session => Some(**stats),
        _ => None,
    });
    stats.unwrap()
}

fn echo(rig: &mut Rig) {
    rig.command(Command::Echo {
        command: CommandId(1),
        session: SESSION,
        duration: ms(100_000),
        with_digits: false,
    });
}

/// A datagram that has waited for so long is read now.
fn receive_late(rig: &mut Rig, phone: &Phone, waited: Duration, bytes: &[u8]) {
    rig.input(Input::Datagram {
        session: SESSION,
        source: phone.address,
        rtcp: false,
        arrival: rig.now - waited,
        bytes,
    });
}

fn is_near(found: Duration, truth: Duration) -> bool {
    found.abs_diff(truth) <= truth / 8
}

#[test]
fn an_echo_is_measured_from_its_arrival_until_it_is_sent() {
    let mut phone = Phone::new(400.0);
    let mut rig = Rig::with_call(&phone);
    rig.sending = SENDING;
    echo(&mut rig);
    for n in 0..100 {
        rig.pass(PTIME);
        let packet = phone.speak();
        let waited = if n % 10 == 9 { ms(5) } else { ms(1) };
        receive_late(&mut rig, &phone, waited, &packet);
    }
    let total = rig.engine.figures().delays.of(Path::Echo).clone();
    let found = *stats(&mut rig, SESSION).delays.of(Path::Echo);
    assert_eq!((found.count, total.count()), (100, 100));
    assert_eq!((found.max, total.max()), (ms(5) + SENDING, ms(5) + SENDING));
    assert!(is_near(found.p50, ms(1) + SENDING), "{found:?}");
    assert!(is_near(found.p99, ms(5) + SENDING), "{found:?}");
}

#[test]
fn jitter_is_that_of_arrivals_and_not_of_readings() {
    let mut phone = Phone::new(400.0);
    let mut rig = Rig::with_call(&phone);
    rig.pass(ms(20));
    for n in 0..200 {
        let waited = ms(n * 7 % 15);
        rig.pass(waited);
        let packet = phone.speak();
        receive_late(&mut rig, &phone, waited, &packet);
        rig.pass(PTIME - waited);
    }
    let found = stats(&mut rig, SESSION);
    assert_eq!(
        (found.max_jitter, found.mean_jitter),
        (Duration::ZERO, Duration::ZERO)
    );
}

#[test]
fn a_packet_that_claims_to_come_from_the_future_came_now() {
    let mut phone = Phone::new(400.0);
    let mut rig = Rig::with_call(&phone);
    echo(&mut rig);
    rig.pass(PTIME);
    let packet = phone.speak();
    rig.input(Input::Datagram {
        session: SESSION,
        source: phone.address,
        rtcp: false,
        arrival: rig.now + ms(500),
        bytes: &packet,
    });
    let found = *stats(&mut rig, SESSION).delays.of(Path::Echo);
    assert_eq!((found.count, found.max), (1, Duration::ZERO));
}

#[test]
fn packets_of_two_are_measured_where_they_leave() {
    let mut party = Party::joined(2);
    party.rig.sending = SENDING;
    party.guests[1].speaks = false;
    party.talk(ms(2_000));
    let speaker = stats(&mut party.rig, session(0)).delays;
    let hearer = stats(&mut party.rig, session(1)).delays;
    assert_eq!(speaker.iter().count(), 0);
    assert_eq!(hearer.of(Path::Relay).count, 100);
    assert_eq!(hearer.of(Path::Relay).max, SENDING);
    assert_eq!(hearer.iter().count(), 1);
}

#[test]
fn a_mix_is_measured_once_a_packet_with_what_the_jitter_buffer_holds() {
    let mut party = Party::joined(3);
    party.rig.sending = SENDING;
    party.talk(ms(4_000));
    for guest in 0..3 {
        let found = *stats(&mut party.rig, session(guest)).delays.of(Path::Mix);
        assert!((190..=200).contains(&found.count), "{found:?}");
        // Up to a packet time until the tick, and what is held on purpose.
        assert!(found.p50 > ms(5) && found.max < ms(80), "{found:?}");
    }
    assert_eq!(party.rig.engine.figures().delays.of(Path::Relay).count(), 0);
}

#[test]
fn packets_of_60_ms_are_measured_by_their_first_frame() {
    let mut party = Party::joined(3);
    party.guests[0].ptime = ms(60);
    party.talk(ms(6_000));
    let found = *stats(&mut party.rig, session(0)).delays.of(Path::Mix);
    assert!((90..=100).contains(&found.count), "{found:?}");
}

#[test]
fn what_is_played_or_silent_is_not_measured() {
    let mut party = Party::of(1);
    party.guests[0].speaks = false;
    party.join(0, Part::FULL);
    party.play(1, 0, Prompt::from_samples(vec![1_000; 8_000]), false);
    party.talk(ms(2_000));
    assert!(!party.rig.sent.is_empty());
    assert_eq!(stats(&mut party.rig, session(0)).delays.iter().count(), 0);
}

#[test]
fn a_key_is_measured_from_the_packet_that_makes_it_known() {
    let mut phone = Phone::new(400.0);
    let mut rig = Rig::with_call(&phone);
    rig.sending = SENDING;
    let begin = phone.timestamp;
    for n in 1..=5 {
        let packet = phone.event('5', begin, n * 160, n == 5);
        receive_late(&mut rig, &phone, ms(2), &packet);
        rig.pass(PTIME);
    }
    let digit = *stats(&mut rig, SESSION).delays.of(Path::Digit);
    let figures = DelayFigures {
        count: 1,
        p50: digit.p50,
        p99: digit.p99,
        max: ms(2) + SENDING,
    };
    assert_eq!(digit, figures);
}

#[test]
fn a_tone_is_measured_from_the_packet_that_completes_it() {
    let mut party = Party::with(1, |_, config| super::rig::set_events(config, false));
    party.talk(ms(500));
    party.guests[0].phone.press('7');
    party.talk(ms(200));
    party.guests[0].phone.sing(400.0);
    party.talk(ms(500));
    let source = party.rig.events.iter().find_map(|(_, event)| match event {
        Event::Digit { source, .. } => Some(*source),
        _ => None,
    });
    assert_eq!(source, Some(DigitSource::Tone));
    let digit = *stats(&mut party.rig, session(0)).delays.of(Path::Digit);
    assert_eq!(digit.count, 1);
    assert!(digit.max > ms(1) && digit.max < ms(80), "{digit:?}");
}

/// What the phone says of our stream, `after` our last sender report, of which it knows for `known`.
fn report(rig: &Rig, (lost, jitter): (i32, u32), known: Duration) -> Vec<u8> {
    let sender = rig.sent.iter().rev().find_map(|sent| {
        let mut packets = Compound::parse(&sent.bytes).ok().filter(|_| sent.rtcp)?;
        packets.find_map(|packet| match packet {
            RtcpPacket::SenderReport { source, info, .. } => Some((source, info)),
            _ => None,
        })
    });
    let (source, info) = sender.unwrap();
    let block = ReportBlock {
        source,
        cumulative_lost: lost,
        jitter,
        last_report: info.ntp.middle(),
        delay_since_last_report: (known.as_micros() * 65_536 / 1_000_000) as u32,
        ..ReportBlock::default()
    };
    let mut buffer = [0; 300];
    let mut writer = CompoundWriter::new(&mut buffer);
    writer.receiver_report(Ssrc(77), &[block]);
    writer.source_description(Ssrc(77), "phone");
    let len = writer.finish().unwrap();
    buffer[..len].to_vec()
}

/// An echo of 10 s, of which the phone reports after a round trip of 80 ms.
fn reported_call(lost: i32, skip: impl Fn(u64) -> bool) -> SessionStats {
    let mut phone = Phone::new(400.0);
    let mut rig = Rig::with_call(&phone);
    echo(&mut rig);
    for n in 0..500 {
        rig.pass(PTIME);
        let packet = phone.speak();
        if !skip(n) {
            rig.receive(phone.address, &packet);
        }
    }
    let sent = rig.sent.iter().rev().find(|sent| sent.rtcp).unwrap().at;
    let known = rig.now - sent + ms(1_000) - ms(80);
    rig.pass(ms(1_000));
    // No other report may have left meanwhile.
    let last = rig.sent.iter().rev().find(|sent| sent.rtcp).unwrap().at;
    let known = known.saturating_sub(last - sent);
    let bytes = report(&rig, (lost, 80), known);
    let mut source = phone.address;
    source.set_port(source.port() + 1);
    rig.input(Input::Datagram {
        session: SESSION,
        source,
        rtcp: true,
        arrival: rig.now,
        bytes: &bytes,
    });
    stats(&mut rig, SESSION)
}

#[test]
fn a_report_of_the_peer_tells_the_round_trip_and_what_it_has_lost() {
    let found = reported_call(25, |_| false);
    let trip = found.round_trip.unwrap();
    assert!(trip.abs_diff(ms(80)) < ms(1), "{trip:?}");
    let peer = found.peer.unwrap();
    assert_eq!((peer.reports, peer.lost_packets), (1, 25));
    assert_eq!((peer.jitter, peer.max_jitter), (ms(10), ms(10)));
    // 5 % lost on the way there, none on the way here.
    let (heard, said) = (found.heard_mos.unwrap(), found.said_mos.unwrap());
    assert!(heard.as_f64() > 4.3, "{heard}");
    assert!((3.7..4.1).contains(&said.as_f64()), "{said}");
}

#[test]
fn packets_that_never_came_cost_opinion_and_more_so_in_rows() {
    let of = |skip: fn(u64) -> bool| reported_call(0, skip).heard_mos.unwrap();
    let (clean, scattered, in_rows) =
        (of(|_| false), of(|n| n % 20 == 7), of(|n| n % 100 / 5 == 7));
    assert!(
        clean > scattered && scattered > in_rows,
        "{clean} {scattered} {in_rows}"
    );
}

/// A call whose phone speaks for 4 s, pauses for 2 s, and speaks again, with packets left out.
fn listened_call(skip: impl Fn(u64) -> bool) -> SessionStats {
    let mut phone = Phone::new(400.0);
    let mut rig = Rig::with_call(&phone);
    for _ in 0..2 {
        for n in 0..200 {
            let packet = phone.speak();
            if !skip(n) {
                rig.receive(phone.address, &packet);
            }
            rig.pass(PTIME);
        }
        rig.pass(ms(2_000));
    }
    stats(&mut rig, SESSION)
}

#[test]
fn what_jitter_buffers_did_is_told_for_the_whole_session_however_often_it_rested() {
    let clean = listened_call(|_| false);
    assert_eq!((clean.jitter.played, clean.jitter.unheard()), (400, 0));
    let found = listened_call(|n| n % 20 == 7);
    assert_eq!((found.jitter.played, found.jitter.lost), (380, 20));
    // Beside what was lost the ends of both talkspurts.
    let concealed = found.playout.concealed;
    assert!(
        (ms(400)..=ms(400 + 2 * 60)).contains(&concealed),
        "{concealed:?}"
    );
    assert!(found.heard_mos < clean.heard_mos);
}

#[test]
fn a_call_too_short_to_be_judged_is_not() {
    let mut phone = Phone::new(400.0);
    let mut rig = Rig::with_call(&phone);
    echo(&mut rig);
    rig.listen_to(&mut phone, ms(1_900));
    let found = stats(&mut rig, SESSION);
    assert_eq!(
        (found.heard_mos, found.said_mos, found.round_trip),
        (None, None, None)
    );
    assert!(found.codec.is_some() && found.peer.is_none());
}

#[test]
fn ticks_that_come_late_are_counted_by_how_late_they_were() {
    let phone = Phone::new(400.0);
    let mut rig = Rig::with_call(&phone);
    rig.command(Command::Play {
        command: CommandId(1),
        session: SESSION,
        prompts: vec![Prompt::from_samples(vec![1_000; 16_000]).into()],
        stop_on_digit: false,
        is_endless: false,
    });
    rig.pass(ms(500));
    assert_eq!(rig.engine.take_worst_lateness(), Duration::ZERO);
    rig.now += ms(30);
    rig.engine.handle_timeout(rig.now);
    let worst = rig.engine.take_worst_lateness();
    assert!(worst >= ms(10) && worst <= ms(30), "{worst:?}");
    assert_eq!(rig.engine.take_worst_lateness(), Duration::ZERO);
    assert_eq!(rig.engine.figures().lateness.max(), worst);
    assert_eq!(rig.engine.stats().late_ticks, 1);
}
