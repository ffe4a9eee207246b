//! Appending, committing, dying and coming back.

use crate::host::Host;
use storytime_journal::options::Mistake;
use storytime_journal::{AppendError, JournalEvent, JournalOptions, Lsn, ReadError, Row};
use storytime_machine::{Bytes, Time};
use storytime_sim::disk::{CrashPlan, DiskConfig, Profile};

#[test]
fn an_empty_directory_begins_at_record_one() {
    let mut host = Host::new(Profile::Posix, 1);
    let ready = host.recover().ready.expect("it is ready");
    assert_eq!((ready.last, ready.checkpoint, ready.cut_bytes), (Lsn(0), Lsn(0), 0));
    assert!(ready.rows.contains(Row::Empty));
    host.append(["a"]);
    host.settle();
    assert_eq!(host.seen().appended, [Ok(Lsn(1))]);
    assert_eq!(host.seen().durable, Lsn(1));
}

#[test]
fn what_is_durable_comes_back_after_the_worst_power_cut() {
    for profile in [Profile::Friendly, Profile::Posix, Profile::Hostile] {
        let mut host = Host::new(profile, 2);
        host.recover();
        for round in 0..20 {
            host.append(["some", "records", ""]);
            host.settle();
            assert_eq!(host.seen().durable, Lsn(3 * (round + 1)));
        }
        host.power_cut(CrashPlan::Nothing);
        host.recover();
        assert_eq!(host.texts(), ["some", "records", ""].repeat(20));
        assert_eq!(host.seen().ready.map(|ready| ready.last), Some(Lsn(60)));
        host.append(["more"]);
        host.settle();
        host.power_cut(CrashPlan::Nothing);
        host.recover();
        assert_eq!(host.texts().len(), 61);
    }
}

#[test]
fn what_is_appended_while_a_sync_is_in_flight_rides_with_the_next() {
    let mut host = Host::new(Profile::Posix, 3);
    host.recover();
    let syncs = host.disk.stats().syncs;
    host.append(["first"]);
    for _ in 0..50 {
        host.append(["x"]);
    }
    host.settle();
    assert_eq!(host.disk.stats().syncs, syncs + 2, "one for the first, one for all others");
    let durable = |event: &&JournalEvent| matches!(event, JournalEvent::Durable(_));
    let told: Vec<_> = host.seen().events.iter().filter(durable).cloned().collect();
    assert_eq!(told, [JournalEvent::Durable(Lsn(1)), JournalEvent::Durable(Lsn(51))]);
}

#[test]
fn a_killed_process_finds_its_records_and_makes_them_durable_before_it_is_ready() {
    let mut host = Host::new(Profile::Posix, 4);
    host.recover();
    host.append(["durable"]);
    host.settle();
    host.append(["written"]);
    host.step(); // the write, and not its sync
    host.kill();
    host.recover();
    assert_eq!(host.texts(), ["durable", "written"]);
    host.power_cut(CrashPlan::Nothing);
    host.recover();
    assert_eq!(host.texts(), ["durable", "written"], "what was told once stays");
}

#[test]
fn segments_follow_each_other_and_checkpoints_make_them_needless() {
    let mut host = Host::new(Profile::Hostile, 5);
    host.recover();
    for round in 0..40 {
        host.keep([&format!("{round} {}", "x".repeat(700))]);
    }
    assert_eq!(host.owner().journal.oldest(), Lsn(1));
    host.checkpoint(["state", "of forty"]);
    host.keep(["meanwhile"]);
    host.settle();
    assert_eq!(host.seen().checkpointed, Some(Lsn(40)));
    assert!(host.owner().journal.oldest() > Lsn(30), "{:?}", host.owner().journal.oldest());
    host.power_cut(CrashPlan::Nothing);
    host.recover();
    assert_eq!(host.seen().pieces, ["state", "of forty"]);
    assert_eq!(host.texts(), ["meanwhile"]);
    assert_eq!(host.seen().ready.map(|ready| ready.checkpoint), Some(Lsn(40)));
}

#[test]
fn a_checkpoint_waits_for_the_records_that_it_stands_for() {
    let mut host = Host::new(Profile::Posix, 6);
    host.recover();
    host.append(["a", "b"]);
    host.disk.stall_until(Time(60_000_000_000));
    host.checkpoint(["a and b"]);
    host.append(["c"]);
    host.settle();
    assert_eq!(host.seen().checkpointed, Some(Lsn(2)));
    let told = |what: &JournalEvent| host.seen().events.iter().position(|event| event == what);
    let durable = told(&JournalEvent::Durable(Lsn(2))).expect("it is durable");
    assert!(told(&JournalEvent::Checkpointed(Lsn(2))).is_some_and(|at| at > durable));
}

#[test]
fn long_pieces_and_long_records_come_back() {
    let options = JournalOptions { dir: Bytes::new(), ..JournalOptions::default() };
    let mut host = Host::with(DiskConfig::default(), options, 7);
    host.recover();
    let long = |byte: &str| byte.repeat(5 << 20);
    host.keep([&long("r"), "short", &long("s")]);
    host.checkpoint([&long("p"), "short", &long("q")]);
    host.settle();
    host.keep([&long("t")]);
    host.power_cut(CrashPlan::Nothing);
    host.recover();
    assert_eq!(host.texts(), [long("t")]);
    assert_eq!(host.seen().pieces, [long("p"), "short".into(), long("q")]);
    assert_eq!(host.read(3, 1 << 20).expect("they are kept"), [long("s")]);
}

#[test]
fn a_last_batch_that_is_only_in_the_page_cache_is_written_again_elsewhere() {
    let loses = |mistake, seed| {
        let mut host = Host::new(Profile::Posix, seed);
        host.options.mistake = mistake;
        host.recover();
        host.keep(["durable"]);
        host.append(["in the cache"]);
        host.disk.fail_next_syncs(1);
        host.settle();
        assert!(host.seen().failed.is_some() && host.seen().durable == Lsn(1));
        host.kill();
        host.recover();
        assert_eq!(host.texts(), ["durable", "in the cache"]);
        host.keep(["behind it"]);
        host.power_cut(CrashPlan::Nothing);
        host.recover();
        host.seen().ready.map(|ready| ready.last) != Some(Lsn(3))
    };
    assert!(!(0..20).any(|seed| loses(Mistake::None, seed)));
    let lost = (0..20).filter(|&seed| loses(Mistake::GoesOnInPlace, seed)).count();
    assert!(lost > 3, "a later sync finds nothing to do: {lost}");
}

#[test]
fn records_are_read_back_from_any_place_in_order() {
    let mut host = Host::new(Profile::Posix, 9);
    host.recover();
    let text = |lsn: u64| format!("{lsn} {}", "y".repeat((lsn % 5 * 200) as usize));
    for lsn in 1..=60 {
        host.keep([&text(lsn)]);
    }
    for round in 0..2 {
        for from in 1..=60 {
            let (mut next, mut got) = (from, Vec::new());
            while next <= 60 {
                let records = host.read(next, 900).expect("all are kept");
                assert!(!records.is_empty());
                next += records.len() as u64;
                got.extend(records);
            }
            assert_eq!(got, (from..=60).map(text).collect::<Vec<_>>());
        }
        assert_eq!(host.read(61, 100), Err(ReadError::Ahead));
        if round == 0 {
            host.power_cut(CrashPlan::Nothing);
            host.recover();
        }
    }
    host.checkpoint(["all"]);
    host.settle();
    assert_eq!(host.read(1, 100), Err(ReadError::Gone));
    assert_eq!(host.read(60, 100), Ok(vec![text(60)]));
}

#[test]
fn a_reset_begins_another_history_and_a_cut_before_its_end_undoes_it() {
    for steps in 0..40 {
        let mut host = Host::new(Profile::Hostile, 10);
        host.recover();
        host.keep(["old", "old"]);
        host.append(["old"]);
        host.call(|owner, cx| owner.reset(cx, Lsn(70), &[Bytes::from_static(b"seed")]));
        for _ in 0..steps {
            host.step();
        }
        let done = host.seen().checkpointed == Some(Lsn(70));
        if done {
            host.keep(["new"]);
        }
        host.power_cut(CrashPlan::Nothing);
        host.recover();
        let ready = host.seen().ready.expect("it opens");
        if done {
            assert_eq!((host.texts(), ready.last), (vec!["new".to_string()], Lsn(71)));
        } else if ready.checkpoint == Lsn(0) {
            assert!(host.texts().starts_with(&["old".into(), "old".into()]));
        } else {
            assert_eq!((host.seen().pieces.len(), ready.last), (1, Lsn(70)));
        }
        assert!(steps < 39 || done, "so many steps are enough");
    }
}

#[test]
fn a_reset_in_the_middle_of_a_checkpoint_goes_through() {
    for steps in 0..12 {
        let mut host = Host::new(Profile::Posix, 11);
        host.recover();
        host.keep(["old"]);
        host.checkpoint(["of the old"]);
        host.append(["older still"]);
        for _ in 0..steps {
            host.step();
        }
        host.call(|owner, cx| owner.reset(cx, Lsn(9), &[Bytes::from_static(b"seed")]));
        host.settle();
        assert_eq!(host.seen().checkpointed, Some(Lsn(9)), "after {steps} steps");
        host.keep(["new"]);
        host.power_cut(CrashPlan::Nothing);
        host.recover();
        assert_eq!(
            (host.seen().pieces.clone(), host.texts()),
            (vec!["seed".into()], vec!["new".into()])
        );
    }
}

#[test]
fn a_record_that_is_too_long_and_too_many_records_are_refused() {
    let mut host = Host::new(Profile::Posix, 12);
    host.boot();
    host.append(["early"]);
    assert_eq!(host.seen().appended, [Err(AppendError::NotReady)]);
    host.settle();
    host.append([&"x".repeat(4097)]);
    for _ in 0..5 {
        host.append([&"x".repeat(4096)]);
    }
    let appended = &host.seen().appended;
    assert_eq!(appended[1], Err(AppendError::TooLong));
    let full = Err(AppendError::Busy);
    assert_eq!(appended[2..], [Ok(Lsn(1)), Ok(Lsn(2)), Ok(Lsn(3)), full, full]);
    assert_eq!(host.owner().journal.pending_bytes(), 3 * 4100);
    host.settle();
    assert_eq!((host.seen().durable, host.owner().journal.pending_bytes()), (Lsn(3), 0));
}

#[test]
fn a_failed_sync_ends_it_and_is_never_tried_again() {
    let mut host = Host::new(Profile::Posix, 13);
    host.recover();
    host.keep(["durable"]);
    host.disk.fail_next_syncs(1);
    host.append(["lost"]);
    host.settle();
    assert!(host.seen().failed.is_some());
    let syncs = host.disk.stats().syncs;
    host.append(["nobody is there"]);
    host.settle();
    assert_eq!((host.disk.stats().syncs, host.seen().durable), (syncs, Lsn(1)));
    assert_eq!(host.seen().appended.len(), 2);
}
