//! Pages that call functions at the job servers, some one after the other or all at once.
//!
//! A page makes `calls` calls of `function`. In the foreground it waits for all results and
//! compares each with what the workers' `does` makes of the data: `wrong` counts those that differ.
//! A call that failed, or of which nobody knows what became, is made again, up to `tries` times in
//! all: retries are the client's.
//!
//! | `unique` | jobs are the same |
//! |---|---|
//! | `none` | never |
//! | `data` | if function and data are |
//! | `page` | if they have one place in one page's list: for pages that come at once |
//!
//! Not modelled: what else a page needs.

use super::deed::Deed;
use crate::diagnostic::Checked;
use crate::fields::{DURATION, Fields};
use crate::metric::MetricDef;
use crate::models::app::{Came, Hands, JobServers, Step, Workload};
use crate::read::{Parts, work};
use crate::{app_fields, app_metrics};
use bytes::Bytes;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use storytime_gearman::client::{Event, Job as Call, Unique};
use storytime_machine::Time;

/// Most calls of a page.
const CALLS_MAX: u64 = 10_000;
/// Longest data of a call, bytes.
const DATA_BYTES_MAX: u64 = 16 << 20;
/// How often a call may be made.
const TRIES_MAX: u64 = 100;

/// By what two calls are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Same {
    /// By nothing.
    None,
    /// By their data.
    Data,
    /// By their place in a page.
    Place,
}

/// Its numbers.
#[derive(Clone, Debug)]
pub struct Numbers {
    servers: JobServers,
    function: Bytes,
    /// What the data begins with; a number follows, so that no two calls are alike, unless `same`
    /// says so.
    text: String,
    data_bytes: u64,
    deed: Deed,
    calls: u32,
    at_once: bool,
    same: Same,
    background: bool,
    /// How often a call is made.
    tries: u32,
    /// How long a result is waited for.
    patience: Option<Duration>,
}

/// The workload.
#[derive(Debug)]
pub struct Calls {
    numbers: Numbers,
    /// The number of the next call's data.
    next: u64,
    part: u32,
}

/// A page: its calls that have not ended.
#[derive(Debug)]
pub struct Page {
    /// The calls, in their order.
    calls: Vec<OneCall>,
    /// How many have not ended.
    left: u32,
    failed: bool,
}

/// A call.
#[derive(Debug)]
struct OneCall {
    data: Bytes,
    made: Time,
    tries: u32,
}

impl Workload for Calls {
    type Numbers = Numbers;
    type Ledger = ();
    type Job = Page;

    const KIND: &'static str = "calls";
    const FIELDS: &'static [&'static str] = app_fields![
        "day",
        "day_length",
        "job_servers",
        "own_server",
        "function",
        "text",
        "data",
        "does",
        "calls",
        "at_once",
        "unique",
        "background",
        "tries",
        "patience",
        "choose"
    ];
    const METRICS: &'static [MetricDef] = app_metrics![
        ("calls", Series, "calls made"),
        ("ends", Series, "calls that ended"),
        ("results", Series, "results"),
        ("accepted", Series, "calls accepted in the background"),
        ("wrong", Count, "wrong results"),
        ("failures", Series, "calls that failed"),
        ("lost", Series, "calls of which nobody knows"),
        ("not_sent", Series, "calls that no job server took"),
        ("call_time", Latency, "time of a call"),
    ];
    const NEEDS_DATABASE: bool = false;
    const NEEDS_CACHES: bool = false;

    fn read(fields: &Fields<'_>, parts: &Parts<'_>) -> Checked<Numbers> {
        let same = [("none", Same::None), ("data", Same::Data), ("page", Same::Place)];
        let text = fields.text_if("text", "words to send")?;
        Ok(Numbers {
            servers: JobServers {
                own: work::own_server(fields, parts)?,
                choice: work::choice(fields)?,
                ..JobServers::read(fields, parts)?
            },
            function: fields.text("function", "the name of a function")?.text.into(),
            text: text.map_or_else(String::new, |word| word.text),
            data_bytes: match fields.get("data") {
                Some(_) => fields.bytes("data", 0..=DATA_BYTES_MAX)?,
                None => 0,
            },
            deed: Deed::read(fields)?,
            calls: fields.integer("calls", 1..=CALLS_MAX, Some(1))? as u32,
            at_once: fields.flag("at_once", true)?,
            same: fields.choice("unique", &same, Some(Same::None))?,
            background: fields.flag("background", false)?,
            tries: fields.integer("tries", 1..=TRIES_MAX, Some(1))? as u32,
            patience: fields.quantity_if("patience", DURATION)?,
        })
    }

    fn new(numbers: Numbers, part: u32, _ledger: Arc<Mutex<()>>) -> Self {
        Self { numbers, next: 0, part }
    }

    fn job_servers(numbers: &Numbers) -> JobServers {
        numbers.servers.clone()
    }

    fn begin(&mut self, hands: &mut Hands<'_>) -> Step<Page> {
        let calls = (0..self.numbers.calls).map(|nth| OneCall {
            data: self.data(nth),
            made: hands.now(),
            tries: 0,
        });
        let mut page = Page { calls: calls.collect(), left: self.numbers.calls, failed: false };
        self.next += u64::from(self.numbers.calls);
        let first = if self.numbers.at_once { self.numbers.calls } else { 1 };
        for nth in 0..first {
            self.call(hands, &mut page, nth);
        }
        Step::Await(page)
    }

    fn resume(&mut self, hands: &mut Hands<'_>, mut page: Page, came: Came) -> Step<Page> {
        let Came::Job { nth, event } = came else { return Step::Failed };
        if !event.is_end() {
            return Step::Await(page);
        }
        if !self.ended(hands, &mut page, nth, &event) {
            return Step::Await(page);
        }
        page.left -= 1;
        if page.left == 0 {
            return if page.failed { Step::Failed } else { Step::Done };
        }
        if !self.numbers.at_once {
            self.call(hands, &mut page, nth + 1);
        }
        Step::Await(page)
    }
}

impl Calls {
    /// What the call in this place of the next page is about.
    fn data(&self, nth: u32) -> Bytes {
        let number = match self.numbers.same {
            Same::None => format!("{}.{}", self.part, self.next + u64::from(nth)),
            Same::Data | Same::Place => nth.to_string(),
        };
        let mut data = match &self.numbers.text {
            text if text.is_empty() => number,
            text if self.numbers.calls == 1 => text.clone(),
            text => format!("{text} {number}"),
        };
        let length = data.len().max(self.numbers.data_bytes as usize);
        data.extend(std::iter::repeat_n('.', length - data.len()));
        data.into()
    }

    fn call(&self, hands: &mut Hands<'_>, page: &mut Page, nth: u32) {
        let call = &mut page.calls[nth as usize];
        if call.tries == 0 {
            call.made = hands.now();
        }
        call.tries += 1;
        let unique = match self.numbers.same {
            Same::None => Unique::None,
            Same::Data => Unique::Data,
            Same::Place => Unique::Key(format!("place {nth}").into()),
        };
        let job = Call {
            unique,
            background: self.numbers.background,
            timeout: self.numbers.patience,
            ..Call::new(self.numbers.function.clone(), call.data.clone())
        };
        hands.count("calls", 1);
        hands.submit(nth, job);
    }

    /// What became of a call; whether it is over, and not made again.
    fn ended(&self, hands: &mut Hands<'_>, page: &mut Page, nth: u32, event: &Event) -> bool {
        let call = &page.calls[nth as usize];
        let counted = match event {
            Event::Created { .. } => "accepted",
            Event::Complete { data, .. } => {
                if data[..] != self.numbers.deed.of(&call.data)[..] {
                    hands.count("wrong", 1);
                }
                hands.time_since("call_time", call.made);
                "results"
            }
            Event::Lost { .. } => "lost",
            Event::NotSent { .. } => "not_sent",
            _ => "failures",
        };
        hands.count(counted, 1);
        hands.count("ends", 1);
        if matches!(counted, "accepted" | "results") {
            return true;
        }
        if call.tries < self.numbers.tries {
            self.call(hands, page, nth);
            return false;
        }
        page.failed = true;
        true
    }
}
