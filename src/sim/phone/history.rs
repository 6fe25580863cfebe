//! What came to a telephone.

use std::collections::HashMap;
use std::time::Instant;

use bytes::Bytes;

use super::Phone;
use crate::sip::message::{Message, Method};

/// A message that came, once however often it was sent.
#[derive(Clone, Debug)]
pub struct Seen {
    /// When first.
    pub at: Instant,
    /// `200 INVITE` or `BYE`.
    pub word: String,
    /// The message.
    pub message: Message,
    /// How often it came.
    pub times: u32,
    bytes: Bytes,
}

/// Where each message stands in the list of what came; whoever clears the list clears this too.
#[derive(Debug, Default)]
pub(super) struct History(HashMap<Bytes, usize>);

impl History {
    /// Writes down a message.
    pub(super) fn keep(
        &mut self,
        seen: &mut Vec<Seen>,
        now: Instant,
        message: &Message,
        bytes: Bytes,
    ) {
        let known = self.0.get(&bytes).and_then(|index| seen.get_mut(*index));
        if let Some(known) = known.filter(|known| known.bytes == bytes) {
            known.times += 1;
            return;
        }
        let word = match message {
            Message::Request(request) => request.method.to_string(),
            Message::Response(response) => {
                let cseq = response.headers.cseq().expect("every response has one");
                format!("{} {}", response.status.code(), cseq.method)
            }
        };
        self.0.insert(bytes.clone(), seen.len());
        seen.push(Seen {
            at: now,
            word,
            message: message.clone(),
            times: 1,
            bytes,
        });
    }
}

impl Phone {
    /// The words of what came, in order: `["100 INVITE", "180 INVITE", "200 INVITE", "BYE"]`.
    #[must_use]
    pub fn words(&self) -> Vec<&str> {
        self.seen.iter().map(|seen| seen.word.as_str()).collect()
    }

    /// The last message that came with this word.
    #[must_use]
    pub fn last(&self, word: &str) -> Option<&Seen> {
        self.seen.iter().rev().find(|seen| seen.word == word)
    }

    /// The first lines of what it was notified of, in order: `["SIP/2.0 100 Trying", ...]` after a REFER.
    #[must_use]
    pub fn notified(&self) -> Vec<String> {
        let notifies = self.seen.iter().filter_map(|seen| match &seen.message {
            Message::Request(request) if request.method == Method::Notify => Some(&request.body),
            _ => None,
        });
        let line = |body: &Bytes| {
            let text = String::from_utf8_lossy(body).into_owned();
            text.lines().next().unwrap_or_default().to_owned()
        };
        notifies.map(line).collect()
    }

    /// The texts of the MESSAGEs that came, in order.
    #[must_use]
    pub fn texts(&self) -> Vec<String> {
        let requests = self.seen.iter().filter_map(|seen| match &seen.message {
            Message::Request(request) if request.method == Method::Message => Some(&request.body),
            _ => None,
        });
        requests
            .map(|body| String::from_utf8_lossy(body).into_owned())
            .collect()
    }
}
