//! Settings: what the command line, the environment and `flowswitch.toml` come to.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use crate::flow::Limits;
use crate::sip::Transport;
use crate::sip::message::Algorithm;
use crate::store::access::{Accept, DialAllow};
use crate::store::agents::Agent;
use crate::store::codecs::CodecTable;
use crate::store::conferences::Conference;
use crate::store::flows::Number;
use crate::store::network::Network;
use crate::store::protection::ProtectionTable;
use crate::store::queues::Queue;
use crate::store::trunks::Trunk;

mod codecs;
mod error;
mod file;
mod people;
pub mod secrets;
mod servers;
mod service;
mod trunks;

pub use error::FileError;
pub use file::FileConfig;
pub use servers::Servers;
pub use service::ServiceSettings;

/// Everything `serve` needs to know, with defaults filled in.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Directory of the flows.
    pub flows: PathBuf,
    /// Directory of recordings and secrets.
    pub data: PathBuf,
    /// Filter of the log, in the syntax of `RUST_LOG`.
    pub log: String,
    /// The REST API, and where it keeps things.
    pub service: ServiceSettings,
    /// Where SIP is listened to.
    pub listen: Vec<(Transport, SocketAddr)>,
    /// The address peers outside are told to use.
    pub external_address: Option<IpAddr>,
    /// Who may call a flow.
    pub accept: Accept,
    /// What telephones may prove themselves by, first what is offered first.
    pub digest: Vec<Algorithm>,
    /// Ports of RTP (even) and RTCP (odd).
    pub rtp_ports: RangeInclusive<u16>,
    /// What is spoken, and with which trunk.
    pub codecs: CodecTable,
    /// Threads of the media engine.
    pub media_threads: usize,
    /// Extensions with their passwords, where the file has one.
    pub extensions: Vec<(String, Option<String>)>,
    /// Carriers and PBXs.
    pub trunks: Vec<Trunk>,
    /// Hosts that `sip:` targets may name, beside trunks and private networks.
    pub dial_allow: DialAllow,
    /// With whom sound is protected.
    pub protection: ProtectionTable,
    /// Numbers and the names of their flows.
    pub numbers: Vec<Number>,
    /// Where callers wait.
    pub queues: Vec<Queue>,
    /// Who takes calls.
    pub agents: Vec<Agent>,
    /// Where callers meet.
    pub conferences: Vec<Conference>,
    /// What the operator may want to look at again.
    pub doubts: Vec<Doubt>,
    /// Networks that flows may fetch from, beside the public internet.
    pub outbound_allow: Vec<Network>,
    /// What speaks.
    pub speech: SpeechSettings,
    /// How far one activeflow may go.
    pub flow_limits: Limits,
    /// Servers outside.
    pub servers: Servers,
}

/// Something that works, but perhaps not as it was meant; one line for the operator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Doubt {
    /// A queue wants what nobody is for.
    #[error("queue {queue:?} is for agents with the tag {tag:?}, and none has it")]
    TagWithoutAgent {
        /// Its name.
        queue: String,
        /// Which.
        tag: String,
    },
    /// An agent that cannot be called.
    #[error("agent {agent:?} has no address to be called at")]
    NoAddress {
        /// Its name.
        agent: String,
    },
    /// An agent at an extension that the configuration does not have.
    #[error("agent {agent:?} is at the extension {extension:?}, which does not exist")]
    NoSuchExtension {
        /// Its name.
        agent: String,
        /// Which.
        extension: String,
    },
}

/// A flow that the configuration names, and what for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlowReference {
    /// What names it, as an operator knows it.
    pub what: String,
    /// Name or id of the flow.
    pub flow: String,
}

/// Which voice speaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SpeechSettings {
    /// The voice inside the binary.
    Embedded,
    /// The program `espeak-ng` of the system.
    Program,
    /// A service with an OpenAI-compatible `/v1/audio/speech`.
    Http {
        /// The whole URL.
        url: String,
        /// Sent as a bearer token; never logged.
        key: Option<String>,
    },
}

/// What command line and environment say; each beats the file.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// `--flows`
    pub flows: Option<PathBuf>,
    /// `--data`
    pub data: Option<PathBuf>,
    /// `--sip`
    pub sip: Vec<String>,
    /// `--external-address`
    pub external_address: Option<IpAddr>,
    /// `--rtp-ports`
    pub rtp_ports: Option<String>,
    /// `--media-threads`
    pub media_threads: Option<usize>,
    /// `--http`
    pub http: Option<String>,
    /// `--database`
    pub database: Option<String>,
    /// `--log`
    pub log: Option<String>,
}

/// Why there are no settings; one line for the operator.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// The file is wrong.
    #[error(transparent)]
    File(#[from] FileError),
    /// A value of command line, environment or file is out of its range.
    #[error("{key} = {value:?}: {expected}")]
    Value {
        /// Which option or key.
        key: &'static str,
        /// What it says.
        value: String,
        /// What it may say.
        expected: &'static str,
    },
}

/// SIP's own port (RFC 3261 §19.1.2).
const SIP_PORT: u16 = 5060;
/// Ports that Linux does not hand out to clients by itself, and that firewalls for RTP often open.
const RTP_PORTS: RangeInclusive<u16> = 16384..=32767;
/// Steps of some microseconds each: a tenth of a second in which nothing else moves.
const MOST_STEPS: u32 = 100_000;
/// More threads than any machine this runs on has cores.
const MEDIA_THREADS_LIMIT: usize = 256;

impl Settings {
    /// Joins `overrides` and the file; `directory` is where the file lies, and its relative paths start.
    pub fn new(
        overrides: Overrides,
        mut file: FileConfig,
        directory: &Path,
    ) -> Result<Self, SettingsError> {
        let servers = Servers::new(&mut file)?;
        let codecs = codecs::codecs(&file)?;
        let sip = if overrides.sip.is_empty() {
            file.sip.listen
        } else {
            overrides.sip
        };
        let ports = overrides.rtp_ports.or(file.rtp.ports);
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let media_threads = overrides
            .media_threads
            .or(file.rtp.media_threads)
            .unwrap_or(cores);
        if !(1..=MEDIA_THREADS_LIMIT).contains(&media_threads) {
            return Err(wrong("media_threads", media_threads, "expected 1 to 256"));
        }
        let listen = listen(&sip)?;
        let protection = trunks::protection(&file.origin, file.rtp.srtp.as_ref(), &file.trunks)?;
        let trunks = trunks::trunks(&file.origin, file.trunks, &listen)?;
        let extensions = extensions(file.extensions.unwrap_or_else(default_extensions))?;
        let queues = people::queues(&file.origin, file.queues)?;
        let agents = people::agents(&file.origin, file.agents)?;
        let names: Vec<String> = extensions.iter().map(|(name, _)| name.clone()).collect();
        let from_file = |path: Option<PathBuf>| path.map(|path| directory.join(path));
        let data = overrides
            .data
            .or(from_file(file.data))
            .unwrap_or_else(|| "data".into());
        Ok(Self {
            service: ServiceSettings::new(
                overrides.http,
                overrides.database,
                file.http,
                file.accesskey,
                file.database,
                &data,
            )?,
            flows: overrides
                .flows
                .or(from_file(file.flows))
                .unwrap_or_else(default_flows),
            data,
            log: overrides
                .log
                .or(file.log)
                .unwrap_or_else(|| "info".to_owned()),
            listen,
            external_address: overrides.external_address.or(file.sip.external_address),
            accept: accept(file.sip.accept.as_deref())?,
            digest: digest(file.sip.digest.as_deref())?,
            rtp_ports: ports.map_or(Ok(RTP_PORTS), |text| port_range(&text))?,
            codecs,
            media_threads,
            extensions,
            trunks,
            dial_allow: trunks::dial_allow(&file.origin, &file.sip.dial_allow)?,
            protection,
            numbers: people::numbers(&file.origin, file.numbers)?,
            doubts: people::doubts(&queues, &agents, &names),
            queues,
            agents,
            conferences: people::conferences(&file.origin, file.conferences)?,
            outbound_allow: networks("outbound_http.allow", &file.outbound_http.allow)?,
            speech: speech(file.speech)?,
            flow_limits: flow_limits(&file.limits)?,
            servers,
        })
    }

    /// Every flow that is named here; whether it exists is known where the flows are.
    #[must_use]
    pub fn flow_references(&self) -> Vec<FlowReference> {
        let numbers = self.numbers.iter().flat_map(|entry| {
            let (calls, messages) = (&entry.call_flow, &entry.message_flow);
            [
                ("the number", &entry.number, calls),
                ("messages to", &entry.number, messages),
            ]
        });
        let queues = self
            .queues
            .iter()
            .map(|entry| ("the queue", &entry.name, &entry.wait_flow));
        let conferences = self.conferences.iter().flat_map(|entry| {
            let (before, after) = (&entry.pre_flow, &entry.post_flow);
            [
                ("the conference", &entry.name, before),
                ("the end of", &entry.name, after),
            ]
        });
        let reference = |(kind, name, flow): (&str, &String, &Option<String>)| {
            let (what, flow) = (format!("{kind} {name}"), flow.clone()?);
            Some(FlowReference { what, flow })
        };
        numbers
            .chain(queues)
            .chain(conferences)
            .filter_map(reference)
            .collect()
    }
}

fn wrong(key: &'static str, value: impl ToString, expected: &'static str) -> SettingsError {
    let value = value.to_string();
    SettingsError::Value {
        key,
        value,
        expected,
    }
}

/// The examples where the repository is the current directory, so that the first start has flows.
fn default_flows() -> PathBuf {
    let examples = Path::new("examples/flows");
    if examples.is_dir() {
        examples.into()
    } else {
        "flows".into()
    }
}

/// Two extensions to try a phone with, where no file says which there are.
fn default_extensions() -> Vec<file::Extension> {
    let extension = |name: &str| file::Extension {
        extension: name.to_owned(),
        password: None,
    };
    vec![extension("1000"), extension("1001")]
}

fn listen(entries: &[String]) -> Result<Vec<(Transport, SocketAddr)>, SettingsError> {
    let everywhere = [format!("{}:{SIP_PORT}", Ipv4Addr::UNSPECIFIED)];
    let entries = if entries.is_empty() {
        &everywhere
    } else {
        entries
    };
    let mut listen = Vec::new();
    for entry in entries {
        let (transports, address): (&[Transport], &str) = match entry.split_once(':') {
            Some(("udp", rest)) => (&[Transport::Udp], rest),
            Some(("tcp", rest)) => (&[Transport::Tcp], rest),
            _ => (&[Transport::Udp, Transport::Tcp], entry),
        };
        let expected = "expected [udp:|tcp:]ADDRESS:PORT, such as udp:0.0.0.0:5060 or [::]:5060";
        let address: SocketAddr = address
            .parse()
            .map_err(|_| wrong("sip.listen", entry, expected))?;
        listen.extend(transports.iter().map(|transport| (*transport, address)));
    }
    Ok(listen)
}

fn accept(text: Option<&str>) -> Result<Accept, SettingsError> {
    match text {
        None | Some("known") => Ok(Accept::Known),
        Some("anyone") => Ok(Accept::Anyone),
        Some(other) => Err(wrong(
            "sip.accept",
            other,
            "expected \"known\" or \"anyone\"",
        )),
    }
}

fn digest(words: Option<&[String]>) -> Result<Vec<Algorithm>, SettingsError> {
    let all = [Algorithm::Md5, Algorithm::Sha256];
    let Some(words) = words else {
        return Ok(all.into());
    };
    let algorithm = |word: &String| {
        let is_it = |known: &Algorithm| known.as_str().eq_ignore_ascii_case(word);
        all.into_iter().find(is_it)
    };
    let algorithms: Option<Vec<Algorithm>> = words.iter().map(algorithm).collect();
    let is_good = |algorithms: &Vec<Algorithm>| match algorithms[..] {
        [_] => true,
        [first, second] => first != second,
        _ => false,
    };
    algorithms.filter(is_good).ok_or_else(|| {
        let expected = "expected one or both of \"md5\" and \"sha-256\"";
        wrong("sip.digest", words.join(", "), expected)
    })
}

fn port_range(text: &str) -> Result<RangeInclusive<u16>, SettingsError> {
    let expected =
        "expected LOW-HIGH with room for at least one pair of ports, such as 16384-32767";
    let range = text.split_once('-').and_then(|(low, high)| {
        let (low, high) = (
            low.trim().parse::<u16>().ok()?,
            high.trim().parse::<u16>().ok()?,
        );
        let first_even = low.checked_add(low % 2)?;
        (low > 0 && first_even < high).then_some(low..=high)
    });
    range.ok_or_else(|| wrong("rtp.ports", text, expected))
}

fn networks(key: &'static str, texts: &[String]) -> Result<Vec<Network>, SettingsError> {
    let expected = "expected an address or a network, such as 198.51.100.0/24";
    let parse = |text: &String| text.parse().map_err(|_| wrong(key, text, expected));
    texts.iter().map(parse).collect()
}

fn extensions(
    entries: Vec<file::Extension>,
) -> Result<Vec<(String, Option<String>)>, SettingsError> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '+');
    for (index, entry) in entries.iter().enumerate() {
        let name = &entry.extension;
        if name.is_empty() || name.len() > 64 || !name.chars().all(is_plain) {
            let expected = "expected up to 64 letters, digits, and - _ . +";
            return Err(wrong("extensions.extension", name, expected));
        }
        if entries[..index]
            .iter()
            .any(|earlier| earlier.extension == *name)
        {
            return Err(wrong("extensions.extension", name, "it stands there twice"));
        }
        if entry
            .password
            .as_ref()
            .is_some_and(|secret| secret.0.is_empty())
        {
            let expected = "leave the key out to have a password made";
            return Err(wrong("extensions.password", "", expected));
        }
    }
    Ok(entries
        .into_iter()
        .map(|entry| (entry.extension, entry.password.map(|secret| secret.0)))
        .collect())
}

fn flow_limits(section: &file::FlowLimits) -> Result<Limits, SettingsError> {
    let usual = Limits::default();
    let limits = Limits {
        executions: section.executions.unwrap_or(usual.executions),
        steps: section.steps.unwrap_or(usual.steps),
        stacks: section.stacks.unwrap_or(usual.stacks),
        chain: section.chain.unwrap_or(usual.chain),
    };
    // One execution of many steps holds up every other call while it runs.
    if !(1..=MOST_STEPS).contains(&limits.steps) {
        return Err(wrong("limits.steps", limits.steps, "expected 1 to 100000"));
    }
    if limits.executions == 0 || limits.stacks == 0 || limits.chain == 0 {
        return Err(wrong("limits", 0, "expected at least 1"));
    }
    Ok(limits)
}

fn speech(section: file::Speech) -> Result<SpeechSettings, SettingsError> {
    let embedded = cfg!(feature = "speech");
    match section.engine.as_deref() {
        Some("embedded") if !embedded => {
            let expected = "this binary was built without the feature \"speech\"; use \"espeak-ng\" or \"http\"";
            Err(wrong("speech.engine", "embedded", expected))
        }
        None if !embedded => Ok(SpeechSettings::Program),
        None | Some("embedded") => Ok(SpeechSettings::Embedded),
        Some("espeak-ng") => Ok(SpeechSettings::Program),
        Some("http") => match section.url {
            Some(url) => Ok(SpeechSettings::Http {
                url,
                key: section.key,
            }),
            None => Err(wrong(
                "speech.url",
                "",
                "the engine \"http\" needs the URL of its /v1/audio/speech",
            )),
        },
        Some(other) => {
            let expected = "expected \"embedded\", \"espeak-ng\" or \"http\"";
            Err(wrong("speech.engine", other, expected))
        }
    }
}

#[cfg(test)]
mod tests;
