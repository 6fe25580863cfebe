//! Sounds that fill silence, for as long as somebody wants them: ringback, music.
//!
//! What fills the silence of a call follows from what it is in: music that was asked for comes before what
//! its connection, its queue or its transfer wants, and that before the music of one whom it talks with and
//! who has put us on hold.

use std::sync::Arc;
use std::time::Instant;

use flowswitch_media::command::{CommandId, Outcome};
use flowswitch_media::prompt::Prompt;

use super::{Entry, Purpose, Switch};
use crate::ids::CallId;

/// What a call hears whenever it hears nothing else.
#[derive(Debug, Default)]
pub(super) struct Filling {
    /// What a connection, a queue or a transfer wants.
    wanted: Option<Arc<Prompt>>,
    playing: Option<(CommandId, Arc<Prompt>)>,
}

impl Entry {
    /// Claims that a connection, a queue or a transfer wants this.
    pub(super) fn is_filled_with(&self, prompt: &Arc<Prompt>) -> bool {
        is_same(self.filling.wanted.as_ref(), Some(prompt))
    }
}

impl Switch {
    /// Lets a call hear this over and over from now on, in place of what was wanted before.
    pub(super) fn fill(&mut self, now: Instant, call: CallId, prompt: Arc<Prompt>) {
        if let Some(entry) = self.calls.get_mut(&call) {
            entry.filling.wanted = Some(prompt);
            self.refill(now, call);
        }
    }

    /// Ends it.
    pub(super) fn stop_filling(&mut self, now: Instant, call: CallId) {
        if let Some(entry) = self.calls.get_mut(&call) {
            entry.filling.wanted = None;
            self.refill(now, call);
        }
    }

    /// Plays what fills the silence of a call now, if that is something else than before.
    pub(super) fn refill(&mut self, now: Instant, call: CallId) {
        let prompt = self.filling_of(call);
        let Some(entry) = self.calls.get_mut(&call) else {
            return;
        };
        let playing = entry.filling.playing.as_ref().map(|(_, prompt)| prompt);
        if is_same(playing, prompt.as_ref()) {
            return;
        }
        let before = entry.filling.playing.take();
        match (prompt, before) {
            (Some(prompt), _) => {
                let order = self.new_order(call, Purpose::Filling);
                if let Some(entry) = self.calls.get_mut(&call) {
                    entry.filling.playing = Some((order, Arc::clone(&prompt)));
                }
                self.with_call(now, call, |call, down| call.fill(down, order, prompt));
            }
            (None, Some((order, _))) => {
                self.with_call(now, call, |call, down| call.cancel(down, order));
            }
            (None, None) => {}
        }
    }

    /// The engine has finished one. One that gave way to something else comes back after it; one that cannot
    /// be played does not.
    pub(super) fn filling_ended(&mut self, now: Instant, order: CommandId, outcome: &Outcome) {
        let Some(call) = self.orders.remove(&order).map(|order| order.call) else {
            return;
        };
        let Some(entry) = self.calls.get_mut(&call) else {
            return;
        };
        let is_it = |playing: &mut (CommandId, Arc<Prompt>)| playing.0 == order;
        let ended = entry.filling.playing.take_if(is_it);
        if ended.is_some() && *outcome == Outcome::Canceled {
            self.refill(now, call);
        }
    }

    fn filling_of(&self, call: CallId) -> Option<Arc<Prompt>> {
        let entry = self
            .calls
            .get(&call)
            .filter(|entry| entry.call.is_alive())?;
        if entry.holding.has_music {
            return Some(Arc::clone(&self.hold_music));
        }
        let wanted = entry.filling.wanted.clone();
        wanted.or_else(|| {
            let is_left = self.is_left_on_hold(call);
            is_left.then(|| Arc::clone(&self.hold_music))
        })
    }
}

fn is_same(one: Option<&Arc<Prompt>>, other: Option<&Arc<Prompt>>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => Arc::ptr_eq(one, other),
        (None, None) => true,
        _ => false,
    }
}
