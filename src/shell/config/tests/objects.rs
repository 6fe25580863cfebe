use super::*;
use crate::flow::RecordingFormat;
use crate::sip::message::{HeaderName, Host};
use crate::store::agents::{AgentStatus, RingMethod};
use crate::store::trunks::TrunkOut;
use std::time::Duration;

const WHOLE_TRUNK: &str = r##"
[sip]
dial_allow = ["pbx.example.com", "203.0.113.0/24"]
[[trunks]]
name = "carrier"
host = "sip.example.com:5070"
transport = "tcp"
username = "account"
password = "hidden"
register = true
probe = false
allowed_ips = ["198.51.100.0/24", "2001:db8::1"]
prefixes = ["+49", "0"]
priority = 2
channels = 3
cps = 4
calls_per_day = 5
tech_prefix = "12#"
tech_postfix = "*9"
caller_id = "+15551112222"
headers = { "X-Token" = " abc ", Diversion = "<sip:1@a.example>" }
[[trunks]]
name = "in"
allowed_ips = ["10.0.0.1"]
"##;

#[test]
fn a_trunk_is_read_with_all_it_has_and_its_password_is_not_printed() {
    let settings = settings(WHOLE_TRUNK).unwrap();
    let carrier = settings.trunks[0].out.as_ref().unwrap();
    let account = carrier.account.clone().unwrap();
    assert_eq!(
        (account.username.as_str(), account.password.as_str()),
        ("account", "hidden")
    );
    let value = |name: &str, value: &'static str| {
        (HeaderName::parse(name.to_owned()).unwrap(), value.into())
    };
    let wanted = TrunkOut {
        host: crate::sip::SipHost {
            host: Host::Name("sip.example.com".to_owned()),
            port: Some(5070),
            transport: Some(Transport::Tcp),
        },
        account: Some(account),
        register: true,
        probe: false,
        prefixes: vec!["+49".to_owned(), "0".to_owned()],
        priority: 2,
        channels: 3,
        cps: 4,
        calls_per_day: 5,
        tech_prefix: "12#".to_owned(),
        tech_postfix: "*9".to_owned(),
        headers: vec![
            value("Diversion", "<sip:1@a.example>"),
            value("X-Token", "abc"),
        ],
        caller_id: Some("+15551112222".to_owned()),
    };
    assert_eq!(carrier, &wanted);
    assert_eq!(settings.trunks[0].networks.len(), 2);
    assert_eq!(settings.trunks[1].out, None);
    assert!(
        settings
            .dial_allow
            .allows(&Host::Name("PBX.example.com".to_owned()))
    );
    assert!(
        settings
            .dial_allow
            .allows_address("203.0.113.7".parse().unwrap())
    );
    assert!(!format!("{settings:?}").contains("hidden"));
    assert!(!format!("{:?}", file(WHOLE_TRUNK).unwrap()).contains("hidden"));
}

#[test]
fn a_trunk_that_says_only_its_host_has_limits_and_the_prefix_of_all_countries() {
    for (host, port) in [
        ("sip.example.com", None),
        ("192.0.2.1", None),
        ("192.0.2.1:5062", Some(5062)),
        ("2001:db8::1", None),
        ("[2001:db8::1]", None),
        ("[2001:db8::1]:5062", Some(5062)),
    ] {
        let text = format!("[[trunks]]\nname = \"c\"\nhost = \"{host}\"");
        let settings = settings(&text).unwrap();
        let out = settings.trunks[0].out.clone().unwrap();
        assert_eq!(out.host.port, port, "{host}");
        assert_eq!(
            (out.channels, out.cps, out.calls_per_day),
            (100, 10, 10_000)
        );
        assert_eq!(out.prefixes, ["+"]);
        assert!(settings.trunks[0].networks.is_empty());
    }
}

#[test]
fn a_wrong_key_of_a_trunk_is_named_with_its_line_and_what_is_expected() {
    let long = format!("X-Y = \"{}\"", "y".repeat(300));
    for (line, part) in [
        (
            "host = \"a b\"",
            "trunks.host = \"a b\": expected a host name",
        ),
        ("host = \"a:0\"", "expected a host name"),
        ("host = \"1.2.3\"", "expected a host name"),
        ("host = \"sip:a.example\"", "expected a host name"),
        ("transport = \"tls\"", "expected \"udp\" or \"tcp\""),
        (
            "transport = \"tcp\"",
            "not among the transports of sip.listen",
        ),
        ("username = \"u\"", "needs password"),
        ("password = \"hidden\"", "needs username"),
        ("register = true", "needs username and password"),
        (
            "prefixes = [\"+4a\"]",
            "trunks.prefixes = \"+4a\": expected how numbers begin",
        ),
        ("prefixes = [\"\"]", "expected how numbers begin"),
        (
            "channels = 0",
            "trunks.channels = \"0\": expected 1 to 16000",
        ),
        ("cps = 1001", "expected 1 to 1000"),
        ("calls_per_day = 0", "expected 1 to 10000000"),
        ("cps = -1", "invalid value"),
        ("tech_prefix = \"a@b\"", "expected up to 32"),
        ("caller_id = \"a\\\"b\"", "expected up to 32"),
        ("headers = { \"A B\" = \"1\" }", "no name of a header"),
        ("headers = { from = \"1\" }", "written by flowswitch itself"),
        (
            "headers = { \"P-Asserted-Identity\" = \"1\" }",
            "written by flowswitch itself",
        ),
        ("headers = { v = \"1\" }", "written by flowswitch itself"),
        (
            "headers = { X-A = \"1\", x-a = \"2\" }",
            "stands there twice",
        ),
        ("headers = { X-A = \"1\\r\\nVia: x\" }", "control character"),
        (&format!("headers = {{ {long} }}"), "more than 256"),
        ("hosts = \"a\"", "did you mean \"host\"?"),
    ] {
        let host = if line.starts_with("host =") {
            ""
        } else {
            "host = \"a.example\"\n"
        };
        let text = format!(
            "[sip]\nlisten = [\"udp:127.0.0.1:5060\"]\n[[trunks]]\nname = \"c\"\n{host}{line}"
        );
        let error = said(&text);
        let number = text.lines().count();
        assert!(
            error.starts_with(&format!("flowswitch.toml:{number}: ")),
            "{line}: {error}"
        );
        assert!(error.contains(part), "{line}: {error}");
        assert!(!error.contains("hidden"), "{error}");
    }
    let twice = "[[trunks]]\nname = \"c\"\nhost = \"a.example\"\n\
        [[trunks]]\nname = \"C\"\nhost = \"b.example\"";
    assert!(said(twice).contains("flowswitch.toml:5: trunks.name = \"C\": it stands there twice"));
    let no_host = "[[trunks]]\nname = \"c\"\nallowed_ips = [\"10.0.0.1\"]\ncps = 3";
    assert!(said(no_host).contains("flowswitch.toml:4: trunks.cps"));
    let allow = said("[sip]\ndial_allow = [\"10.0.0.0/8\", \"a b\"]");
    assert!(allow.contains("flowswitch.toml:2: sip.dial_allow = \"a b\": expected"));
}

#[test]
fn queues_agents_and_conferences_are_read_with_ids_that_stay() {
    let text = "[[queues]]\nname = \"support\"\nwait_flow = \"music\"\nwait_timeout = 30000\ntags = [\"s\"]\n\
        [[agents]]\nid = \"EB1AC5C0-FF63-47E2-BCDB-5DA9C336EB4B\"\nname = \"ann\"\nstatus = \"away\"\n\
        ring_method = \"linear\"\ntags = [\"s\"]\n\
        addresses = [{ type = \"tel\", target = \"+1 (555) 111-2222\" }, { type = \"sip\", target = \"Ann@Host.EXAMPLE;x=Y\" }]\n\
        [[conferences]]\nname = \"standup\"\ntimeout = 90\npre_flow = \"hello\"\nrecord = true\nrecord_format = \"ogg\"\n\
        [[conferences]]\nname = \"retro\"";
    let one = settings(text).unwrap();
    let queue = &one.queues[0];
    assert_eq!(queue.wait_timeout, Duration::from_secs(30));
    assert_eq!(queue.service_timeout, Duration::ZERO);
    assert_eq!(queue.id, settings(text).unwrap().queues[0].id);
    assert_ne!(queue.id, one.conferences[0].id);
    let agent = &one.agents[0];
    assert_eq!(agent.id.to_string(), "eb1ac5c0-ff63-47e2-bcdb-5da9c336eb4b");
    assert_eq!(
        (agent.status, agent.ring_method),
        (AgentStatus::Away, RingMethod::Linear)
    );
    let targets: Vec<&str> = agent
        .addresses
        .iter()
        .map(|address| address.target.as_str())
        .collect();
    assert_eq!(targets, ["+15551112222", "Ann@host.example;x=Y"]);
    assert_eq!(one.conferences[0].timeout, Some(Duration::from_secs(90)));
    assert!(one.conferences[0].record && one.doubts.is_empty());
    let formats = [0, 1].map(|at| one.conferences[at].record_format);
    assert_eq!(formats, [RecordingFormat::Ogg, RecordingFormat::Wav]);
    let named: Vec<String> = one
        .flow_references()
        .into_iter()
        .map(|named| named.flow)
        .collect();
    assert_eq!(named, ["music", "hello"]);
}

#[test]
fn wrong_queues_agents_conferences_and_numbers_are_named_with_their_line() {
    for (text, part) in [
        (
            "[[queues]]\nname = \"\"",
            "2: queues.name = \"\": expected up to 64",
        ),
        (
            "[[queues]]\nname = \"q\"\nid = \"7\"",
            "3: queues.id = \"7\": expected a UUID",
        ),
        (
            "[[queues]]\nname = \"q\"\nwait_timeout = -1",
            "3: invalid value",
        ),
        (
            "[[queues]]\nname = \"q\"\n[[queues]]\nname = \"Q\"",
            "4: queues.name = \"Q\": it stands",
        ),
        (
            "[[queues]]\nname = \"q\"\nrouting = \"random\"",
            "3: unknown key \"queues.routing\"",
        ),
        (
            "[[agents]]\nname = \"a\"\nstatus = \"ringing\"",
            "3: agents.status = \"ringing\": expected",
        ),
        (
            "[[agents]]\nname = \"a\"\nring_method = \"all\"",
            "3: agents.ring_method = \"all\"",
        ),
        (
            "[[agents]]\nname = \"a\"\naddresses = [{ type = \"fax\", target = \"1\" }]",
            "3: agents.addresses.type = \"fax\": expected \"extension\", \"tel\" or \"sip\"",
        ),
        (
            "[[agents]]\nname = \"a\"\naddresses = [{ type = \"tel\", target = \"123\" }]",
            "3: agents.addresses.target = \"123\": expected + and 7 to 15 digits",
        ),
        (
            "[[agents]]\nname = \"a\"\naddresses = [{ type = \"sip\", target = \"host\" }]",
            "expected USER@HOST",
        ),
        (
            "[[conferences]]\nname = \"a\"\nid = \"00000000-0000-0000-0000-000000000000\"",
            "expected a UUID",
        ),
        (
            "[[conferences]]\nname = \"a\"\nrecord_format = \"flac\"",
            "3: conferences.record_format = \"flac\": expected \"wav\", \"mp3\" or \"ogg\"",
        ),
        (
            "[[numbers]]\nnumber = \"x\"\ncall_flow = \"a\"",
            "2: numbers.number = \"x\": expected",
        ),
        (
            "[[numbers]]\nnumber = \"1\"",
            "2: numbers.number = \"1\": needs call_flow",
        ),
    ] {
        assert!(said(text).contains(part), "{text}: {}", said(text));
    }
}

#[test]
fn a_tag_that_no_agent_has_and_an_extension_that_does_not_exist_are_doubted() {
    let text = "[[extensions]]\nextension = \"1000\"\n\
        [[queues]]\nname = \"q\"\ntags = [\"s\", \"t\"]\n\
        [[agents]]\nname = \"ann\"\ntags = [\"s\"]\n\
        addresses = [{ type = \"extension\", target = \"1000\" }, { type = \"extension\", target = \"1009\" }]\n\
        [[agents]]\nname = \"bob\"";
    let doubts = settings(text).unwrap().doubts;
    let lines: Vec<String> = doubts.iter().map(ToString::to_string).collect();
    assert_eq!(
        lines,
        [
            "queue \"q\" is for agents with the tag \"t\", and none has it",
            "agent \"ann\" is at the extension \"1009\", which does not exist",
            "agent \"bob\" has no address to be called at",
        ]
    );
}
