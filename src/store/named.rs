//! Things with an id and a name, found by either.

use std::collections::HashMap;

use uuid::Uuid;

/// A table in the order of the configuration.
#[derive(Clone, Debug)]
pub(super) struct Named<T> {
    things: Vec<T>,
    ids: HashMap<Uuid, usize>,
    names: HashMap<String, usize>,
}

impl<T> Default for Named<T> {
    fn default() -> Self {
        Self::new(Vec::new(), |_| (Uuid::nil(), ""))
    }
}

impl<T> Named<T> {
    /// Takes `things`, each with what `key` says of it; the first of two with one id or name is found.
    pub(super) fn new(things: Vec<T>, key: impl Fn(&T) -> (Uuid, &str)) -> Self {
        let (mut ids, mut names) = (HashMap::new(), HashMap::new());
        for (index, thing) in things.iter().enumerate() {
            let (id, name) = key(thing);
            ids.entry(id).or_insert(index);
            names.entry(name.to_lowercase()).or_insert(index);
        }
        Self { things, ids, names }
    }

    pub(super) fn get(&self, id: Uuid) -> Option<&T> {
        self.things.get(*self.ids.get(&id)?)
    }

    pub(super) fn get_mut(&mut self, id: Uuid) -> Option<&mut T> {
        self.things.get_mut(*self.ids.get(&id)?)
    }

    /// By id, else by name in any case.
    pub(super) fn find(&self, reference: &str) -> Option<&T> {
        let by_id = Uuid::parse_str(reference).ok().and_then(|id| self.get(id));
        by_id.or_else(|| self.things.get(*self.names.get(&reference.to_lowercase())?))
    }

    /// Ids and names are not to be changed.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.things.iter_mut()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.things.iter()
    }
}
