//! Appending, committing, dying and coming back.

use crate::host::Host;
use storytime_journal::{JournalEvent, Lsn, Row};
use storytime_sim::disk::{CrashPlan, Profile};

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
