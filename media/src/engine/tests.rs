//! Sessions as a peer and an owner see them, in virtual time.

mod bridging;
mod bridging_keys;
mod bridging_modes;
mod externals;
mod hearing;
mod latching;
mod listening;
mod muting;
mod orders;
mod party;
mod playing;
mod recording;
mod rig;
