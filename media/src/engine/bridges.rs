//! Bridges among the sessions of one engine: who joins and leaves, what goes from one member to the other,
//! and the ticks of those that mix.

use std::net::SocketAddr;
use std::time::Instant;

use super::{Engine, Owner, Touched};
use crate::bridge::{Bridge, Link, Mark, Mix, Mode};
use crate::command::{
    BridgeConfig, BridgeId, BridgeRecordingConfig, CommandId, Event, MediaError, Outcome, Part,
    RecordingEnd, RecordingFiles, RecordingTarget, SessionId,
};
use crate::frame::{Band, FRAME_DURATION};
use crate::session::News;

/// Ticks that are made up for rather than left out when the machine was busy.
const MAX_CATCH_UP: u32 = 5;

impl Engine {
    /// How many bridges have members.
    #[must_use]
    pub fn bridges(&self) -> usize {
        self.bridges.len()
    }

    pub(super) fn handle_datagram(
        &mut self,
        (now, arrival): (Instant, Instant),
        id: SessionId,
        source: SocketAddr,
        (rtcp, bytes): (bool, &[u8]),
    ) {
        let mut news = None;
        let mut plain = std::mem::take(&mut self.plain);
        let room = &mut plain;
        if !self.with_session(now, id, |session, out| {
            news = session
                .handle_datagram((now, arrival), source, (rtcp, bytes), room, out)
                .and_then(|news| Some((session.partner()?, news)));
        }) {
            self.stats.stray_datagrams += 1;
        }
        if let Some((to, news)) = news {
            self.hand_over(now, to, news);
        }
        self.plain = plain;
    }

    /// Takes a session into a bridge, which is made by its first member; or changes its part.
    pub(super) fn join(&mut self, now: Instant, id: SessionId, bridge: BridgeId, part: Part) {
        let Some(entry) = self.sessions.get(&id) else {
            return;
        };
        if entry.bridge.is_some_and(|known| known != bridge) {
            self.leave(now, id);
        }
        let Some(entry) = self.sessions.get_mut(&id) else {
            return;
        };
        entry.bridge = Some(bridge);
        let (_, standing) = entry.session.take_news();
        let place = self
            .bridges
            .entry(bridge)
            .or_insert_with(|| Some(Box::default()));
        if let Some(joined) = place {
            joined.join(id, part, standing);
        }
        self.rearrange(now, bridge);
    }

    /// Takes a session out of its bridge.
    pub(super) fn leave(&mut self, now: Instant, id: SessionId) {
        let Some(bridge) = self
            .sessions
            .get_mut(&id)
            .and_then(|entry| entry.bridge.take())
        else {
            return;
        };
        self.with_session(now, id, |session, out| {
            session.set_link(now, Link::Apart, out);
        });
        self.drop_member(now, bridge, id);
    }

    /// A member is gone; the last one takes the bridge with it.
    pub(super) fn drop_member(&mut self, now: Instant, id: BridgeId, session: SessionId) {
        let Some(bridge) = self.bridge(id) else {
            return;
        };
        bridge.leave(session);
        if bridge.is_empty() {
            if let Some((command, length)) = bridge.end_recording(|_| true) {
                self.outbox
                    .record_end(command, RecordingEnd::Stopped, length);
            }
            self.bridges.remove(&id);
        } else {
            self.rearrange(now, id);
        }
    }

    /// Something has changed in a member: takes its news further, and joins it in another way if need be.
    pub(super) fn follow(&mut self, now: Instant, bridge: BridgeId, id: SessionId) {
        let Some(entry) = self.sessions.get_mut(&id) else {
            return;
        };
        let (key, standing) = entry.session.take_news();
        if let Some((partner, key)) = entry.session.partner().zip(key) {
            self.hand_over(now, partner, News::Tone(key));
        }
        if let Some(known) = self.bridge(bridge)
            && known.restand(id, standing)
        {
            self.rearrange(now, bridge);
        }
    }

    pub(super) fn configure_bridge(&mut self, now: Instant, id: BridgeId, config: BridgeConfig) {
        if let Some(bridge) = self.bridge(id) {
            bridge.configure(config);
            self.rearrange(now, id);
        }
    }

    pub(super) fn record_bridge(
        &mut self,
        now: Instant,
        command: CommandId,
        id: BridgeId,
        config: BridgeRecordingConfig,
    ) {
        if !self.ledger.accept(Owner::Bridge(id), command, true) {
            tracing::warn!(command = command.0, "a media command was given twice");
            return;
        }
        let begun = self
            .bridge(id)
            .map(|bridge| bridge.record(command, config.duration));
        let why = match begun {
            Some(true) => {
                let target = RecordingTarget {
                    files: RecordingFiles::Mono(config.file),
                    format: config.format,
                };
                self.outbox.record_start(command, target, Band::Wide);
                return self.rearrange(now, id);
            }
            Some(false) => MediaError::AlreadyRecording,
            None => MediaError::UnknownBridge,
        };
        self.outbox.finished(command, Outcome::Failed { why });
    }

    pub(super) fn stop_bridge_recording(&mut self, now: Instant, id: BridgeId, command: CommandId) {
        self.end_bridge_recording(now, id, command, RecordingEnd::Stopped);
    }

    /// Forgets a recording whose file failed.
    pub(super) fn drop_bridge_recording(&mut self, now: Instant, id: BridgeId, command: CommandId) {
        if let Some(bridge) = self.bridge(id)
            && bridge.end_recording(|known| known == command).is_some()
        {
            self.rearrange(now, id);
        }
    }

    /// Ticks a bridge that mixes.
    pub(super) fn tick_bridge(&mut self, now: Instant, id: BridgeId) {
        let Some(place) = self.bridges.get_mut(&id) else {
            return;
        };
        let Some(mut bridge) = place.take_if(|bridge| bridge.due.is_some_and(|due| due <= now))
        else {
            return;
        };
        let mut due = bridge.due.unwrap_or(now);
        self.count_tick(now - due);
        let late = (now - due).as_millis() / FRAME_DURATION.as_millis();
        let missed = u32::try_from(late)
            .unwrap_or(u32::MAX)
            .saturating_sub(MAX_CATCH_UP);
        if missed > 0 {
            due += FRAME_DURATION * missed;
            bridge.skip(u64::from(missed));
            for at in 0..bridge.len() {
                let frames = u64::from(missed);
                self.touch(now, bridge.member(at), |session, _| session.skip(frames));
            }
        }
        let mut ended = None;
        while due <= now {
            ended = self.mix(now, due, (id, &mut bridge)).or(ended);
            due += FRAME_DURATION;
        }
        bridge.due = Some(self.wheel.arm(due, Owner::Bridge(id)));
        self.bridges.insert(id, Some(bridge));
        if let Some(command) = ended {
            self.end_bridge_recording(now, id, command, RecordingEnd::Duration);
        }
        self.follow_all(now, id);
    }

    /// One tick: takes what each member says, and gives each what the others do. Tells a recording that is
    /// as long as it may be.
    fn mix(
        &mut self,
        now: Instant,
        due: Instant,
        (bridge_id, bridge): (BridgeId, &mut Bridge),
    ) -> Option<CommandId> {
        for at in 0..bridge.len() {
            if bridge.is_mixed(at) {
                let id = bridge.member(at);
                let mut touched = None;
                bridge.take(at, |sound| {
                    let mut is_heard = false;
                    touched = self.touch(now, id, |session, out| {
                        is_heard = session.give_frame(due, sound, out);
                    });
                    is_heard
                });
                note(bridge, at, touched);
            }
        }
        bridge.sum();
        let mut own = Mix::default();
        for at in 0..bridge.len() {
            if bridge.is_mixed(at) && !bridge.is_broken(at) {
                let id = bridge.member(at);
                let heard = bridge.heard_by(at, &mut own);
                let touched = self.touch(now, id, |session, out| {
                    session.take_mix(now, due, heard, out);
                });
                note(bridge, at, touched);
            }
        }
        if let Some(session) = bridge.poll_speaker() {
            let bridge = bridge_id;
            self.outbox.event(Event::ActiveSpeaker { bridge, session });
        }
        let recorded = bridge.recorded()?;
        let sound = &bridge.everybody().sound;
        self.outbox
            .record_frame(recorded.command, recorded.position, sound, None);
        recorded.is_over.then_some(recorded.command)
    }

    /// Sees to what came of a tick: members that broke, and news of the others.
    fn follow_all(&mut self, now: Instant, id: BridgeId) {
        while let Some((session, mark)) = self.bridge(id).and_then(Bridge::next_mark) {
            match mark {
                Mark::Changed => self.follow(now, id, session),
                Mark::Broken => self.drop_faulty(now, session),
            }
        }
    }

    /// Tells sessions how they are joined now, and lets the bridge tick if it mixes.
    fn rearrange(&mut self, now: Instant, id: BridgeId) {
        while let Some((session, link)) = self.bridge(id).and_then(Bridge::next_change) {
            self.with_session(now, session, |session, out| {
                session.set_link(now, link, out)
            });
        }
        let quiet_slot = self.wheel.quiet_slot(now);
        let Some(bridge) = self.bridge(id) else {
            return;
        };
        bridge.prepare();
        if bridge.mode() != Mode::Mix {
            bridge.due = None;
        } else if bridge.due.is_none() {
            bridge.due = Some(quiet_slot);
            self.wheel.arm(quiet_slot, Owner::Bridge(id));
        }
    }

    fn end_bridge_recording(
        &mut self,
        now: Instant,
        id: BridgeId,
        command: CommandId,
        end: RecordingEnd,
    ) {
        let Some(bridge) = self.bridge(id) else {
            return;
        };
        if let Some((command, length)) = bridge.end_recording(|known| known == command) {
            self.outbox.record_end(command, end, length);
            self.rearrange(now, id);
        }
    }

    fn hand_over(&mut self, now: Instant, to: SessionId, news: News<'_>) {
        self.with_session(now, to, |session, out| match news {
            News::Packet(passed) => session.pass_on(now, &passed, out),
            News::Tone(key) => session.convey_tone(now, key),
        });
    }

    fn bridge(&mut self, id: BridgeId) -> Option<&mut Bridge> {
        self.bridges.get_mut(&id)?.as_deref_mut()
    }
}

fn note(bridge: &mut Bridge, at: usize, touched: Option<Touched>) {
    match touched {
        Some(Touched::Well) => {}
        Some(Touched::Changed(_)) => bridge.mark(at, Mark::Changed),
        Some(Touched::Broken) | None => bridge.mark(at, Mark::Broken),
    }
}
