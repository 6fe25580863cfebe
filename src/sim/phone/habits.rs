//! How a telephone behaves, where it stands, and what it is told to do.

use std::time::Duration;

/// What a telephone puts into its INVITE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offer {
    /// PCMU, PCMA and telephone-event.
    Full,
    /// PCMU and PCMA alone.
    NoEvents,
    /// PCMA and telephone-event.
    Pcma,
    /// A codec that we do not have.
    Foreign,
    /// Something that is no SDP.
    Broken,
    /// Nothing: the switch shall offer.
    None,
}

/// What a telephone puts into the ACK of a 200 that brought an offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AckBody {
    /// Its answer.
    Answer,
    /// Nothing.
    Nothing,
    /// An answer with a codec that was not offered.
    Foreign,
    /// Something that is no SDP.
    Garbage,
}

/// How it sends a digit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// As a telephone-event (RFC 4733).
    Event,
    /// As a tone.
    Tone,
    /// In an INFO request.
    Info,
}

/// How a telephone behaves.
#[derive(Clone, Debug)]
pub struct Habits {
    /// What it offers.
    pub offer: Offer,
    /// How it answers an offer of ours in the ACK.
    pub ack_body: AckBody,
    /// Acknowledges a 200 to INVITE.
    pub acks: bool,
    /// Answers requests.
    pub answers: bool,
    /// Reads nothing at all.
    pub is_deaf: bool,
    /// Says that it takes UPDATE.
    pub takes_updates: bool,
    /// What it proves itself with.
    pub password: Option<String>,
    /// More headers of the INVITE, each with its line end.
    pub headers: String,
}

impl Default for Habits {
    fn default() -> Self {
        Self {
            offer: Offer::Full,
            ack_body: AckBody::Answer,
            acks: true,
            answers: true,
            is_deaf: false,
            takes_updates: false,
            password: None,
            headers: String::new(),
        }
    }
}

/// Where a telephone stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PhoneState {
    /// On the hook.
    Idle,
    /// Dialled; `true`: gave up again.
    Calling {
        /// CANCEL is sent.
        gave_up: bool,
    },
    /// Talking.
    Answered,
    /// Over, by the other side (true) or by itself.
    Over {
        /// Who ended it.
        by_switch: bool,
    },
}

/// One step of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Dials a name.
    Dial(&'static str),
    /// Waits until the call is answered.
    UntilAnswered,
    /// Waits until it hears a tone.
    UntilHears(u16),
    /// Waits.
    Pause(Duration),
    /// Presses a key.
    Press(char, Key),
    /// Hangs up.
    HangUp,
    /// Waits until the call is over.
    UntilOver,
}
