//! Where messages go: responses, requests within a call, NAT, strict and loose routes.

use super::kit::{ANSWER, Bench, Caller, OFFER, address, config, tcp, udp};
use crate::sip::message::{HeaderName, Message, Request};
use crate::sip::{EndpointConfig, Hop, Transport};

/// Our BYE in a call whose INVITE had these headers and came from `hop`.
fn bye_of(hop: Hop, headers: &str) -> (Hop, Request) {
    let mut bench = Bench::with(config(), hop);
    let mut caller = Caller::new("a");
    caller.headers = headers.into();
    let dialog = bench.call(&mut caller);
    bench.act(|endpoint, now| endpoint.bye(now, dialog, None));
    match bench.sent().as_slice() {
        [(_, hop, Message::Request(bye))] => (*hop, bye.clone()),
        other => panic!("{other:?}"),
    }
}

fn routes(request: &Request) -> Vec<String> {
    let routes = request.headers.get_all(&HeaderName::Route);
    routes
        .map(|route| String::from_utf8_lossy(route).into_owned())
        .collect()
}

#[test]
fn a_loose_route_keeps_the_target_in_the_request_uri() {
    let record = "Record-Route: <sip:10.0.0.20;lr>, <sip:10.0.0.21:5080;lr>\r\n";
    let (hop, bye) = bye_of(udp(), record);
    assert_eq!(hop.remote, address("10.0.0.20:5060"));
    assert_eq!(bye.uri.to_string(), "sip:alice@10.0.0.9:5070");
    assert_eq!(
        routes(&bye),
        ["<sip:10.0.0.20;lr>", "<sip:10.0.0.21:5080;lr>"]
    );
}

#[test]
fn a_strict_route_takes_the_request_uri_and_the_target_goes_last() {
    let record = "Record-Route: <sip:10.0.0.20>, <sip:10.0.0.21;lr>\r\n";
    let (hop, bye) = bye_of(udp(), record);
    assert_eq!(hop.remote, address("10.0.0.20:5060"));
    assert_eq!(bye.uri.to_string(), "sip:10.0.0.20");
    assert_eq!(
        routes(&bye),
        ["<sip:10.0.0.21;lr>", "<sip:alice@10.0.0.9:5070>"]
    );
}

#[test]
fn the_200_repeats_the_record_routes() {
    let mut bench = Bench::new();
    let mut caller = Caller::new("a");
    caller.headers = "Record-Route: <sip:10.0.0.20;lr>\r\nRecord-Route: <sip:p2;lr>\r\n".into();
    bench.hear(&caller.invite(OFFER));
    let dialog = bench.invited();
    bench.act(|endpoint, now| endpoint.answer(now, dialog, ANSWER.into()));
    let routes = bench.response().headers.record_routes().expect("routes");
    assert_eq!(routes.len(), 2);
}

#[test]
fn our_requests_go_to_the_contact_with_tags_and_cseq_of_our_own() {
    let (hop, bye) = bye_of(udp(), "Contact: <sip:alice@10.0.0.9:6000>\r\n");
    assert_eq!(hop.remote, address("10.0.0.9:6000"));
    assert_eq!(bye.headers.cseq().map(|cseq| cseq.number), Ok(1));
    let (from, to) = (
        bye.headers.from().expect("From"),
        bye.headers.to().expect("To"),
    );
    assert_eq!(to.tag(), Some("tag-a"));
    assert_eq!(from.uri.user(), Some("menu"));
    let via = bye.headers.top_via().expect("Via");
    assert_eq!(
        (via.host.ip(), via.port),
        (Some(udp().local.ip()), Some(5060))
    );
    assert!(
        via.branch()
            .is_some_and(|branch| branch.starts_with("z9hG4bK"))
    );
}

#[test]
fn a_contact_behind_a_nat_is_passed_over_for_where_the_peer_was_heard() {
    let public = Hop {
        remote: address("203.0.113.9:41000"),
        ..udp()
    };
    let (hop, _) = bye_of(public, "Contact: <sip:alice@192.168.1.5:5060>\r\n");
    assert_eq!(hop, public);
    let (hop, _) = bye_of(public, "Record-Route: <sip:192.168.1.1;lr>\r\n");
    assert_eq!(hop, public, "nor does a proxy there have another way");
    let (hop, _) = bye_of(udp(), "Contact: <sip:alice@pbx.example.com>\r\n");
    assert_eq!(hop, udp(), "a name is not resolved here");
}

#[test]
fn a_trunk_that_leaves_the_way_is_not_written_to() {
    let (hop, _) = bye_of(udp(), "Contact: <sip:gw@10.0.0.77:5080>\r\n");
    assert_eq!(hop.remote, address("10.0.0.77:5080"));
}

#[test]
fn a_call_over_a_connection_keeps_it() {
    let (hop, bye) = bye_of(
        tcp(),
        "Contact: <sip:alice@10.0.0.9:5060;transport=tcp>\r\n",
    );
    assert_eq!(hop, tcp());
    let via = bye.headers.top_via().expect("Via");
    assert_eq!(via.transport, "TCP");
}

#[test]
fn a_response_goes_to_the_source_port_only_when_rport_asks() {
    let hop = Hop {
        remote: address("10.0.0.9:33333"),
        ..udp()
    };
    let mut bench = Bench::with(config(), hop);
    let mut caller = Caller::new("a");
    bench.hear(&caller.cancel());
    assert_eq!(bench.sent()[0].1, hop);
    caller.via = "SIP/2.0/UDP pc.example.com:5072".into();
    bench.hear(&caller.cancel());
    let (_, hop, message) = bench.sent().remove(0);
    assert_eq!(
        hop.remote,
        address("10.0.0.9:5072"),
        "the source, at the port of sent-by"
    );
    let Message::Response(response) = message else {
        panic!("no response");
    };
    let via = response.headers.top_via().expect("Via");
    assert_eq!(via.received(), Some(hop.remote.ip()));
}

#[test]
fn a_response_over_a_connection_stays_on_it() {
    let mut bench = Bench::with(config(), tcp());
    let mut caller = Caller::new("a");
    caller.via = "SIP/2.0/TCP pc.example.com:5072".into();
    bench.hear(&caller.cancel());
    assert_eq!(bench.sent()[0].1, tcp());
}

#[test]
fn the_external_address_is_for_the_public_internet_only() {
    let external = Some("198.51.100.1".parse().expect("an address"));
    let config = EndpointConfig {
        external_address: external,
        ..config()
    };
    for (remote, ours) in [
        ("10.0.0.9:5070", "<sip:menu@10.0.0.1:5060>"),
        ("203.0.113.9:5070", "<sip:menu@198.51.100.1:5060>"),
    ] {
        let hop = Hop {
            remote: address(remote),
            ..udp()
        };
        let mut bench = Bench::with(config.clone(), hop);
        bench.hear(&Caller::new("a").invite(OFFER));
        let dialog = bench.invited();
        bench.act(|endpoint, now| endpoint.answer(now, dialog, ANSWER.into()));
        let contact = bench.response().headers.get(&HeaderName::Contact).cloned();
        assert_eq!(contact.as_deref(), Some(ours.as_bytes()));
    }
    let bench = Bench::with(config, tcp());
    let contact = bench.endpoint.contact(tcp(), None);
    assert_eq!(contact, "<sip:10.0.0.1:5060;transport=tcp>");
    assert_eq!(tcp().transport, Transport::Tcp);
}

#[test]
fn a_refreshed_contact_is_where_the_bye_goes() {
    let mut bench = Bench::new();
    let mut caller = Caller::new("a");
    let dialog = bench.call(&mut caller);
    bench.hear(&caller.next("UPDATE", "Contact: <sip:alice@10.0.0.9:7000>\r\n", ""));
    bench.sent();
    bench.act(|endpoint, now| endpoint.bye(now, dialog, None));
    let (_, hop, _) = bench.sent().remove(0);
    assert_eq!(hop.remote, address("10.0.0.9:7000"));
}

#[test]
fn a_call_over_ipv6_writes_brackets_where_they_belong() {
    let hop = Hop {
        local: address("[2001:db8::1]:5060"),
        remote: address("[2001:db8::9]:5070"),
        ..udp()
    };
    let mut bench = Bench::with(config(), hop);
    let mut caller = Caller::new("a");
    caller.via = "SIP/2.0/UDP [2001:db8::8]:5070;rport".into();
    caller.headers = "Contact: <sip:alice@[2001:db8::9]:6000>\r\n".into();
    bench.hear(&caller.invite(OFFER));
    let dialog = bench.invited();
    bench.act(|endpoint, now| endpoint.answer(now, dialog, ANSWER.into()));
    let ok = bench.response();
    let contact = ok.headers.get(&HeaderName::Contact).cloned();
    assert_eq!(
        contact.as_deref(),
        Some(&b"<sip:menu@[2001:db8::1]:5060>"[..])
    );
    assert_eq!(
        ok.headers.top_via().expect("Via").received(),
        Some(hop.remote.ip())
    );
    caller.learn(&ok);
    bench.hear(&caller.ack(""));
    bench.act(|endpoint, now| endpoint.bye(now, dialog, None));
    let bye = bench.request();
    assert_eq!(bye.uri.to_string(), "sip:alice@[2001:db8::9]:6000");
    let via = bye.headers.top_via().expect("Via");
    assert_eq!(via.host.ip(), Some(hop.local.ip()));
}
