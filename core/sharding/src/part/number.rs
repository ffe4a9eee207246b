//! Numbers: of a user's own number space, and unique over all shards.

use super::Sharding;
use super::job::{Input, Job, JobId, Work};
use super::wire::{batch, failed_check, found, number, numbers, reply_of, unsigned, word};
use crate::home::{Homes, Verdict};
use crate::outcome::{Error, Outcome};
use storytime_machine::Cx;

/// Numbers being drawn.
#[derive(Debug)]
pub(super) struct NumberJob {
    count: u32,
    /// For everybody, not from a user's own number space.
    global: bool,
    stage: Stage,
    tries: u32,
}

/// What is awaited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The place.
    Place,
    /// The home row.
    Home,
    /// The numbers.
    Numbers,
}

impl NumberJob {
    pub(super) const fn new(count: u32, global: bool) -> Self {
        Self { count, global, stage: Stage::Place, tries: 0 }
    }
}

impl Job {
    fn number(&mut self) -> &mut NumberJob {
        match &mut self.work {
            Work::Number(number) => number,
            _ => unreachable!("it draws numbers"),
        }
    }
}

impl Sharding {
    /// `Request::Number` and `Request::GlobalNumber`.
    pub(super) fn number_step(
        &mut self,
        cx: &mut Cx,
        id: JobId,
        job: &mut Job,
        input: Input,
    ) -> Result<Option<Outcome>, Error> {
        let NumberJob { count, global, stage, .. } = *job.number();
        let Input::Database(outcome) = input else {
            if global {
                let directory = self.the_directory()?;
                let words = [word("INCRBY"), job.table.clone(), number(count.into())];
                self.ask_database(cx, id, directory, &words);
            } else {
                self.draw(cx, id, job)?;
            }
            return Ok(None);
        };
        if global {
            let last = unsigned(&reply_of(outcome, None)?)?;
            let first = (last + 1).checked_sub(count.into()).ok_or(Error::Garbled)?;
            return Ok(Some(Outcome::Number(first)));
        }
        let shard = job.seat.known.map(|known| known.place.shard);
        match (stage, reply_of(outcome, shard)) {
            (Stage::Numbers, Err(error)) if failed_check(&error).is_some() => {
                self.counters.retries += 1;
                let tries = &mut job.number().tries;
                *tries += 1;
                if *tries > self.options.tries_max {
                    return Err(Error::Contended);
                }
                job.number().stage = Stage::Home;
                self.ask_home(cx, id, job);
                Ok(None)
            }
            (Stage::Numbers, reply) => {
                let [_, first] = numbers(reply?)?[..] else { return Err(Error::Garbled) };
                Ok(Some(Outcome::Number(first)))
            }
            (Stage::Place | Stage::Home, reply) => {
                let verdict = self.see_home(cx, job, found(reply?)?)?;
                self.draw_after(cx, id, job, verdict)?;
                Ok(None)
            }
        }
    }

    fn draw_after(
        &mut self,
        cx: &mut Cx,
        id: JobId,
        job: &mut Job,
        verdict: Verdict,
    ) -> Result<(), Error> {
        let shard = job.seat.known.expect("who asks a shard knows the place").place.shard;
        match verdict {
            Verdict::Active => self.draw(cx, id, job),
            Verdict::ReadOnly | Verdict::Arriving => {
                self.counters.read_only += 1;
                Err(Error::ReadOnly { shard })
            }
            Verdict::Elsewhere => {
                if self.relocate(cx, id, job)?.is_some() {
                    self.draw(cx, id, job)?;
                }
                Ok(())
            }
        }
    }

    /// Draws where the user is, if the version of the home row is known; else asks for it.
    fn draw(&mut self, cx: &mut Cx, id: JobId, job: &mut Job) -> Result<(), Error> {
        while self.locate(cx, id, job)? {
            if !self.admits(job, true)? {
                continue;
            }
            let known = job.seat.known.expect("it was just located");
            let optional = known.homes == Homes::Optional;
            let Some(home) = known.home.or_else(|| optional.then_some(0)) else {
                job.number().stage = Stage::Home;
                self.ask_home(cx, id, job);
                return Ok(());
            };
            let mut words = batch(job.user, home);
            let count = number(job.number().count.into());
            words.extend([word("NEXT"), job.table.clone(), count]);
            job.number().stage = Stage::Numbers;
            self.ask_database(cx, id, known.server, &words);
            return Ok(());
        }
        Ok(())
    }
}
