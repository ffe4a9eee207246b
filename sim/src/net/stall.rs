//! What did not get through is sent again, with growing pauses, until it does or patience ends.

use super::path::{RTO_MAX, RTO_MIN};
use super::tcp::{Phase, is_left};
use super::{Net, Notice};
use crate::queue::{Event, Queue};
use storytime_machine::{Gone, Time};

/// A direction of a connection that is stuck.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stall {
    /// Attempts so far.
    attempts: u32,
    /// Since when.
    since: Time,
    /// Whether a FIN waits behind the data.
    fin: bool,
}

impl Net {
    /// What did not get through is sent again, for a while.
    pub(super) fn stall(&mut self, queue: &mut Queue, now: Time, end: u32, fin: bool) {
        let age = self.ends[end as usize].age;
        let this = &mut self.ends[end as usize];
        match &mut this.stall {
            Some(stall) => stall.fin |= fin,
            None => {
                this.stall = Some(Stall { attempts: 0, since: now, fin });
                queue.push(now + RTO_MIN, Event::Retransmit { end, age });
            }
        }
    }

    pub(super) fn retransmit(&mut self, queue: &mut Queue, now: Time, end: u32) -> Notice {
        let Some(stall) = self.ends[end as usize].stall else { return Notice::Nothing };
        let sender = end ^ 1;
        let patience_over = now.since(stall.since) >= self.tcp.give_up;
        let orphan = self.ends[sender as usize].phase == Phase::Free;
        if self.ends[sender as usize].phase == Phase::Vanished || (orphan && patience_over) {
            // Whoever would send again is gone; what was held is lost with it, and what is under
            // way behind it is of no use.
            let this = &mut self.ends[end as usize];
            this.stream.truncate(this.arrived);
            (this.held, this.stall, this.cut_off) = (0, None, true);
            return Notice::Nothing;
        }
        let left = is_left(self.ends[sender as usize].route, sender);
        if !left && self.arrives(sender) {
            let held = core::mem::take(&mut self.ends[end as usize].held);
            self.ends[end as usize].stall = None;
            let data = self.deliver(queue, now, end, held);
            let fin = if stall.fin { self.fin_arrives(queue, now, end) } else { Notice::Nothing };
            // With data the FIN needs no word of its own.
            if data == Notice::Nothing { fin } else { data }
        } else if patience_over {
            Notice::Gone(sender, Gone::TimedOut)
        } else {
            if left {
                self.sent_from_afar(queue, now, end);
            }
            let rto = (RTO_MIN * (1 << stall.attempts.min(16))).min(RTO_MAX);
            let this = &mut self.ends[end as usize];
            this.stall = Some(Stall { attempts: stall.attempts + 1, ..stall });
            queue.push(now + rto, Event::Retransmit { end, age: this.age });
            Notice::Nothing
        }
    }
}
