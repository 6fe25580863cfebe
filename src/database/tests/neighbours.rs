//! Several nodes on one database, and what a node finds again after its restart.

use std::collections::BTreeSet;

use super::*;

fn delivery(number: u128, next_at: i64) -> Delivery {
    Delivery {
        id: Uuid::from_u128(number),
        url: "https://example.test/hook".into(),
        method: "POST".into(),
        headers: vec![("Content-Type".to_owned(), "application/json".to_owned())],
        body: "{\"type\":\"call_hangup\"}".into(),
        attempts: 0,
        next_at: Micros(next_at),
    }
}

#[tokio::test]
async fn a_node_hears_what_others_write_of_shared_kinds() {
    on_each(async |url| {
        let (one, other) = (records(url, "one").await, records(url, "other").await);
        other.create(document(FLOW, 1, "before")).await.unwrap();
        let start = one.revision().await.unwrap();
        one.create(document(FLOW, 2, "own")).await.unwrap();
        let flow = document(FLOW, 3, "first");
        other.create(flow.clone()).await.unwrap();
        other.keep(deleted(&flow));
        other.keep(document(AGENT, 4, "available"));
        other.keep(document(CALL, 5, "{}"));
        other.flush().await.unwrap();

        let (changes, reached) = one.changes(&[FLOW], start).await.unwrap();
        assert_eq!(changes, [deleted(&flow)]);
        let (changes, _) = one.changes(&[FLOW, AGENT, CALL], start).await.unwrap();
        assert_eq!(numbers(&changes), [3, 4]);
        assert_eq!(
            one.changes(&[FLOW], reached).await.unwrap(),
            (vec![], reached)
        );
        assert_eq!(one.changes(&[], start).await.unwrap(), (vec![], start));
        let (all, _) = one.changes(&[FLOW], Revision::default()).await.unwrap();
        assert_eq!(numbers(&all), [1, 3]);
    })
    .await;
}

#[tokio::test]
async fn no_change_is_missed_while_several_nodes_write_at_once() {
    on_each(async |url| {
        let reader = records(url, "reader").await;
        let writers = (0..4_u128).map(|nth| async move {
            let writer = records(url, &format!("writer {nth}")).await;
            for round in 0..30 {
                let number = 1000 * nth + 10 * round;
                // More and less in a transaction, so that later ones overtake earlier ones if they can.
                (0..=nth * 2).for_each(|extra| writer.keep(document(FLOW, number + extra, "{}")));
                writer.flush().await.unwrap();
            }
        });
        let (seen, written) = (
            std::cell::RefCell::new(BTreeSet::new()),
            std::cell::Cell::new(false),
        );
        let follow = async {
            let mut reached = Revision::default();
            loop {
                let was_written = written.get();
                let (changes, next) = reader.changes(&[FLOW], reached).await.unwrap();
                reached = next;
                seen.borrow_mut().extend(numbers(&changes));
                if was_written {
                    break;
                }
                tokio::task::yield_now().await;
            }
        };
        let write = async {
            futures_util::future::join_all(writers).await;
            written.set(true);
        };
        tokio::join!(follow, write);
        assert_eq!(seen.borrow().len(), 30 * (1 + 3 + 5 + 7));
    })
    .await;
}

#[tokio::test]
async fn what_was_not_delivered_is_found_after_a_restart() {
    on_each(async |url| {
        let outbox = {
            let records = records(url, "a").await;
            let outbox = records.outbox();
            (1..=4).for_each(|number| outbox.post(delivery(number, 10)));
            records.flush().await.unwrap();
            assert_eq!(outbox.due(Micros(9), 9), []);
            assert_eq!(outbox.due(Micros(10), 3).len(), 3);
            outbox.delivered(&[Uuid::from_u128(1)]);
            outbox.postponed(Uuid::from_u128(2), 1, Micros(50));
            outbox.post(delivery(5, 20));
            outbox.delivered(&[Uuid::from_u128(5)]);
            records.flush().await.unwrap();
            assert_eq!(outbox.count(), 3);
            super::records(url, "a").await.outbox()
        };
        outbox.load().await.unwrap();
        // In hand at the kill: again. What was posted and done between two writes was never written.
        assert_eq!(
            outbox.due(Micros(20), 9),
            [delivery(3, 10), delivery(4, 10)]
        );
        assert_eq!(outbox.next_at(), Some(Micros(50)));
        let postponed = outbox.due(Micros(50), 9);
        assert_eq!(postponed[0].attempts, 1);
        outbox.posted().await;
    })
    .await;
}

#[tokio::test]
async fn what_a_dead_node_owes_is_taken_over_once() {
    on_each(async |url| {
        let (dead, one, other) = (
            records(url, "dead").await,
            records(url, "one").await,
            records(url, "other").await,
        );
        dead.announce("192.0.2.1:5060", Micros(100)).await.unwrap();
        one.announce("192.0.2.2:5060", Micros(500)).await.unwrap();
        other.announce("192.0.2.3:5060", Micros(500)).await.unwrap();
        dead.outbox().post(delivery(1, 10));
        other.outbox().post(delivery(2, 10));
        dead.flush().await.unwrap();
        other.flush().await.unwrap();
        assert_eq!(one.outbox().adopt(Micros(100), 9).await.unwrap(), 0);
        assert_eq!(one.outbox().adopt(Micros(400), 9).await.unwrap(), 1);
        assert_eq!(other.outbox().adopt(Micros(400), 9).await.unwrap(), 0);
        assert_eq!(one.outbox().due(Micros(10), 9), [delivery(1, 10)]);
        let alive = one.alive(Micros(400)).await.unwrap();
        assert_eq!(alive[1].sip_address, "192.0.2.3:5060");
        assert_eq!(alive.len(), 2);
    })
    .await;
}

#[tokio::test]
async fn bindings_are_seen_by_all_and_move_with_their_phone() {
    on_each(async |url| {
        let (one, other) = (records(url, "one").await, records(url, "other").await);
        one.bindings().put("200", "<sip:a>", Micros(100), "{}");
        one.bindings().put("201", "<sip:b>", Micros(50), "{}");
        for _ in 0..2 {
            let of_200 = one
                .bindings()
                .of_extension("200", Micros(10))
                .await
                .unwrap();
            assert_eq!(of_200.len(), 1);
            assert_eq!(one.bindings().all_alive(Micros(60)).await.unwrap(), of_200);
            assert_eq!(one.bindings().of_this_node().await.unwrap().len(), 2);
            one.flush().await.unwrap();
        }
        other.bindings().put("200", "<sip:a>", Micros(200), "{}");
        other.flush().await.unwrap();
        one.bindings().remove("200", "<sip:a>");
        for _ in 0..2 {
            let of_200 = one
                .bindings()
                .of_extension("200", Micros(10))
                .await
                .unwrap();
            assert_eq!(&*of_200[0].node, "other");
            one.flush().await.unwrap();
        }
        assert_eq!(one.bindings().of_this_node().await.unwrap().len(), 1);
        assert_eq!(one.bindings().remove_expired(Micros(60)).await.unwrap(), 1);
        other.bindings().remove("200", "<sip:a>");
        other.flush().await.unwrap();
        assert_eq!(one.bindings().all_alive(Micros(0)).await.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn the_first_value_of_a_common_word_stays() {
    on_each(async |url| {
        let (one, other) = (records(url, "one").await, records(url, "other").await);
        assert_eq!(one.get_or_insert("customer", "x").await.unwrap(), "x");
        assert_eq!(other.get_or_insert("customer", "y").await.unwrap(), "x");
        let (first, second) = tokio::join!(
            one.get_or_insert("secret", "1"),
            other.get_or_insert("secret", "2")
        );
        assert_eq!(first.unwrap(), second.unwrap());
    })
    .await;
}
