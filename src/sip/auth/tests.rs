//! Challenges, answers to them, and what wrong answers cost.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::{
    AuthStats, Authenticator, FIRST_BAR, MAX_ACCOUNT_FAILURES, MAX_SOURCE_FAILURES, Verdict,
};
use crate::ids::Rng;
use crate::sip::message::digest::{self, Qop};
use crate::sip::message::{Algorithm, Credentials, HeaderName, Method, Request};
use crate::sip::tests::kit::{Caller, OFFER, request};

const PASSWORD: &str = "correct horse";
const SOURCE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

fn authenticator() -> Authenticator {
    Authenticator::new(crate::sim::start(), "flowswitch", Rng::from_number(3))
}

fn register() -> Request {
    register_of("1000")
}

fn register_of(user: &str) -> Request {
    let text = Caller::new("a").next("REGISTER", "", "");
    let text = text.replace("REGISTER sip:menu@", "REGISTER sip:");
    request(&text.replace("To: <sip:menu@", &format!("To: <sip:{user}@")))
}

fn check_from(
    auth: &mut Authenticator,
    now: Instant,
    request: &Request,
    source: IpAddr,
) -> Verdict {
    auth.check(now, request, source, |user| {
        (user == "1000").then_some(PASSWORD)
    })
}

fn check(auth: &mut Authenticator, now: Instant, request: &Request) -> Verdict {
    check_from(auth, now, request, SOURCE)
}

/// The nonce of a challenge, and whether it says stale.
fn nonce_of(verdict: &Verdict) -> (String, bool) {
    let Verdict::Challenge(values) = verdict else {
        panic!("no challenge: {verdict:?}");
    };
    let [md5, sha] = values.as_slice() else {
        panic!("two challenges, not {values:?}");
    };
    let (sha, md5) = (String::from_utf8_lossy(sha), String::from_utf8_lossy(md5));
    assert!(
        sha.contains("algorithm=SHA-256") && md5.contains("algorithm=MD5"),
        "{sha} {md5}"
    );
    assert!(sha.contains("qop=\"auth\"") && sha.contains("realm=\"flowswitch\""));
    let rest = sha.split_once("nonce=\"").expect("a nonce").1;
    let nonce = rest.split_once('"').expect("its end").0;
    (nonce.to_owned(), sha.contains("stale=true"))
}

struct Answer<'a> {
    algorithm: Algorithm,
    username: &'a str,
    password: &'a str,
    nonce: &'a str,
    nc: Option<u32>,
    uri: &'a str,
}

impl<'a> Answer<'a> {
    fn right(nonce: &'a str) -> Self {
        Self {
            algorithm: Algorithm::Sha256,
            username: "1000",
            password: PASSWORD,
            nonce,
            nc: Some(1),
            uri: "sip:10.0.0.1",
        }
    }

    fn put(&self, mut request: Request) -> Request {
        let qop = self.nc.map(|nc| Qop {
            nc,
            cnonce: "c".into(),
        });
        let secret = digest::secret(self.algorithm, self.username, "flowswitch", self.password);
        let method = &request.method;
        let response = digest::response(
            self.algorithm,
            &secret,
            method,
            self.uri,
            self.nonce,
            qop.as_ref(),
        );
        let credentials = Credentials {
            username: self.username.into(),
            realm: "flowswitch".into(),
            nonce: self.nonce.into(),
            uri: self.uri.into(),
            response,
            algorithm: self.algorithm,
            qop,
            opaque: None,
        };
        request
            .headers
            .set(HeaderName::Authorization, credentials.to_string());
        request
    }
}

fn fresh_nonce(auth: &mut Authenticator, now: Instant) -> String {
    nonce_of(&check(auth, now, &register())).0
}

fn accepted() -> Verdict {
    Verdict::Accepted {
        username: "1000".into(),
    }
}

#[test]
fn the_right_answer_is_accepted_with_either_hash() {
    let (mut auth, now) = (authenticator(), crate::sim::start());
    for algorithm in [Algorithm::Sha256, Algorithm::Md5] {
        let nonce = fresh_nonce(&mut auth, now);
        let answer = Answer {
            algorithm,
            ..Answer::right(&nonce)
        };
        assert_eq!(check(&mut auth, now, &answer.put(register())), accepted());
    }
}

#[test]
fn what_is_not_offered_is_not_accepted() {
    let now = crate::sim::start();
    let mut auth = authenticator();
    let nonce = fresh_nonce(&mut auth, now);
    let mut auth = auth.with_algorithms(vec![Algorithm::Sha256]);
    let weaker = Answer {
        algorithm: Algorithm::Md5,
        ..Answer::right(&nonce)
    };
    let verdict = check(&mut auth, now, &weaker.put(register()));
    let Verdict::Challenge(challenges) = verdict else {
        panic!("{verdict:?}");
    };
    assert_eq!(challenges.len(), 1);
    let right = Answer::right(&nonce);
    assert_eq!(check(&mut auth, now, &right.put(register())), accepted());
}

#[test]
fn a_count_is_good_once_and_the_next_one_again() {
    let (mut auth, now) = (authenticator(), crate::sim::start());
    let nonce = fresh_nonce(&mut auth, now);
    let with_count = |nc| Answer {
        nc,
        ..Answer::right(&nonce)
    };
    let first = with_count(Some(1)).put(register());
    assert_eq!(check(&mut auth, now, &first), accepted());
    let (_, stale) = nonce_of(&check(&mut auth, now, &first));
    assert!(stale, "a replay is asked for anew");
    assert_eq!(
        check(&mut auth, now, &with_count(Some(2)).put(register())),
        accepted()
    );
    assert!(nonce_of(&check(&mut auth, now, &with_count(Some(2)).put(register()))).1);
}

#[test]
fn an_answer_without_count_is_good_once() {
    let (mut auth, now) = (authenticator(), crate::sim::start());
    let nonce = fresh_nonce(&mut auth, now);
    let answer = Answer {
        nc: None,
        ..Answer::right(&nonce)
    };
    let request = answer.put(register());
    assert_eq!(check(&mut auth, now, &request), accepted());
    assert!(nonce_of(&check(&mut auth, now, &request)).1);
}

#[test]
fn an_old_nonce_is_stale_when_the_answer_is_right_and_only_then() {
    let (mut auth, now) = (authenticator(), crate::sim::start());
    let nonce = fresh_nonce(&mut auth, now);
    let later = now + Duration::from_secs(301);
    let right = Answer::right(&nonce);
    assert!(nonce_of(&check(&mut auth, later, &right.put(register()))).1);
    let wrong = Answer {
        password: "guess",
        ..right
    };
    assert!(!nonce_of(&check(&mut auth, later, &wrong.put(register()))).1);
}

#[test]
fn a_nonce_of_another_address_or_made_up_is_no_attempt() {
    let (mut auth, now) = (authenticator(), crate::sim::start());
    let nonce = fresh_nonce(&mut auth, now);
    let other = "198.51.100.7".parse().expect("an address");
    let answered = Answer::right(&nonce).put(register());
    assert!(!nonce_of(&check_from(&mut auth, now, &answered, other)).1);
    for nonce in [
        "",
        "x",
        "1.2.3",
        "0.1.00000000000000000000000000000000",
        "1.1.+0000000000000000000000000000000",
    ] {
        let answered = Answer::right(nonce).put(register());
        assert!(!nonce_of(&check(&mut auth, now, &answered)).1, "{nonce}");
    }
    assert_eq!(auth.stats().failed, 0);
}

#[test]
fn known_and_unknown_users_get_the_same_answers() {
    let mut told = Vec::new();
    for username in ["1000", "1001"] {
        let (mut auth, now) = (authenticator(), crate::sim::start());
        let nonce = fresh_nonce(&mut auth, now);
        let answer = Answer {
            username,
            password: "guess",
            ..Answer::right(&nonce)
        };
        let request = answer.put(register_of(username));
        let verdicts: Vec<_> = (0..10).map(|_| check(&mut auth, now, &request)).collect();
        told.push((verdicts, *auth.stats()));
    }
    assert_eq!(told[0], told[1]);
}

#[test]
fn a_user_speaks_for_itself_only() {
    let (mut auth, now) = (authenticator(), crate::sim::start());
    let nonce = fresh_nonce(&mut auth, now);
    let verdict = check(
        &mut auth,
        now,
        &Answer::right(&nonce).put(register_of("2000")),
    );
    assert!(matches!(verdict, Verdict::Challenge(_)));
    assert_eq!(auth.stats().failed, 1);
    let invite = Caller::new("a")
        .invite(OFFER)
        .replace("sip:alice@10.0.0.9>;", "sip:1000@10.0.0.9>;");
    let invite = request(&invite);
    assert_eq!(invite.method, Method::Invite);
    let answer = Answer {
        uri: "sip:menu@10.0.0.1",
        ..Answer::right(&nonce)
    };
    assert_eq!(
        check(&mut auth, now, &answer.put(invite.clone())),
        accepted()
    );
    let elsewhere = Answer {
        uri: "sip:other@10.0.0.1",
        nc: Some(2),
        ..Answer::right(&nonce)
    };
    let verdict = check(&mut auth, now, &elsewhere.put(invite));
    assert!(
        matches!(verdict, Verdict::Challenge(_)),
        "an answer for another number"
    );
}

#[test]
fn an_account_that_fails_too_often_is_barred_and_its_neighbours_are_not() {
    let (mut auth, now) = (authenticator(), crate::sim::start());
    let nonce = fresh_nonce(&mut auth, now);
    let wrong = Answer {
        password: "guess",
        ..Answer::right(&nonce)
    };
    for _ in 0..MAX_ACCOUNT_FAILURES {
        assert!(matches!(
            check(&mut auth, now, &wrong.put(register())),
            Verdict::Challenge(_)
        ));
    }
    assert_eq!(
        check(&mut auth, now, &wrong.put(register())),
        Verdict::Barred
    );
    let right = Answer::right(&nonce).put(register());
    assert_eq!(
        check(&mut auth, now, &right),
        Verdict::Barred,
        "the right one too"
    );
    let other = Answer {
        username: "1001",
        ..wrong
    };
    assert!(matches!(
        check(&mut auth, now, &other.put(register())),
        Verdict::Challenge(_)
    ));
    assert_eq!(check(&mut auth, now + FIRST_BAR, &right), accepted());
}

#[test]
fn a_source_that_guesses_accounts_is_barred_longer_each_time() {
    let (mut auth, mut now) = (authenticator(), crate::sim::start());
    let nonce = fresh_nonce(&mut auth, now);
    for number in 0..MAX_SOURCE_FAILURES {
        let username = format!("{}", 2000 + number);
        let guess = Answer {
            username: &username,
            ..Answer::right(&nonce)
        };
        assert!(matches!(
            check(&mut auth, now, &guess.put(register())),
            Verdict::Challenge(_)
        ));
    }
    assert_eq!(check(&mut auth, now, &register()), Verdict::Barred);
    now += FIRST_BAR;
    let guess = Answer {
        username: "3000",
        ..Answer::right(&nonce)
    };
    assert!(matches!(
        check(&mut auth, now, &guess.put(register())),
        Verdict::Challenge(_)
    ));
    assert_eq!(
        check(&mut auth, now + FIRST_BAR, &register()),
        Verdict::Barred,
        "twice as long"
    );
    let forgiven = now + Duration::from_secs(3600);
    assert!(matches!(
        check(&mut auth, forgiven, &register()),
        Verdict::Challenge(_)
    ));
}

#[test]
fn a_flood_of_sources_keeps_the_tables_bounded() {
    let (mut auth, now) = (authenticator(), crate::sim::start());
    for number in 0..40_000u32 {
        let source = IpAddr::V4(number.into());
        let nonce = nonce_of(&check_from(&mut auth, now, &register(), source)).0;
        let wrong = Answer {
            algorithm: Algorithm::Md5,
            password: "guess",
            ..Answer::right(&nonce)
        };
        let _ = check_from(&mut auth, now, &wrong.put(register()), source);
    }
    assert!(auth.failures.len() <= super::MAX_CULPRITS);
    assert!(auth.used.is_empty(), "only right answers are remembered");
    let stats = AuthStats {
        failed: 40_000,
        ..AuthStats::default()
    };
    assert_eq!(*auth.stats(), stats);
}
