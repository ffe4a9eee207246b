//! Peers that misuse the words of replicas and operators: the server stays up, and says no.

use crate::rig::Rig;

#[test]
fn whoever_follows_from_behind_the_last_possible_record_is_refused() {
    const NOT_HERE: &str = "-ERR this is not how we follow here: another version?";
    let mut rig = Rig::new("");
    for how in ["continue", "fresh", "reseed"] {
        for lsn in [u64::MAX, 1 << 63] {
            let client = rig.open();
            assert_eq!(rig.say(client, &format!("REPL.FOLLOW 1 1 1 {lsn} 0 {how}")), NOT_HERE);
            assert_eq!(rig.say(client, "PING"), "+PONG", "{lsn} {how}");
        }
    }
    let client = rig.open();
    let told = rig.say(client, "REPL.FOLLOW 1 65536 1 0 0 fresh");
    assert_eq!(told, NOT_HERE, "no port is so great");
}

#[test]
fn the_other_master_has_no_more_than_there_can_be() {
    let mut rig = Rig::new("--master-master 10.0.0.9 6379 --server-number 1 --servers 2");
    let client = rig.open();
    let told = rig.say(client, "REPL.MUTUAL 1 1 18446744073709551615");
    assert!(told.starts_with("-ERR this is not how we mirror here"), "{told}");
    assert_eq!(rig.say(client, "PING"), "+PONG");
}

#[test]
fn whoever_waits_for_replicas_is_answered_when_the_master_becomes_a_replica() {
    let mut rig = Rig::new("");
    let (waiting, late, operator) = (rig.open(), rig.open(), rig.open());
    assert_eq!(rig.say(waiting, "WAIT 1 0"), "");
    assert_eq!(rig.say(late, "WAIT 1 18446744073709551615"), "");
    assert_eq!(rig.say(operator, "REPLICAOF 10.0.0.9 6379"), "+OK");
    for client in [waiting, late] {
        assert_eq!(rig.take(client), ":0");
        assert_eq!(rig.say(client, "PING"), "+PONG", "it is read again");
    }
}

#[test]
fn a_term_that_there_cannot_be_is_not_believed() {
    let mut rig = Rig::new("");
    let client = rig.open();
    for term in [1 << 60, u64::MAX] {
        let told = rig.say(client, &format!("REPL.FOLLOW 1 1 {term} 0 0 continue"));
        assert!(told.starts_with("-ERR this is not how we follow here"), "{told}");
        assert_eq!(rig.say(client, &format!("REPL.TERM {term}")), "-ERR REPL.TERM takes a term");
    }
    assert_eq!(rig.say(client, "SET key 1"), "+OK");
}

#[test]
fn a_master_that_is_over_becomes_one_again_under_a_later_term_if_the_operator_says_so() {
    let mut rig = Rig::new("");
    let client = rig.open();
    let other = 7_u64 << 44;
    assert_eq!(rig.say(client, &format!("REPL.TERM {other}")), "+OK");
    assert!(rig.say(client, "SET key 1").starts_with("-READONLY this server is master no more"));
    assert_eq!(rig.say(client, "REPLICAOF NO ONE"), "+OK");
    assert_eq!(rig.say(client, "SET key 1"), "+OK");
    let stale = rig.say(client, &format!("REPL.TERM {other}"));
    let own = stale.strip_prefix("-STALE ").and_then(|term| term.parse().ok());
    assert!(own.is_some_and(|own: u64| own >> 44 == 8), "the other learns it: {stale}");
    let position = rig.say(client, "DB.POSITION");
    assert_eq!(rig.say(client, "REPLICAOF NO ONE"), "+OK");
    assert_eq!(rig.say(client, "DB.POSITION"), position, "it is master already");
    // What it became survives a power cut.
    let mut rig = rig.after_power_cut("");
    let client = rig.open();
    assert_eq!(rig.say(client, "GET key"), "$1 1");
    assert!(rig.say(client, &format!("REPL.TERM {other}")).starts_with("-STALE "));
}

#[test]
fn a_master_that_is_over_for_the_last_of_terms_says_that_it_stays_so() {
    let mut rig = Rig::new("");
    let client = rig.open();
    assert_eq!(rig.say(client, &format!("REPL.TERM {}", (1_u64 << 60) - 1)), "+OK");
    assert!(rig.say(client, "REPLICAOF NO ONE").starts_with("-ERR no term is left"));
    assert!(rig.say(client, "SET key 1").starts_with("-READONLY this server is master no more"));
}

#[test]
fn a_replica_that_takes_nothing_of_the_content_is_given_up_and_checkpoints_go_on() {
    let mut rig = Rig::new("");
    let (client, replica) = (rig.open(), rig.open());
    for key in 0..40 {
        rig.say(client, &format!("SET {key} {}", "v".repeat(50_000)));
    }
    rig.lone.set_reads(replica, false);
    rig.say(replica, "REPL.FOLLOW 1 1 0 0 0 reseed");
    assert!(rig.say(client, "INFO replication").contains("repl_seeded:1"));
    assert!(rig.say(client, "SAVE").starts_with('-'), "the snapshot is another's");
    let begun = rig.lone.now();
    while rig.lone.is_open(replica) {
        let now = rig.lone.now();
        let waited = now.since(begun).as_secs();
        assert!(waited < 40, "it is held for ever, as it goes on saying that it is there");
        rig.send(replica, b"*2\r\n$8\r\nREPL.ACK\r\n$1\r\n0\r\n");
        assert!(rig.lone.run_until(|lone| lone.now().since(now).as_secs() > 0));
    }
    assert!(rig.lone.now().since(begun).as_secs() >= 29, "it had time");
    assert_eq!(rig.say(client, "SAVE"), "+OK");
    assert!(rig.say(client, "INFO storytime").contains("checkpoints:1"));
}
