//! Messages made to break readers: the project's own and, where they are at hand, those of RFC 4475.

use std::path::Path;

use bytes::Bytes;

use crate::sip::message::{Message, MessageError};

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Accept,
    Refuse(u16),
    Drop,
}
use Verdict::{Accept, Drop, Refuse};

fn verdict(bytes: Vec<u8>) -> Verdict {
    match Message::parse_datagram(Bytes::from(bytes)) {
        Ok(message) => {
            let again = Message::parse_datagram(message.to_bytes());
            assert_eq!(again.map(|again| again.to_bytes()), Ok(message.to_bytes()));
            Accept
        }
        Err(MessageError::Refuse { status, .. }) => Refuse(status.code()),
        Err(MessageError::Drop { .. }) => Drop,
    }
}

#[test]
fn every_torture_message_gets_the_verdict_that_stands_beside_it() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("sip-tests/torture");
    let table = std::fs::read_to_string(folder.join("expect.txt")).unwrap();
    let mut names = Vec::new();
    let mut wrong = Vec::new();
    for line in table.lines().map(|line| line.split('#').next().unwrap()) {
        let mut words = line.split_whitespace();
        let Some(name) = words.next() else { continue };
        let wanted = match (words.next(), words.next()) {
            (Some("accept" | "silent"), None) | (Some("answer"), Some(_)) => Accept,
            (Some("refuse"), Some(status)) => Refuse(status.parse().unwrap()),
            (Some("drop"), None) => Drop,
            other => panic!("{name}: no verdict in {other:?}"),
        };
        let found = verdict(std::fs::read(folder.join(format!("{name}.sip"))).unwrap());
        if found != wanted {
            wrong.push(format!("{name}: {found:?}, not {wanted:?}"));
        }
        names.push(format!("{name}.sip"));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");

    let on_disk = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".sip"));
    let strays: Vec<String> = on_disk.filter(|name| !names.contains(name)).collect();
    assert!(strays.is_empty(), "without a verdict: {strays:?}");
}

/// What RFC 4475 lets an element choose is chosen so: what only looks odd is read (`baddate`, `badaspec`),
/// what could be read in two ways is refused (`lwsruri`, `lwsstart`, `trws`, `escruri`, `regbadct`,
/// `badinv01`). What is of no concern to grammar (`bext01`, `unkscm`, `sdp01`, …) is read here and judged above.
const RFC_4475: [(&str, Verdict); 49] = [
    // §3.1.1: valid
    ("wsinv", Accept),
    ("intmeth", Accept),
    ("esc01", Accept),
    ("escnull", Accept),
    ("esc02", Accept),
    ("lwsdisp", Accept),
    ("longreq", Accept),
    ("dblreq", Accept),
    ("semiuri", Accept),
    ("transports", Accept),
    ("mpart01", Accept),
    ("unreason", Accept),
    ("noreason", Accept),
    // §3.1.2: invalid
    ("badinv01", Refuse(400)),
    ("clerr", Refuse(400)),
    ("ncl", Refuse(400)),
    ("scalar02", Refuse(400)),
    ("scalarlg", Drop),
    ("quotbal", Refuse(400)),
    ("ltgtruri", Refuse(400)),
    ("lwsruri", Refuse(400)),
    ("lwsstart", Refuse(400)),
    ("trws", Refuse(400)),
    ("escruri", Refuse(400)),
    ("baddate", Accept),
    ("regbadct", Refuse(400)),
    ("badaspec", Accept),
    // A comma in a bare display name would be borne, but the datagram ends before its empty line.
    ("baddn", Refuse(400)),
    ("badvers", Refuse(505)),
    ("mismatch01", Refuse(400)),
    ("mismatch02", Refuse(400)),
    ("bigcode", Drop),
    // §3.2: transactions
    ("badbranch", Accept),
    // §3.3: application
    ("insuf", Refuse(400)),
    ("unkscm", Accept),
    ("novelsc", Accept),
    ("unksm2", Accept),
    ("bext01", Accept),
    ("invut", Accept),
    ("regaut01", Accept),
    ("multi01", Refuse(400)),
    ("mcl01", Refuse(400)),
    ("bcast", Accept),
    ("zeromf", Accept),
    ("cparam01", Accept),
    ("cparam02", Accept),
    ("regescrt", Accept),
    ("sdp01", Accept),
    // §3.4: RFC 2543
    ("inv2543", Accept),
];

#[test]
fn every_message_of_rfc_4475_gets_its_verdict() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/torture/rfc4475");
    if !folder.is_dir() {
        println!("skipped: the messages of RFC 4475 are not beside the checkout");
        return;
    }
    for (name, wanted) in RFC_4475 {
        let found = verdict(std::fs::read(folder.join(format!("{name}.dat"))).unwrap());
        assert_eq!(found, wanted, "{name}");
    }
}
