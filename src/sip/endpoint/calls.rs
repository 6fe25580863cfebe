//! The table of calls: who acts, what comes of it, and when it is over.

use std::time::Instant;

use tracing::debug;

use super::{Endpoint, Slot};
use crate::ids::IdMap;
use crate::sip::dialog::{Floor, Forks, InviteUsage};
use crate::sip::event::DialogId;
use crate::sip::hop::Hop;

impl Endpoint {
    /// Lets a call act, then takes what it has to say.
    pub(super) fn with(
        &mut self,
        now: Instant,
        dialog: DialogId,
        act: impl FnOnce(&mut InviteUsage, &mut Floor<'_>),
    ) {
        self.touch(now, dialog, act);
        self.pump(now);
    }

    fn touch(
        &mut self,
        now: Instant,
        dialog: DialogId,
        act: impl FnOnce(&mut InviteUsage, &mut Floor<'_>),
    ) {
        let (slots, _, mut floor) = self.parts();
        let Some(slot) = slots.get_mut(&dialog) else {
            return;
        };
        act(&mut slot.usage, &mut floor);
        slot.usage.propose(now, &mut floor);
        self.settle(now, dialog);
    }

    /// Takes a call into the table, known by our tag.
    pub(super) fn insert(
        &mut self,
        now: Instant,
        dialog: DialogId,
        local_tag: &str,
        usage: InviteUsage,
    ) {
        self.tags.insert(local_tag.into(), dialog);
        self.slots.insert(
            dialog,
            Box::new(Slot {
                usage,
                connection: None,
            }),
        );
        self.settle(now, dialog);
    }

    /// Lets what is left of a call of ours act, and forgets it when its time is over.
    pub(super) fn touch_forks(
        &mut self,
        now: Instant,
        dialog: DialogId,
        act: impl FnOnce(&mut Forks, &mut Floor<'_>),
    ) {
        let (_, all, mut floor) = self.parts();
        let Some(forks) = all.get_mut(&dialog) else {
            return;
        };
        act(forks, &mut floor);
        let is_over = forks.handle_timeout(now, &mut floor);
        let at = forks.poll_timeout();
        self.deadlines.set(dialog, (!is_over).then_some(at));
        if is_over {
            self.forks.remove(&dialog);
        }
    }

    /// The tables, and what their entries stand on.
    pub(super) fn parts(
        &mut self,
    ) -> (
        &mut IdMap<DialogId, Box<Slot>>,
        &mut IdMap<DialogId, Forks>,
        Floor<'_>,
    ) {
        let floor = Floor {
            layer: &mut self.layer,
            identity: &self.identity,
            rng: &mut self.rng,
            surplus_forks: &mut self.stats.surplus_forks,
        };
        (&mut self.slots, &mut self.forks, floor)
    }

    /// Brings news of the layer to the calls they belong to, or to whoever asks outside of calls.
    pub(super) fn pump(&mut self, now: Instant) {
        self.pump_from(now, None);
    }

    /// [`Self::pump`] after a response that came from `hop`.
    pub(super) fn pump_from(&mut self, now: Instant, hop: Option<Hop>) {
        while let Some(news) = self.layer.poll_news() {
            let Some(dialog) = news.owner else {
                self.handle_ask_event(now, news.transaction, news.event);
                continue;
            };
            if self.slots.contains_key(&dialog) {
                self.touch(now, dialog, |usage, floor| {
                    if let Some(hop) = hop {
                        usage.handle_connection(hop);
                    }
                    usage.handle_client_event(now, floor, news.transaction, &news.event);
                });
            } else {
                self.touch_forks(now, dialog, |forks, floor| {
                    if forks.is_of(news.transaction) {
                        forks.handle_event(now, floor, &news.event);
                    }
                });
            }
        }
    }

    /// Takes the news of a call, arms its timer, and forgets it at its end.
    fn settle(&mut self, now: Instant, dialog: DialogId) {
        let Some(slot) = self.slots.get_mut(&dialog) else {
            return;
        };
        while let Some(event) = slot.usage.poll_event() {
            self.events.push_back(event);
        }
        let connection = slot.usage.dialog().hop().connection;
        let connection = connection.filter(|_| !slot.usage.is_ended());
        if slot.connection != connection {
            if let Some(old) = slot.connection {
                self.connections.remove(&(old, dialog));
            }
            if let Some(new) = connection {
                self.connections.insert((new, dialog));
            }
            slot.connection = connection;
        }
        if slot.usage.is_ended() {
            debug!(dialog = dialog.0, "dialog over");
            let forks = slot.usage.take_forks();
            if let Some(invite) = slot.usage.open_invite() {
                self.layer.abandon(now, invite);
            }
            self.tags.remove(slot.usage.dialog().local_tag());
            self.slots.remove(&dialog);
            self.deadlines
                .set(dialog, forks.as_ref().map(Forks::poll_timeout));
            self.forks.extend(forks.map(|forks| (dialog, forks)));
        } else {
            let at = slot.usage.poll_timeout();
            self.deadlines.set(dialog, at);
        }
    }
}
