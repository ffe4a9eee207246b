//! Data that workers sent before the results of their jobs.

use bytes::BytesMut;
use std::collections::BTreeMap;

use crate::engine::Number;

/// Most bytes of data that wait for their results, of all jobs.
const PARTS_BYTES_MAX: usize = 64 << 20;
/// From so many jobs on, those that have ended otherwise are looked for.
const SWEEP_FROM: usize = 1 << 10;

/// The data of running jobs.
#[derive(Debug)]
pub(super) struct Parts {
    jobs: BTreeMap<Number, Part>,
    bytes: usize,
    /// How many jobs there may be before those that have ended are looked for.
    sweep_at: usize,
}

/// What one job sent so far.
#[derive(Debug)]
struct Part {
    /// How often the job had lost its worker by then: the next one begins anew.
    losses: u8,
    told: Told,
}

#[derive(Debug)]
enum Told {
    Data(BytesMut),
    /// Too much, or what is not kept.
    Spoiled,
}

impl Default for Parts {
    fn default() -> Self {
        Self { jobs: BTreeMap::new(), bytes: 0, sweep_at: SWEEP_FROM }
    }
}

impl Parts {
    /// A job sent data. All of it together may be so long; `runs` says whether a job still runs.
    pub(super) fn add(
        &mut self,
        number: Number,
        losses: u8,
        data: &[u8],
        bytes_max: usize,
        runs: impl Fn(Number) -> bool,
    ) {
        if self.jobs.len() >= self.sweep_at {
            self.sweep(runs);
        }
        let part = self.part(number, losses);
        let Told::Data(before) = &mut part.told else { return };
        let length = before.len() + data.len();
        if losses == u8::MAX || length > bytes_max {
            return self.spoil(number, losses);
        }
        before.extend_from_slice(data);
        self.bytes += data.len();
        if self.bytes > PARTS_BYTES_MAX {
            self.spoil(number, losses);
        }
    }

    /// What a job sends is not to be kept.
    pub(super) fn spoil(&mut self, number: Number, losses: u8) {
        let part = self.part(number, losses);
        if let Told::Data(data) = core::mem::replace(&mut part.told, Told::Spoiled) {
            self.bytes -= data.len();
        }
    }

    /// A job ends: what it sent, and nothing if that is not to be kept.
    pub(super) fn take(&mut self, number: Number, losses: u8) -> Option<BytesMut> {
        let Some(part) = self.jobs.remove(&number) else { return Some(BytesMut::new()) };
        match part.told {
            Told::Data(data) => {
                self.bytes -= data.len();
                Some(if part.losses == losses { data } else { BytesMut::new() })
            }
            Told::Spoiled if part.losses == losses => None,
            Told::Spoiled => Some(BytesMut::new()),
        }
    }

    fn part(&mut self, number: Number, losses: u8) -> &mut Part {
        let new = || Part { losses, told: Told::Data(BytesMut::new()) };
        let part = self.jobs.entry(number).or_insert_with(new);
        if part.losses != losses {
            if let Told::Data(data) = &part.told {
                self.bytes -= data.len();
            }
            *part = new();
        }
        part
    }

    /// Forgets jobs that ended without a result.
    fn sweep(&mut self, runs: impl Fn(Number) -> bool) {
        let bytes = &mut self.bytes;
        self.jobs.retain(|&number, part| {
            let keeps = runs(number);
            if let (false, Told::Data(data)) = (keeps, &part.told) {
                *bytes -= data.len();
            }
            keeps
        });
        self.sweep_at = (2 * self.jobs.len()).max(SWEEP_FROM);
    }

    /// Bytes of data that wait.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn invariants(&self) {
        let of = |part: &Part| match &part.told {
            Told::Data(data) => data.len(),
            Told::Spoiled => 0,
        };
        assert_eq!(self.jobs.values().map(of).sum::<usize>(), self.bytes, "data is counted");
        assert!(self.bytes <= PARTS_BYTES_MAX, "data is bounded");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Number = Number(1);

    fn add(parts: &mut Parts, losses: u8, data: &[u8]) {
        parts.add(ONE, losses, data, 8, |_| true);
        parts.invariants();
    }

    #[test]
    fn data_adds_up_and_the_next_worker_begins_anew() {
        let mut parts = Parts::default();
        add(&mut parts, 0, b"ab");
        add(&mut parts, 0, b"cd");
        assert_eq!(parts.take(ONE, 0).as_deref(), Some(&b"abcd"[..]));
        add(&mut parts, 0, b"ab");
        add(&mut parts, 1, b"x");
        assert_eq!(parts.take(ONE, 1).as_deref(), Some(&b"x"[..]));
        add(&mut parts, 0, b"ab");
        assert_eq!(parts.take(ONE, 1).as_deref(), Some(&b""[..]), "its worker was lost");
        assert_eq!((parts.bytes(), parts.take(ONE, 1)), (0, Some(BytesMut::new())));
    }

    #[test]
    fn what_is_too_long_or_spoiled_is_not_kept_in_part() {
        let mut parts = Parts::default();
        add(&mut parts, 0, b"12345678");
        add(&mut parts, 0, b"9");
        add(&mut parts, 0, b"x");
        assert_eq!((parts.bytes(), parts.take(ONE, 0)), (0, None));
        parts.spoil(ONE, 0);
        add(&mut parts, 0, b"x");
        assert_eq!(parts.take(ONE, 0), None);
        parts.spoil(ONE, 0);
        add(&mut parts, 1, b"x");
        assert_eq!(parts.take(ONE, 1).as_deref(), Some(&b"x"[..]), "another worker, another try");
    }

    #[test]
    fn jobs_that_ended_without_a_result_are_forgotten() {
        let mut parts = Parts::default();
        for number in 0..3 * SWEEP_FROM as u64 {
            parts.add(Number(number), 0, b"x", 8, |other| other.0 + 1 == number);
        }
        parts.invariants();
        assert!(parts.bytes() <= SWEEP_FROM + 1, "{}", parts.bytes());
    }
}
