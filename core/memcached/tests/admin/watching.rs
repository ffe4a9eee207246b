//! `watch`.

use crate::rig::Rig;
use storytime_machine::Conn;

fn watch(rig: &mut Rig, streams: &str) -> Conn {
    let conn = rig.open();
    assert_eq!(rig.send(conn, format!("watch {streams}\n")), "OK\r\n");
    conn
}

/// What a watcher is told, without the moments.
fn told(rig: &mut Rig, watcher: Conn) -> Vec<String> {
    rig.tick_after_millis(20);
    let all = String::from_utf8(rig.take_all(watcher)).expect("lines are text");
    let line = |line: &str| line.split_once(" gid=").map_or(line, |(_, rest)| rest).to_owned();
    all.lines().map(line).collect()
}

#[test]
fn watchers_are_told_of_reads_and_stores() {
    let mut rig = Rig::new("");
    let watcher = watch(&mut rig, "fetchers mutations");
    let conn = rig.open();
    rig.send(conn, "set a%b 0 60 3\r\nxyz\r\nget a%b no\r\n");
    assert_eq!(
        told(&mut rig, watcher),
        [
            "1 type=item_get key=a%25b status=not_found clsid=0 cfd=3 size=0",
            "2 type=item_store key=a%25b status=stored cmd=set ttl=60 clsid=1 cfd=3 size=3",
            "3 type=item_get key=a%25b status=found clsid=1 cfd=3 size=3",
            "4 type=item_get key=no status=not_found clsid=0 cfd=3 size=0",
        ]
    );
}

#[test]
fn watchers_are_told_of_deletions_by_command() {
    let mut rig = Rig::new("");
    let watcher = watch(&mut rig, "deletions");
    let conn = rig.open();
    rig.send(conn, "set a 0 0 3\r\nxyz\r\nset b 0 0 1\r\nx\r\ndelete a\r\nmd b\r\nmd c\r\n");
    assert_eq!(
        told(&mut rig, watcher),
        [
            "1 type=deleted key=a cmd=delete clsid=1 size=3",
            "2 type=deleted key=b cmd=md clsid=1 size=1",
        ]
    );
}

#[test]
fn watchers_are_told_of_evictions() {
    let mut rig = Rig::new("-m 2 -I 512k");
    let conn = rig.open();
    let value = "x".repeat(100_000);
    let fill = |rig: &mut Rig, n: u32| {
        for k in 0..n {
            rig.send(conn, format!("set k{k}-{n} 0 0 100000\r\n{value}\r\n"));
        }
    };
    fill(&mut rig, 60);
    let watcher = watch(&mut rig, "evictions");
    fill(&mut rig, 5);
    let told = told(&mut rig, watcher);
    assert!(!told.is_empty());
    for line in told {
        assert!(line.contains(" type=eviction key=k") && line.contains(" ttl=-1 "), "{line}");
    }
}

#[test]
fn watchers_are_told_who_comes_and_goes_and_why() {
    let mut rig = Rig::new("");
    let watcher = watch(&mut rig, "connevents");
    let polite = rig.open();
    rig.send(polite, "quit\r\n");
    let browser = rig.open();
    rig.send(browser, "GET / HTTP/1.1\r\n");
    let told = told(&mut rig, watcher);
    let who = "rip=127.0.0.1 rport=40000 transport=tcp";
    assert_eq!(
        told,
        [
            format!("1 type=conn_new {who} cfd=3"),
            format!("2 type=conn_close {who} reason=normal cfd=3"),
            format!("3 type=conn_new {who} cfd=4"),
            format!("4 type=conn_close {who} reason=error cfd=4"),
        ]
    );
}

#[test]
fn a_watcher_that_does_not_read_costs_bounded_memory_and_is_told_what_it_missed() {
    let mut rig = Rig::new("-o watcher_logbuf_size=8");
    let watcher = watch(&mut rig, "fetchers");
    let conn = rig.open();
    for n in 0..2000 {
        rig.send(conn, format!("get key{n}\r\n"));
        rig.tick_after_millis(20);
    }
    assert!(rig.pending(watcher) <= 16 << 10, "{}", rig.pending(watcher));
    let mut missed = 0;
    let mut heard = 0;
    for _ in 0..3 {
        for line in told(&mut rig, watcher) {
            match line.strip_prefix("skipped=") {
                Some(n) => missed += n.parse::<u32>().expect("a number"),
                None => heard += 1,
            }
        }
        rig.send(conn, "get again\r\n");
    }
    assert_eq!(missed + heard, 2000 + 2, "every line is told or counted");
}

#[test]
fn watching_has_its_limits() {
    let mut rig = Rig::new("");
    let watchers: Vec<Conn> = (0..20).map(|_| watch(&mut rig, "fetchers")).collect();
    let conn = rig.open();
    assert_eq!(rig.send(conn, "watch\r\n"), "WATCHER_TOO_MANY log watcher limit reached\r\n");
    rig.gone(watchers[7]);
    assert_eq!(rig.send(conn, "watch nonsense\r\n"), "ERROR\r\n");
    let refusal = "ERROR cannot pipeline other commands before watch\r\n";
    let reply = rig.send(conn, "version\r\nwatch\r\n");
    assert!(reply.ends_with(refusal), "{reply}");
    assert_eq!(rig.send(conn, "watch\r\n"), "OK\r\n");
    let mut forbidden = Rig::new("-W");
    let conn = forbidden.open();
    assert_eq!(forbidden.send(conn, "watch\r\n"), "CLIENT_ERROR watch commands not allowed\r\n");
}

#[test]
fn watchers_hear_of_other_workers_connections() {
    let mut workers = Rig::workers(2, "");
    let watcher = watch(&mut workers[0], "fetchers");
    let conn = workers[1].open();
    workers[1].send(conn, "get k\r\n");
    let told = told(&mut workers[0], watcher);
    assert_eq!(told.len(), 1, "{told:?}");
}
