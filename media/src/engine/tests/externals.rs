//! Who hears whom when somebody beside the session listens or speaks.

use std::time::Duration;

use super::party::{Party, TONES, largest_step, longest_gap, session};
use super::rig::{PTIME, TELEPHONE_EVENT, is_tone, ms, set_events};
use crate::command::{
    Command, CommandId, Event, ExternalConfig, ExternalId, ExternalStats, MediaError, Mute, Part,
    Sides,
};
use crate::dsp::meter::frequency_power;
use crate::dsp::tone::{ToneGenerator, burst};
use crate::engine::{Engine, EngineConfig, Input};
use crate::frame::FRAME_SAMPLES;
use crate::prompt::Prompt;
use crate::sim::start;

/// What externals say, by their numbers.
const VOICES: [f32; 3] = [2_110.0, 2_530.0, 2_910.0];

/// A party with externals that speak.
struct Room {
    party: Party,
    voices: Vec<(ExternalId, ToneGenerator)>,
}

impl Room {
    fn of(count: usize) -> Self {
        Self {
            party: Party::of(count),
            voices: Vec::new(),
        }
    }

    fn joined(count: usize) -> Self {
        let party = Party::joined(count);
        Self {
            party,
            voices: Vec::new(),
        }
    }

    /// Lets an external in to the first session.
    fn open(&mut self, external: u64, listen: Option<Sides>, speak: Option<Sides>) {
        let external = ExternalId(external);
        self.party.rig.command(Command::OpenExternal {
            external,
            session: session(0),
            config: ExternalConfig { listen, speak },
        });
        if speak.is_some() {
            let tone = ToneGenerator::single(VOICES[external.0 as usize], -18.0);
            self.voices.push((external, tone));
        }
    }

    fn close(&mut self, external: u64) {
        let external = ExternalId(external);
        self.voices.retain(|(known, _)| *known != external);
        self.party.rig.command(Command::CloseExternal {
            external,
            session: session(0),
        });
    }

    fn say(&mut self, external: u64, samples: &[i16]) {
        let external = ExternalId(external);
        self.party
            .rig
            .input(Input::ExternalSound { external, samples });
    }

    /// Everybody speaks; what went before is forgotten.
    fn talk(&mut self, time: Duration) {
        for part in [ms(300), time] {
            self.party.forget();
            self.party.rig.ticks.clear();
            for _ in 0..part.as_millis() / 20 {
                let mut samples = [0; FRAME_SAMPLES];
                for (external, tone) in &mut self.voices {
                    tone.fill(&mut samples);
                    let (external, samples) = (*external, &samples);
                    self.party
                        .rig
                        .input(Input::ExternalSound { external, samples });
                }
                self.party.talk(PTIME);
            }
        }
    }

    /// What an external has heard.
    fn heard(&self, external: u64) -> Vec<i16> {
        let ticks = self.party.rig.ticks.iter();
        let heard = ticks.filter(|tick| tick.1 == ExternalId(external));
        heard
            .flat_map(|tick| tick.2.iter().flat_map(|frame| frame.0))
            .collect()
    }

    /// The tones that an external has heard.
    fn tones(&self, external: u64) -> Vec<f32> {
        tones_in(&self.heard(external))
    }

    /// The tones that the peer of a session has heard.
    fn tones_of(&self, guest: usize) -> Vec<f32> {
        tones_in(&self.party.sound(guest))
    }

    fn gone(&self, external: u64) -> u64 {
        let mut ticks = self.party.rig.ticks.iter().rev();
        ticks
            .find(|tick| tick.1 == ExternalId(external))
            .map_or(0, |tick| tick.3)
    }

    /// How an external ended; `None` while it has not.
    fn ended(&self, external: u64) -> Option<Result<ExternalStats, MediaError>> {
        let events = self.party.rig.events.iter();
        let mut ends = events.filter_map(|(_, event)| match event {
            Event::ExternalClosed {
                external: known,
                result,
            } if known.0 == external => Some(result.clone()),
            _ => None,
        });
        let end = ends.next();
        assert_eq!(ends.next(), None, "it ended twice");
        end
    }

    fn play(&mut self, hertz: f32) {
        let prompt = Prompt::from_samples(burst(hertz, -12.0, ms(1_000)));
        self.party.play(1, 0, prompt, true);
    }
}

fn tones_in(sound: &[i16]) -> Vec<f32> {
    let is_heard = |tone: &f32| frequency_power(sound, *tone) > -30.0;
    TONES
        .iter()
        .chain(&VOICES)
        .copied()
        .filter(is_heard)
        .collect()
}

/// What the prompt of [`Room::play`] sounds like.
const PROMPT: f32 = TONES[5];

#[test]
fn an_external_hears_the_peer_or_us_or_both() {
    let wishes = [Sides::Peer, Sides::Us, Sides::Both];
    let expected: [&[f32]; 3] = [&[TONES[0]], &[PROMPT], &[TONES[0], PROMPT]];
    for (listen, expected) in wishes.into_iter().zip(expected) {
        let mut room = Room::of(1);
        room.play(PROMPT);
        room.open(0, Some(listen), None);
        room.talk(ms(1_000));
        assert_eq!(room.tones(0), expected, "{listen:?}");
        assert_eq!(room.heard(0).len(), 8_000);
        assert_eq!(room.tones_of(0), [PROMPT]);
    }
}

#[test]
fn what_an_external_says_is_heard_where_it_speaks_and_not_by_itself() {
    let wishes = [Sides::Peer, Sides::Us, Sides::Both];
    for speak in wishes {
        let mut room = Room::of(1);
        room.open(0, Some(Sides::Both), Some(speak));
        room.open(1, Some(Sides::Peer), None);
        room.open(2, Some(Sides::Us), None);
        room.talk(ms(1_000));
        let own = &VOICES[..1];
        assert_eq!(room.tones(0), &TONES[..1], "{speak:?}");
        let (peer, us) = (speak.has_peer(), speak.has_us());
        let spoken = |is_there: bool| if is_there { own } else { &[] };
        assert_eq!(room.tones(1), [&TONES[..1], spoken(peer)].concat());
        assert_eq!(room.tones(2), spoken(us));
        assert_eq!(room.tones_of(0), spoken(us));
        assert!(longest_gap(&room.heard(0)) < 80);
    }
}

#[test]
fn in_a_bridge_it_is_heard_by_the_other_or_by_the_peer() {
    let expected: [(Sides, &[f32], &[f32]); 3] = [
        (Sides::Peer, &[TONES[1]], &[TONES[0], VOICES[0]]),
        (Sides::Us, &[TONES[1], VOICES[0]], &[TONES[0]]),
        (Sides::Both, &[TONES[1], VOICES[0]], &[TONES[0], VOICES[0]]),
    ];
    for (speak, by_peer, by_other) in expected {
        let mut room = Room::joined(2);
        room.open(0, Some(Sides::Both), Some(speak));
        room.talk(ms(1_000));
        assert_eq!(room.tones_of(0), by_peer, "{speak:?}");
        assert_eq!(room.tones_of(1), by_other, "{speak:?}");
        assert_eq!(room.tones(0), &TONES[..2]);
        room.close(0);
        room.talk(ms(1_000));
        assert!(room.party.hears_only(0, TONES[1]));
        assert!(room.party.hears_only(1, TONES[0]));
    }
}

#[test]
fn it_stays_when_the_bridge_is_left_and_comes_along_when_one_is_joined() {
    let mut room = Room::joined(3);
    room.open(0, Some(Sides::Both), Some(Sides::Both));
    room.talk(ms(400));
    assert_eq!(room.tones(0), &TONES[..3]);
    room.party.leave(0);
    room.talk(ms(400));
    assert_eq!(room.tones(0), &TONES[..1]);
    assert_eq!(room.tones_of(0), &VOICES[..1]);
    assert_eq!(room.tones_of(1), &TONES[2..3]);
    room.party.join(0, Part::FULL);
    room.talk(ms(400));
    assert_eq!(room.tones(0), &TONES[..3]);
    assert_eq!(room.tones_of(1), [TONES[0], TONES[2], VOICES[0]]);
}

#[test]
fn an_echo_returns_what_is_said_in_the_place_of_the_peer_too() {
    let mut room = Room::of(1);
    room.party.rig.command(Command::Echo {
        command: CommandId(1),
        session: session(0),
        duration: ms(60_000),
        with_digits: true,
    });
    room.open(0, Some(Sides::Us), Some(Sides::Peer));
    room.talk(ms(1_000));
    assert_eq!(room.tones_of(0), [TONES[0], VOICES[0]]);
    room.close(0);
    room.talk(ms(1_000));
    assert!(room.party.hears_only(0, TONES[0]));
}

#[test]
fn an_echo_returns_keys_too() {
    let mut room = Room::of(1);
    room.party.rig.command(Command::Echo {
        command: CommandId(1),
        session: session(0),
        duration: ms(60_000),
        with_digits: true,
    });
    room.open(0, Some(Sides::Us), None);
    room.talk(ms(200));
    for duration in [160, 320, 480] {
        let phone = &mut room.party.guests[0].phone;
        let packet = phone.event('5', 9_000, duration, duration == 480);
        let from = phone.address;
        room.party.rig.receive_at(session(0), from, &packet);
        room.party.rig.pass(PTIME);
    }
    room.party.rig.pass(ms(200));
    let mut events = room.party.packets(0);
    events.retain(|sent| sent.header().payload_type == TELEPHONE_EVENT);
    assert!(events.len() >= 3);
    assert!(events.iter().all(|sent| sent.payload()[0] == 5));
    assert_eq!(room.party.rig.heard_digits(), "5");
}

#[test]
fn muting_the_peer_silences_who_speaks_in_its_place_and_muting_us_who_speaks_in_ours() {
    for (direction, other, peer) in [
        (Mute::In, vec![], vec![TONES[1], VOICES[0]]),
        (Mute::Out, vec![TONES[0], VOICES[0]], vec![]),
    ] {
        let mut room = Room::joined(2);
        room.open(0, None, Some(Sides::Both));
        room.open(1, Some(Sides::Both), None);
        room.party.rig.command(Command::Mute {
            session: session(0),
            direction,
        });
        room.talk(ms(1_000));
        assert_eq!(room.tones_of(1), other, "{direction:?}");
        assert_eq!(room.tones_of(0), peer, "{direction:?}");
        assert_eq!(room.tones(1), [other, peer].concat(), "{direction:?}");
    }
}

#[test]
fn keys_that_are_sent_are_heard_alone() {
    let mut room = Room::of(1);
    room.party = Party::with(1, |_, config| set_events(config, false));
    room.open(0, None, Some(Sides::Us));
    room.talk(ms(200));
    room.party.rig.command(Command::SendDigits {
        command: CommandId(5),
        session: session(0),
        digits: super::rig::digits("5"),
        tone: ms(1_000),
        gap: ms(0),
    });
    room.talk(ms(400));
    let sound = room.party.sound(0);
    assert!(frequency_power(&sound, 770.0) > -20.0);
    assert!(frequency_power(&sound, VOICES[0]) < -40.0);
}

#[test]
fn a_sixth_is_not_let_in_and_a_place_that_is_given_up_is_free() {
    let mut room = Room::of(1);
    (0..6).for_each(|external| room.open(external, Some(Sides::Peer), None));
    assert_eq!(room.ended(5), Some(Err(MediaError::TooManyExternals)));
    room.close(2);
    assert!(matches!(room.ended(2), Some(Ok(_))));
    room.open(6, Some(Sides::Peer), None);
    room.talk(ms(200));
    assert_eq!(room.tones(6), &TONES[..1]);
    assert_eq!(room.ended(6), None);
}

#[test]
fn each_ends_once_whatever_ends_it() {
    let mut room = Room::of(1);
    (0..4).for_each(|external| room.open(external, Some(Sides::Peer), None));
    // One that is known already is not let in again, and no other end comes of it.
    room.open(0, None, None);
    room.talk(ms(100));
    room.close(1);
    room.close(1);
    room.party.rig.command(Command::Close {
        session: session(0),
    });
    for external in 0..4 {
        let stats = room.ended(external).unwrap().unwrap();
        assert!(stats.frames >= 18, "{stats:?}");
    }
    let last = room.party.rig.events.last().map(|(_, event)| event);
    assert!(matches!(last, Some(Event::Closed { .. })));
    room.open(4, None, None);
    assert_eq!(room.ended(4), Some(Err(MediaError::UnknownSession)));
}

#[test]
fn a_fault_of_its_session_ends_it() {
    let mut room = Room::of(1);
    room.open(0, Some(Sides::Peer), None);
    room.party.rig.engine.poison(session(0));
    room.talk(ms(100));
    assert_eq!(room.ended(0), Some(Err(MediaError::Internal)));
    assert_eq!(room.party.rig.engine.stats().faults, 1);
}

#[test]
fn it_moves_with_its_session_to_another_engine() {
    let mut room = Room::of(1);
    room.open(0, Some(Sides::Peer), Some(Sides::Us));
    room.talk(ms(200));
    let now = room.party.rig.now;
    let departure = room.party.rig.engine.release(now, session(0)).unwrap();
    assert_eq!(departure.externals(), [ExternalId(0)]);
    room.party.rig.engine = Engine::new(&EngineConfig {
        start: start(),
        wall: ms(0),
        seed: [9; 32],
    });
    room.party.rig.engine.adopt(now, departure);
    room.party.rig.input(Input::ExternalClear {
        external: ExternalId(0),
    });
    room.talk(ms(400));
    assert_eq!(room.tones(0), &TONES[..1]);
    assert_eq!(room.tones_of(0), &VOICES[..1]);
    room.close(0);
    assert!(room.ended(0).unwrap().unwrap().heard_samples > 3_000);
}

#[test]
fn it_is_told_each_20_ms_how_much_of_what_it_said_is_gone() {
    let mut room = Room::of(1);
    room.open(0, None, Some(Sides::Us));
    room.voices.clear();
    room.talk(ms(100));
    room.say(0, &[9_000; 800]);
    room.party.talk(ms(60));
    assert_eq!(room.gone(0), 480);
    room.party.rig.input(Input::ExternalClear {
        external: ExternalId(0),
    });
    room.party.talk(PTIME);
    assert_eq!(room.gone(0), 800);
    let frames = room.party.rig.ticks.iter().filter(|tick| tick.2.is_some());
    assert_eq!(frames.count(), 0);
    // What was cleared is not heard, and what was heard ends without a click.
    let sound = room.party.sound(0);
    let loud = sound.iter().filter(|sample| **sample > 8_000).count();
    assert!((470..=490).contains(&loud), "{loud}");
    let end = sound.iter().rposition(|sample| *sample > 8_000).unwrap();
    assert!(largest_step(&sound[end - 10..]) < 600);
}

#[test]
fn peers_get_packets_of_the_length_they_want() {
    let mut room = Room::of(0);
    room.party = Party::with(1, |_, config| config.ptime = ms(30));
    room.open(0, Some(Sides::Both), Some(Sides::Us));
    room.talk(ms(900));
    assert!(is_tone(&room.party.sound(0)[240..], VOICES[0]));
    assert!(
        room.party
            .packets(0)
            .iter()
            .all(|sent| sent.payload().len() == 240)
    );
}
