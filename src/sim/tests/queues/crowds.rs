//! Queues when it matters: faults, the end of the switch, and many callers over bad links.

use std::collections::BTreeMap;

use super::*;
use crate::ids::Rng;
use crate::sim::net::Weather;

#[test]
fn fault_of_one_of_the_two_ends_the_other_and_the_place() {
    for is_caller in [true, false] {
        let (mut world, caller, ann) = shop(615, 0, 0, Called::answers_after(500));
        world.dial(caller, "line");
        world.pass_ms(2000);
        world.with_switch(|switch, now| match is_caller {
            true => switch.poison_where(now, |is_incoming| is_incoming),
            false => switch.poison_where(now, |is_incoming| !is_incoming),
        });
        world.pass_ms(800);
        assert_eq!(world.state(ann), BY_SWITCH);
        match is_caller {
            true => assert_eq!(world.state(caller), BY_SWITCH),
            false => assert_eq!(world.chord(caller), [700], "its flow goes on"),
        }
        world.settle();
        assert_eq!(world.queuecalls(), [SERVED]);
        assert_eq!(world.agent_statuses().last(), Some(&"available"));
    }
}

#[test]
fn switch_that_stops_lets_nobody_wait() {
    let (mut world, caller, ann) = shop(616, 0, 0, Called::answers_after(500));
    let second = world.phone("bob", "10.0.0.22");
    for phone in [caller, second] {
        world.dial(phone, "line");
        world.pass_ms(1000);
    }
    world.input(Input::Stop);
    world.pass_ms(1000);
    for phone in [caller, second, ann] {
        assert_eq!(world.state(phone), BY_SWITCH);
    }
    assert!(world.stopped_at.is_some());
    let waited = vec!["initiating", "waiting", "abandoned"];
    assert_eq!(world.queuecalls(), [SERVED.to_vec(), waited]);
}

/// Lets `callers` call so often each, while agents behave as they like and somebody is sent away now and then;
/// then asserts that nothing is left, and that every place has ended and been counted; how many were served,
/// and how many abandoned.
fn let_them_call(mut plan: Plan, agents: u128, callers: usize, rounds: usize) -> (u64, u64) {
    plan.sip = Weather {
        lost: 5,
        doubled: 5,
        delay: Duration::from_millis(20),
        spread: Duration::from_millis(80),
    };
    let name = |number: u128| format!("agent{number}");
    let all = (0..agents).map(|number| agent(11 + number, &name(number)));
    plan.directory.agents = AgentTable::new(all.collect());
    let seed = plan.seed;
    let mut world = plan.build();
    for number in 0..agents {
        let host = format!("{}.example", name(number));
        let phone = world.trunk(&host, &format!("10.0.1.{number}"));
        world.with(phone, |phone, _| {
            phone.habits.moods = vec![
                Called::answers_for(500, 3000),
                Called::answers_after(2000),
                Called::refuses_after(100, 486),
                Called::rings(),
                Called::is_dead(),
            ];
        });
    }
    let mut rng = Rng::from_number(seed);
    let callers = world.phones(callers);
    for caller in &callers {
        for _ in 0..rounds {
            let mut ms = |most| Step::Pause(Duration::from_millis(rng.below(most).into()));
            let steps = [ms(60_000), Step::Dial("line"), Step::UntilAnswered];
            let last = [ms(60_000), Step::HangUp, Step::UntilOver];
            world.script(*caller, steps.into_iter().chain(last));
        }
    }
    for _ in 0..130 * (rounds + 1) {
        world.pass_ms(1000);
        let told = world
            .reports
            .iter()
            .rev()
            .filter_map(|report| match report {
                Report::Queuecall {
                    queuecall: told, ..
                } => Some(told.id),
                _ => None,
            });
        // Perhaps one who is not there any more.
        let queuecall = told.take(20).nth(rng.below(200) as usize);
        if let Some(queuecall) = queuecall {
            let _ = ask(&mut world, Control::KickQueuecall { queuecall });
        }
    }
    world.settle();
    // A world without sound keeps no reports.
    let mut ends: BTreeMap<Uuid, QueuecallStatus> = BTreeMap::new();
    for report in &world.reports {
        if let Report::Queuecall {
            queuecall: told, ..
        } = report
        {
            ends.insert(told.id, told.status);
        }
    }
    let of = |status| ends.values().filter(|end| **end == status).count() as u64;
    let told = (of(QueuecallStatus::Done), of(QueuecallStatus::Abandoned));
    assert_eq!(told.0 + told.1, ends.len() as u64, "every place has ended");
    let (incoming, serviced, abandoned) = world.counts();
    assert_eq!(incoming, serviced + abandoned);
    assert!(ends.is_empty() || told == (serviced, abandoned));
    let mut agents = world.switch.directory().agents.iter();
    assert!(agents.all(|agent| agent.status == AgentStatus::Available));
    (serviced, abandoned)
}

#[test]
fn calls_through_a_queue_over_a_bad_link_all_end_and_are_all_counted() {
    for seed in [620, 621] {
        let (serviced, abandoned) = let_them_call(plan(seed, 40, 30, Vec::new()), 4, 60, 1);
        assert!(serviced >= 10 && abandoned >= 5, "{serviced} {abandoned}");
    }
}

#[test]
fn thousand_calls_through_a_queue_without_sound_leave_nothing_either() {
    let mut plan = plan(622, 40, 30, Vec::new());
    plan.is_bulk = true;
    let (serviced, abandoned) = let_them_call(plan, 30, 250, 4);
    assert!(
        serviced >= 300 && abandoned >= 100,
        "{serviced} {abandoned}"
    );
}
