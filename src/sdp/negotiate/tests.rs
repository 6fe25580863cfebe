use super::*;

fn local() -> LocalEnd {
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
        crypto: LocalCrypto::default(),
    }
}

fn read(media: &str) -> SessionDescription {
    let text = format!(
        "v=0\r\no=- 1 1 IN IP4 192.0.2.10\r\ns=-\r\nc=IN IP4 192.0.2.10\r\nt=0 0\r\n{media}"
    );
    SessionDescription::parse(text.as_bytes()).unwrap()
}

fn agreed(media: &str) -> Answer {
    answer(&read(media), &local()).unwrap()
}

#[test]
fn the_first_codec_of_the_offer_that_we_know_is_sent() {
    let answer = agreed("m=audio 4000 RTP/AVP 18 8 0 101\r\na=rtpmap:101 telephone-event/8000\r\n");
    assert_eq!(answer.config.send, (8, Codec::Pcma));
    assert_eq!(answer.config.receive, [(8, Codec::Pcma), (0, Codec::Pcmu)]);
    assert_eq!(
        answer.config.telephone_event,
        Some(TelephoneEvent::narrow(101))
    );
    assert_eq!(answer.description.media[0].formats, ["8", "0", "101"]);
    assert_eq!(answer.config.remote, "192.0.2.10:4000".parse().unwrap());
}

#[test]
fn a_codec_under_a_dynamic_number_keeps_the_number_of_the_offer() {
    let answer = agreed(
        "m=audio 4000 RTP/AVP 96 97\r\na=rtpmap:96 pcma/8000/1\r\na=rtpmap:97 telephone-event/8000\r\n",
    );
    assert_eq!(answer.config.send, (96, Codec::Pcma));
    assert_eq!(
        answer.config.telephone_event,
        Some(TelephoneEvent::narrow(97))
    );
}

#[test]
fn an_rtpmap_that_redefines_a_static_number_is_believed() {
    let offer = read("m=audio 4000 RTP/AVP 0\r\na=rtpmap:0 G726-32/8000\r\n");
    assert_eq!(
        answer(&offer, &local()),
        Err(NegotiateError::NoCommonCodec {
            offered: vec!["G726-32/8000".to_owned()]
        })
    );
}

#[test]
fn no_common_codec_names_what_was_offered() {
    let offer = read("m=audio 4000 RTP/AVP 18 4\r\na=rtpmap:18 G729/8000\r\n");
    assert_eq!(
        answer(&offer, &local()),
        Err(NegotiateError::NoCommonCodec {
            offered: vec!["G729/8000".to_owned(), "4".to_owned()]
        })
    );
}

#[test]
fn other_streams_are_refused_in_place() {
    let answer = agreed(
        "m=video 5000 RTP/AVP 96\r\nm=audio 4000 RTP/AVP 0\r\nm=audio 4002 RTP/AVP 0\r\nm=audio 0 RTP/AVP 8\r\n",
    );
    let ports: Vec<u16> = answer
        .description
        .media
        .iter()
        .map(|media| media.port)
        .collect();
    assert_eq!(ports, [0, 20_000, 0, 0]);
    assert_eq!(answer.description.media[0].kind, "video");
}

#[test]
fn other_or_refused_audio_alone_is_no_audio() {
    for media in [
        "m=audio 4000 UDP/TLS/RTP/SAVP 0\r\n",
        "m=audio 0 RTP/AVP 0\r\n",
        "m=image 4000 udptl t38\r\n",
        "",
    ] {
        assert!(matches!(
            answer(&read(media), &local()),
            Err(NegotiateError::NoAudio { .. })
        ));
    }
}

#[test]
fn directions_are_mirrored_and_answered() {
    for (offered, ours) in [
        ("a=sendonly", Direction::RecvOnly),
        ("a=recvonly", Direction::SendOnly),
        ("a=inactive", Direction::Inactive),
        ("a=sendrecv", Direction::SendRecv),
        ("a=x", Direction::SendRecv),
    ] {
        let answer = agreed(&format!("m=audio 4000 RTP/AVP 0\r\n{offered}\r\n"));
        assert_eq!(answer.config.direction, ours);
        let answered = &answer.description.media[0].attributes;
        assert_eq!(answered.first(direction_name(ours)), Some(""));
    }
}

#[test]
fn a_direction_of_the_session_holds_for_a_medium_without_one() {
    let text = "v=0\r\no=- 1 1 IN IP4 192.0.2.10\r\ns=-\r\nc=IN IP4 192.0.2.10\r\nt=0 0\r\na=sendonly\r\nm=audio 4000 RTP/AVP 0\r\n";
    let offer = SessionDescription::parse(text.as_bytes()).unwrap();
    assert_eq!(
        answer(&offer, &local()).unwrap().config.direction,
        Direction::RecvOnly
    );
}

#[test]
fn the_zero_address_is_a_hold() {
    let answer = agreed("m=audio 4000 RTP/AVP 0\r\nc=IN IP4 0.0.0.0\r\n");
    assert_eq!(answer.config.direction, Direction::RecvOnly);
    assert!(!answer.config.direction.sends());
}

#[test]
fn packet_time_follows_ptime_within_maxptime_in_tens() {
    for (attributes, millis) in [
        ("", 20),
        ("a=ptime:30\r\n", 30),
        ("a=ptime:35\r\n", 30),
        ("a=ptime:5\r\n", 10),
        ("a=ptime:200\r\n", 60),
        ("a=maxptime:10\r\n", 10),
        ("a=ptime:nan\r\n", 20),
        ("a=ptime:-20\r\n", 20),
    ] {
        let answer = agreed(&format!("m=audio 4000 RTP/AVP 0\r\n{attributes}"));
        assert_eq!(
            answer.config.ptime,
            Duration::from_millis(millis),
            "{attributes}"
        );
    }
}

#[test]
fn rtcp_goes_to_the_port_that_the_peer_says_and_to_no_other_host() {
    let answer = agreed("m=audio 4000 RTP/AVP 0\r\na=rtcp:4009 IN IP4 192.0.2.11\r\n");
    assert_eq!(
        answer.config.remote_rtcp,
        Some("192.0.2.10:4009".parse().unwrap())
    );
    let answer = agreed("m=audio 4000 RTP/AVP 0\r\na=rtcp:4009\r\na=rtcp-mux\r\n");
    assert_eq!(
        answer.config.remote_rtcp,
        Some("192.0.2.10:4009".parse().unwrap())
    );
    assert!(answer.config.rtcp_mux);
}

#[test]
fn our_offer_is_answered_by_an_answer_we_accept() {
    let ours = offer(&mut local());
    let peer = LocalEnd {
        address: "192.0.2.10".parse().unwrap(),
        port: 4000,
        ..local()
    };
    let theirs = answer(&ours, &peer).unwrap().description;
    let config = accept(&theirs, &local()).unwrap();
    assert_eq!(config.send, (0, Codec::Pcmu));
    assert_eq!(config.remote, "192.0.2.10:4000".parse().unwrap());
    assert_eq!(config.telephone_event, Some(TelephoneEvent::narrow(101)));
}

#[test]
fn a_host_name_stands_for_the_address_of_the_signalling() {
    let offer = "v=0\r\no=- 1 1 IN IP4 phone.example\r\ns=-\r\nc=IN IP4 phone.example\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";
    let offer = SessionDescription::parse(offer.as_bytes()).unwrap();
    let config = answer(&offer, &local()).unwrap().config;
    assert_eq!(config.remote, "203.0.113.9:4000".parse().unwrap());
    assert_eq!(config.direction, Direction::SendRecv);
}

#[test]
fn media_by_the_other_ip_version_is_not_agreed_to() {
    let offer = read("m=audio 4000 RTP/AVP 0\r\nc=IN IP6 2001:db8::9\r\n");
    let address = "2001:db8::9".parse().unwrap();
    assert_eq!(
        answer(&offer, &local()),
        Err(NegotiateError::AddressFamily { address })
    );
}

#[test]
fn end_that_holds_says_so_and_only_sends_whatever_the_other_wants() {
    let holding = LocalEnd {
        direction: Direction::SendOnly,
        ..local()
    };
    let ours = offer(&mut holding.clone()).to_string();
    assert!(ours.contains("a=sendonly\r\n"), "{ours}");
    for (theirs, ours, config) in [
        ("sendrecv", "sendonly", Direction::SendOnly),
        ("recvonly", "sendonly", Direction::SendOnly),
        ("sendonly", "inactive", Direction::Inactive),
        ("inactive", "inactive", Direction::Inactive),
    ] {
        let theirs = read(&format!("m=audio 4000 RTP/AVP 0\r\na={theirs}\r\n"));
        let answer = answer(&theirs, &holding).unwrap();
        let text = answer.description.to_string();
        assert!(text.contains(&format!("a={ours}\r\n")), "{text}");
        assert_eq!(answer.config.direction, config);
        // A peer that does not know what it was told is not listened to either.
        let accepted = accept(&theirs, &holding).unwrap();
        assert_eq!(accepted.direction, config);
    }
}

mod codecs;
