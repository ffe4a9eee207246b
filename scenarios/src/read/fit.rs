//! Laws of growth: `[[fit]]`.

use super::check_unique;
use super::expect::variants;
use super::measure::{metric, take, window};
use crate::diagnostic::{Checked, Diagnostic};
use crate::fields::Fields;
use crate::metric::FigureUnit;
use crate::story::{Fit, PARTS_MAX, Story};

/// Reads `[[fit]]`.
pub(super) fn fits(top: &Fields<'_>, story: &Story) -> Checked<Vec<Fit>> {
    const FIELDS: &[&str] = &["name", "metric", "take", "variant", "after", "before", "for"];
    let (mut found, mut names) = (Vec::new(), Vec::new());
    for node in top.tables("fit", PARTS_MAX)? {
        let fields = Fields::of(node, "fit", FIELDS)?;
        let name = fields.text("name", "a short name, before the dot of its metrics")?;
        let word = fields.text("metric", "what grows, such as \"net.jobs\"")?;
        let metric = metric(&word, story)?;
        let take = take(&fields, "take", &metric)?;
        if !matches!(metric.def.kind.unit(take), FigureUnit::Rate | FigureUnit::Count) {
            let title = format!("`{}` is no throughput", metric.text);
            return Err(Diagnostic::at(&word.span, title, "expected a rate, or a number").into());
        }
        if story.sweep.is_none() {
            let title = "a law of growth without growth";
            return Err(Diagnostic::at(fields.span(), title, "needs points of different size")
                .help("add a section `[sweep]`")
                .into());
        }
        let setup = &story.variants[0].setup;
        let sources = setup.hosts.iter().map(|host| &host.name);
        let mut sources = sources.chain(setup.loads.iter().map(|load| &load.name));
        if sources.any(|source| *source == name.text) {
            let title = format!("`{}` names two things that have metrics", name.text);
            return Err(Diagnostic::at(&name.span, title, "a host or a load has this name").into());
        }
        let (variants, window) = (variants(&fields, story)?, window(&fields, story)?);
        found.push(Fit { name: name.text.clone(), metric, take, window, variants });
        names.push(name);
    }
    check_unique(&names, "fit")?;
    Ok(found)
}
