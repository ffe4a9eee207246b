//! Options of what the original has not, or has broken: HTTP, a cache of results.

use super::flags::Given;
use super::value::{number, scaled, wrong};
use crate::tools::{Place, SERVERS_MAX};
use storytime_machine::UsageError;

/// Where HTTP is spoken unless said otherwise, as in the original.
const HTTP_PORT: u16 = 8080;
/// memcached's port.
const CACHE_PORT: u16 = 11211;
/// How long a result is kept unless said otherwise, seconds.
const RESULT_SECONDS: u32 = 300;
/// Longest that can be asked for: memcached takes more for a date. Seconds.
const RESULT_SECONDS_MAX: u32 = 30 * 24 * 60 * 60;
/// Longest result that is kept unless said otherwise: what fits into an item of memcached's usual
/// size with its key. Bytes.
const RESULT_BYTES: usize = 1_000_000;
/// Longest that can be asked for, bytes.
const RESULT_BYTES_CAP: usize = 64 << 20;

/// Where results of unique jobs are kept for who asks again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResultCache {
    /// `--result-cache`: memcached servers.
    pub servers: Vec<Place>,
    /// `--result-cache-seconds`.
    pub seconds: u32,
    /// `--result-cache-bytes`: longest result that is kept.
    pub bytes_max: usize,
}

/// Flags of a kind, as they come in any order.
#[derive(Debug, Default)]
pub(super) struct Loose {
    servers: Option<Vec<Place>>,
    seconds: Option<u32>,
    bytes: Option<usize>,
    http: bool,
    http_port: Option<u16>,
}

impl Loose {
    /// Takes a flag. Whether it is one of these.
    pub(super) fn take(&mut self, given: Given<'_>) -> Result<bool, UsageError> {
        match given.flag.long {
            "result-cache" => self.servers = Some(places(given)?),
            "result-cache-seconds" => {
                let seconds = number::<u32>(given)?;
                if !(1..=RESULT_SECONDS_MAX).contains(&seconds) {
                    let what = format!("{}; expected 1 to {RESULT_SECONDS_MAX}", wrong(given));
                    return Err(UsageError(what));
                }
                self.seconds = Some(seconds);
            }
            "result-cache-bytes" => self.bytes = Some(length(given)?),
            "http-port" => match number::<u16>(given)? {
                0 => return Err(UsageError(format!("{}; expected 1 to 65535", wrong(given)))),
                port => self.http_port = Some(port),
            },
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// `--protocol http` was given.
    pub(super) const fn speak_http(&mut self) {
        self.http = true;
    }

    /// Where HTTP is spoken beside this port, if anywhere.
    pub(super) fn http_port(&self, port: u16) -> Result<Option<u16>, UsageError> {
        let http_port = self.http_port.or_else(|| self.http.then_some(HTTP_PORT));
        if http_port == Some(port) {
            let what = format!("--http-port {port} is the job server's own --port");
            return Err(UsageError(what));
        }
        Ok(http_port)
    }

    /// What all of them together mean, for packets of this length at most.
    pub(super) fn result_cache(
        &self,
        packet_bytes_max: usize,
    ) -> Result<Option<ResultCache>, UsageError> {
        let Some(servers) = &self.servers else {
            return match (self.seconds, self.bytes) {
                (None, None) => Ok(None),
                _ => {
                    let what = "--result-cache-seconds and --result-cache-bytes are for \
                                --result-cache HOST:PORT";
                    Err(UsageError(what.to_owned()))
                }
            };
        };
        let bytes_max = self.bytes.unwrap_or_else(|| RESULT_BYTES.min(packet_bytes_max));
        if bytes_max > packet_bytes_max {
            let what = "--result-cache-bytes is more than --max-packet: no result is so long";
            return Err(UsageError(what.to_owned()));
        }
        let seconds = self.seconds.unwrap_or(RESULT_SECONDS);
        Ok(Some(ResultCache { servers: servers.clone(), seconds, bytes_max }))
    }
}

fn places(given: Given<'_>) -> Result<Vec<Place>, UsageError> {
    let names = given.value.split(',').map(str::trim).filter(|name| !name.is_empty());
    let places: Result<Vec<Place>, _> = names.map(|name| Place::at(name, CACHE_PORT)).collect();
    match places {
        Ok(places) if (1..=SERVERS_MAX).contains(&places.len()) => Ok(places),
        Ok(_) => Err(UsageError(format!("{}; expected 1 to {SERVERS_MAX} servers", wrong(given)))),
        Err(why) => Err(UsageError(format!("{}; {why}", wrong(given)))),
    }
}

fn length(given: Given<'_>) -> Result<usize, UsageError> {
    let n = scaled(given.value).filter(|n| (1..=RESULT_BYTES_CAP).contains(n));
    n.ok_or_else(|| {
        UsageError(format!("{}; expected 1 to {}m", wrong(given), RESULT_BYTES_CAP >> 20))
    })
}
