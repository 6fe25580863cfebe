//! One party: a dialog and a media session with a status, verbs and a cause.
//!
//! A call reports and never acts on another; the switch joins calls to flows and to each other.

pub mod address;
pub mod cause;
pub mod digits;

#[expect(
    clippy::module_inception,
    reason = "the room is named after its main noun"
)]
mod call;
mod event;
mod leg;
mod listening;
mod muting;
mod playing;
mod sending;

#[cfg(test)]
mod tests;

pub use call::Call;
pub use event::{CallEvent, PlayRefused, RecordRefused, SendRefused};
pub use leg::{Down, Leg};
