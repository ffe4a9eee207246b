//! Readers and writers race for one user's rows and lists; every answer that is older than what
//! was told before the question is counted.
//!
//! What was told is known by the rows' versions, which the database hands out.

use crate::rig::{BLOG, Shape, Site, create, update, write};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use storytime_database::Reply;
use storytime_machine::{Boot, Bytes, Cx, Duration, Machine, Rng, Token};
use storytime_memcached::client::ServerSpec;
use storytime_sharding::{
    CacheOptions, Care, Change, Options, Outcome, Query, Request, Revisions, RowMode, ShardId,
    Sharding, UserId,
};
use storytime_sim::Link;
use storytime_sim::faults::Fault;

const RACERS: usize = 4;
/// Rows that are read and updated.
const ITEMS: u64 = 3;
const NEXT: Token = Token(u64::MAX);
const RUN: Duration = Duration::from_secs(20);

/// Latencies differ enough for anything to overtake anything.
const UNEVEN: Link = Link {
    latency_min: Duration::from_micros(50),
    latency_max: Duration::from_millis(20),
    ..Link::RACK
};

/// What was told so far, and how many answers were older than that.
#[derive(Default)]
struct Truth {
    /// Version of each row.
    versions: BTreeMap<u64, u64>,
    /// Items created.
    items: u64,
    reads: u64,
    stale_rows: u64,
    stale_lists: u64,
    writes: u64,
    hits: u64,
}

/// What a racer knew when it asked.
enum Asked {
    Rows(BTreeMap<u64, u64>),
    List(u64),
    Update(u64),
    Create,
}

struct Racer {
    sharding: Sharding,
    caches: Vec<ServerSpec>,
    user: UserId,
    /// Of 400 requests.
    updates: u64,
    truth: Arc<Mutex<Truth>>,
    asked: Vec<Option<Asked>>,
}

impl Racer {
    fn ask(&mut self, cx: &mut Cx) {
        let tag = self.asked.len() as u64;
        let truth = self.truth.lock().expect("no machine panics");
        let (user, item) = (self.user, 1 + cx.rng().below(ITEMS));
        let text = tag.to_string();
        let (asked, request) = match cx.rng().below(400) {
            n if n < self.updates => (Asked::Update(item), write(user, update(item, &text))),
            399.. => (Asked::Create, write(user, create(&text))),
            ..200 => {
                let items = (1..=ITEMS).collect();
                (Asked::Rows(truth.versions.clone()), Request::Rows { table: BLOG, user, items })
            }
            200..300 => {
                let request = Request::Count { table: BLOG, user, min: 0, max: u64::MAX };
                (Asked::List(truth.items), request)
            }
            _ => {
                let query = Query::newest(10_000);
                (Asked::List(truth.items), Request::List { table: BLOG, user, query })
            }
        };
        drop(truth);
        self.asked.push(Some(asked));
        self.sharding.ask(cx, request, tag).expect("few requests are under way");
        self.go_on();
    }

    fn go_on(&mut self) {
        let mut truth = self.truth.lock().expect("no machine panics");
        while let Some(event) = self.sharding.next_event() {
            let asked = self.asked[event.tag as usize].take().expect("a request ends once");
            let Ok(outcome) = event.outcome else { continue };
            truth.reads += 1;
            match (asked, outcome) {
                (Asked::Rows(known), Outcome::Rows(rows)) => {
                    let older = rows.iter().any(|row| row.version < known[&row.item]);
                    truth.stale_rows += u64::from(older);
                }
                (Asked::List(known), Outcome::Items(items)) => {
                    truth.stale_lists += u64::from((items.len() as u64) < known);
                }
                (Asked::List(known), Outcome::Count(count)) => {
                    truth.stale_lists += u64::from(count < known);
                }
                (Asked::Update(item), Outcome::Written(written)) => {
                    let version = truth.versions.get_mut(&item).expect("it was there");
                    *version = (*version).max(written.rows[0].1);
                    truth.writes += 1;
                }
                (Asked::Create, Outcome::Written(_)) => {
                    truth.items += 1;
                    truth.writes += 1;
                }
                (_, other) => panic!("{other:?}"),
            }
        }
        let counters = self.sharding.counters();
        truth.hits = truth.hits.max(counters.row_hits.min(counters.list_hits));
    }

    fn pass(&mut self, cx: &mut Cx, what: impl FnOnce(&mut Sharding, &mut Cx) -> bool) {
        what(&mut self.sharding, cx);
        self.go_on();
    }
}

impl Machine for Racer {
    fn start(&mut self, cx: &mut Cx, _: Boot) {
        self.sharding.set_caches(cx, &self.caches).expect("few servers");
        cx.after(NEXT, Duration::from_millis(1));
    }
    fn timer(&mut self, cx: &mut Cx, timer: Token) {
        if timer != NEXT {
            return self.pass(cx, |sharding, cx| sharding.on_timer(cx, timer));
        }
        self.ask(cx);
        let pause = cx.rng().exponential(Duration::from_millis(15));
        cx.after(NEXT, pause);
    }
    storytime_machine::pass_to_part!(open data eof gone failed);

    fn invariants(&self) {
        self.sharding.invariants();
    }
}

/// Runs a race in which so many of 400 requests update a row.
fn race(seed: u64, cache: &CacheOptions, updates: u64) -> Truth {
    let mut site = Site::new(Shape { link: UNEVEN, ..Shape::cached(seed, cache.clone()) });
    let user = site.register("ann", 1);
    let mut truth = Truth::default();
    for item in 1..=ITEMS {
        let written = site.write(user, create("first"));
        assert_eq!(written.rows[0].0, item);
        truth.versions.insert(item, written.rows[0].1);
        truth.items += 1;
    }
    let truth = Arc::new(Mutex::new(truth));
    for n in 0..RACERS {
        let options = Options { cache: Some(cache.clone()), ..Options::default() };
        let (map, caches, truth) = (site.map.clone(), site.specs.clone(), Arc::clone(&truth));
        let make = move || Racer {
            sharding: Sharding::new(options.clone(), map.clone(), Token(0)),
            caches: caches.clone(),
            user,
            updates,
            truth: Arc::clone(&truth),
            asked: Vec::new(),
        };
        site.add_app(format!("racer{n}"), make);
    }
    site.pass(RUN);
    let mut truth = truth.lock().expect("no machine panics");
    assert!(truth.writes > 10 && truth.reads > 1_000, "{} writes", truth.writes);
    core::mem::take(&mut truth)
}

/// Stale rows and stale lists of some races.
fn stale(seeds: u64, cache: &CacheOptions, updates: u64) -> (u64, u64) {
    let mut sum = (0, 0);
    for seed in 0..seeds {
        let truth = race(seed, cache, updates);
        sum.0 += truth.stale_rows;
        sum.1 += truth.stale_lists;
        assert!(truth.hits > 20 || updates > SELDOM, "the cache is used");
    }
    sum
}

/// Now and then, and all the time.
const SELDOM: u64 = 1;
const OFTEN: u64 = 40;

fn rows(rows: RowMode, care: Care) -> CacheOptions {
    CacheOptions { rows, care, lists: true, hold_s: 2, ..CacheOptions::default() }
}

fn lists(revisions: Revisions) -> CacheOptions {
    CacheOptions { revisions, hold_s: 2, list_s: 600, ..CacheOptions::default() }
}

#[test]
fn plain_caching_of_rows_loses_races() {
    for mode in [RowMode::ReadInsert, RowMode::ReadUpdateInsert] {
        let (stale_rows, _) = stale(2, &rows(mode, Care::Plain), OFTEN);
        assert!(stale_rows > 20, "{mode:?}: {stale_rows}");
    }
}

#[test]
fn careful_caching_of_rows_loses_none() {
    for mode in [RowMode::ReadInsert, RowMode::ReadUpdateInsert] {
        for (care, updates) in [(Care::Safe, SELDOM), (Care::Safe, OFTEN), (Care::Guarded, SELDOM)]
        {
            assert_eq!(stale(2, &rows(mode, care), updates), (0, 0), "{mode:?}, {care:?}");
        }
    }
}

#[test]
fn lists_are_stale_without_a_number_or_with_a_bad_one() {
    for revisions in [Revisions::Off, Revisions::Seconds] {
        let (_, stale_lists) = stale(1, &lists(revisions), SELDOM);
        assert!(stale_lists > 20, "{revisions:?}");
    }
}

#[test]
fn lists_are_never_stale_with_a_unique_number_made_after_the_write() {
    for revisions in [Revisions::Unique, Revisions::Guarded] {
        assert_eq!(stale(2, &lists(revisions), SELDOM), (0, 0), "{revisions:?}");
    }
}

/// Whether a list is stale that was read while a write was on its way to a slow database.
fn stale_behind_slow_write(revisions: Revisions) -> bool {
    let mut site = Site::new(Shape { apps: 2, ..Shape::cached(1, lists(revisions)) });
    let user = site.register("ann", 1);
    site.create(user, "a");
    let (from, to) = (site.apps[0], site.databases[0]);
    site.world.apply(&Fault::Clog { from, to, span: Duration::from_millis(500) });
    let value = Bytes::from_static(b"b");
    let change = Change::Create { table: BLOG, item: Some(9), value };
    site.desks[0].lock().expect("no machine panics").inbox.push_back(write(user, change));
    site.pass(Duration::from_millis(100));
    let count = Request::Count { table: BLOG, user, min: 0, max: u64::MAX };
    assert_eq!(site.ask_all(1, vec![count.clone()])[0].1, Ok(Outcome::Count(1)));
    site.pass(Duration::from_secs(5));
    site.ask_all(1, vec![count]).remove(0).1 != Ok(Outcome::Count(2))
}

#[test]
fn a_number_made_before_the_write_comes_too_early() {
    assert!(stale_behind_slow_write(Revisions::Before));
    for revisions in [Revisions::Unique, Revisions::Guarded] {
        assert!(!stale_behind_slow_write(revisions), "{revisions:?}");
    }
}

/// Kills a writer at a drawn moment of each of its writes, and counts the lists that are stale once
/// all marks have expired.
fn stale_behind_dead_writers(seed: u64, revisions: Revisions) -> u64 {
    let shape = Shape { apps: 2, link: UNEVEN, ..Shape::cached(seed, lists(revisions)) };
    let mut site = Site::new(shape);
    let user = site.register("ann", 1);
    let writer = site.world.processes(site.apps[0])[0];
    let mut rng = Rng::new(seed, 77);
    let mut stale = 0;
    for _ in 0..60 {
        let count = Request::Count { table: BLOG, user, min: 0, max: u64::MAX };
        site.ask_all(1, vec![count.clone()]);
        site.desks[0].lock().expect("no machine panics").inbox.push_back(write(user, create("x")));
        let lifetime = rng.duration(Duration::ZERO, Duration::from_millis(200));
        let dies = site.world.now() + lifetime;
        site.world.schedule(dies, Fault::Kill(writer));
        site.world.schedule(dies + Duration::from_millis(5), Fault::Start(writer));
        site.pass(Duration::from_secs(3));
        let cached = site.ask_all(1, vec![count]).remove(0).1;
        let table = BLOG;
        let words = vec!["ROW.COUNT".into(), table, user.to_string().into()];
        let raw = Request::Shard { shard: ShardId(1), words };
        let Ok(Outcome::Reply(Reply::Integer(there))) = site.ask_all(1, vec![raw]).remove(0).1
        else {
            panic!("a count was asked for");
        };
        stale += u64::from(cached != Ok(Outcome::Count(there.cast_unsigned())));
    }
    stale
}

#[test]
fn a_mark_before_the_write_covers_a_writer_that_dies() {
    let stale = |revisions| (0..2).map(|seed| stale_behind_dead_writers(seed, revisions)).sum();
    let unguarded: u64 = stale(Revisions::Unique);
    assert!(unguarded > 3, "{unguarded}");
    let guarded: u64 = stale(Revisions::Guarded);
    assert_eq!(guarded, 0);
}
