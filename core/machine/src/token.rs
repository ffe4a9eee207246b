//! Names for things: connections, files, tokens.

use core::fmt;

/// A name that a machine chooses for a listener, connect, timer, look-up, datagram socket or disk
/// operation, and gets back with the completion. Drivers attach no meaning to it. Each kind has its
/// own name space: a timer and a disk operation may share a token. Only listeners and datagram
/// sockets share theirs, because [`Machine::bound`](crate::Machine::bound) answers both.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Token(pub u64);

/// A connection of one process.
///
/// `slot` is dense and reused, so a machine keeps its state in a `Vec` indexed by it. `age` counts
/// the users of the slot: a stale handle is inert, every call with it does nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Conn {
    /// Index of the connection's place, dense from 0.
    pub slot: u32,
    /// How many connections had this slot before.
    pub age: u32,
}

/// An open file of one process; chosen by the driver, valid until closed or the process ends.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(pub u32);

impl Conn {
    /// The slot as an index.
    #[inline]
    pub const fn index(self) -> usize {
        self.slot as usize
    }
}

impl fmt::Debug for Conn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "c{}.{}", self.slot, self.age)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "t{}", self.0)
    }
}

impl fmt::Debug for FileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "f{}", self.0)
    }
}
