//! Options and limits: of moving one user, of a mover, of a coordinator.

use super::list::Delays;
use crate::map::{ShardId, Store};
use bytes::Bytes;
use core::time::Duration;
use std::collections::BTreeMap;
use storytime_database::client::{ClientOptions, Keep};
use storytime_machine::Endpoint;
use storytime_memcached::client::ServerSpec;

/// Port of a coordinator when none is named.
pub const PORT: u16 = 7010;

/// A row on its way to a shard where the user has another schema version.
#[derive(Clone, Debug)]
pub struct Upgrading<'a> {
    /// Its table.
    pub table: &'a Bytes,
    /// Its item.
    pub item: u64,
    /// As it is on the old shard.
    pub value: Bytes,
    /// The form it has.
    pub from: u32,
    /// The form it shall have.
    pub to: u32,
}

/// Brings a row into its new form. The same row gives the same form, always.
pub type Upgrade = fn(Upgrading<'_>) -> Bytes;

/// Leaves rows as they are.
pub fn keep_form(row: Upgrading<'_>) -> Bytes {
    row.value
}

/// A mistake that is made on purpose, so that tests are seen to find it.
#[doc(hidden)]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Bug {
    /// None.
    None,
    /// Rows are copied without a check of the new shard's home.
    NoHomeCheck,
    /// The directory is switched without a last pass and a verification.
    SwitchBeforeVerify,
    /// A successor goes on with the versions that it finds, and writes nothing of its own first.
    LeaseWithoutFence,
    /// Number spaces begin anew on the new shard.
    CountersNotCarried,
}

/// Options and limits of moving one user.
#[derive(Clone, Debug)]
pub struct JobOptions {
    /// Rows listed at a time.
    pub page_rows_max: u32,
    /// Values fetched at a time; as each may have 1 MiB, this bounds the longest reply.
    pub fetch_rows_max: usize,
    /// A batch takes no further row once it has so many bytes of values.
    pub store_bytes_max: usize,
    /// Most clauses of a batch.
    pub clauses_max: usize,
    /// A pass that finds at most so many differences is the last before the user is read-only.
    pub near_rows_max: u64,
    /// After so many passes the user is made read-only however much he writes.
    pub passes_max: u32,
    /// Most rows of a user: the mover remembers each.
    pub rows_max: usize,
    /// So many failures in a row, and the mover gives up for now.
    pub failures_max: u32,
    /// A user who is read-only for longer may write again, and is moved another time.
    pub read_only_max: Duration,
    /// Pause behind a failure.
    pub pause: Duration,
    /// The master from before sharding, if there still is one: its users need no `home` there.
    pub unsharded: Option<ShardId>,
    /// Brings rows into another form.
    pub upgrade: Upgrade,
    /// For tests.
    #[doc(hidden)]
    pub bug: Bug,
}

impl Default for JobOptions {
    fn default() -> Self {
        Self {
            page_rows_max: 1_000,
            fetch_rows_max: 16,
            store_bytes_max: 1 << 20,
            clauses_max: 256,
            near_rows_max: 16,
            passes_max: 8,
            rows_max: 4 << 20,
            failures_max: 8,
            read_only_max: Duration::from_secs(5),
            pause: Duration::from_millis(200),
            unsharded: None,
            upgrade: keep_form,
            bug: Bug::None,
        }
    }
}

/// Options and limits of a mover.
#[derive(Clone, Debug)]
pub struct MoverOptions {
    /// Who hands out moves.
    pub coordinator: Endpoint,
    /// Where the directory is.
    pub directory: Store,
    /// Where the shards are written.
    pub shards: BTreeMap<ShardId, Store>,
    /// Where directory entries are cached.
    pub caches: Vec<ServerSpec>,
    /// Moves worked on at once.
    pub jobs_max: u32,
    /// How often it says that it is there.
    pub heartbeat: Duration,
    /// Before it tries to reach the coordinator again.
    pub reconnect: Duration,
    /// How databases are asked.
    pub client: ClientOptions,
    /// How one user is moved.
    pub job: JobOptions,
}

/// Options and limits of a coordinator.
#[derive(Clone, Debug)]
pub struct CoordinatorOptions {
    /// Where movers and those who order moves connect.
    pub port: u16,
    /// Where the directory is, and with it the list.
    pub directory: Store,
    /// How long it waits for what.
    pub delays: Delays,
    /// How often the list is read again: another coordinator may have written to it.
    pub rescan: Duration,
    /// Where users live whom the directory does not know, if that may be: the master from before
    /// sharding. An order to move one of them also gives him his place.
    pub unsharded: Option<ShardId>,
    /// Most moves on the list; further ones are refused.
    pub moves_max: usize,
    /// How the directory is asked.
    pub client: ClientOptions,
}

/// How movers and coordinators ask databases: impatiently, because a user may be read-only
/// meanwhile.
fn client_options() -> ClientOptions {
    ClientOptions {
        keep: Keep::Pooled(1),
        timeout: Duration::from_secs(1),
        connect_timeout: Duration::from_millis(500),
        retry_after: Duration::from_millis(100),
        reply_bytes_max: 32 << 20,
        ..ClientOptions::default()
    }
}

impl MoverOptions {
    /// Eight moves at once, no cache.
    pub fn new(coordinator: Endpoint, directory: Store, shards: BTreeMap<ShardId, Store>) -> Self {
        Self {
            coordinator,
            directory,
            shards,
            caches: Vec::new(),
            jobs_max: 8,
            heartbeat: Duration::from_secs(1),
            reconnect: Duration::from_millis(500),
            client: client_options(),
            job: JobOptions::default(),
        }
    }
}

impl CoordinatorOptions {
    /// At the usual port.
    pub fn new(directory: Store) -> Self {
        Self {
            port: PORT,
            directory,
            delays: Delays::default(),
            rescan: Duration::from_secs(30),
            unsharded: None,
            moves_max: 1 << 20,
            client: client_options(),
        }
    }
}
