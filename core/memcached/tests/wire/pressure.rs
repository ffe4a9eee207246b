//! Slow readers, half-sent values, full memory, several workers.

use crate::rig::Rig;

const LARGE: usize = 1 << 19;

fn set(key: &str, byte: char, len: usize) -> String {
    format!("set {key} 0 0 {len}\r\n{}\r\n", String::from(byte).repeat(len))
}

#[test]
fn a_slow_reader_is_not_read_until_it_has_drained() {
    let mut rig = Rig::new("");
    let c = rig.open();
    rig.send(c, set("k", 'v', LARGE));
    rig.deliver(c, "get k k k k\r\nget k\r\nversion\r\n".as_bytes());
    assert!(!rig.reads(c), "one value of half a megabyte is above the high mark");
    assert_eq!(rig.counter("slow_readers"), 1);
    assert!(rig.pending(c) < 2 * LARGE, "the rest waits in the request, not in memory");
    let out = rig.take_all(c);
    assert!(rig.reads(c));
    assert_eq!(out.iter().filter(|&&b| b == b'v').count(), 5 * LARGE);
    assert!(out.ends_with(b"\r\n"));
}

#[test]
fn a_slow_reader_gets_the_old_value_whole() {
    let mut rig = Rig::new("");
    let (slow, other) = (rig.open(), rig.open());
    rig.send(other, set("k", 'o', LARGE));
    rig.deliver(slow, b"get k\r\n");
    let mut got = rig.take(slow, 1000).to_vec();
    rig.send(other, set("k", 'n', LARGE));
    rig.send(other, "delete k\r\n");
    got.extend(rig.take_all(slow));
    assert_eq!(got.iter().filter(|&&b| b == b'o').count(), LARGE);
    assert!(!got.contains(&b'n'));
}

#[test]
fn a_value_half_sent_costs_what_arrived_and_nothing_once_its_sender_is_gone() {
    let mut rig = Rig::new("-m 8");
    let c = rig.open();
    let before = rig.memory();
    rig.deliver(c, format!("set k 0 0 {LARGE}\r\n").as_bytes());
    assert!(rig.memory() - before <= 8 << 10, "a stated length alone takes no memory");
    rig.deliver(c, &vec![b'v'; LARGE / 4]);
    assert!((LARGE / 4..LARGE).contains(&((rig.memory() - before) as usize)));
    rig.gone(c);
    assert!(rig.memory() - before <= 8 << 10);
    rig.process.machine().shared().audit();
}

#[test]
fn uploads_count_against_the_limit_and_are_refused_beyond_it() {
    let mut rig = Rig::new("-m 2");
    let (reader, conns) = (rig.open(), [(); 5].map(|()| rig.open()));
    rig.send(reader, "set k 0 0 3\r\nold\r\n");
    for conn in conns {
        rig.deliver(conn, format!("set k 0 0 {LARGE}\r\n").as_bytes());
        rig.deliver(conn, &vec![b'v'; LARGE - 1]);
    }
    assert!(rig.process.machine().shared().usage().reserved_bytes <= 2 << 20);
    assert_eq!(rig.send(reader, "get k\r\n"), "END\r\n", "a refused set leaves nothing stale");
    let outcomes: Vec<String> = conns.iter().map(|&conn| rig.send(conn, "v\r\n")).collect();
    let refused = "SERVER_ERROR out of memory storing object\r\n";
    assert!(outcomes.iter().any(|o| o == refused), "{outcomes:?}");
    assert!(outcomes.iter().any(|o| o == "STORED\r\n"), "{outcomes:?}");
    for conn in conns {
        assert!(rig.send(conn, "get x\r\n").ends_with("END\r\n"), "every connection is in step");
    }
}

#[test]
fn the_coldest_items_make_room() {
    let mut rig = Rig::new("-m 2 -I 1k");
    let c = rig.open();
    rig.send(c, set("hot", 'h', 100));
    for n in 0..40_000 {
        rig.send(c, format!("set cold:{n} 0 0 4\r\nabcd\r\n"));
        if n % 1000 == 0 {
            assert!(rig.send(c, "get hot\r\n").starts_with("VALUE"), "after {n}");
        }
    }
    assert_eq!(rig.send(c, "get cold:0\r\n"), "END\r\n");
    assert!(rig.send(c, "get cold:39999\r\n").starts_with("VALUE"));
    assert!(rig.counter("evictions") > 20_000);
    assert!(rig.counter("bytes") <= 2 << 20);
    rig.process.machine().shared().audit();
}

#[test]
fn without_eviction_a_full_server_refuses_and_set_leaves_nothing_stale() {
    let mut rig = Rig::new("-m 1 -M -I 512k");
    let c = rig.open();
    rig.send(c, "set k 0 0 3\r\nold\r\n");
    assert_eq!(rig.send(c, set("a", 'a', 500 << 10)), "STORED\r\n");
    assert_eq!(rig.send(c, set("b", 'b', 500 << 10)), "STORED\r\n");
    let refused = "SERVER_ERROR out of memory storing object\r\n";
    assert_eq!(rig.send(c, set("c", 'c', 100 << 10)), refused);
    assert_eq!(rig.send(c, set("k", 'n', 100 << 10)), refused);
    assert_eq!(rig.send(c, "get k\r\n"), "END\r\n");
    assert_eq!(rig.send(c, "delete a\r\n"), "DELETED\r\n");
    assert_eq!(rig.send(c, set("c", 'c', 100 << 10)), "STORED\r\n");
    assert_eq!(rig.counter("evictions"), 0);
}

#[test]
fn several_workers_serve_one_data_set() {
    let mut workers = Rig::workers(3, "-c 4");
    let conns: Vec<_> = workers.iter_mut().map(Rig::open).collect();
    for n in 0..100 {
        let worker = n % 3;
        let reply =
            workers[worker].send(conns[worker], format!("set k{n} 0 0 1\r\n{}\r\n", n % 10));
        assert_eq!(reply, "STORED\r\n");
    }
    let all: String = (0..100).map(|n| format!(" k{n}")).collect();
    for (worker, &conn) in workers.iter_mut().zip(&conns) {
        let got = worker.send(conn, format!("gets{all}\r\n"));
        let mut versions: Vec<&str> = got
            .lines()
            .filter(|line| line.starts_with("VALUE"))
            .map(|line| line.rsplit(' ').next().expect("a version"))
            .collect();
        versions.sort_unstable();
        versions.dedup();
        assert_eq!(versions.len(), 100, "versions are unique across shards");
    }
    let fourth = workers[0].open();
    assert_eq!(workers[0].send(fourth, "get k1\r\n"), "VALUE k1 0 1\r\n1\r\nEND\r\n");
    let fifth = workers[1].open();
    assert!(workers[1].has_hung_up(fifth), "the limit on connections is the server's");
    assert_eq!(workers[2].send(conns[2], "flush_all\r\nget k1 k2 k3\r\n"), "OK\r\nEND\r\n");
}
