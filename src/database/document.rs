//! What is kept: one document a resource.

use std::fmt;
use std::sync::Arc;

use uuid::Uuid;

use super::micros::Micros;

/// What a document is: its name is unique, and says with [`Kind::shared`] whether other nodes follow its changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Kind {
    name: &'static str,
    is_shared: bool,
}

impl Kind {
    /// What happened at one node and is only read by others: calls, recordings, transcripts.
    #[must_use]
    pub const fn record(name: &'static str) -> Self {
        Self {
            name,
            is_shared: false,
        }
    }

    /// What all nodes go by: flows, numbers, extensions. Each write takes a [`Revision`], which lines the writes
    /// of all nodes up behind one another: right for hundreds a second, wrong for what every call writes.
    #[must_use]
    pub const fn shared(name: &'static str) -> Self {
        Self {
            name,
            is_shared: true,
        }
    }

    /// Its name, as in `call`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.name
    }

    /// Whether [`super::Records::changes`] tells of it.
    #[must_use]
    pub const fn is_shared(self) -> bool {
        self.is_shared
    }
}

/// One resource as it is kept. `kind`, `id`, `parent` and `created` stay as they were first written.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// What it is.
    pub kind: Kind,
    /// Its name, unique in its kind.
    pub id: Uuid,
    /// What else it is found by, where it has such a thing: an extension, a number, a user's name. Unique among
    /// the living of its kind.
    pub key: Option<String>,
    /// What it belongs to, for lists: a transcript to its transcription, a target to its list.
    pub parent: Option<Uuid>,
    /// When it came to be; lists are in this order.
    pub created: Micros,
    /// When it last changed.
    pub updated: Micros,
    /// When it was deleted; from then on no list shows it, and its key is free.
    pub deleted: Option<Micros>,
    /// The JSON object that the world sees.
    pub body: Body,
    /// JSON that nobody is shown: hashes, secrets.
    pub hidden: Option<Arc<str>>,
}

impl Document {
    /// A living one without key, parent and anything hidden.
    #[must_use]
    pub fn new(kind: Kind, id: Uuid, created: Micros, body: impl Into<Body>) -> Self {
        Self {
            kind,
            id,
            key: None,
            parent: None,
            created,
            updated: created,
            deleted: None,
            body: body.into(),
            hidden: None,
        }
    }
}

/// What a document says, as JSON text, or how to come by it.
#[derive(Clone)]
pub struct Body(Form);

#[derive(Clone)]
enum Form {
    Text(Arc<str>),
    Later(Arc<dyn Fn() -> String + Send + Sync>),
}

impl Body {
    /// A body that is rendered when it is read or written, on the task that does so: cheap for what changes again
    /// before that. `render` must always give the same text.
    #[must_use]
    pub fn later(render: impl Fn() -> String + Send + Sync + 'static) -> Self {
        Self(Form::Later(Arc::new(render)))
    }

    /// The text; one that is made later is made anew each time.
    #[must_use]
    pub fn text(&self) -> Arc<str> {
        match &self.0 {
            Form::Text(text) => Arc::clone(text),
            Form::Later(render) => render().into(),
        }
    }

    /// How much memory it holds; a guess for what is not rendered.
    pub(super) fn octets(&self) -> usize {
        match &self.0 {
            Form::Text(text) => text.len(),
            Form::Later(_) => UNRENDERED,
        }
    }
}

/// About what a call's facts take before they are text.
const UNRENDERED: usize = 2048;

impl From<Arc<str>> for Body {
    fn from(text: Arc<str>) -> Self {
        Self(Form::Text(text))
    }
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        Self(Form::Text(text.into()))
    }
}

impl From<&str> for Body {
    fn from(text: &str) -> Self {
        Self(Form::Text(text.into()))
    }
}

impl PartialEq for Body {
    fn eq(&self, other: &Self) -> bool {
        self.text() == other.text()
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

/// What [`super::Records::list`] is asked for: newest first, living only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListQuery {
    /// What is listed.
    pub kind: Kind,
    /// Only what belongs to this.
    pub parent: Option<Uuid>,
    /// Only what is older than this: the `created` of the last one of the page before.
    pub before: Option<Micros>,
    /// How many at most; a page is longer when several are as old as its last one, so that the next misses none.
    pub limit: u32,
}

impl ListQuery {
    /// Whether `document` is in the list, however long that is.
    pub(super) fn matches(&self, document: &Document) -> bool {
        document.deleted.is_none() && self.covers(document)
    }

    /// Whether `document` would be in the list if it lived.
    pub(super) fn covers(&self, document: &Document) -> bool {
        document.kind == self.kind
            && (self.parent.is_none() || document.parent == self.parent)
            && self.before.is_none_or(|before| document.created < before)
    }
}

/// How far a node has followed the changes of shared kinds; the default is the beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Revision(pub(super) i64);
