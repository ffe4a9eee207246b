//! `mn`.

use crate::text::{Session, Then};

/// `mn`: answers. Replies leave when all input is eaten, so there is nothing to flush.
pub(in crate::text) fn noop(session: &mut Session<'_>) -> Then {
    session.reply(false, b"MN");
    Then::Done
}
