//! The event queue: earliest first, and for equal times in the order of scheduling.
//!
//! A binary heap of 32-byte entries. The sequence number breaks ties, so that the order of a run is
//! defined by the run alone.

use core::cmp::Ordering;
use std::collections::BinaryHeap;
use storytime_machine::Time;

/// Something that will happen: small, so that ten thousand of them stay in the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// Bytes reach the far end of a direction.
    Deliver { end: u32, age: u32, bytes: u32 },
    /// A FIN reaches this end, behind all data.
    Fin { end: u32, age: u32 },
    /// A reset reaches this end.
    Rst { end: u32, age: u32 },
    /// A stalled direction towards this end tries again.
    Retransmit { end: u32, age: u32 },
    /// This end learns that its peer's window has room.
    Window { end: u32, age: u32 },
    /// A SYN reaches its destination; `end` is the connecting side.
    Syn { end: u32, age: u32 },
    /// The connecting side sends its SYN again, if still unanswered.
    SynRetry { end: u32, age: u32, attempt: u32 },
    /// The handshake's answer reaches the connecting side.
    SynAck { end: u32, age: u32 },
    /// The handshake's last packet reaches the accepting side.
    Ack { end: u32, age: u32, attempt: u32 },
    /// A half-open connection has waited long enough for the handshake's last packet.
    HalfOpenOver { end: u32, age: u32 },
    /// A refusal, or word that there is no way, reaches the connecting side.
    Refuse { end: u32, age: u32, unreachable: bool },
    /// The connecting side's patience ends.
    ConnectTimeout { end: u32, age: u32 },
    /// A flushed connection has waited long enough for its peer.
    Linger { end: u32, age: u32 },
    /// The TLS handshake of both ends is over.
    Secured { end: u32, age: u32 },
    /// A process's alarm.
    Alarm { process: u32, life: u32 },
    /// A core has finished the work of a step.
    CoreFree { core: u32, life: u32 },
    /// A disk operation is due.
    Disk { host: u32, op: u64 },
    /// A datagram arrives.
    Datagram { index: u32 },
    /// A name look-up is answered.
    Resolved { index: u32 },
    /// Entry of the timeline.
    Timeline { index: u32 },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    at: Time,
    seq: u64,
    event: Event,
}

impl Ord for Entry {
    /// Reversed: the standard heap pops the greatest.
    #[inline]
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.seq).cmp(&(self.at, self.seq))
    }
}

impl PartialOrd for Entry {
    #[inline]
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[derive(Debug, Default)]
pub(crate) struct Queue {
    heap: BinaryHeap<Entry>,
    next_seq: u64,
}

const _: () = assert!(size_of::<Entry>() <= 32, "an entry is half a cache line");

impl Queue {
    #[inline]
    pub(crate) fn push(&mut self, at: Time, event: Event) {
        let seq = self.next_seq;
        self.next_seq += 1;
        self.heap.push(Entry { at, seq, event });
    }

    #[inline]
    pub(crate) fn pop_until(&mut self, limit: Time) -> Option<(Time, Event)> {
        if self.heap.peek()?.at > limit {
            return None;
        }
        self.heap.pop().map(|entry| (entry.at, entry.event))
    }

    pub(crate) fn len(&self) -> usize {
        self.heap.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_times_keep_the_order_of_scheduling() {
        let mut queue = Queue::default();
        for index in 0..100 {
            queue.push(Time(u64::from(index % 3)), Event::Timeline { index });
        }
        let mut last = (Time::ZERO, 0);
        while let Some((at, Event::Timeline { index })) = queue.pop_until(Time::MAX) {
            assert!((at, index) >= last, "{at} {index} after {last:?}");
            last = (at, index);
        }
        assert_eq!(queue.len(), 0);
    }
}
