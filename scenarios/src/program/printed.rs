//! What a command line printed, as figures: on both runtimes alike.

use crate::metric::{Kind, MetricDef};
use crate::models::Results;
use crate::models::results::Result as Figure;
use std::collections::BTreeSet;
use storytime_machine::hash;

/// Longest first line that is told, bytes.
const FIRST_BYTES_MAX: usize = 80;

/// What can be measured about a program that prints.
pub(super) const PRINTED_METRICS: &[MetricDef] = &[
    MetricDef { name: "printed_bytes", kind: Kind::Count, label: "bytes printed" },
    MetricDef { name: "printed_lines", kind: Kind::Count, label: "lines printed" },
    MetricDef { name: "distinct_lines", kind: Kind::Count, label: "different lines printed" },
    MetricDef { name: "first_line", kind: Kind::Word, label: "the first line printed" },
    MetricDef { name: "digest", kind: Kind::Word, label: "what was printed, as a number" },
];

/// The figures of what was printed; without words if that is nothing.
pub fn results(printed: &[u8]) -> Results {
    let lines = || printed.split_inclusive(|byte| *byte == b'\n');
    let distinct: BTreeSet<&[u8]> = lines().collect();
    let mut results = Results::default();
    let mut count = |name, n: usize| drop(results.0.insert(name, Figure::Count(n as u64)));
    count("printed_bytes", printed.len());
    count("printed_lines", lines().count());
    count("distinct_lines", distinct.len());
    if let Some(first) = lines().next() {
        let first = first.trim_ascii_end();
        let first = first[..first.len().min(FIRST_BYTES_MAX)].escape_ascii().to_string();
        results.0.insert("first_line", Figure::Word(first));
        results.0.insert("digest", Figure::Word(digest(printed)));
    }
    results
}

/// Tells contents apart.
pub fn digest(content: &[u8]) -> String {
    format!("{:016x}", hash::digest_bytes(0, content))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_printed_is_counted() {
        let results = results(b"b\na\nb\n").0;
        let count = |name: &str| match results.get(name) {
            Some(Figure::Count(n)) => *n,
            other => panic!("{name}: {other:?}"),
        };
        assert_eq!((count("printed_bytes"), count("printed_lines")), (6, 3));
        assert_eq!(count("distinct_lines"), 2);
        assert!(matches!(results.get("first_line"), Some(Figure::Word(word)) if word == "b"));
        assert_ne!(digest(b"ab"), digest(b"ba"));
        assert!(!super::results(b"").0.contains_key("first_line"));
    }
}
