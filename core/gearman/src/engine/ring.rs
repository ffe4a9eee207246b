//! Doubly linked rings through the entries of a slab, by their numbers: no allocation, and an entry
//! leaves from the middle in no time.

/// No entry.
pub(crate) const NONE: u32 = u32::MAX;

/// An entry's neighbours in a ring; [`NONE`] while it is in none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) next: u32,
    pub(crate) prev: u32,
}

impl Default for Link {
    fn default() -> Self {
        Self { next: NONE, prev: NONE }
    }
}

/// Where entries are; `Which` tells rings apart that go through the same entries.
pub(crate) trait Nodes<Which = ()> {
    fn link(&self, at: u32) -> Link;
    fn link_mut(&mut self, at: u32) -> &mut Link;
}

/// A ring, by its first entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ring {
    first: u32,
}

impl Default for Ring {
    fn default() -> Self {
        Self { first: NONE }
    }
}

impl Ring {
    pub(crate) const fn is_empty(self) -> bool {
        self.first == NONE
    }

    pub(crate) const fn first(self) -> Option<u32> {
        if self.first == NONE { None } else { Some(self.first) }
    }

    pub(crate) fn last<W>(self, nodes: &impl Nodes<W>) -> Option<u32> {
        self.first().map(|first| nodes.link(first).prev)
    }

    pub(crate) fn push_back<W>(&mut self, nodes: &mut impl Nodes<W>, at: u32) {
        debug_assert_eq!(nodes.link(at), Link::default(), "an entry is in one ring at a time");
        let Some(first) = self.first() else {
            *nodes.link_mut(at) = Link { next: at, prev: at };
            self.first = at;
            return;
        };
        let last = nodes.link(first).prev;
        *nodes.link_mut(at) = Link { next: first, prev: last };
        nodes.link_mut(last).next = at;
        nodes.link_mut(first).prev = at;
    }

    pub(crate) fn push_front<W>(&mut self, nodes: &mut impl Nodes<W>, at: u32) {
        self.push_back(nodes, at);
        self.first = at;
    }

    pub(crate) fn remove<W>(&mut self, nodes: &mut impl Nodes<W>, at: u32) {
        let Link { next, prev } = core::mem::take(nodes.link_mut(at));
        debug_assert!(next != NONE && !self.is_empty(), "only what is in a ring can leave it");
        if next == at {
            self.first = NONE;
            return;
        }
        nodes.link_mut(prev).next = next;
        nodes.link_mut(next).prev = prev;
        if self.first == at {
            self.first = next;
        }
    }

    /// The entry behind `at`, unless that was the last.
    pub(crate) fn after<W>(self, nodes: &impl Nodes<W>, at: u32) -> Option<u32> {
        let next = nodes.link(at).next;
        (next != self.first).then_some(next)
    }

    pub(crate) fn iter<W>(self, nodes: &impl Nodes<W>) -> impl Iterator<Item = u32> {
        core::iter::successors(self.first(), move |&at| self.after(nodes, at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Nodes for Vec<Link> {
        fn link(&self, at: u32) -> Link {
            self[at as usize]
        }
        fn link_mut(&mut self, at: u32) -> &mut Link {
            &mut self[at as usize]
        }
    }

    #[test]
    fn entries_keep_their_order_whoever_leaves() {
        let mut nodes = vec![Link::default(); 5];
        let mut ring = Ring::default();
        (0..4).for_each(|at| ring.push_back(&mut nodes, at));
        ring.push_front(&mut nodes, 4);
        assert_eq!(ring.iter(&nodes).collect::<Vec<_>>(), [4, 0, 1, 2, 3]);
        assert_eq!(ring.last(&nodes), Some(3));
        for (leaves, rest) in [(1, vec![4, 0, 2, 3]), (4, vec![0, 2, 3]), (3, vec![0, 2])] {
            ring.remove(&mut nodes, leaves);
            assert_eq!(ring.iter(&nodes).collect::<Vec<_>>(), rest);
        }
        ring.remove(&mut nodes, 0);
        ring.remove(&mut nodes, 2);
        assert!(ring.is_empty() && ring.iter(&nodes).next().is_none());
        assert_eq!(ring.last(&nodes), None);
    }
}
