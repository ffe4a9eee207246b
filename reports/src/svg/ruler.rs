//! From values to pixels, and which values an axis must cover.
//!
//! Not modelled: broken axes, and axes with two units.

use crate::model::{Axis, Chart, ChartKind, Scale, Unit};
use crate::ticks::{Range, Ticks, VALUE_ABS_MAX};

/// One axis laid over a stretch of pixels.
#[derive(Clone, Debug)]
pub(crate) struct Ruler {
    /// Its ends, ticks and labels.
    pub(crate) ticks: Ticks,
    scale: Scale,
    start: f64,
    end: f64,
}

impl Ruler {
    /// Lays `ticks` from pixel `start` (the lower end) to pixel `end`.
    pub(crate) fn new(ticks: Ticks, scale: Scale, start: f64, end: f64) -> Self {
        assert!(ticks.from < ticks.to, "an axis has a length");
        Self { ticks, scale, start, end }
    }

    /// The pixel of a value; values beyond the ends lie a little outside.
    pub(crate) fn at(&self, value: f64) -> f64 {
        let share = match self.scale {
            Scale::Linear => (value - self.ticks.from) / (self.ticks.to - self.ticks.from),
            Scale::Log => {
                let (low, high) = (self.ticks.from.ln(), self.ticks.to.ln());
                (value.max(f64::MIN_POSITIVE).ln() - low) / (high - low)
            }
        };
        self.start + share.clamp(-0.5, 1.5) * (self.end - self.start)
    }

    /// Whether a value lies between the ends.
    pub(crate) fn covers(&self, value: f64) -> bool {
        let slack = (self.ticks.to - self.ticks.from) * 1e-9;
        value >= self.ticks.from - slack && value <= self.ticks.to + slack
    }
}

/// Whether a point can be drawn at all.
pub(crate) fn drawable(chart: &Chart, point: (f64, f64)) -> bool {
    let fits = |value: f64, axis: &Axis| {
        value.abs() <= VALUE_ABS_MAX && (value > 0.0 || scale_of(chart, axis) == Scale::Linear)
    };
    fits(point.0, &chart.x) && fits(point.1, &chart.y)
}

/// The scale an axis is drawn with: bars begin at nothing, which no logarithm has.
pub(crate) fn scale_of(chart: &Chart, axis: &Axis) -> Scale {
    match chart.kind {
        ChartKind::Bars => Scale::Linear,
        ChartKind::Lines | ChartKind::Steps => axis.scale,
    }
}

/// What the horizontal axis must cover: all points and all marks.
pub(crate) fn x_range(chart: &Chart) -> Range {
    let marks = chart.marks.iter().flat_map(|mark| [Some(mark.x), mark.until]).flatten();
    let points = drawn(chart).map(|(x, _)| x);
    let scale = scale_of(chart, &chart.x);
    let fits = |x: &f64| x.abs() <= VALUE_ABS_MAX && (*x > 0.0 || scale == Scale::Linear);
    let (low, high) = ends(points.chain(marks).filter(fits));
    fixed(&chart.x, scale, low, high, false)
}

/// What the vertical axis (for bars: the axis of values) must cover: all points and levels, and
/// zero unless all values are far from it.
pub(crate) fn y_range(chart: &Chart) -> Range {
    let scale = scale_of(chart, &chart.y);
    let levels = chart.levels.iter().map(|level| level.y);
    let fits = |y: &f64| y.abs() <= VALUE_ABS_MAX && (*y > 0.0 || scale == Scale::Linear);
    let values = drawn(chart).map(|(_, y)| y).chain(levels).filter(fits);
    let (mut low, mut high) = ends(values);
    if scale == Scale::Linear {
        low = low.min(0.0);
        high = high.max(0.0);
        if chart.y.unit == Unit::Share && low >= 0.0 && high <= 1.0 && high > 0.3 {
            // A share is read against the whole.
            high = 1.0;
        }
    }
    fixed(&chart.y, scale, low, high, true)
}

/// All points that can be drawn.
fn drawn(chart: &Chart) -> impl Iterator<Item = (f64, f64)> {
    let points = chart.series.iter().flat_map(|series| series.points.iter().copied());
    points.filter(|point| drawable(chart, *point))
}

fn ends(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
        (low.min(value), high.max(value))
    })
}

/// Applies the ends that the chart asks for, and gives the range a length.
fn fixed(axis: &Axis, scale: Scale, low: f64, high: f64, snap: bool) -> Range {
    let allowed = |end: Option<f64>| {
        end.filter(|value| value.abs() <= VALUE_ABS_MAX && (*value > 0.0 || scale == Scale::Linear))
    };
    let (from, to) = (allowed(axis.from), allowed(axis.to));
    let low = from.unwrap_or(low);
    let high = to.unwrap_or(high);
    let (low, high) = match (low.is_finite(), high.is_finite()) {
        (true, true) => (low, high),
        (true, false) => (low, low),
        (false, true) => (high, high),
        (false, false) => (1.0, 1.0),
    };
    let length = high - low;
    let least = (low.abs().max(high.abs()) * 1e-9).max(1e-12);
    let (low, high) = match scale {
        _ if length > least => (low, high),
        Scale::Linear if low == 0.0 => (0.0, 1.0),
        Scale::Linear if low > 0.0 && snap => (0.0, low),
        Scale::Linear => (low - low.abs() * 0.1, low + low.abs() * 0.1),
        Scale::Log => (low / 2.0, low * 2.0),
    };
    Range { from: low, to: high, snap_from: snap && from.is_none(), snap_to: snap && to.is_none() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Arm, Mark, Series};

    fn chart(points: &[(f64, f64)]) -> Chart {
        let mut chart = Chart::new("c", "C", ChartKind::Lines);
        chart.series = vec![Series {
            name: "s".to_owned(),
            arm: Arm::Simulated,
            points: points.to_vec(),
            role: 0,
        }];
        chart
    }

    #[test]
    fn axes_cover_points_and_marks_and_begin_at_zero() {
        let mut chart = chart(&[(1.0, 40.0), (9.0, 60.0)]);
        chart.marks = vec![Mark { x: 12.0, until: Some(14.0), label: String::new() }];
        let (x, y) = (x_range(&chart), y_range(&chart));
        assert_eq!((x.from, x.to), (1.0, 14.0));
        assert_eq!((y.from, y.to), (0.0, 60.0));
    }

    #[test]
    fn what_cannot_be_drawn_moves_no_axis() {
        let wild = [(0.0, 1.0), (1.0, f64::NAN), (f64::INFINITY, 2.0), (2.0, 1e300), (3.0, 2.0)];
        let chart = chart(&wild);
        let (x, y) = (x_range(&chart), y_range(&chart));
        assert_eq!((x.from, x.to, y.from, y.to), (0.0, 3.0, 0.0, 2.0));
    }

    #[test]
    fn every_range_has_a_length() {
        for points in [&[][..], &[(0.0, 0.0)], &[(5.0, 5.0)], &[(-5.0, -5.0)], &[(1e18, -1e18)]] {
            for scale in [Scale::Linear, Scale::Log] {
                let mut chart = chart(points);
                chart.x.scale = scale;
                chart.y.scale = scale;
                for range in [x_range(&chart), y_range(&chart)] {
                    assert!(range.from < range.to, "{points:?} {scale:?} {range:?}");
                    let ticks = range.ticks(scale, &Unit::Count, 6);
                    assert!(!ticks.at.is_empty(), "{points:?} {scale:?} {range:?}");
                }
            }
        }
    }

    #[test]
    fn a_share_is_drawn_against_the_whole_and_fixed_ends_stay() {
        let mut chart = chart(&[(0.0, 0.9), (1.0, 0.5)]);
        chart.y.unit = Unit::Share;
        assert_eq!(y_range(&chart).to, 1.0);
        chart.y = chart.y.between(0.4, 0.95);
        assert_eq!((y_range(&chart).from, y_range(&chart).to), (0.4, 0.95));
    }
}
