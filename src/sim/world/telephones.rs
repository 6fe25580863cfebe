//! The telephones of a world, and what they are told.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Instant;

use super::{PhoneId, SWITCH, World};
use crate::sim::phone::{Called, Key, Line, Phone, Step};
use crate::sip::{Hop, Transport};

impl World {
    /// A new telephone at this address, known by this user part.
    pub fn phone(&mut self, user: &str, ip: &str) -> PhoneId {
        let ip: IpAddr = ip.parse().expect("an address");
        let port = u16::try_from(self.phones.len() % 12_000).expect("below 12000");
        self.place(user, SocketAddr::new(ip, 20_000 + port))
    }

    /// So many telephones on the local network.
    pub fn phones(&mut self, count: usize) -> Vec<PhoneId> {
        (0..count)
            .map(|index| self.phone(&format!("p{index}"), "10.0.0.9"))
            .collect()
    }

    /// A trunk: one telephone that takes many calls, at port 5060 of this address and by this host name.
    pub fn trunk(&mut self, host: &str, ip: &str) -> PhoneId {
        let sip = SocketAddr::new(ip.parse().expect("an address"), 5060);
        let hops = self.hosts.entry(host.to_ascii_lowercase()).or_default();
        if !hops.contains(&(Transport::Udp, sip)) {
            hops.push((Transport::Udp, sip));
        }
        self.place(host, sip)
    }

    /// Lets a telephone behave like this when it is called.
    pub fn when_called(&mut self, phone: PhoneId, called: Called) {
        self.with(phone, |phone, _| phone.habits.called = called);
    }

    /// A telephone.
    #[must_use]
    pub fn at(&self, phone: PhoneId) -> &Phone {
        &self.phones[phone.0]
    }

    /// The call that a telephone is at.
    #[must_use]
    pub fn line(&self, phone: PhoneId) -> &Line {
        self.at(phone).line()
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

    /// One telephone calls another without the switch.
    pub fn dial_straight(&mut self, phone: PhoneId, other: PhoneId) {
        let (user, sip) = (self.at(other).user.clone(), self.at(other).sip);
        self.with(phone, |phone, now| {
            phone.proxy = sip;
            phone.dial(now, &user);
        });
    }

    /// BYE, or CANCEL, or 486.
    pub fn hang_up(&mut self, phone: PhoneId) {
        self.with(phone, Phone::hang_up);
    }

    /// Presses a key.
    pub fn press(&mut self, phone: PhoneId, key: char, how: Key) {
        self.with(phone, |phone, now| phone.press(now, key, how));
    }

    /// Says a tone from now on, or nothing.
    pub fn say(&mut self, phone: PhoneId, hertz: Option<u16>) {
        self.with(phone, |phone, now| phone.say(now, hertz));
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

    /// Every tone that a telephone hears at once in the call it is at, the lowest first.
    #[must_use]
    pub fn chord(&self, phone: PhoneId) -> Vec<u16> {
        self.line(phone).voice.chord(self.now)
    }

    /// How loud a telephone hears a frequency in the call it is at, in dBov.
    #[must_use]
    pub fn level(&self, phone: PhoneId, hertz: u16) -> f64 {
        self.line(phone).voice.level(self.now, hertz)
    }

    /// A telephone hears nothing in the call it is at.
    #[must_use]
    pub fn is_silent(&self, phone: PhoneId) -> bool {
        self.line(phone).voice.is_silent(self.now)
    }

    /// Calls of telephones that have not ended, and what telephones still wait for.
    #[must_use]
    pub fn phone_leftovers(&self) -> Vec<String> {
        self.phones.iter().flat_map(Phone::leftovers).collect()
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
    pub(super) fn carry(&mut self, phone: PhoneId) -> [Option<Instant>; 2] {
        match self.at(phone).stream {
            Some(_) => [Some(self.now + self.sip.weather.delay), None],
            None => self.sip.carry(self.now),
        }
    }

    fn place(&mut self, user: &str, sip: SocketAddr) -> PhoneId {
        let id = PhoneId(self.phones.len());
        let index = u16::try_from(self.phones.len() % 12_000).expect("below 12000");
        let rtp = SocketAddr::new(sip.ip(), 40_000 + 2 * index);
        let [high, low] = index.to_be_bytes();
        let more_rtp = IpAddr::V4(Ipv4Addr::new(10, 64 + high, low, 2));
        let proxy = SWITCH.parse().expect("an address");
        let rng = self.rng.fork();
        let mut phone = Phone::new(user, sip, rtp, more_rtp, proxy, rng);
        phone.habits.keeps_history = !self.is_bulk;
        self.phones.push(phone);
        self.lines.insert(sip, id);
        self.ears.insert(rtp, id);
        self.more_ears.insert(more_rtp, id);
        id
    }
}
