//! One party: a dialog and a media session with a status, verbs and a cause.
//!
//! A call reports and never acts on another; the switch joins calls to flows and to each other.

pub mod address;
pub mod cause;
pub mod digits;
pub mod q850;
pub mod reason;

#[expect(
    clippy::module_inception,
    reason = "the room is named after its main noun"
)]
mod call;

mod bridging;
mod dialing;
mod event;
mod externals;
mod filling;
mod holding;
mod leg;
mod listening;
mod muting;
mod playing;
mod sending;
mod times;

#[cfg(test)]
mod tests;

pub use call::Call;
pub use event::{CallEvent, PlayRefused, RecordRefused, SendRefused};
pub use leg::{Down, Leg};
pub use times::Times;
