//! The row in the directory that is a move: while it is there, the move is not over.

use crate::home::{BadRow, number, shard, text};
use crate::map::ShardId;
use core::fmt;

/// Table of the rows, in the directory; owner = user, item 0.
pub const MOVE_TABLE: &str = "move";

/// How far a move is, as far as a successor has to know.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Stage {
    /// The directory names the old shard.
    Copying,
    /// The directory names the old shard, and that is how it shall stay.
    Undoing,
    /// The directory names the new shard; there is no way back.
    Switched,
}

/// A move.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct MoveRow {
    /// How far it is.
    pub stage: Stage,
    /// The old shard.
    pub from: ShardId,
    /// The new shard.
    pub to: ShardId,
    /// Which form the user's rows shall have on the new shard, 0 for the form that they have.
    pub schema: u32,
    /// A number drawn by the mover that claimed it last, 0 before the first.
    pub holder: u64,
}

impl Stage {
    /// The word for it in a row.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Copying => "copying",
            Self::Undoing => "undoing",
            Self::Switched => "switched",
        }
    }
}

impl MoveRow {
    /// Reads a row's value.
    ///
    /// # Errors
    /// If it does not begin with a stage, or a shard is missing.
    pub fn parse(value: &[u8]) -> Result<Self, BadRow> {
        let text = text(value)?;
        let first = text.split(' ').next().unwrap_or_default();
        let stage = [Stage::Copying, Stage::Undoing, Stage::Switched]
            .into_iter()
            .find(|stage| stage.as_str() == first)
            .ok_or(BadRow("a move begins with its stage"))?;
        let schema = number(text, "schema").and_then(|number| u32::try_from(number).ok());
        Ok(Self {
            stage,
            from: shard(text, "from").ok_or(BadRow("a move has no from="))?,
            to: shard(text, "to").ok_or(BadRow("a move has no to="))?,
            schema: schema.ok_or(BadRow("a move has no schema="))?,
            holder: number(text, "holder").unwrap_or(0),
        })
    }
}

impl fmt::Display for MoveRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { stage, from, to, schema, holder } = self;
        let (stage, from, to) = (stage.as_str(), from.0, to.0);
        write!(f, "{stage} from={from} to={to} schema={schema} holder={holder}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_move_reads_as_it_was_written() {
        for stage in [Stage::Copying, Stage::Undoing, Stage::Switched] {
            let row =
                MoveRow { stage, from: ShardId(1), to: ShardId(2), schema: 3, holder: u64::MAX };
            assert_eq!(MoveRow::parse(row.to_string().as_bytes()), Ok(row));
        }
        for bad in ["", "done from=1 to=2 schema=3", "copying to=2 schema=3", "copying from=1 to=2"]
        {
            assert!(MoveRow::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
