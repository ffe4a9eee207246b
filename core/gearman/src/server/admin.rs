//! What operators ask for, in lines.

use super::Gearmand;
use super::tenancy::Standing;
use crate::engine::{Dialect, FunctionView, JobView, NotDropped, Peer, Refusal};
use crate::text::{Request, Wrong};
use bytes::{BufMut as _, BytesMut};
use core::fmt::Write as _;
use storytime_machine::{Close, Conn, Cx, Endpoint, Exit, Time};

/// Longest reply, bytes: a list that would be longer ends early.
const REPLY_BYTES_MAX: usize = 32 << 20;
/// Replies from here on are made in memory of their own. Bytes.
const SCRATCH_BYTES_MAX: usize = 1 << 20;

/// About as much of a reply as costs the time of a small packet. Bytes.
const ENTRY_BYTES: usize = 16;

const OK: &[u8] = b"OK\r\n";

impl Gearmand {
    /// Answers a line; false if its sender is to be hung up on.
    pub(super) fn text(&mut self, cx: &mut Cx, conn: Conn, line: &[u8]) -> bool {
        let mut out = core::mem::take(&mut self.scratch);
        out.clear();
        let dialect = self.config.dialect;
        let read = Request::read(line, dialect);
        match read {
            Ok(request) => self.carry_out(cx, Peer(conn.slot), request, &mut out),
            Err(wrong) => wrong.say(dialect, &mut out),
        }
        self.toil += (out.len() / ENTRY_BYTES) as u64;
        let (_, mut wire) = self.split(cx);
        if let Some(tx) = wire.tx(Peer(conn.slot)) {
            if out.len() < SCRATCH_BYTES_MAX {
                tx.put(&out);
            } else {
                tx.push(core::mem::take(&mut out).freeze());
            }
            wire.weigh(conn);
        }
        self.scratch = out;
        read != Err(Wrong::TooManyWords)
    }

    fn carry_out(&mut self, cx: &mut Cx, from: Peer, request: Request<'_>, out: &mut BytesMut) {
        if request.is_of_jobs() && self.turn_line_away(out) {
            return;
        }
        if !self.may_ask(from, &request) {
            return out.put_slice(b"ERR NOT_AUTHORIZED\r\n");
        }
        let who = &self.standing(from);
        match request {
            Request::Workers => self.workers(who, out),
            Request::Status => self.functions(who, out, status),
            Request::PriorityStatus => self.functions(who, out, priority_status),
            Request::ShowJobs => self.show_jobs(who, out),
            Request::ShowUniqueJobs => self.show_unique_jobs(who, out),
            Request::Jobs => {
                // They are counted one by one.
                self.toil += u64::from(self.engine.listeners());
                self.perl_jobs(who, out);
            }
            Request::Clients => self.perl_clients(who, out),
            Request::Tenant(name, secret) => {
                let known = self.log_in(from, &[name, b":", secret].concat());
                out.put_slice(if known { OK } else { b"ERR NOT_AUTHORIZED\r\n" });
            }
            Request::Gladiator => out.put_slice(b".\n"),
            Request::CancelJob(handle) => {
                let number = self.handles.read(handle);
                let number = number.filter(|&number| self.sees_job(from, number));
                let (engine, mut wire) = self.split(cx);
                let found = number.is_some_and(|number| engine.cancel(&mut wire, number));
                out.put_slice(if found { OK } else { b"ERR UNKNOWN_JOB\r\n" });
            }
            Request::CreateFunction(name) => {
                let made = self.engine.create_function(&who.inward(name));
                accepted(made, out);
            }
            Request::DropFunction(name) => {
                dropped(self.engine.drop_function(&who.inward(name)), out);
            }
            Request::MaxQueue(name, limits) => {
                let set = self.engine.max_queue(&who.inward(name), limits);
                if set.is_ok() && self.config.dialect == Dialect::Danga {
                    return out.put_slice(b"OK\n");
                }
                accepted(set, out);
            }
            Request::Relay => self.say_relay(out),
            Request::HandOver => self.hand_over(out),
            Request::Monitor(what) => out.put_slice(match self.watch(cx, from, what) {
                true => OK,
                false => b"ERR TOO_MANY_MONITORS\r\n",
            }),
            Request::GetPid => line(out, format_args!("OK {}", self.around.pid())),
            Request::Verbose => line(out, format_args!("OK {}", self.config.verbosity.name())),
            Request::Version => match self.config.dialect {
                Dialect::Gearmand => line(out, format_args!("OK {}", self.config.version())),
                Dialect::Danga => line(out, format_args!("{}", self.config.version())),
            },
            Request::Counters => self.list_counters(out),
            Request::Shutdown { graceful } => {
                out.put_slice(b"OK\n");
                if graceful {
                    self.drain(cx);
                } else {
                    self.stopping = Some(Exit::Stopped);
                }
            }
        }
    }

    /// Counters, and levels of the moment, by their names.
    fn list_counters(&self, out: &mut BytesMut) {
        self.each_counter(&mut |name, value| line(out, format_args!("{name}\t{value}")));
        out.put_slice(b".\n");
    }

    /// All connections; the one that asks, too.
    fn workers(&self, who: &Standing, out: &mut BytesMut) {
        let seen = self.sessions.iter().filter(|one| who.sees_those_of(&one.standing));
        for session in seen {
            if out.len() > REPLY_BYTES_MAX {
                break;
            }
            write(out, format_args!("{} ", session.conn.slot));
            match &session.peer {
                Endpoint::Tcp(addr) => write(out, format_args!("{}", addr.ip().to_canonical())),
                Endpoint::Unix(_) => out.put_u8(b'-'),
            }
            out.put_u8(b' ');
            match session.client_id.is_empty() {
                true => out.put_u8(b'-'),
                false => name(out, &session.client_id),
            }
            out.put_slice(b" :");
            // The one that it named last comes first.
            for function in self.engine.abilities(session.peer()).rev() {
                out.put_u8(b' ');
                name(out, who.sees(function).unwrap_or(function));
            }
            out.put_u8(b'\n');
        }
        out.put_slice(b".\n");
    }

    /// The C server lists all functions, the Perl server those that have jobs or workers, by name.
    fn functions(
        &self,
        who: &Standing,
        out: &mut BytesMut,
        each: fn(&mut BytesMut, &FunctionView<'_>),
    ) {
        let mut seen = self.engine.functions().filter_map(|function| {
            who.sees(function.name).map(|name| FunctionView { name, ..function })
        });
        let mut list = |functions: &mut dyn Iterator<Item = FunctionView<'_>>| {
            for function in functions {
                if out.len() > REPLY_BYTES_MAX {
                    break;
                }
                each(out, &function);
            }
        };
        match self.config.dialect {
            Dialect::Gearmand => list(&mut seen),
            Dialect::Danga => {
                let used = |function: &FunctionView<'_>| function.jobs > 0 || function.workers > 0;
                let mut functions: Vec<_> = seen.filter(used).collect();
                functions.sort_unstable_by_key(|function| function.name);
                list(&mut functions.into_iter());
            }
        }
        out.put_slice(b".\n");
    }

    fn jobs(&self, who: &Standing, out: &mut BytesMut, each: impl Fn(&mut BytesMut, &JobView<'_>)) {
        let seen = self
            .engine
            .all_jobs()
            .filter_map(|job| who.sees(job.function).map(|function| JobView { function, ..job }));
        for job in seen {
            if out.len() > REPLY_BYTES_MAX {
                break;
            }
            each(out, &job);
        }
        out.put_slice(b".\n");
    }

    fn show_jobs(&self, who: &Standing, out: &mut BytesMut) {
        self.jobs(who, out, |out, job| {
            out.put_slice(self.handles.write(job.number).as_bytes());
            let (ignored, queued) = (u8::from(job.ignored), u8::from(job.queued));
            line(out, format_args!("\t{}\t{ignored}\t{queued}", job.losses));
        });
    }

    fn show_unique_jobs(&self, who: &Standing, out: &mut BytesMut) {
        self.jobs(who, out, |out, job| {
            name(out, job.unique);
            out.put_u8(b'\n');
        });
    }

    fn perl_jobs(&self, who: &Standing, out: &mut BytesMut) {
        self.jobs(who, out, |out, job| {
            name(out, job.function);
            out.put_u8(b'\t');
            name(out, job.unique);
            out.put_u8(b'\t');
            self.worker_of(out, job);
            line(out, format_args!("\t{}", self.engine.listeners_of(job.number)));
        });
    }

    fn perl_clients(&self, who: &Standing, out: &mut BytesMut) {
        let seen = self.sessions.iter().filter(|one| who.sees_those_of(&one.standing));
        for session in seen {
            if out.len() > REPLY_BYTES_MAX {
                break;
            }
            line(out, format_args!("{}", session.peer));
            for job in self.engine.waits_of(session.peer()) {
                out.put_u8(b'\t');
                name(out, who.sees(job.function).unwrap_or(job.function));
                out.put_u8(b'\t');
                name(out, job.unique);
                out.put_u8(b'\t');
                self.worker_of(out, &job);
                out.put_u8(b'\n');
            }
        }
        out.put_slice(b".\n");
    }

    /// Where the worker of a job is.
    fn worker_of(&self, out: &mut BytesMut, job: &JobView<'_>) {
        let place = job.worker.map(|worker| worker.0 as usize);
        match place.and_then(|place| self.sessions.look(place)) {
            Some(session) => write(out, format_args!("{}", session.peer)),
            None => out.put_u8(b'-'),
        }
    }

    /// No more connections are taken; when the last one has gone, the server ends.
    pub(super) fn drain(&mut self, cx: &mut Cx) {
        if !self.phase.has_jobs() {
            self.stopping = Some(Exit::Stopped);
            return;
        }
        for nth in 0..self.listeners.len() {
            cx.unlisten(super::tokens::listener(nth));
        }
        self.phase = super::Phase::Draining;
        self.stop_watching(cx);
        self.http_drain(cx);
    }

    /// Ends if it is to, and nothing is left to be said.
    pub(super) fn end_if_due(&mut self, cx: &mut Cx) {
        if let Some(exit) = self.stopping {
            let (_, mut wire) = self.split(cx);
            wire.tell_acks(Time::MAX);
            for session in self.sessions.iter() {
                cx.close(session.conn, Close::Flush);
            }
            cx.exit(exit);
        } else if self.phase == super::Phase::Draining && self.sessions.open() == 0 {
            cx.exit(Exit::Stopped);
        }
    }
}

fn dropped(made: Result<(), NotDropped>, out: &mut BytesMut) {
    out.put_slice(match made {
        Ok(()) => OK,
        Err(NotDropped::Unknown) => b"ERR function not found\r\n",
        Err(NotDropped::InUse) => b"ERR there are still connected workers or executing clients\r\n",
    });
}

fn accepted(result: Result<(), Refusal>, out: &mut BytesMut) {
    match result {
        Ok(()) => out.put_slice(OK),
        Err(why) => {
            let why = why.to_string().replace(' ', "+");
            write(out, format_args!("ERR NOT_ACCEPTED {why}\r\n"));
        }
    }
}

fn status(out: &mut BytesMut, function: &FunctionView<'_>) {
    name(out, function.name);
    let FunctionView { jobs, running, workers, .. } = function;
    line(out, format_args!("\t{jobs}\t{running}\t{workers}"));
}

fn priority_status(out: &mut BytesMut, function: &FunctionView<'_>) {
    name(out, function.name);
    let [high, normal, low] = function.queued;
    line(out, format_args!("\t{high}\t{normal}\t{low}\t{}", function.workers));
}

/// A name that somebody chose: one line stays one line, and a column a column.
pub(super) fn name(out: &mut BytesMut, name: &[u8]) {
    if name.iter().any(u8::is_ascii_control) {
        out.extend(name.iter().map(|&byte| if byte.is_ascii_control() { b'?' } else { byte }));
    } else {
        out.put_slice(name);
    }
}

fn write(out: &mut BytesMut, what: core::fmt::Arguments<'_>) {
    out.write_fmt(what).expect("memory grows as needed");
}

fn line(out: &mut BytesMut, what: core::fmt::Arguments<'_>) {
    write(out, what);
    out.put_u8(b'\n');
}
