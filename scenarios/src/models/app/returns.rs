//! What comes back to jobs, and what the timeline tells them.

use super::desk::DETACHED;
use super::hands::Came;
use super::jobs::{Arrived, Jobs};
use super::machine::{App, TELL, Why};
use super::orders::Orders;
use super::{LANES_MAX, PACKET_BYTES, Workload, lock};
use crate::models::pages::Pages;
use storytime_database::client::Client as Dbd;
use storytime_machine::{Conn, Cx, Exit};
use storytime_memcached::client::{Event, Outcome};
use storytime_sharding::Sharding;

/// Most answers that are handed out in one step: more than all workers and all who wait for them
/// can be given, unless a job asks again and again for what is answered on this host.
const STEP_ANSWERS_MAX: u32 = 10_000_000;

impl<W: Workload> App<W> {
    /// Hands out everything that has come.
    ///
    /// # Panics
    /// If that has no end, which is a bug of the workload.
    pub(super) fn drain(&mut self, cx: &mut Cx) {
        let mut answers = 0;
        loop {
            answers += 1;
            let (kind, part) = (W::KIND, self.config.part);
            assert!(
                answers <= STEP_ANSWERS_MAX,
                "a job of `{kind}` on its host {part} goes on for ever at one instant",
            );
            if let Some(Event { tag, outcome }) = self.desk.cache.next_event() {
                if let Outcome::Failed(_) | Outcome::Refused(_) = outcome {
                    self.count(cx, "cache_errors");
                }
                if tag != DETACHED {
                    self.resume(cx, tag, Came::Cache(outcome));
                }
            } else if let Some((tag, came)) = self.desk.at_once.pop_front() {
                if let Came::Cache(_) = came {
                    self.count(cx, "cache_errors");
                }
                if tag != DETACHED {
                    self.resume(cx, tag, came);
                }
            } else if let Some((tag, page)) = self.desk.pages.as_mut().and_then(Pages::next_end) {
                self.resume(cx, tag, Came::Page(page));
            } else if let Some(event) = self.desk.dbd.as_mut().and_then(Dbd::next_event) {
                self.resume(cx, event.tag, Came::Dbd(event.outcome));
            } else if let Some(event) = self.desk.sharding.as_mut().and_then(Sharding::next_event) {
                self.resume(cx, event.tag, Came::Shards(event.outcome));
            } else if let Some((tag, line)) = self.desk.orders.as_mut().and_then(Orders::next_end) {
                self.resume(cx, tag, Came::Ordered(line));
            } else if let Some(arrived) = self.desk.jobs.as_mut().and_then(Jobs::next_arrived) {
                match arrived {
                    Arrived::Job(number) => self.came(cx, Why::Assigned(number)),
                    Arrived::For(tag, came) => self.resume(cx, tag, came),
                }
            } else {
                break;
            }
        }
        self.count_packets(cx);
        self.count_shards(cx);
        if self.desk.jobs.as_ref().is_some_and(Jobs::has_left) {
            cx.exit(Exit::Failed("it has done its share of jobs"));
        }
    }

    /// Counts what the requests over shards asked of databases and caches.
    fn count_shards(&mut self, cx: &Cx) {
        let Some(sharding) = &self.desk.sharding else { return };
        let (now, before) = (*sharding.counters(), self.desk.sharding_counted);
        self.desk.sharding_counted = now;
        let mut book = lock(&self.desk.book);
        for (name, now, before) in [
            ("queries", now.database_requests, before.database_requests),
            ("cache_requests", now.cache_requests, before.cache_requests),
        ] {
            if now > before {
                book.count(name, cx.now(), now - before);
            }
        }
    }

    /// Counts what leaves for the caches behind this call, but for what a slow peer's window does
    /// not take. The check's own packets are not the load's.
    fn count_packets(&self, cx: &Cx) {
        if self.at_rest(cx.now()) {
            return;
        }
        let of = |conn: &Conn| cx.pending(*conn).div_ceil(PACKET_BYTES) as u64;
        let packets = self.desk.conns.iter().map(of).sum();
        if packets != 0 {
            lock(&self.desk.book).count("packets", cx.now(), packets);
        }
    }

    pub(super) fn tell(&mut self, cx: &mut Cx) {
        let Some(&(_, verb)) = self.config.told.get(self.told) else { return };
        self.told += 1;
        for lane in 0..self.work.lanes(verb).min(LANES_MAX) {
            self.came(cx, Why::Told(verb, lane));
        }
        self.set_tell_timer(cx);
    }

    pub(super) fn set_tell_timer(&self, cx: &mut Cx) {
        if let Some((at, _)) = self.config.told.get(self.told) {
            cx.at(TELL, self.began + *at);
        }
    }

    pub(super) fn fail(&mut self, cx: &mut Cx, queries: Vec<u32>) {
        for id in queries {
            if let Some(tag) = self.desk.asked.remove(&id) {
                self.resume(cx, tag, Came::Row(None));
            }
        }
    }

    pub(super) fn database_lost(&mut self, cx: &mut Cx) {
        let queries = self.desk.database.as_mut().map(|link| link.lost(cx));
        self.fail(cx, queries.unwrap_or_default());
    }
}
