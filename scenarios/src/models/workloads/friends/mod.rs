//! A page about the friends of somebody's friends: in one request for all of them, or in several
//! requests at once for some of them each.
//!
//! `friends` is who puts the page together, `friend-lists` the web servers that are asked.
//! Friends of somebody are as many users in a row, from a number that is drawn.
//!
//! Not modelled: how friends came to be; what a page looks like.

mod lists;

pub use lists::FriendLists;

use crate::diagnostic::{Checked, Diagnostic};
use crate::fields::Fields;
use crate::metric::MetricDef;
use crate::models::app::{Came, Hands, Step, Workload};
use crate::models::pages::Page;
use crate::read::Parts;
use crate::{app_fields, app_metrics};
use std::sync::{Arc, Mutex};
use storytime_machine::Time;

/// Most users of either load.
pub const USERS_MAX: u64 = 100_000;
/// Most friends of a user: a fan-out has no more parts.
pub const FRIENDS_MAX: u64 = storytime_sharding::request::PARTS_MAX as u64;

/// Its numbers.
#[derive(Clone, Debug)]
pub struct Numbers {
    /// Users, numbered from 1.
    population: u32,
    /// Friends of whoever is shown.
    friends: u32,
    /// Friends of one request.
    batch: u32,
}

/// What a page awaits: so many parts of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AwaitParts {
    left: u32,
    failed: bool,
    since: Time,
}

/// The workload of who puts pages together.
#[derive(Debug)]
pub struct Friends {
    numbers: Numbers,
}

impl Workload for Friends {
    type Numbers = Numbers;
    type Ledger = ();
    type Job = AwaitParts;

    const KIND: &'static str = "friends";
    const FIELDS: &'static [&'static str] =
        app_fields!["servers", "port", "choose", "population", "friends", "batch"];
    const METRICS: &'static [MetricDef] = app_metrics![
        ("page_time", Latency, "time of a page"),
        ("requests", Series, "requests to web servers"),
    ];
    const NEEDS_DATABASE: bool = false;
    const NEEDS_CACHES: bool = false;
    const NEEDS_SERVERS: bool = true;

    fn read(fields: &Fields<'_>, _parts: &Parts<'_>) -> Checked<Numbers> {
        let population = fields.integer("population", 1..=USERS_MAX, None)?;
        let friends = fields.integer("friends", 1..=FRIENDS_MAX, None)?;
        if friends > population {
            let title = format!("{friends} friends among {population} users");
            let at = &fields.required("friends", "")?.span;
            return Err(Diagnostic::at(at, title, "expected no more than the population").into());
        }
        let batch = fields.integer("batch", 1..=FRIENDS_MAX, Some(FRIENDS_MAX))?;
        Ok(Numbers { population: population as u32, friends: friends as u32, batch: batch as u32 })
    }

    fn new(numbers: Numbers, _part: u32, _ledger: Arc<Mutex<()>>) -> Self {
        Self { numbers }
    }

    fn begin(&mut self, hands: &mut Hands<'_>) -> Step<AwaitParts> {
        let Numbers { population, friends, batch } = self.numbers;
        let first = 1 + hands.rng().below(u64::from(population - friends) + 1) as u32;
        let behind = first + friends;
        let mut left = 0;
        for from in (first..behind).step_by(batch as usize) {
            let to = (from + batch).min(behind) - 1;
            hands.fetch(format!("/friends/{from}/{to}"));
            left += 1;
        }
        hands.count("requests", left.into());
        Step::Await(AwaitParts { left, failed: false, since: hands.now() })
    }

    fn resume(
        &mut self,
        hands: &mut Hands<'_>,
        mut job: AwaitParts,
        came: Came,
    ) -> Step<AwaitParts> {
        let Came::Page(page) = came else { unreachable!("a page awaits its parts") };
        job.left -= 1;
        job.failed |= !matches!(page, Page::Came(_));
        match (job.left, job.failed) {
            (0, false) => {
                hands.time_since("page_time", job.since);
                Step::Done
            }
            (0, true) => Step::Failed,
            _ => Step::Await(job),
        }
    }
}
