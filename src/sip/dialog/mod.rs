//! Dialogs (RFC 3261 §12) and the call part of one, the invite usage (RFC 5057).

mod answering;
mod content;
mod dialing;
#[expect(clippy::module_inception, reason = "the noun of the room")]
mod dialog;
mod exchange;
mod floor;
mod forks;
mod identity;
mod info;
mod invite;
mod proof;
mod proposal;
mod refer;
mod refresh;
mod reliable;

pub use content::{ContentError, sdp};
pub use dialog::Dialog;
pub use floor::{Floor, Owner};
pub use forks::Forks;
pub use identity::{ALLOW, Identity, SUPPORTED, with_tag};
pub use invite::InviteUsage;
pub use refresh::{Agreed, Part, SessionError, SessionPolicy};
