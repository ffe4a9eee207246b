//! Files that lie on hosts when a story begins, and logs that grow while it goes on.

use super::picture;
use std::time::Duration;
use storytime_machine::hash;

/// A file of the same name on some hosts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Its name, in the host's folder.
    pub name: String,
    /// The hosts, by their numbers.
    pub on: Vec<usize>,
    /// What is in it.
    pub content: Content,
}

/// What is in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// A picture, so wide and so high.
    Picture(u32, u32),
    /// A web server's log: so many lines, of which the first comes behind one gap and each other
    /// one a gap later.
    Log {
        /// Lines in the end.
        lines: u64,
        /// Time between two of them.
        gap: Duration,
    },
}

/// Pages that a log speaks of.
const PAGES: u64 = 40;
/// Of a hundred requests, so many are for pages that are not there.
const MISSING_PERCENT: u64 = 7;

/// The n-th line of a host's log, its end included: who, which, and what was asked for.
pub fn log_line(host: &str, nth: u64) -> String {
    let drawn = hash::fold(hash::digest_bytes(0, host.as_bytes()), nth);
    let status = if drawn % 100 < MISSING_PERCENT { 404 } else { 200 };
    // Some pages are asked for more often than others: the lesser of two draws.
    let page = ((drawn >> 8) % PAGES).min((drawn >> 24) % PAGES);
    format!("{host}#{nth} GET /page/{page} {status}\n")
}

impl File {
    /// What lies on a host when the story begins. Logs are empty then.
    pub fn at_first(&self) -> Vec<u8> {
        match self.content {
            Content::Picture(width, height) => picture::drawn(width, height),
            Content::Log { .. } => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_say_who_and_which_and_some_pages_are_missing() {
        let lines: Vec<String> = (0..1_000).map(|nth| log_line("web1", nth)).collect();
        assert!(lines[17].starts_with("web1#17 GET /page/") && lines[17].ends_with('\n'));
        let missing = lines.iter().filter(|line| line.ends_with(" 404\n")).count();
        assert!((40..=100).contains(&missing), "{missing}");
        assert_ne!(log_line("web2", 17), log_line("web1", 17).replace("web1", "web2"));
    }
}
