//! The command lines of `mover` and `move-coordinator`.

use super::options::{CoordinatorOptions, MoverOptions, PORT};
use crate::map::{ShardId, Store};
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};
use storytime_machine::{Endpoint, IpAddr, UsageError};
use storytime_memcached::client::{Node, ServerSpec};

/// What `mover --help` prints.
pub const MOVER_HELP: &str = "\
Moves users between shards, as the coordinator tells it to.

  mover --coordinator HOST[:PORT] --directory HOST[:PORT][/DB] --shard N=HOST[:PORT][/DB] …

--coordinator HOST[:PORT]     who hands out moves (port 7010)
--directory HOST[:PORT][/DB]  the database that knows where users live (port 6379, database 0)
--shard N=HOST[:PORT][/DB]    where shard N is written; once for each shard
--cache HOST[:PORT]           a memcached with directory entries (port 11211); may be repeated
--jobs N                      moves at once (8)
--read-only-max-ms N          a user who cannot write for longer is moved another time (5000)
--unsharded N                 shard N is the master from before sharding
-h, --help
";

/// What `move-coordinator --help` prints.
pub const COORDINATOR_HELP: &str = "\
Keeps the list of users to be moved and hands them out to movers.

  move-coordinator --directory HOST[:PORT][/DB]

-p, --port N                  where movers connect, and whoever orders moves (7010)
--directory HOST[:PORT][/DB]  the database of the directory; the list is kept there, too
--lease-ms N                  a mover that is silent for so long has lost its moves (5000)
--rescan-ms N                 the list is read again so often (30000)
--unsharded N                 users whom the directory does not know live on shard N
--drop-after-ms N             from a move to the end of the rows on the old shard (60000)
-h, --help

Moves are ordered by lines of text:  printf 'add USER SHARD\\n' | nc HOST 7010
  add USER SHARD [SCHEMA] · cancel USER · status
";

/// Most shards and caches that can be named.
const NAMED_MAX: usize = 4096;

/// Somebody in the network: a name or an address, a port, and for databases a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Database, as in `SELECT`.
    pub select: u32,
}

/// Addresses of names.
pub type Known = BTreeMap<String, IpAddr>;

/// Options of a mover, names not looked up yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MoverConfig {
    /// `--coordinator`.
    pub coordinator: Address,
    /// `--directory`.
    pub directory: Address,
    /// `--shard`.
    pub shards: BTreeMap<ShardId, Address>,
    /// `--cache`.
    pub caches: Vec<Address>,
    /// `--jobs`.
    pub jobs_max: u32,
    /// `--read-only-max-ms`.
    pub read_only_max: Duration,
    /// `--unsharded`.
    pub unsharded: Option<ShardId>,
}

/// Options of a coordinator, names not looked up yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CoordinatorConfig {
    /// `--port`.
    pub port: u16,
    /// `--directory`.
    pub directory: Address,
    /// `--lease-ms`.
    pub lease: Duration,
    /// `--rescan-ms`.
    pub rescan: Duration,
    /// `--drop-after-ms`.
    pub drop_after: Duration,
    /// `--unsharded`.
    pub unsharded: Option<ShardId>,
}

impl Address {
    /// Reads `HOST[:PORT][/DB]`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str, port: u16) -> Result<Self, UsageError> {
        let wrong = || UsageError(format!("{text} is not of the form HOST[:PORT][/DB]"));
        let (rest, select) = match text.split_once('/') {
            Some((rest, select)) => (rest, select.parse().map_err(|_| wrong())?),
            None => (text, 0),
        };
        let (host, port) = match rest.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().map_err(|_| wrong())?),
            None => (rest, port),
        };
        if host.is_empty() || host.len() > 253 {
            return Err(wrong());
        }
        Ok(Self { host: host.to_owned(), port, select })
    }

    /// Where it is, if its host is an address or known.
    pub fn endpoint(&self, known: &Known) -> Option<Endpoint> {
        let ip = self.host.parse().ok().or_else(|| known.get(&self.host).copied())?;
        Some(Endpoint::tcp(ip, self.port))
    }

    fn store(&self, known: &Known) -> Option<Store> {
        Some(Store { at: self.endpoint(known)?, select: self.select })
    }
}

/// Options in pairs of name and value; `None` if help is asked for.
fn pairs<'a>(words: &[&'a str]) -> Result<Option<Vec<(&'a str, &'a str)>>, UsageError> {
    if words.iter().any(|word| matches!(*word, "-h" | "--help")) {
        return Ok(None);
    }
    let pair = |two: &[&'a str]| match two {
        [name, value] => Ok((*name, *value)),
        rest => Err(UsageError(format!("{} needs a value", rest.join(" ")))),
    };
    words.chunks(2).map(pair).collect::<Result<Vec<_>, _>>().map(Some)
}

fn number<T: core::str::FromStr>(name: &str, value: &str) -> Result<T, UsageError> {
    value.parse().map_err(|_| UsageError(format!("{name} takes a number, not {value}")))
}

fn unknown(name: &str) -> UsageError {
    UsageError(format!("there is no option {name}"))
}

fn needed<T>(option: Option<T>, name: &str) -> Result<T, UsageError> {
    option.ok_or_else(|| UsageError(format!("{name} is missing")))
}

impl MoverConfig {
    /// Reads the words behind `mover`; `None` if they ask for help.
    ///
    /// # Errors
    /// The first mistake.
    pub fn from_words<W: AsRef<str>>(words: &[W]) -> Result<Option<Self>, UsageError> {
        let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
        let Some(pairs) = pairs(&words)? else { return Ok(None) };
        let (mut coordinator, mut directory) = (None, None);
        let (mut shards, mut caches) = (BTreeMap::new(), Vec::new());
        let (mut jobs_max, mut read_only_ms, mut unsharded) = (8, 5_000, None);
        for (name, value) in pairs {
            match name {
                "--coordinator" => coordinator = Some(Address::parse(value, PORT)?),
                "--directory" => {
                    directory = Some(Address::parse(value, storytime_database::PORT)?);
                }
                "--shard" => {
                    let wrong = || UsageError(format!("--shard takes N=HOST, not {value}"));
                    let (shard, at) = value.split_once('=').ok_or_else(wrong)?;
                    let shard = ShardId(number(name, shard)?);
                    shards.insert(shard, Address::parse(at, storytime_database::PORT)?);
                }
                "--cache" => caches.push(Address::parse(value, 11211)?),
                "--jobs" => jobs_max = number(name, value)?,
                "--read-only-max-ms" => read_only_ms = number(name, value)?,
                "--unsharded" => unsharded = Some(ShardId(number(name, value)?)),
                other => return Err(unknown(other)),
            }
        }
        if !(1..=1_000).contains(&jobs_max) {
            return Err(UsageError("--jobs takes 1 to 1000".to_owned()));
        }
        if shards.len() < 2 || shards.len() + caches.len() > NAMED_MAX {
            return Err(UsageError(
                "a mover needs two shards or more, named by --shard".to_owned(),
            ));
        }
        Ok(Some(Self {
            coordinator: needed(coordinator, "--coordinator")?,
            directory: needed(directory, "--directory")?,
            shards,
            caches,
            jobs_max,
            read_only_max: Duration::from_millis(read_only_ms),
            unsharded,
        }))
    }

    /// Names to be looked up.
    pub fn names(&self) -> BTreeSet<String> {
        let all = [&self.coordinator, &self.directory].into_iter();
        names(all.chain(self.shards.values()).chain(&self.caches))
    }

    /// The options, once all names are known.
    pub fn options(&self, known: &Known) -> Option<MoverOptions> {
        let shards = self.shards.iter().map(|(id, at)| Some((*id, at.store(known)?)));
        let shards = shards.collect::<Option<_>>()?;
        let coordinator = self.coordinator.endpoint(known)?;
        let mut options = MoverOptions::new(coordinator, self.directory.store(known)?, shards);
        options.jobs_max = self.jobs_max;
        options.job.read_only_max = self.read_only_max;
        options.job.unsharded = self.unsharded;
        let cache = |at: &Address| {
            // Keys are placed by what was typed, as all other clients do.
            let node = Node::new(at.host.clone(), at.port);
            Some(ServerSpec { node, at: at.endpoint(known)? })
        };
        options.caches = self.caches.iter().map(cache).collect::<Option<_>>()?;
        Some(options)
    }
}

impl CoordinatorConfig {
    /// Reads the words behind `move-coordinator`; `None` if they ask for help.
    ///
    /// # Errors
    /// The first mistake.
    pub fn from_words<W: AsRef<str>>(words: &[W]) -> Result<Option<Self>, UsageError> {
        let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
        let Some(pairs) = pairs(&words)? else { return Ok(None) };
        let (mut port, mut directory) = (PORT, None);
        let (mut lease_ms, mut drop_after_ms, mut rescan_ms) = (5_000, 60_000, 30_000);
        let mut unsharded = None;
        for (name, value) in pairs {
            match name {
                "-p" | "--port" => port = number(name, value)?,
                "--directory" => {
                    directory = Some(Address::parse(value, storytime_database::PORT)?);
                }
                "--rescan-ms" => rescan_ms = number(name, value)?,
                "--lease-ms" => lease_ms = number(name, value)?,
                "--drop-after-ms" => drop_after_ms = number(name, value)?,
                "--unsharded" => unsharded = Some(ShardId(number(name, value)?)),
                other => return Err(unknown(other)),
            }
        }
        Ok(Some(Self {
            port,
            directory: needed(directory, "--directory")?,
            lease: Duration::from_millis(lease_ms),
            drop_after: Duration::from_millis(drop_after_ms),
            rescan: Duration::from_millis(rescan_ms),
            unsharded,
        }))
    }

    /// Names to be looked up.
    pub fn names(&self) -> BTreeSet<String> {
        names(core::iter::once(&self.directory))
    }

    /// The options, once all names are known.
    pub fn options(&self, known: &Known) -> Option<CoordinatorOptions> {
        let mut options = CoordinatorOptions::new(self.directory.store(known)?);
        options.port = self.port;
        options.delays.lease = self.lease;
        options.delays.drop_after = self.drop_after;
        options.rescan = self.rescan;
        options.unsharded = self.unsharded;
        Some(options)
    }
}

fn names<'a>(all: impl Iterator<Item = &'a Address>) -> BTreeSet<String> {
    let named = all.filter(|at| at.host.parse::<IpAddr>().is_err());
    named.map(|at| at.host.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mover_is_described_by_its_command_line() {
        let line = "--coordinator boss --directory db0/2 --shard 1=10.0.0.1/1 --shard 2=db2:7000 \
                    --cache mc1 --jobs 3";
        let words: Vec<&str> = line.split_whitespace().collect();
        let config = MoverConfig::from_words(&words).expect("a good line").expect("no help");
        assert_eq!(config.names().len(), 4);
        assert!(config.options(&Known::new()).is_none(), "names are not known yet");
        let ip: IpAddr = [10, 0, 0, 9].into();
        let known = config.names().into_iter().map(|name| (name, ip)).collect();
        let options = config.options(&known).expect("now they are");
        assert_eq!(options.coordinator, Endpoint::tcp(ip, PORT));
        let first = Store { at: Endpoint::tcp([10, 0, 0, 1], 6379), select: 1 };
        assert_eq!(options.shards[&ShardId(1)], first);
        assert_eq!((options.directory.select, options.jobs_max), (2, 3));
    }

    #[test]
    fn wrong_lines_say_what_is_wrong() {
        let wrong = |line: &str| {
            let words: Vec<&str> = line.split_whitespace().collect();
            MoverConfig::from_words(&words).expect_err(line).0
        };
        assert_eq!(wrong("--frob 1"), "there is no option --frob");
        assert_eq!(wrong("--jobs"), "--jobs needs a value");
        assert_eq!(wrong("--jobs x"), "--jobs takes a number, not x");
        assert_eq!(wrong("--shard 1=a --shard 2=b"), "--coordinator is missing");
        assert_eq!(wrong("--directory :1"), ":1 is not of the form HOST[:PORT][/DB]");
        let help = CoordinatorConfig::from_words(&["-h"]).expect("help is no mistake");
        assert_eq!(help, None);
        let none: [&str; 0] = [];
        let error = CoordinatorConfig::from_words(&none).expect_err("it needs a directory");
        assert_eq!(error.0, "--directory is missing");
    }
}
