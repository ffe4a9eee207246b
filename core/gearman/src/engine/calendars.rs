//! Jobs that come again: a calendar is no job itself, it makes one at each of its times.
//!
//! The job that is made is a background job like any other, with a number of its own and the
//! calendar's unique key. While it is there, no second one is made of the same calendar: a time
//! that comes meanwhile is skipped. Times that went by while the server was away are made up for
//! once. What the durable queue remembers of the job says for which second it was made, so no time
//! comes twice, and none is forgotten, across a restart.

use super::Engine;
use super::calendar::{Calendar, FIELDS};
use super::held::What;
use super::job::{Key, SHARED_BYTES_MIN};
use super::ring::NONE;
use super::submit::{For, Submitted};
use super::types::{
    Kept, KeptWhen, Number, Out, Payload, Priority, Refusal, Reply, Submit, Ticket, When,
};
use bytes::Bytes;

/// How long after a refusal (the queue is full) it is tried again, seconds.
const AGAIN_SECONDS: u64 = 1;

/// A calendar, and what jobs are made of it.
#[derive(Clone, Debug)]
pub(super) struct CalendarJob {
    pub(super) function: u32,
    pub(super) unique: Box<[u8]>,
    pub(super) data: Bytes,
    pub(super) reducer: Option<Box<[u8]>>,
    pub(super) priority: Priority,
    pub(super) words: [Box<[u8]>; FIELDS],
    pub(super) calendar: Calendar,
    /// The second up to which its times are done with.
    pub(super) upto: u64,
    /// The second under which it is in the set of what is due.
    pub(super) next: Option<u64>,
    /// The job that was made last.
    pub(super) made: Option<Number>,
    pub(super) kept: bool,
    pub(super) unsynced: bool,
}

impl CalendarJob {
    pub(super) fn words(&self) -> [&[u8]; FIELDS] {
        self.words.each_ref().map(|word| &**word)
    }

    pub(super) fn kept<'a>(&'a self, number: Number, function: &'a [u8]) -> Kept<'a> {
        Kept {
            number,
            function,
            unique: &self.unique,
            reducer: self.reducer.as_deref(),
            data: (&self.data).into(),
            priority: self.priority,
            when: KeptWhen::Calendar { words: self.words(), upto: self.upto },
        }
    }

    pub(super) fn bytes(&self) -> u64 {
        let words: usize = self.words.iter().map(|word| word.len()).sum();
        (size_of::<Self>() + words + self.unique.len() + self.data.len()) as u64
    }
}

impl Engine {
    /// A client submits a calendar. One with the same function and key is the same, whatever else
    /// it says.
    pub(super) fn submit_calendar(
        &mut self,
        out: &mut impl Out,
        from: u32,
        job: &Submit<'_>,
        words: [&[u8]; FIELDS],
    ) -> Result<(), Refusal> {
        self.check_lengths(job)?;
        let calendar = Calendar::parse(words).ok_or(Refusal::Calendar)?;
        let function = self.functions.find_or_make(job.function, &self.rules)?;
        if let Some((number, unsynced)) = self.same_calendar(function, job) {
            self.counters.joined += 1;
            if unsynced {
                self.hold(self.held.last, from, number, What::Created);
            } else {
                self.reply(out, from, number, Reply::Created { number, alone: false });
            }
            return Ok(());
        }
        if self.calendars.len() >= self.rules.calendars_max as usize {
            return Err(Refusal::TooManyCalendars);
        }
        let number = Number(self.next_number);
        let upto = self.wall_seconds;
        let when = KeptWhen::Calendar { words, upto };
        let Submit { unique, data, reducer, priority, .. } = *job;
        let kept = Kept { number, function: job.function, unique, reducer, data, priority, when };
        let ticket = out.keep(kept)?;
        self.next_number += 1;
        self.insert_calendar(function, calendar, kept, ticket != Ticket::NOW);
        if ticket == Ticket::NOW {
            self.reply(out, from, number, Reply::Created { number, alone: false });
        } else {
            self.hold(ticket, from, number, What::Synced);
        }
        Ok(())
    }

    fn same_calendar(&self, function: u32, job: &Submit<'_>) -> Option<(Number, bool)> {
        let key = Key::of(function, job.unique, &job.data)?;
        let found = self.calendars.iter().find(|(_, calendar)| {
            Key::of(calendar.function, &calendar.unique, &calendar.data) == Some(key)
        });
        found.map(|(&number, calendar)| (number, calendar.unsynced))
    }

    /// Puts a calendar in its place; takes that of an older state of the same one.
    pub(super) fn insert_calendar(
        &mut self,
        function: u32,
        calendar: Calendar,
        kept: Kept<'_>,
        durable: bool,
    ) {
        let KeptWhen::Calendar { words, upto } = kept.when else {
            unreachable!("only calendars come here")
        };
        let made = self.remove_calendar(kept.number).and_then(|older| older.made);
        let data = match kept.data {
            Payload::Shared(bytes) if bytes.len() >= SHARED_BYTES_MIN => bytes.clone(),
            data => Bytes::copy_from_slice(&data),
        };
        let next = calendar.next(upto);
        let calendar = CalendarJob {
            function,
            unique: kept.unique.into(),
            data,
            reducer: kept.reducer.map(Box::from),
            priority: kept.priority,
            words: words.map(Box::from),
            calendar,
            upto,
            next,
            made,
            kept: durable,
            unsynced: durable,
        };
        self.calendars.insert(kept.number, calendar);
        self.dues.extend(next.map(|next| (next, kept.number)));
        self.functions.get_mut(function).calendars += 1;
    }

    pub(super) fn remove_calendar(&mut self, number: Number) -> Option<CalendarJob> {
        let calendar = self.calendars.remove(&number)?;
        if let Some(next) = calendar.next {
            self.dues.remove(&(next, number));
        }
        self.functions.get_mut(calendar.function).calendars -= 1;
        Some(calendar)
    }

    /// An operator cancels a calendar. The job that was made of it last is not touched.
    pub(super) fn cancel_calendar(&mut self, out: &mut impl Out, number: Number) -> bool {
        let Some(calendar) = self.remove_calendar(number) else { return false };
        if calendar.kept {
            out.forget(number);
        }
        true
    }

    /// A calendar's time has come, and it is no longer in the set of what is due.
    pub(super) fn fire(&mut self, out: &mut impl Out, number: Number) {
        let mut calendar = self.calendars.remove(&number).expect("what is due is there");
        let second = self.wall_seconds;
        let there = calendar.made.filter(|&made| self.index.by_number(made).is_some());
        let made = match there {
            Some(made) => Ok(Submitted::Joined(made)),
            None => self.make(out, number, &calendar, second),
        };
        calendar.next = match made {
            Ok(_) => {
                calendar.upto = second;
                calendar.calendar.next(second)
            }
            Err(_) => Some(second + AGAIN_SECONDS),
        };
        match made {
            Ok(Submitted::New(made)) => {
                self.counters.fired += 1;
                calendar.made = Some(made);
            }
            Ok(Submitted::Joined(made)) => {
                self.counters.skipped += 1;
                calendar.made = Some(made);
                self.keep_upto(out, number, &calendar);
            }
            Err(_) => self.counters.refused += 1,
        }
        self.dues.extend(calendar.next.map(|next| (next, number)));
        self.calendars.insert(number, calendar);
    }

    fn make(
        &mut self,
        out: &mut impl Out,
        number: Number,
        calendar: &CalendarJob,
        second: u64,
    ) -> Result<Submitted, Refusal> {
        let function = self.functions.get(calendar.function).name.clone();
        let submit = Submit {
            function: &function,
            unique: &calendar.unique,
            data: (&calendar.data).into(),
            reducer: calendar.reducer.as_deref(),
            priority: calendar.priority,
            background: true,
            when: When::Now,
        };
        self.submit_for(out, For::Calendar(number, second), &submit)
    }

    /// No job was made that would tell the durable queue of the time that went by. If it does not
    /// take it, a restart makes up for that time once more.
    fn keep_upto(&mut self, out: &mut impl Out, number: Number, calendar: &CalendarJob) {
        if !calendar.kept {
            return;
        }
        let kept = calendar.kept(number, &self.functions.get(calendar.function).name);
        if let Ok(ticket) = out.keep(kept)
            && ticket != Ticket::NOW
        {
            self.hold(ticket, NONE, number, What::Synced);
        }
    }
}
