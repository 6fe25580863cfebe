use proptest::prelude::*;

use super::*;

const BLOCK: ReportBlock = ReportBlock {
    source: Ssrc(0x1122_3344),
    fraction_lost: 64,
    cumulative_lost: -3,
    extended_highest: 0x0002_FFFF,
    jitter: 77,
    last_report: 0xAABB_CCDD,
    delay_since_last_report: 0x0001_8000,
};

fn compound(write: impl FnOnce(&mut CompoundWriter<'_>)) -> Vec<u8> {
    let mut buffer = [0; 1_500];
    let mut writer = CompoundWriter::new(&mut buffer);
    write(&mut writer);
    let len = writer.finish().unwrap();
    buffer[..len].to_vec()
}

#[test]
fn a_whole_compound_reads_back() {
    let info = SenderInfo {
        ntp: NtpTime(0x0102_0304_0506_0708),
        rtp: MediaTime(9),
        packets: 10,
        octets: 1_600,
    };
    let octets = compound(|writer| {
        writer.sender_report(Ssrc(1), &info, &[BLOCK]);
        writer.source_description(Ssrc(1), "a-name@host");
        writer.bye(Ssrc(1));
    });
    assert_eq!(octets.len() % 4, 0);
    let packets: Vec<_> = Compound::parse(&octets).unwrap().collect();
    let [
        RtcpPacket::SenderReport {
            source,
            info: read,
            reports,
        },
        RtcpPacket::SourceDescription(mut chunks),
        RtcpPacket::Bye(mut left),
    ] = packets[..]
    else {
        panic!("{packets:?}");
    };
    assert_eq!((source, read), (Ssrc(1), info));
    assert_eq!(reports.collect::<Vec<_>>(), [BLOCK]);
    assert_eq!(chunks.next(), Some((Ssrc(1), &b"a-name@host"[..])));
    assert_eq!(left.next(), Some(Ssrc(1)));
}

#[test]
fn names_of_every_length_end_on_a_word() {
    for len in 0..300 {
        let name = "x".repeat(len);
        let octets = compound(|writer| writer.source_description(Ssrc(5), &name));
        assert_eq!(octets.len() % 4, 0);
        let Some(RtcpPacket::SourceDescription(mut chunks)) =
            Compound::parse(&octets).unwrap().next()
        else {
            panic!("length {len}");
        };
        assert_eq!(chunks.next().unwrap().1.len(), len.min(255));
        assert_eq!(chunks.next(), None);
    }
}

#[test]
fn several_reports_in_one_compound_are_all_read() {
    let octets = compound(|writer| {
        writer.receiver_report(Ssrc(1), &[BLOCK; 31]);
        writer.receiver_report(Ssrc(1), &[BLOCK; 2]);
    });
    let blocks: usize = Compound::parse(&octets)
        .unwrap()
        .map(|packet| match packet {
            RtcpPacket::ReceiverReport { reports, .. } => reports.count(),
            _ => 0,
        })
        .sum();
    assert_eq!(blocks, 33);
}

#[test]
fn eight_octets_that_claim_a_report_they_lack_are_an_error() {
    // Payload feedback with a length of one word: another type to us, shorter than its own format.
    let feedback = [0x81, 0xCD, 0x00, 0x01, 0xEA, 0xC1, 0x74, 0x96];
    assert!(
        Compound::parse(&feedback)
            .unwrap()
            .all(|packet| matches!(packet, RtcpPacket::Other { packet_type: 205 }))
    );
    for packet_type in [SENDER_REPORT, RECEIVER_REPORT] {
        let report = [0x81, packet_type, 0x00, 0x01, 0xEA, 0xC1, 0x74, 0x96];
        assert_eq!(Compound::parse(&report).err(), Some(RtcpError::Truncated));
    }
}

#[test]
fn padding_may_stand_on_the_last_packet_only() {
    let padded = [0xA0, 204, 0, 2, 1, 2, 3, 4, 0, 0, 0, 4];
    assert!(Compound::parse(&padded).is_ok());
    let mut twice = padded.to_vec();
    twice.extend_from_slice(&padded);
    assert_eq!(Compound::parse(&twice).err(), Some(RtcpError::Padding));
    for octets in [0, 3, 12, 255] {
        let mut wrong = padded;
        wrong[11] = octets;
        assert_eq!(
            Compound::parse(&wrong).err(),
            Some(RtcpError::Padding),
            "padding {octets}"
        );
    }
}

#[test]
fn a_compound_that_does_not_fit_is_not_sent() {
    for len in 0..28 {
        let mut buffer = vec![0; len];
        let mut writer = CompoundWriter::new(&mut buffer);
        writer.receiver_report(Ssrc(1), &[BLOCK]);
        assert_eq!(writer.finish(), None, "buffer of {len}");
    }
}

#[test]
fn two_parties_report_every_five_seconds_on_average() {
    let interval = ReportInterval {
        members: 2,
        senders: 2,
        we_send: true,
        mean_size: 120,
        bandwidth: 80_000,
        is_first: false,
    };
    let seconds = |random| interval.duration(random).as_secs_f64();
    assert!((seconds(0) - 2.5 / 1.21828).abs() < 0.001);
    assert!((seconds(u32::MAX) - 7.5 / 1.21828).abs() < 0.001);
    let first = ReportInterval {
        is_first: true,
        ..interval
    };
    assert!((first.duration(u32::MAX / 2).as_secs_f64() - 2.5 / 1.21828).abs() < 0.001);
}

#[test]
fn a_crowd_reports_less_often_and_nonsense_stays_within_an_hour() {
    let crowd = ReportInterval {
        members: 1_000,
        senders: 1,
        we_send: false,
        mean_size: 120,
        bandwidth: 80_000,
        is_first: false,
    };
    assert!(crowd.duration(u32::MAX / 2) > Duration::from_secs(200));
    let nonsense = ReportInterval {
        members: u32::MAX,
        mean_size: u32::MAX,
        bandwidth: 0,
        ..crowd
    };
    assert!(nonsense.duration(u32::MAX) < Duration::from_secs(5_000));
    let empty = ReportInterval {
        members: 0,
        senders: 0,
        ..crowd
    };
    assert!(empty.duration(0) > Duration::from_secs(1));
}

/// Walks everything a compound says.
fn walk(octets: &[u8]) -> usize {
    let Ok(packets) = Compound::parse(octets) else {
        return 0;
    };
    packets
        .map(|packet| match packet {
            RtcpPacket::SenderReport { reports, .. }
            | RtcpPacket::ReceiverReport { reports, .. } => reports
                .filter_map(|report| report.round_trip(NtpTime(u64::MAX)))
                .count(),
            RtcpPacket::SourceDescription(chunks) => chunks.count(),
            RtcpPacket::Bye(sources) => sources.count(),
            RtcpPacket::Other { .. } => 1,
        })
        .sum()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_octets_are_a_compound_or_an_error(octets in prop::collection::vec(any::<u8>(), 0..160)) {
        walk(&octets);
    }

    #[test]
    fn a_damaged_compound_is_a_compound_or_an_error(
        at in 0..120_usize, octet: u8, cut in 0..140_usize, name in "[a-z]{0,20}",
    ) {
        let mut octets = compound(|writer| {
            writer.sender_report(Ssrc(1), &SenderInfo::default(), &[BLOCK, BLOCK]);
            writer.source_description(Ssrc(1), &name);
            writer.bye(Ssrc(1));
        });
        let len = octets.len();
        octets[at % len] = octet;
        octets.truncate(cut);
        walk(&octets);
    }
}
