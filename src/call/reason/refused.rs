//! Why an INVITE never became a call.

use std::net::IpAddr;

use super::fact::Mismatch;
use super::{Code, Reason};

/// What stood against an INVITE.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotTaken {
    /// It comes from nobody that is known.
    Stranger {
        /// From where.
        source: IpAddr,
        /// The trunk that it is most like.
        nearest: Option<NearMiss>,
    },
    /// Its sender has failed to prove who it is too often.
    Barred,
    /// What it proves itself by is wrong.
    WrongPassword {
        /// Who it says it is.
        claimed: String,
    },
    /// No flow answers what was dialled.
    NoFlow {
        /// What.
        dialled: String,
    },
    /// The switch is stopping.
    Stopping,
    /// More waits than is good.
    Overloaded,
    /// There are as many calls as there may be.
    Full {
        /// How many.
        calls: usize,
    },
    /// There is no RTP port.
    NoPort,
    /// It wants to replace a call and may not, or there is none.
    Replaces {
        /// What it is told.
        status: u16,
    },
    /// It cannot be read.
    Malformed,
    /// What it offers cannot be followed.
    Offer(Mismatch),
    /// The caller gave up before the call began.
    GaveUp,
}

/// A trunk that a caller is like, but is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NearMiss {
    /// Its name.
    pub trunk: String,
    /// How it is like it.
    pub like: Resemblance,
}

/// How a caller is like a trunk.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Resemblance {
    /// Its address is near to a network of the trunk.
    Network {
        /// The network.
        network: String,
        /// How many bits at the beginning are the same.
        bits: u32,
    },
    /// It calls the user that we are at the trunk.
    Account(String),
    /// It calls the number that we show there.
    CallerId(String),
    /// It names the host of the trunk in From.
    Host(String),
}

impl NotTaken {
    /// It, as a reason.
    #[must_use]
    pub fn reason(&self) -> Reason {
        match self {
            Self::Stranger { source, nearest } => stranger(*source, nearest.as_ref()),
            Self::Barred => Reason::new(
                Code::Barred,
                "the caller has failed to prove who it is too often, and is not answered for a while",
            ),
            Self::WrongPassword { claimed } => Reason::new(
                Code::WrongPassword,
                format!("the caller says it is {claimed:?}, and its password is wrong"),
            ),
            Self::NoFlow { dialled } => Reason::new(
                Code::UnknownNumber,
                format!("no flow answers {dialled:?}, and there is none called \"default\""),
            ),
            Self::Stopping => Reason::new(Code::Stopping, "the switch was being stopped"),
            Self::Overloaded => Reason::new(
                Code::Overloaded,
                "more waits to be handled than is good: new calls are turned away",
            ),
            Self::Full { calls } => Reason::new(
                Code::LimitReached,
                format!("there were {calls} calls at once, which is the most there may be"),
            ),
            Self::NoPort => Reason::new(Code::NoPort, "there was no free RTP port for the call"),
            Self::Replaces { status: 403 } => Reason::new(
                Code::ReplacesForbidden,
                "the caller wants to take over a call and is none of our extensions",
            ),
            Self::Replaces { status } => Reason::new(
                Code::NothingToReplace,
                format!(
                    "the call that it wants to take over is gone, or may not be replaced: {status}"
                ),
            ),
            Self::Malformed => Reason::new(Code::Malformed, "the INVITE or its SDP cannot be read"),
            Self::Offer(mismatch) => mismatch.reason(),
            Self::GaveUp => Reason::new(
                Code::CallerGaveUp,
                "the caller gave up before the call began",
            ),
        }
    }
}

fn stranger(source: IpAddr, nearest: Option<&NearMiss>) -> Reason {
    let Some(NearMiss { trunk, like }) = nearest else {
        return Reason::new(
            Code::TrunkNotRecognised,
            format!(
                "{source} is no trunk, no registered telephone and in no private network, and was not answered"
            ),
        );
    };
    let how = match like {
        Resemblance::Network { network, bits } => {
            format!(
                "the nearest network is {network} of trunk {trunk:?}, with {bits} bits in common"
            )
        }
        Resemblance::Account(user) => {
            format!(
                "it calls {user:?}, as who we are known at trunk {trunk:?}, but is not in its `allowed_ips`"
            )
        }
        Resemblance::CallerId(number) => {
            format!(
                "the number {number} exists in trunk {trunk:?}, but the source is not in its `allowed_ips`"
            )
        }
        Resemblance::Host(host) => {
            format!("it names {host}, the host of trunk {trunk:?}, but is not in its `allowed_ips`")
        }
    };
    Reason::new(
        Code::TrunkNotRecognised,
        format!("{source} is no trunk and was not answered: {how}"),
    )
    .with_remedy(format!(
        "If the call came from the carrier, add \"{source}\" to `allowed_ips` of [[trunks]] {trunk:?}; else nothing is \
         to be done."
    ))
}
