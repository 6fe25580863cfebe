//! Why a request is refused: one catalogue of codes, each with its status.

use axum::http::StatusCode;

/// The kind of a refusal, as its `status` tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// The request is wrong.
    InvalidArgument,
    /// Nobody knows who asks.
    Unauthenticated,
    /// Who asks may not.
    PermissionDenied,
    /// There is no such thing.
    NotFound,
    /// There is such a thing already.
    AlreadyExists,
    /// Right in itself, but not as things stand.
    FailedPrecondition,
    /// Too much was asked for.
    ResourceExhausted,
    /// A mistake of ours.
    Internal,
    /// Not now.
    Unavailable,
}

impl Status {
    /// The word in the envelope.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidArgument => "INVALID_ARGUMENT",
            Self::Unauthenticated => "UNAUTHENTICATED",
            Self::PermissionDenied => "PERMISSION_DENIED",
            Self::NotFound => "NOT_FOUND",
            Self::AlreadyExists => "ALREADY_EXISTS",
            Self::FailedPrecondition => "FAILED_PRECONDITION",
            Self::ResourceExhausted => "RESOURCE_EXHAUSTED",
            Self::Internal => "INTERNAL",
            Self::Unavailable => "UNAVAILABLE",
        }
    }

    const fn code(self) -> StatusCode {
        match self {
            Self::InvalidArgument => StatusCode::BAD_REQUEST,
            Self::Unauthenticated => StatusCode::UNAUTHORIZED,
            Self::PermissionDenied => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::AlreadyExists | Self::FailedPrecondition => StatusCode::CONFLICT,
            Self::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

macro_rules! reasons {
    ($($reason:ident = $word:literal $status:ident: $doc:literal,)+) => {
        /// Why exactly, as its `reason` tells it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Reason {
            $(#[doc = $doc] $reason,)+
        }

        impl Reason {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$reason),+];

            /// The word in the envelope.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$reason => $word),+ }
            }

            /// Its kind.
            #[must_use]
            pub const fn status(self) -> Status {
                match self { $(Self::$reason => Status::$status),+ }
            }

            /// What it means, in a sentence.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$reason => $doc),+ }
            }
        }
    };
}

reasons! {
    AuthenticationRequired = "AUTHENTICATION_REQUIRED" Unauthenticated: "No key and no token came with the request.",
    InvalidCredentials = "INVALID_CREDENTIALS" Unauthenticated: "The key or token is unknown, expired or deleted.",
    WrongPassword = "INVALID_CREDENTIALS" InvalidArgument: "There is no agent with this username and password.",
    PermissionDenied = "PERMISSION_DENIED" PermissionDenied: "The agent may not do this.",
    RateLimitExceeded = "RATE_LIMIT_EXCEEDED" ResourceExhausted: "Too many requests from this address; ask again after Retry-After.",
    LimitExceeded = "LIMIT_EXCEEDED" ResourceExhausted: "There are as many of these as there may be.",
    RouteNotFound = "ROUTE_NOT_FOUND" NotFound: "There is nothing at this path.",
    MethodNotAllowed = "METHOD_NOT_ALLOWED" InvalidArgument: "The path does not know this method.",
    PayloadTooLarge = "PAYLOAD_TOO_LARGE" InvalidArgument: "The body is longer than 1 MiB.",
    InvalidArgument = "INVALID_ARGUMENT" InvalidArgument: "A value means nothing here.",
    InvalidJsonBody = "INVALID_JSON_BODY" InvalidArgument: "The body is not the JSON that is wanted; details.path tells where.",
    InvalidId = "INVALID_ID" InvalidArgument: "An id in the path is no UUID.",
    InvalidRequestParameter = "INVALID_REQUEST_PARAMETER" InvalidArgument: "A parameter of the query is wrong.",
    MissingRequestParameter = "MISSING_REQUEST_PARAMETER" InvalidArgument: "A parameter of the query is missing.",
    InvalidActionType = "INVALID_ACTION_TYPE" InvalidArgument: "No action has this type.",
    InvalidAnonymousValue = "INVALID_ANONYMOUS_VALUE" InvalidArgument: "anonymous is none of yes, no and auto.",
    InvalidVariables = "INVALID_VARIABLES" InvalidArgument: "There are too many variables, or they are too long.",
    InvalidWebhookMethod = "INVALID_WEBHOOK_METHOD" InvalidArgument: "webhook_method is none of POST, GET, PUT and DELETE.",
    InvalidWebhookUri = "INVALID_WEBHOOK_URI" InvalidArgument: "webhook_uri is no http or https URL.",
    InvalidRoutingMethod = "INVALID_ROUTING_METHOD" InvalidArgument: "routing_method is not random.",
    StateInvalid = "STATE_INVALID" FailedPrecondition: "It is deleted, read-only, or does not stand where it would have to.",
    AlreadyExists = "ALREADY_EXISTS" AlreadyExists: "There is one of this name or number already.",
    ResourceNotFound = "RESOURCE_NOT_FOUND" NotFound: "There is none of this id.",
    CallNotFound = "CALL_NOT_FOUND" NotFound: "There is no such call.",
    CallAlreadyHangup = "CALL_ALREADY_HANGUP" FailedPrecondition: "The call is over.",
    CallStateInvalid = "CALL_STATE_INVALID" FailedPrecondition: "The call does not stand where it would have to.",
    GroupcallNotFound = "GROUPCALL_NOT_FOUND" NotFound: "There is no such groupcall.",
    RecordingNotFound = "RECORDING_NOT_FOUND" NotFound: "There is no such recording.",
    RecordingAlreadyActive = "RECORDING_ALREADY_ACTIVE" FailedPrecondition: "A recording is running.",
    RecordingNotActive = "RECORDING_NOT_ACTIVE" FailedPrecondition: "No recording is running.",
    FlowNotFound = "FLOW_NOT_FOUND" NotFound: "There is no such flow.",
    ActiveflowNotFound = "ACTIVEFLOW_NOT_FOUND" NotFound: "There is no such activeflow.",
    FlowStateInvalid = "FLOW_STATE_INVALID" FailedPrecondition: "The activeflow does not stand where it would have to.",
    NumberNotFound = "NUMBER_NOT_FOUND" NotFound: "There is no such number.",
    TrunkNotFound = "TRUNK_NOT_FOUND" NotFound: "There is no such trunk.",
    ProviderNotFound = "PROVIDER_NOT_FOUND" NotFound: "There is no such provider.",
    QueuecallNotFound = "QUEUECALL_NOT_FOUND" NotFound: "There is no such queuecall.",
    ConferenceNotFound = "CONFERENCE_NOT_FOUND" NotFound: "There is no such conference.",
    RequestTimeout = "REQUEST_TIMEOUT" Unavailable: "The request took longer than it may.",
    ServiceUnavailable = "SERVICE_UNAVAILABLE" Unavailable: "The switch or its database does not answer now.",
    Internal = "INTERNAL" Internal: "A mistake of the switch; its log tells more under the request id.",
}

impl Reason {
    /// The status code of the response.
    #[must_use]
    pub const fn code(self) -> StatusCode {
        match self {
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::PayloadTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            _ => self.status().code(),
        }
    }
}
