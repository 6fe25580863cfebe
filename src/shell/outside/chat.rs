//! An assistant behind HTTP: `POST {model, messages, max_tokens}` as OpenAI's `/v1/chat/completions` and
//! the servers that imitate it take it.

use serde::{Deserialize, Serialize};

use super::failure;
use crate::shell::fetch::{Provider, ProviderConfig};
use crate::switch::{ChatMessage, ChatRole, OutsideAnswer, OutsideFailure};

/// Which server, and which of its models.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChatConfig {
    /// Where requests go: `https://…/v1/chat/completions`.
    pub server: ProviderConfig,
    /// The model.
    pub model: String,
}

/// The client of one server.
#[derive(Debug)]
pub(super) struct Chat {
    server: Provider,
    model: String,
}

/// Tokens of one answer: a minute and a half of speech, which is long on a telephone.
const MAX_TOKENS: u32 = 400;

#[derive(Serialize)]
struct Asked<'a> {
    model: &'a str,
    messages: Vec<Message<'a>>,
    max_tokens: u32,
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'static str,
    content: &'a str,
}

#[derive(Deserialize)]
struct Answer {
    choices: Vec<Choice>,
}

#[derive(Deserialize)]
struct Choice {
    message: Said,
}

#[derive(Deserialize)]
struct Said {
    content: Option<String>,
}

impl Chat {
    pub(super) const fn new(server: Provider, model: String) -> Self {
        Self { server, model }
    }

    /// What the assistant says to `messages`.
    pub(super) async fn reply<'a>(
        &self,
        messages: &'a [ChatMessage],
    ) -> Result<OutsideAnswer, OutsideFailure> {
        let message = |message: &'a ChatMessage| Message {
            role: match message.role {
                ChatRole::System => "system",
                ChatRole::User => "user",
                ChatRole::Assistant => "assistant",
            },
            content: &message.content,
        };
        let asked = Asked {
            model: &self.model,
            messages: messages.iter().map(message).collect(),
            max_tokens: MAX_TOKENS,
        };
        let body = self.server.post(|post| post.json(&asked)).await;
        let body = body.map_err(|error| {
            tracing::warn!(%error, "the chat server did not answer");
            failure(&error)
        })?;
        let answer: Option<Answer> = serde_json::from_slice(&body).ok();
        let said = answer
            .and_then(|answer| answer.choices.into_iter().next())
            .and_then(|choice| choice.message.content);
        said.map(OutsideAnswer::Text).ok_or_else(|| {
            tracing::warn!("what the chat server answered is no chat completion");
            OutsideFailure::Unavailable
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::server::Server;
    use super::super::{Outside, OutsideConfig};
    use super::*;
    use crate::shell::fetch::ApiKey;
    use crate::switch::OutsideRequest;

    async fn ask(server: &Server) -> OutsideAnswer {
        let config = OutsideConfig {
            chat: Some(ChatConfig {
                server: ProviderConfig {
                    url: server.url("/v1/chat/completions"),
                    key: Some(ApiKey::from("secret".to_owned())),
                },
                model: "small".to_owned(),
            }),
            ..OutsideConfig::default()
        };
        let said = |role, content: &str| ChatMessage {
            role,
            content: content.to_owned(),
        };
        let request = OutsideRequest::Chat {
            messages: vec![
                said(ChatRole::System, "be brief"),
                said(ChatRole::User, "when do you open?"),
            ],
        };
        Outside::new(config).unwrap().carry_out(request).await
    }

    #[tokio::test]
    async fn assistant_is_asked_in_openai_s_words_and_its_first_choice_is_taken() {
        let answer = json!({"id": "x", "object": "chat.completion", "choices": [
            {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "At nine."}},
        ]});
        let answer = answer.to_string();
        let server =
            Server::start(move |_| Server::ok("application/json", answer.as_bytes())).await;
        assert_eq!(
            ask(&server).await,
            OutsideAnswer::Text("At nine.".to_owned())
        );
        let asked = server.requests().remove(0);
        assert_eq!(asked.line, "POST /v1/chat/completions HTTP/1.1");
        assert_eq!(asked.header("authorization"), Some("Bearer secret"));
        let expected = json!({"model": "small", "max_tokens": 400, "messages": [
            {"role": "system", "content": "be brief"},
            {"role": "user", "content": "when do you open?"},
        ]});
        assert_eq!(asked.json(), expected);
    }

    #[tokio::test]
    async fn answers_that_say_nothing_are_failures() {
        for body in [
            "",
            "{}",
            "null",
            r#"{"choices":[]}"#,
            r#"{"choices":[{"message":{"content":null}}]}"#,
            r#"{"error":{"message":"no"}}"#,
        ] {
            let server =
                Server::start(move |_| Server::ok("application/json", body.as_bytes())).await;
            let expected = OutsideAnswer::Failed(OutsideFailure::Unavailable);
            assert_eq!(ask(&server).await, expected, "{body}");
        }
    }
}
