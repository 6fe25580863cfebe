//! AudioSocket over TCP, as Asterisk speaks it; we are the client.
//!
//! ```text
//!   kind (1 octet) | length (2, network order) | payload
//!   0x00 hangup      0x01 id: 16 octets, ours comes first      0x03 key: one ASCII character
//!   0x10 sound: linear, 16 bit, 8 kHz, little-endian           0xff error
//! ```
//!
//! The id is `transport_data` or `data` where one of them is a UUID, else that of the call. Sound goes both ways in messages of
//! any length; ours have 20 ms. Other kinds are passed over, keys of the server too.

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::sync::mpsc::{Receiver, Sender};
use tokio::time::timeout;
use uuid::Uuid;

use super::link::Link;
use super::reach::{Reach, host_and_port};
use super::sound::{self, Order};
use super::stream::{self, Incoming, Outgoing, STALL};
use super::{End, Teller};
use crate::flow::SoundFormat;
use crate::switch::ExternalTarget;

const HANGUP: u8 = 0x00;
const ID: u8 = 0x01;
const KEY: u8 = 0x03;
const SOUND: u8 = 0x10;
const ERROR: u8 = 0xff;

pub(super) async fn carry(
    reach: &Reach,
    target: &ExternalTarget,
    link: &mut Link,
    teller: &Teller,
) -> End {
    let connecting = async {
        let (host, port) = host_and_port(&target.host)?;
        let mut stream = reach.tcp(host, port).await?;
        let named = [&target.transport_data, &target.data].map(|text| Uuid::try_parse(text.trim()));
        let id = named.into_iter().find_map(Result::ok);
        let id = id.unwrap_or(target.call.0);
        let greeting = message(ID, id.as_bytes());
        stream.write_all(&greeting).await.map_err(|_| End::Broken)?;
        let local = stream.local_addr().map_err(|_| End::Broken)?;
        Ok((stream, local))
    };
    let (stream, local) = match Reach::within(link, connecting).await {
        Ok(connected) => connected,
        Err(end) => return end,
    };
    teller.connected(local).await;
    let (reading, writing) = stream.into_split();
    stream::carry(
        link,
        |said| read(reading, said),
        |told| write(writing, told),
    )
    .await
}

/// One message; what is longer than a length can tell is cut.
fn message(kind: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).unwrap_or(u16::MAX);
    let mut message = vec![kind];
    message.extend(length.to_be_bytes());
    message.extend(&payload[..usize::from(length)]);
    message
}

async fn read(stream: impl AsyncRead + Unpin, said: Sender<Incoming>) -> End {
    let mut stream = BufReader::new(stream);
    let mut payload = Vec::new();
    loop {
        let mut head = [0; 3];
        match stream.read_exact(&mut head).await {
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return End::Closed,
            Err(_) => return End::Broken,
        }
        let [kind, high, low] = head;
        payload.resize(usize::from(u16::from_be_bytes([high, low])), 0);
        if stream.read_exact(&mut payload).await.is_err() {
            return End::Broken;
        }
        match kind {
            HANGUP => return End::Closed,
            ERROR => return End::Failed,
            SOUND => {
                let samples = sound::read(SoundFormat::Slin, Order::Little, &payload);
                if said.send(Incoming::Sound(samples)).await.is_err() {
                    return End::Closed;
                }
            }
            _ => {}
        }
    }
}

async fn write(mut stream: impl AsyncWrite + Unpin, mut told: Receiver<Outgoing>) -> End {
    let mut octets = Vec::new();
    while let Some(what) = told.recv().await {
        let message = match what {
            Outgoing::Sound(frame) => {
                octets.clear();
                sound::write(SoundFormat::Slin, Order::Little, &frame.0, &mut octets);
                message(SOUND, &octets)
            }
            Outgoing::Digit(digit) => message(KEY, digit.to_string().as_bytes()),
            // There are none without a WebSocket.
            Outgoing::Mark(_) => continue,
        };
        match timeout(STALL, stream.write_all(&message)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return End::Broken,
            Err(_) => return End::Stalled,
        }
    }
    // A server that is gone need not be told.
    let _ = stream.write_all(&message(HANGUP, &[])).await;
    let _ = stream.shutdown().await;
    End::Stopped
}

#[cfg(test)]
mod tests {
    use flowswitch_media::frame::Frame;
    use tokio::sync::mpsc::channel;

    use super::*;

    #[tokio::test]
    async fn a_server_that_takes_nothing_is_given_up() {
        let (near, far) = tokio::io::duplex(400);
        let (tell, told) = channel(4);
        for _ in 0..2 {
            tell.send(Outgoing::Sound(Frame::SILENCE)).await.unwrap();
        }
        assert_eq!(write(near, told).await, End::Stalled);
        drop(far);
    }

    #[tokio::test]
    async fn whatever_comes_is_read_to_its_end() {
        let cases: [(&[u8], End, usize); 6] = [
            (&[], End::Closed, 0),
            (&[0x10, 0, 5, 1, 0, 2, 0, 3, 0x00, 0, 0], End::Closed, 2),
            (&[0x10, 0, 0, 0x77, 0, 1, 9, 0xff, 0, 0], End::Failed, 0),
            (&[0x10, 0xff, 0xff, 1], End::Broken, 0),
            (&[0x10, 0], End::Closed, 0),
            (&[0x01, 0, 1, 1, 0x03, 0, 2, 0x31, 0x32], End::Closed, 0),
        ];
        for (octets, end, count) in cases {
            let (said, mut incoming) = channel(16);
            assert_eq!(read(octets, said).await, end, "{octets:?}");
            let mut samples = 0;
            while let Some(Incoming::Sound(sound)) = incoming.recv().await {
                samples += sound.len();
            }
            assert_eq!(samples, count, "{octets:?}");
        }
    }
}
