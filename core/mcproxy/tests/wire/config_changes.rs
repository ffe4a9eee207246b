//! Another config comes into use while requests are under way.

use crate::net::{Net, short, simple};
use core::time::Duration;
use storytime_mcproxy::Proxy;
use storytime_mcproxy::config::{Config, Route, RouteKind};

#[test]
fn servers_come_and_go_under_load_and_no_request_fails() {
    let mut net = Net::new(simple(&[1, 2]), &[1, 2, 3, 4]);
    let clients: Vec<_> = (0..8).map(|_| net.open()).collect();
    let lists: [&[u16]; 4] = [&[1, 2, 3], &[3, 4], &[4, 1], &[1, 2]];
    for round in 0..40 {
        for (n, &conn) in clients.iter().enumerate() {
            let key = format!("k{round}-{n}");
            net.say(conn, format!("set {key} 0 0 1\r\nx\r\nget {key} {key} y\r\nincr z 1\r\n"));
        }
        let config = simple(lists[round % lists.len()]);
        net.proxy.machine_mut().reconfigure(config).expect("a good config");
        net.say(clients[0], "version\r\n");
        net.run();
        for (n, &conn) in clients.iter().enumerate() {
            let heard = net.hear(conn);
            assert!(heard.starts_with("STORED\r\n") && !heard.contains("ERROR"), "{n}: {heard}");
        }
    }
    assert_eq!((net.counter("failures"), net.counter("config_generation")), (0, 41));
    net.run();
    assert!(net.connections() <= 4, "{} connections are left", net.connections());
}

#[test]
fn a_server_that_stays_keeps_its_connection() {
    let mut net = Net::new(simple(&[1]), &[1, 2]);
    let conn = net.open();
    net.send(conn, "get a\r\n");
    assert_eq!(net.connections(), 1);
    net.proxy.machine_mut().reconfigure(simple(&[1, 2])).expect("good");
    net.send(conn, "version\r\n");
    (0..20).for_each(|n| drop(net.send(conn, format!("get k{n}\r\n"))));
    assert_eq!(net.connections(), 2);
    assert_eq!(net.counter("sent"), 21, "counts are kept too");
}

#[test]
fn a_request_that_fails_behind_a_change_follows_the_new_routes() {
    let mut net = Net::new(simple(&[1]), &[1, 2]);
    let conn = net.open();
    net.send(conn, "get a\r\n");
    net.silence(1);
    net.say(conn, "get a\r\nset b 0 0 1\r\nx\r\n");
    net.run();
    net.proxy.machine_mut().reconfigure(simple(&[2])).expect("good");
    net.say(conn, "version\r\n");
    net.pass(Duration::from_secs(1));
    let heard = net.hear(conn);
    assert!(heard.starts_with("END\r\nSTORED\r\nVERSION"), "{heard}");
    assert_eq!(net.holds(2, "b").as_deref(), Some("x"));
}

#[test]
fn a_bad_config_changes_nothing() {
    let mut net = Net::new(simple(&[1]), &[1]);
    let route = Route::new("r", RouteKind::Direct, &["nowhere"]);
    let bad = Config { routes: vec![route], ..simple(&[1]) };
    assert!(net.proxy.machine_mut().reconfigure(bad).is_err());
    let conn = net.open();
    assert_eq!(net.send(conn, "get a\r\n"), "END\r\n");
    assert_eq!(net.counter("config_generation"), 1);
}

#[test]
fn planned_changes_come_when_they_are_due() {
    let proxy = Proxy::new(simple(&[1])).expect("good");
    let proxy = proxy.then(Duration::from_secs(5), simple(&[2])).expect("good");
    let mut net = Net::with(proxy, &[1, 2]);
    let conn = net.open();
    net.send(conn, "set a 0 0 1\r\nx\r\n");
    net.pass(Duration::from_secs(4));
    net.send(conn, "set b 0 0 1\r\nx\r\n");
    net.pass(Duration::from_secs(1));
    net.send(conn, "set c 0 0 1\r\nx\r\n");
    assert!(net.holds(1, "b").is_some() && net.holds(1, "c").is_none());
    assert!(net.holds(2, "c").is_some());
}

#[test]
fn a_loader_is_asked_again_on_a_reload() {
    let mut loads = vec![None, Some(simple(&[2]))];
    let loader = Box::new(move || loads.pop().flatten());
    let proxy = Proxy::new(simple(&[1])).expect("good").with_loader(loader);
    let mut net = Net::with(proxy, &[1, 2]);
    let conn = net.open();
    for (generation, refused) in [(2, 0), (2, 1)] {
        net.proxy.machine_mut().load_again();
        net.send(conn, "version\r\n");
        assert_eq!(net.counter("config_generation"), generation);
        assert_eq!(net.counter("reloads_refused"), refused);
    }
}

#[test]
fn names_are_looked_up_before_a_config_is_used() {
    let mut net = Net::new(short("--servers cache1:1"), &[1, 2]);
    let conn = net.open();
    assert_eq!(net.send(conn, "set a 0 0 1\r\nx\r\n"), "STORED\r\n");
    net.names_down = true;
    net.proxy.machine_mut().reconfigure(short("--servers cache1:1,cache2:2")).expect("good");
    net.send(conn, "version\r\n");
    let heard: Vec<String> = (0..20).map(|n| net.send(conn, format!("get k{n}\r\n"))).collect();
    assert!(heard.iter().all(|heard| heard == "END\r\n"), "known names stay known: {heard:?}");
    assert!(net.send(conn, "stats proxy\r\n").contains("cache2:2:standing unresolved"));
    net.names_down = false;
    net.pass(Duration::from_secs(5));
    assert!(net.send(conn, "stats proxy\r\n").contains("text:cache2:2:standing up"));
}

#[test]
fn listeners_open_and_close_with_the_config() {
    let mut net = Net::new(simple(&[1]), &[1]);
    let conn = net.open();
    let moved = Config { listen: vec![storytime_machine::Endpoint::any(7)], ..simple(&[1]) };
    net.proxy.machine_mut().reconfigure(moved).expect("good");
    assert_eq!(net.send(conn, "get a\r\n"), "END\r\n", "a client stays");
    let other = net.open();
    assert_eq!(net.send(other, "get a\r\n"), "END\r\n", "and others come by the new door");
}

#[test]
fn a_polite_stop_answers_what_was_asked() {
    let mut net = Net::new(simple(&[1]), &[1]);
    let conn = net.open();
    net.say(conn, "get a\r\nget b c\r\n");
    net.stop();
    net.run();
    assert_eq!(net.hear(conn), "END\r\nEND\r\n");
    net.drop_client(conn);
    assert!(net.has_exited());
}
