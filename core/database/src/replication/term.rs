//! Terms and positions: which history a record belongs to.
//!
//! Every life of every master writes under a term of its own. So two logs that have the same record
//! of the same term at the same position have the same records before it, and one look at the last
//! record of one log tells whether the other is its continuation.

use super::REPLICATION_RECORD_BYTES_MIN;
use crate::record::{Effect, RecordView};
use bytes::Bytes;
use core::fmt;
use std::collections::VecDeque;
use storytime_journal::Lsn;
use storytime_machine::Rng;
use storytime_machine::hash::digest_bytes;

/// Most terms that a history remembers; older ones cannot be followed any more.
pub const TERMS_MAX: usize = 1024;

const LIFE_SHIFT: u32 = 24;
const GENERATION_SHIFT: u32 = 44;
/// Terms are numbers of RESP, which have a sign.
const TERM_BITS: u32 = 60;

/// The mastership that a record was written under. Later ones are greater: promotions count first,
/// then the lives of a promoted master; two that were promoted at once differ by chance.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Term(pub u64);

impl Term {
    /// Before the first.
    pub const NONE: Self = Self(0);

    /// How many promotions there were.
    pub const fn generation(self) -> u64 {
        self.0 >> GENERATION_SHIFT
    }

    /// Which life of the promoted master.
    pub const fn life(self) -> u64 {
        (self.0 >> LIFE_SHIFT) & ((1 << (GENERATION_SHIFT - LIFE_SHIFT)) - 1)
    }

    /// Whether there can be such a term. Others may say, and disks may hold, what there cannot.
    pub(super) const fn is_possible(self) -> bool {
        self.0 >> TERM_BITS == 0
    }

    /// The term of a master's next life; `None` if there is none left.
    pub(super) fn next_life(self, rng: &mut Rng) -> Option<Self> {
        let life = (self.0 >> LIFE_SHIFT) + 1;
        Self::drawn(life, rng)
    }

    /// The term of a promoted replica; `None` if there is none left.
    pub(super) fn next_generation(self, rng: &mut Rng) -> Option<Self> {
        let life = (self.generation() + 1) << (GENERATION_SHIFT - LIFE_SHIFT);
        Self::drawn(life, rng)
    }

    fn drawn(life: u64, rng: &mut Rng) -> Option<Self> {
        if life >> (TERM_BITS - LIFE_SHIFT) != 0 {
            return None;
        }
        Some(Self((life << LIFE_SHIFT) | rng.below(1 << LIFE_SHIFT)))
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let chance = self.0 & ((1 << LIFE_SHIFT) - 1);
        write!(f, "{}.{}-{chance:06x}", self.generation(), self.life())
    }
}

impl fmt::Debug for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Where a log ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Position {
    /// The term of its last record.
    pub term: Term,
    /// Its last record.
    pub lsn: Lsn,
    /// Digest of that record.
    pub digest: u64,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "record {} of term {} (digest {:016x})", self.lsn.0, self.term, self.digest)
    }
}

/// Digest of a record at its place.
pub(super) fn digest(lsn: Lsn, record: &[u8]) -> u64 {
    digest_bytes(lsn.0, record)
}

/// The term that a record was written under; `None` if it is too short to be one.
pub(super) fn term_of(record: &[u8]) -> Option<Term> {
    Some(Term(u64::from_le_bytes(*record.first_chunk()?)))
}

/// Where a record came from, if it is not this server's own.
pub(super) fn origin_of(record: &[u8]) -> Option<Lsn> {
    match RecordView::new(record).ok()?.effects().next()?.ok()? {
        (_, Effect::Origin { lsn, .. }) => Some(Lsn(lsn)),
        _ => None,
    }
}

/// The terms of a log, and where it ends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// Terms and their first records, both ascending.
    terms: VecDeque<(Term, Lsn)>,
    last: Lsn,
    digest: u64,
    /// Whether any record changed content: a log without may be thrown away.
    has_content: bool,
    /// The last record that came from another master: its place there, and here.
    foreign: (Lsn, Lsn),
}

/// These bytes are no history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoHistory;

/// First bytes of a history in a checkpoint, with its version.
const MAGIC: &[u8; 8] = b"history1";
const WORD_BYTES: usize = 8;

impl History {
    /// A record is in the log, behind all others.
    pub(super) fn note(&mut self, lsn: Lsn, record: &[u8]) {
        assert_eq!(lsn.0, self.last.0 + 1, "records come in order");
        let term = term_of(record).expect("whoever appends has looked at the record");
        assert!(term >= self.term(), "terms ascend");
        if term > self.term() {
            self.terms.push_back((term, lsn));
            if self.terms.len() > TERMS_MAX {
                self.terms.pop_front();
            }
        }
        self.last = lsn;
        self.digest = digest(lsn, record);
        if let Some(theirs) = origin_of(record) {
            self.foreign = (theirs, lsn);
        }
        self.has_content |= record.len() > REPLICATION_RECORD_BYTES_MIN;
    }

    /// The term of the last record.
    pub fn term(&self) -> Term {
        self.terms.back().map_or(Term::NONE, |(term, _)| *term)
    }

    /// The term of a record; `None` if it is not there, or too old to be remembered.
    pub fn term_at(&self, lsn: Lsn) -> Option<Term> {
        if lsn > self.last {
            return None;
        }
        let behind = self.terms.partition_point(|(_, first)| *first <= lsn);
        Some(self.terms.get(behind.checked_sub(1)?)?.0)
    }

    /// Where the log ends.
    pub fn position(&self) -> Position {
        Position { term: self.term(), lsn: self.last, digest: self.digest }
    }

    /// Whether any record changed content.
    pub const fn has_content(&self) -> bool {
        self.has_content
    }

    /// The last record that came from another master: its place there, and here.
    pub const fn foreign(&self) -> (Lsn, Lsn) {
        self.foreign
    }

    /// The terms with their first records, ascending.
    pub fn terms(&self) -> impl Iterator<Item = (Term, Lsn)> {
        self.terms.iter().copied()
    }

    /// All of it as the first piece of a checkpoint.
    pub(super) fn to_piece(&self) -> Bytes {
        let mut piece = MAGIC.to_vec();
        let mut word = |word: u64| piece.extend_from_slice(&word.to_le_bytes());
        word(self.last.0);
        word(self.digest);
        word(u64::from(self.has_content));
        word(self.foreign.0.0);
        word(self.foreign.1.0);
        for (term, first) in &self.terms {
            word(term.0);
            word(first.0);
        }
        piece.into()
    }

    /// Reads what [`to_piece`](Self::to_piece) made.
    pub(super) fn from_piece(piece: &[u8]) -> Result<Self, NoHistory> {
        let rest = piece.strip_prefix(MAGIC).ok_or(NoHistory)?;
        let chunks = rest.chunks_exact(WORD_BYTES);
        if !chunks.remainder().is_empty() {
            return Err(NoHistory);
        }
        let words: Vec<u64> =
            chunks.map(|word| u64::from_le_bytes(word.try_into().expect("eight bytes"))).collect();
        let [last, digest, has_content, theirs, here, ref terms @ ..] = words[..] else {
            return Err(NoHistory);
        };
        let terms: VecDeque<_> =
            terms.chunks_exact(2).map(|pair| (Term(pair[0]), Lsn(pair[1]))).collect();
        let ascend = terms.iter().zip(terms.iter().skip(1)).all(|(a, b)| a.0 < b.0 && a.1 < b.1);
        if !ascend || terms.len() > TERMS_MAX || terms.back().is_some_and(|(_, at)| at.0 > last) {
            return Err(NoHistory);
        }
        let foreign = (Lsn(theirs), Lsn(here));
        Ok(Self { terms, last: Lsn(last), digest, has_content: has_content != 0, foreign })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(term: Term, content: &[u8]) -> Vec<u8> {
        [&term.0.to_le_bytes()[..], &[0; 8], content].concat()
    }

    #[test]
    fn later_masterships_have_greater_terms() {
        let mut rng = Rng::new(1, 1);
        let first = Term::NONE.next_generation(&mut rng).expect("it is early");
        let life = first.next_life(&mut rng).expect("it is early");
        let promoted = first.next_generation(&mut rng).expect("it is early");
        let again = promoted.next_life(&mut rng).expect("it is early");
        assert!(first < life && life < promoted && promoted < again);
        assert_eq!((life.generation(), life.life()), (1, 1));
        assert_eq!((again.generation(), again.life()), (2, 1));
    }

    #[test]
    fn a_history_knows_the_term_of_each_record_and_survives_a_checkpoint() {
        let mut rng = Rng::new(1, 1);
        let mut history = History::default();
        let mut term = Term::NONE;
        for lsn in 1..=30 {
            if lsn % 10 == 1 {
                term = term.next_generation(&mut rng).expect("it is early");
            }
            history.note(Lsn(lsn), &record(term, b""));
        }
        let generation = |lsn| history.term_at(Lsn(lsn)).map(Term::generation);
        assert_eq!(
            [0, 1, 10, 11, 30, 31].map(generation),
            [None, Some(1), Some(1), Some(2), Some(3), None]
        );
        assert!(!history.has_content(), "no record says anything");
        history.note(Lsn(31), &record(term, b"x"));
        assert!(history.has_content());
        assert_eq!(History::from_piece(&history.to_piece()).as_ref(), Ok(&history));
        for cut in 0..history.to_piece().len() {
            let read = History::from_piece(&history.to_piece()[..cut]);
            assert_ne!(read.as_ref(), Ok(&history), "a cut history is another one or none");
        }
    }
}
