//! One line on a terminal that says how far we are; silence in a pipe.

use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

/// Shortest time between two lines: more would only flicker.
const BETWEEN: Duration = Duration::from_millis(100);

pub(crate) struct Progress {
    on: bool,
    last: Option<Instant>,
}

impl Progress {
    /// Shown on a terminal, if wanted.
    pub(crate) fn new(wanted: bool) -> Self {
        Self { on: wanted && std::io::stderr().is_terminal(), last: None }
    }

    /// Replaces the line.
    pub(crate) fn say(&mut self, text: &str) {
        if self.on {
            let _closed = write!(std::io::stderr(), "\r\x1b[2K{text}");
            self.last = Some(Instant::now());
        }
    }

    /// Replaces the line, unless that was done a moment ago.
    pub(crate) fn tell(&mut self, text: impl FnOnce() -> String) {
        if self.on && self.last.is_none_or(|last| last.elapsed() >= BETWEEN) {
            self.say(&text());
        }
    }

    /// Takes the line away.
    pub(crate) fn clear(&mut self) {
        if self.on {
            let _closed = write!(std::io::stderr(), "\r\x1b[2K");
        }
    }
}
