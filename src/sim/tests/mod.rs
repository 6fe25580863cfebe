//! Stories of the whole switch, in virtual time.

mod bulk;
mod carriers;
mod conferences;
mod configuring;
mod connect;
mod controls;
mod crowds;
mod endings;
mod errands;
mod explained;
mod externals;
mod faults;
mod flows;
mod groupcalls;
mod groups;
mod holding;
mod interrupts;
mod kit;
mod limits;
mod menu;
mod monkeys;
mod muting;
mod offers;
mod outside;
mod policy;
mod queues;
mod recording;
mod records;
mod reports;
mod requests;
mod stopping;
mod streams;
mod talks;
mod telephones;
mod texts;
mod transfers;
mod trunks;
mod voicemail;
mod wideband;

use std::cell::RefCell;
use std::sync::Once;
use std::time::Duration;

use serde_json::{Value, json};
use tracing_subscriber::filter::dynamic_filter_fn;
use tracing_subscriber::prelude::*;

use super::phone::{AckBody, Key, Offer, PhoneState, Step};
use super::plan::Plan;
use super::world::{PhoneId, World};
use crate::store::calls::CallRecord;
use crate::switch::Report;

const BY_SWITCH: PhoneState = PhoneState::Over { by_switch: true };
const BY_ITSELF: PhoneState = PhoneState::Over { by_switch: false };

/// Answers, says 400 Hz for two seconds, waits for a digit, says what belongs to it, hangs up.
fn menu() -> Value {
    json!({"actions": [
        {"type": "answer"},
        {"id": "top", "type": "talk", "option": {"text": "tone 400 2000", "digits_handle": "next"}},
        {"type": "digits_receive", "option": {"duration": 3000, "length": 1}},
        {"type": "branch", "option": {
            "default_target_id": "other", "target_ids": {"1": "one", "2": "two", "3": "three"},
        }},
        {"id": "one", "type": "talk", "option": {"text": "tone 500 1000"}, "next_id": "end"},
        {"id": "two", "type": "talk", "option": {"text": "tone 600 1000"}, "next_id": "end"},
        {"id": "three", "type": "talk", "option": {"text": "tone 700 1000"}, "next_id": "end"},
        {"id": "other", "type": "talk", "option": {"text": "tone 800 1000"}},
        {"id": "end", "type": "hangup"},
    ]})
}

/// Answers and is silent for two hours.
fn patience() -> Value {
    json!([{"type": "answer"}, {"type": "sleep", "option": {"duration": 7_200_000}}])
}

/// Rings for an hour.
fn ringing() -> Value {
    json!([{"type": "sleep", "option": {"duration": 3_600_000}}, {"type": "answer"}])
}

fn menu_world(seed: u64) -> World {
    Plan::new(seed).flow("menu", menu()).build()
}

thread_local! {
    /// What this thread logs, while it wants to know.
    static LOG: RefCell<Option<Vec<u8>>> = const { RefCell::new(None) };
}

/// Writes into [`LOG`].
struct Log;

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        LOG.with_borrow_mut(|log| log.as_mut().map(|log| log.extend_from_slice(bytes)));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// What was logged while `act` ran.
///
/// The subscriber is that of the whole process, because one per thread misses what another thread came to
/// first; it listens to the threads that ask for it.
fn logged(act: impl FnOnce()) -> String {
    static LISTENING: Once = Once::new();
    LISTENING.call_once(|| {
        let is_wanted = dynamic_filter_fn(|event, _| {
            *event.level() <= tracing::Level::DEBUG && LOG.with_borrow(Option::is_some)
        });
        let lines = tracing_subscriber::fmt::layer()
            .with_ansi(false)
            .with_writer(|| Log)
            .with_filter(is_wanted);
        tracing_subscriber::registry().with(lines).init();
    });
    LOG.set(Some(Vec::new()));
    act();
    String::from_utf8(LOG.take().unwrap_or_default()).unwrap()
}

impl World {
    fn hears(&self, phone: PhoneId) -> Option<u16> {
        self.at(phone).voice().hears(self.now)
    }

    fn words(&self, phone: PhoneId) -> Vec<&str> {
        self.at(phone).words()
    }

    fn state(&self, phone: PhoneId) -> PhoneState {
        self.at(phone).state()
    }

    /// The calls that are over, in the order of their ends.
    fn records(&self) -> Vec<&CallRecord> {
        let ended = self.reports.iter().filter_map(|report| match report {
            Report::CallEnded(record) => Some(record.as_ref()),
            _ => None,
        });
        ended.collect()
    }

    /// How calls ended: `["busy by remote: the peer refused with 486"]`.
    fn ends(&self) -> Vec<String> {
        let records = self.records();
        records
            .iter()
            .map(|record| record.cause.to_string())
            .collect()
    }

    /// When a word came first, in milliseconds since the start of the world.
    fn ms_of(&self, phone: PhoneId, word: &str) -> u128 {
        let seen = self.at(phone).seen.iter().find(|seen| seen.word == word);
        let at = seen
            .unwrap_or_else(|| panic!("no {word} in {:?}", self.words(phone)))
            .at;
        (at - super::start()).as_millis()
    }
}
