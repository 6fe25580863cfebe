//! Sessions as a peer and an owner see them, in virtual time.

mod hearing;
mod latching;
mod listening;
mod muting;
mod orders;
mod playing;
mod recording;
mod rig;
