//! Full disks: a clear refusal, nothing half-written, and work goes on when space returns.

use crate::host::{Host, small};
use storytime_journal::{AppendError, JournalEvent, JournalOptions, Lsn};
use storytime_machine::Bytes;
use storytime_sim::disk::{CrashPlan, DiskConfig, Full, Profile};

fn host(full: Full, reserve_bytes: usize) -> Host {
    let config = DiskConfig { full, ..DiskConfig::new(Profile::Posix) };
    let options = JournalOptions { segment_bytes: 64 << 10, reserve_bytes, ..small() };
    let mut host = Host::with(config, options, 1);
    host.recover();
    host
}

/// Appends until it is refused; how many were taken.
fn fill_up(host: &mut Host) -> usize {
    for count in 0..1000 {
        host.append([&"z".repeat(300)]);
        host.settle();
        match host.seen().appended.last() {
            Some(Ok(_)) => {}
            Some(Err(AppendError::Full)) => return count,
            other => panic!("{other:?}"),
        }
    }
    panic!("it is never full");
}

#[test]
fn a_full_disk_refuses_and_takes_records_again_when_there_is_space() {
    for full in [Full::AtWrite, Full::AtSync] {
        for reserve in [0, 4 << 10, 16 << 10] {
            let mut host = host(full, reserve);
            host.keep(["first"]);
            host.disk.fill(0);
            fill_up(&mut host);
            assert!(host.owner().journal.is_full());
            assert!(host.seen().events.contains(&JournalEvent::Full), "{full:?} {reserve}");
            if reserve > 0 && full == Full::AtWrite {
                // What was taken found the room that was ours.
                assert_eq!(host.seen().durable, host.owner().journal.last());
            }
            let taken = host.owner().journal.last();
            host.later(1000);
            host.call(|owner, cx| owner.commit(cx));
            host.settle();
            assert!(host.owner().journal.is_full(), "there is no space yet: {full:?} {reserve}");
            host.disk.unfill();
            host.later(1000);
            host.append([&"z".repeat(300)]);
            assert_eq!(host.seen().appended.last(), Some(&Err(AppendError::Full)));
            host.settle();
            assert!(host.seen().events.contains(&JournalEvent::Space), "{full:?} {reserve}");
            assert_eq!(host.seen().durable, taken, "everything that was taken is durable");
            host.keep(["again"]);
            host.power_cut(CrashPlan::Nothing);
            host.recover();
            assert_eq!(host.seen().ready.map(|ready| ready.last), Some(Lsn(taken.0 + 1)));
            assert_eq!(host.texts().last().map(String::as_str), Some("again"));
        }
    }
}

#[test]
fn nothing_half_written_stays_of_a_batch_without_room() {
    for full in [Full::AtWrite, Full::AtSync] {
        let mut host = host(full, 0);
        host.keep(["first"]);
        host.disk.fill(0);
        fill_up(&mut host);
        let durable = host.seen().durable;
        host.power_cut(CrashPlan::Everything);
        host.disk.unfill();
        host.recover();
        let ready = host.seen().ready.expect("it opens");
        assert_eq!((ready.last, ready.cut_bytes), (durable, 0), "{full:?}");
    }
}

#[test]
fn a_new_segment_without_room_is_tried_again() {
    let mut host = host(Full::AtWrite, 0);
    host.options.segment_bytes = 4 << 10;
    host.kill();
    host.recover();
    host.keep(["first"]);
    host.disk.fill(0);
    fill_up(&mut host);
    host.disk.unfill();
    host.later(1000);
    host.call(|owner, cx| owner.commit(cx));
    host.settle();
    assert!(!host.owner().journal.is_full());
    assert_eq!(host.seen().durable, host.owner().journal.last());
    for _ in 0..20 {
        host.keep([&"z".repeat(300)]);
    }
    let last = host.seen().durable;
    host.power_cut(CrashPlan::Nothing);
    host.recover();
    assert_eq!(host.seen().ready.map(|ready| ready.last), Some(last));
}

#[test]
fn a_checkpoint_without_room_is_given_up_and_leaves_nothing() {
    for full in [Full::AtWrite, Full::AtSync] {
        let mut host = host(full, 16 << 10);
        host.keep(["first"]);
        host.disk.fill(4 << 10);
        host.checkpoint([&"big".repeat(100_000), &"big".repeat(100_000), "small"]);
        host.settle();
        assert_eq!(host.seen().checkpoint_failed, Some(Lsn(1)));
        assert!(!host.owner().journal.is_checkpointing());
        if full == Full::AtSync {
            // The disk takes the room back only when it has written the names.
            host.disk.unfill();
        }
        host.keep(["it goes on"]);
        host.disk.unfill();
        host.checkpoint([&"big".repeat(100_000)]);
        host.settle();
        assert_eq!(host.seen().checkpointed, Some(Lsn(2)), "{full:?}");
        host.power_cut(CrashPlan::Nothing);
        host.recover();
        assert_eq!((host.seen().pieces.len(), host.texts().len()), (1, 0));
    }
}

#[test]
fn a_reset_without_room_ends_the_process_and_leaves_the_old_history() {
    let mut host = host(Full::AtWrite, 4 << 10);
    host.keep(["old"]);
    host.disk.fill(0);
    let seed = Bytes::from(vec![1; 100_000]);
    host.call(|owner, cx| owner.reset(cx, Lsn(50), &[seed]));
    host.settle();
    assert!(host.seen().failed.is_some());
    host.kill();
    host.disk.unfill();
    host.recover();
    assert_eq!(host.texts(), ["old"]);
}
