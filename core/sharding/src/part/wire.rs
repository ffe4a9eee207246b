//! Words to databases, and what their replies mean.

use crate::home::{HOME_ITEM, HOME_TABLE};
use crate::map::{ShardId, UserId};
use crate::outcome::{Error, Row};
use bytes::Bytes;
use storytime_database::Reply;
use storytime_database::client::{Failure, error_code};

/// A word that is known when the program is built.
pub(super) const fn word(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

/// A number as a word.
pub(super) fn number(n: u64) -> Bytes {
    Bytes::from(n.to_string())
}

/// A row with its version, or none.
pub(super) type Found = Option<(u64, Bytes)>;

/// Takes a database's answer, or says why there is none.
pub(super) fn reply_of(
    outcome: Result<Reply, Failure>,
    shard: Option<ShardId>,
) -> Result<Reply, Error> {
    match outcome {
        Ok(Reply::Error(text)) => Err(Error::Refused { shard, text }),
        Ok(reply) => Ok(reply),
        Err(why) => Err(Error::Failed { shard, why }),
    }
}

/// Which `CHECK` of a batch did not hold, by its place among the clauses, from 0.
pub(super) fn failed_check(error: &Error) -> Option<usize> {
    let Error::Refused { text, .. } = error else { return None };
    if error_code(text) != b"CHECKFAILED" {
        return None;
    }
    let clause = text.split(|&byte| byte == b' ').nth(1)?;
    let number: usize = core::str::from_utf8(clause).ok()?.parse().ok()?;
    number.checked_sub(1)
}

/// A number that is not negative.
pub(super) fn unsigned(reply: &Reply) -> Result<u64, Error> {
    match reply {
        Reply::Integer(n) => u64::try_from(*n).map_err(|_| Error::Garbled),
        Reply::Bulk(text) | Reply::Simple(text) => decimal(text),
        _ => Err(Error::Garbled),
    }
}

/// A number in decimal.
pub(super) fn decimal(text: &[u8]) -> Result<u64, Error> {
    let text = core::str::from_utf8(text).map_err(|_| Error::Garbled)?;
    text.parse().map_err(|_| Error::Garbled)
}

/// The parts of an array.
pub(super) fn array(reply: Reply) -> Result<Vec<Reply>, Error> {
    match reply {
        Reply::Array(parts) => Ok(parts),
        _ => Err(Error::Garbled),
    }
}

/// `[version, value]` or nil. The value is copied out of the connection's buffer.
pub(super) fn found(reply: Reply) -> Result<Found, Error> {
    if reply == Reply::Nil {
        return Ok(None);
    }
    let parts: [Reply; 2] = array(reply)?.try_into().map_err(|_| Error::Garbled)?;
    let [version, Reply::Bulk(value)] = &parts else { return Err(Error::Garbled) };
    Ok(Some((unsigned(version)?, Bytes::copy_from_slice(value))))
}

/// Replies to `ROW.MGET` for these items.
pub(super) fn rows(reply: Reply, items: &[u64]) -> Result<Vec<Option<Row>>, Error> {
    let replies = array(reply)?;
    if replies.len() != items.len() {
        return Err(Error::Garbled);
    }
    let row =
        |(reply, &item)| Ok(found(reply)?.map(|(version, value)| Row { item, version, value }));
    replies.into_iter().zip(items).map(row).collect()
}

/// Numbers, as `ROW.RANGE … KEYS` and `ROW.BATCH` reply them.
pub(super) fn numbers(reply: Reply) -> Result<Vec<u64>, Error> {
    array(reply)?.iter().map(unsigned).collect()
}

/// Puts the home row before a read, to be read in the same instant.
pub(super) fn with_home(read: &[Bytes]) -> Vec<Bytes> {
    let mut words = vec![word("ROW.WITH"), word(HOME_TABLE), number(HOME_ITEM)];
    words.extend_from_slice(read);
    words
}

/// The home row, and what was read with it.
pub(super) fn home_and(reply: Reply) -> Result<(Found, Reply), Error> {
    let [home, inner]: [Reply; 2] = array(reply)?.try_into().map_err(|_| Error::Garbled)?;
    Ok((found(home)?, inner))
}

/// The beginning of a batch that is refused unless the home row has this version.
pub(super) fn batch(user: UserId, home: u64) -> Vec<Bytes> {
    vec![
        word("ROW.BATCH"),
        number(user.0),
        word("CHECK"),
        word(HOME_TABLE),
        number(HOME_ITEM),
        number(home),
    ]
}
