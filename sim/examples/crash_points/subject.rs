//! The script that drives the log, and the book of what it promised.

use crate::log::{Bug, Log};
use storytime_sim::enumerate::{Flaw, Lone, More, Subject};

/// Numbers asked for at once.
const ASKED_AT_ONCE: usize = 3;

/// A log that is asked to keep 1, 2, 3 …
pub(crate) struct Numbers {
    bug: Bug,
    wanted: u64,
    asked: u64,
    acknowledged: u64,
}

impl Numbers {
    /// Of a log with this mistake, `wanted` numbers.
    pub(crate) const fn new(bug: Bug, wanted: u64) -> Self {
        Self { bug, wanted, asked: 0, acknowledged: 0 }
    }
}

impl Subject for Numbers {
    type Machine = Log;

    fn machine(&self) -> Log {
        Log::new(self.bug)
    }

    fn is_up(&self, lone: &Lone<Log>) -> bool {
        lone.machine().is_up()
    }

    fn step(&mut self, lone: &mut Lone<Log>) -> More {
        self.acknowledged = lone.machine().kept().len() as u64;
        let waiting = (self.asked - self.acknowledged) as usize;
        for _ in waiting..ASKED_AT_ONCE {
            if self.asked < self.wanted {
                self.asked += 1;
                let value = self.asked;
                lone.call(|log, cx| log.append(cx, value));
            }
        }
        if self.acknowledged == self.wanted && lone.is_idle() { More::No } else { More::Yes }
    }

    fn promises(&self) -> u64 {
        self.acknowledged
    }

    fn check(&self, lone: &mut Lone<Log>) -> Result<(), Flaw> {
        let kept = lone.machine().kept();
        if let Some((wrong, number)) = kept.iter().zip(1..).find(|(kept, asked)| *kept != asked) {
            return Err(Flaw::invented(format!("record {number} is {wrong}")));
        }
        let kept = kept.len() as u64;
        if kept > self.asked {
            return Err(Flaw::invented(format!("{kept} records, {} asked for", self.asked)));
        }
        if kept < self.acknowledged {
            let acknowledged = self.acknowledged;
            return Err(Flaw::lost(format!("{kept} records, {acknowledged} acknowledged")));
        }
        Ok(())
    }
}
