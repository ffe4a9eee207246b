//! `stats` in its forms.

use crate::rig::Rig;
use std::collections::BTreeMap;
use storytime_machine::Conn;

/// The figures of one `stats` request, and how many lines there were.
fn stats(rig: &mut Rig, conn: Conn, what: &str) -> (BTreeMap<String, String>, usize) {
    let reply = rig.send(conn, format!("stats{what}\r\n"));
    let lines: Vec<&str> = reply.lines().collect();
    let (end, lines) = lines.split_last().expect("at least an end");
    assert_eq!(*end, "END", "{reply}");
    let figures = lines.iter().map(|line| {
        let mut words = line.splitn(3, ' ');
        assert_eq!(words.next(), Some("STAT"), "{line}");
        let name = words.next().expect("a name").to_owned();
        (name, words.next().unwrap_or_default().to_owned())
    });
    (figures.collect(), lines.len())
}

fn figure(rig: &mut Rig, conn: Conn, what: &str, name: &str) -> String {
    stats(rig, conn, what).0.remove(name).unwrap_or_else(|| panic!("there is {name}"))
}

#[test]
fn the_server_shows_as_many_figures_as_the_original() {
    for (line, count) in
        [("-I 1024 -o slab_chunk_max=1,no_lru_crawler,no_lru_maintainer", 84), ("", 93)]
    {
        let mut rig = Rig::new(line);
        let conn = rig.open();
        let (figures, lines) = stats(&mut rig, conn, "");
        assert_eq!((figures.len(), lines), (count, count), "{line}");
    }
}

#[test]
fn counters_are_set_back_and_the_rest_stays() {
    let mut rig = Rig::new("");
    let conn = rig.open();
    rig.send(conn, "set a 0 0 1\r\nx\r\nget a b\r\n");
    assert_eq!(figure(&mut rig, conn, "", "get_misses"), "1");
    assert_eq!(rig.send(conn, "stats r\r\n"), "RESET\r\n");
    assert_eq!(figure(&mut rig, conn, "", "get_misses"), "0");
    assert_eq!(figure(&mut rig, conn, "", "curr_items"), "1");
}

#[test]
fn the_first_letters_of_some_forms_do() {
    let mut rig = Rig::new("-c 77 -l 127.0.0.1");
    let conn = rig.open();
    for what in [" settings", " sett", " s"] {
        assert_eq!(figure(&mut rig, conn, what, "maxconns"), "77", "{what}");
    }
    assert_eq!(figure(&mut rig, conn, " settings", "inter"), "127.0.0.1");
    assert_eq!(figure(&mut rig, conn, " settings", "growth_factor"), "1.25");
    assert_eq!(rig.send(conn, "stats item\r\n"), "ERROR\r\n");
    assert_eq!(rig.send(conn, "stats nonsense\r\n"), "ERROR\r\n");
}

#[test]
fn classes_show_their_chunks_and_items() {
    let mut rig = Rig::new("");
    let conn = rig.open();
    for n in 0..3 {
        rig.send(conn, format!("set k{n} 0 0 1\r\nx\r\n"));
    }
    assert_eq!(figure(&mut rig, conn, " slabs", "1:used_chunks"), "3");
    assert_eq!(figure(&mut rig, conn, " slabs", "active_slabs"), "1");
    assert_eq!(figure(&mut rig, conn, " items", "items:1:number"), "3");
    let (sizes, _) = stats(&mut rig, conn, " sizes");
    assert_eq!(sizes.get("sizes_status").map(String::as_str), Some("disabled"));
    let dump = rig.send(conn, "stats cachedump 1 2\r\n");
    assert_eq!(dump.matches("ITEM k").count(), 2, "{dump}");
    assert!(dump.contains(" [1 b; 0 s]\r\n") && dump.ends_with("END\r\n"), "{dump}");
    assert_eq!(rig.send(conn, "stats cachedump 64 2\r\n"), "CLIENT_ERROR Illegal slab id\r\n");
}

#[test]
fn dumps_can_be_forbidden() {
    let mut rig = Rig::new("-X");
    let conn = rig.open();
    for (request, refusal) in [
        ("stats cachedump 1 2", "CLIENT_ERROR stats cachedump not allowed"),
        ("stats detail on", "CLIENT_ERROR stats detail not allowed"),
        ("lru_crawler metadump all", "ERROR metadump not allowed"),
        ("lru_crawler mgdump all", "ERROR key dump not allowed"),
    ] {
        assert_eq!(rig.send(conn, format!("{request}\r\n")), format!("{refusal}\r\n"));
    }
}

#[test]
fn prefixes_are_counted_on_demand() {
    let mut rig = Rig::new("");
    let conn = rig.open();
    assert_eq!(rig.send(conn, "stats detail on\r\n"), "OK\r\n");
    rig.send(conn, "set foo:1 0 0 1\r\nx\r\nget foo:1 foo:2 bar\r\ndelete foo:3\r\n");
    let dump = "PREFIX foo get 2 hit 1 set 1 del 1\r\nEND\r\n";
    assert_eq!(rig.send(conn, "stats detail dump\r\n"), dump);
    assert_eq!(rig.send(conn, "stats detail off\r\n"), "OK\r\n");
    rig.send(conn, "get foo:1\r\n");
    assert_eq!(rig.send(conn, "stats detail dump\r\n"), dump);
    let usage = "CLIENT_ERROR usage: stats detail on|off|dump\r\n";
    assert_eq!(rig.send(conn, "stats detail\r\n"), usage);
}

#[test]
fn connections_show_what_they_do() {
    let mut rig = Rig::new("");
    let (busy, looking) = (rig.open(), rig.open());
    rig.send(busy, "set foo 0 0 6\r\n");
    rig.pass(3);
    let (shown, _) = stats(&mut rig, looking, " conns");
    let of = |id: u32, what: &str| shown.get(&format!("{id}:{what}")).map(String::as_str);
    assert_eq!(of(1, "state"), Some("conn_listening"));
    assert_eq!(of(1, "addr"), Some("tcp:0.0.0.0:11211"));
    assert_eq!(of(2, "state"), Some("conn_nread"));
    assert_eq!(of(2, "addr"), Some("tcp:127.0.0.1:40000"));
    assert_eq!(of(2, "listen_addr"), Some("tcp:0.0.0.0:11211"));
    assert_eq!(of(2, "secs_since_last_cmd"), Some("3"));
    assert_eq!(of(3, "state"), Some("conn_parse_cmd"));
}

#[test]
fn several_workers_show_the_same_figures() {
    let mut workers = Rig::workers(3, "");
    let conns: Vec<Conn> = workers.iter_mut().map(Rig::open).collect();
    for (n, (rig, &conn)) in workers.iter_mut().zip(&conns).enumerate() {
        rig.send(conn, format!("set k{n} 0 0 1\r\nx\r\n"));
    }
    for (rig, &conn) in workers.iter_mut().zip(&conns) {
        assert_eq!(figure(rig, conn, "", "curr_items"), "3");
        assert_eq!(figure(rig, conn, "", "curr_connections"), "3");
    }
}
