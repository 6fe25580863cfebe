//! The real binary on loopback, with a directory of its own, for the length of one story.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::called::PASSWORD;
use crate::phone::Phone;
use crate::rtp::wait;
use crate::wav;

const BINARY: &str = env!("CARGO_BIN_EXE_flowswitch");

/// Ports that one switch gets: the first for SIP, the rest for RTP.
const BLOCK: u16 = 100;

/// What a switch is started with.
pub struct Setting {
    dir: tempfile::TempDir,
    config: String,
}

impl Setting {
    /// An empty flows directory but for one flow: `tone` answers and plays 440 Hz.
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("flows")).unwrap();
        Setting { dir, config: String::new() }.file("440.wav", &wav::plain(440.0, 3000)).flow(
            "tone",
            r#"[{"type": "answer"}, {"type": "play", "option": {"stream_urls": ["440.wav"]}}, {"type": "hangup"}]"#,
        )
    }

    /// Puts a flow into the directory.
    pub fn flow(self, name: &str, json: &str) -> Self {
        self.file(&format!("{name}.json"), json.as_bytes())
    }

    /// Puts a file into the flows directory.
    pub fn file(self, name: &str, bytes: &[u8]) -> Self {
        fs::write(self.flows().join(name), bytes).unwrap();
        self
    }

    /// Adds to flowswitch.toml; `flows` and `data` stand there already.
    pub fn config(mut self, toml: &str) -> Self {
        self.config.push_str(toml);
        self.config.push('\n');
        self
    }

    /// A trunk at `phone` that takes numbers which begin with `prefix`; `more` are further keys. It is
    /// asked how it is only where they say so.
    pub fn trunk(self, name: &str, phone: &Phone, prefix: &str, more: &str) -> Self {
        let quiet = if more.contains("probe") {
            ""
        } else {
            "probe = false\n"
        };
        self.config(&format!(
            "[[trunks]]\nname = \"{name}\"\nhost = \"{}\"\nprefixes = [\"{prefix}\"]\n{quiet}{more}",
            phone.local
        ))
    }

    /// An extension that may register with the password of all.
    pub fn extension(self, user: &str) -> Self {
        self.config(&format!(
            "[[extensions]]\nextension = \"{user}\"\npassword = \"{PASSWORD}\""
        ))
    }

    /// A flow that connects the caller with `target`, "+…" by a trunk or an extension, and
    /// hangs up when that is over. `more` are further options of `connect`.
    pub fn connecting(self, name: &str, target: &str, more: &str) -> Self {
        self.flow(
            name,
            &format!(r#"[{}, {{"type": "hangup"}}]"#, connect(&[target], more)),
        )
    }

    pub fn flows(&self) -> PathBuf {
        self.dir.path().join("flows")
    }

    /// Starts the switch and waits until it is ready to take calls.
    #[track_caller]
    pub fn start(self) -> Switch {
        for _ in 0..20 {
            let block = next_block();
            let mut process = Process::spawn(self.dir.path(), &self.config, &arguments(block));
            let is_decided = wait(Duration::from_secs(20), || {
                process.is_ready() || process.ended().is_some()
            });
            if process.is_ready() {
                return Switch {
                    setting: self,
                    process,
                    port: block,
                };
            }
            // Another program took a port between our look and its bind: take the next block.
            let log = process.log();
            assert!(
                is_decided && log.to_lowercase().contains("in use"),
                "it did not get ready:\n{log}"
            );
        }
        panic!("no block of free ports");
    }

    /// Runs `flowswitch bench latency` to its end: status, and all that it said.
    #[track_caller]
    pub fn bench(&self, options: &[&str]) -> (ExitStatus, String) {
        let output = Command::new(BINARY)
            .args(["bench", "latency"])
            .args(options)
            .current_dir(self.dir.path())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status, String::from_utf8(said).unwrap())
    }

    /// Runs the binary with other arguments and waits for its end: status, and all that it said.
    #[track_caller]
    pub fn run(&self, arguments: &[&str]) -> (ExitStatus, String) {
        let arguments: Vec<String> = arguments.iter().map(|&a| a.to_owned()).collect();
        let mut process = Process::spawn(self.dir.path(), &self.config, &arguments);
        let is_over = wait(Duration::from_secs(10), || process.ended().is_some());
        let log = process.log();
        assert!(is_over, "it went on running with {arguments:?}:\n{log}");
        (process.ended().unwrap(), log)
    }
}

/// A running switch; killed when dropped. When the story failed, what it logged is printed.
pub struct Switch {
    setting: Setting,
    process: Process,
    port: u16,
}

impl Switch {
    /// Its SIP address, for UDP and TCP alike.
    pub fn sip(&self, is_v6: bool) -> SocketAddr {
        if is_v6 {
            (Ipv6Addr::LOCALHOST, self.port).into()
        } else {
            (Ipv4Addr::LOCALHOST, self.port).into()
        }
    }

    pub fn flows(&self) -> PathBuf {
        self.setting.flows()
    }

    pub fn recordings(&self) -> PathBuf {
        self.setting.dir.path().join("data/recordings")
    }

    /// Where its REST API is.
    pub fn http(&self) -> SocketAddr {
        let said = self.said("  http        http://");
        said.trim_end_matches("/docs").parse().unwrap()
    }

    /// The access key that it made for itself.
    pub fn access_key(&self) -> String {
        self.said("  access key: ")
    }

    /// What stands behind `label` on its start screen.
    fn said(&self, label: &str) -> String {
        let log = self.log();
        let line = log.lines().find_map(|line| line.strip_prefix(label));
        line.unwrap_or_else(|| panic!("it did not say {label:?}:\n{log}"))
            .to_owned()
    }

    /// All that it printed and logged so far.
    pub fn log(&self) -> String {
        self.process.log()
    }

    pub fn pid(&self) -> u32 {
        self.process.child.id()
    }

    /// Sends SIGTERM.
    pub fn terminate(&self) {
        let status = Command::new("sh")
            .args(["-c", &format!("kill -TERM {}", self.pid())])
            .status()
            .unwrap();
        assert!(status.success());
    }

    /// Ends it as a power cut does.
    pub fn kill(&mut self) {
        self.process.end();
    }

    #[track_caller]
    pub fn exit_within(&mut self, patience: Duration) -> ExitStatus {
        let process = &mut self.process;
        assert!(
            wait(patience, || process.ended().is_some()),
            "it did not end:\n{}",
            process.log()
        );
        process.ended().unwrap()
    }

    /// A call to `tone` passes: 200, the tone, BYE.
    #[track_caller]
    pub fn takes_a_call(&self) {
        let call = Phone::udp(self).named("normal").dial("tone");
        call.media.hears(440.0);
        call.hang_up();
        assert!(
            !self.log().contains("panicked"),
            "it panicked:\n{}",
            self.log()
        );
    }

    /// As [`Self::takes_a_call`], but content with the first packet of sound: for many in a row.
    #[track_caller]
    pub fn takes_a_quick_call(&self) {
        let call = Phone::udp(self).named("normal").dial("tone");
        let is_heard = wait(Duration::from_secs(2), || !call.media.packets().is_empty());
        assert!(is_heard, "no packet of sound:\n{}", self.log());
        call.hang_up();
    }

    /// Whether it ended by itself.
    pub fn is_dead(&mut self) -> bool {
        self.process.ended().is_some()
    }
}

impl Drop for Switch {
    fn drop(&mut self) {
        if thread::panicking() {
            let log = self.process.log();
            let from = log.len().saturating_sub(8000);
            let from = (from..).find(|&at| log.is_char_boundary(at)).unwrap_or(0);
            println!("---- the switch said ----\n{}", &log[from..]);
        }
    }
}

/// The action that connects with these: "+…" by a trunk, else an extension. `more` begins with a comma.
pub fn connect(targets: &[&str], more: &str) -> String {
    let addresses: Vec<String> = targets
        .iter()
        .map(|target| {
            let kind = if target.starts_with('+') {
                "tel"
            } else {
                "extension"
            };
            format!(r#"{{"type": "{kind}", "target": "{target}"}}"#)
        })
        .collect();
    format!(
        r#"{{"type": "connect", "option": {{"source": {{"type": "tel", "target": "+15550100"}},
            "destinations": [{}]{more}}}}}"#,
        addresses.join(", ")
    )
}

struct Process {
    child: Child,
    output: Arc<Mutex<String>>,
    collectors: Vec<JoinHandle<()>>,
}

impl Process {
    fn spawn(dir: &Path, config: &str, arguments: &[String]) -> Self {
        let file = dir.join("flowswitch.toml");
        fs::write(
            &file,
            format!("flows = \"flows\"\ndata = \"data\"\n{config}"),
        )
        .unwrap();
        let mut child = Command::new(BINARY)
            .arg("--config")
            .arg(&file)
            .args(arguments)
            .env_remove("RUST_LOG")
            .current_dir(dir)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let output = Arc::new(Mutex::new(String::new()));
        let collectors = vec![
            collect(child.stdout.take().unwrap(), output.clone()),
            collect(child.stderr.take().unwrap(), output.clone()),
        ];
        Process {
            child,
            output,
            collectors,
        }
    }

    fn log(&self) -> String {
        self.output.lock().unwrap().clone()
    }

    fn is_ready(&self) -> bool {
        self.log().lines().any(|line| line.starts_with("ready"))
    }

    /// Its status when it is over; all that it said is in the log then.
    fn ended(&mut self) -> Option<ExitStatus> {
        let status = self.child.try_wait().unwrap()?;
        for collector in self.collectors.drain(..) {
            let _ = collector.join();
        }
        Some(status)
    }

    fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}

fn collect(stream: impl Read + Send + 'static, output: Arc<Mutex<String>>) -> JoinHandle<()> {
    thread::spawn(move || {
        let mut lines = BufReader::new(stream);
        let mut line = Vec::new();
        while lines.read_until(b'\n', &mut line).is_ok_and(|len| len > 0) {
            output
                .lock()
                .unwrap()
                .push_str(&String::from_utf8_lossy(&line));
            line.clear();
        }
    })
}

fn arguments(block: u16) -> Vec<String> {
    let rtp = format!("{}-{}", block + 2, block + BLOCK - 1);
    let mut arguments = vec![
        "--sip".to_owned(),
        format!("127.0.0.1:{block}"),
        "--rtp-ports".to_owned(),
        rtp,
        "--http".to_owned(),
        "127.0.0.1:0".to_owned(),
    ];
    if has_ipv6() {
        arguments.extend(["--sip".to_owned(), format!("[::1]:{block}")]);
    }
    arguments
}

/// Whether this machine has an IPv6 loopback.
pub fn has_ipv6() -> bool {
    UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).is_ok()
}

/// A block of ports below the system's ephemeral range, whose first is free for UDP and TCP.
///
/// Blocks are given out once per run and start at a place of the run's own, so that neither the stories of
/// one run nor two runs on one machine meet.
fn next_block() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    const BLOCKS: u16 = 210;
    let first = (std::process::id() % u32::from(BLOCKS)) as u16;
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(5) {
        let number = first.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % BLOCKS;
        let port = 11_000 + number * BLOCK;
        let (udp, tcp) = (
            UdpSocket::bind(("127.0.0.1", port)),
            TcpListener::bind(("127.0.0.1", port)),
        );
        if udp.is_ok() && tcp.is_ok() {
            return port;
        }
    }
    panic!("no free port between 11000 and 32000");
}
