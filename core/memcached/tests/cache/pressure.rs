//! More than fits: who makes room, and that there always is some.

use crate::rig::{PAGE, Rig, options, pattern, small};
use storytime_memcached::cache::{ClassCount, Count, Options, Refused, Stored};

/// Memory that may be held beside pages and index, bytes.
const SLACK: u64 = 256 << 10;

fn assert_bounded(rig: &Rig) {
    let (usage, memory) = (rig.cache.usage(), rig.cache.memory());
    let bound = usage.bytes_max + usage.index_bytes + SLACK;
    assert!(memory <= bound, "{memory} bytes are held, {bound} allowed");
}

#[test]
fn sizes_that_shift_always_find_room() {
    let mut rig = Rig::of(16);
    let mut n = 0u32;
    for size in [10, 1_000_000, 3_000, 120, 500_000, 40_000, 1_040_000, 10, 300_000] {
        let value = pattern(size as u64, size);
        let (budget, most) = (20 << 20, 60_000);
        for _ in 0..(budget / (size + 100)).min(most) {
            n += 1;
            rig.put(&format!("key {n}"), &value);
            if n.is_multiple_of(1000) {
                rig.cache.maintain(rig.now);
            }
        }
        assert_bounded(&rig);
        rig.cache.audit();
        rig.pass(2);
    }
    assert_eq!(rig.cache.counts().get(Count::StoreNoMemory), 0);
    assert!(rig.cache.counts().get(Count::SlabsMoved) > 0);
}

#[test]
fn a_class_without_a_page_takes_one_from_the_oldest() {
    let mut rig = Rig::of(8);
    for n in 0..6 {
        for of_size in 0..4_000 {
            rig.put(&format!("{n}:{of_size}"), &pattern(1, 100 + 300 * n));
        }
        rig.pass(1);
    }
    let full = rig.cache.usage();
    assert_eq!(full.pages_bytes, 8 << 20);
    for n in 0..100 {
        rig.put(&format!("large {n}"), &pattern(2, 100_000));
        rig.put(&format!("huge {n}"), &pattern(3, 1_000_000));
        assert!(rig.has(&format!("huge {n}")));
        rig.cache.audit();
    }
    assert_bounded(&rig);
}

#[test]
fn readers_on_every_page_are_in_nobodys_way() {
    let mut rig = Rig::of(8);
    let value = pattern(1, 2000);
    let mut pins = Vec::new();
    for n in 0..20_000 {
        let key = format!("small {n}");
        rig.put(&key, &value);
        if n % 97 == 0 {
            let item = rig.find(&key);
            pins.push(rig.cache.pin(item).expect("few readers"));
        }
    }
    for n in 0..50 {
        rig.put(&format!("large {n}"), &pattern(3, 900_000));
    }
    for pin in pins {
        let mut read = bytes::BytesMut::new();
        rig.cache.read(&pin, 0, usize::MAX, &mut read);
        assert!(read.starts_with(&value), "a pinned value is whole wherever it is");
        rig.cache.unpin(pin);
    }
    rig.cache.audit();
}

#[test]
fn what_is_read_cannot_be_evicted_and_is_refused_only_when_it_is_all_there_is() {
    let mut rig = Rig::of(8);
    let value = pattern(1, 700_000);
    let mut pins = Vec::new();
    let refused = loop {
        let key = format!("k{}", pins.len());
        match rig.set(&key, &value) {
            Stored::Stored { .. } => {
                let item = rig.find(&key);
                pins.push(rig.cache.pin(item).expect("few readers"));
            }
            other => break other,
        }
    };
    assert_eq!(refused, Stored::NoMemory);
    assert!(pins.len() >= 7, "{} values fill the cache", pins.len());
    let draft = rig.draft("small", 10).expect("room for a small one");
    rig.cache.abandon(draft);
    rig.cache.unpin(pins.pop().expect("one of them"));
    rig.put("again", &value);
    rig.cache.audit();
    assert!(rig.cache.counts().get(Count::StoreNoMemory) > 0);
}

#[test]
fn a_class_without_a_page_borrows_a_larger_chunk_where_no_page_can_be_emptied() {
    let mut rig = Rig::new(small(6));
    let classes = rig.cache.classes();
    assert_eq!(classes, 7);
    let size = |rig: &Rig, class| rig.cache.class_stats(class, rig.now).chunk_bytes as usize - 60;
    let mut pins = Vec::new();
    for class in 2..=classes {
        let key = format!("held {class}");
        rig.put(&key, &pattern(1, size(&rig, class)));
        let item = rig.find(&key);
        pins.push(rig.cache.pin(item).expect("few readers"));
    }
    rig.put("large", &pattern(1, size(&rig, classes)));
    assert_eq!(rig.cache.usage().pages_bytes, 6 * PAGE);
    for n in 0..1_000 {
        rig.put(&format!("small {n}"), b"v");
        assert!(rig.has(&format!("small {n}")));
    }
    rig.cache.audit();
    assert_eq!(rig.cache.class_stats(1, rig.now).pages, 0);
    for pin in pins {
        rig.cache.unpin(pin);
    }
    rig.put("small again", b"v");
    rig.cache.audit();
}

#[test]
fn a_cache_that_may_not_evict_refuses_and_keeps_what_it_has() {
    let mut rig = Rig::new(Options { evict: false, ..options(4) });
    let value = pattern(1, 5_000);
    let mut stored = 0;
    while rig.set(&format!("k{stored}"), &value) != Stored::NoMemory {
        stored += 1;
    }
    assert!(stored > 600, "{stored} items");
    assert!((0..stored).all(|n| rig.has(&format!("k{n}"))));
    assert_eq!(rig.draft("other", 5_000).err(), Some(Refused::NoMemory));
    assert_eq!(rig.cache.counts().get(Count::Evictions), 0);
    rig.delete("k0");
    rig.put("other", &value);
    rig.cache.audit();
}

#[test]
fn an_item_of_a_hundred_bytes_costs_a_chunk_of_152_and_two_buckets() {
    let mut rig = Rig::of(32);
    for n in 0..150_000 {
        rig.put(&format!("key-{n:010}"), &[b'v'; 100]);
    }
    let stats = rig.cache.class_stats(3, rig.now);
    assert_eq!((stats.chunk_bytes, stats.items), (152, 150_000));
    assert_eq!(rig.cache.counts().get(Count::Evictions), 0);
    let per_item = (stats.items * 152 + rig.cache.usage().index_bytes) / stats.items;
    assert!(per_item <= 160, "{per_item} bytes per item");
    assert_bounded(&rig);
}

#[test]
fn evictions_are_counted_where_they_happen_and_noted_for_watchers() {
    let mut rig = Rig::of(4);
    rig.cache.set_noting(true, true);
    for n in 0..40_000 {
        rig.put(&format!("key-{n:010}"), &[b'v'; 100]);
    }
    let evicted = rig.cache.counts().get(Count::Evictions);
    let noted = rig.cache.take_noted();
    assert!(evicted > 10_000);
    assert_eq!(noted.len(), 4096, "as many as are kept");
    assert!(noted.iter().all(|gone| gone.class == 3 && !gone.fetched && gone.value_bytes == 100));
    let stats = rig.cache.class_stats(3, rig.now);
    assert_eq!(stats.counts.get(ClassCount::Evicted), evicted);
    assert_eq!(stats.counts.get(ClassCount::EvictedUnfetched), evicted);
    rig.delete("key-0000039999");
    assert!(rig.cache.take_noted()[0].deleted);
}

#[test]
fn large_values_of_mixed_sizes_fill_most_of_the_memory() {
    let mut rig = Rig::of(64);
    let value = pattern(1, 1_048_000);
    let mut state = 1u64;
    let mut least = u64::MAX;
    for n in 0..2_000 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let size = 530_000 + (state >> 33) as usize % 510_000;
        rig.put(&format!("k{n}"), &value[..size]);
        if n > 500 {
            least = least.min(rig.cache.usage().bytes);
        }
    }
    assert!(least > 42 << 20, "{least} bytes of 64 MiB");
    let moved = rig.cache.counts().get(Count::SlabsMoved);
    assert!(moved < 100, "pages stay where they are: {moved} moved");
    rig.cache.audit();
}
