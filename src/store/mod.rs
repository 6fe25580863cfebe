//! Plain data: what is configured (flows, trunks, extensions) and what has been (recordings, messages).

pub mod access;
pub mod flows;
pub mod messages;
pub mod network;
pub mod recordings;
pub mod transcripts;
