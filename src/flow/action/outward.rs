//! Options of the actions that reach beyond the call: the web, mail, messages, assistants, other calls.

use std::sync::Arc;

use super::Actions;
use crate::flow::command::Gender;
use crate::flow::outward::{Anonymous, Assistance, Direction};
use crate::flow::template::{Late, Scalar, Seconds, Template};

/// One end of a call or message, as an author writes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddressTemplate {
    /// `tel`, `sip`, `email`, …
    pub kind: Template,
    /// Number, `user@host` or id.
    pub target: Template,
    /// The target in words a person knows.
    pub target_name: Template,
    /// Display name.
    pub name: Template,
    /// Anything more.
    pub detail: Template,
}

/// Options of `fetch`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fetch {
    /// Where from.
    pub url: Template,
    /// How; GET when empty.
    pub method: Late<HttpMethod>,
}

/// Options of `webhook_send`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WebhookSend {
    /// Waits until it is delivered or given up.
    pub is_sync: Late<bool>,
    /// Where to.
    pub uri: Template,
    /// How; POST when empty.
    pub method: Late<HttpMethod>,
    /// Media type of the body.
    pub data_type: Template,
    /// The body.
    pub data: Template,
}

/// A method of HTTP in capitals; empty for the usual one of the action.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpMethod(pub String);

impl HttpMethod {
    /// Itself, or `usual` when none is stated.
    pub(in crate::flow) fn or(self, usual: &str) -> String {
        if self.0.is_empty() {
            usual.to_owned()
        } else {
            self.0
        }
    }
}

impl Scalar for HttpMethod {
    const EXPECTED: &'static str = "a method such as GET or POST";

    fn from_text(text: &str) -> Option<Self> {
        const LONGEST: usize = 16;
        let text = text.trim();
        let is_word = text.len() <= LONGEST && text.bytes().all(|byte| byte.is_ascii_alphabetic());
        is_word.then(|| Self(text.to_ascii_uppercase()))
    }
}

/// Options of `email_send`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EmailSend {
    /// To whom.
    pub destinations: Vec<AddressTemplate>,
    /// Subject line.
    pub subject: Template,
    /// Body.
    pub content: Template,
    /// What goes with it.
    pub attachments: Vec<Attachment>,
}

/// Something that goes with an e-mail.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attachment {
    /// `recording`; nothing else can be attached.
    pub reference_type: Template,
    /// Which.
    pub reference_id: Template,
}

/// Options of `message_send`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MessageSend {
    /// From whom.
    pub source: AddressTemplate,
    /// To whom.
    pub destinations: Vec<AddressTemplate>,
    /// What.
    pub text: Template,
}

/// Options of `conversation_send`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ConversationSend {
    /// In which conversation.
    pub conversation_id: Template,
    /// What.
    pub text: Template,
    /// Waits until it is sent.
    pub is_sync: Late<bool>,
}

/// Options of `transcribe_start` and `transcribe_recording`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Transcribe {
    /// Language tag (BCP 47).
    pub language: Template,
    /// Whose words.
    pub direction: Late<Direction>,
    /// Flow to run when it is over; empty for none.
    pub on_end_flow_id: Template,
}

/// Options of `ai_talk` and `chatbot_talk`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AiTalkStart {
    /// What `assistant` names.
    pub assistance: Late<Assistance>,
    /// Which one.
    pub assistant: Template,
    /// Language tag (BCP 47).
    pub language: Template,
    /// Voice wished for.
    pub gender: Late<Gender>,
    /// Ends after this long; zero for never.
    pub duration: Late<Seconds>,
}

/// Options of `ai_task`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AiTaskStart {
    /// What `assistant` names.
    pub assistance: Late<Assistance>,
    /// Which one.
    pub assistant: Template,
}

/// Options of `ai_summary`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AiSummaryStart {
    /// Kind of what is summed up: `call`, `recording`, `transcribe`, …
    pub reference_type: Template,
    /// Which.
    pub reference_id: Template,
    /// Language tag (BCP 47).
    pub language: Template,
    /// Flow to run when it is there; empty for none.
    pub on_end_flow_id: Template,
}

/// Options of `connect`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Connect {
    /// Who calls.
    pub source: AddressTemplate,
    /// Whom; all ring at once and the first who answers is joined.
    pub destinations: Vec<AddressTemplate>,
    /// Lets the caller hear the called ones before they answer.
    pub early_media: Late<bool>,
    /// Hangs up the caller afterwards as the first called one was hung up.
    pub relay_reason: Late<bool>,
    /// Whether the number is shown.
    pub anonymous: Late<Anonymous>,
}

/// Options of `call`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CallStart {
    /// Who calls.
    pub source: AddressTemplate,
    /// Whom; each is a call of its own.
    pub destinations: Vec<AddressTemplate>,
    /// What they meet; goes before `actions`.
    pub flow_id: Template,
    /// What they meet when there is no `flow_id`; filled in with the variables of the calling flow.
    pub actions: Arc<Actions>,
    /// Hangs them up with this call.
    pub chained: Late<bool>,
    /// Starts their flow when they ring.
    pub early_execution: Late<bool>,
    /// Whether the number is shown.
    pub anonymous: Late<Anonymous>,
}

/// Options of `external_media_start`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ExternalMediaStart {
    /// Host and port of the other side.
    pub external_host: Template,
    /// When empty, as the transport has it; `rtp` without one.
    pub encapsulation: Template,
    /// When empty, as the encapsulation has it.
    pub transport: Template,
    /// `client` when empty.
    pub connection_type: Template,
    /// `ulaw` when empty.
    pub format: Template,
    /// Both ways of it in one; counts where the one below is not written.
    pub direction: Late<Direction>,
    /// What the other side hears.
    pub direction_listen: Option<Late<Direction>>,
    /// What is heard of the other side.
    pub direction_speak: Option<Late<Direction>>,
    /// For the other side.
    pub data: Template,
    /// For the transport.
    pub transport_data: Template,
}

macro_rules! scalar_of_exact_words {
    ($name:ident, $expected:literal, { $($word:literal => $value:ident),+ $(,)? }) => {
        impl Scalar for $name {
            const EXPECTED: &'static str = $expected;

            fn from_text(text: &str) -> Option<Self> {
                match text {
                    $($word => Some(Self::$value),)+
                    _ => None,
                }
            }
        }
    };
}

scalar_of_exact_words!(Anonymous, "one of yes, no and auto", {
    "" => Auto, "auto" => Auto, "yes" => Yes, "no" => No,
});

scalar_of_exact_words!(Assistance, "\"ai\" or \"team\"", {
    "" => Ai, "ai" => Ai, "team" => Team,
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_are_words_in_capitals() {
        let method = |text| HttpMethod::from_text(text).map(|method| method.or("GET"));
        assert_eq!(method(" post "), Some("POST".to_owned()));
        assert_eq!(method(""), Some("GET".to_owned()));
        for wrong in ["GET /", "PO\r\nST", "é", "ABCDEFGHIJKLMNOPQ"] {
            assert_eq!(method(wrong), None, "{wrong}");
        }
    }
}
