//! The actions, and what the options of each may be.

use super::Pace::{self, Ends, Enters, Immediate, Waits};
use super::{ActionSpec, Kind, OptionSpec, Range};

const DAY: i64 = 24 * 60 * 60;

const fn option(name: &'static str, kind: Kind) -> OptionSpec {
    OptionSpec {
        name,
        kind,
        is_required: false,
    }
}

const fn required(name: &'static str, kind: Kind) -> OptionSpec {
    OptionSpec {
        name,
        kind,
        is_required: true,
    }
}

const fn range(low: i64, high: i64, unit: &'static str) -> Kind {
    Kind::Whole(Range {
        low,
        high,
        is_clamped: true,
        unit,
    })
}

/// Beyond it, the condition is never true, or the action does nothing.
const fn only(low: i64, high: i64, unit: &'static str) -> Kind {
    Kind::Whole(Range {
        low,
        high,
        is_clamped: false,
        unit,
    })
}

const fn one_of(known: &'static [&'static str]) -> Kind {
    Kind::Words {
        known,
        else_default: false,
    }
}

const fn rather(known: &'static [&'static str]) -> Kind {
    Kind::Words {
        known,
        else_default: true,
    }
}

const OPERATOR: Kind = one_of(&[
    "==",
    "!=",
    ">",
    ">=",
    "<",
    "<=",
    "equal",
    "not_equal",
    "greater",
    "greater_equal",
    "less",
    "less_equal",
]);
const GENDER: Kind = rather(&["", "male", "female", "neutral"]);
const DIRECTION: Kind = one_of(&["", "in", "out", "both"]);
const ANONYMOUS: Kind = one_of(&["", "yes", "no", "auto"]);
const STATUS: Kind = one_of(&[
    "dialing",
    "ringing",
    "progressing",
    "terminating",
    "canceling",
    "hangup",
]);
const REASON: Kind = rather(&[
    "", "normal", "failed", "busy", "cancel", "timeout", "noanswer", "dialout", "amd",
]);
const SECONDS: Kind = range(0, DAY, "seconds");
const WAIT: Kind = range(0, DAY * 1000, "milliseconds");
const TRANSCRIBE: &[OptionSpec] = &[
    option("language", Kind::Text),
    option("direction", DIRECTION),
    option("provider", Kind::Text),
    option("on_end_flow_id", Kind::Flow),
];

const fn action(
    name: &'static str,
    pace: Pace,
    needs_call: bool,
    options: &'static [OptionSpec],
) -> ActionSpec {
    ActionSpec {
        name,
        options,
        pace,
        needs_call,
        successor: None,
    }
}

const fn superseded(spec: ActionSpec, successor: &'static str) -> ActionSpec {
    ActionSpec {
        successor: Some(successor),
        ..spec
    }
}

const fn on_call(name: &'static str, pace: Pace, options: &'static [OptionSpec]) -> ActionSpec {
    action(name, pace, true, options)
}

const fn anywhere(name: &'static str, pace: Pace, options: &'static [OptionSpec]) -> ActionSpec {
    action(name, pace, false, options)
}

/// All of them, in the order of the alphabet.
pub(super) const ACTIONS: &[ActionSpec] = &[
    superseded(
        on_call("agent_call", Waits, &[required("agent_id", Kind::Text)]),
        "connect with a destination of type agent",
    ),
    anywhere(
        "ai_summary",
        Immediate,
        &[
            option("on_end_flow_id", Kind::Flow),
            option("reference_type", Kind::Text),
            option("reference_id", Kind::Text),
            option("language", Kind::Text),
        ],
    ),
    anywhere(
        "ai_talk",
        Waits,
        &[
            option("assistance_type", one_of(&["", "ai", "team"])),
            option("assistance_id", Kind::Text),
            option("ai_id", Kind::Text),
            option("gender", GENDER),
            option("language", Kind::Text),
            option("duration", SECONDS),
        ],
    ),
    anywhere(
        "ai_task",
        Waits,
        &[
            option("assistance_type", one_of(&["", "ai", "team"])),
            option("assistance_id", Kind::Text),
            option("ai_id", Kind::Text),
        ],
    ),
    on_call(
        "amd",
        Waits,
        &[
            option(
                "machine_handle",
                one_of(&["", "hangup", "continue", "delay"]),
            ),
            option("async", Kind::Flag),
            option("sync", Kind::Flag),
        ],
    ),
    on_call("answer", Immediate, &[]),
    on_call("beep", Waits, &[]),
    anywhere("block", Waits, &[]),
    anywhere(
        "branch",
        Immediate,
        &[
            option("variable", Kind::VariableName),
            option("default_target_id", Kind::Target),
            option("target_ids", Kind::Targets),
        ],
    ),
    anywhere(
        "call",
        Immediate,
        &[
            option("source", Kind::Address),
            required("destinations", Kind::Addresses),
            option("flow_id", Kind::Flow),
            option("actions", Kind::Actions),
            option("chained", Kind::Flag),
            option("early_execution", Kind::Flag),
            option("anonymous", ANONYMOUS),
        ],
    ),
    anywhere(
        "case_create",
        Immediate,
        &[
            option("name", Kind::Text),
            option("detail", Kind::Text),
            option("note", Kind::Text),
            option("sync", Kind::Flag),
        ],
    ),
    superseded(
        anywhere(
            "chatbot_talk",
            Waits,
            &[
                option("chatbot_id", Kind::Text),
                option("assistance_type", one_of(&["", "ai", "team"])),
                option("gender", GENDER),
                option("language", Kind::Text),
                option("duration", SECONDS),
            ],
        ),
        "ai_talk",
    ),
    superseded(
        on_call(
            "condition_call_digits",
            Immediate,
            &[
                option("length", range(0, 1000, "digits")),
                option("key", Kind::Text),
                required("false_target_id", Kind::Target),
            ],
        ),
        "condition_variable with the variable voipbin.call.digits",
    ),
    superseded(
        on_call(
            "condition_call_status",
            Immediate,
            &[
                required("status", STATUS),
                required("false_target_id", Kind::Target),
            ],
        ),
        "condition_variable with the variable voipbin.call.status",
    ),
    anywhere(
        "condition_datetime",
        Immediate,
        &[
            required("condition", OPERATOR),
            option("minute", only(-1, 59, "minutes")),
            option("hour", only(-1, 23, "hours")),
            option("day", only(-1, 31, "days")),
            option("month", only(-1, 12, "months")),
            option(
                "weekdays",
                Kind::Wholes(Range {
                    low: 0,
                    high: 6,
                    is_clamped: false,
                    unit: "weekdays, Sunday being 0",
                }),
            ),
            required("false_target_id", Kind::Target),
        ],
    ),
    anywhere(
        "condition_variable",
        Immediate,
        &[
            required("condition", OPERATOR),
            required("variable", Kind::Operand),
            required("value_type", one_of(&["string", "number", "length"])),
            option("value_string", Kind::Text),
            option("value_number", Kind::Number),
            option("value_length", range(0, i64::MAX, "bytes")),
            required("false_target_id", Kind::Target),
        ],
    ),
    on_call(
        "confbridge_join",
        Waits,
        &[required("confbridge_id", Kind::Text)],
    ),
    on_call(
        "conference_join",
        Waits,
        &[required("conference_id", Kind::Text)],
    ),
    on_call(
        "connect",
        Waits,
        &[
            option("source", Kind::Address),
            required("destinations", Kind::Addresses),
            option("early_media", Kind::Flag),
            option("relay_reason", Kind::Flag),
            option("anonymous", ANONYMOUS),
        ],
    ),
    anywhere(
        "conversation_send",
        Immediate,
        &[
            required("conversation_id", Kind::Text),
            required("text", Kind::Text),
            option("sync", Kind::Flag),
        ],
    ),
    on_call(
        "digits_receive",
        Waits,
        &[
            option("duration", only(1, DAY * 1000, "milliseconds")),
            option("length", range(0, 1000, "digits")),
            option("key", Kind::EndKeys),
        ],
    ),
    on_call(
        "digits_send",
        Waits,
        &[
            required("digits", Kind::Digits),
            option("duration", range(100, 1000, "milliseconds")),
            option("interval", range(0, 5000, "milliseconds")),
        ],
    ),
    on_call("echo", Waits, &[option("duration", WAIT)]),
    anywhere(
        "email_send",
        Immediate,
        &[
            required("destinations", Kind::Addresses),
            option("subject", Kind::Text),
            option("content", Kind::Text),
            option("attachments", Kind::Any),
        ],
    ),
    anywhere("empty", Immediate, &[]),
    on_call(
        "external_media_start",
        Immediate,
        &[
            required("external_host", Kind::Text),
            option("encapsulation", Kind::Text),
            option("transport", Kind::Text),
            option("transport_data", Kind::Text),
            option("connection_type", Kind::Text),
            option("format", Kind::Text),
            option("direction", DIRECTION),
            option("direction_listen", DIRECTION),
            option("direction_speak", DIRECTION),
            option("data", Kind::Text),
        ],
    ),
    on_call("external_media_stop", Immediate, &[]),
    anywhere(
        "fetch",
        Enters,
        &[
            required("event_url", Kind::Url),
            option("event_method", Kind::Method),
        ],
    ),
    anywhere("fetch_flow", Enters, &[required("flow_id", Kind::Flow)]),
    anywhere(
        "goto",
        Immediate,
        &[
            required("target_id", Kind::Target),
            option("loop_count", Kind::Any),
        ],
    ),
    on_call(
        "hangup",
        Ends,
        &[option("reason", REASON), option("reference_id", Kind::Text)],
    ),
    superseded(
        on_call(
            "hangup_relay",
            Ends,
            &[required("reference_id", Kind::Text)],
        ),
        "hangup with reference_id",
    ),
    anywhere(
        "message_send",
        Immediate,
        &[
            option("source", Kind::Address),
            required("destinations", Kind::Addresses),
            required("text", Kind::Text),
        ],
    ),
    on_call("mute", Immediate, &[option("direction", DIRECTION)]),
    on_call("play", Waits, &[required("stream_urls", Kind::Media)]),
    on_call("queue_join", Waits, &[required("queue_id", Kind::Text)]),
    on_call(
        "recording_start",
        Immediate,
        &[
            option("format", Kind::RecordingFormat),
            option("layout", one_of(&["", "split", "mono", "stereo"])),
            option("end_of_silence", SECONDS),
            option("end_of_key", one_of(&["", "none", "any", "*", "#"])),
            option("duration", SECONDS),
            option("beep_start", Kind::Flag),
            option("on_end_flow_id", Kind::Flow),
        ],
    ),
    on_call("recording_stop", Immediate, &[]),
    on_call(
        "sleep",
        Waits,
        &[required("duration", only(1, DAY * 1000, "milliseconds"))],
    ),
    anywhere("stop", Ends, &[]),
    on_call("stream_echo", Waits, &[option("duration", WAIT)]),
    on_call(
        "talk",
        Waits,
        &[
            required("text", Kind::Text),
            option("language", Kind::Text),
            option("gender", GENDER),
            option("digits_handle", rather(&["", "next"])),
            option("async", Kind::Flag),
            option("provider", Kind::Text),
            option("voice_id", Kind::Text),
        ],
    ),
    anywhere("transcribe_recording", Immediate, TRANSCRIBE),
    on_call("transcribe_start", Immediate, TRANSCRIBE),
    on_call("transcribe_stop", Immediate, &[]),
    anywhere(
        "variable_set",
        Immediate,
        &[
            required("key", Kind::VariableName),
            option("value", Kind::Text),
        ],
    ),
    anywhere(
        "webhook_send",
        Immediate,
        &[
            option("sync", Kind::Flag),
            required("uri", Kind::Url),
            option("method", Kind::Method),
            option("data_type", Kind::Text),
            option("data", Kind::Text),
        ],
    ),
];
