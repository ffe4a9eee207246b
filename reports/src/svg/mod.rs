//! Charts as SVG, to be set into the page.
//!
//! Colours come from the page's custom properties, so one drawing serves light, dark and paper.
//! Each chart is drawn twice, for wide and for narrow screens: text that shrinks with the picture
//! is text nobody reads on a phone.
//!
//! | module | draws |
//! |---|---|
//! | `writer` | elements, attributes, escaping |
//! | `measure` | the room a text takes |
//! | `ruler` | values to pixels |
//! | `legend`, `shapes` | what tells series apart |
//! | `marks` | room for the labels of moments |
//! | `lines`, `bars` | the kinds of charts |
//! | `words` | the picture in words |
//! | `strip` | a row of percentiles |

mod bars;
mod legend;
mod lines;
mod marks;
mod measure;
mod ruler;
mod shapes;
mod strip;
pub(crate) mod words;
mod writer;

use crate::model::{Axis, Chart, ChartKind, Series};
pub(crate) use ruler::{drawable, x_range, y_range};
pub(crate) use strip::strip;
use writer::{Anchor, Writer};

/// What a chart is drawn on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Canvas {
    /// Tables and desktops: 960 pixels wide.
    Wide,
    /// Phones: 380 pixels wide.
    Narrow,
}

impl Canvas {
    /// Its width in pixels.
    pub(crate) fn width(self) -> f64 {
        match self {
            Self::Wide => 960.0,
            Self::Narrow => 380.0,
        }
    }

    /// The height of the plot inside a chart of lines, in pixels.
    pub(crate) fn plot_height(self) -> f64 {
        match self {
            Self::Wide => 300.0,
            Self::Narrow => 230.0,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Wide => "wide",
            Self::Narrow => "narrow",
        }
    }
}

/// Draws `chart`. `key` begins every id inside and must be unique within the page; it consists of
/// letters, digits and dashes.
pub fn draw(chart: &Chart, canvas: Canvas, key: &str) -> String {
    assert!(
        key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'),
        "a key is part of references, where escapes do not work"
    );
    let key = format!("{key}-{}", canvas.word());
    let empty = is_empty(chart);
    let height = match chart.kind {
        _ if empty => 60.0,
        ChartKind::Bars => bars::height(chart, canvas),
        ChartKind::Lines | ChartKind::Steps => lines::height(chart, canvas),
    };
    let mut svg = Writer::default();
    let (title, text) = (format!("{key}-title"), format!("{key}-desc"));
    svg.open(
        "svg",
        &[
            ("class", &format!("chart {}", canvas.word())),
            ("viewBox", &format!("0 0 {} {}", canvas.width(), height.ceil())),
            ("role", &"img"),
            ("aria-labelledby", &format!("{title} {text}")),
        ],
    );
    svg.words("title", &[("id", &title)], &chart.title);
    svg.words("desc", &[("id", &text)], &words::describe(chart));
    match chart.kind {
        _ if empty => {
            svg.text((0.0, 34.0), "label", Anchor::Start, "Nothing was measured for this picture.");
        }
        ChartKind::Bars => bars::draw(&mut svg, chart, canvas, &key),
        ChartKind::Lines | ChartKind::Steps => lines::draw(&mut svg, chart, canvas, &key),
    }
    svg.close();
    svg.finish()
}

/// Whether the marks of `chart` are numbered on `canvas`, so that a list must explain them.
pub(crate) fn numbers_marks(chart: &Chart, canvas: Canvas) -> bool {
    match chart.kind {
        ChartKind::Bars => false,
        ChartKind::Lines | ChartKind::Steps => !is_empty(chart) && lines::numbered(chart, canvas),
    }
}

/// Where a wide chart of lines or steps has its horizontal ticks.
pub(crate) fn x_ticks(chart: &Chart) -> Vec<f64> {
    lines::x_ticks(chart, Canvas::Wide).at
}

/// The name of a series, with its arm where the chart has both.
pub(crate) fn series_name(chart: &Chart, series: &Series) -> String {
    match legend::has_both_arms(chart) {
        true => format!("{}, {}", series.name, series.arm.word()),
        false => series.name.clone(),
    }
}

fn is_empty(chart: &Chart) -> bool {
    let mut points = chart.series.iter().flat_map(|series| &series.points);
    !points.any(|point| drawable(chart, *point))
}

/// An axis' heading: what it measures, and the unit of its labels.
fn axis_title(axis: &Axis, symbol: &str) -> String {
    match (axis.label.as_str(), symbol) {
        (label, "") => label.to_owned(),
        ("", symbol) => symbol.to_owned(),
        (label, symbol) => format!("{label}, {symbol}"),
    }
}
