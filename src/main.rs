//! The command line of flowswitch.

use std::io::IsTerminal as _;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use flowswitch::shell::check::{self, CheckOptions};
use flowswitch::shell::config::{FileConfig, Overrides, Settings};
use flowswitch::shell::dry_run::{self, TestOptions};
use flowswitch::shell::latency::{self, LatencyOptions};
use flowswitch::shell::log::Log;
use flowswitch::shell::serve::serve;
use tokio::runtime;

/// A softswitch in one process: SIP, RTP media, and call flows written as JSON.
#[derive(Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
struct CommandLine {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    options: ServeOptions,
}

#[derive(Subcommand)]
enum Command {
    /// Take calls (the default)
    Serve(ServeOptions),
    /// Say what is wrong with flow files, and how to mend it
    Check(CheckOptions),
    /// Run the tests beside flow files, without a phone and in virtual time
    Test(TestOptions),
    /// Measure a SIP server, this one or another
    #[command(subcommand)]
    Bench(Bench),
}

#[derive(Subcommand)]
enum Bench {
    /// Call somebody who sends back what it hears: round trip, loss and jitter of the media path
    Latency(LatencyOptions),
}

#[derive(Args, Default)]
struct ServeOptions {
    /// Configuration file; see examples/flowswitch.toml
    #[arg(long, value_name = "FILE", env = "FLOWSWITCH_CONFIG")]
    config: Option<PathBuf>,
    /// Directory of flows, NAME.json each [default: examples/flows if there, else flows]
    #[arg(long, value_name = "DIR", env = "FLOWSWITCH_FLOWS")]
    flows: Option<PathBuf>,
    /// Directory of recordings and generated passwords [default: data]
    #[arg(long, value_name = "DIR", env = "FLOWSWITCH_DATA")]
    data: Option<PathBuf>,
    /// Where to listen, without prefix by UDP and TCP; repeatable [default: 0.0.0.0:5060]
    #[arg(
        long,
        value_name = "[udp:|tcp:]ADDR:PORT",
        env = "FLOWSWITCH_SIP",
        value_delimiter = ','
    )]
    sip: Vec<String>,
    /// The address that peers outside are told, when this machine is behind NAT
    #[arg(long, value_name = "ADDR", env = "FLOWSWITCH_EXTERNAL_ADDRESS")]
    external_address: Option<IpAddr>,
    /// Ports of RTP and RTCP [default: 16384-32767]
    #[arg(long, value_name = "LOW-HIGH", env = "FLOWSWITCH_RTP_PORTS")]
    rtp_ports: Option<String>,
    /// Threads of the media engine [default: one per core]
    #[arg(long, value_name = "N", env = "FLOWSWITCH_MEDIA_THREADS")]
    media_threads: Option<usize>,
    /// Where the REST API listens, or off [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR:PORT", env = "FLOWSWITCH_HTTP")]
    http: Option<String>,
    /// Where records and what the API configures are kept: sqlite:PATH or postgres://USER:PASSWORD@HOST/NAME
    /// [default: flowswitch.sqlite in the data directory]
    #[arg(
        long,
        value_name = "URL",
        env = "FLOWSWITCH_DATABASE",
        hide_env_values = true
    )]
    database: Option<String>,
    /// error, warn, info, debug, trace, or a filter such as flowswitch::sip=debug [default: info]
    #[arg(long, value_name = "LEVEL", env = "FLOWSWITCH_LOG")]
    log: Option<String>,
}

fn main() -> ExitCode {
    let command = match CommandLine::try_parse() {
        Ok(line) => line.command.unwrap_or(Command::Serve(line.options)),
        Err(error) if error.use_stderr() => return fail(&one_line(&error.render().to_string())),
        Err(help) => {
            print!("{help}");
            return ExitCode::SUCCESS;
        }
    };
    let done = match command {
        Command::Serve(options) => run(options).map(|()| true),
        Command::Check(options) => run_check(&options),
        Command::Test(options) => {
            dry_run::run(&options, &mut std::io::stdout().lock()).map_err(Into::into)
        }
        Command::Bench(Bench::Latency(options)) => {
            latency::run(&options, &mut std::io::stdout().lock())
                .map(|()| true)
                .map_err(Into::into)
        }
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => fail(&one_line(&format!("{error:#}"))),
    }
}

fn run(options: ServeOptions) -> anyhow::Result<()> {
    let file = options.config.as_deref();
    let settings = Settings::new(
        Overrides {
            flows: options.flows,
            data: options.data,
            sip: options.sip,
            external_address: options.external_address,
            rtp_ports: options.rtp_ports,
            media_threads: options.media_threads,
            http: options.http,
            database: options.database,
            log: options.log,
        },
        file.map_or_else(|| Ok(FileConfig::default()), FileConfig::read)?,
        file.and_then(Path::parent).unwrap_or(Path::new("")),
    )?;
    let filter = tracing_subscriber::EnvFilter::try_new(&settings.log)
        .map_err(|error| anyhow::anyhow!("log = {:?}: {error}", settings.log))?;
    let (_log, lines) = Log::start(std::io::stderr())?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(move || lines.clone())
        .init();
    let errands = runtime::Builder::new_multi_thread().enable_all().build()?;
    let signalling = runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    signalling.block_on(serve(settings, errands.handle().clone()))
}

/// Whether all is well.
fn run_check(options: &CheckOptions) -> anyhow::Result<bool> {
    let file = options.config.as_deref();
    let settings = Settings::new(
        Overrides::default(),
        file.map_or_else(|| Ok(FileConfig::default()), FileConfig::read)?,
        file.and_then(Path::parent).unwrap_or(Path::new("")),
    )?;
    let mut out = std::io::stdout().lock();
    Ok(check::run(options, settings.outbound_allow, &mut out)?)
}

/// The message without clap's usage text, and without line ends.
fn one_line(message: &str) -> String {
    let lines: Vec<&str> = message
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with("Usage:"))
        .collect();
    lines.join(" ").trim_start_matches("error: ").to_owned()
}

#[expect(
    clippy::print_stderr,
    reason = "the one line that says why nothing runs"
)]
fn fail(message: &str) -> ExitCode {
    eprintln!("error: {message}");
    ExitCode::FAILURE
}
