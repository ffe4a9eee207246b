//! The client's command line.

use clap::{Args, Subcommand, ValueEnum};
use std::net::ToSocketAddrs as _;
use std::time::Duration;
use storytime_machine::Endpoint;
use storytime_memcached::client::placement::ProxyRing;
use storytime_memcached::client::{
    ClientOptions, DeadServer, KeyHash, Node, PoolOptions, Prefix, Protocol, Scheme, ServerSpec,
};

const EXAMPLES: &str = "\
Examples:
  storytime mc set greeting hello --ttl 60        a value from standard input: set KEY -
  storytime mc -s a:11211,b:11211 --placement ketama get k1 k2
  storytime mc load --duration 10s --rate 20000 --value-bytes 100-1000 --skew zipf
Exit status: 0 done, 1 a miss, not stored or failed, 2 the command line is wrong.";

/// A memcached client.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES, subcommand_required = true, arg_required_else_help = true)]
#[command(disable_help_subcommand = true, next_help_heading = "Servers")]
pub(crate) struct McOptions {
    // Not a doc comment: rustdoc would take the brackets for a link.
    #[arg(help = "host:port[:weight],… or /a/socket [127.0.0.1:11211]")]
    #[arg(short, long, global = true, value_name = "LIST", default_value = "127.0.0.1:11211")]
    #[arg(hide_default_value = true)]
    pub(crate) servers: String,
    /// classic (default), modula, ketama, spy, proxy-ring or proxy-jump
    #[arg(long, global = true, value_enum, value_name = "NAME", hide_possible_values = true)]
    #[arg(default_value_t = PlacementName::Classic, hide_default_value = true)]
    placement: PlacementName,
    /// Put before every key
    #[arg(long, global = true, value_name = "TEXT", default_value = "")]
    #[arg(hide_default_value = true)]
    prefix: String,
    /// Speak the binary protocol
    #[arg(long, global = true)]
    binary: bool,
    /// How long a reply may take, milliseconds
    #[arg(long, global = true, value_name = "MS", default_value_t = 1000)]
    timeout: u64,
    #[command(subcommand)]
    pub(crate) command: McCommand,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum PlacementName {
    // Cache::Memcached, with weights.
    Classic,
    // libmemcached's default.
    Modula,
    // libmemcached's KETAMA_WEIGHTED.
    Ketama,
    // spymemcached's.
    Spy,
    // The built-in proxy's two.
    ProxyRing,
    ProxyJump,
}

#[derive(Debug, Subcommand)]
pub(crate) enum McCommand {
    /// Print values
    Get(Keys),
    /// Print version, flags and value
    Gets(Keys),
    /// Print values and set their expiry
    Gat(Expiring),
    /// Store a value
    Set(Stored),
    /// Store where nothing is
    Add(Stored),
    /// Store over something
    Replace(Stored),
    /// Put behind a value
    Append(Stored),
    /// Put before a value
    Prepend(Stored),
    /// Store over this version (see gets)
    Cas(Versioned),
    /// Delete values
    Delete(Keys),
    /// Count up
    Incr(Counted),
    /// Count down, to 0 at least
    Decr(Counted),
    /// Set the expiry
    Touch(Expiring),
    /// Print each server's statistics (items, slabs, settings, …)
    Stats(Sub),
    /// Print each server's version
    Version,
    /// Forget everything, on every server
    Flush(Delay),
    /// A meta get with its flags: mg KEY v t; likewise ms KEY VALUE, md, ma, me
    Mg(Meta),
    /// A meta set: ms KEY VALUE flags
    #[command(hide = true)]
    Ms(MetaValue),
    /// A meta delete
    #[command(hide = true)]
    Md(Meta),
    /// A meta arithmetic
    #[command(hide = true)]
    Ma(Meta),
    /// What the server knows about a key
    #[command(hide = true)]
    Me(Meta),
    /// Operations, hit ratio, items and more of each server
    Top(TopOptions),
    /// Generate load and measure it
    Load(super::load::LoadOptions),
}

#[derive(Args, Debug)]
pub(crate) struct Keys {
    #[arg(required = true, value_name = "KEY")]
    pub(crate) keys: Vec<String>,
}

#[derive(Args, Debug)]
pub(crate) struct Expiring {
    /// Seconds, 0 for never
    #[arg(allow_hyphen_values = true)]
    pub(crate) ttl: i32,
    #[arg(required = true, value_name = "KEY")]
    pub(crate) keys: Vec<String>,
}

#[derive(Args, Debug)]
pub(crate) struct Stored {
    pub(crate) key: String,
    /// The value; - or nothing reads standard input
    #[arg(default_value = "-", hide_default_value = true, allow_hyphen_values = true)]
    pub(crate) value: String,
    /// Seconds until it expires, 0 for never
    #[arg(long, default_value_t = 0, allow_hyphen_values = true)]
    pub(crate) ttl: i32,
    /// Kept with the value
    #[arg(long, default_value_t = 0)]
    pub(crate) flags: u32,
}

#[derive(Args, Debug)]
pub(crate) struct Versioned {
    /// The version that must still be there
    pub(crate) version: u64,
    #[command(flatten)]
    pub(crate) stored: Stored,
}

#[derive(Args, Debug)]
pub(crate) struct Counted {
    pub(crate) key: String,
    #[arg(default_value_t = 1)]
    pub(crate) by: u64,
    /// Store this number where none is
    #[arg(long, value_name = "NUMBER")]
    pub(crate) initial: Option<u64>,
    /// Expiry of the initial number, seconds
    #[arg(long, default_value_t = 0)]
    pub(crate) ttl: u32,
}

#[derive(Args, Debug)]
pub(crate) struct Sub {
    #[arg(default_value = "", hide_default_value = true)]
    pub(crate) sub: Vec<String>,
}

#[derive(Args, Debug)]
pub(crate) struct Delay {
    /// Seconds to wait
    #[arg(default_value_t = 0)]
    pub(crate) delay: u32,
}

#[derive(Args, Debug)]
pub(crate) struct Meta {
    pub(crate) key: String,
    #[arg(allow_hyphen_values = true)]
    pub(crate) flags: Vec<String>,
}

#[derive(Args, Debug)]
pub(crate) struct MetaValue {
    pub(crate) key: String,
    /// The value; - reads standard input
    pub(crate) value: String,
    #[arg(allow_hyphen_values = true)]
    pub(crate) flags: Vec<String>,
}

#[derive(Args, Debug)]
pub(crate) struct TopOptions {
    /// Print one table and end
    #[arg(long)]
    pub(crate) once: bool,
    /// Seconds between two tables
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(crate) interval: u64,
}

/// A server by the name it was given.
#[derive(Clone, Debug)]
pub(crate) struct Named {
    pub(crate) name: String,
    pub(crate) spec: ServerSpec,
}

impl McOptions {
    /// The servers, found by name.
    pub(crate) fn servers(&self) -> Result<Vec<Named>, String> {
        let names = self.servers.split(',').map(str::trim).filter(|name| !name.is_empty());
        let servers: Vec<Named> = names.map(server).collect::<Result<_, _>>()?;
        if servers.is_empty() {
            return Err("--servers is empty: name at least one, such as 127.0.0.1:11211".into());
        }
        Ok(servers)
    }

    /// How they are talked to.
    pub(crate) fn client(&self) -> ClientOptions {
        let timeout = Duration::from_millis(self.timeout.max(1));
        ClientOptions {
            scheme: match self.placement {
                PlacementName::Classic => Scheme::Classic,
                PlacementName::Modula => Scheme::Modula(KeyHash::OneAtATime),
                PlacementName::Ketama => Scheme::KetamaWeighted,
                PlacementName::Spy => Scheme::KetamaSpyWeighted,
                PlacementName::ProxyRing => Scheme::ProxyRing(ProxyRing::Xxh3),
                PlacementName::ProxyJump => Scheme::ProxyJump { seed: 0 },
            },
            protocol: if self.binary { Protocol::Binary } else { Protocol::Text },
            prefix: Prefix { bytes: self.prefix.clone().into(), hashed: false },
            dead_server: DeadServer::Fail,
            pool: PoolOptions {
                connect_timeout: timeout,
                request_timeout: timeout,
                ..PoolOptions::default()
            },
            ..ClientOptions::default()
        }
    }
}

fn server(text: &str) -> Result<Named, String> {
    let wanted = "expected host:port, host:port:weight or /path/of/socket";
    if text.starts_with('/') {
        let spec = ServerSpec { node: Node::new(text, 0), at: Endpoint::unix(text) };
        return Ok(Named { name: text.to_owned(), spec });
    }
    let mut parts = text.split(':');
    let host = parts.next().filter(|host| !host.is_empty());
    let port = parts.next().map_or(Some(11211), |port| port.parse().ok());
    let weight = parts.next().map_or(Some(1), |weight| weight.parse().ok());
    let (Some(host), Some(port), Some(weight), None) = (host, port, weight, parts.next()) else {
        return Err(format!("--servers {text}: {wanted}"));
    };
    let found = (host, port).to_socket_addrs();
    let at = found.ok().and_then(|mut all| all.next());
    let at = at.ok_or_else(|| format!("--servers {text}: the name {host} has no address"))?;
    let node = Node { host: host.to_owned(), port, weight };
    let spec = ServerSpec { node, at: Endpoint::tcp(at.ip(), port) };
    Ok(Named { name: format!("{host}:{port}"), spec })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_named_with_port_and_weight_or_as_sockets() {
        let named = server("127.0.0.1:2222:3").expect("a server");
        assert_eq!((named.name.as_str(), named.spec.node.weight), ("127.0.0.1:2222", 3));
        assert_eq!(server("127.0.0.1").expect("a server").spec.node.port, 11211);
        assert_eq!(server("/tmp/mc").expect("a socket").spec.at, Endpoint::unix("/tmp/mc"));
        for wrong in ["127.0.0.1:x", ":1", "127.0.0.1:1:1:1"] {
            assert!(server(wrong).expect_err("wrong").contains("expected host:port"), "{wrong}");
        }
    }
}
