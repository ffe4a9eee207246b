//! A full disk: writes are refused in words, reads go on, and nothing acknowledged is lost.

use crate::rig::Rig;
use storytime_machine::Exit;
use storytime_sim::enumerate::Client;

/// Writes until the disk is full; how many were acknowledged. The last one may wait for room.
fn fill(rig: &mut Rig, writer: Client) -> usize {
    let value = "v".repeat(40_000);
    for written in 0..1000 {
        if rig.say(writer, &format!("SET key{written} {value}")) != "+OK" {
            return written;
        }
    }
    panic!("a full disk takes no more");
}

#[test]
fn a_full_disk_refuses_writes_reads_go_on_and_with_space_so_do_writes() {
    let mut rig = Rig::new("");
    let (writer, other) = (rig.open(), rig.open());
    rig.say(other, "SET small 1");
    rig.lone.disk_mut().fill(100_000);
    let written = fill(&mut rig, writer);
    assert!(written > 1, "there was some room");
    let full = rig.say(other, "SET small 2");
    assert!(full.starts_with("-FULL the disk is full"), "{full}");
    assert!(rig.say(other, "ROW.PUT t 1 1 v").starts_with("-FULL"));
    assert_eq!(rig.say(other, "GET small"), "$1 1");
    assert_eq!(rig.say(other, "STRLEN key0"), ":40000");

    rig.lone.disk_mut().unfill();
    let client = rig.open();
    let again = rig.lone.run_until(|lone| {
        lone.send(client, b"SET small 3\r\n");
        while !lone.is_idle() {
            lone.advance();
        }
        let told = std::mem::take(lone.received(client));
        told[..] == b"+OK\r\n"[..]
    });
    assert!(again, "writes go on when there is space");
    assert_eq!(rig.say(other, "GET small"), "$1 3");
    let waited = rig.take(writer);
    assert!(waited.is_empty() || waited == "+OK", "the write that waited: {waited}");
}

#[test]
fn a_server_on_a_full_disk_ends_when_it_is_told_to() {
    let mut rig = Rig::new("");
    let (writer, other) = (rig.open(), rig.open());
    rig.say(other, "SET small 1");
    rig.lone.disk_mut().fill(100_000);
    // More than there is room for, before it is known that there is none.
    let large =
        format!("*3\r\n$3\r\nSET\r\n$5\r\nlarge\r\n$1000000\r\n{}\r\n", "v".repeat(1_000_000));
    assert_eq!(rig.send(writer, large.repeat(2).as_bytes()), "", "its writes wait for room");
    rig.lone.send(other, b"SHUTDOWN\r\n");
    rig.lone.run_until(|_| false);
    assert_eq!(rig.lone.exit(), Some(Exit::Stopped));
    let mut rig = rig.after_power_cut("");
    let client = rig.open();
    assert_eq!(rig.say(client, "GET small"), "$1 1");
    assert_eq!(rig.say(client, "GET large"), "$-1", "nobody was told of it");
}

#[test]
fn a_power_cut_on_a_full_disk_takes_nothing_that_was_acknowledged() {
    let mut rig = Rig::new("");
    let (writer, other) = (rig.open(), rig.open());
    rig.lone.disk_mut().fill(100_000);
    let written = fill(&mut rig, writer);
    assert!(rig.say(other, "SET more 1").starts_with("-FULL"));
    let mut rig = rig.after_power_cut("");
    let client = rig.open();
    for number in 0..written {
        assert_eq!(rig.say(client, &format!("STRLEN key{number}")), ":40000", "key{number}");
    }
    assert_eq!(rig.say(client, "GET more"), "$-1");
}
