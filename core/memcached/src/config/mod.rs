//! The options of a server, as the original's command line has them.

mod getopt;
mod help;
mod options;

pub use help::{help, version_line};
pub use options::UsageError;

use storytime_machine::{Addr, Endpoint, Limits, Listen, Slots};

/// Port of memcached.
pub const PORT: u16 = 11211;

/// Options of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// `-p`: TCP port; 0 listens on none.
    pub port: u16,
    /// `-l`: addresses to listen on, with a port of their own where one was given. Empty means
    /// every address.
    pub listen: Vec<ListenOn>,
    /// `-s`: path of a unix socket, which replaces the network.
    pub unix_socket: Option<String>,
    /// `-m`: memory for items, bytes.
    pub memory_bytes_max: u64,
    /// `-M` switches off eviction: a full server refuses.
    pub evict: bool,
    /// `-c`: most connections at once.
    pub connections_max: u32,
    /// `-t`: workers.
    pub threads: u32,
    /// `-I`: largest item, bytes.
    pub item_bytes_max: u64,
    /// `-b`: length of the listen queue.
    pub backlog: u32,
    /// `-C` switches off versions: `gets` shows 0 and `cas` never matches.
    pub versions: bool,
    /// `-F` switches off `flush_all`.
    pub flush_enabled: bool,
    /// `-v`, `-vv`: how much to log, 0 to 2.
    pub verbosity: u8,
    /// What concerns the program around the server and not the server.
    pub program: Program,
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
    /// `-a`: permissions of the unix socket.
    pub unix_mask: u32,
}

/// One address to listen on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenOn {
    /// A numeric address.
    pub ip: storytime_machine::IpAddr,
    /// Its own port, or that of `-p`.
    pub port: Option<u16>,
}

/// What a command line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Serve.
    Serve(Config),
    /// `-h`: print [`help`] and end.
    Help,
    /// `-V`: print [`version_line`] and end.
    Version,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            port: PORT,
            listen: Vec::new(),
            unix_socket: None,
            memory_bytes_max: 64 << 20,
            evict: true,
            connections_max: 1024,
            threads: 4,
            item_bytes_max: 1 << 20,
            backlog: Listen::BACKLOG,
            versions: true,
            flush_enabled: true,
            verbosity: 0,
            program: Program { unix_mask: 0o700, ..Program::default() },
        }
    }
}

impl Config {
    /// Shards of the data set.
    pub fn shards(&self) -> u64 {
        1
    }

    /// The options of one shard.
    pub fn cache(&self, shard: u64) -> crate::cache::Options {
        let _ = shard;
        todo!()
    }

    /// Where to listen, in order.
    pub fn endpoints(&self) -> Vec<Endpoint> {
        if let Some(path) = &self.unix_socket {
            return vec![Endpoint::unix(path)];
        }
        let port = |own: Option<u16>| own.unwrap_or(self.port);
        if self.listen.is_empty() && self.port != 0 {
            return vec![Endpoint::any(self.port)];
        }
        let listen = self.listen.iter().map(|l| Endpoint::Tcp(Addr::new(l.ip, port(l.port))));
        listen.filter(|at| at.port() != Some(0)).collect()
    }

    /// The addresses of `-l`, with commas, as given.
    pub(crate) fn listen_words(&self) -> Option<String> {
        let words = self.listen.iter().map(|on| match on.port {
            Some(port) => Addr::new(on.ip, port).to_string(),
            None => on.ip.to_string(),
        });
        (!self.listen.is_empty()).then(|| words.collect::<Vec<_>>().join(","))
    }

    /// The listener for an endpoint. Connections above the limit are taken and told so.
    pub(crate) const fn listener(&self, at: Endpoint) -> Listen {
        Listen { at, backlog: self.backlog, slots: Slots::Unlimited }
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
