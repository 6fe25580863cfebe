//! How a telephone behaves, where it stands, and what it is told to do.

use std::time::Duration;

use flowswitch_media::codec::Codec;

use super::called::{Called, Challenge};

/// What a telephone puts into its INVITE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offer {
    /// PCMU, PCMA and telephone-event.
    Full,
    /// PCMU and PCMA alone.
    NoEvents,
    /// PCMA and telephone-event.
    Pcma,
    /// These, and telephone-event.
    Codecs(&'static [Codec]),
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
    /// Says that it takes reliable provisional responses (RFC 3262), and acknowledges them.
    pub takes_reliable: bool,
    /// What it says from the moment that a call has sound, in hertz.
    pub tone: Option<u16>,
    /// What it does when it is called.
    pub called: Called,
    /// Where there are any, chance takes one of these for each call in place of `called`.
    pub moods: Vec<Called>,
    /// Whom it wants a proof from.
    pub challenge: Option<Challenge>,
    /// How it answers a re-INVITE or an UPDATE; 200 with a description of its own.
    pub offered: u16,
    /// How it answers a MESSAGE.
    pub messaged: u16,
    /// How it answers OPTIONS outside of calls.
    pub asked: u16,
    /// How it answers a REGISTER, and with which headers, each with its line end.
    pub registered: (u16, String),
    /// Keeps what came and the calls that are over; not so where a hundred thousand come.
    pub keeps_history: bool,
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
            takes_reliable: false,
            tone: None,
            called: Called::default(),
            moods: Vec::new(),
            challenge: None,
            offered: 200,
            messaged: 200,
            asked: 200,
            registered: (405, String::new()),
            keeps_history: true,
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
    /// Is called, and has not answered yet.
    Called,
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
    /// Waits until it is called.
    UntilCalled,
    /// Waits until the call is answered.
    UntilAnswered,
    /// Waits until it hears a tone.
    UntilHears(u16),
    /// Waits.
    Pause(Duration),
    /// Presses a key.
    Press(char, Key),
    /// Says a tone from now on, or nothing.
    Say(Option<u16>),
    /// Puts the other on hold (`sendonly`, `inactive`), or takes it back (`sendrecv`).
    Hold(&'static str),
    /// Asks the other to call this URI in its place.
    Refer(&'static str),
    /// Hangs up: BYE; CANCEL or 486 before the answer.
    HangUp,
    /// Waits until the call is over.
    UntilOver,
}
