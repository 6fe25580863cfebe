//! Pair tests: an endpoint and a scripted peer in virtual time.

mod calls;
mod hostile;
pub(super) mod kit;
mod lossy;
mod offers;
mod refusals;
mod routing;
mod sessions;
