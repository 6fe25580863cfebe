//! `flowswitch.toml`: its keys, and errors that name the line and the nearest key that exists.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::FileError;

/// The file as it is written.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FileConfig {
    pub(super) flows: Option<PathBuf>,
    pub(super) data: Option<PathBuf>,
    pub(super) log: Option<String>,
    pub(super) accesskey: Option<Secret>,
    pub(super) database: Option<Secret>,
    pub(super) http: Http,
    pub(super) sip: Sip,
    pub(super) rtp: Rtp,
    pub(super) extensions: Option<Vec<Extension>>,
    pub(super) trunks: Vec<Trunk>,
    pub(super) numbers: Vec<Number>,
    pub(super) outbound_http: OutboundHttp,
    pub(super) limits: FlowLimits,
    pub(super) speech: Speech,
    pub(super) transcription: Transcription,
    pub(super) chat: Chat,
    pub(super) message: Message,
    pub(super) smtp: Smtp,
    pub(super) queues: Vec<Queue>,
    pub(super) agents: Vec<Agent>,
    pub(super) conferences: Vec<Conference>,
    #[serde(skip)]
    pub(super) origin: Origin,
}

/// The file itself, to name the line of a value that is wrong in a way TOML knows nothing of.
#[derive(Clone, Debug, Default)]
pub(super) struct Origin {
    file: PathBuf,
    /// Where each line ends.
    ends: Vec<usize>,
}

impl Origin {
    fn new(file: &Path, text: &str) -> Self {
        let ends = text.match_indices('\n').map(|(at, _)| at).collect();
        let file = file.to_owned();
        Self { file, ends }
    }

    /// The file, and the line of what stands at `span`.
    pub(super) fn place(&self, span: Range<usize>) -> (PathBuf, usize) {
        let line = self.ends.partition_point(|end| *end < span.start) + 1;
        (self.file.clone(), line)
    }

    /// The error of what stands at `span`.
    pub(super) fn wrong(
        &self,
        span: Range<usize>,
        key: &'static str,
        value: impl ToString,
        expected: &'static str,
    ) -> FileError {
        let (file, line) = self.place(span);
        FileError::Value {
            file,
            line,
            key,
            value: value.to_string(),
            expected,
        }
    }
}

/// A password, or what may hold one; printed by nobody.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub(super) struct Secret(pub(super) String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("…")
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Sip {
    pub(super) listen: Vec<String>,
    pub(super) external_address: Option<IpAddr>,
    pub(super) accept: Option<String>,
    pub(super) digest: Option<Vec<String>>,
    pub(super) dial_allow: Vec<Spanned<String>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Rtp {
    pub(super) ports: Option<String>,
    pub(super) media_threads: Option<usize>,
    pub(super) codecs: Option<Spanned<Vec<String>>>,
    pub(super) srtp: Option<Spanned<String>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Http {
    pub(super) listen: Option<String>,
    pub(super) rate: Option<u32>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Extension {
    pub(super) extension: String,
    pub(super) password: Option<Secret>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Trunk {
    pub(super) name: Spanned<String>,
    pub(super) host: Option<Spanned<String>>,
    pub(super) transport: Option<Spanned<String>>,
    pub(super) username: Option<Spanned<String>>,
    pub(super) password: Option<Spanned<Secret>>,
    pub(super) register: Option<Spanned<bool>>,
    pub(super) probe: Option<Spanned<bool>>,
    #[serde(default)]
    pub(super) allowed_ips: Vec<Spanned<String>>,
    pub(super) prefixes: Option<Spanned<Vec<Spanned<String>>>>,
    pub(super) priority: Option<Spanned<u32>>,
    pub(super) channels: Option<Spanned<u32>>,
    pub(super) cps: Option<Spanned<u32>>,
    pub(super) calls_per_day: Option<Spanned<u32>>,
    pub(super) tech_prefix: Option<Spanned<String>>,
    pub(super) tech_postfix: Option<Spanned<String>>,
    pub(super) headers: Option<Spanned<BTreeMap<String, Spanned<String>>>>,
    pub(super) caller_id: Option<Spanned<String>>,
    pub(super) codecs: Option<Spanned<Vec<String>>>,
    pub(super) srtp: Option<Spanned<String>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Number {
    pub(super) number: Spanned<String>,
    pub(super) call_flow: Option<String>,
    pub(super) message_flow: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Queue {
    pub(super) id: Option<Spanned<String>>,
    pub(super) name: Spanned<String>,
    #[serde(default)]
    pub(super) detail: String,
    pub(super) wait_flow: Option<String>,
    #[serde(default)]
    pub(super) wait_timeout: u32,
    #[serde(default)]
    pub(super) service_timeout: u32,
    #[serde(default)]
    pub(super) tags: Vec<Spanned<String>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Agent {
    pub(super) id: Option<Spanned<String>>,
    pub(super) name: Spanned<String>,
    pub(super) status: Option<Spanned<String>>,
    pub(super) ring_method: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) tags: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) addresses: Vec<AgentAddress>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AgentAddress {
    #[serde(rename = "type")]
    pub(super) kind: Spanned<String>,
    pub(super) target: Spanned<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Conference {
    pub(super) id: Option<Spanned<String>>,
    pub(super) name: Spanned<String>,
    #[serde(default)]
    pub(super) detail: String,
    pub(super) pre_flow: Option<String>,
    pub(super) post_flow: Option<String>,
    #[serde(default)]
    pub(super) timeout: u32,
    #[serde(default)]
    pub(super) record: bool,
    pub(super) record_format: Option<Spanned<String>>,
    pub(super) level: Option<bool>,
    #[serde(default)]
    pub(super) loudest: u8,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct OutboundHttp {
    pub(super) allow: Vec<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct FlowLimits {
    pub(super) executions: Option<u32>,
    pub(super) steps: Option<u32>,
    pub(super) stacks: Option<usize>,
    pub(super) chain: Option<u32>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Speech {
    pub(super) engine: Option<String>,
    pub(super) url: Option<String>,
    pub(super) key: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Transcription {
    pub(super) url: Option<String>,
    pub(super) key: Option<String>,
    pub(super) model: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Chat {
    pub(super) url: Option<String>,
    pub(super) key: Option<String>,
    pub(super) model: Option<String>,
    pub(super) prompt: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Message {
    pub(super) url: Option<String>,
    pub(super) key: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Smtp {
    pub(super) url: Option<String>,
    pub(super) from: Option<String>,
}

/// Every key by section; the empty section is the top level.
pub(super) const KEYS: [(&str, &[&str]); 17] = [
    (
        "",
        &[
            "flows",
            "data",
            "log",
            "accesskey",
            "database",
            "http",
            "sip",
            "rtp",
            "extensions",
            "trunks",
            "numbers",
            "outbound_http",
            "limits",
            "speech",
            "transcription",
            "chat",
            "message",
            "smtp",
            "queues",
            "agents",
            "conferences",
        ],
    ),
    (
        "sip",
        &[
            "listen",
            "external_address",
            "accept",
            "digest",
            "dial_allow",
        ],
    ),
    ("http", &["listen", "rate"]),
    ("rtp", &["ports", "media_threads", "codecs", "srtp"]),
    ("extensions", &["extension", "password"]),
    (
        "trunks",
        &[
            "name",
            "host",
            "transport",
            "username",
            "password",
            "register",
            "probe",
            "allowed_ips",
            "prefixes",
            "priority",
            "channels",
            "cps",
            "calls_per_day",
            "tech_prefix",
            "tech_postfix",
            "headers",
            "caller_id",
            "codecs",
            "srtp",
        ],
    ),
    ("numbers", &["number", "call_flow", "message_flow"]),
    (
        "queues",
        &[
            "id",
            "name",
            "detail",
            "wait_flow",
            "wait_timeout",
            "service_timeout",
            "tags",
        ],
    ),
    (
        "agents",
        &["id", "name", "status", "ring_method", "tags", "addresses"],
    ),
    (
        "conferences",
        &[
            "id",
            "name",
            "detail",
            "pre_flow",
            "post_flow",
            "timeout",
            "record",
            "record_format",
            "level",
            "loudest",
        ],
    ),
    ("outbound_http", &["allow"]),
    ("limits", &["executions", "steps", "stacks", "chain"]),
    ("speech", &["engine", "url", "key"]),
    ("transcription", &["url", "key", "model"]),
    ("chat", &["url", "key", "model", "prompt"]),
    ("message", &["url", "key"]),
    ("smtp", &["url", "from"]),
];

/// Keys that files of later versions have, by section.
const LATER: [(&str, &[&str]); 2] = [
    ("", &["webhook"]),
    ("numbers", &["action_url", "status_url", "summary_url"]),
];

impl FileConfig {
    /// Reads and checks a file.
    pub fn read(file: &Path) -> Result<Self, FileError> {
        let text = std::fs::read_to_string(file).map_err(|error| FileError::Unreadable {
            file: file.to_owned(),
            kind: error.kind(),
        })?;
        Self::parse(&text, file)
    }

    /// Checks the text of `file`.
    pub(super) fn parse(text: &str, file: &Path) -> Result<Self, FileError> {
        let malformed = |error: toml::de::Error| FileError::Malformed {
            file: file.to_owned(),
            line: error.span().map_or(1, |span| line(text, span.start)),
            why: error.message().replace('\n', " "),
        };
        let table = DeTable::parse(text).map_err(malformed)?;
        for (key, value) in table.get_ref() {
            let name = key.get_ref().as_ref();
            known(text, file, "", name, key.span().start)?;
            let tables = match value.get_ref() {
                DeValue::Table(table) => vec![table],
                DeValue::Array(array) => array
                    .iter()
                    .filter_map(|item| item.get_ref().as_table())
                    .collect(),
                _ => Vec::new(),
            };
            for (inner, _) in tables.into_iter().flatten() {
                known(
                    text,
                    file,
                    name,
                    inner.get_ref().as_ref(),
                    inner.span().start,
                )?;
            }
        }
        let read: Self = toml::from_str(text).map_err(malformed)?;
        let origin = Origin::new(file, text);
        Ok(Self { origin, ..read })
    }
}

fn known(text: &str, file: &Path, section: &str, key: &str, at: usize) -> Result<(), FileError> {
    let Some((_, keys)) = KEYS.iter().find(|(name, _)| *name == section) else {
        return Ok(());
    };
    if keys.contains(&key) {
        return Ok(());
    }
    let dot = if section.is_empty() { "" } else { "." };
    let name = format!("{section}{dot}{key}");
    let line = line(text, at);
    let file = file.to_owned();
    if LATER
        .iter()
        .any(|(name, later)| *name == section && later.contains(&key))
    {
        return Err(FileError::NotSupported {
            file,
            line,
            key: name,
        });
    }
    let nearest = keys
        .iter()
        .map(|candidate| (strsim::jaro_winkler(candidate, key), *candidate))
        .filter(|(likeness, _)| *likeness > 0.7)
        .max_by(|(one, _), (other, _)| one.total_cmp(other));
    Err(FileError::UnknownKey {
        file,
        line,
        key: name,
        nearest: nearest.map(|(_, key)| key),
    })
}

fn line(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1
}
