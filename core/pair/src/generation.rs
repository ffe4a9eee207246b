//! Generations: which disk is newer, and whether both were written alone.
//!
//! Whenever a half begins to write alone it takes a new generation, and remembers the one in which
//! the other half was last equal (`since`). From the marks of both disks it follows who must follow
//! whom:
//!
//! | marks of X and Y | |
//! |---|---|
//! | both empty | a fresh pair: equal |
//! | one empty, or half overwritten by a resync | it follows the other |
//! | same current generation | equal; any of the consistent ones may lead |
//! | Y's current is X's current or `since`, or Y never wrote alone | Y follows X |
//! | each wrote alone since a time that the other does not know | **split brain**: refused |

use bytes::{Buf, BufMut, BytesMut};

/// A stretch of time in which one half wrote alone, or both together after that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Generation {
    /// Counted by the witness, from 1; 0 stands for an empty disk.
    pub epoch: u64,
    /// Random, so that no two generations are equal by accident, whatever a witness may have
    /// forgotten.
    pub id: u64,
}

impl Generation {
    /// Of an empty disk.
    pub const NONE: Self = Self { epoch: 0, id: 0 };

    /// Whether it is that of an empty disk.
    pub const fn is_none(self) -> bool {
        self.epoch == 0
    }
}

/// What a half's disk says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Standing {
    /// The generation of its content.
    pub current: Generation,
    /// If it wrote alone: the generation in which the other half was last equal.
    pub since: Option<Generation>,
    /// False while a resync overwrites it: neither old nor new.
    pub consistent: bool,
}

impl Default for Standing {
    fn default() -> Self {
        Self { current: Generation::NONE, since: None, consistent: true }
    }
}

/// Bytes of a standing on disk and on the wire.
pub(crate) const STANDING_BYTES: usize = 1 + 4 * 8;

impl Standing {
    /// Becomes active, with the other half where it was.
    #[must_use]
    pub(crate) fn activated(self, current: Generation) -> Self {
        let since = self.since.or(Some(self.current));
        Self { current, since, consistent: true }
    }

    /// Leaves the other half behind, which has this generation, or is inconsistent.
    #[must_use]
    pub(crate) const fn alone(self, current: Generation) -> Self {
        Self { current, since: Some(self.current), consistent: true }
    }

    /// Is made equal to a half of generation `current`: what it wrote alone is given up.
    #[must_use]
    pub(crate) const fn following(self, current: Generation, consistent: bool) -> Self {
        Self { current, since: None, consistent }
    }

    /// Whether a half that leads with these marks may overwrite one with those.
    pub fn may_overwrite(&self, other: &Self) -> bool {
        let knows = |generation| self.current == generation || self.since == Some(generation);
        other.current.is_none() || other.since.is_none() || knows(other.current)
    }

    pub(crate) fn put(&self, into: &mut BytesMut) {
        let flags = u8::from(self.consistent) | u8::from(self.since.is_some()) << 1;
        into.put_u8(flags);
        for generation in [self.current, self.since.unwrap_or_default()] {
            into.put_u64_le(generation.epoch);
            into.put_u64_le(generation.id);
        }
    }

    pub(crate) fn take(from: &mut impl Buf) -> Option<Self> {
        if from.remaining() < STANDING_BYTES {
            return None;
        }
        let flags = from.get_u8();
        let mut take = || Generation { epoch: from.get_u64_le(), id: from.get_u64_le() };
        let (current, since) = (take(), take());
        let since = (flags & 2 != 0).then_some(since);
        (flags < 4).then_some(Self { current, since, consistent: flags & 1 != 0 })
    }
}

/// Which halves may lead, as two marks alone tell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Either.
    Both,
    /// The one asked about first.
    First,
    /// The other.
    Second,
    /// Neither: both wrote alone.
    Split,
    /// Neither: whichever has the newest content was being overwritten.
    Neither,
}

/// What a witness without a record makes of the marks of both halves.
pub(crate) fn judge(first: &Standing, second: &Standing) -> Verdict {
    let leads = |x: &Standing, y: &Standing| {
        let follows = y.current.is_none() || !y.consistent;
        follows || x.since == Some(y.current) || x.current == y.current
    };
    match (leads(first, second), leads(second, first)) {
        (true, true) => match (first.consistent, second.consistent) {
            (true, true) => Verdict::Both,
            (true, false) => Verdict::First,
            (false, true) => Verdict::Second,
            (false, false) => Verdict::Neither,
        },
        (true, false) => {
            if first.consistent {
                Verdict::First
            } else {
                Verdict::Neither
            }
        }
        (false, true) => {
            if second.consistent {
                Verdict::Second
            } else {
                Verdict::Neither
            }
        }
        (false, false) => Verdict::Split,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn g(epoch: u64) -> Generation {
        Generation { epoch, id: epoch * 7 }
    }

    const fn at(current: u64, since: Option<u64>) -> Standing {
        let since = match since {
            Some(epoch) => Some(g(epoch)),
            None => None,
        };
        Standing { current: g(current), since, consistent: true }
    }

    #[test]
    fn the_table_of_marks() {
        let empty = Standing::default();
        let torn = Standing { consistent: false, ..at(5, None) };
        for (first, second, verdict) in [
            (empty, empty, Verdict::Both),
            (at(3, None), empty, Verdict::First),
            (empty, at(3, Some(1)), Verdict::Second),
            (at(5, None), at(5, Some(3)), Verdict::Both),
            (at(6, Some(5)), at(5, None), Verdict::First),
            (at(5, Some(2)), at(6, Some(5)), Verdict::Second),
            (at(6, Some(4)), at(7, Some(4)), Verdict::Split),
            (at(6, Some(5)), torn, Verdict::First),
            (torn, at(5, None), Verdict::Second),
            (torn, torn, Verdict::Neither),
            (at(6, Some(4)), torn, Verdict::First),
        ] {
            assert_eq!(judge(&first, &second), verdict, "{first:?} {second:?}");
        }
    }

    #[test]
    fn becoming_active_twice_remembers_when_the_other_was_last_equal() {
        let once = at(5, None).activated(g(6));
        assert_eq!(once.since, Some(g(5)));
        assert_eq!(once.activated(g(7)).since, Some(g(5)));
        assert_eq!(once.alone(g(7)).since, Some(g(6)), "it had caught up");
        assert!(once.may_overwrite(&at(5, None)) && once.may_overwrite(&at(5, Some(2))));
        assert!(once.may_overwrite(&at(3, None)), "its disk forgot, but it never wrote alone");
        assert!(!once.may_overwrite(&at(8, Some(5))), "both wrote alone");
    }

    #[test]
    fn a_standing_comes_back_from_its_bytes() {
        for standing in [Standing::default(), at(9, Some(4))] {
            let mut bytes = BytesMut::new();
            standing.put(&mut bytes);
            assert_eq!(bytes.len(), STANDING_BYTES);
            assert_eq!(Standing::take(&mut &bytes[..]), Some(standing));
            assert_eq!(Standing::take(&mut &bytes[1..]), None);
        }
    }
}
