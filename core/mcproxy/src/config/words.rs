//! The command line: a file, or the servers of one pool.

use super::{
    CONNECTIONS_MAX, Config, LISTENER_WANTED, PLACEMENTS, Pool, SERVERS_MAX, host_and_port,
    listener,
};
use core::time::Duration;
use storytime_machine::{Endpoint, UsageError};
use storytime_memcached::client::placement::Node;

/// What `-h` prints.
pub const HELP: &str = "\
mcproxy: one local address in front of many memcached servers

mcproxy --config FILE            pools and routes from a TOML file; SIGHUP reads it again
mcproxy --servers HOST[:PORT],…  one pool, all keys

  -p, --port PORT           where clients come in, on every address (11211)
  -l, --listen ADDRESS      the same as ip:port or unix:path; may be repeated
  --placement NAME          ketama, ketama-even, modula, modula-crc, classic (ketama)
  --hash-tag XY             of key `a{b}c` only `b` counts, with --hash-tag '{}'
  --timeout TIME            how long a reply may take, such as 500ms or 2s (500ms)
  --connections N           per server and protocol (1)
  -h, --help                this text
  -V, --version             the version";

/// What a command line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Serve what the words say.
    Serve(Config),
    /// Serve what a file says.
    File(FileCommand),
    /// Print [`HELP`].
    Help,
    /// Print the version.
    Version,
}

/// A file to read, and what the command line says beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileCommand {
    /// The file's name, as given.
    pub file: String,
    /// Where to listen in place of what the file says; empty for what it says.
    pub listen: Vec<Endpoint>,
}

impl FileCommand {
    /// The config of the file with the command line laid over it.
    #[must_use]
    pub fn over(&self, mut config: Config) -> Config {
        if !self.listen.is_empty() {
            config.listen.clone_from(&self.listen);
        }
        config
    }
}

impl Command {
    /// Reads the words behind the program's name.
    ///
    /// # Errors
    /// If a word is unknown, misses its value or contradicts another.
    pub fn from_words<S: AsRef<str>>(words: &[S]) -> Result<Self, UsageError> {
        let mut file = None;
        let mut listen = Vec::new();
        let mut pool = Pool::new("main", Vec::new());
        let mut only_servers = None;
        let mut words = words.iter().map(AsRef::as_ref);
        while let Some(word) = words.next() {
            let (name, attached) = match word.split_once('=') {
                Some((name, value)) if name.starts_with("--") => (name, Some(value)),
                _ => (word, None),
            };
            let mut value = || {
                let value = attached.or_else(|| words.next());
                value.ok_or_else(|| UsageError(format!("{name} needs a value")))
            };
            match name {
                "-h" | "--help" => return Ok(Self::Help),
                "-V" | "--version" => return Ok(Self::Version),
                "--config" => file = Some(value()?.to_owned()),
                "-p" | "--port" => {
                    let port = value()?;
                    let number = port.parse().map_err(|_| wrong(name, port, "a port"))?;
                    listen.push(Endpoint::any(number));
                }
                "-l" | "--listen" => listen
                    .push(listener(value()?).map_err(|e| {
                        UsageError(format!("{name}: {e}; it is {LISTENER_WANTED}"))
                    })?),
                _ => {
                    pool_word(&mut pool, name, &mut value)?;
                    only_servers = Some(name.to_owned());
                }
            }
        }
        match (file, only_servers) {
            (Some(_), Some(name)) => {
                Err(UsageError(format!("{name} is not taken with --config: the file says it")))
            }
            (Some(file), None) => Ok(Self::File(FileCommand { file, listen })),
            (None, _) if pool.servers.is_empty() => {
                Err(UsageError("it needs --config FILE or --servers HOST[:PORT],…".to_owned()))
            }
            (None, _) => {
                let mut config = Config { pools: vec![pool], ..Config::default() };
                if !listen.is_empty() {
                    config.listen = listen;
                }
                Ok(Self::Serve(config))
            }
        }
    }
}

fn wrong(name: &str, value: &str, expected: &str) -> UsageError {
    UsageError(format!("{name} {value}: expected {expected}"))
}

/// A word about the one pool of the short form.
fn pool_word<'a>(
    pool: &mut Pool,
    name: &str,
    value: &mut dyn FnMut() -> Result<&'a str, UsageError>,
) -> Result<(), UsageError> {
    match name {
        "--servers" => {
            for server in value()?.split(',') {
                let (host, port) =
                    host_and_port(server).map_err(|e| UsageError(format!("{name}: {e}")))?;
                pool.servers.push(Node::new(host, port));
            }
            if pool.servers.len() > SERVERS_MAX {
                return Err(UsageError(format!("{name}: more than {SERVERS_MAX} servers")));
            }
        }
        "--placement" => {
            let given = value()?;
            let found = PLACEMENTS.iter().find(|(name, _)| *name == given);
            let names: Vec<&str> = PLACEMENTS.iter().map(|(name, _)| *name).collect();
            pool.placement = found.ok_or_else(|| wrong(name, given, &names.join(", ")))?.1;
        }
        "--hash-tag" => {
            let given = value()?;
            let &[open, close] = given.as_bytes() else {
                return Err(wrong(name, given, "two characters such as {}"));
            };
            pool.hash_tag = Some((open, close));
        }
        "--timeout" => {
            let given = value()?;
            let time = duration(given).filter(|time| !time.is_zero());
            pool.request_timeout =
                time.ok_or_else(|| wrong(name, given, "a time such as 500ms or 2s"))?;
            pool.connect_timeout = pool.connect_timeout.min(pool.request_timeout);
        }
        "--connections" => {
            let given = value()?;
            let number = given.parse().ok().filter(|n| (1..=CONNECTIONS_MAX).contains(n));
            let expected = format!("a number from 1 to {CONNECTIONS_MAX}");
            pool.connections = number.ok_or_else(|| wrong(name, given, &expected))?;
        }
        _ => return Err(UsageError(format!("unknown option `{name}`"))),
    }
    Ok(())
}

/// `500ms` or `2s`.
fn duration(text: &str) -> Option<Duration> {
    if let Some(ms) = text.strip_suffix("ms") {
        return ms.parse().ok().map(Duration::from_millis);
    }
    text.strip_suffix('s')?.parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use storytime_memcached::client::placement::Scheme;

    fn read(line: &str) -> Result<Command, UsageError> {
        Command::from_words(&line.split_whitespace().collect::<Vec<_>>())
    }

    #[test]
    fn the_short_form_is_one_pool_for_all_keys() {
        let line = "-p 11311 --servers cache1:11212,cache2 --placement classic --hash-tag {} \
                    --timeout=250ms --connections 4";
        let Ok(Command::Serve(config)) = read(line) else { panic!("{:?}", read(line)) };
        assert_eq!(config.listen, [Endpoint::any(11311)]);
        let pool = &config.pools[0];
        assert_eq!(pool.servers, [Node::new("cache1", 11212), Node::new("cache2", 11211)]);
        assert_eq!((pool.placement, pool.hash_tag), (Scheme::Classic, Some((b'{', b'}'))));
        assert_eq!(pool.request_timeout, Duration::from_millis(250));
        assert_eq!(pool.connections, 4);
    }

    #[test]
    fn a_file_may_be_moved_to_another_port() {
        let Ok(Command::File(file)) = read("--config p.toml -p 7") else { panic!("a file") };
        assert_eq!(file.file, "p.toml");
        assert_eq!(file.over(Config::default()).listen, [Endpoint::any(7)]);
    }

    #[test]
    fn what_cannot_be_used_is_said() {
        for (line, says) in [
            ("", "needs --config"),
            ("-p", "-p needs a value"),
            ("-p x --servers a", "-p x: expected a port"),
            ("--servers a:x", "no port"),
            ("--servers a --placement ring", "ketama"),
            ("--config f --servers a", "--servers is not taken with --config"),
            ("--servers a --hash-tag {", "two characters"),
            ("--servers a --timeout 5", "such as 500ms"),
            ("--servers a --frobnicate", "unknown option `--frobnicate`"),
        ] {
            let said = read(line).expect_err(line).to_string();
            assert!(said.contains(says), "{line}: {said}");
        }
        assert_eq!(read("--help"), Ok(Command::Help));
    }
}
