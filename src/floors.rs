//! The plan of the house as a test: a room uses lower floors only, and the cores know no world.

use std::path::{Path, PathBuf};

/// Each room with the rooms of this crate it may use; `time`, `ids` and `status` are open to all.
const ROOMS: [(&str, &[&str]); 14] = [
    ("time", &[]),
    ("ids", &[]),
    ("status", &[]),
    ("sip", &[]),
    ("sdp", &[]),
    ("flow", &[]),
    ("call", &["sip", "sdp"]),
    ("store", &["sip", "sdp", "flow", "call"]),
    ("switch", &["sip", "sdp", "flow", "call", "store"]),
    ("dryrun", &["flow"]),
    ("database", &[]),
    ("api", &["flow", "call", "store", "switch", "database"]),
    (
        "shell",
        &[
            "sip", "sdp", "flow", "call", "store", "switch", "dryrun", "database", "api",
        ],
    ),
    (
        "sim",
        &["sip", "sdp", "flow", "call", "store", "switch", "api"],
    ),
];
/// Open to every room but themselves.
const GROUND: [&str; 3] = ["time", "ids", "status"];

/// Rooms that are of the world.
const WORLDLY: [&str; 4] = ["database", "api", "shell", "sim"];

/// Rooms that may use the media crate, and which of its modules.
const MEDIA: [(&str, &[&str]); 6] = [
    ("sdp", &["codec", "command"]),
    ("call", &["amd", "codec", "command", "dtmf", "prompt"]),
    ("store", &["command"]),
    ("switch", &["amd", "command", "dtmf", "prompt", "recording"]),
    (
        "shell",
        &[
            "codec", "command", "dtmf", "dsp", "host", "prompt", "frame", "rtp",
        ],
    ),
    (
        "sim",
        &[
            "amd", "codec", "command", "dsp", "dtmf", "engine", "frame", "prompt", "rtp",
        ],
    ),
];

/// What no core may name: sockets, clocks, threads, tasks, files, locks, channels, the environment.
const WORLD: [&str; 12] = [
    "tokio::",
    "std::net::UdpSocket",
    "std::net::TcpStream",
    "std::fs",
    "std::env",
    "std::thread",
    "std::sync::mpsc",
    "Mutex",
    "RwLock",
    "Instant::now",
    "SystemTime::now",
    "File::open",
];

/// A line of code that breaks the plan.
#[derive(Debug, PartialEq, Eq)]
struct Breach {
    place: String,
    what: String,
}

fn breaches_of(room: &str, place: &str, text: &str) -> Vec<Breach> {
    let code = without_tests(text);
    let mut found = Vec::new();
    let mut breach = |what: String| {
        found.push(Breach {
            place: place.to_owned(),
            what,
        })
    };
    let open: &[&str] = ROOMS
        .iter()
        .find(|(name, _)| *name == room)
        .map_or(&[], |(_, open)| open);
    for used in names_after(&code, "crate::") {
        let is_own = used == room;
        let is_ground = GROUND.contains(&used.as_str()) && !GROUND.contains(&room);
        let is_known = ROOMS.iter().any(|(name, _)| *name == used);
        if !is_own && !is_ground && !open.contains(&used.as_str()) && is_known {
            breach(format!("{room} uses crate::{used}"));
        } else if !is_known && !is_own {
            breach(format!(
                "crate::{used} is not a room: import from where it lives"
            ));
        }
    }
    let is_known = |used: &str| ROOMS.iter().any(|(name, _)| *name == used);
    for used in names_after(&code, "super::") {
        // A room may have a file of its own that is called as one of the ground: `sip::message::status`.
        let is_ground = GROUND.contains(&used.as_str()) && !GROUND.contains(&room);
        if used != room && is_known(&used) && !is_ground && !open.contains(&used.as_str()) {
            breach(format!("{room} uses super::{used}"));
        }
    }
    for prefix in [
        "crate::{",
        "crate::*",
        "flowswitch_media::{",
        "flowswitch_media::*",
    ] {
        if code_lines(&code).any(|line| line.contains(prefix)) {
            breach(format!(
                "{prefix} hides what is used: name each room by itself"
            ));
        }
    }
    let media: &[&str] = MEDIA
        .iter()
        .find(|(name, _)| *name == room)
        .map_or(&[], |(_, open)| open);
    for used in names_after(&code, "flowswitch_media::") {
        if !media.contains(&used.as_str()) {
            breach(format!("{room} uses flowswitch_media::{used}"));
        }
    }
    if !WORLDLY.contains(&room) {
        found.extend(world_in(place, &code));
    }
    found
}

fn world_in(place: &str, code: &str) -> Vec<Breach> {
    WORLD
        .iter()
        .filter(|word| code_lines(code).any(|line| line.contains(*word)))
        .map(|word| Breach {
            place: place.to_owned(),
            what: format!("a core names {word}"),
        })
        .collect()
}

/// The code before the tests at the foot of a file; a `mod tests;` that only names another file cuts
/// nothing off.
fn without_tests(text: &str) -> String {
    text.split("#[cfg(test)]\nmod tests {")
        .next()
        .unwrap_or_default()
        .to_owned()
}

fn names_after(code: &str, prefix: &str) -> Vec<String> {
    code_lines(code)
        .flat_map(|line| {
            line.match_indices(prefix)
                .map(move |(at, _)| &line[at + prefix.len()..])
        })
        .map(|rest| {
            rest.chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect::<String>()
        })
        .filter(|name| !name.is_empty())
        .collect()
}

fn code_lines(code: &str) -> impl Iterator<Item = &str> {
    code.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
}

fn sources(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
    found
}

fn is_test(path: &Path) -> bool {
    path.components().any(|part| part.as_os_str() == "tests")
        || path.file_stem().is_some_and(|stem| stem == "tests")
}

#[test]
fn every_room_uses_lower_floors_only_and_the_cores_know_no_world() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut breaches = Vec::new();
    let mut read = 0;
    for path in sources(&root).iter().filter(|path| !is_test(path)) {
        let inside = path.strip_prefix(&root).unwrap();
        let first = inside
            .components()
            .next()
            .unwrap()
            .as_os_str()
            .to_str()
            .unwrap();
        let room = first.trim_end_matches(".rs");
        if ["lib", "main", "floors"].contains(&room) {
            continue;
        }
        assert!(
            ROOMS.iter().any(|(name, _)| *name == room),
            "{room} is not in the plan"
        );
        read += 1;
        breaches.extend(breaches_of(
            room,
            &inside.display().to_string(),
            &std::fs::read_to_string(path).unwrap(),
        ));
    }
    assert!(read > 20, "only {read} files were read");
    assert_eq!(breaches, []);
}

#[test]
fn the_media_core_knows_no_world_outside_its_host() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("media/src");
    let mut breaches = Vec::new();
    for path in sources(&root).iter().filter(|path| !is_test(path)) {
        let inside = path.strip_prefix(&root).unwrap().display().to_string();
        if !inside.starts_with("host") && !inside.starts_with("sim") {
            breaches.extend(world_in(
                &inside,
                &without_tests(&std::fs::read_to_string(path).unwrap()),
            ));
        }
    }
    assert_eq!(breaches, []);
}

#[test]
fn the_test_itself_fails_when_the_plan_is_broken() {
    let broken = [
        ("flow", "use crate::call::Call;\n"),
        ("sip", "use crate::sdp::SessionDescription;\n"),
        ("call", "fn f() { crate::flow::parse(); }\n"),
        ("flow", "use flowswitch_media::codec::Codec;\n"),
        ("switch", "let at = Instant::now();\n"),
        ("sip", "use crate::Error;\n"),
        ("time", "use crate::ids::Rng;\n"),
        ("sdp", "use std::sync::Mutex;\n"),
        (
            "flow",
            "#[cfg(test)]\nmod tests;\n\nuse crate::call::Call;\n",
        ),
        ("sip", "use crate::{sdp, flow};\n"),
        ("call", "use flowswitch_media::{codec, host};\n"),
        ("flow", "use super::call::Call;\n"),
    ];
    for (room, text) in broken {
        assert_eq!(breaches_of(room, "x.rs", text).len(), 1, "{room}: {text}");
    }
    assert_eq!(
        breaches_of(
            "call",
            "x.rs",
            "use crate::sip::Endpoint;\nuse crate::ids::CallId;\n"
        ),
        []
    );
    assert_eq!(
        breaches_of(
            "flow",
            "x.rs",
            "// crate::call is above\n#[cfg(test)]\nmod tests {\nuse crate::sim;\n"
        ),
        []
    );
}
