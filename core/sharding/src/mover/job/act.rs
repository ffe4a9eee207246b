//! What a job asks for each step.

use super::{Job, State, Step};
use crate::home::{HOME_TABLE, Home, HomeState, PLACE_TABLE, Place};
use crate::map::ShardId;
use crate::mover::copy::{Next, Pass};
use crate::mover::decide::{Action, Facts, Side};
use crate::mover::options::JobOptions;
use crate::mover::record::{MOVE_TABLE, MoveRow, Stage};
use crate::mover::request::{self, Batch, Request, Target};
use crate::mover::sweep::Sweep;
use storytime_machine::Time;

/// The form of rows on a master from before sharding.
const FIRST_SCHEMA: u32 = 1;

impl Job {
    /// The mistake of a mover that trusts what it reads.
    pub(super) fn pretend(&mut self, action: Action) -> bool {
        match (action, self.source, self.dest) {
            (Action::Claim, ..) => {
                self.fence = self.record.map(|seen| seen.version);
                true
            }
            (Action::ClaimDest, _, Side::Read(Some(seen)))
                if seen.row.state == HomeState::Arriving =>
            {
                self.dest = Side::Claimed(seen);
                true
            }
            (Action::Freeze, Side::Read(Some(seen)), _)
                if seen.row.state == HomeState::ReadOnly =>
            {
                self.source = Side::Claimed(seen);
                true
            }
            _ => false,
        }
    }

    pub(super) fn perform(
        &mut self,
        now: Time,
        action: Action,
        facts: &Facts,
        options: &JobOptions,
    ) -> Step {
        let (from, to) = (facts.record.row.from, facts.record.row.to);
        let request = match action {
            Action::LookSource => request::get(Target::Shard(from), HOME_TABLE, self.user),
            Action::LookDest => request::get(Target::Shard(to), HOME_TABLE, self.user),
            Action::TellCache => Request { target: Target::Cache, words: Vec::new() },
            Action::Claim | Action::Switch | Action::Close => self.directory_batch(action, facts),
            Action::Copy => return self.copy(facts, options),
            Action::Drop => {
                let (shard, side) = match facts.record.row.stage {
                    Stage::Switched => (from, facts.source),
                    Stage::Copying | Stage::Undoing => (to, facts.dest),
                };
                let target = Target::Shard(shard);
                let (sweep, request) = Sweep::new(self.user, target, side.version());
                return self.ask(State::Swept(sweep), request);
            }
            Action::Freeze | Action::Thaw | Action::Retire | Action::Reopen => {
                if action == Action::Freeze && self.frozen_at.is_none() {
                    self.frozen_at = Some(now);
                }
                self.home_batch(from, &facts.source, self.home_after(action))
            }
            Action::ClaimDest | Action::Activate | Action::Abandon => {
                self.home_batch(to, &facts.dest, self.home_after(action))
            }
        };
        self.ask(State::Done(action), request)
    }

    fn home_batch(&self, shard: ShardId, side: &Side, home: Home) -> Request {
        Batch::new(Target::Shard(shard), self.user)
            .check(HOME_TABLE, side.version())
            .put_row(HOME_TABLE, home)
            .build()
    }

    fn directory_batch(&self, action: Action, facts: &Facts) -> Request {
        let record = facts.record;
        let batch = Batch::new(Target::Directory, self.user).check(MOVE_TABLE, record.version);
        match action {
            Action::Claim => {
                let row = MoveRow { holder: self.nonce, ..record.row };
                batch.put_row(MOVE_TABLE, row).build()
            }
            Action::Switch => {
                let place = facts.place.row;
                let to = Place { shard: record.row.to, version: place.version + 1, ..place };
                let row = MoveRow { stage: Stage::Switched, ..record.row };
                batch
                    .check(PLACE_TABLE, facts.place.version)
                    .put_row(PLACE_TABLE, to)
                    .put_row(MOVE_TABLE, row)
                    .build()
            }
            _ => {
                let mut batch = batch;
                batch.delete(&bytes::Bytes::from_static(MOVE_TABLE.as_bytes()), 0);
                batch.build()
            }
        }
    }

    fn copy(&mut self, facts: &Facts, options: &JobOptions) -> Step {
        let source =
            facts.source.home().map_or_else(|| self.home_before_sharding(), |seen| seen.row);
        let pass = Pass {
            user: self.user,
            source: facts.record.row.from,
            dest: facts.record.row.to,
            dest_version: facts.dest.version(),
            frozen: source.state == HomeState::ReadOnly,
            schemas: (source.schema, self.schema_there()),
        };
        let next = self.copier.begin(pass, options);
        match next {
            Next::Ask(request) => self.ask(State::Copied, request),
            Next::Done(passed) => {
                self.passed(passed, options);
                // Only a mistake made on purpose is done at once; the look does no harm.
                let request = request::get(Target::Directory, PLACE_TABLE, self.user);
                self.ask(State::Place, request)
            }
        }
    }

    /// What no row on the master from before sharding means.
    fn home_before_sharding(&self) -> Home {
        Home { fence: self.fence.unwrap_or(0), ..Home::new(FIRST_SCHEMA) }
    }

    /// Which form the rows have on the new shard.
    fn schema_there(&self) -> u32 {
        let wanted = self.record.map_or(0, |seen| seen.row.schema);
        match self.source.home() {
            Some(seen) if wanted == 0 => seen.row.schema,
            None if wanted == 0 => FIRST_SCHEMA,
            _ => wanted,
        }
    }

    /// What an action writes into a home.
    pub(super) fn home_after(&self, action: Action) -> Home {
        let record = self.record.expect("read before anything is decided").row;
        let fence = self.fence.expect("homes are claimed behind the move");
        let there = self.schema_there();
        let source = self.source.home().map_or(FIRST_SCHEMA, |seen| seen.row.schema);
        let (state, schema, other) = match action {
            Action::Freeze => (HomeState::ReadOnly, source, None),
            Action::Retire => (HomeState::Moved, source, Some(record.to)),
            Action::ClaimDest => (HomeState::Arriving, there, Some(record.from)),
            Action::Activate => (HomeState::Active, there, None),
            Action::Abandon => (HomeState::Moved, there, Some(record.from)),
            _ => (HomeState::Active, source, None),
        };
        Home { state, schema, fence, other }
    }
}
