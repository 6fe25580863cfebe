//! The dry run: a flow with a scripted caller, in virtual time.
//!
//! The engine is that of a live call, [`crate::flow::Activeflow`]; only its owner is another. What would
//! be sound, a telephone network or a web server there is a short rule here: a prompt lasts as long as
//! its text would take to read, a callee answers as the test says. No clock is read, so a test of a call
//! of ten minutes takes microseconds, and always goes the same way.
//!
//! ```json
//! {"tests": [{
//!   "name": "two at the second pass",
//!   "script": [
//!     {"after_prompt": "Press 1", "press": "9"},
//!     {"after_prompt": "Press 1", "press": "2"}
//!   ],
//!   "expect": {"prompts": ["Press 1", "...", "Mama"], "end": "call_ended", "ended_by": "flow"}
//! }]}
//! ```
//!
//! **Who calls.** `dial` and `caller` (a number, or `target` and `name`), `variables`, `now` (UTC),
//! `started_by` (`call`, `answered_call`, `api`), or `message` with the text that starts the flow.
//!
//! **Script.** Steps are taken one after another. A step does one thing: `press` keys, `hang_up`, `stop`,
//! `resume` (all `true`) or `says` a text. It does it at a moment: `after_prompt` (the end of the next
//! prompt with that text), `during_prompt` (half a second into it), `at` (since the start), or right
//! after the step before; `after` adds to it (half a second of reaction is added to prompts otherwise).
//! `{"hang_up": "30s"}` is short for `{"at": "30s", "hang_up": true}`. A step whose moment never comes
//! fails the test.
//!
//! **The world**, told by steps without a moment: `callee` (`answers`, `busy`, `no_answer`; `after`,
//! `talks`), each for one `connect` in turn, the last one for all that follow; `agent`, the same for a
//! queue; `http` (`url` it contains, `status`, `body`, `after`); `machine` (`person`, `machine`,
//! `unsure`; `after`); `assistant_talks` (a time). Unless told, a callee does not answer for 60 s, a web
//! server takes a webhook with 200 and has nothing to fetch, and a person picks up.
//!
//! **Expect.** Lists name everything of their kind in order, `"..."` standing for any number:
//! `prompts` (a part of each text; `beep`; a URL), `path` (ids or types), `webhooks` (a part of
//! `METHOD url body`), `messages` and `emails` (`to: text`), `calls` (targets), `digits_sent`. Values:
//! `variables`, `recordings`, `answered`, `end` (`finished`, `stopped`, `call_ended`, `failed`,
//! `waiting`), `failure` (a part of the reason), `ended_by` (`flow`, `caller`, `outside`), `reason` (of the
//! hangup), `on_complete` (the flow that would follow), `duration` (`at_least`, `at_most`).
//!
//! **Lengths.** Text is spoken at 15 characters a second, tags of SSML aside and their breaks not
//! counted; a sound file takes 3 s, a beep 0.4 s; `lengths` states others by a part of the text. Silence
//! lasts as long as nobody presses a key: an `end_of_silence` of a recording counts from its start.

mod compare;
mod coverage;
mod field;
mod log;
mod perform;
mod read;
mod script;
mod world;

use std::time::{Duration, Instant};

use crate::flow::{ActionId, Flow};

pub use coverage::Coverage;
pub use field::TestFileError;
pub use read::parse_tests;
pub use script::{Test, TestFile};
pub use world::Flows;

/// What came of one test.
#[derive(Clone, Debug)]
pub struct Report {
    /// The test's name.
    pub name: String,
    /// Line of the test in its file.
    pub line: usize,
    /// What is wrong; nothing when it passed. Some have several lines.
    pub failures: Vec<String>,
    /// Virtual time from start to end.
    pub lasted: Duration,
    path: Vec<ActionId>,
    has_finished: bool,
}

/// Runs one test of `flow`, which may fetch what `flows` finds. `start` is any moment.
#[must_use]
pub fn run_test(flow: &Flow, flows: &Flows<'_>, test: &Test, start: Instant) -> Report {
    let log = world::Run::new(flow, flows, test, start).run();
    Report {
        name: test.name.clone(),
        line: test.line,
        failures: compare::compare(&test.expect, &log),
        lasted: log.lasted,
        has_finished: log.end.as_ref().is_some_and(|end| end.word == "finished"),
        path: log.path.into_iter().map(|(_, action)| action.id).collect(),
    }
}

#[cfg(test)]
mod tests;
