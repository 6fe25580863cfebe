//! News from the endpoint to its owner.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::hop::Hop;
use super::message::{Request, Status};
use super::transaction::TransactionId;

/// One dialog of the endpoint; never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DialogId(pub u64);

/// One request outside dialogs that waits for its answer; never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(pub(super) TransactionId);

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
    /// The caller gave up before the answer (CANCEL, BYE, or its Expires passed); 487 is sent and the
    /// dialog is gone.
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
    /// The answer to a refresh re-INVITE of ours, which offered what our last body said.
    Answered {
        /// Of the call.
        dialog: DialogId,
        /// The peer's description, perhaps with a new address.
        sdp: Bytes,
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
    /// REGISTER or OPTIONS outside a dialog, checked for grammar, method and Require.
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
    NoAck,
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
