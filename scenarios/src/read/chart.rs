//! Pictures.

use super::check_unique;
use super::expect::{at_points, variants};
use super::measure::{metric, take, window};
use crate::diagnostic::{Checked, Diagnostic};
use crate::fields::{Fields, unknown};
use crate::metric::{FigureUnit, Metric, Take};
use crate::story::{ChartSpec, Draw, PARTS_MAX, Story, Window};

/// How points become a picture.
#[derive(Clone, Copy)]
enum Kind {
    Lines,
    Bars,
    Curves,
}

/// Reads `[[chart]]`.
pub(super) fn charts(top: &Fields<'_>, story: &Story) -> Checked<Vec<ChartSpec>> {
    let (mut found, mut names) = (Vec::new(), Vec::new());
    for node in top.tables("chart", PARTS_MAX)? {
        const FIELDS: &[&str] = &[
            "name", "title", "caption", "kind", "metrics", "take", "variant", "point", "after",
            "before", "for", "log", "fit",
        ];
        let fields = Fields::of(node, "chart", FIELDS)?;
        let name = fields.text("name", "a short name")?;
        fields.required("metrics", "one metric for lines, one or more for bars")?;
        let words = fields.texts("metrics", "the name of a metric")?;
        let metrics: Vec<Metric> =
            words.iter().map(|word| metric(word, story)).collect::<Checked<_>>()?;
        let kinds = [("lines", Kind::Lines), ("bars", Kind::Bars), ("curves", Kind::Curves)];
        let kind = fields.choice("kind", &kinds, None)?;
        let caption = fields.text_if("caption", "a sentence under the picture")?;
        let draw = match kind {
            Kind::Lines => lines(&fields, metrics)?,
            Kind::Bars => Draw::Bars(taken(&fields, metrics)?),
            Kind::Curves => curves(&fields, story, metrics)?,
        };
        found.push(ChartSpec {
            name: name.text.clone(),
            title: fields.text("title", "a heading")?.text,
            caption: caption.map(|word| word.text),
            draw,
            variants: at_points(&fields, story, variants(&fields, story)?)?,
            window: chart_window(&fields, story, kind)?,
            log: log(&fields, kind)?,
            fit: fit(&fields, story, kind)?,
        });
        names.push(name);
    }
    check_unique(&names, "chart")?;
    Ok(found)
}

/// The window of bars and curves; lines go over the whole run.
fn chart_window(fields: &Fields<'_>, story: &Story, kind: Kind) -> Checked<Window> {
    let node = ["after", "before", "for"].iter().find_map(|key| fields.get(key));
    if let (Some(node), Kind::Lines) = (node, kind) {
        let title = "lines are drawn over the whole run";
        return Err(Diagnostic::at(&node.span, title, "they have no windows of time").into());
    }
    window(fields, story)
}

/// The law that is drawn beside the points.
fn fit(fields: &Fields<'_>, story: &Story, kind: Kind) -> Checked<Option<usize>> {
    let Some(word) = fields.text_if("fit", "the name of a `[[fit]]`")? else { return Ok(None) };
    if !matches!(kind, Kind::Curves) {
        let title = "a law is drawn beside curves";
        return Err(Diagnostic::at(&word.span, title, "this chart has none").into());
    }
    let found = story.fits.iter().position(|fit| fit.name == word.text);
    let names: Vec<&str> = story.fits.iter().map(|fit| fit.name.as_str()).collect();
    found.ok_or_else(|| unknown(&word, "fit", names).into()).map(Some)
}

/// Which axes have equal ratios as equal steps: across, up.
fn log(fields: &Fields<'_>, kind: Kind) -> Checked<(bool, bool)> {
    let mut log = (false, false);
    if let (Some(node), Kind::Bars) = (fields.get("log"), kind) {
        let title = "bars begin at nothing, which no logarithm has";
        return Err(Diagnostic::at(&node.span, title, "leave it out").into());
    }
    for word in fields.texts("log", "\"x\", \"y\" or both")? {
        match word.text.as_str() {
            "x" => log.0 = true,
            "y" => log.1 = true,
            _ => return Err(unknown(&word, "log axis", ["x", "y"]).into()),
        }
    }
    Ok(log)
}

fn lines(fields: &Fields<'_>, metrics: Vec<Metric>) -> Checked<Draw> {
    let node = fields.required("metrics", "")?;
    if let Some(metric) = metrics.iter().find(|metric| !metric.def.kind.is_series()) {
        let title = format!("`{}` is one figure for the whole run", metric.text);
        return Err(Diagnostic::at(&node.span, title, "it cannot be drawn over time")
            .help("kind = \"bars\" draws one figure for each variant")
            .into());
    }
    if metrics.is_empty() || metrics.iter().any(|m| m.def.kind != metrics[0].def.kind) {
        let title = "what is drawn in one chart has one unit";
        return Err(Diagnostic::at(&node.span, title, "these have none, or different ones").into());
    }
    Ok(Draw::Lines(metrics))
}

/// Curves go along what their metrics go along, or else along the sweep.
fn curves(fields: &Fields<'_>, story: &Story, metrics: Vec<Metric>) -> Checked<Draw> {
    let node = fields.required("metrics", "")?;
    let along = |metric: &Metric| metric.def.kind.along();
    if metrics.iter().any(|metric| along(metric) != along(&metrics[0])) {
        let title = "the curves of a chart go along one thing";
        return Err(Diagnostic::at(&node.span, title, "these go along different ones").into());
    }
    if metrics.iter().any(|metric| along(metric).is_none()) && story.sweep.is_none() {
        let title = "a curve without points";
        return Err(Diagnostic::at(&node.span, title, "these are single figures")
            .help("a section `[sweep]` gives one figure for each of its points")
            .into());
    }
    Ok(Draw::Curves(taken(fields, metrics)?))
}

/// What is taken of each metric; all of one unit.
fn taken(fields: &Fields<'_>, metrics: Vec<Metric>) -> Checked<Vec<(Metric, Take)>> {
    let node = fields.required("metrics", "")?;
    let mut found: Vec<(Metric, Take)> = Vec::new();
    for metric in metrics {
        let take = take(fields, "take", &metric)?;
        found.push((metric, take));
    }
    let mut units = found.iter().map(|(metric, take)| metric.def.kind.unit(*take));
    let first = units.next();
    let drawable = first.is_some_and(|unit| unit != FigureUnit::Word);
    if !drawable || units.any(|unit| Some(unit) != first) {
        let title = "what is drawn in one chart has one unit";
        return Err(Diagnostic::at(&node.span, title, "these have none, or different ones").into());
    }
    Ok(found)
}
