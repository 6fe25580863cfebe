//! The thread that encodes prompts in codecs with a memory, so that no media thread has to more than once.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, SyncSender};

use crate::codec::Codec;
use crate::prompt::Prompt;

/// Prompts that may wait; one more is asked for again when it is played again.
const MAX_WAITING: usize = 64;

/// The way to that thread; a clone of it for each media thread.
#[derive(Clone, Debug)]
pub(super) struct Encoding {
    prompts: SyncSender<(Arc<Prompt>, Codec)>,
}

impl Encoding {
    /// Starts the thread. It ends by itself when the last way to it is gone, and nobody waits for that: what it
    /// does then is of no use any more.
    pub(super) fn start(name: String) -> io::Result<Self> {
        let (prompts, waiting) = mpsc::sync_channel::<(Arc<Prompt>, Codec)>(MAX_WAITING);
        let run = move || {
            for (prompt, codec) in waiting {
                // One that nobody else has will not be played again.
                if Arc::strong_count(&prompt) > 1 {
                    prompt.encode(codec);
                }
            }
        };
        std::thread::Builder::new().name(name).spawn(run)?;
        Ok(Self { prompts })
    }

    /// Has a prompt encoded some time soon.
    pub(super) fn encode(&self, prompt: Arc<Prompt>, codec: Codec) {
        if let Err(unsent) = self.prompts.try_send((prompt, codec)) {
            let (mpsc::TrySendError::Full(unsent) | mpsc::TrySendError::Disconnected(unsent)) =
                unsent;
            unsent.0.take_back(unsent.1);
        }
    }
}
