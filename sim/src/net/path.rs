//! One direction between two hosts: latency, bandwidth, loss, partitions.
//!
//! Not modelled: routers between hosts, ECN, path MTU, congestion control. A sender is limited by
//! the receive window and the link's bandwidth alone.

use storytime_machine::{Duration, Ratio, Rng, Time, nanos};

/// First retransmission time-out, as Linux's minimum.
pub(crate) const RTO_MIN: Duration = Duration::from_millis(200);
/// Longest retransmission time-out, as Linux's maximum.
pub(crate) const RTO_MAX: Duration = Duration::from_secs(120);
/// Losses in a row of one segment that are drawn; a link that loses more is partitioned.
const LOSSES_MAX: u32 = 15;

/// Properties of a link, in one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// Shortest one-way delay.
    pub latency_min: Duration,
    /// Longest one-way delay without loss; drawn evenly between the two.
    pub latency_max: Duration,
    /// Bytes a second; 0 for unlimited.
    pub bandwidth: u64,
    /// Most bytes waiting for the link; datagrams beyond are lost, and streams lose the time of a
    /// retransmission. 0 for unlimited.
    pub queue_bytes_max: u64,
    /// Chance that a segment or datagram is lost.
    pub loss: Ratio,
    /// Chance that a burst of stream bytes arrives in two pieces, cut anywhere.
    pub cut: Ratio,
    /// Chance that a datagram arrives twice.
    pub duplicate: Ratio,
    /// Chance that a datagram is held back and overtaken.
    pub reorder: Ratio,
}

impl Link {
    /// A switched gigabit network in one rack: 50 to 150 µs one way, 125 MB/s, no loss.
    pub const RACK: Self = Self {
        latency_min: Duration::from_micros(50),
        latency_max: Duration::from_micros(150),
        bandwidth: 125_000_000,
        queue_bytes_max: 0,
        loss: Ratio::NEVER,
        cut: Ratio::NEVER,
        duplicate: Ratio::NEVER,
        reorder: Ratio::NEVER,
    };

    /// Between processes of one host: 5 to 15 µs, no bandwidth limit.
    pub const LOOPBACK: Self = Self {
        latency_min: Duration::from_micros(5),
        latency_max: Duration::from_micros(15),
        bandwidth: 0,
        ..Self::RACK
    };
}

/// A link in use.
#[derive(Debug)]
pub(crate) struct Path {
    pub(crate) link: Link,
    rng: Rng,
    /// When the last byte put on the wire will have left.
    free_at: Time,
    /// Nothing gets through.
    pub(crate) blocked: bool,
    /// Nothing arrives before this.
    pub(crate) clogged_until: Time,
    /// The other direction, for answers.
    pub(crate) back: u32,
    /// Host at the far end.
    pub(crate) to: u32,
    /// Host at the near end.
    pub(crate) from: u32,
}

impl Path {
    pub(crate) const fn new(link: Link, rng: Rng, from: u32, to: u32, back: u32) -> Self {
        Self {
            link,
            rng,
            free_at: Time::ZERO,
            blocked: false,
            clogged_until: Time::ZERO,
            back,
            to,
            from,
        }
    }

    #[inline]
    fn latency(&mut self) -> Duration {
        if self.link.latency_min == self.link.latency_max {
            return self.link.latency_min;
        }
        self.rng.duration(self.link.latency_min, self.link.latency_max)
    }

    /// When a small packet sent now arrives, if it does.
    pub(crate) fn packet(&mut self, now: Time) -> Time {
        (now + self.latency()).max(self.clogged_until)
    }

    /// When `bytes` of a stream put on the wire now arrive, retransmissions included.
    #[inline]
    pub(crate) fn stream(&mut self, now: Time, bytes: usize) -> Time {
        let mut delay = self.latency();
        let queue_lost = self.is_full(now, bytes);
        // What found the queue full is sent again; its turn on the link comes behind what waits.
        let left = self.transmit(now, bytes);
        if queue_lost || !self.link.loss.is_never() {
            let mut rto = RTO_MIN;
            let mut losses = u32::from(queue_lost);
            while losses < LOSSES_MAX && self.rng.chance(self.link.loss) {
                losses += 1;
            }
            for _ in 0..losses {
                delay += rto;
                rto = (rto * 2).min(RTO_MAX);
            }
        }
        (left + delay).max(self.clogged_until)
    }

    /// Whether the link's queue has no room. An idle link takes a burst of any length.
    #[inline]
    fn is_full(&self, now: Time, bytes: usize) -> bool {
        let Link { bandwidth, queue_bytes_max, .. } = self.link;
        if bandwidth == 0 || queue_bytes_max == 0 || self.free_at <= now {
            return false;
        }
        let waiting = u128::from(nanos(self.free_at.since(now))) * u128::from(bandwidth);
        waiting / 1_000_000_000 + bytes as u128 > u128::from(queue_bytes_max)
    }

    /// When the bytes have left the sender.
    #[inline]
    fn transmit(&mut self, now: Time, bytes: usize) -> Time {
        let bandwidth = self.link.bandwidth;
        if bandwidth == 0 {
            return now;
        }
        let ns = (bytes as u64).saturating_mul(1_000_000_000) / bandwidth;
        self.free_at = self.free_at.max(now) + Duration::from_nanos(ns);
        self.free_at
    }

    /// Where a burst of `bytes` is cut in two, if it is.
    #[inline]
    pub(crate) fn cut(&mut self, bytes: usize) -> Option<usize> {
        (bytes > 1 && self.rng.chance(self.link.cut)).then(|| 1 + self.rng.index(bytes - 1))
    }

    /// When a datagram sent now arrives: never, once, or twice.
    pub(crate) fn datagram(&mut self, now: Time, bytes: usize) -> [Option<Time>; 2] {
        if self.is_full(now, bytes) {
            return [None; 2];
        }
        let left = self.transmit(now, bytes);
        if self.blocked || self.rng.chance(self.link.loss) {
            return [None; 2];
        }
        let mut first = self.packet(left);
        if self.rng.chance(self.link.reorder) {
            first += self.link.latency_max * 2;
        }
        let second = self.rng.chance(self.link.duplicate).then(|| self.packet(left));
        [Some(first), second]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(link: Link) -> Path {
        Path::new(link, Rng::new(1, 1), 0, 1, 0)
    }

    #[test]
    fn bandwidth_delays_what_comes_behind() {
        let link = Link { bandwidth: 1_000_000, latency_max: Link::RACK.latency_min, ..Link::RACK };
        let mut path = path(link);
        let first = path.stream(Time::ZERO, 1_000);
        let second = path.stream(Time::ZERO, 1_000);
        assert_eq!(first, Time::ZERO + Duration::from_millis(1) + link.latency_min);
        assert_eq!(second.since(first), Duration::from_millis(1));
    }

    #[test]
    fn lost_segments_arrive_a_retransmission_later() {
        let mut path = path(Link { loss: Ratio::new(1, 2), bandwidth: 0, ..Link::RACK });
        let late = (0..1000).filter(|_| path.stream(Time::ZERO, 1) >= Time::ZERO + RTO_MIN).count();
        assert!((400..600).contains(&late), "{late} of 1000");
    }

    #[test]
    fn a_full_queue_loses() {
        let link = Link { bandwidth: 1_000, queue_bytes_max: 100, ..Link::RACK };
        let mut path = path(link);
        assert!(path.datagram(Time::ZERO, 90)[0].is_some());
        assert!(path.datagram(Time::ZERO, 90)[0].is_none());
        assert!(path.stream(Time::ZERO, 90) >= Time::ZERO + RTO_MIN, "TCP sends it again");
    }

    #[test]
    fn datagrams_are_lost_doubled_and_overtaken() {
        let link = Link {
            loss: Ratio::new(1, 4),
            duplicate: Ratio::new(1, 4),
            reorder: Ratio::new(1, 4),
            ..Link::RACK
        };
        let mut path = path(link);
        let all: Vec<_> = (0..1000).map(|_| path.datagram(Time::ZERO, 100)).collect();
        let lost = all.iter().filter(|t| t[0].is_none()).count();
        let doubled = all.iter().filter(|t| t[1].is_some()).count();
        let late = all.iter().filter(|t| t[0].is_some_and(|t| t.0 > 250_000)).count();
        assert!((200..300).contains(&lost), "{lost} lost");
        assert!((130..250).contains(&doubled), "{doubled} doubled");
        assert!(late > 100, "{late} overtaken");
    }
}
