//! Sessions as a peer and an owner see them, in virtual time.

mod bands;
mod both_ways;
mod bridging;
mod bridging_keys;
mod bridging_modes;
mod callers;
mod clicks;
mod externals;
mod hearing;
mod latching;
mod listening;
mod measuring;
mod muting;
mod orders;
mod pacing;
mod party;
mod playing;
mod receiving;
mod recording;
mod rig;
mod srtp;
