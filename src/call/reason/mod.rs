//! Why a call ended, or never began, for whoever runs the switch: a code that stays, a sentence with the facts
//! at hand, and what can be done.
//!
//! ```text
//!   Cause + Fact ... --> Reason    of a call that is over
//!   NotTaken ----------> Reason    of an INVITE that never became one
//!   Fact, SessionStats > Reason    findings: what was not as it should be, also in a call that ended well
//! ```
//!
//! All codes stand in [`Code`], and nowhere else.

use std::borrow::Cow;
use std::fmt;

mod ended;
mod fact;
mod refused;
mod sound;

#[cfg(test)]
mod tests;

pub use fact::{Exchange, Fact, Facts, Mismatch};
pub use refused::{NearMiss, NotTaken, Resemblance};
pub use sound::Sound;

/// One reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// Which.
    pub code: Code,
    /// What happened, with the facts.
    pub sentence: Cow<'static, str>,
    /// What the operator can do; empty where there is nothing to be done.
    pub remedy: Cow<'static, str>,
}

impl Reason {
    /// With the remedy of the catalogue.
    fn new(code: Code, sentence: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            sentence: sentence.into(),
            remedy: Cow::Borrowed(code.remedy()),
        }
    }

    /// With another remedy, that knows more.
    fn with_remedy(self, remedy: impl Into<Cow<'static, str>>) -> Self {
        Self {
            remedy: remedy.into(),
            ..self
        }
    }
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident $word:literal $remedy:literal)*) => {
        /// A reason in one word; words are only ever added.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Code {
            $($(#[$doc])* $name,)*
            /// The peer that we called refused with this status: `refused_486`.
            Refused(u16),
        }

        impl Code {
            /// All of them, but for those of refusals.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The word; of a refusal the part before its status.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)*
                    Self::Refused(_) => "refused_",
                }
            }

            /// What can be done, where nothing more is known.
            #[must_use]
            pub const fn remedy(self) -> &'static str {
                match self {
                    $(Self::$name => $remedy,)*
                    Self::Refused(status) => of_status(status),
                }
            }
        }
    };
}

codes! {
    // The ordinary ends.

    /// BYE of the peer.
    PeerHungUp "peer_hung_up" ""
    /// CANCEL of the caller.
    CallerGaveUp "caller_gave_up" ""
    /// The flow came to its end or to a hangup.
    FlowEnded "flow_ended" ""
    /// A request from outside.
    Asked "hung_up_from_outside" ""
    /// Another one answered.
    AnsweredElsewhere "answered_elsewhere" ""
    /// Its partner or its master is over.
    OtherEnded "other_ended" "See why the call ended that it belonged to."
    /// Hung up as another call was.
    Relayed "hung_up_as_another" "See why that other call ended."
    /// Another one talks in its place.
    Transferred "transferred" ""
    /// The switch is stopping.
    Stopping "switch_stopping" ""

    // What went wrong in a call.

    /// No ACK for a 200 of ours.
    NoAck "no_ack" "The caller has to reach the Contact of our 200: behind NAT set `external_address` of \
        [sip] to the public address, and let its firewall pass both ways."
    /// The offer and what we have share no codec.
    NoCommonCodec "no_common_codec" "Add one of the codecs offered to `codecs` of [rtp] or of the [[trunks]], \
        or switch one of ours on at the peer."
    /// The SDP offers no audio over RTP that we speak.
    NoAudio "no_audio" "Let the peer offer an audio stream over RTP/AVP, or RTP/SAVP where `srtp` of [rtp] lets us."
    /// SRTP suites differ.
    NoCommonSuite "no_common_srtp" "Switch AES_CM_128_HMAC_SHA1_80, AES_CM_128_HMAC_SHA1_32 or AEAD_AES_256_GCM on at the peer."
    /// SRTP is required and not offered.
    SrtpRequired "srtp_required" "Switch SRTP with keys in SDP on at the peer, or ask less by `srtp` of [rtp] or of the [[trunks]]."
    /// Media by the other IP version.
    WrongFamily "wrong_ip_version" "Let the peer put an address of the same IP version into its SDP as it \
        signals by."
    /// An answer that cannot be followed.
    BadAnswer "bad_answer" "Look at the SDP answer of the peer: it has to hold an audio stream that we offered."
    /// The session timer ran out.
    SessionExpired "session_expired" "The peer has to refresh the session (RFC 4028), or has been gone: check \
        that UPDATE and re-INVITE reach it."
    /// The peer is gone.
    PeerGone "peer_gone" "Check the connection to the peer; after its restart it knows none of its calls."
    /// The longest duration.
    TooLong "too_long" "Calls end after an hour; nothing is to be done when it was forgotten."
    /// The media engine gave up.
    MediaFailed "media_failed" "See the log: usually there is no free RTP port, so widen `ports` of [rtp]."
    /// The flow failed.
    FlowFailed "flow_failed" "Correct the flow: `flowswitch check` finds most of such faults before a call does."
    /// A limit of any kind.
    LimitReached "limit_reached" "Raise the limit, or find out who makes so many calls."
    /// A fault of ours.
    Internal "internal_fault" "Please report it, with the log of that moment."

    // Why nobody was reached.

    /// Silence.
    NoResponse "no_response" "Check the address and that UDP or TCP to it passes; OPTIONS to it shows the same."
    /// Nobody answered.
    NoAnswer "no_answer" ""
    /// No trunk for the number.
    NoTrunk "no_trunk" "Give a [[trunks]] a prefix in `prefixes` that the number begins with."
    /// The host is not allowed.
    HostNotAllowed "host_not_allowed" "Name the host in `dial_allow` of [sip], if flows may call it."
    /// The host cannot be found.
    HostNotFound "host_not_found" "Check the spelling of the host and that its name can be resolved from here."
    /// The address makes no sense.
    BadAddress "bad_address" "Look at the destination in the flow."
    /// It would be ourselves.
    CallsItself "calls_itself" "Name another host: this one is the switch itself."
    /// There is nothing to take over.
    NothingToReplace "nothing_to_replace" "The call was over already, or is not one that may be replaced."

    // Why an INVITE never became a call.

    /// The caller is nobody that is known.
    TrunkNotRecognised "trunk_not_recognised" "If it is a carrier of yours, add the address to `allowed_ips` of \
        its [[trunks]]; strangers are not answered."
    /// Wrong password.
    WrongPassword "wrong_password" "Enter the password of the [[extensions]] at the telephone again."
    /// Too many wrong passwords.
    Barred "barred" "Correct the password at the telephone and wait some minutes."
    /// No flow for what was dialled.
    UnknownNumber "unknown_number" "Give the number to a flow in [[numbers]], or make a flow called \"default\"."
    /// Replaces by somebody who may not.
    ReplacesForbidden "replaces_forbidden" "Only a registered extension may take over calls."
    /// The request cannot be read.
    Malformed "malformed" "Look at the INVITE of the peer: one of its headers or its SDP breaks the grammar."
    /// More waits than is good.
    Overloaded "overloaded" "The machine does not keep up: lower the rate of calls, or take a stronger one."
    /// No RTP port.
    NoPort "no_rtp_port" "Widen `ports` of [rtp]: each call takes two ports."

    // Findings.

    /// No RTP came.
    NoRtp "no_rtp" "Check that UDP to our RTP port passes (firewall, NAT), and that the address in our SDP is \
        the one the peer reaches: `external_address` of [sip]."
    /// The sound was bad.
    PoorSound "poor_sound" "Look at loss and jitter of the path to the peer; Opus and a wired network bear more."
    /// A server took long.
    WebhookSlow "webhook_slow" "The caller waits while the server thinks: answer at once and work afterwards, \
        or place a `talk` before it."
    /// A server did not do it.
    WebhookFailed "webhook_failed" "Look at the log of that server; flows reach only public hosts and those of \
        `allow` in [outbound_http]."
    /// An address said nothing before another one did.
    SilentAddress "silent_address" "Take the address out of DNS or of the [[trunks]], or find out why it is silent."
    /// A trunk was passed over.
    TrunkBarred "trunk_passed_over" "Raise the limit of the [[trunks]] if the carrier grants more."
}

/// What can be done after a refusal.
const fn of_status(status: u16) -> &'static str {
    match status {
        300..=399 => {
            "The peer sends calls elsewhere: dial that address, or allow it in `dial_allow` of [sip]."
        }
        401 | 407 => "Check `username` and `password` of the [[trunks]].",
        402 | 403 => {
            "The peer does not let us: it wants our address in its list, a registration, or another `caller_id`."
        }
        404 | 410 | 484 | 604 => {
            "The peer does not know the number: check how it wants numbers written (`tech_prefix`, +, 00)."
        }
        408 | 480 | 487 => "The called one cannot be reached at the moment.",
        486 | 600 => "",
        415 | 488 | 606 => {
            "The peer speaks none of our codecs, or wants SRTP: see `codecs` and `srtp` of the [[trunks]]."
        }
        420 | 421 => "The peer wants an extension of SIP that we do not have.",
        482 | 483 => "The call goes in circles: look where the peer sends it.",
        500..=599 => {
            "The fault is at the peer, or it is overloaded: ask its operator, or add a second [[trunks]]."
        }
        603 | 607 | 608 => {
            "The called one does not want the call; 607 and 608 mean that it was taken for spam."
        }
        _ => "Ask the operator of the peer what it means by it.",
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())?;
        match self {
            Self::Refused(status) => status.fmt(f),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.sentence)
    }
}
