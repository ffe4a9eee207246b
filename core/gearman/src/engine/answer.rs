//! Jobs whose result may be known elsewhere: they wait for word of it before they are queued.
//!
//! Such a job is there like any other: it has its number, is found by its key, and ends when nobody
//! waits for it any more. So whoever submits it meanwhile waits for the same answer, and one
//! question is asked for all. A background submit that finds it ends the waiting: that job is to
//! run, whatever is known of its result.

use super::Engine;
use super::job::{ASKED, BACKGROUND, Key, State, UNSYNCED};
use super::submit::{For, Submitted};
use super::types::{Happened, Number, Out, Payload, Peer, Refusal, Reply, Submit, When, Work};

/// What a worker's job is known by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ran<'a> {
    /// Its function.
    pub function: &'a [u8],
    /// Its unique key, as it was submitted.
    pub unique: &'a [u8],
    /// Its data.
    pub data: Payload<'a>,
    /// Whether it has a reducer.
    pub splits: bool,
    /// Whether it runs for itself.
    pub background: bool,
    /// How often it lost its worker; 255 may be more.
    pub losses: u8,
}

impl Engine {
    /// As [`submit`](Self::submit), for a job whose result is asked for elsewhere. If the job is
    /// new it goes to no worker before [`release`](Self::release) or [`answer`](Self::answer) is
    /// called with its number. None if there is nothing to ask: it was there already, is to run in
    /// any case, has no key, or was refused.
    pub fn submit_asking(
        &mut self,
        out: &mut impl Out,
        from: Peer,
        job: &Submit<'_>,
    ) -> Option<Number> {
        // Only what is joined by its key is asked about.
        let known = Key::of(0, job.unique, &job.data).is_some();
        if job.background || job.when != When::Now || job.reducer.is_some() || !known {
            self.submit(out, from, job);
            return None;
        }
        self.peers.touch(from);
        match self.submit_for(out, For::Asking(from.0), job) {
            Ok(Submitted::New(number)) => Some(number),
            Ok(Submitted::Joined(_)) => None,
            Err(refusal) => {
                self.refuse(out, from, refusal);
                None
            }
        }
    }

    pub(super) fn refuse(&mut self, out: &mut impl Out, from: Peer, refusal: Refusal) {
        self.counters.refused += 1;
        self.reply(out, from.0, Number(0), Reply::Error(refusal));
    }

    /// Nobody knows the result: the job is queued. False if it does not wait for word any more.
    pub fn release(&mut self, out: &mut impl Out, number: Number) -> bool {
        let found = self.index.by_number(number).filter(|&at| self.jobs.get(at).is(ASKED));
        if let Some(at) = found {
            self.ask_no_more(out, at);
        }
        found.is_some()
    }

    /// The result is known: those who wait are told, data first if there is any, and the job ends
    /// unrun. False if it does not wait for word any more.
    pub fn answer(
        &mut self,
        out: &mut impl Out,
        number: Number,
        data: Option<Payload<'_>>,
        result: Payload<'_>,
    ) -> bool {
        let found = self.index.by_number(number).filter(|&at| self.jobs.get(at).is(ASKED));
        let Some(at) = found else { return false };
        self.counters.answered += 1;
        self.tell(out, at, Happened::Answered);
        if let Some(data) = data {
            self.relay(out, at, Work::Data(data));
        }
        self.relay(out, at, Work::Complete(result));
        self.end(out, at);
        true
    }

    /// A job waits for no answer any more: it goes to its queue, unless it waits for the disk.
    pub(super) fn ask_no_more(&mut self, out: &mut impl Out, at: u32) {
        let job = self.jobs.get_mut(at);
        if !job.is(ASKED) {
            return;
        }
        assert_eq!(job.state, State::Held, "nobody was given it");
        job.unset(ASKED);
        if !job.is(UNSYNCED) {
            self.make_ready(out, at);
        }
    }

    /// What a job is known by that this worker runs.
    pub fn ran(&self, worker: Peer, number: Number) -> Option<Ran<'_>> {
        let job = self.jobs.get(self.index.by_number(number)?);
        (job.state == State::Running && job.worker == worker.0).then(|| Ran {
            function: &self.functions.get(job.function).name,
            unique: job.unique(),
            data: job.data(),
            splits: job.reducer().is_some(),
            background: job.is(BACKGROUND),
            losses: job.losses,
        })
    }

    /// Whether a job is with a worker.
    pub fn runs(&self, number: Number) -> bool {
        let found = self.index.by_number(number);
        found.is_some_and(|at| self.jobs.get(at).state == State::Running)
    }
}
