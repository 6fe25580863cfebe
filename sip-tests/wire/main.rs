//! The real binary on loopback: phones of our own call it, and what they hear is measured by frequency.
//!
//! Every story starts a switch of its own on ports of its own and runs in real time, so run many at once:
//! `RUST_TEST_THREADS=12 cargo test --test wire` (`sip-tests/run wire` does).
//!
//! | module | what |
//! |---|---|
//! | `switch` | starts, stops and watches the binary |
//! | `phone`, `call`, `called`, `message` | SIP by hand, apart from the product's own layer |
//! | `rtp`, `sound`, `wav` | packets each 20 ms, G.711, tones and a meter |
//! | `calls`, `refusals`, `routes`, `timing` | signalling |
//! | `menu`, `media`, `files`, `recording` | what is heard |
//! | `trunks`, `dialing`, `transfer`, `queue`, `texts` | calls and messages out, and who is handed to whom |
//! | `bridge`, `conference`, `voicemail` | who hears whom |
//! | `protected` | sound that nobody else can read |
//! | `pair` | our phones among themselves |
//! | `outside`, `external` | what flows reach beyond the call; where its sound goes and comes from |
//! | `register`, `access` | who may |
//! | `api` | the switch as a service |
//! | `latency` | the delay of the media path, by the product's own probe |
//! | `operate`, `hostile`, `torture` | running it, and bad input |

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "stories play the world outside: real clocks, threads that wait, and a panic is a failed story"
)]
#![allow(
    unreachable_pub,
    reason = "in a test binary nothing is reachable from outside; `pub` marks the face of a module"
)]

mod call;
mod called;
mod message;
mod phone;
mod rtp;
mod sound;
mod switch;
mod wav;

mod access;
mod api;
mod bridge;
mod calls;
mod conference;
mod dialing;
mod external;
mod files;
mod hostile;
mod latency;
mod media;
mod menu;
mod operate;
mod outside;
mod pair;
mod protected;
mod queue;
mod recording;
mod refusals;
mod register;
mod routes;
mod texts;
mod timing;
mod torture;
mod transfer;
mod trunks;
mod voicemail;
