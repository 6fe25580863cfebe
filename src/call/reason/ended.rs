//! From the cause of a call that is over, and what else is known of it, to its reason.

use std::net::SocketAddr;

use super::fact::{Fact, Facts};
use super::{Code, Reason};
use crate::call::cause::{Cause, HangupBy, NoWay, Why};
use crate::status::HangupReason;

impl Reason {
    /// Why a call ended.
    #[must_use]
    pub fn of(cause: &Cause, facts: &Facts) -> Self {
        match &cause.why {
            Why::PeerHungUp => peer_hung_up(cause),
            Why::Canceled => Self::new(Code::CallerGaveUp, "the caller gave up before the answer"),
            Why::FlowEnded => flow_ended(cause.reason),
            Why::Asked => Self::new(Code::Asked, "hung up by a request from outside"),
            Why::FlowFailed => flow_failed(facts),
            Why::Refused(status) => refused(*status, facts),
            Why::NoResponse => no_response(facts),
            Why::NobodyAnswered => {
                Self::new(Code::NoAnswer, "it rang, and nobody answered within 60 s")
            }
            Why::NoWay(why) => no_way(*why, facts),
            Why::AnsweredElsewhere => Self::new(
                Code::AnsweredElsewhere,
                "another one of those who were called has answered",
            ),
            Why::OtherEnded => Self::new(Code::OtherEnded, "the call it belonged to is over"),
            Why::NothingToReplace(status) => Self::new(
                Code::NothingToReplace,
                format!(
                    "the call that it was to take over is gone, or may not be replaced: {status}"
                ),
            ),
            Why::Transferred => Self::new(Code::Transferred, "another one talks in its place now"),
            Why::Relayed => Self::new(
                Code::Relayed,
                format!("hung up as another call was, with cause {}", cause.value.0),
            ),
            Why::NoAck => no_ack(facts),
            Why::BadAnswer => bad_answer(facts),
            Why::SessionExpired => Self::new(
                Code::SessionExpired,
                "the session timer ran out without a refresh",
            ),
            Why::PeerGone => Self::new(
                Code::PeerGone,
                "the peer is gone: its connection broke, or it no longer knows the call",
            ),
            Why::TooLong => Self::new(
                Code::TooLong,
                "the call has lasted an hour, which is the longest",
            ),
            Why::MediaFailed => Self::new(
                Code::MediaFailed,
                "the media session could not be opened, or has failed",
            ),
            Why::Stopping => Self::new(Code::Stopping, "the switch was being stopped"),
            Why::Internal => Self::new(Code::Internal, "a fault of the switch ended this call"),
        }
    }
}

fn peer_hung_up(cause: &Cause) -> Reason {
    match cause.value.0 {
        16 => Reason::new(Code::PeerHungUp, "the peer hung up"),
        value => Reason::new(
            Code::PeerHungUp,
            format!("the peer hung up, with cause {value} (Q.850)"),
        ),
    }
}

fn flow_ended(reason: HangupReason) -> Reason {
    match reason {
        HangupReason::Normal => Reason::new(Code::FlowEnded, "the flow hung up"),
        reason => Reason::new(
            Code::FlowEnded,
            format!("the flow hung up, with reason {:?}", reason.as_str()),
        ),
    }
}

fn flow_failed(facts: &Facts) -> Reason {
    let known = facts.last(|fact| match fact {
        Fact::Flow { why, is_limit } => Some((why, *is_limit)),
        _ => None,
    });
    match known {
        Some((why, true)) => Reason::new(Code::LimitReached, format!("the flow was ended: {why}"))
            .with_remedy(
                "The flow goes in a circle without a wait, or is too long: see [limits] for `steps`, \
                 `executions` and `stacks`.",
            ),
        Some((why, false)) => Reason::new(Code::FlowFailed, format!("the flow failed: {why}")),
        None => Reason::new(Code::FlowFailed, "the flow failed"),
    }
}

/// The addresses that said nothing.
fn silent(facts: &Facts) -> Vec<SocketAddr> {
    let silent = facts.iter().filter_map(|fact| match fact {
        Fact::Silent(peer) => Some(*peer),
        _ => None,
    });
    silent.collect()
}

fn refused(status: u16, facts: &Facts) -> Reason {
    let phrase =
        crate::sip::message::Status::new(status).map_or("", |status| status.reason_phrase());
    let mut sentence = format!("the peer refused with {status} {phrase}");
    let silent = silent(facts);
    if !silent.is_empty() {
        sentence += &format!("; {} did not answer before", listed(&silent));
    }
    Reason::new(Code::Refused(status), sentence)
}

fn no_response(facts: &Facts) -> Reason {
    match &silent(facts)[..] {
        [] => Reason::new(
            Code::NoResponse,
            "the peer said nothing, not even that it rings",
        ),
        tried => Reason::new(
            Code::NoResponse,
            format!("no answer at all from {}", listed(tried)),
        ),
    }
}

fn no_way(why: NoWay, facts: &Facts) -> Reason {
    let host = facts.last(|fact| match fact {
        Fact::Host(host) => Some(host),
        _ => None,
    });
    let host = host.map_or("its host".to_owned(), |host| format!("the host {host:?}"));
    match why {
        NoWay::NoTrunk => Reason::new(
            Code::NoTrunk,
            "no trunk has a prefix that the number begins with",
        ),
        NoWay::Barred => {
            let barred: Vec<String> = facts
                .iter()
                .filter_map(|fact| match fact {
                    Fact::TrunkBarred { trunk, limit } => Some(format!("{trunk:?} ({limit})")),
                    _ => None,
                })
                .collect();
            let whose = match barred.is_empty() {
                true => "every trunk for the number".to_owned(),
                false => format!("every trunk for the number: {}", barred.join(", ")),
            };
            Reason::new(Code::LimitReached, format!("a limit was reached by {whose}")).with_remedy(
                "Raise `channels`, `cps` or `calls_per_day` of the [[trunks]] if the carrier grants more, \
                 or add another one for the same prefix.",
            )
        }
        NoWay::NotAllowed => Reason::new(
            Code::HostNotAllowed,
            format!("{host} is no trunk, not in a private network, and not in `dial_allow`"),
        ),
        NoWay::Unresolved => Reason::new(Code::HostNotFound, format!("{host} cannot be found")),
        NoWay::BadAddress => Reason::new(Code::BadAddress, "the address makes no sense"),
        NoWay::TooManyCalls => Reason::new(
            Code::LimitReached,
            "there were more calls at once than there may be",
        ),
        NoWay::Ourselves => Reason::new(Code::CallsItself, format!("{host} is this switch itself")),
    }
}

fn no_ack(facts: &Facts) -> Reason {
    let contact = facts.last(|fact| match fact {
        Fact::Contact(contact) => Some(contact),
        _ => None,
    });
    let to = contact.map_or(String::new(), |contact| {
        format!(", whose Contact was {contact}")
    });
    Reason::new(
        Code::NoAck,
        format!("no ACK came within 32 s for our 200{to}"),
    )
}

fn bad_answer(facts: &Facts) -> Reason {
    let mismatch = facts.last(|fact| match fact {
        Fact::Mismatch(mismatch) => Some(mismatch),
        _ => None,
    });
    match mismatch {
        Some(mismatch) => {
            let reason = mismatch.reason();
            Reason {
                sentence: format!("its SDP answer cannot be followed: {}", reason.sentence).into(),
                ..reason
            }
        }
        None => Reason::new(
            Code::BadAnswer,
            "the peer sent no SDP answer, or one that cannot be read",
        ),
    }
}

/// `a`, `a and b`, `a, b and c`.
pub(super) fn listed<T: ToString>(all: &[T]) -> String {
    let all: Vec<String> = all.iter().map(ToString::to_string).collect();
    match &all[..] {
        [] => String::new(),
        [one] => one.clone(),
        [before @ .., last] => format!("{} and {last}", before.join(", ")),
    }
}

impl Reason {
    /// Who ended it, in a word.
    #[must_use]
    pub const fn who(cause: &Cause) -> &'static str {
        match cause.by {
            HangupBy::Remote => "remote",
            HangupBy::Local => "local",
        }
    }
}
