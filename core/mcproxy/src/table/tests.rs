//! Routes become plans, and bad ones are blamed.

use super::*;
use crate::config::Pool;
use storytime_memcached::client::placement::Node;

fn pool(name: &str, zone: Option<&str>) -> Pool {
    let zone = zone.map(str::to_owned);
    Pool { zone, ..Pool::new(name, vec![Node::new(name, 1), Node::new(name, 2)]) }
}

fn config(routes: Vec<Route>) -> Config {
    let pools = vec![pool("a", Some("east")), pool("b", Some("west")), pool("c", None)];
    Config { pools, routes, zone: Some("west".into()), ..Config::default() }
}

fn route(name: &str, prefix: &str, kind: RouteKind, to: &[&str]) -> Route {
    Route { prefix: Some(prefix.into()), ..Route::new(name, kind, to) }
}

const FAILOVER: RouteKind = RouteKind::Failover { on_miss: false, writes: true };

fn pools(groups: &[Group]) -> Vec<&[usize]> {
    groups.iter().map(|group| &group.pools[..]).collect()
}

#[test]
fn the_longest_prefix_wins() {
    let direct = RouteKind::Direct;
    let table = Table::compile(&config(vec![
        route("rest", "", direct, &["a"]),
        route("user", "user:", direct, &["b"]),
        route("user-pic", "user:pic:", direct, &["c"]),
    ]))
    .expect("good");
    let name = |key: &[u8]| &table.plans[table.plan(key).expect("a plan")].name;
    assert_eq!(name(b"user:pic:7"), "user-pic");
    assert_eq!(name(b"user:7"), "user");
    assert_eq!(name(b"use"), "rest");
}

#[test]
fn a_key_without_a_route_has_no_plan() {
    let routes = vec![
        route("u", "user:", RouteKind::Direct, &["b"]),
        route("p", "pic:", RouteKind::Direct, &["a"]),
    ];
    let table = Table::compile(&config(routes)).expect("good");
    assert_eq!(table.plan(b"other"), None);
}

#[test]
fn zones_put_their_own_first_and_write_to_all() {
    let routes = vec![route("z", "", RouteKind::Zones, &["a", "b", "c"])];
    let table = Table::compile(&config(routes)).expect("good");
    let plan = &table.plans[0];
    assert_eq!(pools(&plan.reads), [&[1][..], &[0], &[2]]);
    assert_eq!(pools(&plan.writes), [&[1, 0, 2][..]]);
    assert_eq!(plan.writes[0].acks, Acks::Near);
}

#[test]
fn routes_lead_to_routes() {
    let both = Route::new("both", RouteKind::AllSync, &["a", "b"]);
    let routes = vec![both, route("top", "", FAILOVER, &["both", "c"])];
    let table = Table::compile(&config(routes)).expect("good");
    let plan = &table.plans[table.plan(b"x").expect("a plan")];
    assert_eq!(pools(&plan.reads), [&[0][..], &[1], &[2]]);
    assert_eq!(pools(&plan.writes), [&[0, 1][..], &[2]]);
}

#[test]
fn warm_up_reads_on_after_a_miss_and_forgets_what_is_written() {
    let kind = RouteKind::WarmUp { ttl: None };
    let table = Table::compile(&config(vec![route("w", "", kind, &["a", "b"])])).expect("good");
    let plan = &table.plans[0];
    assert!(plan.reads[0].next_on_miss);
    assert_eq!(pools(&plan.writes), [&[0][..]]);
    assert_eq!(plan.forgets, [1]);
    assert_eq!(plan.warm_up, Some(WarmUp { warm_from: 1, cold: 0, ttl: None }));
}

#[test]
fn what_makes_no_sense_is_blamed_on_its_route() {
    let direct = RouteKind::Direct;
    for (routes, at, says) in [
        (vec![route("x", "", direct, &["nowhere"])], Place::Route(0), "no pool or route"),
        (vec![route("x", "", direct, &["a", "b"])], Place::Route(0), "one target"),
        (vec![route("x", "", direct, &["x"])], Place::Route(0), "leads back to itself"),
        (vec![route("a", "", direct, &["b"])], Place::Route(0), "are named `a`"),
        (
            vec![route("x", "k", direct, &["a"]), route("y", "k", direct, &["a"])],
            Place::Route(1),
            "two routes have the prefix `k`",
        ),
        (
            vec![
                Route::new("x", FAILOVER, &["a", "b"]),
                route("y", "", RouteKind::AllSync, &["x"]),
            ],
            Place::Route(1),
            "one after the other",
        ),
        (
            vec![Route::new("x", direct, &["a"]), Route::new("y", direct, &["a"])],
            Place::Whole,
            "no route has a prefix",
        ),
    ] {
        let error = Table::compile(&config(routes)).expect_err(says);
        assert_eq!(error.place, at, "{error}");
        assert!(error.what.contains(says), "{error}");
    }
    let none = Config { pools: Vec::new(), ..config(Vec::new()) };
    assert_eq!(Table::compile(&none).expect_err("no pool").place, Place::Whole);
}

#[test]
fn a_hash_tag_keeps_keys_together() {
    let marks = (b'{', b'}');
    assert_eq!(tagged(b"a{b}c", marks), b"b");
    for whole in [&b"ab"[..], b"a{b", b"a{}c", b"a}b{"] {
        assert_eq!(tagged(whole, marks), whole);
    }
}
