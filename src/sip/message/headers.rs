//! The header fields of a message, in their order.

use bytes::Bytes;

use super::header_name::HeaderName;
use super::token;

/// An ordered list of header fields; values are slices of the datagram they came in.
///
/// Every value that is put in by hand is cleaned of CR, LF and NUL, so no text from a flow, an API or
/// another leg can add a header or end the header block.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers(Vec<(HeaderName, Bytes)>);

impl Headers {
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    pub(super) fn with_capacity(fields: usize) -> Self {
        Self(Vec::with_capacity(fields))
    }

    /// Adds a field behind all others.
    pub fn push(&mut self, name: HeaderName, value: impl Into<Bytes>) {
        self.0.push((name, token::clean(value.into())));
    }

    /// Adds a field before all others.
    pub fn insert_front(&mut self, name: HeaderName, value: impl Into<Bytes>) {
        self.0.insert(0, (name, token::clean(value.into())));
    }

    /// Makes this the only field of its name, at the place of the first one, else at the end.
    pub fn set(&mut self, name: HeaderName, value: impl Into<Bytes>) {
        let value = token::clean(value.into());
        let Some(first) = self.0.iter().position(|(known, _)| *known == name) else {
            self.0.push((name, value));
            return;
        };
        self.0[first].1 = value;
        let mut index = 0;
        self.0.retain(|(known, _)| {
            index += 1;
            index <= first + 1 || *known != name
        });
    }

    /// Replaces the value of the first field of this name only; false when there is none.
    pub fn set_first(&mut self, name: &HeaderName, value: impl Into<Bytes>) -> bool {
        let first = self.0.iter_mut().find(|(known, _)| known == name);
        let found = first.is_some();
        if let Some((_, old)) = first {
            *old = token::clean(value.into());
        }
        found
    }

    /// Removes every field of this name.
    pub fn remove(&mut self, name: &HeaderName) {
        self.0.retain(|(known, _)| known != name);
    }

    /// The value of the first field of this name, trimmed and unfolded.
    #[must_use]
    pub fn get(&self, name: &HeaderName) -> Option<&Bytes> {
        let field = self.0.iter().find(|(known, _)| known == name);
        field.map(|(_, value)| value)
    }

    /// The values of all fields of this name; a field may itself hold a comma list.
    pub fn get_all<'a>(&'a self, name: &'a HeaderName) -> impl Iterator<Item = &'a Bytes> {
        self.0
            .iter()
            .filter(move |(known, _)| known == name)
            .map(|(_, value)| value)
    }

    #[must_use]
    pub fn has(&self, name: &HeaderName) -> bool {
        self.get(name).is_some()
    }

    pub fn iter(&self) -> impl Iterator<Item = (&HeaderName, &Bytes)> {
        self.0.iter().map(|(name, value)| (name, value))
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds a value that came from the wire as it is: no CR or LF, a NUL only as a quoted pair.
    pub(super) fn push_received(&mut self, name: HeaderName, value: Bytes) {
        self.0.push((name, value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn set_leaves_one_field_where_the_first_one_was() {
        let mut headers = Headers::new();
        for (name, value) in [
            ("Route", "1"),
            ("Via", "2"),
            ("Route", "3"),
            ("To", "4"),
            ("Route", "5"),
        ] {
            headers.push(HeaderName::parse(name).unwrap(), value);
        }
        headers.set(HeaderName::Route, "6");
        headers.set(HeaderName::From, "7");
        let values: Vec<&Bytes> = headers.iter().map(|(_, value)| value).collect();
        assert_eq!(values, ["6", "2", "4", "7"]);
        headers.remove(&HeaderName::Route);
        assert_eq!(headers.get(&HeaderName::Route), None);
        assert_eq!(headers.len(), 3);
    }
}
