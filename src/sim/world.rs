//! The world: one clock, one queue of what is under way, and who lives in it.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use flowswitch_media::command::{CommandId, Event, ExternalId};
use flowswitch_media::prompt::Prompt;
use serde_json::Value;

use super::media::{MediaRoom, Sent};
use super::net::Net;
use super::phone::Phone;
use super::plan::{Plan, new_switch};
use crate::flow::dialect::{Support, parse_flow};
use crate::ids::Rng;
use crate::sip::message::Message;
use crate::sip::{ConnectionId, Hop, Transmit, Transport};
use crate::store::flows::{FlowTable, Number};
use crate::switch::{
    ControlError, ControlId, Controlled, Delivery, ExternalNews, ExternalOrder, Input, OrderId,
    Output, OutsideAnswer, OutsideRequest, Report, ResolveId, Switch,
};
use crate::time::DeadlineQueue;
use watch::Watch;

mod names;
mod outside;
mod telephones;
mod watch;

/// Names a telephone of the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PhoneId(usize);

/// The world.
pub struct World {
    /// What time it is.
    pub now: Instant,
    /// The switch.
    pub switch: Switch,
    /// The media host.
    pub media: MediaRoom,
    /// How SIP travels.
    pub sip: Net,
    /// How RTP travels.
    pub rtp: Net,
    /// How long speech takes to be made.
    pub fetching: Duration,
    /// What the switch asked of the world outside.
    pub asked: Vec<OutsideRequest>,
    /// What the world outside answers; nothing where it is `None`.
    pub answering: fn(&OutsideRequest) -> Option<OutsideAnswer>,
    /// How long it takes to answer.
    pub asking: Duration,
    /// What becomes of webhooks.
    pub delivery: Delivery,
    /// What external media were told.
    pub externals: Vec<(ExternalId, ExternalOrder)>,
    /// Whether external media can be connected; what they hear they say again.
    pub has_externals: bool,
    /// Answers of the switch to what was asked of it.
    pub controlled: Vec<(ControlId, Result<Controlled, ControlError>)>,
    /// Where hosts are reached, the best first; others cannot be found.
    pub hosts: HashMap<String, Vec<(Transport, SocketAddr)>>,
    /// How long it takes to find out.
    pub resolving: Duration,
    /// News of the switch; in a world of many calls only of their ends and of conferences.
    pub reports: Vec<Report>,
    /// When the switch said that it has stopped.
    pub stopped_at: Option<Instant>,
    /// Messages for which a stream had to be opened.
    pub opened: u32,
    /// Messages to nobody: where to.
    pub strays: Vec<SocketAddr>,
    /// Holds what is told against the rules.
    watch: Watch,
    /// Reports and errands so far, also where they are not kept.
    pub told: u64,
    is_bulk: bool,
    reporting: Duration,
    phones: Vec<Phone>,
    lines: HashMap<SocketAddr, PhoneId>,
    ears: HashMap<SocketAddr, PhoneId>,
    /// Where each telephone has the sound of its further calls.
    more_ears: HashMap<IpAddr, PhoneId>,
    connections: u64,
    alarms: DeadlineQueue<PhoneId>,
    under_way: BTreeMap<(Instant, u64), Happening>,
    issued: u64,
    switch_wake: Option<Instant>,
    prompts: HashMap<String, Arc<Prompt>>,
    rng: Rng,
}

#[derive(Debug)]
enum Happening {
    ToSwitch(Hop, Bytes),
    ToPhone {
        id: PhoneId,
        from: SocketAddr,
        bytes: Bytes,
    },
    SipClosed(Hop),
    SoundToPhone {
        id: PhoneId,
        to: SocketAddr,
        bytes: Vec<u8>,
    },
    SoundToSwitch {
        from: SocketAddr,
        to: SocketAddr,
        bytes: Vec<u8>,
    },
    Resolved(ResolveId, Vec<Hop>),
    Fetched(CommandId, Option<Vec<Arc<Prompt>>>),
    Outside(OrderId, OutsideAnswer),
    Delivered(OrderId),
    External(ExternalId, ExternalNews),
    Media(Event),
}

/// Where the switch lives: SIP and RTP.
pub const SWITCH: &str = "10.0.0.1:5060";

impl World {
    /// A world as planned.
    #[must_use]
    pub fn new(plan: Plan) -> Self {
        println!("seed {}", plan.seed);
        let now = super::start();
        let mut rng = Rng::from_number(plan.seed);
        let mut world = Self {
            now,
            switch: new_switch(now, &plan, &mut rng),
            media: match plan.is_bulk {
                true => MediaRoom::silent(),
                false => MediaRoom::new(now, plan.seed),
            },
            is_bulk: plan.is_bulk,
            watch: Watch::default(),
            sip: Net::new(plan.sip, rng.fork()),
            rtp: Net::new(plan.rtp, rng.fork()),
            fetching: plan.fetching,
            asked: Vec::new(),
            answering: outside::answer,
            asking: Duration::from_millis(100),
            delivery: Delivery {
                status: Some(200),
                tries: 1,
                took: Duration::from_millis(50),
            },
            externals: Vec::new(),
            has_externals: true,
            controlled: Vec::new(),
            hosts: names::table(&plan.hosts),
            resolving: plan.resolving,
            reports: Vec::new(),
            stopped_at: None,
            opened: 0,
            told: 0,
            strays: Vec::new(),
            reporting: plan.reporting,
            phones: Vec::new(),
            lines: HashMap::new(),
            ears: HashMap::new(),
            more_ears: HashMap::new(),
            connections: 1 << 32,
            alarms: DeadlineQueue::new(),
            under_way: BTreeMap::new(),
            issued: 0,
            switch_wake: None,
            prompts: HashMap::new(),
            rng,
        };
        let table = world.table(&plan.flows, &plan.numbers);
        world.input(Input::Flows(table));
        world
    }

    /// The flows of a directory with these files.
    pub fn table(
        &mut self,
        flows: &[(&'static str, Value)],
        numbers: &[(&str, &str)],
    ) -> FlowTable {
        let read = |(name, json): &(&'static str, Value)| {
            let flow = parse_flow(
                json.to_string().as_bytes(),
                name,
                &mut self.rng,
                Support::Live,
            );
            let flow = flow.unwrap_or_else(|errors| panic!("flow {name}: {errors}"));
            ((*name).to_owned(), Arc::new(flow))
        };
        let flows = flows.iter().map(read).collect();
        let owned = |(number, name): &(&str, &str)| Number {
            number: (*number).to_owned(),
            call_flow: Some((*name).to_owned()),
            message_flow: Some((*name).to_owned()),
        };
        let numbers: Vec<Number> = numbers.iter().map(owned).collect();
        FlowTable::new(flows, &numbers).0
    }

    // Time.

    /// Lets time pass, from deadline to deadline.
    pub fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        let (mut here, mut at) = (0, self.now);
        while let Some(next) = self.next_deadline().filter(|next| *next <= end) {
            self.now = self.now.max(next);
            here = if at == self.now { here + 1 } else { 0 };
            at = self.now;
            assert!(here < 100_000, "time stands still");
            self.step();
        }
        self.now = end;
    }

    /// [`pass`](Self::pass) in milliseconds.
    pub fn pass_ms(&mut self, ms: u64) {
        self.pass(Duration::from_millis(ms));
    }

    /// Lets every timer run out and asserts that nothing is left of any call anywhere.
    pub fn settle(&mut self) {
        // Two times 64·T1: a resent 200, then a BYE that nobody answers, and the wait after it.
        self.pass(Duration::from_secs(100));
        assert_eq!(self.switch.leftovers(), []);
        assert_eq!(self.watch.leftovers(), [""; 0]);
        assert_eq!(self.media.leftovers(), [""; 0]);
    }

    /// Does something to the switch itself.
    pub fn with_switch(&mut self, act: impl FnOnce(&mut Switch, Instant)) {
        act(&mut self.switch, self.now);
        self.drain_switch();
    }

    /// Gives the switch an input.
    pub fn input(&mut self, input: Input) {
        self.switch.handle_input(self.now, input);
        self.drain_switch();
    }

    /// A datagram from a telephone's address reaches the switch now, whatever it is.
    pub fn inject(&mut self, phone: PhoneId, bytes: Bytes) {
        let hop = self.hop(phone);
        let message = Message::parse_datagram(bytes);
        self.input(Input::Sip { hop, message });
    }

    /// How much has been under way so far: messages, packets, answers.
    #[must_use]
    pub const fn happened(&self) -> u64 {
        self.issued
    }

    fn next_deadline(&mut self) -> Option<Instant> {
        let under_way = self.under_way.keys().next().map(|(at, _)| *at);
        let media = self.media.poll_timeout();
        let phones = self.alarms.poll_timeout();
        [under_way, media, phones, self.switch_wake]
            .into_iter()
            .flatten()
            .min()
    }

    fn step(&mut self) {
        while let Some(entry) = self
            .under_way
            .first_entry()
            .filter(|entry| entry.key().0 <= self.now)
        {
            let happening = entry.remove();
            self.happen(happening);
        }
        if self.media.poll_timeout().is_some_and(|at| at <= self.now) {
            self.media.handle_timeout(self.now);
            self.drain_media();
        }
        if self.switch_wake.is_some_and(|at| at <= self.now) {
            self.switch.handle_timeout(self.now);
            self.drain_switch();
        }
        while let Some(id) = self.alarms.poll(self.now) {
            self.phones[id.0].handle_timeout(self.now);
            self.drain_phone(id);
        }
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::ToSwitch(hop, bytes) => {
                let message = Message::parse_datagram(bytes);
                self.input(Input::Sip { hop, message });
            }
            Happening::ToPhone { id, from, bytes } => {
                self.phones[id.0].handle_sip(self.now, from, bytes);
                self.drain_phone(id);
            }
            Happening::SipClosed(hop) => self.input(Input::SipClosed { hop }),
            Happening::Resolved(resolve, hops) => self.input(Input::Resolved { resolve, hops }),
            Happening::SoundToPhone { id, to, bytes } => {
                let phone = &mut self.phones[id.0];
                phone.handle_sound(self.now, to, &bytes);
                if !phone.script.is_empty() {
                    self.drain_phone(id);
                }
            }
            Happening::SoundToSwitch { from, to, bytes } => {
                self.media.handle_datagram(self.now, from, to, &bytes);
                self.drain_media();
            }
            Happening::Fetched(command, prompts) => self.input(Input::Fetched { command, prompts }),
            Happening::Outside(order, answer) => self.input(Input::Outside { order, answer }),
            Happening::Delivered(order) => {
                let delivery = self.delivery;
                self.input(Input::Delivered { order, delivery });
            }
            Happening::External(external, news) => self.input(Input::External { external, news }),
            Happening::Media(event) => self.input(Input::Media(event)),
        }
    }

    fn later(&mut self, at: Instant, happening: Happening) {
        self.issued += 1;
        self.under_way.insert((at, self.issued), happening);
    }

    fn drain_switch(&mut self) {
        loop {
            match self.switch.poll_output(self.now) {
                Output::Transmit(transmit) => self.transmit(transmit),
                Output::Media(command) => {
                    self.media.handle_command(self.now, command);
                    self.drain_media();
                }
                Output::Fetch { command, sources } => {
                    if let Some(prompts) = self.fetch(&sources) {
                        self.later(
                            self.now + self.fetching,
                            Happening::Fetched(command, prompts),
                        );
                    }
                }
                Output::Outside { order, request } => {
                    let answer = (self.answering)(&request);
                    let is_webhook = matches!(request, OutsideRequest::Webhook { .. });
                    self.told += 1;
                    if !self.is_bulk {
                        self.asked.push(request);
                    }
                    if let Some(answer) = answer {
                        let at = self.now + self.asking;
                        if is_webhook && answer == OutsideAnswer::Done {
                            let delivered = at + self.delivery.took;
                            self.later(delivered, Happening::Delivered(order));
                        }
                        self.later(at, Happening::Outside(order, answer));
                    }
                }
                Output::External { external, order } => {
                    if matches!(order, ExternalOrder::Connect(_)) {
                        let local = SWITCH.parse().expect("an address");
                        let news = match self.has_externals {
                            true => ExternalNews::Connected { local },
                            false => ExternalNews::Ended,
                        };
                        let at = self.now + self.asking;
                        self.later(at, Happening::External(external, news));
                    }
                    self.externals.push((external, order));
                }
                Output::Controlled { request, result } => self.controlled.push((request, result)),
                Output::Resolve { resolve, host } => {
                    let hops = self.resolve(&host);
                    let at = self.now + self.resolving;
                    self.later(at, Happening::Resolved(resolve, hops));
                }
                Output::Report(report) => {
                    self.watch.take(&report);
                    self.told += 1;
                    let is_kept =
                        matches!(report, Report::CallEnded(_) | Report::Conferencecall { .. });
                    if is_kept || !self.is_bulk {
                        self.reports.push(report);
                    }
                }
                Output::Stopped => {
                    self.stopped_at.get_or_insert(self.now);
                    self.switch_wake = None;
                    return;
                }
                Output::Timeout(at) => {
                    self.switch_wake = at;
                    return;
                }
            }
        }
    }

    fn drain_media(&mut self) {
        while let Some(sent) = self.media.poll_sent() {
            match sent {
                Sent::Event(event) => {
                    self.later(self.now + self.reporting, Happening::Media(event))
                }
                Sent::Datagram { to, bytes } => {
                    self.carry_sound(SWITCH.parse().expect("an address"), to, &bytes);
                }
            }
        }
    }

    /// RTP on its way; RTCP to the odd port of a telephone is not listened to.
    fn carry_sound(&mut self, from: SocketAddr, to: SocketAddr, bytes: &[u8]) {
        let phone = self.ears.get(&to).or_else(|| self.more_ears.get(&to.ip()));
        let phone = phone.filter(|_| to.port().is_multiple_of(2)).copied();
        let is_for_switch = to.ip() == SWITCH.parse::<SocketAddr>().expect("an address").ip();
        for at in self.rtp.carry(self.now).into_iter().flatten() {
            let bytes = bytes.to_vec();
            match phone {
                Some(id) => self.later(at, Happening::SoundToPhone { id, to, bytes }),
                None if is_for_switch => {
                    self.later(at, Happening::SoundToSwitch { from, to, bytes });
                }
                None => {}
            }
        }
    }

    /// A message of the switch on its way.
    fn transmit(&mut self, transmit: Transmit) {
        let hop = transmit.hop;
        let Some(id) = self.lines.get(&hop.remote).copied() else {
            if !self.is_bulk {
                self.strays.push(hop.remote);
            }
            if hop.transport == Transport::Tcp && hop.connection.is_none() {
                let at = self.now + self.sip.weather.delay;
                self.later(at, Happening::SipClosed(hop));
            }
            return;
        };
        if hop.transport == Transport::Tcp && hop.connection != self.at(id).stream {
            if hop.connection.is_some() {
                self.strays.push(hop.remote);
                return;
            }
            // What opens a stream anew is heard on the new one.
            self.opened += 1;
            self.open_stream(id);
        }
        for at in self.carry(id).into_iter().flatten() {
            let (from, bytes) = (hop.local, transmit.bytes.clone());
            self.later(at, Happening::ToPhone { id, from, bytes });
        }
    }

    fn open_stream(&mut self, id: PhoneId) {
        if self.phones[id.0].stream.is_none() {
            self.connections += 1;
            self.phones[id.0].stream = Some(ConnectionId(self.connections));
        }
    }

    fn drain_phone(&mut self, id: PhoneId) {
        self.phones[id.0].follow_script(self.now);
        let (switch, from) = (SWITCH.parse().expect("an address"), self.at(id).sip);
        while let Some((to, bytes)) = self.phones[id.0].poll_transmit() {
            if to == switch {
                if self.at(id).is_streaming {
                    self.open_stream(id);
                }
                let hop = self.hop(id);
                for at in self.carry(id).into_iter().flatten() {
                    self.later(at, Happening::ToSwitch(hop, bytes.clone()));
                }
            } else if let Some(other) = self.lines.get(&to).copied() {
                for at in self.sip.carry(self.now).into_iter().flatten() {
                    let (id, bytes) = (other, bytes.clone());
                    self.later(at, Happening::ToPhone { id, from, bytes });
                }
            } else {
                self.strays.push(to);
            }
        }
        while let Some(sound) = self.phones[id.0].poll_sound() {
            self.carry_sound(sound.from, sound.to, &sound.bytes);
        }
        let at = self.phones[id.0].poll_timeout();
        self.alarms.set(id, at);
    }
}
