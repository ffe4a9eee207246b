//! Disk operations, off the process's thread and in order per file.
//!
//! Each open file is a lane: its operations run one after the other, in the order of issue. What is
//! handed over to a thread goes up to the next sync or read, which is what somebody waits for: a
//! write and the sync behind it cost one hand-over, and are told together.
//! Operations on names are lanes of their own and may overtake each other, as the contract allows.
//! At most [`LANES_RUNNING_MAX`] lanes run at once; the rest queue. A machine cannot be told to
//! stop asking, so the queue is bounded at its source: above [`OPS_QUEUED_MAX`] the process's
//! connections are not read until it is half empty, and the peers feel it.
//!
//! Rejected: one thread per file (files are many), and a queue per thread (a slow sync would hold
//! up the files that share its thread).

#[cfg(not(madsim))]
mod files;
#[cfg(madsim)]
mod memory;

#[cfg(not(madsim))]
pub(crate) use files::HostFiles;
#[cfg(madsim)]
pub use memory::MemoryDisk;

use crate::Host;
use crate::worker::Worker;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use storytime_machine::{DiskError, DiskOp, DiskResult, FileId, OpKey};

/// Lanes served at the same time: threads of the blocking pool.
pub(crate) const LANES_RUNNING_MAX: usize = 16;
/// Most operations of a lane in one hand-over.
const RUN_OPS_MAX: usize = 16;
/// Queued operations above which connections are not read.
const OPS_QUEUED_MAX: usize = 1024;

/// Carries out one operation, at once and to its end.
pub(crate) trait Files: Send + Sync + 'static {
    /// What the operation came to. Called for one operation per file at a time.
    fn carry_out(&self, op: DiskOp) -> DiskResult;
}

/// The disk of one process.
pub(crate) struct Disk {
    files: Arc<dyn Files>,
    /// Operations behind the one that runs or waits to run, of each file that has any.
    lanes: BTreeMap<FileId, VecDeque<(OpKey, DiskOp)>>,
    /// Heads of lanes that wait to run.
    ready: VecDeque<(OpKey, DiskOp)>,
    running: usize,
    /// Operations not completed.
    open: usize,
}

impl Disk {
    pub(crate) fn new(host: &Host) -> Self {
        #[cfg(not(madsim))]
        let files = Arc::new(HostFiles::new(&host.data_dir));
        #[cfg(madsim)]
        let files = Arc::new(host.disk.process());
        let (lanes, ready) = (BTreeMap::new(), VecDeque::new());
        Self { files, lanes, ready, running: 0, open: 0 }
    }

    /// Whether so many operations wait that connections should not be read.
    #[inline]
    pub(crate) const fn is_full(&self) -> bool {
        self.open > OPS_QUEUED_MAX
    }

    pub(crate) fn submit(&mut self, worker: &Arc<Worker>, key: OpKey, op: DiskOp) {
        self.open += 1;
        if let Some(file) = op.file() {
            if let Some(lane) = self.lanes.get_mut(&file) {
                lane.push_back((key, op));
                return;
            }
            self.lanes.insert(file, VecDeque::new());
        }
        self.ready.push_back((key, op));
        self.dispatch(worker);
    }

    /// What goes with the operation that is about to be handed over, that one first.
    fn gather(&mut self, first: (OpKey, DiskOp)) -> Vec<(OpKey, DiskOp)> {
        let lane = first.1.file().and_then(|file| self.lanes.get_mut(&file));
        let mut ops = vec![first];
        if let Some(lane) = lane {
            while ops.len() < RUN_OPS_MAX
                && !ops.last().is_some_and(|(_, op)| is_awaited(op))
                && let Some(next) = lane.pop_front()
            {
                ops.push(next);
            }
        }
        ops
    }

    fn dispatch(&mut self, worker: &Arc<Worker>) {
        while self.running < LANES_RUNNING_MAX
            && let Some((key, op)) = self.ready.pop_front()
        {
            self.running += 1;
            tokio::spawn(run(Arc::clone(worker), Arc::clone(&self.files), key, op));
        }
        assert!(self.running <= self.open, "what runs is not completed");
    }

    /// So many operations on `file` have run: the next of its lane joins the queue.
    fn finished(&mut self, worker: &Arc<Worker>, file: Option<FileId>, ops: usize) {
        self.running -= 1;
        self.open -= ops;
        if let Some(file) = file {
            match self.lanes.get_mut(&file).and_then(VecDeque::pop_front) {
                Some(next) => self.ready.push_back(next),
                None => drop(self.lanes.remove(&file)),
            }
        }
        self.dispatch(worker);
    }
}

/// Whether somebody is likely to wait for this operation, rather than for one behind it.
const fn is_awaited(op: &DiskOp) -> bool {
    matches!(op, DiskOp::Sync { .. } | DiskOp::Read { .. })
}

/// Runs an operation, and those that go with it, and tells the process.
async fn run(worker: Arc<Worker>, files: Arc<dyn Files>, key: OpKey, op: DiskOp) {
    let file = op.file();
    let ops = worker.look().disk.gather((key, op));
    let count = ops.len();
    let results = offload(files, ops).await;
    let mut turn = worker.turn();
    let results = results.expect("the disk executor does not panic");
    assert_eq!(results.len(), count, "every operation comes to something");
    turn.disk.finished(&worker, file, count);
    let now = turn.now;
    for (key, result) in results {
        turn.drive.disk_done(now, key, result);
        turn.settle(None);
    }
    if turn.disk.open <= OPS_QUEUED_MAX / 2 {
        turn.release();
    }
}

/// What each operation came to, in order.
fn carry_out(files: &dyn Files, ops: Vec<(OpKey, DiskOp)>) -> Vec<(OpKey, DiskResult)> {
    let one = |op: DiskOp| {
        if op.is_valid() { files.carry_out(op) } else { Err(DiskError::Invalid) }
    };
    ops.into_iter().map(|(key, op)| (key, one(op))).collect()
}

#[cfg(not(madsim))]
async fn offload(
    files: Arc<dyn Files>,
    ops: Vec<(OpKey, DiskOp)>,
) -> Option<Vec<(OpKey, DiskResult)>> {
    tokio::task::spawn_blocking(move || carry_out(&*files, ops)).await.ok()
}

/// A disk that answers after a random moment, so that files overtake each other.
#[cfg(madsim)]
async fn offload(
    files: Arc<dyn Files>,
    ops: Vec<(OpKey, DiskOp)>,
) -> Option<Vec<(OpKey, DiskResult)>> {
    use madsim::rand::Rng as _;
    let delay = madsim::rand::thread_rng().gen_range(100..10_000);
    tokio::time::sleep(storytime_machine::Duration::from_micros(delay)).await;
    Some(carry_out(&*files, ops))
}
