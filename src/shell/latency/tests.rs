//! Calls to a peer on loopback that follows a script.

use std::net::UdpSocket;
use std::thread::JoinHandle;

use super::*;

/// What the peer does.
#[derive(Clone, Copy, PartialEq)]
enum Script {
    /// Answers, and sends every packet back.
    Echoes,
    /// Sends each packet back twice but the tenth, which it loses.
    Stutters,
    /// Sends silence of its own.
    Speaks,
    /// Answers, and sends nothing.
    IsSilent,
    /// Says this instead of 200.
    Refuses(&'static str),
    /// Hangs up after so many packets.
    HangsUp(usize),
}

/// The requests that came to it, by method.
struct Peer {
    address: SocketAddr,
    heard: JoinHandle<Vec<String>>,
}

fn peer(script: Script) -> Peer {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let rtp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let patience = Some(Duration::from_millis(2));
    socket.set_read_timeout(patience).unwrap();
    rtp.set_read_timeout(patience).unwrap();
    let address = socket.local_addr().unwrap();
    let heard = thread::spawn(move || {
        let mut peer = Scripted {
            port: rtp.local_addr().unwrap().port(),
            socket,
            rtp,
            script,
            invite: None,
            packets: 0,
            methods: Vec::new(),
        };
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(10) && !peer.is_over() {
            peer.signal();
            peer.sound();
        }
        peer.methods
    });
    Peer { address, heard }
}

struct Scripted {
    socket: UdpSocket,
    rtp: UdpSocket,
    port: u16,
    script: Script,
    invite: Option<(String, SocketAddr)>,
    packets: usize,
    methods: Vec<String>,
}

impl Scripted {
    fn is_over(&self) -> bool {
        let last = match self.script {
            Script::Refuses(_) => "ACK",
            Script::HangsUp(_) => "SIP/2.0",
            _ => "BYE",
        };
        self.methods.iter().any(|method| method == last)
    }

    fn signal(&mut self) {
        let mut buffer = [0; 4096];
        let Ok((length, from)) = self.socket.recv_from(&mut buffer) else {
            return;
        };
        let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
        let method = text.split(' ').next().unwrap_or_default().to_owned();
        match (method.as_str(), self.script) {
            ("INVITE", Script::Refuses(status)) => self.respond(&text, from, status, ""),
            ("INVITE", _) => {
                self.respond(&text, from, "180 Ringing", "");
                let port = self.port;
                let sdp = format!(
                    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
                     m=audio {port} RTP/AVP 8\r\n"
                );
                self.respond(&text, from, "200 OK", &sdp);
                self.invite = Some((text, from));
            }
            ("BYE", _) => self.respond(&text, from, "200 OK", ""),
            _ => {}
        }
        self.methods.push(method);
    }

    fn respond(&self, request: &str, to: SocketAddr, status: &str, body: &str) {
        let mut response = format!("SIP/2.0 {status}\r\n");
        for line in request.lines().take_while(|line| !line.is_empty()) {
            let name = line.split(':').next().unwrap_or_default();
            match name {
                "Via" | "From" | "Call-ID" | "CSeq" => response.push_str(&format!("{line}\r\n")),
                "To" if line.contains("tag=") => response.push_str(&format!("{line}\r\n")),
                "To" => response.push_str(&format!("{line};tag=peer\r\n")),
                _ => {}
            }
        }
        let local = self.socket.local_addr().unwrap();
        let kind = if body.is_empty() {
            ""
        } else {
            "Content-Type: application/sdp\r\n"
        };
        response.push_str(&format!(
            "Contact: <sip:peer@{local}>\r\n{kind}Content-Length: {}\r\n\r\n{body}",
            body.len()
        ));
        self.socket.send_to(response.as_bytes(), to).unwrap();
    }

    fn sound(&mut self) {
        let mut buffer = [0; 2048];
        let Ok((length, from)) = self.rtp.recv_from(&mut buffer) else {
            return;
        };
        self.packets += 1;
        let packet = &mut buffer[..length];
        let times = match self.script {
            Script::IsSilent => 0,
            Script::Stutters if self.packets == 10 => 0,
            Script::Stutters => 2,
            _ => 1,
        };
        if self.script == Script::Speaks {
            packet[12..].fill(0xd5);
        }
        for _ in 0..times {
            self.rtp.send_to(packet, from).unwrap();
        }
        if matches!(self.script, Script::HangsUp(after) if after == self.packets) {
            self.hang_up();
        }
    }

    fn hang_up(&self) {
        let (invite, to) = self.invite.clone().unwrap();
        let header = |name: &str| {
            let line = invite.lines().find(|line| line.starts_with(name)).unwrap();
            line.split_once(": ").unwrap().1.to_owned()
        };
        let local = self.socket.local_addr().unwrap();
        let bye = format!(
            "BYE sip:flowswitch@{to} SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bKbye\r\n\
             Max-Forwards: 70\r\nFrom: {};tag=peer\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: 1 BYE\r\n\
             Content-Length: 0\r\n\r\n",
            header("To:"),
            header("From:"),
            header("Call-ID:"),
        );
        self.socket.send_to(bye.as_bytes(), to).unwrap();
    }
}

fn options(target: impl ToString) -> LatencyOptions {
    LatencyOptions {
        target: target.to_string(),
        user: "echo".to_owned(),
        secs: 1,
        from: "flowswitch".to_owned(),
        password: None,
        json: false,
    }
}

fn measured(script: Script) -> (Result<Measured, LatencyError>, Vec<String>) {
    let peer = peer(script);
    let result = measure(&options(peer.address), &AtomicBool::new(false));
    (result, peer.heard.join().unwrap())
}

#[test]
fn an_echo_is_measured_and_hung_up() {
    let (measured, methods) = measured(Script::Echoes);
    let measured = measured.unwrap();
    assert_eq!(measured.ending, Ending::Whole);
    assert_eq!(measured.law, G711::Alaw);
    let figures = &measured.figures;
    assert_eq!((figures.sent, figures.lost, figures.unheard), (50, 0, 0));
    assert!(figures.round_trip.min() > Duration::ZERO);
    assert!(measured.setup.ringing.unwrap() <= measured.setup.answered);
    assert_eq!(methods, ["INVITE", "ACK", "BYE"]);
}

#[test]
fn lost_and_doubled_packets_are_counted() {
    let figures = measured(Script::Stutters).0.unwrap().figures;
    assert_eq!((figures.lost, figures.duplicated), (1, 49));
}

#[test]
fn what_was_measured_stands_when_the_peer_hangs_up() {
    let measured = measured(Script::HangsUp(20)).0.unwrap();
    assert_eq!(measured.ending, Ending::HungUp);
    assert!((20..25).contains(&measured.figures.sent));
}

#[test]
fn both_reports_have_the_figures() {
    let measured = measured(Script::Echoes).0.unwrap();
    let (mut table, mut json) = (Vec::new(), Vec::new());
    report::print_table(&measured, &mut table).unwrap();
    report::print_json(&measured, &mut json).unwrap();
    let table = String::from_utf8(table).unwrap();
    assert!(table.contains("sent 50, came back 50, lost 0"), "{table}");
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(json["matched_by"], "payload");
    assert!(json["round_trip_ms"]["p99"].as_f64().unwrap() > 0.0);
}

#[test]
fn a_silent_way_a_voice_that_is_no_echo_and_a_refusal_are_told_apart() {
    let (silent, methods) = measured(Script::IsSilent);
    assert!(matches!(
        silent,
        Err(LatencyError::NoMedia { sent: 50, .. })
    ));
    assert!(methods.contains(&"BYE".to_owned()));
    let speaks = measured(Script::Speaks).0;
    assert!(matches!(speaks, Err(LatencyError::NoEcho { .. })));
    let refused = measured(Script::Refuses("404 Nobody Here")).0.unwrap_err();
    let text = refused.to_string();
    assert!(
        text.ends_with("to echo: 404 Nobody Here; is there such a user?"),
        "{text}"
    );
}

#[test]
fn a_closed_port_is_told_at_once() {
    let closed = UdpSocket::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let began = Instant::now();
    let result = measure(&options(closed), &AtomicBool::new(false));
    assert!(
        matches!(result, Err(LatencyError::Closed { .. })),
        "{result:?}"
    );
    assert!(began.elapsed() < Duration::from_secs(1));
}

#[test]
fn a_target_that_is_no_place_is_refused() {
    for target in [
        "",
        "sip:host",
        "user@host",
        "host:port",
        "host;transport=tcp",
    ] {
        let result = party(&options(target));
        assert!(
            matches!(result, Err(LatencyError::Target { .. })),
            "{target}"
        );
    }
    assert_eq!(party(&options("127.0.0.1")).unwrap().target.port(), 5060);
    assert!(party(&options("[::1]:5070")).unwrap().target.is_ipv6());
}
