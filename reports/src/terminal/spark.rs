//! Charts in a line of text: block characters of eight heights or widths.

use crate::model::{Chart, Scale, Series};
use crate::svg::{drawable, x_range, y_range};

/// Blocks from the lowest to the full height.
const HEIGHTS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Blocks of one to seven eighths of a column.
const WIDTHS: [char; 7] = ['▏', '▎', '▍', '▌', '▋', '▊', '▉'];

/// The course of `series` in `cells` columns; all series of `chart` share their scales.
pub(super) fn spark(chart: &Chart, series: &Series, cells: usize) -> String {
    assert!(cells > 0, "a line has columns");
    let (x, y) = (x_range(chart), y_range(chart));
    let share = |value: f64, from: f64, to: f64, scale: Scale| match scale {
        Scale::Linear => ((value - from) / (to - from)).clamp(0.0, 1.0),
        Scale::Log => ((value.ln() - from.ln()) / (to.ln() - from.ln())).clamp(0.0, 1.0),
    };
    let mut sums = vec![(0.0, 0u32); cells];
    for (at, value) in series.points.iter().filter(|point| drawable(chart, **point)) {
        let cell = (share(*at, x.from, x.to, chart.x.scale) * cells as f64) as usize;
        let (sum, count) = &mut sums[cell.min(cells - 1)];
        *sum += share(*value, y.from, y.to, chart.y.scale);
        *count += 1;
    }
    let mut last = None;
    let block = |(sum, count): (f64, u32)| {
        // A cell without a point of its own shows what was measured before it.
        last = if count > 0 { Some(sum / f64::from(count)) } else { last };
        last.map_or(' ', |height| HEIGHTS[((height * 8.0) as usize).min(7)])
    };
    sums.into_iter().map(block).collect()
}

/// A bar as long as `share` of `cells` columns, to the eighth; nothing but zero is invisible.
pub(super) fn bar(share: f64, cells: usize) -> String {
    let eighths = (share.clamp(0.0, 1.0) * cells as f64 * 8.0).round() as usize;
    let eighths = if share > 0.0 { eighths.max(1) } else { eighths };
    let mut bar = "█".repeat(eighths / 8);
    if !eighths.is_multiple_of(8) {
        bar.push(WIDTHS[eighths % 8 - 1]);
    }
    bar
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Arm, ChartKind};

    #[test]
    fn a_ramp_climbs_and_a_gap_holds_its_value() {
        let mut chart = Chart::new("c", "C", ChartKind::Lines);
        let points = (0..8).map(|x| (f64::from(x), f64::from(x))).collect();
        chart.series = vec![Series { name: String::new(), arm: Arm::Simulated, points, role: 0 }];
        assert_eq!(spark(&chart, &chart.series[0], 8), "▁▂▃▄▅▆▇█");
        chart.series[0].points = vec![(0.0, 1.0), (7.0, 0.0)];
        assert_eq!(spark(&chart, &chart.series[0], 8), "███████▁");
    }

    #[test]
    fn bars_are_as_long_as_their_share() {
        assert_eq!(bar(1.0, 4), "████");
        assert_eq!(bar(0.5, 3), "█▌");
        assert_eq!(bar(1e-6, 4), "▏");
        assert_eq!(bar(0.0, 4), "");
    }
}
