//! Media of calls that goes to other hosts and comes from there: asked for, connected, let in, ended.
//!
//! ```text
//!   action, request --> Connecting --- Connected ---> Open: the engine has let it in
//!                           |                           |
//!                           '--- Ended, stop, end of the call, end in the engine ---> gone
//! ```
//!
//! Whatever ends one, it is forgotten here at once, and those who still have it are told: the shell to
//! disconnect, the engine to let it out. What they say of it afterwards moves nothing.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Instant;

use flowswitch_media::command::{ExternalConfig, ExternalId, ExternalStats, MediaError, Sides};
use flowswitch_media::dtmf::Digit;
use uuid::Uuid;

use super::io::Output;
use super::report::Report;
use super::{ControlError, Switch};
use crate::flow::{Carrier, CarrierError, Direction, ExternalMedia, FlowCommandId, FlowOutcome};
use crate::ids::{ActiveflowId, CallId};

/// External media of one call at once.
const OF_CALL: usize = 5;

/// Of all calls: each has a socket.
const OF_ALL: usize = 2_000;

/// What the shell shall do with an external.
#[derive(Clone, Debug)]
pub enum ExternalOrder {
    /// Connect it; answered by at most one [`ExternalNews::Connected`] and then exactly one
    /// [`ExternalNews::Ended`].
    Connect(Box<ExternalTarget>),
    /// Tell it a key that the party has pressed.
    Digit(Digit),
    /// Disconnect it.
    Disconnect,
}

/// Where the sound of a call goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExternalTarget {
    /// Its name outside.
    pub id: Uuid,
    /// Whose sound.
    pub call: CallId,
    /// How it travels.
    pub carrier: Carrier,
    /// Host and port; for a WebSocket a URL too.
    pub host: String,
    /// For the other side.
    pub data: String,
    /// For the transport.
    pub transport_data: String,
}

/// What the shell tells of an external.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExternalNews {
    /// The other side is reached.
    Connected {
        /// Our end.
        local: SocketAddr,
    },
    /// It is over; the shell has logged why.
    Ended,
}

/// External media of a call, as they are told outside.
#[derive(Clone, Debug)]
pub struct ExternalMediaReport {
    /// Its name outside.
    pub id: Uuid,
    /// Whose sound.
    pub call: CallId,
    /// Where it stands.
    pub status: ExternalStatus,
    /// Our end, once it is connected.
    pub local: Option<SocketAddr>,
    /// As it was asked for.
    pub media: ExternalMedia,
}

/// Where external media stand (VoIPBIN: ExternalMedia.status).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExternalStatus {
    /// They are connected, or being connected.
    Running,
    /// They are over.
    Terminated,
}

impl ExternalStatus {
    /// As the API writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Terminated => "terminated",
        }
    }
}

/// One that runs.
#[derive(Debug)]
pub(super) struct External {
    id: Uuid,
    call: CallId,
    config: ExternalConfig,
    media: ExternalMedia,
    /// Our end; the engine has let it in when it is known.
    local: Option<SocketAddr>,
}

/// All of them.
pub(super) type Externals = HashMap<ExternalId, External>;

/// Why media do not go elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ExternalRefused {
    /// Nothing reaches the party any more.
    #[error("the call is over")]
    CallIsOver,
    /// The call has as many as it may, or all calls together have.
    #[error("too many external media")]
    TooMany,
    /// There is no host.
    #[error("there is no external_host")]
    NoHost,
    /// It would neither hear nor speak.
    #[error("the other side neither hears nor is heard")]
    NoDirection,
    /// It cannot be carried.
    #[error(transparent)]
    Carrier(#[from] CarrierError),
}

impl ExternalRefused {
    const fn as_str(self) -> &'static str {
        match self {
            Self::CallIsOver => "the call is over",
            Self::TooMany => "too many external media",
            Self::NoHost => "there is no external_host",
            Self::NoDirection => "the other side neither hears nor is heard",
            Self::Carrier(why) => why.as_str(),
        }
    }
}

impl From<ExternalRefused> for ControlError {
    fn from(refused: ExternalRefused) -> Self {
        match refused {
            ExternalRefused::CallIsOver => Self::CallIsOver,
            ExternalRefused::TooMany => Self::TooManyExternalMedia {
                of_call: OF_CALL,
                of_all: OF_ALL,
            },
            ExternalRefused::NoHost
            | ExternalRefused::NoDirection
            | ExternalRefused::Carrier(_) => Self::BadExternalMedia {
                why: refused.as_str(),
            },
        }
    }
}

impl Switch {
    /// Carries out `external_media_start`; the flow goes on at once.
    pub(super) fn flow_external_start(
        &mut self,
        now: Instant,
        id: ActiveflowId,
        command: FlowCommandId,
        media: ExternalMedia,
    ) {
        let outcome = match self.call_of(id) {
            None => FlowOutcome::Failed {
                why: "there is no call",
            },
            Some(call) => match self.start_external(call, media) {
                Ok(_) => FlowOutcome::Done,
                Err(why) => {
                    tracing::warn!(%call, %why, "no external media");
                    FlowOutcome::Failed { why: why.as_str() }
                }
            },
        };
        self.finish_flow_command(now, id, command, outcome);
    }

    /// Carries out `external_media_stop`.
    pub(super) fn flow_external_stop(
        &mut self,
        now: Instant,
        id: ActiveflowId,
        command: FlowCommandId,
    ) {
        if let Some(call) = self.call_of(id) {
            self.stop_externals(now, call);
        }
        self.finish_flow_command(now, id, command, FlowOutcome::Done);
    }

    /// Begins to connect external media of a call, and names them.
    pub(super) fn start_external(
        &mut self,
        call: CallId,
        media: ExternalMedia,
    ) -> Result<Uuid, ExternalRefused> {
        let ExternalMedia {
            encapsulation,
            transport,
            connection_type,
            format,
            ..
        } = &media;
        let carrier = Carrier::of(encapsulation, transport, connection_type, format)?;
        let config = ExternalConfig {
            listen: media.listen.map(heard_sides),
            speak: media.speak.map(spoken_sides),
        };
        if media.external_host.trim().is_empty() {
            return Err(ExternalRefused::NoHost);
        }
        if config == ExternalConfig::default() {
            return Err(ExternalRefused::NoDirection);
        }
        let external = ExternalId(self.next_number());
        let id = self.rng.uuid();
        let is_full = self.externals.len() >= OF_ALL;
        let entry = self.calls.get_mut(&call);
        let entry = entry.filter(|entry| entry.call.is_alive());
        let entry = entry.ok_or(ExternalRefused::CallIsOver)?;
        if is_full || entry.externals.len() >= OF_CALL {
            return Err(ExternalRefused::TooMany);
        }
        entry.externals.push(external);
        let target = ExternalTarget {
            id,
            call,
            carrier,
            host: media.external_host.trim().to_owned(),
            data: media.data.clone(),
            transport_data: media.transport_data.clone(),
        };
        tracing::info!(%call, external = %id, "connecting external media");
        self.order_external(external, ExternalOrder::Connect(Box::new(target)));
        let external_media = External {
            id,
            call,
            config,
            media,
            local: None,
        };
        self.report_external(&external_media, ExternalStatus::Running);
        self.externals.insert(external, external_media);
        Ok(id)
    }

    /// Ends all external media of a call. `false`: there are none.
    pub(super) fn stop_externals(&mut self, now: Instant, call: CallId) -> bool {
        let entry = self.calls.get_mut(&call);
        let running = entry.map(|entry| std::mem::take(&mut entry.externals));
        let running = running.unwrap_or_default();
        for external in &running {
            self.end_external(now, *external);
        }
        !running.is_empty()
    }

    /// Takes news of the shell.
    pub(super) fn handle_external(
        &mut self,
        now: Instant,
        external: ExternalId,
        news: ExternalNews,
    ) {
        match news {
            ExternalNews::Connected { local } => self.let_in(now, external, local),
            ExternalNews::Ended => self.end_external(now, external),
        }
    }

    /// The engine has let an external out, or not in.
    pub(super) fn external_closed(
        &mut self,
        now: Instant,
        external: ExternalId,
        result: &Result<ExternalStats, MediaError>,
    ) {
        tracing::debug!(external = external.0, ?result, "out of the media engine");
        if let (Err(why), Some(known)) = (result, self.externals.get(&external)) {
            tracing::warn!(call = %known.call, external = %known.id, %why, "external media failed");
        }
        if let Some(known) = self.externals.get_mut(&external) {
            known.local = None;
        }
        self.end_external(now, external);
    }

    /// The party of a call has pressed a key.
    pub(super) fn tell_externals(&mut self, call: CallId, digit: Digit) {
        let entry = self.calls.get(&call);
        for external in entry
            .map(|entry| entry.externals.clone())
            .unwrap_or_default()
        {
            self.order_external(external, ExternalOrder::Digit(digit));
        }
    }

    /// Ends one, unless it is over.
    pub(super) fn end_external(&mut self, now: Instant, external: ExternalId) {
        let Some(ended) = self.externals.remove(&external) else {
            return;
        };
        if let Some(entry) = self.calls.get_mut(&ended.call) {
            entry.externals.retain(|known| *known != external);
        }
        if ended.local.is_some() {
            self.with_call(now, ended.call, |call, down| {
                call.close_external(down, external);
            });
        }
        self.order_external(external, ExternalOrder::Disconnect);
        tracing::info!(call = %ended.call, external = %ended.id, "external media are over");
        self.report_external(&ended, ExternalStatus::Terminated);
    }

    /// Lets one that is connected in to its call.
    fn let_in(&mut self, now: Instant, external: ExternalId, local: SocketAddr) {
        let Some(known) = self.externals.get_mut(&external) else {
            return;
        };
        known.local = Some(local);
        let (call, config) = (known.call, known.config);
        tracing::info!(%call, external = %known.id, %local, "external media are connected");
        let mut is_in = false;
        self.with_call(now, call, |call, down| {
            is_in = call.open_external(down, external, config);
        });
        match self.externals.get(&external) {
            Some(known) if is_in => {
                let report = known.report(ExternalStatus::Running);
                self.report(report);
            }
            _ => self.end_external(now, external),
        }
    }

    fn order_external(&mut self, external: ExternalId, order: ExternalOrder) {
        self.outputs.push_back(Output::External { external, order });
    }

    fn report_external(&mut self, external: &External, status: ExternalStatus) {
        let report = external.report(status);
        self.report(report);
    }
}

impl External {
    fn report(&self, status: ExternalStatus) -> Report {
        Report::ExternalMedia(Box::new(ExternalMediaReport {
            id: self.id,
            call: self.call,
            status,
            local: self.local,
            media: self.media.clone(),
        }))
    }
}

/// What is heard: what comes in from the party, or what goes out to it.
const fn heard_sides(direction: Direction) -> Sides {
    match direction {
        Direction::In => Sides::Peer,
        Direction::Out => Sides::Us,
        Direction::Both => Sides::Both,
    }
}

/// Where it is spoken: in, as if the party had said it, or out to the party.
const fn spoken_sides(direction: Direction) -> Sides {
    heard_sides(direction)
}
