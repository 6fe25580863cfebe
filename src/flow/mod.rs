//! Flows: a script of actions, and one run of it.
//!
//! A [`Flow`] is what an author wrote, read by [`dialect::parse_flow`]. An [`Activeflow`] is one run of
//! it, with its own cursor and [`Variables`]: a value without I/O that takes a [`FlowEvent`] and gives
//! [`FlowCommand`]s. It knows no call, so it runs the same on a live call, without one, and in a dry run.
//!
//! Its owner does, after each thing it tells the flow (`start`, `handle_event`, `handle_timeout`):
//!
//! ```text
//!   while let Some(command) = activeflow.poll_command()   carry it out; what is done at once
//!                                                         is told at once by handle_event
//!   activeflow.poll_timeout()                             when to call handle_timeout
//! ```
//!
//! until [`FlowCommand::Ended`], after which nothing comes.

pub mod dialect;
pub mod lint;
pub mod variable;

mod action;
mod activeflow;
mod command;
mod condition;
mod cursor;
mod end;
mod event;
mod external;
mod insert;
pub(crate) mod json;
mod outward;
mod perform;
mod reference;
mod reference_data;
mod template;

pub use action::{
    Action, ActionId, ActionKind, Actions, AddressTemplate, AiSummaryStart, AiTalkStart,
    AiTaskStart, Amd, Attachment, Branch, CallStart, Connect, ConversationSend, DigitString,
    DigitsHandle, DigitsReceive, DigitsSend, EmailSend, ExternalMediaStart, Fetch, Flow,
    HttpMethod, MachineHandle, MessageSend, RecordingStart, Talk, Target, Transcribe, WebhookSend,
};
pub use activeflow::{Activeflow, ExecutedAction};
pub use command::{
    EndOfKey, FlowCommand, FlowCommandId, Gender, RecordingFormat, RecordingLayout,
    RecordingOptions,
};
pub use condition::{
    CallDigitsCondition, CallStatusCondition, DatetimeCondition, Operator, ValueType,
    VariableCondition,
};
pub use end::{FetchError, FlowEnd, FlowFailure, Limit, Limits, OnComplete};
pub use event::{FlowEvent, FlowOutcome, Recording};
pub use external::{Carrier, CarrierError, SoundFormat};
pub use json::SyntaxError;
pub use outward::{
    AiSummary, AiTalk, Anonymous, Assistance, CallFlow, Dial, Direction, Email, ExternalMedia,
    MachineResult, NewCalls, QueuePlace, TranscribeOptions,
};
pub use reference::{Address, CallVariables, MessageVariables, Pair, Reference, ReferenceType};
pub use template::{Late, MAX_DURATION, Milliseconds, ResolveError, Seconds, Template};
pub use variable::{VariableError, Variables};
