//! Short messages by an HTTP gateway: `POST {id, source, destinations, text}`, taken when it answers 2xx.

use serde_json::{Value, json};

use super::failure;
use crate::flow::Address;
use crate::shell::fetch::Provider;
use crate::switch::{OutsideAnswer, OutsideFailure, TextMessage};

/// The client of the gateway.
#[derive(Debug)]
pub(super) struct MessageGateway(Provider);

impl MessageGateway {
    pub(super) const fn new(server: Provider) -> Self {
        Self(server)
    }

    /// Gives it one message; it knows by the id when it gets it twice.
    pub(super) async fn send(
        &self,
        message: &TextMessage,
    ) -> Result<OutsideAnswer, OutsideFailure> {
        let destinations: Vec<Value> = message.destinations.iter().map(address).collect();
        let body = json!({
            "id": message.id,
            "source": address(&message.source),
            "destinations": destinations,
            "text": message.text,
        });
        match self.0.post(|post| post.json(&body)).await {
            Ok(_) => Ok(OutsideAnswer::Done),
            Err(error) => {
                tracing::warn!(message = %message.id, %error, "the gateway did not take the message");
                Err(failure(&error))
            }
        }
    }
}

fn address(address: &Address) -> Value {
    json!({
        "type": address.kind,
        "target": address.target,
        "target_name": address.target_name,
    })
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::super::server::Server;
    use super::super::{Outside, OutsideConfig};
    use super::*;
    use crate::shell::fetch::{ApiKey, ProviderConfig};
    use crate::switch::OutsideRequest;

    fn tel(number: &str) -> Address {
        Address {
            kind: "tel".to_owned(),
            target: number.to_owned(),
            ..Address::default()
        }
    }

    async fn send(server: &Server) -> OutsideAnswer {
        let config = OutsideConfig {
            message: Some(ProviderConfig {
                url: server.url("/sms"),
                key: Some(ApiKey::from("secret".to_owned())),
            }),
            ..OutsideConfig::default()
        };
        let message = TextMessage {
            id: Uuid::from_u128(7),
            source: tel("+15550100"),
            destinations: vec![tel("+15550101"), tel("+15550102")],
            text: "say \"hi\"\n".to_owned(),
        };
        let request = OutsideRequest::Message(message);
        Outside::new(config).unwrap().carry_out(request).await
    }

    #[tokio::test]
    async fn gateway_gets_the_message_as_json_with_the_key() {
        let server = Server::start(|_| Server::status(202)).await;
        assert_eq!(send(&server).await, OutsideAnswer::Done);
        let asked = server.requests().remove(0);
        assert_eq!(asked.line, "POST /sms HTTP/1.1");
        assert_eq!(asked.header("authorization"), Some("Bearer secret"));
        let address = |target| json!({"type": "tel", "target": target, "target_name": ""});
        let expected = json!({
            "id": "00000000-0000-0000-0000-000000000007",
            "source": address("+15550100"),
            "destinations": [address("+15550101"), address("+15550102")],
            "text": "say \"hi\"\n",
        });
        assert_eq!(asked.json(), expected);
    }

    #[tokio::test]
    async fn gateway_that_refuses_or_fails_is_told_apart() {
        for (code, failure) in [
            (400, OutsideFailure::Refused),
            (429, OutsideFailure::Unavailable),
            (502, OutsideFailure::Unavailable),
        ] {
            let server = Server::start(move |_| Server::status(code)).await;
            assert_eq!(
                send(&server).await,
                OutsideAnswer::Failed(failure),
                "{code}"
            );
        }
    }
}
