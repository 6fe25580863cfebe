//! Plain data: what is configured (flows, trunks, extensions, agents, queues, conferences) and what has
//! been (calls, recordings, messages).

pub mod access;
pub mod agents;
pub mod calls;
pub mod codecs;
pub mod conferences;
pub mod directory;
pub mod flows;
pub mod messages;
pub mod network;
pub mod protection;
pub mod queues;
pub mod recordings;
pub mod transcripts;
pub mod trunks;

mod named;
