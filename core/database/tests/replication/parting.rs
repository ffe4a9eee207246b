//! Logs that part are never merged.

use crate::rig::{Kind, Rig, star};
use storytime_database::Reply;
use storytime_sim::Config;
use storytime_sim::disk::Profile;

/// A replica is promoted while its master lives on, and both are written to.
fn split(seed: u64) -> Rig {
    let mut rig = Rig::new(Config::new(seed), 2, star);
    rig.run_ms(500);
    assert_eq!(rig.text(0, "SET 1 1"), "OK");
    rig.converge(&[0, 1], 1000);
    rig.cut(0, 1, true);
    assert_eq!(rig.text(1, "REPLICAOF NO ONE"), "OK");
    for value in 2..5 {
        assert_eq!(rig.text(0, &format!("SET 1 {value}")), "OK");
        assert_eq!(rig.text(1, &format!("SET 1 {value}00")), "OK");
    }
    rig
}

#[test]
fn a_master_that_was_replaced_is_told_and_takes_no_writes() {
    let mut rig = split(1);
    rig.cut(0, 1, false);
    rig.run_ms(8000);
    let refused = rig.text(0, "SET 1 5");
    assert!(refused.starts_with("READONLY this server is master no more"), "{refused}");
    assert_eq!(rig.info(0, "fenced"), "1");
    assert_eq!(rig.text(1, "SET 1 500"), "OK");
    // It does not remember that, and is told again when it comes back.
    rig.power(0, false);
    rig.run_ms(100);
    rig.power(0, true);
    rig.run_ms(8000);
    assert!(rig.text(0, "SET 1 5").starts_with("READONLY this server is master no more"));
}

#[test]
fn logs_that_have_parted_are_refused_with_both_positions_and_nothing_changes() {
    let mut rig = split(1);
    rig.cut(0, 1, false);
    let at = rig.at(1);
    assert_eq!(rig.text(0, &format!("REPLICAOF {at}")), "OK");
    rig.run_ms(3000);
    let refused = rig.info(0, "master_refuses");
    assert!(refused.starts_with("DIVERGED you end at record 4 of term 0.1-"), "{refused}");
    assert!(refused.contains("record 4 here is of term 1.0-"), "{refused}");
    assert!(refused.contains("RESEED"), "{refused}");
    assert_eq!((rig.text(0, "GET 1"), rig.text(1, "GET 1")), ("4".into(), "400".into()));
    // The other way round it is the master that is of the past.
    let at = rig.at(0);
    assert_eq!(rig.text(0, "REPLICAOF NO ONE"), "OK");
    assert_eq!(rig.text(1, &format!("REPLICAOF {at}")), "OK");
    rig.run_ms(3000);
    assert!(rig.info(1, "master_refuses").starts_with("DIVERGED"));
    assert_eq!((rig.text(0, "GET 1"), rig.text(1, "GET 1")), ("4".into(), "400".into()));
    // Only the operator decides which of them is thrown away.
    assert_eq!(rig.text(1, &format!("REPLICAOF {at} RESEED")), "OK");
    rig.converge(&[0, 1], 5000);
    assert_eq!(rig.text(1, "GET 1"), "4");
}

#[test]
fn a_replaced_master_without_writes_of_its_own_follows_without_ado() {
    let mut rig = Rig::new(Config::new(1), 2, star);
    rig.run_ms(500);
    assert_eq!(rig.text(0, "SET 1 1"), "OK");
    rig.converge(&[0, 1], 1000);
    assert_eq!(rig.text(1, "REPLICAOF NO ONE"), "OK");
    assert_eq!(rig.text(1, "SET 1 2"), "OK");
    let at = rig.at(1);
    assert_eq!(rig.text(0, &format!("REPLICAOF {at}")), "OK");
    rig.converge(&[0, 1], 5000);
    assert_eq!(rig.info(0, "repl_seeded"), "0", "its log is a part of the other's");
}

#[test]
fn a_master_whose_disk_lied_is_not_followed_by_replicas_that_have_more() {
    for new_writes in [0, 1, 2, 3, 7] {
        let mut rig = Rig::new(Config::new(new_writes), 2, star);
        rig.run_ms(500);
        for value in 1..=9 {
            assert_eq!(rig.text(0, &format!("SET 1 {value}")), "OK");
        }
        rig.converge(&[0, 1], 1000);
        rig.power(0, false);
        rig.disks[0].lock().expect("one thread").lies = 3;
        rig.power(0, true);
        // The very same requests again: positions and content alone would not tell.
        for value in 0..new_writes {
            assert_eq!(rig.text(0, &format!("SET 1 {}", 7 + value)), "OK");
        }
        rig.run_ms(8000);
        let refused = rig.info(1, "master_refuses");
        assert!(refused.starts_with("DIVERGED you end at record 9"), "{new_writes}: {refused}");
        assert_eq!(rig.text(1, "GET 1"), "9", "what was acknowledged is still there");
        let at = rig.at(0);
        assert_eq!(rig.text(1, &format!("REPLICAOF {at} RESEED")), "OK");
        rig.converge(&[0, 1], 5000);
    }
}

#[test]
fn an_emptied_master_does_not_empty_its_replicas() {
    let mut rig = Rig::new(Config::new(1), 2, star);
    rig.run_ms(500);
    assert_eq!(rig.text(0, "SET 1 1"), "OK");
    rig.converge(&[0, 1], 1000);
    rig.power(0, false);
    rig.disks[0].lock().expect("one thread").lies = 1000;
    rig.power(0, true);
    rig.run_ms(8000);
    let refused = rig.info(1, "master_refuses");
    assert!(refused.starts_with("DIVERGED you end at record 1"), "{refused}");
    assert_eq!(rig.text(1, "GET 1"), "1");
}

#[test]
fn behind_a_lying_disk_the_database_itself_refuses_and_the_replica_keeps_what_it_has() {
    let mut parted = 0;
    for seed in 0..16 {
        let mut rig = Rig::of(Kind::Database(Profile::Liar), Config::new(seed), 2, star);
        rig.begin_load();
        rig.run_ms(1500);
        rig.power(0, false);
        rig.end_load();
        let kept = rig.rows(1);
        let acknowledged = rig.acknowledged();
        rig.power(0, true);
        rig.run_ms(4000);
        let lost = kept.difference(&rig.rows(1)).count();
        assert_eq!(lost, 0, "seed {seed}: the replica lost rows to a master that had fewer");
        // All but what was on its way when the power went.
        let missing = acknowledged.difference(&kept).count();
        assert!(missing < 10, "seed {seed}: {missing} acknowledged rows are not there");
        parted += u32::from(rig.info(1, "master_refuses").starts_with("DIVERGED"));
    }
    assert!(parted > 3, "the master had lost records in {parted} seeds only");
}

#[test]
fn a_last_record_of_the_same_term_and_place_must_be_the_same_record() {
    for records_behind in [0, 2] {
        let mut rig = Rig::new(Config::new(1), 2, star);
        rig.run_ms(500);
        for value in 1..5 {
            assert_eq!(rig.text(0, &format!("SET 1 {value}")), "OK");
        }
        rig.converge(&[0, 1], 1000);
        let Ok(Reply::Array(position)) = rig.tell(0, "DB.POSITION") else { panic!("a position") };
        let [Reply::Integer(term), Reply::Integer(last), _] = position[..] else {
            panic!("{position:?}")
        };
        let lsn = last - records_behind;
        let follow = format!("REPL.FOLLOW 1 1 {term} {lsn} 12345 continue");
        let refused = rig.text(0, &follow);
        assert!(refused.starts_with("DIVERGED"), "{refused}");
        assert!(refused.contains(&format!("record {lsn} here is another")), "{refused}");
        // A replica that is behind cannot judge; its master can.
        let ahead = format!("REPL.FOLLOW 1 1 {term} {} 12345 continue", last + 5);
        assert!(rig.text(1, &ahead).starts_with("LOADING this replica has less"));
        assert!(rig.text(0, &ahead).starts_with("DIVERGED"));
    }
}
