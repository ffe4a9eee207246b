//! A server's life: recovery, what the journal tells, and the end.

use super::checkpoint::HEAD;
use super::{Database, Phase};
use storytime_journal::{JournalEvent, Recovery};
use storytime_machine::{Cx, Exit};

impl Database {
    /// Begins recovery; serves at once if there is nothing to recover.
    pub(super) fn recover(&mut self, cx: &mut Cx) {
        self.listen(cx);
        if !self.engine.log.open(cx) {
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
                JournalEvent::Record(_, record) => {
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
                JournalEvent::Durable(_) => {}
                JournalEvent::Checkpointed(at) => self.checkpoint_over(cx, Some(at)),
                JournalEvent::CheckpointFailed(_) => self.checkpoint_over(cx, None),
                JournalEvent::Full => cx.reached("dbd: disk full"),
                JournalEvent::Space => cx.reached("dbd: space again"),
                JournalEvent::Records(_) | JournalEvent::ReadFailed(_) => {
                    unreachable!("nobody reads records")
                }
                JournalEvent::Failed(why) => return cx.exit(Exit::Failed(why)),
            }
        }
    }

    /// A piece of a checkpoint: a record, but for the first.
    fn restore(&mut self, cx: &mut Cx, piece: &[u8]) {
        if piece == HEAD {
            return;
        }
        if let Err(why) = self.engine.apply(piece) {
            give_up(cx, format!("recovery stops in a checkpoint: {why}"));
        }
    }

    fn ready(&mut self, cx: &mut Cx, found: &Recovery) {
        self.engine.log.recovered(found.last);
        self.engine.marks.recovered(found.last);
        self.counters.recovered_cut_bytes = found.cut_bytes;
        self.serve_from_now_on(cx);
    }

    /// Ends as soon as what was promised is durable.
    pub(super) fn end(&mut self, cx: &mut Cx) {
        if self.phase == Phase::Loading {
            return cx.exit(Exit::Stopped);
        }
        self.phase = Phase::Stopping;
    }

    /// What ends every callback: what was appended is on its way to the disk, and replies whose
    /// time has come leave.
    pub(super) fn settle(&mut self, cx: &mut Cx) {
        let engine = &mut self.engine;
        if engine.log.uncovered_bytes() >= self.config.checkpoint_bytes {
            engine.begin_checkpoint(cx);
        }
        engine.feed_checkpoint(cx);
        engine.log.commit(cx);
        if !self.waiting.is_empty() {
            self.release_all(cx);
        }
        if self.phase == Phase::Stopping && self.engine.log.durable() == self.engine.log.last() {
            cx.exit(Exit::Stopped);
        }
        self.set_alarm(cx);
    }
}

/// Ends with a reason that was not known when the program was written.
fn give_up(cx: &mut Cx, why: String) {
    // The process ends: its last words may well live as long as it does.
    cx.exit(Exit::Failed(why.leak()));
}
