//! Lines that are no command, and what is said to them.

use crate::engine::Dialect;
use bytes::{BufMut as _, BytesMut};

/// Why a line is no command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong<'a> {
    /// It has more words than any command: hung up on without a word.
    TooManyWords,
    /// No command has this name.
    Unknown(&'a [u8]),
    /// This command needs other words.
    Incomplete(&'a [u8]),
    /// This cannot be shown.
    Show,
    /// This cannot be cancelled.
    Nothing,
    /// The Perl server's command takes no such words.
    Arguments,
}

impl Wrong<'_> {
    /// Writes what is said to it: nothing if its sender is hung up on.
    pub fn say(self, dialect: Dialect, out: &mut BytesMut) {
        if dialect == Dialect::Danga {
            return self.say_danga(out);
        }
        const INCOMPLETE: &[u8] =
            b"ERR INVALID_ARGUMENTS An+incomplete+set+of+arguments+was+sent+to+this+command+";
        let (text, word): (&[u8], &[u8]) = match self {
            Self::TooManyWords => return,
            Self::Unknown(word) => (b"ERR UNKNOWN_COMMAND Unknown+server+command", word),
            Self::Incomplete(word) => (INCOMPLETE, word),
            Self::Show => (b"ERR UNKNOWN_SHOW_ARGUMENTS", b""),
            Self::Nothing | Self::Arguments => (b"ERR UNKNOWN_ERROR", b""),
        };
        out.put_slice(text);
        // As C prints a string: up to the first NUL.
        out.put_slice(word.split(|byte| *byte == 0).next().unwrap_or_default());
        out.put_slice(b"\r\n");
    }

    fn say_danga(self, out: &mut BytesMut) {
        let text: &[u8] = match self {
            Self::TooManyWords => return,
            // Its table of texts misses this one.
            Self::Unknown(_) => b"ERR unknown_command \r\n",
            Self::Incomplete(_) => {
                b"ERR incomplete_args An+incomplete+set+of+arguments+was+sent+to+this+command\r\n"
            }
            Self::Show | Self::Nothing | Self::Arguments => {
                b"ERR unknown_args Unknown+arguments+to+server+command\r\n"
            }
        };
        out.put_slice(text);
    }
}
