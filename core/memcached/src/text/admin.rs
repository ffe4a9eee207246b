//! `version`, commands about the server as a whole, and what is no command.

use super::line::{Line, TOKENS_MAX};
use super::{Refusal, Session, State, Then};
use crate::VERSION;
use crate::admin::{self, Outcome};
use crate::session::Tally;
use storytime_machine::Tx;

/// `version`.
pub(super) fn version(session: &mut Session<'_>) -> Then {
    session.tx.put(b"VERSION ");
    session.reply(false, VERSION.as_bytes());
    Then::Done
}

/// Anything else: a command about the server, or none. `more` says that input is behind it.
///
/// A browser, or someone who makes one talk to us, is hung up on.
pub(super) fn other(session: &mut Session<'_>, line: &Line<'_>, more: bool) -> Then {
    let tokens = line.tokens();
    // This one, unlike the commands about items, may have spaces in front.
    if tokens.get(0) == b"flush_all" {
        return super::flush::flush_all(session, line);
    }
    let mut words: [&[u8]; TOKENS_MAX] = [b""; TOKENS_MAX];
    for (word, token) in words.iter_mut().zip(tokens.from(0)) {
        *word = token;
    }
    match run(session, &words[..tokens.len()], more) {
        Outcome::Done => return Then::Done,
        Outcome::Shutdown { graceful } => return Then::Shutdown { graceful },
        Outcome::Stream(stream) => {
            return Then::Enter(State::Stream(stream), line.whole_len());
        }
        Outcome::Unknown => {}
    }
    if tokens.len() > 1 && tokens.last().starts_with(b"HTTP/") {
        return Then::HangUp;
    }
    // `stats` takes no such word, and is answered in any case.
    let noreply = tokens.noreply() && line.command() != b"stats";
    session.refuse(noreply, Refusal::UnknownCommand);
    Then::Done
}

/// Runs a command about the server, into nowhere if it asks for no reply.
fn run(session: &mut Session<'_>, words: &[&[u8]], more: bool) -> Outcome {
    let pipelined = more || session.tx.pending() > 0;
    match words {
        [] => Outcome::Unknown,
        // These take no such word.
        [b"stats" | b"watch", ..] => admin::command(session, words, pipelined),
        [words @ .., b"noreply"] => {
            let mut nowhere = Tx::default();
            let mut unheard = Session {
                tx: &mut nowhere,
                link: &mut *session.link,
                tally: Tally::default(),
                ..*session
            };
            admin::command(&mut unheard, words, pipelined)
        }
        _ => admin::command(session, words, pipelined),
    }
}
