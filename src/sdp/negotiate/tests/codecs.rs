//! Which codec is agreed on, under which numbers, and what goes with it.

use super::*;

const BROWSER: &str = "m=audio 4000 RTP/AVP 111 63 9 0 8 13 110 126\r\na=rtpmap:111 opus/48000/2\r\n\
    a=rtcp-fb:111 transport-cc\r\na=fmtp:111 minptime=10;useinbandfec=1\r\na=rtpmap:63 red/48000/2\r\n\
    a=fmtp:63 111/111\r\na=rtpmap:9 G722/8000\r\na=rtpmap:13 CN/8000\r\n\
    a=rtpmap:110 telephone-event/48000\r\na=rtpmap:126 telephone-event/8000\r\n";

fn with(names: &[&str]) -> LocalEnd {
    LocalEnd {
        codecs: Codecs::parse(names.iter().copied()).unwrap(),
        ..local()
    }
}

/// The `m=` line and the attributes of the first stream.
fn stream(description: &SessionDescription) -> String {
    description.media[0].to_string()
}

#[test]
fn an_offer_of_everything_is_answered_in_its_order_and_under_its_numbers() {
    let Answer {
        description,
        config,
        ..
    } = agreed(BROWSER);
    assert_eq!(config.send, (111, Codec::Opus));
    let receive = [
        (111, Codec::Opus),
        (9, Codec::G722),
        (0, Codec::Pcmu),
        (8, Codec::Pcma),
    ];
    assert_eq!(config.receive, receive);
    let keys = TelephoneEvent {
        payload_type: 110,
        clock_rate: 48_000,
    };
    assert_eq!(config.telephone_event, Some(keys));
    assert_eq!(config.receive_events, [110, 126]);
    assert_eq!(
        config.red,
        Some(63),
        "left out of the answer, and understood"
    );
    assert_eq!(
        stream(&description),
        "m=audio 20000 RTP/AVP 111 9 0 8 13 110 126\r\na=rtpmap:111 opus/48000/2\r\n\
         a=fmtp:111 maxplaybackrate=16000;sprop-maxcapturerate=16000;stereo=0;useinbandfec=1\r\n\
         a=rtpmap:9 G722/8000\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:13 CN/8000\r\n\
         a=rtpmap:110 telephone-event/48000\r\na=fmtp:110 0-15\r\na=rtpmap:126 telephone-event/8000\r\n\
         a=fmtp:126 0-15\r\na=ptime:20\r\na=sendrecv\r\n"
    );
}

#[test]
fn keys_beside_a_codec_have_its_clock_and_else_that_of_the_telephone() {
    let keys = |media: &str| agreed(media).config.telephone_event.unwrap();
    let narrow = "m=audio 4000 RTP/AVP 0 111 96 97\r\na=rtpmap:111 opus/48000/2\r\n\
        a=rtpmap:96 telephone-event/48000\r\na=rtpmap:97 telephone-event/8000\r\n";
    assert_eq!(keys(narrow), TelephoneEvent::narrow(97));
    let opus = narrow.replace("AVP 0 111", "AVP 111 0");
    assert_eq!(keys(&opus).payload_type, 96);
    let only_narrow = opus.replace("telephone-event/48000", "telephone-event/32000");
    assert_eq!(keys(&only_narrow), TelephoneEvent::narrow(97));
    let g722 = "m=audio 4000 RTP/AVP 9 97\r\na=rtpmap:97 telephone-event/8000\r\n";
    assert_eq!(keys(g722), TelephoneEvent::narrow(97));
    let only_wide = "m=audio 4000 RTP/AVP 0 96\r\na=rtpmap:96 telephone-event/48000\r\n";
    assert_eq!(keys(only_wide).clock_rate, 48_000);
}

#[test]
fn what_is_not_configured_is_not_spoken() {
    let narrow = with(&["pcma", "pcmu"]);
    let answered = answer(&read(BROWSER), &narrow).unwrap();
    assert_eq!(answered.config.send, (0, Codec::Pcmu));
    let formats = &answered.description.media[0].formats;
    assert_eq!(formats, &["0", "8", "13", "110", "126"]);
    let offered = stream(&offer(&mut narrow.clone()));
    assert!(
        offered.starts_with("m=audio 20000 RTP/AVP 8 0 101\r\n"),
        "{offered}"
    );
    let linear = read("m=audio 4000 RTP/AVP 97\r\na=rtpmap:97 L16/16000\r\n");
    assert!(matches!(
        answer(&linear, &local()),
        Err(NegotiateError::NoCommonCodec { .. })
    ));
    let agreed = answer(&linear, &with(&["l16-16000"])).unwrap();
    assert_eq!(agreed.config.send, (97, Codec::L16Wide));
}

#[test]
fn our_own_offer_has_a_fixed_table_of_numbers_and_is_compact() {
    let offered = stream(&offer(&mut local()));
    assert_eq!(
        offered,
        "m=audio 20000 RTP/AVP 0 8 9 96 101 103\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n\
         a=rtpmap:9 G722/8000\r\na=rtpmap:96 opus/48000/2\r\n\
         a=fmtp:96 maxplaybackrate=16000;sprop-maxcapturerate=16000;stereo=0;useinbandfec=1\r\n\
         a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=rtpmap:103 telephone-event/48000\r\n\
         a=fmtp:103 0-15\r\na=ptime:20\r\na=sendrecv\r\na=rtcp-mux\r\n"
    );
    assert!(offered.len() < 450, "{}", offered.len());
}

#[test]
fn an_answer_with_numbers_of_its_own_gets_them_and_sends_ours() {
    let mut local = with(&["opus", "pcmu"]);
    assert_eq!(
        offer(&mut local).media[0].formats,
        ["96", "0", "101", "103"]
    );
    let theirs = read(
        "m=audio 4000 RTP/AVP 107 101 100\r\na=rtpmap:107 opus/48000/2\r\n\
         a=rtpmap:101 telephone-event/48000\r\na=rtpmap:100 telephone-event/8000\r\n",
    );
    let config = accept(&theirs, &local).unwrap();
    assert_eq!(config.send, (107, Codec::Opus));
    assert_eq!(config.receive, [(96, Codec::Opus), (107, Codec::Opus)]);
    let keys = config.telephone_event.unwrap();
    assert_eq!((keys.payload_type, keys.clock_rate), (101, 48_000));
    // 101 is keys, whichever clock is meant by it.
    assert_eq!(config.receive_events, [101, 103, 100]);
}

#[test]
fn a_number_of_the_peer_s_is_no_sound_where_it_is_keys_of_ours() {
    let mut local = local();
    let _ = offer(&mut local);
    let theirs = read("m=audio 4000 RTP/AVP 101\r\na=rtpmap:101 opus/48000/2\r\n");
    let config = accept(&theirs, &local).unwrap();
    assert_eq!(config.send, (101, Codec::Opus));
    // Nothing else in the answer has 101 of ours: it agrees to no keys.
    assert_eq!(config.receive, [(96, Codec::Opus), (101, Codec::Opus)]);
    assert!(config.receive_events.is_empty());
}

#[test]
fn numbers_keep_their_meaning_when_it_is_our_turn_to_offer() {
    let mut ours = local();
    let theirs = read(
        "m=audio 4000 RTP/AVP 101 9 96\r\na=rtpmap:101 opus/48000/2\r\na=rtpmap:96 telephone-event/48000\r\n",
    );
    ours.payload_types = answer(&theirs, &ours).unwrap().payload_types;
    let again = offer(&mut ours).media[0].formats.clone();
    assert_eq!(again, ["0", "8", "9", "101", "97", "96"]);
    assert_eq!(offer(&mut ours).media[0].formats, again);
}

#[test]
fn packets_of_opus_are_as_long_as_its_frames_and_not_shorter_than_the_peer_can_take() {
    let opus = "m=audio 4000 RTP/AVP 111\r\na=rtpmap:111 opus/48000/2\r\n";
    for (attributes, millis) in [
        ("", 20),
        ("a=ptime:30\r\n", 20),
        ("a=ptime:50\r\n", 40),
        ("a=ptime:60\r\n", 60),
        ("a=ptime:120\r\n", 60),
        ("a=ptime:3\r\n", 10),
        ("a=fmtp:111 useinbandfec=1; minptime=40\r\n", 40),
        ("a=fmtp:111 minptime=60\r\na=maxptime:20\r\n", 20),
        ("a=fmtp:112 minptime=60\r\n", 20),
    ] {
        let config = agreed(&format!("{opus}{attributes}")).config;
        assert_eq!(config.ptime.as_millis(), millis, "{attributes}");
    }
}

#[test]
fn linear_sound_of_both_bands_is_told_apart_and_stereo_is_not_taken() {
    let both = with(&["l16", "l16-16000", "pcmu"]);
    let theirs = read(
        "m=audio 4000 RTP/AVP 98 97 11 0\r\na=rtpmap:97 L16/8000\r\na=rtpmap:98 L16/16000/1\r\n\
         a=rtpmap:96 L16/16000/2\r\n",
    );
    let config = answer(&theirs, &both).unwrap().config;
    let receive = [(98, Codec::L16Wide), (97, Codec::L16), (0, Codec::Pcmu)];
    assert_eq!(config.receive, receive);
    let stereo = read("m=audio 4000 RTP/AVP 96\r\na=rtpmap:96 L16/16000/2\r\n");
    assert!(answer(&stereo, &both).is_err());
    let offered = stream(&offer(&mut both.clone()));
    assert!(offered.contains("AVP 97 98 0 101 102\r\n"), "{offered}");
}

#[test]
fn the_first_codec_of_an_offer_is_known_before_it_is_answered() {
    let codecs = Codecs::default();
    assert_eq!(first_codec(&read(BROWSER), &codecs), Some(Codec::Opus));
    let narrow = Codecs::parse(["pcma"]).unwrap();
    assert_eq!(first_codec(&read(BROWSER), &narrow), Some(Codec::Pcma));
    let foreign = read("m=audio 4000 RTP/AVP 18\r\n");
    assert_eq!(first_codec(&foreign, &codecs), None);
}

proptest::proptest! {
    #[test]
    fn any_list_of_numbers_and_names_is_answered_or_refused_without_a_panic(
        numbers in proptest::collection::vec(0u8..140, 0..20),
        maps in proptest::collection::vec((0u8..140, "[A-Za-z0-9/]{0,12}|opus/48000/2|G722/8000|telephone-event/8000"), 0..20),
    ) {
        let numbers: Vec<String> = numbers.iter().map(u8::to_string).collect();
        let maps: String = maps.iter().map(|(number, name)| format!("a=rtpmap:{number} {name}\r\n")).collect();
        let theirs = read(&format!("m=audio 4000 RTP/AVP {}\r\n{maps}", numbers.join(" ")));
        let mut ours = local();
        if let Ok(answered) = answer(&theirs, &ours) {
            proptest::prop_assert!(answered.config.receive.contains(&answered.config.send));
            ours.payload_types = answered.payload_types;
            let offered = offer(&mut ours).media[0].formats.clone();
            let mut once = offered.clone();
            once.sort();
            once.dedup();
            proptest::prop_assert_eq!(once.len(), offered.len());
        }
        let _ = accept(&theirs, &ours);
    }
}
