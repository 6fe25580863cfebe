//! Calls that are given to somebody else.

use std::time::Duration;

use uuid::Uuid;

use crate::flow::Address;
use crate::ids::CallId;

/// One transfer at one moment. Its moments are times since 1970-01-01 UTC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransferState {
    /// Which.
    pub id: Uuid,
    /// At once, or after a talk with the new partner.
    pub is_attended: bool,
    /// Who gives.
    pub transferer: CallId,
    /// Who is given away.
    pub remaining: CallId,
    /// To whom: they ring all at once.
    pub transferees: Vec<Address>,
    /// Who of them has answered.
    pub transferee: Option<CallId>,
    /// The groupcall by which they are called.
    pub groupcall: Uuid,
    /// Where all of them meet.
    pub confbridge: Uuid,
    /// When it was asked for.
    pub created: Duration,
    /// When this was told.
    pub updated: Duration,
}

impl TransferState {
    /// Its type as the API writes it.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self.is_attended {
            true => "attended",
            false => "blind",
        }
    }
}
