//! Peers that mean harm: the server stays up, within its limits, and keeps its word.

use crate::rig::Rig;

#[test]
fn a_typed_line_with_a_zero_byte_ends() {
    let mut rig = Rig::new("");
    let client = rig.open();
    assert_eq!(rig.send(client, b"PING\0\n"), "+PONG");
    assert_eq!(rig.send(client, b"\0\nPING\n"), "+PONG");
}
