//! One talk of a caller with an assistant: what was said, and what comes next.
//!
//! ```text
//!            .------------------- utterance: transcribed one after another
//!            v                                        |
//!   listening --- text ---> thinking --- reply ---> speaking
//!            ^               ^   |                    |   |
//!            |               '---' text: ask anew     |   |
//!            |               '--- text: hush, ask anew'   |
//!            '--------------------------------- spoken ---'
//! ```
//!
//! The caller may speak at any time: new words stop the assistant's, and it answers to all of them.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use uuid::Uuid;

use super::outside::{ChatMessage, ChatRole};
use crate::flow::{AiTalk, FlowCommandId, FlowOutcome, Gender};

/// A talk.
#[derive(Debug)]
pub(super) struct Talk {
    /// Which.
    pub(super) id: Uuid,
    /// To be finished with it.
    pub(super) command: FlowCommandId,
    /// Language of both; may be empty.
    pub(super) language: String,
    /// The assistant's voice.
    pub(super) gender: Gender,
    until: Instant,
    instruction: ChatMessage,
    history: VecDeque<ChatMessage>,
    unheard: VecDeque<Arc<[i16]>>,
    is_hearing: bool,
    is_speaking: bool,
    turn: u32,
    failures: u32,
    has_replied: bool,
    steps: VecDeque<TalkStep>,
}

/// What is to be done next.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum TalkStep {
    /// Find out what is said here; answered by [`Talk::handle_heard`].
    Hear(Arc<[i16]>),
    /// Ask the assistant; answered by [`Talk::handle_reply`] with the turn.
    Think {
        turn: u32,
        messages: Vec<ChatMessage>,
    },
    /// Say this; answered by [`Talk::handle_spoken`].
    Speak(String),
    /// Say no more.
    Hush,
    /// The talk is over; nothing comes after it.
    End(FlowOutcome),
}

/// A talk without an end of its own ends with the longest call.
const LONGEST: Duration = Duration::from_secs(3600);
/// Turns that the assistant remembers.
const TURNS: usize = 40;
/// Octets of one turn, about two minutes of speech.
const TURN: usize = 2000;
/// Utterances that wait to be transcribed; older ones are lost first.
const UNHEARD: usize = 8;
/// Failures in a row that end the talk.
const FAILURES: u32 = 3;
/// What opens the talk, so that the assistant speaks first.
const OPENING: &str = "Hello.";

impl Talk {
    pub(super) fn new(
        now: Instant,
        id: Uuid,
        command: FlowCommandId,
        talk: &AiTalk,
        prompt: &str,
    ) -> Self {
        let mut content = prompt.to_owned();
        if !talk.language.is_empty() {
            content += &format!("\nSpeak the language {}.", talk.language);
        }
        let mut talk = Self {
            id,
            command,
            language: talk.language.clone(),
            gender: talk.gender,
            until: now + talk.duration.unwrap_or(LONGEST).min(LONGEST),
            instruction: ChatMessage {
                role: ChatRole::System,
                content,
            },
            history: VecDeque::new(),
            unheard: VecDeque::new(),
            is_hearing: false,
            is_speaking: false,
            turn: 0,
            failures: 0,
            has_replied: false,
            steps: VecDeque::new(),
        };
        talk.say(OPENING.to_owned());
        talk
    }

    /// The caller has said something.
    pub(super) fn handle_utterance(&mut self, samples: Arc<[i16]>) {
        if self.unheard.len() == UNHEARD {
            self.unheard.pop_front();
        }
        self.unheard.push_back(samples);
        self.hear();
    }

    /// What the caller said; `None` where it could not be found out.
    pub(super) fn handle_heard(&mut self, text: Option<&str>) {
        self.is_hearing = false;
        match text.map(str::trim) {
            Some("") => self.failures = 0,
            Some(text) => {
                self.failures = 0;
                self.say(shortened(text));
            }
            None => self.fail(),
        }
        self.hear();
    }

    /// What the assistant says; `None` where it said nothing.
    pub(super) fn handle_reply(&mut self, turn: u32, text: Option<&str>) {
        if turn != self.turn {
            return;
        }
        let Some(text) = text.map(str::trim) else {
            return self.fail();
        };
        self.failures = 0;
        self.has_replied = true;
        if text.is_empty() {
            return;
        }
        let text = shortened(text);
        self.remember(ChatRole::Assistant, text.clone());
        self.is_speaking = true;
        self.steps.push_back(TalkStep::Speak(text));
    }

    /// The assistant's words have been said, or stopped.
    pub(super) fn handle_spoken(&mut self) {
        self.is_speaking = false;
    }

    /// The time of the talk is over.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if self.until <= now {
            self.end(FlowOutcome::Done);
        }
    }

    /// When its time is over.
    pub(super) const fn poll_timeout(&self) -> Instant {
        self.until
    }

    /// Takes what is to be done next.
    #[must_use]
    pub(super) fn poll_step(&mut self) -> Option<TalkStep> {
        self.steps.pop_front()
    }

    /// The caller's words: whatever the assistant does, it thinks anew.
    fn say(&mut self, text: String) {
        if self.is_speaking {
            self.steps.push_back(TalkStep::Hush);
        }
        self.remember(ChatRole::User, text);
        self.turn += 1;
        let mut messages = vec![self.instruction.clone()];
        messages.extend(self.history.iter().cloned());
        let turn = self.turn;
        self.steps.push_back(TalkStep::Think { turn, messages });
    }

    fn hear(&mut self) {
        if self.is_hearing {
            return;
        }
        if let Some(samples) = self.unheard.pop_front() {
            self.is_hearing = true;
            self.steps.push_back(TalkStep::Hear(samples));
        }
    }

    fn remember(&mut self, role: ChatRole, content: String) {
        if self.history.len() == TURNS {
            self.history.pop_front();
        }
        self.history.push_back(ChatMessage { role, content });
    }

    /// A talk that never began is a failure of the flow; one that broke off is over.
    fn fail(&mut self) {
        self.failures += 1;
        if self.failures < FAILURES {
            return;
        }
        self.end(if self.has_replied {
            FlowOutcome::Done
        } else {
            FlowOutcome::Failed {
                why: "the assistant does not answer",
            }
        });
    }

    fn end(&mut self, outcome: FlowOutcome) {
        if self.is_speaking {
            self.steps.push_back(TalkStep::Hush);
        }
        self.steps.push_back(TalkStep::End(outcome));
    }
}

fn shortened(text: &str) -> String {
    text[..text.floor_char_boundary(TURN)].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn talk() -> Talk {
        let now = crate::sim::start();
        let asked = AiTalk {
            language: "en-GB".to_owned(),
            duration: Some(Duration::from_secs(60)),
            ..AiTalk::default()
        };
        Talk::new(now, Uuid::nil(), FlowCommandId(1), &asked, "Be brief.")
    }

    fn steps(talk: &mut Talk) -> Vec<TalkStep> {
        std::iter::from_fn(|| talk.poll_step()).collect()
    }

    fn thought(talk: &mut Talk) -> (u32, Vec<String>) {
        match steps(talk).pop() {
            Some(TalkStep::Think { turn, messages }) => {
                (turn, messages.into_iter().map(|one| one.content).collect())
            }
            other => panic!("not a thought: {other:?}"),
        }
    }

    #[test]
    fn assistant_speaks_first_and_knows_what_it_was_told_and_what_was_said() {
        let mut talk = talk();
        let (turn, messages) = thought(&mut talk);
        assert_eq!(messages, ["Be brief.\nSpeak the language en-GB.", "Hello."]);
        talk.handle_reply(turn, Some("Good morning."));
        assert_eq!(
            steps(&mut talk),
            [TalkStep::Speak("Good morning.".to_owned())]
        );
        talk.handle_spoken();
        talk.handle_utterance(Arc::new([1]));
        assert_eq!(steps(&mut talk), [TalkStep::Hear(Arc::new([1]))]);
        talk.handle_heard(Some(" When do you open? "));
        let (_, messages) = thought(&mut talk);
        assert_eq!(messages[2..], ["Good morning.", "When do you open?"]);
    }

    #[test]
    fn caller_who_speaks_stops_the_assistant_and_an_old_thought_is_dropped() {
        let mut talk = talk();
        let (first, _) = thought(&mut talk);
        talk.handle_reply(first, Some("A long story."));
        let _ = steps(&mut talk);
        talk.handle_utterance(Arc::new([1]));
        talk.handle_heard(Some("Stop."));
        let after = steps(&mut talk);
        assert_eq!(after[1], TalkStep::Hush);
        talk.handle_reply(first, Some("An old reply."));
        assert_eq!(steps(&mut talk), []);
    }

    #[test]
    fn utterances_are_heard_one_after_another_and_those_that_wait_are_bounded() {
        let mut talk = talk();
        let _ = steps(&mut talk);
        for number in 0..100 {
            talk.handle_utterance(Arc::new([number]));
        }
        let mut heard = Vec::new();
        while let Some(step) = talk.poll_step() {
            if let TalkStep::Hear(samples) = step {
                heard.push(samples[0]);
                talk.handle_heard(Some(""));
            }
        }
        assert_eq!(heard, [0, 92, 93, 94, 95, 96, 97, 98, 99]);
    }

    #[test]
    fn talk_that_never_began_fails_and_one_that_broke_off_is_over() {
        let mut silent = talk();
        let (turn, _) = thought(&mut silent);
        for _ in 0..2 {
            silent.handle_reply(turn, None);
            assert_eq!(steps(&mut silent), []);
        }
        silent.handle_reply(turn, None);
        assert!(matches!(
            steps(&mut silent)[..],
            [TalkStep::End(FlowOutcome::Failed { .. })]
        ));
        let mut broken = talk();
        let (turn, _) = thought(&mut broken);
        broken.handle_reply(turn, Some(""));
        for _ in 0..3 {
            broken.handle_utterance(Arc::new([1]));
            broken.handle_heard(None);
        }
        let last = steps(&mut broken).pop();
        assert_eq!(last, Some(TalkStep::End(FlowOutcome::Done)));
    }

    #[test]
    fn talk_ends_at_its_time_and_hushes() {
        let mut talk = talk();
        let (turn, _) = thought(&mut talk);
        talk.handle_reply(turn, Some("A long story."));
        let _ = steps(&mut talk);
        let end = talk.poll_timeout();
        assert_eq!(end - crate::sim::start(), Duration::from_secs(60));
        talk.handle_timeout(end - Duration::from_millis(1));
        assert_eq!(steps(&mut talk), []);
        talk.handle_timeout(end);
        assert_eq!(
            steps(&mut talk),
            [TalkStep::Hush, TalkStep::End(FlowOutcome::Done)]
        );
    }

    #[test]
    fn what_is_remembered_is_bounded_in_turns_and_letters() {
        let mut talk = talk();
        let _ = steps(&mut talk);
        for _ in 0..100 {
            talk.handle_utterance(Arc::new([1]));
            talk.handle_heard(Some(&"ä".repeat(3000)));
        }
        let (_, messages) = thought(&mut talk);
        assert_eq!(messages.len(), 1 + TURNS);
        assert!(messages.iter().all(|message| message.len() <= TURN));
    }
}
