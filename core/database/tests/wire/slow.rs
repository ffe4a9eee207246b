//! Clients that do not read what they asked for.

use crate::rig::{Rig, config};
use storytime_database::config::{Config, OUTPUT_BYTES_MAX};
use storytime_database::store::snapshot::PIECE_BYTES;
use storytime_machine::Machine as _;

const LARGE: usize = 1 << 20;
/// Together less than may wait, each more than a client that is read may have waiting.
const REQUESTS: usize = 40;

fn set(key: &str) -> Vec<u8> {
    let value = "v".repeat(LARGE);
    format!("*3\r\n$3\r\nSET\r\n${}\r\n{key}\r\n${LARGE}\r\n{value}\r\n", key.len()).into_bytes()
}

#[test]
fn a_client_that_does_not_read_is_not_read_either_until_it_does() {
    let mut rig = Rig::new("");
    let (slow, other) = (rig.open(), rig.open());
    assert_eq!(rig.send(other, &set("large")), "+OK");
    rig.lone.set_reads(slow, false);
    rig.lone.send(slow, "GET large\r\n".repeat(REQUESTS).as_bytes());
    rig.lone.send(slow, b"SET by slow\r\n");
    rig.rest();
    assert!(rig.lone.is_open(slow), "it waits");
    assert_eq!(rig.say(other, "GET by"), "$-1", "its later requests wait, too");
    let memory = rig.lone.machine().memory();
    assert!(memory < 4 * LARGE as u64, "and their replies are not made: {memory}");
    rig.lone.set_reads(slow, true);
    rig.rest();
    let told = rig.take(slow);
    assert_eq!(told.matches('v').count(), REQUESTS * LARGE);
    assert!(told.ends_with("+OK"));
}

#[test]
fn a_client_that_asks_for_more_than_may_wait_is_hung_up_on() {
    let mut rig = Rig::new("");
    let (slow, other) = (rig.open(), rig.open());
    assert_eq!(rig.send(other, &set("large")), "+OK");
    rig.lone.set_reads(slow, false);
    // One request whose reply alone is above the limit.
    let request = format!("MGET{}\r\n", " large".repeat(OUTPUT_BYTES_MAX / LARGE + 1));
    rig.lone.send(slow, request.as_bytes());
    rig.rest();
    assert!(!rig.lone.is_open(slow));
    assert!(rig.say(other, "INFO storytime").contains("overrun_clients:1"));
    assert_eq!(rig.say(other, "STRLEN large"), ":1048576");
}

#[test]
fn a_replica_that_takes_content_slower_than_it_changes_costs_a_bounded_number_of_bytes() {
    const VALUE: usize = 50_000;
    const KEPT: usize = 400_000;
    // A piece is closed by the value with which it is long enough; as much is kept too much.
    const MOST: usize = KEPT + VALUE + PIECE_BYTES + VALUE;
    let mut rig = Rig::of(Config { kept_bytes_max: KEPT as u64, ..config("") });
    let (client, replica) = (rig.open(), rig.open());
    let fill = |rig: &mut Rig, letter: &str| {
        for key in 0..40 {
            rig.say(client, &format!("SET key{key} {}", letter.repeat(VALUE)));
            let held = rig.lone.machine().store().snapshot_bytes();
            assert!(held <= MOST as u64, "{held} bytes are held for it behind key {key}");
        }
    };
    fill(&mut rig, "a");
    rig.lone.set_reads(replica, false);
    let mut told = rig.say(replica, "REPL.FOLLOW 1 1 0 0 0 reseed");
    fill(&mut rig, "b");
    let info = rig.say(client, "INFO replication");
    assert!(info.contains("repl_seeds_overrun:1 "), "{info}");
    assert!(info.contains("repl_last_notice:the content changes faster than the replica"));
    assert_eq!(rig.say(client, "SAVE"), "+OK", "meanwhile the snapshot is nobody's");
    // It reads, and all of the content comes once more.
    rig.lone.set_reads(replica, true);
    let beat = |rig: &mut Rig| {
        let told = rig.send(replica, b"*2\r\n$8\r\nREPL.ACK\r\n$1\r\n0\r\n");
        let now = rig.lone.now();
        assert!(rig.lone.run_until(|lone| lone.now().since(now).as_millis() > 500));
        told + &rig.take(replica)
    };
    while !told.contains("+SEEDED :80") {
        assert!(told.len() < 5_000_000 && rig.lone.is_open(replica), "it gets the content");
        told += &beat(&mut rig);
    }
    assert_eq!(told.matches("+SEED :").count(), 2);
    let (_, second) = told.split_once("+SEED :80").expect("as of the last change");
    assert_eq!(second.matches("bbbbbbbbbb").count(), 40 * VALUE / 10);
}
