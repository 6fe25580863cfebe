//! One RTP session: what comes from the peer becomes digits and frames, what we say becomes packets.
//!
//! ```text
//!            .----.  .-----.  .--------.  events    .----------.
//!  datagram -|srtp|--|latch|--|inbound |----------->| digits   |--> Event::Digit, ends playback, recording
//!            '----'  '-----'  '--------'            '----------'
//!                        |    |  echo, relay, as it came     .--------.  .----.
//!                        |    '----------------------------->|outbound|--|srtp|--> datagram
//!                        v                                   '--------'  '----'
//!                     listener: jitter buffer, concealment,    ^   |
//!                        |      tones; only while needed   prompts |
//!                        '------------------.                      |
//!                                           v                      v
//!                            recording, ears: heard and said, 20 ms each
//! ```
//!
//! A session is a value without task, clock or socket. It is ticked only while it speaks or listens to
//! sound, or by the bridge that mixes it; what is echoed or relayed is passed on as it arrives and, but for
//! another codec, not decoded. While an external is let in it is always mixed, by itself where no bridge does.

mod bridged;
mod cached;
mod clock;
mod conveyed;
mod ears;
mod externals;
mod hearing;
mod inbound;
mod keys;
mod last;
mod latch;
mod listener;
mod measured;
mod outbound;
mod over;
mod pace;
mod parcel;
mod payload;
mod prompts;
mod recording;
mod repeated;
mod reports;
mod said;
mod srtp;
mod voices;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use rand::rngs::{SmallRng, StdRng};
use rand::{Rng, SeedableRng};

pub(crate) use self::bridged::News;
use self::clock::SendClock;
use self::conveyed::Key;
use self::ears::Ears;
use self::externals::Externals;
use self::inbound::Inbound;
use self::latch::Latch;
use self::measured::Measured;
use self::outbound::{Outbound, Ticking};
use self::prompts::PromptReader;
use self::recording::Recording;
use self::reports::Reports;
use self::said::Said;
use self::srtp::{Kind, Srtp};
use crate::bridge::{Link, Standing};
use crate::command::{
    CommandId, DigitSource, Event, MediaError, Mute, Outcome, RecordingConfig, RecordingEnd,
    SessionConfig, SessionId, SessionStats,
};
use crate::delay::Path;
use crate::dtmf::Digit;
use crate::frame::{Band, Ptime};
use crate::outbox::{Outbox, Pace};
use crate::prompt::Prompt;
use crate::rtp::{MediaTime, NtpTime, SeqNo, Ssrc, is_rtcp};

/// Samples of the longest packet we send.
const MAX_SAMPLES: usize = Ptime::MAX.samples();

/// The same in the wide band.
const MAX_WIDE_SAMPLES: usize = 2 * MAX_SAMPLES;

/// One RTP session.
#[derive(Debug)]
pub(crate) struct Session {
    id: SessionId,
    config: Option<Arc<SessionConfig>>,
    latch: Option<Latch>,
    /// Opens what comes before anything else judges it, and seals what goes last.
    srtp: Option<Box<Srtp>>,
    /// Datagrams that could not be opened.
    srtp_failures: u64,
    inbound: Inbound,
    outbound: Outbound,
    echo: Option<Echo>,
    /// It cannot be returned packet by packet.
    is_echo_mixed: bool,
    recording: Option<Box<Recording>>,
    ears: Ears,
    /// What we sent, as long as it is recorded or listened to.
    said: Option<Said>,
    externals: Externals,
    mute: Mute,
    /// How it is joined to others.
    link: Link,
    /// Its ticks while it is mixed without a bridge.
    alone: Ticking,
    /// What its bridge knows of it.
    told: Standing,
    /// A key of the peer is held as a tone, and what has not been told of that to the other one of two.
    is_tone_held: bool,
    tone_news: Option<Key>,
    /// How soon its host reads what comes for it.
    pace: Pace,
    reports: Reports,
    measured: Measured,
    #[cfg(test)]
    is_poisoned: bool,
}

/// The peer's own sound on its way back.
#[derive(Debug)]
struct Echo {
    command: CommandId,
    until: Instant,
    with_digits: bool,
}

impl Session {
    /// A session that waits to be configured; SSRC, numbers and report times come from `rng`.
    pub(crate) fn new(id: SessionId, now: Instant, rng: &mut StdRng) -> Self {
        let clock = SendClock::new(
            Ssrc(rng.random()),
            // The lower half, so that a lost beginning cannot hide the first wrap (RFC 3711 §3.3.1).
            SeqNo(rng.random::<u16>() >> 1),
            MediaTime(rng.random()),
            now,
        );
        Self {
            id,
            config: None,
            latch: None,
            srtp: None,
            srtp_failures: 0,
            inbound: Inbound::default(),
            outbound: Outbound::new(clock, now),
            echo: None,
            is_echo_mixed: false,
            recording: None,
            ears: Ears::default(),
            said: None,
            externals: Externals::default(),
            mute: Mute::Off,
            link: Link::Apart,
            alone: Ticking::Off,
            told: Standing::default(),
            is_tone_held: false,
            tone_news: None,
            pace: Pace::AtOnce,
            reports: Reports::new(SmallRng::from_rng(rng)),
            measured: Measured::default(),
            #[cfg(test)]
            is_poisoned: false,
        }
    }

    /// Applies what was negotiated; what waits to be said begins.
    pub(crate) fn configure(&mut self, now: Instant, config: SessionConfig, out: &mut Outbox) {
        let has_moved = match &mut self.latch {
            Some(latch) => latch.retarget(config.remote, now),
            None => {
                self.latch = Some(Latch::new(config.remote, now));
                false
            }
        };
        if has_moved {
            self.inbound.forget_source();
            self.reports.forget_source();
            out.pin(self.id, None);
        }
        let codec = config.send.1;
        self.outbound.clock.set_rate(now, codec.clock_rate());
        self.inbound.set_band(codec.band());
        self.inbound.forget_codec();
        match (&mut self.srtp, config.srtp.as_deref()) {
            (Some(srtp), Some(keys)) => srtp.rekey(keys, self.outbound.clock.ssrc),
            (srtp, keys) => {
                let ssrc = self.outbound.clock.ssrc;
                *srtp = keys.map(|keys| Box::new(Srtp::new(keys, ssrc)));
            }
        }
        self.config = Some(Arc::new(config));
        self.reports.start(now);
        self.settle_echo(now, out);
        self.speak();
        self.listen_if_needed();
    }

    /// Returns the peer's sound, in place of an echo that runs now.
    pub(crate) fn echo(
        &mut self,
        now: Instant,
        command: CommandId,
        (until, with_digits): (Instant, bool),
        out: &mut Outbox,
    ) {
        self.outbound.clock.end_relay();
        if let Some(old) = self.echo.replace(Echo {
            command,
            until,
            with_digits,
        }) {
            out.finished(old.command, Outcome::Canceled);
        }
        self.settle_echo(now, out);
        self.listen_if_needed();
    }

    /// Starts a recording, after its beep if it has one.
    pub(crate) fn record(
        &mut self,
        command: CommandId,
        config: Box<RecordingConfig>,
        beep: &Arc<Prompt>,
        out: &mut Outbox,
    ) {
        if self.recording.is_some() {
            let why = MediaError::AlreadyRecording;
            return out.finished(command, Outcome::Failed { why });
        }
        self.recording = Some(Box::new(Recording::new(command, &config)));
        if config.beep_start {
            self.beep(PromptReader::new(vec![Arc::clone(beep)], false));
        }
        let band = self
            .config
            .as_ref()
            .map_or(Band::Narrow, |config| config.send.1.band());
        out.record_start(command, config.target, band);
        self.listen_if_needed();
    }

    /// Silences what comes and goes from now on, and lifts what was silenced otherwise.
    pub(crate) fn mute(&mut self, now: Instant, mute: Mute, out: &mut Outbox) {
        if mute.has_out() {
            // What is not sent is not missing from the peer's numbers afterwards.
            self.outbound.clock.end_relay();
        }
        self.mute = mute;
        self.settle_echo(now, out);
    }

    /// Ends what `command` began; anything else is left alone.
    pub(crate) fn cancel(&mut self, now: Instant, command: CommandId, out: &mut Outbox) {
        self.cancel_voice(command, out);
        if self.echo.take_if(|echo| echo.command == command).is_some() {
            self.end_echo(now, command, Outcome::Canceled, out);
        }
        self.cancel_listening(command, out);
        if self
            .recording
            .as_ref()
            .is_some_and(|recording| recording.command == command)
        {
            self.end_recording(RecordingEnd::Stopped, out);
        }
    }

    /// Forgets a recording whose files failed.
    pub(crate) fn drop_recording(&mut self, command: CommandId) {
        if self
            .recording
            .take_if(|recording| recording.command == command)
            .is_some()
        {
            self.drop_beep();
        }
    }

    /// Takes a datagram from either socket; says what of it goes to the other one of two in a bridge.
    /// `plain` is room for one that has to be opened first.
    pub(crate) fn handle_datagram<'a>(
        &mut self,
        (now, arrival): (Instant, Instant),
        source: SocketAddr,
        (rtcp, bytes): (bool, &'a [u8]),
        plain: &'a mut Vec<u8>,
        out: &mut Outbox,
    ) -> Option<News<'a>> {
        let rtcp = rtcp || is_rtcp(bytes);
        let bytes = match &mut self.srtp {
            None => bytes,
            Some(srtp) => match srtp.open(Kind::of(rtcp), bytes, plain) {
                Some(opened) => opened,
                None => {
                    self.srtp_failures += 1;
                    self.inbound.drop_from(source);
                    return None;
                }
            },
        };
        if rtcp {
            self.handle_rtcp(arrival, source, bytes);
            return None;
        }
        self.measured.begin(Path::Echo, arrival);
        let news = self.handle_rtp((now, arrival), source, bytes, out);
        if news.is_none() {
            self.inbound.drop_from(source);
        }
        news.flatten()
    }

    /// Does what is due at `now`; harmless when nothing is.
    pub(crate) fn handle_timeout(&mut self, now: Instant, wall: NtpTime, out: &mut Outbox) {
        #[cfg(test)]
        assert!(!self.is_poisoned, "poisoned by a test");
        if let Some(echo) = self.echo.take_if(|echo| echo.until <= now) {
            self.end_echo(now, echo.command, Outcome::Done, out);
        }
        self.send_ticks(now, out);
        self.listen_ticks(now, out);
        self.mix_alone(now, out);
        self.keep_alive(now, out);
        if self.reports.due().is_some_and(|due| due <= now) {
            self.send_report(now, wall, false, out);
            self.reports.sent(now);
        }
    }

    /// When [`Self::handle_timeout`] has something to do.
    #[must_use]
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let config = self.config.as_deref();
        let keepalive = config
            .filter(|config| self.can_send(config))
            .map(|_| self.outbound.keepalive_due());
        let mut next: Option<Instant> = None;
        for due in [
            self.outbound.ticking.due(),
            self.inbound.ticking.due(),
            self.alone.due(),
            self.echo.as_ref().map(|echo| echo.until),
            self.reports.due(),
            keepalive,
        ] {
            next = match (next, due) {
                (Some(next), Some(due)) => Some(next.min(due)),
                (next, due) => next.or(due),
            };
        }
        next
    }

    /// Whether ticks are to begin, by [`Self::begin_ticking`].
    pub(crate) fn wants_to_tick(&self) -> bool {
        [self.outbound.ticking, self.inbound.ticking, self.alone].contains(&Ticking::Wanted)
    }

    /// Begins the ticks that are wanted, those of the listener together with those of the voices.
    pub(crate) fn begin_ticking(&mut self, now: Instant, quiet_slot: Instant) {
        let ptime = self
            .config
            .as_ref()
            .map_or(Ptime::DEFAULT, |config| outbound::packet_time(config));
        if self.outbound.ticking == Ticking::Wanted {
            self.outbound.begin_ticking(now, quiet_slot, ptime);
        }
        if self.inbound.ticking == Ticking::Wanted {
            self.inbound.ticking = Ticking::At(self.outbound.ticking.due().unwrap_or(quiet_slot));
        }
        if self.alone == Ticking::Wanted {
            self.alone = Ticking::At(quiet_slot);
        }
    }

    /// Ends everything that runs and says goodbye; the statistics are final.
    pub(crate) fn close(&mut self, now: Instant, wall: NtpTime, out: &mut Outbox) -> SessionStats {
        self.cancel_voices(out);
        if let Some(echo) = self.echo.take() {
            out.finished(echo.command, Outcome::Canceled);
        }
        self.close_ears(out);
        self.close_externals(out);
        self.end_recording(RecordingEnd::Stopped, out);
        // Who has said nothing says no goodbye (RFC 3550 §6.3.7).
        if self.outbound.packets > 0 || self.reports.has_sent() {
            self.send_report(now, wall, true, out);
        }
        self.measure(self.stats())
    }

    /// What the session did so far, by count.
    fn stats(&self) -> SessionStats {
        SessionStats {
            sent_packets: self.outbound.packets,
            sent_octets: self.outbound.octets,
            srtp_failures: self.srtp_failures,
            ..self.inbound.stats()
        }
    }

    /// Makes it panic when it is next has something to do.
    #[cfg(test)]
    pub(crate) fn poison(&mut self) {
        self.is_poisoned = true;
    }

    /// Where RTP goes.
    fn target(&self) -> Option<SocketAddr> {
        self.latch.as_ref().and_then(Latch::target)
    }

    /// Tells a key, and ends what it ends.
    fn handle_digit(&mut self, digit: Digit, source: DigitSource, out: &mut Outbox) {
        out.event(Event::Digit {
            session: self.id,
            digit,
            source,
        });
        self.interrupt_playback(digit, out);
        if let Some(end) = self
            .recording
            .as_ref()
            .and_then(|recording| recording.end_at(digit))
        {
            self.end_recording(end, out);
        }
    }

    /// The peer's sound no longer comes back; what came back last fades.
    fn end_echo(&mut self, now: Instant, command: CommandId, outcome: Outcome, out: &mut Outbox) {
        self.outbound.clock.end_relay();
        out.finished(command, outcome);
        if !self.is_mixed() && !self.outbound.voices.is_speaking() {
            self.fade_later(now);
        }
        self.settle_echo(now, out);
    }

    /// The beep is over: the recording behind it begins.
    fn beep_is_over(&mut self) {
        if let Some(recording) = &mut self.recording {
            recording.begin();
        }
        self.listen_if_needed();
    }

    /// Completes the recording; its `Finished` follows when the files are.
    fn end_recording(&mut self, end: RecordingEnd, out: &mut Outbox) {
        if let Some(recording) = self.recording.take() {
            self.drop_beep();
            out.record_end(recording.command, end, recording.length());
        }
    }
}
