//! `flowswitch bench latency` against the real switch, and against nobody.

use std::net::UdpSocket;

use crate::switch::Setting;

const ECHO: &str = r#"[{"type": "answer"}, {"type": "echo", "option": {"duration": 60000}}]"#;

#[test]
fn bench_measures_the_echo_of_the_switch() {
    let switch = Setting::new().flow("echo", ECHO).start();
    let target = switch.sip(false).to_string();
    let (status, said) = Setting::new().bench(&[
        "--target", &target, "--user", "echo", "--secs", "3", "--json",
    ]);
    assert!(status.success(), "{said}");
    let figures: serde_json::Value = serde_json::from_str(&said).unwrap();
    let packets = &figures["packets"];
    assert_eq!(packets["sent"], 150, "{said}");
    assert_eq!(packets["lost"], 0, "{said}");
    assert_eq!(packets["duplicated"], 0, "{said}");
    let median = figures["round_trip_ms"]["p50"].as_f64().unwrap();
    assert!(median > 0.0 && median < 20.0, "{said}");
    assert!(
        figures["setup_ms"]["answered"].as_f64().unwrap() > 0.0,
        "{said}"
    );
    println!("figure: echo round trip, median {median:.3} ms");
}

#[test]
fn bench_says_in_one_line_why_there_is_nothing_to_measure() {
    let switch = Setting::new().flow("echo", ECHO).start();
    let closed = UdpSocket::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .to_string();
    let target = switch.sip(false).to_string();
    for (target, user, why) in [
        (closed.as_str(), "echo", "nobody listens at UDP"),
        (target.as_str(), "nobody", "404"),
        ("nowhere:0:0", "echo", "expected HOST or HOST:PORT"),
    ] {
        let (status, said) =
            Setting::new().bench(&["--target", target, "--user", user, "--secs", "1"]);
        assert_eq!(status.code(), Some(1), "{said}");
        assert!(said.starts_with("error: ") && said.contains(why), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}
