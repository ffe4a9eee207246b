//! Update loops: read a value with its version, let a function make the new one, store it if nobody
//! was faster, else begin again.

use super::Client;
use super::key::{Key, KeyBuf};
use super::op::{Op, Store, Verb};
use super::outcome::{Event, NotAccepted, Outcome, Value};
use super::pool::Piece;
use super::request::Whose;
use bytes::Bytes;
use core::fmt;
use storytime_machine::Cx;

/// Most update loops at once.
pub const UPDATES_MAX: usize = 1 << 16;
/// Most rounds of one loop.
pub const ROUNDS_MAX: u32 = 64;

/// Makes a new value of the present one, if there is one. Called once per round.
pub type Updater = Box<dyn FnMut(Option<&Value>) -> Update + Send>;

/// What becomes of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Update {
    /// This is stored.
    Store {
        /// The new value.
        value: Bytes,
        /// Kept with it.
        flags: u32,
        /// Seconds until it expires, as in [`Store`].
        exptime: i32,
    },
    /// Nothing is stored: the request ends as [`Outcome::NotStored`].
    Keep,
}

pub(super) struct UpdateLoop {
    key: KeyBuf,
    tag: u64,
    rounds_left: u32,
    updater: Updater,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    AwaitValue,
    AwaitStored,
}

impl fmt::Debug for UpdateLoop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = f.debug_struct("UpdateLoop");
        text.field("tag", &self.tag).field("stage", &self.stage).finish_non_exhaustive()
    }
}

impl Client {
    /// Reads, updates and stores a value, up to `rounds` times (at most [`ROUNDS_MAX`]): ends as
    /// `Stored`; as `NotStored` if the function keeps what is there; as `Exists` if somebody else
    /// was faster in every round; as `Failed` if the server is down.
    ///
    /// # Errors
    /// If the request is not accepted; see [`NotAccepted`].
    pub fn update<'k>(
        &mut self,
        cx: &mut Cx,
        key: impl Into<Key<'k>>,
        rounds: u32,
        updater: Updater,
        tag: u64,
    ) -> Result<(), NotAccepted> {
        let key = key.into();
        let free = self.updates.iter().position(Option::is_none).unwrap_or(self.updates.len());
        if free == UPDATES_MAX {
            return Err(NotAccepted::TooManyJobs);
        }
        let rounds_left = rounds.clamp(1, ROUNDS_MAX);
        let stage = Stage::AwaitValue;
        let update = UpdateLoop { key: KeyBuf::new(&key), tag, rounds_left, updater, stage };
        match self.updates.get_mut(free) {
            Some(slot) => *slot = Some(update),
            None => self.updates.push(Some(update)),
        }
        let asked = self.start(cx, &key, &Op::Gets, Some(Whose::Update(free as u32)));
        if asked.is_err() {
            self.updates[free] = None;
        }
        asked
    }

    pub(super) fn update_step(&mut self, cx: &mut Cx, slot: u32, outcome: Outcome) {
        let update = self.updates[slot as usize].as_mut().expect("a loop lives until it ends");
        match (update.stage, outcome) {
            (Stage::AwaitValue, Outcome::Hit(value)) => {
                self.update_store(cx, slot, Verb::Cas(value.cas), Some(&value));
            }
            (Stage::AwaitValue, Outcome::Miss) => self.update_store(cx, slot, Verb::Add, None),
            (Stage::AwaitStored, Outcome::Exists | Outcome::NotStored | Outcome::NotFound) => {
                update.rounds_left -= 1;
                if update.rounds_left == 0 {
                    return self.update_ends(slot, Outcome::Exists);
                }
                update.stage = Stage::AwaitValue;
                let key = update.key.clone();
                let asked = self.start(cx, &key.key(), &Op::Gets, Some(Whose::Update(slot)));
                if let Err(why) = asked {
                    self.update_ends(slot, Outcome::NotAccepted(why));
                }
            }
            (_, outcome) => self.update_ends(slot, outcome),
        }
    }

    fn update_store(&mut self, cx: &mut Cx, slot: u32, verb: Verb, present: Option<&Value>) {
        let update = self.updates[slot as usize].as_mut().expect("a loop lives until it ends");
        let Update::Store { value, flags, exptime } = (update.updater)(present) else {
            return self.update_ends(slot, Outcome::NotStored);
        };
        update.stage = Stage::AwaitStored;
        let key = update.key.clone();
        let op = Op::Store(Store { verb, value: Piece::Share(value), flags, exptime });
        if let Err(why) = self.start(cx, &key.key(), &op, Some(Whose::Update(slot))) {
            self.update_ends(slot, Outcome::NotAccepted(why));
        }
    }

    fn update_ends(&mut self, slot: u32, outcome: Outcome) {
        let update = self.updates[slot as usize].take().expect("a loop ends once");
        self.events.push_back(Event { tag: update.tag, outcome });
    }
}
