//! What an answer says of a request.

use super::history::Told;
use super::last_look::value_of;
use bytes::Bytes;
use storytime_database::Reply;
use storytime_sharding::{Error, Outcome};

/// What an outcome says of what was asked.
pub(super) fn told(outcome: &Result<Outcome, Error>) -> Told {
    let refused_late =
        |text: &Bytes| text.starts_with(b"NOTDURABLE") || text.starts_with(b"NOREPLICAS");
    match outcome {
        Ok(Outcome::Written(written)) => {
            written.rows.first().map_or(Told::Unknown, |(row, _)| Told::Written(*row))
        }
        Ok(Outcome::Rows(rows)) => {
            let value = rows.first().map(|row| value_of(&row.value));
            // A value that is none of ours is told as one that nobody wrote.
            Told::Value(value.map(|value| value.unwrap_or(u64::MAX)))
        }
        // A write without a check; which row it was stands in the note.
        Ok(Outcome::Reply(Reply::Integer(_))) => Told::Written(0),
        Err(why) if why.may_have_happened() => Told::Unknown,
        // The server may have done it, and says only that it cannot be sure.
        Err(Error::Refused { text, .. }) if refused_late(text) => Told::Unknown,
        Err(_) => Told::Nothing,
        Ok(_) => Told::Unknown,
    }
}
