//! The ways between externals and the session they are let in to: both bounded, and nobody waits.

use std::collections::HashMap;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Instant;

use super::thread::{MediaThread, Message};
use super::{MediaHost, Route};
use crate::command::{Command, ExternalConfig, ExternalId, SessionId};
use crate::engine::Input;
use crate::frame::{FRAME_SAMPLES, Frame};

/// Chunks under way to the engine: more than it keeps, so that they are full only when it stands still.
const CHUNKS: usize = 16;

/// Takes what one external hears, 20 ms at a time, and how many of its samples wait no longer.
type Outlet = Box<dyn FnMut(Option<&Frame>, u64) + Send>;

/// The way of an external into its session. It leads nowhere once the external is out.
#[derive(Debug)]
pub struct Inlet(SyncSender<Chunk>);

/// Both ways at the end of the media thread.
pub(super) struct Port {
    chunks: Receiver<Chunk>,
    outlet: Outlet,
}

/// The ports of one thread.
pub(super) type Ports = HashMap<ExternalId, Port>;

#[expect(
    clippy::large_enum_variant,
    reason = "the places of the queue are made once and used again"
)]
#[derive(Debug)]
enum Chunk {
    Sound([i16; FRAME_SAMPLES], usize),
    Clear,
}

impl Inlet {
    /// Says something, and returns how many samples of it were dropped because too much is under way.
    pub fn say(&self, samples: &[i16]) -> usize {
        let mut dropped = 0;
        for part in samples.chunks(FRAME_SAMPLES) {
            let mut chunk = [0; FRAME_SAMPLES];
            chunk[..part.len()].copy_from_slice(part);
            if self.0.try_send(Chunk::Sound(chunk, part.len())).is_err() {
                dropped += part.len();
            }
        }
        dropped
    }

    /// Takes back what was said and has not been heard. `false`: too much is under way.
    pub fn clear(&self) -> bool {
        self.0.try_send(Chunk::Clear).is_ok()
    }
}

impl Port {
    /// Hands over what has passed.
    pub(super) fn tick(&mut self, heard: Option<&Frame>, gone: u64) {
        (self.outlet)(heard, gone);
    }
}

impl std::fmt::Debug for Port {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Port").finish_non_exhaustive()
    }
}

impl MediaHost {
    /// Lets an external in, as [`Command::OpenExternal`] does, with ways in and out. `outlet` is called every
    /// 20 ms on a media thread and must not block: with what it hears, unless it does not listen, and with
    /// how many of its samples wait no longer. It is dropped when the external is out.
    pub fn open_external(
        &mut self,
        external: ExternalId,
        session: SessionId,
        config: ExternalConfig,
        outlet: impl FnMut(Option<&Frame>, u64) + Send + 'static,
    ) -> Inlet {
        let (way_in, chunks) = sync_channel(CHUNKS);
        let port = Port {
            chunks,
            outlet: Box::new(outlet),
        };
        let command = Command::OpenExternal {
            external,
            session,
            config,
        };
        let (Route::To(at) | Route::Move { to: at, .. }) = self.routes.route(&command);
        let attach = Message::Attach {
            session,
            external,
            port: Box::new(port),
        };
        // With the thread gone the order is refused, and the port goes with the message.
        let _ = self.leave(at, attach);
        self.send(command);
        Inlet(way_in)
    }
}

impl MediaThread {
    /// Brings the engine what externals have said since the last time.
    pub(super) fn feed(&mut self, now: Instant) {
        for (external, port) in &self.externals {
            let external = *external;
            while let Ok(chunk) = port.chunks.try_recv() {
                let input = match &chunk {
                    Chunk::Sound(samples, len) => Input::ExternalSound {
                        external,
                        samples: &samples[..*len],
                    },
                    Chunk::Clear => Input::ExternalClear { external },
                };
                self.engine.handle_input(now, input);
            }
        }
    }
}
