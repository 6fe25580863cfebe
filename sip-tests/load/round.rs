//! One round: a server is started, called and measured, and everything ends.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use crate::heard::Heard;
use crate::process::{Memory, show};
use crate::server::{NOBODY, Places, Server};
use crate::sipp::{Calls, Outcome, Sipp};
use crate::talk::{Seats, Talkers};
use crate::work::{Floor, Measure, Plan};

/// Who answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Switch,
    Floor,
}

/// What is done while all calls are up, once the CPU is measured.
pub type Beside<'a> = &'a mut dyn FnMut(SocketAddr) -> anyhow::Result<()>;

/// A round to be run.
pub struct Round<'a> {
    pub plan: Plan,
    pub side: Side,
    /// For which the CPU is measured while the calls are up.
    pub window: Duration,
    /// Another deed, and how long it takes.
    pub beside: Option<(Beside<'a>, Duration)>,
}

/// What it showed.
#[derive(Clone, Debug)]
pub struct Measured {
    pub name: &'static str,
    pub side: Side,
    pub calls: usize,
    pub rate: usize,
    /// What one call costs: of CPU in milliseconds, for the whole call or for each second of it.
    pub cpu: f64,
    /// What each call holds of memory, in KiB; for calls that were held.
    pub memory: Option<f64>,
    /// The most that the switch had, in KiB.
    pub peak: u64,
    pub outcome: Outcome,
    pub heard: Heard,
    /// Packets that each caller should have heard at least.
    pub hears: u64,
    /// Callers that hung up before the time was over.
    pub early: usize,
}

/// What a round takes place on.
struct Stage {
    server: Server,
    /// Who is called by the switch, in work with two legs.
    callee: Option<Sipp>,
    /// Who speaks, in work with sound.
    talkers: Option<Talkers>,
    callers: usize,
    /// The RTP ports of the callers.
    ports: Vec<u16>,
    /// How long each call lasts.
    hold: Duration,
    dir: PathBuf,
}

impl Stage {
    /// Ends all of it, and adds what was heard and what the callees saw.
    fn end(self, measured: &mut Measured) -> anyhow::Result<()> {
        measured.heard = self.talkers.map(Talkers::stop).unwrap_or_default();
        if let Some(callee) = self.callee {
            // It writes its counters down each second.
            thread::sleep(Duration::from_millis(1200));
            let outcome = callee.outcome();
            measured.outcome.retransmissions += outcome.retransmissions;
            measured.outcome.strange += outcome.strange;
        }
        self.server.stop()
    }
}

impl Round<'_> {
    pub fn run(mut self, places: &Places) -> anyhow::Result<Measured> {
        let plan = self.plan;
        let what = match self.side {
            Side::Switch => plan.name.to_owned(),
            Side::Floor => format!("{}, floor", plan.name),
        };
        show(&format!("{what}: {} calls, {}/s", plan.calls, plan.rate));
        let measured = self
            .measure(places)
            .with_context(|| format!("{what} could not be measured"));
        println!();
        measured
    }

    fn measure(&mut self, places: &Places) -> anyhow::Result<Measured> {
        let stage = self.stage(places)?;
        let plan = self.plan;
        let before = (stage.server.memory()?, stage.server.cpu()?);
        let calls = Calls {
            server: stage.server.sip,
            user: plan.user,
            count: stage.callers,
            rate: plan.rate * stage.callers / plan.calls,
            hold: stage.hold,
        };
        // At a high rate the log is itself a load.
        let is_heard = stage.talkers.is_some() || calls.rate <= 500;
        let dir = stage.dir.join(CALLER);
        let caller = Sipp::caller(&places.scenarios, dir, calls, &stage.ports, is_heard)?;
        let mut measured = Measured {
            name: plan.name,
            side: self.side,
            calls: plan.calls,
            rate: plan.rate,
            cpu: 0.0,
            memory: None,
            peak: 0,
            outcome: Outcome::default(),
            heard: Heard::default(),
            hears: plan.hears,
            early: 0,
        };
        if let (Measure::Held, Some(talkers)) = (plan.measure, &stage.talkers) {
            all_up(talkers, calls, &caller)?;
            let (cpu, held) = self.window(&stage.server)?;
            measured.early = talkers.ended();
            measured.cpu = per_call(cpu, plan.calls) / self.window.as_secs_f64();
            measured.memory = per_call_of(before.0, held, plan.calls);
            if let Some((deed, _)) = &mut self.beside {
                show(", beside it the probe");
                deed(stage.server.sip)?;
            }
        }
        let ramp = Duration::from_secs((plan.calls / plan.rate.max(1)) as u64);
        watch_end(&caller, stage.hold + ramp + Duration::from_secs(90))?;
        if let Measure::Whole { .. } = plan.measure {
            // What is still to be done for the last call belongs to it.
            thread::sleep(Duration::from_millis(300));
            let cpu = stage.server.cpu()?.saturating_sub(before.1);
            measured.cpu = per_call(cpu, plan.calls);
        }
        measured.peak = stage.server.memory()?.peak;
        measured.outcome = caller.outcome();
        if measured.outcome.failed > 0 {
            show(&format!("\n{}", caller.complaint()));
        }
        stage.end(&mut measured)?;
        Ok(measured)
    }

    /// All that has to be there before the first call.
    fn stage(&self, places: &Places) -> anyhow::Result<Stage> {
        let (plan, side) = (self.plan, self.side);
        let dir = fresh(places, &plan, side);
        std::fs::create_dir(&dir).with_context(|| format!("cannot make {dir:?}"))?;
        // The floor has no trunk: both parties of each call are its callers.
        let (callers, called) = match (plan.is_bridged, side) {
            (true, Side::Floor) => (2 * plan.calls, 0),
            (true, Side::Switch) => (plan.calls, plan.calls),
            (false, _) => (plan.calls, 0),
        };
        let seats = match plan.floor {
            Floor::Answers => None,
            _ => Some(Seats::bind(callers + called)?),
        };
        let mut ports = vec![NOBODY];
        let mut others = vec![NOBODY];
        if let Some(seats) = &seats {
            ports.clone_from(&seats.ports);
            others = ports.split_off(callers);
        }
        let callee = (called > 0)
            .then(|| {
                Sipp::callee(
                    &places.scenarios,
                    dir.join(CALLEE),
                    &others,
                    seats.is_some(),
                )
            })
            .transpose()?;
        let trunk = callee.as_ref().map(Sipp::address);
        let hold = self.hold(callers);
        let server = match side {
            Side::Switch => Server::switch(places, &dir, &plan, hold + SPARE, trunk)?,
            // One more, for the call of the deed beside.
            Side::Floor => Server::floor(places, &dir, plan.floor, callers + 1)?,
        };
        if side == Side::Switch {
            warm_up(places, &dir, &server, &plan)?;
        }
        let told = vec![dir.join(CALLER).join(TOLD), dir.join(CALLEE).join(TOLD)];
        Ok(Stage {
            talkers: seats.map(|seats| seats.talk(told, callers, plan.speech)),
            server,
            callee,
            callers,
            ports,
            hold,
            dir,
        })
    }

    /// How long each call lasts, so that all are up for the whole window.
    fn hold(&self, callers: usize) -> Duration {
        match self.plan.measure {
            Measure::Whole { hold } => hold,
            Measure::Held => {
                let rate = self.plan.rate * callers / self.plan.calls;
                let ramp = Duration::from_millis((callers * 1000 / rate.max(1)) as u64);
                let beside = self
                    .beside
                    .as_ref()
                    .map_or(Duration::ZERO, |(_, long)| *long);
                ramp + SETTLE + self.window + beside + SPARE
            }
        }
    }

    /// CPU of the server over the window, and its memory at the end.
    fn window(&self, server: &Server) -> anyhow::Result<(Duration, Memory)> {
        show(&format!(
            ", all up, measuring for {:.0} s",
            self.window.as_secs_f64()
        ));
        let before = server.cpu()?;
        let began = Instant::now();
        while began.elapsed() < self.window {
            thread::sleep(SECOND.min(self.window.saturating_sub(began.elapsed())));
            show(".");
        }
        Ok((server.cpu()?.saturating_sub(before), server.memory()?))
    }
}

impl Measured {
    /// Why its figures are not worth much, if so.
    pub fn flaws(&self) -> Vec<String> {
        let outcome = &self.outcome;
        let none = self.calls as u64 - outcome.succeeded.min(self.calls as u64);
        let counts = [
            (outcome.failed.max(none), "failed"),
            (outcome.retransmissions, "resent"),
            (outcome.strange, "strange messages"),
            (self.heard.lost, "packets lost"),
            (self.heard.deaf as u64, "heard nothing"),
            (self.early as u64, "ended early"),
        ];
        let counts = counts.iter().filter(|(count, _)| *count > 0);
        let mut flaws: Vec<String> = counts
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        if let Some(fewest) = self.heard.fewest.filter(|fewest| *fewest < self.hears) {
            flaws.push(format!("a caller heard {fewest} packets of {}", self.hears));
        }
        flaws
    }
}

/// Starts a server that nobody calls, and lets `deed` be done to it.
pub fn alone<T>(
    places: &Places,
    plan: &Plan,
    side: Side,
    deed: impl FnOnce(SocketAddr) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    println!("{}, {}", plan.name, format!("{side:?}").to_lowercase());
    let dir = fresh(places, plan, side);
    let server = match side {
        Side::Switch => Server::switch(places, &dir, plan, SECOND, None)?,
        Side::Floor => Server::floor(places, &dir, plan.floor, plan.calls)?,
    };
    if side == Side::Switch {
        warm_up(places, &dir, &server, plan)?;
    }
    let done = deed(server.sip)?;
    server.stop()?;
    Ok(done)
}

/// A few calls, so that what is made once is not counted.
fn warm_up(
    places: &Places,
    dir: &std::path::Path,
    server: &Server,
    plan: &Plan,
) -> anyhow::Result<()> {
    let calls = Calls {
        server: server.sip,
        user: plan.user,
        count: 10,
        rate: 50,
        hold: Duration::from_millis(200),
    };
    let caller = Sipp::caller(
        &places.scenarios,
        dir.join("warm-up"),
        calls,
        &[NOBODY],
        false,
    )?;
    watch_end(&caller, Duration::from_secs(30))?;
    let outcome = caller.outcome();
    if outcome.succeeded < 10 {
        let complaint = caller.complaint();
        bail!(
            "{} of the first 10 calls failed:\n{complaint}",
            outcome.failed
        );
    }
    Ok(())
}

/// Waits until every caller has been answered, and the last calls have found their pace.
fn all_up(talkers: &Talkers, calls: Calls<'_>, caller: &Sipp) -> anyhow::Result<()> {
    let callers = calls.count;
    let patience = Duration::from_secs((callers / calls.rate.max(1)) as u64 + 15);
    let began = Instant::now();
    while talkers.up() < callers {
        if began.elapsed() > patience || caller.process().ended().is_some() {
            let complaint = caller.complaint();
            bail!(
                "only {} of {callers} calls came up:\n{complaint}",
                talkers.up()
            );
        }
        thread::sleep(Duration::from_millis(50));
    }
    thread::sleep(SETTLE);
    Ok(())
}

/// Waits for the end of all calls, and shows that time passes.
fn watch_end(caller: &Sipp, patience: Duration) -> anyhow::Result<()> {
    let began = Instant::now();
    let mut shown = Duration::ZERO;
    while caller.process().ended().is_none() {
        if began.elapsed() > patience {
            bail!(
                "the calls did not end within {patience:?}:\n{}",
                caller.complaint()
            );
        }
        if began.elapsed() > shown + SECOND {
            shown = began.elapsed();
            show(".");
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// A directory that no other round has.
fn fresh(places: &Places, plan: &Plan, side: Side) -> PathBuf {
    let name = format!("{}-{side:?}-{}", plan.name.replace(' ', "-"), plan.calls);
    places.work.join(name.to_lowercase())
}

fn per_call(cpu: Duration, calls: usize) -> f64 {
    cpu.as_secs_f64() * 1000.0 / calls as f64
}

fn per_call_of(before: Memory, held: Memory, calls: usize) -> Option<f64> {
    let grown = held.resident.saturating_sub(before.resident);
    (grown > 0).then_some(grown as f64 / calls as f64)
}

/// Directories of SIPp in that of a round, and its log there.
const CALLER: &str = "caller";
const CALLEE: &str = "callee";
const TOLD: &str = "told";
const SECOND: Duration = Duration::from_secs(1);
/// From the last answer to the window.
const SETTLE: Duration = Duration::from_secs(1);
/// From the window to the first BYE.
const SPARE: Duration = Duration::from_secs(4);
