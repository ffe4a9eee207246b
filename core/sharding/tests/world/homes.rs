//! Users who are being moved, by hand: what readers and writers see at each step.

use crate::rig::{DIRECTORY, Shape, Site, create, write};
use storytime_sharding::{CacheOptions, Error, Outcome, Request, ShardId, UserId};

const OLD: ShardId = ShardId(1);
const NEW: ShardId = ShardId(3);

fn set_home(site: &mut Site, shard: ShardId, user: UserId, home: &str) {
    site.raw(shard, &["ROW.PUT", "home", &user.to_string(), "0", home]);
}

fn set_place(site: &mut Site, user: UserId, place: &str) {
    site.raw(DIRECTORY, &["ROW.PUT", "place", &user.to_string(), "0", place]);
}

fn copy(site: &mut Site, user: UserId, rows: &[(u64, &str)]) {
    for (item, text) in rows {
        site.raw(NEW, &["ROW.PUT", "blog", &user.to_string(), &item.to_string(), text]);
    }
}

fn place_of(site: &mut Site, user: UserId) -> ShardId {
    match site.ask(Request::Locate { user, cached: true }) {
        Outcome::Located(place) => place.shard,
        other => panic!("{other:?}"),
    }
}

fn site(cached: bool) -> (Site, UserId) {
    let shape = if cached { Shape::cached(1, CacheOptions::default()) } else { Shape::new(1) };
    let mut site = Site::new(shape);
    let user = site.register("ann", OLD.0);
    site.create(user, "a");
    site.create(user, "b");
    assert_eq!(site.select(user, 9).len(), 2);
    (site, user)
}

#[test]
fn whoever_is_read_only_is_read_and_not_written() {
    for cached in [false, true] {
        let (mut site, user) = site(cached);
        set_home(&mut site, OLD, user, "readonly schema=1 fence=1");
        let refused = site.try_ask(write(user, create("c")));
        assert_eq!(refused, Err(Error::ReadOnly { shard: OLD }));
        assert_eq!(site.select(user, 3).len(), 2);
        assert_eq!(site.counters().read_only, 1);
        set_home(&mut site, OLD, user, "active schema=1 fence=1");
        assert_eq!(site.create(user, "c"), 3);
        assert_eq!(site.select(user, 3).len(), 3);
    }
}

#[test]
fn whoever_has_moved_is_found_past_the_cache() {
    for cached in [false, true] {
        let (mut site, user) = site(cached);
        set_home(&mut site, OLD, user, "readonly schema=1 fence=1");
        set_home(&mut site, NEW, user, "arriving schema=1 fence=1 from=1");
        copy(&mut site, user, &[(1, "a"), (2, "b")]);
        set_place(&mut site, user, "shard=3 flags=rw version=2");
        set_home(&mut site, OLD, user, "moved schema=1 fence=1 to=3");
        set_home(&mut site, NEW, user, "active schema=1 fence=1");
        // What the old shard still has of the user is nobody's business.
        site.raw(OLD, &["ROW.PUT", "blog", &user.to_string(), "9", "left behind"]);
        assert_eq!(site.count(user), 2);
        site.write(user, crate::rig::update(2, "B"));
        assert_eq!(site.select(user, 9)[0], (2, "B".to_owned()));
        assert_eq!(place_of(&mut site, user), NEW);
        let relocations = site.counters().relocations;
        assert_eq!(relocations, u64::from(cached), "once, where the place was cached");
    }
}

#[test]
fn half_a_copy_is_never_shown() {
    for cached in [false, true] {
        let (mut site, user) = site(cached);
        // The directory's word came too early, and was taken back: as if a place of long ago.
        set_place(&mut site, user, "shard=3 flags=rw version=2");
        assert_eq!(place_of(&mut site, user), if cached { OLD } else { NEW });
        set_home(&mut site, OLD, user, "moved schema=1 fence=1 to=3");
        set_home(&mut site, NEW, user, "arriving schema=1 fence=1 from=1");
        copy(&mut site, user, &[(1, "a"), (2, "b")]);
        // Done, but the new shard does not take writes yet: read, not written.
        assert_eq!(site.count(user), 2);
        let refused = site.try_ask(write(user, create("c")));
        assert_eq!(refused, Err(Error::ReadOnly { shard: NEW }));
        // On the way back, and the cache does not know.
        set_home(&mut site, OLD, user, "active schema=1 fence=2");
        site.raw(NEW, &["ROW.DEL", "blog", &user.to_string(), "1"]);
        set_place(&mut site, user, "shard=1 flags=rw version=3");
        let rows = Request::Rows { table: "photos".into(), user, items: vec![1] };
        assert_eq!(site.ask(rows), Outcome::Rows(Vec::new()));
        assert_eq!(place_of(&mut site, user), OLD);
    }
}

#[test]
fn whoever_is_nowhere_is_looked_for_a_bounded_number_of_times() {
    let (mut site, user) = site(true);
    set_home(&mut site, OLD, user, "moved schema=1 fence=1 to=3");
    assert_eq!(site.try_ask(write(user, create("c"))), Err(Error::Unsettled));
    let rows = Request::Rows { table: "photos".into(), user, items: vec![1] };
    assert_eq!(site.try_ask(rows.clone()), Err(Error::Unsettled));
    let nobody = Request::Rows { table: "photos".into(), user: UserId(777), items: vec![1] };
    assert_eq!(site.try_ask(nobody), Err(Error::NoSuchUser));
    set_home(&mut site, OLD, user, "asleep");
    assert_eq!(site.try_ask(rows), Err(Error::Garbled));
}
