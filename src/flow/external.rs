//! How the sound of a call travels to another host: which words of `external_media_start` go together.

/// What carries the sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// RTP over UDP.
    Rtp(SoundFormat),
    /// AudioSocket over TCP, which has one format of its own.
    AudioSocket,
    /// A WebSocket.
    WebSocket(SoundFormat),
}

/// How samples are written; 8 kHz, one channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SoundFormat {
    /// G.711 µ-law.
    Ulaw,
    /// G.711 A-law.
    Alaw,
    /// Signed linear, 16 bit.
    Slin,
}

/// Why sound cannot travel as it is asked to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CarrierError {
    /// These two do not go together, or one of them is no word for it.
    #[error("rtp goes over udp, audiosocket over tcp, and none over websocket")]
    Pair,
    /// The other side would have to connect to us.
    #[error("the connection_type must be client: nobody is waited for")]
    NotClient,
    /// No format that is known here.
    #[error("the format must be ulaw, alaw or slin")]
    Format,
}

impl CarrierError {
    /// For the outcome of a flow's command.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pair => "encapsulation and transport do not go together",
            Self::NotClient => "the connection_type must be client",
            Self::Format => "the format must be ulaw, alaw or slin",
        }
    }
}

impl Carrier {
    /// The carrier that the words of an action name. Of encapsulation and transport one may be left out;
    /// without both it is RTP.
    ///
    /// # Errors
    /// When they name none.
    pub fn of(
        encapsulation: &str,
        transport: &str,
        connection_type: &str,
        format: &str,
    ) -> Result<Self, CarrierError> {
        let format = SoundFormat::of(format).ok_or(CarrierError::Format)?;
        if !matches!(connection_type, "" | "client") {
            return Err(CarrierError::NotClient);
        }
        match (encapsulation, transport) {
            ("" | "rtp", "udp") | ("" | "rtp", "") => Ok(Self::Rtp(format)),
            ("" | "audiosocket", "tcp") | ("audiosocket", "") => Ok(Self::AudioSocket),
            ("" | "none", "websocket") | ("none", "") => Ok(Self::WebSocket(format)),
            _ => Err(CarrierError::Pair),
        }
    }
}

impl SoundFormat {
    fn of(word: &str) -> Option<Self> {
        match word {
            "" | "ulaw" => Some(Self::Ulaw),
            "alaw" => Some(Self::Alaw),
            "slin" => Some(Self::Slin),
            _ => None,
        }
    }

    /// As actions write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ulaw => "ulaw",
            Self::Alaw => "alaw",
            Self::Slin => "slin",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_go_together_name_a_carrier_and_all_others_none() {
        let pair = |encapsulation, transport| Carrier::of(encapsulation, transport, "", "slin");
        let rtp = Ok(Carrier::Rtp(SoundFormat::Slin));
        let websocket = Ok(Carrier::WebSocket(SoundFormat::Slin));
        let known = [
            ("", "", rtp),
            ("rtp", "", rtp),
            ("", "udp", rtp),
            ("rtp", "udp", rtp),
            ("audiosocket", "", Ok(Carrier::AudioSocket)),
            ("", "tcp", Ok(Carrier::AudioSocket)),
            ("audiosocket", "tcp", Ok(Carrier::AudioSocket)),
            ("none", "", websocket),
            ("", "websocket", websocket),
            ("none", "websocket", websocket),
        ];
        let words = |list: &[&'static str]| list.to_vec();
        for encapsulation in words(&["", "rtp", "audiosocket", "none", "x"]) {
            for transport in words(&["", "udp", "tcp", "websocket", "x"]) {
                let named = known
                    .iter()
                    .find(|row| (row.0, row.1) == (encapsulation, transport));
                let expected = named.map_or(Err(CarrierError::Pair), |row| row.2);
                assert_eq!(pair(encapsulation, transport), expected);
            }
        }
    }

    #[test]
    fn only_a_client_and_only_three_formats_are_carried() {
        let of = |connection_type, format| Carrier::of("rtp", "udp", connection_type, format);
        assert_eq!(of("server", "ulaw"), Err(CarrierError::NotClient));
        assert_eq!(of("client", "opus"), Err(CarrierError::Format));
        assert_eq!(of("client", "alaw"), Ok(Carrier::Rtp(SoundFormat::Alaw)));
    }
}
