//! A database that refuses, and one that is gone.

use std::time::Duration;

use super::waiting::Bound;
use super::*;

#[tokio::test]
async fn one_that_the_database_refuses_does_not_hold_up_the_others() {
    on_each(async |url| {
        let records = records(url, "a").await;
        records.create(keyed(FLOW, 1, "taken")).await.unwrap();
        (2..=200).for_each(|number| records.keep(document(CALL, number, "{}")));
        records.keep(keyed(FLOW, 201, "taken"));
        (202..=300).for_each(|number| records.keep(document(CALL, number, "{}")));
        records.flush().await.unwrap();
        let stats = records.stats();
        assert_eq!((stats.waiting, stats.dropped, stats.written), (0, 1, 298));
        assert_eq!(records.all(CALL).await.unwrap().len(), 298);
        assert_eq!(numbers(&records.all(FLOW).await.unwrap()), [1]);
    })
    .await;
}

#[tokio::test]
async fn while_the_database_is_gone_all_is_kept_up_to_a_bound_and_the_oldest_is_dropped() {
    on_each(async |url| {
        let database = Database::open(url).await.unwrap();
        let bound = Bound {
            documents: 100,
            octets: 1 << 20,
        };
        let records = Records::bounded(database.clone(), "a", bound).0;
        database.close().await;
        (1..=150).for_each(|number| records.keep(document(CALL, number, "{}")));
        assert!(records.flush().await.is_err());
        let stats = records.stats();
        assert_eq!((stats.waiting, stats.dropped), (100, 50));
        let get = async |number| records.get(CALL, Uuid::from_u128(number)).await;
        assert!(get(51).await.unwrap().is_some());
        assert!(get(50).await.is_err());
        assert!(records.create(document(CALL, 200, "{}")).await.is_err());

        let large = "x".repeat(1 << 20);
        records.keep(document(CALL, 300, &large));
        records.keep(document(CALL, 301, "{}"));
        assert_eq!(records.stats().waiting, 1);
    })
    .await;
}

#[tokio::test]
async fn a_writing_that_is_given_up_halfway_loses_nothing() {
    on_each(async |url| {
        let records = records(url, "a").await;
        (1..=500).for_each(|number| records.keep(document(CALL, number, "{}")));
        for micros in [0, 50, 200, 1000, 3000] {
            let _ = tokio::time::timeout(Duration::from_micros(micros), records.flush()).await;
            assert_eq!(records.all(CALL).await.unwrap().len(), 500);
        }
        records.flush().await.unwrap();
        assert_eq!(records.stats().waiting, 0);
        assert_eq!(
            super::records(url, "b")
                .await
                .all(CALL)
                .await
                .unwrap()
                .len(),
            500
        );
    })
    .await;
}

#[tokio::test]
async fn a_writer_goes_on_by_itself_when_the_database_is_back() {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}/x.db", directory.path().display());
    let (records, writer) = Records::new(Database::open(&url).await.unwrap(), "a");
    let story = async {
        // Somebody else writes for a while; for longer than a try of ours lasts it would be the same.
        let rival = Database::open(&url).await.unwrap();
        let moved = sql::Statement::new("ALTER TABLE documents RENAME TO elsewhere");
        rival.pool.execute(moved).await.unwrap();
        records.keep(document(CALL, 1, "{}"));
        while records.stats().failed < 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let back = sql::Statement::new("ALTER TABLE elsewhere RENAME TO documents");
        rival.pool.execute(back).await.unwrap();
        while records.stats().waiting > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        records.close();
    };
    tokio::join!(writer.run(), story);
    assert_eq!(records.stats().written, 1);
}
