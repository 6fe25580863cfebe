//! What the work of a switch costs, beside the floor: `sip-tests/load/run` builds and starts this.
//!
//! ```text
//!   SIPp --- signalling ---> switch, or the floor (SIPp that answers, a bare loop that moves packets)
//!    | log: whose sound goes where      ^
//!    v                                  | CPU, memory: /proc
//!   talk --- RTP of all calls ----------'
//! ```
//!
//! | module | what |
//! |---|---|
//! | `work` | the kinds of work, and the goals |
//! | `round` | one of them against one server |
//! | `server`, `floor` | what answers |
//! | `sipp`, `talk`, `voice`, `heard` | who calls, speaks and listens |
//! | `probe` | the round trip of a call beside the others |
//! | `process` | programs that end with the run |
//! | `report` | table and JSON |

#![expect(
    clippy::disallowed_methods,
    reason = "it measures real programs: clocks, threads and sleeps"
)]
#![allow(
    unreachable_pub,
    reason = "in a binary nothing is reachable from outside; `pub` marks the face of a module"
)]

mod floor;
mod heard;
mod probe;
mod process;
mod report;
mod round;
mod server;
mod sipp;
mod talk;
mod voice;
mod work;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::Parser;

use probe::RoundTrip;
use report::{Report, Row, machine_line, mean, summary};
use round::{Beside, Measured, Round, Side};
use server::{FLOOR, Places};
use work::{Goal, Plan, Work, goals};

/// Measures what calls cost the switch, beside the least that they can cost.
#[derive(Parser)]
#[command(name = "sip-tests/load/run")]
struct Options {
    /// What is measured
    #[arg(required = true)]
    works: Vec<Work>,
    /// Calls at once, or in all where calls end by themselves [default: by work]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=20_000))]
    calls: Option<u32>,
    /// Calls begun in a second [default: by work]
    #[arg(long, value_name = "R", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    rate: Option<u32>,
    /// Seconds for which calls that are up are measured
    #[arg(long, value_name = "S", default_value = "20", value_parser = clap::value_parser!(u64).range(1..=600))]
    secs: u64,
    /// Writes all figures to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Keeps the logs of all programs, and says where
    #[arg(long)]
    keep: bool,
    /// The switch [default: as built]
    #[arg(long, value_name = "PROGRAM")]
    switch: PathBuf,
    #[arg(long, hide = true)]
    scenarios: PathBuf,
}

/// What it is asked for as the floor.
#[derive(Parser)]
struct FloorOptions {
    kind: floor::Kind,
    calls: usize,
}

fn main() -> ExitCode {
    // It starts itself again as the floor, which has to be a process to be measured like one.
    let is_floor = std::env::args().nth(1).is_some_and(|word| word == FLOOR);
    let done = if is_floor {
        let FloorOptions { kind, calls } = FloorOptions::parse_from(std::env::args().skip(1));
        floor::run(kind, calls)
            .map(|()| true)
            .context("the floor failed")
    } else {
        run(&Options::parse())
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            println!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// Whether every call went well.
fn run(options: &Options) -> anyhow::Result<bool> {
    let dir = tempfile::Builder::new()
        .prefix("flowswitch-load")
        .tempdir()?;
    process::end_all_on_signal(dir.path())?;
    let absolute = |path: &PathBuf| {
        path.canonicalize()
            .with_context(|| format!("there is no {}", path.display()))
    };
    let mut bench = Bench {
        places: Places {
            switch: absolute(&options.switch)?,
            scenarios: absolute(&options.scenarios)?,
            work: dir.path().to_owned(),
        },
        options,
        report: Report::default(),
    };
    println!("{}\n", machine_line());
    let done = bench.run_all();
    println!("\n{}", bench.report.table());
    if let Some(file) = &options.json {
        let text = serde_json::to_string_pretty(&bench.report.json())?;
        std::fs::write(file, text + "\n")
            .with_context(|| format!("cannot write {}", file.display()))?;
    }
    if options.keep {
        println!("logs: {}", dir.keep().display());
    }
    done?;
    Ok(bench.report.is_sound())
}

struct Bench<'a> {
    places: Places,
    options: &'a Options,
    report: Report,
}

impl Bench<'_> {
    fn run_all(&mut self) -> anyhow::Result<()> {
        let options = self.options;
        options.works.iter().try_for_each(|work| self.run(*work))
    }

    fn run(&mut self, work: Work) -> anyhow::Result<()> {
        let per_second = "ms per call-second";
        match work {
            Work::Signalling => {
                let (what, unit) = ("answer + hang up, CPU", "ms per call");
                self.cost(what, unit, &work::SIGNALLING, goals::SIGNALLING)?;
            }
            Work::Play => {
                self.cost("play a prompt, CPU", per_second, &work::PLAY, goals::PLAY)?;
            }
            Work::Echo => self.echo()?,
            Work::Conference => {
                let (what, unit) = ("conference, all talk, CPU", "ms per member-second");
                self.cost(what, unit, &work::CONFERENCE, goals::CONFERENCE)?;
            }
            Work::Record => {
                let what = "record both ways, CPU";
                self.cost(what, per_second, &work::RECORD, goals::RECORD)?;
            }
            Work::Ivr => {
                let (what, unit) = ("IVR call (prompt, key, prompt), CPU", "ms per call");
                self.cost(what, unit, &work::IVR, goals::IVR)?;
            }
            Work::Bridge => {
                let what = "two-leg bridge, same codec, CPU";
                self.cost(what, per_second, &work::BRIDGE, goals::BRIDGE)?;
                let (what, unit) = ("set up + end a bridged call, CPU", "ms per call");
                let (call, floor) =
                    self.cost(what, unit, &work::BRIDGED_CALL, goals::BRIDGED_CALL)?;
                self.report.add_row(Row {
                    what: "its INVITE to 200, mean".to_owned(),
                    figure: mean(&call.outcome.setup),
                    unit: "ms",
                    floor: Some(mean(&floor.outcome.setup)),
                    goal: goals::BRIDGED_SETUP,
                    flaws: call.flaws(),
                });
            }
            Work::All => {
                for work in Work::EACH {
                    self.run(work)?;
                }
            }
        }
        Ok(())
    }

    /// What an echo costs and holds, and how long it takes: alone, beside others, beside many.
    fn echo(&mut self) -> anyhow::Result<()> {
        let others = self.sized(&work::ECHO).calls;
        let alone = [Side::Switch, Side::Floor].map(|side| self.alone(side));
        let [alone, floor] = alone;
        self.round_trip_row("idle", &alone?, &floor?, goals::ROUND_TRIP);
        let mut crowds = vec![(others, goals::ROUND_TRIP)];
        if self.options.calls.is_none() {
            crowds.push((work::CROWD, goals::ROUND_TRIP_CROWDED));
        }
        for (calls, goal) in crowds {
            let plan = Plan {
                calls,
                ..work::ECHO
            };
            let (echo, trip) = self.beside(&plan, Side::Switch)?;
            let (floor, floor_trip) = self.beside(&plan, Side::Floor)?;
            let what = format!("echo, CPU, {calls} calls");
            self.report.add_row(Row {
                what,
                figure: echo.cpu,
                unit: "ms per call-second",
                floor: Some(floor.cpu),
                goal: goals::ECHO,
                flaws: echo.flaws(),
            });
            self.memory_row(&echo);
            self.round_trip_row(&format!("beside {calls} calls"), &trip, &floor_trip, goal);
        }
        Ok(())
    }

    /// The round trip when nobody else calls.
    fn alone(&mut self, side: Side) -> anyhow::Result<RoundTrip> {
        let plan = Plan {
            calls: 1,
            name: "echo alone",
            ..work::ECHO
        };
        let (places, length) = (self.places.clone(), self.window());
        round::alone(&places, &plan, side, |server| {
            probe::measure(&places, server, plan.user, length)
        })
    }

    /// A round, and the round trip of one call more.
    fn beside(&mut self, plan: &Plan, side: Side) -> anyhow::Result<(Measured, RoundTrip)> {
        let (places, length) = (self.places.clone(), self.window());
        let mut trip = RoundTrip::default();
        let mut probe = |server| {
            trip = probe::measure(&places, server, plan.user, length)?;
            Ok(())
        };
        // It starts, calls, and waits for what is still on its way.
        let beside = (&mut probe as Beside<'_>, length + Duration::from_secs(5));
        let measured = self.round(plan, side, Some(beside))?;
        Ok((measured, trip))
    }

    fn round_trip_row(&mut self, when: &str, trip: &RoundTrip, floor: &RoundTrip, goal: Goal) {
        println!(
            "  round trip {when}: p50 {:.3} ms, p99 {:.3}, max {:.3}; of the floor {:.3}, {:.3}, {:.3}",
            trip.p50, trip.p99, trip.max, floor.p50, floor.p99, floor.max
        );
        let lost = (trip.lost > 0).then(|| format!("{} packets lost", trip.lost));
        self.report.add_row(Row {
            what: format!("echo round trip {when}, p99"),
            figure: trip.p99,
            unit: "ms",
            floor: Some(floor.p99),
            goal,
            flaws: lost.into_iter().collect(),
        });
    }

    /// Measures the switch and the floor at the same work, and adds the row of CPU.
    fn cost(
        &mut self,
        what: &str,
        unit: &'static str,
        plan: &Plan,
        goal: Goal,
    ) -> anyhow::Result<(Measured, Measured)> {
        let plan = &self.sized(plan);
        let measured = self.round(plan, Side::Switch, None)?;
        let floor = self.round(plan, Side::Floor, None)?;
        self.report.add_row(Row {
            what: what.to_owned(),
            figure: measured.cpu,
            unit,
            floor: Some(floor.cpu),
            goal,
            flaws: measured.flaws(),
        });
        Ok((measured, floor))
    }

    fn memory_row(&mut self, measured: &Measured) {
        if let Some(figure) = measured.memory {
            self.report.add_row(Row {
                what: format!("memory of a held call with media, of {}", measured.calls),
                figure,
                unit: "KiB",
                floor: None,
                goal: goals::MEMORY,
                flaws: measured.flaws(),
            });
        }
    }

    fn round(
        &mut self,
        plan: &Plan,
        side: Side,
        beside: Option<(Beside<'_>, Duration)>,
    ) -> anyhow::Result<Measured> {
        let round = Round {
            plan: *plan,
            side,
            window: self.window(),
            beside,
        };
        let measured = round.run(&self.places)?;
        println!("{}", summary(&measured));
        self.report.add_round(&measured);
        Ok(measured)
    }

    fn window(&self) -> Duration {
        Duration::from_secs(self.options.secs)
    }

    /// With as many calls as the command line wants.
    fn sized(&self, plan: &Plan) -> Plan {
        let wanted = |wanted: Option<u32>, default| wanted.map_or(default, |n| n as usize);
        Plan {
            calls: wanted(self.options.calls, plan.calls),
            rate: wanted(self.options.rate, plan.rate),
            ..*plan
        }
    }
}
