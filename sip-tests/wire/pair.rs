//! Our phones among themselves, without a switch: what they do must be right before they judge others.

use std::net::UdpSocket;
use std::time::Duration;

use crate::phone::Phone;
use crate::rtp::EVENT;
use crate::sound::{self, Law};

/// A phone, and another that calls it when it dials.
fn pair() -> (Phone, Phone) {
    let called = Phone::trunk();
    let mut caller = Phone::waiting(UdpSocket::bind("127.0.0.1:0").unwrap());
    caller.server = called.local;
    (caller, called)
}

#[test]
fn two_phones_hear_each_other_and_one_hangs_up() {
    let (caller, called) = pair();
    let setup = caller.invite("trunk");
    let mut incoming = called.called();
    incoming.rings();
    let answered = incoming.accepts();
    incoming.phone.send_raw(&answered);
    let call = setup.answered();
    let mut other = incoming.acknowledged(&answered);
    call.plays(500.0);
    other.plays(700.0);
    call.media.hears(700.0);
    other.media.hears(500.0);
    let bye = other.dialog.request(&other.phone, "BYE");
    other.phone.send(&bye);
    let mut call = call;
    call.is_hung_up_within(Duration::from_secs(1));
    assert_eq!(other.phone.final_response(&bye).status(), 200);
}

#[test]
fn phone_that_is_cancelled_says_487() {
    let (caller, called) = pair();
    let mut setup = caller.invite("trunk");
    let mut incoming = called.called();
    incoming.rings();
    setup.rings_with(180);
    let canceler = std::thread::spawn(move || setup.cancel());
    incoming.canceled_within(Duration::from_secs(1));
    assert_eq!(canceler.join().unwrap().status(), 487);
}

#[test]
fn meter_finds_each_voice_in_a_mix_and_none_that_is_not_there() {
    let voices = [500.0, 700.0, 1100.0, 1300.0];
    let parts: Vec<Vec<i16>> = voices
        .iter()
        .map(|hz| sound::tone(&[*hz], 400, 4000.0))
        .collect();
    let mix: Vec<i16> = (0..parts[0].len())
        .map(|n| parts.iter().map(|part| part[n]).sum())
        .map(|sample: i16| Law::A.decode(Law::A.encode(sample)))
        .collect();
    assert!(sound::is_mix(&mix, &voices, &[900.0, 1700.0]));
    assert!(!sound::is_mix(&mix, &voices[1..], &[500.0]));
    assert!(!sound::is_mix(&mix, &[500.0, 900.0], &[]));
}

#[test]
fn keys_in_band_are_read_and_speech_is_not() {
    let mut band = Vec::new();
    for digit in "19#5".chars() {
        band.extend(sound::key(digit, 100));
        band.extend(sound::silence(80));
    }
    assert_eq!(sound::keys(&band), "19#5");
    assert_eq!(sound::keys(&sound::tone(&[697.0], 400, 9000.0)), "");
    assert_eq!(EVENT, 101);
}
