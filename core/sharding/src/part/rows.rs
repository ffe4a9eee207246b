//! Rows by their items: from memcached, and from the shard what is not there.

use super::Sharding;
use super::job::{Input, Job, JobId, Work};
use super::touch::{CONTENT, cached_row, row_key, row_value};
use super::wire::{number, rows, word};
use crate::options::{Care, RowMode};
use crate::outcome::{Error, Outcome, Row};
use storytime_machine::Cx;
use storytime_memcached::client::{Op, Outcome as Cached, Store, Verb};

/// Rows being read.
#[derive(Debug)]
pub(super) struct RowsJob {
    items: Vec<u64>,
    /// In the order of the items.
    found: Vec<Option<Row>>,
    /// Items that memcached does not have, and whether the row may be put there.
    missing: Vec<(u64, bool)>,
}

impl RowsJob {
    pub(super) fn new(items: Vec<u64>) -> Self {
        let found = vec![None; items.len()];
        Self { items, found, missing: Vec::new() }
    }
}

impl Job {
    fn rows(&mut self) -> &mut RowsJob {
        match &mut self.work {
            Work::Rows(rows) => rows,
            _ => unreachable!("it reads rows"),
        }
    }
}

impl Sharding {
    /// How rows are kept, if they are.
    pub(super) fn row_mode(&self) -> Option<(RowMode, Care)> {
        let cache = self.caching()?;
        (cache.rows != RowMode::Off).then_some((cache.rows, cache.care))
    }

    pub(super) fn rows_step(
        &mut self,
        cx: &mut Cx,
        id: JobId,
        job: &mut Job,
        input: Input,
    ) -> Result<Option<Outcome>, Error> {
        match input {
            Input::Begin if self.row_mode().is_some() => {
                let (table, user) = (job.table.clone(), job.user);
                let keys = job.rows().items.iter().map(|&item| row_key(&table, user, item));
                let keys: Vec<Vec<u8>> = keys.collect();
                self.ask_cache_many(cx, id, &keys);
                Ok(None)
            }
            Input::Begin => {
                let rows = job.rows();
                rows.missing = rows.items.iter().map(|&item| (item, false)).collect();
                self.ask_rows(cx, id, job)
            }
            Input::Cache(outcome) => {
                self.rows_cached(job, outcome);
                if job.rows().missing.is_empty() {
                    return Ok(Some(all(job)));
                }
                self.ask_rows(cx, id, job)
            }
            Input::Checked(reply) => {
                let items: Vec<u64> = job.rows().missing.iter().map(|(item, _)| *item).collect();
                let read = rows(reply, &items)?;
                self.insert_rows(cx, job, &read);
                let job_rows = job.rows();
                for row in read.into_iter().flatten() {
                    let places = job_rows.items.iter().zip(&mut job_rows.found);
                    places.filter(|(item, _)| **item == row.item).for_each(|(_, place)| {
                        *place = Some(row.clone());
                    });
                }
                Ok(Some(all(job)))
            }
            // Located, then: asks there.
            _ => self.ask_rows(cx, id, job),
        }
    }

    fn ask_rows(
        &mut self,
        cx: &mut Cx,
        id: JobId,
        job: &mut Job,
    ) -> Result<Option<Outcome>, Error> {
        let mut words = vec![word("ROW.MGET"), job.table.clone(), number(job.user.0)];
        words.extend(job.rows().missing.iter().map(|(item, _)| number(*item)));
        self.ask_checked(cx, id, job, &words)?;
        Ok(None)
    }

    /// Takes what memcached has.
    fn rows_cached(&mut self, job: &mut Job, outcome: Cached) {
        let outcomes = match outcome {
            Cached::Many(outcomes) => outcomes,
            _ => Vec::new(),
        };
        let rows = job.rows();
        for (at, &item) in rows.items.iter().enumerate() {
            let hit = match outcomes.get(at) {
                Some(Cached::Hit(value)) => Some(value),
                _ => None,
            };
            let content = hit.filter(|value| value.flags == CONTENT);
            rows.found[at] = content.and_then(|value| cached_row(item, &value.data));
            if rows.found[at].is_some() {
                self.counters.row_hits += 1;
            } else {
                self.counters.row_misses += 1;
                // Where there is a mark, a write is under way or was a moment ago.
                rows.missing.push((item, hit.is_none()));
            }
        }
    }

    /// Puts rows into memcached that were read from a shard.
    fn insert_rows(&mut self, cx: &mut Cx, job: &mut Job, read: &[Option<Row>]) {
        let (Some((_, care)), Some(known)) = (self.row_mode(), job.seat.known) else { return };
        let verb = if care == Care::Plain { Verb::Set } else { Verb::Add };
        let (table, user) = (job.table.clone(), job.user);
        let missing = core::mem::take(&mut job.rows().missing);
        for (row, (_, may_insert)) in read.iter().zip(missing) {
            if let Some(row) = row.as_ref().filter(|_| may_insert) {
                let value = row_value(known.place.shard, row.version, &row.value);
                let store = Store { flags: CONTENT, ..Store::new(verb, value) };
                self.tell_cache(cx, &row_key(&table, user, row.item), &Op::Store(store));
            }
        }
    }
}

/// The rows that are there.
fn all(job: &mut Job) -> Outcome {
    Outcome::Rows(core::mem::take(&mut job.rows().found).into_iter().flatten().collect())
}
