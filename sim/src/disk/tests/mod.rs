//! The disk as a program on it sees it.

mod crash;
mod faults;
mod lies;
mod names;
mod timing;
mod writes;

use super::*;
use bytes::Bytes;
use storytime_machine::{DiskOk, Duration, FileId, Ratio, Token};

const KEY: OpKey = OpKey::Machine(Token(0));
const OWNER: u32 = 1;

/// A host that does one thing after another.
#[derive(Clone, Debug)]
struct Host {
    disk: SimDisk,
    now: Time,
}

impl Host {
    fn with(config: DiskConfig, seed: u64) -> Self {
        Self { disk: SimDisk::new(config, Rng::new(seed, 1)), now: Time::ZERO }
    }

    fn new(profile: Profile, seed: u64) -> Self {
        Self::with(DiskConfig::new(profile), seed)
    }

    fn lying(lies: Lies, seed: u64) -> Self {
        Self::with(DiskConfig { lies, ..DiskConfig::new(Profile::Posix) }, seed)
    }

    fn submit(&mut self, op: DiskOp) -> Submitted {
        self.disk.submit(self.now, OWNER, KEY, op)
    }

    fn run(&mut self, op: DiskOp) -> DiskResult {
        let Submitted { id, at } = self.submit(op);
        assert!(at > self.now, "nothing takes no time");
        self.now = at;
        let (owner, key, result) = self.disk.complete(id).expect("nobody died");
        assert_eq!((owner, key), (OWNER, KEY));
        self.disk.invariants();
        result
    }

    fn done(&mut self, op: DiskOp) {
        assert_eq!(self.run(op.clone()), Ok(DiskOk::Done), "{op:?}");
    }

    fn open(&mut self, name: &str) -> FileId {
        match self.run(DiskOp::Open { path: path(name), create: true }) {
            Ok(DiskOk::File { file, .. }) => file,
            other => panic!("{other:?}"),
        }
    }

    /// A file with a durable name.
    fn create(&mut self, name: &str) -> FileId {
        let file = self.open(name);
        self.sync_names();
        file
    }

    fn write(&mut self, file: FileId, at: u64, data: &[u8]) {
        self.done(DiskOp::Write { file, at, data: Bytes::copy_from_slice(data) });
    }

    fn sync(&mut self, file: FileId) {
        self.done(DiskOp::Sync { file });
    }

    fn sync_names(&mut self) {
        self.done(DiskOp::SyncDir { path: Bytes::new() });
    }

    fn rename(&mut self, from: &str, to: &str) {
        self.done(DiskOp::Rename { from: path(from), to: path(to) });
    }

    fn unlink(&mut self, name: &str) {
        self.done(DiskOp::Unlink { path: path(name) });
    }

    fn read(&mut self, file: FileId, at: u64, len: u32) -> Result<Bytes, DiskError> {
        match self.run(DiskOp::Read { file, at, len })? {
            DiskOk::Data(bytes) => Ok(bytes),
            other => panic!("{other:?}"),
        }
    }

    /// The whole of a file that should be there.
    fn content(&mut self, name: &str) -> Bytes {
        self.find(name).unwrap_or_else(|| panic!("{name} is gone"))
    }

    /// The whole of a file, if it is there.
    fn find(&mut self, name: &str) -> Option<Bytes> {
        let (file, len) = match self.run(DiskOp::Open { path: path(name), create: false }) {
            Ok(DiskOk::File { file, len }) => (file, len),
            Err(DiskError::NotFound) => return None,
            other => panic!("{other:?}"),
        };
        let bytes = self.read(file, 0, len as u32).expect("it can be read");
        self.done(DiskOp::Close { file });
        Some(bytes)
    }

    fn list(&mut self, directory: &str) -> Vec<String> {
        match self.run(DiskOp::List { path: path(directory) }) {
            Ok(DiskOk::Names(names)) => {
                names.iter().map(|name| String::from_utf8_lossy(name).into_owned()).collect()
            }
            other => panic!("{other:?}"),
        }
    }

    fn cut(&mut self) -> PowerCut {
        let cut = self.disk.power_cut(self.now);
        self.disk.invariants();
        cut
    }

    fn cut_with(&mut self, plan: CrashPlan) -> u32 {
        let mut plan = Plan::new(plan);
        self.disk.power_cut_with(self.now, &mut plan);
        self.disk.invariants();
        plan.asked()
    }

    fn wait(&mut self, time: Duration) {
        self.now += time;
        self.disk.advance(self.now);
    }
}

fn path(name: &str) -> Bytes {
    Bytes::copy_from_slice(name.as_bytes())
}

/// `len` bytes of a pattern that differs from sector to sector.
fn pattern(tag: u8, len: usize) -> Vec<u8> {
    (0..len).map(|i| tag ^ (i / SECTOR_BYTES) as u8).collect()
}
