//! What clients, workers and the disk know: all that the rules are judged by.

use std::collections::{BTreeMap, BTreeSet};
use storytime_gearman::engine::{
    Assign, Kept, Number, Out, Payload, Peer, Refusal, Reply, Ticket, Work,
};

/// What a client or worker knows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Party {
    /// Submits that were not answered, in their order.
    pub(crate) asked: Vec<Asked>,
    /// Jobs whose end is to come; twice for two submits.
    pub(crate) waits: Vec<u64>,
    /// Jobs that it runs.
    pub(crate) runs: Vec<u64>,
    /// Jobs that it runs although they were taken from it, or cancelled.
    pub(crate) stale: Vec<u64>,
    /// Those of them that it took too long for, and nobody else has got since.
    pub(crate) overdue: Vec<u64>,
    /// Whether it said that it sleeps, and was not woken.
    pub(crate) asleep: bool,
    /// Whether it asked for a job, and was not answered.
    pub(crate) asks: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) key: u8,
    pub(crate) background: bool,
    /// Jobs that ended since.
    pub(crate) ended: BTreeSet<u64>,
}

/// What the durable queue holds of a job.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) key: u8,
    pub(crate) function: Vec<u8>,
    pub(crate) unique: Vec<u8>,
}

#[derive(Clone, Debug)]
pub(crate) enum Record {
    Keep(u64, Row, Ticket),
    Forget(u64),
}

/// The durable queue, as the disk has it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Disk {
    pub(crate) rows: BTreeMap<u64, Row>,
    /// Not synced yet.
    pub(crate) tail: Vec<Record>,
    pub(crate) ticket: u64,
}

impl Disk {
    /// The first so many records of the tail are durable from here on.
    pub(crate) fn sync(&mut self, count: usize) -> Option<Ticket> {
        let mut upto = None;
        for record in self.tail.drain(..count) {
            match record {
                Record::Keep(number, row, ticket) => {
                    self.rows.insert(number, row);
                    upto = Some(ticket);
                }
                Record::Forget(number) => {
                    self.rows.remove(&number);
                }
            }
        }
        upto
    }
}

/// Everything that is known.
#[derive(Clone, Debug, Default)]
pub(crate) struct Book {
    pub(crate) parties: Vec<Party>,
    pub(crate) disk: Option<Disk>,
    /// Accepted background jobs that have not ended.
    pub(crate) promised: BTreeSet<u64>,
    /// Keys of jobs whose number was told.
    pub(crate) keys: BTreeMap<u64, u8>,
    /// Jobs in the order in which they came into the queue.
    pub(crate) order: Vec<u64>,
    /// Those that are in it now.
    pub(crate) queued: BTreeSet<u64>,
    /// Whether a job is in it that will be dropped when it is reached.
    pub(crate) dead: bool,
    /// What must not be.
    pub(crate) wrong: Option<String>,
}

pub(crate) fn key_of(unique: &[u8]) -> u8 {
    unique.first().copied().unwrap_or(0)
}

impl Book {
    pub(crate) fn wrong(&mut self, what: impl FnOnce() -> String) {
        self.wrong.get_or_insert_with(what);
    }

    /// A job ended, as a worker or an operator wants it.
    pub(crate) fn ended(&mut self, number: u64) {
        self.promised.remove(&number);
        self.not_overdue(number);
        for asked in self.parties.iter_mut().flat_map(|party| &mut party.asked) {
            asked.ended.insert(number);
        }
    }

    /// Who took too long for a job has nothing more to say of it.
    pub(crate) fn not_overdue(&mut self, number: u64) {
        for party in &mut self.parties {
            party.overdue.retain(|&overdue| overdue != number);
        }
    }

    fn created(&mut self, to: usize, number: u64) {
        let party = &mut self.parties[to];
        if party.asked.is_empty() {
            return self.wrong(|| format!("client {to} is told of job {number} and asked nothing"));
        }
        let asked = party.asked.remove(0);
        if *self.keys.entry(number).or_insert(asked.key) != asked.key {
            self.wrong(|| format!("client {to} is told of job {number} for another key"));
        }
        if !asked.background {
            self.parties[to].waits.push(number);
        } else if !asked.ended.contains(&number) {
            self.promised.insert(number);
        }
    }

    fn told_end(&mut self, to: usize, number: u64) {
        let waits = &mut self.parties[to].waits;
        match waits.iter().position(|&waited| waited == number) {
            Some(place) => drop(waits.remove(place)),
            None => self.wrong(|| format!("client {to} is told an end of job {number} too many")),
        }
    }

    fn assigned(&mut self, to: usize, number: u64) {
        let first = self.order.iter().find(|number| self.queued.contains(number)).copied();
        let asked = core::mem::take(&mut self.parties[to].asks);
        if !asked {
            self.wrong(|| format!("worker {to} is given job {number} and asked for none"));
        }
        if !self.order.contains(&number) {
            // It came while the worker waited, and was never seen in the queue.
            self.order.push(number);
        }
        if first.is_some_and(|first| first != number) {
            self.wrong(|| format!("job {number} is handed out before job {first:?}"));
        }
        if self.parties.iter().any(|party| party.runs.contains(&number)) {
            self.wrong(|| format!("job {number} runs twice"));
        }
        self.not_overdue(number);
        self.parties[to].runs.push(number);
    }
}

impl Out for Book {
    fn send(&mut self, to: Peer, reply: Reply<'_>) {
        let to = to.0 as usize;
        match reply {
            Reply::Created { number, .. } => self.created(to, number.0),
            Reply::Noop => self.parties[to].asleep = false,
            Reply::NoJob => {
                self.parties[to].asks = false;
                if !self.queued.is_empty() {
                    self.wrong(|| format!("worker {to} is told that there is no job"));
                }
            }
            Reply::Assign(Assign { number, .. }) => self.assigned(to, number.0),
            Reply::Work(number, Work::Complete(_) | Work::Fail) => self.told_end(to, number.0),
            Reply::Work(number, _) => {
                if !self.parties[to].waits.contains(&number.0) {
                    self.wrong(|| format!("client {to} is told of job {number:?} unasked"));
                }
            }
            Reply::Error(refusal) => self.wrong(|| format!("{to} is refused: {refusal}")),
        }
    }

    fn keep(&mut self, job: Kept<'_>) -> Result<Ticket, Refusal> {
        let Some(disk) = &mut self.disk else { return Ok(Ticket::NOW) };
        disk.ticket += 1;
        let ticket = Ticket(disk.ticket);
        let Payload::Slice(_) = job.data else { panic!("the data is short") };
        let (function, unique) = (job.function.to_vec(), job.unique.to_vec());
        let row = Row { key: key_of(job.unique), function, unique };
        disk.tail.push(Record::Keep(job.number.0, row, ticket));
        Ok(ticket)
    }

    fn forget(&mut self, number: Number) {
        match &mut self.disk {
            Some(disk) => disk.tail.push(Record::Forget(number.0)),
            None => self.wrong(|| format!("job {} was never kept", number.0)),
        }
    }

    fn overrun(&mut self, of: Peer) {
        self.wrong(|| format!("{of:?} is ended with hardly anything waiting for it"));
    }
}
