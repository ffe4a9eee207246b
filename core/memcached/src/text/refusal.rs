//! Why a request was refused, and what the peer is told.

use core::fmt;

macro_rules! refusals {
    ($($(#[$doc:meta])* $variant:ident = $text:literal,)*) => {
        /// A request that was refused. The wire reply follows from it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Refusal {
            $($(#[$doc])* $variant,)*
        }

        impl Refusal {
            /// The reply line, without its end.
            pub const fn wire(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                }
            }
        }
    };
}

refusals! {
    /// The peer named no command that exists.
    UnknownCommand = "ERROR",
    /// The peer left something out, or a key, flags, length or version is malformed.
    BadFormat = "CLIENT_ERROR bad command line format",
    /// The peer's data block does not end where it said.
    BadDataChunk = "CLIENT_ERROR bad data chunk",
    /// The peer's expiry time is no number.
    BadExptime = "CLIENT_ERROR invalid exptime argument",
    /// The peer's amount to count by is no number.
    BadDelta = "CLIENT_ERROR invalid numeric delta argument",
    /// The peer counts what is no number.
    NotNumeric = "CLIENT_ERROR cannot increment or decrement non-numeric value",
    /// The operator switched `flush_all` off.
    FlushDisabled = "CLIENT_ERROR flush_all not allowed",
    /// The value is larger than the server stores.
    TooLarge = "SERVER_ERROR object too large for cache",
    /// No room could be made for a value.
    NoMemory = "SERVER_ERROR out of memory storing object",
    /// No room could be made for a longer number, or for an emptied item.
    NoMemoryForNumber = "SERVER_ERROR out of memory",
    /// No room could be made for the first value of a number.
    NoMemoryForNewNumber = "SERVER_ERROR Out of memory allocating new item",
    /// The reply cannot be sent: too many connections are being sent a value that a `get` names, or
    /// it fits no datagrams.
    NoReply = "SERVER_ERROR out of memory writing get response",
    /// Too many connections are being sent a value that an `mg` names.
    TooManyMetaReaders = "SERVER_ERROR refcount overflow during fetch",
    /// The peer gives a flag twice, or one that cannot be a letter.
    DuplicateFlag = "CLIENT_ERROR duplicate flag",
    /// The peer gives a flag that does not exist.
    InvalidFlag = "CLIENT_ERROR invalid flag",
    /// The peer gives more flags than there are.
    TooManyFlags = "CLIENT_ERROR options flags are too long",
    /// The number behind a flag is missing or none.
    BadFlagNumber = "CLIENT_ERROR bad token in command line format",
    /// The amount to count by is missing or no number.
    BadDeltaFlag = "CLIENT_ERROR invalid numeric delta value",
    /// The number to count from is missing or none.
    BadInitialFlag = "CLIENT_ERROR invalid numeric initial value",
    /// The key is not in base64.
    BadKeyEncoding = "CLIENT_ERROR error decoding key",
    /// The peer's mark for its own use is too long.
    OpaqueTooLong = "CLIENT_ERROR opaque token too long",
    /// The peer stores in a way that does not exist.
    BadStoreMode = "CLIENT_ERROR invalid mode for ms M token",
    /// The peer counts in a way that does not exist.
    BadCountMode = "CLIENT_ERROR invalid mode for ma M token",
    /// Something is wrong with the flags of an `ma`; the original does not say what.
    BadCountFlags = "CLIENT_ERROR invalid or duplicate flag",
    /// The peer must log in first.
    Unauthenticated = "CLIENT_ERROR unauthenticated",
    /// The peer's log-in is longer than any can be.
    AuthTooLong = "CLIENT_ERROR auth token too long",
    /// The peer's log-in does not end where it said.
    AuthBadEnd = "CLIENT_ERROR bad command line termination",
    /// The peer's log-in has no space between name and password.
    AuthBadFormat = "CLIENT_ERROR bad authentication token format",
    /// No such user, or another password.
    AuthFailed = "CLIENT_ERROR authentication failure",
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.wire())
    }
}
