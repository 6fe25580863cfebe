//! A simulated world: virtual time, a link that loses and delays, telephones that follow a script, and
//! the real switch with a real media engine between them.
//!
//! ```text
//!   Phone --- Net (SIP) --- Switch --- MediaRoom (Engine) --- Net (RTP) --- Phone
//!                 \____________ World: one queue of what is under way ____________/
//! ```
//!
//! A telephone calls, and is called as its [`phone::Habits`] say:
//!
//! ```ignore
//! let mut world = Plan::new(1).flow("menu", flow).build();
//! let (caller, callee) = (world.phone("alice", "10.0.0.21"), world.phone("bob", "10.0.0.22"));
//! world.when_called(callee, Called::early_then_answers_after(2000));
//! world.with(callee, |phone, _| phone.habits.tone = Some(500));
//! world.dial(caller, "menu");
//! world.pass_ms(1000);
//! assert_eq!(world.chord(caller), [500]);
//! ```
//!
//! Time jumps from one deadline to the next, so an hour of silence costs nothing. All chance comes from
//! one printed seed. Tests of single cores need no more than [`start`].

use std::sync::OnceLock;
use std::time::Instant;

pub mod media;
pub mod net;
pub mod phone;
pub mod plan;
pub mod voice;
pub mod world;

#[cfg(test)]
mod tests;

/// The instant at which every test in virtual time begins; the same for a whole run.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "an Instant cannot be made from nothing; read once, then only added to"
)]
pub fn start() -> Instant {
    static START: OnceLock<Instant> = OnceLock::new();
    *START.get_or_init(Instant::now)
}
