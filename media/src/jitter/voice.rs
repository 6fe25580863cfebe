//! Sound of one stream between the jitter buffer and the frames.

use super::packet::Popped;
use super::{FRAME, TICK_RATE, Ticks, ms};
use crate::codec::{Codec, Decoder};
use crate::dsp::noise::{Background, ComfortNoise, NoiseShape};
use crate::dsp::plc::Concealer;
use crate::dsp::stretch::{Care, Stretcher};
use crate::frame::Band;

/// Sound on its way from packets to frames, in the band of the codec that the peer sends.
#[derive(Debug)]
pub(super) struct Voice {
    pub(super) band: Band,
    /// That of the last packet.
    codec: Codec,
    /// Those with a memory that the peer has used.
    pub(super) decoders: Vec<(Codec, Decoder)>,
    pub(super) concealer: Concealer,
    /// Sound beyond the last frame taken, and room for the next packet.
    pub(super) ahead: Vec<i16>,
    pub(super) len: usize,
    noise: ComfortNoise,
    background: Background,
    /// Whether the peer has said what its pause sounds like.
    is_told: bool,
    pub(super) is_pausing: bool,
    /// How long the pause, or what was made up since the last packet, is.
    missing: Ticks,
    /// Since the length of the sound was changed last.
    unchanged: Ticks,
    pub(super) concealed: u64,
    pub(super) shortened: u64,
    pub(super) lengthened: u64,
}

impl Voice {
    /// Lengths are changed no more often, but where the delay is far off.
    const REST: Ticks = ms(80);
    const SHORT_REST: Ticks = ms(40);
    const FAR_OFF: Ticks = ms(60);
    /// What is missing of the delay by less than this is let be.
    const SLIGHT: Ticks = ms(1);
    /// Noise that the peer does not send goes on so long, and noise that it does so long.
    const NOISE: Ticks = ms(8_000);
    const TOLD_NOISE: Ticks = ms(60_000);

    pub(super) fn new() -> Self {
        Self {
            band: Band::Narrow,
            codec: Codec::Pcmu,
            decoders: Vec::new(),
            concealer: Concealer::silent(),
            ahead: vec![0; 4 * Band::Narrow.frame_samples()],
            len: 0,
            noise: ComfortNoise::new(0x5EED),
            background: Background::new(),
            is_told: false,
            is_pausing: true,
            missing: 0,
            unchanged: 0,
            concealed: 0,
            shortened: 0,
            lengthened: 0,
        }
    }

    /// How much sound there is beyond what has been given.
    pub(super) const fn ahead(&self) -> Ticks {
        self.len as Ticks * per_sample(self.band)
    }

    /// Adds what is next; `false` when that is silence.
    pub(super) fn take(&mut self, popped: Popped<'_>) -> bool {
        match popped {
            Popped::Packet {
                codec,
                payload,
                ticks,
                is_joined,
                surplus,
                ..
            } => {
                self.go_to(codec.band());
                self.codec = codec;
                self.play((codec, payload), ticks, is_joined, surplus);
                true
            }
            Popped::Lost { ticks, next } => {
                self.conceal(ticks, next);
                true
            }
            Popped::Noise { payload } => {
                if let Some(shape) = NoiseShape::from_payload(payload) {
                    self.noise.set(shape);
                    self.is_told = true;
                    self.missing = 0;
                }
                false
            }
            Popped::Silence { ticks } => self.pause(ticks),
        }
    }

    /// Gives a frame away.
    pub(super) fn shift(&mut self) {
        let frame = self.band.frame_samples();
        self.ahead.copy_within(frame..self.len, 0);
        self.len -= frame;
    }

    fn play(
        &mut self,
        (codec, payload): (Codec, &[u8]),
        ticks: Ticks,
        is_joined: bool,
        surplus: Ticks,
    ) {
        let begin = self.len;
        let samples = self.room_for(ticks).len();
        let mut count = match codec.law() {
            Some(law) => law.decode(payload, &mut self.ahead[begin..begin + samples]),
            None => {
                let decoder = decoder_of(&mut self.decoders, codec);
                decoder.decode(payload, &mut self.ahead[begin..begin + samples])
            }
        };
        if count == 0 {
            return self.conceal(ticks, None);
        }
        let sound = &mut self.ahead[begin..begin + count];
        self.background.hear(sound);
        if is_joined {
            self.concealer.begin();
        }
        let is_plain = !self.concealer.is_concealing();
        self.concealer.blend(sound);
        if is_plain && surplus != 0 {
            count = self.change_length(count, surplus);
        }
        self.concealer.remember(&self.ahead[begin..begin + count]);
        self.len += count;
        self.unchanged += ticks;
        if self.missing > 0 {
            self.noise.end();
        }
        (self.is_pausing, self.is_told, self.missing) = (false, false, 0);
    }

    /// Makes the `count` samples behind those that are ahead shorter or longer, and says how many they are
    /// then.
    fn change_length(&mut self, count: usize, surplus: Ticks) -> usize {
        let is_far = surplus.abs() >= Self::FAR_OFF;
        let (rest, care) = match is_far {
            true => (Self::SHORT_REST, Care::Little),
            false => (Self::REST, Care::Usual),
        };
        if self.unchanged < rest || surplus.abs() <= Self::SLIGHT {
            return count;
        }
        let stretcher = Stretcher::new(self.band);
        let per_sample = per_sample(self.band);
        let sound = &mut self.ahead[self.len..];
        if surplus > 0 {
            let most = (surplus / per_sample) as usize;
            let less = stretcher.shorten(&mut sound[..count], most, care);
            self.shortened += (less as Ticks * per_sample).unsigned_abs();
            self.rest_after(less);
            count - less
        } else {
            let more = stretcher.lengthen(self.concealer.heard(), sound, count, care);
            self.lengthened += (more as Ticks * per_sample).unsigned_abs();
            self.rest_after(more);
            count + more
        }
    }

    const fn rest_after(&mut self, changed: usize) {
        if changed > 0 {
            self.unchanged = 0;
        }
    }

    /// Makes sound up in place of what is lost: as its codec knows to, or like what was before it.
    fn conceal(&mut self, ticks: Ticks, next: Option<(Codec, &[u8])>) {
        let begin = self.len;
        let count = self.room_for(ticks).len();
        let space = &mut self.ahead[begin..begin + count];
        let is_own = !self.concealer.is_concealing()
            && self.codec.law().is_none()
            && own_concealment(
                decoder_of(&mut self.decoders, self.codec),
                self.codec,
                next,
                space,
            );
        if !is_own {
            self.concealer.make_up(space);
            if self.missing >= FRAME {
                self.sound_like_the_line();
                self.noise.add(&mut self.ahead[begin..begin + count]);
            }
        }
        self.concealer.remember(&self.ahead[begin..begin + count]);
        self.len += count;
        self.missing += ticks;
        self.concealed += ticks.unsigned_abs();
        self.is_pausing = false;
    }

    /// Lets what was heard fade into what the line sounds like; `false` when that is nothing.
    fn pause(&mut self, ticks: Ticks) -> bool {
        let begin = self.len;
        let count = self.room_for(ticks).len();
        let space = &mut self.ahead[begin..begin + count];
        let was_heard = !self.concealer.has_faded();
        self.concealer.make_up(space);
        let longest = match self.is_told {
            true => Self::TOLD_NOISE,
            false => Self::NOISE,
        };
        if self.missing > longest {
            self.noise.set(NoiseShape::SILENCE);
        } else {
            self.sound_like_the_line();
        }
        self.noise.add(&mut self.ahead[begin..begin + count]);
        self.concealer.remember(&self.ahead[begin..begin + count]);
        self.len += count;
        self.missing += ticks;
        self.is_pausing = true;
        was_heard || !self.noise.is_silent()
    }

    fn sound_like_the_line(&mut self) {
        if !self.is_told && self.noise.is_silent() {
            self.noise.set(self.background.shape());
        }
    }

    /// Room behind what is ahead for so much sound, and for what may be added to it.
    fn room_for(&mut self, ticks: Ticks) -> &mut [i16] {
        let per_sample = per_sample(self.band);
        let count = ((ticks + per_sample - 1) / per_sample).max(1) as usize;
        let needed = self.len + count + Stretcher::new(self.band).most();
        if self.ahead.len() < needed {
            self.ahead.resize(needed, 0);
        }
        &mut self.ahead[self.len..self.len + count]
    }

    /// Goes on in the band of another codec.
    fn go_to(&mut self, band: Band) {
        if self.band == band {
            return;
        }
        self.concealer = self.concealer.to_band(band);
        let (old, new) = (self.band.frame_samples(), band.frame_samples());
        let len = self.len * new / old;
        let wanted = self.ahead.len() * new / old;
        let sound = std::mem::take(&mut self.ahead);
        self.ahead = (0..wanted).map(|at| sound[at * old / new]).collect();
        self.len = len;
        self.band = band;
    }
}

/// Ticks of one sample.
pub(super) const fn per_sample(band: Band) -> Ticks {
    (TICK_RATE / band.sample_rate()) as Ticks
}

pub(super) fn decoder_of(decoders: &mut Vec<(Codec, Decoder)>, codec: Codec) -> &mut Decoder {
    let known = decoders.iter().position(|(known, _)| *known == codec);
    let at = known.unwrap_or_else(|| {
        decoders.push((codec, Decoder::new(codec)));
        decoders.len() - 1
    });
    &mut decoders[at].1
}

/// Fills in what is lost as the codec knows to, out of the packet after it where that repeats it.
fn own_concealment(
    decoder: &mut Decoder,
    codec: Codec,
    next: Option<(Codec, &[u8])>,
    space: &mut [i16],
) -> bool {
    let next = next.filter(|(other, _)| *other == codec);
    let recovered = next.map_or(0, |(_, payload)| decoder.recover(payload, space));
    match recovered {
        0 => decoder.conceal(space),
        count => {
            if count < space.len() {
                decoder.conceal(&mut space[count..]);
            }
            true
        }
    }
}
