//! Why a piece of a message could not be read.

/// A header, a URI or a part of them that does not follow its grammar.
///
/// Whoever asks for a typed view decides what follows: a request is answered with 400, a response is
/// dropped, an optional header may be passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum ParseError {
    /// The header is not there, but the request cannot be understood without it.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// The text does not follow its grammar.
    #[error("malformed {0}")]
    Malformed(&'static str),
    /// More elements than any honest peer sends.
    #[error("too many {0}")]
    TooMany(&'static str),
    /// Well formed, but of a kind that is not spoken here; for credentials: as if they were absent.
    #[error("unsupported {0}")]
    Unsupported(&'static str),
}
