//! News from the endpoint to its owner.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::hop::Hop;
use super::message::{HeaderName, Method, NameAddr, Replaces, Request, Response, Status, Uri};
use super::transaction::TransactionId;

/// One dialog of the endpoint; never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DialogId(pub u64);

/// One request outside dialogs that waits for its answer; never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(pub(super) TransactionId);

/// One request of ours outside dialogs, beside INVITE; never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AskId(pub(super) u64);

/// A name and a password for one peer, and for nobody else.
#[derive(Clone, PartialEq, Eq)]
pub struct Account {
    /// As the peer knows us.
    pub username: String,
    /// Never logged.
    pub password: String,
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Account")
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}

/// An INVITE of ours.
#[derive(Clone, Debug)]
pub struct Invite {
    /// The next hop.
    pub hop: Hop,
    /// Request-URI.
    pub uri: Uri,
    /// Who calls; its tag is the endpoint's to add.
    pub from: NameAddr,
    /// Who is called.
    pub to: NameAddr,
    /// User part of our Contact.
    pub contact_user: Option<String>,
    /// Proxies to go through, the first one first.
    pub routes: Vec<NameAddr>,
    /// What the endpoint does not write itself: P-Asserted-Identity, Privacy, headers of a trunk.
    pub headers: Vec<(HeaderName, Bytes)>,
    /// Our offer.
    pub sdp: Bytes,
    /// Answers the challenges of the peer at `hop` to this call, and of nobody else.
    pub account: Option<Account>,
    /// How long the peer may say nothing at all, not even 100, before it counts as dead.
    pub patience: Duration,
}

/// A request of ours outside dialogs: MESSAGE, OPTIONS, REGISTER.
#[derive(Clone, Debug)]
pub struct Ask {
    /// Which method; not INVITE, ACK or CANCEL.
    pub method: Method,
    /// The next hop.
    pub hop: Hop,
    /// Request-URI.
    pub uri: Uri,
    /// Who asks; its tag is the endpoint's to add.
    pub from: NameAddr,
    /// Who is asked.
    pub to: NameAddr,
    /// Call-ID and CSeq number of the request, as the refreshes of a registration go on with; else they are
    /// made. Each challenge that is answered takes one number more.
    pub sequence: Option<(Bytes, u32)>,
    /// Proxies to go through, the first one first.
    pub routes: Vec<NameAddr>,
    /// What the endpoint does not write itself: Contact, Expires, ...
    pub headers: Vec<(HeaderName, Bytes)>,
    /// Media type and body.
    pub body: Option<(String, Bytes)>,
    /// Answers the challenges of the peer at `hop` to this request, and of nobody else.
    pub account: Option<Account>,
}

/// Why a request of ours came to no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoAnswer {
    /// Nothing came, or nothing final; as a 408 (RFC 3261 §8.1.3.1).
    #[error("no answer")]
    TimedOut,
    /// It could not be carried; as a 503.
    #[error("the peer cannot be reached")]
    TransportFailed,
}

/// What happened at the endpoint.
#[derive(Clone, Debug)]
pub enum Event {
    /// Someone calls. Nothing was said yet: 100 follows 100 ms later unless a verb comes first, and
    /// after `ignore` nothing is said at all.
    Invited {
        /// To be used with the verbs from now on.
        dialog: DialogId,
        /// The INVITE; without a body it wants our offer.
        request: Arc<Request>,
        /// Where it came from.
        hop: Hop,
    },
    /// The first ACK of a 200 of ours, to the first INVITE or to one within the dialog.
    Acked {
        /// Of the call.
        dialog: DialogId,
        /// The answer, when the 200 carried our offer.
        sdp: Option<Bytes>,
    },
    /// The caller gave up before the answer (CANCEL, BYE, or its Expires passed) and 487 is sent, or it never
    /// confirmed a response that had to arrive (RFC 3262 §3) and 504 is; the dialog is gone. An answer that
    /// was given meanwhile may not have left yet.
    Canceled {
        /// Of the call.
        dialog: DialogId,
    },
    /// A re-INVITE or UPDATE wants `answer_offer` or `refuse_offer`.
    Offered {
        /// Of the call.
        dialog: DialogId,
        /// The offer; `None` for a re-INVITE that wants ours in the 200.
        sdp: Option<Bytes>,
        /// Claims that an UPDATE asks, not a re-INVITE.
        update: bool,
    },
    /// The answer to an offer of ours within the call: to [`Endpoint::offer`](super::Endpoint::offer), or to
    /// a refresh re-INVITE, which offered what our last body said.
    Answered {
        /// Of the call.
        dialog: DialogId,
        /// The peer's description, perhaps with a new address.
        sdp: Bytes,
    },
    /// An [`Endpoint::offer`](super::Endpoint::offer) of ours was refused; the call goes on as it was. Glare
    /// (491) is not told: it is tried again.
    OfferRefused {
        /// Of the call.
        dialog: DialogId,
        /// What the peer said.
        status: Status,
    },
    /// A peer that we call has said something before its answer; 100 is not told.
    Progress {
        /// Of the call.
        dialog: DialogId,
        /// 180, 183, ...
        status: Status,
        /// Its answer to our offer: there is early media. Of several branches the newest counts.
        sdp: Option<Bytes>,
    },
    /// A peer that we call has answered; its ACK is sent. Other branches that answer are hung up.
    Accepted {
        /// Of the call.
        dialog: DialogId,
        /// Its answer to our offer, also when it came before and is not repeated; `None` from a peer that
        /// gave none at all.
        sdp: Option<Bytes>,
    },
    /// A peer that we call has refused, after all challenges that could be answered; the dialog is gone.
    /// Also the end of a call that we canceled.
    Rejected {
        /// Of the call.
        dialog: DialogId,
        /// The final response; of a 3xx the Contacts are for the owner to judge.
        response: Arc<Response>,
    },
    /// A peer that we call did not answer at all; the dialog is gone.
    Unanswered {
        /// Of the call.
        dialog: DialogId,
        /// Why.
        why: NoAnswer,
    },
    /// The peer wants us to call somebody in its place (RFC 3515): wants `accept_refer` or `refuse_refer`.
    Referred {
        /// Of the call.
        dialog: DialogId,
        /// Whom, without the headers of the URI.
        target: NameAddr,
        /// The call at the target that the new one is to replace.
        replaces: Option<Replaces>,
        /// Who says so (RFC 3892).
        referred_by: Option<Bytes>,
    },
    /// The answer to [`Endpoint::ask`](super::Endpoint::ask); exactly one for each.
    Responded {
        /// Which.
        ask: AskId,
        /// The final response, after all challenges that could be answered.
        result: Result<Arc<Response>, NoAnswer>,
    },
    /// A digit came by INFO; its 200 is sent.
    Digit {
        /// Of the call.
        dialog: DialogId,
        /// `0-9`, `A-D`, `*` or `#`.
        digit: char,
        /// Of the press.
        duration: Duration,
    },
    /// An answered call ended, not by our `bye`; once for each.
    Ended {
        /// Of the call.
        dialog: DialogId,
        /// Why.
        cause: EndCause,
    },
    /// REGISTER, OPTIONS or MESSAGE outside a dialog, or MESSAGE within one; checked for grammar, method and
    /// Require. What the body is, nobody has looked at.
    Request {
        /// To be answered with `respond`, or forgotten with `ignore_request`.
        request: RequestId,
        /// The request.
        message: Arc<Request>,
        /// Where it came from.
        hop: Hop,
    },
}

/// Why an answered call ended without our asking.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EndCause {
    /// The peer hung up.
    Bye {
        /// Its Reason header (RFC 3326).
        reason: Option<Bytes>,
    },
    /// Our 200 was never acknowledged (RFC 3261 §13.3.1.4); BYE is sent.
    NoAck {
        /// The Contact that it had.
        contact: String,
    },
    /// Nobody refreshed the session in time (RFC 4028 §10); BYE is sent.
    SessionExpired,
    /// The peer answered our refresh with 481 or 408, or not at all (`None`); BYE is sent.
    RefreshFailed {
        /// What the peer said.
        status: Option<Status>,
    },
    /// A request of ours could not be carried.
    TransportFailed,
}
