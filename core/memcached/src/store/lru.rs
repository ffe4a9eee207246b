//! The order of use: a list through the items, hottest to coldest.

use super::arena::{Arena, Moved, NONE};

#[derive(Debug)]
pub(super) struct List {
    hottest: u32,
    coldest: u32,
    len: usize,
}

impl Default for List {
    fn default() -> Self {
        Self { hottest: NONE, coldest: NONE, len: 0 }
    }
}

impl List {
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    pub(super) const fn coldest(&self) -> u32 {
        self.coldest
    }

    pub(super) fn push_hot(&mut self, items: &mut Arena, place: u32) {
        let old = self.hottest;
        let entry = items.get_mut(place);
        (entry.hotter, entry.colder) = (NONE, old);
        if old == NONE {
            self.coldest = place;
        } else {
            items.get_mut(old).hotter = place;
        }
        self.hottest = place;
        self.len += 1;
    }

    pub(super) fn remove(&mut self, items: &mut Arena, place: u32) {
        let (hotter, colder) = (items.get(place).hotter, items.get(place).colder);
        self.join(items, hotter, colder);
        self.len -= 1;
    }

    /// Moves an item to the hot end.
    #[inline]
    pub(super) fn touch(&mut self, items: &mut Arena, place: u32) {
        if self.hottest != place {
            self.remove(items, place);
            self.push_hot(items, place);
        }
    }

    /// An item, already at its new place, moved.
    pub(super) fn moved(&mut self, items: &mut Arena, moved: Moved) {
        let (hotter, colder) = (items.get(moved.to).hotter, items.get(moved.to).colder);
        match hotter {
            NONE => self.hottest = moved.to,
            _ => items.get_mut(hotter).colder = moved.to,
        }
        match colder {
            NONE => self.coldest = moved.to,
            _ => items.get_mut(colder).hotter = moved.to,
        }
    }

    fn join(&mut self, items: &mut Arena, hotter: u32, colder: u32) {
        match hotter {
            NONE => self.hottest = colder,
            _ => items.get_mut(hotter).colder = colder,
        }
        match colder {
            NONE => self.coldest = hotter,
            _ => items.get_mut(colder).hotter = hotter,
        }
    }

    /// Places from the hottest to the coldest.
    pub(super) fn walk<'a>(&self, items: &'a Arena) -> impl Iterator<Item = u32> + 'a {
        let mut at = self.hottest;
        core::iter::from_fn(move || {
            let here = at;
            (here != NONE).then(|| {
                at = items.get(here).colder;
                here
            })
        })
    }
}
