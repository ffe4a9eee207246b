//! Command lines of the three commands.
//!
//! ```text
//! diskcheck record [-p PORT] [--steps-max N]
//! diskcheck write  --recorder HOST[:PORT] [--blocks N] [--block-bytes N] [--outstanding N]
//!                  [--steps N] [--run N] FILE
//! diskcheck verify --recorder HOST[:PORT] [--run N] FILE
//! ```

use crate::step::{BLOCK_BYTES_MAX, BLOCKS_MAX, SECTOR_BYTES};
use crate::wire::Shape;
use core::fmt;
use core::str::FromStr;
use storytime_machine::{Addr, IpAddr, disk};

/// Where recorders listen unless told otherwise.
pub const PORT: u16 = 5400;
/// Most steps that a recorder remembers unless told otherwise; some 24 bytes each.
pub const STEPS_MAX: u32 = 1 << 20;
/// Most steps of a writer under way at once.
pub const OUTSTANDING_MAX: u32 = 64;
/// Longest file name, bytes: leaves room for the endings of the small files.
pub const FILE_NAME_BYTES_MAX: usize = 200;
const HOST_BYTES_MAX: usize = 253;

/// One command line, understood.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Command {
    /// Remember what writers report.
    Record(RecorderConfig),
    /// Write until told to stop or the power dies.
    Write(WriterConfig),
    /// After the cut: compare the disk with what was reported.
    Verify(VerifierConfig),
}

/// Help for a terminal, one screen.
pub const HELP: &str = "\
Does your disk keep what fsync promised? Write, flush, tell another machine, pull the plug, check.

On a machine that stays up:
  diskcheck record [-p PORT] [--steps-max N]

On the machine under test, until its plug is pulled:
  diskcheck write --recorder HOST[:PORT] [--blocks N] [--block-bytes N] [--outstanding N]
                  [--steps N] [--run N] FILE

On the same machine, when it is back:
  diskcheck verify --recorder HOST[:PORT] [--run N] FILE

verify prints what was acknowledged, what survived, and which layer must have lied: the file system,
the controller or the drive. It exits with 0 if nothing is lost, 1 if something is, 2 if the command
line is wrong. FILE is made where there is none; files of its name with an ending lie beside it.

  -p, --port PORT      where the recorder listens (5400)
  --steps-max N        steps the recorder remembers (1048576)
  --blocks N           size of FILE in blocks
  --block-bytes N      size of a block, bytes
  --outstanding N      steps under way at once
  --steps N            stop after so many; without it, write until stopped
  --run N              name of the run; drawn by the writer, and verify takes the latest
";

/// Reads command lines.
#[derive(Clone, Copy, Debug)]
pub struct Config;

/// Options of the recorder.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RecorderConfig {
    /// TCP port to listen on, on every address.
    pub port: u16,
    /// Most steps remembered, all runs together.
    pub steps_max: u32,
}

/// Options of the writer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WriterConfig {
    /// Who remembers.
    pub recorder: Host,
    /// Blocks of the overwritten file.
    pub blocks: u32,
    /// Length of a block, bytes.
    pub block_bytes: u32,
    /// Most steps under way at once. Fewer give sharper evidence of the order in which a disk
    /// forgets.
    pub outstanding: u32,
    /// End by itself after so many acknowledged steps; otherwise never.
    pub steps: Option<u32>,
    /// Number of the run; drawn at random otherwise.
    pub run: Option<u64>,
    /// The file to overwrite; a log and small files are put beside it.
    pub file: String,
}

/// Options of the verifier.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VerifierConfig {
    /// Who remembers.
    pub recorder: Host,
    /// Number of the run; the one begun last otherwise.
    pub run: Option<u64>,
    /// The file that was given to the writer.
    pub file: String,
}

/// A host by name or address, and a port.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Host {
    /// Which host.
    pub name: HostName,
    /// Which port.
    pub port: u16,
}

/// A host by name or address.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum HostName {
    /// To be looked up.
    Name(String),
    /// Known.
    Ip(IpAddr),
}

/// What is wrong with a command line: the user's mistake.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum UsageError {
    /// Neither `record`, `write` nor `verify`.
    UnknownCommand(String),
    /// No such option for this command.
    UnknownOption(String),
    /// The option needs a value and the line ends.
    NoValue(&'static str),
    /// The value is none that the option can have; what it can have.
    BadValue(&'static str, String, &'static str),
    /// This must be given.
    Missing(&'static str),
    /// A word too many.
    Unexpected(String),
}

impl fmt::Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownCommand(word) => {
                write!(f, "'{word}' is not a command; expected record, write or verify")
            }
            Self::UnknownOption(word) => write!(f, "no option '{word}' here"),
            Self::NoValue(option) => write!(f, "{option} needs a value"),
            Self::BadValue(option, value, expected) => {
                write!(f, "{option} '{value}': expected {expected}")
            }
            Self::Missing(what) => write!(f, "{what} is missing"),
            Self::Unexpected(word) => write!(f, "unexpected '{word}'"),
        }
    }
}

impl std::error::Error for UsageError {}

impl Config {
    /// Reads the words behind `diskcheck`.
    ///
    /// # Errors
    /// If they are no command line; the message says what was expected.
    pub fn from_words<S: AsRef<str>>(words: &[S]) -> Result<Command, UsageError> {
        let mut words = Words { rest: words, file: None };
        match words.next() {
            Some("record") => record(words).map(Command::Record),
            Some("write") => write(words).map(Command::Write),
            Some("verify") => verify(words).map(Command::Verify),
            Some(other) => Err(UsageError::UnknownCommand(other.into())),
            None => Err(UsageError::Missing("the command (record, write or verify)")),
        }
    }
}

struct Words<'a, S> {
    rest: &'a [S],
    file: Option<String>,
}

impl<'a, S: AsRef<str>> Words<'a, S> {
    fn next(&mut self) -> Option<&'a str> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(first.as_ref())
    }

    fn value<T: FromStr>(
        &mut self,
        option: &'static str,
        expected: &'static str,
        fits: impl FnOnce(&T) -> bool,
    ) -> Result<T, UsageError> {
        let word = self.next().ok_or(UsageError::NoValue(option))?;
        let value = word.parse().ok().filter(|value| fits(value));
        value.ok_or_else(|| UsageError::BadValue(option, word.into(), expected))
    }

    fn run(&mut self) -> Result<u64, UsageError> {
        self.value("--run", "a number", |_| true)
    }

    fn recorder(&mut self) -> Result<Host, UsageError> {
        self.value("--recorder", "HOST or HOST:PORT", |_| true)
    }

    /// A word that is no option of the command: the file, once.
    fn other(&mut self, word: &str) -> Result<(), UsageError> {
        if word.starts_with('-') {
            return Err(UsageError::UnknownOption(word.into()));
        }
        if self.file.is_some() {
            return Err(UsageError::Unexpected(word.into()));
        }
        let fits = word.len() <= FILE_NAME_BYTES_MAX && disk::path_is_valid(word.as_bytes());
        if !fits || word.is_empty() {
            let expected = "a path below the data directory, without '.' or '..'";
            return Err(UsageError::BadValue("FILE", word.into(), expected));
        }
        self.file = Some(word.into());
        Ok(())
    }
}

fn record<S: AsRef<str>>(mut words: Words<'_, S>) -> Result<RecorderConfig, UsageError> {
    let mut config = RecorderConfig { port: PORT, steps_max: STEPS_MAX };
    while let Some(word) = words.next() {
        match word {
            "-p" | "--port" => {
                config.port = words.value("-p", "a port from 1 to 65535", |&p| p > 0)?;
            }
            "--steps-max" => {
                config.steps_max = words
                    .value("--steps-max", "1 to 1000000000", |n| (1..=1_000_000_000).contains(n))?;
            }
            _ if word.starts_with('-') => return Err(UsageError::UnknownOption(word.into())),
            _ => return Err(UsageError::Unexpected(word.into())),
        }
    }
    Ok(config)
}

fn write<S: AsRef<str>>(mut words: Words<'_, S>) -> Result<WriterConfig, UsageError> {
    let (mut recorder, mut blocks, mut block_bytes) = (None, 64, 4096);
    let (mut outstanding, mut steps, mut run) = (2, None, None);
    while let Some(word) = words.next() {
        match word {
            "--recorder" => recorder = Some(words.recorder()?),
            "--blocks" => {
                blocks =
                    words.value("--blocks", "1 to 1048576", |n| (1..=BLOCKS_MAX).contains(n))?;
            }
            "--block-bytes" => {
                block_bytes =
                    words.value("--block-bytes", "512 to 1048576, in 512s", |&n: &u32| {
                        n.is_multiple_of(SECTOR_BYTES as u32) && (1..=BLOCK_BYTES_MAX).contains(&n)
                    })?;
            }
            "--outstanding" => {
                outstanding = words
                    .value("--outstanding", "1 to 64", |n| (1..=OUTSTANDING_MAX).contains(n))?;
            }
            "--steps" => steps = Some(words.value("--steps", "a number above 0", |&n| n > 0)?),
            "--run" => run = Some(words.run()?),
            _ => words.other(word)?,
        }
    }
    assert!(Shape { run: 0, blocks, block_bytes }.is_valid(), "options were checked one by one");
    let recorder = recorder.ok_or(UsageError::Missing("--recorder HOST[:PORT]"))?;
    let file = words.file.ok_or(UsageError::Missing("FILE"))?;
    Ok(WriterConfig { recorder, blocks, block_bytes, outstanding, steps, run, file })
}

fn verify<S: AsRef<str>>(mut words: Words<'_, S>) -> Result<VerifierConfig, UsageError> {
    let (mut recorder, mut run) = (None, None);
    while let Some(word) = words.next() {
        match word {
            "--recorder" => recorder = Some(words.recorder()?),
            "--run" => run = Some(words.run()?),
            _ => words.other(word)?,
        }
    }
    let recorder = recorder.ok_or(UsageError::Missing("--recorder HOST[:PORT]"))?;
    let file = words.file.ok_or(UsageError::Missing("FILE"))?;
    Ok(VerifierConfig { recorder, run, file })
}

impl FromStr for Host {
    type Err = ();

    fn from_str(word: &str) -> Result<Self, ()> {
        if let Ok(ip) = word.parse::<IpAddr>() {
            return Ok(Self { name: HostName::Ip(ip), port: PORT });
        }
        if let Ok(addr) = word.parse::<Addr>() {
            return Ok(Self { name: HostName::Ip(addr.ip()), port: addr.port() });
        }
        let (name, port) = match word.split_once(':') {
            None => (word, PORT),
            Some((name, port)) => (name, port.parse().map_err(|_| ())?),
        };
        let fits = (1..=HOST_BYTES_MAX).contains(&name.len())
            && !name.starts_with('-')
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
        if fits && port > 0 {
            Ok(Self { name: HostName::Name(name.into()), port })
        } else {
            Err(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Command, UsageError> {
        Config::from_words(&line.split_whitespace().collect::<Vec<_>>())
    }

    #[test]
    fn command_lines_are_understood() {
        let record = RecorderConfig { port: 5400, steps_max: STEPS_MAX };
        assert_eq!(parse("record"), Ok(Command::Record(record.clone())));
        assert_eq!(
            parse("record -p 99"),
            Ok(Command::Record(RecorderConfig { port: 99, ..record }))
        );
        let Ok(Command::Write(write)) = parse("write --recorder alive:7 --run 3 --blocks 8 db/f")
        else {
            panic!("a write command");
        };
        assert_eq!(write.recorder, Host { name: HostName::Name("alive".into()), port: 7 });
        assert_eq!((write.blocks, write.block_bytes, write.run), (8, 4096, Some(3)));
        assert_eq!(write.file, "db/f");
        let Ok(Command::Verify(verify)) = parse("verify --recorder 10.0.0.2 f") else {
            panic!("a verify command");
        };
        let ip = HostName::Ip("10.0.0.2".parse().unwrap());
        assert_eq!(verify.recorder, Host { name: ip, port: 5400 });
        assert_eq!((verify.run, verify.file.as_str()), (None, "f"));
    }

    #[test]
    fn mistakes_are_named() {
        for (line, says) in [
            ("", "the command (record, write or verify) is missing"),
            ("frob", "'frob' is not a command; expected record, write or verify"),
            ("record -p", "-p needs a value"),
            ("record -p 0", "-p '0': expected a port from 1 to 65535"),
            ("record x", "unexpected 'x'"),
            ("record --frob", "no option '--frob' here"),
            ("write f", "--recorder HOST[:PORT] is missing"),
            ("write --recorder a", "FILE is missing"),
            ("write --recorder a f g", "unexpected 'g'"),
            ("write --recorder a:b f", "--recorder 'a:b': expected HOST or HOST:PORT"),
            ("write --blocks 0 f", "--blocks '0': expected 1 to 1048576"),
            ("write --block-bytes 100 f", "--block-bytes '100': expected 512 to 1048576, in 512s"),
            ("verify --blocks 4 f", "no option '--blocks' here"),
            (
                "verify --recorder a ../f",
                "FILE '../f': expected a path below the data directory, without '.' or '..'",
            ),
        ] {
            assert_eq!(parse(line).map_err(|e| e.to_string()), Err(says.to_owned()), "{line}");
        }
    }

    #[test]
    fn hosts_may_be_addresses_of_both_kinds() {
        for (word, port) in [("::1", 5400), ("[::1]:9", 9), ("10.0.0.1:8", 8)] {
            let host: Host = word.parse().unwrap();
            assert!(matches!(host.name, HostName::Ip(_)) && host.port == port, "{word}");
        }
        for bad in ["", ":1", "a:0", "a b", "a:99999", "-a"] {
            assert!(bad.parse::<Host>().is_err(), "{bad}");
        }
    }
}
