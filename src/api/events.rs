//! What happened, for webhooks and the websocket.

use std::sync::Arc;

use tokio::sync::broadcast;
use uuid::Uuid;

use crate::database::{Body, Document, Kind};

/// One thing that happened to a resource.
#[derive(Clone, Debug)]
pub struct Event {
    /// As in `call_hangup`.
    pub name: String,
    /// Of what.
    pub kind: Kind,
    /// Of which.
    pub id: Uuid,
    /// The resource as it is now.
    pub data: Body,
}

impl Event {
    /// As it is sent: `{"type":…,"data":…}`.
    #[must_use]
    pub fn body(&self) -> String {
        format!(r#"{{"type":"{}","data":{}}}"#, self.name, self.data.text())
    }
}

/// Where events are told.
#[derive(Clone, Debug)]
pub struct Events(broadcast::Sender<Arc<Event>>);

/// How far a listener may fall behind before it misses some, which it is told.
const BEHIND: usize = 4096;

impl Events {
    /// Nobody listens yet.
    #[must_use]
    pub fn new() -> Self {
        Self(broadcast::Sender::new(BEHIND))
    }

    /// Tells that the resource in `document` was `created`, `updated`, `hangup`, …; its name is told as
    /// `<kind>_<what>`.
    pub fn tell(&self, kind: Kind, what: &str, document: &Document) {
        if self.0.receiver_count() == 0 {
            return;
        }
        let event = Event {
            name: format!("{}_{what}", kind.name()),
            kind,
            id: document.id,
            data: document.body.clone(),
        };
        // Whoever listened has just gone.
        let _ = self.0.send(Arc::new(event));
    }

    /// What is told from now on.
    #[must_use]
    pub fn listen(&self) -> broadcast::Receiver<Arc<Event>> {
        self.0.subscribe()
    }
}

impl Default for Events {
    fn default() -> Self {
        Self::new()
    }
}
