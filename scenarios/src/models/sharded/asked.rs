//! A job: what is asked, and what comes of it.

use super::verify::latest_of;
use super::{Job, Known, PREPARE_TIME, Sharded, TABLE, create};
use crate::models::app::{Hands, Step, lock};
use bytes::Bytes;
use storytime_machine::{Time, nanos};
use storytime_sharding::{Change, Error, Outcome, Query, Request, Row, ShardId, UserId};

/// What a job asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A list with its rows.
    Select,
    /// A count.
    Count,
    /// A new row.
    Create,
    /// A new value of a row.
    Update,
    /// A question to all shards.
    Aggregate,
    /// A question to the index.
    Latest,
    /// The same, to everybody.
    BruteForce,
}

impl Kind {
    const fn writes(self) -> bool {
        matches!(self, Self::Create | Self::Update)
    }

    /// Whether it is about one user, on one shard.
    const fn is_of_a_user(self) -> bool {
        matches!(self, Self::Select | Self::Count | Self::Create | Self::Update)
    }
}

/// What was asked, and what was known by then.
#[derive(Debug)]
pub struct Asked {
    pub(super) kind: Kind,
    pub(super) user: u32,
    known: Known,
    pub(super) since: Time,
}

impl Sharded {
    pub(super) fn draw_user(&self, hands: &mut Hands<'_>) -> u32 {
        let users = match self.numbers.power {
            Some((users, share)) if hands.rng().chance(share) => users,
            _ => self.numbers.population,
        };
        1 + hands.rng().below(users.into()) as u32
    }

    pub(super) fn draw_kind(&self, hands: &mut Hands<'_>) -> Kind {
        let mix = &self.numbers.mix;
        let all = [
            (Kind::Select, mix.selects),
            (Kind::Count, mix.counts),
            (Kind::Create, mix.creates),
            (Kind::Update, mix.updates),
            (Kind::Aggregate, mix.aggregates),
            (Kind::Latest, mix.latest),
            (Kind::BruteForce, mix.brute_force),
        ];
        hands.draw(&all)
    }

    /// Asks; `since` is when the job began to.
    pub(super) fn ask(
        &self,
        hands: &mut Hands<'_>,
        kind: Kind,
        user: u32,
        since: Time,
    ) -> Step<Job> {
        let known = lock(&self.ledger).users.get(&user).cloned().unwrap_or_default();
        let request = self.request(hands, kind, user);
        hands.shards(request);
        Step::Await(Job::Answer(Box::new(Asked { kind, user, known, since })))
    }

    fn request(&self, hands: &mut Hands<'_>, kind: Kind, user: u32) -> Request {
        let id = UserId(user.into());
        let all_of = |parts, at_once: u32, deadline| Request::FanOut {
            parts,
            at_once: at_once as usize,
            deadline,
        };
        match kind {
            Kind::Select => {
                let query = Query::newest(self.numbers.list);
                Request::Select { table: TABLE, user: id, query }
            }
            Kind::Count => Request::Count { table: TABLE, user: id, min: 0, max: u64::MAX },
            Kind::Create => {
                let at = self.tick(hands);
                let index = self.numbers.index.map(|_| at);
                Request::Write { user: id, changes: vec![create(at)], index }
            }
            Kind::Update => {
                let item = 1 + hands.rng().below(self.numbers.rows.into());
                let value = Bytes::from_static(b"another value");
                let change = Change::Update { table: TABLE, item, version: None, value };
                Request::Write { user: id, changes: vec![change], index: None }
            }
            Kind::Aggregate => {
                let ask = |shard| Request::Shard {
                    shard: ShardId(shard),
                    words: vec![Bytes::from_static(b"ROW.SIZE"), TABLE],
                };
                let parts = (1..=self.numbers.shard_count()).map(ask).collect();
                all_of(parts, self.numbers.at_once, self.numbers.deadline)
            }
            Kind::Latest => Request::Latest { table: TABLE, limit: self.numbers.list },
            Kind::BruteForce => {
                let parts = self.everybody(self.numbers.list);
                all_of(parts, self.numbers.at_once, PREPARE_TIME)
            }
        }
    }

    /// The shard that a user was put on.
    fn shard_of(&self, user: u32) -> u32 {
        let shards: Vec<ShardId> = (1..=self.numbers.shard_count()).map(ShardId).collect();
        let placed = self.numbers.scheme_over(&shards).computed(UserId(user.into()));
        placed.map_or_else(|| user % self.numbers.shard_count() + 1, |shard| shard.0)
    }

    pub(super) fn answered(
        &self,
        hands: &mut Hands<'_>,
        asked: Box<Asked>,
        outcome: Result<Outcome, Error>,
    ) -> Step<Job> {
        self.note_index(hands);
        match (&outcome, self.numbers.again) {
            (Err(error), Some(pause)) if asked.kind.writes() && was_refused(error) => {
                hands.count("tried_again", 1);
                hands.pause(pause);
                return Step::Await(Job::Again(asked));
            }
            _ => {}
        }
        if asked.kind.is_of_a_user() {
            let shard = self.shard_of(asked.user);
            hands.at("by_shard", shard.into(), 1, 1);
            hands.at("failed_by_shard", shard.into(), outcome.is_err().into(), 1);
            *lock(&self.ledger).by_shard.entry(shard).or_default() += 1;
        }
        match outcome {
            Ok(outcome) => self.done(hands, &asked, outcome),
            Err(error) => {
                let closed = matches!(error, Error::Closed { .. } | Error::ReadOnly { .. });
                hands.count(if closed { "closed" } else { "errors" }, 1);
                hands.count(if asked.kind.writes() { "writes_failed" } else { "reads_failed" }, 1);
                hands.time_since("error_time", asked.since);
                Step::Failed
            }
        }
    }

    fn done(&self, hands: &mut Hands<'_>, asked: &Asked, outcome: Outcome) -> Step<Job> {
        match outcome {
            Outcome::Rows(rows) => {
                hands.time_since("select_time", asked.since);
                hands.count("answers", 1);
                let wanted = asked.known.rows.min(self.numbers.list.into());
                hands.count("stale_lists", u64::from((rows.len() as u64) < wanted));
                let older = |row: &Row| {
                    asked.known.versions.get(&row.item).is_some_and(|told| row.version < *told)
                };
                hands.count("stale_rows", u64::from(rows.iter().any(older)));
            }
            Outcome::Count(count) => {
                hands.count("answers", 1);
                hands.count("stale_lists", u64::from(count < asked.known.rows));
            }
            Outcome::Written(written) => {
                hands.time_since("write_time", asked.since);
                hands.count("writes_done", 1);
                self.note_pause(hands);
                let mut ledger = lock(&self.ledger);
                let known = ledger.users.entry(asked.user).or_default();
                known.rows += u64::from(asked.kind == Kind::Create);
                for (item, version) in written.rows {
                    let told = known.versions.entry(item).or_default();
                    *told = (*told).max(version);
                }
            }
            Outcome::Latest(_) => {
                hands.time_since("latest_time", asked.since);
                hands.count("answers", 1);
            }
            Outcome::Parts(parts) if asked.kind == Kind::BruteForce => {
                let latest = latest_of(&parts, self.numbers.list);
                hands.time_since("brute_time", asked.since);
                hands.count("answers", u64::from(!latest.is_empty()));
            }
            Outcome::Parts(parts) => {
                hands.time_since("aggregate_time", asked.since);
                let late = parts.iter().filter(|part| part.is_none()).count() as u64;
                hands.count("parts", parts.len() as u64 - late);
                hands.count("parts_late", late);
            }
            _ => return Step::Failed,
        }
        Step::Done
    }

    /// A write was done: notes how long there was none.
    fn note_pause(&self, hands: &mut Hands<'_>) {
        let now = hands.wall_ns();
        if let Some(last) = lock(&self.ledger).written_ns.replace(now) {
            let since = Time(hands.now().0.saturating_sub(now.saturating_sub(last)));
            hands.time_since("write_pause", since);
        }
    }

    /// Notes how far the index is behind.
    pub(super) fn note_index(&self, hands: &mut Hands<'_>) {
        if self.numbers.index.is_none() {
            return;
        }
        let (lag, waiting) = hands.index_lag();
        hands.level("index_waiting", waiting);
        let since = Time(hands.now().0.saturating_sub(nanos(lag)));
        hands.time_since("index_lag", since);
    }
}

/// Whether a write was refused, so that it did not happen and may be tried again.
fn was_refused(error: &Error) -> bool {
    match error {
        Error::Closed { .. } | Error::ReadOnly { .. } => true,
        Error::Refused { text, .. } => text.starts_with(b"READONLY"),
        _ => false,
    }
}
