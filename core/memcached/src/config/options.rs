//! The options with a letter of their own.

use super::getopt::{Given, Spec};
use super::parse::{UsageError, bad_value, dashed, fraction, number};
use super::{Config, Port, Protocol, TlsOptions, listen, suboptions};

/// Smallest value of `-I`, bytes.
pub(super) const ITEM_BYTES_MIN: u64 = 1 << 10;
/// Largest value of `-I`, bytes.
pub(super) const ITEM_BYTES_MAX: u64 = 1 << 30;
/// Largest value of `-m`, megabytes: 64 TB.
const MEMORY_MEGABYTES_MAX: u64 = 64 << 20;
/// Highest level of `-v` that makes a difference.
const VERBOSITY_MAX: u8 = 2;
/// Most workers.
const THREADS_MAX: u32 = 1024;

const fn spec(short: char, long: &'static str, takes_value: bool) -> Spec {
    Spec { short, long, takes_value }
}

pub(super) const SPECS: &[Spec] = &[
    spec('p', "port", true),
    spec('U', "udp-port", true),
    spec('s', "unix-socket", true),
    spec('a', "unix-mask", true),
    spec('A', "enable-shutdown", false),
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
    spec('i', "license", false),
    spec('V', "version", false),
    spec('P', "pidfile", true),
    spec('f', "slab-growth-factor", true),
    spec('n', "slab-min-size", true),
    spec('L', "enable-largepages", false),
    spec('D', "prefix-delimiter", true),
    spec('t', "threads", true),
    spec('R', "max-reqs-per-event", true),
    spec('C', "disable-cas", false),
    spec('b', "listen-backlog", true),
    spec('B', "protocol", true),
    spec('I', "max-item-size", true),
    spec('S', "enable-sasl", false),
    spec('F', "disable-flush-all", false),
    spec('X', "disable-dumping", false),
    spec('W', "disable-watch", false),
    spec('Y', "auth-file", true),
    spec('e', "memory-file", true),
    spec('Z', "enable-ssl", false),
    spec('N', "napi-ids", true),
    spec('o', "extended", true),
];

/// A command line while it is being read: the options so far, and what the check at the end needs
/// to know of how they were given.
#[derive(Default)]
pub(super) struct Reading {
    pub(super) config: Config,
    /// `-p` was given.
    pub(super) port_given: bool,
    /// `-B` was given.
    pub(super) protocol_given: bool,
    /// `slab_chunk_max` was given.
    pub(super) chunk_max_given: bool,
    /// `-Z`.
    pub(super) encrypt: bool,
    /// `ssl_*`, whether or not `-Z` is there.
    pub(super) tls: TlsOptions,
    /// `-N`: network interface queues to spread connections over.
    pub(super) queues: u32,
}

impl Reading {
    pub(super) fn apply(&mut self, option: &Given<'_>) -> Result<(), UsageError> {
        let dashed = dashed(option);
        let value = option.value.trim_start();
        let said = (dashed.as_str(), value);
        match option.short {
            'o' => return suboptions::apply(self, value),
            'd' | 'r' | 'u' | 'P' | 'k' | 'a' | 'L' | 'Y' => {
                return self.program(option.short, said);
            }
            'p' | 'U' | 's' | 'l' | 'b' | 'B' | 'c' => return self.network(option.short, said),
            'M' | 'C' | 'F' | 'X' | 'W' | 'A' | 'S' | 'Z' => self.switch(option.short),
            _ => {}
        }
        let config = &mut self.config;
        match option.short {
            'm' => {
                let wanted = "megabytes, at least 1";
                let megabytes: u64 =
                    number(said, wanted, |&n| (1..=MEMORY_MEGABYTES_MAX).contains(&n))?;
                config.memory_bytes_max = megabytes << 20;
            }
            't' => {
                let wanted = "threads, 1 to 1024";
                config.threads = number(said, wanted, |&n| (1..=THREADS_MAX).contains(&n))?;
            }
            'R' => config.requests_per_turn_max = number(said, "requests, at least 1", |&n| n > 0)?,
            'I' => config.item_bytes_max = item_size(said)?,
            'f' => {
                let factor = fraction(value, 1_000_000).filter(|&f| f > 1_000_000);
                let wanted = "a factor above 1, such as 1.25";
                config.classes.factor_millionths =
                    factor.ok_or_else(|| bad_value(said.0, value, wanted))?;
            }
            'n' => config.classes.chunk_bytes_min = number(said, "bytes, at least 1", |&n| n > 0)?,
            'D' => {
                let wanted = "a character, such as :";
                let first = value.bytes().next().filter(u8::is_ascii);
                config.prefix_delimiter = first.ok_or_else(|| bad_value(said.0, value, wanted))?;
                config.detail = true;
            }
            'N' => self.queues = number(said, "queues, at least 1", |&n| n > 0)?,
            'e' => config.memory_file = Some(value.to_owned()),
            'v' => config.verbosity = (config.verbosity + 1).min(VERBOSITY_MAX),
            _ => {}
        }
        Ok(())
    }

    /// Options without a value that switch something in the server on or off.
    fn switch(&mut self, short: char) {
        let config = &mut self.config;
        match short {
            'M' => config.evict = false,
            'C' => config.versions = false,
            'F' => config.flush_enabled = false,
            'X' => config.dump_enabled = false,
            'W' => config.watch_enabled = false,
            'A' => config.shutdown_enabled = true,
            'S' => config.sasl = true,
            'Z' => self.encrypt = true,
            other => unreachable!("-{other} is no switch"),
        }
    }

    fn network(&mut self, short: char, said: (&str, &str)) -> Result<(), UsageError> {
        let (config, value) = (&mut self.config, said.1);
        let a_port = || port(value).ok_or_else(|| bad_value(said.0, value, PORT_WANTED));
        match short {
            'p' => {
                config.port = a_port()?;
                self.port_given = true;
            }
            'U' => config.udp_port = a_port()?,
            's' => config.unix_socket = Some(value.to_owned()),
            'l' => listen::parse(config, value)?,
            'b' => config.backlog = number(said, "connections, at least 1", |&n| n > 0)?,
            'c' => config.connections_max = number(said, "connections, at least 1", |&n| n > 0)?,
            'B' => {
                self.protocol_given = true;
                config.protocol = match value {
                    "auto" => Protocol::Auto,
                    "ascii" => Protocol::Ascii,
                    "binary" => Protocol::Binary,
                    _ => return Err(bad_value(said.0, value, "ascii, binary or auto")),
                };
            }
            other => unreachable!("-{other} is not about the network"),
        }
        Ok(())
    }

    fn program(&mut self, short: char, said: (&str, &str)) -> Result<(), UsageError> {
        let (program, value) = (&mut self.config.program, said.1);
        match short {
            'd' => program.daemon = true,
            'r' => program.core_dumps = true,
            'k' => program.lock_memory = true,
            'L' => program.large_pages = true,
            'u' => program.user = Some(value.to_owned()),
            'P' => program.pid_file = Some(value.to_owned()),
            'Y' => program.auth_file = Some(value.to_owned()),
            'a' => {
                program.unix_mask = u32::from_str_radix(value, 8)
                    .ok()
                    .filter(|&mask| mask <= 0o777)
                    .ok_or_else(|| bad_value(said.0, value, "permissions in octal, such as 700"))?;
            }
            other => unreachable!("-{other} is not about the program"),
        }
        Ok(())
    }
}

const PORT_WANTED: &str = "a port from 1 to 65535, 0 for none or -1 for a free one";

/// A port: 0 is none, -1 whichever is free.
pub(super) fn port(digits: &str) -> Option<Port> {
    match digits.trim() {
        "-1" => Some(Port::Free),
        digits => match digits.parse().ok()? {
            0 => Some(Port::Off),
            port => Some(Port::At(port)),
        },
    }
}

/// A size in bytes, or with `k`, `m` or `g` behind it.
fn item_size(said: (&str, &str)) -> Result<u64, UsageError> {
    let wanted = "an item size from 1k to 1g, such as 1048576, 512k or 2m";
    let value = said.1;
    let (digits, unit) = match value.char_indices().last() {
        Some((at, 'k' | 'K')) => (&value[..at], 1 << 10),
        Some((at, 'm' | 'M')) => (&value[..at], 1 << 20),
        Some((at, 'g' | 'G')) => (&value[..at], 1 << 30),
        _ => (value, 1),
    };
    let size = digits.parse::<u64>().ok().and_then(|n| n.checked_mul(unit));
    size.filter(|size| (ITEM_BYTES_MIN..=ITEM_BYTES_MAX).contains(size))
        .ok_or_else(|| bad_value(said.0, value, wanted))
}

#[cfg(test)]
mod tests;
