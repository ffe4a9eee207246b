//! Clients that do not read, and clients that leave.

use crate::net::{Net, simple};

const VALUE_BYTES: usize = 100_000;

fn with_value() -> Net {
    let mut net = Net::new(simple(&[1]), &[1]);
    let value = "v".repeat(VALUE_BYTES);
    net.directly(1, format!("set big 0 0 {VALUE_BYTES}\r\n{value}\r\n").as_bytes());
    net
}

#[test]
fn a_client_that_does_not_read_is_not_read_from_and_costs_bounded_memory() {
    let mut net = with_value();
    let slow = net.open();
    net.send(slow, "get big\r\n".repeat(3));
    net.stop_reading(slow);
    for _ in 0..20 {
        net.say(slow, "get big\r\nget big x\r\n".repeat(50));
        net.run();
    }
    assert!(!net.reads_from(slow));
    let held = storytime_machine::Machine::memory(net.proxy.machine());
    assert!(held < 16 << 20, "{held} bytes are held");
    let other = net.open();
    assert_eq!(net.send(other, "get big\r\n").len(), VALUE_BYTES + 27);
    net.go_on_reading(slow);
    net.run();
    let replies = net.hear(slow).matches("END").count();
    assert_eq!(replies, 20 * 100, "nothing is lost");
}

#[test]
fn what_was_asked_before_a_half_close_is_answered() {
    let mut net = with_value();
    let conn = net.open();
    net.say(conn, "get big\r\nflush_all\r\nget big\r\n");
    net.eof(conn);
    net.run();
    let heard = net.hear(conn);
    assert!(heard.ends_with("\r\nEND\r\nOK\r\nEND\r\n"), "{} bytes", heard.len());
    assert!(net.has_hung_up(conn));
}

#[test]
fn a_long_pipeline_is_answered_whole_and_in_order() {
    let mut net = Net::new(simple(&[1, 2]), &[1, 2]);
    let conn = net.open();
    let asked: String = (0..5000).map(|n| format!("set k{n} 0 0 1\r\nx\r\n")).collect();
    assert_eq!(net.send(conn, asked), "STORED\r\n".repeat(5000));
    let asked: String = (0..5000).map(|n| format!("get k{n}\r\n")).collect();
    let expected: String = (0..5000).map(|n| format!("VALUE k{n} 0 1\r\nx\r\nEND\r\n")).collect();
    assert_eq!(net.send(conn, asked), expected);
}
