//! What is refused, and in which words.

use crate::rig::Rig;
use storytime_database::config::REQUEST_BYTES_MAX;
use storytime_machine::Machine as _;

#[test]
fn the_connection_above_the_limit_is_told_so() {
    let mut rig = Rig::new("--maxclients 2");
    let (first, _second, third) = (rig.open(), rig.open(), rig.open());
    assert_eq!(rig.take(third), "-ERR max number of clients reached");
    assert_eq!(rig.say(first, "PING"), "+PONG");
    rig.lone.reset(first);
    rig.rest();
    let fourth = rig.open();
    assert_eq!(rig.say(fourth, "PING"), "+PONG");
}

#[test]
fn more_requests_than_may_run_are_told_busy() {
    let mut rig = Rig::new("--max-runnable 2");
    let clients: Vec<_> = (0..3).map(|_| rig.open()).collect();
    for &client in &clients {
        rig.lone.send(client, b"INCR n\r\n");
    }
    let told = rig.take(clients[2]);
    assert_eq!(told, "-BUSY too many requests are running; try again later");
    rig.rest();
    assert_eq!((rig.take(clients[0]), rig.take(clients[1])), (":1".into(), ":2".into()));
}

#[test]
fn or_they_wait_for_their_turn_in_the_order_in_which_they_came() {
    let mut rig = Rig::new("--max-runnable 2 --runnable-waits yes");
    let clients: Vec<_> = (0..6).map(|_| rig.open()).collect();
    for &client in &clients {
        rig.lone.send(client, b"INCR n\r\nINCR m\r\n");
    }
    rig.lone.reset(clients[3]);
    let operator = rig.open();
    rig.lone.send(operator, b"INFO storytime\r\n");
    let told = rig.take(operator);
    assert!(told.contains(" running:2 "), "whatever is no request for content goes on: {told}");
    assert!(told.contains(" requests_waiting:4 "), "{told}");
    rig.rest();
    let replies: Vec<_> = clients.iter().map(|&client| rig.take(client)).collect();
    // Second requests get in line behind the others' first ones.
    assert_eq!(replies, [":1 :1", ":2 :2", ":3 :3", "", ":4 :4", ":5 :5"]);
    let told = rig.say(operator, "INFO storytime");
    assert!(told.contains(" running_peak:2 ") && told.contains(" busy_replies:0 "), "{told}");
}

#[test]
fn a_transaction_waits_with_its_exec_alone() {
    let mut rig = Rig::new("--max-runnable 1 --runnable-waits yes");
    let (first, second) = (rig.open(), rig.open());
    rig.lone.send(first, b"INCR n\r\n");
    rig.lone.send(second, b"MULTI\r\nINCR n\r\nINCR n\r\nEXEC\r\n");
    assert_eq!(rig.take(second), "+OK +QUEUED +QUEUED");
    rig.rest();
    assert_eq!((rig.take(first), rig.take(second)), (":1".into(), "*2 :2 :3".into()));
}

#[test]
fn memory_above_the_limit_is_refused_and_reads_and_deletes_go_on() {
    let mut rig = Rig::new("--maxmemory 1000");
    let client = rig.open();
    rig.say(client, &format!("SET key {}", "x".repeat(1200)));
    let oom = "-OOM command not allowed when used memory > 'maxmemory'.";
    assert_eq!(rig.say(client, "SET other 1"), oom);
    assert_eq!(rig.say(client, "STRLEN key"), ":1200");
    assert_eq!(rig.say(client, "DEL key"), ":1");
    assert_eq!(rig.say(client, "SET other 1"), "+OK");
}

#[test]
fn requests_that_wait_for_exec_are_memory_of_their_connection() {
    let mut rig = Rig::new("");
    let (client, other) = (rig.open(), rig.open());
    let memory = |rig: &Rig| rig.lone.machine().memory();
    let before = memory(&rig);
    assert_eq!(rig.say(client, "MULTI"), "+OK");
    rig.send(client, "PING\r\n".repeat(1000).as_bytes());
    let one = size_of::<(usize, Vec<u8>, Vec<u8>)>() as u64 + 4;
    assert!(memory(&rig) >= before + 1000 * one, "{} bytes", memory(&rig) - before);
    let list = rig.say(other, "CLIENT LIST");
    assert!(list.contains(" multi=1000 multi-mem=") && list.contains(" multi-mem=0 "), "{list}");
    // However short they are, they are as much as one long request at the most.
    let mut told = String::new();
    for _ in 0..100 {
        told = rig.send(client, "PING\r\n".repeat(1000).as_bytes());
        assert!(memory(&rig) <= before + REQUEST_BYTES_MAX as u64, "after {told:.20}");
    }
    assert_eq!(told.split_once(' ').map(|(first, _)| first), Some("+QUEUED"));
    assert_eq!(memory(&rig), before, "what will not run is not kept");
    assert!(rig.say(client, "EXEC").starts_with("-EXECABORT"));
    assert_eq!(rig.say(client, "PING"), "+PONG");
}

#[test]
fn a_server_for_reading_refuses_writes() {
    let mut rig = Rig::new("--read-only");
    let client = rig.open();
    let told = rig.say(client, "SET key 1");
    assert_eq!(told, "-READONLY You can't write against a read only server.");
    assert_eq!(rig.say(client, "DB.READONLY OFF"), "+OK");
    assert_eq!(rig.say(client, "SET key 1"), "+OK");
}

#[test]
fn a_stranger_logs_in_first() {
    let mut rig = Rig::new("--requirepass secret");
    let client = rig.open();
    assert_eq!(rig.say(client, "GET key"), "-NOAUTH Authentication required.");
    assert!(rig.say(client, "AUTH wrong").starts_with("-WRONGPASS"));
    assert_eq!(rig.say(client, "AUTH secret"), "+OK");
    assert_eq!(rig.say(client, "GET key"), "$-1");
}

#[test]
fn whoever_breaks_the_protocol_is_told_and_hung_up_on() {
    let mut rig = Rig::new("");
    let client = rig.open();
    let told = rig.send(client, b"*1\r\nGET\r\n");
    assert_eq!(told, "-ERR Protocol error: expected '$', got 'G'");
    assert!(!rig.lone.is_open(client));
}

#[test]
fn a_request_is_understood_wherever_it_is_cut() {
    let whole =
        b"*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$7\r\na\r\nb\r\nc\r\n*2\r\n$3\r\nGET\r\n$3\r\nkey\r\n";
    let mut rig = Rig::new("");
    for cut in 1..whole.len() {
        let client = rig.open();
        let first = rig.send(client, &whole[..cut]);
        let rest = rig.send(client, &whole[cut..]);
        let told = [first, rest].join(" ").trim_start().to_owned();
        assert_eq!(told, "+OK $7 a b c", "cut at {cut}");
    }
}
