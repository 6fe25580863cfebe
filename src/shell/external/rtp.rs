//! RTP over UDP (RFC 3550, 3551): 20 ms a packet, one stream each way, no RTCP.
//!
//! What comes is taken from the host alone, from the port that spoke first. It is heard in the order in which it
//! comes; a packet that another one has overtaken is late and dropped. Linear sound has the payload type 11,
//! as Asterisk has it at 8 kHz, and is taken with any type that may stand for it. A host that is not sent
//! any sound gets a packet of silence each second, so that it knows where to send its own.

use std::net::SocketAddr;

use flowswitch_media::frame::{FRAME_SAMPLES, Frame};
use flowswitch_media::rtp::{HEADER_LEN, MediaTime, RtpHeader, SeqNo, Ssrc, is_rtcp, split};

use super::link::{Happening, Link, Tick};
use super::reach::{Reach, host_and_port};
use super::sound::{self, Order};
use super::{End, Teller};
use crate::flow::SoundFormat;
use crate::switch::ExternalTarget;

/// Longer than any datagram of a sane host.
const DATAGRAM: usize = 2_048;

/// Ticks between two packets of silence.
const SILENT_TICKS: u32 = 50;

/// A packet that is this much older than the newest begins another stream (RFC 3550 §A.1 MAX_MISORDER).
const MISORDER: i16 = 100;

pub(super) async fn carry(
    reach: &Reach,
    target: &ExternalTarget,
    format: SoundFormat,
    link: &mut Link,
    teller: &Teller,
) -> End {
    let connecting = async {
        let (host, port) = host_and_port(&target.host)?;
        reach.udp(host, port).await
    };
    let (socket, to, local) = match Reach::within(link, connecting).await {
        Ok(connected) => connected,
        Err(end) => return end,
    };
    teller.connected(local).await;
    let mut sender = Sender::new(format);
    let mut receiver = Receiver::new(format, to);
    let mut buffer = vec![0; DATAGRAM];
    loop {
        tokio::select! {
            happening = link.next() => match happening {
                Happening::Tick(tick) => {
                    if let Some(packet) = sender.packet(&tick)
                        && socket.try_send_to(packet, receiver.host()).is_err()
                    {
                        link.drop_one();
                    }
                }
                // There is no telephone-event among what was agreed, for nothing was.
                Happening::Pressed(_) => {}
                Happening::Over => return End::Stopped,
            },
            received = socket.recv_from(&mut buffer) => {
                // An error is of a datagram of ours: the port there is closed.
                let Ok((len, from)) = received else { continue };
                match receiver.take(from, &buffer[..len]) {
                    Some(samples) => {
                        if let Some(inlet) = link.inlet()
                            && inlet.say(&samples) > 0
                        {
                            link.drop_one();
                        }
                    }
                    None => link.drop_one(),
                }
            }
        }
    }
}

const fn payload_type(format: SoundFormat) -> u8 {
    match format {
        SoundFormat::Ulaw => 0,
        SoundFormat::Alaw => 8,
        SoundFormat::Slin => 11,
    }
}

/// The stream to the host.
#[derive(Debug)]
struct Sender {
    format: SoundFormat,
    next: RtpHeader,
    silent_ticks: u32,
    packet: Vec<u8>,
}

impl Sender {
    fn new(format: SoundFormat) -> Self {
        Self {
            format,
            next: RtpHeader {
                marker: true,
                payload_type: payload_type(format),
                sequence: SeqNo(rand::random()),
                timestamp: MediaTime(rand::random()),
                ssrc: Ssrc(rand::random()),
            },
            silent_ticks: 0,
            packet: Vec::new(),
        }
    }

    /// The packet of a tick, if it has one.
    fn packet(&mut self, tick: &Tick) -> Option<&[u8]> {
        let missed = tick.missed.wrapping_mul(FRAME_SAMPLES as u32);
        self.next.timestamp = self.next.timestamp.after(missed);
        self.next.marker |= tick.missed > 0;
        let header = self.next;
        self.next.timestamp = header.timestamp.after(FRAME_SAMPLES as u32);
        let is_idle = tick.heard.is_none() && !self.silent_ticks.is_multiple_of(SILENT_TICKS);
        self.silent_ticks = self.silent_ticks.wrapping_add(1);
        if is_idle {
            self.next.marker = true;
            return None;
        }
        self.next.sequence = header.sequence.next();
        self.next.marker = false;
        self.packet.clear();
        self.packet.resize(HEADER_LEN, 0);
        header.write(&mut self.packet);
        let frame = tick.heard.unwrap_or(Frame::SILENCE);
        sound::write(self.format, Order::Network, &frame.0, &mut self.packet);
        Some(&self.packet)
    }
}

/// The stream from the host.
#[derive(Debug)]
struct Receiver {
    format: SoundFormat,
    /// Where the host is, its port as it is known.
    host: SocketAddr,
    /// The port has spoken.
    is_latched: bool,
    newest: Option<(Ssrc, SeqNo)>,
}

impl Receiver {
    const fn new(format: SoundFormat, host: SocketAddr) -> Self {
        Self {
            format,
            host,
            is_latched: false,
            newest: None,
        }
    }

    /// Where the host listens.
    const fn host(&self) -> SocketAddr {
        self.host
    }

    /// The samples of a datagram; `None` when it is not one to be heard.
    fn take(&mut self, from: SocketAddr, datagram: &[u8]) -> Option<Vec<i16>> {
        let is_host = from.ip().to_canonical() == self.host.ip().to_canonical();
        if !is_host || self.is_latched && from.port() != self.host.port() || is_rtcp(datagram) {
            return None;
        }
        let (header, payload) = split(datagram).ok()?;
        if !self.means_sound(header.payload_type) {
            return None;
        }
        if let Some((ssrc, newest)) = self.newest
            && ssrc == header.ssrc
            && (-MISORDER..=0).contains(&header.sequence.since(newest))
        {
            return None;
        }
        self.newest = Some((header.ssrc, header.sequence));
        self.is_latched = true;
        self.host.set_port(from.port());
        Some(sound::read(self.format, Order::Network, payload))
    }

    const fn means_sound(&self, theirs: u8) -> bool {
        match self.format {
            SoundFormat::Slin => matches!(theirs, 10 | 11 | 96..=127),
            SoundFormat::Ulaw | SoundFormat::Alaw => theirs == payload_type(self.format),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tick(heard: Option<i16>, missed: u32) -> Tick {
        Tick {
            heard: heard.map(|level| Frame([level; FRAME_SAMPLES])),
            gone: 0,
            missed,
        }
    }

    fn sent(sender: &mut Sender, tick: &Tick) -> Option<(RtpHeader, Vec<u8>)> {
        let packet = sender.packet(tick)?;
        let (header, payload) = split(packet).unwrap();
        Some((header, payload.to_vec()))
    }

    #[test]
    fn packets_follow_each_other_and_ticks_that_were_missed_are_a_gap_in_time() {
        let mut sender = Sender::new(SoundFormat::Slin);
        let (first, payload) = sent(&mut sender, &tick(Some(258), 0)).unwrap();
        assert_eq!((payload.len(), &payload[..2]), (320, &[1, 2][..]));
        assert_eq!((first.marker, first.payload_type), (true, 11));
        let (next, _) = sent(&mut sender, &tick(Some(0), 0)).unwrap();
        let (last, _) = sent(&mut sender, &tick(Some(0), 3)).unwrap();
        let apart = [&next, &last].map(|header| header.timestamp.since(first.timestamp));
        assert_eq!(apart, [160, 5 * 160]);
        assert_eq!((next.marker, last.marker), (false, true));
        assert_eq!(last.sequence.since(first.sequence), 2);
    }

    #[test]
    fn a_host_that_does_not_listen_gets_silence_once_a_second() {
        let mut sender = Sender::new(SoundFormat::Alaw);
        let sent: Vec<_> = (0..100)
            .filter_map(|_| sent(&mut sender, &tick(None, 0)))
            .collect();
        assert_eq!(sent.len(), 2);
        assert_eq!(sent[1].0.timestamp.since(sent[0].0.timestamp), 8_000);
        assert!(sent[0].1.iter().all(|octet| *octet == 0xD5));
    }

    fn packet(payload_type: u8, ssrc: u32, seq: u16) -> Vec<u8> {
        let header = RtpHeader {
            marker: false,
            payload_type,
            sequence: SeqNo(seq),
            timestamp: MediaTime(0),
            ssrc: Ssrc(ssrc),
        };
        let mut packet = vec![0; HEADER_LEN];
        header.write(&mut packet);
        packet.extend([0xFF; 160]);
        packet
    }

    #[test]
    fn only_the_host_is_heard_from_the_port_that_spoke_first_and_nothing_late() {
        let at = |text: &str| text.parse::<SocketAddr>().unwrap();
        let mut receiver = Receiver::new(SoundFormat::Ulaw, at("192.0.2.1:4000"));
        let mut heard = |from: &str, packet: &[u8]| receiver.take(at(from), packet).is_some();
        assert!(!heard("192.0.2.2:4000", &packet(0, 1, 1)));
        assert!(!heard("192.0.2.1:4000", &packet(8, 1, 1)));
        assert!(!heard("192.0.2.1:4000", b"hello"));
        assert!(heard("192.0.2.1:5000", &packet(0, 1, 65_535)));
        assert!(!heard("192.0.2.1:4000", &packet(0, 1, 0)));
        let seqs = [0, 2, 1, 2, 3, 2_000, 1_000];
        let heard = seqs.map(|seq| heard("192.0.2.1:5000", &packet(0, 1, seq)));
        assert_eq!(heard, [true, true, false, false, true, true, true]);
        assert_eq!(receiver.host(), at("192.0.2.1:5000"));
        assert!(
            receiver
                .take(at("192.0.2.1:5000"), &packet(0, 2, 1))
                .is_some()
        );
    }
}
