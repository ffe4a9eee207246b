//! What happens to whom when something fails; questions to many shards.

use crate::rig::{BLOG, Shape, Site, create, select, write};
use std::collections::BTreeSet;
use storytime_database::client::Failure;
use storytime_machine::{Bytes, Duration};
use storytime_sharding::{
    CacheOptions, Change, Entry, Error, Outcome, Query, Request, Scheme, ShardId, UserId,
};
use storytime_sim::faults::Fault;

/// Users on each of four shards of two hosts.
fn users(site: &mut Site) -> Vec<(UserId, u32)> {
    let user = |n: u32| (format!("user{n}"), n % 4 + 1);
    (0..12)
        .map(|n| {
            let (name, shard) = user(n);
            (site.register(&name, shard), shard)
        })
        .collect()
}

#[test]
fn a_dead_host_s_users_are_affected_and_nobody_else() {
    for cached in [false, true] {
        let shape = if cached { Shape::cached(1, CacheOptions::default()) } else { Shape::new(1) };
        let mut site = Site::new(shape);
        let users = users(&mut site);
        for (user, _) in &users {
            site.create(*user, "text");
        }
        site.world.power_cut(site.databases[0]);
        for (user, shard) in users {
            let of_dead = shard <= 2;
            let written = site.try_ask(write(user, create("more")));
            assert_eq!(written.is_err(), of_dead, "{written:?}");
            if let Err(error) = written {
                let Error::Failed { shard: of, .. } = error else { panic!("{error:?}") };
                assert_eq!(of, Some(ShardId(shard)));
            }
            let read = site.try_ask(select(user, 5));
            assert_eq!(read.is_err(), of_dead, "{read:?}");
        }
    }
}

#[test]
fn what_is_cached_outlives_the_dead() {
    let mut site = Site::new(Shape::cached(2, CacheOptions::default()));
    let user = site.register("ann", 1);
    site.create(user, "text");
    assert_eq!(site.select(user, 5).len(), 1);
    site.world.power_cut(site.databases[0]);
    site.world.power_cut(site.directory);
    assert_eq!(site.select(user, 5).len(), 1);
}

#[test]
fn caches_that_are_dead_are_done_without() {
    let mut site = Site::new(Shape::cached(3, CacheOptions::default()));
    let user = site.register("ann", 1);
    site.create(user, "text");
    for cache in site.caches.clone() {
        site.world.power_cut(cache);
    }
    let written = site.write(user, create("more"));
    assert!(!written.caches_told, "and it is said");
    assert_eq!(site.select(user, 5).len(), 2);
    assert_eq!(site.counters().caches_not_told, 1);
}

#[test]
fn a_write_without_an_answer_is_said_to_be_unknown() {
    let mut site = Site::new(Shape::cached(4, CacheOptions::default()));
    let user = site.register("ann", 1);
    site.create(user, "text");
    assert_eq!(site.count(user), 1);
    let (from, to) = (site.databases[0], site.apps[0]);
    site.world.apply(&Fault::Cut { from, to });
    let value = Bytes::from_static(b"more");
    let change = Change::Create { table: BLOG, item: Some(7), value };
    let unknown = site.try_ask(write(user, change)).expect_err("nobody answers");
    assert_eq!(unknown, Error::Failed { shard: Some(ShardId(1)), why: Failure::Unknown });
    assert!(unknown.may_have_happened());
    site.world.apply(&Fault::Mend { from, to });
    site.pass(Duration::from_secs(15));
    assert_eq!(site.count(user), 2, "it has happened, and the caches were told of it");
}

/// A table over ten shards by the user's number, some photos in each.
fn photos(seed: u64) -> (Site, Vec<Request>) {
    let mut site = Site::new(Shape { hosts: 10, shards_per_host: 1, ..Shape::new(seed) });
    let mut map = site.map.clone();
    let shards: Vec<ShardId> = (1..=10).map(ShardId).collect();
    map.tables.insert("blog".to_owned(), Scheme::Modulo(shards.clone()));
    site.set_map(map);
    let writes = (0..40).map(|user| write(UserId(user), create("photo"))).collect();
    assert!(site.ask_all(0, writes).iter().all(|(_, outcome)| outcome.is_ok()));
    let size = |&shard: &ShardId| Request::Shard {
        shard,
        words: vec![Bytes::from_static(b"ROW.SIZE"), BLOG],
    };
    let parts = shards.iter().map(size).collect();
    (site, parts)
}

/// How many parts answered, and the rows in them.
fn sizes(outcome: Outcome) -> (usize, i64) {
    use storytime_database::Reply;
    let Outcome::Parts(parts) = outcome else { panic!("{outcome:?}") };
    let mut sum = (0, 0);
    for part in parts.into_iter().flatten() {
        let Ok(Outcome::Reply(Reply::Array(figures))) = part else { panic!("{part:?}") };
        let Reply::Integer(rows) = figures[1] else { panic!("{figures:?}") };
        sum = (sum.0 + 1, sum.1 + rows);
    }
    sum
}

#[test]
fn all_shards_are_asked_at_once_and_a_slow_one_is_not_waited_for() {
    let (mut site, parts) = photos(5);
    let ask = |at_once, ms| Request::FanOut {
        parts: parts.clone(),
        at_once,
        deadline: Duration::from_millis(ms),
    };
    assert_eq!(sizes(site.ask(ask(10, 1_000))), (10, 40));
    let parallel = site.ask_all(0, vec![ask(10, 1_000)]).remove(0).0;
    let serial = site.ask_all(0, vec![ask(1, 1_000)]).remove(0).0;
    assert!(serial > 5 * parallel, "{serial:?} one by one, {parallel:?} at once");
    let (from, to) = (site.databases[3], site.apps[0]);
    site.world.apply(&Fault::Clog { from, to, span: Duration::from_millis(900) });
    let (took, outcome) = site.ask_all(0, vec![ask(10, 200)]).remove(0);
    assert_eq!(sizes(outcome.expect("what there is")), (9, 36));
    assert!(took < Duration::from_millis(202), "{took:?}");
    assert_eq!(site.counters().parts_late, 1);
    assert_eq!(sizes(site.ask(ask(10, 5_000))), (10, 40), "with more time it comes");
}

#[test]
fn the_index_answers_for_all_shards_and_says_how_far_it_is_behind() {
    let mut site = Site::new(Shape::new(6));
    let users = users(&mut site);
    let dated = |user: UserId, at: u64| Request::Write {
        user,
        changes: vec![create(&at.to_string())],
        index: Some(at),
    };
    let mut brute = BTreeSet::new();
    let (from, to) = (site.apps[0], site.directory);
    for at in 0..60u64 {
        if at == 30 {
            site.ask(Request::Locate { user: users[0].0, cached: false });
            site.world.apply(&Fault::Cut { from: to, to: from });
        }
        // The directory is away by then, too: a table that computes its places goes on.
        if at == 30 {
            let mut map = site.map.clone();
            let scheme = Scheme::Modulo((1..=4).map(ShardId).collect());
            map.tables.insert("blog".to_owned(), scheme);
            site.set_map(map);
        }
        let user = users[at as usize * 7 % users.len()].0;
        let Outcome::Written(written) = site.ask(dated(user, at)) else { panic!("a write") };
        brute.insert(Entry { at, user, item: written.rows[0].0 });
    }
    assert!(site.lag() > Duration::from_millis(20), "{:?}", site.lag());
    site.world.apply(&Fault::Mend { from: to, to: from });
    site.pass(Duration::from_secs(10));
    assert_eq!(site.lag(), Duration::ZERO);
    let gone = *brute.iter().nth(55).expect("there are sixty");
    brute.remove(&gone);
    let change = Change::Delete { table: BLOG, item: gone.item, version: None };
    site.ask(Request::Write { user: gone.user, changes: vec![change], index: Some(0) });
    site.pass(Duration::from_secs(1));
    let latest = site.ask(Request::Latest { table: BLOG, limit: 10 });
    assert_eq!(latest, Outcome::Latest(brute.into_iter().rev().take(10).collect()));
    assert_eq!(site.counters().index_written, 61);
}

#[test]
fn lists_of_many_users_come_in_batches() {
    let mut site = Site::new(Shape::new(7));
    let users = users(&mut site);
    for (user, _) in &users {
        site.create(*user, "text");
    }
    let query = Query::newest(5);
    let list = |user: UserId| Request::List { table: BLOG, user, query };
    let mut parts: Vec<Request> = users.iter().map(|(user, _)| list(*user)).collect();
    parts.push(list(UserId(999)));
    let deadline = Duration::from_secs(5);
    let Outcome::Parts(parts) = site.ask(Request::FanOut { parts, at_once: 5, deadline }) else {
        panic!("parts were asked for")
    };
    let lists = parts.iter().filter(|part| **part == Some(Ok(Outcome::Items(vec![1])))).count();
    assert_eq!(lists, 12);
    assert_eq!(parts[12], Some(Err(Error::NoSuchUser)));
}
