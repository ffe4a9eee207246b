//! What was measured, for people and as JSON.

use super::load::Measured;
use std::time::Duration;
use storytime_reports::format::{duration, grouped};

/// Percentiles that are told.
const PERCENTILES: [f64; 5] = [50.0, 90.0, 99.0, 99.9, 100.0];

fn per_second(measured: &Measured) -> f64 {
    measured.jobs as f64 / measured.took.as_secs_f64().max(1e-9)
}

/// The server's CPU time, nanoseconds a job.
fn cpu_nanos(measured: &Measured) -> Option<f64> {
    let (before, after) = measured.usage?;
    let used = after.cpu.saturating_sub(before.cpu);
    Some(used.as_nanos() as f64 / measured.jobs.max(1) as f64)
}

/// What the server's resident memory grew by, bytes a job.
fn grown_bytes(measured: &Measured) -> Option<f64> {
    let (before, after) = measured.usage?;
    let grown = after.resident_bytes as f64 - before.resident_bytes as f64;
    Some(grown / measured.jobs.max(1) as f64)
}

/// A few lines for people.
pub(super) fn table(what: &str, measured: &Measured) -> String {
    let mut text = format!(
        "{what}\n{} jobs in {:.2} s: {} a second\n",
        grouped(measured.jobs),
        measured.took.as_secs_f64(),
        grouped(per_second(measured).round() as u64),
    );
    if measured.refused > 0 {
        text += &format!("not accepted: {}\n", grouped(measured.refused));
    }
    if !measured.times.is_empty() {
        text += "time of a job:";
        for percentile in PERCENTILES {
            let time = duration(measured.times.value_at_percentile(percentile));
            text += &match percentile {
                100.0 => format!("  max {time}"),
                percentile => format!("  p{percentile} {time}"),
            };
        }
        text.push('\n');
    }
    if let (Some(cpu), Some((before, after))) = (cpu_nanos(measured), measured.usage) {
        let mebi = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        let cpu = duration(Duration::from_nanos(cpu as u64).as_nanos() as u64);
        text += &format!("server: {cpu} of CPU a job; ");
        let (before, after) = (mebi(before.resident_bytes), mebi(after.resident_bytes));
        text += &format!("resident {before:.1} MiB before, {after:.1} MiB after\n");
    }
    text
}

/// One object for machines. Times are in nanoseconds.
pub(super) fn json(what: &str, measured: &Measured) -> String {
    let at = |percentile| measured.times.value_at_percentile(percentile);
    let times = (!measured.times.is_empty()).then(|| {
        serde_json::json!({
            "mean_ns": measured.times.mean().round(),
            "p50_ns": at(50.0),
            "p90_ns": at(90.0),
            "p99_ns": at(99.0),
            "p99_9_ns": at(99.9),
            "max_ns": measured.times.max(),
        })
    });
    serde_json::json!({
        "load": what,
        "jobs": measured.jobs,
        "refused": measured.refused,
        "seconds": measured.took.as_secs_f64(),
        "jobs_per_second": per_second(measured),
        "times": times,
        "server_cpu_ns_per_job": cpu_nanos(measured),
        "server_bytes_per_job": grown_bytes(measured),
        "server_resident_bytes": measured.usage.map(|(_, after)| after.resident_bytes),
    })
    .to_string()
}
