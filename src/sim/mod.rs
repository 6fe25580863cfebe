//! What tests of the cores share: a start of time that no clock gave.

use std::sync::OnceLock;
use std::time::Instant;

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
