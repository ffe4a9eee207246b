//! Replicas: the connection to the master, up to its answer.

use super::dial::{Dial, Link};
use super::lag::Lag;
use super::wire::{Answer, How, VERSION, answer_of};
use super::{Content, Host, RETRY_DOUBLINGS_MAX, Replication, Role, Term, Timer};
use crate::Reply;
use crate::client::put_request;
use bytes::Bytes;
use core::time::Duration;
use storytime_journal::Lsn;
use storytime_machine::{Conn, Cx};

/// Longest push of a master, bytes: a record or a piece of a checkpoint.
const PUSH_BYTES_MAX: usize = 64 << 20;
/// How soon a replica whose own records are not all durable looks again.
const SETTLE: Duration = Duration::from_millis(10);

/// What is awaited over a connection that is up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// An answer to our password.
    AwaitAuth,
    /// An answer to our position.
    AwaitAnswer,
    /// Its records.
    Streaming,
    /// Its content, as of this record (0: not begun).
    Seeding(Lsn),
}

/// What the journal did not take at once.
#[derive(Debug)]
pub(super) enum Stalled {
    Record(Bytes),
    Piece(Bytes),
}

/// A replica's side of things.
#[derive(Debug)]
pub(super) struct Upstream {
    pub(super) dial: Dial,
    /// Of the connection, while it is up.
    stage: Stage,
    /// The operator lets us throw our content away.
    pub(super) reseed: bool,
    pub(super) stalled: Option<Stalled>,
    /// Failures since the master last accepted us.
    failures: u32,
    /// What the master refused us with last.
    pub(super) refused: Option<String>,
    /// How far the master was when it was last heard.
    pub(super) known: Lsn,
    pub(super) lag: Lag,
    /// The last position that it was told.
    pub(super) told: Lsn,
}

impl Upstream {
    fn new(dial: Dial, reseed: bool) -> Self {
        Self {
            dial,
            stage: Stage::AwaitAuth,
            reseed,
            stalled: None,
            failures: 0,
            refused: None,
            known: Lsn(0),
            lag: Lag::default(),
            told: Lsn(0),
        }
    }

    /// What is awaited, if the connection is up.
    pub(super) fn stage(&self) -> Option<Stage> {
        self.dial.conn().map(|_| self.stage)
    }

    /// Awaits this from now on.
    pub(super) const fn enter(&mut self, stage: Stage) {
        self.stage = stage;
    }
}

impl Replication {
    pub(super) fn upstream(&mut self) -> Option<&mut Upstream> {
        match &mut self.role {
            Role::Replica(upstream) => Some(upstream),
            Role::Master { .. } => None,
        }
    }

    /// Follows this master from now on.
    pub(super) fn follow_other(
        &mut self,
        cx: &mut Cx,
        host: &mut dyn Host,
        name: String,
        port: u16,
        reseed: bool,
    ) {
        self.leave_upstream(cx);
        self.leave_mutual(cx);
        self.leave_former(cx);
        self.fenced = None;
        self.promise_from(host.log().last);
        self.end_waits(cx);
        let dial = self.new_dial(name, port, Timer::Upstream, PUSH_BYTES_MAX, cx.now());
        self.role = Role::Replica(Box::new(Upstream::new(dial, reseed)));
        self.try_upstream(cx, host);
    }

    /// Gives the connection to the master up, whatever it is doing.
    pub(super) fn leave_upstream(&mut self, cx: &mut Cx) {
        if let Some(upstream) = self.upstream() {
            upstream.stalled = None;
            upstream.dial.leave(cx);
        }
    }

    /// Connects to the master, unless that is being done.
    pub(super) fn try_upstream(&mut self, cx: &mut Cx, host: &dyn Host) {
        let settled = match self.content {
            Content::Whole => host.log().durable >= host.log().last,
            // There is nothing to be said of what was thrown away.
            Content::Seeding(_) => true,
            Content::AwaitDurable(_) => false,
        };
        if settled {
            self.begin_dial(cx, Timer::Upstream);
        } else if let Some(upstream) = self.upstream()
            && upstream.dial.link == Link::Resting
        {
            // What we say of ourselves must be true after a power cut, too.
            upstream.dial.rest(cx, SETTLE);
        }
    }

    /// The connection is up, and our password is said if we have one.
    pub(super) fn greet_upstream(&mut self, cx: &mut Cx, conn: Conn) {
        let awaits_auth = self.options.master_password.is_some();
        let Some(upstream) = self.upstream() else { return };
        upstream.enter(Stage::AwaitAuth);
        upstream.lag.begin();
        if !awaits_auth {
            self.say_position(cx, conn);
        }
    }

    fn say_position(&mut self, cx: &mut Cx, conn: Conn) {
        let reseed = self.upstream().is_some_and(|upstream| upstream.reseed);
        let mut at = self.history.position();
        let how = match self.content {
            Content::Whole if reseed => How::Reseed,
            Content::Whole if self.history.has_content() => How::Continue,
            Content::Whole => How::Fresh,
            Content::Seeding(_) | Content::AwaitDurable(_) => {
                at = super::Position::default();
                How::Reseed
            }
        };
        let numbers = [VERSION, u64::from(self.options.port), at.term.0, at.lsn.0, at.digest]
            .map(|number| number.to_string());
        let mut words: Vec<&[u8]> = vec![b"REPL.FOLLOW"];
        words.extend(numbers.iter().map(String::as_bytes));
        words.push(how.as_str().as_bytes());
        let Some(upstream) = self.upstream() else { return };
        upstream.enter(Stage::AwaitAnswer);
        upstream.told = Lsn(0);
        if let Some(tx) = cx.tx(conn) {
            tx.write_with(|into| put_request(&words, into));
        }
    }

    /// What the master says before it sends anything.
    pub(super) fn answered(&mut self, cx: &mut Cx, conn: Conn, reply: &Reply) {
        let Some(stage) = self.upstream().and_then(|upstream| upstream.stage()) else { return };
        let text = match reply {
            Reply::Error(text) => return self.refused(cx, &String::from_utf8_lossy(text)),
            Reply::Simple(text) => text,
            _ => return self.lose_upstream(cx, "the master's answer is none"),
        };
        match stage {
            Stage::AwaitAuth => return self.say_position(cx, conn),
            Stage::AwaitAnswer => {}
            _ => return self.lose_upstream(cx, "the master answers what was not asked"),
        }
        let own = self.history.position();
        match answer_of(text) {
            Some(Answer::Continue(_, term) | Answer::Seed(term)) if !term.is_possible() => {
                let text = format!("ERR that master is of term {term}, and there is no such term");
                self.refused(cx, &text);
            }
            Some(Answer::Continue(from, term))
                if from.0 == own.lsn.0 + 1 && matches!(self.content, Content::Whole) =>
            {
                if self.is_older(term) {
                    return self.refused(cx, &older(term, own.term));
                }
                self.counters.continued += 1;
                self.accepted(Stage::Streaming);
            }
            Some(Answer::Seed(term)) => {
                let forced = self.upstream().is_some_and(|upstream| upstream.reseed);
                let whole = matches!(self.content, Content::Whole);
                if whole && !forced && self.history.has_content() && self.is_older(term) {
                    return self.refused(cx, &older(term, own.term));
                }
                self.accepted(Stage::Seeding(Lsn(0)));
            }
            _ => self.lose_upstream(cx, "the master's answer does not fit"),
        }
    }

    fn is_older(&self, term: Term) -> bool {
        term < self.history.term()
    }

    fn accepted(&mut self, stage: Stage) {
        if let Some(upstream) = self.upstream() {
            upstream.enter(stage);
            upstream.failures = 0;
            upstream.refused = None;
        }
    }

    /// The master does not want us. It is asked again, in case it thinks better of it.
    fn refused(&mut self, cx: &mut Cx, text: &str) {
        let diverged = text.starts_with("DIVERGED");
        let Some(upstream) = self.upstream() else { return };
        let news = upstream.refused.as_deref() != Some(text);
        upstream.refused = Some(text.to_owned());
        let from = format!("{}:{}", upstream.dial.name, upstream.dial.port);
        if diverged {
            self.counters.diverged += 1;
            cx.reached("replication: a replica was told that the logs have parted");
        }
        if news {
            self.notice(format!("{from} refuses this replica: {text}"));
        }
        self.lose_upstream(cx, "");
    }

    /// The connection ends, in whatever way, or did not come up; it is tried again.
    pub(super) fn lose_upstream(&mut self, cx: &mut Cx, blame: &str) {
        if !blame.is_empty() {
            self.counters.given_up += 1;
            self.notice(format!("the connection to the master is given up: {blame}"));
        }
        let retry = self.options.retry;
        let Some(upstream) = self.upstream() else { return };
        // What was not taken will be sent again.
        upstream.stalled = None;
        let pause = retry * (1 << upstream.failures.min(RETRY_DOUBLINGS_MAX));
        upstream.failures = upstream.failures.saturating_add(1);
        let pause = pause + cx.rng().duration(Duration::ZERO, pause / 4);
        upstream.dial.rest(cx, pause);
    }
}

fn older(theirs: Term, ours: Term) -> String {
    format!(
        "DIVERGED that master is of term {theirs}, and this replica has records of {ours}: \
         it is the later one"
    )
}
