//! Writers on a journal: each appends a record, waits until it is durable, and appends the next.

use crate::socket_load::Run;
use std::collections::VecDeque;
use storytime_journal::{Journal, JournalEvent, JournalOptions, Local, Lsn};
use storytime_machine::{Boot, Cx, DiskResult, Duration, Exit, Machine, Time, Token};

/// Ends the warm-up, and then the measurement.
const BELL: Token = Token(0);
/// Where the journal's tokens begin.
const JOURNAL: Token = Token(1 << 32);

/// A machine with nothing but a journal and its writers.
#[derive(Debug)]
pub struct Writers {
    journal: Journal,
    writers: usize,
    record: Vec<u8>,
    warm_up: Duration,
    length: Duration,
    /// Records on their way, in order: since when.
    under_way: VecDeque<(Lsn, Time)>,
    measures: bool,
    began: Time,
    run: Run,
}

impl Writers {
    /// Writers of records of so many bytes; they stop by themselves after `warm_up` and `length`.
    pub fn new(writers: usize, record_bytes: usize, warm_up: Duration, length: Duration) -> Self {
        assert!(writers > 0, "no load at all");
        Self {
            journal: Journal::new(JournalOptions::default(), JOURNAL),
            writers,
            record: vec![b'r'; record_bytes],
            warm_up,
            length,
            under_way: VecDeque::with_capacity(writers),
            measures: false,
            began: Time::ZERO,
            run: Run::new(),
        }
    }

    /// What was measured.
    pub const fn run(&self) -> &Run {
        &self.run
    }

    fn append(&mut self, cx: &mut Cx, count: usize) {
        for _ in 0..count {
            let lsn = self.journal.append(&self.record).expect("the disk of a bench has room");
            self.under_way.push_back((lsn, cx.now()));
        }
        self.journal.commit(cx, &mut Local);
    }

    fn drain(&mut self, cx: &mut Cx) {
        while let Some(event) = self.journal.next_event() {
            match event {
                JournalEvent::Ready(_) => {
                    cx.after(BELL, self.warm_up);
                    self.append(cx, self.writers);
                }
                JournalEvent::Durable(durable) => self.durable(cx, durable),
                JournalEvent::Failed(why) => cx.exit(Exit::Failed(why)),
                JournalEvent::Refused(_) | JournalEvent::Full => {
                    cx.exit(Exit::Failed("the bench's directory is no good"));
                }
                _ => {}
            }
        }
    }

    fn durable(&mut self, cx: &mut Cx, durable: Lsn) {
        let mut done = 0;
        while let Some(&(lsn, since)) = self.under_way.front()
            && lsn <= durable
        {
            self.under_way.pop_front();
            done += 1;
            if self.measures {
                self.run.answered(1, cx.now().since(since));
            }
        }
        self.append(cx, done);
    }
}

impl Machine for Writers {
    fn start(&mut self, cx: &mut Cx, _boot: Boot) {
        self.journal.open(cx, &mut Local);
        self.drain(cx);
    }

    fn disk(&mut self, cx: &mut Cx, op: Token, result: DiskResult) {
        self.journal.on_disk(cx, &mut Local, op, result);
        self.drain(cx);
    }

    fn timer(&mut self, cx: &mut Cx, _timer: Token) {
        if self.measures {
            self.run.length = cx.now().since(self.began);
            cx.exit(Exit::Stopped);
        } else {
            (self.measures, self.began) = (true, cx.now());
            cx.after(BELL, self.length);
        }
    }
}
