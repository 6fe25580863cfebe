//! flowswitch: one process that terminates SIP, runs the media itself, and moves a flow's cursor from
//! media events.

pub mod ids;
pub mod status;
pub mod time;

pub mod flow;
pub mod sdp;
pub mod sip;

pub mod call;
pub mod store;

pub mod switch;

#[cfg(test)]
pub mod sim;
