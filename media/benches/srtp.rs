//! What it costs to protect and to open one packet of 20 ms, beside a floor measured in the same run.
//!
//! `cargo bench -p flowswitch-media --bench srtp`; the floor is to copy the packet into a buffer and back, which
//! is what happens to one that is not protected. The last column is another implementation, `webrtc-srtp`.

use std::hint::black_box;
use std::time::{Duration, Instant};

use flowswitch_media::command::{SrtpKey, SrtpSuite};
use flowswitch_media::rtp::{MediaTime, Protector, RtpHeader, SeqNo, Ssrc, Unprotector};
use webrtc_srtp::context::Context;
use webrtc_srtp::protection_profile::ProtectionProfile;

/// 20 ms of G.711 and a header.
const PACKET: usize = 172;
/// Packets of one batch.
const PACKETS: u16 = 20_000;
/// Batches of which the quickest counts: what disturbs a batch only makes it slower.
const BATCHES: u32 = 15;

fn main() {
    println!(
        "{:<34} {:>9} {:>9} {:>14}",
        "of one packet of 172 octets", "µs", "to floor", "webrtc-srtp µs"
    );
    let mut buffer = Vec::with_capacity(PACKET);
    let mut back = [0; PACKET];
    let floor = measure(|seq, _| {
        buffer.clear();
        buffer.extend_from_slice(black_box(&packet(seq)));
        back.copy_from_slice(black_box(&buffer));
        black_box(&back);
    });
    println!(
        "{:<34} {floor:>9.3} {:>9.1}",
        "floor: copy there and back", 1.0
    );
    for suite in SrtpSuite::ALL {
        let octets: Vec<u8> = (1..=(suite.key_len() + suite.salt_len()) as u8).collect();
        let key = SrtpKey::new(suite, &octets).expect("as long as the suite has it");
        tell_suite(suite, &key, floor);
    }
}

fn tell_suite(suite: SrtpSuite, key: &SrtpKey, floor: f64) {
    let mut bytes = Vec::with_capacity(PACKET + Protector::OVERHEAD);
    let mut protector = None;
    let protect = measure(|seq, is_first| {
        if is_first {
            protector = Some(Protector::new(key, Ssrc(7)));
        }
        bytes.clear();
        bytes.extend_from_slice(&packet(seq));
        let protector = protector.as_mut().expect("made with the first");
        protector.protect_rtp(&mut bytes, 0).expect("numbers rise");
        black_box(&bytes);
    });
    let mut other = None;
    let theirs = measure(|seq, is_first| {
        if is_first {
            other = Some(webrtc(suite, key));
        }
        let other = other.as_mut().expect("made with the first");
        black_box(other.encrypt_rtp(&packet(seq)).expect("numbers rise"));
    });
    tell(&format!("protect {}", suite.name()), protect, floor, theirs);

    let sealed = sealed(key);
    let mut unprotector = None;
    let open = measure(|seq, is_first| {
        if is_first {
            unprotector = Some(Unprotector::new(key));
        }
        bytes.clear();
        bytes.extend_from_slice(&sealed[usize::from(seq)]);
        let unprotector = unprotector.as_mut().expect("made with the first");
        unprotector.unprotect_rtp(&mut bytes).expect("it is ours");
        black_box(&bytes);
    });
    let theirs = measure(|seq, is_first| {
        if is_first {
            other = Some(webrtc(suite, key));
        }
        let other = other.as_mut().expect("made with the first");
        black_box(
            other
                .decrypt_rtp(&sealed[usize::from(seq)])
                .expect("it is ours"),
        );
    });
    tell(&format!("open {}", suite.name()), open, floor, theirs);
}

fn tell(what: &str, micros: f64, floor: f64, theirs: f64) {
    println!(
        "{what:<34} {micros:>9.3} {:>9.1} {theirs:>14.3}",
        micros / floor
    );
}

fn packet(seq: u16) -> [u8; PACKET] {
    let mut packet = [0x5A; PACKET];
    let header = RtpHeader {
        marker: false,
        payload_type: 0,
        sequence: SeqNo(seq),
        timestamp: MediaTime(u32::from(seq) * 160),
        ssrc: Ssrc(7),
    };
    header.write(&mut packet);
    packet
}

fn sealed(key: &SrtpKey) -> Vec<Vec<u8>> {
    let mut protector = Protector::new(key, Ssrc(7));
    let seal = |seq| {
        let mut bytes = packet(seq).to_vec();
        protector.protect_rtp(&mut bytes, 0).expect("numbers rise");
        bytes
    };
    (0..PACKETS).map(seal).collect()
}

fn webrtc(suite: SrtpSuite, key: &SrtpKey) -> Context {
    let profile = match suite {
        SrtpSuite::AeadAes256Gcm => ProtectionProfile::AeadAes256Gcm,
        SrtpSuite::AeadAes128Gcm => ProtectionProfile::AeadAes128Gcm,
        SrtpSuite::AesCm128HmacSha1Tag80 => ProtectionProfile::Aes128CmHmacSha1_80,
        SrtpSuite::AesCm128HmacSha1Tag32 => ProtectionProfile::Aes128CmHmacSha1_32,
    };
    let (key, salt) = key.key_and_salt().split_at(suite.key_len());
    Context::new(key, salt, profile, None, None).expect("a key of the right length")
}

/// Microseconds of one packet, in the quickest of some batches; `work` gets its number, and whether it is the
/// first of a batch.
fn measure(mut work: impl FnMut(u16, bool)) -> f64 {
    let mut best = Duration::MAX;
    for _ in 0..BATCHES {
        let began = now();
        (0..PACKETS).for_each(|seq| work(seq, seq == 0));
        best = best.min(began.elapsed());
    }
    best.as_secs_f64() * 1e6 / f64::from(PACKETS)
}

#[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
fn now() -> Instant {
    Instant::now()
}
