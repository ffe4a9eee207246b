//! A table of addresses whose pages are fetched by workers.
//!
//! The first host makes the table: rows with an address and no content. Told to `select`, it reads
//! all rows, and submits a background job for each address. All hosts are workers: a job reads the
//! row, fetches the page, and writes it into the row.
//!
//! | `fills` | a worker writes |
//! |---|---|
//! | `always` | its page, whatever the row has |
//! | `empty` | into a row without content; one that has it is not fetched either |
//!
//! Some workers die (`dies`), behind the fetching, and with them all jobs that their host has: its
//! connections are cut, and another worker takes its place. In the middle of `settle` the rows are
//! read again: `unfilled`, `wrong`. `filled_again` counts pages written into rows that had one.
//!
//! Not modelled: the web: a page takes as long as `wait` says.

use crate::diagnostic::Checked;
use crate::fields::{CHANCE, DURATION, Fields};
use crate::metric::MetricDef;
use crate::models::app::{Came, Hands, JobServers, Step, Workload, lock};
use crate::read::{Parts, sites, work};
use crate::{app_fields, app_metrics};
use bytes::{Bytes, BytesMut};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use storytime_database::Reply;
use storytime_database::client::Failure;
use storytime_gearman::client::{Event, Job as Call, Unique};
use storytime_machine::Ratio;

/// What workers do.
const FUNCTION: &str = "url_get";
/// The table, and its only owner.
const TABLE: &[u8] = b"url";
/// See [`TABLE`].
const OWNER: &[u8] = b"1";
/// Most rows.
const ROWS_MAX: u64 = 100_000;
/// Longest page, bytes.
const PAGE_BYTES_MAX: u64 = 1 << 20;
/// Rows that are made in one request.
const ROWS_AT_ONCE: u64 = 500;
/// How long a server that did not answer is left alone.
const AGAIN_PAUSE: Duration = Duration::from_millis(200);
/// Between the address and the content of a row.
const NEWLINE: u8 = b'\n';

/// Into which rows a page is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fills {
    /// Any.
    Always,
    /// Those without content.
    Empty,
}

/// Its numbers.
#[derive(Clone, Debug)]
pub struct Numbers {
    servers: JobServers,
    database: usize,
    rows: u64,
    page_bytes: usize,
    /// Whether jobs for the same address are the same.
    keyed: bool,
    fills: Fills,
    dies: Ratio,
    wait: (Duration, Duration),
}

/// The rows that have content, as their writers know.
pub type Ledger = BTreeSet<u64>;

/// The workload.
#[derive(Debug)]
pub struct FetchUrls {
    numbers: Numbers,
    ledger: Arc<Mutex<Ledger>>,
    /// How many workers have died on this host: what an earlier one had begun is nobody's.
    deaths: u64,
}

/// A row as a worker has read it.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    item: u64,
    version: u64,
    /// How many had died on this host before its worker.
    worker: u64,
}

/// A job, by what it awaits.
#[derive(Debug)]
pub enum Job {
    /// That rows were made, from this one on.
    AwaitMade(u64),
    /// A pause, before they are made again.
    AwaitPause(u64),
    /// All rows, to submit a job for each.
    AwaitSelected,
    /// The job server's word that it has so many more.
    AwaitAccepted(usize),
    /// The row of a job, for this worker.
    AwaitRow(u64, u64),
    /// Its page.
    AwaitPage(Row),
    /// That it was written.
    AwaitWritten(Row),
    /// All rows, to look at them.
    AwaitChecked,
}

impl Workload for FetchUrls {
    type Numbers = Numbers;
    type Ledger = Ledger;
    type Job = Job;

    const KIND: &'static str = "fetch-urls";
    const FIELDS: &'static [&'static str] = app_fields![
        "job_servers",
        "table",
        "rows",
        "page",
        "keyed",
        "fills",
        "dies",
        "wait",
        "at_once"
    ];
    const METRICS: &'static [MetricDef] = app_metrics![
        ("selected", Series, "rows selected"),
        ("acknowledged", Series, "jobs acknowledged"),
        ("fetched", Series, "pages fetched"),
        ("skipped", Series, "jobs for rows that had content"),
        ("filled", Series, "pages written"),
        ("filled_again", Series, "pages written over others"),
        ("deaths", Series, "workers that died"),
        ("rows", Count, "rows read in the end"),
        ("unfilled", Count, "rows without content"),
        ("wrong", Count, "rows with the content of others"),
    ];
    const NEEDS_DATABASE: bool = false;
    const NEEDS_CACHES: bool = false;
    const TAKES_JOBS: bool = true;
    const VERBS: &'static [&'static str] = &["select"];

    fn read(fields: &Fields<'_>, parts: &Parts<'_>) -> Checked<Numbers> {
        let database = work::some_hosts(fields, "table", parts)?[0];
        sites::is_database(parts, database, &fields.required("table", "")?.span)?;
        let fills = [("always", Fills::Always), ("empty", Fills::Empty)];
        Ok(Numbers {
            servers: JobServers::of_workers(fields, parts, [FUNCTION.into()], "at_once")?,
            database,
            rows: fields.integer("rows", 1..=ROWS_MAX, None)?,
            page_bytes: match fields.get("page") {
                Some(_) => fields.bytes("page", 1..=PAGE_BYTES_MAX)? as usize,
                None => 1_000,
            },
            keyed: fields.flag("keyed", true)?,
            fills: fields.choice("fills", &fills, None)?,
            dies: fields.quantity("dies", CHANCE, Some(Ratio::NEVER))?,
            wait: DURATION
                .read_range(fields.required("wait", "such as [\"1s\", \"2s\"]")?, "wait")?,
        })
    }

    fn new(numbers: Numbers, _part: u32, ledger: Arc<Mutex<Ledger>>) -> Self {
        Self { numbers, ledger, deaths: 0 }
    }

    fn job_servers(numbers: &Numbers) -> JobServers {
        numbers.servers.clone()
    }

    fn prepare(&mut self, hands: &mut Hands<'_>) -> Step<Job> {
        if hands.part() > 0 { Step::Done } else { self.make(hands, 1) }
    }

    fn begin(&mut self, hands: &mut Hands<'_>) -> Step<Job> {
        let assigned = hands.assigned().expect("this load has no jobs but those it is given");
        let item = item_of(&assigned.data).expect("the load's own jobs are addresses");
        let number = item.to_string();
        hands.dbd(self.numbers.database, &[b"ROW.GET", TABLE, OWNER, number.as_bytes()]);
        Step::Await(Job::AwaitRow(item, self.deaths))
    }

    fn resume(&mut self, hands: &mut Hands<'_>, job: Job, came: Came) -> Step<Job> {
        match (job, came) {
            (Job::AwaitMade(from), Came::Dbd(outcome)) if is_done(&outcome) => {
                self.make(hands, from + ROWS_AT_ONCE)
            }
            (Job::AwaitMade(from), _) => {
                hands.pause(AGAIN_PAUSE);
                Step::Await(Job::AwaitPause(from))
            }
            (Job::AwaitPause(from), _) => self.make(hands, from),
            (Job::AwaitSelected, Came::Dbd(Ok(Reply::Array(rows)))) => self.submit(hands, &rows),
            (Job::AwaitAccepted(left), Came::Job { event, .. }) => {
                let accepted = matches!(event, Event::Created { .. });
                hands.count("acknowledged", u64::from(accepted));
                if left > 1 { Step::Await(Job::AwaitAccepted(left - 1)) } else { Step::Done }
            }
            (Job::AwaitRow(item, worker), Came::Dbd(Ok(reply))) if worker == self.deaths => {
                self.fetch(hands, item, &reply)
            }
            (Job::AwaitPage(row), Came::Woke) if row.worker == self.deaths => self.fill(hands, row),
            (Job::AwaitWritten(row), Came::Dbd(outcome)) if is_done(&outcome) => {
                match outcome {
                    Ok(Reply::Integer(_)) => self.filled(hands, row),
                    // Somebody else was faster.
                    _ => hands.count("skipped", 1),
                }
                Step::Done
            }
            (Job::AwaitChecked, Came::Dbd(Ok(Reply::Array(rows)))) => {
                self.look(hands, &rows);
                Step::Done
            }
            // A dead worker's job is with another one; a row that cannot be had is left as it is,
            // until it is selected again.
            _ => Step::Failed,
        }
    }

    fn told(&mut self, hands: &mut Hands<'_>, _verb: &'static str) -> Step<Job> {
        self.ask_for_all(hands, Job::AwaitSelected)
    }

    fn check(&mut self, hands: &mut Hands<'_>) -> Step<Job> {
        self.ask_for_all(hands, Job::AwaitChecked)
    }
}

/// The address in a row.
fn address(item: u64) -> String {
    format!("http://site{item}.example.com/")
}

/// The row of an address.
fn item_of(address: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(address).ok()?;
    text.strip_prefix("http://site")?.strip_suffix(".example.com/")?.parse().ok()
}

fn is_done(outcome: &Result<Reply, Failure>) -> bool {
    !matches!(outcome, Ok(Reply::Error(_)) | Err(_))
}

/// A row's address and content.
fn parts(value: &[u8]) -> (&[u8], &[u8]) {
    let end = value.iter().position(|byte| *byte == NEWLINE).unwrap_or(value.len());
    (&value[..end], value.get(end + 1..).unwrap_or_default())
}

impl FetchUrls {
    /// Makes rows without content.
    fn make(&self, hands: &mut Hands<'_>, from: u64) -> Step<Job> {
        if from > self.numbers.rows {
            return Step::Done;
        }
        let items = from..(from + ROWS_AT_ONCE).min(self.numbers.rows + 1);
        let rows: Vec<_> = items.map(|item| (item.to_string(), address(item))).collect();
        let mut words = vec![&b"ROW.BATCH"[..], OWNER];
        for (item, address) in &rows {
            words.extend([&b"PUT"[..], TABLE, item.as_bytes(), address.as_bytes()]);
        }
        hands.dbd(self.numbers.database, &words);
        Step::Await(Job::AwaitMade(from))
    }

    /// Asks for all rows, on the first host.
    fn ask_for_all(&self, hands: &mut Hands<'_>, awaits: Job) -> Step<Job> {
        if hands.part() > 0 {
            return Step::Done;
        }
        hands.dbd(self.numbers.database, &[b"ROW.RANGE", TABLE, OWNER, b"-", b"+"]);
        Step::Await(awaits)
    }

    /// Submits a job for each row.
    fn submit(&self, hands: &mut Hands<'_>, rows: &[Reply]) -> Step<Job> {
        let addresses = rows.iter().filter_map(|row| {
            let (_, value) = item_and_value(row)?;
            Some(Bytes::copy_from_slice(parts(value).0))
        });
        let mut count = 0;
        for address in addresses {
            let unique = match self.numbers.keyed {
                true => Unique::Data,
                false => Unique::None,
            };
            let call = Call::new(FUNCTION, address).background().unique(unique);
            hands.submit(count, call);
            count += 1;
        }
        hands.count("selected", count.into());
        if count > 0 { Step::Await(Job::AwaitAccepted(count as usize)) } else { Step::Done }
    }

    /// Fetches the page of a row, unless it has one and that is to stay.
    fn fetch(&self, hands: &mut Hands<'_>, item: u64, reply: &Reply) -> Step<Job> {
        let Reply::Array(row) = reply else { return Step::Failed };
        let [Reply::Integer(version), Reply::Bulk(value)] = &row[..] else { return Step::Failed };
        if self.numbers.fills == Fills::Empty && !parts(value).1.is_empty() {
            hands.count("skipped", 1);
            return Step::Done;
        }
        let wait = self.numbers.wait;
        let wait = hands.rng().duration(wait.0, wait.1);
        hands.pause(wait);
        let (version, worker) = (version.cast_unsigned(), self.deaths);
        Step::Await(Job::AwaitPage(Row { item, version, worker }))
    }

    /// Writes a page into its row; or dies.
    fn fill(&mut self, hands: &mut Hands<'_>, row: Row) -> Step<Job> {
        hands.count("fetched", 1);
        if hands.rng().chance(self.numbers.dies) {
            hands.count("deaths", 1);
            self.deaths += 1;
            hands.hang_up();
            return Step::Failed;
        }
        let (item, version) = (row.item.to_string(), row.version.to_string());
        let mut value = BytesMut::from(address(row.item).as_bytes());
        value.extend_from_slice(&[NEWLINE]);
        value.extend_from_slice(&self.page(row.item));
        let mut words = vec![&b"ROW.PUT"[..], TABLE, OWNER, item.as_bytes(), &value];
        if self.numbers.fills == Fills::Empty {
            words.extend([&b"IF"[..], version.as_bytes()]);
        }
        hands.dbd(self.numbers.database, &words);
        Step::Await(Job::AwaitWritten(row))
    }

    fn filled(&self, hands: &mut Hands<'_>, row: Row) {
        let first = lock(&self.ledger).insert(row.item);
        hands.count("filled", 1);
        hands.count("filled_again", u64::from(!first));
    }

    /// What stands at an address: its own words, again and again.
    fn page(&self, item: u64) -> Vec<u8> {
        format!("page {item}. ")
            .into_bytes()
            .into_iter()
            .cycle()
            .take(self.numbers.page_bytes)
            .collect()
    }

    fn look(&self, hands: &mut Hands<'_>, rows: &[Reply]) {
        let (mut unfilled, mut wrong) = (0, 0);
        for (item, value) in rows.iter().filter_map(item_and_value) {
            let (_, content) = parts(value);
            unfilled += u64::from(content.is_empty());
            wrong += u64::from(!content.is_empty() && *content != self.page(item)[..]);
        }
        hands.count("rows", rows.len() as u64);
        hands.count("unfilled", unfilled);
        hands.count("wrong", wrong);
    }
}

/// A row of a range: number and value.
fn item_and_value(reply: &Reply) -> Option<(u64, &[u8])> {
    let Reply::Array(parts) = reply else { return None };
    let [Reply::Integer(item), _, Reply::Bulk(value)] = &parts[..] else { return None };
    Some((u64::try_from(*item).ok()?, value))
}
