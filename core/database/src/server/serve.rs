//! Requests of connections.

use super::ahead::Ahead;
use super::engine::Waiter;
use super::replies::{Awaits, Wait};
use super::session::{Call, Multi, Queued, Session};
use super::{Database, Phase, WORK_REQUESTS};
use crate::commands::exec::{Bounds, Exec, Tally};
use crate::commands::fault::{self, Fault};
use crate::commands::{Flags, Outcome, Run, Spec};
use crate::config::{REQUEST_BYTES_MAX, VALUE_BYTES_MAX};
use crate::resp::request::Bounds as Wire;
use crate::resp::{Args, ProtocolError};
use bytes::{Buf as _, BytesMut};
use storytime_journal::Lsn;
use storytime_machine::{Conn, Cx, Time};

/// Most words of an unknown command that are told back, bytes.
const TOLD_BYTES_MAX: usize = 128;

impl Database {
    /// Serves a connection what it sent.
    pub(super) fn serve(&mut self, cx: &mut Cx, conn: Conn, rx: &mut BytesMut) {
        let Some(mut session) = self.take_session(conn) else {
            rx.clear();
            return;
        };
        let before = rx.len();
        let mut ahead = self.ahead.take().expect("one connection is served at a time");
        self.serve_all(cx, &mut session, &mut ahead, rx);
        ahead.forget();
        self.ahead = Some(ahead);
        self.counters.bytes_read += (before - rx.len()) as u64;
        session.last = cx.now();
        let (leaving, adopted) = (session.leaving, session.adopted);
        self.give_back(session);
        if adopted {
            self.forget(conn);
            if !rx.is_empty() {
                self.replication.on_data(cx, &mut self.engine, conn, rx);
            }
        } else if leaving {
            self.hang_up_after_replies(cx, conn);
        }
    }

    fn serve_all(
        &mut self,
        cx: &mut Cx,
        session: &mut Session,
        ahead: &mut Ahead,
        rx: &mut BytesMut,
    ) {
        let mut requests = 0;
        loop {
            if session.adopted {
                break;
            }
            if session.leaving {
                rx.clear();
                self.take_turn_back(session);
                break;
            }
            if Self::is_slow(cx, session) {
                self.take_turn_back(session);
                session.paused = true;
                cx.pause(session.conn, true);
                break;
            }
            if ahead.is_over() {
                match self.find_requests(session, ahead, rx) {
                    Ok(()) if ahead.is_over() => break,
                    Ok(()) => {}
                    Err(wrong) => {
                        self.begin_reply(session);
                        self.fail(&format!("ERR {wrong}").into());
                        self.reply(cx, session, Wait::default());
                        session.leaving = true;
                        continue;
                    }
                }
            }
            let (args, spec) = ahead.next(rx);
            if self.waits_for_turn(cx, session, args) {
                break;
            }
            if !args.is_empty() {
                requests += 1;
                self.request(cx, session, spec, args);
            }
            rx.advance(ahead.took());
        }
        self.counters.requests += requests;
        cx.work(WORK_REQUESTS, requests);
    }

    fn find_requests(
        &self,
        session: &mut Session,
        ahead: &mut Ahead,
        rx: &[u8],
    ) -> Result<(), ProtocolError> {
        let wire = Wire {
            word_bytes_max: VALUE_BYTES_MAX,
            request_bytes_max: REQUEST_BYTES_MAX,
            stranger: !session.known,
        };
        ahead.find(&mut session.parser, rx, &wire, &self.commands)?;
        ahead.read_ahead(rx, &self.engine.store, session.db);
        Ok(())
    }

    fn begin_reply(&mut self, session: &Session) {
        self.out.bytes.clear();
        self.out.resp3 = session.resp3;
        self.engine.marks.begin();
    }

    /// Answers with an error in place of whatever was written.
    fn fail(&mut self, fault: &Fault) {
        self.counters.error_replies += 1;
        self.out.error(&fault.0);
    }

    /// One request, from its words to its reply.
    fn request(
        &mut self,
        cx: &mut Cx,
        session: &mut Session,
        spec: Option<&'static Spec>,
        args: Args<'_>,
    ) {
        self.begin_reply(session);
        let spec = match self.admit(cx.now(), session, spec, args) {
            Ok(spec) => spec,
            Err(fault) => {
                let fault = self.abandon(session, args, fault);
                self.fail(&fault);
                return self.reply(cx, session, Wait::default());
            }
        };
        session.last_command = spec.name;
        if self.queue(session, spec, args) {
            return self.reply(cx, session, Wait::default());
        }
        self.engine.record.begin(self.replication.term().0, cx.wall_clock().0 / 1_000_000);
        self.run(cx, session, spec, args);
        self.finish(cx, session);
    }

    /// A request was refused: what follows for the transaction that it was to be part of.
    fn abandon(&mut self, session: &mut Session, args: Args<'_>, fault: Fault) -> Fault {
        if args.at(0).eq_ignore_ascii_case(b"exec") {
            session.multi = Multi::Off;
            self.unwatch(session);
            let why = fault.0.strip_prefix("ERR ").unwrap_or(&fault.0);
            return format!("EXECABORT Transaction discarded because of: {why}").into();
        }
        if let Multi::Collecting { .. } = session.multi {
            session.multi = Multi::Failed;
        }
        fault
    }

    /// Records what was changed, and replies when that is due.
    fn finish(&mut self, cx: &mut Cx, session: &mut Session) {
        let write = self.append(cx);
        if let Some(lsn) = write {
            session.last_write = lsn;
        }
        let lsn = self.engine.marks.seen();
        let number = Waiter::Reply(session.conn, session.next_number());
        let pages = self.engine.need_pages(cx, number);
        let things = pages + u32::from(self.awaits != Awaits::Nothing);
        if !session.adopted {
            self.reply(cx, session, Wait { lsn, things, write: write.is_some() });
        }
        self.awaits = Awaits::Nothing;
        self.break_watches(Some(session));
    }

    /// Appends the record that was made, if it has effects.
    pub(super) fn append(&mut self, cx: &Cx) -> Option<Lsn> {
        let lsn = self.engine.append()?;
        self.replication.appended(cx, lsn, self.engine.record.bytes());
        self.counters.records += 1;
        Some(lsn)
    }

    /// Transactions that watched what was changed have failed.
    pub(super) fn break_watches(&mut self, mut own: Option<&mut Session>) {
        while let Some(conn) = self.engine.marks.next_broken() {
            match &mut own {
                Some(own) if own.conn == conn => own.broken = true,
                _ => {
                    if let Some(session) = self.session(conn) {
                        session.broken = true;
                    }
                }
            }
        }
    }

    /// Runs a command; its reply is in `out`, its effects in `record`.
    pub(super) fn run(
        &mut self,
        cx: &mut Cx,
        session: &mut Session,
        spec: &'static Spec,
        args: Args<'_>,
    ) {
        let before = self.out.bytes.len();
        let outcome = match spec.run {
            Run::Data(run) => self.run_data(cx, session.db, run, args),
            Run::Server(run) => {
                let mut out = core::mem::take(&mut self.out);
                let mut call = Call { session, args, out: &mut out };
                let outcome = run(self, cx, &mut call);
                self.out = out;
                outcome
            }
        };
        if let Err(fault) = outcome {
            self.out.bytes.truncate(before);
            self.fail(&fault);
        }
    }

    fn run_data(
        &mut self,
        cx: &mut Cx,
        db: u32,
        run: fn(&mut Exec<'_>, Args<'_>) -> Outcome,
        args: Args<'_>,
    ) -> Outcome {
        let mut tally = Tally::default();
        let now_ms = cx.wall_clock().0 / 1_000_000;
        let mut exec = Exec {
            store: &mut self.engine.store,
            record: &mut self.engine.record,
            marks: &mut self.engine.marks,
            out: &mut self.out,
            rng: cx.rng(),
            tally: &mut tally,
            db,
            now_ms,
            bounds: Bounds {
                value_bytes_max: VALUE_BYTES_MAX,
                taken_bytes_max: REQUEST_BYTES_MAX,
                databases: self.config.databases,
                numbers: self.config.numbers(),
            },
        };
        let outcome = run(&mut exec, args);
        self.count(cx, tally);
        outcome
    }

    /// Whether a request may run now.
    fn admit(
        &mut self,
        now: Time,
        session: &Session,
        spec: Option<&'static Spec>,
        args: Args<'_>,
    ) -> Result<&'static Spec, Fault> {
        let spec = spec.ok_or_else(|| unknown(args))?;
        if !spec.takes(args.len()) {
            return Err(fault::arity(spec.name));
        }
        if !session.known && !spec.flags.has(Flags::NO_AUTH) {
            return Err(Fault::of("NOAUTH Authentication required."));
        }
        let loading = self.phase == Phase::Loading || self.replication.is_loading();
        if loading && !spec.flags.has(Flags::LOADING) {
            return Err(Fault::of("LOADING dbd is loading the dataset in memory"));
        }
        if spec.flags.has(Flags::NO_MULTI) && !matches!(session.multi, Multi::Off) {
            return Err(Fault::of("ERR Command not allowed inside a transaction"));
        }
        if let Run::Data(_) = spec.run {
            self.admit_data(now, spec)?;
        }
        Ok(spec)
    }

    pub(super) fn admit_data(&mut self, now: Time, spec: &Spec) -> Outcome {
        let limit = u64::from(self.config.runnable_max);
        if limit > 0 && !self.config.runnable_waits && self.counters.running >= limit {
            self.counters.busy_replies += 1;
            return Err(Fault::of("BUSY too many requests are running; try again later"));
        }
        if !spec.flags.has(Flags::WRITE) {
            return Ok(());
        }
        if self.phase == Phase::Stopping {
            return Err(Fault::of("READONLY the server is shutting down"));
        }
        self.may_write(now)?;
        let limit = self.config.memory_bytes_max;
        if limit > 0 && spec.flags.has(Flags::DENY_OOM) && self.engine.store.bytes() > limit {
            return Err(Fault::of("OOM command not allowed when used memory > 'maxmemory'."));
        }
        Ok(())
    }

    /// Puts a request into the transaction being collected; whether there is one.
    fn queue(&mut self, session: &mut Session, spec: &'static Spec, args: Args<'_>) -> bool {
        if spec.flags.has(Flags::AT_ONCE) {
            return false;
        }
        match &mut session.multi {
            Multi::Off => return false,
            Multi::Failed => self.out.simple("QUEUED"),
            Multi::Collecting { queued, bytes } => {
                let sum = *bytes + Queued::memory(args);
                if sum > REQUEST_BYTES_MAX {
                    session.multi = Multi::Failed;
                    self.fail(&Fault::of("ERR the transaction is too large"));
                } else {
                    *bytes = sum;
                    queued.push(Queued::new(spec, args));
                    self.out.simple("QUEUED");
                }
            }
        }
        true
    }
}

fn unknown(args: Args<'_>) -> Fault {
    let told = |word: &[u8], most: usize| {
        String::from_utf8_lossy(&word[..word.len().min(most)]).into_owned()
    };
    let mut words = String::new();
    for word in args.from(1).iter() {
        if words.len() >= TOLD_BYTES_MAX {
            break;
        }
        let left = TOLD_BYTES_MAX - words.len();
        words.push_str(&format!("'{}' ", told(word, left)));
    }
    let name = told(args.at(0), TOLD_BYTES_MAX);
    format!("ERR unknown command '{name}', with args beginning with: {words}").into()
}
