//! External media: the sound of calls to other hosts, and theirs into calls.
//!
//! ```text
//!   switch -- Connect --> task: connect ------ Connected --> switch --> engine lets it in
//!                           |                                             |
//!   engine == ticks ==> [ rtp | audiosocket | websocket ] == sound ==> engine
//!                           |
//!   switch <--- Ended ------'   the other side is gone, breaks the rules, stalls; or Disconnect
//! ```
//!
//! Each has a task of its own and reaches its host through the policy of the outbound gate: a name is
//! resolved once, and the connection goes to an address that was checked. Every queue is bounded, and the media
//! thread never waits for any: what finds one full is dropped and counted.

mod audiosocket;
mod link;
mod reach;
mod rtp;
mod sound;
mod speech;
mod stream;
#[cfg(test)]
mod tests;
mod websocket;

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use flowswitch_media::command::{ExternalConfig, ExternalId, SessionId};
use flowswitch_media::host::MediaHost;
use futures_util::FutureExt as _;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use self::link::{Desk, Link};
use self::reach::Reach;
use super::fetch::{FetchError, OutboundPolicy};
use crate::flow::Carrier;
use crate::switch::{ExternalNews, ExternalOrder, ExternalTarget, Input};

/// All external media that are connected, or being connected.
#[derive(Debug)]
pub struct Externals {
    reach: Arc<Reach>,
    inputs: mpsc::Sender<Input>,
    /// Where their tasks run.
    runtime: Handle,
    desks: HashMap<ExternalId, Desk>,
}

/// Why external media are over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum End {
    /// We wanted it.
    #[error("stopped")]
    Stopped,
    /// The other side wanted it.
    #[error("the other side has ended it")]
    Closed,
    /// There is no such place to connect to.
    #[error("not a host and port, or not a WebSocket URL")]
    Address,
    /// The policy forbids the address; the operator may allow its network.
    #[error("address {0} is not allowed (see outbound_http.allow)")]
    Refused(IpAddr),
    /// The name has no address.
    #[error("the name cannot be resolved")]
    Unresolved,
    /// No connection, or no trust in the one that was made.
    #[error("cannot connect")]
    Connect,
    /// The connection took too long.
    #[error("timed out while connecting")]
    TimedOut,
    /// The other side does not speak the protocol, or says too much at once.
    #[error("the other side does not keep to the protocol")]
    Protocol,
    /// The other side tells of a fault of its own.
    #[error("the other side has failed")]
    Failed,
    /// The other side takes nothing any more.
    #[error("the other side takes nothing")]
    Stalled,
    /// The connection broke.
    #[error("the connection broke")]
    Broken,
}

impl From<FetchError> for End {
    fn from(error: FetchError) -> Self {
        match error {
            FetchError::Refused { address } => Self::Refused(address),
            FetchError::Unresolved => Self::Unresolved,
            FetchError::TimedOut => Self::TimedOut,
            _ => Self::Connect,
        }
    }
}

/// Tells the switch of one of them.
#[derive(Clone, Debug)]
struct Teller {
    external: ExternalId,
    inputs: mpsc::Sender<Input>,
}

impl Teller {
    async fn tell(&self, news: ExternalNews) {
        let external = self.external;
        // Nobody waits for it when the switch has stopped.
        let _ = self.inputs.send(Input::External { external, news }).await;
    }

    async fn connected(&self, local: SocketAddr) {
        self.tell(ExternalNews::Connected { local }).await;
    }
}

impl Externals {
    /// None yet. They reach what `policy` permits, their news goes to `inputs`, and they run on `runtime`.
    #[must_use]
    pub fn new(policy: OutboundPolicy, inputs: mpsc::Sender<Input>, runtime: Handle) -> Self {
        Self {
            reach: Arc::new(Reach::new(policy)),
            inputs,
            runtime,
            desks: HashMap::new(),
        }
    }

    /// Does what the switch wants.
    pub fn order(&mut self, external: ExternalId, order: ExternalOrder) {
        match order {
            ExternalOrder::Connect(target) => self.connect(external, *target),
            ExternalOrder::Digit(digit) => {
                if let Some(desk) = self.desks.get(&external) {
                    desk.press(digit);
                }
            }
            // Its task ends when it finds its desk gone.
            ExternalOrder::Disconnect => drop(self.desks.remove(&external)),
        }
    }

    /// Lets one in to the engine, with the ways to its task. One whose task is gone is let in too: the switch
    /// lets it out again.
    pub fn let_in(
        &mut self,
        media: &mut MediaHost,
        external: ExternalId,
        session: SessionId,
        config: ExternalConfig,
    ) {
        let mut outlet = self.desks.get_mut(&external).and_then(Desk::outlet);
        let inlet = media.open_external(external, session, config, move |heard, gone| {
            if let Some(outlet) = &mut outlet {
                outlet.tick(heard, gone);
            }
        });
        if let Some(desk) = self.desks.get(&external) {
            desk.begin(inlet);
        }
    }

    fn connect(&mut self, external: ExternalId, target: ExternalTarget) {
        let (desk, mut link) = link::new();
        self.desks.insert(external, desk);
        let reach = Arc::clone(&self.reach);
        let teller = Teller {
            external,
            inputs: self.inputs.clone(),
        };
        self.runtime.spawn(async move {
            let carried = AssertUnwindSafe(carry(&reach, &target, &mut link, &teller));
            let end = carried.catch_unwind().await;
            let (call, external) = (target.call, target.id);
            let (dropped, unheard) = (link.dropped(), link.unheard());
            match end {
                Ok(end @ (End::Stopped | End::Closed)) => {
                    tracing::info!(%call, %external, %end, dropped, unheard, "external media");
                }
                Ok(end) => {
                    tracing::warn!(%call, %external, host = target.host, %end, dropped, unheard, "external media");
                }
                Err(_) => {
                    tracing::error!(%call, %external, "external media failed; please report this");
                }
            }
            teller.tell(ExternalNews::Ended).await;
        });
    }
}

async fn carry(reach: &Reach, target: &ExternalTarget, link: &mut Link, teller: &Teller) -> End {
    match target.carrier {
        Carrier::Rtp(format) => rtp::carry(reach, target, format, link, teller).await,
        Carrier::AudioSocket => audiosocket::carry(reach, target, link, teller).await,
        Carrier::WebSocket(format) => websocket::carry(reach, target, format, link, teller).await,
    }
}
