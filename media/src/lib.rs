//! The media engine of flowswitch: RTP sessions, playout, DTMF, playback and recording, without a
//! clock, a socket or a thread; those are in [`host`].
//!
//! ```text
//!   command: the joint. Orders down (Command), news up (Event); each order has one Finished
//!      |
//!   host     threads, sockets, ports, files       (feature `host`, Linux)
//!   engine   owns sessions and bridges, wakes each when it is due, keeps the ledger of orders
//!   bridge   who hears whom: held, passed on packet by packet, or mixed
//!   session  one peer: latch, inbound, listener, outbound, recording, ears, externals, reports
//!   histogram, delay, quality         how long things take, and how good they sound for it
//!   amd, prompt, recording, jitter, dtmf, dsp, codec, rtp, frame     functions on sound and octets
//! ```

pub mod amd;
mod bridge;
pub mod codec;
pub mod command;
pub mod delay;
pub mod dsp;
pub mod dtmf;
pub mod engine;
pub mod frame;
pub mod histogram;
#[cfg(feature = "host")]
pub mod host;
pub mod jitter;
mod outbox;
pub mod prompt;
pub mod quality;
pub mod recording;
pub mod rtp;
mod session;
#[cfg(test)]
mod sim;
