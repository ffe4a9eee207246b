//! Watching a server: connections that are told what happens to jobs, or how much does.
//!
//! `monitor` turns a connection into a stream of events, `monitor stats 5` into one of statistics,
//! each five seconds; packets and lines are served on it all the same. A line has columns with
//! tabs between them, the first of which is the time in seconds since 1970:
//!
//! ```text
//! 1180000000.250 submitted H:job1:17 resize   photo-4711
//! 1180000000.251 assigned  H:job1:17 resize   photo-4711  127.0.0.1:50112
//! 1180000005.000 stats     seconds=5 submitted=1  …
//! 1180000005.125 lost      2309
//! ```
//!
//! Nobody waits for who watches: while more than [`BEHIND_BYTES_MAX`] wait for a connection it is
//! told nothing, and then how many lines it lost.

mod stats;

use super::session::Sessions;
use super::tenancy::Standing;
use super::{Gearmand, Wire, tokens};
use crate::engine::{Happening, Peer};
use crate::text::Watch;
use bytes::{BufMut as _, BytesMut};
use core::fmt::Write as _;
use core::time::Duration;
use stats::Totals;
use storytime_machine::{Conn, Cx};

/// Most connections that watch.
pub const WATCHERS_MAX: usize = 64;
/// Output of a connection above which it loses lines, bytes.
pub const BEHIND_BYTES_MAX: usize = 512 << 10;
/// From look to look at who wants statistics.
const SECOND: Duration = Duration::from_secs(1);

/// Those who watch.
#[derive(Debug, Default)]
pub(super) struct Watchers {
    list: Vec<Watcher>,
    /// How many of them want events.
    events: usize,
    /// The next look is set.
    ticking: bool,
    /// The line being made.
    line: BytesMut,
    /// Lines that were not told, of all.
    lost: u64,
}

/// A connection that watches.
#[derive(Debug)]
struct Watcher {
    conn: Conn,
    wants: Wants,
    /// Whose it is: it is told of its own jobs.
    standing: Standing,
    /// Lines that it lost and has not been told of.
    lost: u64,
}

#[derive(Debug)]
enum Wants {
    Events,
    /// Statistics each so many seconds, next in so many; what the last ones were.
    Stats {
        seconds: u32,
        left: u32,
        last: Box<Totals>,
    },
}

impl Watchers {
    pub(super) const fn wants_events(&self) -> bool {
        self.events > 0
    }

    /// Lines that were not told.
    pub(super) const fn lost(&self) -> u64 {
        self.lost
    }

    pub(super) const fn len(&self) -> usize {
        self.list.len()
    }

    /// A connection watches no more.
    pub(super) fn leave(&mut self, conn: Conn) {
        self.list.retain(|watcher| watcher.conn != conn);
        self.count();
    }

    fn count(&mut self) {
        let wants = |watcher: &&Watcher| matches!(watcher.wants, Wants::Events);
        self.events = self.list.iter().filter(wants).count();
    }

    /// Tells what happened to a job to all who want to know.
    pub(super) fn tell(
        &mut self,
        cx: &mut Cx,
        sessions: &Sessions,
        handle: &[u8],
        event: &Happening<'_>,
    ) {
        let Self { list, line, lost, .. } = self;
        let worker = event.worker.and_then(|peer| sessions.look(peer.0 as usize));
        let mut called = None;
        for watcher in list.iter_mut().filter(|one| matches!(one.wants, Wants::Events)) {
            let Some(function) = watcher.standing.sees(event.function) else { continue };
            if called.replace(function) != Some(function) {
                line.clear();
                begin(line, cx);
                line.put_slice(event.what.name().as_bytes());
                line.put_u8(b'\t');
                line.put_slice(handle);
                for name in [function, event.unique] {
                    line.put_u8(b'\t');
                    super::admin::name(line, name);
                }
                if let Some(worker) = worker {
                    write!(line, "\t{}", worker.peer).expect("memory grows as needed");
                }
                line.put_u8(b'\n');
            }
            *lost += u64::from(!watcher.put(cx, line));
        }
    }

    pub(super) fn invariants(&self) {
        assert!(self.list.len() <= WATCHERS_MAX, "those who watch are bounded");
        let wants = |watcher: &&Watcher| matches!(watcher.wants, Wants::Events);
        assert_eq!(self.list.iter().filter(wants).count(), self.events, "they are counted");
    }
}

impl Watcher {
    /// Writes a line, or counts it as lost: false then.
    fn put(&mut self, cx: &mut Cx, line: &[u8]) -> bool {
        if cx.pending(self.conn) > BEHIND_BYTES_MAX {
            self.lost += 1;
            return false;
        }
        self.tell_lost(cx);
        if let Some(tx) = cx.tx(self.conn) {
            tx.put(line);
        }
        true
    }

    /// Says how many lines were lost.
    fn tell_lost(&mut self, cx: &mut Cx) {
        if self.lost > 0 {
            let mut line = BytesMut::new();
            begin(&mut line, cx);
            let lost = core::mem::take(&mut self.lost);
            writeln!(line, "lost\t{lost}").expect("memory grows as needed");
            if let Some(tx) = cx.tx(self.conn) {
                tx.put(&line);
            }
        }
    }
}

/// Writes the time: the first column of a line.
fn begin(line: &mut BytesMut, cx: &Cx) {
    let millis = cx.wall_clock().0 / 1_000_000;
    write!(line, "{}.{:03}\t", millis / 1000, millis % 1000).expect("memory grows as needed");
}

impl Wire<'_> {
    /// Something happened to a job.
    pub(super) fn tell_watchers(&mut self, event: &Happening<'_>) {
        let handle = self.handles.write(event.number);
        self.watchers.tell(self.cx, self.sessions, handle.as_bytes(), event);
    }
}

impl Gearmand {
    /// A connection wants to watch. False if too many do.
    pub(super) fn watch(&mut self, cx: &mut Cx, from: Peer, what: Watch) -> bool {
        let Some(conn) = self.sessions.look(from.0 as usize).map(|session| session.conn) else {
            return false;
        };
        self.watchers.leave(conn);
        if self.watchers.list.len() == WATCHERS_MAX {
            return false;
        }
        let wants = match what {
            Watch::Events => Wants::Events,
            Watch::Stats { seconds } => {
                Wants::Stats { seconds, left: seconds, last: Box::new(self.totals()) }
            }
        };
        let standing = self.standing(from);
        self.watchers.list.push(Watcher { conn, wants, standing, lost: 0 });
        self.watchers.count();
        self.keep_watch(cx);
        true
    }

    fn keep_watch(&mut self, cx: &mut Cx) {
        let wants = |watcher: &Watcher| matches!(watcher.wants, Wants::Stats { .. });
        if !self.watchers.ticking && self.watchers.list.iter().any(wants) {
            self.watchers.ticking = true;
            cx.after(tokens::MONITOR, SECOND);
        }
    }

    /// A second has passed for who wants statistics.
    pub(super) fn tell_stats(&mut self, cx: &mut Cx) {
        self.watchers.ticking = false;
        let now = self.totals();
        let Watchers { list, line, lost, .. } = &mut self.watchers;
        for watcher in list {
            let Wants::Stats { seconds, left, last } = &mut watcher.wants else { continue };
            *left -= 1;
            if *left > 0 {
                continue;
            }
            *left = *seconds;
            line.clear();
            begin(line, cx);
            now.write_since(last, *seconds, line);
            **last = now;
            *lost += u64::from(!watcher.put(cx, line));
        }
        self.keep_watch(cx);
    }

    /// A connection that may have lost lines has room again.
    pub(super) fn watcher_drained(&mut self, cx: &mut Cx, conn: Conn) {
        let watcher = self.watchers.list.iter_mut().find(|watcher| watcher.conn == conn);
        if let Some(watcher) = watcher {
            watcher.tell_lost(cx);
        }
    }

    /// Those who watch do not keep a server that is to end.
    pub(super) fn stop_watching(&mut self, cx: &mut Cx) {
        while let Some(watcher) = self.watchers.list.pop() {
            self.hang_up(cx, watcher.conn, storytime_machine::Close::Flush);
        }
        self.watchers.count();
    }
}
