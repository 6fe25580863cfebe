//! What a telephone makes of descriptions, and its own.

use std::net::SocketAddr;
use std::time::Instant;

use flowswitch_media::codec::Codec;

use super::line::Line;
use super::{Offer, Phone};
use crate::sdp::format::Format;
use crate::sdp::{Connection, MediaDescription, SessionDescription};

const EVENTS: &str = "a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\n";

impl Phone {
    /// Its own offer.
    pub(super) fn offer_of(&mut self, line: &mut Line) -> String {
        let direction = line.direction;
        match self.habits.offer {
            Offer::Full | Offer::None => self.describe(line, "0 8 101", EVENTS, direction),
            Offer::Pcma => self.describe(line, "8 101", EVENTS, direction),
            Offer::Codecs(codecs) => {
                let (formats, attributes) = own_formats(codecs);
                self.describe(line, &formats, &attributes, direction)
            }
            Offer::NoEvents => self.describe(line, "0 8", "", direction),
            Offer::Foreign => self.describe(line, "18", "a=rtpmap:18 G729/8000\r\n", direction),
            Offer::Broken => "v=0\r\nthis is no description\r\n".to_owned(),
        }
    }

    /// Its answer to an offer: what both have, and hold turned round (RFC 3264 §6.1, §8.4).
    pub(super) fn answer_of(&mut self, line: &mut Line, offer: &SessionDescription) -> String {
        if matches!(self.habits.offer, Offer::Foreign | Offer::Broken) {
            return self.offer_of(line);
        }
        let media = offer.media.first().expect("with one stream");
        let mut formats = Vec::new();
        let mut attributes = String::new();
        let theirs = codecs_of(media);
        for ours in self.codecs() {
            if let Some((number, codec)) = theirs.iter().find(|(_, codec)| codec == ours) {
                formats.push(number.to_string());
                attributes += &format!("a=rtpmap:{number} {}\r\n", Format::Audio(*codec));
            }
        }
        let events = event_type(media).filter(|_| self.habits.offer != Offer::NoEvents);
        if let Some(number) = events {
            formats.push(number.to_string());
            attributes +=
                &format!("a=rtpmap:{number} telephone-event/8000\r\na=fmtp:{number} 0-15\r\n");
        }
        let (sends, hears) = ways(line.direction);
        let (they_send, they_hear) = ways(direction_of(media));
        let direction = match (sends && they_hear, hears && they_send) {
            (true, true) => "sendrecv",
            (true, false) => "sendonly",
            (false, true) => "recvonly",
            (false, false) => "inactive",
        };
        self.describe(line, &formats.join(" "), &attributes, direction)
    }

    /// What it speaks, best first.
    const fn codecs(&self) -> &'static [Codec] {
        match self.habits.offer {
            Offer::Codecs(codecs) => codecs,
            Offer::Pcma => &[Codec::Pcma],
            _ => &[Codec::Pcmu, Codec::Pcma],
        }
    }

    pub(super) fn describe(
        &self,
        line: &mut Line,
        formats: &str,
        attributes: &str,
        direction: &str,
    ) -> String {
        line.version += 1;
        let (ip, port) = (line.rtp.ip(), line.rtp.port());
        format!(
            "v=0\r\no={} 7 {} IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\n\
             m=audio {port} RTP/AVP {formats}\r\n{attributes}a={direction}\r\n",
            "phone", line.version
        )
    }

    /// Takes address, codec, event type and direction from a description of the other.
    pub(super) fn listen_to(&mut self, now: Instant, line: &mut Line, body: &[u8]) {
        if body.is_empty() {
            return;
        }
        let sdp = SessionDescription::parse(body).expect("the switch writes SDP");
        let media = sdp.media.first().expect("with one stream");
        let connection = media.connection.as_ref().or(sdp.connection.as_ref());
        if let Some(Connection::Address(address)) = connection {
            line.voice.remote = Some(SocketAddr::new(*address, media.port));
        }
        let agreed = codecs_of(media).into_iter();
        let agreed = agreed.filter(|(_, codec)| self.codecs().contains(codec));
        line.voice.speak(agreed.collect());
        line.voice.event_type = event_type(media);
        let (_, they_hear) = ways(direction_of(media));
        line.voice.may_speak = they_hear && ways(line.direction).0;
        if line.voice.is_new() {
            self.speak(now, line);
        }
    }

    /// Begins to say its tone, if it has one and knows where to.
    pub(super) fn speak(&self, now: Instant, line: &mut Line) {
        if line.voice.remote.is_some() && self.habits.tone.is_some() && line.voice.is_new() {
            line.voice.say(now, self.habits.tone);
        }
    }
}

/// Its own formats of an offer, and the attributes that say what they are.
fn own_formats(codecs: &[Codec]) -> (String, String) {
    let (mut formats, mut attributes) = (String::new(), String::new());
    for (codec, dynamic) in codecs.iter().zip(110..) {
        let number = codec.static_payload_type().unwrap_or(dynamic);
        formats += &format!("{number} ");
        attributes += &format!("a=rtpmap:{number} {}\r\n", Format::Audio(*codec));
    }
    (formats + "101", attributes + EVENTS)
}

/// The codecs in a description, with their numbers.
fn codecs_of(media: &MediaDescription) -> Vec<(u8, Codec)> {
    let numbers = media
        .formats
        .iter()
        .filter_map(|format| format.parse().ok());
    let known = |number| match Format::of(media, number)? {
        Format::Audio(codec) => Some((number, codec)),
        _ => None,
    };
    numbers.filter_map(known).collect()
}

/// The payload type of telephone events in a description.
fn event_type(media: &MediaDescription) -> Option<u8> {
    let is_events = |line: &&str| line.to_ascii_lowercase().contains("telephone-event/8000");
    let line = media.attributes.all("rtpmap").find(is_events)?;
    line.split(' ').next()?.parse().ok()
}

fn direction_of(media: &MediaDescription) -> &'static str {
    ["sendonly", "recvonly", "inactive"]
        .into_iter()
        .find(|direction| media.attributes.first(direction).is_some())
        .unwrap_or("sendrecv")
}

/// Whether it sends, and whether it hears.
fn ways(direction: &str) -> (bool, bool) {
    match direction {
        "sendonly" => (true, false),
        "recvonly" => (false, true),
        "inactive" => (false, false),
        _ => (true, true),
    }
}
