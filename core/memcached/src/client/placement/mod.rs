//! Which server holds a key: pure functions, equal to the original libraries' to the last key.
//!
//! | scheme | as in | weights |
//! |---|---|---|
//! | [`Scheme::Classic`] | Cache::Memcached 1.30 | a server's buckets, repeated |
//! | [`Scheme::Modula`] | libmemcached 1.1.4 without `KETAMA` | ignored, as there |
//! | [`Scheme::Ketama`] | libmemcached 1.1.4 with `KETAMA` and a `HASH` | points on the ring, once any weight is above 1 |
//! | [`Scheme::KetamaWeighted`] | libmemcached 1.1.4 with `KETAMA_WEIGHTED` | points on the ring |
//! | [`Scheme::KetamaSpy`] | libmemcached 1.1.4, `KETAMA_SPY` and a `HASH` | as `Ketama` |
//! | [`Scheme::KetamaSpyWeighted`] | libmemcached 1.1.4, `KETAMA_WEIGHTED`, then `KETAMA_SPY`: spymemcached | points on the ring |
//! | [`Scheme::ProxyRing`] | `dist_ring_hash` of memcached 1.6.45's built-in proxy | ignored, as there |
//! | [`Scheme::ProxyJump`] | `dist_jump_hash`, the default there | ignored, as there |
//!
//! libmemcached's `KETAMA` alone keeps the default hash for keys and points, which is not MD5; the
//! original ketama's hash is that of `KETAMA_WEIGHTED`, or of `KETAMA` with `HASH` set to MD5.
//!
//! The tables of expected places in this crate's tests were made by those two libraries, as Debian
//! 12 packages them (libcache-memcached-perl 1.30-1.1, libmemcached11 1.1.4-1), and by the proxy's
//! own source, for 10,000 keys each.
//!
//! # Not modelled
//!
//! libmemcached's other key hashes (FNV, Hsieh, Murmur, Jenkins) and random distribution; of the
//! proxy, other numbers of points than 160, other pairs of ring and key hash than those of
//! [`ProxyRing`], and its key filters.

mod classic;
mod hash;
mod ketama;

pub use hash::KeyHash;

use ketama::{Names, Ring};

/// Port whose number is left out of the names of points on a ring.
const DEFAULT_PORT: u16 = crate::config::PORT;

/// A server as placement sees it. The host's spelling counts: `10.0.0.1` and its name are different
/// points on a ring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Host as it would be given to the original library.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Share of the keys, relative to the others'; 0 counts as 1.
    pub weight: u32,
}

/// How keys are placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// CRC-32 modulo the number of buckets.
    Classic,
    /// A hash modulo the number of servers.
    Modula(KeyHash),
    /// A ring with 100 points per server, keys and points placed by the same hash. When any weight
    /// is above 1, points are placed as for [`Self::KetamaWeighted`].
    Ketama(KeyHash),
    /// A ring with 160 points per server on average, by weight; everything is placed by MD5.
    KetamaWeighted,
    /// As [`Self::Ketama`], with points named as spymemcached names them.
    KetamaSpy(KeyHash),
    /// As [`Self::KetamaWeighted`], with points named as spymemcached names them.
    KetamaSpyWeighted,
    /// A ring of the built-in proxy.
    ProxyRing(ProxyRing),
    /// The built-in proxy's jump hash over XXH3 of the key: the list may grow and shrink at its end
    /// only.
    ProxyJump {
        /// Makes pools differ; 0 if the pool has none. See [`proxy_seed`].
        seed: u64,
    },
}

/// The rings of the built-in proxy: 160 points per server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyRing {
    /// Its default: keys and the points `host:port-n` by XXH3.
    Xxh3,
    /// Keys and points by MD5; the port is always named.
    Ketama,
    /// The same without the default port, as libmemcached and twemproxy have it.
    Twemproxy,
    /// The same with the points `host/host:port-n`.
    Evcache,
}

/// The seed that a pool of the built-in proxy makes of its `seed` option.
pub fn proxy_seed(text: &str) -> u64 {
    hash::xxh3(0, text.as_bytes())
}

/// A key with a hash of the caller's choice, as Cache::Memcached's `[hash, key]`: all keys of one
/// user on one server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExplicitHash(pub u32);

/// Tries of [`Scheme::Classic`] to find a server that is not out.
const TRIES_MAX: u32 = 20;

/// A scheme over a list of servers, ready to be asked.
#[derive(Clone, Debug)]
pub struct Placement {
    scheme: Scheme,
    table: Table,
    /// Which servers are not out.
    live: Vec<bool>,
}

#[derive(Clone, Debug)]
enum Table {
    /// The server of each bucket.
    Buckets(Vec<u32>),
    Ring(Ring),
    /// So many servers.
    Jump(u32),
}

impl Node {
    /// A server of weight 1.
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Self { host: host.into(), port, weight: 1 }
    }

    /// The start of the names of its points on a ring.
    fn point_name(&self) -> String {
        if self.port == DEFAULT_PORT {
            format!("{}-", self.host)
        } else {
            format!("{}:{}-", self.host, self.port)
        }
    }

    const fn weight(&self) -> u32 {
        if self.weight == 0 { 1 } else { self.weight }
    }
}

impl Placement {
    /// Prepares a scheme for a list of servers; the order of the list counts.
    pub fn new(scheme: Scheme, nodes: &[Node]) -> Self {
        Self::with_live(scheme, nodes, &vec![true; nodes.len()])
    }

    /// The same while some servers are out, as the original libraries go on without them: a ring is
    /// built of the others; [`Scheme::Classic`] hashes again; [`Scheme::Modula`] and
    /// [`Scheme::ProxyJump`] keep asking them. (The built-in proxy itself never takes a server off.)
    /// If all are out, that is as if none were.
    ///
    /// # Panics
    /// If there is not one `live` per node.
    pub fn with_live(scheme: Scheme, nodes: &[Node], live: &[bool]) -> Self {
        assert_eq!(nodes.len(), live.len(), "each server is out or not");
        let weighted = nodes.iter().any(|node| node.weight() > 1);
        let all = !live.contains(&true);
        let live: Vec<bool> = live.iter().map(|&live| live || all).collect();
        let table = match scheme {
            Scheme::Classic => Table::Buckets(classic::buckets(nodes)),
            Scheme::Modula(_) => Table::Buckets((0..nodes.len() as u32).collect()),
            Scheme::Ketama(hash) if !weighted => {
                Table::Ring(Ring::even(nodes, &live, Names::Plain, hash))
            }
            Scheme::Ketama(_) | Scheme::KetamaWeighted => {
                Table::Ring(Ring::weighted(nodes, &live, Names::Plain))
            }
            Scheme::KetamaSpy(hash) if !weighted => {
                Table::Ring(Ring::even(nodes, &live, Names::Spy, hash))
            }
            Scheme::KetamaSpy(_) | Scheme::KetamaSpyWeighted => {
                Table::Ring(Ring::weighted(nodes, &live, Names::Spy))
            }
            Scheme::ProxyRing(ring) => Table::Ring(Ring::proxy(nodes, &live, ring)),
            Scheme::ProxyJump { .. } => Table::Jump(nodes.len() as u32),
        };
        Self { scheme, table, live }
    }

    /// The scheme.
    pub const fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The hash that places a key; of [`Scheme::ProxyJump`]'s 64 bits the lower half.
    pub fn hash(&self, key: &[u8]) -> u32 {
        match self.scheme {
            Scheme::Classic => KeyHash::Crc.of(key),
            Scheme::Modula(hash) | Scheme::Ketama(hash) | Scheme::KetamaSpy(hash) => hash.of(key),
            Scheme::KetamaWeighted | Scheme::KetamaSpyWeighted => KeyHash::Md5.of(key),
            Scheme::ProxyRing(ProxyRing::Xxh3) => hash::xxh3(0, key) as u32,
            Scheme::ProxyRing(_) => KeyHash::Md5.of(key),
            Scheme::ProxyJump { seed } => hash::xxh3(seed, key) as u32,
        }
    }

    /// Index of the server that holds a key; `None` without servers.
    pub fn pick(&self, key: &[u8]) -> Option<usize> {
        if let (Scheme::ProxyJump { seed }, Table::Jump(servers)) = (self.scheme, &self.table) {
            let jump = |servers| hash::jump(hash::xxh3(seed, key), servers) as usize;
            return Some(*servers).filter(|&servers| servers > 0).map(jump);
        }
        self.pick_as(ExplicitHash(self.hash(key)), key)
    }

    /// Index of the server for a key with a hash of the caller's choice; `None` without servers.
    /// The key counts only while servers are out.
    pub fn pick_as(&self, hash: ExplicitHash, key: &[u8]) -> Option<usize> {
        let first = self.pick_by_hash(hash)?;
        match &self.table {
            Table::Buckets(buckets) if self.scheme == Scheme::Classic && !self.live[first] => {
                classic::pick_again(buckets, &self.live, hash, key)
            }
            _ => Some(first),
        }
    }

    /// Index of the server for a hash of the caller's choice; `None` without servers.
    pub fn pick_by_hash(&self, ExplicitHash(hash): ExplicitHash) -> Option<usize> {
        match &self.table {
            Table::Buckets(buckets) => {
                let count = u32::try_from(buckets.len()).ok().filter(|&n| n > 0)?;
                Some(buckets[(hash % count) as usize] as usize)
            }
            Table::Ring(ring) => ring.pick(hash),
            Table::Jump(0) => None,
            Table::Jump(servers) => Some(hash::jump(hash.into(), *servers) as usize),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_servers_hold_no_keys() {
        for scheme in [Scheme::Classic, Scheme::Ketama(KeyHash::Md5), Scheme::KetamaWeighted] {
            assert_eq!(Placement::new(scheme, &[]).pick(b"key"), None);
        }
    }

    #[test]
    fn an_explicit_hash_keeps_keys_together() {
        let nodes: Vec<Node> = (0..5).map(|n| Node::new(format!("mc{n}"), 11211)).collect();
        let classic = Placement::new(Scheme::Classic, &nodes);
        assert_eq!(classic.pick_by_hash(ExplicitHash(12)), Some(2));
        assert_eq!(classic.pick(b"foo"), classic.pick_by_hash(ExplicitHash(classic.hash(b"foo"))));
    }

    #[test]
    fn one_more_server_moves_most_keys_by_modulo_and_few_on_a_ring() {
        let nodes: Vec<Node> = (0..11).map(|n| Node::new(format!("10.0.0.{n}"), 11211)).collect();
        let moved = |scheme| {
            let (ten, eleven) =
                (Placement::new(scheme, &nodes[..10]), Placement::new(scheme, &nodes));
            let keys = (0..10_000).map(|n| format!("user:{n}"));
            keys.filter(|key| ten.pick(key.as_bytes()) != eleven.pick(key.as_bytes())).count()
        };
        assert!((8_800..9_400).contains(&moved(Scheme::Classic)), "{}", moved(Scheme::Classic));
        assert!(
            (600..1_300).contains(&moved(Scheme::Ketama(KeyHash::Md5))),
            "{}",
            moved(Scheme::Ketama(KeyHash::Md5))
        );
    }
}
