//! Short messages, and the conversations they belong to, until newer ones take their place.

use std::collections::VecDeque;
use std::time::Duration;

use uuid::Uuid;

use crate::flow::Address;

/// The newest messages and conversations, at most [`MessageTable::LIMIT`] of each.
#[derive(Clone, Debug, Default)]
pub struct MessageTable {
    messages: VecDeque<Message>,
    conversations: VecDeque<Conversation>,
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Which.
    pub id: Uuid,
    /// The conversation it belongs to; one with several destinations belongs to none.
    pub conversation: Option<Uuid>,
    /// Whether it came in or went out.
    pub direction: MessageDirection,
    /// From whom.
    pub source: Address,
    /// To whom, and what became of it there.
    pub targets: Vec<Target>,
    /// What it says.
    pub text: String,
    /// When it came to be, since 1970.
    pub created: Duration,
}

/// One destination of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Who.
    pub destination: Address,
    /// What became of it.
    pub status: MessageStatus,
    /// Since when it is so, since 1970.
    pub updated: Duration,
}

/// Everything between two addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conversation {
    /// Which.
    pub id: Uuid,
    /// Our address.
    pub own: Address,
    /// The other one.
    pub peer: Address,
    /// When the first message came to be, since 1970.
    pub created: Duration,
    /// When the newest did.
    pub updated: Duration,
}

/// Which way a message went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageDirection {
    /// To us.
    Inbound,
    /// From us.
    Outbound,
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageStatus {
    /// It came in.
    Received,
    /// It is on its way.
    Queued,
    /// The gateway, a trunk or another server has it.
    Sent,
    /// The telephone has it.
    Delivered,
    /// Nobody took it.
    Failed,
}

impl Message {
    /// What became of it on the whole: queued while it is for one of its targets, failed when it failed for
    /// all, else the least that those say who have it.
    #[must_use]
    pub fn status(&self) -> MessageStatus {
        use MessageStatus::{Delivered, Failed, Queued, Received, Sent};
        let is_any =
            |status: &MessageStatus| self.targets.iter().any(|target| target.status == *status);
        let order = [Queued, Received, Sent, Delivered];
        order.into_iter().find(is_any).unwrap_or(Failed)
    }
}

impl MessageDirection {
    /// As VoIPBIN writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Inbound => "inbound",
            Self::Outbound => "outbound",
        }
    }
}

impl MessageStatus {
    /// As VoIPBIN writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Queued => "queued",
            Self::Sent => "sent",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
        }
    }
}

impl MessageTable {
    /// Of each: with texts of usual length some megabytes.
    pub const LIMIT: usize = 10_000;

    /// Adds a message.
    pub fn insert(&mut self, message: Message) {
        push(&mut self.messages, message);
    }

    /// What became of a message at these of its targets, by their places, as of `updated` since 1970;
    /// gives it as it is now.
    pub fn update(
        &mut self,
        id: Uuid,
        targets: &[usize],
        status: MessageStatus,
        updated: Duration,
    ) -> Option<&Message> {
        let message = self
            .messages
            .iter_mut()
            .rev()
            .find(|known| known.id == id)?;
        for place in targets {
            let target = message.targets.get_mut(*place)?;
            (target.status, target.updated) = (status, updated);
        }
        Some(message)
    }

    /// One by its id.
    #[must_use]
    pub fn find(&self, id: Uuid) -> Option<&Message> {
        self.messages.iter().rev().find(|known| known.id == id)
    }

    /// A conversation by its id.
    #[must_use]
    pub fn conversation(&self, id: Uuid) -> Option<&Conversation> {
        self.conversations.iter().find(|known| known.id == id)
    }

    /// The conversation of these two in which something is said at `at` since 1970, made under `id` where
    /// there is none.
    pub fn converse(
        &mut self,
        id: Uuid,
        own: &Address,
        peer: &Address,
        at: Duration,
    ) -> &Conversation {
        let is_same =
            |one: &Address, other: &Address| one.kind == other.kind && one.target == other.target;
        let known = self
            .conversations
            .iter()
            .position(|known| is_same(&known.own, own) && is_same(&known.peer, peer));
        let place = known.unwrap_or_else(|| {
            let (own, peer) = (own.clone(), peer.clone());
            let made = Conversation {
                id,
                own,
                peer,
                created: at,
                updated: at,
            };
            push(&mut self.conversations, made);
            self.conversations.len() - 1
        });
        let conversation = &mut self.conversations[place];
        conversation.updated = at;
        conversation
    }

    /// The messages of a conversation, newest first.
    pub fn of_conversation(&self, id: Uuid) -> impl Iterator<Item = &Message> {
        let is_of = move |message: &&Message| message.conversation == Some(id);
        self.messages.iter().rev().filter(is_of)
    }
}

fn push<T>(queue: &mut VecDeque<T>, item: T) {
    if queue.len() == MessageTable::LIMIT {
        queue.pop_front();
    }
    queue.push_back(item);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tel(number: &str) -> Address {
        Address {
            kind: "tel".to_owned(),
            target: number.to_owned(),
            ..Address::default()
        }
    }

    fn target(number: &str) -> Target {
        Target {
            destination: tel(number),
            status: MessageStatus::Queued,
            updated: Duration::ZERO,
        }
    }

    fn message(number: u128) -> Message {
        Message {
            id: Uuid::from_u128(number),
            conversation: Some(Uuid::from_u128(number % 2)),
            direction: MessageDirection::Outbound,
            source: tel("+15550100"),
            targets: ["+15550101", "+15550102"].map(target).into(),
            text: "hello".to_owned(),
            created: Duration::ZERO,
        }
    }

    #[test]
    fn same_two_addresses_are_one_conversation_and_the_other_way_round_is_another() {
        let mut table = MessageTable::default();
        let (own, peer) = (tel("+15550100"), tel("+15550101"));
        let named = Address {
            target_name: "Ann".to_owned(),
            ..peer.clone()
        };
        let mut converse = |number, own: &Address, peer: &Address| {
            let at = Duration::from_secs(number);
            let one = table.converse(Uuid::from_u128(number.into()), own, peer, at);
            (one.id, one.created, one.updated)
        };
        let (first, created, _) = converse(1, &own, &peer);
        let later = (first, created, Duration::from_secs(2));
        assert_eq!(converse(2, &own, &named), later);
        assert_ne!(converse(3, &peer, &own).0, first);
        assert_eq!(table.conversation(first).map(|one| &one.peer), Some(&peer));
    }

    #[test]
    fn messages_are_bounded_and_the_newest_of_a_conversation_comes_first() {
        let mut table = MessageTable::default();
        let count = MessageTable::LIMIT as u128 + 2;
        for number in 0..count {
            table.insert(message(number));
        }
        assert!(table.find(Uuid::from_u128(1)).is_none());
        let newest = table.of_conversation(Uuid::from_u128(0)).next();
        assert_eq!(newest.map(|message| message.id.as_u128()), Some(count - 2));
    }

    #[test]
    fn message_is_queued_until_all_its_targets_are_not_and_failed_only_when_all_are() {
        use MessageStatus::{Delivered, Failed, Queued, Sent};
        for (statuses, whole) in [
            ([Queued, Failed], Queued),
            ([Sent, Queued], Queued),
            ([Sent, Failed], Sent),
            ([Delivered, Sent], Sent),
            ([Failed, Delivered], Delivered),
            ([Failed, Failed], Failed),
        ] {
            let mut table = MessageTable::default();
            table.insert(message(1));
            for (place, status) in statuses.into_iter().enumerate() {
                let id = Uuid::from_u128(1);
                let now = table.update(id, &[place], status, Duration::from_secs(9));
                assert_eq!(now.unwrap().targets[place].status, status);
            }
            let message = table.find(Uuid::from_u128(1)).unwrap();
            assert_eq!(message.status(), whole, "{statuses:?}");
        }
    }
}
