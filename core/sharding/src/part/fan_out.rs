//! Several requests at once: some of them under way at a time, all of them until a deadline.

use super::job::{Input, Job, JobId, Whose, Work};
use super::{DEADLINE_TIMER, Sharding};
use crate::outcome::{Error, Outcome};
use crate::request::Request;
use core::time::Duration;
use std::collections::VecDeque;
use storytime_machine::{Cx, Time, Token};

/// Requests being asked.
#[derive(Debug)]
pub(super) struct FanOutJob {
    waiting: VecDeque<Request>,
    results: Vec<Option<Result<Outcome, Error>>>,
    /// Parts that were begun.
    begun: usize,
    under_way: usize,
    at_once: usize,
    patience: Duration,
    deadline: Time,
}

impl FanOutJob {
    pub(super) fn new(parts: Vec<Request>, at_once: usize, patience: Duration) -> Self {
        Self {
            results: vec![None; parts.len()],
            waiting: parts.into(),
            begun: 0,
            under_way: 0,
            at_once,
            patience,
            deadline: Time::MAX,
        }
    }
}

impl Sharding {
    pub(super) fn fan_out_step(
        &mut self,
        cx: &mut Cx,
        id: JobId,
        job: &mut Job,
        part: u16,
        input: Input,
    ) -> Result<Option<Outcome>, Error> {
        let Work::FanOut(fan_out) = &mut job.work else { unreachable!("it fans out") };
        match input {
            Input::Begin => {
                fan_out.deadline = cx.now() + fan_out.patience;
                self.deadlines.insert((fan_out.deadline, id));
                self.arm(cx);
            }
            Input::Part(result) => {
                fan_out.results[usize::from(part)] = Some(result);
                fan_out.under_way -= 1;
            }
            _ => {
                let late = fan_out.results.iter().filter(|result| result.is_none()).count();
                self.counters.parts_late += late as u64;
                return Ok(Some(Outcome::Parts(core::mem::take(&mut fan_out.results))));
            }
        }
        while fan_out.under_way < fan_out.at_once
            && let Some(request) = fan_out.waiting.pop_front()
        {
            let index = fan_out.begun as u16;
            fan_out.begun += 1;
            match self.begin(request, Whose::Part { parent: id, index }) {
                Ok(()) => fan_out.under_way += 1,
                Err(why) => {
                    fan_out.results[usize::from(index)] = Some(Err(Error::NotAccepted(why)));
                }
            }
        }
        if fan_out.under_way > 0 {
            return Ok(None);
        }
        self.deadlines.remove(&(fan_out.deadline, id));
        Ok(Some(Outcome::Parts(core::mem::take(&mut fan_out.results))))
    }

    /// Sets the timer of the next deadline.
    fn arm(&self, cx: &mut Cx) {
        if let Some((at, _)) = self.deadlines.first() {
            cx.at(Token(self.base + DEADLINE_TIMER), *at);
        }
    }

    /// The timer came due.
    pub(super) fn deadlines_came(&mut self, cx: &mut Cx) {
        while let Some(&(at, id)) = self.deadlines.first()
            && at <= cx.now()
        {
            self.deadlines.pop_first();
            self.inputs.push_back((id, 0, Input::Deadline));
        }
        self.arm(cx);
    }
}
