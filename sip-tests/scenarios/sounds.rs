//! Writes the sounds that SIPp scenarios play: `cargo run --example sipp-sounds -- DIR`.
//!
//! | file | what |
//! |---|---|
//! | `digits.ul` | the keys 1234 in the voice band, raw µ-law, for `rtp_stream` |
//! | `menu.pcap` | one RTP stream: a tone, the key 2 by RFC 4733, a tone again, for `play_pcap_audio` |
//!
//! They are made here so that no binary stands in the repository.

use std::path::Path;
use std::{env, fs, io};

#[path = "../wire/sound.rs"]
#[allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "the wire stories use the rest of it"
)]
mod sound;

use sound::Law;

fn main() -> io::Result<()> {
    let dir = env::args().nth(1).unwrap_or_else(|| ".".into());
    let dir = Path::new(&dir);
    fs::write(dir.join("digits.ul"), digits())?;
    fs::write(dir.join("menu.pcap"), pcap(&menu()))
}

fn digits() -> Vec<u8> {
    let mut samples = sound::silence(300);
    for digit in "1234".chars() {
        samples.extend(sound::key(digit, 120));
        samples.extend(sound::silence(120));
    }
    samples.extend(sound::silence(300));
    mu_law(&samples)
}

/// The packets of a caller who presses 2 after a second, and when each leaves, in milliseconds.
fn menu() -> Vec<(u32, Vec<u8>)> {
    let sound = mu_law(&sound::tone(&[350.0], 2000, 3000.0));
    let mut packets = Vec::new();
    let mut seq = 100u16;
    let mut put = |at: u32, payload_type: u8, timestamp: u32, payload: &[u8]| {
        seq += 1;
        packets.push((at, rtp(payload_type, seq, timestamp, payload)));
    };
    for (tick, frame) in (0u32..).zip(sound.chunks_exact(sound::FRAME)) {
        let (at, timestamp) = (tick * 20, tick * 160);
        // A key of 100 ms takes the place of the sound: five packets, the last three times.
        let Some(part) = tick.checked_sub(50).filter(|part| *part < 5) else {
            put(at, 0, timestamp, frame);
            continue;
        };
        let is_last = part == 4;
        let duration = ((part + 1) * 160).to_be_bytes();
        let event = [
            2,
            if is_last { 0x8a } else { 0x0a },
            duration[2],
            duration[3],
        ];
        let marker = if part == 0 { 0x80 } else { 0 };
        for _ in 0..if is_last { 3 } else { 1 } {
            put(at, 101 | marker, 50 * 160, &event);
        }
    }
    packets
}

fn mu_law(samples: &[i16]) -> Vec<u8> {
    samples
        .iter()
        .map(|&sample| Law::Mu.encode(sample))
        .collect()
}

/// An RTP packet (RFC 3550 §5.1); `payload_type` brings the marker bit.
fn rtp(payload_type: u8, seq: u16, timestamp: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x80, payload_type];
    bytes.extend_from_slice(&seq.to_be_bytes());
    bytes.extend_from_slice(&timestamp.to_be_bytes());
    bytes.extend_from_slice(&0x51_90_u32.to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

/// A capture as libpcap reads it: Ethernet, IPv4, UDP; SIPp puts in the addresses of the call.
fn pcap(packets: &[(u32, Vec<u8>)]) -> Vec<u8> {
    let mut file = Vec::new();
    for word in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 65_535, 1] {
        file.extend_from_slice(&word.to_le_bytes());
    }
    for (at, payload) in packets {
        let udp_len = payload.len() as u16 + 8;
        let mut frame = vec![0; 12];
        frame.extend_from_slice(&[0x08, 0x00, 0x45, 0]);
        frame.extend_from_slice(&(udp_len + 20).to_be_bytes());
        frame.extend_from_slice(&[0, 0, 0x40, 0, 64, 17, 0, 0, 127, 0, 0, 1, 127, 0, 0, 1]);
        for half in [6000, 6000, udp_len, 0] {
            frame.extend_from_slice(&u16::to_be_bytes(half));
        }
        frame.extend_from_slice(payload);
        let len = frame.len() as u32;
        for word in [at / 1000, at % 1000 * 1000, len, len] {
            file.extend_from_slice(&word.to_le_bytes());
        }
        file.extend_from_slice(&frame);
    }
    file
}
