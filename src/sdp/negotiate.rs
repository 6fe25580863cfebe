//! Offer and answer (RFC 3264): from two descriptions to what the media engine has to do.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use flowswitch_media::codec::Codec;
use flowswitch_media::command::{Direction, SessionConfig, TelephoneEvent};

use super::codecs::Codecs;
use super::crypto::{LocalCrypto, first_audio};
use super::format::{Format, PayloadTypes, mapped, parameter};
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
    /// What we speak, in the order of our own offers.
    pub codecs: Codecs,
    /// Which numbers stand for what in this session; empty at first.
    pub payload_types: PayloadTypes,
    /// Whether and how the sound is protected.
    pub crypto: LocalCrypto,
}

/// Our answer to an offer, and what was agreed by it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The description to send.
    pub description: SessionDescription,
    /// What the media engine does from now on.
    pub config: SessionConfig,
    /// Which numbers stand for what from now on.
    pub payload_types: PayloadTypes,
}

/// Why a description cannot be followed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NegotiateError {
    /// No audio stream over RTP, or only one that is protected while we protect nothing; answer 488.
    #[error("no audio stream that we speak: offered {offered:?}")]
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
    /// The stream is protected by none of our suites; answer 488.
    #[error("no common SRTP suite: offered {offered:?}")]
    NoCommonSuite {
        /// Their names.
        offered: Vec<String>,
    },
    /// There is a stream, and it is not protected; answer 488.
    #[error("SRTP is required, and the stream is not protected")]
    SrtpRequired,
    /// The peer wants its media on the other IP version than its signalling; answer 488.
    #[error("media by the other IP version: {address} is offered")]
    AddressFamily {
        /// Where the peer listens.
        address: IpAddr,
    },
}

impl NegotiateError {
    /// What is said of it in a Warning (RFC 3261 §20.43).
    #[must_use]
    pub const fn warning(&self) -> &'static str {
        match self {
            Self::SrtpRequired => {
                "399 flowswitch \"SRTP is required: offer RTP/SAVP with a=crypto\""
            }
            Self::NoCommonSuite { .. } => "399 flowswitch \"No common SRTP suite\"",
            _ => "305 flowswitch \"Incompatible media format\"",
        }
    }
}

/// Packet time where the peer asks for none (RFC 3551 §4.5).
const PTIME: Duration = Duration::from_millis(20);

/// Answers an offer; `local.version` is written as it is.
///
/// The first audio stream over RTP that is not refused is taken, one that can be protected before others;
/// every other one is answered with port zero (RFC 3264 §6). The codecs are those of the offer that we speak,
/// in its order. `red` (RFC 2198) is left out of the answer: who still sends it is understood.
pub fn answer(offer: &SessionDescription, local: &LocalEnd) -> Result<Answer, NegotiateError> {
    let chosen = local.crypto.choose(offer)?;
    let stream = &offer.media[chosen.stream];
    let agreed = Agreed::find(offer, stream, &local.codecs)?;
    let mut config = agreed.config(&agreed, offer, stream, local)?;
    config.srtp = chosen.srtp;
    let mut payload_types = local.payload_types.clone();
    for (number, format) in &agreed.formats {
        payload_types.learn(*number, *format);
    }
    let media = offer
        .media
        .iter()
        .enumerate()
        .map(|(index, media)| {
            if index == chosen.stream {
                let mut media = agreed.describe(stream, &config, local.port);
                let line = chosen.line.iter();
                line.for_each(|line| media.attributes.push("crypto", line));
                media
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
        payload_types,
    })
}

/// Whether an offer can be answered, without making the answer.
pub fn check(offer: &SessionDescription, local: &LocalEnd) -> Result<(), NegotiateError> {
    let chosen = local.crypto.choose(offer)?;
    let stream = &offer.media[chosen.stream];
    let agreed = Agreed::find(offer, stream, &local.codecs)?;
    agreed.config(&agreed, offer, stream, local).map(drop)
}

/// Our own offer, for an INVITE or re-INVITE that came without one; the numbers in it are kept.
#[must_use]
pub fn offer(local: &mut LocalEnd) -> SessionDescription {
    let agreed = Agreed {
        formats: local.payload_types.offer(&local.codecs),
    };
    let mut attributes = agreed.attributes();
    attributes.push("ptime", "20");
    attributes.push(direction_name(local.direction), "");
    attributes.push("rtcp-mux", "");
    let (protocol, keys) = local.crypto.offer();
    keys.iter().for_each(|line| attributes.push("crypto", line));
    SessionDescription {
        media: vec![MediaDescription {
            kind: "audio".to_owned(),
            port: local.port,
            protocol: protocol.to_owned(),
            formats: agreed.numbers(),
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
        receive_events: Vec::new(),
        red: None,
        srtp: None,
        direction: Direction::Inactive,
        ptime: PTIME,
        cname: local.cname.clone(),
    }
}

/// The codec that an offer comes to, and so what its sender will hear and say.
#[must_use]
pub fn first_codec(offer: &SessionDescription, codecs: &Codecs) -> Option<Codec> {
    let stream = first_audio(offer)?;
    let agreed = Agreed::find(offer, stream, codecs).ok()?;
    agreed.audio().next().map(|(_, codec)| codec)
}

/// Reads the peer's answer to our [`offer`].
///
/// Its numbers are those that it wants to get; what it sends has ours (RFC 3264 §6.1), and that of peers who
/// mix this up has theirs.
pub fn accept(
    answer: &SessionDescription,
    local: &LocalEnd,
) -> Result<SessionConfig, NegotiateError> {
    let chosen = local.crypto.read(answer)?;
    let stream = &answer.media[chosen.stream];
    let theirs = Agreed::find(answer, stream, &local.codecs)?;
    let ours = local.payload_types.clone().offer(&local.codecs).into_iter();
    let is_agreed = |format| theirs.formats.iter().any(|(_, theirs)| *theirs == format);
    let mut formats: Vec<(u8, Format)> = ours.filter(|(_, ours)| is_agreed(*ours)).collect();
    for (number, format) in &theirs.formats {
        if formats.iter().all(|(taken, _)| taken != number) {
            formats.push((*number, *format));
        }
    }
    let config = theirs.config(&Agreed { formats }, answer, stream, local)?;
    Ok(SessionConfig {
        srtp: chosen.srtp,
        ..config
    })
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

fn refused(media: &MediaDescription) -> MediaDescription {
    MediaDescription {
        port: 0,
        connection: None,
        attributes: Attributes::default(),
        ..media.clone()
    }
}

/// The payload types both sides know, in the order of the description they were found in.
struct Agreed {
    formats: Vec<(u8, Format)>,
}

impl Agreed {
    fn find(
        description: &SessionDescription,
        stream: &MediaDescription,
        codecs: &Codecs,
    ) -> Result<Self, NegotiateError> {
        let numbers = stream.formats.iter();
        let numbers =
            numbers.filter_map(|format| format.parse().ok().filter(|number| *number < 128));
        let is_ours = |format: &Format| match format {
            Format::Audio(codec) => codecs.has(*codec),
            Format::Keys(_) | Format::ComfortNoise => true,
        };
        let known = |number| Some((number, Format::of(stream, number).filter(is_ours)?));
        let agreed = Self {
            formats: numbers.clone().filter_map(known).collect(),
        };
        if agreed.audio().next().is_none() {
            let name = |number: u8| {
                let static_name = || Some(Format::of(stream, number)?.to_string());
                let mapped = mapped(stream, number).map(str::to_owned);
                mapped
                    .or_else(static_name)
                    .unwrap_or_else(|| number.to_string())
            };
            let offered = numbers.map(name).collect();
            tracing::debug!(?offered, origin = %description.origin, "no common codec");
            return Err(NegotiateError::NoCommonCodec { offered });
        }
        Ok(agreed)
    }

    fn audio(&self) -> impl Iterator<Item = (u8, Codec)> {
        self.formats
            .iter()
            .filter_map(|(number, format)| match format {
                Format::Audio(codec) => Some((*number, *codec)),
                Format::Keys(_) | Format::ComfortNoise => None,
            })
    }

    fn keys(&self) -> impl Iterator<Item = TelephoneEvent> {
        self.formats
            .iter()
            .filter_map(|(number, format)| match format {
                Format::Keys(clock_rate) => Some(TelephoneEvent {
                    payload_type: *number,
                    clock_rate: *clock_rate,
                }),
                Format::Audio(_) | Format::ComfortNoise => None,
            })
    }

    /// How keys are sent beside a codec: with its clock, else with that of the telephone (RFC 4733 §2.1).
    fn keys_beside(&self, codec: Codec) -> Option<TelephoneEvent> {
        let with = |rate| self.keys().find(|keys| keys.clock_rate == rate);
        with(codec.clock_rate())
            .or_else(|| with(8_000))
            .or_else(|| self.keys().next())
    }

    /// What is done by this, and by the numbers in `receive` for what the peer sends.
    fn config(
        &self,
        receive: &Self,
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
        let send = self.audio().next();
        let send = send.expect("without a codec in common there is no `Agreed`");
        Ok(SessionConfig {
            remote: SocketAddr::new(address, stream.port),
            remote_rtcp: rtcp_address(stream, address),
            rtcp_mux: stream.attributes.first("rtcp-mux").is_some(),
            send,
            receive: receive.audio().collect(),
            telephone_event: self.keys_beside(send.1),
            receive_events: receive.keys().map(|keys| keys.payload_type).collect(),
            red: repeated(stream),
            srtp: None,
            direction,
            ptime: packet_time(stream, send),
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
            formats: self.numbers(),
            connection: None,
            attributes,
        }
    }

    fn numbers(&self) -> Vec<String> {
        let numbers = self.formats.iter();
        numbers.map(|(number, _)| number.to_string()).collect()
    }

    fn attributes(&self) -> Attributes {
        let mut attributes = Attributes::default();
        for (number, format) in &self.formats {
            attributes.push("rtpmap", &format!("{number} {format}"));
            if let Some(parameters) = format.parameters() {
                attributes.push("fmtp", &format!("{number} {parameters}"));
            }
        }
        attributes
    }
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

/// The number by which the peer may repeat what it has sent before (RFC 2198 §5), should it do so unasked.
fn repeated(stream: &MediaDescription) -> Option<u8> {
    let is_red = |encoding: &str| {
        encoding
            .split('/')
            .next()
            .is_some_and(|name| name.eq_ignore_ascii_case("red"))
    };
    let numbers = stream
        .formats
        .iter()
        .filter_map(|format| format.parse().ok());
    let mut dynamic = numbers.filter(|number| *number < 128);
    dynamic.find(|number| mapped(stream, *number).is_some_and(is_red))
}

/// What the peer wants to receive: `ptime` in whole tens of milliseconds from 10 to 60, not above `maxptime`,
/// and of Opus not below its `minptime` and as long as one of its frames (RFC 7587 §6.1, RFC 6716 §2.1.4).
fn packet_time(stream: &MediaDescription, (number, codec): (u8, Codec)) -> Duration {
    let read = |value: &str| value.parse::<f64>().ok().filter(|value| *value >= 1.0);
    let millis = |name| stream.attributes.first(name).and_then(read);
    let least = parameter(stream, number, "minptime").and_then(read);
    let wanted = millis("ptime")
        .unwrap_or(20.0)
        .max(least.unwrap_or(10.0))
        .min(millis("maxptime").unwrap_or(60.0));
    let tens = match (codec, (wanted / 10.0).floor().clamp(1.0, 6.0) as u32) {
        (Codec::Opus, 3) => 2,
        (Codec::Opus, 5) => 4,
        (_, tens) => tens,
    };
    PTIME / 2 * tens
}

#[cfg(test)]
mod tests;
