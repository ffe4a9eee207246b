//! A row of percentiles as a small picture: where the bulk lies, and how far the tail reaches.
//!
//! All strips of a table share one logarithmic scale.

use super::writer::{Px, Writer};
use crate::model::Percentiles;

/// Size of the picture in pixels.
const WIDTH: f64 = 180.0;
const HEIGHT: f64 = 14.0;

/// Draws `summary` on a scale from `least` to `greatest` nanoseconds. It is hidden from those who
/// listen: the table beside it says the same.
pub(crate) fn strip(summary: &Percentiles, least: u64, greatest: u64) -> String {
    assert!(least <= greatest, "a scale runs upwards");
    let log = |ns: u64| (ns.max(1) as f64).ln();
    let span = (log(greatest) - log(least)).max(1e-9);
    let at = |ns: u64| 2.0 + ((log(ns) - log(least)) / span).clamp(0.0, 1.0) * (WIDTH - 4.0);
    let middle = HEIGHT / 2.0;
    let mut svg = Writer::default();
    let view = format!("0 0 {} {}", Px(WIDTH), Px(HEIGHT));
    svg.open(
        "svg",
        &[("viewBox", &view), ("preserveAspectRatio", &"none"), ("aria-hidden", &"true")],
    );
    svg.line("reach", (at(summary.p50), middle), (at(summary.max), middle));
    svg.line("bulk", (at(summary.p50), middle), (at(summary.p99), middle));
    svg.line("median", (at(summary.p50), 1.0), (at(summary.p50), HEIGHT - 1.0));
    svg.line("end", (at(summary.max), 4.0), (at(summary.max), HEIGHT - 4.0));
    svg.close();
    svg.finish()
}
