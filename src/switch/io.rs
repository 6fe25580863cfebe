//! What goes into the switch and what comes out of it.

use std::sync::Arc;
use std::time::Instant;

use flowswitch_media::command::{Command, CommandId, Event, ExternalId};
use flowswitch_media::prompt::Prompt;

use super::configure::Configuration;
use super::control::{Control, ControlError, ControlId, Controlled};
use super::external::{ExternalNews, ExternalOrder};
use super::outside::{Delivery, OrderId, OutsideAnswer, OutsideRequest};
use super::report::Report;
use crate::flow::{Address, Gender};
use crate::sip::message::{Message, MessageError};
use crate::sip::{Hop, SipHost, Transmit};
use crate::store::bindings::BindingState;
use crate::store::flows::FlowTable;

/// One search for the address of a host; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ResolveId(pub u64);

/// Something happened in the world.
#[derive(Debug)]
pub enum Input {
    /// A SIP message came, or something that tried to be one.
    Sip {
        /// From where.
        hop: Hop,
        /// What the message layer made of it.
        message: Result<Message, MessageError>,
    },
    /// A hop carries nothing any more: its connection broke or could not be made.
    SipClosed {
        /// Which.
        hop: Hop,
    },
    /// News from the media engine.
    Media(Event),
    /// The answer to an [`Output::Fetch`]; what cannot be had is left out and logged by the shell, `None`
    /// where nothing is left.
    Fetched {
        /// The playback it is for.
        command: CommandId,
        /// In the order of the sources.
        prompts: Option<Vec<Arc<Prompt>>>,
    },
    /// The answer to an [`Output::Outside`].
    Outside {
        /// Which.
        order: OrderId,
        /// How it ended.
        answer: OutsideAnswer,
    },
    /// What became of a webhook whose [`Output::Outside`] was answered with done; at most once.
    Delivered {
        /// Which.
        order: OrderId,
        /// How it went.
        delivery: Delivery,
    },
    /// News of external media that an [`Output::External`] has connected.
    External {
        /// Which.
        external: ExternalId,
        /// What.
        news: ExternalNews,
    },
    /// The answer to an [`Output::Resolve`].
    Resolved {
        /// Which.
        resolve: ResolveId,
        /// Where the host is reached, the best first (RFC 3263 §4); empty where it cannot be found.
        hops: Vec<Hop>,
    },
    /// Somebody outside asks for something.
    Control {
        /// To be named in the answer.
        request: ControlId,
        /// What.
        control: Control,
    },
    /// A short message came in.
    Message {
        /// From whom.
        source: Address,
        /// To whom of us.
        destination: Address,
        /// What it says.
        text: String,
        /// Name or id of the flow that answers messages there.
        flow: Option<String>,
    },
    /// Where extensions were registered before the start, or are at another node: bound from now on, and one
    /// that has run out is bound no more. Nothing is told of them until a REGISTER changes them, or they run
    /// out here.
    Bindings(Vec<BindingState>),
    /// The flows have changed; running calls keep theirs.
    Flows(FlowTable),
    /// The configuration has changed: see [`Configuration`]. Flows come by [`Input::Flows`] as ever.
    Configure(Box<Configuration>),
    /// More waits to be handled than is good (true), or no longer so (false): new calls are refused
    /// with 503 meanwhile.
    Overload(bool),
    /// Take no more calls and end those there are.
    Stop,
}

/// Something the world has to do.
#[derive(Debug)]
pub enum Output {
    /// Send a SIP message.
    Transmit(Transmit),
    /// Give an order to the media engine.
    Media(Command),
    /// Make prompts of these sources.
    Fetch {
        /// The playback they are for.
        command: CommandId,
        /// In order.
        sources: Vec<Source>,
    },
    /// Find out where a host is reached; answered by exactly one [`Input::Resolved`].
    Resolve {
        /// To be named in the answer.
        resolve: ResolveId,
        /// Which.
        host: SipHost,
    },
    /// Do something that is neither SIP nor sound; answered by exactly one [`Input::Outside`].
    Outside {
        /// To be named in the answer.
        order: OrderId,
        /// What.
        request: OutsideRequest,
    },
    /// Connect external media, or do something with them.
    External {
        /// Which.
        external: ExternalId,
        /// What.
        order: ExternalOrder,
    },
    /// The answer to an [`Input::Control`], exactly one to each.
    Controlled {
        /// Which.
        request: ControlId,
        /// What came of it, or why it is not done.
        result: Result<Controlled, ControlError>,
    },
    /// News for whoever watches.
    Report(Report),
    /// Everything asked for by [`Input::Stop`] is done.
    Stopped,
    /// Nothing more now; call `handle_timeout` then, if there is a time.
    Timeout(Option<Instant>),
}

/// Something that can be played.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// A text to speak, plain or SSML.
    Text {
        /// The text.
        text: String,
        /// BCP 47; may be empty.
        language: String,
        /// The voice wished for.
        gender: Gender,
    },
    /// A file of the flows directory, or an http(s) URL.
    Url(String),
}
