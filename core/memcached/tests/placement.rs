//! Every key on the server where the original libraries put it.
//!
//! `vectors/placement.tsv` was made by Cache::Memcached 1.30 and libmemcached 1.1.4 from the keys
//! in `vectors/keys.txt`: one line per scheme and list of servers.

use storytime_memcached::client::{KeyHash, Node, Placement, Scheme};

const KEYS: &str = include_str!("vectors/keys.txt");
const TABLE: &str = include_str!("vectors/placement.tsv");

fn node(text: &str) -> Node {
    let mut parts = text.split(':');
    let host = parts.next().expect("a host");
    let port = parts.next().expect("a port").parse().expect("a port");
    let weight = parts.next().map_or(1, |weight| weight.parse().expect("a weight"));
    Node { host: host.to_owned(), port, weight }
}

fn scheme(name: &str) -> Scheme {
    match name {
        "classic" => Scheme::Classic,
        "oneatatime" => Scheme::Modula(KeyHash::OneAtATime),
        "crc" => Scheme::Modula(KeyHash::Crc),
        "ketama" => Scheme::Ketama(KeyHash::OneAtATime),
        "ketama_md5" => Scheme::Ketama(KeyHash::Md5),
        "ketama_weighted" => Scheme::KetamaWeighted,
        other => panic!("an unknown scheme in the table: {other}"),
    }
}

#[test]
fn placement_equals_the_original_libraries_to_the_last_key() {
    let mut checked = 0;
    for line in TABLE.lines().filter(|line| !line.starts_with('#')) {
        let columns: Vec<&str> = line.split('\t').collect();
        let [library, name, servers, expected] = columns[..] else {
            panic!("four columns: {line}")
        };
        let nodes: Vec<Node> = servers.split(' ').map(node).collect();
        let placement = Placement::new(scheme(name), &nodes);
        let expected: Vec<usize> =
            expected.split(',').map(|n| n.parse().expect("a number")).collect();
        assert_eq!(expected.len(), KEYS.lines().count(), "one place per key");
        let mut wrong = 0;
        for (key, place) in KEYS.lines().zip(&expected) {
            wrong += usize::from(placement.pick(key.as_bytes()) != Some(*place));
            checked += 1;
        }
        assert_eq!(wrong, 0, "{library} {name} over {servers}: keys elsewhere");
    }
    assert_eq!(checked, 90 * 253, "the whole table was read");
}
