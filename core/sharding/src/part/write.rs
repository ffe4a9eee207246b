//! Writing: one batch that the database accepts only while the user's home row is as it was seen.

use super::Sharding;
use super::job::{Input, Job, JobId, Work};
use super::touch::Touch;
use super::wire::{batch, failed_check, found, number, numbers, reply_of, word};
use crate::home::Verdict;
use crate::map::{ShardId, UserId};
use crate::outcome::{Error, Outcome, Written};
use crate::request::Change;
use bytes::Bytes;
use storytime_database::Reply;
use storytime_database::client::Failure;
use storytime_machine::Cx;

/// Changes being made.
#[derive(Debug)]
pub(super) struct WriteJob {
    changes: Vec<Change>,
    /// The item of each change, once it is known.
    items: Vec<Option<u64>>,
    index: Option<u64>,
    /// Which change each clause of the batch belongs to; the home's check is of none.
    clauses: Vec<Option<usize>>,
    touches: Vec<Touch>,
    /// Cache requests that are awaited.
    awaited: usize,
    stage: Stage,
    tries: u32,
    /// Whether caches were told that a write comes.
    announced: bool,
    result: Option<Result<Vec<(u64, u64)>, Error>>,
}

/// What is awaited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The place.
    Place,
    /// The home row.
    Home,
    /// A number for this change.
    Number(usize),
    /// Caches, before the write.
    Before,
    /// The batch.
    Batch,
    /// Caches, after the write.
    After,
}

impl WriteJob {
    pub(super) fn new(changes: Vec<Change>, index: Option<u64>) -> Self {
        let item = |change: &Change| match change {
            Change::Create { item, .. } => *item,
            Change::Update { item, .. } | Change::Delete { item, .. } => Some(*item),
        };
        Self {
            items: changes.iter().map(item).collect(),
            changes,
            index,
            clauses: Vec::new(),
            touches: Vec::new(),
            awaited: 0,
            stage: Stage::Place,
            tries: 0,
            announced: false,
            result: None,
        }
    }

    /// Forgets numbers that were drawn: they belong to a shard, or are taken. Caches were told of
    /// the rows with these numbers, which are not this write's: they are told anew, of others.
    /// Marks that were put there expire.
    fn forget_numbers(&mut self) {
        for (change, item) in self.changes.iter().zip(&mut self.items) {
            if matches!(change, Change::Create { item: None, .. }) && item.take().is_some() {
                self.touches.clear();
                self.announced = false;
            }
        }
    }

    /// The batch, behind the home's check.
    fn batch(&mut self, user: UserId, home: u64) -> Vec<Bytes> {
        let mut words = batch(user, home);
        self.clauses = vec![None];
        for (at, change) in self.changes.iter().enumerate() {
            let item = number(self.items[at].expect("numbers are drawn before the batch"));
            let table = change.table().clone();
            let version = match change {
                Change::Create { .. } => Some(0),
                Change::Update { version, .. } | Change::Delete { version, .. } => *version,
            };
            if let Some(version) = version {
                words.extend([word("CHECK"), table.clone(), item.clone(), number(version)]);
                self.clauses.push(Some(at));
            }
            match change {
                Change::Create { value, .. } | Change::Update { value, .. } => {
                    words.extend([word("PUT"), table, item, value.clone()]);
                }
                Change::Delete { .. } => words.extend([word("DEL"), table, item]),
            }
            self.clauses.push(Some(at));
        }
        words
    }

    /// Item and version of each change, from the versions of the batch's clauses.
    fn versions(&self, replies: &[u64]) -> Result<Vec<(u64, u64)>, Error> {
        if replies.len() != self.clauses.len() {
            return Err(Error::Garbled);
        }
        let mut rows: Vec<_> = self.items.iter().map(|item| (item.unwrap_or(0), 0)).collect();
        for (clause, version) in self.clauses.iter().zip(replies) {
            if let Some(at) = clause {
                rows[*at].1 = *version;
            }
        }
        Ok(rows)
    }
}

impl Job {
    fn write(&mut self) -> &mut WriteJob {
        match &mut self.work {
            Work::Write(write) => write,
            _ => unreachable!("it writes"),
        }
    }
}

impl Sharding {
    pub(super) fn write_step(
        &mut self,
        cx: &mut Cx,
        id: JobId,
        job: &mut Job,
        part: u16,
        input: Input,
    ) -> Result<Option<Outcome>, Error> {
        let gone_on = match (job.write().stage, input) {
            (_, Input::Begin | Input::Located) => self.write_on(cx, id, job),
            (Stage::Home, Input::Database(outcome)) => self.home_came(cx, id, job, outcome),
            (Stage::Number(change), Input::Database(outcome)) => {
                self.number_came(cx, id, job, change, outcome)
            }
            (Stage::Batch, Input::Database(outcome)) => self.batch_came(cx, id, job, outcome),
            (Stage::Before | Stage::After, Input::Cache(outcome)) => {
                return self.touch_came(cx, id, job, part, outcome);
            }
            (_, _) => Err(Error::Garbled),
        };
        match gone_on {
            Ok(()) => Ok(None),
            Err(error) => self.ended(cx, id, job, Err(error)),
        }
    }

    /// Does the next thing that has to be done before the batch, or sends it.
    fn write_on(&mut self, cx: &mut Cx, id: JobId, job: &mut Job) -> Result<(), Error> {
        loop {
            job.write().stage = Stage::Place;
            if !self.locate(cx, id, job)? {
                return Ok(());
            }
            if self.admits(job, true)? {
                break;
            }
        }
        let known = job.seat.known.expect("it was just located");
        // Where homes may be absent, they are: it is tried without looking first.
        let optional = known.homes == crate::home::Homes::Optional;
        let Some(home) = known.home.or_else(|| optional.then_some(0)) else {
            job.write().stage = Stage::Home;
            self.ask_home(cx, id, job);
            return Ok(());
        };
        if let Some(change) = job.write().items.iter().position(Option::is_none) {
            job.write().stage = Stage::Number(change);
            let table = job.write().changes[change].table().clone();
            let mut words = batch(job.user, home);
            words.extend([word("NEXT"), table, number(1)]);
            self.ask_database(cx, id, known.server, &words);
            return Ok(());
        }
        if !job.write().announced {
            job.write().announced = true;
            if self.announce(cx, id, job) {
                return Ok(());
            }
        }
        let user = job.user;
        job.write().stage = Stage::Batch;
        let words = job.write().batch(user, home);
        self.ask_database(cx, id, known.server, &words);
        Ok(())
    }

    /// The home row came, as was asked.
    fn home_came(
        &mut self,
        cx: &mut Cx,
        id: JobId,
        job: &mut Job,
        outcome: Result<Reply, Failure>,
    ) -> Result<(), Error> {
        let shard = shard_of(job);
        let row = found(reply_of(outcome, Some(shard))?)?;
        match self.see_home(cx, job, row)? {
            Verdict::Active => self.write_on(cx, id, job),
            Verdict::ReadOnly | Verdict::Arriving => {
                self.counters.read_only += 1;
                Err(Error::ReadOnly { shard })
            }
            Verdict::Elsewhere => {
                job.write().forget_numbers();
                match self.relocate(cx, id, job)? {
                    Some(_) => self.write_on(cx, id, job),
                    None => Ok(()),
                }
            }
        }
    }

    fn number_came(
        &mut self,
        cx: &mut Cx,
        id: JobId,
        job: &mut Job,
        change: usize,
        outcome: Result<Reply, Failure>,
    ) -> Result<(), Error> {
        let reply = match reply_of(outcome, Some(shard_of(job))) {
            Err(error) if failed_check(&error) == Some(0) => return self.again(cx, id, job),
            reply => numbers(reply?)?,
        };
        let [_, item] = reply[..] else { return Err(Error::Garbled) };
        job.write().items[change] = Some(item);
        self.write_on(cx, id, job)
    }

    /// The home row is not as it was seen: looks again.
    fn again(&mut self, cx: &mut Cx, id: JobId, job: &mut Job) -> Result<(), Error> {
        self.counters.retries += 1;
        job.write().tries += 1;
        if job.write().tries > self.options.tries_max {
            return Err(Error::Contended);
        }
        job.write().stage = Stage::Home;
        self.ask_home(cx, id, job);
        Ok(())
    }

    fn batch_came(
        &mut self,
        cx: &mut Cx,
        id: JobId,
        job: &mut Job,
        outcome: Result<Reply, Failure>,
    ) -> Result<(), Error> {
        let error = match reply_of(outcome, Some(shard_of(job))) {
            Ok(reply) => {
                let rows = numbers(reply).and_then(|replies| job.write().versions(&replies))?;
                let user = job.user;
                let write = job.write();
                if let Some(at) = write.index {
                    self.feed_index(cx, user, &write.changes, &rows, at);
                }
                self.after(cx, id, job, Ok(rows));
                return Ok(());
            }
            Err(error) => error,
        };
        let Some(clause) = failed_check(&error) else { return Err(error) };
        let Some(change) = job.write().clauses.get(clause).copied().flatten() else {
            return self.again(cx, id, job);
        };
        match &job.write().changes[change] {
            Change::Create { item: None, .. } => {
                // Somebody chose the number that was drawn: draws another.
                job.write().forget_numbers();
                self.counters.retries += 1;
                job.write().tries += 1;
                if job.write().tries > self.options.tries_max {
                    return Err(Error::Contended);
                }
                self.write_on(cx, id, job)
            }
            Change::Create { .. } => Err(Error::Exists { change }),
            Change::Update { .. } | Change::Delete { .. } => Err(Error::Changed { change }),
        }
    }

    /// Tells caches that a write comes; says whether any answer is awaited.
    fn announce(&mut self, cx: &mut Cx, id: JobId, job: &mut Job) -> bool {
        if self.caching().is_none() {
            return false;
        }
        let user = job.user;
        let write = job.write();
        write.stage = Stage::Before;
        let mut tables: Vec<Bytes> = Vec::new();
        for (at, change) in write.changes.iter().enumerate() {
            let table = change.table();
            let item = write.items[at].expect("numbers are drawn before caches are told");
            write.touches.push(Touch::row(cx, table, user, item));
            if !tables.contains(table) {
                tables.push(table.clone());
            }
        }
        for table in tables {
            write.touches.push(Touch::revision(cx, &table, user));
        }
        let mut touches = core::mem::take(&mut job.write().touches);
        let mut awaited = 0;
        for (part, touch) in (0..).zip(&mut touches) {
            awaited += usize::from(self.touch_before(cx, id, part, touch));
        }
        let write = job.write();
        (write.touches, write.awaited) = (touches, awaited);
        awaited > 0
    }

    /// Tells caches what was written, or may have been.
    fn after(
        &mut self,
        cx: &mut Cx,
        id: JobId,
        job: &mut Job,
        result: Result<Vec<(u64, u64)>, Error>,
    ) {
        let shard = job.seat.known.map(|known| known.place.shard);
        let write = job.write();
        write.stage = Stage::After;
        let mut touches = core::mem::take(&mut write.touches);
        if let (Ok(rows), Some(shard)) = (&result, shard) {
            for ((touch, (_, version)), change) in touches.iter_mut().zip(rows).zip(&write.changes)
            {
                if let Change::Create { value, .. } | Change::Update { value, .. } = change {
                    touch.becomes(shard, *version, value.clone());
                }
            }
        }
        write.result = Some(result);
        let mut awaited = 0;
        for (part, touch) in (0..).zip(&mut touches) {
            awaited += usize::from(self.touch_after(cx, id, part, touch));
        }
        let write = job.write();
        (write.touches, write.awaited) = (touches, awaited);
        if awaited == 0 {
            // Nobody has to be waited for: the end comes with the next input.
            self.inputs.push_back((id, u16::MAX, Input::Cache(super::Cached::Done)));
        }
    }

    /// A write that came to nothing, or nobody knows. Caches that were told of it hear the end.
    fn ended(
        &mut self,
        cx: &mut Cx,
        id: JobId,
        job: &mut Job,
        result: Result<Vec<(u64, u64)>, Error>,
    ) -> Result<Option<Outcome>, Error> {
        let touched = !job.write().touches.is_empty();
        match result {
            Err(error) if !touched => Err(error),
            result => {
                self.after(cx, id, job, result);
                Ok(None)
            }
        }
    }

    /// Memcached answered.
    fn touch_came(
        &mut self,
        cx: &mut Cx,
        id: JobId,
        job: &mut Job,
        part: u16,
        outcome: super::Cached,
    ) -> Result<Option<Outcome>, Error> {
        let mut touches = core::mem::take(&mut job.write().touches);
        if let Some(touch) = touches.get_mut(usize::from(part)) {
            let more = self.touched(cx, id, part, touch, outcome);
            job.write().awaited -= usize::from(!more);
        }
        let write = job.write();
        write.touches = touches;
        if write.awaited > 0 {
            return Ok(None);
        }
        if write.stage == Stage::Before {
            return match self.write_on(cx, id, job) {
                Ok(()) => Ok(None),
                Err(error) => self.ended(cx, id, job, Err(error)),
            };
        }
        let caches_told = write.touches.iter().all(|touch| touch.told);
        let result = write.result.take().expect("the write has ended before caches hear of it");
        self.counters.caches_not_told += u64::from(!caches_told);
        result.map(|rows| Some(Outcome::Written(Written { rows, caches_told })))
    }
}

fn shard_of(job: &Job) -> ShardId {
    job.seat.known.expect("who asks a shard knows the place").place.shard
}
