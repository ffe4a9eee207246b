//! Who goes first.

use crate::rig::{Rig, options};
use storytime_memcached::cache::{ClassCount, Count, LruOptions, Options, Write};
use storytime_memcached::clock::{Epoch, Expiry, Seconds};

fn lists(rig: &Rig) -> [u64; 4] {
    rig.cache.class_stats(3, rig.now).items_in
}

fn flat(mebibytes: u64) -> Options {
    let whole = options(mebibytes);
    let lru = LruOptions { segmented: false, temporary_ttl: None, ..whole.lru };
    Options { lru, ..whole }
}

fn segmented(mebibytes: u64) -> Options {
    let whole = options(mebibytes);
    Options { lru: LruOptions { segmented: true, ..whole.lru }, ..whole }
}

fn expiry(ttl: i32, now: Seconds) -> Expiry {
    Epoch::new(storytime_machine::Now {
        mono: storytime_machine::Time::ZERO,
        wall: storytime_machine::WallTime(0),
    })
    .expiry(ttl, now)
}

/// Reads some keys again and again while a scan stores others; returns how many are left.
fn survivors_of_a_scan(options: Options) -> usize {
    let mut rig = Rig::new(options);
    for n in 0..5_000 {
        rig.put(&format!("used-{n:09}"), &[b'v'; 100]);
    }
    for _ in 0..3 {
        rig.pass(61);
        for n in 0..5_000 {
            rig.get(&format!("used-{n:09}"));
        }
    }
    for n in 0..60_000 {
        rig.put(&format!("scan-{n:09}"), &[b'v'; 100]);
        if n % 1_000 == 0 {
            rig.cache.maintain(rig.now);
        }
    }
    rig.cache.audit();
    (0..5_000).filter(|n| rig.has(&format!("used-{n:09}"))).count()
}

#[test]
fn a_scan_drops_what_is_used_from_one_list_and_not_from_three() {
    assert_eq!(survivors_of_a_scan(flat(4)), 0);
    let kept = survivors_of_a_scan(segmented(4));
    assert!(kept > 4_500, "{kept} of 5,000 survive");
}

#[test]
fn one_list_drops_what_was_used_the_longest_ago() {
    let mut rig = Rig::new(flat(4));
    for n in 0..20_000 {
        rig.put(&format!("key-{n:010}"), &[b'v'; 100]);
    }
    rig.now = Seconds(rig.now.0 + 61);
    rig.get("key-0000000000");
    for n in 20_000..40_000 {
        rig.put(&format!("key-{n:010}"), &[b'v'; 100]);
    }
    assert!(rig.has("key-0000000000"), "a use more than a minute later counts");
    assert!(!rig.has("key-0000000001"));
    let left = (0..40_000).filter(|n| rig.has(&format!("key-{n:010}"))).count();
    assert!((0..40_000 - left - 1).all(|n| n == 0 || !rig.has(&format!("key-{n:010}"))));
}

#[test]
fn items_flow_from_hot_to_cold_and_to_warm_when_used_again() {
    let mut rig = Rig::new(segmented(8));
    for n in 0..10_000 {
        rig.put(&format!("key-{n:010}"), &[b'v'; 100]);
    }
    assert_eq!(lists(&rig), [10_000, 0, 0, 0], "all of it is new");
    rig.settle();
    let [hot, warm, cold, _] = lists(&rig);
    assert!((1_900..=2_000).contains(&hot) && warm == 0 && cold >= 8_000, "{hot} {warm} {cold}");
    rig.get("key-0000000000");
    assert_eq!(lists(&rig)[1], 0, "once is not enough");
    rig.get("key-0000000000");
    assert_eq!(lists(&rig)[1], 1, "twice is");
    let stats = rig.cache.class_stats(3, rig.now);
    assert_eq!(stats.counts.get(ClassCount::HitsToCold), 2);
    assert_eq!(rig.cache.counts().get(Count::MovesToWarm), 1);
    rig.cache.audit();
}

#[test]
fn short_lived_items_keep_apart_and_are_not_evicted() {
    let whole = segmented(4);
    let lru = LruOptions { temporary_ttl: Some(60), ..whole.lru };
    let mut rig = Rig::new(Options { lru, ..whole });
    let expires = expiry(50, rig.now);
    for n in 0..1_000 {
        let key = format!("temp-{n:09}");
        let write = Write { expires, ..rig.write(&key) };
        rig.cache.store(&write, &[b'v'; 100], rig.now);
    }
    for n in 0..40_000 {
        rig.put(&format!("key-{n:010}"), &[b'v'; 100]);
    }
    assert!((0..1_000).all(|n| rig.has(&format!("temp-{n:09}"))));
    assert_eq!(lists(&rig)[3], 1_000);
    rig.pass(51);
    assert_eq!(lists(&rig)[3], 0, "they are reclaimed when their time is over");
    rig.cache.audit();
}

#[test]
fn one_list_frees_the_dead_of_its_tail_before_it_takes_anything() {
    let mut rig = Rig::new(flat(4));
    rig.put("gone", b"v");
    rig.pass(2);
    rig.cache.flush_all(None, rig.now);
    rig.put("gone", b"v");
    assert_eq!(rig.cache.counts().get(Count::Reclaimed), 1);
    rig.cache.audit();
}

#[test]
fn dead_items_go_before_living_ones() {
    let mut rig = Rig::new(segmented(4));
    let expires = expiry(10, rig.now);
    for n in 0..10_000 {
        let key = format!("dead-{n:09}");
        let write = Write { expires, ..rig.write(&key) };
        rig.cache.store(&write, &[b'v'; 100], rig.now);
    }
    rig.now = Seconds(rig.now.0 + 10);
    for n in 0..20_000 {
        rig.put(&format!("key-{n:010}"), &[b'v'; 100]);
    }
    assert_eq!(rig.cache.counts().get(Count::Evictions), 0);
    assert!(rig.cache.counts().get(Count::Reclaimed) > 0);
    rig.cache.audit();
}
