//! What the API has made, as the switch goes by it.

use std::collections::HashMap;
use std::sync::Arc;

use uuid::Uuid;

use super::agents::Agent;
use super::configured::FlowFile;
use super::extensions::Extension;
use super::flows::{Flow, id_of_file};
use super::numbers::Number;
use super::resource::Resource;
use crate::database::{DatabaseError, Kind, Micros, Records};
use crate::flow;
use crate::flow::dialect::{Support, parse_flow};
use crate::ids::Rng;
use crate::store;

/// What the API has made.
#[derive(Clone, Debug, Default)]
pub struct Made {
    /// Its flows.
    pub flows: Vec<Arc<flow::Flow>>,
    /// Its numbers.
    pub numbers: Vec<store::flows::Number>,
    /// Its extensions, with their passwords.
    pub extensions: Vec<(String, String)>,
    /// Its agents.
    pub agents: Vec<store::agents::Agent>,
}

/// Reads what the API has made; flows that have not changed since the last time are not read again.
#[derive(Debug, Default)]
pub struct MadeReader {
    flows: HashMap<Uuid, (Micros, Option<Arc<flow::Flow>>)>,
}

impl MadeReader {
    /// The kinds that it reads.
    pub const KINDS: [Kind; 4] = [Flow::KIND, Number::KIND, Extension::KIND, Agent::KIND];

    /// All of it now. `files` are the flows of the directory, which numbers may lead to.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn read(
        &mut self,
        records: &Records,
        files: &[FlowFile],
    ) -> Result<Made, DatabaseError> {
        let mut known = std::mem::take(&mut self.flows);
        let mut made = Made::default();
        for document in records.all(Flow::KIND).await? {
            let unchanged = known
                .remove(&document.id)
                .filter(|(updated, _)| *updated == document.updated);
            let (_, flow) = self.flows.entry(document.id).or_insert_with(|| {
                unchanged.unwrap_or_else(|| (document.updated, flow_of(&document.body.text())))
            });
            made.flows.extend(flow.clone());
        }
        // In the order of their making, so that of two which claim the same the first has it.
        made.flows.reverse();
        for number in all::<Number>(records).await? {
            made.numbers.push(number.to_store(files));
        }
        for extension in all::<Extension>(records).await? {
            made.extensions
                .push((extension.extension, extension.password));
        }
        for agent in all::<Agent>(records).await? {
            made.agents.push(agent.to_store());
        }
        Ok(made)
    }
}

/// All of a kind, the oldest first; what cannot be read is left out, which is logged.
async fn all<R: Resource>(records: &Records) -> Result<Vec<R>, DatabaseError> {
    let documents = records.all(R::KIND).await?;
    Ok(documents
        .iter()
        .rev()
        .filter_map(|document| R::read(document).ok())
        .collect())
}

/// What is kept of a flow is a flow file too. It was read before it was kept, so that it is wrong only when
/// another version has written it.
fn flow_of(text: &str) -> Option<Arc<flow::Flow>> {
    match parse_flow(text.as_bytes(), "", &mut Rng::from_number(0), Support::Live) {
        Ok(flow) => Some(Arc::new(flow)),
        Err(errors) => {
            tracing::error!(%errors, "a flow that the API has made cannot be run");
            None
        }
    }
}

/// How the switch calls the flow of this id; `None` for nil.
pub(super) fn reference(id: Uuid, files: &[FlowFile]) -> Option<String> {
    if id.is_nil() {
        return None;
    }
    let file = files.iter().find(|file| id_of_file(file) == id);
    Some(file.map_or_else(|| id.to_string(), |file| file.flow.id.clone()))
}
