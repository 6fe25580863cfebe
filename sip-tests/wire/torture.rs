//! Torture messages over UDP: the right answer or the right silence, and a normal call after each.
//!
//! The project's own set is `sip-tests/torture`; what each of its messages must cause stands in its
//! `expect.txt`. The messages of RFC 4475 are not part of this repository: where their folder stands beside
//! it (or `RFC4475_DIR` names it), they are sent as well.

use std::collections::BTreeMap;
use std::fs;
use std::net::{Ipv4Addr, UdpSocket};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::message::Message;
use crate::switch::{Setting, Switch};

/// What must come back.
#[derive(Clone, Debug, PartialEq)]
enum Right {
    Silence,
    /// A final response with one of these.
    Status(Vec<u16>),
    /// A final response that neither calls it malformed nor blames ourselves.
    Taken,
}

/// RFC 4475 by name, sent to a switch that knows neither the users nor the domains in them.
const RFC4475: &[(&str, &[u16])] = &[
    // §3.1.1 valid messages
    ("wsinv", &[481]),
    ("intmeth", &[405, 501]),
    ("esc01", &[404]),
    ("escnull", &[401, 403, 404]),
    ("esc02", &[405, 501]),
    ("lwsdisp", &[200, 404]),
    ("longreq", &[404]),
    ("dblreq", &[401, 403, 404]),
    ("semiuri", &[200, 404]),
    ("transports", &[200, 404]),
    ("mpart01", &[405, 404, 415]),
    ("unreason", &[]),
    ("noreason", &[]),
    // §3.1.2 invalid messages
    ("badinv01", &[400]),
    ("clerr", &[400]),
    ("ncl", &[400]),
    ("scalar02", &[400]),
    ("scalarlg", &[]),
    ("quotbal", &[400]),
    ("ltgtruri", &[400]),
    ("lwsruri", &[400, 404, 481]),
    ("lwsstart", &[400, 404]),
    ("trws", &[200, 400, 404]),
    ("escruri", &[400, 404]),
    ("baddate", &[400, 404]),
    ("regbadct", &[400, 401]),
    ("badaspec", &[200, 400, 404]),
    ("baddn", &[200, 400, 404]),
    ("badvers", &[505]),
    ("mismatch01", &[400]),
    ("mismatch02", &[400, 405, 501]),
    ("bigcode", &[]),
    // §3.2 and §3.3: transactions and applications
    ("badbranch", &[200, 400, 404]),
    ("insuf", &[400]),
    ("unkscm", &[416]),
    ("novelsc", &[416]),
    ("unksm2", &[400, 401, 403, 404, 416]),
    ("bext01", &[420]),
    ("invut", &[404, 415]),
    ("regaut01", &[400, 401, 403, 404]),
    ("multi01", &[400]),
    ("mcl01", &[400]),
    ("bcast", &[]),
    ("zeromf", &[200, 404, 483]),
    ("cparam01", &[401, 403, 404]),
    ("cparam02", &[401, 403, 404]),
    ("regescrt", &[401, 403, 404]),
    ("sdp01", &[404, 406]),
    // §3.4 backward compatibility
    ("inv2543", &[404]),
];

/// The source address of a message: each has its own, so that late answers to one are not taken for another's.
///
/// Answers go to the port that the Via names (RFC 3261 §18.2.2), which most messages leave at 5060; on a
/// loopback address of our own that port is free.
struct Sender {
    sockets: Vec<UdpSocket>,
}

impl Sender {
    fn new(set: u8, number: usize) -> Self {
        let ip = Ipv4Addr::new(127, 77, set, number as u8 + 1);
        let sockets = [5060, 5050, 5070, 5061]
            .into_iter()
            .map(|port| {
                let socket = UdpSocket::bind((ip, port)).unwrap();
                socket.set_nonblocking(true).unwrap();
                socket
            })
            .collect();
        Sender { sockets }
    }

    fn send(&self, bytes: &[u8], switch: &Switch) {
        self.sockets[0].send_to(bytes, switch.sip(false)).unwrap();
    }

    /// A response that is there now.
    fn next(&self) -> Option<Message> {
        let mut buffer = [0; 65_536];
        self.sockets.iter().find_map(|socket| {
            let (len, _) = socket.recv_from(&mut buffer).ok()?;
            Message::parse(&buffer[..len])
        })
    }

    fn final_response(&self, patience: Duration) -> Option<Message> {
        let began = Instant::now();
        while began.elapsed() < patience {
            match self.next() {
                Some(message) if message.status() >= 200 => return Some(message),
                Some(_) => {}
                None => std::thread::sleep(Duration::from_millis(2)),
            }
        }
        None
    }
}

/// Sends each message and tells what went wrong, all of it at once.
fn torture(set: u8, messages: &[(String, Vec<u8>, Right)]) {
    let mut switch = Setting::new().start();
    let mut wrong = Vec::new();
    for (number, (name, bytes, right)) in messages.iter().enumerate() {
        let sender = Sender::new(set, number);
        sender.send(bytes, &switch);
        let answer = match right {
            Right::Silence => None,
            _ => sender.final_response(Duration::from_secs(2)),
        };
        // The call is behind the message in the same queue: when it is through, so is the message.
        switch.takes_a_quick_call();
        let answer = answer.or_else(|| sender.next());
        let status = answer.as_ref().map(Message::status);
        let is_right = match (right, status) {
            (Right::Silence, status) => status.is_none(),
            (Right::Status(wanted), Some(status)) => wanted.contains(&status),
            (Right::Taken, Some(status)) => status != 400 && status < 500,
            (_, None) => false,
        };
        if answer
            .as_ref()
            .is_some_and(|answer| answer.header("X-Injected").is_some())
        {
            wrong.push(format!(
                "{name}: its answer has a header that came out of a value"
            ));
        }
        if !is_right {
            let said = answer.map_or_else(|| "silence".to_owned(), |answer| answer.start_line);
            wrong.push(format!("{name}: {said}, but {right:?} is right"));
        }
        if switch.is_dead() {
            wrong.push(format!("{name}: the switch died"));
            break;
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        messages.len(),
        wrong.join("\n")
    );
    assert!(!switch.log().contains("panicked"), "{}", switch.log());
    switch.takes_a_call();
    println!("{} messages", messages.len());
}

#[test]
fn own_torture_messages_get_their_answer_or_silence() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("sip-tests/torture");
    let text = fs::read_to_string(dir.join("expect.txt")).unwrap();
    let mut messages = Vec::new();
    for line in text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
    {
        let mut words = line.split_whitespace();
        let (name, verdict) = (words.next().unwrap(), words.next().unwrap());
        let mut statuses = || {
            words
                .next()
                .unwrap()
                .split('/')
                .map(|status| status.parse().unwrap())
                .collect()
        };
        let right = match verdict {
            "accept" => Right::Taken,
            "answer" | "refuse" => Right::Status(statuses()),
            "silent" | "drop" => Right::Silence,
            other => panic!("expect.txt: {other:?} in {line:?}"),
        };
        let bytes = fs::read(dir.join(name).with_extension("sip")).unwrap();
        messages.push((name.to_owned(), bytes, right));
    }
    torture(1, &messages);
}

#[test]
fn messages_of_rfc_4475_get_their_answer_or_silence() {
    let dir = std::env::var_os("RFC4475_DIR").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/torture/rfc4475"),
        PathBuf::from,
    );
    if !dir.is_dir() {
        println!("skipped: no folder {}", dir.display());
        return;
    }
    let rights: BTreeMap<&str, &[u16]> = RFC4475.iter().copied().collect();
    let mut messages = Vec::new();
    let mut paths: Vec<PathBuf> = fs::read_dir(&dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    for path in paths
        .iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "dat"))
    {
        let name = path.file_stem().unwrap().to_str().unwrap();
        let right = match rights.get(name) {
            Some([]) => Right::Silence,
            Some(statuses) => Right::Status(statuses.to_vec()),
            None => panic!("what does {name} have to cause?"),
        };
        messages.push((name.to_owned(), fs::read(path).unwrap(), right));
    }
    assert_eq!(messages.len(), RFC4475.len());
    torture(2, &messages);
}
