//! Masters: who may follow, and from where.

use super::follower::{Comer, Follower, Stand};
use super::roles::{Caller, Handled, put_error};
use super::wire::{How, put};
use super::{Host, REPLICAS_MAX, Replication, Role, Term, term};
use bytes::{Bytes, BytesMut};
use storytime_journal::Lsn;
use storytime_machine::{Close, Conn, Cx, Endpoint};

/// What becomes of a replica that comes.
#[derive(Debug, PartialEq, Eq)]
enum Judgement {
    /// Its log is a part of ours.
    Continue,
    /// It is, if this record of ours is its last.
    Prove,
    /// It gets our content.
    Seed,
    /// It has more than we have, and so may our master.
    Ahead,
    /// Its log and ours have parted.
    Diverged(String),
}

impl Replication {
    /// `REPL.FOLLOW`: a replica wants our records.
    pub(super) fn on_follow(
        &mut self,
        cx: &mut Cx,
        host: &mut dyn Host,
        caller: &Caller<'_>,
        words: &[Bytes],
        out: &mut BytesMut,
    ) -> Handled {
        let Some(comer) = Comer::from_words(words) else {
            put_error(out, "ERR this is not how we follow here: another version?");
            return Handled::Done;
        };
        if self.is_loading() {
            put_error(out, "LOADING the content is not there yet");
            return Handled::Done;
        }
        if self.followers.len() >= REPLICAS_MAX {
            put_error(out, &format!("ERR more than {REPLICAS_MAX} replicas"));
            return Handled::Done;
        }
        let judgement = self.judge(host, &comer);
        if comer.how == How::Continue {
            self.heard_of(cx, comer.position.term);
        }
        let stand = match judgement {
            Judgement::Diverged(why) => {
                self.counters.diverged += 1;
                cx.reached("replication: a replica's log has parted");
                self.notice(format!("{why} (replica of port {})", comer.port));
                put_error(out, &why);
                return Handled::Done;
            }
            Judgement::Ahead => {
                put_error(out, "LOADING this replica has less than you have, for now");
                return Handled::Done;
            }
            Judgement::Continue => Stand::Streaming,
            Judgement::Prove => Stand::AwaitProof(comer.position.digest),
            Judgement::Seed => Stand::AwaitSnapshot,
        };
        let ip = match caller.peer {
            Some(Endpoint::Tcp(addr)) => addr.ip().to_string(),
            _ => String::new(),
        };
        let conn = caller.conn;
        let next = Lsn(comer.position.lsn.0 + 1);
        let mut follower = Follower::new(conn, ip, comer.port, next, cx.now());
        follower.stand = stand;
        self.followers.push(follower);
        match stand {
            Stand::Streaming => self.greet(cx, conn),
            Stand::AwaitSnapshot => self.promise_seed(cx, conn),
            _ => {}
        }
        self.pump(cx, host);
        Handled::Adopted
    }

    /// There is a mastership of this term: a lower one is over.
    pub(super) fn heard_of(&mut self, cx: &mut Cx, term: Term) {
        let Role::Master { term: own, .. } = self.role else { return };
        if term > own && self.fenced.is_none_or(|known| term > known) {
            self.counters.fenced += 1;
            cx.reached("replication: a master learned that it is over");
            self.fenced = Some(term);
            self.notice(format!(
                "a master of term {term} is there: this one, of {own}, takes no writes any more"
            ));
        }
    }

    fn judge(&self, host: &dyn Host, comer: &Comer) -> Judgement {
        let at = comer.position;
        let log = host.log();
        if comer.how == How::Reseed {
            return Judgement::Seed;
        }
        if at.lsn == Lsn(0) {
            return if log.oldest.0 <= 1 { Judgement::Continue } else { Judgement::Seed };
        }
        let judgement = self.compare(&log, comer);
        match (judgement, comer.how) {
            (Judgement::Diverged(_) | Judgement::Ahead, How::Fresh) => Judgement::Seed,
            (judgement, _) => judgement,
        }
    }

    fn compare(&self, log: &super::LogState, comer: &Comer) -> Judgement {
        let at = comer.position;
        let end = self.history.position();
        if at.lsn > log.durable {
            if self.is_replica() && at.term <= end.term {
                return Judgement::Ahead;
            }
            let here = format!("this one ends at {end}");
            return Judgement::Diverged(parted(&at, &here));
        }
        match self.history.term_at(at.lsn) {
            Some(term) if term == at.term => {}
            Some(term) => {
                let here = format!("record {} here is of term {term}", at.lsn.0);
                return Judgement::Diverged(parted(&at, &here));
            }
            None => {
                let here = "that is further back than this one remembers";
                return Judgement::Diverged(parted(&at, here));
            }
        }
        let known = if at.lsn == end.lsn {
            Some(end.digest)
        } else {
            self.tail.get(at.lsn).map(|record| term::digest(at.lsn, record))
        };
        match known {
            Some(digest) if digest == at.digest => Judgement::Continue,
            Some(digest) => Judgement::Diverged(parted(&at, &other_record(at.lsn, digest))),
            // Its last record is gone here; that it was the same follows from the term.
            None if at.lsn.0 + 1 == log.oldest.0 => Judgement::Continue,
            None if at.lsn < log.oldest => Judgement::Seed,
            None => Judgement::Prove,
        }
    }

    /// The record before a replica's next was read.
    pub(super) fn prove(&mut self, cx: &mut Cx, index: usize, lsn: Lsn, record: &[u8]) -> bool {
        let follower = &self.followers[index];
        let Stand::AwaitProof(digest) = follower.stand else {
            panic!("only who is asked for a proof gives one");
        };
        let conn = follower.conn;
        let ours = term::digest(lsn, record);
        if lsn.0 + 1 == follower.next.0 && ours == digest {
            self.followers[index].stand = Stand::Streaming;
            self.greet(cx, conn);
            return true;
        }
        self.counters.diverged += 1;
        cx.reached("replication: a replica's last record is another");
        let term = self.history.term_at(lsn).unwrap_or_default();
        let at = super::Position { term, lsn, digest };
        let why = parted(&at, &other_record(lsn, ours));
        self.notice(why.clone());
        if let Some(tx) = cx.tx(conn) {
            tx.write_with(|into| put_error(into, &why));
        }
        self.drop_follower(cx, None, index, Close::Flush);
        false
    }

    /// `+CONTINUE`: the replica's log goes on with ours.
    fn greet(&mut self, cx: &mut Cx, conn: Conn) {
        let follower = self.followers.iter().find(|f| f.conn == conn);
        let next = follower.expect("it came just now").next.0;
        let term = self.term().0;
        self.counters.continued += 1;
        if let Some(tx) = cx.tx(conn) {
            tx.write_with(|into| put(into, format_args!("+CONTINUE {next} {term}\r\n")));
        }
    }

    /// `+SEED`: the replica gets our content.
    pub(super) fn promise_seed(&self, cx: &mut Cx, conn: Conn) {
        let term = self.term().0;
        if let Some(tx) = cx.tx(conn) {
            tx.write_with(|into| put(into, format_args!("+SEED {term}\r\n")));
        }
    }

    /// A replica goes, in whatever way. The owner's connection is closed if it is not gone already.
    pub(super) fn drop_follower(
        &mut self,
        cx: &mut Cx,
        host: Option<&mut dyn Host>,
        index: usize,
        how: Close,
    ) {
        let follower = self.followers.swap_remove(index);
        cx.close(follower.conn, how);
        if self.seeding == Some(follower.conn) {
            self.seeding = None;
            host.expect("whoever is seeded is dropped with a host at hand").abandon_snapshot(cx);
        }
        if self.followers.is_empty() {
            self.tail.clear();
        }
        self.progress = true;
    }

    /// All replicas go: what they have is no part of our log any more.
    pub(super) fn drop_followers(&mut self, cx: &mut Cx, host: &mut dyn Host) {
        while !self.followers.is_empty() {
            self.drop_follower(cx, Some(&mut *host), 0, Close::Abort);
        }
    }
}

fn other_record(lsn: Lsn, digest: u64) -> String {
    format!("record {} here is another (digest {digest:016x})", lsn.0)
}

fn parted(at: &super::Position, here: &str) -> String {
    format!(
        "DIVERGED you end at {at}, and {here}. Nothing was changed. Keep one of the two: \
         REPLICAOF host port RESEED on the other throws its content away"
    )
}
