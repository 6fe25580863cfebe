//! Several phones in one engine, each with its own tone.

use std::time::{Duration, Instant};

use super::rig::{PTIME, Phone, Rig, Sent, TELEPHONE_EVENT, at, config, is_tone, ms};
use crate::codec::Codec;
use crate::command::{BridgeId, Command, CommandId, Part, SessionConfig, SessionId};
use crate::dsp::meter::frequency_power;
use crate::prompt::Prompt;
use crate::rtp::{MediaTime, SeqNo};

pub(super) const BRIDGE: BridgeId = BridgeId(9);

/// Tones that are no multiples of each other.
pub(super) const TONES: [f32; 6] = [410.0, 530.0, 730.0, 1_010.0, 1_310.0, 1_730.0];

/// What one of them does.
pub(super) struct Guest {
    pub(super) phone: Phone,
    pub(super) speaks: bool,
    /// How much each of its packets carries.
    pub(super) ptime: Duration,
    next: Instant,
}

/// Sessions 1, 2, 3 … with a phone each.
pub(super) struct Party {
    pub(super) rig: Rig,
    pub(super) guests: Vec<Guest>,
}

pub(super) fn session(guest: usize) -> SessionId {
    SessionId(guest as u64 + 1)
}

impl Party {
    pub(super) fn of(count: usize) -> Self {
        Self::with(count, |_, _| {})
    }

    /// Sessions that are configured as `change` says.
    pub(super) fn with(count: usize, change: impl Fn(usize, &mut SessionConfig)) -> Self {
        let mut party = Self {
            rig: Rig::new(),
            guests: Vec::new(),
        };
        for guest in 0..count {
            let mut phone = Phone::new(TONES[guest % TONES.len()]);
            phone.address = at(&format!("192.0.2.{}:4000", guest + 1));
            phone.ssrc = 100 + guest as u32;
            let mut agreed = config(&phone);
            change(guest, &mut agreed);
            phone.codec = agreed.send.1;
            party.rig.open(session(guest));
            party.rig.configure(session(guest), agreed);
            // No two speak in the same instant.
            let next = party.rig.now + ms(3 * guest as u64 % 20);
            party.guests.push(Guest {
                phone,
                speaks: true,
                ptime: PTIME,
                next,
            });
        }
        party
    }

    /// With everybody in one bridge.
    pub(super) fn joined(count: usize) -> Self {
        let mut party = Self::of(count);
        (0..count).for_each(|guest| party.join(guest, Part::FULL));
        party
    }

    pub(super) fn join(&mut self, guest: usize, part: Part) {
        self.rig.command(Command::Join {
            session: session(guest),
            bridge: BRIDGE,
            part,
        });
    }

    pub(super) fn leave(&mut self, guest: usize) {
        let session = session(guest);
        self.rig.command(Command::Leave { session });
    }

    pub(super) fn play(&mut self, command: u64, guest: usize, prompt: Prompt, is_endless: bool) {
        self.rig.command(Command::Play {
            command: CommandId(command),
            session: session(guest),
            prompts: vec![prompt.into()],
            stop_on_digit: false,
            is_endless,
        });
    }

    pub(super) fn cancel(&mut self, command: u64, guest: usize) {
        self.rig.command(Command::Cancel {
            session: session(guest),
            command: CommandId(command),
        });
    }

    /// Lets all who speak speak for so long.
    pub(super) fn talk(&mut self, time: Duration) {
        let until = self.rig.now + time;
        loop {
            let due = (0..self.guests.len()).min_by_key(|guest| self.guests[*guest].next);
            let Some(guest) = due.filter(|guest| self.guests[*guest].next < until) else {
                break;
            };
            let Guest {
                phone,
                speaks,
                ptime,
                next,
            } = &mut self.guests[guest];
            let packet = phone.speak_for(ptime.as_millis() as usize * 8);
            let (when, address, speaks) = (*next, phone.address, *speaks);
            *next += *ptime;
            self.rig.pass(when.saturating_duration_since(self.rig.now));
            if speaks {
                self.rig.receive_at(session(guest), address, &packet);
            }
        }
        self.rig.pass(until.saturating_duration_since(self.rig.now));
    }

    /// Forgets what was sent so far.
    pub(super) fn forget(&mut self) {
        self.rig.sent.clear();
        self.rig.recorded.clear();
    }

    /// RTP to one of them.
    pub(super) fn packets(&self, guest: usize) -> Vec<&Sent> {
        let packets = self.rig.sent.iter();
        packets
            .filter(|sent| !sent.rtcp && sent.session == session(guest))
            .collect()
    }

    /// What one of them hears, laid out by its timestamps; silence where nothing came. No sound may lie
    /// over other sound, and no number may be left out.
    pub(super) fn sound(&self, guest: usize) -> Vec<i16> {
        let packets = self.packets(guest);
        let mut sound: Vec<i16> = Vec::new();
        let mut before: Option<(MediaTime, SeqNo)> = None;
        let mut begin = None;
        for sent in packets {
            let header = sent.header();
            if let Some((timestamp, seq)) = before {
                assert_eq!(header.sequence, seq.next(), "a number is missing");
                assert!(header.timestamp.since(timestamp) >= 0, "time went back");
            }
            before = Some((header.timestamp, header.sequence));
            if header.payload_type == TELEPHONE_EVENT {
                continue;
            }
            let place = header
                .timestamp
                .since(*begin.get_or_insert(header.timestamp));
            assert!(place as usize >= sound.len(), "sound over sound");
            sound.resize(place as usize, 0);
            let mut samples = vec![0; sent.payload().len()];
            let codec = Codec::from_static_payload_type(header.payload_type)
                .and_then(Codec::law)
                .unwrap();
            codec.decode(sent.payload(), &mut samples);
            sound.extend(samples);
        }
        sound
    }

    /// Whose tones one of them hears, by their places.
    pub(super) fn heard_by(&self, guest: usize) -> Vec<usize> {
        let sound = self.sound(guest);
        let is_heard = |tone: &f32| frequency_power(&sound, *tone) > -30.0;
        (0..self.guests.len().max(2))
            .filter(|other| is_heard(&TONES[*other]))
            .collect()
    }

    pub(super) fn hears_only(&self, guest: usize, hertz: f32) -> bool {
        let sound = self.sound(guest);
        !sound.is_empty() && is_tone(&sound, hertz)
    }
}

/// The largest step from one sample to the next.
pub(super) fn largest_step(sound: &[i16]) -> i32 {
    let steps = sound
        .windows(2)
        .map(|pair| i32::from(pair[1]) - i32::from(pair[0]));
    steps.map(i32::abs).max().unwrap_or(0)
}

/// The longest silence within, in samples.
pub(super) fn longest_gap(sound: &[i16]) -> usize {
    let mut longest = 0;
    let mut gap = 0;
    for sample in sound {
        gap = if sample.abs() < 40 { gap + 1 } else { 0 };
        longest = longest.max(gap);
    }
    longest
}
