//! What is done when time goes by.

use super::Engine;
use super::peer::Sleep;
use super::types::Out;
use storytime_machine::Time;

impl Engine {
    /// Does what is due by both clocks: jobs for later, time-outs, workers that do not wake.
    pub fn tick(&mut self, out: &mut impl Out) {
        self.expire(out);
        self.wake_others(out);
        self.come_due(out);
    }

    fn come_due(&mut self, out: &mut impl Out) {
        while let Some(&(second, number)) = self.dues.first() {
            if second > self.wall_seconds {
                break;
            }
            if self.calendars.contains_key(&number) {
                self.dues.pop_first();
                self.fire(out, number);
            } else {
                let at = self.index.by_number(number).expect("what is due is there");
                self.unqueue(at);
                self.make_ready(out, at);
            }
        }
    }

    /// The second since 1970 at which [`tick`](Self::tick) is to be called.
    pub fn next_due(&self) -> Option<u64> {
        self.dues.first().map(|&(second, _)| second)
    }

    /// The time at which [`tick`](Self::tick) is to be called.
    pub fn next_expiry(&self) -> Option<Time> {
        let deadline = self.deadlines.first().map(|&(deadline, _)| deadline);
        let patience = self.woken.first().map(|peer| match self.peers.get(peer).sleep {
            Sleep::Woken { until, .. } => until,
            Sleep::Awake | Sleep::Asleep | Sleep::Overdue => {
                unreachable!("only woken workers are waited for")
            }
        });
        deadline.into_iter().chain(patience).min()
    }
}
