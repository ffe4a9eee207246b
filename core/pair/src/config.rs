//! Options of both programs, and the command line of the witness.

use bytes::Bytes;
use core::fmt;
use core::time::Duration;
use storytime_machine::{Endpoint, IpAddr, disk, nanos};

/// Shortest lease: below it, timers and round trips would fill it.
pub const LEASE_MIN: Duration = Duration::from_millis(100);
/// Longest lease.
pub const LEASE_MAX: Duration = Duration::from_secs(600);
/// Most directories that one pair mirrors.
pub const DIRS_MAX: usize = 16;
/// Where a witness listens unless told otherwise.
pub const WITNESS_PORT: u16 = 7000;
/// How far a host's clock may be off, parts per million of elapsed time. The lease's margin is
/// twice this, because two clocks are involved. Quartz is a hundred times better.
pub const DRIFT_PPM: u32 = 10_000;

/// Options of one half of a pair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PairConfig {
    /// Where this half listens for the other one; on a private network, as there is no
    /// authentication.
    pub listen: Endpoint,
    /// Where the other half listens.
    pub peer: Endpoint,
    /// Who decides between them.
    pub witness: Endpoint,
    /// The address that moves with the active role.
    pub address: Option<IpAddr>,
    /// Which half is active on a fresh pair. It also tells the two halves apart: exactly one of
    /// them has it.
    pub prefer_active: bool,
    /// The mirrored directories, below the process's data directory. Each holds files alone, and
    /// everything in them is replicated. Operations anywhere else go to the own disk only.
    pub dirs: Vec<Bytes>,
    /// The directory for the pair's own marks; never mirrored.
    pub own_dir: Bytes,
    /// How long the active half may serve without word from the witness or the other half. The
    /// same on both halves.
    pub lease: Duration,
    /// How often it asks.
    pub heartbeat: Duration,
    /// Silence after which the active half gives the other one up.
    pub peer_timeout: Duration,
    /// How long the other half may take over a flush before it is given up, too.
    pub flush_timeout: Duration,
    /// A mistake to be found by tests.
    #[doc(hidden)]
    pub bug: Option<Bug>,
}

/// Mistakes that a careless implementation would make, for tests that must find them.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// A flush completes before the other half has it.
    AckBeforePeer,
    /// The other half is left behind without any durable mark.
    NoBehindMark,
    /// The lease is used up to its last nanosecond, and then some drift.
    NoDriftMargin,
    /// The resync leaves out a block of each file.
    ForgetsBlock,
    /// A half counts as equal before its resync has ended.
    JoinsEarly,
}

impl PairConfig {
    /// A lease of three seconds, a heartbeat of half a second, the directory `journal`.
    pub fn new(listen: Endpoint, peer: Endpoint, witness: Endpoint) -> Self {
        Self {
            listen,
            peer,
            witness,
            address: None,
            prefer_active: false,
            dirs: vec![Bytes::from_static(b"journal")],
            own_dir: Bytes::from_static(b"pair"),
            lease: Duration::from_secs(3),
            heartbeat: Duration::from_millis(500),
            peer_timeout: Duration::from_millis(1_500),
            flush_timeout: Duration::from_secs(10),
            bug: None,
        }
    }

    /// Asserts what makes no sense.
    ///
    /// # Panics
    /// If the lease is out of bounds or shorter than two heartbeats, or a directory is the data
    /// directory itself, below another one, or the pair's own.
    pub fn assert_valid(&self) {
        assert!(self.lease >= LEASE_MIN && self.lease <= LEASE_MAX, "a lease within bounds");
        assert!(!self.heartbeat.is_zero(), "a heartbeat has a length");
        assert!(self.heartbeat * 2 <= self.lease, "a lease outlives a lost heartbeat");
        assert!(self.peer_timeout >= self.heartbeat * 2, "one late heartbeat is no death");
        assert!(!self.dirs.is_empty() && self.dirs.len() <= DIRS_MAX, "directories to mirror");
        for dir in self.dirs.iter().chain([&self.own_dir]) {
            assert!(!dir.is_empty() && disk::path_is_valid(dir), "a directory below the data");
        }
        let own = |dir: &Bytes| *dir == self.own_dir;
        assert!(!self.dirs.iter().any(own), "the pair's own directory is not mirrored");
    }

    /// How long a lease may be used, counted from when it was asked for: shorter than the lease by
    /// what two clocks may differ.
    pub(crate) fn trusted(&self) -> Duration {
        if self.bug == Some(Bug::NoDriftMargin) {
            return self.lease;
        }
        let ns = nanos(self.lease);
        Duration::from_nanos(ns - ns / 1_000_000 * 2 * u64::from(DRIFT_PPM))
    }
}

/// Options of a witness.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WitnessConfig {
    /// Where it listens.
    pub listen: Endpoint,
    /// The directory of its record, below the process's data directory.
    pub dir: Bytes,
}

impl Default for WitnessConfig {
    fn default() -> Self {
        Self { listen: Endpoint::any(WITNESS_PORT), dir: Bytes::from_static(b"witness") }
    }
}

/// What `witness --help` prints.
pub const WITNESS_HELP: &str = "\
Decides which half of a pair of databases or job servers serves. Runs on a third host.

  witness [--port PORT] [--dir DIR]

  --port PORT   where the halves ask (7000)
  --dir DIR     where its record is kept (witness)

The two halves are told of it with dbd --witness HOST:PORT, or gearmand --relay-witness HOST:PORT.
There is no authentication, here or at their --pair-listen and --relay-listen ports: whoever
reaches one is believed. Keep them on a private network.
";

/// What a witness's command line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WitnessCommand {
    /// Serve.
    Serve(WitnessConfig),
    /// `--help`.
    Help,
}

/// A mistake in the command line: the user's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UsageError {
    /// No such option.
    UnknownOption(String),
    /// The option needs a value and the line ends.
    NoValue(&'static str),
    /// The value is none that the option can have; what it can have.
    BadValue(&'static str, String, &'static str),
}

impl fmt::Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownOption(word) => {
                write!(f, "no option '{word}'; expected --port, --dir or --help")
            }
            Self::NoValue(option) => write!(f, "{option} needs a value"),
            Self::BadValue(option, value, expected) => {
                write!(f, "{option} '{value}': expected {expected}")
            }
        }
    }
}

impl std::error::Error for UsageError {}

impl WitnessCommand {
    /// Reads the words behind `witness`.
    ///
    /// # Errors
    /// The first mistake, and what would be right.
    pub fn from_words<W: AsRef<str>>(words: &[W]) -> Result<Self, UsageError> {
        let mut config = WitnessConfig::default();
        let mut words = words.iter().map(AsRef::as_ref);
        while let Some(word) = words.next() {
            match word {
                "-h" | "--help" => return Ok(Self::Help),
                "-p" | "--port" => {
                    let value = words.next().ok_or(UsageError::NoValue("--port"))?;
                    let port = value.parse().ok().filter(|&port| port > 0).ok_or_else(|| {
                        UsageError::BadValue("--port", value.into(), "a port from 1 to 65535")
                    })?;
                    config.listen = Endpoint::any(port);
                }
                "--dir" => {
                    let value = words.next().ok_or(UsageError::NoValue("--dir"))?;
                    if value.is_empty() || !disk::path_is_valid(value.as_bytes()) {
                        let expected = "a path below the data directory, without '.' or '..'";
                        return Err(UsageError::BadValue("--dir", value.into(), expected));
                    }
                    config.dir = Bytes::copy_from_slice(value.as_bytes());
                }
                other => return Err(UsageError::UnknownOption(other.into())),
            }
        }
        Ok(Self::Serve(config))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_witness_is_told_where_to_listen_and_where_to_keep_its_record() {
        let words = ["--port", "7100", "--dir", "a/b"];
        let Ok(WitnessCommand::Serve(config)) = WitnessCommand::from_words(&words) else {
            panic!("a good line");
        };
        assert_eq!((config.listen.port(), &config.dir[..]), (Some(7100), &b"a/b"[..]));
        for (line, says) in [
            ("--port", "--port needs a value"),
            ("--port 0", "--port '0': expected a port from 1 to 65535"),
            ("--frob", "no option '--frob'; expected --port, --dir or --help"),
            (
                "--dir ../a",
                "--dir '../a': expected a path below the data directory, without '.' or '..'",
            ),
        ] {
            let words: Vec<_> = line.split(' ').collect();
            let error = WitnessCommand::from_words(&words).map_err(|error| error.to_string());
            assert_eq!(error, Err(says.to_owned()), "{line}");
        }
    }

    #[test]
    fn the_help_says_where_a_witness_may_be() {
        assert!(WITNESS_HELP.contains("no authentication"));
        assert!(WITNESS_HELP.contains("private network"));
        assert!(WITNESS_HELP.lines().all(|line| line.len() <= 100));
    }

    #[test]
    fn a_lease_is_trusted_for_less_than_any_two_clocks_within_the_bound_could_differ() {
        let any = Endpoint::any(1);
        let config = PairConfig::new(any.clone(), any.clone(), any);
        config.assert_valid();
        let (lease, trusted) = (nanos(config.lease), nanos(config.trusted()));
        // The holder's clock is slow, the other's is fast: in true time the trust ends first.
        let (parts, off) = (1_000_000_u128, u128::from(DRIFT_PPM));
        let held = u128::from(trusted) * parts * parts / (parts - off);
        let granted = u128::from(lease) * parts * parts / (parts + off);
        assert!(held <= granted, "{held} {granted}");
    }
}
