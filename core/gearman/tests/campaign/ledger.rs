//! What happened in a world, whatever became of the memory of those who did it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use storytime_gearman::client::Handle;

/// What clients do at the moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Phase {
    /// They submit all sorts of jobs.
    #[default]
    Busy,
    /// They wait for what they have under way.
    Quiet,
    /// They submit a few jobs that must be done.
    Last,
}

/// How often something happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) submitted: u64,
    pub(crate) complete: u64,
    pub(crate) failed: u64,
    pub(crate) lost: u64,
    pub(crate) not_sent: u64,
    pub(crate) accepted: u64,
    /// Accepted jobs whose server lived on.
    pub(crate) held: u64,
    /// Jobs that were begun more than once.
    pub(crate) repeated: u64,
    pub(crate) jobs_gone: u64,
    pub(crate) last_done: u64,
}

impl Tally {
    pub(crate) fn add(&mut self, other: &Self) {
        self.submitted += other.submitted;
        self.complete += other.complete;
        self.failed += other.failed;
        self.lost += other.lost;
        self.not_sent += other.not_sent;
        self.accepted += other.accepted;
        self.held += other.held;
        self.repeated += other.repeated;
        self.jobs_gone += other.jobs_gone;
        self.last_done += other.last_done;
    }
}

#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) phase: Phase,
    /// Which life each server is in; handles carry it.
    pub(crate) lives: Vec<u32>,
    /// Background jobs that were accepted.
    pub(crate) accepted: Vec<String>,
    /// How often each job was begun.
    pub(crate) begun: BTreeMap<String, u32>,
    /// How often each job was ended by a worker whose connection took it.
    pub(crate) ended: BTreeMap<String, u32>,
    pub(crate) tally: Tally,
}

/// The ledger of one world.
#[derive(Clone, Debug, Default)]
pub(crate) struct Book(Arc<Mutex<Ledger>>);

impl Book {
    pub(crate) fn open(&self) -> MutexGuard<'_, Ledger> {
        self.0.lock().expect("one thread")
    }
}

impl Ledger {
    /// A new life of a server: the prefix of its handles. One whose queue is durable goes on where
    /// it was.
    pub(crate) fn begin_life(&mut self, server: usize, durable: bool) -> String {
        self.lives[server] += u32::from(!durable);
        prefix(server, self.lives[server])
    }

    /// Checks that no background job was lost that was accepted by a server which lives still, or
    /// has a durable queue.
    pub(crate) fn check_accepted(&mut self) {
        let servers = self.lives.iter().enumerate();
        let alive: Vec<String> = servers.map(|(server, life)| prefix(server, *life)).collect();
        for handle in &self.accepted {
            let (server, _) = handle.rsplit_once(':').expect("a handle is prefix and number");
            if !alive.iter().any(|prefix| prefix == server) {
                continue;
            }
            self.tally.held += 1;
            assert!(self.ended.contains_key(handle), "{handle} was accepted and never done");
        }
        self.tally.repeated = self.begun.values().filter(|times| **times > 1).count() as u64;
    }
}

fn prefix(server: usize, life: u32) -> String {
    format!("s{server}l{life}")
}

pub(crate) fn name(handle: &Handle) -> String {
    handle.name.to_string()
}
