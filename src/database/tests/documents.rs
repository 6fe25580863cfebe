//! What is kept, created and replaced, and how it is found.

use super::*;

#[tokio::test]
async fn what_is_kept_is_found_before_it_is_written_and_after() {
    on_each(async |url| {
        let records = records(url, "a").await;
        let call = Document {
            parent: Some(Uuid::from_u128(77)),
            updated: Micros(5),
            hidden: Some("{\"secret\":1}".into()),
            ..keyed(CALL, 1, "alice")
        };
        records.keep(call.clone());
        for waiting in [1, 0] {
            assert_eq!(records.stats().waiting, waiting);
            assert_eq!(
                records.get(CALL, call.id).await.unwrap(),
                Some(call.clone())
            );
            assert_eq!(
                records.find(CALL, "alice").await.unwrap(),
                Some(call.clone())
            );
            assert_eq!(
                records.list(&newest(CALL, 9)).await.unwrap(),
                vec![call.clone()]
            );
            assert_eq!(records.all(CALL).await.unwrap(), vec![call.clone()]);
            assert_eq!(records.get(FLOW, call.id).await.unwrap(), None);
            assert_eq!(records.find(CALL, "bob").await.unwrap(), None);
            records.flush().await.unwrap();
        }
        assert_eq!(records.stats().written, 1);
    })
    .await;
}

#[tokio::test]
async fn a_body_made_later_is_made_when_it_is_read_or_written() {
    on_each(async |url| {
        let records = records(url, "a").await;
        let body = Body::later(|| "{\"made\":true}".to_owned());
        records.keep(Document::new(CALL, Uuid::from_u128(1), Micros(1), body));
        records.flush().await.unwrap();
        let read = records
            .get(CALL, Uuid::from_u128(1))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(&*read.body.text(), "{\"made\":true}");
    })
    .await;
}

#[tokio::test]
async fn the_newest_of_an_id_wins_and_a_deleted_one_is_only_found_by_its_id() {
    on_each(async |url| {
        let records = records(url, "a").await;
        let first = keyed(CALL, 1, "alice");
        records.keep(first.clone());
        records.flush().await.unwrap();
        records.keep(document(CALL, 1, "second"));
        records.keep(deleted(&first));
        for _ in 0..2 {
            let found = records.get(CALL, first.id).await.unwrap().unwrap();
            assert_eq!(found.deleted, Some(Micros(999)));
            assert_eq!(records.find(CALL, "alice").await.unwrap(), None);
            assert_eq!(records.list(&newest(CALL, 9)).await.unwrap(), []);
            assert_eq!(records.all(CALL).await.unwrap(), []);
            records.flush().await.unwrap();
        }
        assert_eq!(records.stats().written, 2);
    })
    .await;
}

#[tokio::test]
async fn a_list_is_newest_first_of_its_parent_and_older_than_its_token() {
    on_each(async |url| {
        let records = records(url, "a").await;
        for number in 1..=20 {
            let child = Document {
                parent: Some(Uuid::from_u128(number % 2)),
                ..document(CALL, number, "{}")
            };
            records.keep(child);
            if number == 12 {
                records.flush().await.unwrap();
            }
        }
        records.keep(deleted(&document(CALL, 10, "{}")));
        let list = records.list(&newest(CALL, 3)).await.unwrap();
        assert_eq!(numbers(&list), [20, 19, 18]);
        let query = ListQuery {
            parent: Some(Uuid::from_u128(0)),
            before: Some(Micros(14)),
            ..newest(CALL, 3)
        };
        let list = records.list(&query).await.unwrap();
        assert_eq!(numbers(&list), [12, 8, 6]);
        assert_eq!(records.list(&newest(CALL, 0)).await.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn pages_show_each_one_once_though_many_are_of_one_age() {
    on_each(async |url| {
        let records = records(url, "a").await;
        for number in 1..=40 {
            let created = Micros(i64::try_from(number / 7).unwrap());
            records.keep(Document {
                created,
                ..document(CALL, number, "{}")
            });
            if number % 3 == 0 {
                records.flush().await.unwrap();
            }
        }
        let (mut seen, mut before) = (Vec::new(), None);
        loop {
            let query = ListQuery {
                before,
                ..newest(CALL, 4)
            };
            let page = records.list(&query).await.unwrap();
            let Some(last) = page.last() else {
                break;
            };
            before = Some(last.created);
            seen.extend(numbers(&page));
        }
        seen.sort_unstable();
        assert_eq!(seen, (1..=40).collect::<Vec<_>>());
    })
    .await;
}

#[tokio::test]
async fn a_key_is_taken_once_among_the_living_of_a_kind() {
    on_each(async |url| {
        let records = records(url, "a").await;
        let first = keyed(FLOW, 1, "welcome");
        records.create(first.clone()).await.unwrap();
        let is_taken = |result| matches!(result, Err(CreateError::Taken));
        assert!(is_taken(records.create(keyed(FLOW, 2, "welcome")).await));
        assert!(is_taken(records.create(keyed(FLOW, 1, "other")).await));
        records.create(keyed(AGENT, 2, "welcome")).await.unwrap();
        records.create(keyed(FLOW, 3, "goodbye")).await.unwrap();
        assert!(is_taken(records.replace(keyed(FLOW, 3, "welcome")).await));
        // Freed by one that is not yet written.
        records.keep(deleted(&first));
        records.replace(keyed(FLOW, 3, "welcome")).await.unwrap();
        assert!(is_taken(records.create(keyed(FLOW, 4, "welcome")).await));
        // Freed by one that waits, and has no key any more.
        records.keep(document(FLOW, 3, "{}"));
        records.replace(keyed(FLOW, 3, "another")).await.unwrap();
        records.keep(document(FLOW, 3, "{}"));
        records.create(keyed(FLOW, 5, "another")).await.unwrap();
        records.replace(keyed(FLOW, 3, "welcome")).await.unwrap();
        // Freed and taken in one batch.
        records.keep(deleted(&keyed(FLOW, 3, "welcome")));
        records.keep(keyed(FLOW, 2, "welcome"));
        records.flush().await.unwrap();
        let found = records.find(FLOW, "welcome").await.unwrap().unwrap();
        assert_eq!(found.id.as_u128(), 2);
    })
    .await;
}

#[tokio::test]
async fn what_is_replaced_is_not_undone_by_what_waited_before() {
    on_each(async |url| {
        let records = records(url, "a").await;
        records.keep(document(FLOW, 1, "kept"));
        records
            .replace(document(FLOW, 1, "replaced"))
            .await
            .unwrap();
        records.flush().await.unwrap();
        let body = async || {
            let found = records.get(FLOW, Uuid::from_u128(1)).await.unwrap();
            found.unwrap().body.text()
        };
        assert_eq!(&*body().await, "replaced");
        records.keep(document(FLOW, 1, "kept later"));
        assert_eq!(&*body().await, "kept later");
        records.flush().await.unwrap();
        assert_eq!(&*body().await, "kept later");
    })
    .await;
}

#[tokio::test]
async fn what_is_old_or_long_deleted_is_removed_in_batches() {
    on_each(async |url| {
        let records = records(url, "a").await;
        (1..=10).for_each(|number| records.keep(document(CALL, number, "{}")));
        let long = Document {
            updated: Micros(9),
            ..document(CALL, 1, "a long call")
        };
        records.keep(long);
        records.keep(document(FLOW, 1, "{}"));
        records.keep(deleted(&document(FLOW, 2, "{}")));
        records.flush().await.unwrap();
        let before = Micros(8);
        assert_eq!(
            records
                .delete_older_than(&[AGENT, CALL], before, 4)
                .await
                .unwrap(),
            4
        );
        assert_eq!(
            records.delete_older_than(&[CALL], before, 4).await.unwrap(),
            2
        );
        assert_eq!(numbers(&records.all(CALL).await.unwrap()), [10, 9, 8, 1]);
        assert_eq!(records.remove_deleted(Micros(999), 9).await.unwrap(), 0);
        assert_eq!(records.remove_deleted(Micros(1000), 9).await.unwrap(), 1);
        assert_eq!(records.get(FLOW, Uuid::from_u128(2)).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn the_writer_writes_by_itself_and_all_of_it_at_the_end() {
    on_each(async |url| {
        let database = Database::open(url).await.unwrap();
        let (records, writer) = Records::new(database, "a");
        let story = async {
            (1..=2500).for_each(|number| records.keep(document(CALL, number, "{}")));
            while records.stats().waiting > 0 {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
            (2501..=2600).for_each(|number| records.keep(document(CALL, number, "{}")));
            records.close();
        };
        tokio::join!(writer.run(), story);
        assert_eq!(records.stats().waiting, 0);
        assert_eq!(
            super::records(url, "b")
                .await
                .all(CALL)
                .await
                .unwrap()
                .len(),
            2600
        );
    })
    .await;
}
