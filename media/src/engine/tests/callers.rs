//! Peers with codecs of either band, each with its own tone.

use std::time::Duration;

use super::rig::{PTIME, Rig, Sent, TELEPHONE_EVENT, at, ms};
use crate::codec::{Codec, Decoder, Encoder, MAX_PAYLOAD};
use crate::command::{
    BridgeId, Command, CommandId, Direction, Part, SessionConfig, SessionId, TelephoneEvent,
};
use crate::dsp::meter::frequency_power;
use crate::dsp::tone::ToneGenerator;
use crate::frame::{Band, WIDE_SAMPLES};
use crate::prompt::Prompt;
use crate::rtp::{MediaTime, RtpHeader, SeqNo, Ssrc};

pub(super) const BRIDGE: BridgeId = BridgeId(9);

/// Level of a tone of -12 dBm0, in dBov.
pub(super) const LEVEL: f64 = -18.15;

pub(super) fn payload_type(codec: Codec) -> u8 {
    match codec {
        Codec::Opus => 96,
        Codec::L16Wide => 97,
        Codec::L16 => 98,
        _ => codec.static_payload_type().unwrap(),
    }
}

pub(super) fn agreed(session: SessionId, codec: Codec) -> SessionConfig {
    let receive = Codec::ALL.map(|codec| (payload_type(codec), codec));
    SessionConfig {
        remote: at(&format!("192.0.2.{}:4000", session.0)),
        remote_rtcp: None,
        rtcp_mux: false,
        send: (payload_type(codec), codec),
        receive: receive.to_vec(),
        telephone_event: Some(TelephoneEvent {
            payload_type: TELEPHONE_EVENT,
            clock_rate: codec.clock_rate(),
        }),
        receive_events: vec![TELEPHONE_EVENT],
        red: None,
        srtp: None,
        direction: Direction::SendRecv,
        ptime: PTIME,
        cname: "someone".into(),
    }
}

/// A peer that sings a tone in a codec, if it sings.
pub(super) struct Caller {
    pub(super) session: SessionId,
    pub(super) codec: Codec,
    pub(super) encoder: Encoder,
    pub(super) tone: Option<ToneGenerator>,
    /// Whether anything comes from it at all.
    pub(super) is_sending: bool,
    pub(super) seq: u16,
    pub(super) timestamp: u32,
}

impl Caller {
    /// The next 20 ms.
    pub(super) fn packet(&mut self) -> Vec<u8> {
        let mut samples = vec![0; self.codec.band().frame_samples()];
        if let Some(tone) = &mut self.tone {
            tone.fill(&mut samples);
        }
        let mut payload = [0; MAX_PAYLOAD];
        let len = self.encoder.encode(&samples, &mut payload);
        let header = RtpHeader {
            marker: false,
            payload_type: payload_type(self.codec),
            sequence: SeqNo(self.seq),
            timestamp: MediaTime(self.timestamp),
            ssrc: Ssrc(self.session.0 as u32),
        };
        self.seq = self.seq.wrapping_add(1);
        self.timestamp = self.timestamp.wrapping_add(self.codec.clock_rate() / 50);
        let mut datagram = vec![0; 12];
        header.write(&mut datagram);
        datagram.extend_from_slice(&payload[..len]);
        datagram
    }

    /// Speaks another codec from now on.
    pub(super) fn switch_to(&mut self, codec: Codec, hertz: f64) {
        (self.codec, self.encoder) = (codec, Encoder::new(codec));
        self.tone = Some(tone(hertz, codec.band()));
    }
}

pub(super) fn tone(hertz: f64, band: Band) -> ToneGenerator {
    // The generator counts by the narrow band: twice the samples are half the frequency.
    let by = f64::from(band.sample_rate()) / 8_000.0;
    ToneGenerator::single((hertz / by) as f32, -12.0)
}

pub(super) struct World {
    pub(super) rig: Rig,
    pub(super) callers: Vec<Caller>,
}

impl World {
    /// Callers 1, 2, 3 … with their codecs, and what each sings.
    pub(super) fn of(callers: &[(Codec, Option<f64>)]) -> Self {
        let mut world = Self {
            rig: Rig::new(),
            callers: Vec::new(),
        };
        for ((codec, hertz), id) in callers.iter().zip(1..) {
            let session = SessionId(id);
            world.rig.open(session);
            world.rig.configure(session, agreed(session, *codec));
            world.callers.push(Caller {
                session,
                codec: *codec,
                encoder: Encoder::new(*codec),
                tone: hertz.map(|hertz| tone(hertz, codec.band())),
                is_sending: true,
                seq: 65_500,
                timestamp: u32::MAX - 9_000,
            });
        }
        world
    }

    pub(super) fn joined(callers: &[(Codec, Option<f64>)]) -> Self {
        let mut world = Self::of(callers);
        for caller in 0..callers.len() {
            world.join(caller);
        }
        world
    }

    pub(super) fn join(&mut self, caller: usize) {
        self.rig.command(Command::Join {
            session: self.callers[caller].session,
            bridge: BRIDGE,
            part: Part::FULL,
        });
    }

    pub(super) fn leave(&mut self, caller: usize) {
        let session = self.callers[caller].session;
        self.rig.command(Command::Leave { session });
    }

    pub(super) fn echo(&mut self) {
        self.rig.command(Command::Echo {
            command: CommandId(80),
            session: SessionId(1),
            duration: ms(60_000),
            with_digits: false,
        });
    }

    pub(super) fn play(
        &mut self,
        command: u64,
        session: u64,
        prompts: Vec<Prompt>,
        is_endless: bool,
    ) {
        self.rig.command(Command::Play {
            command: CommandId(command),
            session: SessionId(session),
            prompts: prompts.into_iter().map(Into::into).collect(),
            stop_on_digit: true,
            is_endless,
        });
    }

    pub(super) fn talk(&mut self, time: Duration) {
        for _ in 0..time.as_millis() / 20 {
            for caller in &mut self.callers {
                let packet = caller.packet();
                if !caller.is_sending {
                    continue;
                }
                let address = at(&format!("192.0.2.{}:4000", caller.session.0));
                self.rig.receive_at(caller.session, address, &packet);
            }
            self.rig.pass(PTIME);
        }
    }

    pub(super) fn packets(&self, session: u64) -> Vec<&Sent> {
        let packets = self.rig.sent.iter();
        packets
            .filter(|sent| !sent.rtcp && sent.session == SessionId(session))
            .collect()
    }

    /// What one of them hears: packets without a hole in their numbers or their time, decoded.
    pub(super) fn sound(&self, session: u64, codec: Codec) -> Vec<i16> {
        let mut decoder = Decoder::new(codec);
        let mut sound = Vec::new();
        let mut next: Option<(SeqNo, MediaTime)> = None;
        for sent in self.packets(session) {
            let header = sent.header();
            if header.payload_type == TELEPHONE_EVENT {
                next = None;
                continue;
            }
            assert_eq!(header.payload_type, payload_type(codec));
            if let Some((sequence, timestamp)) = next {
                assert_eq!((header.sequence, header.timestamp), (sequence, timestamp));
            }
            let ticks = codec.ticks_of(sent.payload());
            next = Some((header.sequence.next(), header.timestamp.after(ticks)));
            let mut samples = [0; 3 * WIDE_SAMPLES];
            let count = decoder.decode(sent.payload(), &mut samples);
            assert!(count > 0, "a packet that cannot be decoded");
            sound.extend(&samples[..count]);
        }
        sound
    }

    /// What one of them hears, laid out by its timestamps; silence where nothing came. No sound may lie
    /// over other sound, and no number may be left out.
    pub(super) fn laid_out(&self, session: u64, codec: Codec) -> Vec<i16> {
        let mut decoder = Decoder::new(codec);
        let mut sound: Vec<i16> = Vec::new();
        let mut before: Option<(MediaTime, SeqNo)> = None;
        let samples_per_tick = codec.band().sample_rate() as f64 / f64::from(codec.clock_rate());
        for sent in self.packets(session) {
            let header = sent.header();
            let (begin, _) = *before.get_or_insert((header.timestamp, header.sequence));
            let number = before.map_or(header.sequence, |(_, next)| next);
            assert_eq!(header.sequence, number, "a number is missing");
            before = Some((begin, header.sequence.next()));
            if header.payload_type == TELEPHONE_EVENT {
                continue;
            }
            let ticks = header.timestamp.since(begin);
            let place = (f64::from(ticks) * samples_per_tick) as usize;
            assert!(ticks >= 0 && place >= sound.len(), "sound over sound");
            sound.resize(place, 0);
            let mut samples = [0; 3 * WIDE_SAMPLES];
            let count = decoder.decode(sent.payload(), &mut samples);
            sound.extend(&samples[..count]);
        }
        sound
    }

    pub(super) fn forget(&mut self) {
        self.rig.sent.clear();
    }
}

pub(super) fn power(sound: &[i16], hertz: f64, band: Band) -> f64 {
    let by = f64::from(band.sample_rate()) / 8_000.0;
    frequency_power(sound, (hertz / by) as f32)
}

/// The tone keeps its frequency and its level, and there is little else.
#[track_caller]
pub(super) fn assert_tone(sound: &[i16], hertz: f64, codec: Codec) {
    assert_tone_from(codec, sound, hertz, codec);
}

/// The same of a tone that came in another codec.
#[track_caller]
pub(super) fn assert_tone_from(from: Codec, sound: &[i16], hertz: f64, codec: Codec) {
    let is_opus = codec == Codec::Opus || from == Codec::Opus;
    let band = codec.band();
    let second = band.sample_rate() as usize;
    assert!(sound.len() >= second, "{} samples", sound.len());
    for part in sound.chunks_exact(second) {
        let level = power(part, hertz, band);
        // Opus thinks of speech, and gives a mere tone less than all of its level.
        let bound = if is_opus { 2.5 } else { 0.7 };
        assert!((level - LEVEL).abs() < bound, "{codec:?} {hertz}: {level}");
        let all = crate::dsp::level::dbov(part);
        let bound = if is_opus { 1.5 } else { 0.5 };
        assert!(
            all - level < bound,
            "{codec:?} {hertz}: {all} beside {level}"
        );
        for other in [2.0, 3.0, 0.5] {
            let other = power(part, hertz * other, band);
            assert!(other < level - 30.0, "{codec:?} {hertz}: {other}");
        }
    }
}

pub(super) fn largest_step(sound: &[i16]) -> i32 {
    let steps = sound
        .windows(2)
        .map(|pair| i32::from(pair[1]) - i32::from(pair[0]));
    steps.map(i32::abs).max().unwrap_or(0)
}
