//! Expectations and pictures.

use super::{check_unique, timeline};
use crate::diagnostic::{Checked, Diagnostic};
use crate::fields::{DURATION, Fields, Word, unknown, wrong};
use crate::metric::{FigureUnit, From, Metric, MetricDef, Take};
use crate::story::{
    Action, Bound, ChartSpec, Draw, Expect, Figure, Measure, PARTS_MAX, Story, Window,
};
use crate::tree::{Node, Value};
use crate::units::{self, Millionths, show_duration};
use std::time::Duration;
use storytime_machine::nanos;

const EXPECT_FIELDS: &[&str] = &[
    "name", "says", "variant", "metric", "take", "after", "before", "for", "against", "at_least",
    "at_most", "between", "equals", "talk",
];

/// Reads `[[expect]]`.
pub(super) fn expects(top: &Fields<'_>, story: &Story) -> Checked<Vec<Expect>> {
    let (mut found, mut names) = (Vec::new(), Vec::new());
    for node in top.tables("expect", PARTS_MAX)? {
        let fields = Fields::of(node, "expectation", EXPECT_FIELDS)?;
        let name = fields.text("name", "a short name")?;
        let measure = measure(&fields, story)?;
        let says = fields.text_if("says", "the expectation as a sentence")?;
        let talk = fields.text_if("talk", "the talk's figure, in words")?;
        found.push(Expect {
            name: name.text.clone(),
            says: says.map(|word| word.text),
            variants: variants(&fields, story)?,
            bound: bound(&fields, &measure)?,
            talk: talk.map(|word| word.text),
            measure,
        });
        names.push(name);
    }
    check_unique(&names, "expectation")?;
    Ok(found)
}

fn variants(fields: &Fields<'_>, story: &Story) -> Checked<Vec<usize>> {
    let words = fields.texts("variant", "the name of a variant")?;
    if words.is_empty() {
        return Ok((0..story.variants.len()).collect());
    }
    let find = |word: &Word| {
        story.variant(&word.text).ok_or_else(|| {
            let names: Vec<&str> =
                story.variants.iter().filter_map(|v| v.name.as_deref()).collect();
            unknown(word, "variant", names).into()
        })
    };
    words.iter().map(find).collect()
}

/// Finds the metric that a dotted name means.
fn metric(word: &Word, story: &Story) -> Checked<Metric> {
    let Some((source, name)) = word.text.split_once('.') else {
        let title = format!("`{}` is not the name of a metric", word.text);
        return Err(Diagnostic::at(&word.span, title, "expected SOURCE.METRIC")
            .help("for example web.hit_ratio: the load `web`, and one of its metrics")
            .into());
    };
    let setup = &story.variants[0].setup;
    let part = |text: &str, at: usize| Word {
        text: text.to_owned(),
        span: word.span.part(at + 1..at + 1 + text.len()),
    };
    let (from, defs): (From, Vec<MetricDef>) =
        if let Some(n) = setup.loads.iter().position(|load| load.name == source) {
            (From::Load(n), setup.loads[n].spec.metrics().to_vec())
        } else if let Some(n) = setup.models.iter().position(|model| model.name == source) {
            (From::Model(n), setup.models[n].spec.metrics().to_vec())
        } else if let Some(n) = setup.hosts.iter().position(|host| host.name == source) {
            (From::Host(n), host_metrics(story, n))
        } else {
            let loads = setup.loads.iter().map(|load| load.name.as_str());
            let models = setup.models.iter().map(|model| model.name.as_str());
            let hosts = setup.hosts.iter().map(|host| host.name.as_str());
            let all: Vec<&str> = loads.chain(models).chain(hosts).collect();
            return Err(unknown(&part(source, 0), "load, model or host", all).into());
        };
    let Some(def) = defs.iter().find(|def| def.name == name) else {
        let names: Vec<&str> = defs.iter().map(|def| def.name).collect();
        return Err(unknown(&part(name, source.len() + 1), "metric", names).into());
    };
    Ok(Metric { text: word.text.clone(), from, def: *def })
}

/// The metrics of all programs that run on a host, at boot or typed later.
fn host_metrics(story: &Story, host: usize) -> Vec<MetricDef> {
    let setup = &story.variants[0].setup;
    let at_boot = setup.hosts[host].run.iter();
    let typed = setup.timeline.iter().filter_map(|happening| match &happening.action {
        Action::Run(on, line) if *on == host => Some(line),
        _ => None,
    });
    at_boot.chain(typed).flat_map(|line| line.program.metrics().iter().copied()).collect()
}

fn take(fields: &Fields<'_>, key: &str, metric: &Metric) -> Checked<Take> {
    let takes: Vec<(&str, Take)> = metric.def.kind.takes().collect();
    fields.choice(key, &takes, Some(takes[0].1))
}

fn measure(fields: &Fields<'_>, story: &Story) -> Checked<Measure> {
    let word = fields.text("metric", "what is measured, such as \"web.hit_ratio\"")?;
    let metric = metric(&word, story)?;
    let take = take(fields, "take", &metric)?;
    let window = window(fields, story)?;
    if window != Window::Whole && !metric.def.kind.is_series() {
        let at = fields.get("after").or_else(|| fields.get("before"));
        let title = format!("`{}` is one figure for the whole run", metric.text);
        let at = at.map_or_else(|| fields.span(), |node| &node.span);
        return Err(Diagnostic::at(at, title, "it has no windows of time")
            .help("leave out `after`, `before` and `for`")
            .into());
    }
    let against_before = match fields.get("against") {
        None => false,
        Some(node) => {
            fields.choice("against", &[("before", ())], None)?;
            if !matches!(window, Window::After { .. }) {
                let title = "compared with the time before what?";
                return Err(Diagnostic::at(&node.span, title, "needs `after` and `for`").into());
            }
            true
        }
    };
    Ok(Measure { metric, take, window, against_before })
}

fn window(fields: &Fields<'_>, story: &Story) -> Checked<Window> {
    let after = fields.text_if("after", "the name of a timeline entry")?;
    let before = fields.text_if("before", "the name of a timeline entry")?;
    let length = fields.quantity_if("for", DURATION)?;
    let (word, is_after) = match (after, before) {
        (None, None) => {
            return match fields.get("for") {
                None => Ok(Window::Whole),
                Some(node) => {
                    let title = "`for` belongs to `after` or `before`";
                    Err(Diagnostic::at(&node.span, title, "from when?").into())
                }
            };
        }
        (Some(word), None) => (word, true),
        (None, Some(word)) => (word, false),
        (Some(word), Some(other)) => {
            let title = "a window has `after` or `before`, not both";
            return Err(Diagnostic::at(&word.span, title, "one")
                .also(&other.span, "and the other")
                .into());
        }
    };
    let Some(length) = length else {
        return Err(Diagnostic::at(&word.span, "a window without length", "for how long?")
            .help("add `for`, such as for = \"1s\"")
            .into());
    };
    for variant in &story.variants {
        check_window(fields, &word, is_after, length, variant)?;
    }
    let happening = happening(&word, story)?;
    Ok(if is_after {
        Window::After { happening, length }
    } else {
        Window::Before { happening, length }
    })
}

fn happening(word: &Word, story: &Story) -> Checked<usize> {
    let timeline = &story.variants[0].setup.timeline;
    let names: Vec<&str> = timeline.iter().filter_map(|h| h.name.as_deref()).collect();
    let named = timeline.iter().position(|h| h.name.as_deref() == Some(word.text.as_str()));
    named.ok_or_else(|| unknown(word, "timeline entry", names).into())
}

/// A window must lie inside the run, whatever the seed draws.
fn check_window(
    fields: &Fields<'_>,
    word: &Word,
    is_after: bool,
    length: Duration,
    variant: &crate::story::Variant,
) -> Checked<()> {
    let list = &variant.setup.timeline;
    let Some(h) = list.iter().find(|h| h.name.as_deref() == Some(word.text.as_str())) else {
        return Ok(());
    };
    let against = fields.get("against").is_some();
    let earliest = timeline::earliest(list, h.after, h.at.0);
    let latest = timeline::latest(list, h.after, h.at.1);
    let end = super::add(latest, length);
    let at = &fields.required("for", "")?.span;
    if length.is_zero() || length < variant.setup.bucket {
        let title = "a window shorter than one bucket of the time series";
        let bucket = show_duration(nanos(variant.setup.bucket));
        return Err(Diagnostic::at(at, title, format!("expected at least {bucket}")).into());
    }
    if is_after && end > variant.setup.duration {
        let title = format!("this window ends at {}, after the story", show_duration(nanos(end)));
        let story_end = show_duration(nanos(variant.setup.duration));
        return Err(Diagnostic::at(at, title, "too long")
            .help(format!("the story ends at {story_end}"))
            .into());
    }
    if (!is_after || against) && earliest < length {
        let title = "this window begins before the story";
        let room = show_duration(nanos(earliest));
        return Err(Diagnostic::at(at, title, "too long")
            .help(format!("`{}` happens {room} after the beginning", word.text))
            .into());
    }
    Ok(())
}

fn bound(fields: &Fields<'_>, measure: &Measure) -> Checked<Bound> {
    let unit = match measure.against_before {
        true => FigureUnit::Factor,
        false => measure.metric.def.kind.unit(measure.take),
    };
    let given: Vec<&str> = ["at_least", "at_most", "between", "equals"]
        .into_iter()
        .filter(|key| fields.get(key).is_some())
        .collect();
    match given[..] {
        [] => {
            let title = format!("{} expects nothing", fields.what());
            return Err(Diagnostic::at(fields.span(), title, "no bound here")
                .help("add `at_least`, `at_most`, `between` or `equals`")
                .into());
        }
        ["at_least", "at_most"] | [_] => {}
        [first, second, ..] => {
            let title = format!("{} has `{first}` and `{second}`", fields.what());
            let (a, b) = (fields.required(first, "")?, fields.required(second, "")?);
            return Err(Diagnostic::at(&b.span, title, "one bound too many")
                .also(&a.span, "the other bound")
                .help("`between` says both ends at once")
                .into());
        }
    }
    if unit == FigureUnit::Word {
        return word_bound(fields, given[0]);
    }
    let read = |key: &str| fields.get(key).map(|node| figure(node, key, unit)).transpose();
    if let Some(node) = fields.get("between") {
        let (low, high) = match &node.value {
            Value::List(items) if items.len() == 2 => (&items[0], &items[1]),
            _ => return Err(wrong(node, "between", "a list of the least and the greatest").into()),
        };
        let ends = (figure(low, "between", unit)?, figure(high, "between", unit)?);
        return range(Some(ends.0), Some(ends.1), &low.span, &high.span);
    }
    if let Some(exact) = read("equals")? {
        return Ok(Bound::Range(Some(exact), Some(exact)));
    }
    let (low, high) = (read("at_least")?, read("at_most")?);
    let span = |key| fields.get(key).map_or_else(|| fields.span(), |node| &node.span);
    range(low, high, span("at_least"), span("at_most"))
}

fn word_bound(fields: &Fields<'_>, key: &str) -> Checked<Bound> {
    let node = fields.required(key, "")?;
    if key != "equals" {
        let title = format!("`{key}` compares numbers, and this metric is a word");
        return Err(Diagnostic::at(&node.span, title, "expected `equals`").into());
    }
    fields.text("equals", "a word").map(|word| Bound::Word(word.text))
}

fn range(
    low: Option<Figure>,
    high: Option<Figure>,
    low_span: &crate::diagnostic::Span,
    high_span: &crate::diagnostic::Span,
) -> Checked<Bound> {
    if let (Some(least), Some(most)) = (low, high)
        && least > most
    {
        let title = "these two bounds contradict each other: nothing can satisfy both";
        return Err(Diagnostic::at(high_span, title, format!("at most {}", most.show()))
            .also(low_span, format!("at least {}", least.show()))
            .into());
    }
    Ok(Bound::Range(low, high))
}

fn figure(node: &Node, key: &str, unit: FigureUnit) -> Checked<Figure> {
    let wanted = match unit {
        FigureUnit::Count => "a whole number",
        FigureUnit::Rate => units::RATE_WANTED,
        FigureUnit::Share => units::SHARE_WANTED,
        FigureUnit::Factor => "a factor such as \"3x\", \"1/4\" or \"25%\"",
        FigureUnit::Time => units::DURATION_WANTED,
        FigureUnit::Word => unreachable!("words are not figures"),
    };
    let text = match &node.value {
        Value::Integer(n) if *n >= 0 => n.to_string(),
        Value::Text(text) => text.clone(),
        Value::Integer(_) => String::new(),
        _ => return Err(wrong(node, key, wanted).into()),
    };
    let read = match unit {
        FigureUnit::Count => text.parse().ok().map(Figure::Count),
        FigureUnit::Rate => units::rate_milli(&text).map(Figure::Rate),
        FigureUnit::Share => {
            units::share(&text).filter(|share| *share <= Millionths::ONE).map(Figure::Share)
        }
        FigureUnit::Factor => units::share(&text).map(Figure::Factor),
        FigureUnit::Time => units::duration(&text).map(|d| Figure::Time(nanos(d))),
        FigureUnit::Word => None,
    };
    read.ok_or_else(|| {
        let title = format!("`{key}` cannot be read as a figure of this metric");
        Diagnostic::at(&node.span, title, format!("expected {wanted}")).into()
    })
}

/// Reads `[[chart]]`.
pub(super) fn charts(top: &Fields<'_>, story: &Story) -> Checked<Vec<ChartSpec>> {
    let (mut found, mut names) = (Vec::new(), Vec::new());
    for node in top.tables("chart", PARTS_MAX)? {
        const FIELDS: &[&str] = &["name", "title", "caption", "kind", "metrics", "take"];
        let fields = Fields::of(node, "chart", FIELDS)?;
        let name = fields.text("name", "a short name")?;
        fields.required("metrics", "one metric for lines, one or more for bars")?;
        let words = fields.texts("metrics", "the name of a metric")?;
        let metrics: Vec<Metric> =
            words.iter().map(|word| metric(word, story)).collect::<Checked<_>>()?;
        let is_lines = fields.choice("kind", &[("lines", true), ("bars", false)], None)?;
        let caption = fields.text_if("caption", "a sentence under the picture")?;
        let draw = if is_lines { lines(&fields, metrics)? } else { bars(&fields, metrics)? };
        found.push(ChartSpec {
            name: name.text.clone(),
            title: fields.text("title", "a heading")?.text,
            caption: caption.map(|word| word.text),
            draw,
        });
        names.push(name);
    }
    check_unique(&names, "chart")?;
    Ok(found)
}

fn lines(fields: &Fields<'_>, mut metrics: Vec<Metric>) -> Checked<Draw> {
    let node = fields.required("metrics", "")?;
    match (metrics.pop(), metrics.is_empty()) {
        (Some(metric), true) if metric.def.kind.is_series() => Ok(Draw::Lines(metric)),
        (Some(metric), true) => {
            let title = format!("`{}` is one figure for the whole run", metric.text);
            Err(Diagnostic::at(&node.span, title, "it cannot be drawn over time")
                .help("kind = \"bars\" draws one figure for each variant")
                .into())
        }
        _ => {
            let title = "a chart of lines draws exactly one metric";
            Err(Diagnostic::at(&node.span, title, "expected one")
                .help("each variant is a line; make one chart for each metric")
                .into())
        }
    }
}

fn bars(fields: &Fields<'_>, metrics: Vec<Metric>) -> Checked<Draw> {
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
        let title = "the bars of a chart have one unit";
        return Err(Diagnostic::at(&node.span, title, "these have none, or different ones").into());
    }
    Ok(Draw::Bars(found))
}
