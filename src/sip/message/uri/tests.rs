use super::*;

fn uri(text: &str) -> Uri {
    Uri::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn sip(text: &str) -> SipUri {
    match uri(text) {
        Uri::Sip(uri) => uri,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_uri_is_written_as_it_was_read() {
    for text in [
        "sip:example.net",
        "sips:ann:pass@example.net:5061;transport=tcp;lr?Replaces=a%40b&X=",
        "sip:[2001:db8::1]:5060;maddr=[::1]",
        "sip:+12015550123;phone-context=x.example@192.0.2.1;user=phone",
        "sip:a%20b%40c%25@h",
        "sip:%00%FF%EF%9E%80@h",
        "sip:*72%23@h",
        "tel:+12015550123;ext=7;phone-context=x",
        "tel:*100#",
        "urn:service:sos",
        "http://h/a?b=c#d",
    ] {
        assert_eq!(uri(text).to_string(), text);
        assert_eq!(Uri::check(text.as_bytes()), Ok(()));
    }
}

#[test]
fn escapes_mean_the_character() {
    let uri = sip("sip:%6d%65nu%40x:p%3Aw@EXAMPLE.net;%6C%72;n%61me=v%25%34%31");
    assert_eq!(uri.user.as_deref(), Some("menu@x"));
    assert_eq!(uri.password.as_deref(), Some("p:w"));
    assert!(uri.is_loose_router());
    assert_eq!(uri.params.value("NAME"), Some("v%41"));
    assert_eq!(
        uri.to_string(),
        "sip:menu%40x:p%3Aw@EXAMPLE.net;lr;name=v%2541"
    );
}

#[test]
fn bytes_that_are_no_utf8_go_back_as_they_came() {
    let uri = Uri::parse(b"sip:J\xfcrgen%FC@h").unwrap();
    assert_eq!(uri.to_string(), "sip:J%FCrgen%FC@h");
    assert_eq!(Uri::parse(uri.to_string().as_bytes()), Ok(uri));
}

#[test]
fn hosts_are_names_or_addresses_and_ipv6_needs_brackets() {
    assert_eq!(sip("sip:h.example").host, Host::Name("h.example".into()));
    assert_eq!(sip("sip:192.0.2.1").host.ip(), "192.0.2.1".parse().ok());
    assert_eq!(sip("sip:[::1]").host.ip(), "::1".parse().ok());
    for wrong in [
        "sip:::1",
        "sip:[::1",
        "sip:[h]",
        "sip:[::1]x",
        "sip:a b",
        "sip:h:",
        "sip:h:0",
        "sip:h:65536",
    ] {
        assert!(Uri::parse(wrong.as_bytes()).is_err(), "{wrong}");
    }
}

#[test]
fn what_breaks_the_grammar_is_refused() {
    for wrong in [
        "",
        "sip",
        "sip:",
        ":x",
        "1x:y",
        "sip:@h",
        "sip:a@",
        "sip:a@b@c",
        "sip:%4@h",
        "sip:%zz@h",
        "sip:a@h;",
        "sip:a@h;;lr",
        "sip:a@h;lr;x;%4cR",
        "tel:+1;ext=1;EXT=2",
        "sip:a@h?",
        "sip:a@h?x",
        "sip:a@h?=y",
        "sip:a<b@h",
        "sip:a\"b@h",
        "sip:a\r\n@h",
        "sip:a@h;x=\0",
        "tel:",
        "tel:+",
        "tel:abc@def",
        "urn:",
        "urn:a b",
        "<sip:a@h>",
    ] {
        assert!(Uri::parse(wrong.as_bytes()).is_err(), "{wrong:?}");
        assert!(Uri::check(wrong.as_bytes()).is_err(), "{wrong:?}");
    }
}

#[test]
fn visual_separators_of_a_number_mean_nothing() {
    assert_eq!(uri("tel:+1-(201).555-0123").user(), Some("+12015550123"));
    assert!(uri("tel:+1-201").is_equivalent(&uri("TEL:+1201")));
    assert!(!uri("tel:+1201").is_equivalent(&uri("tel:+1201;ext=7")));
}

#[test]
fn equality_follows_rfc_3261_19_1_4() {
    for (one, other) in [
        (
            "sip:%61lice@atlanta.example;transport=TCP",
            "sip:alice@AtLanTa.example;Transport=tcp",
        ),
        (
            "sip:carol@chicago.example",
            "sip:carol@chicago.example;newparam=5",
        ),
        (
            "sip:carol@chicago.example;security=on",
            "sip:carol@chicago.example;newparam=5",
        ),
        (
            "sip:b.example;method=REGISTER?to=a&x=y",
            "sip:b.example;method=REGISTER?x=y&to=a",
        ),
    ] {
        assert!(uri(one).is_equivalent(&uri(other)), "{one} {other}");
        assert!(uri(other).is_equivalent(&uri(one)), "{other} {one}");
    }
    for (one, other) in [
        ("SIP:ALICE@a.example", "sip:alice@a.example"),
        ("sip:bob@b.example", "sip:bob@b.example:5060"),
        ("sip:bob@b.example", "sip:bob@b.example;transport=udp"),
        ("sip:bob@b.example", "sips:bob@b.example"),
        ("sip:bob@b.example;x=1", "sip:bob@b.example;x=2"),
        ("sip:bob@b.example", "sip:bob@b.example?a=b"),
        ("sip:bob@phone.b.example", "sip:bob@192.0.2.4"),
    ] {
        assert!(!uri(one).is_equivalent(&uri(other)), "{one} {other}");
        assert!(!uri(other).is_equivalent(&uri(one)), "{other} {one}");
    }
}
