//! Tags and references of XML as SSML uses them.

use quick_xml::XmlVersion;
use quick_xml::escape::resolve_xml_entity;
use quick_xml::events::{BytesRef, BytesStart};

/// A start tag: its name without prefix, and its attributes.
pub(super) struct Element {
    pub(super) name: String,
    attributes: Vec<(String, String)>,
}

impl Element {
    /// `None` when its attributes are not well-formed.
    pub(super) fn read(tag: &BytesStart<'_>) -> Option<Self> {
        let mut attributes = Vec::new();
        for attribute in tag.attributes() {
            let attribute = attribute.ok()?;
            let value = attribute
                .normalized_value(XmlVersion::Implicit1_0)
                .unwrap_or_else(|_| attribute.value.clone());
            attributes.push((attribute.key.as_ref().to_owned(), value.into_owned()));
        }
        Some(Self {
            name: tag.local_name().as_ref().to_ascii_lowercase(),
            attributes,
        })
    }

    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    pub(super) fn text(&self, name: &str) -> String {
        self.attribute(name).unwrap_or_default().trim().to_owned()
    }
}

/// The character of a reference; a name that XML does not have is said as it is written.
pub(super) fn replacement(reference: &BytesRef<'_>) -> String {
    let name: &str = reference;
    match reference.resolve_char_ref() {
        Ok(Some(character)) => character.to_string(),
        Ok(None) if name == "nbsp" => " ".to_owned(),
        _ => resolve_xml_entity(name).map_or_else(|| format!("&{name};"), str::to_owned),
    }
}
