//! A command line and its tokens.

/// Longest line, bytes, without its line end. Only get and gets may be longer.
pub const LINE_BYTES_MAX: usize = 2048;
/// Tokens of a line that are looked at; more are ignored. The original's table of 24 keeps one
/// place for an end mark.
pub const TOKENS_MAX: usize = 23;
/// Shortest line that may be a command, bytes, with its line end.
pub(super) const WHOLE_BYTES_MIN: usize = 4;

const NOREPLY: &[u8] = b"noreply";
/// Bytes that one step of a search looks at together.
const WORD_BYTES: usize = 8;
/// The lowest bit of every byte of a word.
const LOW_BITS: u64 = 0x0101_0101_0101_0101;
/// The highest bit of every byte of a word.
const HIGH_BITS: u64 = LOW_BITS << 7;

/// A line without its line end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line<'a> {
    bytes: &'a [u8],
    /// With the line end.
    whole: &'a [u8],
}

/// The tokens of a line, the command first.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tokens<'a> {
    line: &'a [u8],
    ends: [(u16, u16); TOKENS_MAX],
    count: usize,
}

const _: () = assert!(LINE_BYTES_MAX <= u16::MAX as usize, "token places fit 16 bits");

impl<'a> Line<'a> {
    /// A line that ends with `\n` or `\r\n`.
    #[inline]
    pub(super) fn new(whole: &'a [u8]) -> Self {
        let bytes = whole.strip_suffix(b"\n").expect("callers found the line end");
        Self { bytes: bytes.strip_suffix(b"\r").unwrap_or(bytes), whole }
    }

    /// The line with its line end.
    pub(super) const fn whole(&self) -> &'a [u8] {
        self.whole
    }

    /// The line without its line end.
    pub(super) const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    pub(super) const fn whole_len(&self) -> usize {
        self.whole.len()
    }

    /// Everything up to the first space. A line that begins with a space has no command.
    #[inline]
    pub(super) fn command(&self) -> &'a [u8] {
        &self.bytes[..find(self.bytes, b' ', b' ').unwrap_or(self.bytes.len())]
    }

    /// The first tokens, of which at most [`TOKENS_MAX`] are kept.
    #[inline]
    pub(super) fn tokens(&self) -> Tokens<'a> {
        assert!(self.bytes.len() <= LINE_BYTES_MAX, "longer lines are no commands with tokens");
        let mut tokens = Tokens { line: self.bytes, ends: [(0, 0); TOKENS_MAX], count: 0 };
        let mut at = 0;
        while tokens.count < TOKENS_MAX {
            let Some(spaces) = self.bytes[at..].iter().position(|&b| b != b' ') else { break };
            let start = at + spaces;
            let rest = &self.bytes[start..];
            at = start + find(rest, b' ', b' ').unwrap_or(rest.len());
            tokens.ends[tokens.count] = (start as u16, at as u16);
            tokens.count += 1;
        }
        tokens
    }

    /// All tokens, however many.
    pub(super) fn all_tokens(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        self.bytes.split(|&b| b == b' ').filter(|token| !token.is_empty())
    }

    /// Where a token begins in the line.
    pub(super) fn offset_of(&self, token: &[u8]) -> usize {
        let offset = token.as_ptr() as usize - self.bytes.as_ptr() as usize;
        assert!(offset + token.len() <= self.bytes.len(), "a token of this line");
        offset
    }
}

/// The first place of either byte. Faster than a general search on tokens, which are short.
#[inline]
pub(super) fn find(bytes: &[u8], one: u8, other: u8) -> Option<usize> {
    let (ones, others) = (u64::from(one) * LOW_BITS, u64::from(other) * LOW_BITS);
    let zeros = |word: u64| word.wrapping_sub(LOW_BITS) & !word & HIGH_BITS;
    let mut words = bytes.chunks_exact(WORD_BYTES);
    let mut at = 0;
    for word in &mut words {
        let word = u64::from_le_bytes(word.try_into().expect("chunks have this length"));
        // Exact up to the lowest mark, which is the only one that counts.
        let marks = zeros(word ^ ones) | zeros(word ^ others);
        if marks != 0 {
            return Some(at + marks.trailing_zeros() as usize / 8);
        }
        at += WORD_BYTES;
    }
    let found = words.remainder().iter().position(|&b| b == one || b == other);
    found.map(|place| at + place)
}

impl<'a> Tokens<'a> {
    pub(super) const fn len(&self) -> usize {
        self.count
    }

    /// A token, empty if there is none.
    #[inline]
    pub(super) fn get(&self, at: usize) -> &'a [u8] {
        if at >= self.count {
            return b"";
        }
        let (start, end) = self.ends[at];
        &self.line[usize::from(start)..usize::from(end)]
    }

    /// The tokens from a place on.
    #[inline]
    pub(super) fn from(&self, first: usize) -> impl Iterator<Item = &'a [u8]> {
        (first..self.count).map(|at| self.get(at))
    }

    /// Whether the last token asks for no reply.
    #[inline]
    pub(super) fn noreply(&self) -> bool {
        self.count > 0 && self.get(self.count - 1) == NOREPLY
    }

    pub(super) fn last(&self) -> &'a [u8] {
        self.get(self.count.saturating_sub(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spaces_between_and_behind_tokens_do_not_matter() {
        let line = Line::new(b"get  k1   k2 \r\n");
        let tokens = line.tokens();
        assert_eq!(
            (tokens.get(0), tokens.get(1), tokens.get(2)),
            (&b"get"[..], &b"k1"[..], &b"k2"[..])
        );
        assert_eq!((tokens.len(), tokens.get(3)), (3, &b""[..]));
        assert_eq!(line.command(), b"get");
        assert_eq!(Line::new(b" get k\n").command(), b"");
        assert_eq!(line.offset_of(tokens.get(2)), 10);
    }

    #[test]
    fn noreply_counts_only_as_the_last_token_kept() {
        let with = |n: usize| format!("delete k{} noreply\r\n", " x".repeat(n));
        assert!(Line::new(with(TOKENS_MAX - 3).as_bytes()).tokens().noreply());
        assert!(!Line::new(with(TOKENS_MAX - 2).as_bytes()).tokens().noreply());
        assert!(!Line::new(b"delete noreply k\r\n").tokens().noreply());
        assert!(!Line::new(b"    \r\n").tokens().noreply());
    }

    #[test]
    fn the_first_of_two_bytes_is_found_at_any_place() {
        for len in 0..40 {
            for at in 0..len {
                for byte in [b' ', b'\n'] {
                    // Neighbours of the bytes looked for, and what differs in the highest bit.
                    for other in [0x0b, b'!', 0xa0, 0x8a, 0, 0xff] {
                        let mut bytes = vec![other; len];
                        bytes[at] = byte;
                        bytes[len - 1] = b' ';
                        assert_eq!(find(&bytes, b' ', b'\n'), Some(at), "{bytes:?}");
                    }
                }
            }
            assert_eq!(find(&vec![b'!'; len], b' ', b'\n'), None);
        }
    }
}
