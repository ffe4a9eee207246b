//! A proxy between browsers and web servers: a job hands one request on.
//!
//! Not modelled: queues by class, verified connections, anything that it serves itself.

use crate::diagnostic::{Checked, Diagnostic};
use crate::fields::{DURATION, Fields};
use crate::metric::MetricDef;
use crate::models::app::{Came, Hands, Step, Workload};
use crate::models::pages::Page;
use crate::read::Parts;
use crate::{app_fields, app_metrics};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The workload.
#[derive(Debug)]
pub struct Proxy {
    cpu: Duration,
}

/// The server's page is awaited.
#[derive(Debug)]
pub struct AwaitPage;

impl Workload for Proxy {
    /// What handing a request on takes.
    type Numbers = Duration;
    type Ledger = ();
    type Job = AwaitPage;

    const KIND: &'static str = "proxy";
    const FIELDS: &'static [&'static str] =
        app_fields!["listen", "servers", "port", "choose", "cpu"];
    const METRICS: &'static [MetricDef] = app_metrics![];
    const NEEDS_DATABASE: bool = false;
    const NEEDS_CACHES: bool = false;
    const NEEDS_SERVERS: bool = true;

    fn read(fields: &Fields<'_>, _parts: &Parts<'_>) -> Checked<Duration> {
        if fields.get("listen").is_none() {
            let title = "a proxy that nobody can ask";
            return Err(Diagnostic::at(fields.span(), title, "add `listen`, a port").into());
        }
        fields.quantity("cpu", DURATION, Some(Duration::ZERO))
    }

    fn new(cpu: Duration, _part: u32, _ledger: Arc<Mutex<()>>) -> Self {
        Self { cpu }
    }

    fn begin(&mut self, hands: &mut Hands<'_>) -> Step<AwaitPage> {
        let Some(path) = hands.path().map(str::to_owned) else { return Step::Failed };
        hands.compute(self.cpu);
        hands.fetch(path);
        Step::Await(AwaitPage)
    }

    fn resume(&mut self, hands: &mut Hands<'_>, _job: AwaitPage, came: Came) -> Step<AwaitPage> {
        match came {
            Came::Page(Page::Came(bytes)) => {
                hands.page(u32::try_from(bytes).unwrap_or(u32::MAX));
                Step::Done
            }
            _ => Step::Failed,
        }
    }
}
