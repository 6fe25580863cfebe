//! What is read from a whole message and what is written.

use bytes::Bytes;

use super::{invite, refusal, request, response};
use crate::sip::message::{
    Contacts, HeaderName, Host, Message, MessageError, Method, Refresher, Request, Response,
    SessionExpires, SipUri, Status, Uri, Via,
};

#[test]
fn an_honest_invite_is_read_in_all_its_parts() {
    let invite = request(invite());
    assert_eq!(invite.method, Method::Invite);
    assert_eq!(invite.uri.user(), Some("menu"));
    let headers = &invite.headers;
    assert_eq!(headers.len(), 13);
    assert_eq!(headers.top_via().unwrap().branch(), Some("z9hG4bKabc123"));
    assert_eq!(headers.top_via().unwrap().rport(), Some(None));
    let from = headers.from().unwrap();
    assert_eq!(from.display_name.as_deref(), Some("Ann Test"));
    assert_eq!(from.tag(), Some("from1"));
    assert_eq!(headers.to().unwrap().tag(), None);
    assert_eq!(headers.call_id().unwrap(), "call-1@192.0.2.10");
    assert_eq!(headers.cseq().unwrap().number, 1);
    assert_eq!(headers.max_forwards(), Ok(Some(70)));
    assert!(matches!(headers.contacts(), Ok(Contacts::List(list)) if list.len() == 1));
    assert_eq!(
        headers.tokens(&HeaderName::Supported),
        ["timer", "replaces"]
    );
    let timer = SessionExpires {
        seconds: 1800,
        refresher: Some(Refresher::Uac),
    };
    assert_eq!(headers.session_expires(), Ok(Some(timer)));
    assert!(
        headers
            .content_type()
            .unwrap()
            .unwrap()
            .is("Application", "SDP")
    );
    assert_eq!(invite.body, "v=0\r\no=- 1");
}

#[test]
fn values_and_body_are_slices_of_the_datagram() {
    let datagram = invite();
    let range = datagram.as_ptr_range();
    let invite = request(datagram.clone());
    let (_, via) = invite.headers.iter().next().unwrap();
    assert!(range.contains(&via.as_ptr()) && range.contains(&invite.body.as_ptr()));
}

#[test]
fn a_message_that_is_written_and_read_again_is_the_same() {
    let invite = Message::Request(request(invite()));
    assert_eq!(Message::parse_datagram(invite.to_bytes()), Ok(invite));
}

#[test]
fn the_body_ends_where_content_length_says() {
    let with = |length: &str| {
        let text = str::from_utf8(&invite())
            .unwrap()
            .replace("Length: 10", length);
        Bytes::from(text)
    };
    assert_eq!(request(with("Length: 3")).body, "v=0");
    assert_eq!(request(with("X: y")).body, "v=0\r\no=- 1");
    assert_eq!(refusal(with("Length: 11")).1, 400);
    for bad in [
        "-1",
        "+3",
        "3 ",
        "3 3",
        "0x3",
        "18446744073709551619",
        "",
        "³",
    ] {
        let bytes = with(&format!("Length: {bad}"));
        match bad {
            "3 " => assert_eq!(request(bytes).body, "v=0"),
            _ => assert_eq!(refusal(bytes).1, 400, "{bad:?}"),
        }
    }
}

#[test]
fn a_written_message_has_one_length_of_its_own_count_and_full_names() {
    let mut bye = Request::new(
        Method::Bye,
        Uri::Sip(SipUri::new(Host::Name("example.net".into()))),
    );
    bye.headers.push(HeaderName::parse("l").unwrap(), "77");
    bye.headers
        .push(HeaderName::parse("f").unwrap(), "<sip:a@b>;tag=1");
    bye.body = Bytes::from_static(b"four");
    assert_eq!(
        bye.to_bytes(),
        "BYE sip:example.net SIP/2.0\r\nFrom: <sip:a@b>;tag=1\r\nContent-Length: 4\r\n\r\nfour"
    );
}

#[test]
fn nothing_put_into_a_message_can_begin_a_line() {
    let evil = "a\r\nX-Injected: yes\r\n\r\nINVITE\0";
    let mut uri = SipUri::new(Host::Name(evil.into())).with_user(evil);
    uri.password = Some(evil.into());
    uri.params.set(evil, evil);
    uri.headers.push((evil.into(), evil.into()));
    let mut address = crate::sip::message::NameAddr::new(Uri::Sip(uri.clone()));
    address.display_name = Some(evil.into());
    address.params.set(evil, evil);
    let other = Uri::Other {
        scheme: evil.into(),
        rest: Bytes::from(evil),
    };
    for uri in [Uri::Sip(uri), other] {
        let mut request = Request::new(Method::Info, uri);
        request.headers.push(HeaderName::From, address.to_string());
        request.headers.set(HeaderName::To, evil);
        request.headers.insert_front(HeaderName::Reason, evil);
        request.headers.set_first(&HeaderName::Reason, evil);
        let via = Via {
            transport: evil.into(),
            host: Host::Name(evil.into()),
            port: None,
            params: address.params.clone(),
        };
        request.headers.replace_top_via(&via);
        assert_eq!(lines_of(&request.to_bytes()), 7);
    }
    let mut response = Response::new(Status::OK);
    response.reason = Bytes::from(evil);
    assert_eq!(lines_of(&response.to_bytes()), 3);
}

fn lines_of(bytes: &[u8]) -> usize {
    assert!(!bytes.contains(&0));
    let text = str::from_utf8(bytes).unwrap();
    assert_eq!(text.matches('\r').count(), text.matches('\n').count());
    text.matches("\r\n").count()
}

#[test]
fn a_response_copies_what_leads_it_back() {
    let text = str::from_utf8(&invite()).unwrap().replace(
        "Max-Forwards: 70",
        "Via: SIP/2.0/TCP b.example;branch=z9hG4bK2,\r\n SIP/2.0/UDP c.example;branch=z9hG4bK3\r\nTimestamp: 54",
    );
    let request = request(text);
    let trying = Response::to(&request, Status::TRYING);
    let names: Vec<&str> = trying
        .headers
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(
        names,
        ["Via", "Via", "From", "To", "Call-ID", "CSeq", "Timestamp"]
    );
    assert_eq!(trying.headers.vias().unwrap().len(), 3);
    assert_eq!(trying.headers.from(), request.headers.from());
    assert!(
        !Response::to(&request, Status::OK)
            .headers
            .has(&HeaderName::Timestamp)
    );
}

#[test]
fn only_the_top_via_is_replaced_in_a_list() {
    let mut headers = request(invite()).headers;
    headers.set(
        HeaderName::Via,
        "SIP/2.0/UDP a.example;branch=z9hG4bK1 , SIP/2.0/ODD b.example;x=\"1,2\"",
    );
    let mut via = headers.top_via().unwrap();
    via.params.set("received", "2001:db8::1");
    headers.replace_top_via(&via);
    assert_eq!(
        headers.get(&HeaderName::Via).unwrap(),
        "SIP/2.0/UDP a.example;branch=z9hG4bK1;received=2001:db8::1, SIP/2.0/ODD b.example;x=\"1,2\""
    );
    assert_eq!(
        headers.top_via().unwrap().received(),
        "2001:db8::1".parse().ok()
    );
}

#[test]
fn a_refused_request_keeps_what_could_be_read() {
    let text = str::from_utf8(&invite())
        .unwrap()
        .replace("sip:menu@127.0.0.1:5060;transport=udp", "<sip:menu>");
    let (request, status, why) = refusal(text);
    assert_eq!((status, why), (400, "Request-URI"));
    let answer = Response::to(&request, Status::BAD_REQUEST).to_bytes();
    assert!(
        answer.starts_with(b"SIP/2.0 400 Bad Request\r\nVia: SIP/2.0/UDP 192.0.2.10:5080;rport")
    );
    assert_eq!(request.uri.to_string(), "%3Csip:menu%3E");
}

#[test]
fn a_keep_alive_is_dropped_and_a_phrase_is_not_needed() {
    for bytes in ["", "\r\n", "\r\n\r\n", "\n"] {
        let found = Message::parse_datagram(Bytes::from(bytes));
        assert_eq!(found, Err(MessageError::Drop { why: "keep-alive" }));
    }
    let bare = response(
        "SIP/2.0 180\nv: SIP/2.0/UDP h;branch=1\nf: <sip:a@b>\nt: <sip:c@d>;tag=1\ni: 1\nCSeq: 1 INVITE\n\n",
    );
    assert_eq!((bare.status, bare.reason.len()), (Status::RINGING, 0));
}
