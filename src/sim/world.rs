//! The world: one clock, one queue of what is under way, and who lives in it.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use flowswitch_media::command::{CommandId, Event};
use flowswitch_media::dsp::tone::ToneGenerator;
use flowswitch_media::prompt::Prompt;
use serde_json::Value;

use super::media::{MediaRoom, Sent};
use super::net::Net;
use super::phone::{Key, Phone, Step};
use super::plan::{Plan, new_switch};
use crate::flow::dialect::{Support, parse_flow};
use crate::ids::Rng;
use crate::sip::message::Message;
use crate::sip::{Hop, Transport};
use crate::store::flows::FlowTable;
use crate::switch::{
    ControlError, ControlId, Input, OrderId, Output, OutsideAnswer, OutsideFailure, OutsideRequest,
    Report, Source, Switch,
};
use crate::time::DeadlineQueue;

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
    /// Answers of the switch to what was asked of it.
    pub controlled: Vec<(ControlId, Result<(), ControlError>)>,
    /// News of the switch.
    pub reports: Vec<Report>,
    /// When the switch said that it has stopped.
    pub stopped_at: Option<Instant>,
    /// Messages for which a stream had to be opened.
    pub opened: u32,
    /// Messages to nobody: where to.
    pub strays: Vec<SocketAddr>,
    reporting: Duration,
    phones: Vec<Phone>,
    lines: HashMap<SocketAddr, PhoneId>,
    ears: HashMap<SocketAddr, PhoneId>,
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
    ToPhone(PhoneId, Bytes),
    SoundToPhone(PhoneId, Vec<u8>),
    SoundToSwitch {
        from: SocketAddr,
        to: SocketAddr,
        bytes: Vec<u8>,
    },
    Fetched(CommandId, Option<Vec<Arc<Prompt>>>),
    Outside(OrderId, OutsideAnswer),
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
            media: MediaRoom::new(now, plan.seed),
            sip: Net::new(plan.sip, rng.fork()),
            rtp: Net::new(plan.rtp, rng.fork()),
            fetching: plan.fetching,
            asked: Vec::new(),
            answering: answer,
            asking: Duration::from_millis(100),
            controlled: Vec::new(),
            reports: Vec::new(),
            stopped_at: None,
            opened: 0,
            strays: Vec::new(),
            reporting: plan.reporting,
            phones: Vec::new(),
            lines: HashMap::new(),
            ears: HashMap::new(),
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
        let owned = |(number, name): &(&str, &str)| ((*number).to_owned(), (*name).to_owned());
        let numbers: Vec<(String, String)> = numbers.iter().map(owned).collect();
        FlowTable::new(flows, &numbers).0
    }

    // Telephones.

    /// A new telephone at this address, known by this user part.
    pub fn phone(&mut self, user: &str, ip: &str) -> PhoneId {
        let ip: IpAddr = ip.parse().expect("an address");
        let id = PhoneId(self.phones.len());
        let port = u16::try_from(self.phones.len() % 12_000).expect("below 12000");
        let sip = SocketAddr::new(ip, 20_000 + port);
        let rtp = SocketAddr::new(ip, 40_000 + 2 * port);
        let switch = SWITCH.parse().expect("an address");
        self.phones.push(Phone::new(
            self.now,
            user,
            sip,
            rtp,
            switch,
            self.rng.fork(),
        ));
        self.lines.insert(sip, id);
        self.ears.insert(rtp, id);
        id
    }

    /// So many telephones on the local network.
    pub fn phones(&mut self, count: usize) -> Vec<PhoneId> {
        (0..count)
            .map(|index| self.phone(&format!("p{index}"), "10.0.0.9"))
            .collect()
    }

    /// A telephone.
    #[must_use]
    pub fn at(&self, phone: PhoneId) -> &Phone {
        &self.phones[phone.0]
    }

    /// Lets a telephone act; what it wants sent leaves.
    pub fn with<T>(&mut self, phone: PhoneId, act: impl FnOnce(&mut Phone, Instant) -> T) -> T {
        let done = act(&mut self.phones[phone.0], self.now);
        self.drain_phone(phone);
        done
    }

    /// Dials.
    pub fn dial(&mut self, phone: PhoneId, name: &str) {
        self.with(phone, |phone, now| phone.dial(now, name));
    }

    /// BYE, or CANCEL.
    pub fn hang_up(&mut self, phone: PhoneId) {
        self.with(phone, Phone::hang_up);
    }

    /// Presses a key.
    pub fn press(&mut self, phone: PhoneId, key: char, how: Key) {
        self.with(phone, |phone, now| phone.press(now, key, how));
    }

    /// Gives a telephone a script to follow.
    pub fn script(&mut self, phone: PhoneId, steps: impl IntoIterator<Item = Step>) {
        self.with(phone, |phone, _| phone.script.extend(steps));
    }

    /// A re-INVITE of a telephone that moves its RTP to another port.
    pub fn move_rtp(&mut self, phone: PhoneId, rtp: &str) {
        let rtp: SocketAddr = rtp.parse().expect("an address");
        self.ears.insert(rtp, phone);
        self.with(phone, |phone, now| phone.reinvite(now, "sendrecv", rtp));
    }

    /// A hop from a telephone to the switch.
    #[must_use]
    pub fn hop(&self, phone: PhoneId) -> Hop {
        let phone = self.at(phone);
        Hop {
            transport: match phone.stream {
                Some(_) => Transport::Tcp,
                None => Transport::Udp,
            },
            local: SWITCH.parse().expect("an address"),
            remote: phone.sip,
            connection: phone.stream,
        }
    }

    /// When a SIP message between the switch and this telephone arrives: a stream loses nothing and keeps
    /// the order.
    fn carry(&mut self, phone: PhoneId) -> [Option<Instant>; 2] {
        match self.at(phone).stream {
            Some(_) => [Some(self.now + self.sip.weather.delay), None],
            None => self.sip.carry(self.now),
        }
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
            let now = self.now;
            self.phones[id.0].handle_timeout(now);
            while let Some((to, bytes)) = self.phones[id.0].voice.poll_packet(now) {
                let from = self.phones[id.0].rtp;
                for at in self.rtp.carry(now).into_iter().flatten() {
                    let bytes = bytes.clone();
                    self.later(at, Happening::SoundToSwitch { from, to, bytes });
                }
            }
            self.drain_phone(id);
        }
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::ToSwitch(hop, bytes) => {
                let message = Message::parse_datagram(bytes);
                self.input(Input::Sip { hop, message });
            }
            Happening::ToPhone(id, bytes) => {
                self.phones[id.0].handle_sip(self.now, bytes);
                self.drain_phone(id);
            }
            Happening::SoundToPhone(id, bytes) => {
                let phone = &mut self.phones[id.0];
                phone.voice.hear(self.now, &bytes);
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
                Output::Transmit(transmit) => {
                    let Some(id) = self.lines.get(&transmit.hop.remote).copied() else {
                        self.strays.push(transmit.hop.remote);
                        continue;
                    };
                    // What opens a stream anew is heard on the new one.
                    let hop = transmit.hop;
                    if hop.transport == Transport::Tcp && hop.connection != self.at(id).stream {
                        self.opened += u32::from(hop.connection.is_none());
                        if hop.connection.is_some() {
                            self.strays.push(hop.remote);
                            continue;
                        }
                    }
                    for at in self.carry(id).into_iter().flatten() {
                        self.later(at, Happening::ToPhone(id, transmit.bytes.clone()));
                    }
                }
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
                    self.asked.push(request);
                    if let Some(answer) = answer {
                        let at = self.now + self.asking;
                        self.later(at, Happening::Outside(order, answer));
                    }
                }
                Output::Controlled { request, result } => self.controlled.push((request, result)),
                Output::Report(report) => self.reports.push(report),
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
                    // RTCP to the odd port is not listened to.
                    let Some(id) = self.ears.get(&to).copied() else {
                        continue;
                    };
                    for at in self.rtp.carry(self.now).into_iter().flatten() {
                        self.later(at, Happening::SoundToPhone(id, bytes.clone()));
                    }
                }
            }
        }
    }

    fn drain_phone(&mut self, id: PhoneId) {
        self.phones[id.0].follow_script(self.now);
        let hop = self.hop(id);
        while let Some(bytes) = self.phones[id.0].poll_transmit() {
            for at in self.carry(id).into_iter().flatten() {
                self.later(at, Happening::ToSwitch(hop, bytes.clone()));
            }
        }
        let at = self.phones[id.0].poll_timeout();
        self.alarms.set(id, at);
    }

    /// `tone HERTZ MILLISECONDS` is a tone, `wrong` cannot be made, and `never` is never answered.
    fn fetch(&mut self, sources: &[Source]) -> Option<Option<Vec<Arc<Prompt>>>> {
        let mut prompts = Vec::new();
        for source in sources {
            let (Source::Text { text, .. } | Source::Url(text)) = source;
            match text.as_str() {
                "never" => return None,
                "wrong" => return Some(None),
                text => prompts.push(self.prompt(text)),
            }
        }
        Some(Some(prompts))
    }

    fn prompt(&mut self, text: &str) -> Arc<Prompt> {
        let made = self.prompts.entry(text.to_owned()).or_insert_with(|| {
            let numbers: Vec<u16> = text
                .split(' ')
                .filter_map(|word| word.parse().ok())
                .collect();
            let [hertz, ms] = numbers[..] else {
                panic!("not a tone: {text:?}");
            };
            let mut samples = vec![0; usize::from(ms) * 8];
            ToneGenerator::single(hertz.into(), -12.0).fill(&mut samples);
            Arc::new(Prompt::from_samples(samples))
        });
        Arc::clone(made)
    }
}

/// A world where everything outside works, nothing can be fetched, and all words are tones.
fn answer(request: &OutsideRequest) -> Option<OutsideAnswer> {
    Some(match request {
        OutsideRequest::Fetch { .. } => OutsideAnswer::Failed(OutsideFailure::Refused),
        OutsideRequest::Webhook { .. } | OutsideRequest::Email(_) | OutsideRequest::Message(_) => {
            OutsideAnswer::Done
        }
        OutsideRequest::Transcribe { .. } => OutsideAnswer::Text("hello".to_owned()),
        OutsideRequest::Chat { .. } => OutsideAnswer::Text("tone 500 300".to_owned()),
    })
}
