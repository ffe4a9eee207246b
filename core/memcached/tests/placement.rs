//! Every key on the server where the original libraries put it.
//!
//! The tables were made by Cache::Memcached 1.30, libmemcached 1.1.4 and the source of the proxy in
//! memcached 1.6.45: one line per scheme and list of servers, those that are out in brackets.
//! `vectors/digests.tsv` has a digest of the places of 10,000 keys, `vectors/placement.tsv` the
//! places of the first ones, which are in `vectors/keys.txt`.

use storytime_memcached::client::placement::proxy_seed;
use storytime_memcached::client::{ExplicitHash, KeyHash, Node, Placement, ProxyRing, Scheme};

const KEYS: &str = include_str!("vectors/keys.txt");
const FIRST: &str = include_str!("vectors/placement.tsv");
const DIGESTS: &str = include_str!("vectors/digests.tsv");
const KEYS_IN_ALL: u64 = 10_000;
const ROWS: usize = 171;

/// A server, and whether it is not out.
fn node(text: &str) -> (Node, bool) {
    let live = !text.starts_with('[');
    let mut parts = text.trim_matches(['[', ']']).split(':');
    let host = parts.next().expect("a host");
    let port = parts.next().expect("a port").parse().expect("a port");
    let weight = parts.next().map_or(1, |weight| weight.parse().expect("a weight"));
    (Node { host: host.to_owned(), port, weight }, live)
}

fn scheme(name: &str) -> Scheme {
    match name {
        "classic" | "by_user" => Scheme::Classic,
        "oneatatime" => Scheme::Modula(KeyHash::OneAtATime),
        "crc" => Scheme::Modula(KeyHash::Crc),
        "ketama" => Scheme::Ketama(KeyHash::OneAtATime),
        "ketama_md5" => Scheme::Ketama(KeyHash::Md5),
        "ketama_weighted" => Scheme::KetamaWeighted,
        "spy_md5" => Scheme::KetamaSpy(KeyHash::Md5),
        "spy_weighted" => Scheme::KetamaSpyWeighted,
        "ring" => Scheme::ProxyRing(ProxyRing::Xxh3),
        "ring_ketama" => Scheme::ProxyRing(ProxyRing::Ketama),
        "ring_twemproxy" => Scheme::ProxyRing(ProxyRing::Twemproxy),
        "ring_evcache" => Scheme::ProxyRing(ProxyRing::Evcache),
        "jump" => Scheme::ProxyJump { seed: 0 },
        "jump_seed" => Scheme::ProxyJump { seed: proxy_seed("a seed") },
        other => panic!("an unknown scheme in the table: {other}"),
    }
}

/// The 10,000 keys: those of the file, then made ones.
fn keys() -> Vec<String> {
    let mut keys: Vec<String> = KEYS.lines().map(str::to_owned).collect();
    keys.extend((keys.len() as u64..KEYS_IN_ALL).map(|n| match n % 4 {
        0 => format!("user:{n}"),
        1 => format!("userinfo:{:08x}", n * 2_654_435_761 % (1 << 32)),
        2 => n.to_string(),
        _ => format!("photo/{}/{n}.jpg", n / 100),
    }));
    keys
}

/// Places of keys; `by_user` hashes are made of the keys' numbers.
fn places<'k>(name: &str, servers: &str, keys: impl Iterator<Item = &'k str>) -> Vec<String> {
    let (nodes, live): (Vec<Node>, Vec<bool>) = servers.split(' ').map(node).unzip();
    let placement = Placement::with_live(scheme(name), &nodes, &live);
    let place = |(n, key): (u32, &str)| match name {
        "by_user" => placement.pick_as(ExplicitHash(n * 7919), key.as_bytes()),
        _ => placement.pick(key.as_bytes()),
    };
    (0..).zip(keys).map(|pair| place(pair).expect("a server").to_string()).collect()
}

fn rows(table: &'static str) -> Vec<[&'static str; 4]> {
    let row = |line: &'static str| -> [&'static str; 4] {
        let columns: Vec<&str> = line.split('\t').collect();
        columns.try_into().unwrap_or_else(|_| panic!("four columns: {line}"))
    };
    table.lines().filter(|line| !line.starts_with('#')).map(row).collect()
}

#[test]
fn the_first_keys_are_where_the_original_libraries_put_them() {
    let rows = rows(FIRST);
    assert_eq!(rows.len(), ROWS, "the whole table was read");
    for [library, name, servers, expected] in rows {
        let found = places(name, servers, KEYS.lines());
        let expected: Vec<&str> = expected.split(',').collect();
        assert_eq!(found.len(), expected.len(), "one place per key");
        let wrong = found.iter().zip(&expected).filter(|(found, expected)| found != *expected);
        assert_eq!(wrong.count(), 0, "{library} {name} over {servers}: keys elsewhere");
    }
}

#[test]
fn ten_thousand_keys_are_where_the_original_libraries_put_them() {
    let keys = keys();
    let rows = rows(DIGESTS);
    assert_eq!((rows.len(), keys.len() as u64), (ROWS, KEYS_IN_ALL));
    for [library, name, servers, expected] in rows {
        let found = places(name, servers, keys.iter().map(String::as_str)).join(",");
        let digest = format!("{:08x}", crc32fast::hash(found.as_bytes()));
        assert_eq!(digest, expected, "{library} {name} over {servers}: keys elsewhere");
    }
}
