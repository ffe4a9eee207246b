//! A log on the simulated disk: append a record, flush, wait for both.

use bytes::Bytes;
use storytime_machine::{DiskOk, DiskOp, DiskResult, FileId, OpKey, Rng, Time, Token};
use storytime_sim::{DiskConfig, SimDisk};

/// A disk with one open file that only grows.
#[derive(Debug)]
pub struct AppendLog {
    disk: SimDisk,
    file: FileId,
    now: Time,
    at: u64,
}

impl AppendLog {
    /// An empty file on a disk made by `config`.
    pub fn new(config: DiskConfig) -> Self {
        let disk = SimDisk::new(config, Rng::new(1, 1));
        let mut log = Self { disk, file: FileId(0), now: Time::ZERO, at: 0 };
        let open = DiskOp::Open { path: Bytes::from_static(b"log"), create: true };
        match log.carry_out(open) {
            Ok(DiskOk::File { file, .. }) => log.file = file,
            other => panic!("an empty disk has room for a file: {other:?}"),
        }
        log
    }

    /// Appends a record and makes it durable: two operations, each submitted and completed.
    #[inline]
    pub fn append_and_flush(&mut self, record: &Bytes) {
        let write = DiskOp::Write { file: self.file, at: self.at, data: record.clone() };
        self.at += record.len() as u64;
        assert!(self.carry_out(write).is_ok(), "a healthy disk takes a write");
        let sync = DiskOp::Sync { file: self.file };
        assert!(self.carry_out(sync).is_ok(), "a healthy disk flushes");
    }

    fn carry_out(&mut self, op: DiskOp) -> DiskResult {
        let submitted = self.disk.submit(self.now, 0, OpKey::Machine(Token(0)), op);
        self.now = submitted.at;
        let (_, _, result) = self.disk.complete(submitted.id).expect("it was just submitted");
        result
    }
}
