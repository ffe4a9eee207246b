//! The kinds of loads and of models: how each is read from a file, and what machine it becomes.
//!
//! A kind is one file (or folder) beside this one and one line in [`LOADS`] or [`MODELS`]. The rest
//! of the crate knows loads and models through these traits alone.

use super::results::Results;
use super::{
    app, database, guestbook, moves, sharded, slab_table, slow_reader, watch, web_pages, workloads,
};
use crate::build::Seat;
use crate::diagnostic::Checked;
use crate::fields::Fields;
use crate::metric::MetricDef;
use crate::read::Parts;
use database::DatabaseModel;
use std::any::Any;
use std::fmt;
use std::sync::Arc;
use storytime_machine::{Machine, Work};

/// A machine that measures.
pub trait Measures: Machine {
    /// What it measured so far.
    fn results(&self) -> Results;
}

/// A load's or model's machine, of whatever kind.
pub type Boxed = Box<dyn Measures>;

/// What the hosts of one load share in one run.
pub type Shared = Arc<dyn Any + Send + Sync>;

/// The numbers of one load.
pub trait LoadSpec: fmt::Debug + Send + Sync {
    /// What can be measured about it.
    fn metrics(&self) -> &'static [MetricDef];
    /// What it is like, in a few words for the rack; `hosts` share it.
    fn words(&self, hosts: usize) -> String;
    /// Makes what the load's hosts share in one run, and keep between the lives of a process;
    /// each finds it in its seat.
    fn share(&self, _setup: &crate::story::Setup, _parts: usize) -> Shared {
        Arc::new(())
    }
    /// Makes the machine of one host of the load.
    fn build(&self, seat: &Seat<'_>) -> Boxed;
}

/// The numbers of one model.
pub trait ModelSpec: fmt::Debug + Send + Sync {
    /// What can be measured about it.
    fn metrics(&self) -> &'static [MetricDef];
    /// What it is like, in a few words for the rack.
    fn words(&self) -> String;
    /// The TCP port that it listens on, if it does.
    fn port(&self) -> Option<u16>;
    /// Makes its machine.
    fn build(&self, setup: &crate::story::Setup) -> Boxed;
    /// Its numbers, if it is a database.
    fn database(&self) -> Option<&DatabaseModel> {
        None
    }
}

/// Reads the numbers of a load or model; the fields common to all of them are read already.
pub type Read<T> = fn(&Fields<'_>, &Parts<'_>) -> Checked<Arc<T>>;

/// A kind of load.
pub struct LoadKind {
    /// As `kind = "…"` says it.
    pub name: &'static str,
    /// Its fields, beside `name`, `kind` and `on`.
    pub fields: &'static [&'static str],
    /// The verbs that `tell LOAD VERB` may say to it.
    pub verbs: &'static [&'static str],
    /// The kinds of work that its machines count.
    pub works: &'static [Work],
    /// From fields to numbers.
    pub read: Read<dyn LoadSpec>,
}

/// A kind of model.
pub struct ModelKind {
    /// As `kind = "…"` says it.
    pub name: &'static str,
    /// Its fields, beside `name`, `kind` and `host`.
    pub fields: &'static [&'static str],
    /// The kinds of work that its machine counts.
    pub works: &'static [Work],
    /// From fields to numbers.
    pub read: Read<dyn ModelSpec>,
}

/// The kinds of loads.
pub const LOADS: &[LoadKind] = &[
    web_pages::KIND,
    slow_reader::KIND,
    watch::KIND,
    app::kind::<workloads::browsers::Browsers>(),
    app::kind::<workloads::buffered_writes::BufferedWrites>(),
    app::kind::<workloads::cache_chain::CacheChain>(),
    app::kind::<workloads::cas_loop::CasLoop>(),
    app::kind::<workloads::flood_control::FloodControl>(),
    app::kind::<workloads::friends::Friends>(),
    app::kind::<workloads::friends::FriendLists>(),
    app::kind::<workloads::jobs::background::Background>(),
    app::kind::<workloads::jobs::calls::Calls>(),
    app::kind::<workloads::jobs::mail_store::MailStore>(),
    app::kind::<workloads::jobs::timed::Timed>(),
    app::kind::<workloads::jobs::urls::FetchUrls>(),
    app::kind::<workloads::jobs::reports::Reports>(),
    app::kind::<workloads::jobs::splitter::Splitter>(),
    app::kind::<workloads::jobs::friends::WaitingWorkers>(),
    app::kind::<workloads::jobs::gofers::Gofers>(),
    app::kind::<workloads::jobs::queries::Queries>(),
    app::kind::<workloads::jobs::workers::Workers>(),
    app::kind::<workloads::large_objects::LargeObjects>(),
    app::kind::<workloads::list_of_items::ListOfItems>(),
    app::kind::<workloads::multi_get::MultiGet>(),
    app::kind::<workloads::namespace_delete::NamespaceDelete>(),
    app::kind::<workloads::number_spaces::NumberSpaces>(),
    app::kind::<workloads::page_makers::PageMakers>(),
    app::kind::<workloads::placement::PickAServer>(),
    app::kind::<workloads::proxy::Proxy>(),
    app::kind::<workloads::read_through::ReadThrough>(),
    app::kind::<workloads::remembered_writes::RememberedWrites>(),
    app::kind::<guestbook::Guestbook>(),
    app::kind::<moves::Moves>(),
    app::kind::<sharded::Sharded>(),
    app::kind::<workloads::site::Site>(),
    app::kind::<workloads::stampede::Stampede>(),
];

/// The kinds of models.
pub const MODELS: &[ModelKind] = &[database::KIND, slab_table::KIND];

/// Every kind of work that loads and models count.
pub fn works() -> impl Iterator<Item = &'static Work> {
    let loads = LOADS.iter().flat_map(|kind| kind.works);
    loads.chain(MODELS.iter().flat_map(|kind| kind.works))
}

impl fmt::Debug for LoadKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl fmt::Debug for ModelKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}
