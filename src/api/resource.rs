//! What all resources have in common: how they are kept, listed, shown, changed and deleted.
//!
//! A resource is a struct that looks as the API shows it, with a [`Stamp`] flattened into it, and one `impl` of
//! [`Resource`]. Its handlers are a line or two each:
//!
//! ```text
//!   list     api.list::<Tag>(page)                      -> Answer<Listed<Tag>>
//!   get      api.get::<Tag>(id)                         -> Answer<Shown<Tag>>
//!   create   api.create(Tag { stamp: api.stamp(), .. })       "
//!   replace  api.change(id, |tag: &mut Tag| ..)               "
//!   delete   api.delete::<Tag>(id)                            "
//! ```
//!
//! Each change is kept, told as an [`Event`](super::events::Event) `<kind>_created`, `_updated` or `_deleted`, and,
//! where the kind is shared among nodes (what is configured), given to the switch before the client has its answer.

use std::fmt::Write as _;
use std::marker::PhantomData;
use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::Api;
use super::json::text_response;
use super::parameters::Page;
use super::reason::Reason;
use super::refusal::Refusal;
use super::timestamp::Timestamp;
use crate::database::{Document, Kind, ListQuery, Micros};

/// What a handler gives.
pub type Answer<T> = Result<T, Refusal>;

/// What every resource begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Stamp {
    /// Which.
    pub id: Uuid,
    /// Whose; there is one customer, the same for everything.
    #[serde(default)]
    pub customer_id: Uuid,
    /// When it came to be.
    pub tm_create: Timestamp,
    /// When it last changed.
    #[serde(default)]
    #[schema(required)]
    pub tm_update: Option<Timestamp>,
    /// When it was deleted.
    #[serde(default)]
    #[schema(required)]
    pub tm_delete: Option<Timestamp>,
}

/// A thing that the API shows, as it shows it.
pub trait Resource: Serialize + DeserializeOwned + ToSchema + Send + Sync + 'static {
    /// What it is; [`Kind::shared`] for what is configured.
    const KIND: Kind;
    /// Why a request fails when there is none of its id.
    const MISSING: Reason = Reason::ResourceNotFound;
    /// Why a GET fails when it has been deleted.
    const DELETED: Reason = Self::MISSING;

    /// Its stamp.
    fn stamp(&self) -> &Stamp;

    /// Its stamp, to be changed.
    fn stamp_mut(&mut self) -> &mut Stamp;

    /// What else it is found by, unique among the living of its kind.
    fn key(&self) -> Option<String> {
        None
    }

    /// What it belongs to.
    fn parent(&self) -> Option<Uuid> {
        None
    }

    /// What else changes when it is deleted.
    fn bury(&mut self) {}

    /// As it is kept.
    fn document(&self) -> Document {
        let stamp = self.stamp();
        Document {
            kind: Self::KIND,
            id: stamp.id,
            key: self.key(),
            parent: self.parent(),
            created: stamp.tm_create.0,
            updated: stamp.tm_update.unwrap_or(stamp.tm_create).0,
            deleted: stamp.tm_delete.map(|deleted| deleted.0),
            body: serde_json::to_string(self)
                .expect("a struct with string keys is JSON")
                .into(),
            hidden: None,
        }
    }

    /// Out of a document.
    ///
    /// # Errors
    /// Another version has written it, and this one cannot read it.
    fn read(document: &Document) -> Answer<Self> {
        serde_json::from_str(&document.body.text()).map_err(|error| {
            tracing::error!(kind = Self::KIND.name(), id = %document.id, %error, "cannot read what is kept");
            Reason::Internal.into()
        })
    }
}

/// Says of a struct that it is a resource with a field `stamp`: its kind, and further items of the trait.
macro_rules! resource {
    ($resource:ty: $kind:expr $(, missing $missing:ident)? $(, key $key:expr)? $(, parent $parent:expr)? $(, bury $bury:expr)? $(,)?) => {
        impl $crate::api::resource::Resource for $resource {
            const KIND: $crate::database::Kind = $kind;
            $(const MISSING: $crate::api::reason::Reason = $crate::api::reason::Reason::$missing;)?

            fn stamp(&self) -> &$crate::api::resource::Stamp {
                &self.stamp
            }

            fn stamp_mut(&mut self) -> &mut $crate::api::resource::Stamp {
                &mut self.stamp
            }

            $(fn key(&self) -> Option<String> {
                let key: fn(&Self) -> Option<String> = $key;
                key(self)
            })?

            $(fn parent(&self) -> Option<uuid::Uuid> {
                let parent: fn(&Self) -> Option<uuid::Uuid> = $parent;
                parent(self)
            })?

            $(fn bury(&mut self) {
                let bury: fn(&mut Self) = $bury;
                bury(self);
            })?
        }
    };
}
pub(crate) use resource;

/// One resource as it is kept, for a response.
#[derive(Debug)]
pub struct Shown<R>(pub Document, PhantomData<fn() -> R>);

impl<R> Shown<R> {
    /// Shows a document of this resource.
    #[must_use]
    pub const fn new(document: Document) -> Self {
        Self(document, PhantomData)
    }
}

impl<R> IntoResponse for Shown<R> {
    fn into_response(self) -> Response {
        text_response(self.0.body.text().to_string())
    }
}

/// A part of a list. Resources are text already, so it is for documentation and for lists of other things.
#[derive(Debug, Serialize, ToSchema)]
pub struct Listed<R> {
    /// The newest first.
    pub result: Vec<R>,
    /// The page_token of what comes after; empty when nothing is listed.
    pub next_page_token: String,
}

/// Documents, as a [`Listed`] of their resource.
#[derive(Debug)]
pub struct Listing<R>(pub Vec<Document>, PhantomData<fn() -> R>);

impl<R> Listing<R> {
    /// Lists documents of this resource, in their order.
    #[must_use]
    pub const fn new(documents: Vec<Document>) -> Self {
        Self(documents, PhantomData)
    }
}

impl<R> IntoResponse for Listing<R> {
    fn into_response(self) -> Response {
        let mut text = String::from(r#"{"result":["#);
        for (index, document) in self.0.iter().enumerate() {
            if index > 0 {
                text.push(',');
            }
            text.push_str(&document.body.text());
        }
        text.push_str(r#"],"next_page_token":""#);
        if let Some(last) = self.0.last() {
            write!(text, "{}", last.created).expect("a string takes everything");
        }
        text.push_str(r#""}"#);
        text_response(text)
    }
}

impl Api {
    /// The stamp of a new resource.
    #[must_use]
    pub fn stamp(&self) -> Stamp {
        Stamp {
            id: self.uuid(),
            customer_id: self.customer,
            tm_create: self.clock.wall().into(),
            tm_update: None,
            tm_delete: None,
        }
    }

    /// A page of all of a kind.
    pub async fn list<R: Resource>(&self, page: Page) -> Answer<Listing<R>> {
        self.list_where(page, None).await
    }

    /// A page of what belongs to `parent`.
    pub async fn list_of<R: Resource>(&self, parent: Uuid, page: Page) -> Answer<Listing<R>> {
        self.list_where(page, Some(parent)).await
    }

    async fn list_where<R: Resource>(
        &self,
        page: Page,
        parent: Option<Uuid>,
    ) -> Answer<Listing<R>> {
        let query = ListQuery {
            kind: R::KIND,
            parent,
            before: page.before,
            limit: page.size,
        };
        let mut documents = self.records.list(&query).await?;
        let configured = self.configured();
        let shown = configured.of(R::KIND).iter().filter(|document| {
            let is_older = page.before.is_none_or(|before| document.created < before);
            is_older && (parent.is_none() || document.parent == parent)
        });
        let written = documents.len();
        documents.extend(shown.cloned());
        if documents.len() > written {
            documents.sort_by_key(|document| std::cmp::Reverse(document.created));
        }
        // Those that are as old as the last one go with it, or the next page would miss them.
        let is_over = |index: usize| documents[index].created != documents[index - 1].created;
        let end = (page.size.max(1) as usize..documents.len()).find(|index| is_over(*index));
        documents.truncate(end.unwrap_or(documents.len()));
        Ok(Listing::new(documents))
    }

    /// The one of this id.
    pub async fn get<R: Resource>(&self, id: Uuid) -> Answer<Shown<R>> {
        Ok(Shown::new(self.document::<R>(id).await?))
    }

    /// What is known of the one of this id, hidden things included.
    pub async fn document<R: Resource>(&self, id: Uuid) -> Answer<Document> {
        if let Some(configured) = self.configured().get(R::KIND, id) {
            return Ok(configured.clone());
        }
        match self.records.get(R::KIND, id).await? {
            None => Err(R::MISSING.into()),
            Some(document) if document.deleted.is_some() => Err(R::DELETED.into()),
            Some(document) => Ok(document),
        }
    }

    /// The living one of this key.
    pub async fn find<R: Resource>(&self, key: &str) -> Answer<Option<Document>> {
        if let Some(configured) = self.configured().find(R::KIND, key) {
            return Ok(Some(configured.clone()));
        }
        Ok(self.records.find(R::KIND, key).await?)
    }

    /// Keeps a new one.
    pub async fn create<R: Resource>(&self, resource: R) -> Answer<Shown<R>> {
        self.keep_new(resource.document()).await
    }

    /// Keeps a new one whose document holds more than the resource tells: a key, or what nobody is shown.
    pub async fn keep_new<R: Resource>(&self, document: Document) -> Answer<Shown<R>> {
        self.free::<R>(&document)?;
        self.records.create(document.clone()).await?;
        self.told::<R>("created", &document).await;
        Ok(Shown::new(document))
    }

    /// Changes the one of this id as `change` says.
    pub async fn change<R: Resource>(
        &self,
        id: Uuid,
        change: impl FnOnce(&mut R) -> Answer<()>,
    ) -> Answer<Shown<R>> {
        self.change_hidden(id, |resource, _| change(resource)).await
    }

    /// Changes the one of this id and what is hidden beside it.
    pub async fn change_hidden<R: Resource>(
        &self,
        id: Uuid,
        change: impl FnOnce(&mut R, &mut Option<Arc<str>>) -> Answer<()>,
    ) -> Answer<Shown<R>> {
        let known = self.own::<R>(id).await?;
        let mut hidden = known.hidden.clone();
        let mut resource = R::read(&known)?;
        change(&mut resource, &mut hidden)?;
        let now = self.after(known.updated);
        resource.stamp_mut().tm_update = Some(now.into());
        let mut document = resource.document();
        document.hidden = hidden;
        document.key = document.key.or_else(|| known.key.clone());
        if document.key != known.key {
            self.free::<R>(&document)?;
        }
        self.records.replace(document.clone()).await?;
        self.told::<R>("updated", &document).await;
        Ok(Shown::new(document))
    }

    /// Deletes the one of this id: it is shown once more, and in no list from then on.
    pub async fn delete<R: Resource>(&self, id: Uuid) -> Answer<Shown<R>> {
        let known = self.own::<R>(id).await?;
        let mut resource = R::read(&known)?;
        let now = self.after(known.updated);
        let stamp = resource.stamp_mut();
        stamp.tm_update = Some(now.into());
        stamp.tm_delete = Some(now.into());
        resource.bury();
        let mut document = resource.document();
        document.key = known.key;
        document.hidden = known.hidden;
        self.records.replace(document.clone()).await?;
        self.told::<R>("deleted", &document).await;
        Ok(Shown::new(document))
    }

    /// One that the API may change.
    async fn own<R: Resource>(&self, id: Uuid) -> Answer<Document> {
        if self.configured().get(R::KIND, id).is_some() {
            let message =
                "it comes from a file of the switch and is read-only here; change the file";
            return Err(Refusal::new(Reason::StateInvalid, message));
        }
        self.document::<R>(id).await
    }

    /// That no file has its key.
    fn free<R: Resource>(&self, document: &Document) -> Answer<()> {
        let configured = self.configured();
        let key = document.key.as_deref();
        match key.and_then(|key| configured.find(R::KIND, key)) {
            Some(_) => Err(Reason::AlreadyExists.into()),
            None => Ok(()),
        }
    }

    /// Now, and not before `earlier`: another node's clock may be ahead.
    fn after(&self, earlier: Micros) -> Micros {
        self.clock.wall().max(earlier)
    }

    async fn told<R: Resource>(&self, what: &str, document: &Document) {
        self.events.tell(R::KIND, what, document);
        if R::KIND.is_shared()
            && let Err(error) = self.line.configure().await
        {
            tracing::warn!(%error, kind = R::KIND.name(), "a change is kept, and the switch does not know it yet");
        }
    }
}
