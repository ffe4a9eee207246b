//! Ends of ranges: scores, bytes, ranks; and what lies between them.

use crate::commands::fault::Fault;
use crate::commands::number::float;
use crate::store::{Place, Sorted};
use bytes::Bytes;

/// An end of a range of scores.
#[derive(Clone, Copy)]
pub(super) struct Score {
    at: f64,
    /// Whether it is not in the range itself.
    open: bool,
}

/// An end of a range of bytes.
#[derive(Clone, Copy)]
pub(super) enum Lex<'a> {
    /// Before everything.
    Least,
    /// Behind everything.
    Most,
    /// In the range itself.
    Closed(&'a [u8]),
    /// Not in the range itself.
    Open(&'a [u8]),
}

impl Score {
    pub(super) fn read(word: &[u8]) -> Result<Self, Fault> {
        let (open, digits) = match word.strip_prefix(b"(") {
            Some(digits) => (true, digits),
            None => (false, word),
        };
        let at = float(digits).ok_or(Fault::of("ERR min or max is not a float"))?;
        Ok(Self { at, open })
    }

    fn admits_above(self, score: f64) -> bool {
        score > self.at || !self.open && score == self.at
    }

    fn admits_below(self, score: f64) -> bool {
        score < self.at || !self.open && score == self.at
    }
}

impl<'a> Lex<'a> {
    pub(super) fn read(word: &'a [u8]) -> Result<Self, Fault> {
        match word {
            b"-" => Ok(Self::Least),
            b"+" => Ok(Self::Most),
            [b'[', member @ ..] => Ok(Self::Closed(member)),
            [b'(', member @ ..] => Ok(Self::Open(member)),
            _ => Err(Fault::of("ERR min or max not valid string range item")),
        }
    }

    fn admits_above(self, member: &[u8]) -> bool {
        match self {
            Self::Least => true,
            Self::Most => false,
            Self::Closed(at) => member >= at,
            Self::Open(at) => member > at,
        }
    }

    fn admits_below(self, member: &[u8]) -> bool {
        match self {
            Self::Least => false,
            Self::Most => true,
            Self::Closed(at) => member <= at,
            Self::Open(at) => member < at,
        }
    }
}

/// A member and its score.
pub(super) type Scored = (Bytes, f64);

/// Members between two scores, in order.
pub(super) fn by_score(sorted: &Sorted, min: Score, max: Score) -> Vec<Scored> {
    if min.at.is_nan() || max.at.is_nan() || min.at > max.at {
        return Vec::new();
    }
    let from = sorted.from(Place::of(min.at)).map(|(_, member)| scored(sorted, member));
    let from = from.skip_while(|(_, score)| !min.admits_above(*score));
    from.take_while(|(_, score)| max.admits_below(*score)).collect()
}

/// Members between two others, in order; as if all had the same score.
pub(super) fn by_lex(sorted: &Sorted, min: Lex<'_>, max: Lex<'_>) -> Vec<Scored> {
    let from = sorted.iter().skip_while(|member| !min.admits_above(member));
    let between = from.take_while(|member| max.admits_below(member));
    between.map(|member| scored(sorted, member)).collect()
}

/// Members between two places in the order, both in the range.
pub(super) fn by_rank(sorted: &Sorted, from: usize, to: usize, reverse: bool) -> Vec<Scored> {
    let count = to + 1 - from;
    let first = if reverse { sorted.len() - 1 - to } else { from };
    let found = sorted.ranked(first).take(count).map(|member| scored(sorted, member));
    let mut found: Vec<Scored> = found.collect();
    if reverse {
        found.reverse();
    }
    found
}

fn scored(sorted: &Sorted, member: &Bytes) -> Scored {
    let score = sorted.score(member).expect("every member has a score");
    (member.clone(), score)
}
