//! DTMF: one key pressed, however it came.

/// One DTMF key: `0`–`9`, `*`, `#`, `A`–`D`; its number is the event code of RFC 4733 §3.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digit(u8);
