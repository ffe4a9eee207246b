//! A job in pieces: split, each piece done by another function's workers, and put together again.
//!
//! The original's library calls the two ends *map* and *aggregator*, and the function in between
//! *reducer*. The worker that was assigned a job with a reducer is the one that splits it.

use super::{Client, Event, Job, Outcome, TaskSet, TaskSetOptions};
use bytes::{Bytes, BytesMut};
use core::ops::Range;
use storytime_machine::{Cx, Token};

/// A job in pieces. A part of a machine, over a [`Client`]: as a [`TaskSet`].
#[derive(Debug)]
pub struct MapReduce {
    set: TaskSet,
}

impl MapReduce {
    /// Gives each piece to `reducer`. Tags and timer are as those of a [`TaskSet`].
    pub fn new(
        options: TaskSetOptions,
        reducer: &Bytes,
        pieces: impl IntoIterator<Item = Bytes>,
        (first_tag, timer): (u64, Token),
    ) -> Self {
        let mut set = TaskSet::new(options, first_tag, timer);
        for piece in pieces {
            set.add(Job::new(reducer.clone(), piece));
        }
        Self { set }
    }

    /// Submits pieces as far as there is room.
    pub fn submit(&mut self, cx: &mut Cx, client: &mut Client) {
        self.set.submit(cx, client);
    }

    /// An event of the client's; false if it is not about a piece of this job.
    pub fn on_event(&mut self, cx: &mut Cx, client: &mut Client, event: &Event) -> bool {
        self.set.on_event(cx, client, event)
    }

    /// A timer came due; false if it is not this job's.
    pub fn on_timer(&mut self, cx: &mut Cx, client: &mut Client, timer: Token) -> bool {
        self.set.on_timer(cx, client, timer)
    }

    /// Whether every piece has ended.
    pub const fn is_done(&self) -> bool {
        self.set.is_done()
    }

    /// Puts the results together, in the order of the pieces.
    ///
    /// # Errors
    /// A piece failed: the first that did.
    ///
    /// # Panics
    /// If a piece has not ended.
    pub fn aggregate(self, mut add: impl FnMut(&mut BytesMut, &Bytes)) -> Result<Bytes, Outcome> {
        let mut whole = BytesMut::new();
        for outcome in self.set.into_outcomes() {
            match outcome {
                Outcome::Done(result) => add(&mut whole, &result),
                failed => return Err(failed),
            }
        }
        Ok(whole.freeze())
    }
}

/// An aggregator: one result behind the other.
pub fn concatenate(whole: &mut BytesMut, result: &Bytes) {
    whole.extend_from_slice(result);
}

/// An aggregator: adds decimal numbers. What is none counts as 0.
pub fn sum(whole: &mut BytesMut, result: &Bytes) {
    let number = |text: &[u8]| -> u64 {
        let text = core::str::from_utf8(text.trim_ascii()).unwrap_or("");
        text.parse().unwrap_or(0)
    };
    let sum = number(whole).saturating_add(number(result));
    whole.clear();
    whole.extend_from_slice(sum.to_string().as_bytes());
}

/// A splitter: pieces of so many bytes, the last one shorter. They share the data's memory.
///
/// # Panics
/// If a piece would be empty.
pub fn pieces(data: &Bytes, bytes: usize) -> impl Iterator<Item = Bytes> {
    assert!(bytes > 0, "a piece holds something");
    let starts = (0..data.len()).step_by(bytes);
    starts.map(move |at| data.slice(at..data.len().min(at + bytes)))
}

/// A splitter: whole lines, their ends included, at least `bytes` of them to a piece. They share
/// the data's memory.
pub fn lines(data: &Bytes, bytes: usize) -> impl Iterator<Item = Bytes> {
    let mut rest: Range<usize> = 0..data.len();
    core::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let from = rest.start.saturating_add(bytes.saturating_sub(1)).min(data.len());
        let end = memchr::memchr(b'\n', &data[from..]).map_or(data.len(), |at| from + at + 1);
        let piece = data.slice(rest.start..end);
        rest.start = end;
        Some(piece)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(pieces: impl Iterator<Item = Bytes>) -> Vec<String> {
        pieces.map(|piece| String::from_utf8_lossy(&piece).into_owned()).collect()
    }

    #[test]
    fn pieces_are_of_one_length_and_lines_are_whole() {
        let data = Bytes::from_static(b"one\ntwo\nthree\nfour");
        assert_eq!(texts(pieces(&data, 8)), ["one\ntwo\n", "three\nfo", "ur"]);
        assert_eq!(texts(lines(&data, 1)), ["one\n", "two\n", "three\n", "four"]);
        assert_eq!(texts(lines(&data, 5)), ["one\ntwo\n", "three\n", "four"]);
        assert_eq!(texts(lines(&data, 0)), texts(lines(&data, 1)));
        assert_eq!(texts(lines(&data, 100)).len(), 1);
        assert_eq!(texts(pieces(&Bytes::new(), 8)).len(), 0);
        assert_eq!(texts(lines(&Bytes::new(), 8)).len(), 0);
    }

    #[test]
    fn sums_add_and_take_nonsense_for_nothing() {
        let mut whole = BytesMut::new();
        for part in ["12", " 30\n", "x", ""] {
            sum(&mut whole, &Bytes::from_static(part.as_bytes()));
        }
        assert_eq!(whole, "42");
    }
}
