//! Registrations as they are told outside, and taken back from there after a restart.

use std::time::Instant;

use bytes::Bytes;

use super::Switch;
use super::report::{BindingNews, Report};
use crate::sip::message::{NameAddr, ParseError, Uri};
use crate::sip::registrar::{Binding, BindingChange, MAX_EXPIRES};
use crate::sip::{Hop, Transport};
use crate::store::bindings::{BindingState, BindingTransport};
use crate::time::Epoch;

impl Switch {
    /// Tells what has become of registrations.
    pub(super) fn tell_bindings(&mut self) {
        while let Some(bound) = self.registrar.poll_event() {
            let news = match bound.change {
                BindingChange::Made => BindingNews::Made,
                BindingChange::Refreshed => BindingNews::Refreshed,
                BindingChange::Removed => BindingNews::Removed,
            };
            let binding = Box::new(told(&bound.extension, &bound.binding, self.epoch));
            self.report(Report::Binding { news, binding });
        }
    }

    /// Takes back what was told before, or elsewhere.
    pub(super) fn restore_bindings(&mut self, now: Instant, bindings: Vec<BindingState>) {
        for state in bindings {
            if self.config.access.password(&state.extension).is_none() {
                tracing::debug!(extension = %state.extension, "not bound: there is no such extension");
                continue;
            }
            let extension = &state.extension;
            match read(now, &state, self.epoch) {
                Err(why) => tracing::warn!(%extension, %why, "not bound: it cannot be read"),
                Ok(binding) => {
                    if !self.registrar.restore(now, extension, binding) {
                        tracing::warn!(%extension, "not bound: it has too many bindings");
                    }
                }
            }
        }
    }
}

fn told(extension: &str, binding: &Binding, epoch: Epoch) -> BindingState {
    let text = |octets: &Bytes| String::from_utf8_lossy(octets).into_owned();
    BindingState {
        extension: extension.to_owned(),
        contact: binding.contact.to_string(),
        path: binding.path.iter().map(ToString::to_string).collect(),
        transport: match binding.hop.transport {
            Transport::Udp => BindingTransport::Udp,
            Transport::Tcp => BindingTransport::Tcp,
        },
        local: binding.hop.local,
        remote: binding.hop.remote,
        expires: epoch.since_1970(binding.expires_at),
        preference: binding.preference,
        user_agent: binding.user_agent.as_ref().map(text),
        call_id: text(&binding.call_id),
        cseq: binding.cseq,
        device: binding.device.clone(),
    }
}

fn read(now: Instant, state: &BindingState, epoch: Epoch) -> Result<Binding, ParseError> {
    let path = state
        .path
        .iter()
        .map(|proxy| NameAddr::parse(proxy.as_bytes()));
    let left = state.expires.saturating_sub(epoch.since_1970(now));
    Ok(Binding {
        contact: Uri::parse(state.contact.as_bytes())?,
        hop: Hop {
            transport: match state.transport {
                BindingTransport::Udp => Transport::Udp,
                BindingTransport::Tcp => Transport::Tcp,
            },
            local: state.local,
            remote: state.remote,
            connection: None,
        },
        path: path.collect::<Result<_, _>>()?,
        expires_at: now + left.min(MAX_EXPIRES),
        preference: state.preference,
        user_agent: state.user_agent.clone().map(Bytes::from),
        call_id: Bytes::from(state.call_id.clone()),
        cseq: state.cseq,
        device: state.device.clone(),
    })
}
