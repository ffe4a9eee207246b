//! From words on a command line to [`Config`].

use super::getopt::{Given, Spec, split};
use super::{Command, Config, ListenOn};
use core::fmt;
use core::str::FromStr;
use storytime_machine::{Addr, IpAddr};

/// Smallest value of `-I`, bytes.
const ITEM_BYTES_MIN: u64 = 1 << 10;
/// Largest value of `-I`, bytes.
const ITEM_BYTES_MAX: u64 = 1 << 30;
/// Largest value of `-m`, megabytes: 64 TB.
const MEMORY_MEGABYTES_MAX: u64 = 64 << 20;
/// Highest level of `-v` that makes a difference.
const VERBOSITY_MAX: u8 = 2;

const fn spec(short: char, long: &'static str, takes_value: bool) -> Spec {
    Spec { short, long, takes_value }
}

const SPECS: &[Spec] = &[
    spec('p', "port", true),
    spec('U', "udp-port", true),
    spec('s', "unix-socket", true),
    spec('a', "unix-mask", true),
    spec('l', "listen", true),
    spec('d', "daemon", false),
    spec('r', "enable-coredumps", false),
    spec('u', "user", true),
    spec('m', "memory-limit", true),
    spec('M', "disable-evictions", false),
    spec('c', "conn-limit", true),
    spec('k', "lock-memory", false),
    spec('v', "verbose", false),
    spec('h', "help", false),
    spec('V', "version", false),
    spec('P', "pidfile", true),
    spec('t', "threads", true),
    spec('C', "disable-cas", false),
    spec('b', "listen-backlog", true),
    spec('B', "protocol", true),
    spec('I', "max-item-size", true),
    spec('F', "disable-flush-all", false),
];

/// A command line that cannot be meant, and what to do about it: the caller's mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageError {
    message: String,
}

impl UsageError {
    fn new(message: impl Into<String>) -> Self {
        Self { message: message.into() }
    }

    pub(super) fn unknown(option: &str, specs: &[Spec]) -> Self {
        let known = specs.iter().map(|s| s.long).filter(|long| {
            option.len() > 3 && long.starts_with(option.get(2..5).unwrap_or("--").trim())
        });
        let near: Vec<String> = known.map(|long| format!("--{long}")).collect();
        let advice = if near.is_empty() {
            "-h lists those that exist".to_owned()
        } else {
            format!("did you mean {}?", near.join(" or "))
        };
        Self::new(format!("unknown option {option}; {advice}"))
    }

    pub(super) fn no_value(option: &str) -> Self {
        Self::new(format!("option {option} needs a value behind it; -h shows which"))
    }

    pub(super) fn unwanted_value(option: &str) -> Self {
        Self::new(format!("option {option} takes no value; leave out the = and what follows"))
    }

    pub(super) fn stray(word: &str) -> Self {
        Self::new(format!("unexpected word \"{word}\"; options begin with -, and -h lists them"))
    }
}

impl fmt::Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for UsageError {}

impl Command {
    /// Reads a command line, without the program's name.
    ///
    /// # Errors
    /// If an option is unknown, lacks its value, or has one that cannot be meant.
    pub fn from_words(words: &[&str]) -> Result<Self, UsageError> {
        let given = split(words, SPECS)?;
        if given.iter().any(|g| g.short == 'h') {
            return Ok(Self::Help);
        }
        if given.iter().any(|g| g.short == 'V') {
            return Ok(Self::Version);
        }
        let mut config = Config::default();
        for option in &given {
            apply(&mut config, option)?;
        }
        check(&config)?;
        Ok(Self::Serve(config))
    }
}

impl Config {
    /// Reads a command line that is to serve, as in a scenario file.
    ///
    /// # Errors
    /// As [`Command::from_words`], and if it asks for help or the version.
    pub fn from_words(words: &[&str]) -> Result<Self, UsageError> {
        match Command::from_words(words)? {
            Command::Serve(config) => Ok(config),
            Command::Help | Command::Version => {
                Err(UsageError::new("-h and -V print and end; leave them out to serve"))
            }
        }
    }
}

fn apply(config: &mut Config, option: &Given<'_>) -> Result<(), UsageError> {
    let value = option.value;
    match option.short {
        'p' => config.port = number(option, "a port, 0 to 65535", |_| true)?,
        'l' => listen(config, value)?,
        's' => config.unix_socket = Some(value.to_owned()),
        'm' => {
            let wanted = "megabytes, at least 1";
            let megabytes: u64 =
                number(option, wanted, |&n| (1..=MEMORY_MEGABYTES_MAX).contains(&n))?;
            config.memory_bytes_max = megabytes << 20;
        }
        'M' => config.evict = false,
        'c' => config.connections_max = number(option, "connections, at least 1", |&n| n > 0)?,
        't' => config.threads = number(option, "threads, at least 1", |&n| n > 0)?,
        'b' => config.backlog = number(option, "connections, at least 1", |&n| n > 0)?,
        'I' => config.item_bytes_max = item_size(option)?,
        'C' => config.versions = false,
        'F' => config.flush_enabled = false,
        'v' => config.verbosity = (config.verbosity + 1).min(VERBOSITY_MAX),
        'U' if value == "0" => {}
        'U' => return Err(UsageError::new("-U: UDP is not served; leave it out or say -U 0")),
        'B' if value == "ascii" || value == "auto" => {}
        'B' => {
            let message = format!("-B {value}: the text protocol alone is served; say -B ascii");
            return Err(UsageError::new(message));
        }
        'd' => config.program.daemon = true,
        'r' => config.program.core_dumps = true,
        'k' => config.program.lock_memory = true,
        'u' => config.program.user = Some(value.to_owned()),
        'P' => config.program.pid_file = Some(value.to_owned()),
        'a' => {
            config.program.unix_mask = u32::from_str_radix(value, 8)
                .ok()
                .filter(|&mask| mask <= 0o777)
                .ok_or_else(|| bad_value(option, "permissions in octal, such as 700"))?;
        }
        other => unreachable!("-{other} is in the table of options and has its arm here"),
    }
    Ok(())
}

fn check(config: &Config) -> Result<(), UsageError> {
    if config.item_bytes_max > config.memory_bytes_max / 2 {
        return Err(UsageError::new(
            "-I is more than half of the memory limit; lower it, or give more with -m",
        ));
    }
    if config.endpoints().is_empty() {
        return Err(UsageError::new("no port to listen on; give -p a port, or -s a path"));
    }
    Ok(())
}

fn bad_value(option: &Given<'_>, wanted: &str) -> UsageError {
    UsageError::new(format!("-{} {}: expected {wanted}", option.short, option.value))
}

fn number<T: FromStr>(
    option: &Given<'_>,
    wanted: &str,
    accept: impl FnOnce(&T) -> bool,
) -> Result<T, UsageError> {
    option.value.parse().ok().filter(accept).ok_or_else(|| bad_value(option, wanted))
}

/// A size in bytes, or with `k`, `m` or `g` behind it.
fn item_size(option: &Given<'_>) -> Result<u64, UsageError> {
    let wanted = "an item size from 1k to 1g, such as 1048576, 512k or 2m";
    let value = option.value;
    let (digits, unit) = match value.char_indices().last() {
        Some((at, 'k' | 'K')) => (&value[..at], 1 << 10),
        Some((at, 'm' | 'M')) => (&value[..at], 1 << 20),
        Some((at, 'g' | 'G')) => (&value[..at], 1 << 30),
        _ => (value, 1),
    };
    let size = digits.parse::<u64>().ok().and_then(|n| n.checked_mul(unit));
    size.filter(|size| (ITEM_BYTES_MIN..=ITEM_BYTES_MAX).contains(size))
        .ok_or_else(|| bad_value(option, wanted))
}

/// Comma-separated addresses: `ip`, `ip:port`, `[v6]:port`, `*`, `localhost`.
fn listen(config: &mut Config, value: &str) -> Result<(), UsageError> {
    for part in value.split(',') {
        let on = if let Ok(addr) = part.parse::<Addr>() {
            ListenOn { ip: addr.ip(), port: Some(addr.port()) }
        } else {
            let (host, port) = match part.rsplit_once(':') {
                Some((host, port)) if part.parse::<IpAddr>().is_err() => (host, port.parse().ok()),
                _ => (part, None),
            };
            let has_bad_port = port.is_none() && host.len() != part.len();
            let ip = match host {
                "*" => Some(storytime_machine::ANY),
                "localhost" => Some(IpAddr::from([127, 0, 0, 1])),
                _ => host.parse().ok(),
            };
            match ip.filter(|_| !has_bad_port) {
                Some(ip) => ListenOn { ip, port },
                None => {
                    let message = format!(
                        "-l {part}: expected an address such as 10.0.0.1, 10.0.0.1:11211 or \
                         [::1]:11211"
                    );
                    return Err(UsageError::new(message));
                }
            }
        };
        if !config.listen.contains(&on) {
            config.listen.push(on);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(line: &str) -> Config {
        Config::from_words(&line.split_whitespace().collect::<Vec<_>>()).expect(line)
    }

    fn refusal(line: &str) -> String {
        let words: Vec<_> = line.split_whitespace().collect();
        Command::from_words(&words).expect_err(line).to_string()
    }

    #[test]
    fn the_command_line_of_the_talks_is_understood() {
        let config = config("-d -m 1024 -l 10.0.0.40 -p 11211 -u nobody -c 2048");
        assert_eq!(config.memory_bytes_max, 1 << 30);
        assert_eq!(config.connections_max, 2048);
        assert!(config.program.daemon && config.program.user.as_deref() == Some("nobody"));
        let at: Vec<String> = config.endpoints().iter().map(ToString::to_string).collect();
        assert_eq!(at, ["10.0.0.40:11211"]);
    }

    #[test]
    fn values_may_stick_or_follow_and_flags_may_be_bundled() {
        for line in
            ["-m64 -vv", "-m 64 -v -v", "-vvm64", "--memory-limit=64 -vv", "-vv --memory-limit 64"]
        {
            let config = config(line);
            assert_eq!((config.memory_bytes_max, config.verbosity), (64 << 20, 2), "{line}");
        }
        assert_eq!(config("").endpoints(), [storytime_machine::Endpoint::any(11211)]);
        assert_eq!(config("-s /tmp/m").endpoints(), [storytime_machine::Endpoint::unix("/tmp/m")]);
        assert_eq!(config("-m 128 -I 2m").item_bytes_max, 2 << 20);
        assert_eq!(config("-I 512k").item_bytes_max, 512 << 10);
    }

    #[test]
    fn several_addresses_each_with_its_port() {
        let config = config("-p 11300 -l 127.0.0.1,10.0.0.1:11301 -l [::1]:5,* -l 127.0.0.1");
        let at: Vec<String> = config.endpoints().iter().map(ToString::to_string).collect();
        assert_eq!(at, ["127.0.0.1:11300", "10.0.0.1:11301", "[::1]:5", "0.0.0.0:11300"]);
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_advice() {
        for (line, says) in [
            ("-z", "unknown option -z; -h lists those that exist"),
            ("--memory=3", "unknown option --memory; did you mean --memory-limit?"),
            ("-m", "option -m needs a value behind it; -h shows which"),
            ("--daemon=1", "option --daemon takes no value; leave out the = and what follows"),
            ("11211", "unexpected word \"11211\"; options begin with -, and -h lists them"),
            ("-c 0", "-c 0: expected connections, at least 1"),
            ("-c -1", "-c -1: expected connections, at least 1"),
            ("-t 0", "-t 0: expected threads, at least 1"),
            (
                "-I 1000",
                "-I 1000: expected an item size from 1k to 1g, such as 1048576, 512k or 2m",
            ),
            ("-I 256m", "-I is more than half of the memory limit; lower it, or give more with -m"),
            ("-U 11211", "-U: UDP is not served; leave it out or say -U 0"),
            ("-B http", "-B http: the text protocol alone is served; say -B ascii"),
            ("-p 0", "no port to listen on; give -p a port, or -s a path"),
            (
                "-l fooble",
                "-l fooble: expected an address such as 10.0.0.1, 10.0.0.1:11211 or [::1]:11211",
            ),
            (
                "-l 10.0.0.1:x",
                "-l 10.0.0.1:x: expected an address such as 10.0.0.1, 10.0.0.1:11211 or \
                 [::1]:11211",
            ),
        ] {
            assert_eq!(refusal(line), says, "{line}");
        }
        assert_eq!(Command::from_words(&["-h", "-m"]).map_err(|_| ()), Err(()));
        assert_eq!(Command::from_words(&["-vh"]), Ok(Command::Help));
        assert_eq!(Command::from_words(&["--version"]), Ok(Command::Version));
        assert!(Config::from_words(&["-h"]).is_err());
    }

    #[test]
    fn every_option_of_the_table_is_in_the_help() {
        let help = super::super::help();
        for spec in SPECS {
            let both = format!("-{}, --{}", spec.short, spec.long);
            assert!(help.contains(&both), "{both}");
        }
    }
}
