//! What is measured: metrics by name, windows of time, points, comparisons.

use super::timeline;
use super::work::name_fits;
use crate::diagnostic::{Checked, Diagnostic};
use crate::fields::{DURATION, Fields, Word, unknown};
use crate::metric::{FIT_METRICS, From, Metric, MetricDef, Take};
use crate::sample::HOST_METRICS;
use crate::story::{Action, Against, Measure, Story, Window};
use crate::units::show_duration;
use std::time::Duration;
use storytime_machine::nanos;

/// Finds the metric that a dotted name means.
pub(super) fn metric(word: &Word, story: &Story) -> Checked<Metric> {
    let Some((source, name)) = word.text.split_once('.') else {
        let title = format!("`{}` is not the name of a metric", word.text);
        return Err(Diagnostic::at(&word.span, title, "expected SOURCE.METRIC")
            .help("for example web.hit_ratio: the load `web`, and one of its metrics")
            .into());
    };
    let setup = &story.variants[0].setup;
    let part = |text: &str, at: usize| part(word, text, at);
    let (from, defs): (From, Vec<MetricDef>) =
        if let Some(n) = story.fits.iter().position(|fit| fit.name == source) {
            (From::Fit(n), FIT_METRICS.to_vec())
        } else if let Some(n) = setup.loads.iter().position(|load| load.name == source) {
            (From::Load(n), setup.loads[n].spec.metrics().to_vec())
        } else if let Some(n) = setup.models.iter().position(|model| model.name == source) {
            (From::Model(n), setup.models[n].spec.metrics().to_vec())
        } else if source.contains('*') {
            return metric_of_hosts(word, source, name, story);
        } else if let Some(n) = setup.hosts.iter().position(|host| host.name == source) {
            (From::Hosts(vec![n]), host_metrics(story, n))
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

/// A part of a dotted name, and its place within the quotes.
fn part(word: &Word, text: &str, at: usize) -> Word {
    Word { text: text.to_owned(), span: word.span.part(at + 1..at + 1 + text.len()) }
}

/// Finds the hosts that a pattern fits, as far as they have the metric.
fn metric_of_hosts(word: &Word, pattern: &str, name: &str, story: &Story) -> Checked<Metric> {
    let hosts = &story.variants[0].setup.hosts;
    let fitting: Vec<usize> =
        (0..hosts.len()).filter(|&n| name_fits(pattern, &hosts[n].name)).collect();
    if fitting.is_empty() {
        let title = format!("no host fits `{pattern}`");
        let names: Vec<&str> = hosts.iter().map(|host| host.name.as_str()).collect();
        let place = part(word, pattern, 0);
        return Err(Diagnostic::at(&place.span, title, "expected a pattern such as `cache*`")
            .help(format!("the hosts are {}", names.join(", ")))
            .into());
    }
    let defs: Vec<(usize, MetricDef)> = fitting
        .iter()
        .flat_map(|&n| host_metrics(story, n).into_iter().map(move |def| (n, def)))
        .collect();
    let Some((_, def)) = defs.iter().find(|(_, def)| def.name == name).copied() else {
        let mut names: Vec<&str> = defs.iter().map(|(_, def)| def.name).collect();
        names.dedup();
        return Err(unknown(&part(word, name, pattern.len() + 1), "metric", names).into());
    };
    let hosts = defs.iter().filter(|(_, other)| *other == def).map(|(n, _)| *n).collect();
    Ok(Metric { text: word.text.clone(), from: From::Hosts(hosts), def })
}

/// The metrics of all programs that run on a host, at boot or typed later.
fn host_metrics(story: &Story, host: usize) -> Vec<MetricDef> {
    let setup = &story.variants[0].setup;
    let at_boot = setup.hosts[host].run.iter();
    let typed = setup.timeline.iter().filter_map(|happening| match &happening.action {
        Action::Run(on, line) if *on == host => Some(line),
        _ => None,
    });
    let of_programs = at_boot.chain(typed).flat_map(|line| line.program.metrics());
    of_programs.chain(HOST_METRICS).copied().collect()
}

pub(super) fn take(fields: &Fields<'_>, key: &str, metric: &Metric) -> Checked<Take> {
    let takes: Vec<(&str, Take)> = metric.def.kind.takes().collect();
    fields.choice(key, &takes, Some(takes[0].1))
}

/// Reads what an expectation measures.
pub(super) fn measure(fields: &Fields<'_>, story: &Story) -> Checked<Measure> {
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
    let at = point(fields, &metric)?;
    let against = against(fields, story, &metric, &window)?;
    Ok(Measure { metric, take, window, at, against })
}

/// The point of a curve that is asked for.
fn point(fields: &Fields<'_>, metric: &Metric) -> Checked<Option<u64>> {
    let Some(node) = fields.get("at") else { return Ok(None) };
    let Some(along) = metric.def.kind.along() else {
        let title = format!("`{}` is no curve", metric.text);
        return Err(Diagnostic::at(&node.span, title, "it has no points")
            .help("`point` asks for a point of the sweep, `after` for a time")
            .into());
    };
    if let Some(take) = fields.get("take") {
        let title = format!("a point of `{}` is a figure by itself", metric.text);
        return Err(Diagnostic::at(&take.span, title, "takes one of all points")
            .also(&node.span, format!("asks for one {along}"))
            .into());
    }
    fields.integer("at", 0..=u64::MAX >> 1, None).map(Some)
}

/// What the figure is divided by.
fn against(
    fields: &Fields<'_>,
    story: &Story,
    metric: &Metric,
    window: &Window,
) -> Checked<Against> {
    let given = ["against", "of", "against_variant"].map(|key| fields.get(key));
    let mut nodes = given.iter().flatten();
    let (Some(node), second) = (nodes.next(), nodes.next()) else { return Ok(Against::Nothing) };
    if let Some(second) = second {
        let title = "a figure is compared with one other figure";
        return Err(Diagnostic::at(&second.span, title, "and another")
            .also(&node.span, "one")
            .into());
    }
    if let Some(word) = fields.text_if("of", "the name of a metric")? {
        let other = self::metric(&word, story)?;
        if other.def.kind != metric.def.kind {
            let title =
                format!("`{}` and `{}` are no figures of one kind", metric.text, other.text);
            return Err(Diagnostic::at(&word.span, title, "cannot be divided by this").into());
        }
        return Ok(Against::Metric(other));
    }
    if let Some(word) = fields.text_if("against_variant", "the name of a variant")? {
        let known: Vec<&str> = story.variants.iter().filter_map(|v| v.base.as_deref()).collect();
        if !known.contains(&word.text.as_str()) {
            return Err(unknown(&word, "variant", known).into());
        }
        return Ok(Against::Variant(word.text));
    }
    fields.choice("against", &[("before", ())], None)?;
    if !matches!(window, Window::After { .. }) {
        let title = "compared with the time before what?";
        return Err(Diagnostic::at(&node.span, title, "needs `after` and `for`").into());
    }
    Ok(Against::Before)
}

/// The part of a run that is looked at.
pub(super) fn window(fields: &Fields<'_>, story: &Story) -> Checked<Window> {
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
