//! What clients ask for, one at a time.

use crate::rig::{Rig, pattern};
use storytime_memcached::cache::{Counted, Deleted, Delta, Missed, Stored, Verb, Write};
use storytime_memcached::clock::Seconds;

#[test]
fn what_is_set_can_be_read() {
    let mut rig = Rig::of(4);
    rig.put("k", b"value");
    assert_eq!(rig.get("k").as_deref(), Some(&b"value"[..]));
    assert_eq!(rig.get("other"), None);
    rig.put("k", b"another");
    assert_eq!(rig.get("k").as_deref(), Some(&b"another"[..]));
    assert_eq!(rig.delete("k"), Deleted::Deleted);
    assert_eq!(rig.delete("k"), Deleted::NotFound);
    rig.cache.audit();
}

#[test]
fn values_of_every_size_around_a_chunk_are_whole() {
    let mut rig = Rig::of(16);
    let edges = [1usize << 19, 1 << 20, 394_840, (1 << 19) * 3 / 2];
    for edge in edges {
        for size in edge.saturating_sub(170)..(edge + 30).min((1 << 20) - 80) {
            if size % 7 != 0 && size % 8 != 0 {
                continue;
            }
            let value = pattern(size as u64, size);
            rig.put("large", &value);
            assert!(rig.get("large") == Some(value), "{size} bytes");
        }
        rig.cache.audit();
    }
}

#[test]
fn drafts_and_pins_of_every_size_are_whole() {
    let mut rig = Rig::of(16);
    for size in [0, 1, 99, 5_000, 400_000, 524_000, 524_288, 700_000, 1_048_000] {
        let value = pattern(size as u64, size);
        let mut draft = rig.draft("d", size).expect("room");
        for piece in value.chunks(77_777) {
            rig.cache.fill(&mut draft, piece, rig.now).expect("room");
            rig.cache.audit();
        }
        assert_eq!(draft.missing(), 0);
        let write = rig.write("d");
        let stored = rig.cache.commit(draft, &write, rig.now);
        assert!(matches!(stored, Stored::Stored { .. }), "{size}");
        let item = rig.find("d");
        let pin = rig.cache.pin(item).expect("few readers");
        rig.put("d", b"new");
        let mut out = bytes::BytesMut::new();
        while out.len() < pin.len() {
            assert!(rig.cache.read(&pin, out.len(), 10_000, &mut out) > 0);
        }
        assert!(out[..size] == value[..] && &out[size..] == b"\r\n", "{size}");
        rig.cache.unpin(pin);
        rig.cache.audit();
    }
}

#[test]
fn appending_and_prepending_keep_flags_and_expiry() {
    let mut rig = Rig::of(16);
    let write = Write { flags: 7, ..rig.write("k") };
    rig.cache.store(&write, b"middle", rig.now);
    rig.store(Verb::Append, "k", b"-end");
    rig.store(Verb::Prepend, "k", b"start-");
    assert_eq!(rig.get("k").as_deref(), Some(&b"start-middle-end"[..]));
    let item = rig.find("k");
    assert_eq!(rig.cache.view(item).flags(), 7);
    let large = pattern(3, 600_000);
    rig.store(Verb::Append, "k", &large);
    rig.store(Verb::Prepend, "k", &large[..300_000]);
    let all = [&large[..300_000], b"start-middle-end", &large].concat();
    assert!(rig.get("k") == Some(all), "joined in order");
    assert_eq!(rig.store(Verb::Append, "k", &large), Stored::NotStored, "too large together");
    assert_eq!(rig.store(Verb::Append, "none", b"x"), Stored::NotStored);
    rig.cache.audit();
}

#[test]
fn numbers_are_counted_in_place_with_spaces() {
    let mut rig = Rig::of(4);
    rig.put("n", b"10");
    let key = rig.key("n");
    let counted = rig.cache.arithmetic(key, Delta::Decr(1), None, None, rig.now);
    assert!(matches!(counted, Counted::Number { value: 9, .. }));
    assert_eq!(rig.get("n").as_deref(), Some(&b"9 "[..]));
    let counted = rig.cache.arithmetic(key, Delta::Incr(1000), None, None, rig.now);
    assert!(matches!(counted, Counted::Number { value: 1009, .. }));
    assert_eq!(rig.get("n").as_deref(), Some(&b"1009"[..]));
    rig.put("n", b"");
    let counted = rig.cache.arithmetic(key, Delta::Incr(1), None, None, rig.now);
    assert_eq!(counted, Counted::NotNumeric);
    rig.cache.audit();
}

#[test]
fn flushed_items_never_come_back() {
    let mut rig = Rig::of(4);
    rig.put("r", b"1");
    rig.pass(3);
    rig.cache.flush_all(None, rig.now);
    rig.put("same second", b"1");
    rig.cache.flush_all(Some(Seconds(rig.now.0 + 1000)), rig.now);
    assert_eq!(rig.fetch("r"), Err(Missed::Flushed));
    assert!(rig.has("same second"));
    rig.pass(999);
    assert!(rig.has("same second"));
    rig.pass(1);
    rig.put("after", b"1");
    assert!(!rig.has("same second"));
    assert!(rig.has("after"));
    rig.cache.audit();
}
