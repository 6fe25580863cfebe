use super::*;
use Transport::{Tcp, Udp};

fn host(name: &str, port: Option<u16>, transport: Option<Transport>) -> SipHost {
    SipHost {
        host: Host::parse(name.as_bytes()).unwrap(),
        port,
        transport,
    }
}

fn target(name: &str, port: u16, transport: Transport) -> Start {
    Start::Target(Target {
        transport,
        host: Host::parse(name.as_bytes()).unwrap(),
        port,
    })
}

fn naptr(order: u16, preference: u16, services: &str, replacement: &str) -> Naptr {
    Naptr {
        order,
        preference,
        flags: "s".to_owned(),
        services: services.to_owned(),
        has_regexp: false,
        replacement: replacement.to_owned(),
    }
}

fn srv(priority: u16, weight: u16, target: &str) -> Srv {
    Srv {
        priority,
        weight,
        port: 5060,
        target: target.to_owned(),
    }
}

fn service(transport: Transport) -> Service {
    services("example.com", &[transport]).remove(0)
}

fn names(servers: Servers) -> Vec<String> {
    match servers {
        Servers::Targets(targets) => targets
            .into_iter()
            .map(|target| target.host.to_string())
            .collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn transport_and_port_are_found_as_the_table_of_rfc_3263_says() {
    let name = "example.com";
    let both = [Udp, Tcp];
    let asked = |transport| Some(Start::Services(services(name, &[transport])));
    for (host, spoken, wanted) in [
        // §4.1: a numeric host, or a port, without a transport is UDP.
        (
            host("192.0.2.1", None, None),
            &both[..],
            Some(target("192.0.2.1", 5060, Udp)),
        ),
        (
            host("[2001:db8::1]", None, None),
            &both,
            Some(target("[2001:db8::1]", 5060, Udp)),
        ),
        (
            host("192.0.2.1", Some(5070), None),
            &both,
            Some(target("192.0.2.1", 5070, Udp)),
        ),
        (
            host(name, Some(5070), None),
            &both,
            Some(target(name, 5070, Udp)),
        ),
        // §4.1: the transport of the URI.
        (
            host("192.0.2.1", None, Some(Tcp)),
            &both,
            Some(target("192.0.2.1", 5060, Tcp)),
        ),
        (
            host(name, Some(5060), Some(Tcp)),
            &both,
            Some(target(name, 5060, Tcp)),
        ),
        // §4.2: a transport and no port ask for SRV.
        (host(name, None, Some(Tcp)), &both, asked(Tcp)),
        (host(name, None, Some(Udp)), &both, asked(Udp)),
        // §4.1: neither asks for NAPTR.
        (host(name, None, None), &both, Some(Start::Naptr)),
        // What we do not speak.
        (host(name, None, Some(Tcp)), &[Udp], None),
        (
            host("192.0.2.1", None, None),
            &[Tcp],
            Some(target("192.0.2.1", 5060, Tcp)),
        ),
        (host(name, None, None), &[], None),
    ] {
        assert_eq!(start(&host, spoken), wanted, "{host:?} {spoken:?}");
    }
}

#[test]
fn services_have_the_names_of_rfc_3263_whether_the_host_ends_with_a_dot_or_not() {
    for host in ["example.com", "example.com."] {
        let found: Vec<String> = services(host, &[Udp, Tcp])
            .into_iter()
            .map(|service| service.name)
            .collect();
        assert_eq!(found, ["_sip._udp.example.com.", "_sip._tcp.example.com."]);
    }
}

#[test]
fn naptr_records_are_taken_by_order_and_preference_and_tls_is_passed_over() {
    // The example of RFC 3263 §4.1, and records that are not for us.
    let records = || {
        vec![
            naptr(90, 50, "SIP+D2T", "_sip._tcp.example.com."),
            naptr(50, 50, "SIPS+D2T", "_sips._tcp.example.com."),
            naptr(100, 50, "sip+d2u", "_sip._udp.example.com."),
            naptr(90, 40, "SIP+D2S", "_sip._sctp.example.com."),
            naptr(10, 10, "E2U+sip", "e164.example.com."),
            Naptr {
                flags: "u".to_owned(),
                ..naptr(1, 1, "SIP+D2U", "x.example.com.")
            },
            Naptr {
                has_regexp: true,
                ..naptr(1, 1, "SIP+D2U", "y.example.com.")
            },
            naptr(1, 1, "SIP+D2U", "."),
            naptr(95, 1, "SIP+D2T", "_sip._tcp.example.com."),
        ]
    };
    assert_eq!(
        services_of(records(), &[Udp, Tcp]),
        [service(Tcp), service(Udp)]
    );
    assert_eq!(services_of(records(), &[Udp]), [service(Udp)]);
    assert_eq!(services_of(Vec::new(), &[Udp, Tcp]), []);
    let many = (0..100).map(|index| naptr(index, 1, "SIP+D2U", &format!("{index}.example.com.")));
    assert_eq!(services_of(many.collect(), &[Udp]).len(), SERVERS);
}

#[test]
fn servers_come_by_priority_and_those_of_the_first_service_before_the_next() {
    // The example of RFC 3263 §4.2, over TCP first.
    let answers = vec![
        (
            service(Tcp),
            vec![
                srv(2, 0, "server2.example.com."),
                srv(1, 0, "server1.example.com."),
            ],
        ),
        (service(Udp), vec![srv(0, 0, "server3.example.com.")]),
    ];
    let found = names(servers(answers, &mut Rng::from_number(1)));
    assert_eq!(
        found,
        [
            "server1.example.com.",
            "server2.example.com.",
            "server3.example.com."
        ]
    );
}

#[test]
fn a_server_is_the_first_as_often_as_its_weight_says() {
    let records = || {
        vec![
            srv(1, 0, "none."),
            srv(1, 25, "one."),
            srv(1, 75, "three."),
            srv(2, 99, "last."),
        ]
    };
    let mut rng = Rng::from_number(7);
    let mut firsts = [0_u32; 3];
    for _ in 0..4000 {
        let order = names(servers(vec![(service(Udp), records())], &mut rng));
        assert_eq!((order.len(), order[3].as_str()), (4, "last."));
        let first = ["none.", "one.", "three."]
            .iter()
            .position(|name| *name == order[0]);
        firsts[first.unwrap()] += 1;
    }
    // 1, 25 and 75 of 101.
    assert!((10..100).contains(&firsts[0]), "{firsts:?}");
    assert!((880..1110).contains(&firsts[1]), "{firsts:?}");
    assert!((2840..3110).contains(&firsts[2]), "{firsts:?}");
}

#[test]
fn a_service_that_is_not_offered_is_not_looked_for_at_the_host_itself() {
    let mut rng = Rng::from_number(1);
    let none = || vec![srv(0, 0, ".")];
    let both = vec![(service(Udp), none()), (service(Tcp), none())];
    assert_eq!(servers(both, &mut rng), Servers::Declined);
    let one = vec![(service(Udp), none()), (service(Tcp), Vec::new())];
    assert_eq!(servers(one, &mut rng), Servers::Itself(Tcp));
    let unknown = vec![(service(Udp), Vec::new()), (service(Tcp), Vec::new())];
    assert_eq!(servers(unknown, &mut rng), Servers::Itself(Udp));
    let other = vec![
        (service(Udp), none()),
        (service(Tcp), vec![srv(0, 0, "a.")]),
    ];
    assert_eq!(names(servers(other, &mut rng)), ["a."]);
}

#[test]
fn no_more_servers_are_tried_than_the_limit_and_none_at_port_zero() {
    let mut many: Vec<Srv> = (0..500)
        .map(|index| srv(index, 65535, &format!("{index}.")))
        .collect();
    many[0].port = 0;
    let found = names(servers(
        vec![(service(Udp), many)],
        &mut Rng::from_number(1),
    ));
    assert_eq!((found.len(), found[0].as_str()), (SERVERS, "1."));
}

#[test]
fn addresses_come_by_turns_of_families_and_only_those_of_one_host() {
    let ordered = |texts: &[&str]| -> Vec<String> {
        let found = texts.iter().map(|text| text.parse().unwrap());
        addresses(found).iter().map(ToString::to_string).collect()
    };
    assert_eq!(
        ordered(&[
            "192.0.2.1",
            "192.0.2.2",
            "2001:db8::1",
            "192.0.2.1",
            "192.0.2.3",
            "192.0.2.4"
        ]),
        ["2001:db8::1", "192.0.2.1", "192.0.2.2", "192.0.2.3"]
    );
    assert_eq!(ordered(&["::ffff:192.0.2.1", "192.0.2.1"]), ["192.0.2.1"]);
    let wrong = [
        "0.0.0.0",
        "0.1.2.3",
        "224.0.0.1",
        "255.255.255.255",
        "240.0.0.1",
        "::",
        "ff02::1",
        "::ffff:0.0.0.0",
        "::ffff:224.0.0.1",
    ];
    assert_eq!(ordered(&wrong), [""; 0]);
    assert_eq!(
        ordered(&["127.0.0.1", "10.0.0.1"]),
        ["127.0.0.1", "10.0.0.1"]
    );
}
