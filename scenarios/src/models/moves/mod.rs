//! Application servers whose users are moved from shard to shard while they are written and read.
//!
//! Everything that is asked and told is written down, on all hosts of the load in one ledger; in
//! the end each user is looked for on all shards, and what is found is compared with the whole
//! history: see [`history`]. Jobs read and write single rows, look at homes and order moves.
//!
//! | `writes` | a write |
//! |---|---|
//! | `checked` | carries the check of the user's home with it: the database refuses what came too late |
//! | `look-first` | looks at the home, and then writes: what happens in between goes unnoticed |
//!
//! | module | holds |
//! |---|---|
//! | `balance` | moves of many users, and how the load is spread |
//! | [`history`] | what was asked and told, and whether it makes sense |
//! | `last_look` | the last job: where each user is, and what is there |
//! | [`numbers`] | from the file to a map |
//! | `outcome` | what an answer says of a request |
//!
//! Not modelled: lists, caches, users who come and go.

mod balance;
pub mod history;
mod last_look;
pub mod numbers;
mod outcome;

use crate::diagnostic::Checked;
use crate::fields::Fields;
use crate::metric::MetricDef;
use crate::models::app::{Came, Hands, Shards, Step, Workload, lock};
use crate::read::Parts;
use crate::{app_fields, app_metrics};
use balance::Balance;
use bytes::Bytes;
use history::{Asked, Ledger, Told};
use last_look::LastLook;
use numbers::{Numbers, Writes};
use outcome::told;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use storytime_machine::Endpoint;
use storytime_sharding::mover::wire::Line;
use storytime_sharding::{
    Change, Error, Home, HomeState, Outcome, Query, Request, ShardId, UserId,
};

/// Requests of the preparation under way at once.
const PREPARE_AT_ONCE: usize = 32;
/// How long one request of the preparation may take.
const PREPARE_TIME: Duration = Duration::from_secs(600);
/// How long databases are given to read their disks, which are empty.
const LOADING_TIME: Duration = Duration::from_millis(100);
/// Where everything is that users have.
const TABLE: Bytes = Bytes::from_static(b"blog");

/// A job, by what it awaits.
#[derive(Debug)]
pub enum Job {
    /// That databases have read their disks.
    Loading,
    /// That the users are made.
    Users,
    /// The users' first rows, noted from there on.
    Rows(usize),
    /// The answer to what was noted.
    Answer {
        /// Whose rows.
        user: u32,
        /// Which note.
        note: usize,
    },
    /// Where a user is.
    Place(u32, Sight),
    /// The home of a user, asked for at that moment.
    Home {
        /// Whose.
        user: u32,
        /// Where.
        shard: ShardId,
        /// When it was asked for.
        call: u64,
        /// What for.
        sight: Sight,
    },
    /// The rest of the page, then what was noted is written there.
    Page(u32, ShardId, usize),
    /// What is said to an order.
    Order,
    /// Something with all users.
    Balance(Box<Balance>),
    /// The last look.
    Last(Box<LastLook>),
}

/// Why a home is looked at.
#[derive(Clone, Copy, Debug)]
pub enum Sight {
    /// To see whether the user is read-only.
    Look,
    /// To write what was noted, if the user may be written.
    Write(usize),
}

/// What a job does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Read,
    Create,
    Update,
    Delete,
    Look,
    Move,
}

/// The workload.
#[derive(Debug)]
pub struct Moves {
    numbers: Numbers,
    part: u32,
    ledger: Arc<Mutex<Ledger>>,
}

impl Workload for Moves {
    type Numbers = Numbers;
    type Ledger = Ledger;
    type Job = Job;

    const KIND: &'static str = "moves";
    const FIELDS: &'static [&'static str] = app_fields![
        "directory",
        "shards",
        "shards_per_host",
        "unsharded",
        "coordinator",
        "population",
        "rows",
        "row_bytes",
        "reads",
        "creates",
        "updates",
        "deletes",
        "looks",
        "moves",
        "writes",
        "page",
        "power_users",
        "power_share",
        "early_birds",
        "keep",
        "connections",
    ];
    const METRICS: &'static [MetricDef] = app_metrics![
        ("reads", Series, "rows read"),
        ("writes", Series, "writes accepted"),
        ("refused", Series, "writes refused as the user is moved"),
        ("errors", Series, "requests that failed otherwise"),
        ("refused_for", Latency, "from a user's first refused write to the next accepted"),
        ("orders", Series, "moves asked for"),
        ("orders_taken", Series, "moves ordered"),
        ("users_checked", Count, "users looked for in the end"),
        ("misplaced", Count, "users not on exactly one shard"),
        ("unsettled", Count, "users whose move did not end"),
        ("operations", Count, "requests compared with the rest"),
        ("histories", Count, "rows whose history was checked"),
        ("broken", Count, "rows whose history makes no sense"),
        ("undecided", Count, "rows whose history is too long"),
        ("lost", Count, "rows acknowledged and lost"),
        ("doubled", Count, "rows or numbers doubled"),
        ("invented", Count, "values that nobody wrote"),
        ("read_only_seen", Count, "times a user was seen read-only"),
        ("accepted_read_only", Count, "writes accepted meanwhile"),
        ("host_spread", Level, "the fullest host, per cent of the mean"),
        ("shard_spread", Level, "the fullest shard, per cent of the mean"),
        ("by_shard", Curve("shard"), "users in the end"),
    ];
    const NEEDS_DATABASE: bool = false;
    const NEEDS_CACHES: bool = false;
    const VERBS: &'static [&'static str] =
        &[balance::MOVE_EVERYBODY, balance::MEASURE, balance::BALANCE];

    fn read(fields: &Fields<'_>, parts: &Parts<'_>) -> Checked<Numbers> {
        Numbers::read(fields, parts)
    }

    fn new(numbers: Numbers, part: u32, ledger: Arc<Mutex<Ledger>>) -> Self {
        Self { numbers, part, ledger }
    }

    fn sharding(numbers: &Numbers, databases: &[Option<Endpoint>]) -> Option<Shards> {
        Some(numbers.sharding(databases))
    }

    fn coordinator(numbers: &Numbers) -> Option<(usize, u16)> {
        Some(numbers.coordinator)
    }

    fn prepare(&mut self, hands: &mut Hands<'_>) -> Step<Job> {
        if self.part > 0 {
            return Step::Done;
        }
        hands.pause(LOADING_TIME);
        Step::Await(Job::Loading)
    }

    fn begin(&mut self, hands: &mut Hands<'_>) -> Step<Job> {
        let users = match self.numbers.power {
            Some((users, share)) if hands.rng().chance(share) => users,
            _ => self.numbers.population,
        };
        let user = 1 + hands.rng().below(users.into()) as u32;
        let kind = self.draw_kind(hands);
        if kind == Kind::Look {
            return locate(hands, user, Sight::Look);
        }
        if kind == Kind::Move {
            let to = ShardId(1 + hands.rng().below(self.numbers.shard_count().into()) as u32);
            hands.count("orders", 1);
            hands.order(Line::Add(UserId(user.into()), to, 0));
            return Step::Await(Job::Order);
        }
        self.ask(hands, user, kind)
    }

    fn resume(&mut self, hands: &mut Hands<'_>, job: Job, came: Came) -> Step<Job> {
        match (job, came) {
            (Job::Loading, _) if self.numbers.unsharded.is_none() => self.make_users(hands),
            (Job::Loading | Job::Users, _) => self.make_rows(hands),
            (Job::Rows(first), Came::Shards(outcome)) => self.rows_made(first, outcome),
            (Job::Answer { user, note }, Came::Shards(outcome)) => {
                self.answered(hands, user, note, outcome)
            }
            (Job::Place(user, sight), Came::Shards(outcome)) => match outcome {
                Ok(Outcome::Located(place)) => self.look(hands, user, place.shard, sight),
                _ => self.blind(hands, sight),
            },
            (Job::Home { user, shard, call, sight }, Came::Shards(outcome)) => {
                match last_look::home_of(outcome) {
                    Some(seen) => self.sighted(hands, (user, shard), call, seen, sight),
                    None => self.blind(hands, sight),
                }
            }
            (Job::Page(user, shard, note), _) => self.put(hands, user, shard, note),
            (Job::Order, Came::Ordered(line)) => match line {
                Some(Line::Queued(_)) => {
                    hands.count("orders_taken", 1);
                    Step::Done
                }
                _ => Step::Failed,
            },
            (Job::Balance(job), came) => job.resume(&self.numbers, &self.ledger, hands, came),
            (Job::Last(look), came) => look.resume(&self.numbers, &self.ledger, hands, came),
            (job, came) => unreachable!("{job:?} does not await {came:?}"),
        }
    }

    fn told(&mut self, hands: &mut Hands<'_>, verb: &'static str) -> Step<Job> {
        if self.part > 0 {
            return Step::Done;
        }
        Balance::begin(&self.numbers, hands, verb)
    }

    fn check(&mut self, hands: &mut Hands<'_>) -> Step<Job> {
        if self.part > 0 {
            return Step::Done;
        }
        LastLook::begin(&self.numbers, hands)
    }
}

fn locate(hands: &mut Hands<'_>, user: u32, sight: Sight) -> Step<Job> {
    hands.shards(Request::Locate { user: UserId(user.into()), cached: false });
    Step::Await(Job::Place(user, sight))
}

/// A value as it is stored: its number, and filling.
fn stored(value: u64, bytes: u32) -> Bytes {
    Bytes::from(format!("{value:<width$}", width = bytes as usize))
}

impl Moves {
    fn make_users(&self, hands: &mut Hands<'_>) -> Step<Job> {
        // Early birds came when there was only the first host.
        let early = self.numbers.power.filter(|_| self.numbers.early).map_or(0, |(users, _)| users);
        let first = |user: u32| ShardId(1 + user % self.numbers.shards_per_host);
        let make = |user: u32| Request::Register {
            name: Bytes::from(format!("user{user}")),
            shard: (user <= early).then(|| first(user)),
        };
        let parts = (1..=self.numbers.population).map(make).collect();
        // One after the other, if it matters who gets which number.
        let at_once = if early > 0 { 1 } else { PREPARE_AT_ONCE };
        hands.shards(Request::FanOut { parts, at_once, deadline: PREPARE_TIME });
        Step::Await(Job::Users)
    }

    fn make_rows(&self, hands: &mut Hands<'_>) -> Step<Job> {
        let mut ledger = lock(&self.ledger);
        let (mut parts, mut first) = (Vec::new(), None);
        for user in 1..=self.numbers.population {
            let mut create = || {
                let value = ledger.fresh_value();
                let note = ledger.begin(user, Asked::Create, value);
                first.get_or_insert(note);
                let value = stored(value, self.numbers.row_bytes);
                Change::Create { table: TABLE, item: None, value }
            };
            let changes = (0..self.numbers.rows).map(|_| create()).collect();
            parts.push(Request::Write { user: UserId(user.into()), changes, index: None });
        }
        let at_once = PREPARE_AT_ONCE;
        hands.shards(Request::FanOut { parts, at_once, deadline: PREPARE_TIME });
        Step::Await(Job::Rows(first.expect("there is a user with a row")))
    }

    fn rows_made(&self, first: usize, outcome: Result<Outcome, Error>) -> Step<Job> {
        let Ok(Outcome::Parts(parts)) = outcome else { return Step::Failed };
        let mut ledger = lock(&self.ledger);
        for (n, part) in parts.into_iter().enumerate() {
            for row in 0..self.numbers.rows as usize {
                let told = match &part {
                    Some(Ok(Outcome::Written(written))) => Told::Written(written.rows[row].0),
                    _ => Told::Unknown,
                };
                ledger.end(first + n * self.numbers.rows as usize + row, told);
            }
        }
        Step::Done
    }

    fn draw_kind(&self, hands: &mut Hands<'_>) -> Kind {
        let mix = &self.numbers.mix;
        let all = [
            (Kind::Read, mix.reads),
            (Kind::Create, mix.creates),
            (Kind::Update, mix.updates),
            (Kind::Delete, mix.deletes),
            (Kind::Look, mix.looks),
            (Kind::Move, mix.moves),
        ];
        hands.draw(&all)
    }

    /// Reads or writes a row of a user's.
    fn ask(&self, hands: &mut Hands<'_>, user: u32, kind: Kind) -> Step<Job> {
        let look_first = self.numbers.writes == Writes::LookFirst;
        let mut ledger = lock(&self.ledger);
        let own = ledger.rows_of(user);
        let row = if own.is_empty() { 1 } else { own[hands.rng().index(own.len())] };
        let asked = match kind {
            Kind::Read => Asked::Read(row),
            // Who looks first knows the row already.
            _ if look_first => Asked::Update(row),
            Kind::Create => Asked::Create,
            Kind::Delete => Asked::Delete(row),
            Kind::Update | Kind::Look | Kind::Move => Asked::Update(row),
        };
        let value = ledger.fresh_value();
        let note = ledger.begin(user, asked, value);
        drop(ledger);
        if look_first && kind != Kind::Read {
            return locate(hands, user, Sight::Write(note));
        }
        hands.shards(self.request(user, asked, value));
        Step::Await(Job::Answer { user, note })
    }

    fn request(&self, user: u32, asked: Asked, value: u64) -> Request {
        let user = UserId(user.into());
        let value = stored(value, self.numbers.row_bytes);
        let change = match asked {
            Asked::Read(row) => {
                let query = Query { min: row, max: row, newest_first: false, limit: 1 };
                return Request::Select { table: TABLE, user, query };
            }
            Asked::Create => Change::Create { table: TABLE, item: None, value },
            Asked::Update(item) => Change::Update { table: TABLE, item, version: None, value },
            Asked::Delete(item) => Change::Delete { table: TABLE, item, version: None },
        };
        Request::Write { user, changes: vec![change], index: None }
    }

    fn answered(
        &self,
        hands: &mut Hands<'_>,
        user: u32,
        note: usize,
        outcome: Result<Outcome, Error>,
    ) -> Step<Job> {
        let told = told(&outcome);
        lock(&self.ledger).end(note, told);
        match (told, outcome) {
            (Told::Written(_), _) => {
                let since = lock(&self.ledger).accepted(user);
                if let Some(since) = since {
                    hands.time_since("refused_for", since);
                }
                hands.count("writes", 1);
                Step::Done
            }
            (Told::Value(_), _) => {
                hands.count("reads", 1);
                Step::Done
            }
            (_, Err(Error::ReadOnly { .. })) => self.refused(hands, user),
            _ => {
                hands.count("errors", 1);
                Step::Failed
            }
        }
    }

    fn refused(&self, hands: &mut Hands<'_>, user: u32) -> Step<Job> {
        lock(&self.ledger).refused(user, hands.now());
        hands.count("refused", 1);
        Step::Failed
    }

    /// Asks for the home of a user.
    fn look(&self, hands: &mut Hands<'_>, user: u32, shard: ShardId, sight: Sight) -> Step<Job> {
        let call = lock(&self.ledger).moment();
        hands.shards(last_look::home_request(shard, user));
        Step::Await(Job::Home { user, shard, call, sight })
    }

    /// A place or a home could not be read.
    fn blind(&self, hands: &mut Hands<'_>, sight: Sight) -> Step<Job> {
        if let Sight::Write(note) = sight {
            lock(&self.ledger).end(note, Told::Nothing);
        }
        hands.count("errors", 1);
        Step::Failed
    }

    /// A home was read.
    fn sighted(
        &self,
        hands: &mut Hands<'_>,
        (user, shard): (u32, ShardId),
        call: u64,
        (version, home): (u64, Option<Home>),
        sight: Sight,
    ) -> Step<Job> {
        let state = home.map(|home| home.state);
        let read_only = state == Some(HomeState::ReadOnly);
        // Who never moved has no home on the database from before sharding.
        let before = home.is_none() && self.numbers.is_unsharded(shard);
        let active = state == Some(HomeState::Active) || before;
        if read_only {
            lock(&self.ledger).saw_read_only(user, shard, version, call);
        }
        match sight {
            // As long as it lasts.
            Sight::Look if read_only => self.look(hands, user, shard, sight),
            Sight::Look => Step::Done,
            Sight::Write(note) if active => {
                hands.pause(self.numbers.page);
                Step::Await(Job::Page(user, shard, note))
            }
            Sight::Write(note) => {
                lock(&self.ledger).end(note, Told::Nothing);
                self.refused(hands, user)
            }
        }
    }

    /// Writes without a check.
    fn put(&self, hands: &mut Hands<'_>, user: u32, shard: ShardId, note: usize) -> Step<Job> {
        let (row, value) = lock(&self.ledger).sent(note);
        let (owner, row) = (user.to_string(), row.to_string());
        let value = stored(value, self.numbers.row_bytes);
        let words = [b"ROW.PUT", &TABLE[..], owner.as_bytes(), row.as_bytes(), &value[..]];
        let words = words.map(Bytes::copy_from_slice).to_vec();
        hands.shards(Request::Shard { shard, words });
        Step::Await(Job::Answer { user, note })
    }
}
