//! The steps of a flow, typed.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use uuid::Uuid;

use super::command::{EndOfKey, Gender, RecordingFormat};
use super::condition::{
    CallDigitsCondition, CallStatusCondition, DatetimeCondition, VariableCondition,
};
use super::template::{Late, Milliseconds, Scalar, Seconds, Template};
use crate::ids::Rng;
use crate::status::HangupReason;

/// One flow: what a caller meets.
#[derive(Clone, Debug, PartialEq)]
pub struct Flow {
    /// As its file says (a UUID in lower case), or made up.
    pub id: String,
    /// As its file says, or the stem of the file's name.
    pub name: String,
    /// Numbers that lead to it, as written.
    pub numbers: Vec<String>,
    /// Its steps; a running activeflow keeps these when the file changes.
    pub actions: Arc<Actions>,
    /// Id or name of the flow to run when a run of this one is over.
    pub on_complete_flow_id: Option<String>,
}

/// The steps of a flow in their order, each found by its id at once.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Actions {
    list: Vec<Action>,
    places: HashMap<ActionId, usize>,
}

impl Actions {
    /// Where the action of this id stands; the first one when several bear it.
    #[must_use]
    pub fn find(&self, id: &ActionId) -> Option<usize> {
        self.places.get(id).copied()
    }
}

impl FromIterator<Action> for Actions {
    fn from_iter<I: IntoIterator<Item = Action>>(actions: I) -> Self {
        let list: Vec<Action> = actions.into_iter().collect();
        let mut places = HashMap::with_capacity(list.len());
        for (at, action) in list.iter().enumerate() {
            places.entry(action.id.clone()).or_insert(at);
        }
        Self { list, places }
    }
}

impl Deref for Actions {
    type Target = [Action];

    fn deref(&self) -> &[Action] {
        &self.list
    }
}

/// One step.
#[derive(Clone, Debug, PartialEq)]
pub struct Action {
    /// As written, or made up.
    pub id: ActionId,
    /// Where to go on, instead of to the next in the array.
    pub next_id: Option<ActionId>,
    /// What to do.
    pub kind: ActionKind,
}

/// Name of an action: a UUID in lower case, or any other text of up to [`ActionId::MAX_LENGTH`]
/// characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ActionId(Arc<str>);

impl ActionId {
    /// Longest id, in characters.
    pub const MAX_LENGTH: usize = 64;
    /// As a target: the first action of the stack the cursor is in.
    pub const START: Uuid = Uuid::from_u128(1);
    /// As a target: the end of the activeflow.
    pub const FINISH: Uuid = Uuid::from_u128(2);

    /// An id that nobody wrote.
    pub(super) fn random(rng: &mut Rng) -> Self {
        rng.uuid().into()
    }

    /// As the flow's author sees it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn is(&self, reserved: Uuid) -> bool {
        Uuid::try_parse(&self.0).is_ok_and(|uuid| uuid == reserved)
    }
}

impl From<Uuid> for ActionId {
    fn from(uuid: Uuid) -> Self {
        Self(uuid.hyphenated().to_string().into())
    }
}

impl fmt::Display for ActionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where a jump goes; none when the option is missing, empty or the nil UUID.
pub type Target = Late<Option<ActionId>>;

impl Scalar for Option<ActionId> {
    const EXPECTED: &'static str = "an action id of at most 64 characters";

    fn from_text(text: &str) -> Option<Self> {
        match Uuid::try_parse(text) {
            _ if text.is_empty() => Some(None),
            Ok(uuid) if uuid.is_nil() => Some(None),
            Ok(uuid) => Some(Some(uuid.into())),
            Err(_) if text.chars().count() > ActionId::MAX_LENGTH => None,
            Err(_) => Some(Some(ActionId(text.into()))),
        }
    }
}

/// The id of a flow as it was written: a UUID in lower case, nil and empty as none.
pub(super) fn flow_id(text: &str) -> Option<String> {
    match Uuid::try_parse(text) {
        Ok(uuid) => (!uuid.is_nil()).then(|| uuid.hyphenated().to_string()),
        Err(_) => (!text.is_empty()).then(|| text.to_owned()),
    }
}

/// What a step does, with its options.
#[derive(Clone, Debug, PartialEq)]
pub enum ActionKind {
    /// Answers the call.
    Answer,
    /// Speaks.
    Talk(Talk),
    /// Plays files or URLs.
    Play {
        /// One after another.
        urls: Vec<Template>,
    },
    /// Beeps.
    Beep,
    /// Collects digits.
    DigitsReceive(DigitsReceive),
    /// Sends digits.
    DigitsSend(DigitsSend),
    /// Jumps by the value of a variable.
    Branch(Branch),
    /// Jumps a number of times.
    Goto {
        /// Where to.
        target: Target,
        /// How often in one run; never again after that.
        loop_count: Late<i64>,
    },
    /// Goes on, or jumps when a variable is not as wished.
    ConditionVariable(VariableCondition),
    /// Goes on, or jumps when the time is not as wished.
    ConditionDatetime(DatetimeCondition),
    /// Goes on, or jumps when the digits are not as wished.
    ConditionCallDigits(CallDigitsCondition),
    /// Goes on, or jumps when the status of the call is another.
    ConditionCallStatus(CallStatusCondition),
    /// Sets a variable.
    VariableSet {
        /// Name.
        key: Template,
        /// Value.
        value: Template,
    },
    /// Waits.
    Sleep {
        /// How long.
        duration: Late<Milliseconds>,
    },
    /// Returns the peer's audio.
    Echo {
        /// How long; three minutes when zero or less.
        duration: Late<Milliseconds>,
    },
    /// Returns the peer's audio and digits.
    StreamEcho {
        /// How long; three minutes when zero or less.
        duration: Late<Milliseconds>,
    },
    /// Starts a recording.
    RecordingStart(RecordingStart),
    /// Stops it.
    RecordingStop,
    /// Runs another flow, then goes on here.
    FetchFlow {
        /// Which.
        flow_id: Template,
    },
    /// Hangs up the call.
    Hangup {
        /// What the call says of its end.
        reason: Late<HangupReason>,
    },
    /// Ends the activeflow.
    Stop,
    /// Nothing.
    Empty,
}

/// Options of `talk`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Talk {
    /// Plain text or SSML.
    pub text: Template,
    /// Language tag (BCP 47).
    pub language: Template,
    /// Voice wished for.
    pub gender: Late<Gender>,
    /// What a digit does.
    pub digits_handle: Late<DigitsHandle>,
    /// Goes on while it speaks.
    pub is_async: Late<bool>,
}

/// What a digit does to a `talk`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DigitsHandle {
    /// Nothing; it is kept.
    #[default]
    Keep,
    /// Stops it and goes on.
    Next,
}

/// Options of `digits_receive`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DigitsReceive {
    /// Longest wait for the first digit and between two; [`DigitsReceive::DEFAULT_WAIT`] when missing,
    /// no wait at all when zero or less.
    pub duration: Option<Late<Milliseconds>>,
    /// Digits wanted; zero for no limit, or for one when `key` is empty too.
    pub length: Late<i64>,
    /// Digits that end it.
    pub key: Template,
}

impl DigitsReceive {
    /// The wait of an action that states none.
    pub const DEFAULT_WAIT: Milliseconds = Milliseconds(5_000);
}

/// Options of `digits_send`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DigitsSend {
    /// Which.
    pub digits: Late<DigitString>,
    /// Length of each, taken into 100 ms to 1 s.
    pub duration: Option<Late<Milliseconds>>,
    /// Silence between two, taken into 0 to 5 s; 100 ms when missing.
    pub interval: Option<Late<Milliseconds>>,
}

/// Up to 100 of `0-9 A-D * #`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DigitString(pub String);

impl Scalar for DigitString {
    const EXPECTED: &'static str = "at most 100 digits of 0-9, A-D, * and #";

    fn from_text(text: &str) -> Option<Self> {
        const MAX_DIGITS: usize = 100;
        let digits = text.to_ascii_uppercase();
        (digits.len() <= MAX_DIGITS && digits.chars().all(is_digit)).then_some(Self(digits))
    }
}

/// Whether a telephone has such a key.
pub(super) const fn is_digit(digit: char) -> bool {
    matches!(digit, '0'..='9' | 'A'..='D' | '*' | '#')
}

/// Options of `branch`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Branch {
    /// Name of the variable; the digits when empty. It is emptied when read.
    pub variable: Template,
    /// Where to go when no key is its value.
    pub default_target: Target,
    /// Where to go for each value.
    pub targets: BTreeMap<String, Target>,
}

/// Options of `recording_start`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RecordingStart {
    /// Format of the files.
    pub format: Late<RecordingFormat>,
    /// Ends after this much silence; zero for never.
    pub end_of_silence: Late<Seconds>,
    /// Ends on a digit.
    pub end_of_key: Late<EndOfKey>,
    /// Ends after this long; zero for never.
    pub duration: Late<Seconds>,
    /// Beeps first.
    pub beep_start: Late<bool>,
}

/// Which activeflows an action makes sense in; in others it is passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Needs {
    Nothing,
    /// One that belongs to a call, be it over.
    Call,
    /// One whose call is not over.
    LiveCall,
}

/// What a failure of an action does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Severity {
    /// Ends the activeflow.
    Fatal,
    /// Is logged.
    Passing,
}

impl ActionKind {
    /// The `type` of VoIPBIN.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Answer => "answer",
            Self::Talk(_) => "talk",
            Self::Play { .. } => "play",
            Self::Beep => "beep",
            Self::DigitsReceive(_) => "digits_receive",
            Self::DigitsSend(_) => "digits_send",
            Self::Branch(_) => "branch",
            Self::Goto { .. } => "goto",
            Self::ConditionVariable(_) => "condition_variable",
            Self::ConditionDatetime(_) => "condition_datetime",
            Self::ConditionCallDigits(_) => "condition_call_digits",
            Self::ConditionCallStatus(_) => "condition_call_status",
            Self::VariableSet { .. } => "variable_set",
            Self::Sleep { .. } => "sleep",
            Self::Echo { .. } => "echo",
            Self::StreamEcho { .. } => "stream_echo",
            Self::RecordingStart(_) => "recording_start",
            Self::RecordingStop => "recording_stop",
            Self::FetchFlow { .. } => "fetch_flow",
            Self::Hangup { .. } => "hangup",
            Self::Stop => "stop",
            Self::Empty => "empty",
        }
    }

    pub(super) const fn needs(&self) -> Needs {
        match self {
            Self::Answer
            | Self::Talk(_)
            | Self::Play { .. }
            | Self::Beep
            | Self::DigitsReceive(_)
            | Self::DigitsSend(_)
            | Self::Sleep { .. }
            | Self::Echo { .. }
            | Self::StreamEcho { .. }
            | Self::RecordingStart(_)
            | Self::RecordingStop
            | Self::Hangup { .. } => Needs::LiveCall,
            Self::ConditionCallDigits(_) | Self::ConditionCallStatus(_) => Needs::Call,
            Self::Branch(_)
            | Self::Goto { .. }
            | Self::ConditionVariable(_)
            | Self::ConditionDatetime(_)
            | Self::VariableSet { .. }
            | Self::FetchFlow { .. }
            | Self::Stop
            | Self::Empty => Needs::Nothing,
        }
    }

    pub(super) const fn severity(&self) -> Severity {
        match self {
            Self::Branch(_)
            | Self::Goto { .. }
            | Self::ConditionVariable(_)
            | Self::ConditionDatetime(_)
            | Self::ConditionCallDigits(_)
            | Self::ConditionCallStatus(_)
            | Self::FetchFlow { .. }
            | Self::Stop => Severity::Fatal,
            _ => Severity::Passing,
        }
    }
}

/// Reads words that VoIPBIN spells in lower case; any other word is `$other`.
macro_rules! scalar_of_words {
    ($name:ident, $expected:literal, { $($word:literal => $value:ident),+ $(,)? }, $other:expr) => {
        impl Scalar for $name {
            const EXPECTED: &'static str = $expected;

            fn from_text(text: &str) -> Option<Self> {
                match text {
                    $($word => Some(Self::$value),)+
                    _ => $other,
                }
            }
        }
    };
}

scalar_of_words!(Gender, "a gender", {
    "female" => Female, "male" => Male,
}, Some(Self::Neutral));

scalar_of_words!(DigitsHandle, "\"next\" or nothing", { "next" => Next }, Some(Self::Keep));

scalar_of_words!(RecordingFormat, "\"wav\"", { "wav" => Wav, "" => Wav }, None);

scalar_of_words!(EndOfKey, "one of none, any, * and #", {
    "" => None, "none" => None, "any" => Any, "*" => Star, "#" => Hash,
}, Option::None);

scalar_of_words!(HangupReason, "a reason", {
    "cancel" => Cancel, "timeout" => Timeout, "failed" => Failed, "busy" => Busy,
    "noanswer" => NoAnswer, "dialout" => Dialout, "amd" => Amd,
}, Some(Self::Normal));

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> Option<ActionId> {
        Option::<ActionId>::from_text(text).expect("short enough")
    }

    #[test]
    fn a_uuid_is_one_id_however_it_is_written_and_nil_is_none() {
        assert_eq!(
            id("B8781E56-C524-11EC-889F-D37B0DBB7EB8"),
            id("b8781e56-c524-11ec-889f-d37b0dbb7eb8")
        );
        assert_eq!(id("00000000-0000-0000-0000-000000000000"), None);
        assert_eq!(id(""), None);
        assert_ne!(id("Greet"), id("greet"));
    }

    #[test]
    fn any_text_of_up_to_64_characters_is_an_id() {
        assert_eq!(
            id("9c30642a-f05e-11ef-8674-ebba44c5cb0f2")
                .unwrap()
                .as_str()
                .len(),
            37
        );
        assert!(Option::<ActionId>::from_text(&"é".repeat(64)).is_some());
        assert!(Option::<ActionId>::from_text(&"x".repeat(65)).is_none());
    }

    #[test]
    fn digit_strings_hold_at_most_100_keys_of_a_telephone() {
        assert_eq!(
            DigitString::from_text("1a#*"),
            Some(DigitString("1A#*".to_owned()))
        );
        assert_eq!(DigitString::from_text("1,2"), None);
        assert!(DigitString::from_text(&"1".repeat(100)).is_some());
        assert!(DigitString::from_text(&"1".repeat(101)).is_none());
    }
}
