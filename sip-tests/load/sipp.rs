//! SIPp, which does the signalling: callers and callees of `caller.xml` and `callee.xml`.

use std::collections::HashMap;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;

use crate::process::{Process, last_words};

/// Calls to be made.
#[derive(Clone, Copy, Debug)]
pub struct Calls<'a> {
    pub server: SocketAddr,
    pub user: &'a str,
    pub count: usize,
    /// Begun in a second.
    pub rate: usize,
    /// From the answer to the BYE.
    pub hold: Duration,
}

/// One SIPp that is running.
pub struct Sipp {
    process: Process,
    dir: PathBuf,
    port: u16,
}

/// How its calls went.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    pub succeeded: u64,
    pub failed: u64,
    /// Messages that belong to no call of it.
    pub strange: u64,
    /// Messages that it sent again, or that came again.
    pub retransmissions: u64,
    /// From INVITE to 200, in milliseconds and sorted; in whole ones when nobody listened.
    pub setup: Vec<f64>,
}

impl Sipp {
    /// Calls, each with the next of `media` as its RTP port. When somebody listens, the file `told` in `dir`
    /// says `up OURS THEIRS` when a call has its two RTP ports, and `end OURS` when it is over.
    pub fn caller(
        scenarios: &Path,
        dir: PathBuf,
        calls: Calls<'_>,
        media: &[u16],
        is_heard: bool,
    ) -> anyhow::Result<Self> {
        // It is as patient as the slowest call of a server that resends all it can.
        let timeout = calls.count / calls.rate.max(1) + calls.hold.as_secs() as usize + 60;
        Self::start("caller", scenarios, dir, media, is_heard, |command| {
            command
                .arg(calls.server.to_string())
                .args(["-s", calls.user, "-trace_rtt", "-rtt_freq", "1"])
                .args(["-m", &calls.count.to_string()])
                .args(["-l", &calls.count.to_string()])
                .args(["-r", &calls.rate.to_string()])
                .args(["-d", &calls.hold.as_millis().to_string()])
                .args(["-recv_timeout", "10000", "-timeout_error"])
                .args(["-timeout", &timeout.to_string()]);
        })
    }

    /// Is called, as often as there are calls, until it is dropped or an hour is over.
    pub fn callee(
        scenarios: &Path,
        dir: PathBuf,
        media: &[u16],
        is_heard: bool,
    ) -> anyhow::Result<Self> {
        Self::start("callee", scenarios, dir, media, is_heard, |command| {
            command.args(["-timeout", "3600"]);
        })
    }

    fn start(
        name: &str,
        scenarios: &Path,
        dir: PathBuf,
        media: &[u16],
        is_heard: bool,
        more: impl FnOnce(&mut Command),
    ) -> anyhow::Result<Self> {
        fs::create_dir(&dir).with_context(|| format!("cannot make {dir:?}"))?;
        let ports: String = media.iter().map(|port| format!("{port};\n")).collect();
        fs::write(dir.join("ports.csv"), format!("SEQUENTIAL\n{ports}"))?;
        let scenario = format!("{name}.xml");
        fs::copy(scenarios.join(&scenario), dir.join(&scenario))
            .with_context(|| format!("no {scenario} in {scenarios:?}"))?;
        let port = free_port()?;
        let mut command = Command::new("sipp");
        command
            .current_dir(&dir)
            .args(["-sf", &scenario, "-inf", "ports.csv"])
            .args(["-i", "127.0.0.1", "-p", &port.to_string()])
            // The port of its remote control, which nobody uses.
            .args(["-cp", &free_port()?.to_string(), "-nostdin"])
            .args(["-watchdog_interval", "0", "-buff_size", "4194304"])
            .args(["-trace_err", "-error_file", "errors"])
            .args(["-trace_stat", "-stf", "stat.csv", "-fd", "1"])
            .arg("-trace_counts");
        if is_heard {
            command.args(["-trace_logs", "-log_file", "told"]);
        }
        more(&mut command);
        let process = Process::start("SIPp", &mut command, &dir.join("screen"))
            .context("is SIPp installed? On Debian it is apt-get install sip-tester")?;
        Ok(Self { process, dir, port })
    }

    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Where it is called.
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// What it complains about.
    pub fn complaint(&self) -> String {
        let errors = last_words(&self.dir.join("errors"));
        if errors.starts_with('(') {
            last_words(&self.dir.join("screen"))
        } else {
            errors
        }
    }

    /// Reads its counters, which are complete when it is over.
    pub fn outcome(&self) -> Outcome {
        let read = |name: &str| fs::read_to_string(self.dir.join(name)).unwrap_or_default();
        let of_process = |what| {
            let role = if self.dir.join("caller.xml").exists() {
                "caller"
            } else {
                "callee"
            };
            read(&format!("{role}_{}_{what}.csv", self.process.pid()))
        };
        let (stat, counts) = (read("stat.csv"), of_process("counts"));
        let mut setup = setups(&read("told"));
        if setup.is_empty() {
            let table = of_process("rtt");
            let rows = table.lines().skip(1);
            setup.extend(rows.filter_map(|row| row.split(';').nth(1)?.parse::<f64>().ok()));
        }
        setup.sort_by(f64::total_cmp);
        Outcome {
            succeeded: last(&stat, |name| name == "SuccessfulCall(C)"),
            failed: last(&stat, |name| name == "FailedCall(C)"),
            strange: last(&stat, |name| {
                matches!(name, "OutOfCallMsgs(C)" | "DeadCallMsgs(C)")
            }),
            retransmissions: last(&counts, |name| name.ends_with("_Retrans")),
            setup,
        }
    }
}

/// Milliseconds from `out CALL … TIME` to `up OURS THEIRS CALL … TIME`, where a time is in seconds since 1970.
fn setups(told: &str) -> Vec<f64> {
    let mut begun = HashMap::new();
    let mut setups = Vec::new();
    for line in told.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let time = words.last().and_then(|word| word.parse::<f64>().ok());
        match (words.as_slice(), time) {
            (["out", call, ..], Some(time)) => {
                begun.insert(*call, time);
            }
            (["up", _, _, call, ..], Some(time)) => {
                setups.extend(begun.remove(call).map(|begin| (time - begin) * 1000.0));
            }
            _ => {}
        }
    }
    setups
}

/// The sum of the columns that `is_wanted` names, in the last line of a table of SIPp.
fn last(table: &str, is_wanted: impl Fn(&str) -> bool) -> u64 {
    let mut lines = table.lines();
    let names = lines.next().unwrap_or_default().split(';');
    let figures = lines.next_back().unwrap_or_default().split(';');
    names
        .zip(figures)
        .filter(|(name, _)| is_wanted(name))
        .filter_map(|(_, figure)| figure.parse::<u64>().ok())
        .sum()
}

/// A port that nobody has on loopback, neither for UDP nor for TCP.
pub fn free_port() -> anyhow::Result<u16> {
    for _ in 0..100 {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port")?;
        let address = socket.local_addr()?;
        if std::net::TcpListener::bind(address).is_ok() {
            return Ok(address.port());
        }
    }
    anyhow::bail!("no port is free for UDP and TCP alike");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_those_of_the_last_line() {
        let table = "A;x_Retrans;B;y_Retrans;\n1;1;1;1;\n2;3;4;5;\n";
        assert_eq!(last(table, |name| name.ends_with("_Retrans")), 8);
        assert_eq!(last(table, |name| name == "A"), 2);
        assert_eq!(last("", |_| true), 0);
    }

    #[test]
    fn set_up_takes_from_the_first_word_of_a_call_to_its_answer() {
        let told = "out 1 day hour 100.0005\nout 2 day hour 100.001\nup 40000 16384 1 day hour 100.002\nend 40000\n";
        let setups = setups(told);
        assert_eq!(setups.len(), 1);
        assert!((setups[0] - 1.5).abs() < 0.001);
    }
}
