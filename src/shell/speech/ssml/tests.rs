use super::*;
use crate::flow::Gender;
use crate::shell::speech::script::{Pitch, Rate};

fn voice() -> Voice {
    Voice {
        language: "en-US".into(),
        gender: Gender::Female,
    }
}

/// A script as one line: words with what is not usual about them in front.
fn heard(text: &str) -> String {
    let script = read(text, &voice());
    assert_eq!(script.fault, None, "{text}");
    line(&script.segments)
}

fn line(segments: &[Segment]) -> String {
    let parts = segments.iter().map(|segment| match segment {
        Segment::Speech(utterance) => speech(utterance),
        Segment::Silence(pause) => format!("[{}]", pause.as_millis()),
        Segment::Bleep(_) => "[bleep]".to_owned(),
        Segment::Audio { url, fallback } => format!("<{url}: {}>", line(fallback)),
    });
    parts.collect::<Vec<_>>().join(" ")
}

fn speech(utterance: &Utterance) -> String {
    let Prosody {
        rate,
        pitch,
        volume,
    } = utterance.prosody;
    let mut marks = Vec::new();
    if utterance.voice.language != "en-US" {
        marks.push(utterance.voice.language.clone());
    }
    if utterance.voice.gender != Gender::Female {
        marks.push(format!("{:?}", utterance.voice.gender));
    }
    if rate != Rate::default() {
        marks.push(format!("x{}", rate.factor()));
    }
    if pitch != Pitch::default() {
        marks.push(format!("{}st", pitch.semitones()));
    }
    match volume.decibels() {
        None => marks.push("silent".into()),
        Some(0.0) => {}
        Some(decibels) => marks.push(format!("{decibels}dB")),
    }
    if marks.is_empty() {
        format!("'{}'", utterance.text)
    } else {
        format!("({}) '{}'", marks.join(" "), utterance.text)
    }
}

#[test]
fn what_does_not_begin_with_speak_is_plain_words() {
    for (text, spoken) in [
        ("Hello, World!", "'Hello, World!'"),
        ("  two\n lines ", "'two lines'"),
        ("a < b & c > d", "'a < b & c > d'"),
        ("<b>bold</b>", "'<b>bold</b>'"),
        ("<speaker>no</speaker>", "'<speaker>no</speaker>'"),
        ("say <speak>", "'say <speak>'"),
        ("", ""),
        (" . ", ""),
    ] {
        assert_eq!(heard(text), spoken);
    }
}

#[test]
fn elements_become_segments() {
    for (text, spoken) in [
        ("<speak>Hi there</speak>", "'Hi there'"),
        (
            "\u{feff} <?xml version=\"1.0\"?><!DOCTYPE speak><!-- x --><speak version=\"1.1\" xmlns=\"http://www.w3.org/2001/10/synthesis\">Hi</speak>\n",
            "'Hi'",
        ),
        (
            "<speak>One<break time=\"500ms\"/>two<break time='2s'></break>three</speak>",
            "'One' [500] 'two' [2000] 'three'",
        ),
        (
            "<speak>One<break/>two<break strength=\"none\"/>three<break strength=\"x-strong\"/></speak>",
            "'One' [400] 'two' 'three' [1000]",
        ),
        (
            "<speak>a <prosody rate=\"slow\" pitch=\"+2st\" volume=\"-6dB\">b</prosody> c</speak>",
            "'a' (x0.75 2st -6dB) 'b' 'c'",
        ),
        (
            "<speak><prosody rate=\"50%\">a <prosody rate=\"+50%\">b</prosody> c</prosody></speak>",
            "(x0.5) 'a' (x0.75) 'b' (x0.5) 'c'",
        ),
        (
            "<speak><prosody volume=\"silent\">a</prosody></speak>",
            "(silent) 'a'",
        ),
        (
            "<speak>I <emphasis level=\"strong\">said</emphasis>.</speak>",
            "'I' (x0.85 4dB) 'said'",
        ),
        (
            "<speak><p><s>One.</s><s>Two.</s></p><p>Three.</p></speak>",
            "'One.' [250] 'Two.' [500] 'Three.'",
        ),
        (
            "<speak><s>One.</s><break time=\"1s\"/>Two</speak>",
            "'One.' [1000] 'Two'",
        ),
        (
            "<speak>The <sub alias=\"World Wide Web\">WWW</sub> is big</speak>",
            "'The World Wide Web is big'",
        ),
        (
            "<speak>Code <say-as interpret-as=\"characters\">AB1</say-as>!</speak>",
            "'Code A, B, 1!'",
        ),
        (
            "<speak>Call <say-as interpret-as=\"telephone\">555-<b>1234</b></say-as></speak>",
            "'Call 5 5 5, 1 2 3 4'",
        ),
        (
            "<speak>Oh <say-as interpret-as=\"expletive\">darn</say-as> it</speak>",
            "'Oh' [bleep] 'it'",
        ),
        (
            "<speak>a <voice gender=\"male\" language=\"en-GB\">b</voice> <lang xml:lang=\"fr-FR\">c</lang></speak>",
            "'a' (en-GB Male) 'b' (fr-FR) 'c'",
        ),
        (
            "<speak xml:lang=\"de-DE\">Hallo <mark name=\"x\"/>Welt</speak>",
            "(de-DE) 'Hallo Welt'",
        ),
        (
            "<speak><audio src=\"a.wav\">Or <break/>so<desc>not this</desc></audio> end <audio src=\"\">told</audio></speak>",
            "<a.wav: 'Or' [400] 'so'> 'end' 'told'",
        ),
        (
            "<speak>a<![CDATA[ <b> & ]]>c <unknown x=\"1\">d</unknown> <amazon:effect name=\"whispered\">e</amazon:effect></speak>",
            "'a <b> & c d e'",
        ),
        (
            "<speak>&lt;&#65;&#x42;&gt; Tom & Jerry &amp; co&nbsp;&quot;</speak>",
            "'<AB> Tom & Jerry & co \"'",
        ),
        (
            "<speak><prosody rate=\"?\" pitch=\"\" volume=\"x\">same</prosody></speak>",
            "'same'",
        ),
        ("<speak/>", ""),
        ("<speak></speak>", ""),
    ] {
        assert_eq!(heard(text), spoken, "{text}");
    }
}

#[test]
fn broken_markup_is_said_without_its_tags() {
    for text in [
        "<speak>Press <b>one</speak>",
        "<speak>Press one",
        "<speak>Press </s>one</speak>",
        "<speak>Press <break time=500ms>one</speak>",
        "<speak>Press <break time=\"1\" time=\"2\"/>one</speak>",
    ] {
        let script = read(text, &voice());
        assert!(script.fault.is_some(), "{text}");
        assert_eq!(line(&script.segments), "'Press one'", "{text}");
    }
}

#[test]
fn entities_are_not_expanded_further_and_a_document_type_declares_none() {
    let text = "<!DOCTYPE speak [<!ENTITY a \"boom\"><!ENTITY b SYSTEM \"file:///etc/passwd\">]><speak>x &a;&b;&amp;lt;</speak>";
    assert_eq!(heard(text), "'x &a;&b;&lt;'");
}

#[test]
fn depth_length_segments_and_silence_are_bounded() {
    let deep = format!(
        "<speak>{}deep{}</speak>",
        "<p>".repeat(10_000),
        "</p>".repeat(10_000)
    );
    let script = read(&deep, &voice());
    assert!(matches!(script.fault, Some(SsmlError::TooDeep { .. })));
    assert_eq!(line(&script.segments), "'deep'");

    let long = read(&"word ".repeat(1_000_000), &voice());
    assert!(long.is_cut);
    assert!(
        matches!(&long.segments[..], [Segment::Speech(said)] if said.text.len() <= MOST_SPOKEN)
    );

    let many = format!("<speak>{}</speak>", "a<break time='1ms'/>".repeat(4000));
    let script = read(&many, &voice());
    assert!(script.is_cut && script.fault.is_none());
    assert!(script.segments.len() <= MOST_SEGMENTS + 1);

    let quiet = format!("<speak>{}a</speak>", "<break time='10s'/>".repeat(50));
    let silent = |segment: &Segment| match segment {
        Segment::Silence(pause) => *pause,
        _ => Duration::ZERO,
    };
    let total: Duration = read(&quiet, &voice()).segments.iter().map(silent).sum();
    assert_eq!(total, MOST_SILENCE);
}

proptest::proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(parts in proptest::collection::vec(proptest::sample::select(vec![
        "<speak>", "</speak>", "<p>", "</p>", "<break time='", "1s'/>", "<audio src=\"", "\">", "</audio>", "&", ";", "&#x",
        "<say-as interpret-as='date' format='mdy'>", "</say-as>", "12/ü/2026", "<![CDATA[", "]]>", "<!--", "<prosody rate='-5%'>", "é", "'", "\0",
    ]), 0..40), head in proptest::bool::ANY) {
        let text = format!("{}{}", if head { "<speak>" } else { "" }, parts.concat());
        let _ = read(&text, &voice());
    }
}
