//! The binary protocol: from bytes at the front of a connection's input to replies.
//!
//! `serve` eats as many requests as there are, in place. A header says all about the lengths of its
//! request, so what is wrong with them is refused before anything more has come; the same bytes
//! give the same replies however they were cut on their way.
//!
//! How a connection stays in step after bad input:
//!
//! | input | status | what follows |
//! |---|---|---|
//! | first byte of a header that is not 0x80 | none | the connection is closed |
//! | key and extras longer than the body | 0x81 | the connection is closed |
//! | body above [`BODY_BYTES_MAX`], key above 250 bytes, lengths that do not suit the opcode | 4 | the connection is closed |
//! | not logged in where that is needed | 0x20 | the connection is closed |
//! | unknown opcode, log-in where there is none | 0x81 | the body is thrown away |
//! | value too large, or no memory for it | 3, 0x82 | the value is thrown away; a set also deletes the old one |
//! | mechanism of a log-in above 32 bytes | 4 | the rest of the body is thrown away |
//!
//! Quiet requests hide success, and the quiet forms of get hide misses too; errors are always told.
//!
//! # Where it differs from the original
//!
//! | request | the original | here |
//! |---|---|---|
//! | unknown opcode with key or extras | throws away that much more than the body | the body and no more |
//! | `touch`, `gat` with a value, `stat` with more than a key | takes the rest for the next header | status 4, closed |
//! | `stat` of a name that only begins with `reset`, `settings` or `detail` | serves it | status 1 |
//! | `stat conns` | status 1 | served, as in text |
//! | append that makes a value too large for memory | status 5 | status 0x82 |
//! | lengths that cannot be | refused once key and extras have come | refused at the header |
//! | `incr` of a value that an unsent reply still shows | stores the number unpadded | padded with spaces to the old length, as always |
//! | listing mechanisms | ends a log-in | changes nothing |

mod arith;
mod removal;
mod retrieve;
mod sasl;
mod stat;
mod storage;
mod upload;
mod wire;

pub use wire::REQUEST_MAGIC;

use crate::cache::{KEY_BYTES_MAX, Verb};
use crate::sending::Sending;
use crate::session::{Session, Stop};
use crate::shared::Shared;
use bytes::{Buf, BytesMut};
use upload::Upload;
use wire::{Command, HEADER_BYTES, Header, Reply, Status};

/// Longest body of a request, bytes.
pub const BODY_BYTES_MAX: u32 = 1 << 30;

/// What a connection awaits.
#[derive(Debug, Default)]
pub(crate) enum State {
    /// A header, and what must be there as a whole with it.
    #[default]
    AwaitRequest,
    /// The rest of a value.
    AwaitValue(Box<Upload>),
    /// The peer to read the rest of a value.
    SendValue(Box<Sending>),
    /// The rest of a body that nobody wants.
    Swallow {
        /// Bytes still to come.
        left: u32,
    },
}

/// What one step did.
#[derive(Debug)]
enum Step {
    /// Took so many bytes off the front; more may be done.
    Ate(usize),
    /// Took so many bytes off the front, and awaits something else now.
    Enter(State, usize),
    /// Nothing can be done before more arrives.
    Await,
    /// Nothing can be done before the peer reads.
    Slow,
    /// Close.
    HangUp,
}

/// A request whose head has come.
struct Request<'a> {
    header: Header,
    extras: &'a [u8],
    key: &'a [u8],
    /// What is behind the key: the value, all or part of it, and what follows.
    behind: &'a [u8],
}

impl State {
    /// Gives back what the connection had set aside: drafts and pins.
    pub(crate) fn abandon(self, shared: &Shared) {
        match self {
            Self::AwaitValue(upload) => upload.abandon(shared),
            Self::SendValue(sending) => sending.end(shared),
            Self::AwaitRequest | Self::Swallow { .. } => {}
        }
    }
}

impl Session<'_> {
    /// A reply without a body, unless the request asked for none.
    #[inline]
    fn succeed(&mut self, header: &Header, version: u64) {
        if !header.quiet {
            let reply = Reply { version, ..Reply::default() };
            self.tx.write_with(|tx| header.put_reply(reply, tx));
        }
    }

    /// A reply with a body, unless the request asked for none.
    fn succeed_with(&mut self, header: &Header, version: u64, body: &[u8]) {
        if !header.quiet {
            self.reply_with(header, Reply { version, ..Reply::default() }, body);
        }
    }

    /// A refusal. Quiet requests hear it too.
    fn fail(&mut self, header: &Header, status: Status) {
        self.fail_with(header, status, status.text());
    }

    /// A refusal that says more than its status.
    fn fail_with(&mut self, header: &Header, status: Status, text: &str) {
        self.reply_with(header, Reply { status, ..Reply::default() }, text.as_bytes());
    }

    fn reply_with(&mut self, header: &Header, reply: Reply, body: &[u8]) {
        let value_bytes = u32::try_from(body.len()).expect("bodies made here are short");
        self.tx.write_with(|tx| {
            tx.reserve(HEADER_BYTES + body.len());
            header.put_reply(Reply { value_bytes, ..reply }, tx);
            tx.extend_from_slice(body);
        });
    }
}

/// Eats requests off the front of `rx` and answers them.
pub(crate) fn serve(state: &mut State, session: &mut Session<'_>, rx: &mut BytesMut) -> Stop {
    let mut eaten = 0;
    let stop = loop {
        if session.reader_is_slow() {
            break Stop::SlowReader;
        }
        if session.had_its_turn() && eaten < rx.len() {
            break Stop::Yield;
        }
        match step(state, session, &rx[eaten..]) {
            Step::Ate(n) => eaten += n,
            Step::Enter(next, n) => {
                *state = next;
                eaten += n;
            }
            Step::Await => break Stop::AwaitInput,
            Step::Slow => break Stop::SlowReader,
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

/// Answers a request whose reply cannot be sent, in its place.
pub(crate) fn refuse_reply(session: &mut Session<'_>, request: &[u8]) {
    if let Some(header) = request.first_chunk() {
        session.fail(&Header::read(header), Status::NoMemory);
    }
}

#[inline]
fn step(state: &mut State, session: &mut Session<'_>, input: &[u8]) -> Step {
    match state {
        State::AwaitRequest => await_request(session, input),
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
                let State::AwaitValue(upload) = core::mem::take(state) else {
                    unreachable!("the state was matched above");
                };
                upload.refuse(session);
                Step::Enter(State::Swallow { left }, 0)
            }
        },
        State::SendValue(sending) => {
            if !sending.run(session) {
                return Step::Slow;
            }
            let State::SendValue(sending) = core::mem::take(state) else {
                unreachable!("the state was matched above");
            };
            sending.end(session.shared);
            Step::Ate(0)
        }
        State::Swallow { left } => {
            let eaten = input.len().min(*left as usize);
            *left -= eaten as u32;
            match (*left, eaten) {
                (0, eaten) => Step::Enter(State::AwaitRequest, eaten),
                (_, 0) => Step::Await,
                (_, eaten) => Step::Ate(eaten),
            }
        }
    }
}

#[inline]
fn await_request(session: &mut Session<'_>, input: &[u8]) -> Step {
    let Some((header, behind)) = input.split_first_chunk::<HEADER_BYTES>() else {
        let stranger = input.first().is_some_and(|&magic| magic != REQUEST_MAGIC);
        return if stranger { Step::HangUp } else { Step::Await };
    };
    if header[0] != REQUEST_MAGIC {
        return Step::HangUp;
    }
    let header = Header::read(header);
    if let Err(status) = admit(session, &header) {
        session.tally.requests += 1;
        session.fail(&header, status);
        return Step::HangUp;
    }
    if header.command == Command::Unknown {
        session.tally.requests += 1;
        session.fail(&header, Status::UnknownCommand);
        return Step::Enter(State::Swallow { left: header.body_bytes }, HEADER_BYTES);
    }
    if behind.len() < header.extras_bytes + header.key_bytes {
        return Step::Await;
    }
    let (extras, behind) = behind.split_at(header.extras_bytes);
    let (key, behind) = behind.split_at(header.key_bytes);
    let step = dispatch(session, &Request { header, extras, key, behind });
    if !matches!(step, Step::Await) {
        session.tally.requests += 1;
    }
    step
}

/// Whether a header may be served, or with what its connection is closed.
#[inline]
fn admit(session: &Session<'_>, header: &Header) -> Result<(), Status> {
    if !header.adds_up() {
        return Err(Status::UnknownCommand);
    }
    if header.body_bytes > BODY_BYTES_MAX {
        return Err(Status::Invalid);
    }
    if session.config.sasl && !session.link.authenticated && !sasl::is_free(header.command) {
        return Err(Status::AuthFailed);
    }
    if header.key_bytes > KEY_BYTES_MAX || !lengths_suit(header) {
        return Err(Status::Invalid);
    }
    Ok(())
}

/// Whether extras, key and value are those of the command.
#[inline]
fn lengths_suit(header: &Header) -> bool {
    let (extras, value) = (header.extras_bytes, header.value_bytes());
    let has_key = header.key_bytes > 0;
    match header.command {
        Command::Get(form) => has_key && value == 0 && extras == if form.touches { 4 } else { 0 },
        Command::Set | Command::Add | Command::Replace => has_key && extras == 8,
        Command::Append | Command::Prepend => has_key && extras == 0,
        Command::Delete => has_key && extras == 0 && value == 0,
        Command::Increment | Command::Decrement => has_key && extras == 20 && value == 0,
        Command::Flush => !has_key && value == 0 && matches!(extras, 0 | 4),
        Command::Stat => extras == 0 && value == 0,
        Command::Quit | Command::NoOp | Command::Version | Command::SaslList => {
            header.body_bytes == 0
        }
        Command::SaslAuth | Command::SaslStep => has_key && extras == 0,
        Command::Unknown => true,
    }
}

#[inline]
fn dispatch(session: &mut Session<'_>, request: &Request<'_>) -> Step {
    match request.header.command {
        Command::Get(form) => return retrieve::retrieve(session, request, form),
        Command::Set => return storage::store(session, request, Verb::Set),
        Command::Add => return storage::store(session, request, Verb::Add),
        Command::Replace => return storage::store(session, request, Verb::Replace),
        Command::Append => return storage::store(session, request, Verb::Append),
        Command::Prepend => return storage::store(session, request, Verb::Prepend),
        Command::SaslAuth | Command::SaslStep => return sasl::log_in(session, request),
        Command::Quit => {
            session.succeed(&request.header, 0);
            return Step::HangUp;
        }
        Command::SaslList => return sasl::list(session, request),
        Command::Delete => removal::delete(session, request),
        Command::Increment | Command::Decrement => arith::count(session, request),
        Command::Flush => removal::flush(session, request),
        Command::NoOp => session.succeed(&request.header, 0),
        Command::Version => {
            session.succeed_with(&request.header, 0, crate::VERSION.as_bytes());
        }
        Command::Stat => stat::stat(session, request),
        Command::Unknown => unreachable!("answered at its header"),
    }
    Step::Ate(request.header.head_bytes())
}
