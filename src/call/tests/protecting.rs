//! Keys over the life of a call.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr};

use bytes::Bytes;
use flowswitch_media::command::{Command, Direction, SrtpConfig};

use super::kit::SESSION;
use crate::call::{Down, Leg};
use crate::ids::Rng;
use crate::sdp::SessionDescription;
use crate::sdp::codecs::Codecs;
use crate::sdp::crypto::{LocalCrypto, SrtpPolicy};
use crate::sdp::format::PayloadTypes;
use crate::sdp::negotiate::LocalEnd;
use crate::sip::{DialogId, Endpoint, EndpointConfig};

/// Keys of a peer, and the suite of one and all.
const SUITE: &str = "AES_CM_128_HMAC_SHA1_80";
const ONE: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
const OTHER: &str = "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB";

fn offer(profile: &str, suite: &str, key: &str) -> Bytes {
    let text = format!(
        "v=0\r\no=- 1 1 IN IP4 192.0.2.10\r\ns=-\r\nc=IN IP4 192.0.2.10\r\nt=0 0\r\n\
         m=audio 4000 {profile} 0\r\na=crypto:1 {suite} inline:{key}\r\n"
    );
    Bytes::from(text)
}

fn leg(policy: SrtpPolicy, offer: &Bytes) -> Leg {
    let here = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let local = LocalEnd {
        address: here,
        port: 4000,
        session_id: 1,
        version: 1,
        cname: "someone".into(),
        peer: here,
        direction: Direction::SendRecv,
        codecs: Codecs::default(),
        payload_types: PayloadTypes::default(),
        crypto: LocalCrypto::new(policy),
    };
    let offer = SessionDescription::parse(offer).unwrap();
    Leg::new(DialogId(1), SESSION, local, Some(offer))
}

/// What the media engine was told of keys.
fn keys(rng: &mut Rng, act: impl FnOnce(&mut Down<'_>)) -> Option<Option<SrtpConfig>> {
    let mut endpoint = Endpoint::new(EndpointConfig::default(), Rng::from_number(2));
    let mut media = VecDeque::new();
    act(&mut Down {
        now: crate::sim::start(),
        endpoint: &mut endpoint,
        media: &mut media,
        rng,
    });
    media.into_iter().find_map(|command| match command {
        Command::Configure { config, .. } => Some(config.srtp.map(|srtp| *srtp)),
        _ => None,
    })
}

fn answered(leg: &mut Leg, rng: &mut Rng) -> Option<Option<SrtpConfig>> {
    keys(rng, |down| {
        leg.answer(down);
    })
}

#[test]
fn another_key_of_the_peer_in_a_re_invite_is_taken_and_ours_stays() {
    let mut rng = Rng::from_number(1);
    let mut leg = leg(SrtpPolicy::Accept, &offer("RTP/SAVP", SUITE, ONE));
    let first = answered(&mut leg, &mut rng);
    let first = first.flatten().unwrap();
    let again = offer("RTP/SAVP", SUITE, ONE);
    let again = keys(&mut rng, |down| leg.handle_offered(down, Some(&again)));
    assert_eq!(again.flatten().as_ref(), Some(&first));
    let other = offer("RTP/SAVP", SUITE, OTHER);
    let other = keys(&mut rng, |down| leg.handle_offered(down, Some(&other)));
    let other = other.flatten().unwrap();
    assert_eq!(other.send, first.send);
    assert_ne!(other.receive, first.receive);
}

#[test]
fn keys_that_were_given_up_do_not_come_back() {
    let mut rng = Rng::from_number(1);
    let mut leg = leg(SrtpPolicy::Accept, &offer("RTP/SAVP", SUITE, ONE));
    let first = answered(&mut leg, &mut rng);
    let plain = offer("RTP/AVP", SUITE, ONE);
    let plain = keys(&mut rng, |down| leg.handle_offered(down, Some(&plain)));
    assert_eq!(plain, Some(None));
    let back = offer("RTP/SAVP", SUITE, ONE);
    let back = keys(&mut rng, |down| leg.handle_offered(down, Some(&back)));
    assert_ne!(back.flatten().unwrap().send, first.flatten().unwrap().send);
}

#[test]
fn a_re_invite_without_protection_changes_nothing_where_it_is_required() {
    let mut rng = Rng::from_number(1);
    let mut leg = leg(SrtpPolicy::Require, &offer("RTP/SAVP", SUITE, ONE));
    assert!(answered(&mut leg, &mut rng).is_some());
    let plain = offer("RTP/AVP", "F8_128_HMAC_SHA1_80", ONE);
    let told = keys(&mut rng, |down| leg.handle_offered(down, Some(&plain)));
    assert_eq!(told, None);
}
