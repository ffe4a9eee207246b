//! Cache::Memcached: buckets, as many per server as its weight, and where it looks when a server is
//! out.

use super::{ExplicitHash, KeyHash, Node, TRIES_MAX};

/// The server of each bucket: every server as often as its weight, in a row.
pub(super) fn buckets(nodes: &[Node]) -> Vec<u32> {
    let of = |(server, node): (u32, &Node)| core::iter::repeat_n(server, node.weight() as usize);
    (0..).zip(nodes).flat_map(of).collect()
}

/// The first server that is not out, after a first one that is: each try adds the hash of its
/// number and the key. After the last try nobody is asked there; here the last server found.
pub(super) fn pick_again(
    buckets: &[u32],
    live: &[bool],
    ExplicitHash(hash): ExplicitHash,
    key: &[u8],
) -> Option<usize> {
    let mut hash = u64::from(hash);
    let mut name = Vec::with_capacity(key.len() + 2);
    let mut found = None;
    for tries in 1..=TRIES_MAX {
        let server = buckets[(hash % buckets.len() as u64) as usize] as usize;
        found = Some(server);
        if live[server] {
            break;
        }
        name.clear();
        name.extend_from_slice(tries.to_string().as_bytes());
        name.extend_from_slice(key);
        hash += u64::from(KeyHash::Crc.of(&name));
    }
    found
}
