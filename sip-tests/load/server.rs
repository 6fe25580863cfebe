//! What answers the calls: the switch, or the floor in its place.

use std::fmt::Write as _;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use crate::floor;
use crate::process::{Memory, Process, last_words};
use crate::sipp::{Sipp, free_port};
use crate::work::{Floor, Plan, SHORT};

/// Where things are.
#[derive(Clone, Debug)]
pub struct Places {
    /// The switch's binary.
    pub switch: PathBuf,
    /// The directory of `caller.xml` and `callee.xml`.
    pub scenarios: PathBuf,
    /// An empty directory for all that is written, removed in the end.
    pub work: PathBuf,
}

/// One of them, running.
pub struct Server {
    /// Where it is called.
    pub sip: SocketAddr,
    log: PathBuf,
    switch: Option<Process>,
    sipp: Option<Sipp>,
    floor: Option<Process>,
    counts_sipp: bool,
}

impl Server {
    /// The switch with this one flow, and its trunk at `trunk`.
    pub fn switch(
        places: &Places,
        dir: &Path,
        plan: &Plan,
        prompt: Duration,
        trunk: Option<SocketAddr>,
    ) -> anyhow::Result<Self> {
        let flows = dir.join("flows");
        fs::create_dir_all(&flows).with_context(|| format!("cannot make {flows:?}"))?;
        fs::write(flows.join(format!("{}.json", plan.user)), plan.flow)?;
        fs::write(flows.join("long.wav"), wav(prompt))?;
        fs::write(flows.join("short.wav"), wav(SHORT))?;
        let config = dir.join("flowswitch.toml");
        fs::write(&config, configuration(trunk))?;
        let sip = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
        let log = dir.join("switch.log");
        let mut command = Command::new(&places.switch);
        command
            .current_dir(dir)
            .env_clear()
            .arg("--config")
            .arg(&config)
            .args(["--sip", &sip.to_string()])
            .args(["--http", "127.0.0.1:0"])
            // Below the ports that the system gives to whoever asks for none.
            .args(["--rtp-ports", "10000-32767"]);
        let switch = Process::start("the switch", &mut command, &log)?;
        let server = Self {
            sip,
            log,
            switch: Some(switch),
            sipp: None,
            floor: None,
            counts_sipp: false,
        };
        server.get_ready()?;
        Ok(server)
    }

    /// The floor of this work for so many callers.
    pub fn floor(
        places: &Places,
        dir: &Path,
        floor: Floor,
        callers: usize,
    ) -> anyhow::Result<Self> {
        fs::create_dir_all(dir).with_context(|| format!("cannot make {dir:?}"))?;
        let log = dir.join("floor.log");
        let (mover, ports) = match floor {
            Floor::Answers => (None, vec![NOBODY]),
            Floor::Moves(kind) | Floor::Both(kind) => {
                let (mover, ports) = start_floor(kind, callers, &log)?;
                (Some(mover), ports)
            }
        };
        let sipp = Sipp::callee(&places.scenarios, dir.join("server"), &ports, false)?;
        let server = Self {
            sip: sipp.address(),
            log,
            switch: None,
            sipp: Some(sipp),
            floor: mover,
            counts_sipp: !matches!(floor, Floor::Moves(_)),
        };
        // SIPp says nothing when it is ready.
        thread::sleep(Duration::from_millis(500));
        server.is_alive()?;
        Ok(server)
    }

    /// Time on a CPU so far.
    pub fn cpu(&self) -> anyhow::Result<Duration> {
        self.is_alive()?;
        let sipp = self.sipp.as_ref().filter(|_| self.counts_sipp);
        let measured = self.switch.iter().chain(&self.floor);
        measured
            .chain(sipp.map(Sipp::process))
            .try_fold(Duration::ZERO, |sum, process| Ok(sum + process.cpu()?))
    }

    /// Of the switch; nothing of the floor.
    pub fn memory(&self) -> anyhow::Result<Memory> {
        self.switch
            .as_ref()
            .map_or(Ok(Memory::default()), Process::memory)
    }

    /// Ends it, in order if it is the switch.
    pub fn stop(self) -> anyhow::Result<()> {
        let Some(switch) = &self.switch else {
            return Ok(());
        };
        let status = switch.terminate()?;
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        if !status.success() || log.contains("panicked") {
            bail!("the switch failed ({status}):\n{}", last_words(&self.log));
        }
        Ok(())
    }

    /// Claims that all of it still runs.
    fn is_alive(&self) -> anyhow::Result<()> {
        let sipp = self.sipp.as_ref().map(Sipp::process);
        for process in self.switch.iter().chain(&self.floor).chain(sipp) {
            if let Some(status) = process.ended() {
                let words = match &self.sipp {
                    Some(sipp) => sipp.complaint(),
                    None => last_words(&self.log),
                };
                bail!("what answers the calls is gone ({status}):\n{words}");
            }
        }
        Ok(())
    }

    fn get_ready(&self) -> anyhow::Result<()> {
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(30) {
            let said = fs::read_to_string(&self.log).unwrap_or_default();
            if said.lines().any(|line| line == "ready") {
                return Ok(());
            }
            self.is_alive()?;
            thread::sleep(Duration::from_millis(50));
        }
        bail!("the switch did not get ready:\n{}", last_words(&self.log));
    }
}

/// Starts the loop, and waits for the ports it has.
fn start_floor(kind: floor::Kind, calls: usize, log: &Path) -> anyhow::Result<(Process, Vec<u16>)> {
    let kind = clap::ValueEnum::to_possible_value(&kind)
        .map(|value| value.get_name().to_owned())
        .unwrap_or_default();
    let mut command = Command::new(std::env::current_exe()?);
    command.args([FLOOR, &kind, &calls.to_string()]);
    let process = Process::start("the floor", &mut command, log)?;
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(10) {
        let said = fs::read_to_string(log).unwrap_or_default();
        if let Some((line, _)) = said.split_once('\n') {
            let ports: Result<Vec<u16>, _> = line.split(' ').map(str::parse).collect();
            return Ok((process, ports.with_context(|| said.clone())?));
        }
        thread::sleep(Duration::from_millis(20));
    }
    bail!("the floor did not get ready:\n{}", last_words(log));
}

fn configuration(trunk: Option<SocketAddr>) -> String {
    let mut text = r#"flows = "flows"
data = "data"
log = "warn"

[[conferences]]
id = "367e0e7a-3a8c-11eb-bb08-f3c3f059cfbe"
name = "room"
"#
    .to_owned();
    if let Some(address) = trunk {
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            r#"
[[trunks]]
name = "callees"
host = "{address}"
prefixes = ["+"]
probe = false
channels = 16000
cps = 1000
calls_per_day = 1000000
"#
        );
    }
    text
}

/// A prompt: noise at the level of speech, 16-bit PCM at 8 kHz.
fn wav(length: Duration) -> Vec<u8> {
    let samples = u32::try_from(length.as_millis() * 8).unwrap_or(u32::MAX / 2);
    let mut file = Vec::new();
    let word = |file: &mut Vec<u8>, word: u32| file.extend_from_slice(&word.to_le_bytes());
    file.extend_from_slice(b"RIFF");
    word(&mut file, 36 + 2 * samples);
    file.extend_from_slice(b"WAVEfmt ");
    for part in [16, 0x0001_0001, 8_000, 16_000, 0x0010_0002] {
        word(&mut file, part);
    }
    file.extend_from_slice(b"data");
    word(&mut file, 2 * samples);
    let mut state = 1_u32;
    for _ in 0..samples {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let sample = ((state >> 16) as u16 as i16) / 10;
        file.extend_from_slice(&sample.to_le_bytes());
    }
    file
}

/// The first argument of this program when it is to be the floor.
pub const FLOOR: &str = "floor";
/// The port of a call's sound where none is sent: discard (RFC 863).
pub const NOBODY: u16 = 9;
