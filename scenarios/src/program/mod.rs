//! The programs that a host can run: from the words of a command line to machines.
//!
//! One table for scenario files and for the `storytime` program, so that the same words mean the
//! same thing in both.

pub mod around;
mod commands;
mod printed;
mod tables;
mod tool;

use crate::diagnostic::{Checked, Diagnostic};
use crate::fields::Word;
use crate::metric::MetricDef;
use crate::models;
use crate::proxy_file;
use crate::suggest::did_you_mean;
use crate::words::split;
use around::Around;
use printed::PRINTED_METRICS;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use storytime_database as database;
use storytime_diskcheck as diskcheck;
use storytime_gearman as gearman;
use storytime_machine::{Drive, Limits, Process, Setup, UsageError, Work};
use storytime_mcproxy as mcproxy;
use storytime_memcached as memcached;
use storytime_pair as pair;
use storytime_sharding::mover;
use storytime_sim::Factory;
use tables::{
    COORDINATOR_METRICS, DBD_METRICS, DBD_WORKS, GEARMAND_METRICS, GEARMAND_WORKS, MCPROXY_METRICS,
    MCPROXY_WORKS, MEMCACHED_METRICS, MEMCACHED_WORKS, MOVER_METRICS, RECORD_METRICS,
    VERIFY_METRICS,
};

pub use printed::{digest, results as printed_results};
pub use tool::{Place, Printed, Tool, follows};

/// Longest command line, bytes.
pub const COMMAND_BYTES_MAX: usize = 4096;
/// The programs' names.
pub const PROGRAMS: &[&str] = &[
    "memcached",
    "mcproxy",
    "dbd",
    "witness",
    "gearmand",
    "gearman",
    "mover",
    "move-coordinator",
    "diskcheck",
];

/// A command line and what it starts.
#[derive(Clone, Debug)]
pub struct CommandLine {
    /// As it was typed.
    pub text: String,
    /// Its words, the program's name first.
    pub words: Vec<String>,
    /// What it starts.
    pub program: Program,
}

/// A program with its options.
#[derive(Clone, Debug)]
pub enum Program {
    /// A memcached server.
    Memcached(Box<memcached::Config>),
    /// A proxy in front of memcached servers.
    Mcproxy(mcproxy::Config),
    /// A database server.
    Dbd(Box<database::Config>),
    /// Who decides which half of a database pair serves.
    Witness(pair::WitnessConfig),
    /// A job server.
    Gearmand(Box<gearman::Config>),
    /// Whoever submits or does jobs from the command line.
    Gearman(Box<Tool>),
    /// A mover of users between shards.
    Mover(Box<mover::MoverConfig>),
    /// What hands out moves.
    MoveCoordinator(mover::CoordinatorConfig),
    /// The disk checker's recorder, writer or verifier.
    Diskcheck(diskcheck::Command),
}

/// Why words start no program: the caller's mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProgramError {
    /// No words.
    Nothing,
    /// No program has this name.
    Unknown(String),
    /// The program refuses its options, in its own words.
    Usage(&'static str, String),
    /// A file that the line names has a mistake.
    File(Box<Diagnostic>),
    /// A pipe or a file in a place where none can be.
    Around(&'static str),
    /// A quote without its end.
    Quote,
    /// Longer than [`COMMAND_BYTES_MAX`].
    TooLong,
}

impl fmt::Display for ProgramError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("an empty command line"),
            Self::Unknown(name) => write!(f, "unknown program `{name}`"),
            Self::Usage(program, message) => write!(f, "{program}: {message}"),
            Self::File(diagnostic) => write!(f, "{diagnostic}"),
            Self::Around(what) => f.write_str(what),
            Self::Quote => f.write_str("a quote that does not end"),
            Self::TooLong => write!(f, "a command line of over {COMMAND_BYTES_MAX} bytes"),
        }
    }
}

impl std::error::Error for ProgramError {}

impl CommandLine {
    /// Reads a command line of a scenario file.
    ///
    /// # Errors
    /// Points at the line and says what the program said.
    pub fn parse(word: &Word) -> Checked<Self> {
        let wrong = |error: &ProgramError| {
            if let ProgramError::File(diagnostic) = error {
                return diagnostic.clone();
            }
            let label = match error {
                ProgramError::Unknown(_) => "expected the name of a program first",
                ProgramError::Usage(..) => "the program would refuse this line",
                _ => "not a command line",
            };
            let mut diagnostic = Diagnostic::at(&word.span, error.to_string(), label);
            if let ProgramError::Unknown(name) = error {
                let help = did_you_mean(name, "program", PROGRAMS.iter().copied());
                diagnostic = diagnostic.help(help);
            }
            Box::new(diagnostic)
        };
        let words = split(&word.text).map_err(|error| wrong(&error))?;
        let (around, words) = around::split_off(words).map_err(|error| wrong(&error))?;
        let words = in_folder_of(&word.span.source.name, words);
        let program = match Program::from_words(&words).map_err(|error| wrong(&error))? {
            Program::Gearman(tool) => Program::Gearman(Box::new(tool.with(around))),
            program if around == Around::default() => program,
            _ => return Err(wrong(&ProgramError::Around("only `gearman` reads and prints here"))),
        };
        Ok(Self { text: word.text.clone(), words, program })
    }
}

/// Files that a scenario's command lines read lie beside the scenario.
fn in_folder_of(scenario: &str, mut words: Vec<String>) -> Vec<String> {
    let folder = Path::new(scenario).parent().filter(|folder| *folder != Path::new(""));
    let proxy = words.first().is_some_and(|name| name == "mcproxy");
    let Some(folder) = folder.filter(|_| proxy) else { return words };
    for at in 1..words.len() {
        let moved = |file: &str| folder.join(file).display().to_string();
        if words[at - 1] == "--config" {
            words[at] = moved(&words[at]);
        } else if let Some(file) = words[at].strip_prefix("--config=") {
            words[at] = format!("--config={}", moved(file));
        }
    }
    words
}

/// Reads a proxy's words, and the file that they name.
fn mcproxy_of(options: &[&str]) -> Result<mcproxy::Config, ProgramError> {
    let usage = |what: String| ProgramError::Usage("mcproxy", what);
    match mcproxy::Command::from_words(options).map_err(|error| usage(error.to_string()))? {
        mcproxy::Command::Serve(config) => Ok(config),
        mcproxy::Command::File(file) => proxy_file::open(Path::new(&file.file))
            .map(|config| file.over(config))
            .map_err(ProgramError::File),
        _ => Err(usage("this prints something and serves nobody".to_owned())),
    }
}

/// A command line that was read; help is not for scenarios.
fn described<C>(
    name: &'static str,
    read: Result<Option<C>, UsageError>,
) -> Result<C, ProgramError> {
    match read {
        Ok(Some(config)) => Ok(config),
        Ok(None) => Err(ProgramError::Usage(name, "help is no program".to_owned())),
        Err(error) => Err(ProgramError::Usage(name, error.to_string())),
    }
}

/// Reads a database's words.
fn dbd_of(options: &[&str]) -> Result<Box<database::Config>, ProgramError> {
    let usage = |what: String| ProgramError::Usage("dbd", what);
    match database::Command::from_words(options).map_err(|error| usage(error.to_string()))? {
        database::Command::Serve(config) => Ok(config),
        _ => Err(usage("this prints something and serves nobody".to_owned())),
    }
}

/// Reads a job server's words.
fn gearmand_of(options: &[&str]) -> Result<Box<gearman::Config>, ProgramError> {
    let usage = |what: String| ProgramError::Usage("gearmand", what);
    match gearman::Command::from_words(options).map_err(|error| usage(error.to_string()))? {
        gearman::Command::Serve(config) if config.tenants_file.is_some() => {
            Err(usage("--tenants: no client or worker of a scenario can say whose it is".into()))
        }
        gearman::Command::Serve(config) => Ok(config),
        _ => Err(usage("this prints something and serves nobody".to_owned())),
    }
}

/// Reads a witness's words.
fn witness_of(options: &[&str]) -> Result<pair::WitnessConfig, ProgramError> {
    let usage = |what: String| ProgramError::Usage("witness", what);
    match pair::WitnessCommand::from_words(options).map_err(|error| usage(error.to_string()))? {
        pair::WitnessCommand::Serve(config) => Ok(config),
        pair::WitnessCommand::Help => Err(usage("this prints something and serves nobody".into())),
    }
}

impl Program {
    /// Reads the words of a command line, the program's name first.
    ///
    /// # Errors
    /// If there is no such program, or it refuses its options.
    pub fn from_words<S: AsRef<str>>(words: &[S]) -> Result<Self, ProgramError> {
        let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
        let Some((name, options)) = words.split_first() else { return Err(ProgramError::Nothing) };
        match *name {
            "memcached" => memcached::Config::from_words(options)
                .map(|config| Self::Memcached(Box::new(config)))
                .map_err(|error| ProgramError::Usage("memcached", error.to_string())),
            "mcproxy" => mcproxy_of(options).map(Self::Mcproxy),
            "dbd" => dbd_of(options).map(Self::Dbd),
            "witness" => witness_of(options).map(Self::Witness),
            "gearmand" => gearmand_of(options).map(Self::Gearmand),
            "gearman" => Tool::from_words(options).map(|tool| Self::Gearman(Box::new(tool))),
            "mover" => described("mover", mover::MoverConfig::from_words(options))
                .map(|config| Self::Mover(Box::new(config))),
            "move-coordinator" => {
                let read = mover::CoordinatorConfig::from_words(options);
                described("move-coordinator", read).map(Self::MoveCoordinator)
            }
            "diskcheck" => diskcheck::Config::from_words(options)
                .map(Self::Diskcheck)
                .map_err(|error| ProgramError::Usage("diskcheck", error.to_string())),
            other => Err(ProgramError::Unknown(other.to_owned())),
        }
    }

    /// The program's name.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Memcached(_) => "memcached",
            Self::Mcproxy(_) => "mcproxy",
            Self::Dbd(_) => "dbd",
            Self::Witness(_) => "witness",
            Self::Gearmand(_) => "gearmand",
            Self::Gearman(_) => "gearman",
            Self::Mover(_) => "mover",
            Self::MoveCoordinator(_) => "move-coordinator",
            Self::Diskcheck(_) => "diskcheck",
        }
    }

    /// What a host that runs it is for, in a word.
    pub fn role(&self) -> &'static str {
        match self {
            Self::Memcached(_) => "cache",
            Self::Mcproxy(_) => "proxy",
            Self::Dbd(_) => "database",
            Self::Witness(_) => "witness",
            Self::Gearmand(_) => "job server",
            Self::Gearman(tool) => tool.role(),
            Self::Mover(_) => "mover",
            Self::MoveCoordinator(_) => "coordinator",
            Self::Diskcheck(diskcheck::Command::Record(_)) => "recorder",
            Self::Diskcheck(_) => "writer",
        }
    }

    /// The port of a memcached, or a proxy in its place, that serves on TCP.
    pub fn memcached_port(&self) -> Option<u16> {
        match self {
            Self::Memcached(config) => {
                config.endpoints().iter().find_map(storytime_machine::Endpoint::port)
            }
            Self::Mcproxy(config) => {
                config.listen.iter().find_map(storytime_machine::Endpoint::port)
            }
            _ => None,
        }
    }

    /// The port that it listens on, if it does.
    pub fn port(&self) -> Option<u16> {
        match self {
            Self::Diskcheck(diskcheck::Command::Record(config)) => Some(config.port),
            Self::Dbd(config) => Some(config.port),
            Self::Witness(config) => config.listen.port(),
            Self::Gearmand(config) => Some(config.port()),
            Self::MoveCoordinator(config) => Some(config.port),
            _ => self.memcached_port(),
        }
    }

    /// Whether it takes an address that moves between hosts.
    pub fn moves_address(&self) -> bool {
        match self {
            Self::Dbd(config) => config.pair.as_ref().is_some_and(|pair| pair.address.is_some()),
            _ => false,
        }
    }

    /// Whether it ends by itself, so that a run on real sockets has to wait for it.
    pub fn ends(&self) -> bool {
        match self {
            Self::Gearman(tool) => tool.ends(),
            _ => matches!(self, Self::Diskcheck(diskcheck::Command::Verify(_))),
        }
    }

    /// How many processes share its port.
    pub const fn workers(&self) -> u32 {
        match self {
            Self::Memcached(config) => config.threads,
            _ => 1,
        }
    }

    /// Byte caps and water marks.
    pub fn limits(&self) -> Limits {
        match self {
            Self::Memcached(config) => config.limits(),
            Self::Mcproxy(config) => config.limits(),
            Self::Dbd(config) => config.limits(),
            Self::Gearmand(config) => config.limits(),
            Self::Gearman(_) => gearman::tools::limits(),
            _ => Limits::default(),
        }
    }

    /// The kinds of work that it counts.
    pub const fn works(&self) -> &'static [Work] {
        match self {
            Self::Memcached(_) => MEMCACHED_WORKS,
            Self::Mcproxy(_) => MCPROXY_WORKS,
            Self::Dbd(_) => DBD_WORKS,
            Self::Gearmand(_) => GEARMAND_WORKS,
            _ => &[],
        }
    }

    /// What can be measured about it.
    pub const fn metrics(&self) -> &'static [MetricDef] {
        match self {
            Self::Diskcheck(diskcheck::Command::Record(_)) => RECORD_METRICS,
            Self::Diskcheck(diskcheck::Command::Verify(_)) => VERIFY_METRICS,
            Self::Witness(_) | Self::Diskcheck(diskcheck::Command::Write(_)) => &[],
            Self::Memcached(_) => MEMCACHED_METRICS,
            Self::Mcproxy(_) => MCPROXY_METRICS,
            Self::Dbd(_) => DBD_METRICS,
            Self::Gearmand(_) => GEARMAND_METRICS,
            Self::Gearman(_) => PRINTED_METRICS,
            Self::Mover(_) => MOVER_METRICS,
            Self::MoveCoordinator(_) => COORDINATOR_METRICS,
        }
    }

    /// What a real server is asked for its counters.
    pub const fn counters_request(&self) -> &'static str {
        match self {
            Self::Mcproxy(_) => "stats proxy\r\n",
            Self::Dbd(_) => "INFO\r\n",
            Self::Gearmand(_) => "counters\r\n",
            _ => "stats\r\n",
        }
    }

    /// Makes its processes. The workers of one life are made one after the other and share what
    /// threads of one process share.
    pub fn factory(&self, place: &Place) -> Factory {
        match self.clone() {
            Self::Memcached(config) => {
                let (mut made, mut shared) = (0, Arc::new(memcached::Shared::new(&config)));
                Box::new(move |setup| {
                    if made == config.threads {
                        (made, shared) = (0, Arc::new(memcached::Shared::new(&config)));
                    }
                    made += 1;
                    boxed(memcached::Server::new((*config).clone(), Arc::clone(&shared)), setup)
                })
            }
            Self::Mcproxy(config) => Box::new(move |setup| {
                let proxy = mcproxy::Proxy::new(config.clone());
                boxed(proxy.expect("it was compiled when it was read"), setup)
            }),
            Self::Dbd(config) => {
                Box::new(move |setup| boxed(database::Database::new((*config).clone()), setup))
            }
            Self::Gearmand(config) => {
                Box::new(move |setup| boxed(gearman::Gearmand::new((*config).clone()), setup))
            }
            Self::Gearman(tool) => tool.factory(place),
            Self::Witness(config) => {
                Box::new(move |setup| boxed(pair::Witness::new(config.clone()), setup))
            }
            Self::Mover(config) => {
                Box::new(move |setup| boxed(mover::Named::new((*config).clone()), setup))
            }
            Self::MoveCoordinator(config) => {
                Box::new(move |setup| boxed(mover::Named::new(config.clone()), setup))
            }
            Self::Diskcheck(command) => Box::new(move |setup| match command.clone() {
                diskcheck::Command::Record(config) => {
                    boxed(diskcheck::Recorder::new(config), setup)
                }
                diskcheck::Command::Write(config) => boxed(diskcheck::Writer::new(config), setup),
                diskcheck::Command::Verify(config) => {
                    boxed(diskcheck::Verifier::new(config), setup)
                }
            }),
        }
    }
}

fn boxed<M: storytime_machine::Machine>(machine: M, setup: Setup) -> Box<dyn Drive> {
    Box::new(Process::new(machine, setup))
}

/// Every kind of work that `[costs]` may price.
pub fn work_names() -> Vec<&'static str> {
    let programs =
        MEMCACHED_WORKS.iter().chain(MCPROXY_WORKS).chain(DBD_WORKS).chain(GEARMAND_WORKS);
    programs.chain(models::kinds::works()).map(|work| work.name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_line_is_blamed_on_its_program() {
        let error = Program::from_words(&["memcached", "--frobnicate"]).unwrap_err();
        assert!(matches!(error, ProgramError::Usage("memcached", _)));
        let error = Program::from_words(&["mamcached"]).unwrap_err();
        assert_eq!(error, ProgramError::Unknown("mamcached".into()));
        assert_eq!(Program::from_words::<&str>(&[]).unwrap_err(), ProgramError::Nothing);
    }

    #[test]
    fn a_database_is_started_from_words() {
        let program = Program::from_words(&["dbd", "--port", "6380"]).expect("good words");
        assert_eq!((program.port(), program.role()), (Some(6380), "database"));
        let words = ["move-coordinator", "--directory", "db0", "-p", "7011"];
        let program = Program::from_words(&words).expect("good words");
        assert_eq!((program.port(), program.role()), (Some(7011), "coordinator"));
        let error = Program::from_words(&["mover", "--jobs", "0"]).unwrap_err();
        assert!(matches!(error, ProgramError::Usage("mover", _)), "{error}");
        let error = Program::from_words(&["dbd", "--prot", "1"]).unwrap_err();
        assert!(matches!(error, ProgramError::Usage("dbd", _)), "{error}");
    }

    #[test]
    fn a_proxy_is_started_from_words_or_from_a_file() {
        let words = ["mcproxy", "-p", "11311", "--servers", "cache1,cache2"];
        let program = Program::from_words(&words).expect("good words");
        assert_eq!(program.memcached_port(), Some(11311));
        let words = ["mcproxy", "--config", "two-zones.toml", "-p", "7"];
        let program = Program::from_words(&words).expect("a built-in file");
        assert_eq!((program.port(), program.role()), (Some(7), "proxy"));
        let beside = in_folder_of(
            "a/b/story.toml",
            ["mcproxy", "--config", "p.toml"].map(String::from).to_vec(),
        );
        assert_eq!(beside[2], "a/b/p.toml");
        let error = Program::from_words(&["mcproxy", "--config", "no-such.toml"]).unwrap_err();
        assert!(matches!(error, ProgramError::File(_)), "{error}");
    }
}
