//! Transactions (RFC 3261 §17 and RFC 6026): four machines, and the layer that matches and times them.

mod client_invite;
mod client_request;
mod key;
mod layer;
mod machine;
mod server_invite;
mod server_request;
mod timers;

#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use key::{ServerKey, has_cookie};
pub use layer::{ClientNews, Matched, TransactionId, TransactionLayer, TransactionStats, push_via};
pub use timers::{PATIENCE, Resend, T1, T2, T4, earliest};

use super::message::Response;

/// What became of a request of ours.
#[derive(Clone, Debug)]
pub enum ClientEvent {
    /// A response: any number of provisional ones, then one final one; to an INVITE every 2xx.
    Response(Arc<Response>),
    /// No final response within 64·T1; to be taken as a 408 (RFC 3261 §8.1.3.1).
    TimedOut,
    /// The request could not be carried; to be taken as a 503 (RFC 3261 §8.1.3.1).
    TransportFailed,
}
