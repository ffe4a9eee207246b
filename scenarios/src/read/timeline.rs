//! The timeline: what happens when.
//!
//! An entry reads like a note on a whiteboard: `do = "power-cut writer"`. Its time counts from the
//! beginning, or from an earlier entry that it names with `after`.

use super::{add, check_unique, index_of, work};
use crate::diagnostic::{Checked, Diagnostic};
use crate::fields::{DURATION, Fields, Word, unknown};
use crate::program::CommandLine;
use crate::story::{Action, Happening, Host, Load, PARTS_MAX};
use crate::units::show_duration;
use std::time::Duration;
use storytime_machine::nanos;

/// What an entry may refer to.
pub(super) struct Parts<'a> {
    pub(super) hosts: &'a [Host],
    pub(super) host_names: &'a [Word],
    pub(super) loads: &'a [Load],
    pub(super) load_names: &'a [Word],
    /// All variants.
    pub(super) variants: &'a [Word],
    /// The one that is being read.
    pub(super) variant: Option<&'a Word>,
}

const FIELDS: &[&str] = &["name", "at", "after", "do", "variant"];

const FORMS: &[(&str, &str)] = &[
    ("power-on", "power-on HOST"),
    ("power-cut", "power-cut HOST"),
    ("stop", "stop HOST"),
    ("kill", "kill HOST"),
    ("restart", "restart HOST"),
    ("freeze", "freeze HOST"),
    ("thaw", "thaw HOST"),
    ("cut", "cut HOST HOST"),
    ("heal", "heal HOST HOST"),
    ("run", "run HOST COMMAND LINE"),
    ("add-cache", "add-cache LOAD HOST"),
    ("remove-cache", "remove-cache LOAD HOST"),
    ("tell", "tell LOAD VERB"),
    ("mark", "mark"),
];

/// Reads `[[timeline]]`.
pub(super) fn timeline(
    top: &Fields<'_>,
    parts: &Parts<'_>,
    duration: Duration,
) -> Checked<Vec<Happening>> {
    let mut found: Vec<Happening> = Vec::new();
    let mut names: Vec<Word> = Vec::new();
    let nodes = top.tables("timeline", PARTS_MAX)?;
    for node in nodes {
        let fields = Fields::of(node, "timeline entry", FIELDS)?;
        let name = fields.text_if("name", "a name for expectations to refer to")?;
        let after = anchor(&fields, &found, name.as_ref(), nodes)?;
        let at = fields.range("at", DURATION, None)?;
        let latest = latest(&found, after, at.1);
        if latest > duration {
            let title = format!(
                "this happens at {}, after the story's end at {}",
                show_duration(nanos(latest)),
                show_duration(nanos(duration))
            );
            return Err(Diagnostic::at(&fields.required("at", "")?.span, title, "too late")
                .help("raise story.duration, or let it happen earlier")
                .into());
        }
        let text = fields.text("do", "what happens, such as \"power-on cache5\"")?;
        let (action, among) = action(&text, parts)?;
        let same = |n: &usize| !among.is_empty() && found[*n].among == among;
        let same_as = after.filter(same);
        found.push(Happening {
            name: name.as_ref().map(|word| word.text.clone()),
            at,
            after,
            action,
            among,
            same_as,
            active: active(&fields, parts)?,
            text: text.text,
        });
        names.extend(name);
    }
    check_unique(&names, "timeline entry")?;
    Ok(found)
}

/// Whether an entry happens in the variant that is being read: in all unless it names some.
fn active(fields: &Fields<'_>, parts: &Parts<'_>) -> Checked<bool> {
    let named = fields.texts("variant", "the name of a variant")?;
    for word in &named {
        index_of(parts.variants, word, "variant")?;
    }
    let own = |word: &Word| parts.variant.is_some_and(|own| own.text == word.text);
    Ok(named.is_empty() || named.iter().any(own))
}

/// The earlier entry that this one counts from.
fn anchor(
    fields: &Fields<'_>,
    found: &[Happening],
    own: Option<&Word>,
    nodes: &[crate::tree::Node],
) -> Checked<Option<usize>> {
    let Some(word) = fields.text_if("after", "the name of an earlier entry")? else {
        return Ok(None);
    };
    let named = |h: &Happening| h.name.as_deref() == Some(word.text.as_str());
    if let Some(at) = found.iter().position(named) {
        return Ok(Some(at));
    }
    if own.is_some_and(|own| own.text == word.text) {
        let title = format!("`{}` cannot happen after itself", word.text);
        return Err(Diagnostic::at(&word.span, title, "this is the entry's own name").into());
    }
    let later = nodes.iter().any(|node| {
        Fields::of(node, "", FIELDS)
            .and_then(|fields| fields.text_if("name", ""))
            .is_ok_and(|name| name.is_some_and(|name| name.text == word.text))
    });
    if later {
        let title = format!("`{}` is only told further down", word.text);
        return Err(Diagnostic::at(&word.span, title, "expected an entry above this one")
            .help("entries count from earlier ones, so that they cannot wait for each other")
            .into());
    }
    let names = found.iter().filter_map(|h| h.name.as_deref());
    Err(unknown(&word, "timeline entry", names.clone().collect::<Vec<_>>()).into())
}

/// The latest time at which an entry can happen.
pub(super) fn latest(found: &[Happening], after: Option<usize>, at: Duration) -> Duration {
    match after {
        None => at,
        Some(n) => add(latest(found, found[n].after, found[n].at.1), at),
    }
}

/// The earliest time at which an entry can happen.
pub(super) fn earliest(found: &[Happening], after: Option<usize>, at: Duration) -> Duration {
    match after {
        None => at,
        Some(n) => add(earliest(found, found[n].after, found[n].at.0), at),
    }
}

/// The words of an entry, each with its place.
fn words(text: &Word) -> Vec<Word> {
    let mut found = Vec::new();
    let mut start = None;
    for (at, c) in text.text.char_indices().chain([(text.text.len(), ' ')]) {
        match (c.is_whitespace(), start) {
            (false, None) => start = Some(at),
            (true, Some(from)) => {
                // The place of the text includes its opening quote.
                let span = text.span.part(from + 1..at + 1);
                found.push(Word { text: text.text[from..at].to_owned(), span });
                start = None;
            }
            _ => {}
        }
    }
    found
}

/// The hosts that a word with a `*` may mean, of which the seed draws one; none without a `*`.
fn among(word: &Word, hosts: &[Host]) -> Checked<Vec<usize>> {
    if !word.text.contains('*') {
        return Ok(Vec::new());
    }
    let fits = |n: &usize| hosts[*n].used && work::name_fits(&word.text, &hosts[*n].name);
    let found: Vec<usize> = (0..hosts.len()).filter(fits).collect();
    if found.is_empty() {
        let title = format!("no host fits `{}`", word.text);
        return Err(Diagnostic::at(&word.span, title, "expected one at least").into());
    }
    Ok(found)
}

/// What happens; and if the seed draws to which host, the hosts that it may be.
fn action(text: &Word, parts: &Parts<'_>) -> Checked<(Action, Vec<usize>)> {
    let words = words(text);
    let Some(verb) = words.first() else {
        return Err(Diagnostic::at(&text.span, "nothing happens here", "expected a verb").into());
    };
    let Some((_, form)) = FORMS.iter().find(|(name, _)| *name == verb.text) else {
        return Err(unknown(verb, "verb", FORMS.iter().map(|(name, _)| *name)).into());
    };
    let fits = match verb.text.as_str() {
        "run" => words.len() >= 3,
        _ => words.len() == form.split(' ').count(),
    };
    if !fits {
        let title = format!("`{}` takes other words", verb.text);
        return Err(Diagnostic::at(&text.span, title, format!("expected \"{form}\"")).into());
    }
    let draws =
        !matches!(verb.text.as_str(), "run" | "tell" | "add-cache" | "remove-cache" | "mark");
    let among = if draws { among(&words[1], parts.hosts)? } else { Vec::new() };
    let host = |n: usize| match among.first() {
        Some(first) if n == 1 => Ok(*first),
        _ => index_of(parts.host_names, &words[n], "host"),
    };
    let action = match verb.text.as_str() {
        "power-on" => Action::PowerOn(host(1)?),
        "power-cut" => Action::PowerCut(host(1)?),
        "stop" => Action::Stop(host(1)?),
        "kill" => Action::Kill(host(1)?),
        "restart" => Action::Restart(host(1)?),
        "freeze" => Action::Freeze(host(1)?),
        "thaw" => Action::Thaw(host(1)?),
        "cut" => Action::Cut(host(1)?, host(2)?),
        "heal" => Action::Heal(host(1)?, host(2)?),
        "run" => Action::Run(host(1)?, command_line(text, &words[2])?),
        "mark" => Action::Mark,
        "tell" => {
            let load = index_of(parts.load_names, &words[1], "load")?;
            let verbs = parts.loads[load].kind.verbs;
            let known = verbs.iter().find(|verb| **verb == words[2].text).copied();
            let verb = known.ok_or_else(|| unknown(&words[2], "verb", verbs.iter().copied()))?;
            Action::Tell { load, verb }
        }
        _ => {
            let load = index_of(parts.load_names, &words[1], "load")?;
            let cache = work::cache(parts.hosts, host(2)?, &words[2].span)?;
            if verb.text == "add-cache" {
                Action::AddCache { load, cache }
            } else {
                Action::RemoveCache { load, cache }
            }
        }
    };
    Ok((action, among))
}

/// The command line behind `run HOST`, from its first word to the end.
fn command_line(text: &Word, first: &Word) -> Checked<CommandLine> {
    let start = first.span.bytes.start.saturating_sub(text.span.bytes.start + 1);
    let rest = text.text.get(start..).unwrap_or(&text.text);
    let span = text.span.part(start..text.text.len() + 2);
    CommandLine::parse(&Word { text: rest.to_owned(), span })
}
