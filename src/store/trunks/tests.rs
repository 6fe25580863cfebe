use super::*;
use crate::sim;
use crate::sip::message::Host;

fn out(prefixes: &[&str], priority: u32) -> TrunkOut {
    let host = SipHost {
        host: Host::Name("sip.example.com".to_owned()),
        port: None,
        transport: None,
    };
    TrunkOut {
        prefixes: prefixes.iter().map(|text| (*text).to_owned()).collect(),
        priority,
        ..TrunkOut::new(host)
    }
}

fn table(trunks: Vec<(&str, TrunkOut)>) -> TrunkTable {
    let trunk = |(name, out): (&str, TrunkOut)| Trunk {
        name: name.to_owned(),
        networks: Vec::new(),
        out: Some(out),
    };
    TrunkTable::new(trunks.into_iter().map(trunk).collect())
}

fn names<'a>(table: &'a TrunkTable, number: &str) -> Vec<&'a str> {
    let ids = table.route(number);
    ids.into_iter().map(|id| table.name(id)).collect()
}

fn one(limits: impl FnOnce(&mut TrunkOut)) -> (TrunkTable, TrunkId) {
    let mut trunk = out(&["+"], 1);
    limits(&mut trunk);
    let table = table(vec![("one", trunk)]);
    let id = table.find("one").unwrap();
    (table, id)
}

#[test]
fn the_longest_prefix_wins_then_the_priority_then_the_order_of_the_file() {
    let table = table(vec![
        ("world", out(&["+"], 1)),
        ("second", out(&["+49"], 2)),
        ("first", out(&["+1", "+49"], 1)),
        ("also first", out(&["+49"], 1)),
        ("berlin", out(&["+4930"], 9)),
        ("local", out(&["0"], 1)),
    ]);
    assert_eq!(
        names(&table, "+4930123456"),
        ["berlin", "first", "also first", "second", "world"]
    );
    assert_eq!(
        names(&table, "+4989123456"),
        ["first", "also first", "second", "world"]
    );
    assert_eq!(names(&table, "+15551112222"), ["first", "world"]);
    assert_eq!(names(&table, "030123456"), ["local"]);
    assert_eq!(names(&table, "112"), [""; 0]);
}

#[test]
fn what_is_no_number_leaves_by_no_trunk() {
    let table = table(vec![("world", out(&["+", "0"], 1)), ("none", out(&[], 1))]);
    for text in [
        "", "+", "++1", "+1;x", "+1@host", "0 1", "sip:+1", "+١٢", "0\r\n",
    ] {
        assert_eq!(names(&table, text), [""; 0], "{text:?}");
    }
}

#[test]
fn a_trunk_that_is_down_is_the_last_to_be_tried() {
    let mut table = table(vec![("far", out(&["+"], 1)), ("near", out(&["+49"], 1))]);
    let near = table.find("near").unwrap();
    table.set_health(near, Health::Unhealthy);
    assert_eq!(names(&table, "+4930"), ["far", "near"]);
    assert!(!table.is_healthy(near));
    table.set_health(near, Health::Healthy);
    assert_eq!(names(&table, "+4930"), ["near", "far"]);
}

#[test]
fn a_trunk_without_a_host_is_not_called() {
    let trunk = Trunk {
        name: "in".to_owned(),
        networks: Vec::new(),
        out: None,
    };
    let table = TrunkTable::new(vec![trunk]);
    assert_eq!((table.ids().count(), table.find("in")), (0, None));
}

#[test]
fn channels_are_taken_until_they_are_released() {
    let (mut table, id) = one(|trunk| trunk.channels = 2);
    let now = sim::start();
    assert_eq!(table.admit(now, 0, id), Ok(()));
    assert_eq!(table.admit(now, 0, id), Ok(()));
    assert_eq!(table.admit(now, 0, id), Err(Barred::Channels { limit: 2 }));
    table.release(id);
    assert_eq!(table.admit(now, 0, id), Ok(()));
    for _ in 0..5 {
        table.release(id);
    }
    assert_eq!(table.calls(id), 0);
}

#[test]
fn a_second_of_calls_may_start_at_once_and_then_one_by_one() {
    let (mut table, id) = one(|trunk| trunk.cps = 4);
    let start = sim::start();
    let at_once = (0..9).filter(|_| table.admit(start, 0, id).is_ok());
    assert_eq!(at_once.count(), 4);
    let is_admitted = |ms: &u64| {
        table
            .admit(start + Duration::from_millis(*ms), 0, id)
            .is_ok()
    };
    let after: Vec<u64> = (1..1200).filter(is_admitted).collect();
    assert_eq!(after, [250, 500, 750, 1000]);
    let later = start + Duration::from_secs(60);
    let burst = (0..9).filter(|_| table.admit(later, 0, id).is_ok()).count();
    assert_eq!(burst, 4);
    assert_eq!(table.admit(later, 0, id), Err(Barred::Cps { limit: 4 }));
}

#[test]
fn the_calls_of_a_day_begin_anew_with_the_next_one_and_barred_ones_do_not_count() {
    let (mut table, id) = one(|trunk| (trunk.calls_per_day, trunk.channels) = (2, 1));
    let now = sim::start();
    assert_eq!(table.admit(now, 7, id), Ok(()));
    assert_eq!(table.admit(now, 7, id), Err(Barred::Channels { limit: 1 }));
    table.release(id);
    assert_eq!(table.admit(now, 7, id), Ok(()));
    table.release(id);
    assert_eq!(table.admit(now, 7, id), Err(Barred::PerDay { limit: 2 }));
    assert_eq!(table.admit(now, 8, id), Ok(()));
}

#[test]
fn a_message_is_one_of_the_calls_of_a_day_and_takes_no_channel() {
    let (mut table, id) = one(|trunk| (trunk.calls_per_day, trunk.channels, trunk.cps) = (3, 1, 1));
    let now = sim::start();
    assert_eq!(table.admit_message(7, id), Ok(()));
    assert_eq!(table.admit(now, 7, id), Ok(()));
    assert_eq!(table.admit_message(7, id), Ok(()));
    assert_eq!(table.admit_message(7, id), Err(Barred::PerDay { limit: 3 }));
    assert_eq!(table.admit_message(8, id), Ok(()));
}

#[test]
fn a_limit_of_zero_lets_nothing_out() {
    let now = sim::start();
    for limit in [
        |trunk: &mut TrunkOut| trunk.channels = 0,
        |trunk: &mut TrunkOut| trunk.cps = 0,
        |trunk: &mut TrunkOut| trunk.calls_per_day = 0,
    ] {
        let (mut table, id) = one(limit);
        assert!(table.admit(now, 0, id).is_err());
    }
}

#[test]
fn a_number_is_written_between_the_tech_prefix_and_postfix() {
    let mut trunk = out(&["+"], 1);
    (trunk.tech_prefix, trunk.tech_postfix) = ("1234#".to_owned(), "*9".to_owned());
    assert_eq!(trunk.user("+15551112222"), "1234#+15551112222*9");
}

fn all(table: &TrunkTable) -> Vec<(TrunkId, &str)> {
    table.ids().map(|id| (id, table.name(id))).collect()
}

#[test]
fn a_trunk_of_the_same_name_goes_on_carrying_what_it_carries_in_another_table() {
    let (mut before, one) = one(|trunk| (trunk.channels, trunk.calls_per_day) = (1, 2));
    let now = sim::start();
    assert_eq!(before.admit(now, 7, one), Ok(()));
    before.set_health(one, Health::Healthy);
    let wider = TrunkOut {
        channels: 9,
        calls_per_day: 2,
        ..out(&["+"], 1)
    };
    let gone = before.replace(table(vec![("two", out(&["+"], 1)), ("one", wider)]));
    assert_eq!(gone, []);
    let two = before.find("two").unwrap();
    assert_eq!(all(&before), [(two, "two"), (one, "one")]);
    assert_eq!(names(&before, "+49"), ["two", "one"], "the new order holds");
    assert_eq!(
        (before.calls(one), before.health(one)),
        (1, Health::Healthy)
    );
    assert_eq!(before.admit(now, 7, one), Ok(()));
    let per_day = Barred::PerDay { limit: 2 };
    assert_eq!(before.admit(now, 7, one), Err(per_day));
    let elsewhere = TrunkOut {
        host: SipHost {
            port: Some(5070),
            ..out(&["+"], 1).host
        },
        ..out(&["+"], 1)
    };
    before.replace(table(vec![("one", elsewhere)]));
    assert_eq!(
        before.health(one),
        Health::Unknown,
        "nothing was heard there"
    );
}

#[test]
fn a_trunk_that_is_gone_is_known_until_nothing_is_left_of_it() {
    let (mut table_of_one, one) = one(|_| {});
    assert_eq!(table_of_one.admit(sim::start(), 0, one), Ok(()));
    assert_eq!(table_of_one.replace(TrunkTable::default()), [one]);
    assert_eq!(all(&table_of_one), []);
    table_of_one.forget_gone(|_| false);
    assert_eq!(
        (table_of_one.name(one), table_of_one.calls(one)),
        ("one", 1)
    );
    table_of_one.release(one);
    table_of_one.forget_gone(|id| id == one);
    assert_eq!(table_of_one.name(one), "one");
    table_of_one.forget_gone(|_| false);
    table_of_one.replace(table(vec![("one", out(&["+"], 1))]));
    assert_ne!(table_of_one.find("one"), Some(one), "it is another now");
}
