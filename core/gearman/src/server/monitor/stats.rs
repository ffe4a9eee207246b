//! What is counted, for who wants statistics.

use crate::engine::Counters;
use crate::server::Gearmand;
use bytes::{BufMut as _, BytesMut};
use core::fmt::Write as _;

/// What was counted up to a time, and how much there was then.
#[derive(Clone, Copy, Debug)]
pub(super) struct Totals {
    engine: Counters,
    assigned: u64,
    /// Jobs that could run, and that do.
    queued: u64,
    running: u64,
    jobs: u64,
    /// Functions of workers: one that can do two counts twice.
    abilities: u64,
    connections: u64,
    memory_bytes: u64,
}

impl Totals {
    /// Writes what was counted since, and how much there is.
    pub(super) fn write_since(&self, last: &Self, seconds: u32, line: &mut BytesMut) {
        write!(line, "stats\tseconds={seconds}").expect("memory grows as needed");
        let (now, was) = (&self.engine, &last.engine);
        for (name, value) in [
            ("submitted", now.submitted - was.submitted),
            ("joined", now.joined - was.joined),
            ("refused", now.refused - was.refused),
            ("assigned", self.assigned - last.assigned),
            ("completed", now.completed - was.completed),
            ("answered", now.answered - was.answered),
            ("failed", now.failed - was.failed),
            ("lost", now.lost - was.lost),
            ("timed_out", now.timed_out - was.timed_out),
            ("abandoned", now.abandoned - was.abandoned),
            ("jobs", self.jobs),
            ("queued", self.queued),
            ("running", self.running),
            ("abilities", self.abilities),
            ("connections", self.connections),
            ("memory_bytes", self.memory_bytes),
        ] {
            write!(line, "\t{name}={value}").expect("memory grows as needed");
        }
        line.put_u8(b'\n');
    }
}

impl Gearmand {
    /// What was counted up to now.
    pub(super) fn totals(&self) -> Totals {
        let mut totals = Totals {
            engine: self.engine.counters(),
            assigned: self.counters.assigned,
            queued: 0,
            running: 0,
            jobs: self.engine.jobs().into(),
            abilities: 0,
            connections: self.sessions.open() as u64,
            memory_bytes: self.engine.memory() + self.sessions.memory(),
        };
        for function in self.engine.functions() {
            totals.queued += function.queued.iter().map(|&n| u64::from(n)).sum::<u64>();
            totals.running += u64::from(function.running);
            totals.abilities += u64::from(function.workers);
        }
        totals
    }
}
