//! Which numbers of a number space a server gives out.
//!
//! One server gives out all of them. Of two masters that both take writes each gives out those
//! that leave its own remainder, as MySQL does with `auto_increment_increment` and
//! `auto_increment_offset`: neither needs to know how far the other is, and no number comes twice.

use crate::store::Owner;

/// Which numbers are this server's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Numbers {
    /// The first of them.
    pub first: u32,
    /// How far they are from each other; 1: all are.
    pub step: u32,
}

/// Numbers that were drawn together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Drawn {
    pub(super) first: u64,
    /// As far as the number space is used up then.
    pub(super) last: u64,
}

impl Numbers {
    /// All numbers from 1 on.
    pub const ALL: Self = Self { first: 1, step: 1 };

    /// So many of this server's numbers, the first ones that are not used up; none if there are not
    /// so many.
    pub(super) fn draw(self, owner: Option<&Owner>, count: u64) -> Option<Drawn> {
        let first = self.after(owner.map_or(0, Owner::last_number))?;
        let more = count.checked_sub(1)?.checked_mul(u64::from(self.step))?;
        Some(Drawn { first, last: first.checked_add(more)? })
    }

    /// The first of this server's numbers behind one.
    pub(super) fn after(self, last: u64) -> Option<u64> {
        let (first, step) = (u64::from(self.first), u64::from(self.step));
        assert!(step > 0, "a server has numbers");
        let gap = (first + step - 1 - last % step) % step;
        last.checked_add(1)?.checked_add(gap)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_that_step_give_out_every_number_once() {
        let mut seen = Vec::new();
        for first in 1..=3 {
            let numbers = Numbers { first, step: 3 };
            let mut last = 0;
            while last < 300 {
                last = numbers.after(last).expect("there are more");
                seen.push(last);
            }
        }
        seen.sort_unstable();
        assert!((1..=300).eq(seen.into_iter().take(300)));
    }

    #[test]
    fn the_end_of_the_numbers_is_seen() {
        assert_eq!(Numbers::ALL.after(u64::MAX - 1), Some(u64::MAX));
        assert_eq!(Numbers::ALL.after(u64::MAX), None);
        let odd = Numbers { first: 1, step: 2 };
        assert_eq!(odd.after(u64::MAX - 1), Some(u64::MAX));
        let even = Numbers { first: 2, step: 2 };
        assert_eq!(even.after(u64::MAX - 1), None, "behind the last even one there is none");
        assert_eq!(odd.draw(None, u64::MAX), None);
    }
}
