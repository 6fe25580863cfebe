//! Plain data: what is configured (flows, trunks, extensions, agents, queues, conferences) and what has
//! been or is (calls, activeflows, recordings, messages), as the outside is told it.

pub mod access;
pub mod activeflows;
pub mod agents;
pub mod bindings;
pub mod call_state;
pub mod calls;
pub mod codecs;
pub mod confbridges;
pub mod conferences;
pub mod directory;
pub mod flows;
pub mod groupcalls;
pub mod messages;
pub mod network;
pub mod protection;
pub mod queues;
pub mod recordings;
pub mod timeline;
pub mod transcripts;
pub mod transfers;
pub mod trunks;

mod named;
