//! SIP messages: bytes to types and back, tolerant of what comes in, strict in what goes out.
//!
//! A message is an index over the datagram it came in: header values and the body are slices of it, the
//! typed views ([`Headers::from`], [`Headers::vias`] and so on) are made when asked for. A body stays bytes.
//!
//! Compact names, folding, lists, LF alone at line ends, quoted strings with anything in them, IPv6, `tel:`
//! and unknown schemes, and bytes that are not UTF-8 are read. What two readers could understand in two ways
//! is refused, not repaired: control characters in names, a CR without LF, two lengths, two Call-IDs.

mod check;
pub mod digest;
mod error;
mod escape;
mod framer;
mod head;
mod header_name;
mod headers;
mod host;
mod method;
mod name_addr;
mod params;
mod parse;
mod replaces;
mod request;
mod response;
mod status;
mod token;
mod uri;
mod values;
mod via;
mod views;
mod write;

#[cfg(test)]
mod tests;

pub use digest::{Algorithm, Challenge, Credentials};
pub use error::ParseError;
pub use framer::{Frame, FramingError, StreamFramer};
pub use header_name::{ExtensionName, HeaderName};
pub use headers::Headers;
pub use host::Host;
pub use method::Method;
pub use name_addr::NameAddr;
pub use params::Params;
pub use parse::{Message, MessageError};
pub use replaces::Replaces;
pub use request::Request;
pub use response::Response;
pub use status::Status;
pub use token::Token;
pub use uri::{SipUri, TelUri, Uri};
pub use values::{CSeq, Contacts, MediaType, RAck, Refresher, SessionExpires};
pub use via::Via;
