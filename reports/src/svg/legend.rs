//! The legend: colours and markers say which variant, solid or dashed says which arm.

use super::measure;
use super::shapes;
use super::writer::{Anchor, Px, Writer};
use crate::model::{Arm, Chart, ChartKind};

/// Height of a row of the legend, in pixels.
const ROW: f64 = 22.0;

/// Width of the sample of a line or bar, in pixels.
const SAMPLE: f64 = 28.0;

/// Space between a sample and its text, and between entries, in pixels.
const GAP: f64 = 8.0;

/// One entry.
#[derive(Clone, Debug, PartialEq)]
struct Entry {
    text: String,
    sample: Sample,
    x: f64,
    row: usize,
}

/// What an entry shows before its text.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Sample {
    /// A variant's colour and marker or pattern.
    Role(u8),
    /// An arm's way of drawing, without colour.
    Arm(Arm),
}

/// A legend laid out in rows.
#[derive(Clone, Debug)]
pub(crate) struct Legend {
    entries: Vec<Entry>,
    rows: usize,
}

impl Legend {
    /// Lays out the legend of `chart`; it is empty where the chart has a single series.
    pub(crate) fn new(chart: &Chart, width: f64) -> Self {
        let mut samples: Vec<(String, Sample)> = Vec::new();
        for series in &chart.series {
            let entry = (series.name.clone(), Sample::Role(series.role));
            if !samples.contains(&entry) {
                samples.push(entry);
            }
        }
        if samples.len() == 1 {
            samples.clear();
        }
        if has_both_arms(chart) {
            for arm in [Arm::Simulated, Arm::Real] {
                samples.push((arm.word().to_owned(), Sample::Arm(arm)));
            }
        }
        let mut legend = Self { entries: Vec::new(), rows: 0 };
        let (mut x, mut row) = (0.0, 0);
        for (text, sample) in samples {
            let text = measure::shorten(&text, width - SAMPLE - GAP);
            let taken = SAMPLE + GAP + measure::width(&text);
            if x > 0.0 && x + taken > width {
                (x, row) = (0.0, row + 1);
            }
            legend.entries.push(Entry { text, sample, x, row });
            legend.rows = row + 1;
            x += taken + 2.0 * GAP;
        }
        legend
    }

    /// Its height in pixels, with the space below it.
    pub(crate) fn height(&self) -> f64 {
        if self.rows == 0 { 0.0 } else { self.rows as f64 * ROW + GAP }
    }

    /// Draws it at the top left.
    pub(crate) fn draw(&self, svg: &mut Writer, chart: &Chart, key: &str) {
        for entry in &self.entries {
            let middle = entry.row as f64 * ROW + ROW / 2.0;
            match (chart.kind, entry.sample) {
                (ChartKind::Bars, Sample::Role(role)) => {
                    swatch(svg, entry.x, middle, Some((key, role)), Arm::Simulated);
                }
                (ChartKind::Bars, Sample::Arm(arm)) => swatch(svg, entry.x, middle, None, arm),
                (_, Sample::Role(role)) => {
                    svg.open("g", &[("class", &shapes::role_class(role))]);
                    svg.line("line", (entry.x, middle), (entry.x + SAMPLE, middle));
                    let path = shapes::marker(role, entry.x + SAMPLE / 2.0, middle);
                    svg.leaf("path", &[("class", &"marker"), ("d", &path)]);
                    svg.close();
                }
                (_, Sample::Arm(arm)) => {
                    let class = if arm == Arm::Real { "line plain real" } else { "line plain" };
                    svg.line(class, (entry.x, middle), (entry.x + SAMPLE, middle));
                }
            }
            svg.text((entry.x + SAMPLE + GAP, middle + 4.5), "label", Anchor::Start, &entry.text);
        }
    }
}

/// Whether both the simulator and the real runtime are in the picture.
pub(crate) fn has_both_arms(chart: &Chart) -> bool {
    let on = |arm| chart.series.iter().any(|series| series.arm == arm);
    on(Arm::Simulated) && on(Arm::Real)
}

fn swatch(svg: &mut Writer, x: f64, middle: f64, role: Option<(&str, u8)>, arm: Arm) {
    let (left, top, width, height) = (Px(x), Px(middle - 6.0), Px(SAMPLE), Px(12.0));
    let class = match (role, arm) {
        (Some((_, role)), _) => format!("bar {}", shapes::role_class(role)),
        (None, Arm::Simulated) => "bar plain".to_owned(),
        (None, Arm::Real) => "bar plain real".to_owned(),
    };
    let fill = role.map_or_else(|| "var(--c)".to_owned(), |(key, role)| shapes::fill(key, role));
    svg.leaf(
        "rect",
        &[
            ("class", &class),
            ("x", &left),
            ("y", &top),
            ("width", &width),
            ("height", &height),
            ("fill", &fill),
        ],
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Series;

    fn chart(names: &[(&str, Arm)]) -> Chart {
        let mut chart = Chart::new("c", "C", ChartKind::Lines);
        chart.series = names
            .iter()
            .enumerate()
            .map(|(role, (name, arm))| Series {
                name: (*name).to_owned(),
                arm: *arm,
                points: vec![(0.0, 1.0)],
                role: role as u8 / 2,
            })
            .collect();
        chart
    }

    #[test]
    fn both_arms_of_a_variant_share_an_entry() {
        let chart = chart(&[
            ("modulo", Arm::Simulated),
            ("modulo", Arm::Real),
            ("ring", Arm::Simulated),
            ("ring", Arm::Real),
        ]);
        let texts: Vec<_> =
            Legend::new(&chart, 900.0).entries.into_iter().map(|entry| entry.text).collect();
        assert_eq!(texts, ["modulo", "ring", "simulated", "real"]);
    }

    #[test]
    fn a_lone_series_needs_no_legend() {
        let chart = chart(&[("load", Arm::Simulated)]);
        assert_eq!(Legend::new(&chart, 900.0).height(), 0.0);
    }

    #[test]
    fn entries_wrap_inside_the_width() {
        let chart = chart(&[("a long name of a variant", Arm::Simulated); 9]);
        let legend = Legend::new(&chart, 300.0);
        assert!(legend.rows >= 5);
        let ends = legend.entries.iter().map(|entry| entry.x + measure::width(&entry.text));
        assert!(ends.fold(0.0, f64::max) <= 300.0);
    }
}
