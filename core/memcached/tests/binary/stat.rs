//! `stat`: a packet per figure, then an empty one.

use crate::Client;
use crate::packet::{key, op, request, store};
use std::collections::BTreeMap;

fn figures(client: &mut Client, what: &str) -> BTreeMap<String, String> {
    let mut replies = client.send_all(&[key(op::STAT, what).opaque(5)]);
    let end = replies.pop().expect("an end packet");
    assert_eq!((end.show().as_str(), end.opaque), ("||", 5));
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    replies
        .into_iter()
        .map(|reply| {
            assert_eq!((reply.opcode, reply.status, reply.opaque), (op::STAT, 0, 5));
            assert!(!reply.key.is_empty(), "only the end has no key");
            (text(reply.key), text(reply.value))
        })
        .collect()
}

#[test]
fn figures_come_one_by_one() {
    let mut client = Client::new("");
    client.ask(&store(op::SET, "k", "v"));
    client.ask(&key(op::GET, "k"));
    client.ask(&key(op::GET, "none"));
    let all = figures(&mut client, "");
    for (name, value) in
        [("cmd_get", "2"), ("get_hits", "1"), ("get_misses", "1"), ("curr_items", "1")]
    {
        assert_eq!(all.get(name).map(String::as_str), Some(value), "{name}");
    }
    assert!(figures(&mut client, "settings").contains_key("maxbytes"));
    assert!(figures(&mut client, "items").keys().all(|name| name.starts_with("items:")));
}

#[test]
fn reset_has_no_figures() {
    let mut client = Client::new("");
    client.ask(&key(op::GET, "none"));
    assert!(figures(&mut client, "reset").is_empty());
    assert_eq!(figures(&mut client, "")["get_misses"], "0");
}

#[test]
fn counts_per_prefix_come_in_one_packet() {
    let mut client = Client::new("");
    assert!(figures(&mut client, "detail on").is_empty());
    client.ask(&store(op::SET, "foo:1", "v"));
    client.ask(&key(op::GET, "foo:1"));
    client.ask(&key(op::DELETE, "foo:1"));
    let dump = figures(&mut client, "detail dump");
    assert_eq!(dump["detailed"], "PREFIX foo get 1 hit 1 set 1 del 1\r\nEND\r\n");
    assert!(figures(&mut client, "detail off").is_empty());
}

#[test]
fn what_is_not_there_is_not_found() {
    let mut client = Client::new("");
    for what in ["nothing", "detail", "detail sideways", "cachedump 1 1", " x"] {
        assert_eq!(client.ask(&key(op::STAT, what)), "0x1 Not found", "{what}");
    }
    assert_eq!(Client::new("-X").ask(&key(op::STAT, "detail on")), "0x1 Not found");
    assert_eq!(client.ask(&request(op::NOOP)), "||");
}
