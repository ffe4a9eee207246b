//! What is compared when the load is at rest: every row that was told to be written with what is
//! there, and the index with what a question to everybody finds.

use super::{Job, PREPARE_AT_ONCE, Sharded, TABLE, fan_out};
use crate::models::app::{Hands, Step, lock};
use storytime_sharding::request::{ITEMS_MAX, PARTS_MAX};
use storytime_sharding::{Entry, Error, Outcome, Query, Request, Row, UserId};

/// Most rows of the index that are compared.
const INDEX_ROWS_MAX: u32 = 1_000_000;

/// What the last job awaits.
#[derive(Debug)]
pub enum Verify {
    /// What the index says.
    AwaitIndex,
    /// Everybody's rows; and what the index said.
    AwaitRows(Option<Vec<Entry>>),
}

impl Sharded {
    /// A request for the rows of everybody: the newest of each.
    pub(super) fn everybody(&self, limit: u32) -> Vec<Request> {
        let users = 1..=u64::from(self.numbers.population).min(PARTS_MAX as u64);
        let newest = |user| Request::Select {
            table: TABLE,
            user: UserId(user),
            query: Query::newest(limit),
        };
        users.map(newest).collect()
    }

    /// The last job begins.
    pub(super) fn verify(&self, hands: &mut Hands<'_>) -> Step<Job> {
        if self.numbers.index.is_none() {
            return self.verify_rows(hands, None);
        }
        hands.shards(Request::Latest { table: TABLE, limit: INDEX_ROWS_MAX });
        Step::Await(Job::Verify(Verify::AwaitIndex))
    }

    fn verify_rows(&self, hands: &mut Hands<'_>, indexed: Option<Vec<Entry>>) -> Step<Job> {
        fan_out(hands, self.everybody(ITEMS_MAX as u32), PREPARE_AT_ONCE);
        Step::Await(Job::Verify(Verify::AwaitRows(indexed)))
    }

    /// What it awaited has come.
    pub(super) fn verified(
        &self,
        hands: &mut Hands<'_>,
        awaited: Verify,
        outcome: Result<Outcome, Error>,
    ) -> Step<Job> {
        match (awaited, outcome) {
            (Verify::AwaitIndex, outcome) => {
                let indexed = match outcome {
                    Ok(Outcome::Latest(entries)) => entries,
                    _ => Vec::new(),
                };
                self.verify_rows(hands, Some(indexed))
            }
            (Verify::AwaitRows(indexed), Ok(Outcome::Parts(parts))) => {
                self.count_lost(hands, &parts);
                if let Some(indexed) = indexed {
                    self.compare_index(hands, indexed, &parts);
                }
                Step::Done
            }
            (Verify::AwaitRows(_), _) => Step::Failed,
        }
    }

    /// Compares what the index knows with what everybody has.
    fn compare_index(&self, hands: &mut Hands<'_>, mut indexed: Vec<Entry>, parts: &[Part]) {
        indexed.sort_unstable();
        let truth = latest_of(parts, INDEX_ROWS_MAX);
        let not_indexed = |entry: &&Entry| indexed.binary_search(entry).is_err();
        hands.count("index_lost", truth.iter().filter(not_indexed).count() as u64);
        let newest = |all: &[Entry]| -> Vec<Entry> {
            all.iter().rev().take(self.numbers.list as usize).copied().collect()
        };
        let (told, true_ones) = (newest(&indexed), newest(&truth));
        let wrong = true_ones.iter().filter(|entry| !told.contains(entry));
        hands.count("index_wrong", wrong.count() as u64);
    }

    fn count_lost(&self, hands: &mut Hands<'_>, parts: &[Part]) {
        let (mut lost, mut unread) = (0, 0);
        let ledger = lock(&self.ledger);
        for (user, part) in (1_u32..).zip(parts) {
            let Some(Ok(Outcome::Rows(rows))) = part else {
                unread += 1;
                continue;
            };
            let Some(known) = ledger.users.get(&user) else { continue };
            let is_there = |(item, version): &(&u64, &u64)| {
                rows.iter().any(|row| row.item == **item && row.version >= **version)
            };
            let not_there = known.versions.iter().filter(|told| !is_there(told)).count() as u64;
            // A number may have been given twice: two rows were told, and one is there.
            lost += not_there.max(known.rows.saturating_sub(rows.len() as u64));
        }
        drop(ledger);
        hands.count("lost", lost);
        hands.count("unread", unread);
    }
}

/// How one part of a question to everybody ended.
type Part = Option<Result<Outcome, Error>>;

/// The newest rows of everybody by the time in them, oldest first.
pub(super) fn latest_of(parts: &[Part], limit: u32) -> Vec<Entry> {
    let mut all: Vec<Entry> = Vec::new();
    for (user, part) in (1..).map(UserId).zip(parts) {
        if let Some(Ok(Outcome::Rows(rows))) = part {
            all.extend(rows.iter().filter_map(|row| entry(user, row)));
        }
    }
    all.sort_unstable();
    all.split_off(all.len().saturating_sub(limit as usize))
}

/// A row as the index has it; updated rows tell no time.
fn entry(user: UserId, row: &Row) -> Option<Entry> {
    let at = std::str::from_utf8(&row.value).ok()?.parse().ok()?;
    Some(Entry { at, user, item: row.item })
}
