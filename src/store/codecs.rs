//! What is spoken with whom.

use std::collections::HashMap;

use crate::sdp::codecs::Codecs;

/// The codecs of the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CodecTable {
    /// With whoever is no trunk, or one without codecs of its own.
    pub usual: Codecs,
    /// With a trunk, by its name.
    pub trunks: HashMap<String, Codecs>,
}

impl CodecTable {
    /// With a trunk of this name, or with somebody who is none.
    #[must_use]
    pub fn with(&self, trunk: Option<&str>) -> &Codecs {
        trunk
            .and_then(|trunk| self.trunks.get(trunk))
            .unwrap_or(&self.usual)
    }
}
