//! The suboptions of `-o`: names with commas, most with a value.

use super::options::Reading;
use super::parse::{UsageError, bad_value, fraction, nearest, number};
use super::{Config, PAGE_BYTES, TlsOptions};
use core::time::Duration;

/// Largest value of `lru_crawler_sleep`, microseconds.
const SLEEP_US_MAX: u32 = 1_000_000;
/// Largest share of a list, per cent.
const PERCENT_MAX: u32 = 79;

/// Every name that is taken.
pub(super) const NAMES: &[&str] = &[
    "maxconns_fast",
    "no_maxconns_fast",
    "hashpower",
    "no_hashexpand",
    "hash_algorithm",
    "slab_reassign",
    "no_slab_reassign",
    "slab_automove",
    "no_slab_automove",
    "slab_automove_ratio",
    "slab_automove_window",
    "slab_sizes",
    "slab_chunk_max",
    "no_chunked_items",
    "tail_repair_time",
    "lru_crawler",
    "no_lru_crawler",
    "lru_crawler_sleep",
    "lru_crawler_tocrawl",
    "lru_maintainer",
    "no_lru_maintainer",
    "hot_lru_pct",
    "warm_lru_pct",
    "hot_max_factor",
    "warm_max_factor",
    "temporary_ttl",
    "idle_timeout",
    "watcher_logbuf_size",
    "worker_logbuf_size",
    "read_buf_mem_limit",
    "resp_obj_mem_limit",
    "track_sizes",
    "modern",
    "no_modern",
    "inline_ascii_resp",
    "no_inline_ascii_resp",
    "relaxed_privileges",
    "drop_privileges",
    "no_drop_privileges",
    "ssl_chain_cert",
    "ssl_key",
    "ssl_keyformat",
    "ssl_verify_mode",
    "ssl_ciphers",
    "ssl_ca_cert",
    "ssl_wbuf_size",
    "ssl_session_cache",
    "ssl_kernel_tls",
    "ssl_min_version",
];

/// One suboption as it was typed.
#[derive(Clone, Copy)]
struct Said<'a> {
    name: &'a str,
    value: Option<&'a str>,
}

impl<'a> Said<'a> {
    fn option(self) -> String {
        format!("-o {}", self.name)
    }

    fn value(self) -> Result<&'a str, UsageError> {
        self.value.ok_or_else(|| {
            UsageError::new(format!("-o {0} needs a value: -o {0}=…; -h shows which", self.name))
        })
    }

    fn number<T: core::str::FromStr>(
        self,
        wanted: &str,
        accept: impl FnOnce(&T) -> bool,
    ) -> Result<T, UsageError> {
        number((&self.option(), self.value()?), wanted, accept)
    }

    fn fraction(self, parts: u32, wanted: &str) -> Result<u32, UsageError> {
        let value = self.value()?;
        let read = fraction(value, parts).filter(|&f| f > 0);
        read.ok_or_else(|| bad_value(&self.option(), value, wanted))
    }

    fn text(self) -> Result<Option<String>, UsageError> {
        self.value().map(|text| Some(text.to_owned()))
    }
}

/// Reads the value of one `-o`.
pub(super) fn apply(reading: &mut Reading, list: &str) -> Result<(), UsageError> {
    for part in list.split(',').filter(|part| !part.is_empty()) {
        let (name, value) = match part.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (part, None),
        };
        let said = Said { name, value };
        let taken = storage(reading, said)?
            || lru(&mut reading.config, said)?
            || connections(&mut reading.config, said)?
            || encryption(&mut reading.tls, said)?
            || accepted(name);
        if !taken {
            let advice = match nearest(name, NAMES.iter().copied()) {
                Some(near) => format!("did you mean {near}?"),
                None => "-h lists those that exist".to_owned(),
            };
            return Err(UsageError::new(format!("unknown option -o {name}; {advice}")));
        }
        debug_assert!(NAMES.contains(&name), "-o {name} is taken and not in the list of names");
    }
    Ok(())
}

/// Names that say what is the case anyway.
fn accepted(name: &str) -> bool {
    matches!(
        name,
        "modern"
            | "inline_ascii_resp"
            | "no_inline_ascii_resp"
            | "relaxed_privileges"
            | "resp_obj_mem_limit"
            | "no_hashexpand"
    )
}

fn storage(reading: &mut Reading, said: Said<'_>) -> Result<bool, UsageError> {
    let config = &mut reading.config;
    match said.name {
        "slab_reassign" => config.reassign = true,
        "no_slab_reassign" => config.reassign = false,
        "slab_automove" => {
            config.automove = match said.value {
                None => 1,
                Some(_) => said.number("0, 1 or 2", |&mode| mode <= 2)?,
            };
        }
        "no_slab_automove" => config.automove = 0,
        "slab_automove_ratio" => {
            let wanted = "a ratio above 0 and up to 1, such as 0.8";
            let ratio = said.fraction(100, wanted)?;
            if ratio > 100 {
                return Err(bad_value(&said.option(), said.value()?, wanted));
            }
            config.automove_ratio_hundredths = ratio;
        }
        "slab_automove_window" => {
            config.automove_window =
                said.number("seconds, 3 to 1800", |&n| (3..=1800).contains(&n))?;
        }
        "slab_sizes" => config.classes.sizes = sizes(said)?,
        "slab_chunk_max" => {
            let kilobytes: u32 =
                said.number("kilobytes, 1 to 1024", |&n| (1..=1024).contains(&n))?;
            config.classes.chunk_bytes_max = kilobytes << 10;
            reading.chunk_max_given = true;
        }
        "no_chunked_items" => config.classes.chunk_bytes_max = PAGE_BYTES,
        "track_sizes" => config.track_sizes = true,
        "hashpower" => {
            config.index_power =
                Some(said.number("a power of two, 12 to 32", |n| (12..=32).contains(n))?);
        }
        "hash_algorithm" => {
            config.hash_name = match said.value()? {
                "jenkins" => "jenkins",
                "murmur3" => "murmur3",
                "xxh3" => "xxh3",
                other => {
                    return Err(bad_value(&said.option(), other, "jenkins, murmur3 or xxh3"));
                }
            };
        }
        "no_modern" => {
            if !reading.chunk_max_given {
                config.classes.chunk_bytes_max = PAGE_BYTES;
            }
            (config.reassign, config.automove, config.turn_away) = (false, 0, false);
            (config.lru.segmented, config.maintainer) = (false, false);
            (config.crawler.enabled, config.hash_name) = (false, "jenkins");
        }
        _ => return Ok(false),
    }
    Ok(true)
}

/// `96-120-152`: rising by more than the alignment. Their range is checked at the end.
fn sizes(said: Said<'_>) -> Result<Vec<u32>, UsageError> {
    let value = said.value()?;
    let wanted = "rising sizes in bytes such as 96-120-200";
    let read: Option<Vec<u32>> = value.split('-').map(|size| size.parse().ok()).collect();
    read.filter(|sizes| sizes.windows(2).all(|two| two[1] > two[0]))
        .ok_or_else(|| bad_value(&said.option(), value, wanted))
}

fn lru(config: &mut Config, said: Said<'_>) -> Result<bool, UsageError> {
    let percent = |n: &u32| (1..=PERCENT_MAX).contains(n);
    let (of_list, factor) = ("per cent, 1 to 79", "a factor above 0, such as 0.2");
    match said.name {
        "lru_crawler" => config.crawler.enabled = true,
        "no_lru_crawler" => config.crawler.enabled = false,
        "lru_crawler_sleep" => {
            let wanted = "microseconds, up to 1000000";
            config.crawler.sleep_us = said.number(wanted, |&n| n <= SLEEP_US_MAX)?;
        }
        "lru_crawler_tocrawl" => {
            config.crawler.items_max = said.number("items, 0 for all", |_| true)?;
        }
        "lru_maintainer" => (config.maintainer, config.lru.segmented) = (true, true),
        "no_lru_maintainer" => (config.maintainer, config.lru.segmented) = (false, false),
        "hot_lru_pct" => config.lru.hot_percent = said.number(of_list, percent)?,
        "warm_lru_pct" => config.lru.warm_percent = said.number(of_list, percent)?,
        "hot_max_factor" => config.lru.hot_max_thousandths = said.fraction(1000, factor)?,
        "warm_max_factor" => config.lru.warm_max_thousandths = said.fraction(1000, factor)?,
        "temporary_ttl" => {
            let seconds = said.number("seconds", |_| true)?;
            config.lru.temporary_ttl = Some(seconds);
            config.shown.temporary_ttl = seconds;
        }
        "tail_repair_time" => {
            config.shown.tail_repair_time = said.number("seconds, at least 10", |&n| n >= 10)?;
        }
        _ => return Ok(false),
    }
    Ok(true)
}

fn connections(config: &mut Config, said: Said<'_>) -> Result<bool, UsageError> {
    let kilobytes = |n: &u32| *n > 0 && *n <= u32::MAX >> 10;
    match said.name {
        "maxconns_fast" => config.turn_away = true,
        "no_maxconns_fast" => config.turn_away = false,
        "idle_timeout" => {
            let seconds: u32 = said.number("seconds, 0 for ever", |_| true)?;
            config.idle_timeout = (seconds > 0).then(|| Duration::from_secs(seconds.into()));
        }
        "watcher_logbuf_size" => {
            config.watcher_bytes_max = said.number("kilobytes, at least 1", kilobytes)? << 10;
        }
        "worker_logbuf_size" => {
            config.shown.worker_log_bytes = said.number("kilobytes, at least 1", kilobytes)? << 10;
        }
        "read_buf_mem_limit" => {
            let megabytes: u32 = said.number("megabytes, 0 for no limit", |_| true)?;
            config.shown.read_buffer_bytes = u64::from(megabytes) << 20;
        }
        "drop_privileges" => config.shown.drop_privileges = true,
        "no_drop_privileges" => config.shown.drop_privileges = false,
        _ => return Ok(false),
    }
    Ok(true)
}

fn encryption(tls: &mut TlsOptions, said: Said<'_>) -> Result<bool, UsageError> {
    match said.name {
        "ssl_chain_cert" => tls.chain = said.text()?,
        "ssl_key" => tls.key = said.text()?,
        "ssl_ca_cert" => tls.authorities = said.text()?,
        "ssl_ciphers" => tls.ciphers = said.text()?,
        "ssl_keyformat" => tls.key_format = said.number("1, which is PEM", |&n| n == 1)?,
        "ssl_verify_mode" => tls.verify = said.number("0, 1, 2 or 3", |&n| n <= 3)?,
        "ssl_wbuf_size" => {
            tls.write_kilobytes =
                said.number("kilobytes, at least 1", |&n| n > 0 && n <= 1 << 20)?;
        }
        "ssl_session_cache" => tls.session_cache = true,
        "ssl_kernel_tls" => tls.kernel_tls = true,
        "ssl_min_version" => {
            tls.version_min = said.number("0, 1, 2 (TLS 1.2) or 3 (TLS 1.3)", |&n| n <= 3)?;
        }
        _ => return Ok(false),
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_of_the_list_is_taken_with_some_value() {
        for name in NAMES {
            let tries = ["", "=1", "=12", "=1024", "=jenkins", "=96-120"];
            let taken = tries
                .iter()
                .any(|value| apply(&mut Reading::default(), &format!("{name}{value}")).is_ok());
            assert!(taken, "{name}");
        }
    }
}
