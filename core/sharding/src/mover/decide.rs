//! What a mover does next, from what it knows: the table of [`super`], as code.
//!
//! Nothing here remembers how it came to this point. So it does not matter which mover did what
//! before, or died at which step.

use super::record::{MoveRow, Stage};
use crate::home::{Home, HomeState, Place};
use Decision::{Do, Stop};
use core::fmt;

/// A row and its version.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Seen<T> {
    /// As the database gave it.
    pub version: u64,
    /// What the row says.
    pub row: T,
}

/// What is known of a `home` row.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Side {
    /// Not read yet.
    Unread,
    /// The shard did not answer.
    Silent,
    /// As read; the shard may never have had the user.
    Read(Option<Seen<Home>>),
    /// Written by this mover since it claimed the move, and nothing that it sent before can still
    /// change it: whatever checks an older version fails.
    Claimed(Seen<Home>),
}

/// How the copy stands.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Copied {
    /// There is more to copy.
    Behind,
    /// The last pass found so little that the rest can be copied while nobody writes.
    Near,
    /// Compared row by row while both homes were claimed and the old one was read-only.
    Equal,
}

/// What a mover is sent to do.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Errand {
    /// Until the new shard serves the user; the rows of the old one stay for now.
    Move,
    /// To the very end.
    Finish,
}

/// All that a decision rests on.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Facts {
    /// What the mover is sent to do.
    pub errand: Errand,
    /// The version that this mover wrote when it claimed the move: its fence number.
    pub fence: Option<u64>,
    /// The move.
    pub record: Seen<MoveRow>,
    /// What the directory says.
    pub place: Seen<Place>,
    /// `home` on the old shard.
    pub source: Side,
    /// `home` on the new shard.
    pub dest: Side,
    /// The old shard is a master from before sharding: who has no `home` there can write.
    pub unsharded: bool,
    /// How the copy stands.
    pub copied: Copied,
    /// The user has been read-only for too long, or too much has failed meanwhile.
    pub impatient: bool,
    /// The cache was told.
    pub told_cache: bool,
    /// The rows to be dropped are gone.
    pub dropped: bool,
}

/// A step.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Action {
    /// Writes the move's row anew: the new version is the fence number.
    Claim,
    /// Reads the old shard's home.
    LookSource,
    /// Reads the new shard's home.
    LookDest,
    /// Writes the new shard's home: arriving.
    ClaimDest,
    /// A pass of copying.
    Copy,
    /// Writes the old shard's home: read-only.
    Freeze,
    /// Writes the old shard's home: active again, to try later.
    Thaw,
    /// Changes the directory and the move's row in one.
    Switch,
    /// Writes the old shard's home: moved.
    Retire,
    /// Writes the new shard's home: active.
    Activate,
    /// Deletes the directory entry in the cache.
    TellCache,
    /// Writes the old shard's home: active for good, because the move is undone.
    Reopen,
    /// Writes the new shard's home: moved (back).
    Abandon,
    /// Deletes the user's rows on the shard that does not serve him.
    Drop,
    /// Deletes the move's row.
    Close,
}

/// Why a mover stops.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum End {
    /// The new shard serves the user; what is left on the old one is to be dropped some time.
    Moved,
    /// All done, the move's row is deleted.
    Finished,
    /// There is no such move, or not any more.
    NoMove,
    /// A later mover is at work.
    Overtaken,
    /// The old shard serves the user, and it is worth trying again later.
    Postponed,
    /// A shard does not answer, and nothing can be done without it.
    Silent,
    /// Too many failures in a row.
    Failed(super::request::Trouble),
    /// The rows contradict one another; nothing was touched.
    Contradiction(&'static str),
}

impl End {
    /// The word for it in messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Moved => "moved",
            Self::Finished => "finished",
            Self::NoMove => "no-move",
            Self::Overtaken => "overtaken",
            Self::Postponed => "postponed",
            Self::Silent => "silent",
            Self::Failed(_) => "failed",
            Self::Contradiction(_) => "contradiction",
        }
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(why) => write!(f, "failed: {why}"),
            Self::Contradiction(why) => write!(f, "contradiction: {why}"),
            other => f.write_str(other.as_str()),
        }
    }
}

/// What to do next.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Decision {
    /// This.
    Do(Action),
    /// Nothing more.
    Stop(End),
}

impl Side {
    /// The row, if it was read and is there.
    pub const fn home(&self) -> Option<Seen<Home>> {
        match self {
            Self::Read(Some(seen)) | Self::Claimed(seen) => Some(*seen),
            Self::Unread | Self::Silent | Self::Read(None) => None,
        }
    }

    /// The version to check, 0 if the row is not there.
    pub(crate) fn version(&self) -> u64 {
        self.home().map_or(0, |seen| seen.version)
    }

    fn state(&self) -> Option<HomeState> {
        self.home().map(|seen| seen.row.state)
    }

    const fn is_claimed(&self) -> bool {
        matches!(self, Self::Claimed(_))
    }

    fn is_above(&self, fence: u64) -> bool {
        self.home().is_some_and(|seen| seen.row.fence > fence)
    }
}

/// What to do next.
pub fn decide(facts: &Facts) -> Decision {
    let Some(fence) = facts.fence else { return Do(Action::Claim) };
    let serving = match facts.record.row.stage {
        Stage::Copying | Stage::Undoing => facts.record.row.from,
        Stage::Switched => facts.record.row.to,
    };
    if facts.place.row.shard != serving {
        return Stop(End::Contradiction("the directory and the move name different shards"));
    }
    if facts.source == Side::Unread {
        return Do(Action::LookSource);
    }
    if facts.dest == Side::Unread {
        return Do(Action::LookDest);
    }
    if facts.source.is_above(fence) || facts.dest.is_above(fence) {
        return Stop(End::Overtaken);
    }
    match facts.record.row.stage {
        Stage::Copying => copying(facts),
        Stage::Undoing => undoing(facts),
        Stage::Switched => switched(facts),
    }
}

fn copying(facts: &Facts) -> Decision {
    if facts.source == Side::Silent {
        return Stop(End::Silent);
    }
    let frozen = match facts.source.state() {
        Some(HomeState::Active) => false,
        Some(HomeState::ReadOnly) => true,
        Some(HomeState::Arriving | HomeState::Moved) => {
            return Stop(End::Contradiction("the old shard does not have the user"));
        }
        None if facts.unsharded => false,
        None => return Stop(End::Contradiction("the old shard has no home of the user")),
    };
    if facts.dest == Side::Silent || facts.impatient {
        return if frozen { Do(Action::Thaw) } else { Stop(End::Postponed) };
    }
    if matches!(facts.dest.state(), Some(HomeState::Active | HomeState::ReadOnly)) {
        return Stop(End::Contradiction("the new shard serves the user already"));
    }
    if !facts.dest.is_claimed() {
        return Do(Action::ClaimDest);
    }
    match (frozen, facts.copied) {
        (false, Copied::Near | Copied::Equal) => Do(Action::Freeze),
        (false, Copied::Behind) => Do(Action::Copy),
        // A predecessor froze it; what it sent last may still be on its way.
        (true, _) if !facts.source.is_claimed() => Do(Action::Freeze),
        (true, Copied::Behind | Copied::Near) => Do(Action::Copy),
        (true, Copied::Equal) => Do(Action::Switch),
    }
}

fn undoing(facts: &Facts) -> Decision {
    if facts.source == Side::Silent || facts.dest == Side::Silent {
        return Stop(End::Silent);
    }
    // Claimed, and not only read: a freeze of a predecessor may still be on its way.
    if !(facts.source.is_claimed() && facts.source.state() == Some(HomeState::Active)) {
        return match facts.source.state() {
            Some(HomeState::Active | HomeState::ReadOnly) => Do(Action::Reopen),
            None if facts.unsharded => Do(Action::Reopen),
            _ => Stop(End::Contradiction("the old shard does not have the user")),
        };
    }
    if !(facts.dest.is_claimed() && facts.dest.state() == Some(HomeState::Moved)) {
        return match facts.dest.state() {
            Some(HomeState::Active | HomeState::ReadOnly) => {
                Stop(End::Contradiction("the new shard serves the user already"))
            }
            _ => Do(Action::Abandon),
        };
    }
    if facts.dropped { Do(Action::Close) } else { Do(Action::Drop) }
}

fn switched(facts: &Facts) -> Decision {
    if facts.source == Side::Silent || facts.dest == Side::Silent {
        return Stop(End::Silent);
    }
    match facts.source.state() {
        Some(HomeState::Moved) => {}
        Some(HomeState::ReadOnly) => return Do(Action::Retire),
        _ => return Stop(End::Contradiction("the old shard is not read-only after the switch")),
    }
    match facts.dest.state() {
        Some(HomeState::Active) => {}
        Some(HomeState::Arriving) => return Do(Action::Activate),
        _ => return Stop(End::Contradiction("the new shard has lost the user")),
    }
    if !facts.told_cache {
        return Do(Action::TellCache);
    }
    match facts.errand {
        Errand::Move => Stop(End::Moved),
        Errand::Finish if facts.dropped => Do(Action::Close),
        Errand::Finish => Do(Action::Drop),
    }
}
