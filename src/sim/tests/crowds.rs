//! Many calls: over bad links, all at once, and one after another for a day.

use super::*;
use crate::ids::Rng;
use crate::sim::net::Weather;

#[test]
fn two_hundred_calls_over_a_link_that_loses_a_fifth_all_end_properly() {
    for seed in [150, 151] {
        let mut plan = Plan::new(seed).flow("menu", menu());
        plan.sip = Weather {
            lost: 20,
            doubled: 5,
            delay: Duration::from_millis(20),
            spread: Duration::from_millis(80),
        };
        plan.rtp = Weather {
            lost: 5,
            doubled: 1,
            delay: Duration::from_millis(20),
            spread: Duration::from_millis(30),
        };
        let mut world = plan.build();
        let mut rng = Rng::from_number(seed);
        let phones = world.phones(200);
        for phone in &phones {
            let key = char::from(b'1' + rng.below(3) as u8);
            let how = if rng.below(2) == 0 {
                Key::Event
            } else {
                Key::Info
            };
            let steps = [
                Step::Pause(Duration::from_millis(rng.below(20_000).into())),
                Step::Dial("menu"),
                Step::UntilHears(400),
                Step::Press(key, how),
                Step::UntilHears([500, 600, 700][usize::from(key as u8 - b'1')]),
            ];
            let last = if rng.below(2) == 0 {
                Step::HangUp
            } else {
                Step::UntilOver
            };
            world.script(*phone, steps.into_iter().chain([last]));
        }
        world.pass(Duration::from_secs(100));
        for phone in &phones {
            let one = world.at(*phone);
            assert!(
                one.script.is_empty(),
                "{:?} left of {:?}",
                one.script,
                one.words()
            );
            assert!(
                matches!(one.state(), PhoneState::Over { .. }),
                "{:?}",
                one.words()
            );
        }
        let at_the_end = |phone: &PhoneId| world.at(*phone).tones().len() >= 2;
        let happy = phones.iter().filter(|phone| at_the_end(phone)).count();
        assert!(happy >= 195, "{happy} of 200 heard their branch");
        world.settle();
    }
}

#[test]
fn a_day_of_calls_leaves_empty_tables() {
    let mut world = menu_world(160);
    let mut rng = Rng::from_number(160);
    let phones = world.phones(40);
    for round in 0..2_000 {
        let phone = phones[round % phones.len()];
        world.with(phone, |phone, _| {
            phone.seen.clear();
            phone.script.clear();
        });
        world.dial(phone, "menu");
        world.pass_ms(rng.below(400).into());
        match rng.below(4) {
            0 => world.hang_up(phone),
            1 => world.press(phone, '1', Key::Info),
            2 => world.press(phone, '7', Key::Event),
            _ => {}
        }
        world.pass(Duration::from_secs(rng.below(86).into()));
    }
    assert!(world.now - crate::sim::start() > Duration::from_secs(20 * 3600));
    world.settle();
}
