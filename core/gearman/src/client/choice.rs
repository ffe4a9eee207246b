//! Which server gets a job.

use storytime_machine::Rng;

/// Which of several servers gets a job. Those that failed and rest are passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Choice {
    /// One drawn at first, and from then on the same until it fails; then the next in the list.
    #[default]
    Failover,
    /// The first in the list.
    InOrder,
    /// As the Perl client: by a hash of the unique key (of the data, if that is the key), so that
    /// the same job meets itself on one server; any server for a job without key.
    Hashed,
}

/// The Perl client's hash of a unique key, which is then taken modulo the number of servers.
/// A hash of 0 counts as no key there.
pub fn perl_hash(key: &[u8]) -> u32 {
    crc32fast::hash(key) >> 16 & 0x7fff
}

impl Choice {
    /// The place in a list of `servers` where looking for a server begins.
    pub(super) fn start(self, rng: &mut Rng, servers: u32, current: u32, key: &[u8]) -> u32 {
        match self {
            Self::Failover => current,
            Self::InOrder => 0,
            Self::Hashed => match perl_hash(key) {
                0 => rng.below(u64::from(servers)) as u32,
                hash => hash % servers,
            },
        }
    }
}
