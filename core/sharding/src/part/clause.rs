//! Lists and counts: from memcached under the revision number of their table and user, else from
//! the shard.

use super::Sharding;
use super::job::{Input, Job, JobId, Work};
use super::rows::RowsJob;
use super::touch::{CONTENT, fresh_number, revision_key};
use super::wire::{decimal, number, numbers, unsigned, word};
use crate::map::UserId;
use crate::options::Revisions;
use crate::outcome::{Error, Outcome};
use crate::request::Query;
use bytes::Bytes;
use core::fmt::Write as _;
use storytime_database::Reply;
use storytime_machine::Cx;
use storytime_memcached::client::{Op, Outcome as Cached, Store, Value, Verb};

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub(super) enum Clause {
    List(Query),
    Count { min: u64, max: u64 },
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Answer {
    Items(Vec<u64>),
    Count(u64),
}

/// A list or count being read.
#[derive(Debug)]
pub(super) struct ClauseJob {
    clause: Clause,
    /// Whether the rows of the list are wanted.
    then_rows: bool,
    stage: Stage,
}

/// What is awaited.
#[derive(Debug)]
enum Stage {
    /// The revision number, and perhaps the place behind it.
    Revision { place: bool },
    /// A revision number of our own was put where none was.
    Added { number: Bytes },
    /// What is cached under this key.
    Cached { key: Vec<u8> },
    /// The shard; what it says is kept under this key.
    Shard { key: Option<Vec<u8>> },
}

impl ClauseJob {
    pub(super) const fn new(clause: Clause, then_rows: bool) -> Self {
        Self { clause, then_rows, stage: Stage::Shard { key: None } }
    }
}

impl Job {
    fn clause(&mut self) -> &mut ClauseJob {
        match &mut self.work {
            Work::Clause(clause) => clause,
            _ => unreachable!("it reads a list or count"),
        }
    }

    fn clause_goes_to(&mut self, stage: Stage) {
        self.clause().stage = stage;
    }
}

impl Sharding {
    /// How lists are kept, if they are.
    pub(super) fn list_revisions(&self) -> Option<Revisions> {
        self.caching().filter(|cache| cache.lists).map(|cache| cache.revisions)
    }

    pub(super) fn clause_step(
        &mut self,
        cx: &mut Cx,
        id: JobId,
        job: &mut Job,
        input: Input,
    ) -> Result<Option<Outcome>, Error> {
        match input {
            Input::Begin => match self.list_revisions() {
                None => self.ask_clause(cx, id, job),
                Some(Revisions::Off) => Ok(self.ask_cached(cx, id, job, b"-")),
                Some(_) => Ok(self.ask_revision(cx, id, job)),
            },
            Input::Cache(outcome) => self.clause_cached(cx, id, job, outcome),
            Input::Checked(reply) => {
                let answer = read(&job.clause().clause, reply)?;
                let stage = core::mem::replace(&mut job.clause().stage, Stage::Shard { key: None });
                if let Stage::Shard { key: Some(key) } = stage {
                    self.keep_answer(cx, &key, &answer);
                }
                self.answered(cx, id, job, answer)
            }
            // Located, then: asks there.
            _ => self.ask_clause(cx, id, job),
        }
    }

    /// The revision number and, in the same request, the place, if that is wanted as well.
    fn ask_revision(&mut self, cx: &mut Cx, id: JobId, job: &mut Job) -> Option<Outcome> {
        let mut keys = vec![revision_key(&job.table, job.user)];
        let place = self.place_key(job);
        job.clause_goes_to(Stage::Revision { place: place.is_some() });
        keys.extend(place);
        self.ask_cache_many(cx, id, &keys);
        None
    }

    fn ask_cached(
        &mut self,
        cx: &mut Cx,
        id: JobId,
        job: &mut Job,
        revision: &[u8],
    ) -> Option<Outcome> {
        let clause = job.clause().clause;
        let key = clause_key(&clause, &job.table, job.user, revision);
        self.ask_cache(cx, id, 0, &key, &Op::Get);
        job.clause_goes_to(Stage::Cached { key });
        None
    }

    fn ask_clause(
        &mut self,
        cx: &mut Cx,
        id: JobId,
        job: &mut Job,
    ) -> Result<Option<Outcome>, Error> {
        let clause = job.clause().clause;
        let words = words(&clause, job.table.clone(), job.user);
        self.ask_checked(cx, id, job, &words)?;
        Ok(None)
    }

    /// Memcached answered.
    fn clause_cached(
        &mut self,
        cx: &mut Cx,
        id: JobId,
        job: &mut Job,
        outcome: Cached,
    ) -> Result<Option<Outcome>, Error> {
        let uncached = Stage::Shard { key: None };
        match core::mem::replace(&mut job.clause().stage, uncached) {
            Stage::Revision { place } => {
                let mut outcomes = match outcome {
                    Cached::Many(outcomes) => outcomes.into_iter(),
                    _ => Vec::new().into_iter(),
                };
                let revision = outcomes.next();
                if place {
                    let value = outcomes.next().and_then(Cached::value).map(|value| value.data);
                    self.take_cached_place(job, value.as_ref())?;
                    // Asked once; what is not there is asked of the directory.
                    job.seat.pass_caches();
                }
                self.revision_came(cx, id, job, revision)
            }
            Stage::Added { number } => {
                if outcome == Cached::Stored {
                    // Nothing can be cached under a number that nobody had.
                    self.counters.list_misses += 1;
                    let clause = job.clause().clause;
                    let key = clause_key(&clause, &job.table, job.user, &number);
                    job.clause_goes_to(Stage::Shard { key: Some(key) });
                }
                self.ask_clause(cx, id, job)
            }
            Stage::Cached { key } => {
                let clause = job.clause().clause;
                let value = outcome.value();
                if let Some(answer) = value.and_then(|value| decode(&clause, &value)) {
                    self.counters.list_hits += 1;
                    return self.answered(cx, id, job, answer);
                }
                self.counters.list_misses += 1;
                job.clause_goes_to(Stage::Shard { key: Some(key) });
                self.ask_clause(cx, id, job)
            }
            Stage::Shard { .. } => unreachable!("memcached is not asked while a shard is"),
        }
    }

    fn revision_came(
        &mut self,
        cx: &mut Cx,
        id: JobId,
        job: &mut Job,
        revision: Option<Cached>,
    ) -> Result<Option<Outcome>, Error> {
        match revision {
            Some(Cached::Hit(value)) if value.flags == CONTENT => {
                Ok(self.ask_cached(cx, id, job, &value.data))
            }
            Some(Cached::Miss) => {
                let number = match self.list_revisions() {
                    Some(Revisions::Seconds) => number(cx.wall_clock().as_secs()),
                    _ => fresh_number(cx),
                };
                let key = revision_key(&job.table, job.user);
                let add = Store::new(Verb::Add, &number);
                self.ask_cache(cx, id, 0, &key, &Op::Store(add));
                job.clause_goes_to(Stage::Added { number });
                Ok(None)
            }
            // A write is under way, or memcached is not there.
            _ => {
                self.counters.list_misses += 1;
                self.ask_clause(cx, id, job)
            }
        }
    }

    fn keep_answer(&mut self, cx: &mut Cx, key: &[u8], answer: &Answer) {
        let exptime = self.caching().map_or(0, |cache| cache.list_s);
        let store = Store { exptime, ..Store::new(Verb::Set, encode(answer)) };
        self.tell_cache(cx, key, &Op::Store(store));
    }

    fn answered(
        &mut self,
        cx: &mut Cx,
        id: JobId,
        job: &mut Job,
        answer: Answer,
    ) -> Result<Option<Outcome>, Error> {
        let then_rows = job.clause().then_rows;
        match answer {
            Answer::Count(count) => Ok(Some(Outcome::Count(count))),
            Answer::Items(items) if !then_rows => Ok(Some(Outcome::Items(items))),
            Answer::Items(items) if items.is_empty() => Ok(Some(Outcome::Rows(Vec::new()))),
            Answer::Items(items) => {
                job.work = Work::Rows(RowsJob::new(items));
                self.rows_step(cx, id, job, Input::Begin)
            }
        }
    }
}

fn words(clause: &Clause, table: Bytes, user: UserId) -> Vec<Bytes> {
    match clause {
        Clause::List(query) => {
            let (min, max) = (number(query.min), number(query.max));
            let mut words = vec![word("ROW.RANGE"), table, number(user.0), min, max];
            if query.newest_first {
                words.push(word("REV"));
            }
            words.extend([word("LIMIT"), number(query.limit.into()), word("KEYS")]);
            words
        }
        Clause::Count { min, max } => {
            vec![word("ROW.COUNT"), table, number(user.0), number(*min), number(*max)]
        }
    }
}

fn clause_key(clause: &Clause, table: &[u8], user: UserId, revision: &[u8]) -> Vec<u8> {
    let mut key = match clause {
        Clause::List(_) => b"list:".to_vec(),
        Clause::Count { .. } => b"count:".to_vec(),
    };
    key.extend_from_slice(table);
    key.extend_from_slice(format!(":{user}:").as_bytes());
    key.extend_from_slice(revision);
    let rest = match clause {
        Clause::List(Query { min, max, newest_first, limit }) => {
            let order = if *newest_first { "desc" } else { "asc" };
            format!(":{min}:{max}:{order}:{limit}")
        }
        Clause::Count { min, max } => format!(":{min}:{max}"),
    };
    key.extend_from_slice(rest.as_bytes());
    key
}

fn read(clause: &Clause, reply: Reply) -> Result<Answer, Error> {
    match clause {
        Clause::List(_) => numbers(reply).map(Answer::Items),
        Clause::Count { .. } => unsigned(&reply).map(Answer::Count),
    }
}

fn encode(answer: &Answer) -> Bytes {
    match answer {
        Answer::Count(count) => number(*count),
        Answer::Items(items) => {
            let mut text = String::new();
            for item in items {
                write!(text, "{item} ").expect("strings grow as needed");
            }
            Bytes::from(text)
        }
    }
}

fn decode(clause: &Clause, value: &Value) -> Option<Answer> {
    match clause {
        Clause::Count { .. } => decimal(&value.data).ok().map(Answer::Count),
        Clause::List(_) => {
            let words = value.data.split(|&byte| byte == b' ').filter(|word| !word.is_empty());
            words.map(|word| decimal(word).ok()).collect::<Option<_>>().map(Answer::Items)
        }
    }
}
