//! Browsers: a job is a page that somebody waits for.
//!
//! They ask web servers, or proxies in front of them, in the place of a load balancer: each page
//! goes to one that can be reached. With a `rate` they do not wait for each other; `users` wait for
//! their page, think, and ask for the next. `day` makes them more or fewer by the hour.
//!
//! Not modelled: images, impatience, slow modems (give their hosts a `[[link]]`).

use crate::diagnostic::{Checked, Diagnostic};
use crate::fields::Fields;
use crate::metric::MetricDef;
use crate::models::app::{Came, Hands, Step, Workload};
use crate::models::pages::Page;
use crate::models::visits::{VisitNumbers, Visits};
use crate::read::Parts;
use crate::{app_fields, app_metrics};
use std::sync::{Arc, Mutex};

/// The workload.
#[derive(Debug)]
pub struct Browsers {
    visits: Visits,
}

/// A page of this class is awaited.
#[derive(Debug)]
pub struct AwaitPage(usize);

impl Workload for Browsers {
    type Numbers = VisitNumbers;
    type Ledger = ();
    type Job = AwaitPage;

    const KIND: &'static str = "browsers";
    const FIELDS: &'static [&'static str] = app_fields![
        "servers",
        "port",
        "choose",
        "day",
        "day_length",
        "classes",
        "population",
        "skew",
        "power_users",
        "power_share",
    ];
    const METRICS: &'static [MetricDef] = app_metrics![
        ("refused", Series, "pages that a server could not build"),
        ("lost", Series, "pages that did not come"),
        ("pages_by_class", Curve("class"), "pages"),
        ("failed_by_class", ShareCurve("class"), "pages that failed"),
    ];
    const NEEDS_DATABASE: bool = false;
    const NEEDS_CACHES: bool = false;
    const NEEDS_SERVERS: bool = true;

    fn read(fields: &Fields<'_>, parts: &Parts<'_>) -> Checked<VisitNumbers> {
        let numbers = VisitNumbers::read(fields, parts)?;
        if numbers.classes.is_empty() {
            let title = "browsers that ask for nothing";
            return Err(Diagnostic::at(fields.span(), title, "the story has no `[[class]]`")
                .help("add a section `[[class]]` with a `name` and what its requests cost")
                .into());
        }
        Ok(numbers)
    }

    fn new(numbers: VisitNumbers, _part: u32, _ledger: Arc<Mutex<()>>) -> Self {
        Self { visits: Visits::new(numbers) }
    }

    fn begin(&mut self, hands: &mut Hands<'_>) -> Step<AwaitPage> {
        let (class, user) = self.visits.draw(hands.rng());
        hands.fetch(self.visits.path(class, user));
        Step::Await(AwaitPage(class))
    }

    fn resume(&mut self, hands: &mut Hands<'_>, job: AwaitPage, came: Came) -> Step<AwaitPage> {
        let Came::Page(page) = came else { unreachable!("a browser awaits a page, not {came:?}") };
        // Classes are counted from 1, as people count.
        let class = job.0 as u64 + 1;
        let failed = !matches!(page, Page::Came(_));
        hands.at("failed_by_class", class, u64::from(failed), 1);
        match page {
            Page::Came(_) => {
                hands.at("pages_by_class", class, 1, 0);
                Step::Done
            }
            Page::Refused => {
                hands.count("refused", 1);
                Step::Failed
            }
            Page::Lost => {
                hands.count("lost", 1);
                Step::Failed
            }
        }
    }
}
