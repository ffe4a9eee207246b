//! What coordinators, movers and those who order moves say to each other: short lines of text.
//!
//! ```text
//! whoever orders                 coordinator                     mover
//!   add 26 4 ──────────────────►      ◄────────────────────── ready 8
//!   ◄────────────────────── queued 26
//!                                     move 26 ────────────────────►
//!                                     ◄────────────────── working 26
//!                                     ◄────────── ended 26 moved 14
//!                                     finish 26 ──────────────────►
//!                                     ◄────── ended 26 finished 0
//! ```
//!
//! A mover says `ready` and `working` again and again: that is how the coordinator knows that it is
//! there, and learns after its own death who is doing what. Nothing rests on these lines but speed:
//! what is true about a move is in the databases.

use super::decide::Errand;
use crate::map::{ShardId, UserId};
use core::fmt;

/// Longest line, its end included, bytes.
pub const LINE_BYTES_MAX: usize = 256;

/// How a mover says that a move ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Word {
    /// The new shard serves the user; rows are left on the old one.
    Moved,
    /// The move is over.
    Finished,
    /// There is no such move.
    NoMove,
    /// Try again later.
    Later,
    /// Somebody should look at it: the rows contradict one another.
    Contradiction,
}

/// A line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Line {
    /// Mover: I work on up to so many moves at once.
    Ready(u32),
    /// Mover: this one is under way.
    Working(UserId),
    /// Mover: this one is not any more; how long the user was read-only, ms.
    Ended(UserId, Word, u64),
    /// To a mover: bring this user to his new shard.
    Move(UserId),
    /// To a mover: bring this move to its very end.
    Finish(UserId),
    /// Order a move: who, where to, in which form (0 = as it is).
    Add(UserId, ShardId, u32),
    /// Call a move off.
    Cancel(UserId),
    /// How many moves are there?
    Status,
    /// Answer: it is on the list.
    Queued(UserId),
    /// Answer: it will be undone.
    Cancelled(UserId),
    /// Answer: that cannot be.
    Refused(UserId),
    /// Answer: ask again, nobody knows whether it happened.
    Unknown(UserId),
    /// Answer: moves that wait, that are under way, that ended since the start.
    Moves(u64, u64, u64),
}

impl Word {
    const ALL: [Self; 5] =
        [Self::Moved, Self::Finished, Self::NoMove, Self::Later, Self::Contradiction];

    /// The word itself.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Moved => "moved",
            Self::Finished => "finished",
            Self::NoMove => "no-move",
            Self::Later => "later",
            Self::Contradiction => "contradiction",
        }
    }
}

impl Line {
    /// What a mover is told to do.
    pub(crate) const fn hand_out(user: UserId, errand: Errand) -> Self {
        match errand {
            Errand::Move => Self::Move(user),
            Errand::Finish => Self::Finish(user),
        }
    }

    /// Reads a line without its end; `None` if it is none of these.
    pub fn parse(line: &[u8]) -> Option<Self> {
        let text = core::str::from_utf8(line).ok()?;
        let mut words = text.trim_end_matches('\r').split(' ');
        let name = words.next()?;
        let mut number = || words.next()?.parse::<u64>().ok();
        let found = match name {
            "ready" => Self::Ready(u32::try_from(number()?).ok()?),
            "working" => Self::Working(UserId(number()?)),
            "ended" => {
                let user = UserId(number()?);
                let word = words.next()?;
                let word = Word::ALL.into_iter().find(|known| known.as_str() == word)?;
                Self::Ended(user, word, words.next()?.parse().ok()?)
            }
            "move" => Self::Move(UserId(number()?)),
            "finish" => Self::Finish(UserId(number()?)),
            "add" => {
                let (user, shard) = (UserId(number()?), u32::try_from(number()?).ok()?);
                let schema = words.next().map_or(Some(0), |word| word.parse().ok())?;
                Self::Add(user, ShardId(shard), schema)
            }
            "cancel" => Self::Cancel(UserId(number()?)),
            "status" => Self::Status,
            "queued" => Self::Queued(UserId(number()?)),
            "cancelled" => Self::Cancelled(UserId(number()?)),
            "refused" => Self::Refused(UserId(number()?)),
            "unknown" => Self::Unknown(UserId(number()?)),
            "moves" => Self::Moves(number()?, number()?, number()?),
            _ => return None,
        };
        words.next().is_none().then_some(found)
    }
}

impl fmt::Display for Line {
    /// The line with its end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready(slots) => writeln!(f, "ready {slots}"),
            Self::Working(user) => writeln!(f, "working {user}"),
            Self::Ended(user, word, ms) => writeln!(f, "ended {user} {} {ms}", word.as_str()),
            Self::Move(user) => writeln!(f, "move {user}"),
            Self::Finish(user) => writeln!(f, "finish {user}"),
            Self::Add(user, shard, schema) => writeln!(f, "add {user} {shard} {schema}"),
            Self::Cancel(user) => writeln!(f, "cancel {user}"),
            Self::Status => writeln!(f, "status"),
            Self::Queued(user) => writeln!(f, "queued {user}"),
            Self::Cancelled(user) => writeln!(f, "cancelled {user}"),
            Self::Refused(user) => writeln!(f, "refused {user}"),
            Self::Unknown(user) => writeln!(f, "unknown {user}"),
            Self::Moves(waiting, working, ended) => {
                writeln!(f, "moves {waiting} {working} {ended}")
            }
        }
    }
}

/// Takes a line off the front of what arrived.
///
/// # Errors
/// If the line is too long or is none: the peer is to blame, and is hung up on.
pub fn take_line(rx: &mut bytes::BytesMut) -> Result<Option<Line>, BadLine> {
    let Some(end) = rx.iter().take(LINE_BYTES_MAX).position(|&byte| byte == b'\n') else {
        return if rx.len() >= LINE_BYTES_MAX { Err(BadLine) } else { Ok(None) };
    };
    let line = rx.split_to(end + 1);
    Line::parse(&line[..end]).map(Some).ok_or(BadLine)
}

/// A line that is too long, or none of [`Line`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BadLine;

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::BytesMut;

    #[test]
    fn lines_read_as_they_were_written() {
        let (user, shard) = (UserId(26), ShardId(4));
        let mut lines = vec![
            Line::Ready(8),
            Line::Working(user),
            Line::Move(user),
            Line::Finish(user),
            Line::Add(user, shard, 3),
            Line::Cancel(user),
            Line::Status,
            Line::Queued(user),
            Line::Cancelled(user),
            Line::Refused(user),
            Line::Unknown(user),
            Line::Moves(1, 2, 3),
        ];
        lines.extend(Word::ALL.map(|word| Line::Ended(user, word, 14)));
        let mut rx = BytesMut::new();
        lines.iter().for_each(|line| rx.extend_from_slice(line.to_string().as_bytes()));
        for line in lines {
            assert_eq!(take_line(&mut rx), Ok(Some(line)));
        }
        assert_eq!(take_line(&mut rx), Ok(None));
    }

    #[test]
    fn nonsense_and_endless_lines_are_refused() {
        for bad in ["", "move", "move x", "move 1 2", "add 1", "ended 1 well 0", "moves 1 2"] {
            assert_eq!(Line::parse(bad.as_bytes()), None, "{bad}");
        }
        assert_eq!(Line::parse(b"add 1 2\r"), Some(Line::Add(UserId(1), ShardId(2), 0)));
        let mut rx = BytesMut::from(&[b'a'; LINE_BYTES_MAX][..]);
        assert_eq!(take_line(&mut rx), Err(BadLine));
        assert_eq!(take_line(&mut BytesMut::from("mov")), Ok(None));
    }
}
