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
fn a_slow_reader_that_leaves_gives_the_value_back() {
    let mut rig = Rig::new("-m 4 -M");
    let (slow, other) = (rig.open(), rig.open());
    assert_eq!(rig.send(other, set("k", 'o', LARGE)), "STORED\r\n");
    rig.deliver(slow, b"mg k v\r\nget k k\r\n");
    assert!(rig.pending(slow) < LARGE, "the rest waits in the cache");
    rig.send(other, "delete k\r\n");
    rig.gone(slow);
    rig.process.machine().shared().audit();
    for n in 0..4 {
        assert_eq!(rig.send(other, set(&format!("k{n}"), 'n', LARGE)), "STORED\r\n", "{n}");
    }
}

#[test]
fn a_large_value_comes_whole_between_others() {
    let mut rig = Rig::new("");
    let c = rig.open();
    rig.send(c, set("large", 'v', LARGE));
    rig.send(c, "set small 0 0 2\r\nab\r\n");
    rig.deliver(c, b"get small large nothing large small\r\nmg large s v k\r\nmg small v\r\n");
    let mut out = Vec::new();
    for piece in [1, 100, 20_000, 1 << 20] {
        out.extend(rig.take(c, piece));
    }
    out.extend(rig.take_all(c));
    let (value, small) = ("v".repeat(LARGE), "VALUE small 0 2\r\nab\r\n");
    let large = format!("VALUE large 0 {LARGE}\r\n{value}\r\n");
    let expect = format!(
        "{small}{large}{large}{small}END\r\nVA {LARGE} s{LARGE} klarge\r\n{value}\r\nVA 2\r\nab\r\n"
    );
    assert!(out == expect.as_bytes(), "{} bytes in place of {}", out.len(), expect.len());
}

#[test]
fn a_connection_that_asks_much_lets_others_go_first() {
    let mut rig = Rig::new("-R 2");
    let c = rig.open();
    let sets = "set k 0 0 1\r\na\r\n".repeat(7);
    assert_eq!(rig.send(c, sets), "STORED\r\n".repeat(7), "and is served all the same");
    assert!(rig.send(c, "stats\r\n").contains("STAT conn_yields 3\r\n"));
}

#[test]
fn stated_lengths_take_no_memory_and_what_was_sent_is_given_back() {
    const PAGE: u64 = 1 << 20;
    let mut rig = Rig::new("-m 64");
    let first = rig.open();
    rig.send(first, set("k", 'v', LARGE));
    let before = rig.memory();
    let conns: Vec<_> = (0..100).map(|_| rig.open()).collect();
    for (n, &conn) in conns.iter().enumerate() {
        rig.deliver(conn, format!("set k{n} 0 0 {LARGE}\r\n").as_bytes());
    }
    assert!(rig.memory() - before <= 2 * PAGE, "a hundred stated lengths take no memory");
    for &conn in &conns[..20] {
        rig.deliver(conn, &vec![b'v'; LARGE / 4]);
    }
    let grown = rig.memory() - before;
    assert!((2 * PAGE..12 * PAGE).contains(&grown), "memory for what was sent: {grown}");
    for conn in conns {
        rig.gone(conn);
    }
    rig.process.machine().shared().audit();
    let usage = rig.process.machine().shared().usage();
    assert_eq!((usage.items, rig.counter("evictions")), (1, 0));
}

#[test]
fn uploads_beyond_the_limit_are_refused_and_leave_nothing_stale() {
    const UPLOADS: usize = 30;
    let mut rig = Rig::new("-m 8");
    let reader = rig.open();
    rig.send(reader, "set k 0 0 3\r\nold\r\n");
    let conns: Vec<_> = (0..UPLOADS).map(|_| rig.open()).collect();
    let mut refused = 0;
    for &conn in &conns {
        rig.deliver(conn, format!("set k 0 0 {LARGE}\r\n").as_bytes());
        rig.deliver(conn, &vec![b'v'; LARGE - 1]);
        match String::from_utf8(rig.take_all(conn)).expect("text").as_str() {
            "" => {}
            "SERVER_ERROR out of memory storing object\r\n" => refused += 1,
            other => panic!("{other}"),
        }
    }
    assert!((10..UPLOADS).contains(&refused), "{refused} uploads of half a megabyte in 8 MB");
    assert_eq!(rig.send(reader, "get k\r\n"), "END\r\n", "a refused set leaves nothing stale");
    let outcomes: Vec<String> = conns.iter().map(|&conn| rig.send(conn, "v\r\n")).collect();
    assert_eq!(outcomes.iter().filter(|o| *o == "STORED\r\n").count(), UPLOADS - refused);
    for conn in conns {
        assert_eq!(rig.send(conn, "get x\r\n"), "END\r\n", "every connection is in step");
    }
    rig.process.machine().shared().audit();
}

#[test]
fn the_coldest_items_make_room() {
    let mut rig = Rig::new("-m 2");
    let c = rig.open();
    rig.send(c, set("hot", 'h', 20));
    for n in 0..60_000 {
        rig.send(c, format!("set cold:{n} 0 0 4\r\nabcd\r\n"));
        if n % 1000 == 0 {
            assert!(rig.send(c, "get hot\r\n").starts_with("VALUE"), "after {n}");
        }
    }
    assert_eq!(rig.send(c, "get cold:0\r\n"), "END\r\n");
    assert!(rig.send(c, "get cold:59999\r\n").starts_with("VALUE"));
    assert!(rig.counter("evictions") > 10_000);
    assert!(rig.counter("bytes") <= 3 << 20);
    rig.process.machine().shared().audit();
}

#[test]
fn without_eviction_a_full_server_refuses_and_set_leaves_nothing_stale() {
    let mut rig = Rig::new("-m 8 -M");
    let c = rig.open();
    rig.send(c, "set k 0 0 3\r\nold\r\nset l 0 0 3\r\nold\r\n");
    let refused = "SERVER_ERROR out of memory storing object\r\n";
    let stored =
        (0..100).take_while(|n| rig.send(c, set(&format!("k{n}"), 'a', 100 << 10)) != refused);
    assert!((40..90).contains(&stored.count()), "values of 100 kB in 8 MB");
    assert_eq!(rig.send(c, set("k", 'n', 100 << 10)), refused);
    let add = set("new", 'n', 100 << 10).replace("set", "add");
    assert_eq!(rig.send(c, add), refused);
    let add = set("l", 'n', 100 << 10).replace("set", "add");
    assert_eq!(rig.send(c, add), "NOT_STORED\r\n", "its condition does not hold anyway");
    assert_eq!(rig.send(c, "get k l\r\n"), "VALUE l 0 3\r\nold\r\nEND\r\n");
    assert_eq!(rig.send(c, "delete k0\r\n"), "DELETED\r\n");
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

#[test]
fn a_server_without_items_comes_to_rest() {
    let mut rig = Rig::new("");
    let c = rig.open();
    assert_eq!(rig.send(c, "get k\r\n"), "END\r\n");
    // It looks after its lists for a while, less and less often.
    for second in 0..200 {
        rig.pass(1);
        assert!(rig.rests() != Some(core::time::Duration::ZERO), "it spins after {second} s");
    }
    for _ in 0..60 {
        rig.tick_when_due();
    }
    assert_eq!(rig.rests(), None, "nothing is to be done without items or traffic");
}

/// Keys of one request lie in different shards, and more of them than are read for together.
#[test]
fn a_run_of_keys_is_found_in_whatever_shards_it_lies() {
    let mut rigs = Rig::workers(4, "-m 1024");
    let rig = &mut rigs[0];
    let c = rig.open();
    let (mut names, mut hits) = (String::new(), String::new());
    for n in 0..300 {
        assert_eq!(rig.send(c, format!("set key:{n} {n} 0 1\r\na\r\n")), "STORED\r\n");
        names += &format!(" key:{n} missing:{n}");
        hits += &format!("VALUE key:{n} {n} 1\r\na\r\n");
    }
    assert_eq!(rig.send(c, format!("get{names}\r\n")), format!("{hits}END\r\n"));

    let lines = |verb: &str, tail: &str| -> String {
        (0..300).map(|n| format!("{verb} key:{n}{tail}\r\n")).collect()
    };
    let each = |n: u32| format!("VALUE key:{n} {n} 1\r\na\r\nEND\r\n");
    assert_eq!(rig.send(c, lines("get", "")), (0..300).map(each).collect::<String>());
    let flags = |n: u32| format!("VA 1 f{n}\r\na\r\n");
    assert_eq!(rig.send(c, lines("mg", " v f")), (0..300).map(flags).collect::<String>());
    assert_eq!(rig.send(c, lines("delete", "")), "DELETED\r\n".repeat(300));
    assert_eq!(rig.send(c, format!("get{names}\r\n")), "END\r\n");
}
