//! Log-in by SASL.

use crate::Client;
use crate::packet::{Request, key, op, request, store};
use storytime_memcached::auth::{Format, Users};

const FAILED: &str = "0x20 Auth failure.";

fn guarded() -> Client {
    let client = Client::new("-S -B binary");
    let users = Users::from_text(b"brad:secret:\nbob:pass", Format::Sasl).expect("two users");
    client.rig.process.machine().shared().set_users(users);
    client
}

fn plain(message: &str) -> Request {
    key(op::SASL_AUTH, "PLAIN").value(message)
}

#[test]
fn nothing_but_log_in_and_version_is_free() {
    assert_eq!(guarded().ask(&request(op::SASL_LIST)), "||PLAIN");
    assert_eq!(guarded().send(&request(op::VERSION)).status, 0);
    for opcode in (0..=u8::MAX).filter(|&opcode| opcode != op::VERSION) {
        if (op::SASL_LIST..=op::SASL_STEP).contains(&opcode) {
            continue;
        }
        let mut client = guarded();
        assert_eq!(client.ask(&store(opcode, "k", "v")), FAILED, "{opcode:#x}");
        assert!(client.has_hung_up(), "{opcode:#x}");
    }
    let mut client = guarded();
    let both = client.send_all(&[store(op::SETQ, "k", "v"), request(op::NOOP)]);
    assert_eq!(both.len(), 1, "nothing behind it is served");
}

#[test]
fn who_knows_the_password_is_let_in() {
    let mut client = guarded();
    assert_eq!(client.ask(&plain("\0brad\0secret")), "||Authenticated");
    assert_eq!(client.ask(&store(op::SET, "k", "v")), "||");
    let other = client.rig.open();
    client.rig.deliver(other, &key(op::GET, "k").bytes());
    let refused = crate::packet::replies(&client.rig.take_all(other));
    assert_eq!(refused[0].show(), FAILED, "each connection logs in for itself");
    for message in ["brad\0brad\0secret", "\0bob\0pass"] {
        assert_eq!(guarded().ask(&plain(message)), "||Authenticated", "{message:?}");
    }
    assert_eq!(guarded().ask(&key(op::SASL_AUTH, "plain").value("\0bob\0pass")), "||Authenticated");
}

#[test]
fn who_does_not_may_try_again() {
    let mut client = guarded();
    for message in [
        "\0brad\0wrong",
        "\0brad\0",
        "\0brad",
        "brad",
        "\0\0",
        "\0nobody\0secret",
        "bob\0brad\0secret",
        "\0brad\0secret\0",
    ] {
        assert_eq!(client.ask(&plain(message)), FAILED, "{message:?}");
    }
    assert_eq!(client.ask(&key(op::SASL_AUTH, "CRAM-MD5").value("x")), FAILED);
    assert_eq!(client.ask(&key(op::SASL_AUTH, [b'X'; 40]).value("x")), "0x4 Invalid arguments");
    assert_eq!(client.ask(&plain(&"x".repeat(5000))), "0x82 Out of memory");
    assert_eq!(client.ask(&plain("\0brad\0secret")), "||Authenticated");
    let figure = |client: &Client, name| client.rig.counter(name);
    assert_eq!((figure(&client, "auth_cmds"), figure(&client, "auth_errors")), (10, 9));
    assert_eq!(client.ask(&plain("\0brad\0wrong")), FAILED);
    assert_eq!(client.ask(&request(op::NOOP)), FAILED, "a failed log-in ends an earlier one");
}

#[test]
fn the_message_may_come_with_a_step() {
    let mut client = guarded();
    let step = key(op::SASL_STEP, "PLAIN").value("\0brad\0secret");
    assert_eq!(client.ask(&step), FAILED, "nothing was begun");
    assert_eq!(client.ask(&plain("")), "0x21 ");
    assert_eq!(client.ask(&step), "||Authenticated");
    assert_eq!(client.ask(&step), FAILED, "it is over");
}

#[test]
fn users_may_be_replaced_while_it_runs() {
    let mut client = guarded();
    let users = Users::from_text(b"brad:other", Format::Sasl).expect("one user");
    client.rig.process.machine().shared().set_users(users);
    assert_eq!(client.ask(&plain("\0brad\0secret")), FAILED);
    assert_eq!(client.ask(&plain("\0brad\0other")), "||Authenticated");
}

#[test]
fn without_log_in_there_are_no_such_opcodes() {
    let mut client = Client::new("");
    assert_eq!(client.ask(&request(op::SASL_LIST)), "0x81 Unknown command");
    assert_eq!(client.ask(&plain("\0brad\0secret")), "0x81 Unknown command");
    assert_eq!(client.ask(&key(op::SASL_STEP, "PLAIN").value("xyz")), "0x81 Unknown command");
    assert_eq!(client.ask(&request(op::NOOP)), "||");
}

#[test]
fn text_is_not_spoken_where_one_must_log_in() {
    let mut client = guarded();
    assert_eq!(client.send_bytes(b"get k\r\n"), []);
    assert!(client.has_hung_up());
}
