//! What a telephone does by itself, step by step.

use std::time::Instant;

use super::{Phone, PhoneState, Step};

impl Phone {
    /// Does what the script says, as far as it goes now.
    pub fn follow_script(&mut self, now: Instant) {
        while let Some(step) = self.script.front().cloned() {
            let state = self.state();
            let is_over = matches!(state, PhoneState::Over { .. });
            let is_waiting = match step {
                Step::UntilCalled => state == PhoneState::Idle,
                Step::UntilAnswered => state != PhoneState::Answered && !is_over,
                Step::UntilHears(tone) => !is_over && !self.hears(now, tone),
                Step::UntilOver => !is_over,
                Step::Pause(time) => now < *self.pause_until.get_or_insert(now + time),
                _ => false,
            };
            if is_waiting {
                return;
            }
            match step {
                Step::Pause(_) => self.pause_until = None,
                Step::Dial(name) => self.dial(now, name),
                Step::Press(key, how) if !is_over => self.press(now, key, how),
                Step::Say(hertz) => self.say(now, hertz),
                Step::Hold(direction) if state == PhoneState::Answered => self.hold(now, direction),
                Step::Refer(target) if state == PhoneState::Answered => self.refer(now, target),
                Step::HangUp => self.hang_up(now),
                _ => {}
            }
            self.script.pop_front();
        }
    }

    fn hears(&self, now: Instant, tone: u16) -> bool {
        self.state() != PhoneState::Idle && self.voice().hears(now) == Some(tone)
    }
}
