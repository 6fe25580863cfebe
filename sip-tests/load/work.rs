//! The kinds of work that are measured: what the switch does in each, who talks, what the floor is, and the goals.

use std::time::Duration;

use clap::ValueEnum;

use crate::floor;
use crate::talk::PTIME;
use crate::voice::Speech;

/// One of them, as it is called on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Work {
    /// Answer and hang up, without sound
    Signalling,
    /// Play a prompt to callers who are silent
    Play,
    /// Send back what callers say, and how long that takes
    Echo,
    /// One room in which everybody talks
    Conference,
    /// Record what the caller says and what it hears
    Record,
    /// Two legs of one codec, and what their set-up takes
    Bridge,
    /// A prompt, a key by RFC 4733, a prompt
    Ivr,
    /// All of them: the whole table
    All,
}

impl Work {
    pub const EACH: [Self; 7] = [
        Self::Signalling,
        Self::Play,
        Self::Echo,
        Self::Conference,
        Self::Record,
        Self::Bridge,
        Self::Ivr,
    ];
}

/// A round of calls: what is set up, and what is measured of it.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// As it stands in reports.
    pub name: &'static str,
    /// The flow that is called, by name and as JSON.
    pub user: &'static str,
    pub flow: &'static str,
    pub speech: Speech,
    pub floor: Floor,
    /// The other leg of each call, by the trunk.
    pub is_bridged: bool,
    /// Packets that each caller has to hear, where that is known.
    pub hears: u64,
    pub measure: Measure,
    pub calls: usize,
    pub rate: usize,
}

/// Which time of a round counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// While all calls are up: CPU per call and second.
    Held,
    /// From the first INVITE to the last BYE of calls that last so long: CPU per call.
    Whole { hold: Duration },
}

/// What the least is that this work can cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Floor {
    /// SIPp that answers.
    Answers,
    /// A bare loop that moves the packets; SIPp's part counts for nothing.
    Moves(floor::Kind),
    /// Both.
    Both(floor::Kind),
}

pub const SIGNALLING: Plan = Plan {
    name: "signalling",
    user: "answer",
    flow: r#"[{"type": "answer"}, {"type": "sleep", "option": {"duration": 600000}}]"#,
    speech: Speech::Hello,
    floor: Floor::Answers,
    is_bridged: false,
    hears: 0,
    measure: Measure::Whole {
        hold: Duration::ZERO,
    },
    calls: 20_000,
    rate: 2_000,
};

pub const PLAY: Plan = Plan {
    name: "play",
    user: "play",
    flow: r#"[{"type": "answer"}, {"type": "play", "option": {"stream_urls": ["long.wav"]}}]"#,
    speech: Speech::Hello,
    floor: Floor::Moves(floor::Kind::Play),
    ..ECHO
};

pub const ECHO: Plan = Plan {
    name: "echo",
    user: "echo",
    flow: r#"[{"type": "answer"}, {"type": "echo", "option": {"duration": 3600000}}]"#,
    speech: Speech::Talk,
    floor: Floor::Moves(floor::Kind::Echo),
    is_bridged: false,
    hears: 0,
    measure: Measure::Held,
    calls: 200,
    rate: 50,
};

pub const CONFERENCE: Plan = Plan {
    name: "conference",
    user: "conference",
    flow: r#"[{"type": "answer"}, {"type": "conference_join", "option": {"conference_id": "room"}}]"#,
    calls: 100,
    ..ECHO
};

pub const RECORD: Plan = Plan {
    name: "record",
    user: "record",
    flow: r#"[{"type": "answer"}, {"type": "recording_start", "option": {"format": "wav"}},
        {"type": "play", "option": {"stream_urls": ["long.wav"]}}]"#,
    ..ECHO
};

pub const BRIDGE: Plan = Plan {
    name: "bridge",
    user: "bridge",
    flow: r#"[{"type": "connect", "option": {"source": {"type": "tel", "target": "+15550100"},
        "destinations": [{"type": "tel", "target": "+15550101"}]}}, {"type": "hangup"}]"#,
    floor: Floor::Moves(floor::Kind::Pair),
    is_bridged: true,
    ..ECHO
};

pub const BRIDGED_CALL: Plan = Plan {
    name: "bridged call",
    speech: Speech::Hello,
    floor: Floor::Answers,
    measure: Measure::Whole {
        hold: Duration::from_millis(500),
    },
    calls: 2_000,
    rate: 100,
    ..BRIDGE
};

pub const IVR: Plan = Plan {
    name: "ivr",
    user: "ivr",
    // The first prompt is over before the key comes, so each caller hears both in full.
    flow: r#"[{"type": "answer"}, {"type": "play", "option": {"stream_urls": ["short.wav"]}},
        {"type": "digits_receive", "option": {"duration": 3000, "length": 1}},
        {"type": "branch", "option": {"default_target_id": "end", "target_ids": {"2": "thanks"}}},
        {"id": "thanks", "type": "play", "option": {"stream_urls": ["short.wav"]}},
        {"id": "end", "type": "sleep", "option": {"duration": 60000}}]"#,
    speech: Speech::Key(Duration::from_millis(1700)),
    floor: Floor::Both(floor::Kind::Echo),
    hears: 2 * (SHORT.as_millis() / PTIME.as_millis()) as u64,
    measure: Measure::Whole {
        hold: Duration::from_millis(3800),
    },
    calls: 500,
    rate: 50,
    ..ECHO
};

/// Echo calls of which there are so many that they are a load of their own.
pub const CROWD: usize = 1_000;

/// How long the two prompts of [`IVR`] are.
pub const SHORT: Duration = Duration::from_millis(1500);

/// A goal, as figure and as ratio to the floor; it holds when either is met.
#[derive(Clone, Copy, Debug)]
pub struct Goal {
    pub figure: f64,
    /// The figure by the floor that was measured when the goal was set, where there was one.
    pub ratio: Option<f64>,
}

impl Goal {
    const fn figure(figure: f64) -> Self {
        Self {
            figure,
            ratio: None,
        }
    }

    const fn over(figure: f64, floor: f64) -> Self {
        Self {
            figure,
            ratio: Some(figure / floor),
        }
    }
}

/// The goals, in milliseconds of CPU and of time, and in KiB.
pub mod goals {
    use super::Goal;

    pub const SIGNALLING: Goal = Goal::over(0.10, 0.04);
    pub const PLAY: Goal = Goal::over(0.25, 0.14);
    pub const ECHO: Goal = Goal::over(0.38, 0.275);
    pub const CONFERENCE: Goal = Goal::over(0.45, 0.28);
    pub const RECORD: Goal = Goal::figure(0.40);
    pub const IVR: Goal = Goal::figure(2.5);
    pub const BRIDGE: Goal = Goal::over(0.75, 0.55);
    pub const BRIDGED_CALL: Goal = Goal::figure(0.30);
    pub const BRIDGED_SETUP: Goal = Goal::figure(3.0);
    pub const ROUND_TRIP: Goal = Goal::figure(0.15);
    pub const ROUND_TRIP_CROWDED: Goal = Goal::figure(1.0);
    pub const MEMORY: Goal = Goal::figure(30.0);
}
