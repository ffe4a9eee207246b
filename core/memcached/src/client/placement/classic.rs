//! Cache::Memcached: buckets, as many per server as its weight.

use super::Node;

/// The server of each bucket: every server as often as its weight, in a row.
pub(super) fn buckets(nodes: &[Node]) -> Vec<u32> {
    let of = |(server, node): (u32, &Node)| core::iter::repeat_n(server, node.weight() as usize);
    (0..).zip(nodes).flat_map(of).collect()
}
