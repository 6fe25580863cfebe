//! Whom the switch can call, as the configuration names them.

use super::access::DialAllow;
use super::agents::AgentTable;
use super::conferences::ConferenceTable;
use super::protection::ProtectionTable;
use super::queues::QueueTable;
use super::trunks::TrunkTable;

/// All of them, with what is going on at each.
#[derive(Clone, Debug, Default)]
pub struct Directory {
    /// Where telephone numbers leave.
    pub trunks: TrunkTable,
    /// Who takes calls.
    pub agents: AgentTable,
    /// Where callers wait for them.
    pub queues: QueueTable,
    /// Where callers meet.
    pub conferences: ConferenceTable,
    /// Where a `sip:` target may be beside trunks and private networks.
    pub dial_allow: DialAllow,
    /// With whom sound is protected.
    pub protection: ProtectionTable,
}
