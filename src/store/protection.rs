//! With whom sound is protected (SRTP).

use std::collections::HashMap;

use crate::sdp::crypto::SrtpPolicy;

/// What is wanted of everybody, and of trunks that the configuration says something else of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProtectionTable {
    usual: SrtpPolicy,
    trunks: HashMap<String, SrtpPolicy>,
}

impl ProtectionTable {
    /// `trunks` by their names.
    #[must_use]
    pub const fn new(usual: SrtpPolicy, trunks: HashMap<String, SrtpPolicy>) -> Self {
        Self { usual, trunks }
    }

    /// What is wanted of a trunk, or of anybody else.
    #[must_use]
    pub fn of(&self, trunk: Option<&str>) -> SrtpPolicy {
        let special = trunk.and_then(|name| self.trunks.get(name));
        special.copied().unwrap_or(self.usual)
    }
}
