//! The command line of `gearman`, the original's flags.
//!
//! What differs from the original: numbers that are none are refused rather than read as 0.

use super::getopt::{Letter, parse};
use super::places::{BadPlace, Place};
use crate::engine::Priority;
use crate::tenants::Credential;
use bytes::Bytes;
use core::fmt;
use core::time::Duration;

/// Most functions on one command line.
pub const FUNCTIONS_MAX: usize = 256;

const FLAGS: &str = "bHILnNPsvwdS";
const VALUED: &str = "cfhptui";

/// Help for a terminal.
pub const HELP: &str = "\
Client mode: gearman [options] [<data>]
Worker mode: gearman -w [options] [<command> [<args> ...]]

Common options to both client and worker modes.
\t-f <function> - Function name to use for jobs (can give many)
\t-h <host>     - Job server host (localhost)
\t-H            - Print this help menu
\t-v            - Print diagnostic information to stdout
\t-p <port>     - Job server port (4730)
\t-t <timeout>  - Timeout in milliseconds
\t-i <pidfile>  - Create a pidfile for the process
\t-d            - Run in the background
\t-S            - Enable TLS connections

Client options:
\t-b            - Run jobs in the background
\t-I            - Run jobs as high priority
\t-L            - Run jobs as low priority
\t-n            - Run one job per line
\t-N            - Same as -n, but strip off the newline
\t-P            - Prefix all output lines with functions names
\t-s            - Send job without reading from standard input
\t-u <unique>   - Unique key to use for job

Worker options:
\t-c <count>    - Number of jobs for worker to run before exiting
\t-n            - Send data packet for each line
\t-N            - Same as -n, but strip off the newline
\t-w            - Run in worker mode

GEARMAN_SERVER=host:port,... names several job servers, in place of -h and -p.
GEARMAN_TENANT=name:secret says as whose, to servers that are shared.
Exit status: 0 all went well; 1 a job failed, its end is unknown, or it could not be sent.
";

/// A command line, understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Submit jobs.
    Client(ClientConfig),
    /// Do jobs.
    Worker(WorkerConfig),
    /// Print [`HELP`].
    Help,
}

/// What both modes have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Common {
    /// The job servers, in their order.
    pub servers: Vec<Place>,
    /// The functions.
    pub functions: Vec<Bytes>,
    /// How long to wait: for a result, or for a job.
    pub timeout: Option<Duration>,
    /// Whether jobs are told of when they are accepted.
    pub verbose: bool,
    /// Whether connections are encrypted.
    pub tls: bool,
    /// As whose all is done, on servers that are shared: for the program to read.
    pub tenant: Option<Credential>,
}

/// Whether lines are apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lines {
    /// All is one piece.
    Together,
    /// One piece per line.
    Each,
    /// One piece per line, without its end.
    Stripped,
}

/// Where the jobs' data comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// One job for each of these.
    Words(Vec<Bytes>),
    /// Standard input: one job, or one for each line.
    Input(Lines),
    /// One job without data.
    Nothing,
}

/// Client mode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientConfig {
    /// What both modes have.
    pub common: Common,
    /// The data.
    pub source: Source,
    /// Whether nobody waits for results.
    pub background: bool,
    /// The jobs' priority.
    pub priority: Priority,
    /// The jobs' unique key, empty for none.
    pub unique: Bytes,
    /// Whether output begins with the function's name.
    pub prefix: bool,
}

/// Worker mode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerConfig {
    /// What both modes have.
    pub common: Common,
    /// The command with its arguments; without one, data is printed.
    pub command: Vec<String>,
    /// End after so many jobs.
    pub jobs: Option<u32>,
    /// How the command's output becomes parts of the result.
    pub lines: Lines,
}

/// What a program sees to before the machine runs.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Around {
    /// Where the process's id is written (`-i`).
    pub pid_file: Option<String>,
    /// Whether it runs in the background (`-d`).
    pub daemon: bool,
}

/// What is wrong with a command line: the caller's mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UsageError {
    /// No such option.
    Unknown(char),
    /// An option without its value.
    Missing(char),
    /// Not a number, or not one for this option.
    Number(char, String),
    /// No function is named.
    NoFunction,
    /// More than [`FUNCTIONS_MAX`].
    ManyFunctions,
    /// A function's name is empty.
    EmptyFunction,
    /// Not a place of a server.
    Server(BadPlace),
}

impl fmt::Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(letter) => write!(f, "-{letter} is no option"),
            Self::Missing(letter) => write!(f, "-{letter} needs a value"),
            Self::Number(letter, text) => write!(f, "-{letter} {text}: not a number that fits"),
            Self::NoFunction => f.write_str("No Functions were provided"),
            Self::ManyFunctions => write!(f, "over {FUNCTIONS_MAX} functions"),
            Self::EmptyFunction => f.write_str("-f needs a name"),
            Self::Server(bad) => bad.fmt(f),
        }
    }
}

impl std::error::Error for UsageError {}

/// The options as they stand on the line.
#[derive(Default)]
struct Raw<'a> {
    flags: Vec<char>,
    functions: Vec<&'a str>,
    host: Option<&'a str>,
    port: Option<u16>,
    timeout: Option<Duration>,
    jobs: Option<u32>,
    unique: &'a str,
    priority: Option<Priority>,
    pid_file: Option<&'a str>,
}

impl Command {
    /// Reads the words behind the program's name. `servers` is `GEARMAN_SERVER`, if it is set.
    ///
    /// # Errors
    /// Says what is wrong.
    pub fn from_words(
        words: &[String],
        servers: Option<&str>,
    ) -> Result<(Self, Around), UsageError> {
        let parsed = parse(words, FLAGS, VALUED);
        if parsed.letters.contains(&Letter::Flag('H')) {
            return Ok((Self::Help, Around::default()));
        }
        let raw = Raw::read(&parsed.letters)?;
        let has = |letter| raw.flags.contains(&letter);
        let around = Around { pid_file: raw.pid_file.map(str::to_owned), daemon: has('d') };
        let common = raw.common(servers)?;
        let lines = match (has('n'), has('N')) {
            (_, true) => Lines::Stripped,
            (true, false) => Lines::Each,
            (false, false) => Lines::Together,
        };
        if has('w') {
            let command = parsed.rest.iter().map(|&word| word.to_owned()).collect();
            let worker = WorkerConfig { common, command, jobs: raw.jobs, lines };
            return Ok((Self::Worker(worker), around));
        }
        let words = parsed.rest.iter().map(|word| Bytes::copy_from_slice(word.as_bytes()));
        let source = match () {
            () if !parsed.rest.is_empty() => Source::Words(words.collect()),
            () if has('s') => Source::Nothing,
            () => Source::Input(lines),
        };
        let client = ClientConfig {
            common,
            source,
            background: has('b'),
            priority: raw.priority.unwrap_or(Priority::Normal),
            unique: Bytes::copy_from_slice(raw.unique.as_bytes()),
            prefix: has('P'),
        };
        Ok((Self::Client(client), around))
    }
}

impl<'a> Raw<'a> {
    fn read(letters: &[Letter<'a>]) -> Result<Self, UsageError> {
        let mut raw = Self::default();
        for letter in letters {
            match *letter {
                Letter::Flag('I') => raw.priority = Some(Priority::High),
                Letter::Flag('L') => raw.priority = Some(Priority::Low),
                Letter::Flag(letter) => raw.flags.push(letter),
                Letter::Value('f', "") => return Err(UsageError::EmptyFunction),
                Letter::Value('f', name) => raw.functions.push(name),
                Letter::Value('h', host) => raw.host = Some(host),
                Letter::Value('u', unique) => raw.unique = unique,
                Letter::Value('i', file) => raw.pid_file = Some(file),
                // 0 is the original's word for "the usual one" and for "no end".
                Letter::Value('p', text) => raw.port = number('p', text, 65_535)?.map(|n| n as u16),
                Letter::Value('c', text) => raw.jobs = number('c', text, u32::MAX)?,
                // A negative time is none.
                Letter::Value('t', text) if text.starts_with('-') => {
                    number('t', &text[1..], i32::MAX as u32)?;
                    raw.timeout = None;
                }
                Letter::Value('t', text) => {
                    let ms = number('t', text, i32::MAX as u32)?.unwrap_or(0);
                    raw.timeout = Some(Duration::from_millis(ms.into()));
                }
                Letter::Value(letter, _) | Letter::Unknown(letter) => {
                    return Err(UsageError::Unknown(letter));
                }
                Letter::Missing(letter) => return Err(UsageError::Missing(letter)),
            }
        }
        match raw.functions.len() {
            0 => Err(UsageError::NoFunction),
            many if many > FUNCTIONS_MAX => Err(UsageError::ManyFunctions),
            _ => Ok(raw),
        }
    }

    fn common(&self, servers: Option<&str>) -> Result<Common, UsageError> {
        let servers = match servers {
            Some(list) => Place::parse_list(list),
            None => {
                let host = self.host.unwrap_or("localhost").to_owned();
                Ok(vec![Place { host, port: self.port.unwrap_or(crate::PORT) }])
            }
        };
        let functions =
            self.functions.iter().map(|name| Bytes::copy_from_slice(name.as_bytes())).collect();
        Ok(Common {
            servers: servers.map_err(UsageError::Server)?,
            functions,
            timeout: self.timeout,
            verbose: self.flags.contains(&'v'),
            tls: self.flags.contains(&'S'),
            tenant: None,
        })
    }
}

/// A number of at most `most`; 0 stands for none.
fn number(letter: char, text: &str, most: u32) -> Result<Option<u32>, UsageError> {
    let number = text.parse().ok().filter(|&number: &u32| number <= most);
    let number = number.ok_or_else(|| UsageError::Number(letter, text.to_owned()))?;
    Ok((number > 0).then_some(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Command, UsageError> {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        Command::from_words(&words, None).map(|(command, _)| command)
    }

    fn client(line: &str) -> ClientConfig {
        match read(line) {
            Ok(Command::Client(client)) => client,
            other => panic!("{line}: {other:?}"),
        }
    }

    fn worker(line: &str) -> WorkerConfig {
        match read(line) {
            Ok(Command::Worker(worker)) => worker,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn a_worker_has_a_command_with_options_of_its_own() {
        let grep = worker("-w -f test -- grep -v lib");
        assert_eq!(grep.command, ["grep", "-v", "lib"]);
        assert_eq!(grep.common.functions, ["test"]);
        assert_eq!(grep.common.servers[0].to_string(), "localhost:4730");
        let count = worker("-h job1 -p 7003 -w -N -c 5 -f a -f b");
        assert_eq!((count.jobs, count.lines), (Some(5), Lines::Stripped));
        assert_eq!(count.common.servers[0].to_string(), "job1:7003");
        assert_eq!(count.common.functions, ["a", "b"]);
    }

    #[test]
    fn a_client_has_words_or_input_or_nothing() {
        assert_eq!(client("-f f one two").source, Source::Words(vec!["one".into(), "two".into()]));
        assert_eq!(client("-f f").source, Source::Input(Lines::Together));
        assert_eq!(client("-n -f f").source, Source::Input(Lines::Each));
        assert_eq!(client("-nN -f f").source, Source::Input(Lines::Stripped));
        assert_eq!(client("-s -f f").source, Source::Nothing);
        assert_eq!(client("-s -f f x").source, Source::Words(vec!["x".into()]));
        let all = client("-bIP -u key -t 250 -v -S -f f x");
        assert!(all.background && all.prefix && all.common.verbose && all.common.tls);
        assert_eq!((all.priority, &all.unique[..]), (Priority::High, &b"key"[..]));
        assert_eq!(all.common.timeout, Some(Duration::from_millis(250)));
        assert_eq!(client("-I -L -f f x").priority, Priority::Low, "the last one counts");
        assert_eq!(client("-t -1 -p 0 -f f x").common.timeout, None);
    }

    #[test]
    fn the_environment_names_the_servers_before_the_options_do() {
        let words = ["-h", "other", "-f", "f"].map(str::to_owned);
        let (command, _) = Command::from_words(&words, Some("a:1,b")).expect("it reads");
        let Command::Client(client) = command else { panic!("no -w") };
        let shown: Vec<String> = client.common.servers.iter().map(Place::to_string).collect();
        assert_eq!(shown, ["a:1", "b:4730"]);
        let wrong = Command::from_words(&words, Some(","));
        assert_eq!(wrong, Err(UsageError::Server(BadPlace::None)));
    }

    #[test]
    fn mistakes_are_told() {
        assert_eq!(read("-x -f f"), Err(UsageError::Unknown('x')));
        assert_eq!(read("-b x"), Err(UsageError::NoFunction));
        assert_eq!(read("-f"), Err(UsageError::Missing('f')));
        assert_eq!(read("-f f -c abc"), Err(UsageError::Number('c', "abc".into())));
        assert_eq!(read("-f f -p 65536"), Err(UsageError::Number('p', "65536".into())));
        assert_eq!(read("-H -x"), Ok(Command::Help));
    }
}
