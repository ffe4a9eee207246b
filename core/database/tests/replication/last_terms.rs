//! Terms behind which there is no other: nobody takes them from others, nor falls over them.

use crate::rig::{Rig, star};
use storytime_database::replication::ReplicationOptions;
use storytime_machine::IpAddr;
use storytime_sim::Config;

/// The greatest term that there can be.
const LAST: u64 = (1 << 60) - 1;

/// The first server begins with a record of this term on its disk.
fn of_term(term: u64, options: fn(usize, &[IpAddr]) -> ReplicationOptions) -> Rig {
    let mut rig = Rig::new(Config::new(1), 2, options);
    rig.power(0, false);
    rig.power(1, false);
    rig.disks[0].lock().expect("one thread").write(term);
    rig.power(0, true);
    rig.run_ms(100);
    rig
}

#[test]
fn a_server_whose_log_ends_in_the_last_term_starts_and_takes_no_writes() {
    for term in [LAST, LAST + 1, u64::MAX] {
        let mut rig = of_term(term, star);
        let refused = rig.text(0, "SET 1 2");
        assert!(refused.starts_with("READONLY no term is left"), "{refused}");
        assert_eq!(rig.text(0, "GET 1"), "Ok(Nil)", "it is there to be read");
    }
}

#[test]
fn a_replica_refuses_a_master_of_a_term_that_there_cannot_be() {
    let mut rig = of_term(LAST + 1, star);
    rig.power(1, true);
    rig.run_ms(1000);
    let refused = rig.info(1, "master_refuses");
    assert!(refused.starts_with("ERR that master is of term 65536.0-000000"), "{refused}");
    assert_eq!(rig.text(1, "REPLICAOF NO ONE"), "OK", "it can be master itself");
    assert_eq!(rig.text(1, "SET 1 2"), "OK");
}

#[test]
fn a_replica_in_the_last_term_is_not_promoted() {
    let mut rig = of_term(LAST, star);
    rig.power(1, true);
    rig.converge(&[0, 1], 3000);
    assert_eq!(rig.info(1, "slave_repl_offset"), "1");
    let refused = rig.text(1, "REPLICAOF NO ONE");
    assert!(refused.starts_with("ERR no term is left"), "{refused}");
    assert_eq!(rig.info(1, "role"), "slave");
}
