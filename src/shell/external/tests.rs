//! Small servers on loopback, the media engine as it is, and what is heard of one through the other.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use flowswitch_media::command::{Command, Event, Sides};
use flowswitch_media::dsp::meter::frequency_power;
use flowswitch_media::dsp::tone::ToneGenerator;
use flowswitch_media::dtmf::Digit;
use flowswitch_media::host::{HostConfig, Inlet};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::time::{sleep, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use uuid::Uuid;

use super::*;
use crate::flow::SoundFormat;
use crate::ids::CallId;

const SESSION: SessionId = SessionId(1);
const EXTERNAL: ExternalId = ExternalId(7);
const PATIENCE: Duration = Duration::from_secs(8);
const TONE: f32 = 700.0;

/// A session with one who listens and speaks beside the external that is tested.
struct Rig {
    media: MediaHost,
    externals: Externals,
    inputs: mpsc::Receiver<Input>,
    observer: Inlet,
    heard: Arc<Mutex<Vec<i16>>>,
    tone: ToneGenerator,
}

impl Rig {
    async fn new(allow: &[&str]) -> Self {
        let (sink, mut events) = mpsc::unbounded_channel();
        let config = HostConfig {
            threads: 1,
            ports: free_ports(),
            name: "media".to_owned(),
            seed: [1; 32],
        };
        let mut media = MediaHost::start(config, move |told| {
            drop(sink.send(told.take(Instant::now())))
        })
        .unwrap();
        media.send(Command::Open {
            session: SESSION,
            local: Ipv4Addr::LOCALHOST.into(),
        });
        let opened = events.recv().await;
        assert!(matches!(opened, Some(Event::Opened { .. })), "{opened:?}");
        let heard = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&heard);
        let config = ExternalConfig {
            listen: Some(Sides::Peer),
            speak: Some(Sides::Peer),
        };
        let observer = media.open_external(ExternalId(1), SESSION, config, move |frame, _| {
            kept.lock().unwrap().extend(frame.unwrap().0);
        });
        let (answers, inputs) = mpsc::channel(16);
        let allow = allow.iter().map(|network| network.parse().unwrap());
        let policy = OutboundPolicy {
            allow: allow.collect(),
        };
        Self {
            media,
            externals: Externals::new(policy, answers, tokio::runtime::Handle::current()),
            inputs,
            observer,
            heard,
            tone: ToneGenerator::single(TONE, -12.0),
        }
    }

    fn order(&mut self, carrier: Carrier, host: &str) {
        let target = ExternalTarget {
            id: Uuid::from_u128(1),
            call: CallId(Uuid::from_u128(2)),
            carrier,
            host: host.to_owned(),
            data: "for you".to_owned(),
            transport_data: String::new(),
        };
        self.externals
            .order(EXTERNAL, ExternalOrder::Connect(Box::new(target)));
    }

    async fn news(&mut self) -> ExternalNews {
        let input = timeout(PATIENCE, self.inputs.recv()).await.unwrap();
        match input {
            Some(Input::External {
                external: EXTERNAL,
                news,
            }) => news,
            other => panic!("{other:?}"),
        }
    }

    /// Connects and lets in, to hear and speak in the place of the peer.
    async fn connect(&mut self, carrier: Carrier, host: &str) {
        self.order(carrier, host);
        let news = self.news().await;
        let ExternalNews::Connected { local } = news else {
            panic!("not connected");
        };
        assert!(local.ip().is_loopback() && local.port() > 0);
        let config = ExternalConfig {
            listen: Some(Sides::Peer),
            speak: Some(Sides::Peer),
        };
        self.externals
            .let_in(&mut self.media, EXTERNAL, SESSION, config);
    }

    /// Speaks for so long, and says what the observer has heard of others.
    async fn talk(&mut self, millis: u64) -> Vec<i16> {
        self.heard.lock().unwrap().clear();
        let mut samples = [0; 160];
        for _ in 0..millis / 20 {
            self.tone.fill(&mut samples);
            self.observer.say(&samples);
            sleep(Duration::from_millis(20)).await;
        }
        self.heard.lock().unwrap().clone()
    }

    async fn hears_its_echo(&mut self) {
        self.talk(600).await;
        let heard = self.talk(400).await;
        assert!(heard.len() > 1_600, "{}", heard.len());
        let power = frequency_power(&heard, TONE);
        assert!(power > -22.0, "{power} dB of its own tone");
    }

    fn disconnect(&mut self) {
        self.externals.order(EXTERNAL, ExternalOrder::Disconnect);
    }
}

fn free_ports() -> std::ops::RangeInclusive<u16> {
    use std::sync::atomic::{AtomicU16, Ordering};
    static NEXT: AtomicU16 = AtomicU16::new(0);
    loop {
        let offset = NEXT.fetch_add(8, Ordering::Relaxed);
        let first = 15_000 + (std::process::id() % 50) as u16 * 64 + offset;
        let mut range = first..=first + 7;
        if range.all(|port| std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).is_ok()) {
            return first..=first + 7;
        }
    }
}

async fn listener() -> (TcpListener, String) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    (listener, address)
}

async fn accept(listener: &TcpListener) -> TcpStream {
    timeout(PATIENCE, listener.accept())
        .await
        .unwrap()
        .unwrap()
        .0
}

const ANY: &[&str] = &["127.0.0.0/8"];

#[tokio::test]
async fn rtp_that_is_returned_is_heard_in_every_format() {
    for format in [SoundFormat::Ulaw, SoundFormat::Alaw, SoundFormat::Slin] {
        let server = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let host = server.local_addr().unwrap().to_string();
        let mut rig = Rig::new(ANY).await;
        let echo = tokio::spawn(async move {
            let mut buffer = [0; 2_048];
            let mut packets = 0;
            loop {
                let (len, from) = server.recv_from(&mut buffer).await.unwrap();
                server.send_to(&buffer[..len], from).await.unwrap();
                // Neither garbage nor another host is heard.
                server.send_to(&buffer[..len / 20], from).await.unwrap();
                packets += 1;
                if packets == 70 {
                    return;
                }
            }
        });
        rig.connect(Carrier::Rtp(format), &host).await;
        rig.hears_its_echo().await;
        rig.disconnect();
        assert_eq!(rig.news().await, ExternalNews::Ended);
        echo.abort();
    }
}

/// One message of AudioSocket.
async fn message(stream: &mut TcpStream) -> Option<(u8, Vec<u8>)> {
    let mut head = [0; 3];
    stream.read_exact(&mut head).await.ok()?;
    let mut payload = vec![0; usize::from(u16::from_be_bytes([head[1], head[2]]))];
    stream.read_exact(&mut payload).await.ok()?;
    Some((head[0], payload))
}

#[tokio::test]
async fn audiosocket_has_the_id_first_and_then_sound_both_ways_and_keys() {
    let (listener, host) = listener().await;
    let mut rig = Rig::new(ANY).await;
    let server = tokio::spawn(async move {
        let mut stream = accept(&listener).await;
        let first = message(&mut stream).await.unwrap();
        let mut keys = Vec::new();
        // What is not known is passed over, however long.
        stream.write_all(&[0x42, 0xff, 0xff]).await.unwrap();
        stream.write_all(&[7; 65_535]).await.unwrap();
        while let Some((kind, payload)) = message(&mut stream).await {
            match kind {
                0x10 => {
                    assert_eq!(payload.len(), 320);
                    stream.write_all(&[0x10, 1, 64]).await.unwrap();
                    stream.write_all(&payload).await.unwrap();
                }
                0x03 => keys.extend(payload),
                0x00 => return (first, keys),
                other => panic!("kind {other}"),
            }
        }
        panic!("no hangup came");
    });
    rig.connect(Carrier::AudioSocket, &host).await;
    rig.hears_its_echo().await;
    for key in ['5', '#'] {
        let digit = Digit::from_char(key).unwrap();
        rig.externals.order(EXTERNAL, ExternalOrder::Digit(digit));
    }
    rig.talk(100).await;
    rig.disconnect();
    assert_eq!(rig.news().await, ExternalNews::Ended);
    let (first, keys) = server.await.unwrap();
    assert_eq!(first, (0x01, Uuid::from_u128(2).as_bytes().to_vec()));
    assert_eq!(keys, b"5#");
}

#[tokio::test]
async fn audiosocket_ends_when_the_server_hangs_up_fails_or_breaks_off() {
    for last in [&[0, 0, 0][..], &[0xff, 0, 1, 9], &[0x10, 1], &[]] {
        let (listener, host) = listener().await;
        let mut rig = Rig::new(ANY).await;
        let server = async {
            let mut stream = accept(&listener).await;
            message(&mut stream).await.unwrap();
            stream.write_all(last).await.unwrap();
        };
        tokio::join!(rig.connect(Carrier::AudioSocket, &host), server);
        assert_eq!(rig.news().await, ExternalNews::Ended, "{last:?}");
    }
}

type Socket = WebSocketStream<TcpStream>;

async fn websocket(listener: &TcpListener) -> Socket {
    tokio_tungstenite::accept_async(accept(listener).await)
        .await
        .unwrap()
}

/// The next text, with how much sound came before it.
async fn event(socket: &mut Socket) -> (usize, Value) {
    let mut octets = 0;
    loop {
        let next = timeout(PATIENCE, socket.next()).await.unwrap();
        match next.unwrap().unwrap() {
            Message::Binary(sound) => octets += sound.len(),
            Message::Text(text) => return (octets, serde_json::from_str(&text).unwrap()),
            other => panic!("{other:?}"),
        }
    }
}

async fn tell(socket: &mut Socket, event: Value) {
    socket.send(Message::text(event.to_string())).await.unwrap();
}

#[tokio::test]
async fn websocket_starts_returns_sound_tells_keys_and_stops() {
    let (listener, host) = listener().await;
    let mut rig = Rig::new(ANY).await;
    let server = tokio::spawn(async move {
        let mut socket = websocket(&listener).await;
        let (_, start) = event(&mut socket).await;
        let mut events = vec![start];
        tell(&mut socket, json!({"event": "unheard of"})).await;
        socket.send(Message::text("no json")).await.unwrap();
        while let Some(Ok(message)) = socket.next().await {
            match message {
                Message::Binary(sound) => {
                    assert_eq!(sound.len(), 160);
                    socket.send(Message::Binary(sound)).await.unwrap();
                }
                Message::Text(text) => events.push(serde_json::from_str(&text).unwrap()),
                _ => {}
            }
        }
        events
    });
    let carrier = Carrier::WebSocket(SoundFormat::Ulaw);
    rig.connect(carrier, &format!("ws://{host}/sound?a=b"))
        .await;
    rig.hears_its_echo().await;
    let digit = Digit::from_char('7').unwrap();
    rig.externals.order(EXTERNAL, ExternalOrder::Digit(digit));
    rig.talk(100).await;
    rig.disconnect();
    assert_eq!(rig.news().await, ExternalNews::Ended);
    let start = json!({
        "event": "start", "id": Uuid::from_u128(1), "call_id": Uuid::from_u128(2),
        "format": "ulaw", "rate": 8_000, "ptime": 20, "data": "for you",
    });
    let dtmf = json!({"event": "dtmf", "digit": "7"});
    assert_eq!(
        server.await.unwrap(),
        [start, dtmf, json!({"event": "stop"})]
    );
}

#[tokio::test]
async fn marks_are_played_when_their_time_has_come_and_cleared_with_the_sound() {
    let (listener, host) = listener().await;
    let mut rig = Rig::new(ANY).await;
    let server = tokio::spawn(async move {
        let mut socket = websocket(&listener).await;
        event(&mut socket).await;
        // Half a second of sound at once, a mark, and a minute that nobody waits for.
        socket.send(Message::binary(vec![9; 8_000])).await.unwrap();
        tell(&mut socket, json!({"event": "mark", "name": "half"})).await;
        let began = tokio::time::Instant::now();
        socket
            .send(Message::binary(vec![9; 240_000]))
            .await
            .unwrap();
        tell(&mut socket, json!({"event": "mark", "name": "never"})).await;
        let (octets, played) = event(&mut socket).await;
        assert_eq!(played, json!({"event": "played", "mark": "half"}));
        let after = began.elapsed();
        assert!((450..5_000).contains(&after.as_millis()), "{after:?}");
        assert!((6_000..90_000).contains(&octets), "{octets}");
        tell(&mut socket, json!({"event": "clear"})).await;
        tell(&mut socket, json!({"event": "mark", "name": "now"})).await;
        let mut told = Vec::new();
        for _ in 0..2 {
            told.push(event(&mut socket).await.1);
        }
        let expected = [
            json!({"event": "cleared", "mark": "never"}),
            json!({"event": "played", "mark": "now"}),
        ];
        assert_eq!(told, expected);
        // What it says last is heard although it goes.
        socket.send(Message::binary(vec![9; 3_200])).await.unwrap();
        socket.close(None).await.unwrap();
    });
    rig.connect(Carrier::WebSocket(SoundFormat::Slin), &host)
        .await;
    server.await.unwrap();
    assert_eq!(rig.news().await, ExternalNews::Ended);
    let heard = rig.heard.lock().unwrap();
    let loud = heard.iter().filter(|sample| **sample == 0x0909).count();
    assert!((5_500..50_000).contains(&loud), "{loud} samples");
}

#[tokio::test]
async fn websocket_ends_at_too_long_a_message_and_at_too_much_nonsense() {
    for is_long in [true, false] {
        let (listener, host) = listener().await;
        let mut rig = Rig::new(ANY).await;
        let server = tokio::spawn(async move {
            let mut socket = websocket(&listener).await;
            event(&mut socket).await;
            if is_long {
                let _ = socket.send(Message::binary(vec![1; 300_000])).await;
            } else {
                for _ in 0..=super::websocket::NONSENSE {
                    let _ = socket.send(Message::text("{")).await;
                }
            }
            while let Some(Ok(_)) = socket.next().await {}
        });
        rig.connect(Carrier::WebSocket(SoundFormat::Slin), &host)
            .await;
        assert_eq!(rig.news().await, ExternalNews::Ended);
        server.abort();
    }
}

#[tokio::test]
async fn what_cannot_be_reached_ends_without_a_connection() {
    let (listener, open) = listener().await;
    let (closed_listener, closed) = self::listener().await;
    drop(closed_listener);
    let carriers = [
        Carrier::Rtp(SoundFormat::Ulaw),
        Carrier::AudioSocket,
        Carrier::WebSocket(SoundFormat::Ulaw),
    ];
    // Loopback is not public: nothing arrives there unless it is allowed.
    let mut rig = Rig::new(&[]).await;
    for carrier in carriers {
        for host in [
            open.as_str(),
            "localhost:80",
            "nowhere",
            "[::1]:80",
            "169.254.169.254:80",
        ] {
            rig.order(carrier, host);
            assert_eq!(rig.news().await, ExternalNews::Ended, "{carrier:?} {host}");
        }
    }
    let arrived = timeout(Duration::from_millis(50), listener.accept()).await;
    assert!(arrived.is_err());
    let mut rig = Rig::new(ANY).await;
    for carrier in &carriers[1..] {
        rig.order(*carrier, &closed);
        assert_eq!(rig.news().await, ExternalNews::Ended, "{carrier:?}");
    }
    // One that is encrypted is not spoken with in the clear.
    rig.order(carriers[2], &format!("wss://{open}"));
    let (mut stream, news) = tokio::join!(accept(&listener), async {
        sleep(Duration::from_millis(200)).await;
        rig.disconnect();
        rig.news().await
    });
    assert_eq!(news, ExternalNews::Ended);
    let mut first = [0; 1];
    stream.read_exact(&mut first).await.unwrap();
    assert_eq!(first, [0x16], "a TLS handshake");
}

#[tokio::test]
async fn a_server_that_says_nothing_is_given_up_and_so_is_one_that_is_wanted_no_longer() {
    let (listener, host) = listener().await;
    let mut rig = Rig::new(ANY).await;
    let carrier = Carrier::WebSocket(SoundFormat::Ulaw);
    rig.order(carrier, &host);
    let hanging = accept(&listener).await;
    rig.disconnect();
    assert_eq!(rig.news().await, ExternalNews::Ended);
    rig.order(carrier, &host);
    let _silent = accept(&listener).await;
    assert_eq!(rig.news().await, ExternalNews::Ended);
    drop(hanging);
}

#[test]
fn addresses_are_told_as_they_are() {
    let refused = End::from(FetchError::Refused {
        address: SocketAddr::from(([127, 0, 0, 1], 0)).ip(),
    });
    let told = "address 127.0.0.1 is not allowed (see outbound_http.allow)";
    assert_eq!(refused.to_string(), told);
}
