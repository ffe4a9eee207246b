//! Clients that do not read what they asked for.

use crate::rig::Rig;
use storytime_database::config::OUTPUT_BYTES_MAX;
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
