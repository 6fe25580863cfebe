//! `flowswitch serve`: from settings to a running switch, and its end.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime};

use anyhow::Context as _;
use flowswitch_media::host::{HostConfig, MediaHost};
use flowswitch_media::prompt::Prompt;
use tokio::runtime::Handle;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use super::config::{Settings, SpeechSettings, secrets};
use super::driver::{Driver, Replies};
use super::external::Externals;
use super::fetch::{ApiKey, OutboundPolicy, ProviderConfig, install_tls};
use super::outside::{Outside, OutsideConfig};
use super::prompts::{PromptLimits, Prompts, PromptsConfig};
use super::resolver::Resolver;
use super::service::{Opened, Service, ServiceConfig, open};
use super::speech::{HttpVoiceConfig, SpeechConfig};
use super::transport::{Counters, Transports};
use crate::api::{Line, Made, Readiness, news};
use crate::ids::Rng;
use crate::sip::{Endpoint, EndpointConfig, Limits, SipHost};
use crate::store::access::Access;
use crate::store::agents::AgentTable;
use crate::store::conferences::ConferenceTable;
use crate::store::directory::Directory;
use crate::store::flows::FlowTable;
use crate::store::queues::QueueTable;
use crate::store::trunks::TrunkTable;
use crate::switch::{Assistant, Configuration, Input, Switch, SwitchConfig};
use crate::time::Epoch;

/// Inputs that wait for the switch: about a tenth of a second of work.
const QUEUE: usize = 8192;
/// Calls at once: what one machine's ports and memory can carry.
const CALLS: usize = 16_000;
/// A call has a handful of transactions alive, most of them over and waiting for resends.
const TRANSACTIONS: usize = 200_000;
/// A trunk that is down is known to be so within a minute or so; it also keeps the way back through a NAT
/// open.
const TRUNKS_PROBED_EVERY: Duration = Duration::from_secs(30);

/// Serves until SIGTERM or SIGINT, then ends every call in order.
///
/// The switch and its SIP sockets share the thread that this runs on, so that a message comes from its socket
/// to its call without waking anybody; what may take longer (HTTP, DNS, speech, files) is carried out by
/// `errands`.
pub async fn serve(settings: Settings, errands: Handle) -> anyhow::Result<()> {
    install_tls();
    let mut rng = Rng::new(rand::random());
    let passwords = secrets::passwords(&settings.data, &settings.extensions, &mut rng)?;
    for doubt in &settings.doubts {
        tracing::warn!("{doubt}");
    }
    let epoch = Epoch::new(Instant::now(), SystemTime::now());
    let opening = open(settings.clone(), passwords.clone(), epoch, rng.fork());
    // On the threads that will use them, so that they never wake the thread of the switch.
    let Opened {
        records,
        writer,
        origin,
        key,
        configurator,
        start,
    } = errands.spawn(opening).await.context("the start failed")??;

    let (answers, inputs) = mpsc::channel(QUEUE);
    let counters = Arc::new(Counters::default());
    let transports = Transports::bind(&settings.listen, &answers, &counters).await?;
    let (sink, events) = mpsc::unbounded_channel();
    let host = HostConfig {
        threads: settings.media_threads,
        ports: settings.rtp_ports.clone(),
        name: "media".to_owned(),
        seed: rand::random(),
    };
    let media = MediaHost::start(host, move |told| {
        // Nobody listens any more when the switch has stopped.
        let _ = sink.send(told);
    })
    .context("cannot start the media engine")?;
    let resolver = Arc::new(Resolver::from_system(transports.outlets(), rng.fork())?);
    let prompts = Arc::new(Prompts::new(prompts_config(&settings))?);
    let outside = Arc::new(Outside::new(outside_config(&settings))?);
    let externals = Externals::new(outbound_policy(&settings), answers.clone(), errands.clone());

    let (line, ends) = Line::new();
    let (desk, told) = news();
    let service = ServiceConfig {
        settings: &settings,
        records: records.clone(),
        line,
        told,
        epoch,
        origin,
        configured: start.configured,
        key: &key,
        rng: rng.fork(),
    };
    let service = Service::start(service, &errands).await?;
    let http = service.address();
    let screen = start_screen(&settings, &transports, &start.flows, &passwords, http, &key)?;
    let mut switch = new_switch(&settings, start.configuration, epoch, &mut rng);
    switch.handle_input(Instant::now(), Input::Flows(start.flows));
    let driver = Driver {
        switch,
        transports,
        media,
        resolver,
        prompts,
        outside,
        externals,
        errands: errands.clone(),
        inputs,
        answers: answers.clone(),
        ready: VecDeque::new(),
        asked: ends.requests,
        replies: Replies::default(),
        desk,
        events,
    };
    let running = tokio::spawn(driver.run());
    errands.spawn(configurator.run(ends.changes, answers.clone()));
    let writing = errands.spawn(writer.run());
    let service = service.run(&errands);
    errands.spawn(stop_on_signal(answers, service.readiness())?);
    print!("{screen}");
    let ended = running.await.context("the switch failed");
    service.stop().await;
    records.close();
    // It gives up by itself after a while.
    writing.await.context("the records failed")?;
    ended
}

fn new_switch(
    settings: &Settings,
    configuration: Configuration,
    epoch: Epoch,
    rng: &mut Rng,
) -> Switch {
    let endpoint = EndpointConfig {
        external_address: settings.external_address,
        user_agent: concat!("flowswitch/", env!("CARGO_PKG_VERSION")).to_owned(),
        session_expires: Duration::from_secs(1800),
        min_se: Duration::from_secs(90),
        limits: Limits {
            transactions: TRANSACTIONS,
            dialogs: CALLS,
        },
    };
    let config = SwitchConfig {
        recordings: settings.data.join("recordings"),
        beep: Arc::new(Prompt::beep()),
        realm: "flowswitch".to_owned(),
        configuration,
    };
    let endpoint = Endpoint::new(endpoint, rng.fork());
    Switch::new(Instant::now(), config, endpoint, epoch, rng.fork())
}

/// What can change while the switch runs: as the settings have it, and what the API has made beside it. What both
/// have is as the settings say.
pub(super) fn configuration(
    settings: &Settings,
    passwords: &[(String, String)],
    made: &Made,
) -> Configuration {
    // Of two with one name the last is found.
    let passwords = made.extensions.iter().chain(passwords).cloned().collect();
    let agents = settings
        .agents
        .iter()
        .chain(&made.agents)
        .cloned()
        .collect();
    Configuration {
        access: Access::new(settings.accept, settings.trunks.clone(), passwords),
        digest: settings.digest.clone(),
        flow_limits: settings.flow_limits,
        calls: CALLS,
        providers: outside_config(settings).providers(),
        assistant: assistant(settings),
        codecs: settings.codecs.clone(),
        directory: Directory {
            trunks: TrunkTable::new(settings.trunks.clone()),
            agents: AgentTable::new(agents),
            queues: QueueTable::new(settings.queues.clone()),
            conferences: ConferenceTable::new(settings.conferences.clone()),
            dial_allow: settings.dial_allow.clone(),
            protection: settings.protection.clone(),
        },
        trunks_probed_every: Some(TRUNKS_PROBED_EVERY),
    }
}

/// What the hosts and URLs of flows may reach.
pub(super) fn outbound_policy(settings: &Settings) -> OutboundPolicy {
    OutboundPolicy {
        allow: settings.outbound_allow.clone(),
    }
}

fn outside_config(settings: &Settings) -> OutsideConfig {
    let servers = settings.servers.clone();
    OutsideConfig {
        outbound: outbound_policy(settings),
        smtp: servers.smtp,
        message: servers.message,
        transcription: servers.transcription,
        chat: servers.chat,
    }
}

fn assistant(settings: &Settings) -> Assistant {
    let mut assistant = Assistant::default();
    if let Some(prompt) = &settings.servers.assistant {
        assistant.prompt.clone_from(prompt);
    }
    if let Some(chat) = &settings.servers.chat {
        assistant.model.clone_from(&chat.model);
    }
    assistant
}

fn prompts_config(settings: &Settings) -> PromptsConfig {
    let speech = match &settings.speech {
        SpeechSettings::Embedded => SpeechConfig::Embedded,
        SpeechSettings::Program => SpeechConfig::Program {
            program: "espeak-ng".into(),
        },
        SpeechSettings::Http { url, key } => {
            let (url, key) = (url.clone(), key.clone().map(ApiKey::from));
            SpeechConfig::Http(HttpVoiceConfig::new(ProviderConfig { url, key }))
        }
    };
    PromptsConfig {
        flows_dir: settings.flows.clone(),
        data_dir: settings.data.clone(),
        speech,
        outbound: outbound_policy(settings),
        limits: PromptLimits::default(),
    }
}

fn stop_on_signal(
    inputs: mpsc::Sender<Input>,
    readiness: Arc<Readiness>,
) -> anyhow::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        readiness.is_draining.store(true, Ordering::Relaxed);
        // When the switch is gone there is nothing to stop.
        let _ = inputs.send(Input::Stop).await;
    })
}

/// What a person needs to see after the start, on one screen; the last line says `ready`.
fn start_screen(
    settings: &Settings,
    transports: &Transports,
    flows: &FlowTable,
    passwords: &[(String, String)],
    http: Option<SocketAddr>,
    key: &str,
) -> Result<String, std::fmt::Error> {
    let mut screen = String::new();
    writeln!(screen, "flowswitch {}", env!("CARGO_PKG_VERSION"))?;
    for (transport, address) in transports.listening() {
        writeln!(
            screen,
            "  sip         {} {address}",
            transport.token().to_ascii_lowercase()
        )?;
    }
    let (low, high) = (settings.rtp_ports.start(), settings.rtp_ports.end());
    writeln!(
        screen,
        "  media       rtp ports {low}-{high}, {} threads",
        settings.media_threads
    )?;
    if let Some(address) = http {
        writeln!(screen, "  http        http://{address}/docs")?;
        let configured = settings.service.accesskey.is_some();
        let shown = if configured { "(as configured)" } else { key };
        writeln!(screen, "  access key: {shown}")?;
    }
    writeln!(screen, "  flows       {}", settings.flows.display())?;
    for flow in flows.iter() {
        let numbers = flow.numbers.join(", ");
        writeln!(screen, "    {:<10}{numbers}", flow.name)?;
    }
    for entry in &settings.numbers {
        let flow = entry.call_flow.as_deref().unwrap_or("(no calls)");
        writeln!(screen, "  number      {} -> {flow}", entry.number)?;
    }
    directory_lines(&mut screen, settings)?;
    for ((extension, password), (_, configured)) in passwords.iter().zip(&settings.extensions) {
        let shown = if configured.is_some() {
            "(as configured)"
        } else {
            password
        };
        writeln!(screen, "  extension   {extension}  password: {shown}")?;
    }
    writeln!(
        screen,
        "  recordings  {}",
        settings.data.join("recordings").display()
    )?;
    if let (Some(flow), Some((_, address))) = (flows.iter().next(), transports.listening().first())
    {
        let example = flows.find("menu").unwrap_or(flow);
        let host = if address.ip().is_unspecified() {
            "this-machine".to_owned()
        } else {
            address.ip().to_string()
        };
        writeln!(
            screen,
            "  dial        sip:{}@{host}:{}",
            example.name,
            address.port()
        )?;
    }
    writeln!(screen, "ready")?;
    Ok(screen)
}

/// Whom the switch can call: a line for each trunk, and one for each kind of the others.
fn directory_lines(screen: &mut String, settings: &Settings) -> std::fmt::Result {
    for trunk in &settings.trunks {
        let reached = match &trunk.out {
            Some(out) => format!("{}  {}", place(&out.host), out.prefixes.join(" ")),
            None => "(calls in only)".to_owned(),
        };
        writeln!(screen, "  trunk       {}  {reached}", trunk.name)?;
    }
    let queues = settings.queues.iter().map(|queue| queue.name.as_str());
    let agents = settings.agents.iter().map(|agent| agent.name.as_str());
    let conferences = settings.conferences.iter().map(|room| room.name.as_str());
    let kinds: [(&str, Vec<&str>); 3] = [
        ("queues", queues.collect()),
        ("agents", agents.collect()),
        ("conferences", conferences.collect()),
    ];
    for (kind, names) in kinds {
        if !names.is_empty() {
            writeln!(screen, "  {kind:<11} {}", names.join(", "))?;
        }
    }
    Ok(())
}

/// A host as the configuration writes it, and its transport.
fn place(host: &SipHost) -> String {
    let mut place = match host.transport {
        Some(transport) => format!("{}:{}", transport.token().to_ascii_lowercase(), host.host),
        None => host.host.to_string(),
    };
    if let Some(port) = host.port {
        place.push_str(&format!(":{port}"));
    }
    place
}
