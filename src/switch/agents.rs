//! Agents at work: who rings, who talks, and who has time again.
//!
//! An agent that has answered is busy until the last call that it answered is over; then it is again what it
//! was before, so that a queue finds it again without anybody's help. A status that somebody sets by hand
//! meanwhile stays.

use std::collections::HashMap;

use uuid::Uuid;

use super::Switch;
use super::report::Report;
use crate::ids::CallId;
use crate::store::agents::{AgentStatus, AgentTable};

/// Who of the agents talks.
#[derive(Debug, Default)]
pub(super) struct Attendance(HashMap<Uuid, Talking>);

#[derive(Clone, Copy, Debug)]
struct Talking {
    calls: usize,
    /// What the agent is when they are over.
    after: AgentStatus,
}

impl Attendance {
    /// An agent has answered a call; whether its status is another now.
    fn answered(&mut self, agents: &mut AgentTable, agent: Uuid) -> bool {
        let Some(status) = agents.get(agent).map(|agent| agent.status) else {
            return false;
        };
        let after = match status {
            AgentStatus::Ringing => AgentStatus::Available,
            other => other,
        };
        let talking = self.0.entry(agent).or_insert(Talking { calls: 0, after });
        talking.calls += 1;
        agents.answered(agent)
    }

    /// A call that the agent has answered is over; whether its status is another now.
    fn parted(&mut self, agents: &mut AgentTable, agent: Uuid) -> bool {
        let Some(talking) = self.0.get_mut(&agent) else {
            return false;
        };
        talking.calls -= 1;
        if talking.calls > 0 {
            return false;
        }
        let after = talking.after;
        self.0.remove(&agent);
        let is_busy = |id| {
            agents
                .get(id)
                .is_some_and(|one| one.status == AgentStatus::Busy)
        };
        is_busy(agent) && agents.set_status(agent, after) != Some(after)
    }

    /// Somebody says what the agent is. `None`: there is no such agent; else whether it was something else.
    fn set(&mut self, agents: &mut AgentTable, agent: Uuid, status: AgentStatus) -> Option<bool> {
        let before = agents.set_status(agent, status)?;
        if let Some(talking) = self.0.get_mut(&agent) {
            talking.after = status;
        }
        Some(before != status)
    }

    /// Agents that talk.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

impl Switch {
    /// An agent is being called.
    pub(super) fn agent_rings(&mut self, agent: Uuid) {
        let has_turned = self.config.directory.agents.begin_ringing(agent);
        self.tell_agent(agent, has_turned);
    }

    /// An agent is called no more, and has not answered.
    pub(super) fn agent_unanswered(&mut self, agent: Uuid) {
        let has_turned = self.config.directory.agents.unanswered(agent);
        self.tell_agent(agent, has_turned);
    }

    /// An agent has answered by this call.
    pub(super) fn agent_answered(&mut self, agent: Uuid, call: CallId) {
        let Some(entry) = self.calls.get_mut(&call) else {
            return;
        };
        entry.agents.push(agent);
        let agents = &mut self.config.directory.agents;
        let has_turned = self.attendance.answered(agents, agent);
        self.tell_agent(agent, has_turned);
    }

    /// A call is over: whoever of the agents had answered by it may have time again.
    pub(super) fn agents_parted(&mut self, answered: &[Uuid]) {
        for agent in answered {
            let agents = &mut self.config.directory.agents;
            let has_turned = self.attendance.parted(agents, *agent);
            self.tell_agent(*agent, has_turned);
        }
    }

    /// Somebody says whether an agent has time. `false`: there is no such agent.
    pub(super) fn set_agent(&mut self, agent: Uuid, status: AgentStatus) -> bool {
        let agents = &mut self.config.directory.agents;
        let Some(has_turned) = self.attendance.set(agents, agent, status) else {
            return false;
        };
        self.queues.handle_agent(agent, status);
        self.tell_agent(agent, has_turned);
        true
    }

    fn tell_agent(&mut self, agent: Uuid, has_turned: bool) {
        let found = self.config.directory.agents.get(agent);
        if let Some(status) = found.map(|agent| agent.status).filter(|_| has_turned) {
            self.queues.stir();
            self.report(Report::Agent { agent, status });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::agents::{Agent, RingMethod};

    const ANN: Uuid = Uuid::from_u128(1);

    fn table(status: AgentStatus) -> AgentTable {
        AgentTable::new(vec![Agent {
            id: ANN,
            name: "ann".to_owned(),
            status,
            ring_method: RingMethod::RingAll,
            tags: Vec::new(),
            addresses: Vec::new(),
        }])
    }

    fn status(agents: &AgentTable) -> AgentStatus {
        agents.get(ANN).unwrap().status
    }

    #[test]
    fn agent_is_busy_until_the_last_call_it_answered_is_over() {
        let (mut agents, mut attendance) = (table(AgentStatus::Available), Attendance::default());
        agents.begin_ringing(ANN);
        assert!(attendance.answered(&mut agents, ANN));
        assert!(!attendance.answered(&mut agents, ANN));
        assert!(!attendance.parted(&mut agents, ANN));
        assert_eq!(status(&agents), AgentStatus::Busy);
        assert!(attendance.parted(&mut agents, ANN));
        assert_eq!(status(&agents), AgentStatus::Available);
        assert!(!attendance.parted(&mut agents, ANN));
        assert_eq!(attendance.len(), 0);
    }

    #[test]
    fn agent_that_had_no_time_has_none_after_the_call_either() {
        for before in [AgentStatus::Away, AgentStatus::Offline, AgentStatus::Busy] {
            let (mut agents, mut attendance) = (table(before), Attendance::default());
            attendance.answered(&mut agents, ANN);
            assert_eq!(status(&agents), AgentStatus::Busy);
            attendance.parted(&mut agents, ANN);
            assert_eq!(status(&agents), before);
        }
    }

    #[test]
    fn status_that_is_set_during_the_call_stays_after_it() {
        for given in [AgentStatus::Away, AgentStatus::Busy, AgentStatus::Available] {
            let (mut agents, mut attendance) =
                (table(AgentStatus::Available), Attendance::default());
            attendance.answered(&mut agents, ANN);
            assert!(attendance.set(&mut agents, ANN, given).is_some());
            assert_eq!(status(&agents), given);
            attendance.parted(&mut agents, ANN);
            assert_eq!(status(&agents), given);
        }
        let (mut agents, mut attendance) = (table(AgentStatus::Away), Attendance::default());
        let nobody = Uuid::from_u128(9);
        assert_eq!(attendance.set(&mut agents, nobody, AgentStatus::Away), None);
    }
}
