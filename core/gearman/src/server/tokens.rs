//! Names of timers, listeners and look-ups.

use storytime_machine::{Conn, Token};

/// Addresses that one name may have, and so listeners.
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
/// From here on one timer for each place of a connection: it was hung up on, or shakes hands, and
/// takes its time.
const LEAVING_BASE: u64 = 1 << 32;

/// The listener of this address.
pub(super) const fn listener(nth: usize) -> Token {
    Token(nth as u64)
}

/// The timer of a connection that is to end, or to have shaken hands.
pub(super) const fn leaving(conn: Conn) -> Token {
    Token(LEAVING_BASE + conn.slot as u64)
}

/// The place of the connection whose timer this is.
pub(super) fn leaving_slot(timer: Token) -> Option<usize> {
    timer.0.checked_sub(LEAVING_BASE).and_then(|slot| usize::try_from(slot).ok())
}
