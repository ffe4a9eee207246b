//! `watch`: lines about what happens, for whoever asked for them.
//!
//! A line is written once and given to every watcher that wants its stream. What one watcher may
//! have waiting is bounded; lines that do not fit are counted, and the next one that does is
//! preceded by `skipped=N`. While nobody watches, an event costs one load.

use super::lock;
use bytes::BytesMut;
use core::fmt::{self, Write as _};
use core::sync::atomic::{AtomicU32, Ordering};
use std::sync::Mutex;

/// Most watchers at once.
pub(crate) const WATCHERS_MAX: usize = 20;
/// Room that is kept for a line about skipped ones, bytes.
const SKIPPED_LINE_BYTES: usize = 128;

/// A set of streams.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Streams(u32);

impl Streams {
    pub(crate) const RAWCMDS: Self = Self(1);
    pub(crate) const EVICTIONS: Self = Self(1 << 1);
    pub(crate) const FETCHERS: Self = Self(1 << 2);
    pub(crate) const MUTATIONS: Self = Self(1 << 3);
    pub(crate) const SYSEVENTS: Self = Self(1 << 4);
    pub(crate) const CONNEVENTS: Self = Self(1 << 5);
    pub(crate) const DELETIONS: Self = Self(1 << 6);
    /// Of the built-in proxy, which is not here: taken, and silent.
    pub(crate) const PROXY: Self = Self(1 << 7);

    /// In the order in which a shortened name is looked for.
    const NAMES: [(&'static str, Self); 10] = [
        ("rawcmds", Self::RAWCMDS),
        ("evictions", Self::EVICTIONS),
        ("fetchers", Self::FETCHERS),
        ("mutations", Self::MUTATIONS),
        ("sysevents", Self::SYSEVENTS),
        ("connevents", Self::CONNEVENTS),
        ("proxyreqs", Self::PROXY),
        ("proxyevents", Self::PROXY),
        ("proxyuser", Self::PROXY),
        ("deletions", Self::DELETIONS),
    ];

    /// The stream of a name, or of its first letters.
    pub(crate) fn of(name: &[u8]) -> Option<Self> {
        let found = Self::NAMES.iter().find(|(known, _)| known.as_bytes().starts_with(name));
        found.map(|&(_, stream)| stream)
    }

    pub(crate) const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

/// A moment on the wall clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stamp {
    /// Since 1970.
    pub(crate) micros: u64,
}

/// All watchers of a server.
#[derive(Debug)]
pub(crate) struct Hub {
    /// Streams that somebody wants.
    wanted: AtomicU32,
    /// What one watcher may have waiting, bytes.
    bytes_max: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Number of the last line.
    line: u64,
    /// Number of the last watcher.
    watcher: u64,
    watchers: Vec<Watcher>,
    scratch: BytesMut,
    counts: Counts,
}

#[derive(Debug)]
struct Watcher {
    id: u64,
    streams: Streams,
    waiting: BytesMut,
    skipped: u64,
}

/// What `stats` shows of watching.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    /// Lines written.
    pub(crate) written: u64,
    /// Lines given to watchers.
    pub(crate) sent: u64,
    /// Lines that did not fit.
    pub(crate) skipped: u64,
    /// Watchers now.
    pub(crate) watchers: u64,
}

impl Hub {
    pub(super) fn new(bytes_max: u32) -> Self {
        Self { wanted: AtomicU32::new(0), bytes_max: bytes_max as usize, state: Mutex::default() }
    }

    /// Whether somebody wants one of these streams.
    #[inline]
    pub(crate) fn wants(&self, streams: Streams) -> bool {
        Streams(self.wanted.load(Ordering::Relaxed)).meets(streams)
    }

    /// What one watcher may have waiting, bytes.
    pub(crate) const fn bytes_max(&self) -> usize {
        self.bytes_max
    }

    /// Adds a watcher; `None` if there are too many.
    pub(crate) fn add(&self, streams: Streams) -> Option<u64> {
        let mut state = lock(&self.state);
        if state.watchers.len() >= WATCHERS_MAX {
            return None;
        }
        state.watcher += 1;
        let id = state.watcher;
        state.watchers.push(Watcher { id, streams, waiting: BytesMut::new(), skipped: 0 });
        self.announce(&state);
        Some(id)
    }

    /// Takes one out again; no matter if it is gone already.
    pub(crate) fn remove(&self, id: u64) {
        let mut state = lock(&self.state);
        state.watchers.retain(|watcher| watcher.id != id);
        self.announce(&state);
    }

    fn announce(&self, state: &State) {
        let all = state.watchers.iter().fold(Streams::default(), |all, w| all.and(w.streams));
        self.wanted.store(all.0, Ordering::Relaxed);
    }

    /// Writes a line for those who want its stream. `what` is the line behind `gid=`.
    pub(crate) fn log(&self, stream: Streams, at: Stamp, what: fmt::Arguments<'_>) {
        if !self.wants(stream) {
            return;
        }
        let mut state = lock(&self.state);
        let State { line, watchers, scratch, counts, .. } = &mut *state;
        *line += 1;
        counts.written += 1;
        scratch.clear();
        let (seconds, micros) = (at.micros / 1_000_000, at.micros % 1_000_000);
        writeln!(scratch, "ts={seconds}.{micros} gid={line} {what}").expect("it grows as needed");
        for watcher in watchers.iter_mut().filter(|watcher| watcher.streams.meets(stream)) {
            if watcher.waiting.len() + scratch.len() + SKIPPED_LINE_BYTES > self.bytes_max {
                watcher.skipped += 1;
                counts.skipped += 1;
                continue;
            }
            let skipped = core::mem::take(&mut watcher.skipped);
            if skipped > 0 {
                writeln!(watcher.waiting, "skipped={skipped}").expect("it grows as needed");
            }
            watcher.waiting.extend_from_slice(scratch);
            counts.sent += 1;
        }
    }

    /// Moves what waits for a watcher behind `into`. Whether there was anything.
    pub(crate) fn take(&self, id: u64, into: &mut BytesMut) -> bool {
        let mut state = lock(&self.state);
        let Some(watcher) = state.watchers.iter_mut().find(|watcher| watcher.id == id) else {
            return false;
        };
        into.extend_from_slice(&watcher.waiting);
        let some = !watcher.waiting.is_empty();
        watcher.waiting.clear();
        some
    }

    pub(crate) fn counts(&self) -> Counts {
        let state = lock(&self.state);
        Counts { watchers: state.watchers.len() as u64, ..state.counts }
    }

    /// Sets the counts back.
    pub(crate) fn reset_counts(&self) {
        lock(&self.state).counts = Counts::default();
    }
}

/// A key in a line: letters, digits and `-._~` as they are, all else as `%XX`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Encoded<'a>(pub(crate) &'a [u8]);

impl fmt::Display for Encoded<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|&byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                f.write_char(char::from(byte))
            }
            _ => write!(f, "%{byte:02X}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Stamp = Stamp { micros: 1_180_000_000_000_042 };

    fn waiting(hub: &Hub, id: u64) -> String {
        let mut all = BytesMut::new();
        hub.take(id, &mut all);
        String::from_utf8(all.to_vec()).expect("lines are text")
    }

    #[test]
    fn a_line_reaches_those_who_want_its_stream() {
        let hub = Hub::new(1 << 10);
        let gets = hub.add(Streams::FETCHERS).expect("there is room");
        let both = hub.add(Streams::FETCHERS.and(Streams::MUTATIONS)).expect("there is room");
        hub.log(Streams::MUTATIONS, AT, format_args!("type=x key={}", Encoded(b"a b#")));
        hub.log(Streams::EVICTIONS, AT, format_args!("nobody wants it"));
        assert_eq!(waiting(&hub, gets), "");
        assert_eq!(waiting(&hub, both), "ts=1180000000.42 gid=1 type=x key=a%20b%23\n");
        hub.remove(both);
        assert!(hub.wants(Streams::FETCHERS) && !hub.wants(Streams::MUTATIONS));
    }

    #[test]
    fn what_does_not_fit_is_counted_and_told_later() {
        let hub = Hub::new(300);
        let id = hub.add(Streams::FETCHERS).expect("there is room");
        for n in 0..20 {
            hub.log(Streams::FETCHERS, AT, format_args!("n={n}"));
        }
        let first = waiting(&hub, id);
        assert!(first.len() <= 300 && !first.contains("skipped"), "{first}");
        let lost = 20 - first.lines().count();
        hub.log(Streams::FETCHERS, AT, format_args!("again"));
        let then = waiting(&hub, id);
        assert_eq!(then.lines().next(), Some(format!("skipped={lost}").as_str()));
        assert_eq!(hub.counts().skipped, lost as u64);
    }

    #[test]
    fn there_is_an_end_to_watchers() {
        let hub = Hub::new(300);
        assert!((0..WATCHERS_MAX).all(|_| hub.add(Streams::FETCHERS).is_some()));
        assert_eq!(hub.add(Streams::FETCHERS), None);
    }

    #[test]
    fn the_first_letters_of_a_stream_will_do() {
        assert_eq!(Streams::of(b"mut"), Some(Streams::MUTATIONS));
        assert_eq!(Streams::of(b"deletions"), Some(Streams::DELETIONS));
        assert_eq!(Streams::of(b"gets"), None);
    }
}
