//! What a tool has beside its machine: standard input and output, and commands to run.
//!
//! A machine asks through [`Shell`] and never waits: an answer that is not there at once comes
//! later through the tool's own methods. At any time a tool waits for at most one piece of input,
//! and runs at most one command. A real shell answers from threads; [`Scripted`] is one for
//! simulations.

use bytes::Bytes;
use core::fmt;
use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Longest data of a job, bytes.
pub const DATA_BYTES_MAX: usize = 64 << 20;

/// Longest packet with such data, bytes.
pub(super) const PACKET_BYTES_MAX: usize = DATA_BYTES_MAX + (1 << 16);
/// Most that a simulated shell remembers of what was printed on a stream, bytes.
const PRINTED_BYTES_MAX: usize = 16 << 20;

/// Where a tool prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// An answer of a shell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer<T> {
    /// It is here.
    Now(T),
    /// It is here, and counts after so much time: simulated commands take time.
    After(Duration, T),
    /// The shell will call the tool.
    Later,
}

/// A piece of standard input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// Some of it, not empty.
    Piece(Bytes),
    /// There is no more.
    End,
    /// It cannot be read, in words.
    Failed(String),
}

/// A command to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Its words: the program and its arguments.
    pub command: Arc<[String]>,
    /// Its standard input.
    pub input: Bytes,
}

/// Whether more of a command's output is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// At once.
    More,
    /// Not before [`Shell::resume`].
    Wait,
}

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// With this exit status.
    Exited(i32),
    /// By this signal.
    Signalled(i32),
    /// It could not be started or listened to, in words.
    Failed(String),
}

/// The last of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ran {
    /// What it printed since the last piece.
    pub output: Bytes,
    /// How it ended.
    pub ended: Ended,
}

impl Ended {
    /// Whether it ended with exit status 0.
    pub const fn is_success(&self) -> bool {
        matches!(self, Self::Exited(0))
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(status) => write!(f, "exit status {status}"),
            Self::Signalled(signal) => write!(f, "ended by signal {signal}"),
            Self::Failed(why) => f.write_str(why),
        }
    }
}

/// Standard input, output and commands.
pub trait Shell: Send + 'static {
    /// Asks for the next piece of standard input. Not called again before the answer.
    fn read(&mut self) -> Answer<Input>;

    /// Prints all of it. Whether somebody takes it: false once the reader went away.
    fn print(&mut self, stream: Stream, bytes: &[u8]) -> bool;

    /// Runs a command. Not called again before it has ended.
    fn run(&mut self, run: Run) -> Answer<Ran>;

    /// More of the command's output is taken again, after [`Room::Wait`].
    fn resume(&mut self);
}

/// What a simulated command does with its arguments and its input.
pub type Program = fn(words: &[String], input: &[u8]) -> Ran;

/// A shell that plays its part: input from a list, output into a string, commands from a table.
/// Clones are the same shell, so that a test keeps one to look at.
#[derive(Clone, Debug, Default)]
pub struct Scripted(Arc<Mutex<Script>>);

#[derive(Debug, Default)]
struct Script {
    input: Vec<Bytes>,
    read: usize,
    out: Vec<u8>,
    err: Vec<u8>,
    programs: BTreeMap<String, (Program, Duration)>,
    runs: u64,
}

impl Scripted {
    /// A shell whose standard input is these pieces.
    pub fn new(input: impl IntoIterator<Item = Bytes>) -> Self {
        let input = input.into_iter().filter(|piece| !piece.is_empty()).collect();
        Self(Arc::new(Mutex::new(Script { input, ..Script::default() })))
    }

    /// The same with a program that takes so long. Others are not found.
    #[must_use]
    pub fn program(self, name: &str, takes: Duration, program: Program) -> Self {
        self.with(|script| script.programs.insert(name.to_owned(), (program, takes)));
        self
    }

    /// What was printed on standard output so far.
    pub fn out(&self) -> String {
        self.with(|script| String::from_utf8_lossy(&script.out).into_owned())
    }

    /// What was printed on standard error so far.
    pub fn err(&self) -> String {
        self.with(|script| String::from_utf8_lossy(&script.err).into_owned())
    }

    /// How many commands were run.
    pub fn runs(&self) -> u64 {
        self.with(|script| script.runs)
    }

    fn with<R>(&self, look: impl FnOnce(&mut Script) -> R) -> R {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Shell for Scripted {
    fn read(&mut self) -> Answer<Input> {
        self.with(|script| {
            let piece = script.input.get(script.read).cloned();
            script.read += 1;
            Answer::Now(piece.map_or(Input::End, Input::Piece))
        })
    }

    fn print(&mut self, stream: Stream, bytes: &[u8]) -> bool {
        self.with(|script| {
            let printed = match stream {
                Stream::Out => &mut script.out,
                Stream::Err => &mut script.err,
            };
            let room = PRINTED_BYTES_MAX - printed.len();
            printed.extend_from_slice(&bytes[..bytes.len().min(room)]);
        });
        true
    }

    fn run(&mut self, run: Run) -> Answer<Ran> {
        self.with(|script| {
            script.runs += 1;
            let name = run.command.first().map_or("", String::as_str);
            match script.programs.get(name) {
                Some(&(program, takes)) => {
                    Answer::After(takes, program(&run.command[1..], &run.input))
                }
                None => {
                    let ended = Ended::Failed(format!("{name}: not found"));
                    Answer::Now(Ran { output: Bytes::new(), ended })
                }
            }
        })
    }

    fn resume(&mut self) {
        // What it gives, it gives at once.
    }
}
