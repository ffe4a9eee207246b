//! Fetches: ask now, collect later, while other work runs.

use super::Client;
use super::key::Key;
use super::outcome::{NotAccepted, Outcome};
use super::request::Whose;
use storytime_machine::Cx;

/// Most fetches that are not collected.
pub const FETCHES_MAX: usize = 4096;

/// A fetch that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FetchId {
    slot: u32,
    age: u32,
}

/// How far a fetch has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Collected {
    /// Answers are missing.
    NotYet,
    /// One outcome per key, in the order of the keys. The fetch is forgotten.
    All(Vec<Outcome>),
    /// It was collected or forgotten before.
    Unknown,
}

#[derive(Debug, Default)]
pub(super) struct Fetch {
    age: u32,
    stage: Stage,
}

#[derive(Debug, Default)]
enum Stage {
    #[default]
    Free,
    AwaitValues,
    AwaitCollect(Vec<Outcome>),
    /// Nobody collects it any more.
    Forgotten,
}

impl Client {
    /// Asks for several values, with versions or not. No event tells the end; see
    /// [`collect`](Self::collect).
    ///
    /// # Errors
    /// If the request is not accepted; see [`NotAccepted`].
    pub fn fetch(
        &mut self,
        cx: &mut Cx,
        keys: &[Key<'_>],
        versions: bool,
    ) -> Result<FetchId, NotAccepted> {
        let free = self.fetches.iter().position(|fetch| matches!(fetch.stage, Stage::Free));
        let slot = free.unwrap_or(self.fetches.len());
        if slot == FETCHES_MAX {
            return Err(NotAccepted::TooManyJobs);
        }
        if free.is_none() {
            self.fetches.push(Fetch::default());
        }
        let fetch = &mut self.fetches[slot];
        fetch.age = fetch.age.wrapping_add(1);
        fetch.stage = Stage::AwaitValues;
        let id = FetchId { slot: slot as u32, age: fetch.age };
        let asked = self.start_many(cx, keys, versions, Whose::Fetch(id.slot));
        if let Err(why) = asked {
            self.fetches[slot].stage = Stage::Free;
            return Err(why);
        }
        Ok(id)
    }

    pub(super) fn fetched(&mut self, slot: u32, outcome: Outcome) {
        let Outcome::Many(outcomes) = outcome else { unreachable!("fetches gather values") };
        let stage = &mut self.fetches[slot as usize].stage;
        *stage = match stage {
            Stage::Forgotten => Stage::Free,
            _ => Stage::AwaitCollect(outcomes),
        };
    }

    /// Takes the values of a fetch, once all have come.
    pub fn collect(&mut self, id: FetchId) -> Collected {
        let Some(fetch) = self.fetches.get_mut(id.slot as usize).filter(|f| f.age == id.age) else {
            return Collected::Unknown;
        };
        match core::mem::take(&mut fetch.stage) {
            Stage::AwaitCollect(outcomes) => Collected::All(outcomes),
            Stage::AwaitValues => {
                fetch.stage = Stage::AwaitValues;
                Collected::NotYet
            }
            stage @ (Stage::Free | Stage::Forgotten) => {
                fetch.stage = stage;
                Collected::Unknown
            }
        }
    }

    /// Does without a fetch.
    pub fn forget(&mut self, id: FetchId) {
        let Some(fetch) = self.fetches.get_mut(id.slot as usize).filter(|f| f.age == id.age) else {
            return;
        };
        fetch.stage = match fetch.stage {
            Stage::AwaitValues | Stage::Forgotten => Stage::Forgotten,
            Stage::AwaitCollect(_) | Stage::Free => Stage::Free,
        };
    }
}
