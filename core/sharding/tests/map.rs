//! Maps: what is read, printed, generated and refused.

use proptest::prelude::*;
use storytime_machine::Endpoint;
use storytime_sharding::map::{Plan, generate, parse};
use storytime_sharding::{Scheme, ShardId, Store, UserId};

const MAP: &str = "\
map 12
directory 10.0.0.1:6379 select 0
index 10.0.0.9:6379 select 0
scheme directory otherwise 9
table ages range 0=1 1000=2
table forum vertical 9
table photos modulo 1 2
host sharddbhost001 10.0.1.1:6379 replicas 10.0.1.2:6379
shard 1 host sharddbhost001 database sharddb001 select 0 flags rw
shard 2 host sharddbhost001 database sharddb001 select 1 flags r
shard 9 host sharddbhost001 database master select 2 flags rw
";

#[test]
fn a_map_is_printed_as_it_was_read() {
    let map = parse(MAP).expect("the text above is a map");
    assert_eq!(map.to_string(), MAP);
    assert_eq!(map.scheme_of("photos").computed(UserId(26)), Some(ShardId(1)));
    assert!(map.scheme_of("blog").asks_directory());
    let master = map.master(ShardId(2)).expect("shard 2 is there");
    assert_eq!(master.to_string(), "10.0.1.1:6379 select 1");
    assert_eq!(map.replicas(ShardId(2)).count(), 1);
    assert_eq!(map.shard_for_new(UserId(5)), Some(ShardId(1)), "2 is closed, 9 is the old server");
}

#[test]
fn comments_and_blanks_do_not_count() {
    let spaced = MAP.replace(' ', " \t ").replace('\n', "  # so\r\n\n");
    assert_eq!(parse(&spaced).map(|map| map.to_string()), Ok(MAP.to_owned()));
}

#[test]
fn a_mistake_is_told_with_its_line_and_column() {
    for (before, after, told) in [
        ("map 12", "# none", "2:1: a map begins with `map VERSION`, not `directory`"),
        ("map 12", "map twelve", "1:5: a version is a number, not `twelve`"),
        ("index 10", "directory 10", "3:1: `directory` is there twice"),
        (
            "directory otherwise 9",
            "directoire",
            "4:8: a scheme is vertical, range, modulo, hash, \
          rendezvous or directory, not `directoire`",
        ),
        ("1000=2", "0=2", "5:22: ranges ascend"),
        ("range 0=1 ", "range ", "5:12: the first range begins with user 0"),
        ("vertical 9", "vertical", "6:21: a shard is missing"),
        ("modulo 1 2", "modulo 1 two", "7:23: a shard is a number, not `two`"),
        ("modulo 1 2", "modulo 1 3", "11:1: a scheme names shard 3, which is not there"),
        (
            "10.0.1.1:6379",
            "10.0.1.1",
            "8:21: an address is `ip:port` or `unix:path`, not \
          `10.0.1.1`",
        ),
        ("shard 2 host s", "shard 2 on s", "10:9: `host` is expected here, not `on`"),
        ("shard 2 ", "shard 1 ", "10:7: shard 1 is there twice"),
        ("select 1 ", "select 0 ", "10:56: shard 1 has select 0 of sharddbhost001"),
        ("flags r\n", "flags ro\n", "10:64: flags are rw, r, w or -, not `ro`"),
        ("flags r\n", "flags r and\n", "10:66: nothing is expected here: `and`"),
        (
            "directory 10.0.0.1:6379 select 0\n",
            "",
            "10:1: a scheme asks the directory, and there \
          is none",
        ),
    ] {
        let text = MAP.replacen(before, after, 1);
        assert_ne!(text, MAP, "{before}");
        let error = parse(&text).expect_err(after);
        assert_eq!(error.to_string(), told);
    }
}

fn plan(hosts: u16, databases_per_host: u32, shards_per_database: u32) -> Plan {
    let at = |n: u16| Endpoint::tcp([10, 0, 1, (n % 250) as u8], 6000 + n);
    Plan {
        directory: Some(Store { at: Endpoint::tcp([10, 0, 0, 1], 6379), select: 0 }),
        index: None,
        hosts: (0..hosts).map(|n| (at(n), vec![at(n + 1000)])).collect(),
        databases_per_host,
        shards_per_database,
    }
}

#[test]
fn the_slide_s_host_has_two_databases_of_four_shards() {
    let map = generate(&plan(1, 2, 4));
    let names: Vec<_> = map.shards.iter().map(|s| (s.id.0, &s.database[..], s.select)).collect();
    assert_eq!(names[3..5], [(4, "sharddb001", 3), (5, "sharddb002", 4)]);
    assert_eq!(map.hosts[0].name, "sharddbhost001");
    assert_eq!(map.shards_of("sharddbhost001").count(), 8);
}

#[test]
fn without_a_directory_the_number_decides() {
    let map = generate(&Plan { directory: None, ..plan(2, 1, 1) });
    assert_eq!(map.scheme, Scheme::Modulo(vec![ShardId(1), ShardId(2)]));
    assert_eq!(map.mistake(), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn generated_maps_are_read_as_they_were_printed(
        hosts in 1u16..20, databases in 1u32..5, shards in 1u32..5,
    ) {
        let map = generate(&plan(hosts, databases, shards));
        prop_assert_eq!(map.mistake(), None);
        prop_assert_eq!(parse(&map.to_string()), Ok(map));
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "[a-z0-9 =:.\n#-]{0,200}", cut in 0usize..400) {
        let _ = parse(&text);
        let _ = parse(&MAP[..cut.min(MAP.len())]);
        let mut mixed = MAP.to_owned();
        mixed.insert_str(cut.min(MAP.len()), &text);
        let _ = parse(&mixed);
    }
}
