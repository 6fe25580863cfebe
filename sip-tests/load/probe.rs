//! The round trip of one call beside the others: `flowswitch bench latency` as users have it.

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::Value;

use crate::process::{Process, last_words};
use crate::server::Places;

/// What it showed, in milliseconds.
#[derive(Clone, Debug, Default)]
pub struct RoundTrip {
    pub p50: f64,
    pub p99: f64,
    pub max: f64,
    pub lost: u64,
}

/// Calls `user` and measures for so long.
pub fn measure(
    places: &Places,
    server: SocketAddr,
    user: &str,
    length: Duration,
) -> anyhow::Result<RoundTrip> {
    let log = places.work.join(format!("probe-{}", server.port()));
    let mut command = Command::new(&places.switch);
    command
        .args(["bench", "latency", "--json", "--user", user])
        .args(["--target", &server.to_string()])
        .args(["--secs", &length.as_secs().max(1).to_string()]);
    let probe = Process::start("the probe", &mut command, &log)?;
    let status = probe.wait(length + Duration::from_secs(60))?;
    let said = std::fs::read_to_string(&log).unwrap_or_default();
    if !status.success() {
        bail!("the probe failed: {}", last_words(&log));
    }
    let figures: Value = serde_json::from_str(&said).context("the probe said no JSON")?;
    let millis = |name: &str| figures["round_trip_ms"][name].as_f64().unwrap_or(f64::MAX);
    Ok(RoundTrip {
        p50: millis("p50"),
        p99: millis("p99"),
        max: millis("max"),
        lost: figures["packets"]["lost"].as_u64().unwrap_or(0),
    })
}
