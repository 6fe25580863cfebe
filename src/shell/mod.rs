//! All that is asynchronous: sockets, the clock, files, HTTP and speech, around one
//! [`Switch`](crate::switch::Switch).
#![expect(
    clippy::disallowed_methods,
    reason = "the shell is where tasks and threads are started and the clock is read"
)]

pub mod check;
pub mod config;
pub mod configuring;
pub mod driver;
pub mod dry_run;
pub mod external;
pub mod fetch;
pub mod flow_files;
pub mod flows;
pub mod latency;
pub mod log;
pub mod outside;
pub mod prompts;
pub mod resolver;
pub mod serve;
mod service;
pub mod speech;
pub mod transport;
mod workers;
