//! People who take calls: where they are reached, what they are for, and whether they have time.

use uuid::Uuid;

use super::named::Named;
use crate::flow::Address;

/// Whether an agent has time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum AgentStatus {
    /// May be called by a queue.
    #[default]
    Available,
    /// Is somewhere else.
    Away,
    /// Talks.
    Busy,
    /// Does not work.
    Offline,
    /// Is being called.
    Ringing,
}

impl AgentStatus {
    /// The word of the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Available => "available",
            Self::Away => "away",
            Self::Busy => "busy",
            Self::Offline => "offline",
            Self::Ringing => "ringing",
        }
    }

    /// What a word of the API means.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [
            Self::Available,
            Self::Away,
            Self::Busy,
            Self::Offline,
            Self::Ringing,
        ]
        .into_iter()
        .find(|status| status.as_str() == word)
    }
}

/// In which order the addresses of an agent are called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum RingMethod {
    /// All at once.
    #[default]
    RingAll,
    /// One after another.
    Linear,
}

/// What an agent is for, or what a queue wants: a name, or an id in any case.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tag(String);

impl From<&str> for Tag {
    fn from(text: &str) -> Self {
        Self(Uuid::parse_str(text).map_or_else(|_| text.to_owned(), |id| id.to_string()))
    }
}

impl Tag {
    /// As configured; an id in its usual spelling.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// One agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agent {
    /// Which.
    pub id: Uuid,
    /// Its name in the configuration.
    pub name: String,
    /// Whether it has time.
    pub status: AgentStatus,
    /// In which order its addresses are called.
    pub ring_method: RingMethod,
    /// What it is for.
    pub tags: Vec<Tag>,
    /// Where it is reached: extensions by name, `tel` and `sip`.
    pub addresses: Vec<Address>,
}

/// All agents, in the order of the configuration.
#[derive(Clone, Debug, Default)]
pub struct AgentTable(Named<Agent>);

impl AgentTable {
    /// The most that a queue chooses from.
    pub const CHOICE: usize = 100;

    /// Takes the agents; of two with one id or name the first is found.
    #[must_use]
    pub fn new(agents: Vec<Agent>) -> Self {
        Self(Named::new(agents, |agent| (agent.id, agent.name.as_str())))
    }

    /// Goes on from another table: whether an agent has time is what it was there, where it is known.
    pub fn carry_on(&mut self, before: &Self) {
        for agent in self.0.iter_mut() {
            if let Some(known) = before.get(agent.id) {
                agent.status = known.status;
            }
        }
    }

    /// The agent of this id.
    #[must_use]
    pub fn get(&self, id: Uuid) -> Option<&Agent> {
        self.0.get(id)
    }

    /// The agent that a flow refers to: by id, else by name.
    #[must_use]
    pub fn find(&self, reference: &str) -> Option<&Agent> {
        self.0.find(reference)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Agent> {
        self.0.iter()
    }

    /// Who has time and shares a tag with `tags`; without tags, who has time. An agent without tags is
    /// for queues without tags alone. At most [`Self::CHOICE`].
    pub fn available<'a>(&'a self, tags: &'a [Tag]) -> impl Iterator<Item = &'a Agent> {
        let is_wanted =
            |agent: &&Agent| tags.is_empty() || agent.tags.iter().any(|tag| tags.contains(tag));
        self.0
            .iter()
            .filter(|agent| agent.status == AgentStatus::Available)
            .filter(is_wanted)
            .take(Self::CHOICE)
    }

    /// Changes whether an agent has time; what it was before, `None` when there is no such agent.
    pub fn set_status(&mut self, id: Uuid, status: AgentStatus) -> Option<AgentStatus> {
        let agent = self.0.get_mut(id)?;
        Some(std::mem::replace(&mut agent.status, status))
    }

    /// The agent is being called: it rings if it had time. Whether its status is another now.
    pub fn begin_ringing(&mut self, id: Uuid) -> bool {
        self.turn(id, AgentStatus::Available, AgentStatus::Ringing)
    }

    /// The agent has answered: it is busy from whatever it was until somebody says otherwise. Whether its
    /// status is another now.
    pub fn answered(&mut self, id: Uuid) -> bool {
        self.set_status(id, AgentStatus::Busy)
            .is_some_and(|before| before != AgentStatus::Busy)
    }

    /// Nobody calls the agent any more and it has not answered: it has time again, unless its status was
    /// changed meanwhile. Whether its status is another now.
    pub fn unanswered(&mut self, id: Uuid) -> bool {
        self.turn(id, AgentStatus::Ringing, AgentStatus::Available)
    }

    fn turn(&mut self, id: Uuid, from: AgentStatus, to: AgentStatus) -> bool {
        let agent = self.0.get_mut(id).filter(|agent| agent.status == from);
        agent.map(|agent| agent.status = to).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agent(number: u128, name: &str, tags: &[&str]) -> Agent {
        Agent {
            id: Uuid::from_u128(number),
            name: name.to_owned(),
            status: AgentStatus::Available,
            ring_method: RingMethod::RingAll,
            tags: tags.iter().map(|tag| Tag::from(*tag)).collect(),
            addresses: Vec::new(),
        }
    }

    fn table() -> AgentTable {
        AgentTable::new(vec![
            agent(1, "ann", &["sales", "99BF739A-932F-433C-B1BF-103D33D7E9BB"]),
            agent(2, "bob", &["support"]),
            agent(3, "carl", &[]),
        ])
    }

    fn names(table: &AgentTable, tags: &[&str]) -> Vec<String> {
        let tags: Vec<Tag> = tags.iter().map(|tag| Tag::from(*tag)).collect();
        let available = table.available(&tags);
        available.map(|agent| agent.name.clone()).collect()
    }

    #[test]
    fn agents_are_chosen_by_any_tag_they_share_and_without_tags_all_are() {
        let table = table();
        assert_eq!(names(&table, &[]), ["ann", "bob", "carl"]);
        assert_eq!(names(&table, &["support", "sales"]), ["ann", "bob"]);
        assert_eq!(
            names(&table, &["99bf739a-932f-433c-b1bf-103d33d7e9bb"]),
            ["ann"]
        );
        assert_eq!(names(&table, &["Sales"]), [""; 0]);
    }

    #[test]
    fn no_more_agents_are_offered_than_a_queue_chooses_from() {
        let many = (0..200).map(|number| agent(number, &number.to_string(), &[]));
        let table = AgentTable::new(many.collect());
        assert_eq!(table.available(&[]).count(), AgentTable::CHOICE);
    }

    #[test]
    fn an_agent_rings_only_when_it_had_time_and_stays_busy_after_its_answer() {
        let (mut table, ann) = (table(), Uuid::from_u128(1));
        assert!(table.begin_ringing(ann));
        assert!(!table.begin_ringing(ann));
        assert_eq!(names(&table, &["sales"]), [""; 0]);
        assert!(table.answered(ann));
        assert!(!table.unanswered(ann));
        assert_eq!(table.get(ann).unwrap().status, AgentStatus::Busy);
        assert_eq!(
            table.set_status(ann, AgentStatus::Away),
            Some(AgentStatus::Busy)
        );
        assert!(!table.begin_ringing(ann));
    }

    #[test]
    fn an_agent_that_did_not_answer_has_time_again() {
        let (mut table, bob) = (table(), Uuid::from_u128(2));
        table.begin_ringing(bob);
        assert!(table.unanswered(bob));
        assert_eq!(names(&table, &["support"]), ["bob"]);
        table.begin_ringing(bob);
        table.set_status(bob, AgentStatus::Offline);
        assert!(!table.unanswered(bob));
        assert!(!table.answered(Uuid::from_u128(9)));
    }

    #[test]
    fn an_agent_is_found_by_id_and_by_name() {
        let table = table();
        for reference in ["ann", "Ann", "00000000-0000-0000-0000-000000000001"] {
            assert_eq!(table.find(reference).unwrap().name, "ann", "{reference}");
        }
        assert!(table.find("dora").is_none());
    }

    #[test]
    fn statuses_have_the_words_of_the_api() {
        for word in ["available", "away", "busy", "offline", "ringing"] {
            assert_eq!(AgentStatus::from_word(word).unwrap().as_str(), word);
        }
        assert_eq!(AgentStatus::from_word("Available"), None);
    }
}
