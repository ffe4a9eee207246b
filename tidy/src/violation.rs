//! What a rule found, and what to do about it.

use core::fmt;

/// One place that breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Violation {
    /// The file, from the root of the repository.
    pub path: String,
    /// The line, from 1.
    pub line: usize,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub cure: String,
}

impl Violation {
    /// A violation at a line.
    pub fn new(
        path: &str,
        line: usize,
        message: impl Into<String>,
        cure: impl Into<String>,
    ) -> Self {
        assert!(line > 0, "lines are counted from 1");
        Self { path: path.to_owned(), line, message: message.into(), cure: cure.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {} — {}", self.path, self.line, self.message, self.cure)
    }
}

/// All violations in order of place, one per line, under a line that counts them.
pub fn report(mut found: Vec<Violation>) -> String {
    found.sort();
    found.dedup();
    let mut text = format!("{} rule violations:\n", found.len());
    for violation in &found {
        text.push_str(&format!("  {violation}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_counts_sorts_and_says_what_to_do() {
        let late = Violation::new("b.rs", 1, "too long", "split it");
        let early = Violation::new("a.rs", 7, "no doc", "write one");
        let text = report(vec![late.clone(), early, late]);
        assert_eq!(
            text,
            "2 rule violations:\n  a.rs:7: no doc — write one\n  b.rs:1: too long — split it\n"
        );
    }
}
