//! Web servers that read rows through a cache: one machine for each host of the load.
//!
//! A page needs one or more rows, one after the other. A row is looked for in the cache; on a miss
//! the database is asked and the answer put into the cache. A cache that fails counts as a miss,
//! and as an error. A page fails if the database refuses, falls silent or is away, or if too many
//! pages are under way.
//!
//! Not modelled: writes, expiry, the page's own text, browsers. A host that loses its power loses
//! what it measured.

mod spec;

pub use spec::{KIND, Share, WebConfig, WebPages};

use super::Measures;
use super::db_link::{self, Answered, DbLink};
use super::keys::Keys;
use super::query::Verb;
use super::results::{Result, Results, histogram, record};
use super::series::Series;
use crate::metric::{Kind, MetricDef};
use crate::story::Placement;
use bytes::BytesMut;
use hdrhistogram::Histogram;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use storytime_machine::{Boot, Conn, Cx, Gone, Machine, Open, Time, Token, Work, nanos};
use storytime_memcached::client::{
    Client, ClientOptions, Event, Outcome, Placement as Table, PoolOptions, Scheme, ServerSpec,
};

/// Pages begun; one unit each.
pub const WORK_PAGES: Work = Work { index: 0, name: "web_pages" };

/// What can be measured about web servers.
pub const METRICS: &[MetricDef] = &[
    MetricDef { name: "pages", kind: Kind::Series, label: "pages served" },
    MetricDef { name: "pages_failed", kind: Kind::Series, label: "pages failed" },
    MetricDef { name: "page_time", kind: Kind::Latency, label: "time of a page" },
    MetricDef { name: "reads", kind: Kind::Series, label: "rows read" },
    MetricDef { name: "hit_ratio", kind: Kind::Shares, label: "hit ratio" },
    MetricDef { name: "keys_moved", kind: Kind::Share, label: "keys moved" },
    MetricDef { name: "cache_errors", kind: Kind::Series, label: "cache errors" },
];

/// Timers beside the database link's and the cache client's.
const ARRIVAL: Token = Token(10);
const CHANGE: Token = Token(11);
/// The cache client's tokens begin here.
const CLIENT: Token = Token(1 << 32);
/// The timer of the n-th user is this plus n.
const USERS: u64 = 1 << 40;
/// The tag of a set, whose end nobody waits for.
const SET: u64 = u64::MAX;

/// A page under way.
#[derive(Clone, Copy, Debug)]
struct Page {
    began: Time,
    /// Rows still to be read, the present one included.
    rows_left: u32,
    /// The present row's key.
    key: u32,
    /// The user who waits for it, in a closed loop.
    user: Option<u32>,
}

/// The machine.
#[derive(Debug)]
pub struct WebServer {
    config: WebConfig,
    keys: Keys,
    cache: Client,
    database: DbLink,
    pages: Vec<Option<Page>>,
    free: Vec<u32>,
    /// The pages that wait for the database, by the number of the query.
    asked: BTreeMap<u32, u32>,
    began: Time,
    next_arrival: Time,
    changes_made: usize,
    key_text: String,
    measured: Measured,
}

#[derive(Debug)]
struct Measured {
    pages: Series,
    failed: Series,
    reads: Series,
    hits: Series,
    cache_errors: Series,
    times: Histogram<u64>,
    moved: (u64, u64),
}

impl Measured {
    fn all(&mut self) -> [&mut Series; 5] {
        let Self { pages, failed, reads, hits, cache_errors, .. } = self;
        [pages, failed, reads, hits, cache_errors]
    }
}

/// How the cache client calls a placement.
pub(super) const fn scheme(placement: Placement) -> Scheme {
    match placement {
        Placement::Modulo => Scheme::Classic,
        Placement::Ring => Scheme::KetamaWeighted,
    }
}

impl WebServer {
    /// A web server that measures for the length of the run.
    pub fn new(config: WebConfig) -> Self {
        let pool = PoolOptions {
            connect_timeout: config.timeout,
            request_timeout: config.timeout,
            pending_max: config.pages_max as usize * 2,
            value_bytes_max: config.row_bytes_max as usize,
            ..PoolOptions::default()
        };
        let scheme = scheme(config.placement);
        let options = ClientOptions { scheme, pool, ..ClientOptions::default() };
        let row_bytes_max = config.row_bytes_max as usize;
        let series = || Series::new(config.duration, config.bucket);
        Self {
            keys: Keys::new(config.skew, config.keys),
            cache: Client::new(options, CLIENT),
            database: DbLink::new(config.database.clone(), config.timeout, row_bytes_max),
            pages: Vec::new(),
            free: Vec::new(),
            asked: BTreeMap::new(),
            began: Time::ZERO,
            next_arrival: Time::ZERO,
            changes_made: 0,
            key_text: String::new(),
            measured: Measured {
                pages: series(),
                failed: series(),
                reads: series(),
                hits: series(),
                cache_errors: series(),
                times: histogram(),
                moved: (0, 0),
            },
            config,
        }
    }

    // ---- pages ----------------------------------------------------------------------------------

    fn begin(&mut self, cx: &mut Cx, user: Option<u32>) {
        if self.pages.len() - self.free.len() >= self.config.pages_max as usize {
            self.measured.failed.add(cx.now(), 1);
            self.again(cx, user);
            return;
        }
        cx.work(WORK_PAGES, 1);
        let page = Page { began: cx.now(), rows_left: self.config.keys_per_page, key: 0, user };
        let slot = self.free.pop().unwrap_or_else(|| {
            self.pages.push(None);
            self.pages.len() as u32 - 1
        });
        self.pages[slot as usize] = Some(page);
        self.read_row(cx, slot);
    }

    /// Looks for the page's next row in the cache.
    fn read_row(&mut self, cx: &mut Cx, slot: u32) {
        let key = self.keys.draw(cx.rng());
        let page = self.pages[slot as usize].as_mut().expect("the page is under way");
        page.key = key;
        self.write_key(key);
        if self.cache.get(cx, self.key_text.as_bytes(), u64::from(slot)).is_err() {
            self.measured.cache_errors.add(cx.now(), 1);
            self.measured.reads.add(cx.now(), 1);
            self.ask_database(cx, slot);
        }
    }

    fn write_key(&mut self, key: u32) {
        self.key_text.clear();
        write!(self.key_text, "page:{}", self.config.first_key + u64::from(key))
            .expect("a string grows as needed");
    }

    fn ask_database(&mut self, cx: &mut Cx, slot: u32) {
        let page = self.pages[slot as usize].as_ref().expect("the page is under way");
        self.write_key(page.key);
        match self.database.ask(cx, Verb::Read, self.key_text.as_bytes()) {
            Some(id) => {
                self.asked.insert(id, slot);
            }
            None => self.end(cx, slot, false),
        }
    }

    fn row_read(&mut self, cx: &mut Cx, slot: u32) {
        let page = self.pages[slot as usize].as_mut().expect("the page is under way");
        page.rows_left -= 1;
        if page.rows_left == 0 {
            self.end(cx, slot, true);
        } else {
            self.read_row(cx, slot);
        }
    }

    fn end(&mut self, cx: &mut Cx, slot: u32, served: bool) {
        let page = self.pages[slot as usize].take().expect("a page ends once");
        self.free.push(slot);
        if served {
            self.measured.pages.add(cx.now(), 1);
            record(&mut self.measured.times, nanos(cx.now().since(page.began)));
        } else {
            self.measured.failed.add(cx.now(), 1);
        }
        self.again(cx, page.user);
    }

    /// A user of a closed loop thinks before the next page.
    fn again(&self, cx: &mut Cx, user: Option<u32>) {
        if let (Some(user), Share::Closed { think, .. }) = (user, self.config.arrivals) {
            let pause = cx.rng().exponential(think);
            cx.after(Token(USERS + u64::from(user)), pause);
        }
    }

    // ---- what comes back ------------------------------------------------------------------------

    fn drain_cache(&mut self, cx: &mut Cx) {
        while let Some(Event { tag, outcome }) = self.cache.next_event() {
            if let Outcome::Failed(_) | Outcome::Refused(_) = outcome {
                self.measured.cache_errors.add(cx.now(), 1);
            }
            if tag == SET {
                continue;
            }
            let slot = tag as u32;
            // Counted when the cache has answered, in the same bucket as the hit.
            self.measured.reads.add(cx.now(), 1);
            if matches!(outcome, Outcome::Hit(_)) {
                self.measured.hits.add(cx.now(), 1);
                self.row_read(cx, slot);
            } else {
                self.ask_database(cx, slot);
            }
        }
    }

    fn answered(&mut self, cx: &mut Cx, answer: Answered) {
        // A query that ran out of time is answered to nobody.
        let Some(slot) = self.asked.remove(&answer.id) else { return };
        let Some(row) = answer.row else {
            self.end(cx, slot, false);
            return;
        };
        let page = self.pages[slot as usize].as_ref().expect("the page is under way");
        self.write_key(page.key);
        if self.cache.set(cx, self.key_text.as_bytes(), &row[..], 0, SET).is_err() {
            self.measured.cache_errors.add(cx.now(), 1);
        }
        self.row_read(cx, slot);
    }

    fn fail(&mut self, cx: &mut Cx, queries: Vec<u32>) {
        for id in queries {
            if let Some(slot) = self.asked.remove(&id) {
                self.end(cx, slot, false);
            }
        }
    }

    // ---- the list of caches ---------------------------------------------------------------------

    fn change(&mut self, cx: &mut Cx) {
        let Some((_, servers)) = self.config.changes.get(self.changes_made).cloned() else {
            return;
        };
        self.changes_made += 1;
        let old = self.cache.placement().clone();
        let before = match self.changes_made {
            1 => self.config.caches.clone(),
            n => self.config.changes[n - 2].1.clone(),
        };
        self.cache
            .set_servers(cx, &servers)
            .expect("a story has fewer hosts than a client servers");
        if self.config.part == 0 {
            self.count_moves(&old, &before, &servers);
        }
        self.set_change_timer(cx);
    }

    fn count_moves(&mut self, old: &Table, before: &[ServerSpec], after: &[ServerSpec]) {
        for key in 0..self.config.keys {
            self.write_key(key);
            let key = self.key_text.as_bytes();
            let was = old.pick(key).map(|n| &before[n].at);
            let is = self.cache.placement().pick(key).map(|n| &after[n].at);
            self.measured.moved.0 += u64::from(was != is);
            self.measured.moved.1 += 1;
        }
    }

    fn set_change_timer(&self, cx: &mut Cx) {
        if let Some((at, _)) = self.config.changes.get(self.changes_made) {
            cx.at(CHANGE, self.began + *at);
        }
    }

    fn arrive(&mut self, cx: &mut Cx) {
        let Share::Open { gap, gaps } = self.config.arrivals else { return };
        while self.next_arrival <= cx.now() {
            self.begin(cx, None);
            self.next_arrival += gaps.next(cx.rng(), gap);
        }
        cx.at(ARRIVAL, self.next_arrival);
    }
}

impl Measures for WebServer {
    fn results(&self) -> Results {
        let m = &self.measured;
        Results(
            [
                ("pages", Result::Series(m.pages.clone())),
                ("pages_failed", Result::Series(m.failed.clone())),
                ("page_time", Result::Latency(m.times.clone())),
                ("reads", Result::Series(m.reads.clone())),
                ("hit_ratio", Result::Shares(m.hits.clone(), m.reads.clone())),
                ("keys_moved", Result::Share(m.moved.0, m.moved.1)),
                ("cache_errors", Result::Series(m.cache_errors.clone())),
            ]
            .into(),
        )
    }
}

impl Machine for WebServer {
    fn start(&mut self, cx: &mut Cx, _boot: Boot) {
        self.began = cx.now();
        for series in self.measured.all() {
            series.begin(self.began);
        }
        let caches = self.config.caches.clone();
        self.cache.set_servers(cx, &caches).expect("a story has fewer hosts than a client servers");
        self.database.connect(cx);
        self.set_change_timer(cx);
        match self.config.arrivals {
            Share::Open { gap, gaps } => {
                self.next_arrival = self.began + gaps.first(cx.rng(), gap);
                cx.at(ARRIVAL, self.next_arrival);
            }
            Share::Asked => {}
            Share::Closed { users, .. } => (0..users).for_each(|user| self.again(cx, Some(user))),
        }
    }

    fn open(&mut self, cx: &mut Cx, conn: Conn, how: Open) {
        if self.cache.on_open(cx, conn, &how) {
            self.drain_cache(cx);
        } else {
            self.database.opened(cx, conn);
        }
    }

    fn data(&mut self, cx: &mut Cx, conn: Conn, rx: &mut BytesMut) {
        if !self.cache.on_data(cx, conn, rx) {
            while let Some(answer) = self.database.next_answer(cx, rx) {
                self.answered(cx, answer);
            }
        }
        self.drain_cache(cx);
    }

    fn eof(&mut self, cx: &mut Cx, conn: Conn) {
        if !self.cache.on_eof(cx, conn) {
            cx.close(conn, storytime_machine::Close::Flush);
        }
        self.drain_cache(cx);
    }

    fn gone(&mut self, cx: &mut Cx, conn: Conn, why: Gone) {
        if !self.cache.on_gone(cx, conn, why) && self.database.owns(conn) {
            let queries = self.database.lost(cx);
            self.fail(cx, queries);
        }
        self.drain_cache(cx);
    }

    fn failed(&mut self, cx: &mut Cx, connect: Token, why: Gone) {
        if !self.cache.on_failed(cx, connect, why) {
            let queries = self.database.lost(cx);
            self.fail(cx, queries);
        }
        self.drain_cache(cx);
    }

    fn timer(&mut self, cx: &mut Cx, timer: Token) {
        match timer {
            ARRIVAL => self.arrive(cx),
            CHANGE => self.change(cx),
            db_link::RETRY => self.database.connect(cx),
            db_link::DEADLINE => {
                let queries = self.database.expired(cx);
                self.fail(cx, queries);
            }
            _ if self.cache.on_timer(cx, timer) => {}
            Token(user) => self.begin(cx, Some((user - USERS) as u32)),
        }
        self.drain_cache(cx);
    }

    fn invariants(&self) {
        self.cache.invariants();
        self.database.invariants();
        let under_way = self.pages.len() - self.free.len();
        assert!(under_way <= self.config.pages_max as usize, "pages are bounded");
        assert!(self.asked.len() <= under_way, "only pages wait for the database");
    }

    fn counters(&self, each: &mut dyn FnMut(&'static str, u64)) {
        each("pages_under_way", (self.pages.len() - self.free.len()) as u64);
        each("pages_served", self.measured.times.len());
    }
}
