//! A host with one disk and one process, driven by hand.

use crate::lying::Lie;
use crate::owner::{Owner, Seen};
use std::collections::VecDeque;
use storytime_journal::{JournalOptions, Lsn, ReadError};
use storytime_machine::{
    Boot, Bytes, Cx, DiskOp, DiskResult, Drive as _, Effect, Now, OpKey, Process, Rng, Setup, Time,
    Token, WallTime,
};
use storytime_sim::disk::{CrashPlan, DiskConfig, Plan, Profile, SimDisk};

const OWNER: u32 = 1;

pub(crate) struct Host {
    pub(crate) disk: SimDisk,
    pub(crate) options: JournalOptions,
    pub(crate) lie: Lie,
    process: Option<Process<Owner>>,
    queue: VecDeque<(Time, u64)>,
    now: Time,
    boots: u32,
}

/// Small limits, so that everything happens soon.
pub(crate) fn small() -> JournalOptions {
    JournalOptions {
        dir: Bytes::from_static(b"db/log"),
        segment_bytes: 8 << 10,
        record_bytes_max: 4 << 10,
        batch_bytes_max: 2 << 10,
        pending_bytes_max: 16 << 10,
        reserve_bytes: 2 << 10,
        checkpoints_kept: 1,
        ..JournalOptions::default()
    }
}

impl Host {
    pub(crate) fn new(profile: Profile, seed: u64) -> Self {
        Self::with(DiskConfig::new(profile), small(), seed)
    }

    pub(crate) fn with(config: DiskConfig, options: JournalOptions, seed: u64) -> Self {
        Self {
            disk: SimDisk::new(config, Rng::new(seed, 1)),
            options,
            lie: Lie::None,
            process: None,
            queue: VecDeque::new(),
            now: Time::ZERO,
            boots: 0,
        }
    }

    fn now(&self) -> Now {
        Now { mono: self.now, wall: WallTime(0) }
    }

    /// Starts a process; nothing completes before [`step`](Self::step).
    pub(crate) fn boot(&mut self) {
        self.boots += 1;
        let rng = Rng::new(u64::from(self.boots), 7);
        let owner = Owner::new(self.options.clone(), self.lie);
        let mut process = Process::new(owner, Setup::new(rng));
        let boot = Boot { host: 0, worker: 0, incarnation: self.boots };
        process.start(self.now(), boot);
        self.process = Some(process);
        self.effects();
    }

    fn enqueue(&mut self, due: Time, id: u64) {
        let at = self.queue.partition_point(|&(at, _)| at <= due);
        self.queue.insert(at, (due, id));
    }

    fn effects(&mut self) {
        let process = self.process.as_mut().expect("a process runs");
        process.invariants();
        let effects: Vec<Effect> = core::iter::from_fn(|| process.next_effect()).collect();
        for effect in effects {
            match effect {
                Effect::Disk { key, op } => {
                    let submitted = self.disk.submit(self.now, OWNER, key, op);
                    self.enqueue(submitted.at, submitted.id);
                }
                Effect::Exit(_) => {}
                other => panic!("not asked for: {other:?}"),
            }
        }
    }

    /// Completes one disk operation; false if there is none.
    pub(crate) fn step(&mut self) -> bool {
        let Some((at, id)) = self.queue.pop_front() else { return false };
        self.now = self.now.max(at);
        if let Some((OWNER, key, result)) = self.disk.complete(id) {
            let now = self.now();
            let process = self.process.as_mut().expect("a process runs");
            process.disk_done(now, key, result);
            self.effects();
        }
        true
    }

    pub(crate) fn settle(&mut self) {
        while self.step() {}
    }

    /// Boots and recovers to the end.
    pub(crate) fn recover(&mut self) -> &Seen {
        self.boot();
        self.settle();
        self.seen()
    }

    pub(crate) fn call(&mut self, call: impl FnOnce(&mut Owner, &mut Cx)) {
        let now = self.now();
        self.process.as_mut().expect("a process runs").call(now, call);
        self.effects();
    }

    /// Appends these records in one callback.
    pub(crate) fn append<const N: usize>(&mut self, records: [&str; N]) {
        let records = records.map(|r| Bytes::copy_from_slice(r.as_bytes()));
        self.call(|owner, cx| owner.append(cx, &records));
    }

    /// Appends, and waits until it is durable.
    pub(crate) fn keep<const N: usize>(&mut self, records: [&str; N]) {
        self.append(records);
        self.settle();
        assert_eq!(self.seen().durable, self.owner().journal.last(), "{:?}", self.seen().failed);
    }

    /// Writes a checkpoint of these pieces at the last record.
    pub(crate) fn checkpoint<const N: usize>(&mut self, pieces: [&str; N]) {
        let pieces = pieces.map(|r| Bytes::copy_from_slice(r.as_bytes()));
        let at = self.owner().journal.last();
        self.call(|owner, cx| owner.checkpoint(cx, at, &pieces));
    }

    /// Reads from a record on.
    pub(crate) fn read(&mut self, from: u64, bytes_max: usize) -> Result<Vec<String>, ReadError> {
        self.call(|owner, cx| owner.read(cx, Lsn(from), bytes_max));
        self.settle();
        let read = self.seen().read.clone().expect("every read is answered")?;
        for (index, (lsn, _)) in read.iter().enumerate() {
            assert_eq!(lsn.0, from + index as u64, "in order, from the right one on");
        }
        Ok(read.iter().map(|(_, bytes)| String::from_utf8_lossy(bytes).into_owned()).collect())
    }

    pub(crate) fn seen(&self) -> &Seen {
        &self.owner().seen
    }

    pub(crate) fn owner(&self) -> &Owner {
        self.process.as_ref().expect("a process runs").machine()
    }

    pub(crate) fn later(&mut self, millis: u64) {
        self.now = Time(self.now.0 + millis * 1_000_000);
    }

    pub(crate) fn power_cut(&mut self, plan: CrashPlan) {
        self.disk.power_cut_with(self.now, &mut Plan::new(plan));
        self.queue.clear();
        self.process = None;
    }

    /// The process dies; the page cache lives.
    pub(crate) fn kill(&mut self) {
        self.disk.process_died(self.now, OWNER);
        self.queue.clear();
        self.process = None;
    }

    /// Carries out an operation on the disk, beside the process.
    pub(crate) fn by_hand(&mut self, op: DiskOp) -> DiskResult {
        assert!(self.queue.is_empty(), "nothing is under way");
        let key = OpKey::Machine(Token(0));
        let submitted = self.disk.submit(self.now, OWNER + 1, key, op);
        self.now = self.now.max(submitted.at);
        self.disk.complete(submitted.id).expect("it is carried out").2
    }

    /// Has an operation carried out by another process, behind what is under way.
    pub(crate) fn beside(&mut self, op: DiskOp) {
        let key = OpKey::Machine(Token(0));
        let submitted = self.disk.submit(self.now, OWNER + 1, key, op);
        self.enqueue(submitted.at, submitted.id);
    }

    /// The records told, as text.
    pub(crate) fn texts(&self) -> Vec<String> {
        let texts = self.seen().records.iter().enumerate();
        let told = texts.map(|(index, (lsn, bytes))| {
            let first = self.seen().records[0].0;
            assert_eq!(*lsn, Lsn(first.0 + index as u64), "records come in order");
            String::from_utf8_lossy(bytes).into_owned()
        });
        told.collect()
    }
}
