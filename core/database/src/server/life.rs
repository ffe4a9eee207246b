//! A server's life: recovery, what the journal tells, and the end.

use super::engine::Waiter;
use super::{Database, Phase};
use crate::commands::Tally;
use crate::paging::Altered;
use crate::replication::ReplicationEvent;
use bytes::Bytes;
use storytime_journal::{JournalEvent, Recovery};
use storytime_machine::{Close, Cx, DiskResult, Exit, Token};

impl Database {
    /// Begins recovery; serves at once if there is nothing to recover.
    pub(super) fn recover(&mut self, cx: &mut Cx) {
        self.listen(cx);
        if let Some(pages) = &mut self.engine.pages {
            pages.open(cx);
        }
        if !self.engine.log.open(cx) {
            self.replication.ready(cx, &mut self.engine);
            self.serve_from_now_on(cx);
        }
    }

    fn serve_from_now_on(&mut self, cx: &mut Cx) {
        if self.phase == Phase::Loading {
            self.phase = Phase::Serving;
        }
        cx.reached("dbd: recovered");
        self.set_alarm(cx);
    }

    /// Everything that the journal has to tell.
    pub(super) fn hear_journal(&mut self, cx: &mut Cx) {
        while let Some(event) = self.engine.log.next_event() {
            match event {
                JournalEvent::Checkpoint(piece) => self.restore(cx, &piece),
                JournalEvent::Record(lsn, record) => {
                    self.engine.log.recovered(lsn, record.len() as u64);
                    self.replication.recovered(lsn, &record);
                    if let Err(why) = self.engine.apply(&record) {
                        return give_up(cx, format!("recovery stops: {why}"));
                    }
                }
                JournalEvent::Ready(found) => self.ready(cx, &found),
                JournalEvent::Refused(refusal) => {
                    return give_up(
                        cx,
                        format!(
                            "the journal is damaged ({refusal}); restore the directory from a \
                             replica, or start an empty one with --replicaof"
                        ),
                    );
                }
                JournalEvent::Durable(_) => self.replication.on_durable(cx, &mut self.engine),
                JournalEvent::Checkpointed(at) => self.checkpoint_over(cx, Some(at)),
                JournalEvent::CheckpointFailed(_) => self.checkpoint_over(cx, None),
                JournalEvent::Full => cx.reached("dbd: disk full"),
                JournalEvent::Space => cx.reached("dbd: space again"),
                JournalEvent::Records(records) => {
                    self.replication.on_records(cx, &mut self.engine, &records);
                }
                JournalEvent::ReadFailed(why) => {
                    self.replication.on_read_failed(cx, &mut self.engine, why);
                }
                JournalEvent::Failed(why) => return cx.exit(Exit::Failed(why)),
            }
        }
    }

    /// A disk operation on pages completed: whoever waited for a page goes on.
    pub(super) fn page_done(&mut self, cx: &mut Cx, op: Token, result: DiskResult) {
        let Some(pages) = &mut self.engine.pages else { return };
        let mut there = core::mem::take(&mut self.there);
        if let Err(why) = pages.on_disk(cx, op, result, &mut there) {
            cx.exit(Exit::Failed(why));
        }
        for waiter in there.drain(..) {
            match waiter {
                Waiter::Record => self.engine.missing -= 1,
                Waiter::Reply(conn, number) => {
                    if let Some(session) = self.session(conn) {
                        session.thing_is_there(number);
                        self.thing_came = true;
                    }
                }
            }
        }
        self.there = there;
        self.hear_alter();
        let before = self.engine.applied();
        self.engine.apply_waiting(cx);
        if self.engine.applied() > before {
            self.replication.on_durable(cx, &mut self.engine);
        }
    }

    /// Whether rows are laid out anew from now on.
    fn hear_alter(&mut self) {
        let engine = &mut self.engine;
        match engine.pages.as_mut().and_then(|pages| pages.take_news()) {
            Some(Altered::Done(page_rows)) => engine.marks.page_rows = Some(page_rows),
            Some(Altered::Failed(why)) => {
                self.notice = format!("rows are not laid out anew: {why}");
            }
            None => {}
        }
    }

    /// A piece of a checkpoint: a record, but for the first, which is the history's.
    fn restore(&mut self, cx: &mut Cx, piece: &[u8]) {
        if !self.restoring {
            self.restoring = true;
            if self.replication.restore(piece).is_err() {
                give_up(cx, "recovery stops: the checkpoint does not begin with a history".into());
            }
            return;
        }
        if let Err(why) = self.engine.apply(piece) {
            give_up(cx, format!("recovery stops in a checkpoint: {why}"));
        }
    }

    fn ready(&mut self, cx: &mut Cx, found: &Recovery) {
        self.engine.log.recovered(found.last, 0);
        self.engine.marks.recovered(found.last);
        self.replication.ready(cx, &mut self.engine);
        self.counters.recovered_cut_bytes = found.cut_bytes;
        self.serve_from_now_on(cx);
    }

    /// Ends as soon as what was promised is durable. What waits for room on a full disk was
    /// promised to nobody, or as `--appendfsync no` promises.
    pub(super) fn end(&mut self, cx: &mut Cx) {
        if self.phase == Phase::Loading {
            return self.stopped(cx);
        }
        self.phase = Phase::Stopping;
    }

    /// What ends every callback: what was appended is on its way to the disk, and replies whose
    /// time has come leave.
    pub(super) fn settle(&mut self, cx: &mut Cx) {
        self.hear_pair(cx);
        if !self.may_answer(cx) {
            return;
        }
        self.hear_replication();
        let engine = &mut self.engine;
        if let Some(why) = engine.broken {
            return give_up(cx, format!("this replica's content is not its master's: {why}"));
        }
        if core::mem::take(&mut engine.orphaned) {
            // What their replies tell was never acknowledged, and never will be.
            self.waiting.iter().for_each(|&conn| cx.close(conn, Close::Abort));
        }
        let engine = &mut self.engine;
        let long = engine.log.uncovered_bytes() >= self.config.checkpoint_bytes;
        if long && self.phase == Phase::Serving {
            let head = self.replication.history_piece();
            engine.begin_checkpoint(cx, &head);
        }
        engine.feed_checkpoint(cx);
        engine.log.commit(cx);
        self.hear_pair(cx);
        if !self.engine.log.is_kept() {
            self.hear_journal(cx);
        }
        let foreign = core::mem::take(&mut self.engine.foreign_effects);
        if foreign > 0 {
            self.count(cx, Tally { writes: foreign, ..Tally::default() });
            self.break_watches(None);
        }
        if self.may_release() {
            self.release_all(cx);
        }
        self.give_turns(cx);
        if self.phase == Phase::Stopping && self.is_settled() {
            self.stopped(cx);
        }
        self.set_alarm(cx);
    }
}

impl Database {
    /// Ends because it was asked to. Nobody starts it again to give its address up.
    fn stopped(&mut self, cx: &mut Cx) {
        if let Some(pair) = self.pair() {
            pair.leave(cx);
        }
        cx.exit(Exit::Stopped);
    }

    fn hear_replication(&mut self) {
        while let Some(event) = self.replication.next_event() {
            match event {
                ReplicationEvent::WaitOver { conn, replicas } => {
                    if let Some(session) = self.session(conn) {
                        session.tell_late(Bytes::from(format!(":{replicas}\r\n")));
                        self.thing_came = true;
                    }
                }
                ReplicationEvent::Notice(text) => {
                    // Parts of it may come from other servers: one line stays one line.
                    self.notice = text.replace(char::is_control, " ");
                }
            }
        }
    }
}

/// Ends with a reason that was not known when the program was written.
fn give_up(cx: &mut Cx, why: String) {
    // The process ends: its last words may well live as long as it does.
    cx.exit(Exit::Failed(why.leak()));
}
