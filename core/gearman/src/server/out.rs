//! The engine's replies, on their way to connections.

use super::counters::Counters;
use super::handle::Handles;
use super::monitor::Watchers;
use super::session::{End, Sessions};
use crate::config::OUTPUT_BYTES_MAX;
use crate::engine::{
    Assign, Dialect, Grab, Happening, Kept, Number, Out, Payload, Peer, Refusal, Reply, Ticket,
    Work,
};
use crate::packet::{Kind, Magic, SHARED_BYTES_MIN, put, put_with_data};
use crate::queue::Log;
use storytime_machine::{Close, Conn, Cx, Duration, Tx};

/// What is needed to reach connections.
#[derive(Debug)]
pub(super) struct Wire<'a> {
    pub(super) cx: &'a mut Cx,
    pub(super) sessions: &'a mut Sessions,
    pub(super) handles: &'a Handles,
    pub(super) counters: &'a mut Counters,
    pub(super) watchers: &'a mut Watchers,
    pub(super) dialect: Dialect,
    /// How long a handle may wait for its job's result.
    pub(super) ack_patience: Duration,
    /// Output of all slow connections above which the slowest is hung up on, bytes.
    pub(super) held_bytes_max: usize,
    /// Where background jobs are remembered, if anywhere.
    pub(super) log: Option<&'a mut Log>,
}

/// An error's name, and what is said of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fault<'a> {
    /// The C server's name of it.
    pub(super) code: &'static str,
    /// The Perl server's.
    pub(super) danga: &'static str,
    pub(super) text: &'a str,
}

/// A refusal's two names.
const fn codes(refusal: Refusal) -> (&'static str, &'static str) {
    match refusal {
        Refusal::UniqueTooLong | Refusal::FunctionTooLong => ("ARGUMENT_TOO_LARGE", "invalid_args"),
        Refusal::Calendar => ("INVALID_ARGUMENT", "invalid_args"),
        Refusal::TooManyFunctions
        | Refusal::TooManyAbilities
        | Refusal::QuotaUsedUp
        | Refusal::QueueFull
        | Refusal::QueueBusy(_)
        | Refusal::TooManyCalendars => ("QUEUE_ERROR", "server_error"),
    }
}

impl Wire<'_> {
    /// The output of a connection that is served. One that has not read for too long is hung up on
    /// instead: what waits for it has to stay bounded.
    #[inline]
    pub(super) fn tx(&mut self, to: Peer) -> Option<&mut Tx> {
        let session = self.sessions.at(to.0 as usize)?;
        if session.end != End::None {
            return None;
        }
        let conn = session.conn;
        if session.ack.waits() {
            self.tell_ack(to);
        }
        if self.cx.pending(conn) > self.cx.limits().tx_high {
            if self.cx.pending(conn) > OUTPUT_BYTES_MAX {
                self.hang_up_on(conn);
                return None;
            }
            self.weigh(conn);
        }
        self.cx.tx(conn)
    }

    /// Counts what waits for a connection, if that is much. If it is too much for all of them
    /// together, the one for which most waits is hung up on: to be called behind whatever is long.
    pub(super) fn weigh(&mut self, conn: Conn) {
        let pending = self.cx.pending(conn);
        if pending > self.cx.limits().tx_high
            && self.sessions.note_behind(conn, pending) > self.held_bytes_max
            && let Some(slowest) = self.sessions.most_behind()
        {
            self.hang_up_on(slowest);
        }
    }

    /// Hangs up on a connection that does not read. The engine hears of it when it is gone.
    fn hang_up_on(&mut self, conn: Conn) {
        self.sessions.note_behind(conn, 0);
        if let Some(session) = self.sessions.get(conn)
            && session.end == End::None
        {
            session.end = End::Closed;
        }
        self.counters.overrun_peers += 1;
        self.cx.reached("gearmand: a peer that does not read was hung up on");
        self.cx.close(conn, Close::Abort);
    }

    /// Sends a packet that is all arguments.
    #[inline]
    pub(super) fn put(&mut self, to: Peer, kind: Kind, arguments: &[&[u8]]) {
        if let Some(tx) = self.tx(to) {
            put(tx, Magic::Response, kind, arguments);
        }
    }

    /// Sends a packet with data.
    #[inline]
    pub(super) fn put_data<const N: usize>(
        &mut self,
        to: Peer,
        kind: Kind,
        arguments: [&[u8]; N],
        data: Payload<'_>,
    ) {
        let Some(tx) = self.tx(to) else { return };
        let long = data.len() >= SHARED_BYTES_MIN;
        match data {
            Payload::Shared(data) => put_with_data(tx, Magic::Response, kind, &arguments, data),
            Payload::Slice(data) => {
                let mut all: [&[u8]; 5] = [&[]; 5];
                all[..N].copy_from_slice(&arguments);
                all[N] = data;
                put(tx, Magic::Response, kind, &all[..=N]);
            }
        }
        if long && let Some(session) = self.sessions.at(to.0 as usize) {
            let conn = session.conn;
            self.weigh(conn);
        }
    }

    pub(super) fn error(&mut self, to: Peer, fault: Fault<'_>) {
        self.counters.errors += 1;
        let code = match self.dialect {
            Dialect::Gearmand => fault.code,
            Dialect::Danga => fault.danga,
        };
        self.put(to, Kind::Error, &[code.as_bytes(), fault.text.as_bytes()]);
    }

    fn assign(&mut self, to: Peer, job: Assign<'_>) {
        self.counters.assigned += 1;
        let Assign { function, unique, data, .. } = job;
        let function = self.sessions.seen(to, function);
        let handle = self.handles.write(job.number);
        let handle = handle.as_bytes();
        match (job.how, job.reducer) {
            (Grab::Plain, _) => self.put_data(to, Kind::JobAssign, [handle, function], data),
            (Grab::All, Some(reducer)) => {
                self.put_data(to, Kind::JobAssignAll, [handle, function, unique, reducer], data);
            }
            (Grab::Unique | Grab::All, _) => {
                self.put_data(to, Kind::JobAssignUniq, [handle, function, unique], data);
            }
        }
    }

    fn work(&mut self, to: Peer, number: Number, work: Work<'_>) {
        let handle = self.handles.write(number);
        let handle = handle.as_bytes();
        match work {
            Work::Status { numerator, denominator } => {
                self.put(to, Kind::WorkStatus, &[handle, numerator, denominator]);
            }
            Work::Data(data) => self.put_data(to, Kind::WorkData, [handle], data),
            Work::Warning(data) => self.put_data(to, Kind::WorkWarning, [handle], data),
            Work::Complete(data) => {
                self.counters.completes_told += 1;
                self.put_data(to, Kind::WorkComplete, [handle], data);
            }
            Work::Fail => {
                self.counters.fails_told += 1;
                self.put(to, Kind::WorkFail, &[handle]);
            }
            Work::Exception(data) => {
                self.counters.exceptions_told += 1;
                self.put_data(to, Kind::WorkException, [handle], data);
            }
        }
    }
}

impl Out for Wire<'_> {
    fn send(&mut self, to: Peer, reply: Reply<'_>) {
        self.counters.replies += 1;
        if self.sessions.any_http() && self.http_reply(to, &reply) {
            return;
        }
        match reply {
            Reply::Created { number, alone } => self.created(to, number, alone),
            Reply::Noop => {
                self.counters.noops += 1;
                self.put(to, Kind::Noop, &[]);
            }
            Reply::NoJob => {
                self.counters.no_jobs += 1;
                self.put(to, Kind::NoJob, &[]);
            }
            Reply::Assign(job) => self.assign(to, job),
            Reply::Work(number, work) => self.work(to, number, work),
            Reply::Error(refusal) => {
                self.counters.refusals += 1;
                let (code, danga) = codes(refusal);
                self.error(to, Fault { code, danga, text: &refusal.to_string() });
            }
        }
    }

    fn keep(&mut self, job: Kept<'_>) -> Result<Ticket, Refusal> {
        self.log.as_mut().map_or(Ok(Ticket::NOW), |log| log.keep(&job))
    }

    fn forget(&mut self, number: Number) {
        if let Some(log) = &mut self.log {
            log.forget(number);
        }
    }

    fn overrun(&mut self, of: Peer) {
        if let Some(session) = self.sessions.at(of.0 as usize)
            && session.end == End::None
        {
            let conn = session.conn;
            self.hang_up_on(conn);
        }
    }

    #[inline]
    fn watched(&self) -> bool {
        self.watchers.wants_events()
    }

    fn happened(&mut self, event: Happening<'_>) {
        self.tell_watchers(&event);
    }
}
