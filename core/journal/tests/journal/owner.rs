//! A machine that owns a journal and does with it what a test says.

use std::collections::VecDeque;
use storytime_journal::{
    AppendError, Journal, JournalEvent, JournalOptions, Local, Lsn, Recovery, Refusal, Storage,
};
use storytime_machine::{
    Boot, Bytes, Cx, DiskOk, DiskOp, DiskResult, Exit, Machine, Signal, Token,
};

/// What a test asks for.
#[derive(Clone, Debug)]
pub(crate) enum Ask {
    Append(Vec<Bytes>),
}

/// What happened to the journal, as its owner knows it.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) records: Vec<(Lsn, Bytes)>,
    pub(crate) ready: Option<Recovery>,
    pub(crate) refused: Option<Refusal>,
    pub(crate) failed: Option<&'static str>,
    pub(crate) durable: Lsn,
    pub(crate) appended: Vec<Result<Lsn, AppendError>>,
    pub(crate) events: Vec<JournalEvent>,
}

/// Mistakes of a storage under a journal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Lie {
    #[default]
    None,
}

#[derive(Debug)]
pub(crate) struct Owner {
    pub(crate) journal: Journal,
    pub(crate) seen: Seen,
    pub(crate) asks: VecDeque<Ask>,
    io: Lying,
}

/// The disk, with a mistake.
#[derive(Debug)]
struct Lying {
    lie: Lie,
}

impl Storage for Lying {
    fn submit(&mut self, cx: &mut Cx, token: Token, op: DiskOp) {
        match self.lie {
            Lie::None => Local.submit(cx, token, op),
        }
    }
}

impl Owner {
    pub(crate) fn new(options: JournalOptions, lie: Lie) -> Self {
        Self {
            journal: Journal::new(options, Token(1 << 20)),
            seen: Seen::default(),
            asks: VecDeque::new(),
            io: Lying { lie },
        }
    }

    fn drain(&mut self, cx: &mut Cx) {
        while let Some(event) = self.journal.next_event() {
            match &event {
                JournalEvent::Record(lsn, bytes) => self.seen.records.push((*lsn, bytes.clone())),
                JournalEvent::Ready(recovery) => {
                    self.seen.ready = Some(*recovery);
                    self.seen.durable = recovery.last;
                }
                JournalEvent::Refused(refusal) => self.seen.refused = Some(refusal.clone()),
                JournalEvent::Durable(lsn) => self.seen.durable = *lsn,
                JournalEvent::Failed(why) => {
                    self.seen.failed = Some(why);
                    cx.exit(Exit::Failed(why));
                }
                _ => {}
            }
            self.seen.events.push(event);
        }
    }
}

impl Machine for Owner {
    fn start(&mut self, cx: &mut Cx, _boot: Boot) {
        self.journal.open(cx, &mut self.io);
        self.drain(cx);
    }

    fn signal(&mut self, cx: &mut Cx, _signal: Signal) {
        while let Some(ask) = self.asks.pop_front() {
            match ask {
                Ask::Append(records) => {
                    for record in records {
                        self.seen.appended.push(self.journal.append(&record));
                    }
                    self.journal.commit(cx, &mut self.io);
                }
            }
        }
        self.drain(cx);
    }

    fn disk(&mut self, cx: &mut Cx, op: Token, result: DiskResult) {
        let result = match result {
            Ok(DiskOk::Data(_)) if false => Ok(DiskOk::Done),
            other => other,
        };
        assert!(self.journal.on_disk(cx, &mut self.io, op, result), "nobody else asks");
        self.drain(cx);
    }

    fn invariants(&self) {
        self.journal.invariants();
    }
}
