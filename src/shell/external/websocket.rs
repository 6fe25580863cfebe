//! A WebSocket both ways (RFC 6455): binary messages are sound, text messages are JSON objects with an `event`.
//!
//! `external_host` is a URL, `ws://` or `wss://`, or a host and port. Sound is in the `format` of the action, 8 kHz,
//! one channel: `ulaw`, `alaw`, or `slin`, linear of 16 bit in little-endian order. We send 20 ms in
//! a message; what the server sends may have any length and come faster than time goes: 30 s may wait, and of
//! more the oldest is dropped.
//!
//! | we send | when |
//! |---|---|
//! | `{"event":"start","id":…,"call_id":…,"format":…,"rate":8000,"ptime":20,"data":…}` | first |
//! | `{"event":"dtmf","digit":"5"}` | the party has pressed a key |
//! | `{"event":"played","mark":…}` | all sound that came before the mark has been heard |
//! | `{"event":"cleared","mark":…}` | the mark was waiting when the sound was cleared |
//! | `{"event":"stop"}` | last |
//!
//! | the server sends | what comes of it |
//! |---|---|
//! | `{"event":"mark","name":…}` | `played`, or `cleared`; the name has at most 128 octets |
//! | `{"event":"clear"}` | what waits is not heard any more |
//!
//! Other events, and text that is none, are passed over; of a hundred of the latter the connection ends, and
//! at a message of more than 256 KiB.

use std::net::SocketAddr;

use futures_util::{Sink, SinkExt as _, Stream, StreamExt as _};
use reqwest::Url;
use serde::Deserialize;
use serde_json::json;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::mpsc::{Receiver, Sender};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::link::Link;
use super::reach::Reach;
use super::sound::{self, Order};
use super::speech::Mark;
use super::stream::{self, Incoming, Outgoing, STALL};
use super::{End, Teller};
use crate::flow::SoundFormat;
use crate::switch::ExternalTarget;

/// Octets of one message: 16 s of linear sound.
const MESSAGE: usize = 256 * 1024;

/// Octets of a text that is read.
const TEXT: usize = 4_096;

/// Octets of the name of a mark.
const NAME: usize = 128;

/// Texts that make no sense, until it is enough.
pub(super) const NONSENSE: u32 = 100;

/// A stream that carries a WebSocket, encrypted or not.
trait Carrying: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Carrying for T {}

type Socket = WebSocketStream<Box<dyn Carrying>>;

pub(super) async fn carry(
    reach: &Reach,
    target: &ExternalTarget,
    format: SoundFormat,
    link: &mut Link,
    teller: &Teller,
) -> End {
    let connecting = async {
        let (mut socket, local) = connect(reach, &target.host).await?;
        let start = json!({
            "event": "start",
            "id": target.id,
            "call_id": target.call.0,
            "format": format.as_str(),
            "rate": 8_000,
            "ptime": 20,
            "data": target.data,
        });
        let start = Message::text(start.to_string());
        socket.send(start).await.map_err(|error| end_of(&error))?;
        Ok((socket, local))
    };
    let (socket, local) = match Reach::within(link, connecting).await {
        Ok(connected) => connected,
        Err(end) => return end,
    };
    teller.connected(local).await;
    let (sink, stream) = socket.split();
    stream::carry(
        link,
        |said| read(stream, format, said),
        |told| write(sink, format, told),
    )
    .await
}

async fn connect(reach: &Reach, host: &str) -> Result<(Socket, SocketAddr), End> {
    let url = url_of(host)?;
    let name = url.host_str().ok_or(End::Address)?;
    let name = name.trim_matches(['[', ']']);
    let is_secret = url.scheme() == "wss";
    let port = url.port().unwrap_or(if is_secret { 443 } else { 80 });
    let stream: TcpStream = reach.tcp(name, port).await?;
    let local = stream.local_addr().map_err(|_| End::Broken)?;
    let stream: Box<dyn Carrying> = if is_secret {
        Box::new(reach.tls(name, stream).await?)
    } else {
        Box::new(stream)
    };
    let request = url.as_str().into_client_request();
    let request = request.map_err(|_| End::Address)?;
    let config = WebSocketConfig::default()
        .max_message_size(Some(MESSAGE))
        .max_frame_size(Some(MESSAGE))
        .write_buffer_size(0);
    let greeting = tokio_tungstenite::client_async_with_config(request, stream, Some(config));
    let (socket, _) = greeting.await.map_err(|_| End::Protocol)?;
    Ok((socket, local))
}

/// The URL of a host; one without a scheme is not encrypted.
fn url_of(host: &str) -> Result<Url, End> {
    let url = match host.contains("://") {
        true => Url::parse(host),
        false => Url::parse(&format!("ws://{host}")),
    };
    let url = url.map_err(|_| End::Address)?;
    let is_plain = url.username().is_empty() && url.password().is_none();
    if !matches!(url.scheme(), "ws" | "wss") || !is_plain || url.fragment().is_some() {
        return Err(End::Address);
    }
    Ok(url)
}

/// What a server may say in text.
#[derive(Debug, Deserialize)]
#[serde(tag = "event", rename_all = "lowercase")]
enum Said {
    Mark {
        name: String,
    },
    Clear,
    #[serde(other)]
    Other,
}

async fn read(
    mut stream: impl Stream<Item = Result<Message, Error>> + Unpin,
    format: SoundFormat,
    said: Sender<Incoming>,
) -> End {
    let mut nonsense = 0;
    while let Some(message) = stream.next().await {
        let incoming = match message {
            Ok(Message::Binary(octets)) => {
                Incoming::Sound(sound::read(format, Order::Little, &octets))
            }
            Ok(Message::Text(text)) => match understand(&text) {
                Some(Said::Mark { name }) => Incoming::Mark(name),
                Some(Said::Clear) => Incoming::Clear,
                Some(Said::Other) => continue,
                None if nonsense < NONSENSE => {
                    nonsense += 1;
                    continue;
                }
                None => return End::Protocol,
            },
            Ok(Message::Close(_)) => return End::Closed,
            // Pings are answered below.
            Ok(_) => continue,
            Err(error) => return end_of(&error),
        };
        if said.send(incoming).await.is_err() {
            break;
        }
    }
    End::Closed
}

/// What a text says; `None` when it makes no sense here.
fn understand(text: &str) -> Option<Said> {
    if text.len() > TEXT {
        return None;
    }
    // The reader of JSON follows 128 objects into each other and no more.
    match serde_json::from_str(text).ok()? {
        Said::Mark { name } if name.len() > NAME => None,
        said => Some(said),
    }
}

async fn write(
    mut sink: impl Sink<Message, Error = Error> + Unpin,
    format: SoundFormat,
    mut told: Receiver<Outgoing>,
) -> End {
    while let Some(what) = told.recv().await {
        let message = match what {
            Outgoing::Sound(frame) => {
                let mut octets = Vec::with_capacity(frame.0.len() * 2);
                sound::write(format, Order::Little, &frame.0, &mut octets);
                Message::binary(octets)
            }
            Outgoing::Digit(digit) => text(&json!({"event": "dtmf", "digit": digit.to_string()})),
            Outgoing::Mark(Mark::Played(name)) => text(&json!({"event": "played", "mark": name})),
            Outgoing::Mark(Mark::Cleared(name)) => text(&json!({"event": "cleared", "mark": name})),
        };
        match timeout(STALL, sink.send(message)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return end_of(&error),
            Err(_) => return End::Stalled,
        }
    }
    // A server that is gone need not be told.
    let _ = sink.send(text(&json!({"event": "stop"}))).await;
    let _ = sink.close().await;
    End::Stopped
}

fn text(json: &serde_json::Value) -> Message {
    Message::text(json.to_string())
}

fn end_of(error: &Error) -> End {
    match error {
        Error::ConnectionClosed | Error::AlreadyClosed => End::Closed,
        Error::Capacity(_) | Error::Protocol(_) | Error::Utf8(_) | Error::AttackAttempt => {
            End::Protocol
        }
        _ => End::Broken,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_without_a_scheme_is_a_websocket_and_other_schemes_are_none() {
        let url = |host| url_of(host).map(|url| url.to_string());
        assert_eq!(
            url("a.example:90/x?y"),
            Ok("ws://a.example:90/x?y".to_owned())
        );
        assert_eq!(url("wss://a.example"), Ok("wss://a.example/".to_owned()));
        assert_eq!(url("ws://0x7f.1:9"), Ok("ws://127.0.0.1:9/".to_owned()));
        for wrong in [
            "",
            "http://a",
            "file:///a",
            "ws://u:p@a",
            "ws://u@a",
            "wss://a#b",
            "ws://",
        ] {
            assert_eq!(url(wrong), Err(End::Address), "{wrong}");
        }
    }

    #[test]
    fn texts_are_understood_or_passed_over_however_odd() {
        let mark =
            |name: &str| format!("{{\"x\": [1], \"event\": \"mark\", \"name\": \"{name}\"}}");
        assert!(matches!(understand(&mark("a")), Some(Said::Mark { name }) if name == "a"));
        assert!(matches!(
            understand("{\"event\":\"clear\"}"),
            Some(Said::Clear)
        ));
        assert!(matches!(
            understand("{\"event\":\"dance\",\"to\":1}"),
            Some(Said::Other)
        ));
        let deep = format!(
            "{{\"event\":\"clear\",\"x\":{}{}}}",
            "[".repeat(1_000),
            "]".repeat(1_000)
        );
        let nonsense = [
            String::new(),
            "[]".to_owned(),
            "{\"event\":1}".to_owned(),
            "{\"event\":\"mark\"}".to_owned(),
            mark(&"x".repeat(129)),
            " ".repeat(5_000) + "{\"event\":\"clear\"}",
            deep,
        ];
        for text in nonsense {
            assert!(understand(&text).is_none(), "{text}");
        }
    }
}
