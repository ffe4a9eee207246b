//! The log-in of a connection to a server with a table of users: a `set` of any key, whose value
//! is a name, a space and a password. Until it is right, nothing else is served.

use super::line::Line;
use super::number::u32_of;
use super::storage::LINE_END;
use super::{LINE_BYTES_MAX, Refusal, Session, Step};
use crate::cache::Count;

/// Longest name and password, bytes.
const LOGIN_BYTES_MAX: u32 = 16 << 10;
/// Shortest line that can be one, bytes, without its line end.
const LOGIN_LINE_BYTES_MIN: usize = 6;
/// Fewest bytes that are looked at.
const LOOK_BYTES_MIN: usize = 3;

/// Eats an attempt to log in off the front of the input.
pub(super) fn step(session: &mut Session<'_>, input: &[u8]) -> Step {
    if input.len() < LOOK_BYTES_MIN {
        return Step::Await;
    }
    let window = &input[..input.len().min(LINE_BYTES_MAX + 1)];
    let Some(end) = memchr::memchr(b'\n', window) else {
        return if input.len() > LINE_BYTES_MAX { Step::HangUp } else { Step::Await };
    };
    if end < LOGIN_LINE_BYTES_MIN {
        return Step::HangUp;
    }
    let line = Line::new(&input[..=end]);
    let tokens = line.tokens();
    let stated = u32_of(tokens.get(4)).filter(|_| line.command() == b"set");
    let refusal = match stated {
        None => Some(Refusal::Unauthenticated),
        Some(stated) if stated > LOGIN_BYTES_MAX => Some(Refusal::AuthTooLong),
        Some(_) => None,
    };
    if let Some(refusal) = refusal {
        session.refuse(false, refusal);
        return Step::Ate(end + 1);
    }
    let block_bytes = stated.expect("a line without it is refused") as usize + LINE_END.len();
    let Some(block) = input[end + 1..].get(..block_bytes) else { return Step::Await };
    session.tally.requests += 1;
    match log_in(session, block) {
        Ok(()) => session.reply(false, b"STORED"),
        Err(refusal) => session.refuse(false, refusal),
    }
    Step::Ate(end + 1 + block_bytes)
}

fn log_in(session: &mut Session<'_>, block: &[u8]) -> Result<(), Refusal> {
    let login = block.strip_suffix(LINE_END).ok_or(Refusal::AuthBadEnd)?;
    let space = login.iter().position(|&b| b == b' ').ok_or(Refusal::AuthBadFormat)?;
    let (name, password) = (&login[..space], &login[space + 1..]);
    let admitted = session.shared.may_log_in(name, password);
    session.shared.count(Count::AuthCmds);
    if !admitted {
        session.shared.count(Count::AuthErrors);
        return Err(Refusal::AuthFailed);
    }
    session.link.authenticated = true;
    Ok(())
}
