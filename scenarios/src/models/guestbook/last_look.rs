//! The last job: reads both sides of everything, mends, and reads again.

use super::ledger::{Ledger, Sides, Table};
use super::{Job, Numbers};
use crate::models::app::{Came, Hands, Step, lock};
use bytes::Bytes;
use std::sync::Mutex;
use std::time::Duration;
use storytime_sharding::fixer::{Check, End, Found, GUESTBOOK, PREPARE, Step as Fixing, WRITTEN};
use storytime_sharding::{Error, Outcome, Query, Request, UserId};

/// Before something that failed is tried again.
const AGAIN: Duration = Duration::from_millis(20);
/// How often that is done, all in all.
const AGAIN_MAX: u32 = 1_000;
/// Rows read at once.
const PAGE_ROWS_MAX: u32 = 1_000;
/// The tables, in the order in which they are read.
const TABLES: [&str; 3] = [PREPARE, GUESTBOOK, WRITTEN];

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Reads what is there before the fixer.
    Before,
    /// The fixer goes through the users.
    Fixes,
    /// Reads what is there in the end.
    After,
}

/// The last job.
#[derive(Debug)]
pub struct LastLook {
    phase: Phase,
    user: u32,
    /// Of [`TABLES`].
    table: usize,
    /// Where the next page begins.
    min: u64,
    sides: Sides,
    check: Option<Check>,
    again_left: u32,
}

impl LastLook {
    pub(super) fn begin(hands: &mut Hands<'_>) -> Step<Job> {
        let look = Self {
            phase: Phase::Before,
            user: 1,
            table: 0,
            min: 0,
            sides: Sides::default(),
            check: None,
            again_left: AGAIN_MAX,
        };
        Box::new(look).ask_page(hands)
    }

    fn ask_page(self: Box<Self>, hands: &mut Hands<'_>) -> Step<Job> {
        let (min, limit) = (self.min, PAGE_ROWS_MAX);
        hands.shards(Request::Select {
            table: Bytes::from_static(TABLES[self.table].as_bytes()),
            user: UserId(self.user.into()),
            query: Query { min, max: u64::MAX, newest_first: false, limit },
        });
        Step::Await(Job::Last(self))
    }

    fn begin_fix(mut self: Box<Self>, hands: &mut Hands<'_>) -> Step<Job> {
        let (check, step) = Check::new(UserId(self.user.into()));
        self.check = Some(check);
        let Fixing::Ask(request) = step else { unreachable!("a check begins with a request") };
        hands.shards(request);
        Step::Await(Job::Last(self))
    }

    fn again(mut self: Box<Self>, hands: &mut Hands<'_>) -> Step<Job> {
        if self.again_left == 0 {
            return Step::Failed;
        }
        self.again_left -= 1;
        self.check = None;
        hands.pause(AGAIN);
        Step::Await(Job::Last(self))
    }

    pub(super) fn resume(
        self: Box<Self>,
        numbers: &Numbers,
        ledger: &Mutex<Ledger>,
        hands: &mut Hands<'_>,
        came: Came,
    ) -> Step<Job> {
        match (self.phase, came) {
            (Phase::Fixes, Came::Shards(answer)) => self.fix(numbers, hands, answer),
            (_, Came::Shards(Ok(Outcome::Rows(rows)))) => {
                let rows = rows.into_iter().map(|row| (row.item, row.value)).collect();
                self.page(numbers, ledger, hands, rows)
            }
            (_, Came::Shards(_)) => self.again(hands),
            (Phase::Fixes, _) => self.begin_fix(hands),
            _ => self.ask_page(hands),
        }
    }

    fn page(
        mut self: Box<Self>,
        numbers: &Numbers,
        ledger: &Mutex<Ledger>,
        hands: &mut Hands<'_>,
        rows: Vec<(u64, Bytes)>,
    ) -> Step<Job> {
        let (user, last) = (UserId(self.user.into()), rows.last().map(|(item, _)| *item));
        let full = rows.len() == PAGE_ROWS_MAX as usize;
        let put = |into: &mut Table| {
            into.extend(
                rows.iter().map(|(item, value)| (End { user, item: *item }, value.clone())),
            );
        };
        match TABLES[self.table] {
            GUESTBOOK => put(&mut self.sides.received),
            WRITTEN => put(&mut self.sides.written),
            _ => self.sides.announced += rows.len() as u64,
        }
        match last {
            Some(last) if full && last < u64::MAX => self.min = last + 1,
            _ => {
                (self.table, self.min) = (self.table + 1, 0);
            }
        }
        if self.table == TABLES.len() {
            (self.user, self.table) = (self.user + 1, 0);
        }
        if self.user <= numbers.population {
            return self.ask_page(hands);
        }
        self.read(numbers, ledger, hands)
    }

    /// Everything is read.
    fn read(
        mut self: Box<Self>,
        numbers: &Numbers,
        ledger: &Mutex<Ledger>,
        hands: &mut Hands<'_>,
    ) -> Step<Job> {
        let sides = std::mem::take(&mut self.sides);
        let found = lock(ledger).check(&sides);
        if self.phase == Phase::Before {
            hands.count("one_sided_before", found.one_sided);
            if numbers.fixer {
                (self.phase, self.user) = (Phase::Fixes, 1);
                return self.begin_fix(hands);
            }
        }
        for (name, count) in [
            ("users_checked", numbers.population.into()),
            ("messages", found.messages),
            ("one_sided", found.one_sided),
            ("announced", sides.announced),
            ("lost", found.lost),
            ("undead", found.undead),
            ("doubled", found.doubled),
        ] {
            hands.count(name, count);
        }
        Step::Done
    }

    fn fix(
        mut self: Box<Self>,
        numbers: &Numbers,
        hands: &mut Hands<'_>,
        answer: Result<Outcome, Error>,
    ) -> Step<Job> {
        let Some(check) = &mut self.check else { return self.again(hands) };
        match check.answer(answer) {
            Fixing::Ask(request) => {
                hands.shards(request);
                Step::Await(Job::Last(self))
            }
            Fixing::Failed(_) => self.again(hands),
            Fixing::Done(found) => {
                count(hands, &found);
                self.user += 1;
                if self.user <= numbers.population {
                    return self.begin_fix(hands);
                }
                (self.phase, self.user) = (Phase::After, 1);
                self.ask_page(hands)
            }
        }
    }
}

fn count(hands: &mut Hands<'_>, found: &Found) {
    hands.count("finished", found.finished);
    hands.count("completed", found.completed);
    hands.count("removed", found.deleted);
}
