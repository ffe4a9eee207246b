//! The classic text protocol: from bytes at the front of a connection's input to replies.
//!
//! `serve` eats as many requests as there are, in place. What a connection awaits is a `State`;
//! every step looks at no more than it needs, so that the same bytes give the same replies however
//! they were cut on their way.
//!
//! How a connection stays in step after bad input:
//!
//! | input | answer | what follows |
//! |---|---|---|
//! | unknown command, or one with a missing part | `ERROR` or `CLIENT_ERROR bad command line format` | the next line |
//! | storage line whose length can be read, bad otherwise | `CLIENT_ERROR …` | the data block is thrown away |
//! | storage line whose length cannot be read | `CLIENT_ERROR bad command line format` | the data block runs as commands |
//! | value too large, or no memory for it | `SERVER_ERROR …`; `set` also deletes the old value | the data block is thrown away |
//! | data block that does not end with a line end | `CLIENT_ERROR bad data chunk` | what is behind exactly the stated length |
//! | over-long key in a retrieval | `CLIENT_ERROR bad command line format` | the next line |
//! | a line of more than [`LINE_BYTES_MAX`] that is no get or gets | none | the connection is closed |
//! | an unknown command whose last word begins with `HTTP/` | none | the connection is closed |

mod admin;
mod arith;
mod delete;
mod flush;
mod line;
mod number;
mod refusal;
mod retrieve;
mod stats;
mod storage;
mod touch;
mod upload;

pub use line::{LINE_BYTES_MAX, TOKENS_MAX};
pub use refusal::Refusal;

use crate::session::{Session, Stop};
use crate::shared::Shared;
use bytes::{Buf, BytesMut};
use line::Line;
use retrieve::Retrieval;
use upload::Upload;

/// What a connection awaits.
#[derive(Debug, Default)]
pub(crate) enum State {
    /// A command line.
    #[default]
    AwaitCommand,
    /// The next key of a retrieval, or its end.
    AwaitKeys(Retrieval),
    /// The rest of a value.
    AwaitValue(Box<Upload>),
    /// The rest of a data block that nobody wants.
    Swallow {
        /// Bytes still to come.
        left: u64,
    },
    /// The end of a line that nobody wants.
    SkipLine,
}

/// What one step did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// Took so many bytes off the front; more may be done.
    Ate(usize),
    /// Nothing can be done before more arrives.
    Await,
    /// Something was done, but the peer must read before more is.
    AteThenWait(usize),
    /// Close.
    HangUp,
}

/// What a command line leads to.
#[derive(Debug)]
enum Then {
    /// The next command line.
    Done,
    /// Another state, for the bytes behind the first so many of the line.
    Enter(State, usize),
    /// Close.
    HangUp,
}

impl State {
    /// Gives back what the connection had set aside.
    pub(crate) fn abandon(self, shared: &Shared) {
        if let Self::AwaitValue(upload) = self {
            upload.abandon(shared);
        }
    }
}

impl Session<'_> {
    /// A reply line, unless the request asked for none.
    #[inline]
    fn reply(&mut self, noreply: bool, line: &[u8]) {
        if !noreply {
            self.tx.write_with(|tx| {
                tx.reserve(line.len() + 2);
                tx.extend_from_slice(line);
                tx.extend_from_slice(b"\r\n");
            });
        }
    }

    /// A refusal, unless the request asked for no reply.
    fn refuse(&mut self, noreply: bool, refusal: Refusal) {
        self.reply(noreply, refusal.wire().as_bytes());
    }
}

/// Eats requests off the front of `rx` and answers them.
pub(crate) fn serve(state: &mut State, session: &mut Session<'_>, rx: &mut BytesMut) -> Stop {
    let mut eaten = 0;
    let stop = loop {
        if session.reader_is_slow() {
            break Stop::SlowReader;
        }
        match step(state, session, &rx[eaten..]) {
            Step::Ate(n) => eaten += n,
            Step::AteThenWait(n) => {
                eaten += n;
                break Stop::SlowReader;
            }
            Step::Await => break Stop::AwaitInput,
            Step::HangUp => break Stop::HangUp,
        }
    };
    if stop == Stop::HangUp {
        rx.clear();
    } else {
        rx.advance(eaten);
    }
    stop
}

fn step(state: &mut State, session: &mut Session<'_>, input: &[u8]) -> Step {
    match state {
        State::AwaitCommand => await_command(state, session, input),
        State::AwaitKeys(retrieval) => match retrieval.run(session, input) {
            retrieve::Progress::Await(0) => Step::Await,
            retrieve::Progress::Await(eaten) => Step::Ate(eaten),
            retrieve::Progress::Slow(eaten) => Step::AteThenWait(eaten),
            retrieve::Progress::End(eaten) => {
                *state = State::AwaitCommand;
                Step::Ate(eaten)
            }
            retrieve::Progress::BadKey => {
                *state = State::SkipLine;
                Step::Ate(0)
            }
        },
        State::AwaitValue(upload) => match upload.take(session, input) {
            upload::Progress::Await(0) => Step::Await,
            upload::Progress::Await(eaten) => Step::Ate(eaten),
            upload::Progress::Complete(eaten) => {
                let State::AwaitValue(upload) = core::mem::take(state) else {
                    unreachable!("the state was matched above");
                };
                upload.complete(session);
                Step::Ate(eaten)
            }
            upload::Progress::NoMemory { left } => {
                *state = State::Swallow { left };
                Step::Ate(0)
            }
        },
        State::Swallow { left } => {
            let eaten = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
            *left -= eaten as u64;
            if *left == 0 {
                *state = State::AwaitCommand;
                return Step::Ate(eaten);
            }
            if eaten == 0 { Step::Await } else { Step::Ate(eaten) }
        }
        State::SkipLine => match memchr::memchr(b'\n', input) {
            Some(end) => {
                *state = State::AwaitCommand;
                Step::Ate(end + 1)
            }
            None if input.is_empty() => Step::Await,
            None => Step::Ate(input.len()),
        },
    }
}

fn await_command(state: &mut State, session: &mut Session<'_>, input: &[u8]) -> Step {
    let window = &input[..input.len().min(LINE_BYTES_MAX + 1)];
    let Some(end) = memchr::memchr(b'\n', window) else {
        if input.len() <= LINE_BYTES_MAX {
            return Step::Await;
        }
        return match Retrieval::of_unbounded_line(input) {
            Some((retrieval, eaten)) => {
                session.tally.requests += 1;
                *state = State::AwaitKeys(retrieval);
                Step::Ate(eaten)
            }
            None => Step::HangUp,
        };
    };
    session.tally.requests += 1;
    match dispatch(session, &input[..=end], &input[end + 1..]) {
        Then::Done => Step::Ate(end + 1),
        Then::HangUp => Step::HangUp,
        Then::Enter(next, eaten) => {
            *state = next;
            Step::Ate(eaten)
        }
    }
}

/// Runs the command of one line; `behind` is the input behind it, where a data block may be.
fn dispatch(session: &mut Session<'_>, whole: &[u8], behind: &[u8]) -> Then {
    let line = Line::new(whole);
    if whole.len() < line::WHOLE_BYTES_MIN {
        session.refuse(false, Refusal::BadFormat);
        return Then::Done;
    }
    match line.command() {
        b"get" => retrieve::get(session, &line, false),
        b"gets" => retrieve::get(session, &line, true),
        b"gat" => retrieve::gat(session, &line, false),
        b"gats" => retrieve::gat(session, &line, true),
        b"set" => storage::set(session, &line, behind),
        b"add" => storage::add(session, &line, behind),
        b"replace" => storage::replace(session, &line, behind),
        b"append" => storage::append(session, &line, behind),
        b"prepend" => storage::prepend(session, &line, behind),
        b"cas" => storage::cas(session, &line, behind),
        b"delete" => delete::delete(session, &line),
        b"incr" => arith::incr(session, &line),
        b"decr" => arith::decr(session, &line),
        b"touch" => touch::touch(session, &line),
        b"flush_all" => flush::flush_all(session, &line),
        b"stats" => stats::stats(session, &line),
        b"version" => admin::version(session),
        b"verbosity" => admin::verbosity(session, &line),
        b"quit" => Then::HangUp,
        _ => admin::unknown(session, &line),
    }
}
