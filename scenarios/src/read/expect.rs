//! Expectations: what is measured, and what is allowed.

use super::check_unique;
use super::measure::measure;
use crate::diagnostic::{Checked, Diagnostic};
use crate::fields::{Fields, unknown, wrong};
use crate::metric::FigureUnit;
use crate::story::{Against, Bound, Expect, Figure, Measure, PARTS_MAX, Story};
use crate::tree::{Node, Value};
use crate::units::{self, Millionths};
use std::collections::BTreeSet;
use storytime_machine::nanos;

const EXPECT_FIELDS: &[&str] = &[
    "name",
    "says",
    "variant",
    "point",
    "metric",
    "take",
    "at",
    "after",
    "before",
    "for",
    "against",
    "against_variant",
    "of",
    "at_least",
    "at_most",
    "between",
    "equals",
    "talk",
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
            variants: at_points(&fields, story, variants(&fields, story)?)?,
            bound: bound(&fields, &measure)?,
            talk: talk.map(|word| word.text),
            measure,
        });
        names.push(name);
    }
    check_unique(&names, "expectation")?;
    Ok(found)
}

/// The variants that an expectation or a picture is about, by index.
pub(super) fn variants(fields: &Fields<'_>, story: &Story) -> Checked<Vec<usize>> {
    let words = fields.texts("variant", "the name of a variant")?;
    if words.is_empty() {
        return Ok((0..story.variants.len()).collect());
    }
    let mut found = Vec::new();
    for word in &words {
        let called = story.variants_called(&word.text);
        if called.is_empty() {
            let mut names: Vec<&str> =
                story.variants.iter().filter_map(|v| v.base.as_deref()).collect();
            names.dedup();
            return Err(unknown(word, "variant", names).into());
        }
        found.extend(called);
    }
    Ok(found)
}

/// Of these variants, those at the points of the sweep that an expectation or a picture names.
pub(super) fn at_points(
    fields: &Fields<'_>,
    story: &Story,
    mut of: Vec<usize>,
) -> Checked<Vec<usize>> {
    let Some(node) = fields.get("point") else { return Ok(of) };
    let nodes = match &node.value {
        Value::List(items) => &items[..],
        _ => std::slice::from_ref(node),
    };
    let points: BTreeSet<u64> = story.variants.iter().filter_map(|v| v.point).collect();
    let mut wanted = Vec::new();
    for node in nodes {
        let point = match node.value {
            Value::Integer(n) => u64::try_from(n).ok(),
            _ => None,
        };
        let Some(point) = point else {
            return Err(wrong(node, "point", "a point of the sweep, or a list of points").into());
        };
        if !points.contains(&point) {
            let title = format!("nothing is swept over {point}");
            let points: Vec<String> = points.iter().map(u64::to_string).collect();
            let help = match points[..] {
                [] => "a story is swept by a section `[sweep]`".to_owned(),
                _ => format!("the points of the sweep are {}", points.join(", ")),
            };
            let label = "no run has this point";
            return Err(Diagnostic::at(&node.span, title, label).help(help).into());
        }
        wanted.push(Some(point));
    }
    of.retain(|&n| wanted.contains(&story.variants[n].point));
    Ok(of)
}

fn bound(fields: &Fields<'_>, measure: &Measure) -> Checked<Bound> {
    let unit = match measure.against != Against::Nothing {
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
        FigureUnit::Bytes => units::BYTES_WANTED,
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
        FigureUnit::Bytes => units::bytes(&text).map(Figure::Bytes),
        FigureUnit::Word => None,
    };
    read.ok_or_else(|| {
        let title = format!("`{key}` cannot be read as a figure of this metric");
        Diagnostic::at(&node.span, title, format!("expected {wanted}")).into()
    })
}
