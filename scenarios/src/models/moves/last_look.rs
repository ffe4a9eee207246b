//! The last look at all users: where each is, and what is there.

use super::history::{Findings, Ledger, Rows};
use super::numbers::Numbers;
use super::{Job, TABLE};
use crate::models::app::{Came, Hands, Step, lock};
use bytes::Bytes;
use std::sync::Mutex;
use std::time::Duration;
use storytime_database::Reply;
use storytime_sharding::{Error, Home, HomeState, Outcome, Place, Request, ShardId};

/// Before a user is looked for again whose move has not ended, or who cannot be seen.
const AGAIN: Duration = Duration::from_millis(20);
/// How often that is done, for all users together.
const AGAIN_MAX: u32 = 2_000;
/// How long the shards have to answer.
const SHARDS_TIME: Duration = Duration::from_secs(2);

/// What is awaited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Awaits {
    /// The user's move, which is to be no more.
    Move,
    Place,
    /// Home and rows on each shard.
    Shards(Place),
    /// Another try.
    Again,
}

/// The look, and how far it is.
#[derive(Debug)]
pub struct LastLook {
    user: u32,
    awaits: Awaits,
    again_left: u32,
}

/// Asks for a user's home on a shard.
pub(super) fn home_request(shard: ShardId, user: u32) -> Request {
    let user = user.to_string();
    let words = [b"ROW.GET", &b"home"[..], user.as_bytes(), b"0"];
    Request::Shard { shard, words: words.map(Bytes::copy_from_slice).to_vec() }
}

fn rows_request(shard: ShardId, user: u32) -> Request {
    let user = user.to_string();
    let words = [b"ROW.RANGE", &TABLE[..], user.as_bytes(), b"-", b"+"];
    Request::Shard { shard, words: words.map(Bytes::copy_from_slice).to_vec() }
}

fn number(reply: &Reply) -> Option<u64> {
    match reply {
        Reply::Integer(number) => u64::try_from(*number).ok(),
        Reply::Bulk(text) => std::str::from_utf8(text).ok()?.parse().ok(),
        _ => None,
    }
}

/// The number that a stored value begins with.
pub(super) fn value_of(value: &[u8]) -> Option<u64> {
    std::str::from_utf8(value).ok()?.trim_end().parse().ok()
}

/// A row's version and value; none if it is not there.
fn row_of(reply: &Reply) -> Option<(u64, &Bytes)> {
    match reply {
        Reply::Array(parts) => match parts.as_slice() {
            [version, Reply::Bulk(value)] => Some((number(version)?, value)),
            _ => None,
        },
        _ => None,
    }
}

/// The version of a home and what it says, nothing if there is none; none at all if it cannot be
/// read.
pub(super) fn home_of(outcome: Result<Outcome, Error>) -> Option<(u64, Option<Home>)> {
    match outcome {
        Ok(Outcome::Reply(Reply::Nil)) => Some((0, None)),
        Ok(Outcome::Reply(reply)) => {
            let (version, value) = row_of(&reply)?;
            Some((version, Some(Home::parse(value).ok()?)))
        }
        _ => None,
    }
}

fn rows_of(outcome: Result<Outcome, Error>) -> Option<Rows> {
    let Ok(Outcome::Reply(Reply::Array(rows))) = outcome else { return None };
    let row = |row: &Reply| {
        let Reply::Array(parts) = row else { return None };
        let Reply::Bulk(value) = parts.get(2)? else { return None };
        // What is no value of ours is one that nobody wrote.
        Some((number(parts.first()?)?, value_of(value).unwrap_or(u64::MAX)))
    };
    rows.iter().map(row).collect()
}

impl LastLook {
    /// Looks at the first user.
    pub(super) fn begin(numbers: &Numbers, hands: &mut Hands<'_>) -> Step<Job> {
        let look = Self { user: 1, awaits: Awaits::Move, again_left: AGAIN_MAX };
        look.ask_directory(numbers, hands, Awaits::Move)
    }

    fn ask_directory(
        mut self,
        numbers: &Numbers,
        hands: &mut Hands<'_>,
        awaits: Awaits,
    ) -> Step<Job> {
        self.awaits = awaits;
        let table: &[u8] = if awaits == Awaits::Move { b"move" } else { b"place" };
        hands.dbd(numbers.directory, &[b"ROW.GET", table, self.user.to_string().as_bytes(), b"0"]);
        Step::Await(Job::Last(Box::new(self)))
    }

    fn again(mut self, numbers: &Numbers, hands: &mut Hands<'_>) -> Step<Job> {
        if self.again_left == 0 {
            hands.count("unsettled", 1);
            return self.next(numbers, hands);
        }
        self.again_left -= 1;
        self.awaits = Awaits::Again;
        hands.pause(AGAIN);
        Step::Await(Job::Last(Box::new(self)))
    }

    fn next(mut self, numbers: &Numbers, hands: &mut Hands<'_>) -> Step<Job> {
        if self.user == numbers.population {
            return Step::Done;
        }
        self.user += 1;
        self.ask_directory(numbers, hands, Awaits::Move)
    }

    pub(super) fn resume(
        self,
        numbers: &Numbers,
        ledger: &Mutex<Ledger>,
        hands: &mut Hands<'_>,
        came: Came,
    ) -> Step<Job> {
        match (self.awaits, came) {
            (Awaits::Move, Came::Dbd(Ok(Reply::Nil))) => {
                self.ask_directory(numbers, hands, Awaits::Place)
            }
            (Awaits::Place, Came::Dbd(Ok(reply))) => self.placed(numbers, hands, &reply),
            (Awaits::Shards(place), Came::Shards(Ok(Outcome::Parts(parts)))) => {
                let parts: Option<Vec<_>> = parts.into_iter().collect();
                let seen = parts.and_then(|parts| {
                    let mut parts = parts.into_iter();
                    let shards = numbers.all_shards();
                    let each = shards
                        .map(|id| Some((id, home_of(parts.next()?)?.1, rows_of(parts.next()?)?)));
                    each.collect::<Option<Vec<_>>>()
                });
                match seen {
                    Some(seen) => self.compare(numbers, ledger, hands, place, seen),
                    None => self.again(numbers, hands),
                }
            }
            (Awaits::Again, _) => self.ask_directory(numbers, hands, Awaits::Move),
            _ => self.again(numbers, hands),
        }
    }

    fn placed(mut self, numbers: &Numbers, hands: &mut Hands<'_>, reply: &Reply) -> Step<Job> {
        let unsharded = ShardId(numbers.shard_count() + 1);
        let place = match row_of(reply) {
            Some((_, value)) => Place::parse(value).ok(),
            None => numbers.unsharded.map(|_| Place::before_sharding(unsharded)),
        };
        let Some(place) = place else { return self.again(numbers, hands) };
        self.awaits = Awaits::Shards(place);
        let user = self.user;
        let both = |id| [home_request(id, user), rows_request(id, user)];
        let parts: Vec<Request> = numbers.all_shards().flat_map(both).collect();
        let at_once = parts.len();
        hands.shards(Request::FanOut { parts, at_once, deadline: SHARDS_TIME });
        Step::Await(Job::Last(Box::new(self)))
    }

    fn compare(
        self,
        numbers: &Numbers,
        ledger: &Mutex<Ledger>,
        hands: &mut Hands<'_>,
        place: Place,
        seen: Vec<(ShardId, Option<Home>, Rows)>,
    ) -> Step<Job> {
        let unsharded = ShardId(numbers.shard_count() + 1);
        let right = |(shard, home, rows): &(ShardId, Option<Home>, Rows)| {
            let state = home.map(|home| home.state);
            if *shard == place.shard {
                state == Some(HomeState::Active) || (state.is_none() && *shard == unsharded)
            } else {
                matches!(state, None | Some(HomeState::Moved)) && rows.is_empty()
            }
        };
        hands.count("misplaced", u64::from(!seen.iter().all(right)));
        hands.count("users_checked", 1);
        hands.at("by_shard", place.shard.0.into(), 1, 1);
        let here = seen.into_iter().find(|(shard, ..)| *shard == place.shard);
        let rows = here.map(|(_, _, rows)| rows).unwrap_or_default();
        let found = lock(ledger).check(self.user, &rows);
        count(hands, &found);
        self.next(numbers, hands)
    }
}

fn count(hands: &mut Hands<'_>, found: &Findings) {
    for (name, count) in [
        ("operations", found.operations),
        ("histories", found.rows),
        ("broken", found.broken),
        ("undecided", found.undecided),
        ("lost", found.lost),
        ("doubled", found.doubled),
        ("invented", found.invented),
        ("read_only_seen", found.read_only),
        ("accepted_read_only", found.accepted),
    ] {
        hands.count(name, count);
    }
}
