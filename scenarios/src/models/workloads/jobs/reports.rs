//! Reports: what the logs of many web servers say together, asked of the job servers.
//!
//! Each job sends all logs to a function, which is to say which pages were not found, how often
//! each. The answer is compared with what one machine finds that reads all lines itself: `wrong`
//! counts those that are not the same.
//!
//! Not modelled: logs that stay where they were written.

use super::splitter::added_up;
use crate::diagnostic::Checked;
use crate::fields::{DURATION, Fields};
use crate::metric::MetricDef;
use crate::models::app::{Came, Hands, JobServers, Step, Workload};
use crate::read::Parts;
use crate::story::files::log_line;
use crate::{app_fields, app_metrics};
use bytes::Bytes;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use storytime_gearman::client::{Event, Job as Call};
use storytime_machine::Time;

/// Most web servers.
const LOGS_MAX: u64 = 1_000;
/// Most lines of each.
const LINES_MAX: u64 = 100_000;
/// How often a report may be asked for.
const TRIES_MAX: u64 = 100;

/// Its numbers.
#[derive(Clone, Debug)]
pub struct Numbers {
    servers: JobServers,
    function: Bytes,
    /// Web servers that wrote logs, and the lines of each.
    logs: u64,
    lines: u64,
    tries: u32,
    /// How long a report is waited for.
    patience: Option<Duration>,
}

/// The workload.
#[derive(Debug)]
pub struct Reports {
    numbers: Numbers,
    /// The report's number, of this host: each is about other lines.
    next: u64,
    part: u32,
}

/// A report that was asked for.
#[derive(Debug)]
pub struct Report {
    data: Bytes,
    since: Time,
    tries: u32,
}

impl Workload for Reports {
    type Numbers = Numbers;
    type Ledger = ();
    type Job = Report;

    const KIND: &'static str = "reports";
    const FIELDS: &'static [&'static str] =
        app_fields!["job_servers", "function", "logs", "lines", "tries", "patience"];
    const METRICS: &'static [MetricDef] = app_metrics![
        ("reports", Series, "reports that came"),
        ("lines_read", Series, "lines that they are about"),
        ("wrong", Count, "reports that one machine would not give"),
        ("again", Series, "reports asked for again"),
        ("report_time", Latency, "time of a report"),
    ];
    const NEEDS_DATABASE: bool = false;
    const NEEDS_CACHES: bool = false;

    fn read(fields: &Fields<'_>, parts: &Parts<'_>) -> Checked<Numbers> {
        Ok(Numbers {
            servers: JobServers::read(fields, parts)?,
            function: fields.text("function", "the name of a function")?.text.into(),
            logs: fields.integer("logs", 1..=LOGS_MAX, None)?,
            lines: fields.integer("lines", 1..=LINES_MAX, None)?,
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

    fn begin(&mut self, hands: &mut Hands<'_>) -> Step<Report> {
        let data = self.logs();
        self.next += 1;
        let mut report = Report { data, since: hands.now(), tries: 0 };
        self.ask(hands, &mut report);
        Step::Await(report)
    }

    fn resume(&mut self, hands: &mut Hands<'_>, mut report: Report, came: Came) -> Step<Report> {
        let Came::Job { event, .. } = came else { return Step::Failed };
        if let Event::Complete { data, .. } = &event {
            hands.count("reports", 1);
            hands.count("lines_read", self.numbers.logs * self.numbers.lines);
            hands.count("wrong", u64::from(data[..] != answer(&report.data)[..]));
            hands.time_since("report_time", report.since);
            return Step::Done;
        }
        if event.is_end() {
            if report.tries >= self.numbers.tries {
                return Step::Failed;
            }
            hands.count("again", 1);
            self.ask(hands, &mut report);
        }
        Step::Await(report)
    }
}

impl Reports {
    /// The next lines of all logs.
    fn logs(&self) -> Bytes {
        let numbers = &self.numbers;
        let from = (self.next * 1_000 + u64::from(self.part)) * numbers.lines;
        let lines = |log: u64| {
            let host = format!("web{}", log + 1);
            (from..from + numbers.lines).map(move |nth| log_line(&host, nth))
        };
        (0..numbers.logs).flat_map(lines).collect::<String>().into()
    }

    fn ask(&self, hands: &mut Hands<'_>, report: &mut Report) {
        report.tries += 1;
        let (function, timeout) = (self.numbers.function.clone(), self.numbers.patience);
        hands.submit(0, Call { timeout, ..Call::new(function, report.data.clone()) });
    }
}

/// What one machine finds: the pages that were not there, and how often each was asked for.
fn answer(log: &[u8]) -> Vec<u8> {
    let log = std::str::from_utf8(log).expect("logs are text");
    let missing = log.lines().filter(|line| line.ends_with(" 404"));
    let pages = missing.filter_map(|line| line.split(' ').nth(2));
    let found: Vec<String> = pages.map(|page| format!("1 {page}\n")).collect();
    added_up(found.iter().map(String::as_bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_counts_pages_that_were_not_found() {
        let log = b"web1#0 GET /b 404\nweb1#1 GET /a 200\nweb2#0 GET /b 404\nweb2#1 GET /a 404\n";
        assert_eq!(answer(log), b"      1 /a\n      2 /b\n");
    }
}
