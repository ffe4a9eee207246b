//! Names of timers, listeners and disk operations. Parts have ranges of their own.

use crate::paging::PAGING_TOKENS;
use crate::replication::REPLICATION_TOKENS;
use storytime_journal::JOURNAL_TOKENS;
use storytime_machine::Token;
use storytime_pair::PAIR_TOKENS;

/// The clients' listener.
pub(crate) const LISTENER: Token = Token(0);
/// The timer of what is done from time to time.
pub(crate) const ALARM: Token = Token(1);
/// The timer with which records go to the disk.
pub(crate) const COMMIT: Token = Token(4);
/// Look-ups of the pair's other half and of its witness, and the timers of their repetition.
pub(crate) const PEER: Token = Token(2);
pub(crate) const WITNESS: Token = Token(3);
/// The journal's names from here on.
pub(crate) const JOURNAL_BASE: Token = Token(1 << 20);
/// The pair's names from here on.
pub(crate) const PAIR_BASE: Token = Token(1 << 28);
/// Names of replication from here on.
pub(crate) const REPLICATION_BASE: Token = Token(1 << 40);
/// Names of the pages' disk operations from here on.
pub(crate) const PAGING_BASE: Token = Token(1 << 48);

/// Whether a disk operation is the pair's.
pub(crate) const fn is_pairs(token: Token) -> bool {
    token.0 >= PAIR_BASE.0 && token.0 - PAIR_BASE.0 < PAIR_TOKENS
}

const _: () = assert!(JOURNAL_BASE.0 + JOURNAL_TOKENS <= PAIR_BASE.0);
const _: () = assert!(PAIR_BASE.0 + PAIR_TOKENS <= REPLICATION_BASE.0);
const _: () = assert!(REPLICATION_BASE.0 + REPLICATION_TOKENS <= PAGING_BASE.0);
const _: () = assert!(PAGING_BASE.0.checked_add(PAGING_TOKENS).is_some());
