//! Commands about roles: REPLICAOF, ROLE, WAIT and our own.

use super::wire::{number_of, put, term_in};
use super::{Host, Replication, Role, Term};
use bytes::{Bytes, BytesMut};
use storytime_journal::{AppendError, Lsn};
use storytime_machine::{Conn, Cx, Endpoint};

/// Who asks.
#[derive(Clone, Copy, Debug)]
pub struct Caller<'a> {
    /// Its connection.
    pub conn: Conn,
    /// Where it connects from.
    pub peer: Option<&'a Endpoint>,
    /// The last record that it wrote.
    pub last_write: Lsn,
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handled {
    /// It is none of ours.
    No,
    /// The reply is written.
    Done,
    /// The caller waits; [`super::ReplicationEvent::WaitOver`] ends that.
    Waits,
    /// The connection is replication's from now on: all its events are passed on.
    Adopted,
}

impl Replication {
    /// Carries a request out, if it is one of ours; its reply goes into `out`.
    pub fn command(
        &mut self,
        cx: &mut Cx,
        host: &mut dyn Host,
        caller: &Caller<'_>,
        words: &[Bytes],
        out: &mut BytesMut,
    ) -> Handled {
        let Some((name, rest)) = words.split_first() else { return Handled::No };
        let name = name.to_ascii_uppercase();
        match &name[..] {
            b"REPLICAOF" | b"SLAVEOF" => self.on_replica_of(cx, host, rest, out),
            b"ROLE" => self.put_role(host, out),
            b"WAIT" => return self.on_wait(cx, host, caller, rest, out),
            b"DB.LAG" => self.put_lag(host, cx.now(), out),
            b"DB.POSITION" => {
                let (log, term) = (host.log(), self.term().0);
                let (last, durable) = (log.last.0, log.durable.0);
                put(out, format_args!("*3\r\n:{term}\r\n:{last}\r\n:{durable}\r\n"));
            }
            b"REPL.FOLLOW" => return self.on_follow(cx, host, caller, rest, out),
            b"REPL.MUTUAL" => return self.on_mutual(cx, host, caller, rest, out),
            b"REPL.TERM" => {
                let term = if let [term] = rest { term_in(term) } else { None };
                match term.map(|term| self.told_of_term(cx, term)) {
                    Some(Ok(())) => put_ok(out),
                    Some(Err(text)) => put_error(out, &text),
                    None => put_error(out, "ERR REPL.TERM takes a term"),
                }
            }
            _ => return Handled::No,
        }
        Handled::Done
    }

    fn on_replica_of(
        &mut self,
        cx: &mut Cx,
        host: &mut dyn Host,
        words: &[Bytes],
        out: &mut BytesMut,
    ) {
        let (name, port, how) = match words {
            [name, port] => (name, port, None),
            [name, port, how] => (name, port, Some(how)),
            _ => return put_error(out, "ERR wrong number of arguments for 'replicaof' command"),
        };
        if !self.ready {
            return put_error(out, "LOADING the content is not there yet");
        }
        if name.eq_ignore_ascii_case(b"no") && port.eq_ignore_ascii_case(b"one") {
            let apart = match how {
                None => false,
                Some(word) if word.eq_ignore_ascii_case(b"apart") => true,
                Some(_) => return put_error(out, "ERR syntax error: only APART may follow ONE"),
            };
            if let Err(text) = self.promote(cx, host) {
                return put_error(out, text);
            }
            if apart {
                // Both go on as masters, each of its own share: nobody's time is over.
                self.leave_former(cx);
            }
            return put_ok(out);
        }
        let reseed = match how {
            None => false,
            Some(word) if word.eq_ignore_ascii_case(b"reseed") => true,
            Some(_) => return put_error(out, "ERR syntax error: only RESEED may follow the port"),
        };
        let port = number_of(port).and_then(|port| u16::try_from(port).ok());
        let Some(port) = port.filter(|port| *port > 0) else {
            return put_error(out, "ERR Invalid master port");
        };
        let Ok(name) = core::str::from_utf8(name) else {
            return put_error(out, "ERR the master's name is no text");
        };
        if let Role::Replica(upstream) = &self.role
            && !reseed
            && (&upstream.dial.name[..], upstream.dial.port) == (name, port)
        {
            out.extend_from_slice(b"+OK Already connected to specified master\r\n");
            return;
        }
        self.follow_other(cx, host, name.to_owned(), port, reseed);
        put_ok(out);
    }

    /// From a replica, or a master that is over, to a master under a new term. Whoever was master
    /// after the latter is told so when it next says that it is, and is over then itself.
    fn promote(&mut self, cx: &mut Cx, host: &mut dyn Host) -> Result<(), &'static str> {
        let latest = match (&self.role, self.fenced) {
            (Role::Master { .. }, None) => return Ok(()),
            (Role::Master { term, .. }, Some(other)) => other.max(*term),
            (Role::Replica(_), _) => self.history.term(),
        };
        if self.is_loading() {
            return Err("ERR this replica is being filled, and has no content to be master of");
        }
        let Some(term) = latest.next_generation(cx.rng()) else {
            return Err("ERR no term is left behind the last that is known here: not promoted");
        };
        let wall_ms = cx.wall_clock().0 / 1_000_000;
        let record = [term.0.to_le_bytes(), wall_ms.to_le_bytes()].concat();
        match host.append(cx, &record) {
            Ok(lsn) => self.begin_term(cx, term, lsn, &record),
            Err(AppendError::Full) => return Err("FULL the disk is full: not promoted"),
            Err(_) => return Err("BUSY the journal is busy: not promoted, try again"),
        }
        Ok(())
    }

    fn begin_term(&mut self, cx: &mut Cx, term: Term, since: Lsn, record: &[u8]) {
        self.appended(cx, since, record);
        self.leave_upstream(cx);
        // Nobody waits for replicas to have this record.
        self.promise_from(since);
        self.fenced = None;
        let role = Role::Master { term, since };
        let Role::Replica(upstream) = core::mem::replace(&mut self.role, role) else {
            let at = since.0;
            return self.notice(format!("master again, of term {term} from record {at} on"));
        };
        let master = upstream.dial;
        self.notice(format!(
            "promoted to master of term {term} at record {}; what {}:{} had beyond record {} \
             is not here",
            since.0,
            master.name,
            master.port,
            since.0 - 1,
        ));
        self.tell_former(cx, master.name, master.port);
    }

    fn on_wait(
        &mut self,
        cx: &mut Cx,
        host: &dyn Host,
        caller: &Caller<'_>,
        words: &[Bytes],
        out: &mut BytesMut,
    ) -> Handled {
        let [replicas, timeout] = words else {
            put_error(out, "ERR wrong number of arguments for 'wait' command");
            return Handled::Done;
        };
        if self.is_replica() {
            let text = "ERR WAIT cannot be used with replica instances.";
            put_error(out, text);
            return Handled::Done;
        }
        let numbers = (number_of(replicas), number_of(timeout));
        let (Some(replicas), Some(timeout)) = numbers else {
            put_error(out, "ERR value is not an integer or out of range");
            return Handled::Done;
        };
        let replicas = u32::try_from(replicas).unwrap_or(u32::MAX);
        let with = self.replicas_with(caller.last_write);
        if with >= replicas {
            put(out, format_args!(":{with}\r\n"));
            return Handled::Done;
        }
        if !self.wait(cx, host, caller.conn, caller.last_write, replicas, timeout) {
            put_error(out, "BUSY too many clients wait already");
            return Handled::Done;
        }
        Handled::Waits
    }
}

pub(super) fn put_ok(out: &mut BytesMut) {
    out.extend_from_slice(b"+OK\r\n");
}

pub(super) fn put_error(out: &mut BytesMut, text: &str) {
    put(out, format_args!("-{text}\r\n"));
}
