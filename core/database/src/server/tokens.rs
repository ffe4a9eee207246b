//! Names of timers, listeners and disk operations. Parts have ranges of their own.

use storytime_machine::Token;

/// The clients' listener.
pub(crate) const LISTENER: Token = Token(0);
/// The timer of what is done from time to time.
pub(crate) const ALARM: Token = Token(1);
/// The journal's names from here on.
pub(crate) const JOURNAL_BASE: Token = Token(1 << 20);
/// Names of the pages' disk operations from here on.
pub(crate) const PAGING_BASE: Token = Token(1 << 24);
/// The pair's names from here on.
pub(crate) const PAIR_BASE: Token = Token(1 << 28);
/// Names of replication from here on.
pub(crate) const REPLICATION_BASE: Token = Token(1 << 40);
