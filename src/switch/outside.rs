//! What the switch asks of the world beside sound and SIP: HTTP, mail, messages, transcription, chat.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use uuid::Uuid;

use crate::flow::Address;

/// One order to the world; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OrderId(pub u64);

/// What the world shall do.
#[derive(Clone, Debug, PartialEq)]
pub enum OutsideRequest {
    /// Ask a server for actions; answered by the [`Body`](OutsideAnswer::Body) of a 200.
    Fetch {
        /// Named by a flow.
        url: String,
        /// Empty for GET.
        method: String,
        /// JSON.
        body: String,
    },
    /// Tell a server; done when the delivery has been taken over, however long it then takes.
    Webhook {
        /// Named by a flow.
        uri: String,
        /// Empty for POST.
        method: String,
        /// `Content-Type`; empty for none.
        content_type: String,
        /// As it is sent.
        body: String,
    },
    /// Send a mail; done when the mail server has it.
    Email(Mail),
    /// Give a message to the gateway; done when it has it.
    Message(TextMessage),
    /// What is said here; answered by [`OutsideAnswer::Text`].
    Transcribe {
        /// Speech.
        sound: Sound,
        /// BCP 47; empty where the server shall find out.
        language: String,
    },
    /// What an assistant says next; answered by [`OutsideAnswer::Text`].
    Chat {
        /// The talk so far, oldest first.
        messages: Vec<ChatMessage>,
    },
}

/// A mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// To whom.
    pub destinations: Vec<Address>,
    /// Subject.
    pub subject: String,
    /// Plain text.
    pub content: String,
    /// Files of recordings.
    pub attachments: Vec<PathBuf>,
}

/// A short message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextMessage {
    /// Ours.
    pub id: Uuid,
    /// From whom.
    pub source: Address,
    /// To whom.
    pub destinations: Vec<Address>,
    /// What it says.
    pub text: String,
}

/// Speech to be transcribed.
#[derive(Clone, PartialEq, Eq)]
pub enum Sound {
    /// At 8 kHz.
    Samples(Arc<[i16]>),
    /// A file of a recording.
    File(PathBuf),
}

/// One turn of a talk with an assistant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChatMessage {
    /// Who speaks.
    pub role: ChatRole,
    /// What is said.
    pub content: String,
}

/// Who speaks in a talk with an assistant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChatRole {
    /// Whoever runs the switch.
    System,
    /// The caller.
    User,
    /// The assistant.
    Assistant,
}

/// How an order to the world ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OutsideAnswer {
    /// Done.
    Done,
    /// What a server answered.
    Body(Bytes),
    /// What was said, or shall be.
    Text(String),
    /// Not done; the shell has logged why.
    Failed(OutsideFailure),
}

/// What became of a webhook that was taken over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delivery {
    /// Status of the last answer; `None` where none came.
    pub status: Option<u16>,
    /// How often it was tried.
    pub tries: u32,
    /// From the first try to the end of the last.
    pub took: Duration,
}

/// Why an order to the world could not be carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OutsideFailure {
    /// The operator has to name a server first.
    #[error("not configured: [{section}]")]
    NotConfigured {
        /// Section of the settings.
        section: &'static str,
    },
    /// What was asked is wrong, or not allowed; asking again is no use.
    #[error("refused")]
    Refused,
    /// The server could not be reached or did not do it; later it may.
    #[error("the server did not do it")]
    Unavailable,
    /// A server named by a flow answered with a status that brings nothing.
    #[error("the server answered {status}")]
    Answered {
        /// It.
        status: u16,
    },
    /// More orders are under way than are allowed.
    #[error("too many orders under way")]
    Busy,
}

impl OutsideFailure {
    /// For the outcome of a flow's command.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotConfigured { .. } => "not configured",
            Self::Refused => "refused",
            Self::Unavailable => "the server did not do it",
            Self::Answered { .. } => "the server answered with another status than 200",
            Self::Busy => "too many orders under way",
        }
    }
}

/// Which servers the operator has named.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Providers {
    /// A mail server.
    pub email: bool,
    /// A message gateway.
    pub message: bool,
    /// A transcriber.
    pub transcription: bool,
    /// A chat.
    pub chat: bool,
}

impl Providers {
    /// Whether `request` can be asked at all.
    ///
    /// # Errors
    /// [`OutsideFailure::NotConfigured`].
    pub const fn check(self, request: &OutsideRequest) -> Result<(), OutsideFailure> {
        let (is_there, section) = match request {
            OutsideRequest::Fetch { .. } | OutsideRequest::Webhook { .. } => return Ok(()),
            OutsideRequest::Email(_) => (self.email, "smtp"),
            OutsideRequest::Message(_) => (self.message, "message"),
            OutsideRequest::Transcribe { .. } => (self.transcription, "transcription"),
            OutsideRequest::Chat { .. } => (self.chat, "chat"),
        };
        if is_there {
            Ok(())
        } else {
            Err(OutsideFailure::NotConfigured { section })
        }
    }
}

/// The assistant of every talk.
#[derive(Clone, Debug)]
pub struct Assistant {
    /// What it is told before a talk.
    pub prompt: String,
    /// Its model, as flows are told.
    pub model: String,
}

impl Assistant {
    pub(super) fn instruction(&self) -> ChatMessage {
        ChatMessage {
            role: ChatRole::System,
            content: self.prompt.clone(),
        }
    }
}

impl Default for Assistant {
    fn default() -> Self {
        Self {
            prompt: PROMPT.to_owned(),
            model: String::new(),
        }
    }
}

/// What an assistant is told where the operator says nothing.
const PROMPT: &str = "You talk with a caller on the telephone. Greet the caller, be friendly, and answer \
    in one or two short sentences of plain spoken language, without lists, symbols or markup.";

impl std::fmt::Debug for Sound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Samples(samples) => write!(f, "{} samples", samples.len()),
            Self::File(file) => file.fmt(f),
        }
    }
}
