//! Values in texts of each grammar, and that none can get out of its place.

use proptest::prelude::*;

use super::*;

fn with(pairs: &[(&str, &str)]) -> Variables {
    let mut variables = Variables::default();
    for (name, value) in pairs {
        variables.set((*name).to_owned(), *value).unwrap();
    }
    variables
}

/// The template with `${x}` as `value`.
fn filled(grammar: Grammar, template: &str, value: &str) -> String {
    fill(grammar, template, &with(&[("x", value)]))
        .unwrap_or_else(|error| panic!("{template} with {value:?}: {error}"))
        .into_owned()
}

#[test]
fn a_value_in_json_stays_a_string_or_becomes_one() {
    let json = |template, value| filled(Grammar::Json, template, value);
    assert_eq!(
        json(r#"{"a": "${x}"}"#, r#"1", "b": "2"#),
        r#"{"a": "1\", \"b\": \"2"}"#
    );
    assert_eq!(
        json(r#"{"a": "<${x}>"}"#, "\\\n\u{1}é"),
        "{\"a\": \"<\\\\\\n\\u0001é>\"}"
    );
    assert_eq!(json(r#"{"a": ${x}}"#, "-1.5e3"), r#"{"a": -1.5e3}"#);
    assert_eq!(json(r#"{"a": ${x}}"#, "true"), r#"{"a": true}"#);
    assert_eq!(
        json(r#"{"a": ${x}}"#, "1, \"b\": 2"),
        r#"{"a": "1, \"b\": 2"}"#
    );
    assert_eq!(json(r#"{"a": ${x}}"#, "[1]"), r#"{"a": "[1]"}"#);
    assert_eq!(
        json(r#"{"a": ${x}, "b": ${none}}"#, ""),
        r#"{"a": "", "b": ""}"#
    );
    assert_eq!(json(r#"{"a\"": "${x}"}"#, "\""), r#"{"a\"": "\""}"#);
    assert_eq!(
        json(r#"{"a": "\${x}"}"#, "\""),
        r#"{"a": "\\\""}"#,
        "a stray backslash is one"
    );
}

#[test]
fn the_call_itself_goes_into_json_as_an_object_and_into_a_string_as_text() {
    let variables = with(&[
        ("voipbin.activeflow.reference_type", "call"),
        ("voipbin.activeflow.reference_id", "7"),
        ("voipbin.call.status", "progressing"),
        ("voipbin.call.source.name", "\"Bob\""),
    ]);
    let template =
        r#"{"call": ${voipbin.flow.reference_data}, "text": "${voipbin.flow.reference_data}"}"#;
    let filled = fill(Grammar::Json, template, &variables).unwrap();
    let json: serde_json::Value = serde_json::from_str(&filled).unwrap();
    assert_eq!(json["call"]["id"], "7");
    assert_eq!(json["call"]["status"], "progressing");
    assert_eq!(json["call"]["source"]["name"], "\"Bob\"");
    let text = json["text"].as_str().unwrap();
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(text).unwrap(),
        json["call"]
    );
    let conversation = with(&[("voipbin.activeflow.reference_type", "conversation")]);
    assert!(
        conversation
            .substitute("${voipbin.flow.reference_data}")
            .unwrap()
            .contains("\"peer\"")
    );
    let api = with(&[("voipbin.activeflow.reference_type", "api")]);
    assert_eq!(
        api.substitute("${voipbin.flow.reference_data}").unwrap(),
        ""
    );
}

#[test]
fn a_value_in_a_uri_is_one_part_of_it() {
    for (template, value, uri) in [
        (
            "https://h/p/${x}/q",
            "a/../b c",
            "https://h/p/a%2F..%2Fb%20c/q",
        ),
        (
            "https://h/p?a=${x}&b=1",
            "1&b=2#f",
            "https://h/p?a=1%26b%3D2%23f&b=1",
        ),
        ("https://h/${x}", "é+", "https://h/%C3%A9%2B"),
        ("${x}", "https://h:80/p?a=b#f", "https://h:80/p?a=b#f"),
        ("${x}/p", "https://h", "https://h/p"),
        ("${x}", "https://h/a b\r\nc\"", "https://h/a%20b%0D%0Ac%22"),
        ("https://${x}/p", "h:8080", "https://h:8080/p"),
        ("https://${x}/p", "h/?q", "https://h%2F%3Fq/p"),
        (
            "https://${x}.example.com/p",
            "evil.org/",
            "https://evil.org%2F.example.com/p",
        ),
        (
            "https://${x}@example.com/p",
            "evil.org:1/",
            "https://evil.org%3A1%2F@example.com/p",
        ),
        (
            "https://example.com:${x}/p",
            "80@evil.org",
            "https://example.com:80%40evil.org/p",
        ),
        (
            "https://example.com${x}",
            "/a/b?c",
            "https://example.com/a/b%3Fc",
        ),
        (
            "https://example.com${x}",
            ".evil.org",
            "https://example.com/.evil.org",
        ),
        (
            "https://example.com${x}/p",
            "@evil.org",
            "https://example.com/%40evil.org/p",
        ),
        ("https://example.com${x}/p", "", "https://example.com/p"),
        ("${x}://h/p", "javascript:", "javascript:://h/p"),
        ("http${x}://h/p", "s:", "https%3A://h/p"),
        ("https://h/p?a=${x}", "..", "https://h/p?a=.."),
    ] {
        assert_eq!(
            filled(Grammar::Uri, template, value),
            uri,
            "{template} with {value}"
        );
    }
}

#[test]
fn a_value_cannot_lead_up_in_a_path() {
    for (template, value) in [
        ("https://h/users/${x}/keys", ".."),
        ("https://h/users/${x}", "."),
        ("https://h${x}", "/a/../b"),
    ] {
        let variables = with(&[("x", value)]);
        assert!(
            fill(Grammar::Uri, template, &variables).is_err(),
            "{template}"
        );
    }
}

#[test]
fn a_value_in_a_sip_address_cannot_change_its_host() {
    for (template, value, address) in [
        ("${x}", "alice@example.com", "alice@example.com"),
        (
            "${x}",
            "alice@example.com\r\nVia: <x> ",
            "alice@example.comVia:x",
        ),
        ("sip:${x}", "alice@example.com", "sip:alice@example.com"),
        ("${x}@example.com", "+1555", "+1555@example.com"),
        (
            "${x}@example.com",
            "a@evil.org;x",
            "a%40evil.org%3Bx@example.com",
        ),
        ("a@${x}", "evil.org;maddr=1", "a@evil.org%3Bmaddr%3D1"),
        ("a@${x}.example.com", "pbx", "a@pbx.example.com"),
        (
            "a@example.com;tag=${x}",
            "1;maddr=2",
            "a@example.com;tag=1%3Bmaddr%3D2",
        ),
        ("a@example.com${x}", "", "a@example.com"),
    ] {
        assert_eq!(filled(Grammar::Sip, template, value), address, "{template}");
    }
    let variables = with(&[("x", ".evil.org")]);
    assert!(fill(Grammar::Sip, "a@example.com${x}", &variables).is_err());
}

#[test]
fn lines_mailboxes_and_forms_keep_their_shape() {
    assert_eq!(
        filled(Grammar::Line, "a: ${x}", "b\r\nBcc: c\0\u{85}"),
        "a: bBcc: c"
    );
    assert_eq!(fill(Grammar::Line, "a\r\nb", &with(&[])).unwrap(), "ab");
    assert_eq!(
        filled(Grammar::Mailbox, "${x}@h.org", "a, <b@evil.org>"),
        "ab@evil.org@h.org"
    );
    assert_eq!(
        filled(Grammar::Form, "a=${x}&b=1", "1&b=2 +"),
        "a=1%26b%3D2%20%2B&b=1"
    );
}

#[test]
fn a_body_is_escaped_as_its_media_type_says() {
    for (media_type, body, grammar) in [
        ("application/json", "", Grammar::Json),
        ("Application/JSON; charset=utf-8", "", Grammar::Json),
        ("application/problem+json", "", Grammar::Json),
        ("", " {", Grammar::Json),
        ("", "a", Grammar::Text),
        ("text/plain", "{", Grammar::Text),
        ("application/xml", "", Grammar::Markup),
        ("image/svg+xml", "", Grammar::Markup),
        ("application/x-www-form-urlencoded", "", Grammar::Form),
    ] {
        assert_eq!(Grammar::of(media_type, body), grammar, "{media_type}");
    }
}

#[test]
fn only_the_template_makes_a_text_ssml() {
    let spoken = |template, value| fill_speech(template, &with(&[("x", value)])).unwrap();
    assert_eq!(
        spoken("<speak>Hi ${x}</speak>", "</speak><audio src='u'/>"),
        "<speak>Hi &lt;/speak&gt;&lt;audio src=&apos;u&apos;/&gt;</speak>"
    );
    assert_eq!(
        spoken("<?xml version='1.0'?><speak>${x}</speak>", "&"),
        "<?xml version='1.0'?><speak>&amp;</speak>"
    );
    assert_eq!(spoken("Hi ${x}", "<speak>"), "Hi <speak>");
    for value in [
        "<speak><audio/></speak>",
        " <?xml?><speak/>",
        "\u{feff}<speak/>",
    ] {
        let text = spoken("${x}", value);
        assert!(
            text.starts_with("<speak>") && !text["<speak>".len()..].contains("<speak"),
            "{text}"
        );
        assert!(!text.contains("<audio"));
    }
    assert_eq!(spoken("${x}", "1 < 2"), "1 < 2");
}

/// Texts that break things.
fn any_value() -> impl Strategy<Value = String> {
    prop_oneof![
        "[\\x00-\\x7f]{0,12}",
        "[\"\\\\{}\\[\\],:/?#@.;<>&'% \r\na1\u{85}é]{0,12}",
        "\\PC{0,8}"
    ]
}

/// The kinds of a JSON value's parts, in order, without its scalars.
fn shape(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::Array(items) => format!(
            "[{}]",
            items.iter().map(shape).collect::<Vec<_>>().join(",")
        ),
        serde_json::Value::Object(members) => {
            let members: Vec<String> = members
                .iter()
                .map(|(key, value)| format!("{key}:{}", shape(value)))
                .collect();
            format!("{{{}}}", members.join(","))
        }
        _ => "s".to_owned(),
    }
}

proptest! {
    #[test]
    fn no_value_changes_the_structure_of_json(one in any_value(), two in any_value()) {
        let variables = with(&[("x", &one), ("y", &two)]);
        let template = r#"{"a": "${x}", "b": [${y}, "${x}${y}", "q\"${y}\\"], "c": {"d": ${x}}, "e": "\n${y}"}"#;
        let filled = fill(Grammar::Json, template, &variables).unwrap();
        let json: serde_json::Value = serde_json::from_str(&filled).map_err(|e| TestCaseError::fail(format!("{e}: {filled}")))?;
        prop_assert_eq!(shape(&json), "{a:s,b:[s,s,s],c:{d:s},e:s}");
        prop_assert_eq!(json["a"].as_str(), Some(&*one));
        prop_assert_eq!(json["b"][1].as_str(), Some(&*format!("{one}{two}")));
    }

    #[test]
    fn no_value_changes_scheme_host_or_the_number_of_parts_of_a_uri(value in any_value()) {
        let variables = with(&[("x", &value)]);
        for (template, segments, pairs) in [
            ("https://api.example.com/a/${x}/b", Some(3), 0),
            ("https://api.example.com/a?p=${x}&q=${x}", Some(1), 2),
            ("https://api.example.com${x}", None, 0),
            ("https://api.example.com:${x}/a", None, 0),
            ("https://${x}@api.example.com/a", None, 0),
        ] {
            let Ok(filled) = fill(Grammar::Uri, template, &variables) else { continue };
            prop_assert!(filled.is_ascii() && !filled.contains(|c: char| c.is_ascii_control() || c == ' '));
            let Ok(uri) = reqwest::Url::parse(&filled) else { continue };
            prop_assert_eq!(uri.scheme(), "https");
            prop_assert_eq!(uri.host_str(), Some("api.example.com"), "{}", filled);
            prop_assert_eq!(uri.fragment(), None);
            prop_assert_eq!(uri.query_pairs().count(), pairs);
            if let Some(segments) = segments {
                prop_assert_eq!(uri.path_segments().unwrap().count(), segments, "{}", filled);
            }
        }
    }

    #[test]
    fn no_value_ends_a_line_an_element_or_a_user_part(value in any_value()) {
        let line = filled(Grammar::Line, "${x}: ${x}", &value);
        prop_assert!(!line.contains(char::is_control));
        let speech = filled(Grammar::Markup, "<speak a=\"${x}\">${x}</speak>", &value);
        prop_assert_eq!((speech.matches('<').count(), speech.matches('>').count(), speech.matches('"').count()), (2, 2, 2));
        let address = filled(Grammar::Sip, "${x}@example.com", &value);
        prop_assert_eq!(address.matches(['@', ';', '?', '<', '>', '\r', '\n', ' ']).count(), 1);
        let mailbox = filled(Grammar::Mailbox, "${x}", &value);
        prop_assert!(!mailbox.contains([',', ';', '<', '>', ' ', '\r', '\n']));
    }
}
