//! What a client says to the proxy is answered as by a server.

use crate::net::{Net, simple};

/// Streams with everything that the proxy passes on, answers itself, or refuses.
pub(crate) const STREAMS: &[&str] = &[
    "set a 1 0 3\r\nabc\r\nget a\r\ngets a\r\nget a b a\r\ngets  a   b \r\n",
    "set a 0 0 3 noreply\r\nabc\r\nget a\r\ndelete a noreply\r\nget a\r\nadd a 0 0 1\r\nx\r\n",
    "add a 0 0 1\r\nx\r\nadd a 0 0 1\r\ny\r\nreplace a 0 0 1\r\nz\r\nappend a 0 0 2\r\n12\r\n\
     prepend a 0 0 2\r\n34\r\nget a\r\n",
    "set n 0 0 1\r\n5\r\nincr n 3\r\ndecr n 100\r\nincr n x\r\nincr n\r\nincr m 1\r\n",
    "set n 0 0 1\r\n5\r\nincr n 3 noreply\r\nincr n x noreply\r\nget n\r\n",
    "set t 0 0 1\r\nx\r\ntouch t 100\r\ntouch u 1\r\ntouch t x\r\ngat 100 t u\r\ngats 0 t\r\n",
    "gat\r\ngat 1\r\ngat x k\r\nget\r\ngets\r\nget  \r\n",
    "cas a 0 0 1 1\r\nx\r\nset a 0 0 1\r\nx\r\ncas a 0 0 1 999999\r\ny\r\ncas a 0 0 1 x\r\ny\r\n",
    "set a 0 0 3\r\nabcd\r\nget a\r\nversion\r\n",
    "set a 0 0 x\r\nset a x 0 3\r\nabc\r\nset a 0 x 3\r\nabc\r\nset a 0 0 -1\r\nget a\r\n",
    "set a 0 0 3 noreply\r\nabcd\r\nget a\r\n",
    "\r\n\n  \r\nx\r\nhello world\r\nhello noreply\r\n get a\r\nstats nonsense\r\n",
    "set a 0 0 1\r\nx\r\nflush_all\r\nget a\r\nflush_all noreply\r\nflush_all x\r\nflush_all 0\r\n",
    "verbosity 1\r\nverbosity\r\nverbosity 1 noreply\r\nverbosity x\r\nget a\r\n",
    "delete\r\ndelete a b\r\ndelete noreply\r\ndelete a 0 noreply\r\nset noreply 0 0 1\r\nx\r\n\
     delete noreply\r\nget noreply\r\n",
    "get a\nset b 0 0 1\nx\r\nget b\nset b 0 0 1\r\nx\n\r\nget b\r\n",
    "set a 0 0 0\r\n\r\nget a\r\nset a 0 0 2\r\n\r\n\r\nget a\r\n",
    "set a 0 2592000 1\r\nx\r\nset b 0 -1 1\r\nx\r\nset c 4294967295 0 1\r\nx\r\nget a b c\r\n",
    "set a 4294967296 0 1\r\nx\r\nset a -1 0 1\r\nx\r\nset a +1 +0 1\r\nx\r\nget a\r\n",
    "get a\r\nquit\r\nget b\r\n",
    "x HTTP/1.1\r\nget b\r\n",
];

/// A stream whose over-long parts cannot stand in a constant.
pub(crate) fn long_streams() -> Vec<String> {
    let (key, long) = ("k".repeat(250), "k".repeat(251));
    let many: String = (0..300).map(|n| format!(" {}{n}", "k".repeat(20))).collect();
    let args = " x".repeat(22);
    vec![
        format!("set {key} 0 0 1\r\nx\r\nget {key}\r\nget {long}\r\nget a {long} b\r\nget a\r\n"),
        format!("set {long} 0 0 1\r\nx\r\nset {long} 0 0 1 noreply\r\nx\r\nget a\r\n"),
        format!("delete {long}\r\nincr {long} 1\r\ntouch {long} 1 noreply\r\nget a\r\n"),
        format!("set a 0 0 1\r\nx\r\nget{many} a\r\nget a\r\n"),
        format!("set a 0 0 1\r\nx\r\nget a{many} {long}{many}\r\nget a\r\n"),
        format!("delete a{args}\r\ndelete a{args} noreply\r\nget a\r\n"),
        format!("{}\r\nget a\r\n", "x".repeat(2049)),
        format!("set a 0 0 1048577\r\n{}\r\nget a\r\n", "x".repeat(1_048_577)),
        format!("set a 0 0 900000\r\n{}\r\nget a\r\n", "x".repeat(900_000)),
    ]
}

fn through_the_proxy(stream: &str) -> (String, bool) {
    let mut net = Net::new(simple(&[1]), &[1]);
    let conn = net.open();
    let heard = net.send(conn, stream);
    (heard, net.has_hung_up(conn))
}

fn from_a_server(stream: &str) -> String {
    let mut net = Net::new(simple(&[1]), &[1]);
    String::from_utf8_lossy(&net.directly(1, stream.as_bytes())).into_owned()
}

fn short(text: &str) -> &str {
    &text[..text.len().min(300)]
}

#[test]
fn every_stream_is_answered_as_by_a_server() {
    let streams = STREAMS.iter().map(|&stream| stream.to_owned()).chain(long_streams());
    for stream in streams {
        let (heard, expected) = (through_the_proxy(&stream).0, from_a_server(&stream));
        assert!(heard == expected, "{}\n{}\n{}", short(&stream), short(&heard), short(&expected));
    }
}

#[test]
fn who_is_hung_up_on_by_a_server_is_hung_up_on_here() {
    for stream in ["quit\r\n", "x HTTP/1.0\r\n", &"x".repeat(2050)] {
        assert!(through_the_proxy(stream).1, "{}", short(stream));
    }
    assert!(!through_the_proxy("get a\r\n").1);
}

#[test]
fn several_servers_answer_a_retrieval_in_the_order_of_its_keys() {
    let mut net = Net::new(simple(&[1, 2, 3]), &[1, 2, 3]);
    let conn = net.open();
    let (mut get, mut expected) = (String::from("get"), String::new());
    for n in 0..50 {
        assert_eq!(net.send(conn, format!("set k{n} 0 0 2\r\n{n:02}\r\n")), "STORED\r\n");
        get += &format!(" k{n} none{n}");
        expected += &format!("VALUE k{n} 0 2\r\n{n:02}\r\n");
    }
    assert_eq!(net.send(conn, get + "\r\n"), expected + "END\r\n");
    let held = |net: &mut Net, port| {
        (0..50).filter(|n| net.holds(port, &format!("k{n}")).is_some()).count()
    };
    let all: Vec<usize> = [1, 2, 3].map(|port| held(&mut net, port)).to_vec();
    assert!(all.iter().all(|&n| n > 3) && all.iter().sum::<usize>() == 50, "{all:?}");
}

#[test]
fn a_flush_stands_between_what_was_before_it_and_what_comes_after() {
    let mut net = Net::new(simple(&[1, 2, 3]), &[1, 2, 3]);
    let conn = net.open();
    let mut stream = String::new();
    for n in 0..20 {
        stream += &format!("set k{n} 0 0 1 noreply\r\nx\r\n");
    }
    stream += "flush_all\r\n";
    for n in 0..20 {
        stream += &format!("get k{n}\r\nset k{n} 0 0 1 noreply\r\ny\r\nget k{n}\r\n");
    }
    let heard = net.send(conn, stream);
    let expected = (0..20).map(|n| format!("END\r\nVALUE k{n} 0 1\r\ny\r\nEND\r\n"));
    assert_eq!(heard, "OK\r\n".to_owned() + &expected.collect::<String>());
}

#[test]
fn stats_of_all_servers_are_added_up() {
    let mut net = Net::new(simple(&[1, 2]), &[1, 2]);
    let conn = net.open();
    (0..20).for_each(|n| drop(net.send(conn, format!("set k{n} 0 0 1\r\nx\r\n"))));
    assert!(net.send(conn, "stats\r\n").contains("STAT curr_items 20\r\n"));
    let own = net.send(conn, "stats proxy\r\n");
    assert!(own.contains("STAT route:main:writes 20\r\n"), "{own}");
    assert!(own.contains("STAT pool:main:text:127.0.0.1:1:standing up\r\n"), "{own}");
}

#[test]
fn commands_about_one_server_are_refused_clearly() {
    let mut net = Net::new(simple(&[1]), &[1]);
    let conn = net.open();
    let heard = net.send(conn, "watch\r\nlru_crawler metadump all\r\nversion\r\n");
    let lines: Vec<&str> = heard.lines().collect();
    assert!(lines[0].starts_with("CLIENT_ERROR this command is about one server"), "{heard}");
    assert!(lines[1].starts_with("CLIENT_ERROR") && lines[2].starts_with("VERSION"), "{heard}");
}

#[test]
fn too_many_clients_are_told_so() {
    let config = storytime_mcproxy::Config { clients_max: 1, ..simple(&[1]) };
    let mut net = Net::new(config, &[1]);
    let first = net.open();
    let second = net.open();
    net.run();
    assert_eq!(net.hear(second), "ERROR Too many open connections\r\n");
    assert!(net.has_hung_up(second));
    net.drop_client(first);
    let third = net.open();
    assert!(net.send(third, "version\r\n").starts_with("VERSION"));
}
