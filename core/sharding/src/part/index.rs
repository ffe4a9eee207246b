//! The index for questions across shards: a sorted set per table, `latest:TABLE`, in a database of
//! its own, with `USER:ITEM` under the number that the writer gave.
//!
//! Writers feed it behind their writes: entries wait in a queue and leave in batches, so that no
//! write waits for the index, and the index may be behind by [`index_lag`](Sharding::index_lag).
//! A batch that the index did not take is sent again: adding and removing twice does no harm.
//!
//! # Not modelled
//!
//! A queue that survives its process. What a writer that dies had not sent is missing in the index
//! until somebody compares it with the shards.

use super::job::{Input, Job, JobId, Work};
use super::wire::{array, decimal, number, reply_of, word};
use super::{INDEX_TIMER, Sharding};
use crate::map::UserId;
use crate::outcome::{Entry, Error, Outcome};
use crate::request::Change;
use bytes::Bytes;
use core::time::Duration;
use std::collections::VecDeque;
use storytime_database::Reply;
use storytime_database::client::{Failure, ServerId};
use storytime_machine::{Cx, Time, Token};

/// The tag of requests that feed the index; no job has it.
const FEED_TAG: u64 = u64::MAX;

/// Entries on their way to the index.
#[derive(Debug, Default)]
pub(super) struct Feed {
    server: Option<ServerId>,
    queue: VecDeque<Waiting>,
    /// Entries at the front of the queue that were sent and not answered.
    sent: usize,
    /// The index did not take a batch: it is left alone until the timer.
    rests: bool,
}

#[derive(Debug)]
struct Waiting {
    table: Bytes,
    user: UserId,
    item: u64,
    /// `None` to remove.
    at: Option<u64>,
    since: Time,
}

impl Feed {
    pub(super) fn set_server(&mut self, server: Option<ServerId>) {
        self.server = server;
    }

    /// The next batch: entries of one table that all come or all go.
    fn batch(&self, entries_max: usize) -> (usize, Vec<Bytes>) {
        let Some(first) = self.queue.front() else { return (0, Vec::new()) };
        let alike = |entry: &&Waiting| {
            entry.table == first.table && entry.at.is_some() == first.at.is_some()
        };
        let command = if first.at.is_some() { "ZADD" } else { "ZREM" };
        let mut words = vec![word(command), index_key(&first.table)];
        let mut count = 0;
        for entry in self.queue.iter().take_while(alike).take(entries_max) {
            words.extend(entry.at.map(number));
            words.push(Bytes::from(format!("{}:{}", entry.user, entry.item)));
            count += 1;
        }
        (count, words)
    }
}

fn index_key(table: &[u8]) -> Bytes {
    [b"latest:", table].concat().into()
}

impl Sharding {
    /// How far the index is behind: the age of the oldest entry that it has not taken.
    pub fn index_lag(&self, now: Time) -> Duration {
        self.feed.queue.front().map_or(Duration::ZERO, |entry| now.since(entry.since))
    }

    /// Entries that the index has not taken.
    pub fn index_waiting(&self) -> usize {
        self.feed.queue.len()
    }

    /// Rows were written: queues what the index has to know of them.
    pub(super) fn feed_index(
        &mut self,
        cx: &mut Cx,
        user: UserId,
        changes: &[Change],
        rows: &[(u64, u64)],
        at: u64,
    ) {
        for (change, &(item, _)) in changes.iter().zip(rows) {
            let at = match change {
                Change::Create { .. } => Some(at),
                Change::Delete { .. } => None,
                Change::Update { .. } => continue,
            };
            if self.feed.queue.len() >= self.options.index_queue_max {
                self.counters.index_dropped += 1;
                continue;
            }
            let (table, since) = (change.table().clone(), cx.now());
            self.feed.queue.push_back(Waiting { table, user, item, at, since });
        }
        self.send_to_index(cx);
    }

    fn send_to_index(&mut self, cx: &mut Cx) {
        let Some(server) = self.feed.server else { return };
        if self.feed.sent > 0 || self.feed.rests {
            return;
        }
        let (count, words) = self.feed.batch(self.options.index_batch_max);
        if count == 0 {
            return;
        }
        self.feed.sent = count;
        let words: Vec<&[u8]> = words.iter().map(|word| &word[..]).collect();
        if self.database.ask(cx, server, &words, FEED_TAG).is_err() {
            self.index_rests(cx);
        }
    }

    fn index_rests(&mut self, cx: &mut Cx) {
        self.feed.sent = 0;
        self.feed.rests = true;
        cx.after(Token(self.base + INDEX_TIMER), self.options.index_retry);
    }

    /// The index has rested.
    pub(super) fn index_timer(&mut self, cx: &mut Cx) {
        self.feed.rests = false;
        self.send_to_index(cx);
    }

    /// Takes a reply that is the index's; says whether it was.
    pub(super) fn index_replied(
        &mut self,
        cx: &mut Cx,
        tag: u64,
        outcome: &Result<Reply, Failure>,
    ) -> bool {
        if tag != FEED_TAG {
            return false;
        }
        if matches!(outcome, Ok(Reply::Integer(_))) {
            let sent = core::mem::take(&mut self.feed.sent);
            self.feed.queue.drain(..sent);
            self.counters.index_written += sent as u64;
            self.send_to_index(cx);
        } else {
            self.index_rests(cx);
        }
        true
    }

    /// `Request::Latest`.
    pub(super) fn latest_step(
        &mut self,
        cx: &mut Cx,
        id: JobId,
        job: &Job,
        input: Input,
    ) -> Result<Option<Outcome>, Error> {
        let Work::Latest { limit } = job.work else { unreachable!("it asks the index") };
        if let Input::Database(outcome) = input {
            let parts = array(reply_of(outcome, None)?)?;
            let entries: Result<Vec<Entry>, Error> = parts.chunks(2).map(entry).collect();
            return entries.map(|entries| Some(Outcome::Latest(entries)));
        }
        let server = self.feed.server.ok_or(Error::NoDirectory)?;
        let last = number(u64::from(limit) - 1);
        let words = [word("ZREVRANGE"), index_key(&job.table), number(0), last, word("WITHSCORES")];
        self.ask_database(cx, id, server, &words);
        Ok(None)
    }
}

/// `USER:ITEM` and its number.
fn entry(pair: &[Reply]) -> Result<Entry, Error> {
    let [Reply::Bulk(member), Reply::Bulk(at) | Reply::Double(at)] = pair else {
        return Err(Error::Garbled);
    };
    let colon = member.iter().position(|&byte| byte == b':').ok_or(Error::Garbled)?;
    let (user, item) = (decimal(&member[..colon])?, decimal(&member[colon + 1..])?);
    Ok(Entry { at: decimal(at)?, user: UserId(user), item })
}
