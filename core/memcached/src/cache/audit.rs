//! What must always hold.

use super::Cache;
use super::item::{Kind, bits};

impl Cache {
    /// Asserts cheap relations.
    pub fn invariants(&self) {
        let usage = self.usage();
        assert!(self.heap.pages_held() >= self.heap.pool_len(), "pooled pages are held");
        assert!(usage.bytes <= usage.pages_bytes, "items are in pages");
        let listed: u64 = (1..=self.heap.classes())
            .flat_map(|class| self.lists.of(class).iter().map(|list| list.items))
            .sum();
        assert_eq!(listed, usage.items, "index and lists know the same items");
    }

    /// Walks everything and asserts that the parts agree; for tests.
    pub fn audit(&self) {
        self.invariants();
        self.heap.audit();
        let indexed = self.index.audit(&self.heap) as u64;
        let (listed, bytes) = self.lists.audit(&self.heap);
        assert_eq!((indexed, listed), (self.index.len() as u64, indexed), "items");
        assert_eq!(bytes, self.bytes, "bytes of items");
        self.audit_chunks(indexed);
    }

    /// Every chunk in use is an item that somebody knows or holds, or a piece of one.
    fn audit_chunks(&self, indexed: u64) {
        let (mut linked, mut held, mut pieces, mut owned) = (0, 0, 0, 0);
        for page in 0..self.heap.page_count() {
            for chunk in 0..self.heap.page(page).handed {
                let place = self.heap.place(page, chunk);
                let head = self.heap.head(place);
                match head.kind() {
                    Kind::Free => {}
                    Kind::Piece => pieces += 1,
                    Kind::Item => {
                        let is_held = head.has(bits::HELD);
                        assert!(is_held || head.has(bits::LINKED), "nobody knows this item");
                        linked += u64::from(head.has(bits::LINKED));
                        held += usize::from(is_held);
                        if head.has(bits::CHUNKED) {
                            owned += self.audit_pieces(place);
                        }
                    }
                }
            }
        }
        assert_eq!(linked, indexed, "every linked item is in the index");
        assert_eq!(pieces, owned, "every piece is some item's");
        assert_eq!(held, self.holds.len(), "what is held has a slot");
        for place in self.holds.places() {
            assert!(self.heap.head(place).has(bits::HELD), "a slot is of what is held");
        }
    }
}
