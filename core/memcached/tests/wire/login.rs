//! Servers that want a log-in before anything else.

use crate::rig::Rig;
use storytime_memcached::auth::{Format, Users};

const UNAUTHENTICATED: &str = "CLIENT_ERROR unauthenticated\r\n";

fn rig_with(users: &str) -> Rig {
    let mut rig = Rig::new("-Y users");
    admit(&mut rig, users);
    rig
}

fn admit(rig: &mut Rig, users: &str) {
    let users = Users::from_text(users.as_bytes(), Format::Plain).expect(users);
    rig.process.machine().shared().set_users(users);
}

#[test]
fn nothing_is_served_before_a_log_in_and_everything_after_it() {
    let mut rig = rig_with("foo:bar\nbaaaz:quux\n");
    let c = rig.open();
    assert_eq!(rig.send(c, "get foo\r\n"), UNAUTHENTICATED);
    assert_eq!(rig.send(c, "ms foo 2\r\n"), UNAUTHENTICATED);
    assert_eq!(rig.send(c, "set foo 0 0 7\r\nfoo ba"), "");
    assert_eq!(rig.send(c, "b\r\n"), "CLIENT_ERROR authentication failure\r\n");
    assert_eq!(rig.send(c, "set x 9 9 7\r\nfoo bar\r\nget x\r\n"), "STORED\r\nEND\r\n");
    assert_eq!(rig.send(c, "set x 0 0 2\r\nhi\r\nget x\r\n").lines().count(), 4);
    let d = rig.open();
    assert_eq!(rig.send(d, "get x\r\n"), UNAUTHENTICATED, "each connection logs in for itself");
    assert_eq!(rig.send(d, "set foo 0 0 10\r\nbaaaz quux\r\n"), "STORED\r\n");
    assert_eq!((rig.counter("auth_cmds"), rig.counter("auth_errors")), (3, 1));
}

#[test]
fn a_malformed_log_in_is_told_what_is_wrong() {
    let mut rig = rig_with("foo:bar");
    let c = rig.open();
    for (say, told) in [
        ("set foo 0 0 2147483646\r\n", "auth token too long"),
        ("set foo 0 0 16385\r\n", "auth token too long"),
        ("set foo 0 0 x\r\n", "unauthenticated"),
        ("set foo 0 0\r\n", "unauthenticated"),
        ("add foo 0 0 7\r\n", "unauthenticated"),
        ("set foo 0 0 7\r\nfoo barxx", "bad command line termination"),
        ("set foo 0 0 7\r\nfoo:bar\r\n", "bad authentication token format"),
        ("set foo 0 0 4\r\nfoo \r\n", "authentication failure"),
        ("set foo 0 0 8\r\nfoo  bar\r\n", "authentication failure"),
    ] {
        assert_eq!(rig.send(c, say), format!("CLIENT_ERROR {told}\r\n"), "{say:?}");
    }
    assert_eq!(rig.send(c, "set foo 0 0 7\nfoo bar\r\n"), "STORED\r\n", "a bare line feed will do");
}

#[test]
fn junk_in_place_of_a_log_in_is_hung_up_on() {
    for junk in ["get\r\n".to_owned(), "x".repeat(2049), "\r\n\r\n".to_owned()] {
        let mut rig = rig_with("foo:bar");
        let c = rig.open();
        assert_eq!(rig.send(c, &junk), "");
        assert!(rig.has_hung_up(c), "{junk:?}");
    }
}

#[test]
fn another_table_counts_for_those_who_come_later() {
    let mut rig = rig_with("foo:bar");
    let (c, d) = (rig.open(), rig.open());
    assert_eq!(rig.send(c, "set foo 0 0 7\r\nfoo bar\r\n"), "STORED\r\n");
    admit(&mut rig, "foo:new");
    assert_eq!(rig.send(c, "get k\r\n"), "END\r\n", "who is in stays in");
    let failure = "CLIENT_ERROR authentication failure\r\n";
    assert_eq!(rig.send(d, "set foo 0 0 7\r\nfoo bar\r\n"), failure);
    assert_eq!(rig.send(d, "set foo 0 0 7\r\nfoo new\r\n"), "STORED\r\n");
}
