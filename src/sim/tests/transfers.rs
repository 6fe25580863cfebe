//! Transfers: who talks with whom after them, whose flow goes on and when, and whatever moment somebody hangs up.

use super::talks::*;
use super::*;
use crate::sim::phone::Called;
use crate::switch::{CallVerb, ControlError, TransferKind, Uncalled};

use TransferKind::{Attended, Blind};

mod phones;
mod queued;
mod wild;

#[test]
fn callee_gives_the_caller_away_and_the_connect_lasts_as_long_as_the_new_talk() {
    let mut t = talks(720);
    assert_eq!(t.transfer(Blind, BOB, CAROL), Ok(()));
    t.world.pass_ms(500);
    assert_eq!(t.world.state(t.bob), BY_SWITCH);
    assert!(t.world.hears_ringback(t.alice));
    assert_eq!(t.cursor(), "connect");
    t.world.pass_ms(1500);
    t.hear([Some(600), None, Some(400)]);
    assert_eq!(t.cursor(), "connect");
    t.world.hang_up(t.carol);
    t.world.pass_ms(500);
    assert_eq!(t.cursor(), "after");
    t.rest();
    assert_eq!(t.times_after(), 1);
}

#[test]
fn caller_gives_the_callee_away_and_goes_with_its_flow() {
    for last in 0..2 {
        let mut t = talks(721);
        assert_eq!(t.transfer(Blind, ALICE, CAROL), Ok(()));
        t.world.pass_ms(500);
        assert_eq!(t.world.state(t.alice), BY_SWITCH);
        assert!(t.world.hears_ringback(t.bob));
        t.world.pass_ms(1500);
        t.hear([None, Some(600), Some(500)]);
        let (first, second) = if last == 0 {
            (t.bob, t.carol)
        } else {
            (t.carol, t.bob)
        };
        t.world.hang_up(first);
        t.world.pass_ms(500);
        assert_eq!(t.world.state(second), BY_SWITCH);
        t.rest();
        assert_eq!(t.times_after(), 0);
    }
}

#[test]
fn flow_of_the_caller_goes_on_when_nobody_takes_it() {
    for (called, ms) in [
        (Called::refuses_after(200, 486), 500),
        (Called::rings(), 60_300),
        (Called::is_dead(), 5300),
    ] {
        let mut t = talks(722);
        t.world.when_called(t.carol, called);
        assert_eq!(t.transfer(Blind, BOB, CAROL), Ok(()));
        t.world.pass_ms(ms - 400);
        assert_eq!(t.cursor(), "connect");
        t.world.pass_ms(1000);
        assert_eq!(t.world.voices(t.alice), [700]);
        t.rest();
        assert_eq!(t.times_after(), 1);
    }
}

#[test]
fn menu_and_voicemail_behind_the_connect_work_after_a_transfer_to_nobody() {
    let flow = json!([
        {"type": "connect", "option": {"destinations": [{"type": "extension", "target": BOB}]}},
        {"type": "talk", "option": {"text": "tone 700 2000", "digits_handle": "next"}},
        {"type": "digits_receive", "option": {"duration": 3000, "length": 1}},
        {"type": "branch", "option": {"default_target_id": "end", "target_ids": {"1": "mail"}}},
        {"id": "mail", "type": "talk", "option": {"text": "tone 900 500"}},
        {"type": "beep"},
        {"type": "recording_start", "option": {"end_of_key": "#", "duration": 60}},
        {"id": "sleep", "type": "sleep", "option": {"duration": 3000}},
        {"id": "end", "type": "hangup"},
    ]);
    let mut t = before_talks(talks_plan(732).flow("mailbox", flow));
    t.world.dial(t.alice, "mailbox");
    t.world.pass_ms(2000);
    t.world
        .when_called(t.carol, Called::refuses_after(300, 486));
    assert_eq!(t.transfer(Blind, BOB, CAROL), Ok(()));
    t.world.pass_ms(1000);
    assert_eq!(t.world.voices(t.alice), [700]);
    t.world.press(t.alice, '1', Key::Event);
    t.world.pass_ms(400);
    assert_eq!(t.world.voices(t.alice), [900]);
    t.world.pass_ms(600);
    assert_eq!(t.world.voices(t.alice), [1000], "the beep");
    t.world.pass_ms(1000);
    assert_eq!(t.cursor(), "sleep");
    assert!(t.world.switch.variable("voipbin.recording.id").is_some());
    t.world.pass_ms(4000);
    assert_eq!(t.world.state(t.alice), BY_SWITCH);
    t.rest();
}

#[test]
fn callee_is_hung_up_when_nobody_takes_it_from_a_caller_that_is_gone() {
    let mut t = talks(723);
    t.world
        .when_called(t.carol, Called::refuses_after(200, 486));
    assert_eq!(t.transfer(Blind, ALICE, CAROL), Ok(()));
    t.world.pass_ms(1000);
    assert_eq!(t.world.state(t.bob), BY_SWITCH);
    t.rest();
}

#[test]
fn what_cannot_be_transferred_is_refused_and_stays_as_it_is() {
    let mut t = talks(724);
    for kind in [Blind, Attended] {
        assert_eq!(
            t.transfer(kind, BOB, "1003"),
            Err(ControlError::NobodyToCall {
                why: Uncalled::NotRegistered
            }),
            "not registered"
        );
        assert_eq!(
            t.transfer(kind, BOB, "nobody"),
            Err(ControlError::NobodyToCall {
                why: Uncalled::NoSuchExtension
            })
        );
    }
    assert_eq!(t.transfer(Attended, BOB, CAROL), Ok(()));
    for party in [ALICE, BOB] {
        let again = t.transfer(Blind, party, "1003");
        assert_eq!(again, Err(ControlError::AlreadyTransferring));
    }
    t.world.pass_ms(300);
    t.hang_up_all(t.carol);
    t.world.pass_ms(500);
    t.hear([Some(500), Some(400), None]);
    t.hang_up_all(t.bob);
    t.world.pass_ms(300);
    assert_eq!(
        t.transfer(Blind, ALICE, CAROL),
        Err(ControlError::NotTalking)
    );
    t.rest();
}

#[test]
fn transferer_speaks_with_the_transferee_first_and_joins_the_two_by_hanging_up() {
    for (party, other) in [(BOB, ALICE), (ALICE, BOB)] {
        let mut t = talks(725);
        let (transferer, remaining, tone) = match party {
            BOB => (t.bob, t.alice, 500),
            _ => (t.alice, t.bob, 400),
        };
        assert_eq!(t.transfer(Attended, party, CAROL), Ok(()));
        t.world.pass_ms(500);
        assert!(t.world.hears_ringback(transferer));
        assert!(t.world.hears_music(remaining));
        t.world.pass_ms(1500);
        assert_eq!(t.world.voices(transferer), [600]);
        assert_eq!(t.world.voices(t.carol), [tone], "and nobody else");
        assert!(t.world.hears_music(remaining));
        t.world.hang_up(transferer);
        t.world.pass_ms(500);
        let its_tone = 900 - tone;
        assert_eq!(t.world.voices(remaining), [600]);
        assert_eq!(t.world.voices(t.carol), [its_tone]);
        if other == ALICE {
            assert_eq!(t.cursor(), "connect");
        }
        t.world.hang_up(t.carol);
        t.world.pass_ms(500);
        t.rest();
        assert_eq!(t.times_after(), usize::from(other == ALICE));
    }
}

#[test]
fn all_is_as_before_when_the_transferee_refuses_or_leaves_first() {
    for (called, ms) in [
        (Called::refuses_after(300, 486), 1000),
        (Called::answers_for(500, 1000), 2500),
    ] {
        for party in [BOB, ALICE] {
            let mut t = talks(726);
            t.world.when_called(t.carol, called.clone());
            assert_eq!(t.transfer(Attended, party, CAROL), Ok(()));
            t.world.pass_ms(ms);
            t.hear([Some(500), Some(400), None]);
            assert_eq!(t.cursor(), "connect");
            t.world.when_called(t.carol, Called::answers_after(300));
            assert_eq!(t.transfer(Blind, BOB, CAROL), Ok(()), "once more");
            t.world.pass_ms(1500);
            t.hear([Some(600), None, Some(400)]);
            t.rest();
        }
    }
}

#[test]
fn transferer_that_does_not_wait_for_the_answer_has_made_it_a_blind_one() {
    let mut t = talks(727);
    t.world.when_called(t.carol, Called::answers_after(3000));
    assert_eq!(t.transfer(Attended, BOB, CAROL), Ok(()));
    t.world.pass_ms(500);
    t.world.hang_up(t.bob);
    t.world.pass_ms(500);
    assert!(t.world.hears_ringback(t.alice));
    assert_eq!(t.cursor(), "connect");
    t.world.pass_ms(3000);
    t.hear([Some(600), None, Some(400)]);
    t.rest();
}

#[test]
fn talk_that_was_transferred_is_transferred_again() {
    let mut t = talks(728);
    assert_eq!(t.transfer(Blind, BOB, CAROL), Ok(()));
    t.world.pass_ms(2000);
    assert_eq!(t.transfer(Attended, CAROL, BOB), Ok(()));
    t.world.pass_ms(1500);
    t.world.hang_up(t.carol);
    t.world.pass_ms(500);
    t.hear([Some(500), Some(400), None]);
    assert_eq!(t.cursor(), "connect");
    assert_eq!(t.transfer(Blind, ALICE, CAROL), Ok(()));
    t.world.pass_ms(2000);
    t.hear([None, Some(600), Some(500)]);
    t.rest();
    assert_eq!(t.times_after(), 0);
}

#[test]
fn hold_outlasts_a_transfer_of_the_other() {
    let mut t = talks(729);
    assert_eq!(t.ask(ALICE, CallVerb::Moh), Ok(()));
    assert_eq!(t.transfer(Blind, BOB, CAROL), Ok(()));
    t.world.pass_ms(2000);
    assert!(t.world.hears_music(t.alice));
    assert_eq!(t.world.voices(t.carol), [400]);
    assert_eq!(t.ask(ALICE, CallVerb::Unmoh), Ok(()));
    t.world.pass_ms(500);
    t.hear([Some(600), None, Some(400)]);
    t.rest();
}

#[test]
fn whoever_hangs_up_at_whatever_moment_nothing_is_left_and_the_flow_goes_on_once() {
    for kind in [Blind, Attended] {
        for party in [BOB, ALICE] {
            for who in 0..3 {
                for ms in [0, 5, 12, 30, 300, 990, 1008, 1015, 1030, 2000] {
                    let mut t = talks(730);
                    assert_eq!(t.transfer(kind, party, CAROL), Ok(()));
                    t.world.pass_ms(ms);
                    t.hang_up_all([t.alice, t.bob, t.carol][who]);
                    t.world.pass_ms(4000);
                    for phone in [t.bob, t.carol] {
                        t.hang_up_all(phone);
                        t.world.pass_ms(20);
                    }
                    t.world.pass_ms(3000);
                    let is_over = !t.world.at(t.alice).line().is_living();
                    assert!(is_over, "{kind:?} by {party}, {who} at {ms} ms");
                    assert!(t.times_after() <= 1);
                    if who != 0 && party == BOB {
                        assert_eq!(t.times_after(), 1, "{kind:?} {who} at {ms} ms");
                    }
                    t.rest();
                }
            }
        }
    }
}

#[test]
fn call_in_a_fault_leaves_nothing_of_a_transfer_behind() {
    for kind in [Blind, Attended] {
        for ms in [300, 2000] {
            for is_incoming in [true, false] {
                let mut t = talks(731);
                assert_eq!(t.transfer(kind, BOB, CAROL), Ok(()));
                t.world.pass_ms(ms);
                t.world.with_switch(|switch, now| {
                    let all = |_: bool| true;
                    match is_incoming {
                        true => switch.poison_where(now, |is_incoming| is_incoming),
                        false => switch.poison_where(now, all),
                    }
                });
                t.world.pass_ms(3000);
                t.rest();
            }
        }
    }
}
