//! Deletes what a user left behind on a shard that does not serve him any more.

use super::options::JobOptions;
use super::request::{self, Answer, Batch, Request, Target, Trouble};
use crate::home::HOME_TABLE;
use crate::map::UserId;
use bytes::Bytes;

/// State, named for what is awaited.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum State {
    Tables,
    Page,
    Deleted,
}

/// Deletes a user's rows, `home` and number spaces excepted, in batches that check `home`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Sweep {
    user: UserId,
    target: Target,
    home_version: u64,
    /// Still to be emptied; the last one first.
    tables: Vec<Bytes>,
    state: State,
    dropped: u64,
}

impl Sweep {
    /// A sweep, and its first request.
    pub(crate) fn new(user: UserId, target: Target, home_version: u64) -> (Self, Request) {
        let request = request::tables(target, user);
        let tables = Vec::new();
        (Self { user, target, home_version, tables, state: State::Tables, dropped: 0 }, request)
    }

    /// Rows deleted so far.
    pub(crate) const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Takes an answer; without a further request, nothing is left.
    ///
    /// # Errors
    /// What went wrong; begin anew then.
    pub(crate) fn answer(
        &mut self,
        answer: Answer,
        options: &JobOptions,
    ) -> Result<Option<Request>, Trouble> {
        let reply = request::reply(answer)?;
        match self.state {
            State::Tables => {
                let tables = request::tables_of(reply)?.into_iter().map(|table| table.name);
                self.tables = tables.filter(|name| *name != HOME_TABLE).collect();
            }
            State::Page => {
                let page = request::listed(reply, None)?;
                if let Some(table) = self.tables.last().filter(|_| !page.is_empty()) {
                    let mut batch =
                        Batch::new(self.target, self.user).check(HOME_TABLE, self.home_version);
                    page.iter().for_each(|row| batch.delete(table, row.item));
                    self.dropped += page.len() as u64;
                    self.state = State::Deleted;
                    return Ok(Some(batch.build()));
                }
                self.tables.pop();
            }
            State::Deleted => {
                request::versions(reply)?;
            }
        }
        let Some(table) = self.tables.last() else { return Ok(None) };
        self.state = State::Page;
        let limit = u32::try_from(options.clauses_max.saturating_sub(1)).unwrap_or(u32::MAX);
        Ok(Some(request::page(self.target, table, self.user, None, limit.max(1))))
    }
}
