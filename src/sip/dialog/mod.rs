//! Dialogs (RFC 3261 §12) and the call part of one, the invite usage (RFC 5057).

mod content;
#[expect(clippy::module_inception, reason = "the noun of the room")]
mod dialog;
mod exchange;
mod identity;
mod info;
mod invite;
mod refresh;

pub use content::{ContentError, sdp};
pub use dialog::Dialog;
pub use identity::{ALLOW, Identity, SUPPORTED, with_tag};
pub use invite::{Floor, InviteUsage, Owner};
pub use refresh::{Agreed, Part, SessionError, SessionPolicy};
