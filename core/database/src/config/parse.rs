//! Reading the words.

use super::{Command, Config, Durability, MasterMaster, Paging, PairPlaces, Place};
use bytes::Bytes;
use core::str::FromStr;
use core::time::Duration;
use storytime_machine::{IpAddr, UsageError, disk};

/// Options that take words.
const OPTIONS: &[&str] = &[
    "--port",
    "--bind",
    "--dir",
    "--databases",
    "--maxclients",
    "--maxmemory",
    "--requirepass",
    "--appendfsync",
    "--appendonly",
    "--checkpoint-bytes",
    "--read-only",
    "--max-runnable",
    "--runnable-waits",
    "--connection-memory",
    "--pages",
    "--pool-pages",
    "--apply-ahead",
    "--page-rows",
    "--replicaof",
    "--min-replicas-to-write",
    "--min-replicas-max-lag",
    "--master-master",
    "--server-number",
    "--servers",
    "--pair",
    "--pair-listen",
    "--witness",
    "--address",
    "--prefer-active",
    "--help",
    "--version",
];

/// Most numbered databases.
const DATABASES_MAX: u32 = 1 << 20;
/// Rows on a page if nothing is said.
const PAGE_ROWS: u64 = 16;

/// What belongs together and may come in any order.
#[derive(Default)]
struct Loose {
    pages: Option<u64>,
    pool_pages: Option<u64>,
    apply_ahead: Option<u64>,
    page_rows: Option<u64>,
    append_only: Option<bool>,
    fsync: Option<bool>,
    other_master: Option<Place>,
    server_number: Option<u32>,
    servers: Option<u32>,
    peer: Option<Place>,
    pair_listen: Option<u16>,
    witness: Option<Place>,
    address: Option<IpAddr>,
    prefer_active: bool,
}

/// The words that are left.
struct Words<'a> {
    rest: std::slice::Iter<'a, &'a str>,
    option: String,
    /// The value behind a `=`.
    glued: Option<&'a str>,
}

impl<'a> Words<'a> {
    fn value(&mut self, wanted: &str) -> Result<&'a str, UsageError> {
        let value = self.glued.take().or_else(|| self.rest.next().copied());
        let missing = || UsageError(format!("{} needs {wanted}", self.option));
        value.filter(|value| !value.starts_with("--")).ok_or_else(missing)
    }

    fn wrong(&self, value: &str, wanted: &str) -> UsageError {
        UsageError(format!("{} {value}: expected {wanted}", self.option))
    }

    fn number<N: FromStr>(&mut self, wanted: &str) -> Result<N, UsageError> {
        let value = self.value(wanted)?;
        value.parse().map_err(|_| self.wrong(value, wanted))
    }

    fn bytes(&mut self) -> Result<u64, UsageError> {
        const WANTED: &str = "bytes, such as 1000000, 512k, 64m or 2g";
        let value = self.value(WANTED)?;
        let small = value.to_ascii_lowercase();
        let small = small.strip_suffix('b').unwrap_or(&small);
        let (digits, shift) = match small.as_bytes().last() {
            Some(b'k') => (&small[..small.len() - 1], 10),
            Some(b'm') => (&small[..small.len() - 1], 20),
            Some(b'g') => (&small[..small.len() - 1], 30),
            _ => (small, 0),
        };
        let n = digits.parse::<u64>().ok().and_then(|n| n.checked_mul(1 << shift));
        n.ok_or_else(|| self.wrong(value, WANTED))
    }

    fn yes_or_no(&mut self) -> Result<bool, UsageError> {
        match self.value("yes or no")? {
            "yes" => Ok(true),
            "no" => Ok(false),
            other => Err(self.wrong(other, "yes or no")),
        }
    }

    /// A host and a port as two words.
    fn host_and_port(&mut self) -> Result<Place, UsageError> {
        const WANTED: &str = "a host and a port, such as 10.0.0.5 6379";
        let host = self.value(WANTED)?;
        if let Some((host, port)) = host.split_once(' ') {
            return place(host, port).ok_or_else(|| self.wrong(host, WANTED));
        }
        let port = self.value(WANTED)?;
        place(host, port).ok_or_else(|| self.wrong(&format!("{host} {port}"), WANTED))
    }

    /// A host and a port as one word.
    fn address(&mut self) -> Result<Place, UsageError> {
        const WANTED: &str = "a host and a port, such as 10.0.0.5:7000";
        let value = self.value(WANTED)?;
        let found = value.rsplit_once(':').and_then(|(host, port)| place(host, port));
        found.ok_or_else(|| self.wrong(value, WANTED))
    }
}

fn place(host: &str, port: &str) -> Option<Place> {
    let port = port.parse::<u16>().ok().filter(|&port| port > 0)?;
    (!host.is_empty()).then(|| Place { host: host.to_owned(), port })
}

pub(super) fn command<W: AsRef<str>>(words: &[W]) -> Result<Command, UsageError> {
    let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
    let mut words = Words { rest: words.iter(), option: String::new(), glued: None };
    let (mut config, mut loose) = (Config::default(), Loose::default());
    while let Some(&word) = words.rest.next() {
        match word {
            "-h" | "--help" => return Ok(Command::Help),
            "-V" | "--version" => return Ok(Command::Version),
            _ => {}
        }
        let (option, glued) = match word.split_once('=') {
            Some((option, value)) => (option, Some(value)),
            None => (word, None),
        };
        (words.option, words.glued) = (option.to_owned(), glued);
        if !plain(option, &mut config, &mut words)? && !beside(option, &mut loose, &mut words)? {
            return Err(unknown(option));
        }
        if words.glued.is_some() {
            return Err(UsageError(format!("{option} takes no value")));
        }
    }
    together(&mut config, loose)?;
    Ok(Command::Serve(Box::new(config)))
}

fn unknown(option: &str) -> UsageError {
    let letters = |word: &str| {
        word.bytes().fold([0i32; 256], |mut count, byte| {
            count[usize::from(byte)] += 1;
            count
        })
    };
    let own = letters(option);
    let distance =
        |known: &&&str| -> i32 { letters(known).iter().zip(own).map(|(a, b)| (a - b).abs()).sum() };
    let nearest = OPTIONS.iter().min_by_key(distance).expect("there are options");
    UsageError(format!("no option {option}; did you mean {nearest}? All of them: dbd --help"))
}

/// Options that stand alone. Whether it was one.
fn plain(option: &str, config: &mut Config, words: &mut Words<'_>) -> Result<bool, UsageError> {
    match option {
        "--port" => config.port = words.number("a port, 0 to 65535")?,
        "--bind" => config.bind = Some(words.number("an IP address")?),
        "--dir" => {
            let dir = words.value("a directory")?;
            let dir = dir.trim_start_matches("./").trim_end_matches('/');
            if !disk::path_is_valid(dir.as_bytes()) || dir.is_empty() {
                return Err(words.wrong(dir, "a path below the data directory, such as data"));
            }
            config.dir = Bytes::copy_from_slice(dir.as_bytes());
        }
        "--databases" => {
            let n = words.number("a number from 1")?;
            if !(1..=DATABASES_MAX).contains(&n) {
                return Err(words.wrong(&n.to_string(), "1 to 1048576"));
            }
            config.databases = n;
        }
        "--maxclients" => config.clients_max = words.number("a number of connections")?,
        "--maxmemory" => config.memory_bytes_max = words.bytes()?,
        "--requirepass" => {
            let word = words.value("a password")?;
            config.password = (!word.is_empty()).then(|| word.to_owned());
        }
        "--checkpoint-bytes" => config.checkpoint_bytes = words.bytes()?.max(1 << 16),
        "--read-only" => config.read_only = true,
        "--max-runnable" => config.runnable_max = words.number("a number of requests")?,
        "--runnable-waits" => config.runnable_waits = words.yes_or_no()?,
        "--connection-memory" => config.connection_bytes = words.bytes()?,
        "--replicaof" => config.replica_of = Some(words.host_and_port()?),
        "--min-replicas-to-write" => {
            config.replicas_to_write = words.number("a number of replicas")?;
        }
        "--min-replicas-max-lag" => {
            config.replicas_lag_max = Duration::from_secs(words.number("whole seconds")?);
        }
        _ => return Ok(false),
    }
    Ok(true)
}

/// Options that mean something together. Whether it was one.
fn beside(option: &str, loose: &mut Loose, words: &mut Words<'_>) -> Result<bool, UsageError> {
    match option {
        "--appendfsync" => match words.value("always or no")? {
            "always" => loose.fsync = Some(true),
            "no" => loose.fsync = Some(false),
            other => return Err(words.wrong(other, "always or no")),
        },
        "--appendonly" => loose.append_only = Some(words.yes_or_no()?),
        "--pages" => loose.pages = Some(words.number("a number of pages")?),
        "--apply-ahead" => loose.apply_ahead = Some(words.number("a number of records")?),
        "--pool-pages" => loose.pool_pages = Some(words.number("a number of pages")?),
        "--page-rows" => loose.page_rows = Some(words.number("a number of rows")?),
        "--master-master" => loose.other_master = Some(words.host_and_port()?),
        "--server-number" => loose.server_number = Some(words.number("a number from 1")?),
        "--servers" => loose.servers = Some(words.number("a number from 1")?),
        "--pair" => loose.peer = Some(words.address()?),
        "--pair-listen" => loose.pair_listen = Some(words.number("a port")?),
        "--witness" => loose.witness = Some(words.address()?),
        "--address" => loose.address = Some(words.number("an IP address")?),
        "--prefer-active" => loose.prefer_active = words.yes_or_no()?,
        _ => return Ok(false),
    }
    Ok(true)
}

fn together(config: &mut Config, loose: Loose) -> Result<(), UsageError> {
    config.durability = match (loose.append_only, loose.fsync) {
        (Some(false), None) => Durability::Never,
        (Some(false), Some(_)) => {
            let text = "--appendonly no keeps nothing on disk: leave --appendfsync out";
            return Err(UsageError(text.to_owned()));
        }
        (_, Some(false)) => Durability::Behind,
        _ => Durability::Always,
    };
    config.paging = paging(&loose)?;
    config.master_master = master_master(&loose)?;
    config.pair = pair(loose)?;
    if config.pair.is_some() && config.durability == Durability::Never {
        return Err(UsageError("--pair mirrors a journal: leave --appendonly no out".to_owned()));
    }
    if config.replica_of.is_some() && config.master_master.is_some() {
        return Err(UsageError("--replicaof or --master-master, not both".to_owned()));
    }
    Ok(())
}

fn paging(loose: &Loose) -> Result<Option<Paging>, UsageError> {
    let page_rows = loose.page_rows.unwrap_or(PAGE_ROWS);
    match (loose.pages, loose.pool_pages) {
        (None, None) if loose.page_rows.or(loose.apply_ahead).is_none() => Ok(None),
        (Some(pages), Some(pool_pages)) if pages > 0 && pool_pages > 0 && page_rows > 0 => {
            let apply_ahead = loose.apply_ahead.unwrap_or(0);
            Ok(Some(Paging { pages, pool_pages, page_rows, apply_ahead }))
        }
        _ => Err(UsageError(
            "pages need both --pages and --pool-pages, from 1, such as --pages 100000 \
             --pool-pages 5000"
                .to_owned(),
        )),
    }
}

fn master_master(loose: &Loose) -> Result<Option<MasterMaster>, UsageError> {
    let (server_number, servers) = (loose.server_number.unwrap_or(1), loose.servers.unwrap_or(1));
    if servers == 0 || !(1..=servers.max(1)).contains(&server_number) {
        let text = "--server-number goes from 1 to --servers";
        return Err(UsageError(text.to_owned()));
    }
    match &loose.other_master {
        Some(other) => Ok(Some(MasterMaster { other: other.clone(), server_number, servers })),
        None if loose.server_number.is_some() || loose.servers.is_some() => Err(UsageError(
            "--server-number and --servers belong to --master-master HOST PORT".to_owned(),
        )),
        None => Ok(None),
    }
}

fn pair(loose: Loose) -> Result<Option<PairPlaces>, UsageError> {
    match (loose.peer, loose.pair_listen, loose.witness) {
        (None, None, None) if loose.address.is_none() => Ok(None),
        (Some(peer), Some(listen), Some(witness)) => Ok(Some(PairPlaces {
            listen,
            peer,
            witness,
            address: loose.address,
            prefer_active: loose.prefer_active,
        })),
        _ => Err(UsageError(
            "a pair needs --pair HOST:PORT, --pair-listen PORT and --witness HOST:PORT".to_owned(),
        )),
    }
}
