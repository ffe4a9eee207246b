//! Read-through: on a miss the owner is asked for the value once, however many wait for it, and the
//! value is stored.
//!
//! It holds back only askers of one client; several clients that miss at once each ask their owner.
//! Leases ([`meta`](super::meta)) hold back those too.

use super::Client;
use super::key::{Key, KeyBuf};
use super::op::{Op, Store};
use super::outcome::{Event, NotAccepted, Outcome, Value};
use super::pool::{Failure, POOL_TOKENS, Piece};
use super::request::Whose;
use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};
use storytime_machine::{Cx, Time, Token};

/// Most keys being read through at once.
pub const FILLS_MAX: usize = 1 << 16;
/// Most requests that wait for one key.
pub const WAITERS_MAX: usize = 1 << 16;
/// The timer of fills, from the client's base.
pub(super) const FILL_TIMER: u64 = POOL_TOKENS;

/// A value that the owner is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FillId {
    slot: u32,
    age: u32,
}

#[derive(Debug, Default)]
pub(super) struct Fills {
    slots: Vec<Slot>,
    by_key: BTreeMap<Bytes, u32>,
    /// What the owner is asked for, oldest first, with stale entries.
    deadlines: VecDeque<(Time, FillId)>,
    /// When the timer is set to.
    timer: Option<Time>,
}

#[derive(Debug, Default)]
struct Slot {
    age: u32,
    fill: Option<Fill>,
}

#[derive(Debug)]
struct Fill {
    key: KeyBuf,
    /// Tags of those who wait; the first one is asked.
    waiters: Vec<u64>,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    AwaitRead,
    AwaitOwner,
}

impl Client {
    /// Asks for a value; if there is none, the first who asked hears [`Outcome::Fill`] and is to
    /// call [`fill`](Self::fill) or [`give_up`](Self::give_up). Then all who asked meanwhile hear
    /// `Hit`, or `Miss`. If the owner does neither in time, they hear `Failed(TimedOut)`.
    ///
    /// # Errors
    /// If the request is not accepted; see [`NotAccepted`].
    pub fn read_through<'k>(
        &mut self,
        cx: &mut Cx,
        key: impl Into<Key<'k>>,
        tag: u64,
    ) -> Result<(), NotAccepted> {
        let key = key.into();
        if let Some(&slot) = self.fills.by_key.get(key.bytes) {
            let fill = self.fills.slots[slot as usize].fill.as_mut();
            let fill = fill.expect("keys lead to fills under way");
            if fill.waiters.len() == WAITERS_MAX {
                return Err(NotAccepted::TooManyJobs);
            }
            fill.waiters.push(tag);
            return Ok(());
        }
        let slots = &mut self.fills.slots;
        let free = slots.iter().position(|slot| slot.fill.is_none()).unwrap_or(slots.len());
        if free == FILLS_MAX {
            return Err(NotAccepted::TooManyJobs);
        }
        if free == slots.len() {
            slots.push(Slot::default());
        }
        let fill = Fill { key: KeyBuf::new(&key), waiters: vec![tag], stage: Stage::AwaitRead };
        self.fills.by_key.insert(fill.key.bytes.clone(), free as u32);
        self.fills.slots[free].age += 1;
        self.fills.slots[free].fill = Some(fill);
        let asked = self.start(cx, &key, &Op::Get, Some(Whose::Fill(free as u32)));
        if asked.is_err() {
            self.take_fill(free as u32);
        } else {
            self.arm_fills(cx);
        }
        asked
    }

    fn take_fill(&mut self, slot: u32) -> Option<Fill> {
        let fill = self.fills.slots[slot as usize].fill.take()?;
        self.fills.by_key.remove(&fill.key.bytes);
        Some(fill)
    }

    /// The cache answered.
    pub(super) fn fill_read(&mut self, slot: u32, outcome: Outcome) {
        if outcome != Outcome::Miss {
            return self.filled(slot, &outcome);
        }
        let entry = &mut self.fills.slots[slot as usize];
        let id = FillId { slot, age: entry.age };
        let fill = entry.fill.as_mut().expect("a fill waits for its read");
        fill.stage = Stage::AwaitOwner;
        let tag = fill.waiters[0];
        self.fills.deadlines.push_back((Time::MAX, id));
        self.events.push_back(Event { tag, outcome: Outcome::Fill(id) });
    }

    /// Sets the deadlines of what the owner was just asked for, and the timer.
    pub(super) fn arm_fills(&mut self, cx: &mut Cx) {
        if self.fills.deadlines.is_empty() {
            return;
        }
        let deadline = cx.now() + self.options.fill_timeout;
        let new = self.fills.deadlines.iter_mut().rev().take_while(|(at, _)| *at == Time::MAX);
        new.for_each(|(at, _)| *at = deadline);
        while let Some(&(_, id)) = self.fills.deadlines.front()
            && !self.asked_of_owner(id)
        {
            self.fills.deadlines.pop_front();
        }
        let first = self.fills.deadlines.front().map(|&(at, _)| at);
        if let Some(at) = first.filter(|_| self.fills.timer.is_none()) {
            self.fills.timer = first;
            cx.at(Token(self.base + FILL_TIMER), at);
        }
    }

    pub(super) fn fills_overdue(&mut self, cx: &mut Cx) {
        self.fills.timer = None;
        while let Some(&(at, id)) = self.fills.deadlines.front()
            && at <= cx.now()
        {
            self.fills.deadlines.pop_front();
            if self.asked_of_owner(id) {
                self.filled(id.slot, &Outcome::Failed(Failure::TimedOut));
            }
        }
        self.arm_fills(cx);
    }

    fn asked_of_owner(&self, id: FillId) -> bool {
        self.fills.slots.get(id.slot as usize).is_some_and(|slot| {
            let waits = slot.fill.as_ref().is_some_and(|fill| fill.stage == Stage::AwaitOwner);
            slot.age == id.age && waits
        })
    }

    fn filled(&mut self, slot: u32, outcome: &Outcome) {
        let Some(fill) = self.take_fill(slot) else { return };
        for tag in fill.waiters {
            self.events.push_back(Event { tag, outcome: outcome.clone() });
        }
    }

    /// The owner has the value: all who wait get it, and it is stored. Says whether anybody waited;
    /// if not, nothing is stored.
    pub fn fill(&mut self, cx: &mut Cx, id: FillId, store: &Store<'_>) -> bool {
        if !self.asked_of_owner(id) {
            return false;
        }
        let data = match &store.value {
            Piece::Copy(bytes) => Bytes::copy_from_slice(bytes),
            Piece::Share(bytes) => bytes.clone(),
        };
        let fill = self.take_fill(id.slot).expect("it waits for the owner");
        let value = Value { data, flags: store.flags, cas: 0 };
        for tag in fill.waiters {
            self.events.push_back(Event { tag, outcome: Outcome::Hit(value.clone()) });
        }
        // Whoever waits has the value; a cache that does not take it misses again.
        let op = Op::Store(store.clone());
        if self.start(cx, &fill.key.key(), &op, Some(Whose::Filled)).is_err() {
            self.counters.fills_not_stored += 1;
        }
        true
    }

    /// The owner has no value: all who wait miss. Says whether anybody waited.
    pub fn give_up(&mut self, id: FillId) -> bool {
        let waited = self.asked_of_owner(id);
        if waited {
            self.filled(id.slot, &Outcome::Miss);
        }
        waited
    }

    /// Keys being read through.
    pub fn fills(&self) -> usize {
        self.fills.by_key.len()
    }
}
