//! Running it: start, change flows while calls run, stop, and say clearly what is wrong.

use std::fs;
use std::net::{TcpListener, UdpSocket};
use std::thread;
use std::time::Duration;

use crate::message;
use crate::phone::{COMMON, PATIENCE, Phone};
use crate::rtp::wait;
use crate::sound;
use crate::switch::{Setting, Switch};
use crate::wav;

/// Answers and plays `FILE` for long.
const LONG: &str = "[\n  {\"type\": \"answer\"},\n  {\"type\": \"play\", \"option\": {\"stream_urls\": [\"FILE\"]}}\n]\n";

fn reloading() -> Switch {
    Setting::new()
        .file("low.wav", &wav::plain(500.0, 20_000))
        .file("high.wav", &wav::plain(900.0, 20_000))
        .flow("daily", &LONG.replace("FILE", "low.wav"))
        .start()
}

/// A second is what was promised; the rest is for the machine that runs all this at once.
const SEEN: Duration = Duration::from_millis(1300);

#[test]
fn changed_flow_is_for_new_calls_and_running_calls_keep_theirs() {
    let switch = reloading();
    let before = Phone::udp(&switch).dial("daily");
    before.media.hears(500.0);
    fs::write(
        switch.flows().join("daily.json"),
        LONG.replace("FILE", "high.wav"),
    )
    .unwrap();
    fs::write(
        switch.flows().join("fresh.json"),
        LONG.replace("FILE", "high.wav"),
    )
    .unwrap();
    thread::sleep(SEEN);
    for flow in ["daily", "fresh"] {
        let after = Phone::udp(&switch).dial(flow);
        after.media.hears(900.0);
        after.hang_up();
    }
    before.media.hears(500.0);
    before.hang_up();
    fs::remove_file(switch.flows().join("fresh.json")).unwrap();
    thread::sleep(SEEN);
    let mut gone = Phone::udp(&switch).invite("fresh");
    let answer = gone.final_response();
    gone.phone.acknowledge_refusal(&gone.invite, &answer);
    assert_eq!(answer.status(), 404);
}

#[test]
fn broken_flow_keeps_the_old_one_and_the_log_says_where_it_is_wrong() {
    let switch = reloading();
    let wrongs = [
        ("[\n  {\"type\": \"answer\",\n  }\n]", "daily.json", 2),
        (
            "[\n  {\"type\": \"answer\"},\n  {\"type\": \"anwser\"}\n]",
            "anwser",
            3,
        ),
        (
            "[\n  {\"type\": \"case_create\", \"option\": {}}\n]",
            "case_create",
            2,
        ),
    ];
    for (text, word, line) in wrongs {
        let from = switch.log().len();
        fs::write(switch.flows().join("daily.json"), text).unwrap();
        let is_told = wait(Duration::from_secs(3), || {
            switch.log()[from..].lines().any(|said| {
                let at =
                    said.contains(&format!(":{line}:")) || said.contains(&format!("line {line}"));
                said.contains("daily.json") && said.contains(word) && at
            })
        });
        assert!(
            is_told,
            "no word of daily.json, {word} and line {line} in\n{}",
            &switch.log()[from..]
        );
        let call = Phone::udp(&switch).dial("daily");
        call.media.hears(500.0);
        call.hang_up();
    }
}

#[test]
fn sigterm_ends_calls_refuses_new_ones_closes_recordings_and_exits_0() {
    let mut switch = Setting::new()
        .flow(
            "voicemail",
            r#"[{"type": "answer"}, {"type": "recording_start", "option": {"format": "wav"}},
                {"type": "sleep", "option": {"duration": 30000}}]"#,
        )
        .start();
    let mut call = Phone::udp(&switch).dial("voicemail");
    call.media.play(&sound::tone(&[1000.0], 900, 9000.0));
    thread::sleep(Duration::from_millis(1000));
    switch.terminate();
    // Its BYE stays without answer for a while, so that it is still there to be asked.
    let bye = call
        .phone
        .request_within("BYE", PATIENCE)
        .expect("running calls are ended with BYE");
    let mut late = Phone::udp(&switch);
    let offer = message::sdp("127.0.0.1:40000".parse().unwrap(), COMMON, "sendrecv", 1);
    let refused = late.exchange(
        &late
            .request("INVITE", &late.uri("tone"))
            .body("application/sdp", offer),
    );
    assert_eq!(refused.status(), 503);
    call.phone.send_raw(&message::response(&bye, "200 OK", &[]));
    let status = switch.exit_within(PATIENCE);
    assert_eq!(status.code(), Some(0), "{}", switch.log());
    let file = fs::read_dir(switch.recordings())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .next()
        .expect("a file");
    let heard = wav::read(&fs::read(file).unwrap()).unwrap();
    assert!(heard.seconds() > 0.9, "{} s", heard.seconds());
}

#[test]
fn sigterm_without_calls_exits_at_once() {
    let mut switch = Setting::new().start();
    switch.terminate();
    assert_eq!(
        switch.exit_within(Duration::from_secs(2)).code(),
        Some(0),
        "{}",
        switch.log()
    );
}

#[test]
fn start_screen_names_addresses_flows_and_extensions() {
    let switch = Setting::new()
        .config("[[extensions]]\nextension = \"1000\"\npassword = \"kestrel\"")
        .start();
    let screen = switch.log();
    for word in [
        switch.sip(false).to_string().as_str(),
        "tone",
        "1000",
        "ready",
    ] {
        assert!(
            screen.contains(word),
            "{word} is not on the screen:\n{screen}"
        );
    }
    assert!(
        screen.lines().count() <= 40,
        "more than one screen:\n{screen}"
    );
}

/// Refused at the start: not 0, a line that has every one of `words`, and no backtrace.
#[track_caller]
fn is_refused(setting: &Setting, arguments: &[&str], words: &[&str]) {
    let (status, log) = setting.run(arguments);
    assert!(!status.success(), "it started:\n{log}");
    let clear = log
        .lines()
        .any(|line| words.iter().all(|word| line.to_lowercase().contains(word)));
    assert!(clear, "no line with {words:?} in\n{log}");
    assert!(
        !log.contains("panicked") && !log.contains("stack backtrace"),
        "{log}"
    );
    assert!(
        log.lines().filter(|line| !line.trim().is_empty()).count() <= 8,
        "more than a few lines:\n{log}"
    );
}

#[test]
fn wrong_flag_and_wrong_value_are_refused_with_one_clear_line() {
    let setting = Setting::new();
    is_refused(&setting, &["--sips", "127.0.0.1:1"], &["error", "--sips"]);
    is_refused(
        &setting,
        &["--sip", "127.0.0.1:notaport"],
        &["127.0.0.1:notaport"],
    );
    is_refused(
        &setting,
        &["--rtp-ports", "9-3", "--sip", "127.0.0.1:0"],
        &["9-3"],
    );
    is_refused(
        &setting,
        &["--flows", "/nowhere/at/all", "--sip", "127.0.0.1:0"],
        &["/nowhere/at/all"],
    );
}

#[test]
fn unknown_key_is_refused_with_its_nearest_neighbour() {
    is_refused(
        &Setting::new().config("[sip]\nlisen = []"),
        &[],
        &["lisen", "listen"],
    );
    is_refused(
        &Setting::new().config("[[extensions]]\nextension = \"1\"\npasword = \"x\""),
        &[],
        &["pasword", "password"],
    );
    is_refused(
        &Setting::new().config("[rtp]\nports = 17"),
        &[],
        &["flowswitch.toml:4", "string"],
    );
    is_refused(
        &Setting::new().config("this is not toml"),
        &[],
        &["flowswitch.toml"],
    );
}

#[test]
fn port_in_use_is_refused_with_its_number() {
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let taken = udp.local_addr().unwrap().to_string();
    is_refused(
        &Setting::new(),
        &["--sip", &format!("udp:{taken}")],
        &[&taken, "in use"],
    );
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = tcp.local_addr().unwrap().to_string();
    is_refused(
        &Setting::new(),
        &["--sip", &format!("tcp:{taken}")],
        &[&taken, "in use"],
    );
}
