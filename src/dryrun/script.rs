//! A test as it is written: who calls, what the world does, and what must happen.

use std::time::{Duration, SystemTime};

use crate::flow::MachineResult;

/// The tests of one flow.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TestFile {
    /// In the order of the file.
    pub tests: Vec<Test>,
}

/// One run of the flow.
#[derive(Clone, Debug, PartialEq)]
pub struct Test {
    /// What it shows, in words.
    pub name: String,
    pub(super) line: usize,
    pub(super) started_by: StartedBy,
    pub(super) dial: String,
    pub(super) caller: Caller,
    pub(super) variables: Vec<(String, String)>,
    pub(super) now: SystemTime,
    pub(super) lengths: Vec<(String, Duration)>,
    pub(super) script: Vec<Step>,
    pub(super) world: World,
    pub(super) expect: Expect,
}

/// What starts the flow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum StartedBy {
    /// A call that rings.
    #[default]
    Call,
    /// A call that is answered already, as one that we made is.
    AnsweredCall,
    /// A request to the API.
    Api,
    /// A message with this text.
    Message(String),
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Caller {
    pub(super) target: String,
    pub(super) name: String,
}

/// Something that somebody does, after what stands before it in the script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) line: usize,
    pub(super) when: When,
    /// Added to that moment.
    pub(super) delay: Duration,
    pub(super) deed: Deed,
}

/// The moment from which a step counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum When {
    /// The step before, or the start.
    Before,
    /// The start.
    Start,
    /// The end of the next prompt that contains this.
    PromptEnds(String),
    /// The beginning of that.
    PromptBegins(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    /// The caller presses keys.
    Press(Vec<char>),
    HangUp,
    /// Somebody stops the flow from outside.
    Stop,
    /// Somebody resumes a flow that is blocked.
    Resume,
    /// The caller says something, and it is written down.
    Say(String),
}

/// What the world does when the flow asks for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct World {
    /// One after another; the last one again and again.
    pub(super) callees: Vec<Callee>,
    pub(super) http: Vec<HttpReply>,
    pub(super) machine: Option<(MachineResult, Duration)>,
    pub(super) agent: Option<Callee>,
    pub(super) assistant: Option<Duration>,
}

/// Somebody who is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Callee {
    pub(super) answer: Answer,
    pub(super) after: Duration,
    pub(super) talks: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Answers,
    Busy,
    Never,
}

/// The answer of a web server to requests whose URL contains `url`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct HttpReply {
    pub(super) url: String,
    pub(super) status: u16,
    pub(super) body: String,
    pub(super) after: Duration,
}

/// What must happen; what is not stated may be as it likes.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Expect {
    pub(super) prompts: Option<Vec<String>>,
    pub(super) path: Option<Vec<String>>,
    pub(super) webhooks: Option<Vec<String>>,
    pub(super) messages: Option<Vec<String>>,
    pub(super) emails: Option<Vec<String>>,
    pub(super) calls: Option<Vec<String>>,
    pub(super) digits_sent: Option<Vec<String>>,
    pub(super) variables: Vec<(String, String)>,
    pub(super) recordings: Option<usize>,
    pub(super) answered: Option<bool>,
    pub(super) end: Option<String>,
    pub(super) ended_by: Option<String>,
    pub(super) reason: Option<String>,
    pub(super) failure: Option<String>,
    pub(super) on_complete: Option<String>,
    pub(super) at_least: Option<Duration>,
    pub(super) at_most: Option<Duration>,
}

impl Callee {
    /// How long a conversation lasts, unless a test says otherwise.
    pub(super) const TALKS: std::time::Duration = std::time::Duration::from_secs(30);
}
