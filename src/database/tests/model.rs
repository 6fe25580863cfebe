//! What waits and what is written together are as one map that forgets nothing.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Keep { number: u128, is_deleted: bool },
    Create { number: u128, key: Option<u8> },
    Replace { number: u128, key: Option<u8> },
    Flush,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let number = 1..9_u128;
    let key = prop::option::of(0..3_u8);
    let step = prop_oneof![
        4 => (number.clone(), any::<bool>())
            .prop_map(|(number, is_deleted)| Step::Keep { number, is_deleted }),
        2 => (number.clone(), key.clone()).prop_map(|(number, key)| Step::Create { number, key }),
        2 => (number, key).prop_map(|(number, key)| Step::Replace { number, key }),
        1 => Just(Step::Flush),
    ];
    prop::collection::vec(step, 1..40)
}

/// The truth: all documents by number.
#[derive(Default)]
struct Model(BTreeMap<u128, Document>);

impl Model {
    /// The document of `number` that stands there or would; age and parent follow from the number.
    fn next(&self, number: u128, nth: usize) -> Document {
        let fresh = Document {
            created: Micros(i64::try_from(number / 2).unwrap()),
            parent: Some(Uuid::from_u128(number % 3)),
            ..document(FLOW, number, "{}")
        };
        let known = self.0.get(&number).cloned().unwrap_or(fresh);
        Document {
            body: format!("{{\"step\":{nth}}}").into(),
            ..known
        }
    }

    fn holder(&self, key: &str) -> Option<&Document> {
        self.0
            .values()
            .find(|document| document.deleted.is_none() && document.key.as_deref() == Some(key))
    }

    fn is_taken(&self, document: &Document) -> bool {
        let holder = document.key.as_deref().and_then(|key| self.holder(key));
        holder.is_some_and(|holder| holder.id != document.id)
    }

    fn list(&self, query: &ListQuery) -> Vec<Document> {
        let mut list: Vec<Document> = self
            .0
            .values()
            .filter(|document| query.matches(document))
            .cloned()
            .collect();
        list.sort_by_key(|document| std::cmp::Reverse((document.created, document.id)));
        let limit = query.limit as usize;
        if let Some(last) = list.get(limit - 1).map(|last| last.created) {
            list.retain(|document| document.created >= last);
        }
        list
    }
}

async fn run(records: &Records, model: &mut Model, nth: usize, step: Step) {
    match step {
        Step::Flush => records.flush().await.unwrap(),
        Step::Keep { number, is_deleted } => {
            let mut document = model.next(number, nth);
            if document.deleted.is_some() {
                // Its key may be another's by now.
                document.key = None;
            }
            document.deleted = is_deleted.then_some(Micros(999));
            records.keep(document.clone());
            model.0.insert(number, document);
        }
        Step::Create { number, key } | Step::Replace { number, key } => {
            let is_new = matches!(step, Step::Create { .. });
            let document = Document {
                key: key.map(|key| key.to_string()),
                deleted: None,
                ..model.next(number, nth)
            };
            let is_taken = model.is_taken(&document) || (is_new && model.0.contains_key(&number));
            let done = if is_new {
                records.create(document.clone()).await
            } else {
                records.replace(document.clone()).await
            };
            assert_eq!(
                matches!(done, Err(CreateError::Taken)),
                is_taken,
                "{done:?}"
            );
            if !is_taken {
                model.0.insert(number, document);
            }
        }
    }
}

async fn compare(records: &Records, model: &Model) {
    for number in 1..9 {
        let found = records.get(FLOW, Uuid::from_u128(number)).await.unwrap();
        assert_eq!(found.as_ref(), model.0.get(&number));
    }
    for key in ["0", "1", "2"] {
        let found = records.find(FLOW, key).await.unwrap();
        assert_eq!(found.as_ref(), model.holder(key));
    }
    let everything = newest(FLOW, 99);
    assert_eq!(records.all(FLOW).await.unwrap(), model.list(&everything));
    for limit in [1, 2, 5] {
        for parent in [None, Some(Uuid::from_u128(1))] {
            for before in [None, Some(Micros(2)), Some(Micros(4))] {
                let query = ListQuery {
                    kind: FLOW,
                    parent,
                    before,
                    limit,
                };
                let list = records.list(&query).await.unwrap();
                assert_eq!(list, model.list(&query), "{query:?}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn memory_and_database_are_one_map(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (records, mut model) = (records("sqlite::memory:", "a").await, Model::default());
            for (nth, step) in steps.into_iter().enumerate() {
                run(&records, &mut model, nth, step).await;
                compare(&records, &model).await;
            }
        });
    }
}
