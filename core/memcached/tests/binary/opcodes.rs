//! What each opcode answers.

use crate::Client;
use crate::packet::{count, key, op, request, store};

const FLAGS: &str = "deadbeef";

#[test]
fn get_finds_what_set_stored() {
    let mut client = Client::new("");
    assert_eq!(client.ask(&key(op::GET, "k")), "0x1 Not found");
    let set = client.send(&store(op::SET, "k", "value").opaque(0x0102_0304));
    assert_eq!((set.show().as_str(), set.opaque), ("||", 0x0102_0304));
    assert_ne!(set.version, 0);
    let get = client.send(&key(op::GET, "k").opaque(7));
    assert_eq!(get.show(), format!("{FLAGS}||value"));
    assert_eq!(get.version, set.version);
    assert_eq!(client.ask(&store(op::SET, "k", "")), "||");
    assert_eq!(client.ask(&key(op::GET, "k")), format!("{FLAGS}||"));
}

#[test]
fn getk_shows_the_key_of_hits_and_misses() {
    let mut client = Client::new("");
    client.ask(&store(op::SET, "k", "value"));
    assert_eq!(client.ask(&key(op::GETK, "k")), format!("{FLAGS}|k|value"));
    let miss = client.send(&key(op::GETK, "nothing"));
    assert_eq!((miss.status, &miss.key[..], &miss.value[..]), (1, &b"nothing"[..], &b""[..]));
}

#[test]
fn conditional_stores_say_what_they_found() {
    let mut client = Client::new("");
    for (request, answer) in [
        (store(op::REPLACE, "k", "a"), "0x1 Not found"),
        (key(op::APPEND, "k").value("a"), "0x5 Not stored."),
        (key(op::PREPEND, "k").value("a"), "0x5 Not stored."),
        (store(op::ADD, "k", "b"), "||"),
        (store(op::ADD, "k", "c"), "0x2 Data exists for key."),
        (store(op::REPLACE, "k", "d"), "||"),
        (key(op::APPEND, "k").value("e"), "||"),
        (key(op::PREPEND, "k").value("c"), "||"),
    ] {
        assert_eq!(client.ask(&request), answer, "{request:?}");
    }
    assert_eq!(client.ask(&key(op::GET, "k")), format!("{FLAGS}||cde"));
}

#[test]
fn stores_compare_versions() {
    let mut client = Client::new("");
    assert_eq!(client.ask(&store(op::SET, "k", "a").version(1 << 40)), "0x1 Not found");
    assert_eq!(client.ask(&store(op::ADD, "k", "a").version(1 << 40)), "0x1 Not found");
    let first = client.send(&store(op::SET, "k", "a")).version;
    let exists = "0x2 Data exists for key.";
    for opcode in [op::SET, op::ADD, op::REPLACE] {
        assert_eq!(client.ask(&store(opcode, "k", "b").version(first + 1000)), exists);
    }
    assert_eq!(client.ask(&key(op::APPEND, "k").value("b").version(first + 1000)), exists);
    let second = client.send(&store(op::REPLACE, "k", "c").version(first));
    assert_eq!(second.status, 0);
    assert_ne!(second.version, first);
    let third = client.send(&key(op::APPEND, "k").value("d").version(second.version));
    assert_eq!(third.status, 0);
    let get = client.send(&key(op::GET, "k"));
    assert_eq!((get.show(), get.version), (format!("{FLAGS}||cd"), third.version));
}

#[test]
fn without_versions_none_is_compared_by_stores() {
    let mut client = Client::new("-C");
    assert_eq!(client.send(&store(op::SET, "k", "a").version(5)).version, 0);
    assert_eq!(client.send(&key(op::GET, "k")).version, 0);
    assert_eq!(client.ask(&key(op::DELETE, "k").version(5)), "0x2 Data exists for key.");
}

#[test]
fn delete_removes_and_compares() {
    let mut client = Client::new("");
    assert_eq!(client.ask(&key(op::DELETE, "k")), "0x1 Not found");
    let version = client.send(&store(op::SET, "k", "a")).version;
    assert_eq!(client.ask(&key(op::DELETE, "k").version(version + 9)), "0x2 Data exists for key.");
    assert_eq!(client.ask(&key(op::DELETE, "k").version(version)), "||");
    assert_eq!(client.ask(&key(op::GET, "k")), "0x1 Not found");
}

#[test]
fn numbers_count_from_an_initial_value() {
    let mut client = Client::new("");
    let number = |client: &mut Client, request| {
        let reply = client.send(&request);
        assert_eq!((reply.status, reply.extras.len(), reply.value.len()), (0, 0, 8));
        assert_ne!(reply.version, 0);
        u64::from_be_bytes(reply.value.try_into().unwrap())
    };
    assert_eq!(client.ask(&count(op::INCR, "n", 1, 5, u32::MAX)), "0x1 Not found");
    assert_eq!(client.ask(&count(op::DECR, "n", 1, 5, u32::MAX)), "0x1 Not found");
    assert_eq!(number(&mut client, count(op::INCR, "n", 1, 5, 0)), 5);
    assert_eq!(number(&mut client, count(op::INCR, "n", 7, 5, 0)), 12);
    assert_eq!(number(&mut client, count(op::DECR, "n", 2, 5, u32::MAX)), 10);
    assert_eq!(number(&mut client, count(op::DECR, "n", 11, 5, 0)), 0);
    assert_eq!(number(&mut client, count(op::DECR, "m", 11, u64::MAX, 0)), u64::MAX);
    assert_eq!(number(&mut client, count(op::INCR, "m", 2, 0, 0)), 1);
    assert_eq!(client.send(&key(op::GET, "m")).value.trim_ascii_end(), b"1");
    client.ask(&store(op::SET, "text", "abc"));
    let not_numeric = "0x6 Non-numeric server-side value for incr or decr";
    assert_eq!(client.ask(&count(op::INCR, "text", 1, 0, 0)), not_numeric);
    assert_eq!(client.ask(&count(op::DECR, "text", 1, 0, 0)), not_numeric);
    let version = client.send(&key(op::GET, "n")).version;
    let wrong = count(op::INCR, "n", 1, 0, 0).version(version + 9);
    assert_eq!(client.ask(&wrong), "0x2 Data exists for key.");
    assert_eq!(number(&mut client, count(op::INCR, "n", 3, 0, 0).version(version)), 3);
}

#[test]
fn what_incr_creates_lives_as_long_as_it_says() {
    let mut client = Client::new("");
    client.send(&count(op::INCR, "n", 1, 5, 10));
    client.rig.pass(11);
    assert_eq!(client.ask(&key(op::GET, "n")), "0x1 Not found");
}

#[test]
fn touch_gives_another_expiry() {
    let mut client = Client::new("");
    for opcode in [op::TOUCH, op::GAT, op::GATK, op::GATQ, op::GATKQ] {
        client.ask(&key(op::SET, "k").extras(&[1, 10]).value("v"));
        let answer = client.ask(&key(opcode, "k").extras(&[100]));
        let shown = match opcode {
            op::TOUCH => "00000001||",
            op::GAT | op::GATQ => "00000001||v",
            _ => "00000001|k|v",
        };
        assert_eq!(answer, shown, "{opcode:#x}");
        client.rig.pass(50);
        assert_eq!(client.ask(&key(op::GET, "k")), "00000001||v", "{opcode:#x}");
        client.rig.pass(51);
        assert_eq!(client.ask(&key(op::GET, "k")), "0x1 Not found", "{opcode:#x}");
    }
    assert_eq!(client.ask(&key(op::TOUCH, "k").extras(&[1])), "0x1 Not found");
    assert_eq!(client.ask(&key(op::GAT, "k").extras(&[1])), "0x1 Not found");
    assert_eq!(client.ask(&key(op::GATK, "k").extras(&[1])), "0x1 k");
}

#[test]
fn dates_are_unsigned() {
    let mut client = Client::new("");
    for (exptime, lives) in [(0, true), (u32::MAX, true), (1 << 31, true), (2_592_001, false)] {
        client.ask(&key(op::SET, "k").extras(&[0, exptime]).value("v"));
        assert_eq!(client.send(&key(op::GET, "k")).status == 0, lives, "{exptime}");
    }
}

#[test]
fn flush_empties_now_or_later() {
    let mut client = Client::new("");
    for flush in [request(op::FLUSH), request(op::FLUSH).extras(&[0])] {
        client.ask(&store(op::SET, "k", "v"));
        client.rig.pass(2);
        assert_eq!(client.ask(&flush), "||");
        assert_eq!(client.ask(&key(op::GET, "k")), "0x1 Not found");
    }
    client.ask(&store(op::SET, "k", "v"));
    assert_eq!(client.ask(&request(op::FLUSH).extras(&[10])), "||");
    assert_eq!(client.send(&key(op::GET, "k")).status, 0);
    client.rig.pass(12);
    assert_eq!(client.ask(&key(op::GET, "k")), "0x1 Not found");
    assert_eq!(Client::new("-F").ask(&request(op::FLUSH)), "0x20 Auth failure.");
}

#[test]
fn noop_version_and_quit_need_no_key() {
    let mut client = Client::new("");
    assert_eq!(client.ask(&request(op::NOOP)), "||");
    assert_eq!(client.ask(&request(op::VERSION)), format!("||{}", storytime_memcached::VERSION));
    assert_eq!(client.ask(&request(op::QUIT)), "||");
    assert!(client.has_hung_up());
    let mut client = Client::new("");
    client.send_quietly(&[request(op::QUITQ)]);
    assert!(client.has_hung_up());
}

#[test]
fn unknown_opcodes_leave_the_connection_in_step() {
    let mut client = Client::new("");
    for opcode in [0x1b, 0x1f].into_iter().chain(0x25..=0xff) {
        let mut strange = store(opcode, "key", "value");
        assert_eq!(client.ask(&strange), "0x81 Unknown command", "{opcode:#x}");
        strange.value = vec![0x80; 3000];
        let both = [strange, request(op::NOOP).opaque(opcode.into())];
        let replies = client.send_all(&both);
        assert_eq!(replies.len(), 2, "{opcode:#x}");
        assert_eq!((replies[1].opcode, replies[1].opaque), (op::NOOP, opcode.into()));
    }
    assert!(!client.has_hung_up());
}

#[test]
fn each_listener_speaks_what_it_was_given() {
    let mut text = Client::new("-B ascii");
    text.rig.deliver(text.conn, &[&key(op::GET, "k").bytes()[..], b"\r\n"].concat());
    assert_eq!(text.rig.take_all(text.conn), b"ERROR\r\n");
    let mut binary = Client::new("-B binary");
    assert_eq!(binary.ask(&request(op::NOOP)), "||");
    let mut binary = Client::new("-B binary");
    assert_eq!(binary.send_bytes(b"version\r\n"), []);
    assert!(binary.has_hung_up());
    let mut auto = Client::new("-B auto");
    assert!(auto.rig.send(auto.conn, "version\r\n").starts_with("VERSION "));
    auto.rig.deliver(auto.conn, &[&key(op::GET, "k").bytes()[..], b"\r\n"].concat());
    assert_eq!(auto.rig.take_all(auto.conn), b"ERROR\r\n", "the first byte decides for good");
}
