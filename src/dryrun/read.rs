//! Test files: JSON to [`TestFile`].

use std::cell::RefCell;
use std::time::{Duration, SystemTime};

use super::field::{Field, Notes, TestFileError};
use super::script::{
    Answer, Callee, Caller, Deed, Expect, HttpReply, StartedBy, Step, Test, TestFile, When, World,
};
use crate::flow::MachineResult;
use crate::flow::dialect::MAX_TEXT;
use crate::flow::json::{self, line_and_column, path_of};

/// Reads a test file.
///
/// # Errors
/// All that is wrong with it: a key that nobody knows would be a test that tests nothing.
pub fn parse_tests(text: &[u8]) -> Result<TestFile, Vec<TestFileError>> {
    let notes = Notes {
        text,
        errors: RefCell::default(),
    };
    let whole = |line, column, path: String, sentence: String| {
        vec![TestFileError {
            line,
            column,
            path,
            sentence,
        }]
    };
    if text.len() > MAX_TEXT {
        let sentence = format!("a test file is at most {MAX_TEXT} bytes long");
        return Err(whole(1, 1, "$".to_owned(), sentence));
    }
    let root = json::parse(text).map_err(|misread| {
        let (line, column) = line_and_column(text, misread.at);
        let sentence = format!("not JSON: {}", misread.error);
        whole(line, column, path_of(&misread.path), sentence)
    })?;
    let root = Field::root(&notes, &root);
    root.only(&["tests"]);
    let tests = match root.find("tests") {
        Some(tests) => tests.items().map(|test| read_test(&test)).collect(),
        None => {
            root.wrong("there are no \"tests\"");
            Vec::new()
        }
    };
    let errors = notes.errors.take();
    if errors.is_empty() {
        Ok(TestFile { tests })
    } else {
        Err(errors)
    }
}

fn read_test(test: &Field<'_>) -> Test {
    test.only(&[
        "name",
        "started_by",
        "message",
        "dial",
        "caller",
        "variables",
        "now",
        "lengths",
        "script",
        "expect",
    ]);
    let mut world = World::default();
    let script = test.find("script");
    let steps = script
        .iter()
        .flat_map(|script| script.items().collect::<Vec<_>>());
    let steps: Vec<Step> = steps
        .filter_map(|step| read_step(&step, &mut world))
        .collect();
    let name = test.find("name").map(|name| name.text());
    Test {
        name: name.unwrap_or_else(|| {
            test.wrong("the test has no \"name\"");
            String::new()
        }),
        line: test.line(),
        started_by: read_start(test),
        dial: test
            .find("dial")
            .map_or_else(|| "+15550100".to_owned(), |dial| dial.text()),
        caller: read_caller(test.find("caller")),
        variables: pairs(test.find("variables")),
        now: read_now(test.find("now")),
        lengths: read_lengths(test.find("lengths")),
        script: steps,
        world,
        expect: test
            .find("expect")
            .map(|expect| read_expect(&expect))
            .unwrap_or_default(),
    }
}

fn read_start(test: &Field<'_>) -> StartedBy {
    if let Some(message) = test.find("message") {
        return StartedBy::Message(message.text());
    }
    let word = test.find("started_by");
    let place = word.and_then(|word| word.word(&["call", "answered_call", "api"]));
    match place {
        Some(1) => StartedBy::AnsweredCall,
        Some(2) => StartedBy::Api,
        _ => StartedBy::Call,
    }
}

fn read_caller(caller: Option<Field<'_>>) -> Caller {
    let text = |field: Option<Field<'_>>| field.map(|field| field.text()).unwrap_or_default();
    match caller {
        None => Caller {
            target: "+15550199".to_owned(),
            name: String::new(),
        },
        Some(caller) if caller.is_text() => Caller {
            target: caller.text(),
            name: String::new(),
        },
        Some(caller) => {
            caller.only(&["target", "name"]);
            Caller {
                target: text(caller.find("target")),
                name: text(caller.find("name")),
            }
        }
    }
}

/// Monday, 5 January 2026, noon (UTC), when nothing is stated.
fn read_now(now: Option<Field<'_>>) -> SystemTime {
    const NOON: Duration = Duration::from_secs(1_767_614_400);
    let usual = SystemTime::UNIX_EPOCH + NOON;
    let Some(now) = now else { return usual };
    let stated: Result<jiff::Timestamp, _> = now.text().parse();
    match stated {
        Ok(stated) => stated.into(),
        Err(_) => {
            now.wrong("expected a time such as \"2026-01-05T12:00:00Z\"");
            usual
        }
    }
}

fn read_lengths(lengths: Option<Field<'_>>) -> Vec<(String, Duration)> {
    let members = lengths.iter().flat_map(Field::members);
    members
        .map(|(text, length)| (text.to_owned(), length.duration()))
        .collect()
}

fn pairs(object: Option<Field<'_>>) -> Vec<(String, String)> {
    let members = object.iter().flat_map(Field::members);
    members
        .map(|(name, value)| (name.to_owned(), value.text()))
        .collect()
}

/// A step of somebody; what the world does when asked goes to `world`.
fn read_step(step: &Field<'_>, world: &mut World) -> Option<Step> {
    step.only(&STEP_KEYS);
    let deeds: Vec<&str> = DEEDS
        .into_iter()
        .filter(|deed| step.find(deed).is_some())
        .collect();
    let [deed] = deeds[..] else {
        step.wrong(format!("a step does exactly one of {}", DEEDS.join(", ")));
        return None;
    };
    let field = step.find(deed)?;
    let after = step.find("after").map(|after| after.duration());
    let deed = match deed {
        "press" => Deed::Press(read_keys(&field)),
        "hang_up" if field.is_text() => {
            return Some(Step {
                line: step.line(),
                when: When::Start,
                delay: field.duration(),
                deed: Deed::HangUp,
            });
        }
        "hang_up" | "stop" | "resume" => {
            if !field.flag() {
                field.wrong("only true makes sense here");
            }
            match deed {
                "hang_up" => Deed::HangUp,
                "stop" => Deed::Stop,
                _ => Deed::Resume,
            }
        }
        "says" => Deed::Say(field.text()),
        _ => {
            read_world(step, deed, &field, after, world);
            return None;
        }
    };
    Some(read_when(step, deed, after))
}

fn read_when(step: &Field<'_>, deed: Deed, after: Option<Duration>) -> Step {
    let moments = ["after_prompt", "during_prompt", "at"];
    let given: Vec<Field<'_>> = moments.iter().filter_map(|key| step.find(key)).collect();
    if given.len() > 1 {
        step.wrong("a step has only one of after_prompt, during_prompt and at");
    }
    let text = |key| step.find(key).map(|prompt| prompt.text());
    let (when, usual_delay) = if let Some(prompt) = text("after_prompt") {
        (When::PromptEnds(prompt), REACTION)
    } else if let Some(prompt) = text("during_prompt") {
        (When::PromptBegins(prompt), REACTION)
    } else if let Some(at) = step.find("at") {
        (When::Start, at.duration())
    } else {
        (When::Before, Duration::ZERO)
    };
    Step {
        line: step.line(),
        delay: match (&when, after) {
            (When::Start, after) => usual_delay + after.unwrap_or_default(),
            (_, after) => after.unwrap_or(usual_delay),
        },
        when,
        deed,
    }
}

fn read_keys(field: &Field<'_>) -> Vec<char> {
    let keys: Vec<char> = field.text().to_ascii_uppercase().chars().collect();
    let is_key = |key: &char| matches!(key, '0'..='9' | 'A'..='D' | '*' | '#');
    if keys.is_empty() || !keys.iter().all(is_key) {
        field.wrong("expected keys of a telephone: 0-9, A-D, * and #");
    }
    keys
}

fn read_world(
    step: &Field<'_>,
    deed: &str,
    field: &Field<'_>,
    after: Option<Duration>,
    world: &mut World,
) {
    let talks = step.find("talks").map(|talks| talks.duration());
    match deed {
        "callee" => world.callees.extend(read_callee(field, after, talks)),
        "agent" => world.agent = read_callee(field, after, talks),
        "http" => world.http.push(read_reply(field)),
        "machine" => {
            let machine = match field.word(&["person", "machine", "unsure"]) {
                Some(1) => MachineResult::Machine,
                Some(2) => MachineResult::Unsure,
                _ => MachineResult::Person,
            };
            world.machine = Some((machine, after.unwrap_or(Duration::from_secs(3))));
        }
        _ => world.assistant = Some(field.duration()),
    }
}

fn read_callee(
    field: &Field<'_>,
    after: Option<Duration>,
    talks: Option<Duration>,
) -> Option<Callee> {
    let (answer, usual) = match field.word(&["answers", "busy", "no_answer"])? {
        0 => (Answer::Answers, 5),
        1 => (Answer::Busy, 1),
        _ => (Answer::Never, 60),
    };
    Some(Callee {
        answer,
        after: after.unwrap_or(Duration::from_secs(usual)),
        talks: talks.unwrap_or(Callee::TALKS),
    })
}

fn read_reply(field: &Field<'_>) -> HttpReply {
    field.only(&["url", "status", "body", "after"]);
    let status = field.find("status").map_or(200, |status| status.count());
    HttpReply {
        url: field.find("url").map(|url| url.text()).unwrap_or_default(),
        status: u16::try_from(status).unwrap_or(u16::MAX),
        body: field
            .find("body")
            .map(|body| body.body())
            .unwrap_or_default(),
        after: field
            .find("after")
            .map_or(Duration::from_millis(100), |after| after.duration()),
    }
}

fn read_expect(expect: &Field<'_>) -> Expect {
    expect.only(&EXPECT_KEYS);
    let list = |key| {
        let field = expect.find(key)?;
        let texts = field.items().map(|item| item.text()).collect();
        Some(texts)
    };
    let text = |key| expect.find(key).map(|field| field.text());
    let word = |key, words: &[&str]| {
        let field = expect.find(key)?;
        field.word(words).map(|at| words[at].to_owned())
    };
    let duration = expect.find("duration");
    if let Some(duration) = &duration {
        duration.only(&["at_least", "at_most"]);
    }
    let limit = |key| Some(duration.as_ref()?.find(key)?.duration());
    Expect {
        prompts: list("prompts"),
        path: list("path"),
        webhooks: list("webhooks"),
        messages: list("messages"),
        emails: list("emails"),
        calls: list("calls"),
        digits_sent: list("digits_sent"),
        variables: pairs(expect.find("variables")),
        recordings: expect.find("recordings").map(|count| count.count()),
        answered: expect.find("answered").map(|flag| flag.flag()),
        end: word(
            "end",
            &["finished", "stopped", "call_ended", "failed", "waiting"],
        ),
        ended_by: word("ended_by", &["flow", "caller", "outside"]),
        reason: word(
            "reason",
            &[
                "normal", "failed", "busy", "cancel", "timeout", "noanswer", "dialout", "amd",
            ],
        ),
        failure: text("failure"),
        on_complete: text("on_complete"),
        at_least: limit("at_least"),
        at_most: limit("at_most"),
    }
}

/// How long somebody takes to press a key.
const REACTION: Duration = Duration::from_millis(500);

const DEEDS: [&str; 10] = [
    "press",
    "hang_up",
    "stop",
    "resume",
    "says",
    "callee",
    "agent",
    "http",
    "machine",
    "assistant_talks",
];
const STEP_KEYS: [&str; 15] = [
    "after_prompt",
    "during_prompt",
    "at",
    "after",
    "talks",
    "press",
    "hang_up",
    "stop",
    "resume",
    "says",
    "callee",
    "agent",
    "http",
    "machine",
    "assistant_talks",
];
const EXPECT_KEYS: [&str; 16] = [
    "prompts",
    "path",
    "webhooks",
    "messages",
    "emails",
    "calls",
    "digits_sent",
    "variables",
    "recordings",
    "answered",
    "end",
    "ended_by",
    "reason",
    "failure",
    "on_complete",
    "duration",
];
