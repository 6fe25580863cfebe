//! `codecs` of `[rtp]` and of a trunk.

use toml::Spanned;

use super::FileError;
use super::file::{FileConfig, Origin};
use crate::sdp::codecs::Codecs;
use crate::store::codecs::CodecTable;

/// Reads both; they may not be empty.
pub(super) fn codecs(file: &FileConfig) -> Result<CodecTable, FileError> {
    let origin = &file.origin;
    let usual = match &file.rtp.codecs {
        Some(names) => read(origin, "rtp.codecs", names)?,
        None => Codecs::default(),
    };
    let own = file.trunks.iter().filter_map(|trunk| {
        let codecs = read(origin, "trunks.codecs", trunk.codecs.as_ref()?);
        Some(codecs.map(|codecs| (trunk.name.as_ref().clone(), codecs)))
    });
    Ok(CodecTable {
        usual,
        trunks: own.collect::<Result<_, _>>()?,
    })
}

fn read(
    origin: &Origin,
    key: &'static str,
    names: &Spanned<Vec<String>>,
) -> Result<Codecs, FileError> {
    let codecs = Codecs::parse(names.as_ref().iter().map(String::as_str));
    codecs.map_err(|why| {
        let (file, line) = origin.place(names.span());
        FileError::Codecs {
            file,
            line,
            key,
            why,
        }
    })
}
