//! What a web server and the modelled database say to each other.
//!
//! ```text
//! query:  id u32 · key length u16 · key       (the length's highest bit means: change the row)
//! answer: id u32 · row length u32 · row          (a length of REFUSED means: too busy)
//! ```
//!
//! All numbers big-endian. Answers come in any order; the id pairs them with their queries. No
//! database speaks this: it carries only what the model needs.

use storytime_machine::{Buf, BytesMut};

/// Longest key, bytes: memcached's.
pub const KEY_BYTES_MAX: usize = 250;
/// The length that stands for a refused query.
pub const REFUSED: u32 = u32::MAX;
/// Bytes before a query's key.
const QUERY_HEAD_BYTES: usize = 6;
/// Bytes before an answer's row.
pub const ANSWER_HEAD_BYTES: usize = 8;

/// What is asked of the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// The row.
    Read,
    /// A change of the row.
    Update,
}

/// The bit of a key's length that stands for [`Verb::Update`].
const UPDATE: u16 = 1 << 15;

/// A query, taken off a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// Pairs it with its answer.
    pub id: u32,
    /// What is asked.
    pub verb: Verb,
    /// Which row.
    pub key: BytesMut,
}

/// An answer, taken off a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Of which query.
    pub id: u32,
    /// The row; `None` if the database was too busy.
    pub row: Option<BytesMut>,
}

/// The peer does not speak this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Garbled;

/// Writes a query.
pub fn write_query(into: &mut BytesMut, id: u32, verb: Verb, key: &[u8]) {
    assert!(key.len() <= KEY_BYTES_MAX, "keys are short");
    into.extend_from_slice(&id.to_be_bytes());
    let update = if verb == Verb::Update { UPDATE } else { 0 };
    into.extend_from_slice(&(key.len() as u16 | update).to_be_bytes());
    into.extend_from_slice(key);
}

/// Takes the query at the front, once it is complete.
///
/// # Errors
/// If its key is longer than any key.
pub fn read_query(rx: &mut BytesMut) -> Result<Option<Query>, Garbled> {
    if rx.len() < QUERY_HEAD_BYTES {
        return Ok(None);
    }
    let id = u32::from_be_bytes([rx[0], rx[1], rx[2], rx[3]]);
    let length = u16::from_be_bytes([rx[4], rx[5]]);
    let verb = if length & UPDATE == 0 { Verb::Read } else { Verb::Update };
    let key_bytes = usize::from(length & !UPDATE);
    if key_bytes > KEY_BYTES_MAX {
        return Err(Garbled);
    }
    if rx.len() < QUERY_HEAD_BYTES + key_bytes {
        return Ok(None);
    }
    rx.advance(QUERY_HEAD_BYTES);
    Ok(Some(Query { id, verb, key: rx.split_to(key_bytes) }))
}

/// Writes the head of an answer with a row of so many bytes, which follows.
pub fn write_answer_head(into: &mut BytesMut, id: u32, row_bytes: u32) {
    into.extend_from_slice(&id.to_be_bytes());
    into.extend_from_slice(&row_bytes.to_be_bytes());
}

/// Takes the answer at the front, once it is complete.
///
/// # Errors
/// If its row is longer than `row_bytes_max`.
pub fn read_answer(rx: &mut BytesMut, row_bytes_max: usize) -> Result<Option<Answer>, Garbled> {
    if rx.len() < ANSWER_HEAD_BYTES {
        return Ok(None);
    }
    let id = u32::from_be_bytes([rx[0], rx[1], rx[2], rx[3]]);
    let row_bytes = u32::from_be_bytes([rx[4], rx[5], rx[6], rx[7]]);
    if row_bytes == REFUSED {
        rx.advance(ANSWER_HEAD_BYTES);
        return Ok(Some(Answer { id, row: None }));
    }
    let row_bytes = row_bytes as usize;
    if row_bytes > row_bytes_max {
        return Err(Garbled);
    }
    if rx.len() < ANSWER_HEAD_BYTES + row_bytes {
        return Ok(None);
    }
    rx.advance(ANSWER_HEAD_BYTES);
    Ok(Some(Answer { id, row: Some(rx.split_to(row_bytes)) }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_wait_until_they_are_complete() {
        let mut whole = BytesMut::new();
        write_query(&mut whole, 7, Verb::Update, b"page:1");
        for cut in 0..whole.len() {
            let mut part = BytesMut::from(&whole[..cut]);
            assert_eq!(read_query(&mut part), Ok(None));
            assert_eq!(part.len(), cut, "nothing is eaten of an incomplete frame");
        }
        let query = read_query(&mut whole).expect("valid").expect("complete");
        assert_eq!((query.id, &query.key[..], whole.len()), (7, &b"page:1"[..], 0));
        assert_eq!(query.verb, Verb::Update);
    }

    #[test]
    fn a_refusal_has_no_row_and_garbage_is_named() {
        let mut rx = BytesMut::new();
        write_answer_head(&mut rx, 9, REFUSED);
        assert_eq!(read_answer(&mut rx, 10), Ok(Some(Answer { id: 9, row: None })));
        write_answer_head(&mut rx, 9, 11);
        assert_eq!(read_answer(&mut rx, 10), Err(Garbled));
        let mut rx = BytesMut::from(&[0, 0, 0, 1, 0xff, 0xff][..]);
        assert_eq!(read_query(&mut rx), Err(Garbled));
    }
}
