//! The media engine of flowswitch: RTP sessions, playout, DTMF, playback and recording, without a
//! clock, a socket or a thread; those are in [`host`].

pub mod codec;
pub mod command;
pub mod dsp;
pub mod dtmf;
pub mod engine;
pub mod frame;
#[cfg(feature = "host")]
pub mod host;
pub mod jitter;
pub mod prompt;
pub mod recording;
pub mod rtp;
pub mod session;
