//! One key of memcached as a sequential machine: a value, and a version that grows with each
//! change.
//!
//! Versions are the server's to choose. The model learns one when a `gets` shows it, and holds the
//! server to it until the next change, and to larger ones from then on.

use storytime_sim::check::linear::Model;

/// What was asked about a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ask {
    pub(crate) key: usize,
    pub(crate) what: What,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Gets,
    Set(Vec<u8>),
    Add(Vec<u8>),
    Append(Vec<u8>),
    Cas(u64, Vec<u8>),
    Incr(u64),
    Delete,
}

/// What was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Value(Vec<u8>, u64),
    Number(u64),
    /// Stored or deleted.
    Done,
    NotStored,
    Exists,
    /// There is nothing.
    Nothing,
}

/// What is known of the version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Version {
    Known(u64),
    /// Larger than the last one known.
    Above(u64),
}

/// A key between two operations.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct State {
    value: Option<Vec<u8>>,
    version: Version,
}

impl State {
    /// After a change.
    fn with(&self, value: Option<Vec<u8>>) -> Self {
        let (Version::Known(last) | Version::Above(last)) = self.version;
        Self { value, version: Version::Above(last) }
    }
}

pub(crate) struct Key;

impl Model for Key {
    type State = State;
    type Input = Ask;
    type Output = Answer;

    fn start(&self) -> State {
        State { value: None, version: Version::Above(0) }
    }

    fn step(&self, state: &State, ask: &Ask, answer: Option<&Answer>) -> Option<State> {
        if let (What::Gets, Some(Answer::Value(value, version))) = (&ask.what, answer) {
            let fits = match state.version {
                Version::Known(known) => *version == known,
                Version::Above(last) => *version > last,
            };
            let same = state.value.as_ref() == Some(value);
            let seen = State { value: state.value.clone(), version: Version::Known(*version) };
            return (fits && same).then_some(seen);
        }
        let (next, expected) = change(state, &ask.what);
        let agrees = answer.is_none_or(|answer| Some(answer) == expected.as_ref());
        agrees.then(|| next.unwrap_or_else(|| state.clone()))
    }
}

/// The state after a change, if there is one, and what it is answered.
fn change(state: &State, what: &What) -> (Option<State>, Option<Answer>) {
    let (done, nothing) = (Some(Answer::Done), (None, Some(Answer::Nothing)));
    match (what, &state.value) {
        // A value is judged by the caller: here any answer would be wrong, and none changes it.
        (What::Gets, Some(_)) => (None, None),
        (What::Gets | What::Cas(..) | What::Incr(_) | What::Delete, None) => nothing,
        (What::Set(value), _) | (What::Add(value), None) => {
            (Some(state.with(Some(value.clone()))), done)
        }
        (What::Add(_), Some(_)) | (What::Append(_), None) => (None, Some(Answer::NotStored)),
        (What::Append(more), Some(value)) => {
            (Some(state.with(Some([&value[..], more].concat()))), done)
        }
        (What::Cas(version, value), Some(_)) if state.version == Version::Known(*version) => {
            (Some(state.with(Some(value.clone()))), done)
        }
        (What::Cas(..), Some(_)) => (None, Some(Answer::Exists)),
        (What::Incr(by), Some(value)) => {
            let text = core::str::from_utf8(value).expect("counters hold digits");
            let number = text.parse::<u64>().expect("counters hold digits") + by;
            let value = number.to_string().into_bytes();
            (Some(state.with(Some(value))), Some(Answer::Number(number)))
        }
        (What::Delete, Some(_)) => (Some(state.with(None)), done),
    }
}
