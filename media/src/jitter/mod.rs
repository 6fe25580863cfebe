//! The jitter buffer: packets that come early, late, doubled or out of order leave in an even flow.

mod buffer;
mod delay;

pub use buffer::{JitterBuffer, JitterStats, Popped};

#[cfg(test)]
mod tests;
