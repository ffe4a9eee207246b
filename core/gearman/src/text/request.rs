//! From bytes to a command.

use super::{LINE_BYTES_MAX, WORDS_MAX, Wrong};
use crate::engine::Dialect;

/// What the front of a stream is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// The end of the line has not come.
    Partial,
    /// No line may be so long.
    TooLong,
    /// A line: its length without its end, and with it.
    Whole(usize, usize),
}

/// A command of an operator's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request<'a> {
    /// Connections, and what they can do.
    Workers,
    /// Functions: jobs, running ones, workers.
    Status,
    /// Functions: queued jobs by priority, workers.
    PriorityStatus,
    /// Every job: handle, how often it was lost, whether nobody wants it, whether it is kept.
    ShowJobs,
    /// Every job's unique key.
    ShowUniqueJobs,
    /// Forgets a job.
    CancelJob(&'a [u8]),
    /// Makes a function known.
    CreateFunction(&'a [u8]),
    /// Forgets a function, with the jobs that wait for it.
    DropFunction(&'a [u8]),
    /// Bounds the queue of a function: high, normal, low; 0 for no bound.
    MaxQueue(&'a [u8], [u32; 3]),
    /// What this server of a relay is. Ours.
    Relay,
    /// Has the other server of a relay serve. Ours.
    HandOver,
    /// The number of the process.
    GetPid,
    /// How much is logged.
    Verbose,
    /// Which version is followed.
    Version,
    /// What happened so far, in numbers. Neither original has it.
    Counters,
    /// Says whose the connection is: name, secret. Of neither original.
    Tenant(&'a [u8], &'a [u8]),
    /// Is told what happens from now on. Of neither original.
    Monitor(Watch),
    /// Every job: function, unique key, worker, number of listeners. The Perl server's.
    Jobs,
    /// Every connection, and the jobs it listens to. The Perl server's.
    Clients,
    /// What is in memory, where the Perl server has a module for it: nothing.
    Gladiator,
    /// Ends the server: at once, or when all have gone. The Perl server's.
    Shutdown {
        /// When all have gone.
        graceful: bool,
    },
}

/// What a connection that watches is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watch {
    /// What happens to jobs.
    Events,
    /// How much happened, again and again.
    Stats {
        /// From line to line; at least 1.
        seconds: u32,
    },
}

/// Longest time between two lines of statistics, seconds.
const STATS_SECONDS_MAX: u32 = 24 * 60 * 60;

/// Looks for a line at the front of `rx`.
pub fn line(rx: &[u8]) -> Line {
    let within = &rx[..rx.len().min(LINE_BYTES_MAX)];
    match memchr::memchr(b'\n', within) {
        Some(end) => {
            let cr = usize::from(end > 0 && within[end - 1] == b'\r');
            Line::Whole(end - cr, end + 1)
        }
        None if rx.len() >= LINE_BYTES_MAX => Line::TooLong,
        None => Line::Partial,
    }
}

/// The words of a line. Several spaces are one; one before the first word, or behind the last,
/// makes an empty word.
struct Words<'a> {
    words: [&'a [u8]; WORDS_MAX],
    count: usize,
}

impl<'a> Words<'a> {
    fn of(line: &'a [u8]) -> Option<Self> {
        let mut found = Self { words: [&[]; WORDS_MAX], count: 0 };
        let mut rest = Some(line);
        while let Some(line) = rest {
            let (word, behind) = match memchr::memchr(b' ', line) {
                Some(at) => (&line[..at], Some(line[at..].trim_ascii_start_spaces())),
                None => (line, None),
            };
            *found.words.get_mut(found.count)? = word;
            found.count += 1;
            rest = behind;
        }
        Some(found)
    }
}

trait Spaces {
    fn trim_ascii_start_spaces(&self) -> &Self;
}

impl Spaces for [u8] {
    fn trim_ascii_start_spaces(&self) -> &Self {
        let begin = self.iter().position(|byte| *byte != b' ').unwrap_or(self.len());
        &self[begin..]
    }
}

impl<'a> Request<'a> {
    /// Reads a line without its end.
    ///
    /// # Errors
    /// What is wrong with it, which says how to answer.
    pub fn read(line: &'a [u8], dialect: Dialect) -> Result<Self, Wrong<'a>> {
        let words = Words::of(line).ok_or(Wrong::TooManyWords)?;
        let words = &words.words[..words.count];
        let command = words[0];
        if dialect == Dialect::Danga
            && let Some(read) = Self::danga(command, &words[1..])
        {
            return read;
        }
        let is = |name: &str| command.eq_ignore_ascii_case(name.as_bytes());
        if is("workers") {
            Ok(Self::Workers)
        } else if is("prioritystatus") {
            Ok(Self::PriorityStatus)
        } else if is("status") {
            Ok(Self::Status)
        } else if is("cancel") && words.len() >= 3 {
            match is_job(words) {
                true => Ok(Self::CancelJob(words[2])),
                false => Err(Wrong::Nothing),
            }
        } else if is("show") && words.len() >= 2 {
            show(words)
        } else if is("create") {
            named(words).map(Self::CreateFunction)
        } else if is("drop") {
            named(words).map(Self::DropFunction)
        } else if is("maxqueue") {
            let function = words.get(1).ok_or(Wrong::Incomplete(command))?;
            Ok(Self::MaxQueue(function, limits(&words[2..])))
        } else if is("relay") {
            match words {
                [_] => Ok(Self::Relay),
                [_, what] if what.eq_ignore_ascii_case(b"handover") => Ok(Self::HandOver),
                _ => Err(Wrong::Incomplete(command)),
            }
        } else if is("getpid") {
            Ok(Self::GetPid)
        } else if is("verbose") {
            Ok(Self::Verbose)
        } else if is("version") {
            Ok(Self::Version)
        } else if is("counters") {
            Ok(Self::Counters)
        } else if is("tenant") {
            match words {
                [_, name, secret] => Ok(Self::Tenant(name, secret)),
                _ => Err(Wrong::Incomplete(command)),
            }
        } else if is("monitor") {
            watch(&words[1..]).map(Self::Monitor).ok_or(Wrong::Incomplete(command))
        } else {
            Err(Wrong::Unknown(command))
        }
    }

    /// Whether it is about jobs and functions, which only a server that serves knows.
    pub const fn is_of_jobs(&self) -> bool {
        !matches!(
            self,
            Self::Relay
                | Self::HandOver
                | Self::GetPid
                | Self::Verbose
                | Self::Version
                | Self::Counters
                | Self::Tenant(..)
                | Self::Shutdown { .. }
        )
    }

    /// What the Perl server reads otherwise than the C server.
    fn danga(command: &[u8], words: &[&'a [u8]]) -> Option<Result<Self, Wrong<'a>>> {
        let is = |name: &str| command.eq_ignore_ascii_case(name.as_bytes());
        Some(if is("jobs") {
            Ok(Self::Jobs)
        } else if is("clients") {
            Ok(Self::Clients)
        } else if is("gladiator") {
            Ok(Self::Gladiator)
        } else if is("shutdown") {
            match words {
                [] | [b""] => Ok(Self::Shutdown { graceful: false }),
                [b"graceful"] => Ok(Self::Shutdown { graceful: true }),
                _ => Err(Wrong::Arguments),
            }
        } else if is("maxqueue") {
            match words {
                [function, ..] if !function.is_empty() => {
                    Ok(Self::MaxQueue(function, limits(&words[1..])))
                }
                _ => Err(Wrong::Incomplete(b"")),
            }
        } else {
            return None;
        })
    }
}

fn is_job(words: &[&[u8]]) -> bool {
    words.len() == 3 && words[1].eq_ignore_ascii_case(b"job")
}

fn show<'a>(words: &[&'a [u8]]) -> Result<Request<'a>, Wrong<'a>> {
    let is = |nth: usize, name: &str| words[nth].eq_ignore_ascii_case(name.as_bytes());
    match words.len() {
        2 if is(1, "jobs") => Ok(Request::ShowJobs),
        3 if is(1, "unique") && is(2, "jobs") => Ok(Request::ShowUniqueJobs),
        _ => Err(Wrong::Show),
    }
}

/// The name of a function behind `create function` or `drop function`.
fn named<'a>(words: &[&'a [u8]]) -> Result<&'a [u8], Wrong<'a>> {
    match words {
        [_, what, name] if what.eq_ignore_ascii_case(b"function") => Ok(name),
        _ => Err(Wrong::Incomplete(words[0])),
    }
}

/// The words behind `monitor`: none, `events`, `stats`, `stats 5`.
fn watch(words: &[&[u8]]) -> Option<Watch> {
    let is = |word: &[u8], name: &str| word.eq_ignore_ascii_case(name.as_bytes());
    match words {
        [] | [b""] => Some(Watch::Events),
        [word] if is(word, "events") => Some(Watch::Events),
        [word] if is(word, "stats") => Some(Watch::Stats { seconds: 1 }),
        [word, seconds] if is(word, "stats") => {
            let seconds = core::str::from_utf8(seconds).ok()?.parse().ok()?;
            (1..=STATS_SECONDS_MAX).contains(&seconds).then_some(Watch::Stats { seconds })
        }
        _ => None,
    }
}

/// One limit counts for all priorities; of two or three, what is left out is none.
fn limits(words: &[&[u8]]) -> [u32; 3] {
    match words {
        [] => [0; 3],
        [one] => [limit(one); 3],
        [high, normal, rest @ ..] => {
            [limit(high), limit(normal), rest.first().map_or(0, |low| limit(low))]
        }
    }
}

/// As C's `atoi` reads it: white space, a sign, digits, and whatever; negative means none.
fn limit(word: &[u8]) -> u32 {
    let word = word.trim_ascii_start();
    let word = match word {
        [b'+', digits @ ..] => digits,
        [b'-', ..] => return 0,
        _ => word,
    };
    let digits = word.iter().take_while(|byte| byte.is_ascii_digit());
    let add = |n: u32, digit: &u8| n.saturating_mul(10).saturating_add(u32::from(digit - b'0'));
    digits.fold(0, add)
}
