//! Typed reading of one table of a scenario file.
//!
//! [`Fields::of`] refuses unknown fields before anything else, because a misspelt name would
//! otherwise be reported as a missing one.

use crate::diagnostic::{Checked, Diagnostic, Span};
use crate::suggest::did_you_mean;
use crate::tree::{Node, Table, Value};
use crate::units::{self, Millionths};
use std::time::Duration;

/// Text and its place.
#[derive(Clone, Debug)]
pub struct Word {
    /// The text.
    pub text: String,
    /// Where it stands, quotes included.
    pub span: Span,
}

/// The fields of one table, being read.
pub struct Fields<'a> {
    /// What the table describes, for messages: ``host `cache1` `` or `[story]`.
    what: String,
    table: &'a Table,
    span: Span,
}

impl<'a> Fields<'a> {
    /// Begins to read a table that may have the fields `known` and no other.
    ///
    /// # Errors
    /// If the node is no table, or a field is unknown.
    pub fn of(node: &'a Node, what: &str, known: &[&str]) -> Checked<Self> {
        let Value::Table(table) = &node.value else {
            return Err(wrong(node, what, "a table").into());
        };
        let named = table.get("name").or_else(|| table.get("id")).map(|entry| &entry.node.value);
        let what = match named {
            Some(Value::Text(name)) => format!("{what} `{name}`"),
            _ => what.to_owned(),
        };
        for entry in &table.entries {
            if !known.contains(&entry.key.as_str()) {
                let title = format!("{what} has no field `{}`", entry.key);
                let help = did_you_mean(&entry.key, "field here", known.iter().copied());
                return Err(Diagnostic::at(&entry.key_span, title, "unknown field")
                    .help(help)
                    .into());
            }
        }
        Ok(Self { what, table, span: node.span.clone() })
    }

    /// What is being read, for messages.
    pub fn what(&self) -> &str {
        &self.what
    }

    /// Where the table stands.
    pub const fn span(&self) -> &Span {
        &self.span
    }

    /// The value of a field, if it is there.
    pub fn get(&self, key: &str) -> Option<&'a Node> {
        self.table.get(key).map(|entry| &entry.node)
    }

    /// The value of a field that must be there; `expected` says what belongs into it.
    pub fn required(&self, key: &str, expected: &str) -> Checked<&'a Node> {
        self.get(key).ok_or_else(|| {
            let title = format!("{} has no `{key}`", self.what);
            Diagnostic::at(&self.span, title, format!("`{key}` is missing here"))
                .help(format!("add `{key}`: {expected}"))
                .into()
        })
    }

    /// Text that must be there.
    pub fn text(&self, key: &str, expected: &str) -> Checked<Word> {
        text(self.required(key, expected)?, key, expected)
    }

    /// Text that may be missing.
    pub fn text_if(&self, key: &str, expected: &str) -> Checked<Option<Word>> {
        self.get(key).map(|node| text(node, key, expected)).transpose()
    }

    /// A list of texts; empty if it is missing. One text stands for a list of one.
    pub fn texts(&self, key: &str, expected: &str) -> Checked<Vec<Word>> {
        match self.get(key) {
            None => Ok(Vec::new()),
            Some(node) => match &node.value {
                Value::List(items) => items.iter().map(|n| text(n, key, expected)).collect(),
                _ => Ok(vec![text(node, key, expected)?]),
            },
        }
    }

    /// A boolean; `otherwise` if it is missing.
    pub fn flag(&self, key: &str, otherwise: bool) -> Checked<bool> {
        match self.get(key) {
            None => Ok(otherwise),
            Some(Node { value: Value::Bool(yes), .. }) => Ok(*yes),
            Some(node) => Err(wrong(node, key, "true or false").into()),
        }
    }

    /// A whole number in a range, which must be there unless `otherwise` is given.
    pub fn integer(
        &self,
        key: &str,
        range: std::ops::RangeInclusive<u64>,
        otherwise: Option<u64>,
    ) -> Checked<u64> {
        let expected = format!("a whole number from {} to {}", range.start(), range.end());
        let node = match (self.get(key), otherwise) {
            (Some(node), _) => node,
            (None, Some(value)) => return Ok(value),
            (None, None) => self.required(key, &expected)?,
        };
        let Value::Integer(n) = node.value else {
            return Err(wrong(node, key, &expected).into());
        };
        u64::try_from(n).ok().filter(|n| range.contains(n)).ok_or_else(|| {
            let title = format!("`{key}` is out of range: {n}");
            Diagnostic::at(&node.span, title, format!("expected {expected}")).into()
        })
    }

    /// A quantity with a unit, which must be there unless `otherwise` is given.
    pub fn quantity<T>(&self, key: &str, of: Quantity<T>, otherwise: Option<T>) -> Checked<T> {
        match (self.get(key), otherwise) {
            (Some(node), _) => of.read(node, key),
            (None, Some(value)) => Ok(value),
            (None, None) => of.read(self.required(key, of.wanted)?, key),
        }
    }

    /// A size in a range, which must be there.
    pub fn bytes(&self, key: &str, range: std::ops::RangeInclusive<u64>) -> Checked<u64> {
        let bytes = self.quantity(key, BYTES, None)?;
        if range.contains(&bytes) {
            return Ok(bytes);
        }
        let title = format!("`{key}` is out of range: {bytes} bytes");
        let label = format!("expected {} to {} bytes", range.start(), range.end());
        Err(Diagnostic::at(&self.required(key, "")?.span, title, label).into())
    }

    /// A quantity that may be missing.
    pub fn quantity_if<T>(&self, key: &str, of: Quantity<T>) -> Checked<Option<T>> {
        self.get(key).map(|node| of.read(node, key)).transpose()
    }

    /// A range of quantities, least first: `["100us", "250us"]`, or one text for both ends.
    pub fn range<T: Copy + PartialOrd>(
        &self,
        key: &str,
        of: Quantity<T>,
        otherwise: Option<(T, T)>,
    ) -> Checked<(T, T)> {
        match (self.get(key), otherwise) {
            (Some(node), _) => of.read_range(node, key),
            (None, Some(range)) => Ok(range),
            (None, None) => of.read_range(self.required(key, of.wanted)?, key),
        }
    }

    /// One of a few names, which must be there unless `otherwise` is given.
    pub fn choice<T: Copy>(
        &self,
        key: &str,
        names: &[(&str, T)],
        otherwise: Option<T>,
    ) -> Checked<T> {
        let expected = "one of the names below";
        let word = match (self.get(key), otherwise) {
            (Some(node), _) => text(node, key, expected)?,
            (None, Some(value)) => return Ok(value),
            (None, None) => text(self.required(key, &all(names))?, key, expected)?,
        };
        let found = names.iter().find(|(name, _)| *name == word.text).map(|(_, value)| *value);
        found.ok_or_else(|| unknown(&word, key, names.iter().map(|(name, _)| *name)).into())
    }

    /// The tables of a repeated `[[section]]`; empty if there is none.
    pub fn tables(&self, key: &str, most: usize) -> Checked<&'a [Node]> {
        let Some(node) = self.get(key) else { return Ok(&[]) };
        let Value::List(items) = &node.value else {
            let title = format!("`{key}` is repeated for each one, as `[[{key}]]`");
            return Err(Diagnostic::at(&node.span, title, format!("found {}", node.value.kind()))
                .help(format!("write `[[{key}]]` with two brackets on each side"))
                .into());
        };
        if let Some(extra) = items.get(most) {
            let title = format!("more than {most} `[[{key}]]` sections");
            return Err(Diagnostic::at(&extra.span, title, "one too many").into());
        }
        Ok(items)
    }
}

fn all<T>(names: &[(&str, T)]) -> String {
    names.iter().map(|(name, _)| format!("\"{name}\"")).collect::<Vec<_>>().join(" or ")
}

/// A value of the wrong kind.
pub fn wrong(node: &Node, key: &str, expected: &str) -> Diagnostic {
    let title = format!("`{key}` has the wrong type: {}", node.value.kind());
    Diagnostic::at(&node.span, title, format!("expected {expected}"))
}

/// A name that nothing has.
pub fn unknown<'a>(
    word: &Word,
    what: &str,
    valid: impl IntoIterator<Item = &'a str> + Clone,
) -> Diagnostic {
    let title = format!("unknown {what} `{}`", word.text);
    Diagnostic::at(&word.span, title, format!("no {what} has this name"))
        .help(did_you_mean(&word.text, what, valid))
}

/// A text, or the complaint that it is none.
pub fn text(node: &Node, key: &str, expected: &str) -> Checked<Word> {
    match &node.value {
        Value::Text(text) => Ok(Word { text: text.clone(), span: node.span.clone() }),
        _ => Err(wrong(node, key, expected).into()),
    }
}

/// How to read a quantity of one kind.
pub struct Quantity<T> {
    /// Reads its text.
    pub parse: fn(&str) -> Option<T>,
    /// What the text may be, for messages.
    pub wanted: &'static str,
}

/// A length of time.
pub const DURATION: Quantity<Duration> =
    Quantity { parse: units::duration, wanted: units::DURATION_WANTED };
/// Bytes.
pub const BYTES: Quantity<u64> = Quantity { parse: units::bytes, wanted: units::BYTES_WANTED };
/// Bytes per second.
pub const BANDWIDTH: Quantity<u64> =
    Quantity { parse: units::bandwidth, wanted: units::BANDWIDTH_WANTED };
/// Thousandths per second.
pub const RATE: Quantity<u64> = Quantity { parse: units::rate_milli, wanted: units::RATE_WANTED };
/// Millionths of a whole.
pub const SHARE: Quantity<Millionths> =
    Quantity { parse: units::share, wanted: units::SHARE_WANTED };
/// A probability.
pub const CHANCE: Quantity<storytime_machine::Ratio> = Quantity {
    parse: |text| text.parse().ok(),
    wanted: "a probability such as \"1/10\", \"5%\", \"0\" or \"1\"",
};

// By hand, because a derive would ask for `T: Copy`.
impl<T> Clone for Quantity<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Quantity<T> {}

impl<T> Quantity<T> {
    /// Reads one quantity.
    pub fn read(self, node: &Node, key: &str) -> Checked<T> {
        let word = match &node.value {
            // A plain number is readable as text where the unit may be left out (bytes, shares).
            Value::Integer(n) => Word { text: n.to_string(), span: node.span.clone() },
            _ => text(node, key, self.wanted)?,
        };
        (self.parse)(&word.text).ok_or_else(|| {
            let title = format!("`{key}` cannot be read: \"{}\"", word.text);
            Diagnostic::at(&word.span, title, format!("expected {}", self.wanted)).into()
        })
    }

    /// Reads a range with its least value first.
    pub fn read_range(self, node: &Node, key: &str) -> Checked<(T, T)>
    where
        T: Copy + PartialOrd,
    {
        let Value::List(items) = &node.value else {
            let both = self.read(node, key)?;
            return Ok((both, both));
        };
        let [low, high] = &items[..] else {
            let title = format!("`{key}` is a range of two, found {}", items.len());
            let label = "expected the least and the greatest value";
            return Err(Diagnostic::at(&node.span, title, label).into());
        };
        let (least, most) = (self.read(low, key)?, self.read(high, key)?);
        if least > most {
            let title = format!("the range of `{key}` is empty");
            return Err(Diagnostic::at(&node.span, title, "the first is above the second")
                .help("swap the two")
                .into());
        }
        Ok((least, most))
    }
}
