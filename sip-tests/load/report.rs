//! The table that people read, and the JSON that machines do.

use std::fs;

use serde_json::{Value, json};

use crate::round::{Measured, Side};
use crate::work::Goal;

/// One line of the table.
#[derive(Clone, Debug)]
pub struct Row {
    pub what: String,
    pub figure: f64,
    pub unit: &'static str,
    pub floor: Option<f64>,
    pub goal: Goal,
    /// What went wrong while it was measured.
    pub flaws: Vec<String>,
}

/// All that was measured in one run.
#[derive(Debug, Default)]
pub struct Report {
    rows: Vec<Row>,
    rounds: Vec<Measured>,
}

impl Row {
    fn ratio(&self) -> Option<f64> {
        self.floor
            .filter(|floor| *floor > 0.0)
            .map(|floor| self.figure / floor)
    }

    /// Whether the goal holds: by its figure or by its ratio to the floor, and without a flaw.
    fn is_met(&self) -> bool {
        let by_ratio = self
            .ratio()
            .zip(self.goal.ratio)
            .is_some_and(|(ratio, goal)| ratio <= goal);
        self.flaws.is_empty() && (self.figure <= self.goal.figure || by_ratio)
    }

    fn cells(&self) -> [String; 7] {
        let show = |figure: Option<f64>, digits| {
            figure.map_or_else(String::new, |figure| format!("{figure:.digits$}"))
        };
        let goal = match self.goal.ratio {
            Some(ratio) => format!("≤ {:.2} or {ratio:.2} × floor", self.goal.figure),
            None => format!("≤ {:.2}", self.goal.figure),
        };
        let verdict = if self.is_met() { "yes" } else { "no" };
        let flaws: String = self.flaws.iter().map(|flaw| format!(", {flaw}")).collect();
        [
            self.what.clone(),
            format!("{:.3}", self.figure),
            self.unit.to_owned(),
            show(self.floor, 3),
            show(self.ratio(), 2),
            goal,
            format!("{verdict}{flaws}"),
        ]
    }
}

impl Report {
    pub fn add_row(&mut self, row: Row) {
        self.rows.push(row);
    }

    pub fn add_round(&mut self, measured: &Measured) {
        self.rounds.push(measured.clone());
    }

    /// Claims that every call of every round went as it should.
    pub fn is_sound(&self) -> bool {
        self.rounds.iter().all(|round| {
            let outcome = &round.outcome;
            outcome.failed == 0 && outcome.succeeded >= round.calls as u64 && round.heard.deaf == 0
        })
    }

    /// As Markdown, which reads as well on a terminal; empty without rows.
    pub fn table(&self) -> String {
        if self.rows.is_empty() {
            return String::new();
        }
        let head = ["work", "figure", "unit", "floor", "ratio", "goal", "met?"].map(str::to_owned);
        let mut lines = vec![head];
        lines.extend(self.rows.iter().map(Row::cells));
        let widths: Vec<usize> = (0..7)
            .map(|at| lines.iter().map(|cells| cells[at].chars().count()).max())
            .map(Option::unwrap_or_default)
            .collect();
        let mut text = String::new();
        for (number, cells) in lines.iter().enumerate() {
            for (cell, width) in cells.iter().zip(&widths) {
                text.push_str(&format!("| {cell:width$} "));
            }
            text.push_str("|\n");
            if number == 0 {
                for width in &widths {
                    text.push_str(&format!("|{}", "-".repeat(width + 2)));
                }
                text.push_str("|\n");
            }
        }
        text
    }

    pub fn json(&self) -> Value {
        let rows: Vec<Value> = self
            .rows
            .iter()
            .map(|row| {
                json!({
                    "work": row.what, "figure": row.figure, "unit": row.unit,
                    "floor": row.floor, "ratio": row.ratio(),
                    "goal": row.goal.figure, "goal_ratio": row.goal.ratio,
                    "met": row.is_met(), "flaws": row.flaws,
                })
            })
            .collect();
        let rounds: Vec<Value> = self.rounds.iter().map(round).collect();
        json!({ "machine": machine(), "rows": rows, "rounds": rounds })
    }
}

/// A line of what a round showed beside its one figure.
pub fn summary(measured: &Measured) -> String {
    let (outcome, heard) = (&measured.outcome, &measured.heard);
    let mut text = format!(
        "  cpu {:.3} ms, {} answered, {} failed, {} resent, INVITE to 200 {:.1} ms (p99 {:.0})",
        measured.cpu,
        outcome.succeeded,
        outcome.failed,
        outcome.retransmissions,
        mean(&outcome.setup),
        percentile(&outcome.setup, 0.99),
    );
    if heard.received > 0 {
        text.push_str(&format!(
            "\n  rtp {} sent, {} heard, {} lost, {} late",
            heard.sent, heard.received, heard.lost, heard.late
        ));
    }
    if let (Side::Switch, Some(memory)) = (measured.side, measured.memory) {
        text.push_str(&format!(
            ", {memory:.1} KiB a call, {} MiB at most",
            measured.peak / 1024
        ));
    }
    text
}

pub fn mean(figures: &[f64]) -> f64 {
    figures.iter().sum::<f64>() / figures.len().max(1) as f64
}

/// The figure that `part` of the sorted `figures` do not exceed.
pub fn percentile(figures: &[f64], part: f64) -> f64 {
    let rank = (figures.len() as f64 * part).ceil() as usize;
    figures.get(rank.max(1) - 1).copied().unwrap_or_default()
}

/// One line on what this was measured with.
pub fn machine_line() -> String {
    let machine = machine();
    let text = |key: &str| machine[key].as_str().unwrap_or("?").to_owned();
    format!(
        "{}, {} cores, Linux {}, {}, load {}",
        text("cpu"),
        machine["cores"],
        text("kernel"),
        text("date"),
        text("load")
    )
}

fn round(measured: &Measured) -> Value {
    let (outcome, heard) = (&measured.outcome, &measured.heard);
    let setup = |part| percentile(&outcome.setup, part);
    json!({
        "work": measured.name,
        "server": match measured.side { Side::Switch => "switch", Side::Floor => "floor" },
        "calls": measured.calls, "rate": measured.rate, "cpu_ms": measured.cpu,
        "answered": outcome.succeeded, "failed": outcome.failed,
        "retransmissions": outcome.retransmissions, "strange_messages": outcome.strange,
        "invite_to_200_ms": {
            "mean": mean(&outcome.setup), "p50": setup(0.5), "p90": setup(0.9), "p99": setup(0.99), "max": setup(1.0),
        },
        "rtp": {
            "sent": heard.sent, "received": heard.received, "lost": heard.lost, "late": heard.late,
            "parties_that_heard_nothing": heard.deaf,
        },
        "kib_per_call": measured.memory, "peak_kib": measured.peak,
    })
}

fn machine() -> Value {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let cpuinfo = read("/proc/cpuinfo");
    let cpu = cpuinfo
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("unknown CPU", |(_, name)| name);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let load = read("/proc/loadavg");
    json!({
        "cpu": cpu, "cores": cores, "kernel": read("/proc/sys/kernel/osrelease").trim(),
        "date": jiff::Timestamp::now().strftime("%Y-%m-%d").to_string(),
        "load": load.split(' ').next().unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(figure: f64, floor: Option<f64>) -> Row {
        let goal = Goal {
            figure: 0.1,
            ratio: Some(2.5),
        };
        Row {
            what: "work".into(),
            figure,
            unit: "ms",
            floor,
            goal,
            flaws: Vec::new(),
        }
    }

    #[test]
    fn a_goal_holds_by_figure_or_by_ratio_but_not_with_a_flaw() {
        assert!(row(0.1, None).is_met());
        assert!(row(0.2, Some(0.08)).is_met());
        assert!(!row(0.2, Some(0.07)).is_met());
        let flaws = vec!["1 failed".to_owned()];
        assert!(
            !Row {
                flaws,
                ..row(0.1, None)
            }
            .is_met()
        );
    }

    #[test]
    fn percentiles_are_figures_that_were_measured() {
        let figures: Vec<f64> = (1..=100).map(f64::from).collect();
        assert_eq!(percentile(&figures, 0.5), 50.0);
        assert_eq!(percentile(&figures, 0.99), 99.0);
        assert_eq!(percentile(&figures, 1.0), 100.0);
        assert_eq!(percentile(&[], 0.5), 0.0);
    }
}
