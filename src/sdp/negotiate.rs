//! Offer and answer (RFC 3264): from two descriptions to what the media engine has to do.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use flowswitch_media::codec::Codec;
use flowswitch_media::command::{Direction, SessionConfig};

use super::{Attributes, Connection, MediaDescription, Origin, SessionDescription};

/// Our end of one session: what we put into every description of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalEnd {
    /// The address the peer is told to send to.
    pub address: IpAddr,
    /// The RTP port; RTCP is on the next one.
    pub port: u16,
    /// `sess-id` of our origin line.
    pub session_id: u64,
    /// `sess-version`: one more than in the description before.
    pub version: u64,
    /// RTCP canonical name.
    pub cname: String,
    /// Where the peer's signalling comes from: it stands for a host name in a `c=` line.
    pub peer: IpAddr,
    /// What we want of the sound, whatever the peer wants: less than both ways puts it on hold (RFC 3264
    /// §8.4).
    pub direction: Direction,
}

/// Our answer to an offer, and what was agreed by it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The description to send.
    pub description: SessionDescription,
    /// What the media engine does from now on.
    pub config: SessionConfig,
}

/// Why a description cannot be followed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NegotiateError {
    /// No audio stream over plain RTP; answer 488.
    #[error("no audio stream over RTP/AVP: offered {offered:?}")]
    NoAudio {
        /// Kind and protocol of each stream offered.
        offered: Vec<String>,
    },
    /// No codec stands in both lists; answer 488.
    #[error("no common codec: offered {offered:?}")]
    NoCommonCodec {
        /// The encoding names, or the payload type where a name is missing.
        offered: Vec<String>,
    },
    /// The peer wants its media on the other IP version than its signalling; answer 488.
    #[error("media by the other IP version: {address} is offered")]
    AddressFamily {
        /// Where the peer listens.
        address: IpAddr,
    },
}

/// What we speak, best first; an answer keeps the order of the offer.
const CODECS: [(Codec, &str, u8); 2] = [(Codec::Pcmu, "PCMU", 0), (Codec::Pcma, "PCMA", 8)];
/// The payload type of telephone-event in our own offers, which is what nearly every peer uses.
const TELEPHONE_EVENT: u8 = 101;
/// Packet time where the peer asks for none (RFC 3551 §4.5).
const PTIME: Duration = Duration::from_millis(20);

/// Answers an offer; `local.version` is written as it is.
///
/// The first audio stream over RTP/AVP that is not refused is taken; every other one is answered with
/// port zero (RFC 3264 §6).
pub fn answer(offer: &SessionDescription, local: &LocalEnd) -> Result<Answer, NegotiateError> {
    let chosen = audio_stream(offer)?;
    let stream = &offer.media[chosen];
    let agreed = Agreed::find(offer, stream)?;
    let config = agreed.config(offer, stream, local)?;
    let media = offer
        .media
        .iter()
        .enumerate()
        .map(|(index, media)| {
            if index == chosen {
                agreed.describe(stream, &config, local.port)
            } else {
                refused(media)
            }
        })
        .collect();
    let description = SessionDescription {
        time: offer.time.clone(),
        media,
        ..description(local)
    };
    Ok(Answer {
        description,
        config,
    })
}

/// Our own offer, for an INVITE or re-INVITE that came without one.
#[must_use]
pub fn offer(local: &LocalEnd) -> SessionDescription {
    let agreed = Agreed {
        codecs: CODECS
            .iter()
            .map(|(codec, _, number)| (*number, *codec))
            .collect(),
        telephone_event: Some(TELEPHONE_EVENT),
    };
    let mut attributes = agreed.attributes();
    attributes.push("ptime", "20");
    attributes.push(direction_name(local.direction), "");
    attributes.push("rtcp-mux", "");
    SessionDescription {
        media: vec![MediaDescription {
            kind: "audio".to_owned(),
            port: local.port,
            protocol: "RTP/AVP".to_owned(),
            formats: agreed.formats(),
            connection: None,
            attributes,
        }],
        ..description(local)
    }
}

/// What the engine does while nothing is agreed: what is said runs on unheard, and nobody is heard.
#[must_use]
pub fn unheard(local: &LocalEnd) -> SessionConfig {
    let send = (0, Codec::Pcmu);
    let nowhere = match local.address {
        IpAddr::V4(_) => IpAddr::from([0u8; 4]),
        IpAddr::V6(_) => IpAddr::from([0u8; 16]),
    };
    SessionConfig {
        remote: SocketAddr::new(nowhere, 0),
        remote_rtcp: None,
        rtcp_mux: false,
        send,
        receive: vec![send],
        telephone_event: None,
        direction: Direction::Inactive,
        ptime: PTIME,
        cname: local.cname.clone(),
    }
}

/// Reads the peer's answer to our [`offer`].
pub fn accept(
    answer: &SessionDescription,
    local: &LocalEnd,
) -> Result<SessionConfig, NegotiateError> {
    let stream = &answer.media[audio_stream(answer)?];
    Agreed::find(answer, stream)?.config(answer, stream, local)
}

fn description(local: &LocalEnd) -> SessionDescription {
    SessionDescription {
        origin: Origin {
            session_id: local.session_id,
            version: local.version,
            address: local.address,
        },
        connection: Some(Connection::Address(local.address)),
        time: "0 0".to_owned(),
        attributes: Attributes::default(),
        media: Vec::new(),
    }
}

fn audio_stream(description: &SessionDescription) -> Result<usize, NegotiateError> {
    let is_ours = |media: &MediaDescription| {
        media.port != 0
            && media.kind.eq_ignore_ascii_case("audio")
            && ["RTP/AVP", "RTP/AVPF"]
                .iter()
                .any(|protocol| media.protocol.eq_ignore_ascii_case(protocol))
    };
    description
        .media
        .iter()
        .position(is_ours)
        .ok_or_else(|| NegotiateError::NoAudio {
            offered: description
                .media
                .iter()
                .map(|media| format!("{} {}", media.kind, media.protocol))
                .collect(),
        })
}

fn refused(media: &MediaDescription) -> MediaDescription {
    MediaDescription {
        port: 0,
        connection: None,
        attributes: Attributes::default(),
        ..media.clone()
    }
}

/// The payload types both sides know.
struct Agreed {
    codecs: Vec<(u8, Codec)>,
    telephone_event: Option<u8>,
}

impl Agreed {
    fn find(
        description: &SessionDescription,
        stream: &MediaDescription,
    ) -> Result<Self, NegotiateError> {
        let mut agreed = Self {
            codecs: Vec::new(),
            telephone_event: None,
        };
        let mut offered = Vec::new();
        for format in &stream.formats {
            let Ok(number @ 0..=127) = format.parse::<u8>() else {
                continue;
            };
            let encoding = encoding(stream, number);
            if encoding.eq_ignore_ascii_case("telephone-event/8000") {
                agreed.telephone_event.get_or_insert(number);
            } else if let Some((codec, _, _)) = CODECS
                .iter()
                .find(|(_, name, _)| encoding.eq_ignore_ascii_case(&format!("{name}/8000")))
            {
                agreed.codecs.push((number, *codec));
            }
            offered.push(encoding);
        }
        if agreed.codecs.is_empty() {
            tracing::debug!(?offered, origin = %description.origin, "no common codec");
            return Err(NegotiateError::NoCommonCodec { offered });
        }
        Ok(agreed)
    }

    fn config(
        &self,
        description: &SessionDescription,
        stream: &MediaDescription,
        local: &LocalEnd,
    ) -> Result<SessionConfig, NegotiateError> {
        let connection = stream
            .connection
            .as_ref()
            .or(description.connection.as_ref());
        let (address, is_held) = match connection {
            Some(Connection::Address(address)) => (*address, address.is_unspecified()),
            Some(Connection::Unresolved) | None => (local.peer, false),
        };
        if !is_held && address.is_ipv4() != local.address.is_ipv4() {
            return Err(NegotiateError::AddressFamily { address });
        }
        let mut direction = local.direction.and(mirrored(description, stream));
        if is_held {
            direction = direction.and(Direction::RecvOnly);
        }
        Ok(SessionConfig {
            remote: SocketAddr::new(address, stream.port),
            remote_rtcp: rtcp_address(stream, address),
            rtcp_mux: stream.attributes.first("rtcp-mux").is_some(),
            send: self.codecs[0],
            receive: self.codecs.clone(),
            telephone_event: self.telephone_event,
            direction,
            ptime: packet_time(stream),
            cname: local.cname.clone(),
        })
    }

    fn describe(
        &self,
        offered: &MediaDescription,
        config: &SessionConfig,
        port: u16,
    ) -> MediaDescription {
        let mut attributes = self.attributes();
        attributes.push("ptime", &config.ptime.as_millis().to_string());
        attributes.push(direction_name(config.direction), "");
        if config.rtcp_mux {
            attributes.push("rtcp-mux", "");
        }
        MediaDescription {
            kind: offered.kind.clone(),
            port,
            protocol: offered.protocol.clone(),
            formats: self.formats(),
            connection: None,
            attributes,
        }
    }

    fn formats(&self) -> Vec<String> {
        let audio = self.codecs.iter().map(|(number, _)| *number);
        audio
            .chain(self.telephone_event)
            .map(|number| number.to_string())
            .collect()
    }

    fn attributes(&self) -> Attributes {
        let mut attributes = Attributes::default();
        for (number, codec) in &self.codecs {
            for (_, name, _) in CODECS.iter().filter(|(known, _, _)| known == codec) {
                attributes.push("rtpmap", &format!("{number} {name}/8000"));
            }
        }
        if let Some(number) = self.telephone_event {
            attributes.push("rtpmap", &format!("{number} telephone-event/8000"));
            attributes.push("fmtp", &format!("{number} 0-15"));
        }
        attributes
    }
}

/// Encoding name and clock rate of a payload type: from its `rtpmap`, or the static table of RFC 3551
/// §6, or the bare number.
fn encoding(stream: &MediaDescription, number: u8) -> String {
    let mapped = stream.attributes.all("rtpmap").find_map(|value| {
        let (format, encoding) = value.split_once(char::is_whitespace)?;
        (format.parse() == Ok(number)).then(|| encoding.trim().trim_end_matches("/1").to_owned())
    });
    mapped.unwrap_or_else(|| {
        CODECS
            .iter()
            .find(|(_, _, fixed)| *fixed == number)
            .map_or_else(|| number.to_string(), |(_, name, _)| format!("{name}/8000"))
    })
}

/// The direction the peer wants, seen from our side (RFC 3264 §6.1).
fn mirrored(description: &SessionDescription, stream: &MediaDescription) -> Direction {
    let of = |attributes: &Attributes| {
        [
            ("sendrecv", Direction::SendRecv),
            ("sendonly", Direction::RecvOnly),
            ("recvonly", Direction::SendOnly),
            ("inactive", Direction::Inactive),
        ]
        .into_iter()
        .find_map(|(name, direction)| attributes.first(name).map(|_| direction))
    };
    of(&stream.attributes)
        .or_else(|| of(&description.attributes))
        .unwrap_or_default()
}

const fn direction_name(direction: Direction) -> &'static str {
    match direction {
        Direction::SendRecv => "sendrecv",
        Direction::SendOnly => "sendonly",
        Direction::RecvOnly => "recvonly",
        Direction::Inactive => "inactive",
    }
}

/// `a=rtcp:PORT [IN IP4 ADDRESS]` (RFC 3605 §2.1); the address of RTP is taken whatever is said, so that
/// no third party can be made to receive reports.
fn rtcp_address(stream: &MediaDescription, address: IpAddr) -> Option<SocketAddr> {
    let port = stream
        .attributes
        .first("rtcp")?
        .split_ascii_whitespace()
        .next()?;
    Some(SocketAddr::new(address, port.parse().ok()?))
}

/// What the peer wants to receive: `ptime` in whole tens of milliseconds from 10 to 60, not above
/// `maxptime`.
fn packet_time(stream: &MediaDescription) -> Duration {
    let millis = |name| {
        let value = stream.attributes.first(name)?;
        value.parse::<f64>().ok().filter(|value| *value >= 1.0)
    };
    let wanted = millis("ptime")
        .unwrap_or(20.0)
        .min(millis("maxptime").unwrap_or(60.0));
    let tens = (wanted / 10.0).floor().clamp(1.0, 6.0);
    if tens == 2.0 {
        PTIME
    } else {
        Duration::from_secs_f64(tens / 100.0)
    }
}

#[cfg(test)]
mod tests;
