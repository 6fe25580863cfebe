//! Programs that a run has started: each ends with it, however it ends.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use tokio::signal::unix::{SignalKind, signal};

/// One of them; killed when dropped.
pub struct Process {
    name: String,
    child: Arc<Mutex<Child>>,
    pid: u32,
}

/// What of its memory is in RAM, in KiB.
#[derive(Clone, Copy, Debug, Default)]
pub struct Memory {
    /// Now.
    pub resident: u64,
    /// At most so far.
    pub peak: u64,
}

impl Process {
    /// Starts `command`; what it says stands in `log` from then on.
    pub fn start(name: &str, command: &mut Command, log: &Path) -> anyhow::Result<Self> {
        let file = fs::File::create(log).with_context(|| format!("cannot write {log:?}"))?;
        let errors = file.try_clone()?;
        let child = command
            .stdin(Stdio::null())
            .stdout(file)
            .stderr(errors)
            .spawn()
            .with_context(|| format!("cannot start {:?}", command.get_program()))?;
        let pid = child.id();
        let child = Arc::new(Mutex::new(child));
        lock(&STARTED).push(Arc::clone(&child));
        Ok(Self {
            name: name.to_owned(),
            child,
            pid,
        })
    }

    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Its status, when it is over.
    pub fn ended(&self) -> Option<ExitStatus> {
        lock(&self.child).try_wait().ok().flatten()
    }

    /// Waits for its end.
    pub fn wait(&self, patience: Duration) -> anyhow::Result<ExitStatus> {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(status) = self.ended() {
                return Ok(status);
            }
            if Instant::now() > deadline {
                bail!("{} did not end within {patience:?}", self.name);
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Asks it to end (SIGTERM) and waits until it has.
    pub fn terminate(&self) -> anyhow::Result<ExitStatus> {
        if let Some(status) = self.ended() {
            return Ok(status);
        }
        // It is not reaped before `ended`, so the number is still its own.
        Command::new("kill")
            .args(["-TERM", &self.pid.to_string()])
            .status()
            .context("cannot start kill")?;
        self.wait(Duration::from_secs(20))
    }

    /// Time on a CPU so far, of all its threads: user and system.
    pub fn cpu(&self) -> anyhow::Result<Duration> {
        let path = self.proc("stat");
        let stat = fs::read_to_string(&path)
            .with_context(|| format!("{} is gone: no {path:?}", self.name))?;
        // The name of the program in the second field may hold anything, also ")".
        let figures: Vec<&str> = stat
            .rsplit(')')
            .next()
            .unwrap_or_default()
            .split_whitespace()
            .collect();
        let ticks = |at: usize| {
            figures
                .get(at)
                .and_then(|figure| figure.parse::<u64>().ok())
        };
        let (Some(user), Some(system)) = (ticks(11), ticks(12)) else {
            bail!("{path:?} says no times");
        };
        Ok(TICK * u32::try_from(user + system).unwrap_or(u32::MAX))
    }

    pub fn memory(&self) -> anyhow::Result<Memory> {
        let path = self.proc("status");
        let status = fs::read_to_string(&path)
            .with_context(|| format!("{} is gone: no {path:?}", self.name))?;
        let kib = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().next()?.parse().ok()
        };
        match (kib("VmRSS:"), kib("VmHWM:")) {
            (Some(resident), Some(peak)) => Ok(Memory { resident, peak }),
            _ => bail!("{path:?} says no sizes"),
        }
    }

    fn proc(&self, file: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{file}", self.pid))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        lock(&STARTED).retain(|other| !Arc::ptr_eq(other, &self.child));
        end(&self.child);
    }
}

/// From now on SIGINT, SIGTERM and SIGHUP end all programs that are running, remove `dir` and end this one.
pub fn end_all_on_signal(dir: &Path) -> io::Result<()> {
    let dir = dir.to_owned();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    thread::spawn(move || {
        runtime.block_on(async {
            let on = |kind| signal(kind).ok();
            let (Some(mut interrupt), Some(mut terminate), Some(mut hang_up)) = (
                on(SignalKind::interrupt()),
                on(SignalKind::terminate()),
                on(SignalKind::hangup()),
            ) else {
                return std::future::pending().await;
            };
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                _ = hang_up.recv() => {}
            }
        });
        for child in lock(&STARTED).iter() {
            end(child);
        }
        // It may hold files of other owners; whoever runs this sees it in the folder for temporary files.
        let _ = fs::remove_dir_all(&dir);
        std::process::exit(130);
    });
    Ok(())
}

/// The last lines of a log, for an error that helps.
pub fn last_words(log: &Path) -> String {
    let mut text = Vec::new();
    let read = fs::File::open(log).and_then(|mut file| file.read_to_end(&mut text));
    if read.is_err() || text.is_empty() {
        return "(it said nothing)".to_owned();
    }
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().filter(|line| !line.is_empty()).collect();
    lines[lines.len().saturating_sub(15)..].join("\n")
}

/// Prints a part of a line at once.
pub fn show(text: &str) {
    print!("{text}");
    // A closed pipe is no reason to stop measuring.
    let _ = io::stdout().flush();
}

static STARTED: Mutex<Vec<Arc<Mutex<Child>>>> = Mutex::new(Vec::new());

/// What `/proc/PID/stat` counts in: 100 a second on every Linux.
const TICK: Duration = Duration::from_millis(10);

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn end(child: &Mutex<Child>) {
    let mut child = lock(child);
    // Both fail only when it is over already.
    let _ = child.kill();
    let _ = child.wait();
}
