//! Reads the text of a `talk` into a [`Script`]: SSML 1.1 when it begins with `<speak`, else plain words.
//!
//! Nobody may hear nothing because of a slip in markup: what is not well-formed is said without its
//! tags, an element that is unknown is said as if it were not there, an attribute that cannot be read
//! changes nothing. Only the five entities of XML and character references are replaced; a document type
//! is passed over.

use std::time::Duration;

use quick_xml::Reader;
use quick_xml::events::Event;

use super::script::{Prosody, Segment, Utterance, Voice, clean, is_speakable};

mod element;
mod prosody;
mod say_as;
#[cfg(test)]
mod tests;

use element::{Element, replacement};
use say_as::{Said, say_as};

/// A text as it will be heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    /// In order.
    pub segments: Vec<Segment>,
    /// What was wrong with the markup; it is then said without tags.
    pub fault: Option<SsmlError>,
    /// Whether the text was longer than its limits and its end will not be heard.
    pub is_cut: bool,
}

/// Why a text that begins as SSML is not read as SSML.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SsmlError {
    /// Not well-formed XML.
    #[error("not well-formed at octet {offset}")]
    Malformed {
        /// Octets before the fault.
        offset: usize,
    },
    /// An element is not closed.
    #[error("an element is not closed")]
    Unclosed,
    /// Elements are nested deeper than is read.
    #[error("nested deeper than {MOST_DEPTH} elements at octet {offset}")]
    TooDeep {
        /// Octets before the fault.
        offset: usize,
    },
}

/// Reads `text`, said by `voice` where it does not choose another.
#[must_use]
pub fn read(text: &str, voice: &Voice) -> Script {
    let (text, is_long) = first_octets(text, MOST_MARKUP);
    if !is_ssml(text) {
        return plain(text, voice, None, is_long);
    }
    match Parse::new(text, voice).run() {
        Ok((segments, is_cut)) => Script {
            segments,
            fault: None,
            is_cut: is_cut || is_long,
        },
        Err(fault) => plain(&without_tags(text), voice, Some(fault), is_long),
    }
}

fn plain(text: &str, voice: &Voice, fault: Option<SsmlError>, is_long: bool) -> Script {
    let text = clean(text);
    let (text, is_cut) = first_octets(&text, MOST_SPOKEN);
    let words = Segment::Speech(Utterance {
        text: text.to_owned(),
        voice: voice.clone(),
        prosody: Prosody::default(),
    });
    Script {
        segments: if is_speakable(text) {
            vec![words]
        } else {
            Vec::new()
        },
        fault,
        is_cut: is_cut || is_long,
    }
}

/// One reading of a document.
struct Parse<'a> {
    reader: Reader<&'a [u8]>,
    frames: Vec<Frame>,
    style: Style,
    out: Vec<Segment>,
    /// Words of the style at hand that no segment has yet.
    words: String,
    /// The pause that the last sentence or paragraph leaves if something follows.
    pause: Duration,
    spoken: usize,
    segments: usize,
    silence: Duration,
    is_cut: bool,
}

#[derive(Clone)]
struct Style {
    voice: Voice,
    prosody: Prosody,
}

/// An open element.
struct Frame {
    /// How things are said after it.
    outer: Style,
    kind: Kind,
}

enum Kind {
    /// `p` and `s`.
    Block {
        pause: Duration,
    },
    SayAs {
        interpretation: String,
        format: String,
        text: String,
    },
    Audio {
        url: String,
        outer: Vec<Segment>,
    },
    /// Contents are not said.
    Mute,
    /// Contents are said.
    Other,
}

impl<'a> Parse<'a> {
    fn new(text: &'a str, voice: &Voice) -> Self {
        let mut reader = Reader::from_str(text);
        reader.config_mut().allow_dangling_amp = true;
        Self {
            reader,
            frames: Vec::new(),
            style: Style {
                voice: voice.clone(),
                prosody: Prosody::default(),
            },
            out: Vec::new(),
            words: String::new(),
            pause: Duration::ZERO,
            spoken: 0,
            segments: 0,
            silence: Duration::ZERO,
            is_cut: false,
        }
    }

    fn run(mut self) -> Result<(Vec<Segment>, bool), SsmlError> {
        loop {
            let event = self.reader.read_event();
            let offset = usize::try_from(self.reader.buffer_position()).unwrap_or(usize::MAX);
            match event.map_err(|_| SsmlError::Malformed { offset })? {
                Event::Start(element) => {
                    if self.frames.len() == MOST_DEPTH {
                        return Err(SsmlError::TooDeep { offset });
                    }
                    let element = Element::read(&element).ok_or(SsmlError::Malformed { offset })?;
                    self.open(element);
                }
                Event::Empty(element) => {
                    let element = Element::read(&element).ok_or(SsmlError::Malformed { offset })?;
                    self.open(element);
                    self.close();
                }
                Event::End(_) => self.close(),
                Event::Text(text) => self.say(&text.xml10_content()),
                Event::CData(text) => self.say(&text.xml10_content()),
                Event::GeneralRef(reference) => self.say(&replacement(&reference)),
                Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
                Event::Eof => break,
            }
        }
        if !self.frames.is_empty() {
            return Err(SsmlError::Unclosed);
        }
        self.flush();
        Ok((self.out, self.is_cut))
    }

    fn open(&mut self, element: Element) {
        let outer = self.style.clone();
        let kind = match element.name.as_str() {
            "p" | "paragraph" => self.open_block(PARAGRAPH_PAUSE),
            "s" | "sentence" => self.open_block(SENTENCE_PAUSE),
            "break" => {
                self.take_break(&element);
                Kind::Mute
            }
            "sub" => match element.attribute("alias") {
                Some(alias) => {
                    self.say(alias);
                    Kind::Mute
                }
                None => Kind::Other,
            },
            "say-as" => Kind::SayAs {
                interpretation: element.text("interpret-as"),
                format: element.text("format"),
                text: String::new(),
            },
            "audio" => {
                self.flush();
                Kind::Audio {
                    url: element.text("src"),
                    outer: std::mem::take(&mut self.out),
                }
            }
            "desc" | "mark" | "meta" | "metadata" | "lexicon" => Kind::Mute,
            name => {
                self.restyle(name, &element);
                Kind::Other
            }
        };
        if let Some(language) = element.attribute("xml:lang") {
            let voice = prosody::in_language(&self.style.voice, language);
            self.change_style(Style {
                voice,
                ..self.style
            });
        }
        self.frames.push(Frame { outer, kind });
    }

    fn open_block(&mut self, pause: Duration) -> Kind {
        self.flush();
        self.pause = self.pause.max(pause);
        Kind::Block { pause }
    }

    /// `prosody`, `emphasis`, `voice`, `lang`: how contents are said.
    fn restyle(&mut self, name: &str, element: &Element) {
        let mut style = self.style.clone();
        match name {
            "prosody" => {
                let now = style.prosody;
                if let Some(value) = element.attribute("rate") {
                    style.prosody.rate = prosody::rate(value, now.rate);
                }
                if let Some(value) = element.attribute("pitch") {
                    style.prosody.pitch = prosody::pitch(value, now.pitch, style.voice.gender);
                }
                if let Some(value) = element.attribute("volume") {
                    style.prosody.volume = prosody::volume(value, now.volume);
                }
            }
            "emphasis" => {
                style.prosody = prosody::emphasis(&element.text("level"), style.prosody);
            }
            "voice" => {
                let language = element
                    .attribute("language")
                    .or(element.attribute("languages"));
                if let Some(language) = language {
                    style.voice = prosody::in_language(&style.voice, language);
                }
                if let Some(gender) = element.attribute("gender").and_then(prosody::gender) {
                    style.voice.gender = gender;
                }
            }
            _ => return,
        }
        self.change_style(style);
    }

    fn change_style(&mut self, style: Style) {
        self.flush();
        self.style = style;
    }

    fn close(&mut self) {
        // The reader has checked that every end has its start.
        let Some(Frame { outer, kind }) = self.frames.pop() else {
            return;
        };
        match kind {
            Kind::Block { pause } => {
                self.flush();
                self.pause = self.pause.max(pause);
            }
            Kind::SayAs {
                interpretation,
                format,
                text,
            } => self.close_say_as(&interpretation, &format, &text),
            Kind::Audio { url, outer } => {
                self.flush();
                let fallback = std::mem::replace(&mut self.out, outer);
                if url.is_empty() {
                    self.out.extend(fallback);
                } else {
                    self.push(Segment::Audio { url, fallback });
                }
            }
            Kind::Mute | Kind::Other => {}
        }
        if outer.voice != self.style.voice || outer.prosody != self.style.prosody {
            self.change_style(outer);
        }
    }

    fn close_say_as(&mut self, interpretation: &str, format: &str, text: &str) {
        let language = self.style.voice.primary_language();
        match say_as(interpretation, format, text, &language) {
            Said::Words(words) => self.say(&words),
            Said::Bleep if self.is_mute() => {}
            Said::Bleep => {
                self.flush();
                self.push(Segment::Bleep(BLEEP));
            }
        }
    }

    fn take_break(&mut self, element: &Element) {
        if self.is_mute() {
            return;
        }
        let pause = element
            .attribute("time")
            .and_then(prosody::time)
            .unwrap_or_else(|| prosody::strength(&element.text("strength")));
        self.flush();
        self.pause = Duration::ZERO;
        let left = MOST_SILENCE.saturating_sub(self.silence);
        self.is_cut |= pause > left;
        let pause = pause.min(left);
        if !pause.is_zero() {
            self.silence += pause;
            self.push(Segment::Silence(pause));
        }
    }

    /// Adds words: to the `say-as` around them, or to what is said.
    fn say(&mut self, words: &str) {
        if self.is_mute() {
            return;
        }
        for frame in self.frames.iter_mut().rev() {
            if let Kind::SayAs { text, .. } = &mut frame.kind {
                text.push_str(words);
                return;
            }
        }
        self.words.push_str(words);
    }

    fn is_mute(&self) -> bool {
        self.frames
            .iter()
            .any(|frame| matches!(frame.kind, Kind::Mute))
    }

    /// Makes the words at hand a segment.
    fn flush(&mut self) {
        let words = std::mem::take(&mut self.words);
        let words = clean(&words);
        if !is_speakable(&words) {
            return;
        }
        let (text, is_cut) = first_octets(&words, MOST_SPOKEN.saturating_sub(self.spoken));
        self.is_cut |= is_cut;
        if !is_speakable(text) {
            return;
        }
        self.spoken += text.len();
        self.push(Segment::Speech(Utterance {
            text: text.to_owned(),
            voice: self.style.voice.clone(),
            prosody: self.style.prosody,
        }));
    }

    fn push(&mut self, segment: Segment) {
        let pause = std::mem::take(&mut self.pause);
        if self.segments >= MOST_SEGMENTS {
            self.is_cut = true;
            return;
        }
        if !self.out.is_empty() && !pause.is_zero() {
            self.out.push(Segment::Silence(pause));
            self.segments += 1;
        }
        self.out.push(segment);
        self.segments += 1;
    }
}

/// Whether the first element is `speak`.
fn is_ssml(text: &str) -> bool {
    let mut rest = text.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    while rest.starts_with("<?") || rest.starts_with("<!") {
        let has_subset = || {
            rest.find('[')
                .is_some_and(|subset| rest.find('>') > Some(subset))
        };
        let end = match rest {
            _ if rest.starts_with("<!--") => "-->",
            _ if rest.starts_with("<!DOCTYPE") && has_subset() => "]>",
            _ => ">",
        };
        let Some(at) = rest.find(end) else {
            return false;
        };
        rest = rest[at + end.len()..].trim_start();
    }
    rest.strip_prefix("<speak")
        .is_some_and(|rest| rest.starts_with(|c: char| c.is_whitespace() || c == '>' || c == '/'))
}

/// What stands between tags, with entities replaced.
fn without_tags(text: &str) -> String {
    let mut words = String::with_capacity(text.len());
    let mut is_tag = false;
    for character in text.chars() {
        match character {
            '<' => is_tag = true,
            '>' if is_tag => {
                is_tag = false;
                words.push(' ');
            }
            _ if is_tag => {}
            _ => words.push(character),
        }
    }
    for (entity, character) in [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&apos;", "'"),
        ("&amp;", "&"),
    ] {
        words = words.replace(entity, character);
    }
    words
}

/// At most `most` octets from the start of `text`, whole words where that is possible; and whether
/// that is not all.
fn first_octets(text: &str, most: usize) -> (&str, bool) {
    if text.len() <= most {
        return (text, false);
    }
    let first = &text[..text.floor_char_boundary(most)];
    let end = first.rfind(char::is_whitespace).unwrap_or(first.len());
    (&first[..end], true)
}

/// Octets of a text with its markup.
const MOST_MARKUP: usize = 100_000;

/// Octets that are said: a quarter of an hour.
const MOST_SPOKEN: usize = 10_000;

/// Segments of a script: each costs a call of the engine.
const MOST_SEGMENTS: usize = 500;

/// Elements within elements.
const MOST_DEPTH: usize = 32;

/// Breaks of a script together.
const MOST_SILENCE: Duration = Duration::from_secs(60);

/// After a sentence that is marked as one.
const SENTENCE_PAUSE: Duration = Duration::from_millis(250);

/// After a paragraph.
const PARAGRAPH_PAUSE: Duration = Duration::from_millis(500);

/// Over a word that is not to be heard.
const BLEEP: Duration = Duration::from_millis(500);
