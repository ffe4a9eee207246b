//! A scenario file as a tree in which every key and value knows where it was written.
//!
//! The tree exists so that overrides, variants and profiles can be laid over a file before it is
//! read, and a mistake in any of them still points at the words that made it.

use crate::diagnostic::{Checked, Diagnostic, Source, Span};
use std::path::Path;
use std::sync::Arc;
use toml::de::{DeTable, DeValue};

/// Largest scenario file, bytes. The longest story needs a twentieth of it.
pub const FILE_BYTES_MAX: u64 = 256 << 10;

/// A value and its place.
#[derive(Clone, Debug)]
pub struct Node {
    /// What stands there.
    pub value: Value,
    /// Where it stands.
    pub span: Span,
}

/// What can stand in a scenario file.
#[derive(Clone, Debug)]
pub enum Value {
    /// Text in quotes. Quantities with units are text.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// `true` or `false`.
    Bool(bool),
    /// Values in square brackets, or repeated `[[tables]]`.
    List(Vec<Node>),
    /// Keys and values.
    Table(Table),
    /// What TOML knows and no field takes: decimals, dates. Named for messages.
    Foreign(&'static str),
}

/// Keys and values in the order in which they were written.
#[derive(Clone, Debug, Default)]
pub struct Table {
    /// The entries; keys are unique.
    pub entries: Vec<Entry>,
}

/// One key and its value.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Where the key stands.
    pub key_span: Span,
    /// Its value.
    pub node: Node,
}

impl Table {
    /// The entry of a key.
    pub fn get(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.key == key)
    }

    /// The entry of a key, to change.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Entry> {
        self.entries.iter_mut().find(|entry| entry.key == key)
    }
}

impl Value {
    /// What kind of value it is, for messages.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "a text",
            Self::Integer(_) => "a whole number",
            Self::Bool(_) => "a boolean",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
            Self::Foreign(kind) => kind,
        }
    }
}

/// Reads a file into a source, refusing what cannot be a scenario.
///
/// # Errors
/// If the file cannot be read, is larger than [`FILE_BYTES_MAX`] or is not UTF-8.
pub fn read_source(path: &Path) -> Checked<Source> {
    let help = "`storytime stories` lists the stories that can be named without a path";
    read_file(path, "scenario", help)
}

/// Reads a file of some kind; `help` says what could be done if it is not there.
///
/// # Errors
/// If the file cannot be read, is larger than [`FILE_BYTES_MAX`] or is not UTF-8.
pub fn read_file(path: &Path, kind: &str, help: &str) -> Checked<Source> {
    let name = path.display().to_string();
    let cannot = |error: std::io::Error| {
        Diagnostic::plain(format!("cannot read the {kind} file {name}: {error}")).help(help)
    };
    let meta = std::fs::metadata(path).map_err(cannot)?;
    if meta.len() > FILE_BYTES_MAX {
        return Err(too_large(&name, meta.len()).into());
    }
    let bytes = std::fs::read(path).map_err(cannot)?;
    source_from_bytes(&name, bytes)
}

fn too_large(name: &str, bytes: u64) -> Diagnostic {
    Diagnostic::plain(format!(
        "the scenario file {name} has {bytes} bytes, more than the {FILE_BYTES_MAX} allowed"
    ))
    .help("is this a scenario file? the longest story has a few thousand bytes")
}

/// Makes a source of bytes, refusing what cannot be a scenario.
///
/// # Errors
/// If there are more than [`FILE_BYTES_MAX`], or they are not UTF-8.
pub fn source_from_bytes(name: &str, bytes: Vec<u8>) -> Checked<Source> {
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(too_large(name, bytes.len() as u64).into());
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Source { name: name.to_owned(), text }),
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            let bytes = error.into_bytes();
            let found = bytes[at];
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let source = Arc::new(Source { name: name.to_owned(), text });
            let span = Span { source, bytes: at..at + 1 };
            Err(Diagnostic::at(
                &span,
                format!("the file is not UTF-8: byte 0x{found:02x} does not belong here"),
                "this is not text in UTF-8",
            )
            .help("save the file as UTF-8")
            .into())
        }
    }
}

/// Parses a whole file.
///
/// # Errors
/// If it is not TOML.
pub fn parse(source: &Arc<Source>) -> Checked<Table> {
    let parsed = DeTable::parse(&source.text).map_err(|error| syntax(source, &error))?;
    Ok(table(source, 0, parsed.get_ref()))
}

fn syntax(source: &Arc<Source>, error: &toml::de::Error) -> Diagnostic {
    let bytes = error.span().unwrap_or(0..0);
    let span = Span { source: Arc::clone(source), bytes };
    let diagnostic = Diagnostic::at(&span, "this is not TOML", error.message());
    if error.message().contains("quoted") {
        return diagnostic.help("texts and quantities stand in quotes: rate = \"500/s\"");
    }
    diagnostic
}

/// Parses one value that was written behind `--set key=`, or takes it as text: `--set a.b=30s`
/// needs no quotes.
pub fn parse_value(source: &Arc<Source>, at: usize) -> Node {
    let text = &source.text[at..];
    match DeValue::parse(text) {
        Ok(value) if !matches!(value.get_ref(), DeValue::Datetime(_) | DeValue::Float(_)) => {
            node(source, at, value.span(), value.get_ref())
        }
        _ => {
            let span = Span { source: Arc::clone(source), bytes: at..source.text.len() };
            Node { value: Value::Text(text.trim().to_owned()), span }
        }
    }
}

fn table(source: &Arc<Source>, offset: usize, parsed: &DeTable<'_>) -> Table {
    let mut entries: Vec<Entry> = parsed
        .iter()
        .map(|(key, value)| Entry {
            key: key.get_ref().to_string(),
            key_span: span(source, offset, key.span()),
            node: node(source, offset, value.span(), value.get_ref()),
        })
        .collect();
    entries.sort_by_key(|entry| entry.key_span.bytes.start);
    Table { entries }
}

fn span(source: &Arc<Source>, offset: usize, bytes: std::ops::Range<usize>) -> Span {
    Span { source: Arc::clone(source), bytes: bytes.start + offset..bytes.end + offset }
}

fn node(
    source: &Arc<Source>,
    offset: usize,
    bytes: std::ops::Range<usize>,
    parsed: &DeValue<'_>,
) -> Node {
    let value = match parsed {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Integer(integer) => i64::from_str_radix(integer.as_str(), integer.radix())
            .map_or(Value::Foreign("a number beyond 64 bits"), Value::Integer),
        DeValue::Float(_) => Value::Foreign("a decimal number"),
        DeValue::Boolean(yes) => Value::Bool(*yes),
        DeValue::Datetime(_) => Value::Foreign("a date"),
        DeValue::Array(items) => Value::List(
            items.iter().map(|item| node(source, offset, item.span(), item.get_ref())).collect(),
        ),
        DeValue::Table(inner) => Value::Table(table(source, offset, inner)),
    };
    Node { value, span: span(source, offset, bytes) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Arc<Source> {
        Arc::new(Source { name: "t.toml".into(), text: text.into() })
    }

    #[test]
    fn entries_keep_the_order_and_place_in_which_they_were_written() {
        let source = source("zeta = 1\nalpha = \"x\"\n[[host]]\nname = \"h\"\n");
        let tree = parse(&source).expect("valid");
        let keys: Vec<_> = tree.entries.iter().map(|e| e.key.as_str()).collect();
        assert_eq!(keys, ["zeta", "alpha", "host"]);
        assert_eq!(tree.entries[1].node.span.line_and_column(), (2, 9));
    }

    #[test]
    fn a_set_value_needs_no_quotes_but_may_have_them() {
        for (text, expected) in [("30s", "30s"), ("\"30s\"", "30s"), ("0.5", "0.5"), ("a b", "a b")]
        {
            let node = parse_value(&source(text), 0);
            assert!(matches!(&node.value, Value::Text(t) if t == expected), "{text}: {node:?}");
        }
        assert!(matches!(parse_value(&source("5"), 0).value, Value::Integer(5)));
        assert!(matches!(parse_value(&source("[\"a\"]"), 0).value, Value::List(_)));
    }
}
