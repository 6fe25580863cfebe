//! Options of the actions that a call carries out, and of those that only move the cursor.

use std::collections::BTreeMap;

use super::error::FlowErrorKind;
use super::reader::Field;
use crate::flow::action::{Amd, RecordingStart, Target};
use crate::flow::command::RecordingFormat;
use crate::flow::condition::DatetimeCondition;
use crate::flow::json::{Value, clip};
use crate::flow::template::{Late, Scalar, Template};

/// The options of an action; one that is not written has its default.
pub(super) struct Options<'a>(pub(super) Option<Field<'a>>);

impl Options<'_> {
    pub(super) fn find(&self, key: &'static str) -> Option<Field<'_>> {
        self.0.as_ref()?.find(key)
    }

    pub(super) fn template(&self, key: &'static str) -> Template {
        self.find(key)
            .map(|field| field.template())
            .unwrap_or_default()
    }

    pub(super) fn given<T: Scalar>(&self, key: &'static str) -> Option<Late<T>> {
        self.find(key)?.late()
    }

    pub(super) fn late<T: Scalar + Default>(&self, key: &'static str) -> Late<T> {
        self.given(key).unwrap_or_default()
    }

    pub(super) fn target(&self, key: &'static str) -> Target {
        self.late(key)
    }
}

pub(super) fn read_urls(options: &Options<'_>) -> Vec<Template> {
    match options.find("stream_urls") {
        Some(urls) => urls.items().map(|url| url.template()).collect(),
        None => Vec::new(),
    }
}

pub(super) fn read_targets(options: &Options<'_>) -> BTreeMap<String, Target> {
    let Some(targets) = options.find("target_ids") else {
        return BTreeMap::new();
    };
    targets
        .members()
        .filter(|(_, target)| !matches!(target.value(), Value::Null))
        .map(|(key, target)| (key.to_owned(), target.late().unwrap_or_default()))
        .collect()
}

pub(super) fn read_datetime(options: &Options<'_>) -> DatetimeCondition {
    let weekdays = match options.find("weekdays") {
        Some(weekdays) => weekdays
            .items()
            .filter_map(|weekday| weekday.late())
            .collect(),
        None => Vec::new(),
    };
    DatetimeCondition {
        operator: options.late("condition"),
        minute: options.given("minute"),
        hour: options.given("hour"),
        day: options.given("day"),
        month: options.given("month"),
        weekdays,
        false_target: options.target("false_target_id"),
    }
}

pub(super) fn read_recording_start(options: &Options<'_>) -> RecordingStart {
    let format = match options.find("format") {
        None => Late::default(),
        Some(field) => match field.value() {
            Value::Text(name)
                if RecordingFormat::from_text(name).is_none()
                    && !Template::new(name).is_dynamic() =>
            {
                field.wrong(FlowErrorKind::RecordingFormat { name: clip(name) });
                Late::default()
            }
            _ => field.late().unwrap_or_default(),
        },
    };
    RecordingStart {
        format,
        layout: options.late("layout"),
        end_of_silence: options.late("end_of_silence"),
        end_of_key: options.late("end_of_key"),
        duration: options.late("duration"),
        beep_start: options.late("beep_start"),
        on_end_flow_id: options.template("on_end_flow_id"),
    }
}

/// `sync` is how VoIPBIN's own example writes the contrary of `async`.
pub(super) fn read_amd(options: &Options<'_>) -> Amd {
    let is_async = options.given("async");
    Amd {
        machine_handle: options.late("machine_handle"),
        is_sync: match is_async {
            Some(_) => None,
            None => options.given("sync"),
        },
        is_async: is_async.unwrap_or_default(),
    }
}
