//! Two who talk, and a third who may be asked to: what stories of hold and of transfers have in common.

use super::groups::registered;
use super::kit::*;
use super::*;
use crate::flow::Address;
use crate::ids::CallId;
use crate::sim::phone::Called;
use crate::switch::{CallVerb, Control, ControlError, TransferKind};

/// Alice (400 Hz), whose flow has connected her with bob, who is the extension 1001 (500 Hz); carol, who is
/// the extension 1002 (600 Hz), and a carrier for numbers (800 Hz). Behind the `connect` alice hears 700 Hz
/// for a second.
pub(super) struct Talks {
    pub world: World,
    pub alice: PhoneId,
    pub bob: PhoneId,
    pub carol: PhoneId,
    pub carrier: PhoneId,
}

pub(super) const ALICE: &str = "alice";
pub(super) const BOB: &str = "1001";
pub(super) const CAROL: &str = "1002";

pub(super) fn talks_plan(seed: u64) -> Plan {
    let mut plan = trunk_plan(seed);
    plan.extensions = vec![(BOB, "of 1001"), (CAROL, "of 1002"), ("1003", "of 1003")];
    let flow = json!([
        {"id": "connect", "type": "connect", "option": {"destinations": [{"type": "extension", "target": BOB}]}},
        {"id": "after", "type": "talk", "option": {"text": "tone 700 1000"}},
        {"id": "end", "type": "hangup"},
    ]);
    plan.flow("out", flow)
}

/// The talk of alice and bob, two seconds old.
pub(super) fn talks(seed: u64) -> Talks {
    let mut talks = before_talks(talks_plan(seed));
    talks.world.dial(talks.alice, "out");
    talks.world.pass_ms(2500);
    talks.hear([Some(500), Some(400), None]);
    talks
}

/// All are there, and nobody has called yet.
pub(super) fn before_talks(plan: Plan) -> Talks {
    let mut world = plan.build();
    let alice = speaking(&mut world, ALICE, "10.0.0.21", 400);
    let bob = registered(&mut world, BOB, "10.0.0.22");
    let carol = registered(&mut world, CAROL, "10.0.0.23");
    let carrier = world.trunk("carrier.example", "10.0.1.1");
    for (phone, hertz) in [(bob, 500), (carol, 600), (carrier, 800)] {
        world.with(phone, |phone, _| phone.habits.tone = Some(hertz));
    }
    world.when_called(bob, Called::answers_after(500));
    for phone in [carol, carrier] {
        world.when_called(phone, Called::answers_after(1000));
    }
    Talks {
        world,
        alice,
        bob,
        carol,
        carrier,
    }
}

impl Talks {
    /// The call of a party.
    pub(super) fn call(&self, party: &str) -> CallId {
        let call = self.world.switch.call_with(party);
        call.unwrap_or_else(|| panic!("{party} has no call"))
    }

    /// Asks something of the call of a party.
    pub(super) fn ask(&mut self, party: &str, verb: CallVerb) -> Result<(), ControlError> {
        let call = self.call(party);
        self.world.control(Control::Call { call, verb })
    }

    /// Lets a party transfer to an extension.
    pub(super) fn transfer(
        &mut self,
        kind: TransferKind,
        party: &str,
        to: &str,
    ) -> Result<(), ControlError> {
        let transferer = self.call(party);
        let transferees = vec![Address {
            kind: "extension".to_owned(),
            target: to.to_owned(),
            ..Address::default()
        }];
        self.world.control(Control::Transfer {
            kind,
            transferer,
            transferees,
        })
    }

    /// Asserts whom alice, bob and carol hear; `None` hears nobody.
    #[track_caller]
    pub(super) fn hear(&self, who: [Option<u16>; 3]) {
        let phones = [self.alice, self.bob, self.carol];
        let heard = phones.map(|phone| self.world.voices(phone));
        let wanted = who.map(Vec::from_iter);
        assert_eq!(heard, wanted, "alice, bob and carol");
    }

    /// Where the flow of alice stands.
    pub(super) fn cursor(&self) -> &str {
        let call = self.world.switch.call_with(ALICE);
        let cursor = call.and_then(|call| self.world.switch.cursor_of(call));
        cursor.unwrap_or("nowhere")
    }

    /// How often alice has heard what comes behind the `connect`.
    pub(super) fn times_after(&self) -> usize {
        let lines = self.world.at(self.alice).lines();
        let tones = lines.flat_map(|line| &line.voice.tones);
        tones.filter(|(_, tone)| *tone == 700).count()
    }

    /// Lets everything end that does by itself, and asserts that nothing is left.
    pub(super) fn rest(&mut self) {
        for phone in [self.alice, self.bob, self.carol, self.carrier] {
            self.hang_up_all(phone);
        }
        self.world.settle();
        assert_eq!(self.world.phone_leftovers(), [""; 0]);
    }

    /// A telephone ends all its calls.
    pub(super) fn hang_up_all(&mut self, phone: PhoneId) {
        let lines: Vec<_> = self.world.at(phone).lines().map(|line| line.id).collect();
        for line in lines {
            self.world
                .with(phone, |phone, now| phone.hang_up_line(now, line));
        }
    }
}

impl World {
    /// Who is heard by a telephone in the call it is at: tones as loud as telephones say them.
    pub(super) fn voices(&self, phone: PhoneId) -> Vec<u16> {
        if self.state(phone) == PhoneState::Idle {
            return Vec::new();
        }
        let mut tones: Vec<u16> = (3..=14).map(|hundreds| hundreds * 100).collect();
        tones.retain(|hertz| self.level(phone, *hertz) > -21.0);
        tones
    }

    /// A telephone hears what tells it that another one rings.
    pub(super) fn hears_ringback(&self, phone: PhoneId) -> bool {
        let levels = [440, 480].map(|hertz| self.level(phone, hertz));
        self.voices(phone).is_empty()
            && levels.iter().all(|level| (-29.0..-22.0).contains(level))
            && (levels[0] - levels[1]).abs() < 2.0
    }

    /// A telephone hears music.
    pub(super) fn hears_music(&self, phone: PhoneId) -> bool {
        !self.is_silent(phone) && self.voices(phone).is_empty() && !self.hears_ringback(phone)
    }
}
