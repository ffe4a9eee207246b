//! Makes the new shard's rows of a user the same as the old shard's, in bounded steps.
//!
//! A pass walks the old shard's tables page by page (items, versions and digests, no values),
//! fetches what the [ledger] does not know to be equal, and stores it in batches that
//! check the new shard's home. While the user may still write, passes only bring the copies
//! nearer. Once he may not, a pass ends with the number spaces and with a verification: every row
//! of the new shard is listed again and held against the ledger, which by then is the old shard.

use super::ledger::Ledger;
use super::options::{Bug, JobOptions, Upgrading};
use super::request::{self, Answer, Batch, Request, TableOf, Target, Trouble};
use crate::home::HOME_TABLE;
use crate::map::{ShardId, UserId};
use bytes::Bytes;
use std::collections::BTreeMap;

/// Most verifications in a row that find a difference: after that, digests are computed wrongly.
const VERIFICATIONS_MAX: u32 = 3;

/// A walk over pages of tables.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Walk {
    tables: Vec<Bytes>,
    at: usize,
    after: Option<u64>,
}

/// Why the new shard is listed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Listing {
    /// Nothing is known of it yet.
    Survey { as_known: bool },
    /// It should be as the ledger says.
    Verify { as_known: bool },
}

/// A fetched row.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Fetched {
    item: u64,
    version: u64,
    value: Bytes,
}

/// What is found on a page and not yet copied.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
struct Backlog {
    /// Ascending; taken from the end.
    fetch: Vec<u64>,
    /// Taken from the end.
    delete: Vec<u64>,
    /// Taken from the end.
    store: Vec<Fetched>,
}

/// State, named for what is awaited.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum State {
    Idle,
    DestTables(Listing),
    DestPage(Listing, Walk),
    SourceTables,
    SourcePage(Walk),
    Values(Walk, Backlog, Vec<u64>),
    Stored(Walk, Backlog, Vec<Fetched>, Vec<u64>),
    Floors(Vec<TableOf>),
}

/// What a pass works on.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Pass {
    pub(crate) user: UserId,
    pub(crate) source: ShardId,
    pub(crate) dest: ShardId,
    /// Version of the new shard's home, as claimed.
    pub(crate) dest_version: u64,
    /// The old shard's home is claimed and read-only.
    pub(crate) frozen: bool,
    /// Forms of the rows here and there.
    pub(crate) schemas: (u32, u32),
}

/// How a pass ended.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Passed {
    /// While the user could write: so many rows differed.
    Near(u64),
    /// Nobody could write, and nothing differs.
    Equal,
}

/// What comes next.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Next {
    Ask(Request),
    Done(Passed),
}

/// Copies one user.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Copier {
    ledger: Ledger,
    /// The ledger holds what the new shard has.
    surveyed: bool,
    state: State,
    pass: Option<Pass>,
    found: u64,
    verifications: u32,
    /// Number spaces of the old shard, still to be carried over.
    spaces: Vec<TableOf>,
    /// Number spaces of the new shard, as far as they are known.
    carried: BTreeMap<Bytes, u64>,
    copied: u64,
}

impl Copier {
    pub(crate) fn new() -> Self {
        Self {
            ledger: Ledger::default(),
            surveyed: false,
            state: State::Idle,
            pass: None,
            found: 0,
            verifications: 0,
            spaces: Vec::new(),
            carried: BTreeMap::new(),
            copied: 0,
        }
    }

    /// Rows written on the new shard so far, those written again included.
    pub(crate) const fn copied(&self) -> u64 {
        self.copied
    }

    pub(crate) const fn memory(&self) -> u64 {
        self.ledger.memory()
    }

    pub(crate) fn invariants(&self) {
        self.ledger.invariants();
    }

    /// Something went wrong: what the new shard has must be listed again.
    pub(crate) fn interrupt(&mut self) {
        self.surveyed = false;
        self.carried.clear();
        self.state = State::Idle;
        self.verifications = 0;
    }

    /// Begins a pass.
    pub(crate) fn begin(&mut self, pass: Pass, options: &JobOptions) -> Next {
        assert_eq!(self.state, State::Idle, "one pass at a time");
        self.pass = Some(pass);
        self.found = 0;
        if !self.surveyed {
            return self.list_dest(Listing::Survey { as_known: true });
        }
        if pass.frozen && options.bug == Bug::SwitchBeforeVerify {
            return Next::Done(Passed::Equal);
        }
        self.list_source()
    }

    const fn pass(&self) -> &Pass {
        self.pass.as_ref().expect("a pass is under way")
    }

    fn list_dest(&mut self, why: Listing) -> Next {
        let pass = self.pass();
        let request = request::tables(Target::Shard(pass.dest), pass.user);
        self.state = State::DestTables(why);
        Next::Ask(request)
    }

    fn list_source(&mut self) -> Next {
        let pass = self.pass();
        let request = request::tables(Target::Shard(pass.source), pass.user);
        self.state = State::SourceTables;
        Next::Ask(request)
    }

    /// Takes an answer.
    ///
    /// # Errors
    /// What went wrong; the pass is over then, see [`interrupt`](Self::interrupt).
    pub(crate) fn answer(&mut self, answer: Answer, options: &JobOptions) -> Result<Next, Trouble> {
        let reply = request::reply(answer)?;
        match core::mem::replace(&mut self.state, State::Idle) {
            State::Idle => Err(Trouble::Garbled),
            State::DestTables(why) => {
                let walk = self.walk(&request::tables_of(reply)?);
                self.dest_page(why, walk, options)
            }
            State::DestPage(why, walk) => {
                let page = request::listed(reply, walk.after)?;
                let table = &walk.tables[walk.at];
                let same = self.ledger.dest_page(table, walk.after, &page, options.rows_max)?;
                let walk = walk.on(page.last().map(|last| last.item));
                self.dest_page(why.and(same), walk, options)
            }
            State::SourceTables => {
                self.spaces = request::tables_of(reply)?;
                let spaces = core::mem::take(&mut self.spaces);
                let walk = self.walk(&spaces);
                self.spaces = spaces;
                self.source_page(walk, options)
            }
            State::SourcePage(walk) => self.compared(walk, reply, options),
            State::Values(walk, backlog, items) => {
                self.fetched(walk, backlog, &items, reply, options)
            }
            State::Stored(walk, backlog, stored, deleted) => {
                request::versions(reply)?;
                let table = &walk.tables[walk.at];
                for row in &stored {
                    let digest = request::digest(&row.value);
                    self.ledger.stored(table, row.item, row.version, digest);
                }
                deleted.iter().for_each(|&item| self.ledger.deleted(table, item));
                self.copied += stored.len() as u64;
                self.work_off(walk, backlog, options)
            }
            State::Floors(floors) => {
                request::versions(reply)?;
                self.carried.extend(floors.into_iter().map(|space| (space.name, space.next)));
                Ok(self.carry_spaces(options))
            }
        }
    }

    /// Over the tables that either side has, `home` excepted.
    fn walk(&mut self, tables: &[TableOf]) -> Walk {
        for table in tables.iter().filter(|table| table.name != HOME_TABLE) {
            self.ledger.note_table(&table.name);
        }
        Walk { tables: self.ledger.tables().cloned().collect(), at: 0, after: None }
    }

    fn dest_page(
        &mut self,
        why: Listing,
        walk: Walk,
        options: &JobOptions,
    ) -> Result<Next, Trouble> {
        let pass = self.pass();
        if let Some(table) = walk.tables.get(walk.at) {
            let shard = Target::Shard(pass.dest);
            let page = request::page(shard, table, pass.user, walk.after, options.page_rows_max);
            self.state = State::DestPage(why, walk);
            return Ok(Next::Ask(page));
        }
        self.surveyed = true;
        match why {
            Listing::Survey { .. } => Ok(self.list_source()),
            Listing::Verify { as_known: true } => Ok(Next::Done(Passed::Equal)),
            Listing::Verify { as_known: false } => {
                self.verifications += 1;
                if self.verifications >= VERIFICATIONS_MAX {
                    return Err(Trouble::Garbled);
                }
                Ok(self.list_source())
            }
        }
    }

    fn source_page(&mut self, walk: Walk, options: &JobOptions) -> Result<Next, Trouble> {
        let pass = *self.pass();
        if let Some(table) = walk.tables.get(walk.at) {
            let shard = Target::Shard(pass.source);
            let page = request::page(shard, table, pass.user, walk.after, options.page_rows_max);
            self.state = State::SourcePage(walk);
            return Ok(Next::Ask(page));
        }
        if options.bug == Bug::CountersNotCarried {
            self.spaces.clear();
        }
        let carried = &self.carried;
        self.spaces.retain(|table| table.next > carried.get(&table.name).copied().unwrap_or(1));
        Ok(self.carry_spaces(options))
    }

    /// Number spaces go on where they are, or a number would be given twice.
    fn carry_spaces(&mut self, options: &JobOptions) -> Next {
        let pass = *self.pass();
        if self.spaces.is_empty() {
            return if pass.frozen {
                self.list_dest(Listing::Verify { as_known: true })
            } else {
                Next::Done(Passed::Near(self.found))
            };
        }
        let mut batch =
            Batch::new(Target::Shard(pass.dest), pass.user).check(HOME_TABLE, pass.dest_version);
        let mut floors = Vec::new();
        while batch.clauses() < options.clauses_max
            && let Some(space) = self.spaces.pop()
        {
            batch.floor(&space.name, space.next);
            floors.push(space);
        }
        self.state = State::Floors(floors);
        Next::Ask(batch.build())
    }

    fn compared(
        &mut self,
        walk: Walk,
        reply: storytime_database::Reply,
        options: &JobOptions,
    ) -> Result<Next, Trouble> {
        let page = request::listed(reply, walk.after)?;
        let (here, there) = self.pass().schemas;
        let table = &walk.tables[walk.at];
        let same = here == there;
        let found = self.ledger.source_page(table, walk.after, &page, same, options.rows_max)?;
        self.found += (found.fetch.len() + found.delete.len()) as u64;
        let backlog = Backlog { fetch: found.fetch, delete: found.delete, store: Vec::new() };
        let behind = page.last().map(|last| last.item);
        // The page is worked off before the walk goes on; `after` may move already, the table not.
        let walk = Walk { after: behind, ..walk };
        self.work_off(walk, backlog, options)
    }

    fn fetched(
        &mut self,
        walk: Walk,
        mut backlog: Backlog,
        items: &[u64],
        reply: storytime_database::Reply,
        options: &JobOptions,
    ) -> Result<Next, Trouble> {
        let (here, there) = self.pass().schemas;
        let table = walk.tables[walk.at].clone();
        for (&item, row) in items.iter().zip(request::rows(reply, items.len())?) {
            // Without a value it was deleted meanwhile; the new shard may have it.
            let Some((version, value)) = row else {
                backlog.delete.push(item);
                continue;
            };
            let value = if here == there {
                value
            } else {
                (options.upgrade)(Upgrading { table: &table, item, value, from: here, to: there })
            };
            backlog.store.push(Fetched { item, version, value });
        }
        self.work_off(walk, backlog, options)
    }

    /// Stores what was fetched, then fetches more, then turns the page.
    fn work_off(
        &mut self,
        walk: Walk,
        mut backlog: Backlog,
        options: &JobOptions,
    ) -> Result<Next, Trouble> {
        let pass = *self.pass();
        let table = walk.tables[walk.at].clone();
        if backlog.store.is_empty() && !backlog.fetch.is_empty() {
            let kept = backlog.fetch.len().saturating_sub(options.fetch_rows_max);
            let items = backlog.fetch.split_off(kept);
            let request = request::values(Target::Shard(pass.source), &table, pass.user, &items);
            self.state = State::Values(walk, backlog, items);
            return Ok(Next::Ask(request));
        }
        if backlog.store.is_empty() && backlog.delete.is_empty() {
            // An empty page was the table's last.
            let behind = walk.after;
            return self.source_page(walk.on(behind), options);
        }
        let mut batch = Batch::new(Target::Shard(pass.dest), pass.user);
        if options.bug != Bug::NoHomeCheck {
            batch = batch.check(HOME_TABLE, pass.dest_version);
        }
        let (mut stored, mut deleted) = (Vec::new(), Vec::new());
        while batch.clauses() < options.clauses_max && batch.bytes() < options.store_bytes_max {
            if let Some(row) = backlog.store.pop() {
                batch.put(&table, row.item, row.value.clone());
                stored.push(row);
            } else if let Some(item) = backlog.delete.pop() {
                batch.delete(&table, item);
                deleted.push(item);
            } else {
                break;
            }
        }
        self.state = State::Stored(walk, backlog, stored, deleted);
        Ok(Next::Ask(batch.build()))
    }
}

impl Walk {
    /// The next page, or the next table if the last page was empty.
    fn on(self, last: Option<u64>) -> Self {
        match last {
            Some(item) if item < u64::MAX => Self { after: Some(item), ..self },
            _ => Self { at: self.at + 1, after: None, ..self },
        }
    }
}

impl Listing {
    const fn and(self, same: bool) -> Self {
        match self {
            Self::Survey { as_known } => Self::Survey { as_known: as_known && same },
            Self::Verify { as_known } => Self::Verify { as_known: as_known && same },
        }
    }
}
