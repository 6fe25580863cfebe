//! Every action with its options, as authors may write them.

mod actions;

use self::actions::ACTIONS;

/// What the linter knows of an action.
#[derive(Debug)]
pub(super) struct ActionSpec {
    pub(super) name: &'static str,
    pub(super) options: &'static [OptionSpec],
    pub(super) pace: Pace,
    /// Passed over when there is no call.
    pub(super) needs_call: bool,
    /// What to use instead.
    pub(super) successor: Option<&'static str>,
}

/// How an action takes its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pace {
    /// The cursor goes on at once.
    Immediate,
    /// The cursor waits for something outside.
    Waits,
    /// The cursor enters other actions, which may wait.
    Enters,
    /// The flow is over.
    Ends,
}

/// What the linter knows of an option.
#[derive(Debug)]
pub(super) struct OptionSpec {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) is_required: bool,
}

/// What an option may hold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    Text,
    /// The bare name of a variable.
    VariableName,
    /// A variable by name, or a text with placeholders.
    Operand,
    /// One of these; any other is read as the default when `else_default`, and makes no sense when not.
    Words {
        known: &'static [&'static str],
        else_default: bool,
    },
    Flag,
    Number,
    Whole(Range),
    Wholes(Range),
    /// Keys of a telephone, at most 100.
    Digits,
    /// Keys of a telephone of which each ends something.
    EndKeys,
    RecordingFormat,
    Target,
    Targets,
    Flow,
    /// A method of HTTP, in any case.
    Method,
    Url,
    Media,
    Address,
    Addresses,
    Actions,
    /// Anything: checked elsewhere or not at all.
    Any,
}

/// Numbers that make sense.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Range {
    pub(super) low: i64,
    pub(super) high: i64,
    /// Whether a number beyond is taken into the range; else it has no effect or never fits.
    pub(super) is_clamped: bool,
    pub(super) unit: &'static str,
}

/// The action of this type.
pub(super) fn find(name: &str) -> Option<&'static ActionSpec> {
    let name = match name {
        "Hangup_relay" => "hangup_relay",
        "ai_summarize" => "ai_summary",
        name => name,
    };
    ACTIONS.iter().find(|action| action.name == name)
}

/// All types of action that are known, in the order of the alphabet.
pub fn action_types() -> impl Iterator<Item = &'static str> {
    ACTIONS.iter().map(|action| action.name)
}
