//! Where callers wait for agents, and how many have.

use std::time::Duration;

use uuid::Uuid;

use super::agents::Tag;
use super::named::Named;

/// One queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queue {
    /// Which.
    pub id: Uuid,
    /// Its name in the configuration.
    pub name: String,
    /// Its description.
    pub detail: String,
    /// What the waiting caller meets, over and over: a flow's name or id.
    pub wait_flow: Option<String>,
    /// Longest wait; zero for no limit.
    pub wait_timeout: Duration,
    /// Longest talk; zero for no limit.
    pub service_timeout: Duration,
    /// Whose calls they are; without tags everybody's.
    pub tags: Vec<Tag>,
}

/// What became of a caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum QueueNews {
    /// Came to wait.
    Incoming,
    /// Talks with an agent.
    Serviced,
    /// Left before that, or was sent away.
    Abandoned,
}

/// How many callers there were since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueueCounts {
    /// Who came to wait.
    pub incoming: u64,
    /// Who talked with an agent.
    pub serviced: u64,
    /// Who left before that.
    pub abandoned: u64,
}

/// All queues, in the order of the configuration.
#[derive(Clone, Debug, Default)]
pub struct QueueTable(Named<(Queue, QueueCounts)>);

impl QueueTable {
    /// Takes the queues; of two with one id or name the first is found.
    #[must_use]
    pub fn new(queues: Vec<Queue>) -> Self {
        let counted = |queue| (queue, QueueCounts::default());
        let queues = queues.into_iter().map(counted).collect();
        Self(Named::new(queues, |(queue, _)| {
            (queue.id, queue.name.as_str())
        }))
    }

    /// Goes on counting from another table, where a queue is known there.
    pub fn carry_on(&mut self, before: &Self) {
        for (queue, counts) in self.0.iter_mut() {
            *counts = before.counts(queue.id);
        }
    }

    /// The queue of this id.
    #[must_use]
    pub fn get(&self, id: Uuid) -> Option<&Queue> {
        self.0.get(id).map(|(queue, _)| queue)
    }

    /// The queue that a flow refers to: by id, else by name.
    #[must_use]
    pub fn find(&self, reference: &str) -> Option<&Queue> {
        self.0.find(reference).map(|(queue, _)| queue)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Queue> {
        self.0.iter().map(|(queue, _)| queue)
    }

    /// Counts what became of a caller; of a queue that is not there, nothing.
    pub fn count(&mut self, id: Uuid, news: QueueNews) {
        let Some((_, counts)) = self.0.get_mut(id) else {
            return;
        };
        let count = match news {
            QueueNews::Incoming => &mut counts.incoming,
            QueueNews::Serviced => &mut counts.serviced,
            QueueNews::Abandoned => &mut counts.abandoned,
        };
        *count += 1;
    }

    /// How many callers there were.
    #[must_use]
    pub fn counts(&self, id: Uuid) -> QueueCounts {
        self.0
            .get(id)
            .map(|(_, counts)| *counts)
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_is_found_by_id_and_name_and_counts_its_own_callers() {
        let queue = |number, name: &str| Queue {
            id: Uuid::from_u128(number),
            name: name.to_owned(),
            detail: String::new(),
            wait_flow: None,
            wait_timeout: Duration::ZERO,
            service_timeout: Duration::ZERO,
            tags: Vec::new(),
        };
        let mut table = QueueTable::new(vec![queue(1, "sales"), queue(2, "support")]);
        let support = table.find("support").unwrap().id;
        assert_eq!(table.find(&support.to_string()), table.get(support));
        for news in [
            QueueNews::Incoming,
            QueueNews::Incoming,
            QueueNews::Serviced,
            QueueNews::Abandoned,
        ] {
            table.count(support, news);
        }
        let counts = QueueCounts {
            incoming: 2,
            serviced: 1,
            abandoned: 1,
        };
        assert_eq!(table.counts(support), counts);
        assert_eq!(table.counts(Uuid::from_u128(1)), QueueCounts::default());
        table.count(Uuid::from_u128(3), QueueNews::Incoming);
        assert_eq!(table.counts(Uuid::from_u128(3)), QueueCounts::default());
    }
}
