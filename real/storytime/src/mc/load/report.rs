//! What was measured, as a table or as JSON.

use super::generator::Measured;
use hdrhistogram::Histogram;
use storytime_reports::format::{duration, grouped};

/// Percentiles that are told.
const PERCENTILES: [f64; 5] = [50.0, 90.0, 99.0, 99.9, 100.0];

fn per_second(count: u64, measured: &Measured) -> f64 {
    count as f64 / measured.took.as_secs_f64().max(1e-9)
}

/// A few lines for people.
pub(super) fn table(measured: &Measured) -> String {
    let begins = if measured.open_loop { "when they were due" } else { "when they were sent" };
    let mut text = format!(
        "{} requests in {:.1} s: {} a second\n",
        grouped(measured.answered),
        measured.took.as_secs_f64(),
        grouped(per_second(measured.answered, measured).round() as u64),
    );
    text += &format!(
        "hits {}  misses {}  stored {}  errors {}  wrong values {}",
        grouped(measured.hits),
        grouped(measured.misses),
        grouped(measured.stored),
        grouped(measured.errors),
        grouped(measured.wrong),
    );
    if measured.not_sent > 0 {
        text += &format!("  due and not sent {}", grouped(measured.not_sent));
    }
    text += &format!("\nvalues: {:.1} MB/s\n", per_second(measured.value_bytes, measured) / 1e6);
    text += &format!("latency, from {begins}:\n");
    text += &format!("{:6}{:>12}", "", "requests");
    for percentile in PERCENTILES {
        let title = if percentile == 100.0 { "max".into() } else { format!("p{percentile}") };
        text += &format!("{title:>10}");
    }
    text.push('\n');
    for (name, times) in [("gets", &measured.gets), ("sets", &measured.sets)] {
        if times.is_empty() {
            continue;
        }
        text += &format!("{name:6}{:>12}", grouped(times.len()));
        for percentile in PERCENTILES {
            text += &format!("{:>10}", duration(times.value_at_percentile(percentile)));
        }
        text.push('\n');
    }
    text
}

/// One object for machines. Times are in nanoseconds.
pub(super) fn json(measured: &Measured) -> String {
    let times = |times: &Histogram<u64>| {
        let at = |percentile| times.value_at_percentile(percentile);
        serde_json::json!({
            "requests": times.len(),
            "mean_ns": times.mean().round(),
            "p50_ns": at(50.0),
            "p90_ns": at(90.0),
            "p99_ns": at(99.0),
            "p99_9_ns": at(99.9),
            "p99_99_ns": at(99.99),
            "max_ns": times.max(),
        })
    };
    serde_json::json!({
        "requests": measured.answered,
        "seconds": measured.took.as_secs_f64(),
        "requests_per_second": per_second(measured.answered, measured),
        "hits": measured.hits,
        "misses": measured.misses,
        "stored": measured.stored,
        "errors": measured.errors,
        "wrong_values": measured.wrong,
        "not_sent": measured.not_sent,
        "value_bytes": measured.value_bytes,
        "open_loop": measured.open_loop,
        "gets": times(&measured.gets),
        "sets": times(&measured.sets),
    })
    .to_string()
}
