//! What a payload type stands for, and which number it has in a session.

use std::fmt;

use flowswitch_media::codec::Codec;

use super::MediaDescription;
use super::codecs::Codecs;

/// What packets of one payload type carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// Sound.
    Audio(Codec),
    /// Keys (RFC 4733), with so many ticks a second: those of the sound beside them (§2.1).
    Keys(u32),
    /// How loud the silence is (RFC 3389).
    ComfortNoise,
}

/// Which numbers stand for what in one session. They keep their meaning as long as it lasts, also when it is
/// the other side that makes an offer (RFC 3264 §8.3.2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PayloadTypes(Vec<(u8, Format)>);

/// Ticks a second of keys that we take.
const KEY_RATES: [u32; 3] = [8_000, 16_000, 48_000];

impl Format {
    /// What a number stands for in a description: by its `a=rtpmap`, or the table of RFC 3551 §6.
    #[must_use]
    pub fn of(stream: &MediaDescription, number: u8) -> Option<Self> {
        match mapped(stream, number) {
            Some(encoding) => Self::read(encoding),
            None if number == COMFORT_NOISE => Some(Self::ComfortNoise),
            None => Codec::from_static_payload_type(number).map(Self::Audio),
        }
    }

    /// Reads `NAME/RATE[/CHANNELS]`.
    fn read(encoding: &str) -> Option<Self> {
        let mut fields = encoding.split('/').map(str::trim);
        let (name, rate) = (fields.next()?, fields.next()?.parse().ok()?);
        let channels = match fields.next() {
            Some(channels) => Some(channels.parse::<u8>().ok()?),
            None => None,
        };
        if name.eq_ignore_ascii_case(KEYS) {
            return KEY_RATES.contains(&rate).then_some(Self::Keys(rate));
        }
        if name.eq_ignore_ascii_case("CN") {
            return (rate == 8_000).then_some(Self::ComfortNoise);
        }
        let codec = Codec::from_name(name, rate)?;
        // Opus is two channels by its RFC, and one by some who have not read it; all else is one.
        let is_ours = channels.is_none_or(|channels| channels == 1 || channels == codec.channels());
        is_ours.then_some(Self::Audio(codec))
    }

    /// Ticks a second of its timestamps.
    pub(super) const fn clock_rate(self) -> u32 {
        match self {
            Self::Audio(codec) => codec.clock_rate(),
            Self::Keys(rate) => rate,
            Self::ComfortNoise => 8_000,
        }
    }

    /// What we say about it beside its name. Of Opus: that nothing above 8 kHz is heard here, that nothing above
    /// it is sent, and that repetition is made use of (RFC 7587 §6.1). Of keys: which there are.
    pub(super) const fn parameters(self) -> Option<&'static str> {
        match self {
            Self::Audio(Codec::Opus) => {
                Some("maxplaybackrate=16000;sprop-maxcapturerate=16000;stereo=0;useinbandfec=1")
            }
            Self::Keys(_) => Some("0-15"),
            Self::Audio(_) | Self::ComfortNoise => None,
        }
    }

    /// Its number in our own offers, where the session has none for it yet.
    const fn usual_number(self) -> u8 {
        match self {
            Self::Audio(codec) => match codec.static_payload_type() {
                Some(number) => number,
                None => match codec {
                    Codec::Opus => 96,
                    Codec::L16 => 97,
                    _ => 98,
                },
            },
            // What nearly every peer uses.
            Self::Keys(8_000) => 101,
            Self::Keys(16_000) => 102,
            Self::Keys(_) => 103,
            Self::ComfortNoise => COMFORT_NOISE,
        }
    }
}

/// As in an `a=rtpmap` line.
impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Audio(codec) => codec.name(),
            Self::Keys(_) => KEYS,
            Self::ComfortNoise => "CN",
        };
        write!(f, "{name}/{}", self.clock_rate())?;
        match self {
            Self::Audio(codec) if codec.channels() > 1 => write!(f, "/{}", codec.channels()),
            _ => Ok(()),
        }
    }
}

/// The encoding name of keys (RFC 4733 §7.1.1).
const KEYS: &str = "telephone-event";
/// The payload type of comfort noise (RFC 3551 §6).
const COMFORT_NOISE: u8 = 13;
/// Numbers without a meaning of their own (RFC 3551 §6).
const DYNAMIC: std::ops::RangeInclusive<u8> = 96..=127;

impl PayloadTypes {
    /// A number stands for this from now on, and for nothing else.
    pub(super) fn learn(&mut self, number: u8, format: Format) {
        self.0
            .retain(|(known, of)| *known != number && *of != format);
        self.0.push((number, format));
    }

    /// What our own offer holds, in order: `codecs`, and keys to go with them. Numbers that are new are
    /// learnt.
    pub(super) fn offer(&mut self, codecs: &Codecs) -> Vec<(u8, Format)> {
        let audio = codecs.iter().map(Format::Audio);
        let mut formats: Vec<Format> = audio.collect();
        let keys = KEY_RATES.into_iter().filter(|rate| {
            *rate == 8_000 || formats.iter().any(|format| format.clock_rate() == *rate)
        });
        let keys: Vec<Format> = keys.map(Format::Keys).collect();
        formats.extend(keys);
        let numbered = |format| (self.number(format), format);
        formats.into_iter().map(numbered).collect()
    }

    /// What a number stands for.
    pub(super) fn meaning(&self, number: u8) -> Option<Format> {
        let known = self.0.iter().find(|(known, _)| *known == number);
        known.map(|(_, format)| *format)
    }

    /// The number of this; learnt now, if it has none yet.
    fn number(&mut self, format: Format) -> u8 {
        let known = self.0.iter().find(|(_, of)| *of == format);
        if let Some((number, _)) = known {
            return *number;
        }
        let usual = format.usual_number();
        // There are more numbers than formats.
        let number = std::iter::once(usual)
            .chain(DYNAMIC)
            .find(|number| self.meaning(*number).is_none())
            .unwrap_or(usual);
        self.0.push((number, format));
        number
    }
}

/// The encoding that an `a=rtpmap` gives to a number.
pub(super) fn mapped(stream: &MediaDescription, number: u8) -> Option<&str> {
    stream.attributes.all("rtpmap").find_map(|value| {
        let (format, encoding) = value.split_once(char::is_whitespace)?;
        (format.parse() == Ok(number)).then(|| encoding.trim())
    })
}

/// What an `a=fmtp` says about one parameter of a number.
pub(super) fn parameter<'a>(
    stream: &'a MediaDescription,
    number: u8,
    name: &str,
) -> Option<&'a str> {
    let parameters = stream.attributes.all("fmtp").find_map(|value| {
        let (format, parameters) = value.split_once(char::is_whitespace)?;
        (format.parse() == Ok(number)).then_some(parameters)
    });
    parameters?.split(';').find_map(|parameter| {
        let (known, value) = parameter.split_once('=')?;
        known
            .trim()
            .eq_ignore_ascii_case(name)
            .then(|| value.trim())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_read_and_write_back_the_same() {
        for encoding in [
            "PCMU/8000",
            "G722/8000",
            "opus/48000/2",
            "L16/8000",
            "L16/16000",
            "telephone-event/48000",
            "CN/8000",
        ] {
            assert_eq!(Format::read(encoding).unwrap().to_string(), encoding);
        }
        assert_eq!(
            Format::read("pcma/8000/1"),
            Some(Format::Audio(Codec::Pcma))
        );
        assert_eq!(Format::read("OPUS/48000"), Some(Format::Audio(Codec::Opus)));
        for strange in [
            "L16/16000/2",
            "L16/44100",
            "G722/16000",
            "telephone-event/32000",
            "CN/16000",
            "PCMU",
            "PCMU/x",
            "red/8000",
            "",
        ] {
            assert_eq!(Format::read(strange), None, "{strange}");
        }
    }

    #[test]
    fn a_number_that_is_taken_is_not_given_to_something_else() {
        let mut numbers = PayloadTypes::default();
        numbers.learn(101, Format::Audio(Codec::Opus));
        let offer = numbers.offer(&Codecs::default());
        assert_eq!(offer[3], (101, Format::Audio(Codec::Opus)));
        assert_eq!(offer[4], (96, Format::Keys(8_000)));
        assert_eq!(offer[5], (103, Format::Keys(48_000)));
        assert_eq!(numbers.offer(&Codecs::default()), offer, "and stays");
        numbers.learn(96, Format::Audio(Codec::G722));
        assert_eq!(numbers.meaning(96), Some(Format::Audio(Codec::G722)));
        assert_eq!(numbers.meaning(9), None);
        assert_eq!(
            numbers.offer(&Codecs::default())[4],
            (101 - 4, Format::Keys(8_000))
        );
    }
}
