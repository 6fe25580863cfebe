//! DTMF: one key pressed, however it came, and every way to send it.

mod detector;
mod digit;
mod event_receiver;
mod event_sender;
mod tone_sender;

pub use detector::ToneDetector;
pub use digit::{Digit, ParseDigitError};
pub use event_receiver::EventReceiver;
pub use event_sender::{EventPacket, EventSender, EventTick};
pub use tone_sender::ToneSender;
