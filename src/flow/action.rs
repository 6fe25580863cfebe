//! The steps of a flow, typed.

use std::collections::HashMap;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use uuid::Uuid;

use super::template::{Late, Scalar};
use super::variable::Variables;
use crate::ids::Rng;

mod kind;
mod options;
mod outward;

pub use kind::ActionKind;
pub(super) use kind::{Needs, Severity};
pub(super) use options::is_digit;
pub use options::{
    Amd, Branch, DigitString, DigitsHandle, DigitsReceive, DigitsSend, MachineHandle,
    RecordingStart, Talk,
};
pub use outward::{
    AddressTemplate, AiSummaryStart, AiTalkStart, AiTaskStart, Attachment, CallStart, Connect,
    ConversationSend, EmailSend, ExternalMediaStart, Fetch, HttpMethod, MessageSend, Transcribe,
    WebhookSend,
};

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
    scope: Option<Arc<Variables>>,
}

impl Actions {
    /// Where the action of this id stands; the first one when several bear it.
    #[must_use]
    pub fn find(&self, id: &ActionId) -> Option<usize> {
        self.places.get(id).copied()
    }

    /// The same steps, their options bound to the variables of the flow that hands them on: what runs
    /// them fills their placeholders from `scope`, not from its own variables.
    pub(super) fn bound_to(&self, scope: Arc<Variables>) -> Self {
        Self {
            scope: Some(scope),
            ..self.clone()
        }
    }

    /// The variables that placeholders are filled from, when not those of the activeflow.
    pub(super) fn scope(&self) -> Option<&Arc<Variables>> {
        self.scope.as_ref()
    }
}

impl FromIterator<Action> for Actions {
    fn from_iter<I: IntoIterator<Item = Action>>(actions: I) -> Self {
        let list: Vec<Action> = actions.into_iter().collect();
        let mut places = HashMap::with_capacity(list.len());
        for (at, action) in list.iter().enumerate() {
            places.entry(action.id.clone()).or_insert(at);
        }
        Self {
            list,
            places,
            scope: None,
        }
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
    /// Its options as they were written, a JSON object for whoever is shown the action; `{}` for those
    /// without, and for those longer than [`Action::MAX_OPTION`].
    pub option: Arc<str>,
}

impl Action {
    /// Longest text of options that is shown, in octets.
    pub const MAX_OPTION: usize = 16 * 1024;

    /// What an action without options shows.
    pub(super) fn no_option() -> Arc<str> {
        Arc::from("{}")
    }
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

    /// The id that `text` spells; `None` for an empty or too long one and for the nil UUID.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Option::from_text(text).flatten()
    }

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
}
