//! Where the ticks of an axis go and what they say.
//!
//! A linear axis gets equal steps of 1, 2, 2.5 or 5 times a power of ten; an axis of time steps as
//! clocks do (15 s, 30 s, 1 min, …); a logarithmic axis gets decades, with 2 and 5 between them
//! where there are few.
//!
//! Not modelled: minor ticks, and dates.

use crate::format::{axis_scale, figure, grouped};
use crate::model::{Scale, Unit};

/// Never more ticks than this on one axis, whatever is asked for.
pub(crate) const TICKS_MAX: usize = 24;

/// Values beyond this are not drawn: steps between them would drown in rounding.
pub(crate) const VALUE_ABS_MAX: f64 = 1e18;

/// Steps that clocks know, in seconds, from the second up.
const CLOCK_STEPS: [f64; 17] = [
    1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1_800.0, 3_600.0, 7_200.0,
    10_800.0, 21_600.0, 43_200.0,
];

/// The ends and the ticks of one axis.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Ticks {
    /// The axis' lower end, in its unit.
    pub(crate) from: f64,
    /// The axis' upper end, in its unit.
    pub(crate) to: f64,
    /// Where the ticks are, ascending, in the axis' unit.
    pub(crate) at: Vec<f64>,
    /// What each says, without the unit.
    pub(crate) labels: Vec<String>,
    /// The unit that all labels share; empty for plain counts.
    pub(crate) symbol: String,
}

/// What an axis covers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Range {
    /// The least value.
    pub(crate) from: f64,
    /// The greatest value, above `from`.
    pub(crate) to: f64,
    /// Whether the lower end moves out to the next tick.
    pub(crate) snap_from: bool,
    /// Whether the upper end moves out to the next tick.
    pub(crate) snap_to: bool,
}

impl Range {
    /// About `about` ticks on this range.
    pub(crate) fn ticks(self, scale: Scale, unit: &Unit, about: usize) -> Ticks {
        assert!(self.from < self.to, "an axis has a length");
        let about = about.clamp(2, TICKS_MAX / 2);
        match scale {
            Scale::Linear => self.linear(unit, about),
            Scale::Log => self.log(unit, about),
        }
    }

    fn linear(self, unit: &Unit, about: usize) -> Ticks {
        let step = step(self.to - self.from, about, unit);
        let from =
            if self.snap_from { (self.from / step + 1e-9).floor() * step } else { self.from };
        let to = if self.snap_to { (self.to / step - 1e-9).ceil() * step } else { self.to };
        let (first, last) = ((from / step - 1e-9).ceil(), (to / step + 1e-9).floor());
        let count = ((last - first) as usize + 1).min(TICKS_MAX);
        let at: Vec<f64> = (0..count).map(|index| (first + index as f64) * step).collect();
        let (factor, symbol) = axis_scale(from.abs().max(to.abs()), unit);
        let places = decimals(step / factor);
        let labels = at.iter().map(|value| label(value / factor, places)).collect();
        Ticks { from, to, at, labels, symbol }
    }

    fn log(self, unit: &Unit, about: usize) -> Ticks {
        assert!(self.from > 0.0, "a logarithmic axis has positive values alone");
        let (low, high) = (self.from.log10(), self.to.log10());
        let from = if self.snap_from { 10f64.powf((low + 1e-9).floor()) } else { self.from };
        let to = if self.snap_to { 10f64.powf((high - 1e-9).ceil()) } else { self.to };
        let at = log_ticks(from, to, about);
        // Decades of one axis differ too much to share a unit.
        let labels = at.iter().map(|value| figure(*value, unit)).collect();
        Ticks { from, to, at, labels, symbol: String::new() }
    }
}

/// The step that cuts `span` into about `about` pieces.
fn step(span: f64, about: usize, unit: &Unit) -> f64 {
    assert!(span > 0.0, "an axis has a length");
    let rough = span / about as f64;
    let whole_things = matches!(unit, Unit::Count | Unit::Named(_)) && span >= 2.0;
    match unit {
        _ if whole_things && rough < 1.0 => 1.0,
        Unit::Seconds => clock_step(rough),
        Unit::Nanoseconds => clock_step(rough / 1e9) * 1e9,
        _ => nice(rough),
    }
}

/// The least nice number that is not below `rough`.
fn nice(rough: f64) -> f64 {
    let power = 10f64.powf(rough.log10().floor());
    let mantissa = rough / power;
    let ladder = [1.0, 2.0, 2.5, 5.0];
    ladder.into_iter().find(|rung| mantissa <= *rung + 1e-9).unwrap_or(10.0) * power
}

fn clock_step(rough: f64) -> f64 {
    if rough <= 0.5 {
        return nice(rough);
    }
    let days = || nice(rough / 86_400.0) * 86_400.0;
    CLOCK_STEPS.into_iter().find(|step| rough <= *step + 1e-9).unwrap_or_else(days)
}

fn log_ticks(from: f64, to: f64, about: usize) -> Vec<f64> {
    let (low, high) = (from.log10().floor() as i32, to.log10().ceil() as i32);
    let decades = (high - low).max(1) as usize;
    let rungs: &[f64] = if decades * 3 <= about { &[1.0, 2.0, 5.0] } else { &[1.0] };
    let stride = decades.div_ceil(about);
    (low..=high)
        .step_by(stride)
        .flat_map(|power| rungs.iter().map(move |rung| rung * 10f64.powi(power)))
        .filter(|value| *value >= from * (1.0 - 1e-9) && *value <= to * (1.0 + 1e-9))
        .take(TICKS_MAX)
        .collect()
}

/// How many decimal places tell steps of `step` apart.
fn decimals(step: f64) -> usize {
    (0..=9)
        .find(|places| {
            let scaled = step * 10f64.powi(*places);
            (scaled - scaled.round()).abs() < 1e-6 * scaled.abs().max(1e-6)
        })
        .unwrap_or(9) as usize
}

/// A number with as many places as its neighbours, its thousands in groups.
fn label(value: f64, places: usize) -> String {
    let text = format!("{:.places$}", value.abs());
    let is_zero = text.bytes().all(|byte| matches!(byte, b'0' | b'.'));
    let sign = if value < 0.0 && !is_zero { "−" } else { "" };
    let (whole, fraction) = text.split_once('.').map_or((text.as_str(), ""), |parts| parts);
    // Numbers beyond a u64 stay as they are: nobody reads such an axis anyway.
    let whole = whole.parse().map_or_else(|_| whole.to_owned(), grouped);
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{sign}{whole}{point}{fraction}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn given(from: f64, to: f64) -> Range {
        Range { from, to, snap_from: false, snap_to: false }
    }

    fn labels(from: f64, to: f64, unit: Unit) -> (Vec<String>, String) {
        let ticks = given(from, to).ticks(Scale::Linear, &unit, 6);
        (ticks.labels, ticks.symbol)
    }

    #[test]
    fn a_share_runs_in_quarters_or_fifths_of_a_hundred() {
        let (labels, symbol) = labels(0.0, 1.0, Unit::Share);
        assert_eq!(labels, ["0", "20", "40", "60", "80", "100"]);
        assert_eq!(symbol, "%");
    }

    #[test]
    fn time_steps_as_clocks_do() {
        assert_eq!(labels(0.0, 60.0, Unit::Seconds).0, ["0", "10", "20", "30", "40", "50", "60"]);
        let (minutes, symbol) = labels(0.0, 420.0, Unit::Seconds);
        assert_eq!(minutes, ["0", "2", "4", "6"]);
        assert_eq!(symbol, "min");
        assert_eq!(labels(0.0, 86_400.0, Unit::Seconds).0.len(), 5);
        assert_eq!(
            labels(0.0, 2e6, Unit::Nanoseconds),
            (["0.0", "0.5", "1.0", "1.5", "2.0"].map(String::from).to_vec(), "ms".to_owned(),)
        );
    }

    #[test]
    fn things_are_counted_whole() {
        assert_eq!(labels(0.0, 3.0, Unit::Count).0, ["0", "1", "2", "3"]);
    }

    #[test]
    fn decades_are_filled_where_there_are_few() {
        let few = given(1.0, 100.0).ticks(Scale::Log, &Unit::Count, 6);
        assert_eq!(few.at, [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0]);
        let many = given(1e-6, 1e6).ticks(Scale::Log, &Unit::Count, 6);
        assert_eq!(many.at.len(), 7);
    }

    fn units() -> impl Strategy<Value = Unit> {
        prop_oneof![
            Just(Unit::Count),
            Just(Unit::PerSecond),
            Just(Unit::Seconds),
            Just(Unit::Nanoseconds),
            Just(Unit::Bytes),
            Just(Unit::Share),
            Just(Unit::Named("rows".to_owned())),
        ]
    }

    proptest! {
        #[test]
        fn ticks_are_few_inside_ascending_and_told_apart(
            from in -1e12f64..1e12,
            exponent in -3i32..12,
            span in 1f64..10.0,
            about in 6usize..12,
            unit in units(),
        ) {
            let from = (from / 1e6).round() * 10f64.powi(exponent.min(6)) / 1e3;
            let to = from + span * 10f64.powi(exponent).max(from.abs() / 1e4);
            let ticks = given(from, to).ticks(Scale::Linear, &unit, about);
            let slack = (to - from) * 1e-6;
            prop_assert!(ticks.at.len() <= TICKS_MAX);
            prop_assert!(ticks.at.len() >= 2);
            prop_assert!(ticks.at.iter().all(|at| *at >= from - slack && *at <= to + slack));
            prop_assert!(ticks.at.windows(2).all(|pair| pair[0] < pair[1]));
            let apart = ticks.labels.windows(2).all(|pair| pair[0] != pair[1]);
            prop_assert!(apart, "{:?}", ticks.labels);
            prop_assert_eq!(ticks.at.len(), ticks.labels.len());
        }

        #[test]
        fn snapped_ends_hold_the_range_and_are_ticks(
            from in -1e9f64..1e9, span in 1e-3f64..1e9, about in 2usize..12, unit in units(),
        ) {
            let to = from + span;
            let range = Range { from, to, snap_from: true, snap_to: true };
            let ticks = range.ticks(Scale::Linear, &unit, about);
            let slack = span * 1e-6 + 1e-6;
            prop_assert!(ticks.from <= from + slack && ticks.to >= to - slack);
            prop_assert!((ticks.at[0] - ticks.from).abs() <= slack);
            prop_assert!((ticks.at[ticks.at.len() - 1] - ticks.to).abs() <= slack);
        }

        #[test]
        fn a_nice_number_is_at_most_two_and_a_half_times_what_was_asked(rough in 1e-9f64..1e15) {
            let nice = nice(rough);
            prop_assert!(nice >= rough * (1.0 - 1e-6) && nice <= rough * 2.5);
        }

        #[test]
        fn logarithmic_ticks_stay_inside(
            low in -9i32..9,
            decades in 1i32..18,
            about in 2usize..12,
        ) {
            let (from, to) = (10f64.powi(low), 10f64.powi(low + decades));
            let ticks = given(from, to).ticks(Scale::Log, &Unit::Count, about);
            prop_assert!(!ticks.at.is_empty() && ticks.at.len() <= TICKS_MAX);
            prop_assert!(ticks.at.windows(2).all(|pair| pair[0] < pair[1]));
        }
    }
}
