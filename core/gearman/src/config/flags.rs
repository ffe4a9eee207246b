//! The flags there are, and words cut into flags as the original cuts them: `-p4730`, `-p 4730`,
//! `-dR`, `--port=4730`, `--port 4730`. Long names are not abbreviated, and nothing is given twice.

use storytime_machine::UsageError;

/// A flag.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Flag {
    /// Behind one dash; NUL if there is none.
    pub(super) short: char,
    /// Behind two dashes.
    pub(super) long: &'static str,
    pub(super) takes_value: bool,
    /// Why it means nothing here, if it does not.
    pub(super) idle: Option<&'static str>,
}

/// A flag that was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Given<'a> {
    pub(super) flag: &'static Flag,
    /// Empty if it takes none.
    pub(super) value: &'a str,
}

const fn value(short: char, long: &'static str) -> Flag {
    Flag { short, long, takes_value: true, idle: None }
}

const fn switch(short: char, long: &'static str) -> Flag {
    Flag { short, long, takes_value: false, idle: None }
}

const fn idle_value(short: char, long: &'static str, why: &'static str) -> Flag {
    Flag { short, long, takes_value: true, idle: Some(why) }
}

const fn idle_switch(long: &'static str, why: &'static str) -> Flag {
    Flag { short: '\0', long, takes_value: false, idle: Some(why) }
}

const THREADS: &str = "one thread serves all connections";
const TABLES: &str = "tables grow with what is in them";
const KEEPALIVE: &str = "a peer that vanished is noticed by output that nobody acknowledges";
const TURNS: &str = "functions of a worker take turns in any case";
const SYSLOG: &str = "the log goes to -l, or to standard error";
const QUEUE: &str = "it belongs to a queue that is not here";

pub(super) const FLAGS: &[Flag] = &[
    value('b', "backlog"),
    switch('d', "daemon"),
    switch('\0', "exceptions"),
    value('f', "file-descriptors"),
    switch('h', "help"),
    value('j', "job-retries"),
    value('\0', "job-handle-prefix"),
    idle_value('\0', "hashtable-buckets", TABLES),
    idle_switch("keepalive", KEEPALIVE),
    idle_value('\0', "keepalive-idle", KEEPALIVE),
    idle_value('\0', "keepalive-interval", KEEPALIVE),
    idle_value('\0', "keepalive-count", KEEPALIVE),
    value('l', "log-file"),
    value('L', "listen"),
    value('P', "pid-file"),
    value('r', "protocol"),
    Flag { short: 'R', long: "round-robin", takes_value: false, idle: Some(TURNS) },
    value('q', "queue-type"),
    value('\0', "config-file"),
    idle_switch("syslog", SYSLOG),
    switch('\0', "coredump"),
    idle_value('t', "threads", THREADS),
    value('u', "user"),
    value('\0', "verbose"),
    switch('V', "version"),
    value('w', "worker-wakeup"),
    switch('\0', "check-args"),
    value('p', "port"),
    switch('\0', "ssl"),
    value('\0', "ssl-ca-file"),
    value('\0', "ssl-certificate"),
    value('\0', "ssl-key"),
    value('\0', "http-port"),
    // Ours.
    value('\0', "dialect"),
    value('\0', "zero-retries"),
    value('\0', "max-packet"),
    value('\0', "max-memory"),
    value('\0', "queue-dir"),
    value('\0', "checkpoint-bytes"),
    value('\0', "grab-patience"),
    value('\0', "ack-patience"),
    value('\0', "relay-to"),
    value('\0', "relay-listen"),
    value('\0', "relay-witness"),
    value('\0', "relay-first"),
    value('\0', "relay-alone"),
    value('\0', "tenants"),
    value('\0', "result-cache"),
    value('\0', "result-cache-seconds"),
    value('\0', "result-cache-bytes"),
    // Queues that the original can be built with.
    idle_value('\0', "libdrizzle-host", QUEUE),
    idle_value('\0', "libdrizzle-port", QUEUE),
    idle_value('\0', "libdrizzle-uds", QUEUE),
    idle_value('\0', "libdrizzle-user", QUEUE),
    idle_value('\0', "libdrizzle-password", QUEUE),
    idle_value('\0', "libdrizzle-db", QUEUE),
    idle_value('\0', "libdrizzle-table", QUEUE),
    idle_switch("libdrizzle-mysql", QUEUE),
    idle_value('\0', "libmemcached-servers", QUEUE),
    idle_value('\0', "libmemcached-prefix", QUEUE),
    idle_value('\0', "mysql-host", QUEUE),
    idle_value('\0', "mysql-port", QUEUE),
    idle_value('\0', "mysql-user", QUEUE),
    idle_value('\0', "mysql-password", QUEUE),
    idle_value('\0', "mysql-db", QUEUE),
    idle_value('\0', "mysql-table", QUEUE),
    idle_value('\0', "libpq-conninfo", QUEUE),
    idle_value('\0', "libpq-table", QUEUE),
    idle_value('\0', "redis-server", QUEUE),
    idle_value('\0', "redis-port", QUEUE),
    idle_value('\0', "redis-password", QUEUE),
    idle_value('\0', "redis-prefix", QUEUE),
    idle_value('\0', "libsqlite3-db", QUEUE),
    idle_value('\0', "libsqlite3-table", QUEUE),
    idle_switch("store-queue-on-shutdown", QUEUE),
    idle_value('\0', "libtokyocabinet-file", QUEUE),
    idle_switch("libtokyocabinet-optimize", QUEUE),
];

/// Cuts words into flags.
pub(super) fn split<'a>(words: &[&'a str]) -> Result<Vec<Given<'a>>, UsageError> {
    let mut given: Vec<Given<'a>> = Vec::new();
    let mut words = words.iter();
    while let Some(&word) = words.next() {
        let before = given.len();
        if word == "--" {
            continue;
        } else if let Some(long) = word.strip_prefix("--") {
            given.push(cut_long(long, &mut words)?);
        } else if let Some(letters) = word.strip_prefix('-').filter(|rest| !rest.is_empty()) {
            cut_short(word, letters, &mut words, &mut given)?;
        } else {
            return Err(unknown(word));
        }
        for nth in before..given.len() {
            let flag = given[nth].flag;
            if given[..nth].iter().any(|earlier| earlier.flag == flag) {
                let what = format!("option '--{}' cannot be specified more than once", flag.long);
                return Err(UsageError(what));
            }
        }
    }
    Ok(given)
}

fn cut_long<'a>(
    long: &'a str,
    words: &mut core::slice::Iter<'_, &'a str>,
) -> Result<Given<'a>, UsageError> {
    let (name, inline) = match long.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (long, None),
    };
    let flag = FLAGS.iter().find(|flag| flag.long == name);
    let flag = flag.ok_or_else(|| unknown(&format!("--{name}")))?;
    let value = match (flag.takes_value, inline) {
        (true, Some("")) => {
            let what = format!("option '--{name}' needs its value right behind the equal sign");
            return Err(UsageError(what));
        }
        (true, Some(value)) => value,
        (true, None) => next_value(flag, words)?,
        (false, None) => "",
        (false, Some(_)) => {
            return Err(UsageError(format!("option '--{name}' does not take any arguments")));
        }
    };
    Ok(Given { flag, value })
}

/// Letters behind one dash; the first that takes a value takes the rest, or the next word.
fn cut_short<'a>(
    word: &str,
    letters: &'a str,
    words: &mut core::slice::Iter<'_, &'a str>,
    given: &mut Vec<Given<'a>>,
) -> Result<(), UsageError> {
    if letters.starts_with('v') {
        let advice = "-v is gone, please use --verbose INFO";
        return Err(UsageError(format!("unrecognised option '{word}'; {advice}")));
    }
    for (at, letter) in letters.char_indices() {
        let flag = FLAGS.iter().find(|flag| flag.short == letter && letter != '\0');
        let flag = flag.ok_or_else(|| unknown(word))?;
        if !flag.takes_value {
            given.push(Given { flag, value: "" });
            continue;
        }
        let rest = &letters[at + letter.len_utf8()..];
        let value = if rest.is_empty() { next_value(flag, words)? } else { rest };
        given.push(Given { flag, value });
        break;
    }
    Ok(())
}

fn next_value<'a>(
    flag: &Flag,
    words: &mut core::slice::Iter<'_, &'a str>,
) -> Result<&'a str, UsageError> {
    let value = words.next().copied().filter(|value| !value.starts_with("--"));
    let missing =
        || UsageError(format!("the required argument for option '--{}' is missing", flag.long));
    value.ok_or_else(missing)
}

fn unknown(word: &str) -> UsageError {
    UsageError(format!("unrecognised option '{word}'"))
}
