//! `[sweep]`: a number that takes several values, each a run of its own in every variant.

use super::overlay;
use crate::diagnostic::{Checked, Diagnostic};
use crate::fields::{Fields, wrong};
use crate::overlay::Override;
use crate::story::{Sweep, VARIANTS_MAX};
use crate::tree::Value;

/// A sweep as the file has it; without one there is a single point that has no number.
pub(super) struct Swept {
    pub(super) sweep: Option<Sweep>,
    points: Vec<Option<u64>>,
    overlay: Vec<Override>,
    span: Option<crate::diagnostic::Span>,
}

/// Reads `[sweep]`.
pub(super) fn sweep(top: &Fields<'_>) -> Checked<Swept> {
    let Some(node) = top.get("sweep") else {
        return Ok(Swept { sweep: None, points: vec![None], overlay: Vec::new(), span: None });
    };
    let fields = Fields::of(node, "[sweep]", &["name", "unit", "points", "set"])?;
    let name = fields.text("name", "what the number is, for axes")?.text;
    let unit = fields.text_if("unit", "what the number counts, such as \"MiB\"")?;
    let overlay = overlay(&fields)?;
    if overlay.is_empty() {
        let title = "a sweep that sets nothing";
        return Err(Diagnostic::at(fields.span(), title, "`set` is missing here")
            .help("add `set`, such as set = { \"host.cache.run\" = \"memcached -m {}\" }")
            .into());
    }
    let points = points(&fields)?;
    let unit = unit.map_or_else(String::new, |word| word.text);
    let span = Some(fields.required("points", "")?.span.clone());
    Ok(Swept { sweep: Some(Sweep { name, unit }), points, overlay, span })
}

fn points(fields: &Fields<'_>) -> Checked<Vec<Option<u64>>> {
    const WANTED: &str = "a list of different whole numbers, least first";
    let node = fields.required("points", WANTED)?;
    let Value::List(items) = &node.value else { return Err(wrong(node, "points", WANTED).into()) };
    let mut found: Vec<Option<u64>> = Vec::new();
    for item in items {
        let number = match item.value {
            Value::Integer(n) => u64::try_from(n).ok(),
            _ => None,
        };
        let Some(number) = number else { return Err(wrong(item, "points", WANTED).into()) };
        if found.last().is_some_and(|last| *last >= Some(number)) {
            let title = format!("the points of a sweep rise, and {number} does not");
            return Err(Diagnostic::at(&item.span, title, format!("expected {WANTED}")).into());
        }
        found.push(Some(number));
    }
    if found.is_empty() {
        let title = "a sweep over no points";
        return Err(Diagnostic::at(&node.span, title, format!("expected {WANTED}")).into());
    }
    Ok(found)
}

impl Swept {
    /// The points, if so many variants at each of them can be run.
    pub(super) fn points(&self, variants: usize) -> Checked<&[Option<u64>]> {
        if let Some(span) = &self.span
            && variants * self.points.len() > VARIANTS_MAX
        {
            let runs = variants * self.points.len();
            let title = format!("{runs} runs: {variants} variants at each point");
            let label = format!("expected at most {VARIANTS_MAX} runs");
            return Err(Diagnostic::at(span, title, label).into());
        }
        Ok(&self.points)
    }

    /// What is laid over the file at a point.
    pub(super) fn overlay(&self, point: Option<u64>) -> Vec<Override> {
        point.map_or_else(Vec::new, |at| self.overlay.iter().map(|set| set.at(at)).collect())
    }

    /// The full name of a variant at a point.
    pub(super) fn name(&self, base: Option<&str>, point: Option<u64>) -> Option<String> {
        let Some((sweep, point)) = self.sweep.as_ref().zip(point) else {
            return base.map(str::to_owned);
        };
        let at = format!("{point} {}", sweep.unit);
        let at = at.trim_end();
        Some(base.map_or_else(|| at.to_owned(), |base| format!("{base}, {at}")))
    }
}
