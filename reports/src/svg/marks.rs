//! Finds room for the labels of marks above a chart.
//!
//! Labels stand in lanes, each beside its mark's line. No two labels overlap and no line runs
//! through a label. Where the labels do not fit into the lanes there are, all of them give way to
//! numbers, which the page explains in a list.

use super::measure;

/// At most this many lanes of labels; of numbers, which are short and say where to look.
const LANES_MAX: usize = 4;
const NUMBER_LANES_MAX: usize = 8;

/// Labels are bold, and wider by this factor than a text of their letters.
const BOLD: f64 = 1.12;

/// Space between a line and its label, and after a label, in pixels.
const GAP: f64 = 5.0;

/// Where a label stands.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Place {
    /// The lane, 0 being next to the plot; `None` if there is no room even for a number.
    pub(crate) lane: Option<usize>,
    /// Whether it stands to the left of its line.
    pub(crate) left: bool,
}

/// Where all labels stand, and what they say.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Lanes {
    /// One per mark, in the order given.
    pub(crate) places: Vec<Place>,
    /// What stands there: the mark's label, or its number counted from 1.
    pub(crate) texts: Vec<String>,
    /// Lanes in use.
    pub(crate) count: usize,
}

/// A label that has its place already.
struct Taken {
    lane: usize,
    x: f64,
    from: f64,
    to: f64,
}

/// Places `labels`, each with the `x` of its line, between 0 and `width` pixels.
pub(crate) fn place(labels: &[(f64, &str)], width: f64) -> Lanes {
    assert!(width > 0.0, "a plot has a width");
    let words: Vec<String> = labels.iter().map(|(_, label)| (*label).to_owned()).collect();
    let lanes = attempt(labels, words, width, LANES_MAX);
    if lanes.places.iter().all(|place| place.lane.is_some()) {
        return lanes;
    }
    let numbers = (1..=labels.len()).map(|number| number.to_string()).collect();
    attempt(labels, numbers, width, NUMBER_LANES_MAX)
}

fn bold_width(text: &str) -> f64 {
    measure::width(text) * BOLD
}

/// Whether the labels had to give way to numbers.
pub(crate) fn numbered(labels: &[(f64, &str)], width: f64) -> bool {
    let lanes = place(labels, width);
    lanes.texts.iter().zip(labels).any(|(text, (_, label))| text != label)
}

fn attempt(labels: &[(f64, &str)], texts: Vec<String>, width: f64, lanes_max: usize) -> Lanes {
    let mut order: Vec<usize> = (0..labels.len()).collect();
    // From right to left: a label then only meets lines to its right whose lanes are known.
    order.sort_by(|a, b| labels[*b].0.total_cmp(&labels[*a].0).then(b.cmp(a)));
    let mut places = vec![Place { lane: None, left: false }; labels.len()];
    let mut taken: Vec<Taken> = Vec::with_capacity(labels.len());
    for index in order {
        let x = labels[index].0;
        let room = bold_width(&texts[index]) + 2.0 * GAP;
        let left = x + room > width && x - room >= 0.0;
        let (from, to) = if left { (x - room, x) } else { (x, x + room) };
        if to > width + GAP {
            continue;
        }
        let free = |lane: &usize| {
            taken.iter().all(|other| match other.lane.cmp(lane) {
                std::cmp::Ordering::Equal => to <= other.from || from >= other.to,
                std::cmp::Ordering::Less => x <= other.from || x >= other.to,
                std::cmp::Ordering::Greater => other.x <= from || other.x >= to,
            })
        };
        if let Some(lane) = (0..lanes_max).find(free) {
            places[index] = Place { lane: Some(lane), left };
            taken.push(Taken { lane, x, from, to });
        }
    }
    let count = taken.iter().map(|other| other.lane + 1).max().unwrap_or(0);
    Lanes { places, texts, count }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn labels_far_apart_share_the_lowest_lane() {
        let lanes = place(&[(10.0, "one"), (300.0, "two")], 600.0);
        assert_eq!(lanes.count, 1);
        assert_eq!(lanes.texts, ["one", "two"]);
    }

    #[test]
    fn labels_close_together_step_up() {
        let lanes = place(&[(10.0, "power cut"), (30.0, "power back")], 600.0);
        assert_eq!(lanes.places[1].lane, Some(0));
        assert_eq!(lanes.places[0].lane, Some(1));
    }

    #[test]
    fn a_label_at_the_right_edge_stands_to_the_left() {
        let lanes = place(&[(590.0, "the end")], 600.0);
        assert!(lanes.places[0].left);
    }

    #[test]
    fn a_crowd_is_numbered() {
        let labels: Vec<(f64, &str)> =
            (0..40).map(|index| (f64::from(index) * 10.0, "cache-1 is restarted")).collect();
        assert!(numbered(&labels, 400.0));
        assert_eq!(place(&labels, 400.0).texts[39], "40");
    }

    proptest! {
        #[test]
        fn no_label_overlaps_another_and_no_line_crosses_one(
            marks in proptest::collection::vec((0f64..800.0, "[a-z ]{1,20}"), 0..24),
        ) {
            let labels: Vec<(f64, &str)> =
                marks.iter().map(|(x, label)| (*x, label.as_str())).collect();
            let lanes = place(&labels, 800.0);
            let spans: Vec<_> = lanes.places.iter().zip(&lanes.texts).zip(&labels)
                .filter_map(|((place, text), (x, _))| {
                    let room = bold_width(text) + GAP;
                    let from = if place.left { x - room } else { *x };
                    place.lane.map(|lane| (lane, *x, from, from + room))
                })
                .collect();
            for (index, a) in spans.iter().enumerate() {
                for b in spans.iter().skip(index + 1) {
                    prop_assert!(a.0 != b.0 || a.3 <= b.2 || b.3 <= a.2);
                    let (high, low) = if a.0 > b.0 { (a, b) } else { (b, a) };
                    prop_assert!(high.0 == low.0 || high.1 <= low.2 || high.1 >= low.3);
                }
            }
        }
    }
}
