//! Copies from a warm pool to a cold one.

use crate::net::{Net, pool};
use core::time::Duration;
use storytime_mcproxy::config::{Config, Route, RouteKind};

fn warming(ttl: Option<Duration>) -> Net {
    let pools = vec![pool("cold", &[1]), pool("warm", &[2])];
    let route = Route::new("all", RouteKind::WarmUp { ttl }, &["cold", "warm"]);
    Net::new(Config { pools, routes: vec![route], ..Config::default() }, &[1, 2])
}

#[test]
fn what_the_cold_pool_misses_comes_from_the_warm_one() {
    let mut net = warming(None);
    net.directly(2, b"set k 7 0 3\r\nabc\r\n");
    let conn = net.open();
    let value = "VALUE k 7 3\r\nabc\r\nEND\r\n";
    assert_eq!(net.send(conn, "get k\r\n"), value);
    assert_eq!(net.send(conn, "get k\r\nget j\r\n"), value.to_owned() + "END\r\n");
}

#[test]
fn a_write_goes_to_the_cold_pool_and_nothing_older_comes_back() {
    let mut net = warming(None);
    net.directly(2, b"set k 0 0 3\r\nold\r\n");
    let conn = net.open();
    assert_eq!(net.send(conn, "delete k\r\n"), "NOT_FOUND\r\n", "the cold pool's answer");
    assert_eq!(net.send(conn, "get k\r\n"), "END\r\n");
    net.directly(2, b"set j 0 0 3\r\nold\r\n");
    assert_eq!(net.send(conn, "set j 0 0 3\r\nnew\r\n"), "STORED\r\n");
    assert_eq!((net.holds(1, "j").as_deref(), net.holds(2, "j")), (Some("new"), None));
    assert_eq!(net.counter("requests_under_way"), 0);
}

#[test]
fn a_cold_pool_that_is_away_does_not_hide_the_warm_one() {
    let mut net = warming(None);
    net.directly(2, b"set k 0 0 1\r\nx\r\n");
    net.refuse(1);
    let conn = net.open();
    assert_eq!(net.send(conn, "get k\r\n"), "VALUE k 0 1\r\nx\r\nEND\r\n");
}
