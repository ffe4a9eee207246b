//! The book of what a journal promised, and a script that drives it: for the crash-point
//! enumerator.

use crate::lying::Lie;
use crate::owner::Owner;
use storytime_journal::{JournalOptions, Lsn};
use storytime_machine::{Bytes, Rng};
use storytime_sim::enumerate::{Flaw, Lone, More, Subject};

/// One step of a script.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ask {
    /// Append so many records, and wait until they are durable.
    Keep(u64),
    /// Append so many in each of two callbacks: the second half rides behind the first.
    Overlap(u64),
    /// Write a checkpoint at the last record.
    Checkpoint,
    /// Begin a checkpoint and append meanwhile.
    CheckpointMeanwhile(u64),
    /// Begin another history behind this record.
    Reset(u64),
}

/// What was asked and what was acknowledged.
#[derive(Clone, Debug)]
pub(crate) struct Book {
    options: JournalOptions,
    lie: Lie,
    script: Vec<Ask>,
    next: usize,
    /// Which history is written.
    history: u64,
    appended: u64,
    acknowledged: u64,
    /// The record that the next history begins behind, while it is unknown whether it did.
    reset: Option<u64>,
    checkpoints: u64,
}

/// The content of a record: a function of its history and number.
fn record(history: u64, lsn: u64) -> Bytes {
    let mut bytes = format!("{history}:{lsn}:").into_bytes();
    let len = [3, 40, 0, 300, 11, 700, 1][(lsn % 7) as usize];
    let mut rest = vec![0; len];
    Rng::new(history, lsn).fill(&mut rest);
    bytes.extend_from_slice(&rest);
    bytes.into()
}

/// What a checkpoint of a history at a record consists of.
fn pieces(history: u64, at: u64) -> Vec<Bytes> {
    let mut rest = vec![7; 700];
    Rng::new(history, at).fill(&mut rest);
    vec![Bytes::from(format!("{history} {at}")), rest.into(), Bytes::new()]
}

impl Book {
    pub(crate) fn new(options: JournalOptions, lie: Lie, script: &[Ask]) -> Self {
        Self {
            options,
            lie,
            script: script.to_vec(),
            next: 0,
            history: 0,
            appended: 0,
            acknowledged: 0,
            reset: None,
            checkpoints: 0,
        }
    }

    fn append(&mut self, lone: &mut Lone<Owner>, count: u64) {
        let numbers = self.appended + 1..=self.appended + count;
        let records: Vec<Bytes> = numbers.map(|lsn| record(self.history, lsn)).collect();
        lone.call(|owner, cx| owner.append(cx, &records));
        self.appended += count;
    }

    /// Whether what was asked for last is done.
    fn is_done(&self, owner: &Owner) -> bool {
        owner.seen.durable.0 >= self.appended && !owner.journal.is_checkpointing()
    }

    fn note(&mut self, owner: &Owner) {
        if let (Some(at), Some(done)) = (self.reset, owner.seen.checkpointed)
            && done.0 == at
        {
            self.history += 1;
            (self.appended, self.acknowledged, self.reset) = (at, at, None);
        }
        if self.reset.is_none() {
            self.acknowledged = self.acknowledged.max(owner.seen.durable.0);
        }
    }

    /// Whether the content is that of one history, from its start to at least `from`.
    fn compare(&self, owner: &Owner, history: u64, from: u64, to: u64) -> Result<(), Flaw> {
        let seen = &owner.seen;
        let ready = seen.ready.expect("it is up");
        let mut next = 1;
        if !seen.pieces.is_empty() {
            if seen.pieces != pieces(history, ready.checkpoint.0) {
                return Err(Flaw::invented(format!("checkpoint {:?}", ready.checkpoint)));
            }
            next = ready.checkpoint.0 + 1;
        }
        for (lsn, bytes) in &seen.records {
            if lsn.0 != next || *bytes != record(history, next) {
                return Err(Flaw::invented(format!("record {next} of {history} is another one")));
            }
            next += 1;
        }
        let last = next - 1;
        if ready.last.0 != last || last > to {
            return Err(Flaw::invented(format!("{last} records of {history}, {to} were appended")));
        }
        if last < from {
            let what = format!("{last} records of {history}, {from} were acknowledged");
            return Err(Flaw::lost(what));
        }
        Ok(())
    }
}

impl Subject for Book {
    type Machine = Owner;

    fn machine(&self) -> Owner {
        Owner::new(self.options.clone(), self.lie)
    }

    fn is_up(&self, lone: &Lone<Owner>) -> bool {
        lone.machine().seen.ready.is_some()
    }

    fn step(&mut self, lone: &mut Lone<Owner>) -> More {
        self.note(lone.machine());
        if !self.is_done(lone.machine()) {
            return More::Yes;
        }
        let Some(&ask) = self.script.get(self.next) else { return More::No };
        self.next += 1;
        match ask {
            Ask::Keep(count) => self.append(lone, count),
            Ask::Overlap(count) => {
                self.append(lone, count);
                self.append(lone, count);
            }
            Ask::Checkpoint => self.checkpoint(lone),
            Ask::CheckpointMeanwhile(count) => {
                self.checkpoint(lone);
                self.append(lone, count);
            }
            Ask::Reset(at) => {
                self.reset = Some(at);
                let pieces = pieces(self.history + 1, at);
                lone.call(|owner, cx| {
                    owner.seen.durable = Lsn(at);
                    owner.reset(cx, Lsn(at), &pieces);
                });
                self.appended = at;
            }
        }
        More::Yes
    }

    fn promises(&self) -> u64 {
        self.acknowledged + (self.history << 32) + self.checkpoints
    }

    fn check(&self, lone: &mut Lone<Owner>) -> Result<(), Flaw> {
        let told = lone.machine().seen.pieces.first();
        let history = match told.and_then(|piece| core::str::from_utf8(piece).ok()) {
            Some(text) => text.split(' ').next().and_then(|h| h.parse().ok()).unwrap_or(0),
            None => 0,
        };
        match self.reset {
            Some(at) if history == self.history + 1 => {
                self.compare(lone.machine(), history, at, at)?;
            }
            _ if history != self.history => {
                return Err(Flaw::lost(format!("history {history} came back")));
            }
            Some(_) => self.compare(lone.machine(), history, self.acknowledged, u64::MAX)?,
            None => {
                self.compare(lone.machine(), history, self.acknowledged, self.appended)?;
            }
        }
        let before = lone.machine().journal.last();
        lone.call(|owner, cx| owner.append(cx, &[Bytes::from_static(b"on it goes")]));
        let goes_on = lone.run_until(|lone| lone.machine().seen.durable > before);
        if goes_on { Ok(()) } else { Err(Flaw::stuck("it takes no more records")) }
    }
}

impl Book {
    fn checkpoint(&mut self, lone: &mut Lone<Owner>) {
        self.checkpoints += 1;
        let at = self.appended;
        let pieces = pieces(self.history, at);
        lone.call(|owner, cx| owner.checkpoint(cx, Lsn(at), &pieces));
    }
}
