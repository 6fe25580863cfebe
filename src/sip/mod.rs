//! The SIP core (RFC 3261): message < transaction < dialog < endpoint, beside them the registrar.

mod hop;
pub mod message;

pub mod transaction;

mod event;

pub mod dialog;

mod endpoint;

pub mod auth;
pub mod registrar;

#[cfg(test)]
mod tests;

pub use dialog::{ALLOW, SUPPORTED};
pub use endpoint::{Endpoint, EndpointConfig, EndpointStats, Limits};
pub use event::{DialogId, EndCause, Event, RequestId};
pub use hop::{ConnectionId, Hop, Transmit, Transport, is_private};
