//! What the timeline has done with all users at once: moving everybody off the database from
//! before sharding, measuring how the load is spread, and balancing it.
//!
//! The load of a user is what the web servers counted of him since the last measurement.
//! Percentages and the choice of users are the balancer's.

use super::history::Ledger;
use super::numbers::Numbers;
use super::{Job, PREPARE_AT_ONCE};
use crate::models::app::{Came, Hands, Step, lock};
use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Duration;
use storytime_sharding::balance::{Level, Load, Options, ShardLoad, UserLoad, plan, spread};
use storytime_sharding::mover::wire::Line;
use storytime_sharding::{Outcome, Request, ShardId, UserId};

/// The verb that has all users moved to the shards.
pub(super) const MOVE_EVERYBODY: &str = "move-everybody";
/// The verb that measures how the load is spread.
pub(super) const MEASURE: &str = "measure";
/// The verb that measures, and orders the moves that spread it better.
pub(super) const BALANCE: &str = "balance";

/// Before an order that nobody answered is given again.
const ORDER_AGAIN: Duration = Duration::from_millis(100);
/// How long looking up all users may take.
const LOCATE_TIME: Duration = Duration::from_secs(10);

/// What is to be done, and how far it is.
#[derive(Debug)]
pub struct Balance {
    balances: bool,
    /// Moves that are still to be ordered, the first of them said.
    orders: VecDeque<(UserId, ShardId)>,
}

impl Balance {
    pub(super) fn begin(numbers: &Numbers, hands: &mut Hands<'_>, verb: &'static str) -> Step<Job> {
        let users = (1..=numbers.population).map(|user| UserId(user.into()));
        let mut new = Box::new(Self { balances: verb == BALANCE, orders: VecDeque::new() });
        if verb == MOVE_EVERYBODY {
            let shards = u64::from(numbers.shard_count());
            let to = |user: UserId| ShardId(1 + (user.0 % shards) as u32);
            new.orders = users.map(|user| (user, to(user))).collect();
            return new.order(hands);
        }
        let parts = users.map(|user| Request::Locate { user, cached: false }).collect();
        hands.shards(Request::FanOut { parts, at_once: PREPARE_AT_ONCE, deadline: LOCATE_TIME });
        Step::Await(Job::Balance(new))
    }

    fn order(self: Box<Self>, hands: &mut Hands<'_>) -> Step<Job> {
        let Some(&(user, to)) = self.orders.front() else { return Step::Done };
        hands.count("orders", 1);
        hands.order(Line::Add(user, to, 0));
        Step::Await(Job::Balance(self))
    }

    pub(super) fn resume(
        mut self: Box<Self>,
        numbers: &Numbers,
        ledger: &Mutex<Ledger>,
        hands: &mut Hands<'_>,
        came: Came,
    ) -> Step<Job> {
        match came {
            Came::Shards(outcome) => {
                let Ok(Outcome::Parts(parts)) = outcome else { return Step::Failed };
                let place = |part: Option<Result<Outcome, _>>| match part {
                    Some(Ok(Outcome::Located(place))) => Some(place.shard),
                    _ => None,
                };
                let places = parts.into_iter().map(place).collect();
                self.measure(numbers, ledger, hands, places);
                self.order(hands)
            }
            Came::Ordered(Some(Line::Queued(_))) => {
                hands.count("orders_taken", 1);
                self.orders.pop_front();
                self.order(hands)
            }
            // It was queued before, and the answer was lost; or he is on the way already.
            Came::Ordered(Some(Line::Refused(_))) => {
                self.orders.pop_front();
                self.order(hands)
            }
            Came::Ordered(_) => {
                hands.pause(ORDER_AGAIN);
                Step::Await(Job::Balance(self))
            }
            _ => self.order(hands),
        }
    }

    fn measure(
        &mut self,
        numbers: &Numbers,
        ledger: &Mutex<Ledger>,
        hands: &mut Hands<'_>,
        places: Vec<Option<ShardId>>,
    ) {
        let loads = lock(ledger).take_loads();
        let empty = |id: ShardId| ShardLoad {
            shard: id,
            database: id.0,
            host: (id.0 - 1) / numbers.shards_per_host,
            capacity: 1,
            load: Load::default(),
        };
        let mut shards: Vec<ShardLoad> = numbers.all_shards().map(empty).collect();
        let mut users = Vec::new();
        for (user, place) in (1..).zip(places) {
            let Some(shard) = place else { continue };
            let (reads, writes) = loads.get(&user).copied().unwrap_or_default();
            let bytes = lock(ledger).rows_of(user).len() as u64 * u64::from(numbers.row_bytes);
            let load = Load { users: 1, bytes, reads, writes };
            users.push(UserLoad { user: UserId(user.into()), shard, load });
            if let Some(at) = shards.iter_mut().find(|at| at.shard == shard) {
                at.load = at.load.plus(load);
            }
        }
        let options = Options::default();
        for (name, level) in [("host_spread", Level::Host), ("shard_spread", Level::Shard)] {
            hands.level(name, spread(level, &shards, &options));
        }
        if self.balances {
            let moves = plan(&shards, &users, &options);
            self.orders = moves.into_iter().map(|found| (found.user, found.to)).collect();
        }
    }
}
