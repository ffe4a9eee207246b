//! How many shards a data set is cut into.

use storytime_memcached::Config;
use storytime_memcached::cache::SHARD_BYTES_MAX;

const MEBIBYTE: u64 = 1 << 20;

fn config(mebibytes: u64, threads: u32) -> Config {
    Config { memory_bytes_max: mebibytes * MEBIBYTE, threads, ..Config::default() }
}

#[test]
fn small_caches_and_single_workers_have_one_shard() {
    for (mebibytes, threads) in [(64, 4), (511, 64), (8192, 1)] {
        assert_eq!(config(mebibytes, threads).shards(), 1, "{mebibytes} MiB, {threads} threads");
    }
}

#[test]
fn large_caches_are_cut_for_their_workers_and_never_too_small() {
    for (mebibytes, threads, shards) in
        [(512, 2, 2), (1024, 4, 4), (4096, 2, 8), (65_536, 4, 16), (65_536, 64, 64)]
    {
        let config = config(mebibytes, threads);
        assert_eq!(config.shards(), shards, "{mebibytes} MiB, {threads} threads");
        assert!(config.cache(0).bytes_max >= 256 * MEBIBYTE);
    }
    let large_items = Config { item_bytes_max: 32 * MEBIBYTE, ..config(8192, 4) };
    assert_eq!(large_items.shards(), 4, "64 of the largest items fit into one");
}

#[test]
fn no_shard_is_larger_than_it_can_address() {
    for threads in [1, 4] {
        let config = config(1 << 20, threads);
        assert!(config.cache(0).bytes_max <= SHARD_BYTES_MAX);
    }
}
