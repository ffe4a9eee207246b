//! What a witness decides, without its disk and connections.
//!
//! The record says who held the lease last and which halves have every acknowledged flush. It
//! changes on disk before anybody is told. A half gets the lease only if the record has it as equal
//! and the other's lease has run out; with it the other half counts as left behind, until the
//! holder says that it has been brought up to date.
//!
//! | want | record | ruling |
//! |---|---|---|
//! | lease | held by the asking process | granted again |
//! | lease | the other's (or an earlier process's) lease may still run | denied: held |
//! | lease | the half was left behind, or its disk is empty although it was equal | denied: behind |
//! | lease | otherwise | recorded, then granted: a new epoch, the other half left behind |
//! | lease | none: the marks of both halves decide | see [`judge`]; of two empty ones the preferred |
//! | keep | held by the asking process | granted; a change of who is equal is recorded first |
//! | keep | anything else | denied: not the holder |

use crate::config::{LEASE_MAX, LEASE_MIN};
use crate::generation::{Standing, Verdict, judge};
use crate::wire::{Answer, Ask, Denial, Half, Ruling, Want};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use core::time::Duration;
use storytime_machine::{Time, nanos};

/// What a witness remembers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    /// Counts grants to new holders and halves left behind.
    pub(crate) epoch: u64,
    pub(crate) holder: Half,
    /// The holder's process.
    pub(crate) life: u64,
    /// Whether the other half has every acknowledged flush, too.
    pub(crate) both: bool,
    /// Whether both halves were ever equal: an empty disk is then a lost one.
    pub(crate) joined: bool,
    pub(crate) lease: Duration,
}

const RECORD_BYTES: usize = 1 + 3 * 8;

impl Record {
    pub(crate) fn to_bytes(self) -> Bytes {
        let mut bytes = BytesMut::with_capacity(RECORD_BYTES);
        let flags = self.holder as u8 | u8::from(self.both) << 1 | u8::from(self.joined) << 2;
        bytes.put_u8(flags);
        bytes.put_u64_le(self.epoch);
        bytes.put_u64_le(self.life);
        bytes.put_u64_le(nanos(self.lease));
        bytes.freeze()
    }

    pub(crate) fn of_bytes(mut bytes: Bytes) -> Option<Self> {
        if bytes.len() != RECORD_BYTES {
            return None;
        }
        let flags = bytes.get_u8();
        Some(Self {
            epoch: bytes.get_u64_le(),
            holder: Half::of_index(flags & 1)?,
            life: bytes.get_u64_le(),
            both: flags & 2 != 0,
            joined: flags & 4 != 0,
            lease: Duration::from_nanos(bytes.get_u64_le()),
        })
    }

    /// Whether a half has every acknowledged flush.
    const fn equal(&self, half: Half) -> bool {
        self.both || self.holder.index() == half.index()
    }
}

/// What becomes of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Say this.
    Say(Answer),
    /// Make this durable and ask again.
    Write(Record),
}

/// The state of a witness.
#[derive(Debug)]
pub(crate) struct Court {
    /// As it is on disk.
    record: Option<Record>,
    started: Time,
    /// Until when the holder may think that it has the lease.
    lease_until: Time,
    /// Number of the last question of the holder's process. Kept apart from what other processes
    /// ask, because an old connection's question must not undo a later one.
    kept: u64,
    /// What the halves' disks say, while there is no record.
    marks: [Option<Standing>; 2],
}

impl Court {
    /// Begins with what is on disk. Whoever held the lease may still have it.
    pub(crate) fn new(record: Option<Record>, now: Time) -> Self {
        let lease_until = record.map_or(now, |record| now + record.lease);
        Self { record, started: now, lease_until, kept: 0, marks: [None; 2] }
    }

    pub(crate) const fn record(&self) -> Option<Record> {
        self.record
    }

    /// A record has become durable.
    pub(crate) fn recorded(&mut self, record: Record) {
        let same = |old: Record| (old.holder, old.life) == (record.holder, record.life);
        if !self.record.is_some_and(same) {
            self.kept = 0;
        }
        self.record = Some(record);
    }

    /// Notes that a question came, in the order in which it came. False if it is to be ignored:
    /// overtaken by a later one of the same process, or with a lease out of bounds.
    pub(crate) fn hear(&mut self, ask: &Ask) -> bool {
        if !(LEASE_MIN..=LEASE_MAX).contains(&ask.lease) {
            return false;
        }
        if self.holds(ask) {
            if ask.seq <= self.kept {
                return false;
            }
            self.kept = ask.seq;
        }
        self.marks[ask.half.index()] = Some(ask.standing);
        true
    }

    fn holds(&self, ask: &Ask) -> bool {
        self.record.is_some_and(|record| record.holder == ask.half && record.life == ask.life)
    }

    /// Decides about a question that was heard.
    pub(crate) fn decide(&mut self, now: Time, ask: &Ask) -> Decision {
        let say = |ruling| Decision::Say(Answer { seq: ask.seq, ruling });
        let Some(record) = self.record else {
            return match self.first_ruling(now, ask) {
                Ok(record) => Decision::Write(record),
                Err(why) => say(Ruling::Denied(why)),
            };
        };
        if self.holds(ask) {
            let wanted = match ask.want {
                Want::Lease => record.both,
                Want::KeepAlone => false,
                Want::KeepBoth => true,
            };
            if wanted != record.both {
                let epoch = record.epoch + u64::from(!wanted);
                let joined = record.joined || wanted;
                return Decision::Write(Record { epoch, both: wanted, joined, ..record });
            }
            self.lease_until = now + ask.lease;
            return say(Ruling::Granted { epoch: record.epoch, both: record.both });
        }
        if ask.want != Want::Lease {
            return say(Ruling::Denied(Denial::NotHolder));
        }
        let emptied = record.joined && ask.standing.current.is_none();
        if !record.equal(ask.half) || !ask.standing.consistent || emptied {
            return say(Ruling::Denied(Denial::Behind));
        }
        if now < self.lease_until {
            return say(Ruling::Denied(Denial::Held));
        }
        Decision::Write(Record {
            epoch: record.epoch.max(ask.standing.current.epoch) + 1,
            holder: ask.half,
            life: ask.life,
            both: false,
            joined: record.joined,
            lease: ask.lease,
        })
    }

    /// Without a record: what the marks on both disks say.
    fn first_ruling(&self, now: Time, ask: &Ask) -> Result<Record, Denial> {
        if ask.want != Want::Lease {
            return Err(Denial::NotHolder);
        }
        // A record that was lost may have granted a lease just before.
        if now < self.started + ask.lease {
            return Err(Denial::Held);
        }
        let Some(other) = self.marks[ask.half.other().index()] else {
            return Err(Denial::Unknown);
        };
        let fresh = ask.standing.current.is_none() && other.current.is_none();
        if fresh && ask.half == Half::Second {
            return Err(Denial::Held); // for the preferred half, which has asked, too
        }
        match judge(&ask.standing, &other) {
            Verdict::Both | Verdict::First => Ok(Record {
                epoch: ask.standing.current.epoch.max(other.current.epoch) + 1,
                holder: ask.half,
                life: ask.life,
                both: false,
                joined: false,
                lease: ask.lease,
            }),
            Verdict::Second | Verdict::Neither => Err(Denial::Behind),
            Verdict::Split => Err(Denial::Split),
        }
    }

    /// Asserts what holds between calls.
    pub(crate) fn invariants(&self) {
        let Some(record) = self.record else { return };
        assert!(record.epoch > 0, "a record has an epoch");
        assert!(record.joined || !record.both, "equal halves were joined");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generation::Generation;

    const LEASE: Duration = Duration::from_secs(3);
    const LATER: Duration = Duration::from_secs(4);

    /// A court that writes at once, and a clock.
    struct Rig {
        court: Court,
        now: Time,
        seq: u64,
    }

    impl Rig {
        fn new() -> Self {
            Self { court: Court::new(None, Time::ZERO), now: Time::ZERO, seq: 0 }
        }

        /// A fresh pair, a lease after the witness came up: both halves, in these processes, have
        /// asked, and the first one leads.
        fn led([first, second]: [u64; 2]) -> Self {
            let mut rig = Self::new();
            rig.now += LATER;
            assert_eq!(rig.ask(Half::Second, second, 0, Want::Lease), no(Denial::Unknown));
            assert_eq!(rig.ask(Half::First, first, 0, Want::Lease), yes(1, false));
            rig
        }

        /// The same, and the second one has been brought up to date.
        fn equal(processes: [u64; 2]) -> Self {
            let mut rig = Self::led(processes);
            assert_eq!(rig.ask(Half::First, processes[0], 1, Want::KeepBoth), yes(1, true));
            rig
        }

        fn ask(&mut self, half: Half, life: u64, epoch: u64, want: Want) -> Ruling {
            self.seq += 1;
            let current = Generation { epoch, id: epoch };
            let standing = Standing { current, ..Standing::default() };
            let ask = Ask { seq: self.seq, half, life, lease: LEASE, standing, want };
            assert!(self.court.hear(&ask));
            loop {
                match self.court.decide(self.now, &ask) {
                    Decision::Write(record) => self.court.recorded(record),
                    Decision::Say(answer) => return answer.ruling,
                }
            }
        }

        fn restart(&mut self) {
            let record = self.court.record().map(Record::to_bytes).and_then(Record::of_bytes);
            assert_eq!(record, self.court.record());
            self.court = Court::new(record, self.now);
        }
    }

    const fn yes(epoch: u64, both: bool) -> Ruling {
        Ruling::Granted { epoch, both }
    }

    const fn no(why: Denial) -> Ruling {
        Ruling::Denied(why)
    }

    #[test]
    fn a_fresh_witness_waits_a_lease_and_for_the_marks_of_both() {
        let mut rig = Rig::new();
        assert_eq!(rig.ask(Half::First, 1, 0, Want::Lease), no(Denial::Held));
        rig.now += LATER;
        assert_eq!(rig.ask(Half::First, 1, 0, Want::Lease), no(Denial::Unknown));
        assert_eq!(rig.ask(Half::Second, 2, 5, Want::Lease), yes(6, false));
        assert_eq!(rig.ask(Half::First, 1, 0, Want::Lease), no(Denial::Behind));
    }

    #[test]
    fn the_other_half_is_left_behind_until_the_holder_says_that_it_is_equal() {
        let mut rig = Rig::led([1, 2]);
        rig.now += LATER;
        assert_eq!(rig.ask(Half::Second, 2, 0, Want::Lease), no(Denial::Behind));
        assert_eq!(rig.ask(Half::First, 1, 1, Want::KeepBoth), yes(1, true));
        assert_eq!(rig.ask(Half::Second, 2, 1, Want::Lease), no(Denial::Held));
        rig.now += LATER;
        assert_eq!(rig.ask(Half::Second, 2, 1, Want::Lease), yes(2, false));
        assert_eq!(rig.ask(Half::First, 1, 1, Want::KeepBoth), no(Denial::NotHolder));
        assert_eq!(rig.ask(Half::First, 3, 1, Want::Lease), no(Denial::Behind));
    }

    #[test]
    fn another_half_counts_its_questions_anew_even_if_it_drew_the_same_number() {
        let mut rig = Rig::equal([7, 7]);
        (rig.now, rig.seq) = (rig.now + LATER, 0);
        assert_eq!(rig.ask(Half::Second, 7, 1, Want::Lease), yes(2, false));
        assert_eq!(rig.ask(Half::Second, 7, 1, Want::KeepAlone), yes(2, false));
    }

    #[test]
    fn leaving_the_other_half_behind_survives_a_restart_and_begins_an_epoch() {
        let mut rig = Rig::equal([1, 2]);
        assert_eq!(rig.ask(Half::First, 1, 1, Want::KeepAlone), yes(2, false));
        rig.restart();
        rig.now += LATER;
        assert_eq!(rig.ask(Half::Second, 2, 1, Want::Lease), no(Denial::Behind));
        assert_eq!(rig.ask(Half::First, 9, 1, Want::Lease), yes(3, false));
    }

    #[test]
    fn a_restarted_witness_grants_nobody_else_what_may_still_be_held() {
        let mut rig = Rig::equal([1, 2]);
        rig.now += LATER;
        rig.restart();
        assert_eq!(rig.ask(Half::Second, 2, 1, Want::Lease), no(Denial::Held));
        assert_eq!(rig.ask(Half::First, 1, 1, Want::KeepBoth), yes(1, true));
    }

    #[test]
    fn an_equal_half_whose_disk_was_emptied_is_not_equal() {
        let mut rig = Rig::equal([1, 2]);
        rig.now += LATER;
        assert_eq!(rig.ask(Half::Second, 5, 0, Want::Lease), no(Denial::Behind));
        assert_eq!(rig.ask(Half::First, 6, 1, Want::Lease), yes(2, false));
    }

    #[test]
    fn a_new_holder_is_heard_from_its_first_question_even_if_its_process_has_the_same_number() {
        let mut rig = Rig::equal([1, 1]);
        rig.now += LATER;
        // Each process counts its questions from one.
        rig.seq = 0;
        assert_eq!(rig.ask(Half::Second, 1, 1, Want::Lease), yes(2, false));
        assert_eq!(rig.ask(Half::Second, 1, 2, Want::KeepAlone), yes(2, false));
    }

    #[test]
    fn a_late_question_does_not_undo_a_newer_one() {
        let mut rig = Rig::led([1, 2]);
        let standing = Standing::default();
        let half = Half::First;
        let late = Ask { seq: 50, half, life: 1, lease: LEASE, standing, want: Want::KeepBoth };
        rig.seq = 50;
        assert_eq!(rig.ask(Half::First, 1, 1, Want::KeepAlone), yes(1, false));
        let _ = rig.ask(Half::First, 7, 1, Want::Lease);
        assert!(!rig.court.hear(&late), "not even after another process of that half");
    }
}
