//! Servers that are away or slow, and what routes make of it.

use crate::net::{Net, pool, simple};
use core::time::Duration;
use storytime_mcproxy::config::{Config, OnFailure, Route, RouteKind};

const FAILOVER: RouteKind = RouteKind::Failover { on_miss: false, writes: true };

fn routed(kind: RouteKind, on_failure: OnFailure) -> Config {
    let pools = vec![pool("a", &[1]), pool("b", &[2])];
    let route = Route { on_failure, ..Route::new("all", kind, &["a", "b"]) };
    Config { pools, routes: vec![route], ..Config::default() }
}

fn failing(on_failure: OnFailure) -> Config {
    let route = Route { on_failure, ..Route::new("all", RouteKind::Direct, &["main"]) };
    Config { routes: vec![route], ..simple(&[1]) }
}

#[test]
fn a_server_that_is_away_misses_reads_and_fails_writes() {
    let mut net = Net::new(failing(OnFailure::Miss), &[1]);
    net.refuse(1);
    let conn = net.open();
    assert_eq!(
        net.send(conn, "get a\r\nget a b\r\nmg a v Oxy k\r\nmg a v q\r\nmn\r\n"),
        "END\r\nEND\r\nEN Oxy ka\r\nMN\r\n"
    );
    let heard = net.send(conn, "set a 0 0 1\r\nx\r\nset a 0 0 1 noreply\r\nx\r\nversion\r\n");
    let lines: Vec<&str> = heard.lines().collect();
    assert!(lines[0].starts_with("SERVER_ERROR proxy: 127.0.0.1:1: "), "{heard}");
    assert!(lines[1].starts_with("VERSION"), "{heard}");
}

#[test]
fn an_error_takes_the_place_of_end_where_the_route_says_so() {
    let mut net = Net::new(failing(OnFailure::Error), &[1]);
    net.refuse(1);
    let conn = net.open();
    let heard = net.send(conn, "get a b\r\nget a\r\n");
    let lines: Vec<&str> = heard.lines().collect();
    assert_eq!(lines.len(), 2, "{heard}");
    assert!(lines.iter().all(|line| line.starts_with("SERVER_ERROR proxy: 127.0.0.1:1: ")));
}

#[test]
fn a_silent_server_is_given_up_after_the_request_timeout() {
    let mut net = Net::new(failing(OnFailure::Error), &[1]);
    let conn = net.open();
    assert_eq!(net.send(conn, "get a\r\n"), "END\r\n");
    net.silence(1);
    assert_eq!(net.send(conn, "get a\r\nget b c\r\nversion\r\n"), "");
    net.pass(Duration::from_millis(499));
    assert_eq!(net.hear(conn), "");
    net.pass(Duration::from_millis(2));
    let heard = net.hear(conn);
    let lines: Vec<&str> = heard.lines().collect();
    assert_eq!(lines[0], "SERVER_ERROR proxy: 127.0.0.1:1: no reply in time");
    assert!(lines.len() == 3 && lines[2].starts_with("VERSION"), "{heard}");
}

#[test]
fn failover_asks_the_next_target() {
    let mut net = Net::new(routed(FAILOVER, OnFailure::Miss), &[1, 2]);
    let conn = net.open();
    assert_eq!(net.send(conn, "set k 0 0 1\r\n1\r\n"), "STORED\r\n");
    net.refuse(1);
    assert_eq!(net.send(conn, "get k\r\n"), "END\r\n");
    assert_eq!(
        net.send(conn, "set k 0 0 1\r\n2\r\nget k\r\n"),
        "STORED\r\nVALUE k 0 1\r\n2\r\nEND\r\n"
    );
    assert_eq!(net.holds(2, "k").as_deref(), Some("2"));
    assert!(net.counter("failovers") >= 3);
    net.refuse(2);
    assert_eq!(net.send(conn, "get k\r\nget k j\r\n"), "END\r\nEND\r\n", "a miss, no error");
}

#[test]
fn failover_after_a_miss_is_for_those_who_want_it() {
    let kind = RouteKind::Failover { on_miss: true, writes: true };
    let mut net = Net::new(routed(kind, OnFailure::Miss), &[1, 2]);
    net.directly(2, b"set k 0 0 1\r\nb\r\n");
    let conn = net.open();
    assert_eq!(net.send(conn, "get k\r\nget j\r\n"), "VALUE k 0 1\r\nb\r\nEND\r\nEND\r\n");
    net.refuse(2);
    assert_eq!(net.send(conn, "get j\r\n"), "END\r\n", "the first target's miss counts");
}

#[test]
fn what_must_not_be_done_twice_is_done_once() {
    let mut net = Net::new(routed(FAILOVER, OnFailure::Miss), &[1, 2]);
    net.directly(1, b"set n 0 0 1\r\n1\r\n");
    net.directly(2, b"set n 0 0 1\r\n1\r\n");
    let conn = net.open();
    assert_eq!(net.send(conn, "incr n 1\r\n"), "2\r\n");
    net.silence(1);
    net.say(conn, "incr n 1\r\n");
    net.pass(Duration::from_secs(1));
    assert!(net.hear(conn).starts_with("SERVER_ERROR proxy: "), "it may have been done");
    assert_eq!(net.holds(2, "n").as_deref(), Some("1"));
    net.refuse(1);
    assert_eq!(net.send(conn, "incr n 1\r\n"), "2\r\n", "it was certainly not done");
}

#[test]
fn all_sync_fails_unless_all_have_done_it() {
    let mut net = Net::new(routed(RouteKind::AllSync, OnFailure::Miss), &[1, 2]);
    let conn = net.open();
    assert_eq!(net.send(conn, "set k 0 0 1\r\nx\r\n"), "STORED\r\n");
    assert_eq!((net.holds(1, "k"), net.holds(2, "k")), (Some("x".into()), Some("x".into())));
    net.refuse(2);
    assert!(net.send(conn, "set k 0 0 1\r\ny\r\n").starts_with("SERVER_ERROR proxy: 127.0.0.1:2"));
}

#[test]
fn the_fastest_answer_counts() {
    let mut net = Net::new(routed(RouteKind::AllFastest, OnFailure::Miss), &[1, 2]);
    let conn = net.open();
    net.silence(1);
    assert_eq!(
        net.send(conn, "set k 0 0 1\r\nx\r\nget k\r\n"),
        "STORED\r\nVALUE k 0 1\r\nx\r\nEND\r\n"
    );
    net.heal(1);
    net.run();
    assert_eq!(net.holds(1, "k").as_deref(), Some("x"), "the slower one gets it too");
    assert_eq!(net.counter("requests_under_way"), 0);
}

#[test]
fn zones_read_at_home_and_write_everywhere() {
    let mut config = routed(RouteKind::Zones, OnFailure::Miss);
    config.zone = Some("west".into());
    config.pools[0].zone = Some("east".into());
    config.pools[1].zone = Some("west".into());
    let mut net = Net::new(config, &[1, 2]);
    let conn = net.open();
    assert_eq!(net.send(conn, "set k 0 0 1\r\nx\r\n"), "STORED\r\n");
    assert_eq!((net.holds(1, "k"), net.holds(2, "k")), (Some("x".into()), Some("x".into())));
    net.directly(2, b"set k 0 0 1\r\nw\r\n");
    assert_eq!(net.send(conn, "get k\r\n"), "VALUE k 0 1\r\nw\r\nEND\r\n");
    net.refuse(2);
    assert_eq!(net.send(conn, "get k\r\n"), "VALUE k 0 1\r\nx\r\nEND\r\n");
    assert_eq!(net.send(conn, "delete k\r\n"), "DELETED\r\n", "the far zone has done it");
}

#[test]
fn prefixes_choose_the_pool_and_keys_without_a_route_are_told() {
    let route = |name, prefix: &str, to| Route {
        prefix: Some(prefix.into()),
        ..Route::new(name, RouteKind::Direct, &[to])
    };
    let pools = vec![pool("a", &[1]), pool("b", &[2])];
    let routes = vec![route("u", "user:", "a"), route("p", "pic:", "b")];
    let mut net = Net::new(Config { pools, routes, ..Config::default() }, &[1, 2]);
    let conn = net.open();
    net.send(conn, "set user:1 0 0 1\r\nu\r\nset pic:1 0 0 1\r\np\r\n");
    assert_eq!(net.holds(1, "user:1").as_deref(), Some("u"));
    assert_eq!(net.holds(2, "pic:1").as_deref(), Some("p"));
    let heard = net.send(conn, "get user:1 pic:1\r\nget other\r\n");
    assert_eq!(
        heard,
        "VALUE user:1 0 1\r\nu\r\nVALUE pic:1 0 1\r\np\r\nEND\r\n\
        SERVER_ERROR proxy: no route takes this key\r\n"
    );
}

#[test]
fn a_rate_is_kept_and_told() {
    let mut config = failing(OnFailure::Error);
    config.routes[0].reads_per_second = Some(100);
    let mut net = Net::new(config, &[1]);
    let conn = net.open();
    let heard = net.send(conn, "get a\r\n".repeat(50));
    assert_eq!(heard.matches("END").count(), 11);
    assert_eq!(heard.matches("SERVER_ERROR proxy: route all is over its rate").count(), 39);
    assert_eq!(net.send(conn, "set a 0 0 1\r\nx\r\n"), "STORED\r\n");
    net.pass(Duration::from_secs(1));
    assert_eq!(net.send(conn, "get a\r\n"), "VALUE a 0 1\r\nx\r\nEND\r\n");
}

#[test]
fn an_ejected_servers_keys_lie_elsewhere_until_it_is_back() {
    let mut config = simple(&[1, 2]);
    config.pools[0].health.auto_eject = true;
    config.pools[0].health.failure_limit = 1;
    let mut net = Net::new(config, &[1, 2]);
    let conn = net.open();
    (0..20).for_each(|n| drop(net.send(conn, format!("set k{n} 0 0 1\r\nx\r\n"))));
    let moved: Vec<String> =
        (0..20).map(|n| format!("k{n}")).filter(|k| net.holds(1, k).is_some()).collect();
    net.refuse(1);
    net.send(conn, format!("get {}\r\n", moved.join(" ")));
    for key in &moved {
        assert_eq!(net.send(conn, format!("set {key} 0 0 1\r\ny\r\n")), "STORED\r\n");
        assert_eq!(net.holds(2, key).as_deref(), Some("y"));
    }
    assert!(net.send(conn, "stats proxy\r\n").contains("127.0.0.1:1:standing ejected"));
    net.heal(1);
    for _ in 0..10 {
        net.pass(Duration::from_secs(1));
    }
    assert!(net.send(conn, "stats proxy\r\n").contains("text:127.0.0.1:1:standing up"));
    let heard = net.send(conn, format!("get {}\r\n", moved[0]));
    assert!(heard.contains("\r\nx\r\n"), "the old place counts again: {heard}");
}

#[test]
fn a_flush_that_was_not_done_everywhere_says_so() {
    let mut net = Net::new(simple(&[1, 2]), &[1, 2]);
    let conn = net.open();
    assert_eq!(net.send(conn, "flush_all\r\n"), "OK\r\n");
    net.refuse(2);
    assert!(net.send(conn, "flush_all\r\n").starts_with("SERVER_ERROR proxy: 127.0.0.1:2"));
    assert!(net.send(conn, "stats\r\n").contains("STAT curr_items 0"), "the others answer");
}
