//! Lists in order of use, four per class, and what is known of each.

use super::heap::Heap;
use super::item::{ListKind, NONE, Place, bits};

/// One list, from the head, where items come in, to the tail.
#[derive(Clone, Copy, Debug)]
pub(super) struct List {
    pub(super) head: Place,
    pub(super) tail: Place,
    pub(super) items: u64,
    /// What the items take, bytes.
    pub(super) bytes: u64,
}

/// The lists of all classes.
#[derive(Debug)]
pub(super) struct Lists(Vec<[List; 4]>);

impl Lists {
    pub(super) fn new(classes: u8) -> Self {
        let empty = List { head: NONE, tail: NONE, items: 0, bytes: 0 };
        Self(vec![[empty; 4]; usize::from(classes) + 1])
    }

    #[inline]
    pub(super) fn of(&self, class: u8) -> &[List; 4] {
        &self.0[usize::from(class)]
    }

    #[inline]
    pub(super) fn get(&self, class: u8, list: ListKind) -> &List {
        &self.0[usize::from(class)][list as usize]
    }

    #[inline]
    fn get_mut(&mut self, class: u8, list: ListKind) -> &mut List {
        &mut self.0[usize::from(class)][list as usize]
    }

    /// What the items of a class take, temporary ones aside, bytes.
    pub(super) fn lasting_bytes(&self, class: u8) -> u64 {
        self.of(class)[..ListKind::Temp as usize].iter().map(|list| list.bytes).sum()
    }

    /// Puts an item at the head of the list that its header names.
    #[inline]
    pub(super) fn push(&mut self, heap: &mut Heap, place: Place) {
        let head = heap.head(place);
        let bytes = head.item_bytes() as u64;
        let list = self.get_mut(head.class(), head.list());
        let first = core::mem::replace(&mut list.head, place);
        list.items += 1;
        list.bytes += bytes;
        if first == NONE {
            list.tail = place;
        } else {
            heap.head_mut(first).set_prev(place);
        }
        let mut head = heap.head_mut(place);
        head.set_next(first);
        head.set_prev(NONE);
    }

    /// Takes an item out of its list.
    #[inline]
    pub(super) fn remove(&mut self, heap: &mut Heap, place: Place) {
        let head = heap.head(place);
        let (next, prev, bytes) = (head.next(), head.prev(), head.item_bytes() as u64);
        let list = self.get_mut(head.class(), head.list());
        list.items -= 1;
        list.bytes -= bytes;
        if prev == NONE {
            list.head = next;
        }
        if next == NONE {
            list.tail = prev;
        }
        if prev != NONE {
            heap.head_mut(prev).set_next(next);
        }
        if next != NONE {
            heap.head_mut(next).set_prev(prev);
        }
    }

    /// Moves an item to the head of a list of its class.
    #[inline]
    pub(super) fn shift(&mut self, heap: &mut Heap, place: Place, to: ListKind) {
        let head = heap.head(place);
        let class = head.class();
        if self.get(class, to).head == place {
            return;
        }
        self.remove(heap, place);
        heap.head_mut(place).set_list(class, to);
        self.push(heap, place);
    }

    /// An item was copied from one place to another.
    pub(super) fn moved(&mut self, heap: &mut Heap, from: Place, to: Place) {
        let head = heap.head(to);
        let (next, prev) = (head.next(), head.prev());
        let list = self.get_mut(head.class(), head.list());
        if prev == NONE {
            assert_eq!(list.head, from, "an item without a hotter one is the head");
            list.head = to;
        } else {
            heap.head_mut(prev).set_next(to);
        }
        if next == NONE {
            list.tail = to;
        } else {
            heap.head_mut(next).set_prev(to);
        }
    }

    /// Asserts that the links agree both ways, and returns the number of items and their bytes.
    pub(super) fn audit(&self, heap: &Heap) -> (u64, u64) {
        let mut sum = (0, 0);
        for class in 1..self.0.len() as u8 {
            for kind in ListKind::ALL {
                let list = self.get(class, kind);
                let (mut at, mut before) = (list.head, NONE);
                let (mut items, mut bytes) = (0, 0);
                while at != NONE {
                    let head = heap.head(at);
                    assert!(head.has(bits::LINKED), "lists know live items");
                    assert_eq!((head.class(), head.list()), (class, kind));
                    assert_eq!(head.prev(), before, "links agree both ways");
                    (items, bytes) = (items + 1, bytes + head.item_bytes() as u64);
                    (before, at) = (at, head.next());
                }
                assert_eq!(list.tail, before, "the tail is the last");
                assert_eq!((items, bytes), (list.items, list.bytes), "class {class} {kind:?}");
                sum = (sum.0 + items, sum.1 + bytes);
            }
        }
        sum
    }
}
