//! Peers that mean harm: the server stays up, within its limits, and keeps its word.

use crate::rig::Rig;

#[test]
fn a_typed_line_with_a_zero_byte_ends() {
    let mut rig = Rig::new("");
    let client = rig.open();
    assert_eq!(rig.send(client, b"PING\0\n"), "+PONG");
    assert_eq!(rig.send(client, b"\0\nPING\n"), "+PONG");
}

#[test]
fn no_transaction_makes_a_record_that_is_too_long() {
    let mut rig = Rig::new("");
    let client = rig.open();
    rig.say(client, "SET k 1e308");
    rig.say(client, "MULTI");
    let many = "INCRBYFLOAT k 1\r\n".repeat(42_000);
    rig.send(client, many.as_bytes());
    let told = rig.say(client, "EXEC");
    assert!(told.starts_with("-EXECABORT") || told.starts_with('*'), "{told:.100}");
}
