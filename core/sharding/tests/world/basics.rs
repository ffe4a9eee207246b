//! What one application sees.

use crate::rig::{BLOG, DIRECTORY, Shape, Site, create, delete, select, update, write};
use storytime_machine::{Bytes, Duration};
use storytime_sharding::map::Flags;
use storytime_sharding::{
    CacheOptions, Care, Change, Error, Outcome, Query, Request, Revisions, Scheme, ShardId, UserId,
};

#[test]
fn a_user_is_registered_once_and_found_by_name() {
    let mut site = Site::new(Shape::new(1));
    let ann = site.register("ann", 1);
    let bob = site.register("bob", 2);
    assert_ne!(ann, bob);
    let find = |name| Request::Find { name: Bytes::from_static(name) };
    assert_eq!(site.ask(find(b"bob")), Outcome::User(Some(bob)));
    assert_eq!(site.ask(find(b"eve")), Outcome::User(None));
    let again = Request::Register { name: Bytes::from_static(b"ann"), shard: None };
    assert_eq!(site.try_ask(again), Err(Error::NameTaken(ann)));
}

#[test]
fn rows_are_created_listed_counted_updated_and_deleted() {
    for cache in [None, Some(CacheOptions::default())] {
        let mut shape = Shape { caches: 2, ..Shape::new(2) };
        shape.options.cache = cache;
        let mut site = Site::new(shape);
        let (ann, bob) = (site.register("ann", 1), site.register("bob", 1));
        let items: Vec<u64> = ["a", "b", "c"].map(|text| site.create(ann, text)).to_vec();
        assert_eq!(items, [1, 2, 3], "every user counts for himself");
        assert_eq!(site.create(bob, "x"), 1);
        assert_eq!(site.select(ann, 2), [(3, "c".into()), (2, "b".into())]);
        site.write(ann, update(2, "B"));
        site.write(ann, delete(3));
        assert_eq!(site.select(ann, 9), [(2, "B".into()), (1, "a".into())]);
        assert_eq!((site.count(ann), site.count(bob)), (2, 1));
        let rows = Request::Rows { table: BLOG, user: ann, items: vec![3, 1, 7] };
        let Outcome::Rows(rows) = site.ask(rows) else { panic!("rows were asked for") };
        assert_eq!(rows.iter().map(|row| row.item).collect::<Vec<_>>(), [1]);
    }
}

#[test]
fn three_queries_without_the_cache_and_three_requests_with_it() {
    let mut site = Site::new(Shape::new(3));
    let author = site.register("author", 1);
    for text in ["a", "b", "c"] {
        site.create(author, text);
    }
    let before = site.counters();
    assert_eq!(site.select(author, 10).len(), 3);
    let after = site.counters();
    assert_eq!(after.database_requests - before.database_requests, 3, "place, list, rows");

    let mut site = Site::new(Shape::cached(3, CacheOptions::default()));
    let author = site.register("author", 1);
    for text in ["a", "b", "c"] {
        site.create(author, text);
    }
    site.select(author, 10);
    let before = site.counters();
    assert_eq!(site.select(author, 10).len(), 3);
    let after = site.counters();
    assert_eq!(after.database_requests, before.database_requests);
    let asked = after.cache_requests - before.cache_requests;
    assert_eq!(asked, 3, "place and revision number, list, rows");
}

#[test]
fn a_write_is_seen_by_the_next_list_and_count() {
    let mut site = Site::new(Shape::cached(4, CacheOptions::default()));
    let user = site.register("ann", 2);
    for n in 1..20u64 {
        site.create(user, "text");
        assert_eq!(site.count(user), n);
        assert_eq!(site.count(user), n, "from the cache");
        assert_eq!(site.select(user, 30).len() as u64, n);
    }
    let counters = site.counters();
    assert!(counters.list_hits >= 19, "{counters:?}");
}

#[test]
fn without_revision_numbers_a_list_stays_as_it_was() {
    let cache = CacheOptions { revisions: Revisions::Off, list_s: 60, ..CacheOptions::default() };
    let mut site = Site::new(Shape::cached(5, cache));
    let user = site.register("ann", 2);
    assert_eq!(site.count(user), 0);
    site.create(user, "text");
    assert_eq!(site.count(user), 0, "stale, until it expires");
    site.pass(Duration::from_secs(70));
    assert_eq!(site.count(user), 1);
}

#[test]
fn changes_with_conditions_are_all_made_or_none() {
    let mut site = Site::new(Shape::new(6));
    let user = site.register("ann", 1);
    let put = |item, value: &'static [u8]| Change::Create {
        table: BLOG,
        item: Some(item),
        value: Bytes::from_static(value),
    };
    let changes = vec![put(5, b"five"), put(6, b"six")];
    site.ask(Request::Write { user, changes, index: None });
    let changes = vec![put(7, b"seven"), put(6, b"again")];
    let twice = site.try_ask(Request::Write { user, changes, index: None });
    assert_eq!(twice, Err(Error::Exists { change: 1 }));
    assert_eq!(site.count(user), 2);
    let version = Some(1);
    let stale = Change::Delete { table: BLOG, item: 5, version };
    assert_eq!(site.try_ask(write(user, stale)), Err(Error::Changed { change: 0 }));
    // A number that somebody chose is not drawn.
    let drawn: Vec<u64> = (0..6).map(|_| site.create(user, "text")).collect();
    assert_eq!(drawn, [1, 2, 3, 4, 7, 8]);
}

#[test]
fn a_row_that_was_in_the_way_of_a_new_one_stays_what_it_is_in_the_cache() {
    for care in [Care::Plain, Care::Safe, Care::Guarded] {
        let cache = CacheOptions { care, ..CacheOptions::default() };
        let mut site = Site::new(Shape::cached(10, cache));
        let user = site.register("ann", 1);
        let value = Bytes::from_static(b"chosen");
        site.write(user, Change::Create { table: BLOG, item: Some(1), value });
        assert_eq!(site.create(user, "drawn"), 2, "the number 1 is taken");
        let items = vec![1, 2];
        let rows = match site.ask(Request::Rows { table: BLOG, user, items }) {
            Outcome::Rows(rows) => rows,
            other => panic!("{other:?}"),
        };
        let values: Vec<_> = rows.iter().map(|row| &row.value[..]).collect();
        assert_eq!(values, [&b"chosen"[..], b"drawn"], "{care:?}");
    }
}

/// Has a user live on shard 3, of another host, as a mover does it in the end.
fn move_to_shard_3(site: &mut Site, user: UserId) {
    let user = user.to_string();
    for (shard, words) in [
        (ShardId(3), ["ROW.PUT", "blog", &user, "1", "first"]),
        (DIRECTORY, ["ROW.PUT", "place", &user, "0", "shard=3 flags=rw version=2"]),
        (ShardId(1), ["ROW.PUT", "home", &user, "0", "moved schema=1 fence=9 to=3"]),
        (ShardId(3), ["ROW.PUT", "home", &user, "0", "active schema=1 fence=9"]),
    ] {
        site.raw(shard, &words);
    }
}

#[test]
fn what_is_written_after_a_move_is_read_though_the_new_shard_s_versions_are_lower() {
    for care in [Care::Plain, Care::Safe, Care::Guarded] {
        let cache = CacheOptions { care, ..CacheOptions::default() };
        let mut site = Site::new(Shape::cached(11, cache));
        let user = site.register("ann", 1);
        for item in 0..50 {
            site.raw(ShardId(1), &["ROW.PUT", "other", "9", &item.to_string(), ""]);
        }
        site.create(user, "first");
        let rows = Request::Rows { table: BLOG, user, items: vec![1] };
        site.ask(rows.clone());
        move_to_shard_3(&mut site, user);
        site.write(user, update(1, "second"));
        let Outcome::Rows(rows) = site.ask(rows) else { panic!("rows were asked for") };
        assert_eq!(&rows[0].value[..], b"second", "{care:?}");
    }
}

#[test]
fn numbers_of_a_user_and_of_everybody_do_not_repeat() {
    let mut site = Site::new(Shape::new(7));
    let user = site.register("ann", 1);
    let own = |count| Request::Number { table: BLOG, user, count };
    let global = |count| Request::GlobalNumber { space: Bytes::from_static(b"photos"), count };
    assert_eq!(site.ask(own(10)), Outcome::Number(1));
    assert_eq!(site.ask(own(1)), Outcome::Number(11));
    assert_eq!(site.ask(global(5)), Outcome::Number(1));
    assert_eq!(site.ask(global(1)), Outcome::Number(6));
    assert_eq!(site.create(user, "text"), 12);
}

#[test]
fn a_shard_s_flags_close_it_for_its_own_users() {
    let mut site = Site::new(Shape::cached(8, CacheOptions::default()));
    let (ann, bob) = (site.register("ann", 1), site.register("bob", 2));
    site.create(ann, "text");
    let shard = ShardId(1);
    let mut map = site.map.clone();
    map.shard_mut(shard).expect("it is there").flags = Flags::READ_ONLY;
    site.set_map(map.clone());
    let refused = site.try_ask(write(ann, create("more")));
    assert_eq!(refused, Err(Error::Closed { shard, writes_only: true }));
    assert_eq!(site.select(ann, 10).len(), 1, "it is read");
    site.create(bob, "text");
    map.shard_mut(shard).expect("it is there").flags = Flags { read: false, write: false };
    site.set_map(map);
    let other = Request::List { table: BLOG, user: ann, query: Query::newest(3) };
    let refused = site.try_ask(other);
    assert_eq!(refused, Err(Error::Closed { shard, writes_only: false }));
    site.create(bob, "text");
}

#[test]
fn a_table_that_is_not_sharded_yet_works_the_same() {
    let mut site = Site::new(Shape::cached(9, CacheOptions::default()));
    let mut map = site.map.clone();
    map.tables.insert("blog".to_owned(), Scheme::Vertical(ShardId(3)));
    site.set_map(map.clone());
    // No directory knows these users.
    let (one, two) = (UserId(501), UserId(502));
    assert_eq!(site.create(one, "text"), 1);
    assert_eq!(site.create(two, "text"), 1);
    assert_eq!(site.select(two, 3), [(1, "text".into())]);
    map.tables.insert("blog".to_owned(), Scheme::Modulo(vec![ShardId(3), ShardId(4)]));
    site.set_map(map);
    assert_eq!(site.create(UserId(503), "even or odd"), 1);
    assert_eq!(site.try_ask(select(UserId(503), 3)).map(|_| ()), Ok(()));
}
