//! `[[agents]]`, `[[queues]]`, `[[conferences]]` and `[[numbers]]`: whom callers meet.

use std::num::NonZeroU8;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use toml::Spanned;
use uuid::Uuid;

use super::file::{self, Origin};
use super::{Doubt, FileError};
use crate::flow::{Address, RecordingFormat};
use crate::store::agents::{Agent, AgentStatus, RingMethod, Tag};
use crate::store::conferences::Conference;
use crate::store::flows::Number;
use crate::store::queues::Queue;

/// Letters of a name; it stands in logs and in paths of the API.
const LONGEST_NAME: usize = 64;
/// Digits of a number in E.164 (ITU-T E.164 §6).
const DIGITS: std::ops::RangeInclusive<usize> = 7..=15;

/// A name that is not among `taken`.
pub(super) fn name<'a>(
    origin: &Origin,
    key: &'static str,
    entry: &Spanned<String>,
    mut taken: impl Iterator<Item = &'a str>,
) -> Result<String, FileError> {
    let text = entry.as_ref();
    let wrong = |expected| Err(origin.wrong(entry.span(), key, text, expected));
    if text.trim().is_empty() || text.len() > LONGEST_NAME || text.contains(char::is_control) {
        return wrong("expected up to 64 letters");
    }
    if taken.any(|other| other.to_lowercase() == text.to_lowercase()) {
        return wrong("it stands there twice");
    }
    Ok(text.clone())
}

/// The id as written, else one that follows from the name, so that it is the same after each start.
fn id(
    origin: &Origin,
    key: &'static str,
    entry: Option<&Spanned<String>>,
    name: &str,
    mut taken: impl Iterator<Item = Uuid>,
) -> Result<Uuid, FileError> {
    let Some(entry) = entry else {
        return Ok(id_of_name(key, name));
    };
    let wrong = |expected| origin.wrong(entry.span(), key, entry.as_ref(), expected);
    let id = Uuid::parse_str(entry.as_ref())
        .ok()
        .filter(|id| !id.is_nil());
    let id = id.ok_or_else(|| wrong("expected a UUID; left out, one is made of the name"))?;
    if taken.any(|other| other == id) {
        return Err(wrong("it stands there twice"));
    }
    Ok(id)
}

/// A UUID of our own making (version 8, RFC 9562 §5.8): a hash of what the thing is and its name.
fn id_of_name(key: &str, name: &str) -> Uuid {
    let hash = Sha256::digest(format!("{key}={}", name.to_lowercase()));
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

fn tags(
    origin: &Origin,
    key: &'static str,
    entries: &[Spanned<String>],
) -> Result<Vec<Tag>, FileError> {
    let tag = |entry: &Spanned<String>| {
        name(origin, key, entry, std::iter::empty()).map(|text| Tag::from(text.as_str()))
    };
    entries.iter().map(tag).collect()
}

/// Reads `[[queues]]`.
pub(super) fn queues(origin: &Origin, entries: Vec<file::Queue>) -> Result<Vec<Queue>, FileError> {
    let mut queues: Vec<Queue> = Vec::new();
    for entry in entries {
        let names = queues.iter().map(|queue| queue.name.as_str());
        let name = name(origin, "queues.name", &entry.name, names)?;
        let ids = queues.iter().map(|queue| queue.id);
        queues.push(Queue {
            id: id(origin, "queues.id", entry.id.as_ref(), &name, ids)?,
            name,
            detail: entry.detail,
            wait_flow: entry.wait_flow,
            wait_timeout: Duration::from_millis(entry.wait_timeout.into()),
            service_timeout: Duration::from_millis(entry.service_timeout.into()),
            tags: tags(origin, "queues.tags", &entry.tags)?,
        });
    }
    Ok(queues)
}

/// Reads `[[conferences]]`.
pub(super) fn conferences(
    origin: &Origin,
    entries: Vec<file::Conference>,
) -> Result<Vec<Conference>, FileError> {
    let mut conferences: Vec<Conference> = Vec::new();
    for entry in entries {
        let names = conferences.iter().map(|other| other.name.as_str());
        let name = name(origin, "conferences.name", &entry.name, names)?;
        let ids = conferences.iter().map(|other| other.id);
        let timeout = Duration::from_secs(entry.timeout.into());
        conferences.push(Conference {
            id: id(origin, "conferences.id", entry.id.as_ref(), &name, ids)?,
            name,
            detail: entry.detail,
            pre_flow: entry.pre_flow,
            post_flow: entry.post_flow,
            timeout: (!timeout.is_zero()).then_some(timeout),
            record: entry.record,
            record_format: record_format(origin, entry.record_format.as_ref())?,
            level: entry.level.unwrap_or(true),
            loudest: NonZeroU8::new(entry.loudest),
        });
    }
    Ok(conferences)
}

fn record_format(
    origin: &Origin,
    entry: Option<&Spanned<String>>,
) -> Result<RecordingFormat, FileError> {
    let Some(entry) = entry else {
        return Ok(RecordingFormat::default());
    };
    match entry.as_ref().as_str() {
        "wav" => Ok(RecordingFormat::Wav),
        "mp3" => Ok(RecordingFormat::Mp3),
        "ogg" => Ok(RecordingFormat::Ogg),
        other => {
            let expected = "expected \"wav\", \"mp3\" or \"ogg\"";
            Err(origin.wrong(entry.span(), "conferences.record_format", other, expected))
        }
    }
}

/// Reads `[[agents]]`.
pub(super) fn agents(origin: &Origin, entries: Vec<file::Agent>) -> Result<Vec<Agent>, FileError> {
    let mut agents: Vec<Agent> = Vec::new();
    for entry in entries {
        let names = agents.iter().map(|agent| agent.name.as_str());
        let name = name(origin, "agents.name", &entry.name, names)?;
        let ids = agents.iter().map(|agent| agent.id);
        let addresses = entry.addresses.iter().map(|entry| address(origin, entry));
        agents.push(Agent {
            id: id(origin, "agents.id", entry.id.as_ref(), &name, ids)?,
            name,
            status: status(origin, entry.status.as_ref())?,
            ring_method: ring_method(origin, entry.ring_method.as_ref())?,
            tags: tags(origin, "agents.tags", &entry.tags)?,
            addresses: addresses.collect::<Result<_, _>>()?,
        });
    }
    Ok(agents)
}

fn status(origin: &Origin, entry: Option<&Spanned<String>>) -> Result<AgentStatus, FileError> {
    let Some(entry) = entry else {
        return Ok(AgentStatus::default());
    };
    let expected = "expected \"available\", \"away\", \"busy\" or \"offline\"";
    AgentStatus::from_word(entry.as_ref())
        .filter(|status| *status != AgentStatus::Ringing)
        .ok_or_else(|| origin.wrong(entry.span(), "agents.status", entry.as_ref(), expected))
}

fn ring_method(origin: &Origin, entry: Option<&Spanned<String>>) -> Result<RingMethod, FileError> {
    let Some(entry) = entry else {
        return Ok(RingMethod::default());
    };
    match entry.as_ref().as_str() {
        "ringall" | "ring_all" => Ok(RingMethod::RingAll),
        "linear" => Ok(RingMethod::Linear),
        other => {
            let expected = "expected \"ringall\" or \"linear\"";
            Err(origin.wrong(entry.span(), "agents.ring_method", other, expected))
        }
    }
}

fn address(origin: &Origin, entry: &file::AgentAddress) -> Result<Address, FileError> {
    let text = entry.target.as_ref().trim();
    let (target, expected) = match entry.kind.as_ref().as_str() {
        "extension" => (extension(text), "expected the name of an extension"),
        "tel" => (number(text), "expected + and 7 to 15 digits"),
        "sip" => (user_at_host(text), "expected USER@HOST"),
        other => {
            let expected = "expected \"extension\", \"tel\" or \"sip\"";
            return Err(origin.wrong(entry.kind.span(), "agents.addresses.type", other, expected));
        }
    };
    let wrong = || {
        origin.wrong(
            entry.target.span(),
            "agents.addresses.target",
            text,
            expected,
        )
    };
    Ok(Address {
        kind: entry.kind.as_ref().clone(),
        target: target.ok_or_else(wrong)?,
        ..Address::default()
    })
}

fn extension(text: &str) -> Option<String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '+');
    let is_extension = (1..=LONGEST_NAME).contains(&text.len()) && text.chars().all(is_plain);
    is_extension.then(|| text.to_owned())
}

/// A number without what makes it easy to read.
fn number(text: &str) -> Option<String> {
    let visual = |c: &char| matches!(c, ' ' | '-' | '.' | '(' | ')');
    let number: String = text.chars().filter(|c| !visual(c)).collect();
    let digits = number.strip_prefix('+')?;
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
    (is_number && DIGITS.contains(&digits.len())).then_some(number)
}

fn user_at_host(text: &str) -> Option<String> {
    let text = text.strip_prefix("sip:").unwrap_or(text);
    let (user, host) = text.split_once('@')?;
    let is_plain =
        |text: &str| !text.is_empty() && !text.contains(|c: char| c.is_control() || c == ' ');
    (is_plain(user) && is_plain(host) && text.len() <= 256)
        .then(|| format!("{user}@{}", host_in_lower_case(host)))
}

/// The host alone has no case; parameters after it may.
fn host_in_lower_case(host: &str) -> String {
    let end = host.find([';', '?']).unwrap_or(host.len());
    let (host, rest) = host.split_at(end);
    host.to_ascii_lowercase() + rest
}

/// Reads `[[numbers]]`.
pub(super) fn numbers(
    origin: &Origin,
    entries: Vec<file::Number>,
) -> Result<Vec<Number>, FileError> {
    let number = |entry: file::Number| {
        let text = entry.number.as_ref();
        if !text.contains(|c: char| c.is_ascii_digit()) {
            let expected = "expected a telephone number";
            return Err(origin.wrong(entry.number.span(), "numbers.number", text, expected));
        }
        if entry.call_flow.is_none() && entry.message_flow.is_none() {
            let expected = "needs call_flow, message_flow, or both";
            return Err(origin.wrong(entry.number.span(), "numbers.number", text, expected));
        }
        Ok(Number {
            number: text.clone(),
            call_flow: entry.call_flow,
            message_flow: entry.message_flow,
        })
    };
    entries.into_iter().map(number).collect()
}

/// What can be meant, but seldom is.
pub(super) fn doubts(queues: &[Queue], agents: &[Agent], extensions: &[String]) -> Vec<Doubt> {
    let mut doubts = Vec::new();
    for queue in queues {
        let has = |tag: &Tag| agents.iter().any(|agent| agent.tags.contains(tag));
        let alone = queue.tags.iter().filter(|tag| !has(tag));
        doubts.extend(alone.map(|tag| Doubt::TagWithoutAgent {
            queue: queue.name.clone(),
            tag: tag.as_str().to_owned(),
        }));
    }
    for agent in agents {
        if agent.addresses.is_empty() {
            let agent = agent.name.clone();
            doubts.push(Doubt::NoAddress { agent });
        }
        let unknown = agent
            .addresses
            .iter()
            .filter(|address| address.kind == "extension" && !extensions.contains(&address.target));
        doubts.extend(unknown.map(|address| Doubt::NoSuchExtension {
            agent: agent.name.clone(),
            extension: address.target.clone(),
        }));
    }
    doubts
}
