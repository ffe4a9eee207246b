//! Consistent hashing: points on a ring, a key belongs to the next one.

use super::hash::xxh3;
use super::{KeyHash, Node, ProxyRing};
use md5::{Digest as _, Md5};

/// Points per server where all weigh the same.
const POINTS_PER_SERVER: u32 = 100;
/// Points per server on average where they do not.
const POINTS_PER_SERVER_WEIGHTED: u32 = 160;
/// Points per server of the built-in proxy.
const POINTS_PER_SERVER_PROXY: u32 = 160;
/// Points that one MD5 digest gives where servers are weighted.
const POINTS_PER_DIGEST: u32 = 4;

/// Points in order.
#[derive(Clone, Debug)]
pub(super) struct Ring(Vec<Point>);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Point {
    at: u32,
    server: u32,
}

/// The `n`th little-endian word of a digest.
pub(super) fn word(digest: &[u8], n: usize) -> u32 {
    let bytes = digest[4 * n..4 * n + 4].try_into().expect("a digest of 16 bytes has four words");
    u32::from_le_bytes(bytes)
}

/// Servers that are not out, by their index.
fn of_live<'a>(nodes: &'a [Node], live: &'a [bool]) -> impl Iterator<Item = (u32, &'a Node)> {
    (0..).zip(nodes).zip(live).filter(|(_, live)| **live).map(|(node, _)| node)
}

/// How libmemcached names the points of a server: its number follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Names {
    /// `host-` at the default port, else `host:port-`.
    Plain,
    /// `/host:port-`, as spymemcached has it.
    Spy,
}

impl Names {
    fn of(self, node: &Node) -> String {
        match self {
            Self::Plain => node.point_name(),
            Self::Spy => format!("/{}:{}-", node.host, node.port),
        }
    }
}

impl Ring {
    /// One hundred points per live server.
    pub(super) fn even(nodes: &[Node], live: &[bool], names: Names, hash: KeyHash) -> Self {
        let mut points = Vec::with_capacity(nodes.len() * POINTS_PER_SERVER as usize);
        for (server, node) in of_live(nodes, live) {
            let name = names.of(node);
            let at = |n| hash.of(format!("{name}{n}").as_bytes());
            points.extend((0..POINTS_PER_SERVER).map(|n| Point { at: at(n), server }));
        }
        Self::sorted(points)
    }

    /// Points of live servers in proportion to weights, four from each digest.
    pub(super) fn weighted(nodes: &[Node], live: &[bool], names: Names) -> Self {
        let total = of_live(nodes, live).map(|(_, node)| u64::from(node.weight())).sum();
        let count = of_live(nodes, live).count();
        let mut points = Vec::new();
        for (server, node) in of_live(nodes, live) {
            let name = names.of(node);
            let digests = digests(node.weight(), total, count);
            (0..digests).for_each(|n| points_of_digest(&name, n, server, &mut points));
        }
        Self::sorted(points)
    }

    /// The built-in proxy's points of live servers.
    pub(super) fn proxy(nodes: &[Node], live: &[bool], ring: ProxyRing) -> Self {
        let mut points = Vec::with_capacity(nodes.len() * POINTS_PER_SERVER_PROXY as usize);
        for (server, node) in of_live(nodes, live) {
            let Node { host, port, .. } = node;
            let name = match ring {
                ProxyRing::Xxh3 | ProxyRing::Ketama => format!("{host}:{port}-"),
                ProxyRing::Twemproxy => node.point_name(),
                ProxyRing::Evcache => format!("{host}/{host}:{port}-"),
            };
            if ring == ProxyRing::Xxh3 {
                let at = |n| xxh3(0, format!("{name}{n}").as_bytes()) as u32;
                points.extend((0..POINTS_PER_SERVER_PROXY).map(|n| Point { at: at(n), server }));
            } else {
                let digests = POINTS_PER_SERVER_PROXY / POINTS_PER_DIGEST;
                (0..digests).for_each(|n| points_of_digest(&name, n, server, &mut points));
            }
        }
        Self::sorted(points)
    }

    fn sorted(mut points: Vec<Point>) -> Self {
        points.sort_unstable();
        Self(points)
    }

    pub(super) fn pick(&self, hash: u32) -> Option<usize> {
        let next = self.0.partition_point(|point| point.at < hash);
        let point = self.0.get(next).or_else(|| self.0.first())?;
        Some(point.server as usize)
    }
}

fn points_of_digest(name: &str, n: u32, server: u32, points: &mut Vec<Point>) {
    let digest = Md5::digest(format!("{name}{n}").as_bytes());
    let at = |quarter| word(digest.as_slice(), quarter as usize);
    points.extend((0..POINTS_PER_DIGEST).map(|quarter| Point { at: at(quarter), server }));
}

/// How many digests a server's share of the ring is worth.
///
/// In single precision, as the original computes it: its rounding is part of the contract between
/// all clients of one set of servers. IEEE arithmetic gives the same result on every platform.
fn digests(weight: u32, total: u64, servers: usize) -> u32 {
    let share = weight as f32 / total as f32;
    let per_digest = (POINTS_PER_SERVER_WEIGHTED / POINTS_PER_DIGEST) as f32;
    let exact = share * per_digest * servers as f32 + 1e-10;
    exact.floor() as u32
}
