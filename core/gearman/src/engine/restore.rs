//! Recovery and checkpoints.
//!
//! A checkpoint may be written while jobs come and go, a piece at a time. What it says of a job may
//! be newer than the record that it stands at; replaying the records behind that on top of it gives
//! the state at the end of the journal all the same, because a record says all there is to say of
//! its job.
//!
//! Not remembered: how often a job lost its worker, and numbers of jobs that are not kept: whoever
//! restores says where to go on, so that no handle means two jobs.

use super::Engine;
use super::calendar::Calendar;
use super::job::{BACKGROUND, Job, KEPT};
use super::types::{Kept, KeptWhen, Number, Out, Submit, When};

/// How far a checkpoint is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cursor {
    /// Nothing was told.
    #[default]
    Start,
    /// Calendars up to this one were told.
    Calendars(Number),
    /// Calendars were told, and jobs in the places before this one.
    Jobs(u32),
}

impl Engine {
    /// Recovery, before anything else: a job that was kept. May be called again for the same one.
    ///
    /// # Panics
    /// If there are connections.
    pub fn restore(&mut self, job: Kept<'_>) {
        assert_eq!(self.peers.len(), 0, "recovery comes before connections");
        self.next_number = self.next_number.max(job.number.0 + 1);
        let function = self.functions.restore(job.function);
        let when = match job.when {
            KeptWhen::Calendar { words, .. } => {
                if let Some(calendar) = Calendar::parse(words) {
                    self.insert_calendar(function, calendar, job, true);
                }
                return;
            }
            KeptWhen::Epoch(second) => When::Epoch(second),
            KeptWhen::Now | KeptWhen::Fired { .. } => When::Now,
        };
        self.restore_forgotten(job.number);
        let Kept { number, unique, data, reducer, priority, .. } = job;
        let (name, background) = (job.function, true);
        let submit = Submit { function: name, unique, data, reducer, priority, background, when };
        let mut restored = Job::new(number.0, function, &submit);
        restored.set(BACKGROUND | KEPT);
        match job.when {
            KeptWhen::Epoch(second) => restored.rare_mut().due = second,
            KeptWhen::Fired { calendar, second } => {
                restored.rare_mut().fired = Some((calendar, second));
                self.restore_fired(calendar, second, number);
            }
            KeptWhen::Now | KeptWhen::Calendar { .. } => {}
        }
        let at = self.insert(restored);
        self.index.insert_number(number, at);
    }

    /// A job was made of a calendar: its times up to then are done with.
    fn restore_fired(&mut self, number: Number, second: u64, made: Number) {
        let Some(calendar) = self.calendars.get_mut(&number) else { return };
        calendar.made = calendar.made.max(Some(made));
        if second < calendar.upto {
            return;
        }
        let was = calendar.next;
        calendar.upto = second;
        calendar.next = calendar.calendar.next(second);
        let next = calendar.next;
        if let Some(was) = was {
            self.dues.remove(&(was, number));
        }
        self.dues.extend(next.map(|next| (next, number)));
    }

    /// Recovery: a kept job that was forgotten.
    pub fn restore_forgotten(&mut self, number: Number) {
        self.remove_calendar(number);
        if let Some(at) = self.index.by_number(number) {
            self.index.remove_number(number);
            let job = self.jobs.remove(at);
            self.discharge(job.function, job.bytes());
        }
    }

    /// Recovery: numbers below this one may be in use.
    pub fn restore_numbers(&mut self, next: Number) {
        self.next_number = self.next_number.max(next.0);
    }

    /// Recovery is over: jobs go into their queues in the order of their numbers.
    pub fn restored(&mut self, out: &mut impl Out) {
        assert_eq!(self.peers.len(), 0, "recovery comes before connections");
        for calendar in self.calendars.values_mut() {
            calendar.unsynced = false;
        }
        let places = self.jobs.places().filter(|(_, job)| job.number > 0);
        let mut jobs: Vec<(u64, u32)> = places.map(|(at, job)| (job.number, at)).collect();
        jobs.sort_unstable();
        for (number, at) in jobs {
            let key = self.jobs.get(at).key();
            if key.is_some_and(|key| self.index.by_key(&self.jobs, key).is_some()) {
                // The end of the older one is not in the journal. What follows it there is not
                // either, so nobody was told that the younger one is accepted.
                self.restore_forgotten(Number(number));
                out.forget(Number(number));
                continue;
            }
            self.index.insert_key(&self.jobs, at);
            self.make_ready(out, at);
        }
    }

    /// Tells jobs that are to be remembered, for a checkpoint: looks at so many places for jobs,
    /// and returns where to go on, or none at the end.
    pub fn each_kept(
        &self,
        from: Cursor,
        places_max: u32,
        each: &mut dyn FnMut(Kept<'_>),
    ) -> Option<Cursor> {
        let mut left = places_max.max(1);
        let told = match from {
            Cursor::Start => Number(0),
            Cursor::Calendars(number) => number,
            Cursor::Jobs(at) => return self.each_kept_job(at, left, each),
        };
        for (&number, calendar) in self.calendars.range(Number(told.0 + 1)..) {
            left -= 1;
            if calendar.kept {
                each(calendar.kept(number, &self.functions.get(calendar.function).name));
            }
            if left == 0 {
                return Some(Cursor::Calendars(number));
            }
        }
        self.each_kept_job(0, left, each)
    }

    fn each_kept_job(
        &self,
        from: u32,
        places_max: u32,
        each: &mut dyn FnMut(Kept<'_>),
    ) -> Option<Cursor> {
        for (left, (at, job)) in (1..=places_max).rev().zip(self.jobs.places_from(from)) {
            if job.number > 0 && job.is(KEPT) {
                each(job.kept(&self.functions.get(job.function).name));
            }
            if left == 1 {
                return Some(Cursor::Jobs(at + 1));
            }
        }
        None
    }
}
