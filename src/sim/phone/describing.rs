//! What a telephone makes of descriptions, and its own.

use std::net::SocketAddr;
use std::time::Instant;

use flowswitch_media::codec::Codec;

use super::line::Line;
use super::{Offer, Phone};
use crate::sdp::{Connection, MediaDescription, SessionDescription};

const EVENTS: &str = "a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\n";

impl Phone {
    /// Its own offer.
    pub(super) fn offer_of(&mut self, line: &mut Line) -> String {
        let direction = line.direction;
        match self.habits.offer {
            Offer::Full | Offer::None => self.describe(line, "0 8 101", EVENTS, direction),
            Offer::Pcma => self.describe(line, "8 101", EVENTS, direction),
            Offer::NoEvents => self.describe(line, "0 8", "", direction),
            Offer::Foreign => self.describe(line, "18", "a=rtpmap:18 G729/8000\r\n", direction),
            Offer::Broken => "v=0\r\nthis is no description\r\n".to_owned(),
        }
    }

    /// Its answer to an offer: what both have, and hold turned round (RFC 3264 §6.1, §8.4).
    pub(super) fn answer_of(&mut self, line: &mut Line, offer: &SessionDescription) -> String {
        let ours: &[&str] = match self.habits.offer {
            Offer::Full | Offer::None | Offer::NoEvents => &["0", "8"],
            Offer::Pcma => &["8"],
            Offer::Foreign | Offer::Broken => return self.offer_of(line),
        };
        let media = offer.media.first().expect("with one stream");
        let mut formats: Vec<&str> = ours.to_vec();
        formats.retain(|format| media.formats.iter().any(|theirs| theirs == format));
        let events = event_type(media)
            .filter(|_| self.habits.offer != Offer::NoEvents)
            .map(|number| number.to_string());
        formats.extend(events.as_deref());
        let attributes = events.as_ref().map_or_else(String::new, |number| {
            format!("a=rtpmap:{number} telephone-event/8000\r\na=fmtp:{number} 0-15\r\n")
        });
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
        line.voice.codec = media
            .formats
            .iter()
            .filter_map(|format| format.parse().ok())
            .filter(|number| *number == 8 || self.habits.offer != Offer::Pcma)
            .find_map(Codec::from_static_payload_type)
            .expect("a codec of ours");
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
