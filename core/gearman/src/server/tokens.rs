//! Names of timers, listeners and look-ups.

use crate::tools::SERVERS_MAX;
use storytime_machine::{Conn, Token};
use storytime_memcached::client::CLIENT_TOKENS;
use storytime_pair::PAIR_TOKENS;

/// Addresses that one name may have, and so listeners of each protocol.
pub(super) const LISTENERS_MAX: usize = 8;
/// The look-up of the name to listen on.
pub(super) const LOOKUP: Token = Token(0);
/// Something is due by the monotonic clock.
pub(super) const EXPIRY: Token = Token(1);
/// Something is due by the wall clock.
pub(super) const DUE: Token = Token(2);
/// Workers are looked at.
pub(super) const VIGIL: Token = Token(3);
/// A connection that had its turn goes on.
pub(super) const TURN: Token = Token(4);
/// Look-ups of a relay's other server and of its witness, and the timers of their repetition.
const OTHERS: Token = Token(1 << 24);
/// The relay's names from here on.
pub(super) const PAIR_BASE: Token = Token(1 << 40);
const _: () = assert!(PAIR_BASE.0 + PAIR_TOKENS <= 1 << 48, "the journal's begin there");
/// Names of the cache's servers that were not found are looked up again.
pub(super) const CACHE_LOOK_UP: Token = Token(5);
/// A second has passed for who wants statistics.
pub(super) const MONITOR: Token = Token(6);
/// From here on look-ups of the cache's servers.
const CACHE_LOOKUPS: u64 = 1 << 8;
/// From here on the timers and connects of the cache's client.
pub(super) const RESULTS: Token = Token(1 << 16);
const _: () = assert!(RESULTS.0 + CLIENT_TOKENS <= OTHERS.0);
/// From here on one timer for each place of a connection: it was hung up on, or shakes hands, and
/// takes its time.
const LEAVING_BASE: u64 = 1 << 32;

/// The listener of this address.
pub(super) const fn listener(nth: usize) -> Token {
    Token(nth as u64)
}

/// The look-up of one of a relay's others.
pub(super) const fn other(nth: usize) -> Token {
    Token(OTHERS.0 + nth as u64)
}

/// Which of a relay's others this look-up is for, of so many.
pub(super) fn nth_other(token: Token, count: usize) -> Option<usize> {
    let nth = token.0.checked_sub(OTHERS.0).and_then(|nth| usize::try_from(nth).ok());
    nth.filter(|nth| *nth < count)
}

/// The timer of a connection that is to end, or to have shaken hands.
pub(super) const fn leaving(conn: Conn) -> Token {
    Token(LEAVING_BASE + conn.slot as u64)
}

/// The place of the connection whose timer this is.
pub(super) fn leaving_slot(timer: Token) -> Option<usize> {
    timer.0.checked_sub(LEAVING_BASE).and_then(|slot| usize::try_from(slot).ok())
}

/// The look-up of one of the cache's servers.
pub(super) const fn cache_lookup(nth: usize) -> Token {
    Token(CACHE_LOOKUPS + nth as u64)
}

/// Which of the cache's servers this look-up is of.
pub(super) fn cache_place(lookup: Token) -> Option<usize> {
    let nth = lookup.0.checked_sub(CACHE_LOOKUPS)?;
    usize::try_from(nth).ok().filter(|nth| *nth < SERVERS_MAX)
}
