//! Calls whose sound is protected (SRTP by SDES), and what is heard in them.
//!
//! Beside a phone stands a guard with another implementation of SRTP: what the phone says goes through it
//! protected, and what comes is opened by it.

use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use webrtc_srtp::context::Context;
use webrtc_srtp::protection_profile::ProtectionProfile;

use crate::call::{Call, Setup};
use crate::called::Incoming;
use crate::message::{self, Message, Sdp};
use crate::phone::{COMMON, Phone};
use crate::rtp::Media;
use crate::sound::{self, Law};
use crate::switch::{Setting, Switch};

/// A suite: its name, and how long key and salt are.
type Suite = (&'static str, ProtectionProfile, usize, usize);

const COUNTER_MODE: Suite = (
    "AES_CM_128_HMAC_SHA1_80",
    ProtectionProfile::Aes128CmHmacSha1_80,
    16,
    14,
);
const SHORT_TAG: Suite = (
    "AES_CM_128_HMAC_SHA1_32",
    ProtectionProfile::Aes128CmHmacSha1_32,
    16,
    14,
);
const GALOIS: Suite = ("AEAD_AES_256_GCM", ProtectionProfile::AeadAes256Gcm, 32, 12);

/// The other end of the switch, and how its packets are opened.
struct Switchward {
    to: SocketAddr,
    theirs: Context,
}

/// Protects what a phone says and opens what it hears.
struct Guard {
    suite: Suite,
    key: Vec<u8>,
    outer: Arc<UdpSocket>,
    inner: Arc<UdpSocket>,
    switchward: Arc<Mutex<Option<Switchward>>>,
    /// Datagrams of the switch that could be read by anybody.
    readable: Arc<Mutex<u32>>,
    is_over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Guard {
    fn new(suite: Suite, phone: SocketAddr) -> Self {
        let bind = || {
            let socket = UdpSocket::bind((phone.ip(), 0)).unwrap();
            let patience = Some(Duration::from_millis(50));
            socket.set_read_timeout(patience).unwrap();
            Arc::new(socket)
        };
        let (outer, inner) = (bind(), bind());
        let key: Vec<u8> = (0..suite.2 + suite.3).map(|n| (n * 11 + 5) as u8).collect();
        let switchward: Arc<Mutex<Option<Switchward>>> = Arc::default();
        let readable = Arc::new(Mutex::new(0));
        let is_over = Arc::new(AtomicBool::new(false));
        let mut ours = context(suite, &key);
        let threads = vec![
            thread::spawn({
                let (outer, inner) = (outer.clone(), inner.clone());
                let (switchward, is_over) = (switchward.clone(), is_over.clone());
                move || {
                    pass(&inner, &is_over, |plain| {
                        let guard = switchward.lock().unwrap();
                        let Some(switchward) = guard.as_ref() else {
                            return;
                        };
                        let sealed = ours.encrypt_rtp(plain).unwrap();
                        outer.send_to(&sealed, switchward.to).unwrap();
                    })
                }
            }),
            thread::spawn({
                let (outer, inner) = (outer.clone(), inner.clone());
                let (switchward, is_over) = (switchward.clone(), is_over.clone());
                let readable = readable.clone();
                move || {
                    pass(&outer, &is_over, |sealed| {
                        let mut guard = switchward.lock().unwrap();
                        let opened = guard
                            .as_mut()
                            .and_then(|peer| peer.theirs.decrypt_rtp(sealed).ok());
                        match opened {
                            Some(plain) => drop(inner.send_to(&plain, phone).unwrap()),
                            None => *readable.lock().unwrap() += 1,
                        }
                    })
                }
            }),
        ];
        Guard {
            suite,
            key,
            outer,
            inner,
            switchward,
            readable,
            is_over,
            threads,
        }
    }

    /// A description of the phone as the switch is to see it.
    fn describe(&self, plain: &[u8], tag: u32) -> Vec<u8> {
        let text = String::from_utf8(plain.to_vec()).unwrap();
        let (before, rest) = text.split_once("m=audio ").unwrap();
        let (_, formats) = rest.split_once(" RTP/AVP ").unwrap();
        let port = self.outer.local_addr().unwrap().port();
        let key = BASE64_STANDARD.encode(&self.key);
        let line = format!("a=crypto:{tag} {} inline:{key}\r\n", self.suite.0);
        format!("{before}m=audio {port} RTP/SAVP {formats}{line}").into_bytes()
    }

    /// Begins with what the switch has said of itself; the tag that it has named.
    fn learn(&self, sdp: &Sdp) -> u32 {
        assert!(sdp.lines.iter().any(|line| line.contains(" RTP/SAVP ")));
        let keys = sdp
            .lines
            .iter()
            .filter_map(|line| line.strip_prefix("a=crypto:"));
        let mut keys = keys.map(|line| line.split(' ').collect::<Vec<_>>());
        let line = keys.find(|fields| fields[1] == self.suite.0).unwrap();
        let key = line[2].strip_prefix("inline:").unwrap();
        let key = BASE64_STANDARD.decode(key).unwrap();
        *self.switchward.lock().unwrap() = Some(Switchward {
            to: sdp.media(),
            theirs: context(self.suite, &key),
        });
        line[0].parse().unwrap()
    }

    /// Where the phone sends to.
    fn start(&self, media: &Media) {
        media.start(self.inner.local_addr().unwrap(), Law::Mu);
    }

    #[track_caller]
    fn has_opened_all(&self) {
        assert_eq!(*self.readable.lock().unwrap(), 0);
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn context((_, profile, key_len, _): Suite, key: &[u8]) -> Context {
    let (key, salt) = key.split_at(key_len);
    Context::new(key, salt, profile, None, None).unwrap()
}

fn pass(socket: &UdpSocket, is_over: &AtomicBool, mut forward: impl FnMut(&[u8])) {
    let mut buffer = [0; 2048];
    while !is_over.load(Ordering::Relaxed) {
        if let Ok(len) = socket.recv(&mut buffer) {
            forward(&buffer[..len]);
        }
    }
}

/// Calls `user` with a guard beside the phone.
#[track_caller]
fn dial(switch: &Switch, user: &str, suite: Suite) -> (Call, Guard) {
    let phone = Phone::udp(switch);
    let media = Media::new(phone.local.ip());
    let guard = Guard::new(suite, media.local());
    let offer = message::sdp(media.local(), COMMON, "sendrecv", 1);
    let invite = phone
        .request("INVITE", &phone.uri(user))
        .body("application/sdp", guard.describe(&offer, 5));
    let call = Setup::send(phone, media, invite).answered();
    assert_eq!(guard.learn(&call.answer.sdp().unwrap()), 5);
    guard.start(&call.media);
    (call, guard)
}

/// Answers a call with a guard beside the phone.
#[track_caller]
fn answer(mut incoming: Incoming, suite: Suite) -> (Call, Guard) {
    let guard = Guard::new(suite, incoming.media.local());
    let tag = guard.learn(&incoming.invite.sdp().unwrap());
    let plain = incoming.accepts();
    let at = plain.windows(4).position(|end| end == b"\r\n\r\n").unwrap() + 4;
    let body = guard.describe(&plain[at..], tag);
    let head = String::from_utf8(plain[..at].to_vec()).unwrap();
    let (head, _) = head.split_once("Content-Length:").unwrap();
    let mut bytes = format!("{head}Content-Length: {}\r\n\r\n", body.len()).into_bytes();
    bytes.extend_from_slice(&body);
    incoming.phone.send_raw(&bytes);
    let call = incoming.acknowledged(&bytes);
    guard.start(&call.media);
    (call, guard)
}

fn echo() -> Setting {
    Setting::new().flow(
        "echo",
        r#"[{"type": "answer"}, {"type": "echo", "option": {"duration": 60000}}]"#,
    )
}

#[track_caller]
fn is_refused(switch: &Switch, user: &str) -> Message {
    let mut setup = Phone::udp(switch).invite(user);
    let refusal = setup.final_response();
    let invite = setup.invite.clone();
    setup.phone.acknowledge_refusal(&invite, &refusal);
    refusal
}

#[test]
fn a_protected_phone_hears_its_tone_again_by_every_suite() {
    let switch = echo().start();
    for suite in [COUNTER_MODE, SHORT_TAG, GALOIS] {
        let (call, guard) = dial(&switch, "echo", suite);
        for hz in [500.0, 1300.0] {
            call.media.play(&sound::tone(&[hz], 800, 9000.0));
            call.media.hears(hz);
        }
        guard.has_opened_all();
        call.hang_up();
    }
}

#[test]
fn whoever_has_not_the_key_is_not_heard_in_a_protected_call() {
    let switch = echo().start();
    let (call, guard) = dial(&switch, "echo", COUNTER_MODE);
    call.media.play(&sound::tone(&[500.0], 3_000, 9000.0));
    call.media.hears(500.0);
    let to = guard.switchward.lock().unwrap().as_ref().unwrap().to;
    let loud: Vec<u8> = (0..160)
        .map(|n| if n % 16 < 8 { 0x00 } else { 0x80 })
        .collect();
    for seq in 0..50 {
        let packet = crate::rtp::packet(0, false, seq, u32::from(seq) * 160, 77, &loud);
        guard.outer.send_to(&packet, to).unwrap();
    }
    call.media.hears(500.0);
    guard.has_opened_all();
    call.hang_up();
}

#[test]
fn a_plain_call_is_refused_with_a_reason_where_protection_is_required() {
    let switch = echo().config("[rtp]\nsrtp = \"require\"").start();
    let refusal = is_refused(&switch, "echo");
    assert_eq!(refusal.status(), 488);
    assert!(
        refusal
            .header("Warning")
            .unwrap()
            .contains("SRTP is required")
    );
    let (call, guard) = dial(&switch, "echo", GALOIS);
    call.media.play(&sound::tone(&[500.0], 800, 9000.0));
    call.media.hears(500.0);
    guard.has_opened_all();
    call.hang_up();
}

#[test]
fn a_plain_caller_and_a_protected_trunk_hear_each_other() {
    let trunk = Phone::trunk();
    let switch = Setting::new()
        .trunk("carrier", &trunk, "+1", "srtp = \"require\"")
        .connecting("out", "+15551112222", "")
        .start();
    let caller = Phone::udp(&switch).invite("out");
    let (trunk, guard) = answer(trunk.called(), COUNTER_MODE);
    let caller = caller.answered();
    caller.media.play(&sound::tone(&[500.0], 3_000, 9000.0));
    trunk.media.play(&sound::tone(&[900.0], 3_000, 9000.0));
    trunk.media.hears(500.0);
    caller.media.hears(900.0);
    guard.has_opened_all();
    caller.hang_up();
}
