//! Against a small DNS server of the test's own on loopback.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use hickory_resolver::config::{ConnectionConfig, NameServerConfig};
use hickory_resolver::proto::op::{Message, MessageType, OpCode, ResponseCode};
use hickory_resolver::proto::rr::rdata::{A, AAAA, NAPTR, SOA, SRV};
use hickory_resolver::proto::rr::{Name, Record};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, UdpSocket};

use super::*;
use crate::sip::Transport::{self, Tcp, Udp};

/// What the server says of a name and a kind of record.
enum Answer {
    Records(Vec<RData>),
    /// There is no such name, and for how many seconds.
    Nobody(u32),
    Silence,
    /// Too much for a datagram.
    Huge(Vec<RData>),
    Garbage,
}

type Zone = fn(&str, RecordType) -> Answer;

struct Dns {
    address: SocketAddr,
    asked: Arc<AtomicUsize>,
}

async fn dns(zone: Zone) -> Dns {
    let loopback = |port| SocketAddr::from(([127, 0, 0, 1], port));
    // The system chooses the port for datagrams, and the same is wanted for streams.
    let (udp, tcp) = loop {
        let udp = UdpSocket::bind(loopback(0)).await.unwrap();
        let port = udp.local_addr().unwrap().port();
        if let Ok(tcp) = TcpListener::bind(loopback(port)).await {
            break (udp, tcp);
        }
    };
    let address = udp.local_addr().unwrap();
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    tokio::spawn(async move {
        let mut buffer = vec![0; 4096];
        loop {
            let (length, peer) = udp.recv_from(&mut buffer).await.unwrap();
            counter.fetch_add(1, Ordering::Relaxed);
            if let Some(bytes) = answered(&buffer[..length], zone, false) {
                udp.send_to(&bytes, peer).await.unwrap();
            }
        }
    });
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = tcp.accept().await.unwrap();
            tokio::spawn(async move {
                while let Ok(length) = stream.read_u16().await {
                    let mut question = vec![0; usize::from(length)];
                    stream.read_exact(&mut question).await.unwrap();
                    if let Some(bytes) = answered(&question, zone, true) {
                        stream
                            .write_u16(u16::try_from(bytes.len()).unwrap())
                            .await
                            .unwrap();
                        stream.write_all(&bytes).await.unwrap();
                    }
                }
            });
        }
    });
    Dns { address, asked }
}

fn answered(question: &[u8], zone: Zone, is_stream: bool) -> Option<Vec<u8>> {
    let question = Message::from_vec(question).unwrap();
    let query = question.queries[0].clone();
    let mut answer = Message::new(question.metadata.id, MessageType::Response, OpCode::Query);
    answer.metadata.recursion_desired = true;
    answer.metadata.recursion_available = true;
    answer.add_query(query.clone());
    let name = query.name().clone();
    let records = match zone(&name.to_ascii(), query.query_type()) {
        Answer::Silence => return None,
        Answer::Garbage => return Some(question.metadata.id.to_be_bytes().to_vec()),
        Answer::Huge(_) if !is_stream => {
            answer.metadata.truncation = true;
            Vec::new()
        }
        Answer::Records(records) | Answer::Huge(records) => records,
        Answer::Nobody(ttl) => {
            answer.metadata.response_code = ResponseCode::NXDomain;
            let soa = SOA::new(name.clone(), name.clone(), 1, 1, 1, 1, ttl);
            answer.add_authority(Record::from_rdata(name.clone(), ttl, RData::SOA(soa)));
            Vec::new()
        }
    };
    for data in records {
        answer.add_answer(Record::from_rdata(name.clone(), 60, data));
    }
    Some(answer.to_vec().unwrap())
}

fn name(text: &str) -> Name {
    Name::from_ascii(text).unwrap()
}

fn a(last: u8) -> RData {
    RData::A(A(Ipv4Addr::new(127, 0, 0, last)))
}

fn srv(priority: u16, port: u16, target: &str) -> RData {
    RData::SRV(SRV::new(priority, 1, port, name(target)))
}

fn naptr(order: u16, services: &str, replacement: &str) -> RData {
    let bytes = |text: &str| text.as_bytes().to_vec().into_boxed_slice();
    let record = NAPTR::new(
        order,
        1,
        bytes("s"),
        bytes(services),
        bytes(""),
        name(replacement),
    );
    RData::NAPTR(record)
}

fn resolver(dns: &Dns, listening: &[(Transport, &str)]) -> Resolver {
    let connection = |mut connection: ConnectionConfig| {
        connection.port = dns.address.port();
        connection
    };
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(connection);
    let server = NameServerConfig::new(dns.address.ip(), true, connections.to_vec());
    let config = ResolverConfig::from_parts(None, Vec::new(), vec![server]);
    let listening = listening.iter();
    let outlets = Outlets::new(
        listening
            .map(|(how, at)| (*how, at.parse().unwrap()))
            .collect(),
    );
    Resolver::new(
        config,
        ResolverOpts::default(),
        outlets,
        Rng::from_number(1),
    )
    .unwrap()
}

const BOTH: [(Transport, &str); 2] = [(Udp, "127.0.0.1:5060"), (Tcp, "127.0.0.1:5062")];

fn host(text: &str, port: Option<u16>, transport: Option<Transport>) -> SipHost {
    SipHost {
        host: Host::Name(text.to_owned()),
        port,
        transport,
    }
}

fn ways(hops: &[Hop]) -> Vec<(Transport, String)> {
    hops.iter()
        .map(|hop| (hop.transport, hop.remote.to_string()))
        .collect()
}

fn way(transport: Transport, remote: &str) -> (Transport, String) {
    (transport, remote.to_owned())
}

/// The example of RFC 3263 §4: TCP preferred, two servers each.
fn carrier(name: &str, kind: RecordType) -> Answer {
    match (name, kind) {
        ("example.com.", RecordType::NAPTR) => Answer::Records(vec![
            naptr(102, "SIP+D2U", "_sip._udp.example.com."),
            naptr(50, "SIPS+D2T", "_sips._tcp.example.com."),
            naptr(90, "SIP+D2T", "_sip._tcp.example.com."),
        ]),
        ("_sip._tcp.example.com.", RecordType::SRV) => Answer::Records(vec![
            srv(1, 5070, "server2.example.com."),
            srv(0, 5070, "server1.example.com."),
        ]),
        ("_sip._udp.example.com.", RecordType::SRV) => {
            Answer::Records(vec![srv(0, 5080, "server1.example.com.")])
        }
        ("server1.example.com.", RecordType::A) => Answer::Records(vec![a(1), a(2)]),
        ("server2.example.com.", RecordType::A) => Answer::Records(vec![a(3)]),
        ("host.example.com.", RecordType::A) => Answer::Records(vec![a(9)]),
        ("host.example.com.", RecordType::AAAA) => {
            Answer::Records(vec![RData::AAAA(AAAA("::1".parse().unwrap()))])
        }
        ("odd.example.com.", RecordType::A) => {
            let group = RData::A(A(Ipv4Addr::new(224, 0, 0, 1)));
            let nobody = RData::A(A(Ipv4Addr::UNSPECIFIED));
            Answer::Records(vec![group, nobody, RData::A(A(Ipv4Addr::BROADCAST)), a(4)])
        }
        ("huge.example.com.", RecordType::A) => Answer::Huge((1..=250).map(a).collect()),
        ("_sip._udp.many.example.com.", RecordType::SRV) => Answer::Huge(
            (0..200)
                .map(|index| srv(index, 5060, &format!("s{index}.example.com.")))
                .collect(),
        ),
        (server, RecordType::A) if server.starts_with('s') => {
            Answer::Records((1..=9).map(a).collect())
        }
        ("_sip._udp.closed.example.com." | "_sip._tcp.closed.example.com.", RecordType::SRV) => {
            Answer::Records(vec![srv(0, 0, ".")])
        }
        ("closed.example.com.", RecordType::A) => Answer::Records(vec![a(1)]),
        ("broken.example.com.", _) => Answer::Garbage,
        _ => Answer::Nobody(60),
    }
}

#[tokio::test]
async fn a_name_alone_is_found_by_naptr_srv_and_addresses_in_the_order_of_the_rfc() {
    let dns = dns(carrier).await;
    let resolver = resolver(&dns, &BOTH);
    let hops = resolver.resolve(&host("example.com", None, None)).await;
    let wanted = [
        way(Tcp, "127.0.0.1:5070"),
        way(Tcp, "127.0.0.2:5070"),
        way(Tcp, "127.0.0.3:5070"),
        way(Udp, "127.0.0.1:5080"),
        way(Udp, "127.0.0.2:5080"),
    ];
    assert_eq!(ways(&hops), wanted);
    assert_eq!(hops[0].local, "127.0.0.1:5062".parse().unwrap());
    assert_eq!(hops[3].local, "127.0.0.1:5060".parse().unwrap());
    let asked = dns.asked.load(Ordering::Relaxed);
    let again = resolver.resolve(&host("Example.COM.", None, None)).await;
    assert_eq!(ways(&again), wanted);
    assert_eq!(
        dns.asked.load(Ordering::Relaxed),
        asked,
        "asked again within the TTL"
    );
}

#[tokio::test]
async fn port_and_transport_decide_what_is_asked() {
    let dns = dns(carrier).await;
    let resolver = resolver(&dns, &BOTH);
    for (host, wanted) in [
        (
            host("host.example.com", None, None),
            vec![way(Udp, "127.0.0.9:5060")],
        ),
        (
            host("host.example.com", None, Some(Tcp)),
            vec![way(Tcp, "127.0.0.9:5060")],
        ),
        (
            host("host.example.com", Some(5099), None),
            vec![way(Udp, "127.0.0.9:5099")],
        ),
        (
            host("odd.example.com", Some(5060), None),
            vec![way(Udp, "127.0.0.4:5060")],
        ),
        (
            host("example.com", None, Some(Udp)),
            vec![way(Udp, "127.0.0.1:5080"), way(Udp, "127.0.0.2:5080")],
        ),
        (host("nobody.example.com", None, None), vec![]),
        (host("closed.example.com", None, None), vec![]),
        (
            host("localhost", Some(5060), None),
            vec![way(Udp, "127.0.0.1:5060")],
        ),
    ] {
        assert_eq!(ways(&resolver.resolve(&host).await), wanted, "{host:?}");
    }
}

#[tokio::test]
async fn only_transports_and_families_that_are_listened_on_are_ways() {
    let dns = dns(carrier).await;
    let udp = resolver(&dns, &[(Udp, "127.0.0.1:5060")]);
    let hops = udp.resolve(&host("example.com", None, None)).await;
    assert!(hops.len() == 2 && hops.iter().all(|hop| hop.transport == Udp));
    assert_eq!(udp.resolve(&host("example.com", None, Some(Tcp))).await, []);
    let number = |text: &str| SipHost {
        host: Host::Ip(text.parse().unwrap()),
        port: None,
        transport: None,
    };
    assert_eq!(udp.resolve(&number("::1")).await, []);
    assert_eq!(udp.resolve(&number("0.0.0.0")).await, []);
    assert_eq!(udp.resolve(&number("239.1.1.1")).await, []);
    assert_eq!(
        ways(&udp.resolve(&number("127.0.0.8")).await),
        [way(Udp, "127.0.0.8:5060")]
    );
    let everywhere = resolver(&dns, &[(Udp, "0.0.0.0:5064")]);
    let hops = everywhere.resolve(&number("127.0.0.8")).await;
    assert_eq!(hops[0].local, "127.0.0.1:5064".parse().unwrap());
}

#[tokio::test]
async fn huge_answers_come_to_no_more_hops_than_the_limit() {
    let dns = dns(carrier).await;
    let resolver = resolver(&dns, &BOTH);
    let hops = resolver
        .resolve(&host("huge.example.com", Some(5060), None))
        .await;
    assert_eq!(hops.len(), rules::ADDRESSES);
    let hops = resolver
        .resolve(&host("many.example.com", None, Some(Udp)))
        .await;
    // Ten servers at the same four addresses.
    assert_eq!(hops.len(), rules::ADDRESSES);
}

#[tokio::test]
async fn who_does_not_exist_is_not_asked_for_again_at_once() {
    let dns = dns(carrier).await;
    let resolver = resolver(&dns, &BOTH);
    for name in ["nobody.example.com", "broken.example.com"] {
        assert_eq!(resolver.resolve(&host(name, Some(5060), None)).await, []);
        let asked = dns.asked.load(Ordering::Relaxed);
        assert_eq!(resolver.resolve(&host(name, Some(5060), None)).await, []);
        assert_eq!(dns.asked.load(Ordering::Relaxed), asked, "{name}");
    }
}

#[tokio::test]
async fn a_server_that_says_nothing_is_waited_for_no_longer_than_the_patience() {
    let dns = dns(|_, _| Answer::Silence).await;
    let resolver = resolver(&dns, &BOTH);
    let start = Instant::now();
    assert_eq!(resolver.resolve(&host("example.com", None, None)).await, []);
    assert!(
        start.elapsed() < PATIENCE + Duration::from_millis(500),
        "{:?}",
        start.elapsed()
    );
    let start = Instant::now();
    assert_eq!(resolver.resolve(&host("example.com", None, None)).await, []);
    assert!(
        start.elapsed() < Duration::from_millis(200),
        "{:?}",
        start.elapsed()
    );
}

#[tokio::test]
async fn a_server_that_does_not_know_naptr_and_srv_is_asked_for_addresses() {
    let dns = dns(|_, kind| match kind {
        RecordType::A => Answer::Records(vec![a(5)]),
        RecordType::AAAA => Answer::Nobody(1),
        _ => Answer::Silence,
    })
    .await;
    let resolver = resolver(&dns, &BOTH);
    let hops = resolver.resolve(&host("old.example.com", None, None)).await;
    assert_eq!(ways(&hops), [way(Udp, "127.0.0.5:5060")]);
}

#[tokio::test]
async fn names_that_are_none_are_found_nowhere_and_break_nothing() {
    let dns = dns(carrier).await;
    let resolver = resolver(&dns, &BOTH);
    let long_label = format!("{}.example.com", "a".repeat(64));
    let long_name = "a.".repeat(200);
    for name in [
        "",
        ".",
        "..",
        "a..b",
        "-",
        "_",
        "*",
        "a b",
        "\u{fc}.example.com",
        "\\",
        "\\300.x",
        "1.2.3.4.5",
        "xn--",
        "a\r\nb",
        "\0",
        &long_label,
        &long_name,
    ] {
        for (port, transport) in [(None, None), (Some(5060), None), (None, Some(Tcp))] {
            assert_eq!(
                resolver.resolve(&host(name, port, transport)).await,
                [],
                "{name:?}"
            );
        }
    }
}

#[tokio::test]
async fn without_dns_servers_addresses_and_the_hosts_file_still_work() {
    let none = ResolverConfig::from_parts(None, Vec::new(), Vec::new());
    let outlets = Outlets::new(vec![(Udp, "127.0.0.1:5060".parse().unwrap())]);
    let resolver =
        Resolver::new(none, ResolverOpts::default(), outlets, Rng::from_number(1)).unwrap();
    let hops = resolver.resolve(&host("localhost", None, None)).await;
    assert_eq!(ways(&hops), [way(Udp, "127.0.0.1:5060")]);
    assert_eq!(resolver.resolve(&host("example.com", None, None)).await, []);
}
