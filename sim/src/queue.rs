//! The event queue: earliest first, and for equal times in the order of scheduling.
//!
//! A heap of 32-byte entries with four children to a node. The sequence number breaks ties, so that
//! the order of a run is defined by the run alone.

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
    /// The reset of a host that knows nothing of this end's connection reaches it.
    Stranger { end: u32, age: u32 },
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
    /// An address is taken, and others have heard of it.
    Address { index: u32 },
    /// A name look-up is answered.
    Resolved { index: u32 },
    /// Entry of the timeline.
    Timeline { index: u32 },
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    at: Time,
    seq: u64,
    event: Event,
}

impl Entry {
    /// Time, then order of scheduling, as one number: compared without a branch.
    #[inline]
    const fn key(&self) -> u128 {
        (self.at.0 as u128) << 64 | self.seq as u128
    }
}

/// A heap with four children to a node: half as deep as a binary one, and a node's children lie in
/// two cache lines.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    heap: Vec<Entry>,
    next_seq: u64,
}

const _: () = assert!(size_of::<Entry>() <= 32, "an entry is half a cache line");

/// Children of a node.
const FAN: usize = 4;

impl Queue {
    #[inline]
    pub(crate) fn push(&mut self, at: Time, event: Event) {
        let entry = Entry { at, seq: self.next_seq, event };
        self.next_seq += 1;
        let mut hole = self.heap.len();
        self.heap.push(entry);
        while hole > 0 {
            let parent = (hole - 1) / FAN;
            if self.heap[parent].key() < entry.key() {
                break;
            }
            self.heap[hole] = self.heap[parent];
            hole = parent;
        }
        self.heap[hole] = entry;
    }

    #[inline]
    pub(crate) fn pop_until(&mut self, limit: Time) -> Option<(Time, Event)> {
        let first = *self.heap.first()?;
        if first.at > limit {
            return None;
        }
        let last = self.heap.pop().expect("there is a first");
        if !self.heap.is_empty() {
            self.sink(last);
        }
        Some((first.at, first.event))
    }

    /// Fills the place of the first entry: the least child moves up, and `last` goes where none is
    /// less than it.
    #[inline]
    fn sink(&mut self, last: Entry) {
        let heap = &mut self.heap[..];
        let mut hole = 0;
        loop {
            let child = hole * FAN + 1;
            let least = if let Some([a, b, c, d]) = heap.get(child..child + FAN) {
                let [a, b, c, d] = [a.key(), b.key(), c.key(), d.key()];
                let (ab, at_ab) = if b < a { (b, 1) } else { (a, 0) };
                let (cd, at_cd) = if d < c { (d, 3) } else { (c, 2) };
                child + if cd < ab { at_cd } else { at_ab }
            } else {
                let Some(few) = heap.get(child..).filter(|few| !few.is_empty()) else { break };
                let least = (0..few.len()).min_by_key(|&at| few[at].key());
                child + least.expect("few are not none")
            };
            if last.key() < heap[least].key() {
                break;
            }
            heap[hole] = heap[least];
            hole = least;
        }
        heap[hole] = last;
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
    #[test]
    fn whatever_is_pushed_and_popped_comes_out_in_order() {
        let mut rng = storytime_machine::Rng::new(1, 1);
        let (mut queue, mut model) = (Queue::default(), std::collections::BTreeSet::new());
        for index in 0..20_000u32 {
            let at = Time(rng.below(500));
            queue.push(at, Event::Timeline { index });
            model.insert((at, index));
            while rng.below(100) < 49
                && let Some(first) = model.pop_first()
            {
                assert_eq!(queue.pop_until(first.0).map(index_of), Some(first));
            }
            assert_eq!(queue.len(), model.len());
        }
    }

    fn index_of((at, event): (Time, Event)) -> (Time, u32) {
        let Event::Timeline { index } = event else { panic!("only these were pushed") };
        (at, index)
    }
}
