//! What comes back for a request: enough to find the end of a reply, and to notice one that cannot
//! belong to its request.

/// The shape of the reply that a request awaits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Nothing, unless it fails (`noreply`, quiet binary requests): no event follows.
    Quiet,
    /// One line.
    Line(Words),
    /// Any number of values, then `END`. The pool reads the keys out of the request and holds the
    /// reply against them: values come in the order of the keys, each at most once per mention.
    Values,
    /// Any number of lines, then `END`: `stats`, dumps. `OK` and `RESET` end it too.
    Lines,
    /// One meta reply for each of so many meta requests.
    Meta {
        /// How many; at least 1.
        replies: u32,
    },
    /// Any number of meta replies, then `MN`: quiet meta requests with an `mn` behind them.
    MetaUntilNoop,
    /// One binary packet with this opcode and opaque.
    Packet {
        /// The request's opcode.
        opcode: u8,
        /// The request's opaque.
        opaque: u32,
    },
    /// Any number of binary packets, the last with this opcode and opaque: quiet requests with a
    /// no-op behind them.
    PacketsUntil {
        /// The last request's opcode.
        opcode: u8,
        /// The last request's opaque.
        opaque: u32,
    },
    /// Binary packets with this opcode and opaque, the last without a key: binary `stat`.
    PacketsUntilKeyless {
        /// The request's opcode.
        opcode: u8,
        /// The request's opaque.
        opaque: u32,
    },
}

/// The lines that answer one family of text commands. An error line answers any of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Words {
    /// `STORED`, `NOT_STORED`, `EXISTS` or `NOT_FOUND`.
    Stored,
    /// `DELETED` or `NOT_FOUND`.
    Deleted,
    /// `TOUCHED` or `NOT_FOUND`.
    Touched,
    /// Digits, perhaps with spaces behind them, or `NOT_FOUND`.
    Number,
    /// `OK`.
    Ok,
    /// `VERSION` and more.
    Version,
    /// Any line.
    Any,
}

impl Words {
    /// Whether a line, without its end, is one of them.
    pub(super) fn take(self, line: &[u8]) -> bool {
        match self {
            Self::Stored => {
                matches!(line, b"STORED" | b"NOT_STORED" | b"EXISTS" | b"NOT_FOUND")
            }
            Self::Deleted => matches!(line, b"DELETED" | b"NOT_FOUND"),
            Self::Touched => matches!(line, b"TOUCHED" | b"NOT_FOUND"),
            Self::Number => {
                line == b"NOT_FOUND"
                    || line.first().is_some_and(u8::is_ascii_digit)
                        && line.trim_ascii_end().iter().all(u8::is_ascii_digit)
            }
            Self::Ok => line == b"OK",
            Self::Version => line.starts_with(b"VERSION "),
            Self::Any => true,
        }
    }
}

impl Shape {
    /// Whether the reply consists of binary packets.
    pub(super) const fn is_binary(self) -> bool {
        matches!(
            self,
            Self::Packet { .. } | Self::PacketsUntil { .. } | Self::PacketsUntilKeyless { .. }
        )
    }
}
