//! Sections that name a server outside; one that is left out is none.

use super::file::{self, FileConfig};
use super::{SettingsError, wrong};
use crate::shell::fetch::{ApiKey, ProviderConfig};
use crate::shell::outside::{ChatConfig, SmtpConfig, TranscriptionConfig};

/// The servers that the operator has named.
#[derive(Clone, Debug, Default)]
pub struct Servers {
    /// Sends mail.
    pub smtp: Option<SmtpConfig>,
    /// Sends messages.
    pub message: Option<ProviderConfig>,
    /// Turns speech into text.
    pub transcription: Option<TranscriptionConfig>,
    /// Talks.
    pub chat: Option<ChatConfig>,
    /// What an assistant is told before a talk, where the file says it.
    pub assistant: Option<String>,
}

/// OpenAI's name of the model that every such server knows.
const TRANSCRIPTION_MODEL: &str = "whisper-1";
/// Letters of what an assistant is told: servers count them with every turn of a talk.
const LONGEST_PROMPT: usize = 8000;

impl Servers {
    pub(super) fn new(file: &mut FileConfig) -> Result<Self, SettingsError> {
        let chat = std::mem::take(&mut file.chat);
        let prompt = chat.prompt.clone();
        if prompt
            .as_ref()
            .is_some_and(|prompt| prompt.len() > LONGEST_PROMPT)
        {
            return Err(wrong("chat.prompt", "…", "expected up to 8000 octets"));
        }
        Ok(Self {
            smtp: smtp(std::mem::take(&mut file.smtp))?,
            message: server(file.message.url.take(), file.message.key.take()),
            transcription: transcription(std::mem::take(&mut file.transcription)),
            chat: talker(chat)?,
            assistant: prompt,
        })
    }
}

fn server(url: Option<String>, key: Option<String>) -> Option<ProviderConfig> {
    let key = key.map(ApiKey::from);
    url.map(|url| ProviderConfig { url, key })
}

fn transcription(section: file::Transcription) -> Option<TranscriptionConfig> {
    let model = section
        .model
        .unwrap_or_else(|| TRANSCRIPTION_MODEL.to_owned());
    server(section.url, section.key).map(|server| TranscriptionConfig { server, model })
}

fn talker(section: file::Chat) -> Result<Option<ChatConfig>, SettingsError> {
    let Some(server) = server(section.url, section.key) else {
        return Ok(None);
    };
    let expected = "a chat server is asked for a model by name";
    let model = section
        .model
        .ok_or_else(|| wrong("chat.model", "", expected))?;
    Ok(Some(ChatConfig { server, model }))
}

fn smtp(section: file::Smtp) -> Result<Option<SmtpConfig>, SettingsError> {
    let Some(url) = section.url else {
        return Ok(None);
    };
    let expected = "mail needs an address to come from";
    let from = section
        .from
        .ok_or_else(|| wrong("smtp.from", "", expected))?;
    Ok(Some(SmtpConfig { url, from }))
}
