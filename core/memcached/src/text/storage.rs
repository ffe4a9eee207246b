//! `set`, `add`, `replace`, `append`, `prepend`, `cas`: their lines. Their data blocks are the
//! business of [`upload`](super::upload).

use super::line::{Line, Tokens};
use super::number::{exptime_of, flags_of, i32_of, u64_of};
use super::upload::{Header, Upload};
use super::{Refusal, Session, State, Then};
use crate::store::{Count, KEY_BYTES_MAX, Verb};

/// The largest length that may stand in a line, bytes: what the original's arithmetic leaves room
/// for.
const STATED_BYTES_MAX: i32 = i32::MAX - 2;
/// Bytes of the line end behind a value.
const LINE_END_BYTES: u64 = 2;

/// `set <key> <flags> <exptime> <bytes> [noreply]`.
pub(super) fn set(session: &mut Session<'_>, line: &Line<'_>, behind: &[u8]) -> Then {
    storage(session, line, behind, |_| Some(Verb::Set))
}

/// `add <key> <flags> <exptime> <bytes> [noreply]`.
pub(super) fn add(session: &mut Session<'_>, line: &Line<'_>, behind: &[u8]) -> Then {
    storage(session, line, behind, |_| Some(Verb::Add))
}

/// `replace <key> <flags> <exptime> <bytes> [noreply]`.
pub(super) fn replace(session: &mut Session<'_>, line: &Line<'_>, behind: &[u8]) -> Then {
    storage(session, line, behind, |_| Some(Verb::Replace))
}

/// `append <key> <flags> <exptime> <bytes> [noreply]`.
pub(super) fn append(session: &mut Session<'_>, line: &Line<'_>, behind: &[u8]) -> Then {
    storage(session, line, behind, |_| Some(Verb::Append))
}

/// `prepend <key> <flags> <exptime> <bytes> [noreply]`.
pub(super) fn prepend(session: &mut Session<'_>, line: &Line<'_>, behind: &[u8]) -> Then {
    storage(session, line, behind, |_| Some(Verb::Prepend))
}

/// `cas <key> <flags> <exptime> <bytes> <version> [noreply]`.
pub(super) fn cas(session: &mut Session<'_>, line: &Line<'_>, behind: &[u8]) -> Then {
    storage(session, line, behind, |tokens| u64_of(tokens.get(5)).map(Verb::Cas))
}

fn storage(
    session: &mut Session<'_>,
    line: &Line<'_>,
    behind: &[u8],
    verb: impl FnOnce(&Tokens<'_>) -> Option<Verb>,
) -> Then {
    let tokens = line.tokens();
    let stated = i32_of(tokens.get(4)).filter(|n| (0..=STATED_BYTES_MAX).contains(n));
    let Some(stated) = stated else {
        // Nobody knows how long the data block is: it will run as commands.
        session.refuse(false, Refusal::BadFormat);
        return Then::Done;
    };
    let value_bytes = u64::from(stated.unsigned_abs());
    let noreply = tokens.noreply();
    let swallow = State::Swallow { left: value_bytes + LINE_END_BYTES };
    let key = tokens.get(1);
    let numbers = (flags_of(tokens.get(2)), exptime_of(tokens.get(3)), verb(&tokens));
    let (Some(flags), Some(exptime), Some(verb)) = numbers else {
        session.refuse(noreply, Refusal::BadFormat);
        return Then::Enter(swallow, line.whole_len());
    };
    if key.len() > KEY_BYTES_MAX {
        session.refuse(noreply, Refusal::BadFormat);
        return Then::Enter(swallow, line.whole_len());
    }
    let now = session.now;
    let fits = session.shared.options().fits(key.len(), flags, value_bytes);
    if !fits {
        session.shared.with(key, |store, key| {
            store.stats_mut().add(Count::StoreTooLarge);
            if verb == Verb::Set {
                store.discard(key, now);
            }
        });
        session.refuse(noreply, Refusal::TooLarge);
        return Then::Enter(swallow, line.whole_len());
    }
    let expires = session.epoch.expiry(exptime, now);
    let header = Header { verb, key_len: key.len() as u8, flags, expires, noreply };
    let block_bytes = usize::try_from(value_bytes + LINE_END_BYTES).expect("an item fits memory");
    if let Some(block) = behind.get(..block_bytes) {
        header.finish_whole(session, key, block);
        return Then::Enter(State::AwaitCommand, line.whole_len() + block_bytes);
    }
    match Upload::begin(session, header, key, block_bytes) {
        Ok(upload) => Then::Enter(State::AwaitValue(Box::new(upload)), line.whole_len()),
        Err(_) => Then::Enter(swallow, line.whole_len()),
    }
}
