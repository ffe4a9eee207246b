//! The command line of `gearadmin`, the original's: long options may be cut short while they are
//! unambiguous, and nothing may be said twice. So are its mistakes' words.

use super::places::Place;
use crate::tenants::Credential;
use core::fmt;
use std::collections::BTreeSet;

/// Help for a terminal.
pub const ADMIN_HELP: &str = "\
Options:
  --help                         Options related to the program.
  -h [ --host ] arg (=localhost) Connect to the host
  -p [ --port ] arg (=4730)      Port number or service to use for connection
  --server-version               Fetch the version number for the server.
  --server-verbose               Fetch the verbose setting for the server.
  --create-function arg          Create the function from the server.
  --cancel-job arg               Remove a given job from the server's queue
  --drop-function arg            Drop the function from the server.
  --show-unique-jobs             Show unique IDs of jobs on the server.
  --show-jobs                    Show all jobs on the server.
  --getpid                       Get Process ID for the server.
  --status                       Status for the server.
  --priority-status              Queued jobs status by priority.
  --workers                      Workers for the server.
  -S [ --ssl ]                   Enable SSL connections.

GEARMAN_TENANT=name:secret says who asks, to a server that is shared.

";

/// What is asked of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// The process's id.
    Pid,
    /// Make a function.
    Create(String),
    /// Forget a function.
    Drop(String),
    /// All jobs.
    Jobs,
    /// All unique keys.
    UniqueJobs,
    /// Take a job out of the queue.
    Cancel(String),
    /// How much it logs.
    Verbose,
    /// Its version.
    Version,
    /// All connections.
    Workers,
    /// Queued jobs of all functions by priority.
    PriorityStatus,
    /// Jobs and workers of all functions.
    Status,
}

/// A command line, understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AdminCommand {
    /// Ask the server.
    Ask(AdminConfig),
    /// Print [`ADMIN_HELP`].
    Help,
}

/// Whom to ask what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdminConfig {
    /// The server.
    pub server: Place,
    /// The questions, in the order in which they are asked.
    pub asks: Vec<Ask>,
    /// Whether the connection is encrypted.
    pub tls: bool,
    /// As whose it is asked, on a server that is shared: for the program to read.
    pub tenant: Option<Credential>,
}

/// What is wrong with a command line: the caller's mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AdminUsage {
    /// Nothing is asked.
    NoOperation,
    /// No such option.
    Unknown(String),
    /// Several options begin so.
    Ambiguous(String, Vec<&'static str>),
    /// An option without its value.
    Missing(&'static str),
    /// `--option=` with nothing behind it.
    Empty(&'static str),
    /// An option that is there twice.
    Twice(&'static str),
    /// A value for an option that has none.
    Value(&'static str),
    /// A value that is no word of a command: it holds the end of a line.
    NotAWord(&'static str),
    /// Not a port.
    Port(String, String),
}

impl fmt::Display for AdminUsage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoOperation => f.write_str("No option execution operation given."),
            Self::Unknown(word) => write!(f, "unrecognised option '{word}'"),
            Self::Ambiguous(word, matches) => {
                write!(f, "option '{word}' is ambiguous and matches ")?;
                for (at, name) in matches.iter().enumerate() {
                    let before = match at {
                        0 => "",
                        at if at + 1 == matches.len() => ", and ",
                        _ => ", ",
                    };
                    write!(f, "{before}'--{name}'")?;
                }
                Ok(())
            }
            Self::Missing(name) => {
                write!(f, "the required argument for option '--{name}' is missing")
            }
            Self::Empty(name) => {
                let where_ = "should follow immediately after the equal sign";
                write!(f, "the argument for option '--{name}' {where_}")
            }
            Self::Twice(name) => write!(f, "option '--{name}' cannot be specified more than once"),
            Self::Value(name) => write!(f, "option '--{name}' does not take any arguments"),
            Self::NotAWord(name) => write!(f, "the argument for option '--{name}' ends a line"),
            Self::Port(host, port) => {
                write!(
                    f,
                    "Failed to connect on {host}:{port} with Servname not supported for ai_socktype"
                )
            }
        }
    }
}

impl std::error::Error for AdminUsage {}

/// Name, letter, and whether it has a value.
const OPTIONS: [(&str, Option<char>, bool); 15] = [
    ("help", None, false),
    ("host", Some('h'), true),
    ("port", Some('p'), true),
    ("server-version", None, false),
    ("server-verbose", None, false),
    ("create-function", None, true),
    ("cancel-job", None, true),
    ("drop-function", None, true),
    ("show-unique-jobs", None, false),
    ("show-jobs", None, false),
    ("getpid", None, false),
    ("status", None, false),
    ("priority-status", None, false),
    ("workers", None, false),
    ("ssl", Some('S'), false),
];

/// Options as they stand on the line, each at most once.
type Given<'a> = Vec<(&'static str, &'a str)>;

impl AdminCommand {
    /// Reads the words behind the program's name.
    ///
    /// # Errors
    /// Says what is wrong.
    pub fn from_words(words: &[String]) -> Result<Self, AdminUsage> {
        let given = given(words)?;
        let value = |name| given.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
        if value("help").is_some() {
            return Ok(Self::Help);
        }
        let word = |name: &'static str| match value(name) {
            Some(text) if text.contains(['\r', '\n']) => Err(AdminUsage::NotAWord(name)),
            text => Ok(text.map(str::to_owned)),
        };
        let plain = |name, ask| value(name).map(|_| ask);
        // The original's order.
        let asks: Vec<Ask> = [
            plain("getpid", Ask::Pid),
            word("create-function")?.map(Ask::Create),
            word("drop-function")?.map(Ask::Drop),
            plain("show-jobs", Ask::Jobs),
            plain("show-unique-jobs", Ask::UniqueJobs),
            word("cancel-job")?.map(Ask::Cancel),
            plain("server-verbose", Ask::Verbose),
            plain("server-version", Ask::Version),
            plain("workers", Ask::Workers),
            plain("priority-status", Ask::PriorityStatus),
            plain("status", Ask::Status),
        ]
        .into_iter()
        .flatten()
        .collect();
        if asks.is_empty() {
            return Err(AdminUsage::NoOperation);
        }
        let host = value("host").unwrap_or("localhost").to_owned();
        let port = match value("port") {
            None => crate::PORT,
            Some(text) => match text.parse() {
                Ok(port) if port != 0 => port,
                _ => return Err(AdminUsage::Port(host, text.to_owned())),
            },
        };
        let tls = value("ssl").is_some();
        Ok(Self::Ask(AdminConfig { server: Place { host, port }, asks, tls, tenant: None }))
    }
}

fn given(words: &[String]) -> Result<Given<'_>, AdminUsage> {
    let mut given = Given::new();
    let mut words = words.iter().map(String::as_str);
    while let Some(word) = words.next() {
        if word == "--" {
            break;
        }
        if let Some(long) = word.strip_prefix("--") {
            let (name, value) = match long.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (long, None),
            };
            let (name, valued) = named(name)?;
            let value = match (valued, value) {
                (false, Some(_)) => return Err(AdminUsage::Value(name)),
                (false, None) => "",
                (true, Some("")) => return Err(AdminUsage::Empty(name)),
                (true, Some(value)) => value,
                (true, None) => words.next().ok_or(AdminUsage::Missing(name))?,
            };
            add(&mut given, name, value)?;
        } else if let Some(mut letters) = word.strip_prefix('-') {
            while let Some(letter) = letters.chars().next() {
                let unknown = || AdminUsage::Unknown(format!("-{letters}"));
                let option = OPTIONS.iter().find(|(_, known, _)| *known == Some(letter));
                let (name, _, valued) = *option.ok_or_else(unknown)?;
                letters = &letters[letter.len_utf8()..];
                let value = match (valued, letters) {
                    (false, _) => "",
                    (true, "") => words.next().ok_or(AdminUsage::Missing(name))?,
                    (true, value) => core::mem::replace(&mut letters, &value[value.len()..]),
                };
                add(&mut given, name, value)?;
            }
        }
    }
    Ok(given)
}

fn add<'a>(given: &mut Given<'a>, name: &'static str, value: &'a str) -> Result<(), AdminUsage> {
    if given.iter().any(|(known, _)| *known == name) {
        return Err(AdminUsage::Twice(name));
    }
    given.push((name, value));
    Ok(())
}

/// The option of this name, or the only one whose name begins so.
fn named(name: &str) -> Result<(&'static str, bool), AdminUsage> {
    let shown = || format!("--{name}");
    if let Some((known, _, valued)) = OPTIONS.iter().find(|(known, ..)| *known == name) {
        return Ok((known, *valued));
    }
    let begins = |(known, ..): &&(&'static str, _, _)| known.starts_with(name);
    let matches: BTreeSet<_> =
        OPTIONS.iter().filter(begins).map(|(known, _, valued)| (*known, *valued)).collect();
    let names = matches.iter().map(|(known, _)| *known);
    match matches.len() {
        0 => Err(AdminUsage::Unknown(shown())),
        1 => Ok(*matches.first().expect("there is one")),
        _ => Err(AdminUsage::Ambiguous(shown(), names.collect())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<AdminCommand, AdminUsage> {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        AdminCommand::from_words(&words)
    }

    fn wrong(line: &str) -> String {
        read(line).expect_err("it is wrong").to_string()
    }

    fn asks(line: &str) -> Vec<Ask> {
        match read(line) {
            Ok(AdminCommand::Ask(config)) => config.asks,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn questions_are_asked_in_the_originals_order() {
        let order = [Ask::Pid, Ask::Jobs, Ask::Workers, Ask::Status];
        assert_eq!(asks("--show-jobs --getpid --workers --status"), order);
        let both = [Ask::Create("f".into()), Ask::Drop("g".into())];
        assert_eq!(asks("--drop-function=g --create-function f other words"), both);
        assert_eq!(asks("--getpid -- --status"), [Ask::Pid]);
    }

    #[test]
    fn options_may_be_cut_short_and_letters_share_a_word() {
        assert_eq!(asks("--stat"), [Ask::Status]);
        assert_eq!(asks("--w --pr"), [Ask::Workers, Ask::PriorityStatus]);
        let Ok(AdminCommand::Ask(config)) = read("-Shjob1 -p 7003 --getpid") else { panic!() };
        assert_eq!((config.server.to_string().as_str(), config.tls), ("job1:7003", true));
        assert_eq!(read("--status --he"), Ok(AdminCommand::Help));
    }

    #[test]
    fn mistakes_are_told_in_the_originals_words() {
        assert_eq!(wrong("--shutdown"), "unrecognised option '--shutdown'");
        assert_eq!(wrong("-x"), "unrecognised option '-x'");
        assert_eq!(wrong("-S1"), "unrecognised option '-1'");
        let matches = "'--server-verbose', '--server-version', '--show-jobs', \
                       '--show-unique-jobs', '--ssl', and '--status'";
        assert_eq!(wrong("--s"), format!("option '--s' is ambiguous and matches {matches}"));
        assert_eq!(wrong("-h"), "the required argument for option '--host' is missing");
        assert_eq!(wrong("--help=1"), "option '--help' does not take any arguments");
        let twice = "option '--status' cannot be specified more than once";
        assert_eq!(wrong("--status --stat"), twice);
        let equal = "the argument for option '--host' should follow immediately after the equal \
                     sign";
        assert_eq!(wrong("--host="), equal);
        assert_eq!(wrong("-h job1"), "No option execution operation given.");
        assert_eq!(read("-p x --status"), Err(AdminUsage::Port("localhost".into(), "x".into())));
    }

    #[test]
    fn a_value_cannot_smuggle_in_another_command() {
        let words = ["--create-function", "f\r\nshutdown"].map(str::to_owned);
        let wrong = AdminCommand::from_words(&words);
        assert_eq!(wrong, Err(AdminUsage::NotAWord("create-function")));
    }
}
