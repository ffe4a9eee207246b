//! Pages from one class to another, and back to the machine.

use crate::rig::{Rig, pattern};
use storytime_memcached::cache::{Count, Cursor, NotMoved};

#[test]
fn a_page_moves_with_nothing_lost_where_there_is_room() {
    let mut rig = Rig::of(8);
    for n in 0..20_000 {
        rig.put(&format!("key-{n:010}"), &[b'v'; 100]);
    }
    for n in (0..20_000).filter(|n| n % 3 != 0) {
        rig.delete(&format!("key-{n:010}"));
    }
    let before = rig.cache.class_stats(3, rig.now).pages;
    assert_eq!(rig.cache.reassign(3, 20, rig.now), Ok(()));
    assert_eq!(rig.cache.reassign(3, 21, rig.now), Err(NotMoved::Busy));
    rig.settle();
    assert_eq!(rig.cache.class_stats(3, rig.now).pages, before - 1);
    assert_eq!(rig.cache.class_stats(20, rig.now).pages, 1);
    assert!((0..20_000).step_by(3).all(|n| rig.has(&format!("key-{n:010}"))));
    assert!(rig.cache.counts().get(Count::SlabReassignRescues) > 0);
    assert_eq!(rig.cache.counts().get(Count::Evictions), 0);
    rig.cache.audit();
}

#[test]
fn impossible_moves_are_refused_with_their_reason() {
    let mut rig = Rig::of(8);
    rig.put("k", &[b'v'; 100]);
    let mut reassign = |from, to| rig.cache.reassign(from, to, rig.now);
    assert_eq!(reassign(3, 3), Err(NotMoved::Same));
    assert_eq!(reassign(3, 40), Err(NotMoved::BadClass));
    assert_eq!(reassign(-2, 4), Err(NotMoved::BadClass));
    assert_eq!(reassign(3, 4), Err(NotMoved::NoSpare));
    assert_eq!(reassign(-1, 4), Err(NotMoved::NoSpare));
    assert_eq!(reassign(0, 4), Err(NotMoved::NoSpare));
}

#[test]
fn pieces_of_large_values_move_with_their_readers() {
    let mut rig = Rig::of(8);
    let value = pattern(1, 1_000_000);
    for n in 0..3 {
        rig.put(&format!("k{n}"), &value);
    }
    let item = rig.find("k1");
    let pin = rig.cache.pin(item).expect("few readers");
    rig.delete("k0");
    rig.delete("k1");
    for _ in 0..3 {
        rig.cache.reassign(39, 0, rig.now).expect("a page to spare");
        rig.settle();
        rig.cache.audit();
    }
    assert!(rig.cache.counts().get(Count::SlabReassignChunkRescues) > 0);
    let mut read = bytes::BytesMut::new();
    assert_eq!(rig.cache.read(&pin, 0, usize::MAX, &mut read), pin.len());
    assert!(read.starts_with(&value));
    assert!(rig.get("k2") == Some(value));
    rig.cache.unpin(pin);
    rig.cache.audit();
}

#[test]
fn a_smaller_limit_gives_memory_back() {
    let mut rig = Rig::of(12);
    for n in 0..60_000 {
        rig.put(&format!("key-{n:010}"), &[b'v'; 100]);
    }
    rig.put("large", &pattern(1, 900_000));
    rig.cache.set_bytes_max(6 << 20);
    rig.settle();
    assert_eq!(rig.cache.usage().pages_bytes, 6 << 20);
    rig.cache.audit();
    rig.cache.set_bytes_max(12 << 20);
    for n in 60_000..120_000 {
        rig.put(&format!("key-{n:010}"), &[b'v'; 100]);
    }
    assert_eq!(rig.cache.usage().pages_bytes, 12 << 20);
    rig.cache.audit();
}

#[test]
fn pages_flow_from_idle_classes_to_hungry_ones() {
    let mut rig = Rig::of(12);
    for n in 0..9_000 {
        rig.put(&format!("idle {n}"), &pattern(1, 1_000));
    }
    let item = rig.find("idle 8999");
    let class = rig.cache.view(item).class();
    let before = rig.cache.class_stats(class, rig.now).pages;
    for second in 0..60 {
        for n in 0..1_000 {
            rig.put(&format!("busy {second} {n}"), &[b'v'; 100]);
        }
        rig.pass(1);
    }
    let after = rig.cache.class_stats(class, rig.now).pages;
    assert!(after + 5 < before, "{before} pages became {after}");
    rig.cache.audit();
}

#[test]
fn all_pages_that_a_class_can_spare_are_there_for_the_others_at_once() {
    let mut rig = Rig::of(12);
    for n in 0..14_000 {
        rig.put(&format!("gone {n}"), &pattern(1, 1_000));
    }
    assert_eq!(rig.cache.usage().pages_bytes, 12 << 20, "memory is full");
    for n in 0..14_000 {
        rig.delete(&format!("gone {n}"));
    }
    let evictions = rig.cache.counts().get(Count::Evictions);
    for _ in 0..15 {
        rig.pass(1);
    }
    for n in 0..20_000 {
        rig.put(&format!("new {n}"), &[b'v'; 100]);
    }
    assert_eq!(rig.cache.counts().get(Count::Evictions), evictions, "3 MB fit beside nothing");
    rig.cache.audit();
}

#[test]
fn the_crawler_frees_what_is_dead_and_survives_every_change() {
    let mut rig = Rig::of(8);
    for n in 0..5_000 {
        rig.put(&format!("key-{n:010}"), &[b'v'; 100]);
    }
    rig.cache.flush_all(None, rig.now);
    for n in 0..100 {
        rig.put(&format!("new-{n:010}"), &[b'v'; 100]);
    }
    let (mut cursor, mut steps) = (Some(Cursor::default()), 0);
    while let Some(at) = cursor {
        cursor = rig.cache.crawl(at, 100, rig.now);
        steps += 1;
        rig.put(&format!("meanwhile {steps}"), &[b'v'; 300]);
    }
    assert!(steps > 50, "a walk goes in small steps");
    assert_eq!(rig.cache.usage().items, 100 + steps);
    assert_eq!(rig.cache.counts().get(Count::CrawlerReclaimed), 5_000);
    let shown: u64 = rig.cache.sizes().iter().map(|(_, items)| items).sum();
    assert_eq!(shown, 100 + steps);
    rig.cache.audit();
}
