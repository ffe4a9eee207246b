//! An engine whose replies are written down as words.

use bytes::Bytes;
use std::time::Duration;
use storytime_gearman::engine::{
    Assign, Cursor, Engine, Grab, Kept, KeptWhen, Number, Out, Payload, Peer, Priority, Refusal,
    Reply, Rules, Submit, Ticket, When, Work,
};
use storytime_machine::Time;

/// What the engine said, and what its durable queue was given.
#[derive(Clone, Default)]
pub(crate) struct Book {
    said: Vec<(u32, String)>,
    pub(crate) kept: Vec<String>,
    /// Tickets given out; none without a durable queue.
    pub(crate) ticket: Option<u64>,
    pub(crate) full: bool,
}

pub(crate) struct Desk {
    pub(crate) engine: Engine,
    pub(crate) book: Book,
    mono: Time,
    wall: u64,
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

pub(crate) fn words(reply: &Reply<'_>) -> String {
    match reply {
        Reply::Created { number, .. } => format!("created {}", number.0),
        Reply::Noop => "noop".into(),
        Reply::NoJob => "no job".into(),
        Reply::Assign(Assign { number, function, unique, reducer, data, how }) => {
            let mut words = format!("assign {} {}", number.0, text(function));
            if *how != Grab::Plain {
                words += &format!(" unique {}", text(unique));
            }
            if let (Grab::All, Some(reducer)) = (how, reducer) {
                words += &format!(" reducer {}", text(reducer));
            }
            words + &format!(" {}", text(data))
        }
        Reply::Work(number, work) => {
            let what = match work {
                Work::Status { numerator, denominator } => {
                    format!("status {}/{}", text(numerator), text(denominator))
                }
                Work::Data(data) => format!("data {}", text(data)),
                Work::Warning(data) => format!("warning {}", text(data)),
                Work::Complete(data) => format!("complete {}", text(data)),
                Work::Fail => "fail".into(),
                Work::Exception(data) => format!("exception {}", text(data)),
            };
            format!("{}: {what}", number.0)
        }
        Reply::Error(refusal) => format!("error {refusal}"),
    }
}

pub(crate) fn kept_words(kept: &Kept<'_>) -> String {
    let when = match kept.when {
        KeptWhen::Now => String::new(),
        KeptWhen::Epoch(second) => format!(" at {second}"),
        KeptWhen::Calendar { words, upto } => {
            let words: Vec<_> = words.iter().map(|word| text(word)).collect();
            format!(" calendar {} done to {upto}", words.join(" "))
        }
        KeptWhen::Fired { calendar, second } => format!(" of {} at {second}", calendar.0),
    };
    let Kept { number, function, unique, data, .. } = kept;
    format!("keep {} {} {} {}{when}", number.0, text(function), text(unique), text(data))
}

impl Out for Book {
    fn send(&mut self, to: Peer, reply: Reply<'_>) {
        self.said.push((to.0, words(&reply)));
    }

    fn keep(&mut self, job: Kept<'_>) -> Result<Ticket, Refusal> {
        if self.full {
            return Err(Refusal::QueueBusy("The disk is full"));
        }
        let Some(ticket) = &mut self.ticket else { return Ok(Ticket::NOW) };
        *ticket += 1;
        self.kept.push(kept_words(&job));
        Ok(Ticket(*ticket))
    }

    fn forget(&mut self, number: Number) {
        self.kept.push(format!("forget {}", number.0));
    }

    fn overrun(&mut self, of: Peer) {
        self.said.push((of.0, "overrun".to_owned()));
    }
}

/// A job to be submitted: function `f`, no key, no data.
pub(crate) const JOB: Submit<'static> = Submit {
    function: b"f",
    unique: b"",
    data: Payload::Slice(b""),
    reducer: None,
    priority: Priority::Normal,
    background: false,
    when: When::Now,
};

/// A background job.
pub(crate) const BACK: Submit<'static> = Submit { background: true, ..JOB };

pub(crate) fn key(unique: &str) -> Submit<'_> {
    Submit { unique: unique.as_bytes(), ..JOB }
}

pub(crate) fn back(unique: &str) -> Submit<'_> {
    Submit { unique: unique.as_bytes(), ..BACK }
}

impl Desk {
    pub(crate) fn new(rules: Rules) -> Self {
        let engine = Engine::new(rules, Number(1));
        Self { engine, book: Book::default(), mono: Time::ZERO, wall: 0 }
    }

    /// With a durable queue, which syncs when it is told to.
    pub(crate) fn durable(rules: Rules) -> Self {
        let mut desk = Self::new(rules);
        desk.book.ticket = Some(0);
        desk
    }

    /// Everything said to a connection since it was asked last.
    pub(crate) fn said(&mut self, to: u32) -> Vec<String> {
        self.engine.invariants();
        let (told, rest) = self.book.said.drain(..).partition(|(peer, _)| *peer == to);
        self.book.said = rest;
        let told: Vec<(u32, String)> = told;
        told.into_iter().map(|(_, words)| words).collect()
    }

    /// Everything said to a connection since it was asked last, in one line.
    pub(crate) fn line(&mut self, to: u32) -> String {
        self.said(to).join(", ")
    }

    pub(crate) fn submit(&mut self, from: u32, job: Submit<'_>) -> &mut Self {
        self.engine.submit(&mut self.book, Peer(from), &job);
        self
    }

    pub(crate) fn can_do(&mut self, worker: u32, function: &str) -> &mut Self {
        self.engine.can_do(&mut self.book, Peer(worker), function.as_bytes(), None);
        self
    }

    pub(crate) fn can_do_within(&mut self, worker: u32, function: &str, seconds: u64) -> &mut Self {
        let timeout = Some(Duration::from_secs(seconds));
        self.engine.can_do(&mut self.book, Peer(worker), function.as_bytes(), timeout);
        self
    }

    pub(crate) fn cant_do(&mut self, worker: u32, function: &str) -> &mut Self {
        self.engine.cant_do(&mut self.book, Peer(worker), function.as_bytes());
        self
    }

    pub(crate) fn sleep(&mut self, worker: u32) -> &mut Self {
        self.engine.pre_sleep(&mut self.book, Peer(worker));
        self
    }

    /// The answer to a worker that asks for a job.
    pub(crate) fn grab(&mut self, worker: u32) -> String {
        self.engine.grab(&mut self.book, Peer(worker), Grab::Plain);
        self.line(worker)
    }

    pub(crate) fn work(&mut self, worker: u32, number: u64, work: Work<'_>) -> &mut Self {
        self.engine.work(&mut self.book, Peer(worker), Number(number), work);
        self
    }

    pub(crate) fn complete(&mut self, worker: u32, number: u64) -> &mut Self {
        self.work(worker, number, Work::Complete(b"ok".into()))
    }

    pub(crate) fn gone(&mut self, peer: u32) -> &mut Self {
        self.engine.gone(&mut self.book, Peer(peer));
        self
    }

    pub(crate) fn cancel(&mut self, number: u64) -> bool {
        self.engine.cancel(&mut self.book, Number(number))
    }

    /// Everything that was kept is durable.
    pub(crate) fn sync(&mut self) -> &mut Self {
        let ticket = Ticket(self.book.ticket.expect("there is a durable queue"));
        self.engine.durable(&mut self.book, ticket);
        self
    }

    /// Both clocks go on.
    pub(crate) fn wait(&mut self, time: Duration) -> &mut Self {
        self.mono += time;
        self.wall += time.as_secs();
        self.engine.clock(self.mono, self.wall);
        self.engine.tick(&mut self.book);
        self
    }

    /// The wall clock stands at this second.
    pub(crate) fn at(&mut self, second: u64) -> &mut Self {
        self.wall = second;
        self.engine.clock(self.mono, second);
        self.engine.tick(&mut self.book);
        self
    }

    pub(crate) fn records(&mut self) -> Vec<String> {
        std::mem::take(&mut self.book.kept)
    }

    /// A server that finds what a checkpoint of this one holds.
    pub(crate) fn restart(&self, at: u64) -> Self {
        let mut desk = Self::durable(self.engine.rules().clone());
        desk.book.ticket = self.book.ticket;
        desk.wall = at;
        desk.engine.clock(desk.mono, at);
        let mut cursor = Some(Cursor::Start);
        while let Some(from) = cursor {
            cursor = self.engine.each_kept(from, 2, &mut |kept| desk.engine.restore(kept));
        }
        desk.engine.restore_numbers(self.engine.next_number());
        desk.engine.restored(&mut desk.book);
        desk.engine.tick(&mut desk.book);
        desk.engine.invariants();
        desk
    }
}

pub(crate) fn shared(bytes: &Bytes) -> Payload<'_> {
    Payload::Shared(bytes)
}
