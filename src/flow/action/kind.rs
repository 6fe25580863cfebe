//! Every type of action, and what it asks of the activeflow it stands in.

use super::{
    AiSummaryStart, AiTalkStart, AiTaskStart, Amd, Branch, CallStart, Connect, ConversationSend,
    DigitsReceive, DigitsSend, EmailSend, ExternalMediaStart, Fetch, MessageSend, RecordingStart,
    Talk, Target, Transcribe, WebhookSend,
};
use crate::flow::condition::{
    CallDigitsCondition, CallStatusCondition, DatetimeCondition, VariableCondition,
};
use crate::flow::outward::Direction;
use crate::flow::template::{Late, Milliseconds, Template};
use crate::status::HangupReason;

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
        /// A call whose end it tells instead; empty for none.
        reference: Template,
    },
    /// Hangs up the call as another was hung up.
    HangupRelay {
        /// That other call.
        reference: Template,
    },
    /// Ends the activeflow.
    Stop,
    /// Nothing.
    Empty,
    /// Waits until somebody outside resumes the activeflow.
    Block,
    /// Silences the call.
    Mute {
        /// Which way.
        direction: Late<Direction>,
    },
    /// Finds out whether a person or a machine has answered.
    Amd(Amd),
    /// Gets steps from a web server, runs them, then goes on here.
    Fetch(Fetch),
    /// Sends a web request.
    WebhookSend(WebhookSend),
    /// Sends an e-mail.
    EmailSend(EmailSend),
    /// Sends a text message.
    MessageSend(MessageSend),
    /// Says something in a conversation.
    ConversationSend(ConversationSend),
    /// Starts to write down what is said.
    TranscribeStart(Transcribe),
    /// Stops it.
    TranscribeStop,
    /// Writes down what the recordings of the call hold.
    TranscribeRecording(Transcribe),
    /// Lets an assistant talk with the caller.
    AiTalk(AiTalkStart),
    /// The older form of it.
    ChatbotTalk(AiTalkStart),
    /// Gives a task to an assistant.
    AiTask(AiTaskStart),
    /// Has something summed up.
    AiSummary(AiSummaryStart),
    /// Opens a case in a contact centre, which there is none of here.
    CaseCreate,
    /// Calls others and joins them with this call.
    Connect(Connect),
    /// Calls an agent and joins them with this call.
    AgentCall {
        /// Which.
        agent_id: Template,
    },
    /// Makes calls that run a flow of their own.
    Call(CallStart),
    /// Joins a conference.
    ConferenceJoin {
        /// Which.
        conference_id: Template,
    },
    /// Joins a bridge.
    ConfbridgeJoin {
        /// Which.
        confbridge_id: Template,
    },
    /// Waits in a queue for an agent.
    QueueJoin {
        /// Which.
        queue_id: Template,
    },
    /// Sends the sound of the call elsewhere, or takes it from there.
    ExternalMediaStart(ExternalMediaStart),
    /// Ends that.
    ExternalMediaStop,
}

/// Which activeflows an action makes sense in; in others it is passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::flow) enum Needs {
    Nothing,
    /// One that belongs to a call, be it over.
    Call,
    /// One whose call is not over.
    LiveCall,
    /// One that something else than a call started.
    NoCall,
}

/// What a failure of an action does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::flow) enum Severity {
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
            Self::HangupRelay { .. } => "hangup_relay",
            Self::Stop => "stop",
            Self::Empty => "empty",
            Self::Block => "block",
            Self::Mute { .. } => "mute",
            Self::Amd(_) => "amd",
            Self::Fetch(_) => "fetch",
            Self::WebhookSend(_) => "webhook_send",
            Self::EmailSend(_) => "email_send",
            Self::MessageSend(_) => "message_send",
            Self::ConversationSend(_) => "conversation_send",
            Self::TranscribeStart(_) => "transcribe_start",
            Self::TranscribeStop => "transcribe_stop",
            Self::TranscribeRecording(_) => "transcribe_recording",
            Self::AiTalk(_) => "ai_talk",
            Self::ChatbotTalk(_) => "chatbot_talk",
            Self::AiTask(_) => "ai_task",
            Self::AiSummary(_) => "ai_summary",
            Self::CaseCreate => "case_create",
            Self::Connect(_) => "connect",
            Self::AgentCall { .. } => "agent_call",
            Self::Call(_) => "call",
            Self::ConferenceJoin { .. } => "conference_join",
            Self::ConfbridgeJoin { .. } => "confbridge_join",
            Self::QueueJoin { .. } => "queue_join",
            Self::ExternalMediaStart(_) => "external_media_start",
            Self::ExternalMediaStop => "external_media_stop",
        }
    }

    pub(in crate::flow) const fn needs(&self) -> Needs {
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
            | Self::Hangup { .. }
            | Self::HangupRelay { .. }
            | Self::Mute { .. }
            | Self::Amd(_)
            | Self::TranscribeStart(_)
            | Self::ChatbotTalk(_)
            | Self::Connect(_)
            | Self::AgentCall { .. }
            | Self::ConferenceJoin { .. }
            | Self::ConfbridgeJoin { .. }
            | Self::QueueJoin { .. }
            | Self::ExternalMediaStart(_)
            | Self::ExternalMediaStop => Needs::LiveCall,
            Self::ConditionCallDigits(_) | Self::ConditionCallStatus(_) => Needs::Call,
            Self::AiTask(_) | Self::AiSummary(_) => Needs::NoCall,
            Self::Branch(_)
            | Self::Goto { .. }
            | Self::ConditionVariable(_)
            | Self::ConditionDatetime(_)
            | Self::VariableSet { .. }
            | Self::FetchFlow { .. }
            | Self::Stop
            | Self::Empty
            | Self::Block
            | Self::Fetch(_)
            | Self::WebhookSend(_)
            | Self::EmailSend(_)
            | Self::MessageSend(_)
            | Self::ConversationSend(_)
            | Self::TranscribeStop
            | Self::TranscribeRecording(_)
            | Self::AiTalk(_)
            | Self::CaseCreate
            | Self::Call(_) => Needs::Nothing,
        }
    }

    pub(in crate::flow) const fn severity(&self) -> Severity {
        match self {
            Self::Branch(_)
            | Self::Goto { .. }
            | Self::ConditionVariable(_)
            | Self::ConditionDatetime(_)
            | Self::ConditionCallDigits(_)
            | Self::ConditionCallStatus(_)
            | Self::FetchFlow { .. }
            | Self::Fetch(_)
            | Self::AiTalk(_)
            | Self::ChatbotTalk(_)
            | Self::AiTask(_)
            | Self::AiSummary(_)
            | Self::Connect(_)
            | Self::AgentCall { .. }
            | Self::Call(_)
            | Self::ConferenceJoin { .. }
            | Self::QueueJoin { .. }
            | Self::Stop => Severity::Fatal,
            _ => Severity::Passing,
        }
    }
}
