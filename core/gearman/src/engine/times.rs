//! What is done when time goes by.

use super::Engine;
use super::ring::Ring;
use super::types::Out;
use storytime_machine::Time;

impl Engine {
    /// Does what is due by both clocks: jobs for later, time-outs, workers that do not wake.
    pub fn tick(&mut self, out: &mut impl Out) {
        self.expire(out);
        self.answer_late(out);
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
        let first = |of: Ring| of.first().and_then(|peer| self.peers.get(peer).waits_until());
        [deadline, first(self.woken), first(self.asking)].into_iter().flatten().min()
    }
}
