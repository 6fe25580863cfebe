//! Functions on samples.

pub mod joint;
pub mod level;
pub mod leveler;
mod likeness;
pub mod limiter;
pub mod meter;
pub mod noise;
pub mod plc;
pub mod resample;
pub mod stretch;
pub mod tone;
pub mod utterance;
pub mod vad;
