//! Log-in by SASL: the mechanism `PLAIN`, with names and passwords from the operator's file.
//!
//! Not modelled: other mechanisms, and acting as another user than the one who logs in.

use super::wire::{Command, Reply, Status};
use super::{Request, Session, State, Step};
use crate::cache::Count;

/// The mechanisms there are.
const MECHANISMS: &str = "PLAIN";
/// Longest name of a mechanism, bytes.
const MECHANISM_BYTES_MAX: usize = 32;
/// Longest message of a log-in, bytes.
const MESSAGE_BYTES_MAX: u32 = 4 << 10;

/// How a log-in stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Accepted,
    /// The mechanism is there, its message is to come with a step.
    AwaitMessage,
    Refused,
}

/// Whether a command may be had without a log-in.
#[inline]
pub(super) const fn is_free(command: Command) -> bool {
    matches!(command, Command::SaslList | Command::SaslAuth | Command::SaslStep | Command::Version)
}

/// Answers the question for mechanisms.
pub(super) fn list(session: &mut Session<'_>, request: &Request<'_>) -> Step {
    let header = &request.header;
    if session.config.sasl {
        session.succeed_with(header, 0, MECHANISMS.as_bytes());
    } else {
        session.fail(header, Status::UnknownCommand);
    }
    Step::Ate(header.head_bytes())
}

/// Answers the start of a log-in or its next step: the key is the mechanism, the value its message.
pub(super) fn log_in(session: &mut Session<'_>, request: &Request<'_>) -> Step {
    let (header, eaten) = (&request.header, request.header.head_bytes());
    let message_bytes = header.value_bytes();
    let unfit = if !session.config.sasl {
        Some(Status::UnknownCommand)
    } else if request.key.len() > MECHANISM_BYTES_MAX {
        Some(Status::Invalid)
    } else if message_bytes > MESSAGE_BYTES_MAX {
        Some(Status::NoMemory)
    } else {
        None
    };
    if let Some(status) = unfit {
        session.fail(header, status);
        return Step::Enter(State::Swallow { left: message_bytes }, eaten);
    }
    let Some(message) = request.behind.get(..message_bytes as usize) else { return Step::Await };
    let in_turn = header.command == Command::SaslAuth || session.link.challenged;
    let verdict = if in_turn && request.key.eq_ignore_ascii_case(MECHANISMS.as_bytes()) {
        judge(session, header.command, message)
    } else {
        Verdict::Refused
    };
    session.link.authenticated = verdict == Verdict::Accepted;
    session.link.challenged = verdict == Verdict::AwaitMessage;
    let count = |count| session.shared.count(count);
    match verdict {
        Verdict::Accepted => {
            count(Count::AuthCmds);
            session.succeed_with(header, 0, b"Authenticated");
        }
        Verdict::AwaitMessage => {
            let reply = Reply { status: Status::AuthContinue, ..Reply::default() };
            session.tx.write_with(|tx| header.put_reply(reply, tx));
        }
        Verdict::Refused => {
            count(Count::AuthCmds);
            count(Count::AuthErrors);
            session.fail(header, Status::AuthFailed);
        }
    }
    Step::Ate(eaten + message.len())
}

/// Judges a message of `PLAIN`: whom to act as, NUL, name, NUL, password.
fn judge(session: &Session<'_>, command: Command, message: &[u8]) -> Verdict {
    if message.is_empty() && command == Command::SaslAuth {
        return Verdict::AwaitMessage;
    }
    let mut parts = message.splitn(3, |&b| b == 0);
    let (Some(acts_as), Some(user), Some(password)) = (parts.next(), parts.next(), parts.next())
    else {
        return Verdict::Refused;
    };
    let himself = acts_as.is_empty() || acts_as == user;
    if himself && !user.is_empty() && session.shared.may_log_in(user, password) {
        Verdict::Accepted
    } else {
        Verdict::Refused
    }
}
