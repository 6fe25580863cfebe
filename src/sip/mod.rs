//! The SIP core (RFC 3261): message < transaction < dialog < endpoint, beside them the registrar.

mod hop;
pub mod message;

pub mod transaction;

mod event;

pub mod dialog;

mod endpoint;

pub mod auth;
pub mod registrar;
pub mod registration;

#[cfg(test)]
mod tests;

pub use dialog::{ALLOW, SUPPORTED};
pub use endpoint::{Endpoint, EndpointConfig, EndpointStats, Limits};
pub use event::{Account, Ask, AskId, DialogId, EndCause, Event, Invite, NoAnswer, RequestId};
pub use hop::{ConnectionId, Hop, SipHost, Transmit, Transport, is_private};
