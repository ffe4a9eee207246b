//! Replies that wait: in order, and until what they tell is durable.

use crate::rig::Rig;

#[test]
fn a_write_is_acknowledged_when_it_is_durable_and_reads_of_it_wait_too() {
    let mut rig = Rig::new("");
    let (writer, reader) = (rig.open(), rig.open());
    rig.say(writer, "SET other 1");
    rig.lone.send(writer, b"SET key 1\r\nPING\r\n");
    assert_eq!(rig.take(writer), "", "the disk has yet to answer");
    rig.lone.send(reader, b"GET other\r\n");
    assert_eq!(rig.take(reader), "$1 1", "what is durable is told at once");
    rig.lone.send(reader, b"GET key\r\nPING\r\n");
    assert_eq!(rig.take(reader), "", "a power cut could still take it back");
    rig.rest();
    assert_eq!(rig.take(writer), "+OK +PONG");
    assert_eq!(rig.take(reader), "$1 1 +PONG");
}

#[test]
fn without_waiting_it_is_acknowledged_at_once() {
    let mut rig = Rig::new("--appendfsync no");
    let client = rig.open();
    rig.lone.send(client, b"SET key 1\r\n");
    assert_eq!(rig.take(client), "+OK");
}

#[test]
fn requests_of_many_connections_share_a_record_of_the_disk() {
    let mut rig = Rig::new("");
    let clients: Vec<_> = (0..8).map(|_| rig.open()).collect();
    let before = rig.lone.submitted();
    for &client in &clients {
        rig.lone.send(client, b"INCR n\r\n");
    }
    rig.rest();
    let replies: Vec<_> = clients.iter().map(|&client| rig.take(client)).collect();
    assert_eq!(replies, [":1", ":2", ":3", ":4", ":5", ":6", ":7", ":8"]);
    let operations = rig.lone.submitted() - before;
    assert!(operations <= 6, "two syncs at most, {operations} operations");
}

#[test]
fn a_transaction_whose_watched_key_changed_does_nothing() {
    let mut rig = Rig::new("");
    let (one, two) = (rig.open(), rig.open());
    assert_eq!(rig.say(one, "WATCH key"), "+OK");
    assert_eq!(rig.say(one, "MULTI"), "+OK");
    assert_eq!(rig.say(one, "SET key mine"), "+QUEUED");
    rig.say(two, "SET key theirs");
    assert_eq!(rig.say(one, "EXEC"), "*-1");
    assert_eq!(rig.say(one, "GET key"), "$6 theirs");
}

#[test]
fn a_checkpoint_is_durable_when_save_says_so() {
    let mut rig = Rig::new("");
    let client = rig.open();
    for n in 0..100 {
        rig.say(client, &format!("ROW.PUT t {n} 1 value"));
    }
    assert_eq!(rig.say(client, "SAVE"), "+OK");
    assert!(rig.say(client, "INFO storytime").contains("checkpoints:1"));
}

#[test]
fn lives_too_short_for_a_checkpoint_have_one_together() {
    const LINE: &str = "--checkpoint-bytes 64k";
    let mut rig = Rig::new(LINE);
    let value = "v".repeat(10_000);
    for life in 1..=3 {
        let client = rig.open();
        for item in 0..3 {
            rig.say(client, &format!("ROW.PUT t {life} {item} {value}"));
        }
        rig.rest();
        let checkpoints = format!("checkpoints:{}", life / 3);
        assert!(rig.say(client, "INFO storytime").contains(&checkpoints), "life {life}");
        rig = rig.after_power_cut(LINE);
    }
    let client = rig.open();
    assert_eq!(rig.say(client, "ROW.SIZE t"), "*3 :3 :9 :90000");
}

#[test]
fn pages_are_read_before_a_reply_that_needs_them_and_others_go_on() {
    let mut rig = Rig::new("--pages 1000 --pool-pages 10 --appendonly no");
    rig.rest();
    let (slow, fast) = (rig.open(), rig.open());
    rig.lone.send(slow, b"ROW.GET t 1 1\r\n");
    assert_eq!(rig.take(slow), "", "its page is not in the pool");
    assert_eq!(rig.take(fast), "");
    rig.lone.send(fast, b"PING\r\n");
    assert_eq!(rig.take(fast), "+PONG");
    rig.rest();
    assert_eq!(rig.take(slow), "*-1");
    rig.lone.send(slow, b"ROW.GET t 1 2\r\n");
    assert_eq!(rig.take(slow), "*-1", "a neighbour lies on the same page");
}
