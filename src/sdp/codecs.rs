//! Which codecs we speak, and in which order we offer them.

use std::sync::Arc;

use flowswitch_media::codec::Codec;

/// What we speak, best first: the order of our own offers. An answer keeps the order of the offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Codecs(Arc<[Codec]>);

/// Why a list of names is no list of codecs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CodecsError {
    /// Nothing could be agreed on.
    #[error("names no codec")]
    Empty,
    /// A name stands there twice.
    #[error("{name:?} stands there twice")]
    Twice {
        /// Which.
        name: String,
    },
    /// A name that is none of ours.
    #[error("{name:?} is no codec of ours{}", hint(*.nearest))]
    Unknown {
        /// It.
        name: String,
        /// The one that is most like it.
        nearest: Option<&'static str>,
    },
}

/// What they are called where a configuration names them.
const NAMES: [(&str, Codec); 6] = [
    ("pcmu", Codec::Pcmu),
    ("pcma", Codec::Pcma),
    ("g722", Codec::G722),
    ("opus", Codec::Opus),
    ("l16", Codec::L16),
    ("l16-16000", Codec::L16Wide),
];

impl Codecs {
    /// Both laws of G.711 and nothing else: for sound that has to come back as it went.
    #[must_use]
    pub fn g711() -> Self {
        Self(Arc::new([Codec::Pcmu, Codec::Pcma]))
    }

    /// Reads names in any case, first what is offered first.
    ///
    /// # Errors
    ///
    /// When there is none, one twice, or one that is not known.
    pub fn parse<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, CodecsError> {
        let mut codecs = Vec::new();
        for name in names {
            let known = NAMES
                .iter()
                .find(|(known, _)| known.eq_ignore_ascii_case(name));
            let Some((_, codec)) = known else {
                return Err(CodecsError::Unknown {
                    name: name.to_owned(),
                    nearest: nearest(name),
                });
            };
            if codecs.contains(codec) {
                let name = name.to_owned();
                return Err(CodecsError::Twice { name });
            }
            codecs.push(*codec);
        }
        if codecs.is_empty() {
            return Err(CodecsError::Empty);
        }
        Ok(Self(codecs.into()))
    }

    /// What they are called in a description, in their order.
    #[must_use]
    pub fn names(&self) -> Vec<&'static str> {
        self.iter().map(Codec::name).collect()
    }

    /// In their order.
    pub fn iter(&self) -> impl Iterator<Item = Codec> {
        self.0.iter().copied()
    }

    /// Whether we speak it.
    #[must_use]
    pub fn has(&self, codec: Codec) -> bool {
        self.0.contains(&codec)
    }

    /// The same, but first what spares us work beside a partner who has `codec`: the very same, then those of
    /// its band.
    #[must_use]
    pub fn beside(&self, codec: Codec) -> Self {
        let mut codecs: Vec<Codec> = self.iter().collect();
        codecs.sort_by_key(|ours| (*ours != codec, ours.band() != codec.band()));
        Self(codecs.into())
    }
}

impl Default for Codecs {
    /// The telephone's own first: they cost next to nothing, and every peer has one of them.
    fn default() -> Self {
        Self([Codec::Pcmu, Codec::Pcma, Codec::G722, Codec::Opus].into())
    }
}

/// The name that is most like a wrong one.
fn nearest(name: &str) -> Option<&'static str> {
    let name = name.to_ascii_lowercase();
    NAMES
        .iter()
        .map(|(known, _)| (strsim::jaro_winkler(known, &name), *known))
        .filter(|(likeness, _)| *likeness > 0.7)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, known)| known)
}

fn hint(nearest: Option<&str>) -> String {
    match nearest {
        Some(name) => format!("; did you mean {name:?}?"),
        None => {
            let names: Vec<&str> = NAMES.iter().map(|(name, _)| *name).collect();
            format!("; there are {}", names.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_in_any_case_and_keep_their_order() {
        let codecs = Codecs::parse(["Opus", "PCMA", "l16-16000"]).unwrap();
        let expected = [Codec::Opus, Codec::Pcma, Codec::L16Wide];
        assert!(codecs.iter().eq(expected));
        assert!(codecs.has(Codec::Pcma) && !codecs.has(Codec::Pcmu));
    }

    #[test]
    fn wrong_lists_say_what_is_wrong() {
        let error = |names: &[&str]| {
            Codecs::parse(names.iter().copied())
                .unwrap_err()
                .to_string()
        };
        assert_eq!(error(&[]), "names no codec");
        assert_eq!(error(&["pcmu", "PCMU"]), "\"PCMU\" stands there twice");
        let unknown = error(&["g.722"]);
        assert_eq!(
            unknown,
            "\"g.722\" is no codec of ours; did you mean \"g722\"?"
        );
        assert!(error(&["x"]).ends_with("there are pcmu, pcma, g722, opus, l16, l16-16000"));
    }

    #[test]
    fn beside_a_partner_its_codec_and_its_band_come_first() {
        let ours = Codecs::default();
        let beside = |codec| ours.beside(codec).iter().collect::<Vec<_>>();
        assert_eq!(
            beside(Codec::Opus),
            [Codec::Opus, Codec::G722, Codec::Pcmu, Codec::Pcma]
        );
        assert_eq!(
            beside(Codec::Pcma),
            [Codec::Pcma, Codec::Pcmu, Codec::G722, Codec::Opus]
        );
        let unknown_to_us = beside(Codec::L16Wide);
        assert_eq!(
            unknown_to_us,
            [Codec::G722, Codec::Opus, Codec::Pcmu, Codec::Pcma]
        );
    }
}
