//! A request that is not done, as a handler tells it and as the client reads it.

use std::borrow::Cow;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::line::LineError;
use super::reason::Reason;
use crate::database::{CreateError, DatabaseError};
use crate::switch::ControlError;

/// Why a request is not done. [`super::frame`] writes it into the envelope, with the id of the request.
#[derive(Clone, Debug)]
pub struct Refusal {
    reason: Reason,
    message: Cow<'static, str>,
    details: Option<serde_json::Value>,
}

impl Refusal {
    /// Refuses with a sentence for whoever reads it.
    pub fn new(reason: Reason, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            reason,
            message: message.into(),
            details: None,
        }
    }

    /// With more for a program to read: an object.
    #[must_use]
    pub fn with(mut self, details: serde_json::Value) -> Self {
        self.details = Some(details);
        self
    }

    /// Why.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        self.reason
    }

    /// As the client reads it.
    pub(super) fn envelope(&self, request_id: &str) -> Envelope {
        Envelope {
            error: ErrorBody {
                status: self.reason.status().as_str(),
                reason: self.reason.as_str(),
                message: self.message.clone(),
                request_id: request_id.to_owned(),
                details: self.details.clone(),
            },
        }
    }

    /// What a response of somebody else (the router, an extractor) comes to that is an error and says no more.
    pub(super) fn of_code(code: StatusCode) -> Self {
        let reason = match code {
            StatusCode::NOT_FOUND => Reason::RouteNotFound,
            StatusCode::METHOD_NOT_ALLOWED => Reason::MethodNotAllowed,
            StatusCode::PAYLOAD_TOO_LARGE => Reason::PayloadTooLarge,
            code if code.is_client_error() => Reason::InvalidArgument,
            _ => Reason::Internal,
        };
        Self::from(reason)
    }
}

impl From<Reason> for Refusal {
    fn from(reason: Reason) -> Self {
        Self::new(reason, reason.meaning())
    }
}

impl From<DatabaseError> for Refusal {
    fn from(error: DatabaseError) -> Self {
        tracing::warn!(%error, "a request finds no database");
        Self::new(
            Reason::ServiceUnavailable,
            "the database does not answer now",
        )
    }
}

impl From<CreateError> for Refusal {
    fn from(error: CreateError) -> Self {
        match error {
            CreateError::Taken => Reason::AlreadyExists.into(),
            CreateError::Database(error) => error.into(),
        }
    }
}

impl From<LineError> for Refusal {
    fn from(error: LineError) -> Self {
        match error {
            LineError::Refused(error) => error.into(),
            LineError::Busy | LineError::Late | LineError::Gone => {
                Self::new(Reason::ServiceUnavailable, error.to_string())
            }
        }
    }
}

impl From<ControlError> for Refusal {
    fn from(error: ControlError) -> Self {
        Self::new(reason_of(&error), error.to_string())
    }
}

/// What the switch's answer is in the catalogue.
const fn reason_of(error: &ControlError) -> Reason {
    use ControlError as E;
    match error {
        E::NoSuchCall => Reason::CallNotFound,
        E::CallIsOver => Reason::CallAlreadyHangup,
        E::NotAnswered
        | E::AlreadyTranscribing
        | E::NotTranscribing
        | E::NotTalking
        | E::AlreadyTransferring
        | E::NoExternalMedia => Reason::CallStateInvalid,
        E::TooManyPlaybacks
        | E::TooManyDigits
        | E::TooManyCalls { .. }
        | E::TooManyTranscriptions { .. }
        | E::TooManyExternalMedia { .. }
        | E::TooManyActiveflows { .. }
        | E::TooManyMessages { .. } => Reason::LimitExceeded,
        E::NothingToPlay
        | E::BadDigits
        | E::RecordingFormat { .. }
        | E::NobodyToCall { .. }
        | E::BadExternalMedia { .. }
        | E::BadAgentStatus { .. }
        | E::MessageTooLong { .. }
        | E::BadDestinations { .. } => Reason::InvalidArgument,
        E::Variables(_) => Reason::InvalidVariables,
        E::Stopping => Reason::ServiceUnavailable,
        E::AlreadyRecording => Reason::RecordingAlreadyActive,
        E::NotRecording => Reason::RecordingNotActive,
        E::NoSuchRecording => Reason::RecordingNotFound,
        E::RecordingNotComplete | E::NoProvider { .. } | E::EmptyConference => Reason::StateInvalid,
        E::ActiveflowExists => Reason::AlreadyExists,
        E::NoSuchGroupcall => Reason::GroupcallNotFound,
        E::NoSuchActiveflow => Reason::ActiveflowNotFound,
        E::NoSuchFlow { .. } => Reason::FlowNotFound,
        E::NoSuchQueuecall => Reason::QueuecallNotFound,
        E::NoSuchConferencecall | E::NoSuchConfbridge | E::NoSuchAgent => Reason::ResourceNotFound,
        E::NoSuchConference => Reason::ConferenceNotFound,
        E::NotBlocked | E::AtOtherAction => Reason::FlowStateInvalid,
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = self.reason.code().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// What every refused request is answered with.
#[derive(Debug, Serialize, ToSchema)]
pub struct Envelope {
    /// Why.
    pub error: ErrorBody,
}

/// Why a request was refused.
#[derive(Debug, Serialize, ToSchema)]
pub struct ErrorBody {
    /// Its kind; one for each status code, or two.
    #[schema(example = "NOT_FOUND")]
    pub status: &'static str,
    /// Why exactly, for a program.
    #[schema(example = "CALL_NOT_FOUND")]
    pub reason: &'static str,
    /// Why, for a person.
    #[schema(value_type = String)]
    pub message: Cow<'static, str>,
    /// By which the log knows the request; also the header X-Request-Id.
    pub request_id: String,
    /// More for a program, where there is more to say.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>, nullable = false)]
    pub details: Option<serde_json::Value>,
}
