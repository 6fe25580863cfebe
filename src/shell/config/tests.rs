use super::*;
use crate::sdp::crypto::SrtpPolicy;

fn file(text: &str) -> Result<FileConfig, FileError> {
    FileConfig::parse(text, Path::new("flowswitch.toml"))
}

fn settings(text: &str) -> Result<Settings, SettingsError> {
    Settings::new(
        Overrides::default(),
        file(text)?,
        Path::new("/etc/flowswitch"),
    )
}

fn said(text: &str) -> String {
    let error = settings(text).unwrap_err().to_string();
    assert_eq!(error.lines().count(), 1, "{error}");
    error
}

#[test]
fn without_a_file_sip_is_on_5060_over_udp_and_tcp() {
    let settings = settings("").unwrap();
    let everywhere: SocketAddr = "0.0.0.0:5060".parse().unwrap();
    assert_eq!(
        settings.listen,
        [(Transport::Udp, everywhere), (Transport::Tcp, everywhere)]
    );
    assert_eq!(settings.rtp_ports, 16384..=32767);
    assert_eq!(settings.accept, Accept::Known);
}

#[test]
fn paths_of_the_file_are_relative_to_it_and_overrides_beat_it() {
    let text =
        "flows = \"f\"\ndata = \"/d\"\nlog = \"debug\"\n[sip]\nlisten = [\"udp:127.0.0.1:5070\"]";
    let from_file = settings(text).unwrap();
    assert_eq!(from_file.flows, Path::new("/etc/flowswitch/f"));
    assert_eq!(from_file.data, Path::new("/d"));
    assert_eq!(
        from_file.listen,
        [(Transport::Udp, "127.0.0.1:5070".parse().unwrap())]
    );
    let overrides = Overrides {
        flows: Some("mine".into()),
        sip: vec!["[::1]:5080".to_owned()],
        ..Overrides::default()
    };
    let beaten = Settings::new(overrides, file(text).unwrap(), Path::new("/etc")).unwrap();
    assert_eq!(beaten.flows, Path::new("mine"));
    assert_eq!(beaten.listen.len(), 2);
}

#[test]
fn an_unknown_key_is_named_with_its_line_and_its_neighbour() {
    assert_eq!(
        said("log = \"info\"\nflosw = \"f\""),
        "flowswitch.toml:2: unknown key \"flosw\"; did you mean \"flows\"?"
    );
    assert_eq!(
        said("[sip]\naccept = \"known\"\nexternal_adress = \"1.2.3.4\""),
        "flowswitch.toml:3: unknown key \"sip.external_adress\"; did you mean \"external_address\"?"
    );
    assert_eq!(
        said(
            "[[extensions]]\nextension = \"1\"\n[[extensions]]\nextension = \"2\"\npasword = \"x\""
        ),
        "flowswitch.toml:5: unknown key \"extensions.pasword\"; did you mean \"password\"?"
    );
    assert_eq!(said("zzz = 1"), "flowswitch.toml:1: unknown key \"zzz\"");
}

#[test]
fn a_key_of_a_later_version_is_told_from_a_misspelt_one() {
    assert_eq!(
        said("[[numbers]]\nnumber = \"1\"\naction_url = \"https://a.example\""),
        "flowswitch.toml:3: \"numbers.action_url\" is not supported by this version; take it out"
    );
}

#[test]
fn wrong_values_are_one_line_that_says_what_is_expected() {
    for (text, part) in [
        ("flows = 5", "flowswitch.toml:1: invalid type"),
        ("flows = ", "flowswitch.toml:1:"),
        (
            "[sip]\nlisten = [\"5060\"]",
            "expected [udp:|tcp:]ADDRESS:PORT",
        ),
        (
            "[sip]\naccept = \"all\"",
            "expected \"known\" or \"anyone\"",
        ),
        (
            "[sip]\ndigest = [\"md5\", \"md5\"]",
            "expected one or both of",
        ),
        ("[sip]\ndigest = [\"sha1\"]", "expected one or both of"),
        ("[rtp]\nports = \"5-5\"", "expected LOW-HIGH"),
        ("[rtp]\nports = \"20000-10000\"", "expected LOW-HIGH"),
        ("[rtp]\nmedia_threads = 0", "expected 1 to 256"),
        (
            "[rtp]\ncodecs = [\"opus\", \"g-722\"]",
            "flowswitch.toml:2: rtp.codecs: \"g-722\" is no codec of ours; did you mean \"g722\"?",
        ),
        (
            "[[trunks]]\nname = \"c\"\nallowed_ips = [\"10.0.0.1\"]\ncodecs = []",
            "flowswitch.toml:4: trunks.codecs: names no codec",
        ),
        (
            "[[trunks]]\nname = \"c\"\nallowed_ips = [\"1.2.3\"]",
            "expected an address or a network",
        ),
        (
            "[[trunks]]\nname = \"c\"",
            "flowswitch.toml:2: trunks.name = \"c\": needs host",
        ),
        (
            "[[extensions]]\nextension = \"a b\"",
            "expected up to 64 letters",
        ),
        (
            "[[extensions]]\nextension = \"1\"\n[[extensions]]\nextension = \"1\"",
            "twice",
        ),
        ("[limits]\nsteps = 0", "expected 1 to 100000"),
        ("[limits]\nchain = 0", "expected at least 1"),
        ("[speech]\nengine = \"http\"", "needs the URL"),
        ("[speech]\nengine = \"festival\"", "expected \"embedded\""),
        ("[chat]\nurl = \"https://a.example\"", "for a model by name"),
        (
            "[smtp]\nurl = \"smtp://a.example\"",
            "an address to come from",
        ),
    ] {
        assert!(said(text).contains(part), "{text}: {}", said(text));
    }
}

mod objects;

#[test]
fn protection_is_wanted_of_all_and_of_a_trunk_and_a_wrong_word_is_told_its_neighbour() {
    let trunk = "[[trunks]]\nname = \"t\"\nhost = \"192.0.2.1\"\nsrtp = ";
    let read = settings(&format!("[rtp]\nsrtp = \"off\"\n{trunk}\"require\"")).unwrap();
    assert_eq!(read.protection.of(None), SrtpPolicy::Off);
    assert_eq!(read.protection.of(Some("t")), SrtpPolicy::Require);
    assert_eq!(read.protection.of(Some("u")), SrtpPolicy::Off);
    let usual = settings("").unwrap().protection;
    assert_eq!(usual.of(Some("t")), SrtpPolicy::Accept);
    assert_eq!(
        said("[rtp]\nsrtp = \"required\""),
        "flowswitch.toml:2: rtp.srtp = \"required\": did you mean \"require\"?"
    );
    let wrong = said(&format!("{trunk}\"yes\""));
    assert!(wrong.contains("flowswitch.toml:4: trunks.srtp"), "{wrong}");
    assert!(wrong.ends_with("expected \"off\", \"accept\", \"prefer\" or \"require\""));
}

#[test]
fn the_service_is_on_loopback_with_a_database_beside_the_recordings_unless_told_otherwise() {
    let usual = settings("data = \"/d\"").unwrap().service;
    assert_eq!(usual.listen, Some("127.0.0.1:8080".parse().unwrap()));
    assert_eq!(usual.database, "sqlite:/d/flowswitch.sqlite");
    assert_eq!((usual.rate, usual.accesskey), (200, None));
    let text = "accesskey = \"vb_0123456789abcdef\"\ndatabase = \"postgres://u:secret@h/d\"\n\
        [http]\nlisten = \"off\"\nrate = 0";
    let own = settings(text).unwrap().service;
    assert_eq!((own.listen, own.rate), (None, 0));
    let shown = format!("{own:?}");
    assert!(
        !shown.contains("secret") && !shown.contains("vb_"),
        "{shown}"
    );
    let short = said("accesskey = \"vb_secret\"");
    assert!(short.contains("vb_ and at least 16") && !short.contains("secret"));
    assert!(said("[http]\nlisten = \"8080\"").contains("expected ADDRESS:PORT"));
}

#[test]
fn the_example_file_is_read_with_every_key_it_shows() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/flowswitch.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    file(&text).unwrap();
    let shown: String = text
        .lines()
        .map(|line| line.strip_prefix("#: ").unwrap_or(line).to_owned() + "\n")
        .collect();
    Settings::new(Overrides::default(), file(&shown).unwrap(), Path::new("/")).unwrap();
    for (section, keys) in file::KEYS {
        for key in keys {
            assert!(shown.contains(key), "{section}.{key} is not in the example");
        }
    }
}

#[test]
fn servers_that_are_not_named_are_none_and_their_secrets_are_not_printed() {
    let none = settings("").unwrap().servers;
    assert!(none.smtp.is_none() && none.message.is_none());
    assert!(none.transcription.is_none() && none.chat.is_none());
    let text = "[smtp]\nurl = \"smtp://u:secret@a\"\nfrom = \"s@a.example\"\n\
        [message]\nurl = \"https://a/sms\"\nkey = \"secret\"\n\
        [transcription]\nurl = \"https://a/t\"\nkey = \"secret\"\n\
        [chat]\nurl = \"https://a/c\"\nkey = \"secret\"\nmodel = \"small\"\nprompt = \"Be brief.\"";
    let servers = settings(text).unwrap().servers;
    assert!(!format!("{servers:?}").contains("secret"));
    assert_eq!(servers.transcription.unwrap().model, "whisper-1");
    assert_eq!(servers.chat.unwrap().model, "small");
    assert_eq!(servers.assistant.as_deref(), Some("Be brief."));
    assert!(servers.smtp.is_some() && servers.message.is_some());
}
