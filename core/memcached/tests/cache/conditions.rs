//! Versions, conditions, marks, and what is counted.

use crate::rig::{Rig, options, pattern};
use storytime_memcached::cache::{
    Access, ClassCount, Count, Counted, Deleted, Delta, Missed, Options, Stored, Verb, Write,
};
use storytime_memcached::clock::{Expiry, Seconds};

fn count(rig: &Rig, count: Count) -> u64 {
    rig.cache.counts().get(count)
}

#[test]
fn a_version_stores_once() {
    let mut rig = Rig::of(4);
    let first = rig.put("k", b"1");
    let write = Write { compare: Some(first), ..rig.write("k") };
    assert!(matches!(rig.cache.store(&write, b"2", rig.now), Stored::Stored { .. }));
    assert_eq!(rig.cache.store(&write, b"3", rig.now), Stored::Exists);
    let write = Write { compare: Some(first), ..rig.write("other") };
    assert_eq!(rig.cache.store(&write, b"3", rig.now), Stored::NotFound);
    let counts = [Count::CasHits, Count::CasBadval, Count::CasMisses].map(|c| count(&rig, c));
    assert_eq!(counts, [1, 1, 1]);
    assert_eq!(rig.get("k").as_deref(), Some(&b"2"[..]));
}

#[test]
fn shards_hand_out_versions_of_their_own() {
    let mut versions = Vec::new();
    for shard in 0..3 {
        let mut rig = Rig::new(Options { version_first: 1 + shard, version_step: 3, ..options(4) });
        versions.extend((0..3).map(|_| rig.put("k", b"v")));
    }
    versions.sort_unstable();
    assert_eq!(versions, (1..10).collect::<Vec<_>>());
}

#[test]
fn without_versions_none_matches() {
    let mut rig = Rig::new(Options { versions: false, ..options(4) });
    assert_eq!(rig.put("k", b"v"), 0);
    let item = rig.find("k");
    assert_eq!(rig.cache.view(item).version(), 0);
    for compare in [0, 1] {
        let write = Write { compare: Some(compare), ..rig.write("k") };
        assert_eq!(rig.cache.store(&write, b"w", rig.now), Stored::Exists);
    }
}

#[test]
fn an_older_version_may_store_a_stale_value_that_keeps_its_time() {
    let mut rig = Rig::of(4);
    let old = rig.put("k", b"1");
    rig.put("k", b"2");
    let item = rig.find("k");
    rig.cache.set_token_won(item, true);
    let write = Write { compare: Some(old), invalidate: true, ..rig.write("k") };
    assert!(matches!(rig.cache.store(&write, b"3", rig.now), Stored::Stored { .. }));
    let item = rig.find("k");
    let view = rig.cache.view(item);
    assert!(view.stale() && view.token_won());
    rig.put("k", b"4");
    let item = rig.find("k");
    assert!(!rig.cache.view(item).stale(), "a plain store takes the mark away");
}

#[test]
fn stated_versions_are_kept() {
    let mut rig = Rig::of(4);
    let write = Write { version: Some(77), ..rig.write("k") };
    let stored = rig.cache.store(&write, b"5", rig.now);
    assert_eq!(stored, Stored::Stored { version: 77, value_bytes: 1 });
    let key = rig.key("k");
    let counted = rig.cache.arithmetic(key, Delta::Incr(1), Some(76), None, rig.now);
    assert_eq!(counted, Counted::Exists);
    rig.cache.arithmetic(key, Delta::Incr(1), Some(77), Some(99), rig.now);
    assert_eq!(rig.cache.delete(key, Some(77), rig.now), Deleted::Exists);
    assert_eq!(rig.cache.delete(key, Some(99), rig.now), Deleted::Deleted);
}

#[test]
fn an_append_to_nothing_stores_where_that_is_asked_for() {
    let mut rig = Rig::of(4);
    let write = Write { verb: Verb::Append, vivify: Some(Expiry::NEVER), ..rig.write("k") };
    assert!(matches!(rig.cache.store(&write, b"a", rig.now), Stored::Stored { .. }));
    assert!(matches!(rig.cache.store(&write, b"b", rig.now), Stored::Stored { .. }));
    assert_eq!(rig.get("k").as_deref(), Some(&b"ab"[..]));
}

#[test]
fn an_emptied_value_is_whole_for_those_who_read_it() {
    let mut rig = Rig::of(8);
    for size in [100, 600_000, 1_000_000] {
        let value = pattern(size as u64, size);
        let write = Write { flags: 9, ..rig.write("k") };
        rig.cache.store(&write, &value, rig.now);
        let item = rig.find("k");
        let pin = rig.cache.pin(item).expect("few readers");
        let item = rig.cache.store_empty(rig.key("k"), 0, Expiry::NEVER).expect("there is room");
        rig.cache.audit();
        let view = rig.cache.view(item);
        assert_eq!((view.value_len(), view.flags()), (0, 0));
        assert_eq!(rig.get("k").as_deref(), Some(&b""[..]));
        let mut read = bytes::BytesMut::new();
        assert_eq!(rig.cache.read(&pin, 0, usize::MAX, &mut read), size + 2);
        assert!(read.starts_with(&value), "{size} bytes");
        rig.cache.unpin(pin);
        rig.cache.audit();
        assert!(rig.has("k"));
    }
}

#[test]
fn a_value_that_is_read_is_replaced_and_not_changed() {
    let mut rig = Rig::of(4);
    rig.put("n", b"100");
    let item = rig.find("n");
    let pin = rig.cache.pin(item).expect("few readers");
    let counted = rig.cache.arithmetic(rig.key("n"), Delta::Decr(1), None, None, rig.now);
    assert!(matches!(counted, Counted::Number { value: 99, item: new } if new != item));
    let mut read = bytes::BytesMut::new();
    rig.cache.read(&pin, 0, usize::MAX, &mut read);
    assert_eq!(&read[..], b"100\r\n");
    rig.cache.unpin(pin);
    rig.cache.audit();
}

#[test]
fn a_value_has_so_many_readers_and_no_more() {
    let mut rig = Rig::of(4);
    rig.put("k", b"v");
    let item = rig.find("k");
    let pins: Vec<_> = (0..65_535).map(|_| rig.cache.pin(item).expect("not too many")).collect();
    assert!(rig.cache.pin(item).is_none());
    for pin in pins {
        rig.cache.unpin(pin);
    }
    assert!(rig.cache.pin(item).is_some());
}

#[test]
fn hits_and_misses_are_counted_with_their_reasons() {
    let mut rig = Rig::of(4);
    rig.put("k", b"v");
    let soon = Expiry::PAST;
    let write = Write { expires: soon, ..rig.write("dead") };
    rig.cache.store(&write, b"v", rig.now);
    assert_eq!(rig.fetch("dead"), Err(Missed::Expired));
    assert_eq!(rig.fetch("dead"), Err(Missed::Absent));
    assert!(rig.fetch("k").is_ok());
    let key = rig.key("k");
    assert!(rig.cache.fetch(key, Access::Touch(soon), rig.now).is_ok());
    assert_eq!(rig.cache.fetch(key, Access::Touch(soon), rig.now), Err(Missed::Expired));
    rig.put("k", b"v");
    rig.cache.flush_all(None, rig.now);
    assert_eq!(rig.fetch("k"), Err(Missed::Flushed));
    let counted = [
        (Count::CmdGet, 4),
        (Count::GetHits, 1),
        (Count::GetMisses, 3),
        (Count::GetExpired, 2),
        (Count::GetFlushed, 1),
        (Count::CmdTouch, 2),
        (Count::TouchHits, 1),
        (Count::TouchMisses, 1),
        (Count::CmdSet, 3),
        (Count::TotalItems, 3),
    ];
    for (which, expected) in counted {
        assert_eq!(count(&rig, which), expected, "{}", which.name());
    }
    let stats = rig.cache.class_stats(1, rig.now);
    assert_eq!(stats.counts.get(ClassCount::GetHits), 1);
    rig.cache.reset_counts();
    assert_eq!(count(&rig, Count::CmdGet), 0);
}

#[test]
fn a_clock_read_late_by_another_worker_changes_nothing() {
    let mut rig = Rig::of(4);
    rig.put("k", b"v");
    rig.cache.flush_all(None, Seconds(rig.now.0 - 1));
    assert!(!rig.has("k"), "flushed although the flush came from behind");
}

#[test]
fn a_flood_of_flushes_does_no_harm() {
    let mut rig = Rig::of(4);
    for _ in 0..10_000 {
        rig.put("k", b"v");
        rig.cache.flush_all(None, rig.now);
        assert!(!rig.has("k"));
    }
    rig.put("k", b"v");
    let item = rig.find("k");
    assert_eq!(rig.cache.view(item).accessed(), rig.now);
    rig.cache.audit();
}

#[test]
fn larger_than_the_largest_is_refused_by_the_rule_of_the_original() {
    let mut rig = Rig::of(8);
    let most = (1 << 20) - 48 - 8 - 1 - 1 - 2;
    assert!(rig.cache.fits(1, 0, most));
    assert!(!rig.cache.fits(1, 0, most + 1));
    assert!(!rig.cache.fits(1, 5, most));
    assert_eq!(rig.set("k", &vec![0; most as usize + 1]), Stored::TooLarge);
    rig.put("k", &vec![0; most as usize]);
    assert_eq!(count(&rig, Count::StoreTooLarge), 1);
    rig.cache.audit();
}
