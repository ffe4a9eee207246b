//! Every row of recovery's decision table.

use crate::host::{Host, small};
use std::collections::BTreeSet;
use storytime_journal::options::Mistake;
use storytime_journal::{JournalEvent, JournalOptions, Lsn, Recovery, Refusal, Row};
use storytime_machine::{Bytes, DiskOk, DiskOp, FileId};
use storytime_sim::disk::{CrashPlan, DamageKind, DiskConfig, Profile};

const FIRST: &str = "00000000-0000000000000001.seg";

impl Host {
    fn names(&mut self) -> Vec<String> {
        let path = self.options.dir.clone();
        match self.by_hand(DiskOp::List { path }) {
            Ok(DiskOk::Names(names)) => {
                names.iter().map(|name| String::from_utf8_lossy(name).into_owned()).collect()
            }
            other => panic!("{other:?}"),
        }
    }

    fn open(&mut self, name: &str, create: bool) -> (FileId, u64) {
        let path = self.path(name);
        match self.by_hand(DiskOp::Open { path, create }) {
            Ok(DiskOk::File { file, len }) => (file, len),
            other => panic!("{name}: {other:?}"),
        }
    }

    fn path(&self, name: &str) -> Bytes {
        format!("{}/{name}", String::from_utf8_lossy(&self.options.dir)).into()
    }

    fn contents(&mut self, name: &str) -> Bytes {
        let (file, len) = self.open(name, false);
        match self.by_hand(DiskOp::Read { file, at: 0, len: len as u32 }) {
            Ok(DiskOk::Data(bytes)) => bytes,
            other => panic!("{name}: {other:?}"),
        }
    }

    /// Overwrites part of a file.
    fn put(&mut self, name: &str, at: u64, bytes: &[u8]) {
        let (file, _) = self.open(name, true);
        let data = Bytes::copy_from_slice(bytes);
        self.by_hand(DiskOp::Write { file, at, data }).expect("it is written");
    }

    fn cut(&mut self, name: &str, len: u64) {
        let (file, _) = self.open(name, false);
        self.by_hand(DiskOp::SetLen { file, len }).expect("it is cut");
    }

    fn remove(&mut self, name: &str) {
        let path = self.path(name);
        self.by_hand(DiskOp::Unlink { path }).expect("it is removed");
    }

    fn flip(&mut self, name: &str, at: u64) {
        let byte = self.contents(name)[at as usize];
        self.put(name, at, &[byte ^ 4]);
    }

    fn ready(&mut self) -> Recovery {
        let seen = self.recover();
        seen.ready.unwrap_or_else(|| panic!("refused: {:?}", seen.refused))
    }

    fn refusal(&mut self) -> Refusal {
        let seen = self.recover();
        assert_eq!(seen.ready, None, "it must refuse");
        seen.refused.clone().expect("it refuses")
    }
}

/// A host that kept three batches (1 to 2, 3, 4 to 5) in one segment and lost power.
fn host_of_three() -> Host {
    let mut host = Host::new(Profile::Posix, 1);
    host.recover();
    host.keep(["one", "two"]);
    host.keep(["three"]);
    host.keep(["four", "five"]);
    host.power_cut(CrashPlan::Nothing);
    host
}

fn roomy() -> JournalOptions {
    JournalOptions { checkpoints_kept: 2, ..small() }
}

/// Many records over several segments, without a power cut.
fn host_of_many(options: JournalOptions) -> Host {
    let mut host = Host::with(DiskConfig::new(Profile::Posix), options, 1);
    host.recover();
    for _ in 0..30 {
        host.keep([&"x".repeat(400)]);
    }
    host
}

#[test]
fn empty() {
    let mut host = Host::new(Profile::Posix, 1);
    let ready = host.ready();
    assert_eq!(ready.rows.iter().collect::<Vec<_>>(), [Row::Empty]);
    host.power_cut(CrashPlan::Everything);
    assert_eq!(host.ready().rows.iter().collect::<Vec<_>>(), [Row::Clean]);
}

#[test]
fn clean() {
    let mut host = host_of_three();
    let ready = host.ready();
    assert_eq!(ready.rows.iter().collect::<Vec<_>>(), [Row::Clean]);
    assert_eq!((ready.last, ready.cut_bytes), (Lsn(5), 0));
    assert_eq!(host.texts(), ["one", "two", "three", "four", "five"]);
}

#[test]
fn torn_tail() {
    let mut torn = 0;
    for choice in 0..6 {
        let mut host = Host::new(Profile::Posix, 1);
        host.recover();
        host.keep(["one"]);
        host.append([&"long".repeat(500)]);
        host.step(); // the write
        host.power_cut(CrashPlan::Only(choice));
        let ready = host.ready();
        assert_eq!(host.texts(), ["one"]);
        if ready.rows.contains(Row::TornTail) {
            torn += 1;
            assert!(ready.cut_bytes >= 512, "{ready:?}");
        }
        host.keep(["two"]);
        host.power_cut(CrashPlan::Nothing);
        assert_eq!(host.ready().rows.iter().collect::<Vec<_>>(), [Row::Clean], "it was cut");
        assert_eq!(host.texts(), ["one", "two"]);
    }
    assert_eq!(torn, 3, "each of its sectors alone, within the file's old length");
}

#[test]
fn unfinished() {
    let mut host = host_of_three();
    host.put("00000000-0000000000000005.seg.tmp", 0, b"half");
    host.put("00000000-0000000000000005.ckpt.tmp", 0, b"");
    host.put("README.tmp", 0, b"not ours");
    assert!(host.ready().rows.contains(Row::Unfinished));
    assert_eq!(host.texts().len(), 5);
    let names = host.names();
    assert_eq!(
        names.iter().filter(|name| name.ends_with(".tmp")).collect::<Vec<_>>(),
        ["README.tmp"]
    );
}

#[test]
fn reset_undone() {
    let mut host = host_of_three();
    // The segment of a reset whose checkpoint never got its name.
    host.put("00000001-0000000000000010.seg", 0, b"whatever");
    assert!(host.ready().rows.contains(Row::ResetUndone));
    assert_eq!(host.texts().len(), 5);
    assert!(host.names().iter().all(|name| name.starts_with("00000000")), "it is removed");
}

#[test]
fn reset_done() {
    let mut host = host_of_three();
    let old = host.contents(FIRST);
    host.recover();
    host.call(|owner, cx| owner.reset(cx, Lsn(100), &[Bytes::from_static(b"seed")]));
    host.settle();
    assert_eq!(host.seen().checkpointed, Some(Lsn(100)));
    host.keep(["new"]);
    host.put(FIRST, 0, &old);
    host.power_cut(CrashPlan::Everything);
    let ready = host.ready();
    assert!(ready.rows.contains(Row::ResetDone), "{ready:?}");
    assert_eq!((ready.checkpoint, ready.last), (Lsn(100), Lsn(101)));
    assert_eq!(
        (host.seen().pieces.clone(), host.texts()),
        (vec!["seed".into()], vec!["new".into()])
    );
    assert!(host.names().iter().all(|name| name.starts_with("00000001")), "{:?}", host.names());
}

#[test]
fn needless() {
    let mut host = host_of_many(small());
    let old = host.contents(FIRST);
    host.checkpoint(["all"]);
    host.settle();
    host.keep(["more"]);
    assert!(!host.names().contains(&FIRST.to_string()), "it was removed");
    host.put(FIRST, 0, &old);
    host.power_cut(CrashPlan::Everything);
    assert!(host.ready().rows.contains(Row::Needless));
    assert!(!host.names().contains(&FIRST.to_string()), "it is removed again");
    assert_eq!((host.texts(), host.seen().pieces.len()), (vec!["more".to_string()], 1));
}

#[test]
fn older_checkpoint() {
    for (hurt, from) in [(1, 30), (2, 0)] {
        let mut host = host_of_many(roomy());
        host.checkpoint(["thirty"]);
        host.settle();
        host.keep(["a", "b"]);
        host.checkpoint(["thirty", "two"]);
        host.settle();
        host.keep(["c"]);
        let names = host.names();
        let checkpoints: Vec<_> = names.iter().filter(|name| name.ends_with(".ckpt")).collect();
        assert_eq!(checkpoints.len(), 2, "{names:?}");
        for name in checkpoints.into_iter().rev().take(hurt) {
            host.flip(name, 515);
        }
        host.power_cut(CrashPlan::Everything);
        if hurt == 2 {
            assert_eq!(host.refusal().row, Row::CheckpointDamaged);
            continue;
        }
        let ready = host.ready();
        assert!(ready.rows.contains(Row::OlderCheckpoint), "{ready:?}");
        assert_eq!((ready.checkpoint, ready.last), (Lsn(from), Lsn(33)));
        assert_eq!(host.texts(), ["a", "b", "c"]);
        assert_eq!(host.seen().pieces, ["thirty"], "nothing of the damaged one is told");
    }
}

#[test]
fn the_beginning_stands_in_for_the_only_checkpoint() {
    let mut host = host_of_many(roomy());
    host.checkpoint(["thirty"]);
    host.settle();
    let name = host.names().into_iter().find(|name| name.ends_with(".ckpt")).expect("it is there");
    host.cut(&name, 100);
    let path = host.path(&name);
    host.kill();
    let ready = host.ready();
    assert!(ready.rows.contains(Row::OlderCheckpoint));
    assert_eq!((ready.checkpoint, host.texts().len()), (Lsn(0), 30));
    assert_eq!(host.disk.file_number(&path), None, "the damaged one is removed");
}

#[test]
fn no_room() {
    let mut host = host_of_three();
    host.options.reserve_bytes = 4 << 10;
    host.disk.fill(4096); // enough for what the new segment begins with
    let ready = host.ready();
    assert!(ready.rows.contains(Row::NoRoom), "{ready:?}");
    assert_eq!(host.texts().len(), 5);
    assert!(host.owner().journal.is_full());
    assert_eq!(host.seen().events.last(), Some(&JournalEvent::Full));
}

#[test]
fn damage_before_tail() {
    let mut host = host_of_three();
    host.flip(FIRST, 512 + 40);
    let refusal = host.refusal();
    assert_eq!((refusal.row, refusal.at, refusal.whole_to), (Row::DamageBeforeTail, 512, Lsn(0)));
    assert_eq!(refusal.file, host.path(FIRST));
    let mut host = host_of_three();
    host.put(FIRST, 1024, &[0; 512]); // as if never written
    let refusal = host.refusal();
    assert_eq!((refusal.row, refusal.at, refusal.whole_to), (Row::DamageBeforeTail, 1024, Lsn(2)));
    let text = refusal.to_string();
    assert!(text.contains("at byte 1024; records up to 2 are whole"), "{text}");
}

#[test]
fn damage_taken_for_a_tail_loses_silently() {
    let mut host = host_of_three();
    host.options.mistake = Mistake::TakesDamageForTail;
    host.flip(FIRST, 512 + 40);
    assert_eq!(host.ready().last, Lsn(0), "the mistake is one");
}

#[test]
fn damage_before_a_segment_that_follows() {
    let mut host = host_of_many(small());
    host.flip(FIRST, 2600);
    host.kill();
    let refusal = host.refusal();
    assert_eq!((refusal.row, refusal.file.clone()), (Row::DamageBeforeTail, host.path(FIRST)));
}

#[test]
fn damage_sealed() {
    let mut host = host_of_three();
    host.recover(); // the last batch is carried into a new segment
    host.power_cut(CrashPlan::Nothing);
    let last = host.names().pop().expect("there are segments");
    assert_eq!(last, "00000000-0000000000000004.seg");
    host.flip(&last, 512 + 40);
    let refusal = host.refusal();
    assert_eq!((refusal.row, refusal.at, refusal.whole_to), (Row::DamageSealed, 512, Lsn(3)));
}

#[test]
fn segment_missing() {
    let many = || {
        let mut host = host_of_many(small());
        for _ in 0..10 {
            host.keep([&"y".repeat(400)]);
        }
        let names = host.names();
        assert!(names.len() > 2, "{names:?}");
        (host, names)
    };
    for missing in [0, 1] {
        let (mut host, names) = many();
        host.remove(&names[missing]);
        host.kill();
        let refusal = host.refusal();
        assert_eq!(refusal.row, Row::SegmentMissing, "{refusal}");
        assert_eq!(refusal.file, host.path(&names[0]), "where the next record should be");
    }
    let mut host = host_of_many(small());
    host.checkpoint(["all"]);
    host.settle();
    for name in host.names() {
        if name.ends_with(".seg") {
            host.remove(&name);
        }
    }
    host.kill();
    assert_eq!(host.refusal().row, Row::SegmentMissing, "a checkpoint without a log");
}

#[test]
fn segment_header() {
    for len in [0, 511] {
        let mut host = host_of_three();
        host.cut(FIRST, len);
        assert_eq!(host.refusal().row, Row::SegmentHeader, "{len} bytes");
    }
    let mut host = host_of_three();
    host.flip(FIRST, 20);
    assert_eq!(host.refusal().row, Row::SegmentHeader);
}

#[test]
fn segment_foreign() {
    let mut host = host_of_many(small());
    let names = host.names();
    let other = host.contents(&names[1]);
    host.put(FIRST, 0, &other);
    host.kill();
    assert_eq!(host.refusal().row, Row::SegmentForeign);
}

#[test]
fn newer_format() {
    let mut host = host_of_three();
    let mut header = host.contents(FIRST)[..512].to_vec();
    header[12] = 2;
    let sum = crc32fast::hash(&header[12..]);
    header[8..12].copy_from_slice(&sum.to_le_bytes());
    host.put(FIRST, 0, &header);
    assert_eq!(host.refusal().row, Row::NewerFormat);
}

#[test]
fn sequence() {
    // The third batch's sector over the second, and the second's over the third.
    for (from, to, whole_to) in [(1536, 1024, 2), (1024, 1536, 3)] {
        let mut host = host_of_three();
        let moved = host.contents(FIRST)[from..from + 512].to_vec();
        host.put(FIRST, to, &moved);
        let refusal = host.refusal();
        assert_eq!((refusal.row, refusal.at), (Row::Sequence, to));
        assert_eq!(refusal.whole_to, Lsn(whole_to));
    }
}

#[test]
fn a_file_that_becomes_shorter_while_it_is_read_is_refused() {
    let mut refused = 0;
    for steps in 0..12 {
        let mut host = host_of_many(JournalOptions { segment_bytes: 64 << 10, ..small() });
        host.kill();
        let (file, _) = host.open(FIRST, false);
        host.boot();
        for _ in 0..steps {
            host.step();
        }
        host.beside(DiskOp::SetLen { file, len: 5000 });
        assert!((0..1000).any(|_| !host.step()), "recovery ends, {steps} steps before the cut");
        let refusal = host.seen().refused.as_ref();
        refused += u32::from(refusal.is_some_and(|refusal| refusal.row == Row::Unreadable));
    }
    assert!(refused > 0, "between its opening and its last byte");
}

#[test]
fn checkpoint_damaged() {
    let mut host = host_of_many(small());
    host.checkpoint(["all"]);
    host.settle();
    let name = host.names().into_iter().find(|name| name.ends_with(".ckpt")).expect("it is there");
    host.flip(&name, 600 - 80);
    host.kill();
    let refusal = host.refusal();
    assert_eq!((refusal.row, refusal.file.clone()), (Row::CheckpointDamaged, host.path(&name)));
    assert_eq!(host.seen().pieces, [""; 0], "nothing of it is told");
}

#[test]
fn ends_early() {
    let mut host = Host::new(Profile::Posix, 1);
    host.recover();
    host.keep(["one"]);
    host.keep(["two"]);
    host.checkpoint(["both"]);
    host.settle();
    host.power_cut(CrashPlan::Nothing);
    host.put(FIRST, 1024, &[0; 512]);
    let refusal = host.refusal();
    assert_eq!((refusal.row, refusal.at, refusal.whole_to), (Row::EndsEarly, 1024, Lsn(2)));
}

#[test]
fn unreadable() {
    let mut host = host_of_three();
    let path = host.path(FIRST);
    host.disk.damage_file(&path, 1024, DamageKind::Unreadable).expect("it is there");
    let refusal = host.refusal();
    assert_eq!(refusal.row, Row::Unreadable);
}

#[test]
fn every_row_has_a_word_of_its_own() {
    let words: BTreeSet<_> = Row::ALL.iter().map(|row| row.as_str()).collect();
    assert_eq!(words.len(), Row::ALL.len());
    let refusing = Row::ALL.into_iter().filter(|row| row.refuses()).count();
    assert_eq!((refusing, Row::Sequence.refuses(), Row::NoRoom.refuses()), (10, true, false));
}
