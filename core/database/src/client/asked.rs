//! Requests under way: by dense numbers that are reused, and in the order of asking, which is that
//! of their deadlines.

use bytes::BytesMut;
use storytime_machine::Time;

/// No request.
const NONE: u32 = u32::MAX;

/// Where a request is.
#[derive(Debug)]
pub(super) enum Place {
    /// In its server's queue; these are its bytes.
    Waiting(BytesMut),
    /// On a connection.
    OnLink(u32),
}

/// A request that has not ended.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) tag: u64,
    pub(super) server: u32,
    pub(super) deadline: Time,
    pub(super) place: Place,
    before: u32,
    behind: u32,
}

/// All of them.
#[derive(Debug)]
pub(super) struct Slab {
    slots: Vec<Option<Asked>>,
    free: Vec<u32>,
    first: u32,
    last: u32,
}

impl Default for Slab {
    fn default() -> Self {
        Self { slots: Vec::new(), free: Vec::new(), first: NONE, last: NONE }
    }
}

impl Slab {
    pub(super) fn insert(&mut self, tag: u64, server: u32, deadline: Time, place: Place) -> u32 {
        let before = self.last;
        let asked = Some(Asked { tag, server, deadline, place, before, behind: NONE });
        let slot = match self.free.pop() {
            Some(free) => {
                self.slots[free as usize] = asked;
                free
            }
            None => {
                self.slots.push(asked);
                (self.slots.len() - 1) as u32
            }
        };
        match before {
            NONE => self.first = slot,
            before => {
                let before = self.get_mut(before);
                assert!(before.deadline <= deadline, "all requests have the same time");
                before.behind = slot;
            }
        }
        self.last = slot;
        slot
    }

    pub(super) fn get_mut(&mut self, slot: u32) -> &mut Asked {
        self.slots[slot as usize].as_mut().expect("a request is known until it ends")
    }

    pub(super) fn remove(&mut self, slot: u32) -> Asked {
        let asked = self.slots[slot as usize].take().expect("a request ends once");
        self.free.push(slot);
        match asked.before {
            NONE => self.first = asked.behind,
            before => self.get_mut(before).behind = asked.behind,
        }
        match asked.behind {
            NONE => self.last = asked.before,
            behind => self.get_mut(behind).before = asked.before,
        }
        asked
    }

    /// The request that was asked first, and its deadline.
    pub(super) fn first(&self) -> Option<(u32, Time)> {
        let asked = self.slots.get(self.first as usize)?.as_ref()?;
        Some((self.first, asked.deadline))
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
