//! Peers that mean harm: the server stays up, within its limits, and keeps its word.

use crate::rig::Rig;

#[test]
fn a_typed_line_with_a_zero_byte_ends() {
    let mut rig = Rig::new("");
    let client = rig.open();
    assert_eq!(rig.send(client, b"PING\0\n"), "+PONG");
    assert_eq!(rig.send(client, b"\0\nPING\n"), "+PONG");
}

#[test]
fn no_transaction_makes_a_record_that_is_too_long() {
    let mut rig = Rig::new("");
    let client = rig.open();
    rig.say(client, "SET k 1e308");
    rig.say(client, "MULTI");
    let many = "INCRBYFLOAT k 1\r\n".repeat(42_000);
    rig.send(client, many.as_bytes());
    let told = rig.say(client, "EXEC");
    assert!(told.starts_with("-EXECABORT") || told.starts_with('*'), "{told:.100}");
}

#[test]
fn a_transaction_whose_reply_is_too_long_is_done_all_the_same_or_not_at_all() {
    let mut rig = Rig::new("");
    let client = rig.open();
    rig.say(client, &format!("SET long {}", "x".repeat(60_000)));
    rig.say(client, "MULTI");
    rig.say(client, "SET first 1");
    rig.send(client, "GET long\r\n".repeat(1200).as_bytes());
    rig.say(client, "SET last 1");
    rig.say(client, "EXEC");
    assert!(!rig.lone.is_open(client), "it is hung up on");
    let other = rig.open();
    let both = rig.say(other, "MGET first last");
    assert!(["*2 $1 1 $1 1", "*2 $-1 $-1"].contains(&both.as_str()), "{both}");
}

#[test]
fn a_request_for_more_than_may_be_pending_takes_no_memory_for_it() {
    let mut rig = Rig::new("");
    let client = rig.open();
    rig.say(client, &format!("SET k {}", "x".repeat(60_000)));
    let many = 30_000;
    let request = format!("*{}\r\n$4\r\nMGET\r\n{}", many + 1, "$1\r\nk\r\n".repeat(many));
    rig.send(client, request.as_bytes());
    assert!(!rig.lone.is_open(client), "it is hung up on");
    let peak = peak_bytes();
    assert!(peak < 1 << 30, "{peak} bytes");
}

/// The most memory that this process has had, bytes.
fn peak_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("it runs on Linux");
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("it is told");
    let kib = line.split_whitespace().nth(1).expect("a number follows");
    kib.parse::<u64>().expect("it is one") * 1024
}

#[test]
fn keys_to_watch_are_limited() {
    let mut rig = Rig::new("");
    let client = rig.open();
    let keys: Vec<String> = (0..20_000).map(|n| format!("{n}")).collect();
    for some in keys.chunks(1000) {
        rig.say(client, &format!("WATCH {}", some.join(" ")));
    }
    let line = rig.say(client, "CLIENT INFO");
    let watched = line.split("watch=").nth(1).and_then(|rest| rest.split(' ').next());
    let watched: usize = watched.expect("it is told").parse().expect("a number");
    assert!(watched <= 4096, "{watched}");
}

#[test]
fn what_is_promised_of_writes_is_not_changed_while_it_runs() {
    let mut rig = Rig::new("");
    let client = rig.open();
    let told = rig.say(client, "CONFIG SET min-replicas-to-write 1");
    assert!(told.starts_with("-ERR CONFIG SET failed"), "{told}");
    assert_eq!(rig.say(client, "SET key 1"), "+OK");
}
