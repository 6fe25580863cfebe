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
pub mod variable;

mod action;
mod activeflow;
mod command;
mod condition;
mod cursor;
mod end;
mod json;
mod perform;
mod reference;
mod template;

pub use action::{
    Action, ActionId, ActionKind, Actions, Branch, DigitString, DigitsHandle, DigitsReceive,
    DigitsSend, Flow, RecordingStart, Talk, Target,
};
pub use activeflow::{Activeflow, ExecutedAction};
pub use command::{
    EndOfKey, FlowCommand, FlowCommandId, FlowEvent, FlowOutcome, Gender, Recording,
    RecordingFormat, RecordingOptions,
};
pub use condition::{
    CallDigitsCondition, CallStatusCondition, DatetimeCondition, Operator, ValueType,
    VariableCondition,
};
pub use end::{FlowEnd, FlowFailure, Limit, Limits, OnComplete};
pub use json::SyntaxError;
pub use reference::{Address, CallVariables, Reference, ReferenceType};
pub use template::{Late, MAX_DURATION, Milliseconds, ResolveError, Seconds, Template};
pub use variable::{VariableError, Variables};
