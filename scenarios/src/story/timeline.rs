//! What happens in a story, and when.

use super::Cache;
use crate::program::CommandLine;
use std::time::Duration;

/// One entry of the timeline.
#[derive(Clone, Debug)]
pub struct Happening {
    /// Its name, for expectations and other entries.
    pub name: Option<String>,
    /// Earliest and latest offset; drawn evenly between the two.
    pub at: (Duration, Duration),
    /// Counted from an earlier entry, instead of from the beginning.
    pub after: Option<usize>,
    /// What happens.
    pub action: Action,
    /// The hosts that it may happen to, if the seed draws one of several.
    pub among: Vec<usize>,
    /// The entry to whose host it happens: an earlier one that has the same to draw from.
    pub same_as: Option<usize>,
    /// Whether it happens in this variant. Where it does not, its time is drawn all the same, so
    /// that variants can be compared.
    pub active: bool,
    /// The words of the file, for the report.
    pub text: String,
}

/// What can happen.
#[derive(Clone, Debug)]
pub enum Action {
    /// Switch a host on.
    PowerOn(usize),
    /// Pull its plug: no process hears of it, no peer gets a FIN.
    PowerCut(usize),
    /// Ask its processes to end (SIGTERM).
    Stop(usize),
    /// End its processes at once (`kill -9`); their sockets are closed by the kernel.
    Kill(usize),
    /// Start the processes of a running host again.
    Restart(usize),
    /// Freeze its processes (`SIGSTOP`).
    Freeze(usize),
    /// Let them go on.
    Thaw(usize),
    /// Nothing passes between two hosts.
    Cut(usize, usize),
    /// It does again.
    Heal(usize, usize),
    /// A person types a command line: one more program on a running host.
    Run(usize, CommandLine),
    /// A load's list of caches gets one more at its end.
    AddCache {
        /// Which load.
        load: usize,
        /// Host and port of the cache.
        cache: Cache,
    },
    /// A load's list of caches loses one.
    RemoveCache {
        /// Which load.
        load: usize,
        /// Host and port of the cache.
        cache: Cache,
    },
    /// Nothing: a moment with a name.
    Mark,
    /// A load is told something that its kind understands.
    Tell {
        /// Which load.
        load: usize,
        /// One of the verbs of its kind.
        verb: &'static str,
    },
}

impl Action {
    /// The same, but that it happens to another host.
    #[must_use]
    pub fn at_host(&self, host: usize) -> Self {
        match self {
            Self::PowerOn(_) => Self::PowerOn(host),
            Self::PowerCut(_) => Self::PowerCut(host),
            Self::Stop(_) => Self::Stop(host),
            Self::Kill(_) => Self::Kill(host),
            Self::Restart(_) => Self::Restart(host),
            Self::Freeze(_) => Self::Freeze(host),
            Self::Thaw(_) => Self::Thaw(host),
            Self::Cut(_, other) => Self::Cut(host, *other),
            Self::Heal(_, other) => Self::Heal(host, *other),
            other => other.clone(),
        }
    }
}
