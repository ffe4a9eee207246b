//! The text protocol, classic and meta: from bytes at the front of a connection's input to replies.
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
//! | storage line, `ms` among them, whose length can be read, bad otherwise | `CLIENT_ERROR …` | the data block is thrown away |
//! | storage line whose length cannot be read | `CLIENT_ERROR bad command line format` | the data block runs as commands |
//! | value too large, or no memory for it | `SERVER_ERROR …`; `set` and `ms` also delete the old value | the data block is thrown away |
//! | data block that does not end with a line end | `CLIENT_ERROR bad data chunk` | what is behind exactly the stated length |
//! | over-long key in a retrieval | `CLIENT_ERROR bad command line format` | the next line |
//! | a line of more than [`LINE_BYTES_MAX`] that is no get or gets | none | the connection is closed |
//! | an unknown command whose last word begins with `HTTP/` | none | the connection is closed |

mod admin;
mod ahead;
mod arith;
mod backward;
mod delete;
mod flush;
mod line;
mod login;
mod meta;
pub mod number;
mod refusal;
mod retrieve;
mod storage;
mod touch;
mod upload;

pub use line::{LINE_BYTES_MAX, TOKENS_MAX};
pub(crate) use meta::encode_base64;
pub(crate) use number::decimal;
pub use refusal::Refusal;

use crate::admin::{Stream, Streamed};
use crate::cache::{Cache, Count, Deleted, ItemId, KEY_BYTES_MAX, Key, Verb};
use crate::ops::Streams;
use crate::sending::Sending;
use crate::session::{Session, Stop};
use crate::shared::Shared;
use ahead::Ahead;
use bytes::{Buf, BytesMut};
use line::{Line, Tokens};
use retrieve::Retrieval;
use storage::Command;
use upload::Upload;

/// What a connection awaits.
#[derive(Debug, Default)]
pub(crate) enum State {
    /// A command line.
    #[default]
    AwaitCommand,
    /// So much input that a storage line and its data block are whole.
    AwaitWhole {
        /// Bytes of both.
        bytes: usize,
    },
    /// The next key of a retrieval, or its end.
    AwaitKeys(Retrieval),
    /// Its reader, who is being sent a large value. Behind it, the rest of a retrieval may follow.
    SendValue(Sending, Option<Retrieval>),
    /// The rest of a value.
    AwaitValue(Box<Upload>),
    /// The rest of a data block that nobody wants.
    Swallow {
        /// Bytes still to come.
        left: u64,
    },
    /// The end of a line that nobody wants.
    SkipLine,
    /// What there is to show next.
    Stream(Box<Stream>),
}

/// What one step did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// Took so many bytes off the front; more may be done.
    Ate(usize),
    /// Nothing can be done before more arrives.
    Await,
    /// Nothing more is to be done now, for this reason.
    Stop(Stop),
    /// Close.
    HangUp,
}

/// What a command line leads to.
#[derive(Debug)]
enum Then {
    /// The next command line.
    Done,
    /// The next command line, behind so many bytes.
    Ate(usize),
    /// The same line again, when there are so many bytes from its beginning on.
    AwaitWhole(usize),
    /// Another state, for the bytes behind the first so many of the line.
    Enter(State, usize),
    /// Close.
    HangUp,
    /// The end of the server.
    Shutdown {
        /// As a signal would do it.
        graceful: bool,
    },
}

impl State {
    /// Gives back what the connection had set aside.
    pub(crate) fn abandon(self, shared: &Shared) {
        match self {
            Self::AwaitValue(upload) => upload.abandon(shared),
            Self::SendValue(sending, _) => sending.end(shared),
            Self::Stream(stream) => stream.abandon(shared),
            Self::AwaitCommand
            | Self::AwaitWhole { .. }
            | Self::AwaitKeys(_)
            | Self::Swallow { .. }
            | Self::SkipLine => {}
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

    /// The words of a line, of which there must be so many, its key, and whether nobody wants to be
    /// answered. Any other line is refused.
    #[inline]
    fn keyed<'l>(&mut self, line: &Line<'l>, words: usize) -> Option<(Tokens<'l>, &'l [u8], bool)> {
        let tokens = line.tokens();
        if tokens.len() < words {
            self.refuse(false, Refusal::BadFormat);
            return None;
        }
        let (key, noreply) = (tokens.get(1), tokens.noreply());
        if key.len() > KEY_BYTES_MAX {
            self.refuse(noreply, Refusal::BadFormat);
            return None;
        }
        Some((tokens, key, noreply))
    }

    /// A command is about to look a key up: tells watchers what is there.
    #[inline]
    fn observe_find(&self, cache: &mut Cache, key: Key<'_>) {
        if self.shared.ops.hub.wants(Streams::FETCHERS) {
            let found = cache.find(key, self.now);
            self.observe_lookup(key.bytes, found.map(|item| cache.view(item)));
        }
    }

    /// Deletes an item, if its version is the stated one, and tells watchers.
    fn remove(
        &self,
        cache: &mut Cache,
        key: Key<'_>,
        compare: Option<u64>,
        command: &str,
    ) -> Deleted {
        if self.watches_deletions()
            && let Ok(item) = cache.find(key, self.now)
            && compare.is_none_or(|version| version == cache.view(item).version())
        {
            self.observe_removal(cache, item, command);
        }
        let deleted = cache.delete(key, compare, self.now);
        if deleted == Deleted::Exists {
            cache.count(Count::DeleteMisses);
        }
        deleted
    }

    /// An item is about to be deleted or emptied: tells watchers.
    fn observe_removal(&self, cache: &Cache, item: ItemId, command: &str) {
        if self.watches_deletions() {
            let view = cache.view(item);
            self.observe_deleted(view.key(), command, view.class(), view.value_len());
        }
    }

    /// A refusal, unless the request asked for no reply.
    fn refuse(&mut self, noreply: bool, refusal: Refusal) {
        self.reply(noreply, refusal.wire().as_bytes());
    }
}

/// Eats requests off the front of `rx` and answers them.
pub(crate) fn serve(state: &mut State, session: &mut Session<'_>, rx: &mut BytesMut) -> Stop {
    let (mut eaten, mut ahead) = (0, Ahead::default());
    let stop = loop {
        if session.reader_is_slow() {
            break Stop::SlowReader;
        }
        if session.had_its_turn() && eaten < rx.len() {
            break Stop::Yield;
        }
        if let State::Stream(stream) = state {
            rx.advance(core::mem::take(&mut eaten));
            ahead = Ahead::default();
            match run_stream(stream, session, rx) {
                Some(stop) => break stop,
                None => *state = State::AwaitCommand,
            }
        }
        if let State::AwaitCommand = state {
            ahead.lines(session.shared, rx, eaten);
        }
        match step(state, session, &rx[eaten..]) {
            Step::Ate(n) => eaten += n,
            Step::Await => break Stop::AwaitInput,
            Step::Stop(stop) => break stop,
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

/// Shows what there is to show. Returns nothing if that was all.
fn run_stream(stream: &mut Stream, session: &mut Session<'_>, rx: &mut BytesMut) -> Option<Stop> {
    match stream.run(session, rx) {
        Streamed::SlowReader => Some(Stop::SlowReader),
        Streamed::AwaitTick => Some(Stop::AwaitTick),
        Streamed::End => None,
    }
}

/// Answers a request whose reply cannot be sent, in its place.
pub(crate) fn refuse_reply(session: &mut Session<'_>) {
    session.refuse(false, Refusal::NoReply);
}

fn step(state: &mut State, session: &mut Session<'_>, input: &[u8]) -> Step {
    match state {
        State::AwaitCommand => await_command(state, session, input),
        State::AwaitWhole { bytes } if input.len() < *bytes => Step::Await,
        State::AwaitWhole { .. } => {
            *state = State::AwaitCommand;
            Step::Ate(0)
        }
        State::AwaitKeys(_) => await_keys(state, session, input),
        State::SendValue(sending, _) => match sending.run(session) {
            true => value_sent(state, session),
            false => Step::Ate(0),
        },
        State::AwaitValue(_) => await_value(state, session, input),
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
        State::Stream(_) => Step::Ate(0),
    }
}

fn await_keys(state: &mut State, session: &mut Session<'_>, input: &[u8]) -> Step {
    let State::AwaitKeys(retrieval) = state else { unreachable!("the caller matched it") };
    match retrieval.run(session, input) {
        retrieve::Progress::Await(0) => Step::Await,
        retrieve::Progress::Await(eaten) | retrieve::Progress::Slow(eaten) => Step::Ate(eaten),
        retrieve::Progress::Value(eaten, sending) => {
            *state = State::SendValue(sending, Some(*retrieval));
            Step::Ate(eaten)
        }
        retrieve::Progress::End(eaten) => {
            *state = State::AwaitCommand;
            Step::Ate(eaten)
        }
        retrieve::Progress::Refused => {
            *state = State::SkipLine;
            Step::Ate(0)
        }
    }
}

/// A large value has been sent to its end.
fn value_sent(state: &mut State, session: &mut Session<'_>) -> Step {
    let State::SendValue(sending, retrieval) = core::mem::take(state) else {
        unreachable!("the caller matched it");
    };
    sending.end(session.shared);
    *state = retrieval.map_or(State::AwaitCommand, State::AwaitKeys);
    Step::Ate(0)
}

fn await_value(state: &mut State, session: &mut Session<'_>, input: &[u8]) -> Step {
    let State::AwaitValue(upload) = state else { unreachable!("the caller matched it") };
    let progress = upload.take(session, input);
    let upload = match progress {
        upload::Progress::Await(0) => return Step::Await,
        upload::Progress::Await(eaten) => return Step::Ate(eaten),
        upload::Progress::Whole | upload::Progress::Refused { .. } => core::mem::take(state),
    };
    let State::AwaitValue(upload) = upload else { unreachable!("it was matched above") };
    if let upload::Progress::Refused { refused, left } = progress {
        upload.refuse(session, refused);
        *state = State::Swallow { left };
        return Step::Ate(0);
    }
    let end = storage::LINE_END.len();
    upload.complete(session, &input[..end]);
    Step::Ate(end)
}

fn await_command(state: &mut State, session: &mut Session<'_>, input: &[u8]) -> Step {
    if session.config.program.auth_file.is_some() && !session.link.authenticated {
        return login::step(session, input);
    }
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
    session.observe_request(Line::new(&input[..=end]).bytes());
    match dispatch(session, &input[..=end], &input[end + 1..]) {
        Then::Done => Step::Ate(end + 1),
        Then::Ate(eaten) => Step::Ate(eaten),
        Then::HangUp => Step::HangUp,
        Then::Shutdown { graceful } => Step::Stop(Stop::Shutdown { graceful }),
        Then::Enter(next, eaten) => {
            *state = next;
            Step::Ate(eaten)
        }
        Then::AwaitWhole(bytes) => {
            // It will be looked at again, and counted then.
            session.tally.requests -= 1;
            *state = State::AwaitWhole { bytes };
            Step::Ate(0)
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
    let command = match line.command() {
        b"get" => return retrieve::get(session, &line, false),
        b"mg" => return meta::get(session, &line),
        b"set" => Command::Classic(Verb::Set),
        b"ms" => Command::Meta,
        b"gets" => return retrieve::get(session, &line, true),
        b"gat" => return retrieve::gat(session, &line, false),
        b"gats" => return retrieve::gat(session, &line, true),
        b"add" => Command::Classic(Verb::Add),
        b"replace" => Command::Classic(Verb::Replace),
        b"append" => Command::Classic(Verb::Append),
        b"prepend" => Command::Classic(Verb::Prepend),
        b"cas" => Command::Cas,
        b"delete" => return delete::delete(session, &line),
        b"incr" => return arith::incr(session, &line),
        b"decr" => return arith::decr(session, &line),
        b"touch" => return touch::touch(session, &line),
        b"md" => return meta::delete(session, &line),
        b"ma" => return meta::arithmetic(session, &line),
        b"me" => return meta::debug(session, &line),
        b"mn" => return meta::noop(session),
        b"version" => return admin::version(session),
        b"quit" => {
            session.link.quit = true;
            return Then::HangUp;
        }
        _ => return admin::other(session, &line, !behind.is_empty()),
    };
    storage::storage(session, command, &line, behind)
}
