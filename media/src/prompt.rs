//! Sound to play, ready for the engine.

use bytes::Bytes;

/// A sound at 8 kHz mono with its encoded forms, so that playing it costs a copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompt {
    samples: Box<[i16]>,
    pcmu: Bytes,
    pcma: Bytes,
}
