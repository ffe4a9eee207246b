//! Servers that watch the health of a cluster of caches, and tell whoever asks which are down.
//!
//! Each watcher probes each cache at every turn: it connects, asks for the `version` and waits no
//! longer than a stated time. So many failures in a row and the cache is down, so many answers in a
//! row and it is up again. Whoever connects to a watcher is sent a line with the numbers of the
//! caches that it holds for down, at once, on every change and at every turn:
//!
//! ```text
//! down 0,3
//! ```
//!
//! Whoever listens to several watchers holds for down what all of them do (see [`link`]), so a
//! watcher that cannot reach a cache does not take it away from those who can.
//!
//! Not modelled: watchers that agree among themselves, restart what is down, or write a file.

pub mod link;

use super::kinds::{Boxed, LoadKind, LoadSpec, Measures};
use super::results::{Result, Results};
use super::series::Series;
use crate::build::Seat;
use crate::diagnostic::Checked;
use crate::fields::{DURATION, Fields};
use crate::metric::{Kind, MetricDef};
use crate::read::{Parts, work};
use crate::story::Cache;
use bytes::BytesMut;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;
use storytime_machine::{
    Boot, Close, Conn, Cx, Endpoint, Gone, Listen, Machine, Open, Time, Token,
};

/// Health servers.
pub const KIND: LoadKind = LoadKind {
    name: "watch",
    fields: &["caches", "port", "every", "timeout", "down_after", "up_after"],
    verbs: &[],
    works: &[],
    read,
};

const METRICS: &[MetricDef] = &[
    MetricDef { name: "probes", kind: Kind::Series, label: "probes" },
    MetricDef { name: "probes_failed", kind: Kind::Series, label: "probes that failed" },
    MetricDef { name: "went_down", kind: Kind::Series, label: "caches held for down" },
    MetricDef { name: "came_up", kind: Kind::Series, label: "caches held for up again" },
];

/// The listener.
const LISTENER: Token = Token(0);
/// The timer of the n-th cache's next probe: this plus n.
const TURNS: u64 = 1 << 16;
/// The timer of the n-th cache's deadline, and its connect: this plus n.
const PROBES: u64 = 2 << 16;

/// The numbers.
#[derive(Clone, Debug)]
struct Watch {
    caches: Vec<Cache>,
    port: u16,
    /// Between two probes of one cache.
    every: Duration,
    /// How long a probe may take.
    timeout: Duration,
    /// Failures in a row.
    down_after: u32,
    /// Answers in a row.
    up_after: u32,
}

fn read(fields: &Fields<'_>, parts: &Parts<'_>) -> Checked<Arc<dyn LoadSpec>> {
    Ok(Arc::new(Watch {
        caches: work::caches(fields, parts)?,
        port: fields.integer("port", 1..=65_535, None)? as u16,
        every: fields.quantity("every", DURATION, None)?.max(Duration::from_millis(1)),
        timeout: fields.quantity("timeout", DURATION, None)?.max(Duration::from_micros(1)),
        down_after: fields.integer("down_after", 1..=1_000, None)? as u32,
        up_after: fields.integer("up_after", 1..=1_000, None)? as u32,
    }))
}

impl LoadSpec for Watch {
    fn metrics(&self) -> &'static [MetricDef] {
        METRICS
    }

    fn words(&self, _hosts: usize) -> String {
        let Self { down_after, up_after, .. } = self;
        format!("watches {} caches, {down_after} down, {up_after} up", self.caches.len())
    }

    fn build(&self, seat: &Seat<'_>) -> Boxed {
        let series = || Series::new(seat.setup.duration, seat.setup.bucket);
        let servers = seat.servers(&self.caches);
        Box::new(Watcher {
            numbers: self.clone(),
            targets: servers.into_iter().map(|server| Target::new(server.at)).collect(),
            listening: Vec::new(),
            figures: [series(), series(), series(), series()],
        })
    }
}

/// How a probe stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Probe {
    /// None is under way.
    Idle,
    /// The connect is.
    Connecting,
    /// The answer is awaited.
    Asked(Conn),
}

/// A cache that is watched.
#[derive(Debug)]
struct Target {
    at: Endpoint,
    probe: Probe,
    down: bool,
    /// Outcomes in a row that speak against how it is held.
    against: u32,
}

impl Target {
    const fn new(at: Endpoint) -> Self {
        Self { at, probe: Probe::Idle, down: false, against: 0 }
    }
}

/// One health server.
#[derive(Debug)]
struct Watcher {
    numbers: Watch,
    targets: Vec<Target>,
    /// Who is told.
    listening: Vec<Conn>,
    /// Probes, failures, downs, ups.
    figures: [Series; 4],
}

impl Watcher {
    fn count(&mut self, now: Time, figure: usize) {
        self.figures[figure].add(now, 1);
    }

    fn turn(&mut self, cx: &mut Cx, n: usize) {
        cx.after(Token(TURNS + n as u64), self.numbers.every);
        if self.targets[n].probe == Probe::Idle {
            self.count(cx.now(), 0);
            self.targets[n].probe = Probe::Connecting;
            let (token, timeout) = (Token(PROBES + n as u64), self.numbers.timeout);
            cx.connect(token, self.targets[n].at.clone(), timeout);
            cx.after(token, timeout);
        }
        if n == 0 {
            self.tell_all(cx);
        }
    }

    /// A probe has ended.
    fn ended(&mut self, cx: &mut Cx, n: usize, answered: bool) {
        cx.cancel(Token(PROBES + n as u64));
        self.targets[n].probe = Probe::Idle;
        if !answered {
            self.count(cx.now(), 1);
        }
        let target = &mut self.targets[n];
        if answered != target.down {
            target.against = 0;
            return;
        }
        target.against += 1;
        let limit = if target.down { self.numbers.up_after } else { self.numbers.down_after };
        if target.against >= limit {
            target.down = !target.down;
            target.against = 0;
            let figure = if target.down { 2 } else { 3 };
            self.count(cx.now(), figure);
            self.tell_all(cx);
        }
    }

    fn line(&self) -> String {
        let mut line = "down ".to_owned();
        let mut between = "";
        for (n, _) in self.targets.iter().enumerate().filter(|(_, target)| target.down) {
            write!(line, "{between}{n}").expect("a string grows as needed");
            between = ",";
        }
        line + "\n"
    }

    fn tell_all(&self, cx: &mut Cx) {
        let line = self.line();
        for &conn in &self.listening {
            if let Some(tx) = cx.tx(conn) {
                tx.put(line.as_bytes());
            }
        }
    }

    fn probe_of(&self, conn: Conn) -> Option<usize> {
        self.targets.iter().position(|target| target.probe == Probe::Asked(conn))
    }
}

impl Measures for Watcher {
    fn results(&self) -> Results {
        let [probes, failed, down, up] = &self.figures;
        Results(
            [
                ("probes", Result::Series(probes.clone())),
                ("probes_failed", Result::Series(failed.clone())),
                ("went_down", Result::Series(down.clone())),
                ("came_up", Result::Series(up.clone())),
            ]
            .into(),
        )
    }
}

impl Machine for Watcher {
    fn start(&mut self, cx: &mut Cx, _boot: Boot) {
        self.figures.iter_mut().for_each(|series| series.begin(cx.now()));
        cx.listen(LISTENER, Listen::at(Endpoint::any(self.numbers.port)));
        for n in 0..self.targets.len() {
            // Not all in one instant.
            let first = cx.rng().duration(Duration::ZERO, self.numbers.every);
            cx.after(Token(TURNS + n as u64), first);
        }
    }

    fn open(&mut self, cx: &mut Cx, conn: Conn, how: Open) {
        match how {
            Open::Accepted { .. } => {
                self.listening.push(conn);
                let line = self.line();
                if let Some(tx) = cx.tx(conn) {
                    tx.put(line.as_bytes());
                }
            }
            Open::Connected { connect } => {
                let n = (connect.0 - PROBES) as usize;
                if self.targets[n].probe != Probe::Connecting {
                    cx.close(conn, Close::Abort);
                    return;
                }
                self.targets[n].probe = Probe::Asked(conn);
                if let Some(tx) = cx.tx(conn) {
                    tx.put(b"version\r\n");
                }
            }
        }
    }

    fn data(&mut self, cx: &mut Cx, conn: Conn, rx: &mut BytesMut) {
        let answered = rx.starts_with(b"VERSION") && rx.ends_with(b"\r\n");
        match self.probe_of(conn) {
            Some(n) if answered => {
                cx.close(conn, Close::Flush);
                self.ended(cx, n, true);
            }
            Some(_) => return,
            None => {}
        }
        rx.clear();
    }

    fn gone(&mut self, cx: &mut Cx, conn: Conn, _why: Gone) {
        self.listening.retain(|other| *other != conn);
        if let Some(n) = self.probe_of(conn) {
            self.ended(cx, n, false);
        }
    }

    fn failed(&mut self, cx: &mut Cx, connect: Token, _why: Gone) {
        let n = (connect.0 - PROBES) as usize;
        if self.targets[n].probe == Probe::Connecting {
            self.ended(cx, n, false);
        }
    }

    fn timer(&mut self, cx: &mut Cx, timer: Token) {
        if timer.0 < PROBES {
            self.turn(cx, (timer.0 - TURNS) as usize);
            return;
        }
        let n = (timer.0 - PROBES) as usize;
        if let Probe::Asked(conn) = self.targets[n].probe {
            cx.close(conn, Close::Abort);
        }
        if self.targets[n].probe != Probe::Idle {
            self.ended(cx, n, false);
        }
    }
}
