//! Values larger than a server takes.

use crate::net::{Net, simple};
use storytime_mcproxy::Config;

fn splitting() -> Net {
    let config =
        Config { value_bytes_max: 8 << 20, split_bytes: Some(900_000), ..simple(&[1, 2, 3]) };
    Net::new(config, &[1, 2, 3])
}

fn value(bytes: usize) -> String {
    (0..bytes).map(|n| char::from(b'a' + (n / 7 % 26) as u8)).collect()
}

#[test]
fn a_large_value_is_stored_in_pieces_and_read_whole() {
    let mut net = splitting();
    let (conn, other) = (net.open(), net.open());
    for bytes in [900_000, 900_001, 5_000_000] {
        let value = value(bytes);
        let set = format!("set big 7 0 {bytes}\r\n{value}\r\nget big\r\nget x big\r\n");
        let hit = format!("VALUE big 7 {bytes}\r\n{value}\r\nEND\r\n");
        assert!(net.send(conn, set) == format!("STORED\r\n{hit}{hit}"), "{bytes} bytes");
        assert!(net.send(other, "get big\r\n") == hit, "{bytes} bytes");
    }
    assert_eq!(net.counter("split_writes"), 2);
    assert_eq!(net.counter("requests_under_way"), 0);
}

#[test]
fn noreply_and_versions_work_for_large_values() {
    let mut net = splitting();
    let conn = net.open();
    let value = value(2_000_000);
    let heard = net.send(conn, format!("set big 0 0 2000000 noreply\r\n{value}\r\ngets big\r\n"));
    let (line, rest) = heard.split_once("\r\n").expect("a line");
    assert!(line.starts_with("VALUE big 0 2000000 "), "{line}");
    assert!(rest == value + "\r\nEND\r\n");
    assert_eq!(net.send(conn, "delete big\r\nget big\r\n"), "DELETED\r\nEND\r\n");
}

#[test]
fn a_value_with_a_missing_piece_is_a_miss() {
    let mut net = splitting();
    let conn = net.open();
    let value = value(3_000_000);
    net.send(conn, format!("set big 0 0 3000000\r\n{value}\r\n"));
    let holder = [1, 2, 3].into_iter().find(|&port| net.holds(port, "big").is_none());
    net.directly(holder.expect("two servers hold pieces only"), b"flush_all\r\n");
    let heard = net.send(conn, "get big\r\n");
    assert!(heard == "END\r\n" || heard.len() > 3_000_000, "whole or a miss");
    for port in [1, 2, 3] {
        if net.holds(port, "big").is_none() {
            net.directly(port, b"flush_all\r\n");
        }
    }
    let heard = net.send(conn, "get big\r\nversion\r\n");
    assert!(heard.starts_with("END\r\nVERSION") || heard.len() > 3_000_000);
}

#[test]
fn a_piece_that_cannot_be_stored_leaves_the_old_value() {
    let mut net = splitting();
    let conn = net.open();
    net.send(conn, "set big 0 0 3\r\nold\r\n");
    let home = [1, 2, 3].into_iter().find(|&port| net.holds(port, "big").is_some());
    let home = home.expect("somewhere");
    [1, 2, 3].into_iter().filter(|&port| port != home).for_each(|port| net.refuse(port));
    let value = value(8_000_000);
    let heard = net.send(conn, format!("set big 0 0 8000000\r\n{value}\r\nget big\r\n"));
    assert!(heard.starts_with("SERVER_ERROR proxy: a piece was not stored"), "{}", &heard[..50]);
    assert!(heard.ends_with("VALUE big 0 3\r\nold\r\nEND\r\n"));
}
