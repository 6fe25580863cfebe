//! How figures are printed: a table for people, JSON for programs.

use std::io::{self, Write};
use std::time::Duration;

use flowswitch_media::codec::G711;
use serde_json::{Value, json};

use super::figures::{Figures, Sample};
use super::found::By;
use super::{Ending, Measured};

/// The percentiles that are printed, with their names.
const PARTS: [(&str, f64); 4] = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999)];

pub(super) fn print_table(measured: &Measured, out: &mut impl Write) -> io::Result<()> {
    let figures = &measured.figures;
    writeln!(
        out,
        "{} at {}, {}, {:.1} s{}",
        measured.user,
        measured.target,
        codec_name(measured.law),
        measured.lasted.as_secs_f64(),
        match measured.ending {
            Ending::Whole => "",
            Ending::HungUp => ", then the peer hung up",
            Ending::Interrupted => ", then interrupted",
        }
    )?;
    let setup = &measured.setup;
    match setup.ringing {
        Some(ringing) => writeln!(
            out,
            "INVITE to ringing {:.2} ms, to 200 {:.2} ms",
            millis(ringing),
            millis(setup.answered)
        )?,
        None => writeln!(out, "INVITE to 200 {:.2} ms", millis(setup.answered))?,
    }
    writeln!(out)?;
    write!(out, "{:<22}", "ms")?;
    for (name, _) in PARTS {
        write!(out, "{name:>9}")?;
    }
    writeln!(out, "{:>9}{:>9}", "max", "mean")?;
    row(out, "round trip", &figures.round_trip)?;
    row(out, "interarrival jitter", &figures.unevenness)?;
    writeln!(out)?;
    writeln!(
        out,
        "sent {}, came back {}, lost {} ({:.2} %), duplicated {}, reordered {}",
        figures.sent,
        figures.returned(),
        figures.lost,
        100.0 * figures.loss(),
        figures.duplicated,
        figures.reordered,
    )?;
    if figures.unheard > 0 {
        writeln!(
            out,
            "the first {} packets were not heard: the way opened after them",
            figures.unheard
        )?;
    }
    write!(out, "jitter by RFC 3550 {:.3} ms", millis(figures.jitter))?;
    writeln!(
        out,
        "; {}",
        match figures.by {
            By::Payload => "packets were known by their payload",
            By::Correlation =>
                "the peer cuts or codes the sound anew, so it was found by correlation",
        }
    )
}

pub(super) fn print_json(measured: &Measured, out: &mut impl Write) -> io::Result<()> {
    let figures = &measured.figures;
    let value = json!({
        "target": measured.target.to_string(),
        "user": measured.user,
        "codec": codec_name(measured.law),
        "seconds": measured.lasted.as_secs_f64(),
        "ending": match measured.ending {
            Ending::Whole => "complete",
            Ending::HungUp => "peer hung up",
            Ending::Interrupted => "interrupted",
        },
        "setup_ms": {
            "ringing": measured.setup.ringing.map(millis),
            "answered": millis(measured.setup.answered),
        },
        "matched_by": match figures.by {
            By::Payload => "payload",
            By::Correlation => "correlation",
        },
        "round_trip_ms": percentiles(&figures.round_trip),
        "interarrival_jitter_ms": percentiles(&figures.unevenness),
        "rfc3550_jitter_ms": millis(figures.jitter),
        "packets": {
            "sent": figures.sent,
            "returned": figures.returned(),
            "lost": figures.lost,
            "loss": figures.loss(),
            "before_the_way_opened": figures.unheard,
            "received": figures.heard,
            "duplicated": figures.duplicated,
            "reordered": figures.reordered,
        },
    });
    writeln!(out, "{value:#}")
}

const fn codec_name(law: G711) -> &'static str {
    match law {
        G711::Ulaw => "PCMU",
        G711::Alaw => "PCMA",
    }
}

impl Figures {
    fn returned(&self) -> usize {
        self.sent - self.unheard - self.lost
    }

    /// The part of what was sent that did not come back, once the way was open.
    fn loss(&self) -> f64 {
        self.lost as f64 / (self.sent - self.unheard).max(1) as f64
    }
}

fn row(out: &mut impl Write, what: &str, sample: &Sample) -> io::Result<()> {
    write!(out, "{what:<22}")?;
    for (_, part) in PARTS {
        write!(out, "{:>9.3}", millis(sample.percentile(part)))?;
    }
    writeln!(
        out,
        "{:>9.3}{:>9.3}",
        millis(sample.max()),
        millis(sample.mean())
    )
}

fn percentiles(sample: &Sample) -> Value {
    let mut value = json!({
        "min": millis(sample.min()),
        "max": millis(sample.max()),
        "mean": millis(sample.mean()),
    });
    for (name, part) in PARTS {
        value[name] = json!(millis(sample.percentile(part)));
    }
    value
}

fn millis(duration: Duration) -> f64 {
    duration.as_nanos() as f64 / 1e6
}
