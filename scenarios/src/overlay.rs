//! Laying values over a scenario: `--set`, the `set` of a variant, of `[campaign]` and of `[real]`.
//!
//! A path is written with dots. Repeated sections are addressed by the name of the element:
//! `load.web.rate`, `expect.ring-moves-few.at_most`. A part with a dot in it stands in quotes.

use crate::diagnostic::{Checked, Diagnostic, Source, Span};
use crate::fields::wrong;
use crate::suggest::did_you_mean;
use crate::tree::{Entry, Node, Table, Value, parse_value};
use std::sync::Arc;

/// Most overrides on one command line.
pub const OVERRIDES_MAX: usize = 256;

/// Sections that occur once, as `[name]`.
pub const SINGLE_SECTIONS: &[&str] = &["story", "network", "costs", "campaign", "real", "sweep"];
/// Sections that are repeated, as `[[name]]`.
pub const REPEATED_SECTIONS: &[&str] = &[
    "host", "disk", "file", "link", "cluster", "class", "model", "load", "variant", "timeline",
    "fit", "expect", "chart",
];

/// One value to lay over a scenario, and the path to its place.
#[derive(Clone, Debug)]
pub struct Override {
    path: Vec<Part>,
    value: Node,
}

#[derive(Clone, Debug)]
struct Part {
    text: String,
    span: Span,
}

impl Override {
    /// Reads the argument of `--set`: `key=value`.
    ///
    /// # Errors
    /// If there is no `=` or a part of the path is empty.
    pub fn from_argument(argument: &str) -> Checked<Self> {
        let source = Arc::new(Source { name: "--set".to_owned(), text: argument.to_owned() });
        let Some(equals) = equals_sign(argument) else {
            let span = Span { source, bytes: 0..argument.len() };
            return Err(Diagnostic::at(&span, "an override has no `=`", "expected key=value")
                .help("for example --set load.web.rate=500/s")
                .into());
        };
        let key = Span { source: Arc::clone(&source), bytes: 0..equals };
        let path = parts(&argument[..equals], &key, 0)?;
        Ok(Self { path, value: parse_value(&source, equals + 1) })
    }

    /// Reads one entry of a `set = { "load.web.rate" = "500/s" }` table.
    ///
    /// # Errors
    /// If a part of the path is empty.
    pub fn from_entry(entry: &Entry) -> Checked<Self> {
        let quoted = entry.key_span.bytes.len() > entry.key.len();
        let path = parts(&entry.key, &entry.key_span, usize::from(quoted))?;
        Ok(Self { path, value: entry.node.clone() })
    }

    /// The same with every `{}` in its value replaced by a number; a text that is a number then
    /// becomes one.
    #[must_use]
    pub fn at(&self, point: u64) -> Self {
        let mut filled = self.clone();
        fill(&mut filled.value, point);
        filled
    }

    /// Lays the value over the tree.
    ///
    /// # Errors
    /// If the path leads nowhere.
    pub fn apply(&self, tree: &mut Table) -> Checked<()> {
        let first = &self.path[0];
        if !SINGLE_SECTIONS.iter().chain(REPEATED_SECTIONS).any(|name| *name == first.text) {
            let names = SINGLE_SECTIONS.iter().chain(REPEATED_SECTIONS).copied();
            let title = format!("an override begins with a section, not with `{}`", first.text);
            return Err(Diagnostic::at(&first.span, title, "no section has this name")
                .help(did_you_mean(&first.text, "section", names))
                .into());
        }
        if self.path.len() < 2 {
            let title = format!("an override of `{}` as a whole", first.text);
            return Err(Diagnostic::at(&first.span, title, "expected the path of one value")
                .help(format!("for example {}.name=value", first.text))
                .into());
        }
        if tree.get(&first.text).is_none() && SINGLE_SECTIONS.contains(&first.text.as_str()) {
            let value = Value::Table(Table::default());
            let node = Node { value, span: first.span.clone() };
            tree.entries.push(entry(first, node));
        }
        self.descend(tree, 0)
    }

    fn descend(&self, table: &mut Table, depth: usize) -> Checked<()> {
        let part = &self.path[depth];
        let last = depth + 1 == self.path.len();
        if last {
            match table.get_mut(&part.text) {
                Some(found) => found.node = self.value.clone(),
                None => table.entries.push(entry(part, self.value.clone())),
            }
            return Ok(());
        }
        let Some(found) = table.get_mut(&part.text) else {
            let names: Vec<&str> = table.entries.iter().map(|e| e.key.as_str()).collect();
            let title = format!("an override leads nowhere: there is no `{}`", part.text);
            return Err(Diagnostic::at(&part.span, title, "the scenario has no such part")
                .help(did_you_mean(&part.text, "part", names))
                .into());
        };
        match &mut found.node.value {
            Value::Table(inner) => self.descend(inner, depth + 1),
            Value::List(items) => self.descend_by_name(items, depth + 1),
            _ => Err(wrong(&found.node, &part.text, "a table to go on into")
                .also(&part.span, "from this override")
                .into()),
        }
    }

    fn descend_by_name(&self, items: &mut [Node], depth: usize) -> Checked<()> {
        let (section, part) = (&self.path[depth - 1], &self.path[depth]);
        let mut names = Vec::new();
        for item in items {
            let Value::Table(table) = &mut item.value else { continue };
            let Some(Value::Text(name)) = table.get("name").map(|e| &e.node.value) else {
                continue;
            };
            if *name == part.text {
                if depth + 1 == self.path.len() {
                    let title = format!("an override of {} `{name}` as a whole", section.text);
                    return Err(Diagnostic::at(&part.span, title, "expected a field behind it")
                        .help(format!("for example {}.{name}.field=value", section.text))
                        .into());
                }
                return self.descend(table, depth + 1);
            }
            names.push(name.clone());
        }
        let what = section.text.as_str();
        let title = format!("unknown {what} `{}`", part.text);
        Err(Diagnostic::at(&part.span, title, format!("no {what} has this name"))
            .help(did_you_mean(&part.text, what, names.iter().map(String::as_str)))
            .into())
    }
}

fn fill(node: &mut Node, point: u64) {
    match &mut node.value {
        Value::Text(text) if text.contains("{}") => {
            let filled = text.replace("{}", &point.to_string());
            node.value = match filled.parse() {
                Ok(number) => Value::Integer(number),
                Err(_) => Value::Text(filled),
            };
        }
        Value::List(items) => items.iter_mut().for_each(|item| fill(item, point)),
        Value::Table(table) => {
            table.entries.iter_mut().for_each(|entry| fill(&mut entry.node, point));
        }
        _ => {}
    }
}

fn entry(part: &Part, node: Node) -> Entry {
    Entry { key: part.text.clone(), key_span: part.span.clone(), node }
}

/// The first `=` outside quotes.
fn equals_sign(argument: &str) -> Option<usize> {
    let mut quoted = false;
    argument.char_indices().find_map(|(at, c)| match c {
        '"' => {
            quoted = !quoted;
            None
        }
        '=' if !quoted => Some(at),
        _ => None,
    })
}

/// Splits a path at its dots; `offset` is where its text begins within `span`.
fn parts(path: &str, span: &Span, offset: usize) -> Checked<Vec<Part>> {
    let mut found = Vec::new();
    let (mut start, mut quoted) = (0, false);
    let ends = path.char_indices().chain([(path.len(), '.')]);
    for (at, c) in ends {
        quoted ^= c == '"';
        if c != '.' || (quoted && at < path.len()) {
            continue;
        }
        let raw = path[start..at].trim();
        let text = raw.trim_matches('"').to_owned();
        let place = span.part(start + offset..at + offset);
        if text.is_empty() || quoted {
            return Err(Diagnostic::at(span, "a path with an empty or unfinished part", "here")
                .help("parts are joined by single dots: load.web.rate")
                .into());
        }
        found.push(Part { text, span: place });
        start = at + 1;
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::parse;

    fn tree(text: &str) -> Table {
        parse(&Arc::new(Source { name: "t".into(), text: text.into() })).expect("valid")
    }

    fn text_at<'a>(table: &'a Table, section: &str, key: &str) -> &'a Value {
        let Value::List(items) = &table.get(section).expect("section").node.value else {
            panic!("a list")
        };
        let Value::Table(inner) = &items[0].value else { panic!("a table") };
        &inner.get(key).expect("key").node.value
    }

    #[test]
    fn a_path_reaches_a_repeated_section_by_name() {
        let mut tree = tree("[[load]]\nname = \"web\"\nrate = \"1/s\"\n");
        let set = Override::from_argument("load.web.rate=500/s").expect("valid");
        set.apply(&mut tree).expect("found");
        assert!(matches!(text_at(&tree, "load", "rate"), Value::Text(t) if t == "500/s"));
    }

    #[test]
    fn a_part_with_a_dot_stands_in_quotes() {
        let mut tree = tree("[[variant]]\nname = \"a\"\n[variant.set]\n\"load.web.rate\" = 1\n");
        let set = Override::from_argument("variant.a.set.\"load.web.rate\"=2").expect("valid");
        set.apply(&mut tree).expect("found");
        let Value::Table(inner) = text_at(&tree, "variant", "set") else { panic!("a table") };
        let entry = inner.get("load.web.rate").expect("replaced");
        assert!(matches!(entry.node.value, Value::Integer(2)) && inner.entries.len() == 1);
    }

    #[test]
    fn a_missing_single_section_is_made() {
        let mut tree = tree("");
        let set = Override::from_argument("network.loss=1/10").expect("valid");
        set.apply(&mut tree).expect("made");
        assert!(tree.get("network").is_some());
    }
}
