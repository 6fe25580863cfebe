//! From packets to an even flow of sound: those that come early, late, doubled or out of order, from a clock
//! that is not ours, with holes between them.
//!
//! ```text
//!   packet -> buffer: where it lies in time, when it is due       estimate: how late packets come
//!                |
//!                v
//!   tick <- playout: decoded, concealed, shortened, lengthened, comfort noise; in the band that is wanted
//! ```

mod buffer;
mod delay;
mod packet;
mod playout;
mod store;
mod timeline;
mod voice;

use std::time::Duration;

pub use buffer::JitterBuffer;
pub use packet::{JitterStats, Packet, Popped};
pub use playout::{Playout, PlayoutStats};

/// Media time in here, whatever the clock of the stream: every rate of RFC 3551 that we take is a part of it.
pub type Ticks = i64;

/// Ticks a second.
pub const TICK_RATE: u32 = 48_000;

/// One frame.
const FRAME: Ticks = ms(20);

/// So many milliseconds.
const fn ms(milliseconds: i64) -> Ticks {
    milliseconds * TICK_RATE as i64 / 1_000
}

/// How long so much media time is.
fn duration_of(ticks: Ticks) -> Duration {
    let ticks = u64::try_from(ticks).unwrap_or_default();
    Duration::from_nanos(ticks * 1_000_000_000 / u64::from(TICK_RATE))
}

/// The longest step that both are a row of.
fn common_divisor(mut one: Ticks, mut other: Ticks) -> Ticks {
    while other != 0 {
        (one, other) = (other, one % other);
    }
    one
}

#[cfg(test)]
mod tests;
