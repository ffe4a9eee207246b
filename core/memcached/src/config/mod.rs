//! The options of a server, as the original's command line has them.
//!
//! Options that only steer the original's own machinery (its threads' buffers, its hash functions)
//! are taken and checked, and do nothing here; [`help`] says which.

mod check;
mod getopt;
mod help;
mod listen;
mod options;
mod parse;
mod suboptions;

pub use help::{help, license, version_line};
pub use listen::{Encryption, ListenOn, Listener, Protocol};
pub use parse::UsageError;
pub(crate) use parse::fraction;

use crate::cache::{ClassOptions, LruOptions};
use core::time::Duration;
use storytime_machine::{Limits, Listen};

/// Port of memcached.
pub const PORT: u16 = 11211;
/// Size of a page of slab memory, bytes.
pub const PAGE_BYTES: u32 = 1 << 20;

/// Below this, the data set is one shard, bytes.
const CUT_BYTES_MIN: u64 = 512 << 20;
/// Least memory of a shard of several, bytes.
const SHARD_BYTES_MIN: u64 = 256 << 20;
/// A shard of several has room for at least so many of the largest items.
const LARGEST_ITEMS_PER_SHARD_MIN: u64 = 64;
/// More shards than this per worker would not make them wait less.
const SHARDS_PER_THREAD_MAX: u64 = 4;
/// Most shards, but for what places can address.
const SHARDS_MAX: u64 = 64;

/// Options of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// `-p`: TCP port.
    pub port: Port,
    /// `-U`: UDP port.
    pub udp_port: Port,
    /// `-l`: addresses to listen on, with a port of their own where one was given. Empty means
    /// every address.
    pub listen: Vec<ListenOn>,
    /// `-l` as it was given, several with commas.
    pub listen_words: Option<String>,
    /// `-s`: path of a unix socket, which replaces the network.
    pub unix_socket: Option<String>,
    /// `-B`: what listeners speak that say nothing else.
    pub protocol: Protocol,
    /// `-m`: memory for items, bytes.
    pub memory_bytes_max: u64,
    /// `-M` switches off eviction: a full server refuses.
    pub evict: bool,
    /// `-c`: most connections at once.
    pub connections_max: u32,
    /// `maxconns_fast`: connections above the limit are told so and closed; without it they wait
    /// unaccepted.
    pub turn_away: bool,
    /// `-t`: workers.
    pub threads: u32,
    /// `-R`: requests served on one connection before the others get their turn.
    pub requests_per_turn_max: u32,
    /// `-I`: largest item, bytes.
    pub item_bytes_max: u64,
    /// `-f -n -o slab_sizes,slab_chunk_max`: slab classes.
    pub classes: ClassOptions,
    /// `-o no_lru_maintainer,hot_lru_pct,…`: order of use.
    pub lru: LruOptions,
    /// `-o slab_automove`: 0 off, 1 in the background, 2 also on every eviction.
    pub automove: u8,
    /// `-o slab_reassign`: whether pages may move between classes at all.
    pub reassign: bool,
    /// `-o slab_automove_ratio`: age of the class that gives, against that of the one that gets;
    /// hundredths.
    pub automove_ratio_hundredths: u32,
    /// `-o slab_automove_window`: how long ages are watched before a page moves, seconds.
    pub automove_window: u32,
    /// `-o lru_crawler`: dead items are freed in the background.
    pub crawler: Crawler,
    /// `-o lru_maintainer`: lists are balanced in the background.
    pub maintainer: bool,
    /// `-o hashpower`: log₂ of the places in the index at the start.
    pub index_power: Option<u32>,
    /// `-o hash_algorithm`: a name for `stats settings`; there is one keyed hash.
    pub hash_name: &'static str,
    /// `-o idle_timeout`: connections without a request for so long are closed.
    pub idle_timeout: Option<Duration>,
    /// `-b`: length of the listen queue.
    pub backlog: u32,
    /// `-C` switches off versions: `gets` shows 0 and `cas` never matches.
    pub versions: bool,
    /// `-F` switches off `flush_all`.
    pub flush_enabled: bool,
    /// `-X` switches off what shows keys: `stats cachedump`, `stats detail`,
    /// `lru_crawler metadump`.
    pub dump_enabled: bool,
    /// `-W` switches off `watch`.
    pub watch_enabled: bool,
    /// `-A` allows `shutdown`.
    pub shutdown_enabled: bool,
    /// `-D`: what ends a key's prefix, for `stats detail`.
    pub prefix_delimiter: u8,
    /// `-D` also counts per prefix from the start.
    pub detail: bool,
    /// `-o track_sizes`: `stats sizes` has figures.
    pub track_sizes: bool,
    /// `-S`: log in with SASL before anything else.
    pub sasl: bool,
    /// `-o watcher_logbuf_size`: what one watcher may have waiting, bytes.
    pub watcher_bytes_max: u32,
    /// `-e`: the data set goes to this file on a graceful end, and comes from it at the start.
    pub memory_file: Option<String>,
    /// `-v`, `-vv`: how much to log, 0 to 2.
    pub verbosity: u8,
    /// `-Z` and its suboptions.
    pub tls: Option<TlsOptions>,
    /// What `stats settings` shows and nothing here needs.
    pub shown: Shown,
    /// What concerns the program around the server and not the server.
    pub program: Program,
}

/// A port, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Port {
    /// 0: not served.
    Off,
    /// -1: whichever is free.
    Free,
    /// This one.
    At(u16),
}

impl Port {
    /// The number to bind: 0 asks for a free one. `None` if it is off.
    pub const fn to_bind(self) -> Option<u16> {
        match self {
            Self::Off => None,
            Self::Free => Some(0),
            Self::At(port) => Some(port),
        }
    }
}

/// `-o lru_crawler,lru_crawler_sleep,lru_crawler_tocrawl`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crawler {
    /// Whether it runs at the start.
    pub enabled: bool,
    /// Pause between items, microseconds. Shown; the crawler works in short pieces instead.
    pub sleep_us: u32,
    /// Most items per class and run, 0 for all.
    pub items_max: u32,
}

/// `-o ssl_*`: what `-Z` needs. Files are read by the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsOptions {
    /// `ssl_chain_cert`: certificate chain, PEM.
    pub chain: Option<String>,
    /// `ssl_key`: private key, PEM.
    pub key: Option<String>,
    /// `ssl_ca_cert`: whom clients' certificates must come from, PEM.
    pub authorities: Option<String>,
    /// `ssl_verify_mode`: 0 asks for no certificate, 1 for one if there is one, 2 and 3 for one.
    pub verify: u8,
    /// `ssl_min_version`: 0 is TLS 1.0, 2 is 1.2, 3 is 1.3.
    pub version_min: u8,
    /// `ssl_ciphers`.
    pub ciphers: Option<String>,
    /// `ssl_keyformat`: 1 is PEM.
    pub key_format: u8,
    /// `ssl_wbuf_size`, kilobytes; shown.
    pub write_kilobytes: u32,
    /// `ssl_session_cache`.
    pub session_cache: bool,
    /// `ssl_kernel_tls`; shown.
    pub kernel_tls: bool,
}

/// Settings that are taken and shown, and steer nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shown {
    /// `-o tail_repair_time`, seconds.
    pub tail_repair_time: u32,
    /// `-o worker_logbuf_size`, bytes.
    pub worker_log_bytes: u32,
    /// `-o read_buf_mem_limit`, bytes.
    pub read_buffer_bytes: u64,
    /// `-o drop_privileges`.
    pub drop_privileges: bool,
    /// `temporary_ttl` was given, or not: seconds.
    pub temporary_ttl: u32,
}

/// Options that only the program around the server can honour.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Program {
    /// `-d`: go to the background.
    pub daemon: bool,
    /// `-u`: become this user.
    pub user: Option<String>,
    /// `-P`: write the process's number to this file.
    pub pid_file: Option<String>,
    /// `-k`: keep memory out of swap.
    pub lock_memory: bool,
    /// `-r`: allow large core files.
    pub core_dumps: bool,
    /// `-L`: use large memory pages where there are any.
    pub large_pages: bool,
    /// `-a`: permissions of the unix socket.
    pub unix_mask: u32,
    /// `-Y`: names and passwords.
    pub auth_file: Option<String>,
}

/// What a command line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Serve.
    Serve(Box<Config>),
    /// `-h`: print [`help`] and end.
    Help,
    /// `-V`: print [`version_line`] and end.
    Version,
    /// `-i`: print [`license`] and end.
    License,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            port: Port::At(PORT),
            udp_port: Port::Off,
            listen: Vec::new(),
            listen_words: None,
            unix_socket: None,
            protocol: Protocol::Auto,
            memory_bytes_max: 64 << 20,
            evict: true,
            connections_max: 1024,
            turn_away: true,
            threads: 4,
            requests_per_turn_max: 20,
            item_bytes_max: 1 << 20,
            classes: ClassOptions {
                chunk_bytes_min: 48,
                factor_millionths: 1_250_000,
                chunk_bytes_max: PAGE_BYTES / 2,
                page_bytes: PAGE_BYTES,
                sizes: Vec::new(),
            },
            lru: LruOptions {
                segmented: true,
                hot_percent: 20,
                warm_percent: 40,
                hot_max_thousandths: 200,
                warm_max_thousandths: 2000,
                temporary_ttl: None,
            },
            automove: 1,
            reassign: true,
            automove_ratio_hundredths: 80,
            automove_window: 10,
            crawler: Crawler { enabled: true, sleep_us: 100, items_max: 0 },
            maintainer: true,
            index_power: None,
            hash_name: "murmur3",
            idle_timeout: None,
            backlog: Listen::BACKLOG,
            versions: true,
            flush_enabled: true,
            dump_enabled: true,
            watch_enabled: true,
            shutdown_enabled: false,
            prefix_delimiter: b':',
            detail: false,
            track_sizes: false,
            sasl: false,
            watcher_bytes_max: 256 << 10,
            memory_file: None,
            verbosity: 0,
            tls: None,
            shown: Shown {
                tail_repair_time: 0,
                worker_log_bytes: 64 << 10,
                read_buffer_bytes: 0,
                drop_privileges: false,
                temporary_ttl: 61,
            },
            program: Program { unix_mask: 0o700, ..Program::default() },
        }
    }
}

impl Default for TlsOptions {
    fn default() -> Self {
        Self {
            chain: None,
            key: None,
            authorities: None,
            verify: 0,
            version_min: 2,
            ciphers: None,
            key_format: 1,
            write_kilobytes: 16,
            session_cache: false,
            kernel_tls: false,
        }
    }
}

impl Config {
    /// Shards of the data set, a power of two.
    ///
    /// A small cache is one shard: its order of use is exact, and its pages go to whatever sizes
    /// there are. A large one is cut, so that workers seldom wait for each other's locks; each
    /// shard is then large enough that neither matters.
    pub fn shards(&self) -> u64 {
        let addressed = self.memory_bytes_max.div_ceil(crate::cache::SHARD_BYTES_MAX);
        let least = addressed.next_power_of_two();
        if self.threads == 1 || self.memory_bytes_max < CUT_BYTES_MIN {
            return least;
        }
        let room = self.memory_bytes_max / SHARD_BYTES_MIN;
        let largest = self.memory_bytes_max / (LARGEST_ITEMS_PER_SHARD_MIN * self.item_bytes_max);
        let locks = SHARDS_PER_THREAD_MAX * u64::from(self.threads);
        let most = room.min(largest).min(locks).clamp(1, SHARDS_MAX);
        least.max(1 << most.ilog2())
    }

    /// The options of one shard.
    pub fn cache(&self, shard: u64) -> crate::cache::Options {
        let shards = self.shards();
        assert!(shard < shards, "shards are numbered from 0");
        crate::cache::Options {
            bytes_max: self.memory_bytes_max / shards,
            item_bytes_max: self.item_bytes_max,
            evict: self.evict,
            versions: self.versions,
            version_first: 1 + shard,
            version_step: shards,
            classes: self.classes.clone(),
            lru: self.lru,
            automove: self.automove,
            automove_ratio_hundredths: self.automove_ratio_hundredths,
            automove_window_seconds: self.automove_window,
        }
    }

    /// Byte caps and water marks that suit these options; for whoever sets up the process.
    pub fn limits(&self) -> Limits {
        let defaults = Limits::default();
        let item = usize::try_from(self.item_bytes_max).unwrap_or(usize::MAX / 4);
        let tx_bytes_max = defaults.tx_bytes_max.max(2 * item + defaults.tx_high);
        Limits {
            tx_bytes_max,
            buffers_bytes_max: defaults.buffers_bytes_max.max(4 * tx_bytes_max),
            ..defaults
        }
    }
}
