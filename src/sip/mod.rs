//! The SIP core (RFC 3261): message < transaction < dialog < endpoint, beside them the registrar.

pub mod message;
