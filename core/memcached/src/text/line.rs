//! A command line and its tokens.

use core::ops::Range;

/// Longest line, bytes, without its line end. Only get and gets may be longer.
pub const LINE_BYTES_MAX: usize = 2048;
/// Tokens of a line that are looked at; more are ignored. The original's table of 24 keeps one
/// place for an end mark.
pub const TOKENS_MAX: usize = 23;
/// Shortest line that may be a command, bytes, with its line end.
pub(super) const WHOLE_BYTES_MIN: usize = 4;

const NOREPLY: &[u8] = b"noreply";

/// A line without its line end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line<'a> {
    bytes: &'a [u8],
    /// Length with the line end.
    whole: usize,
}

/// The tokens of a line, the command first.
#[derive(Debug)]
pub(super) struct Tokens<'a> {
    line: &'a [u8],
    ends: [(u16, u16); TOKENS_MAX],
    count: usize,
}

const _: () = assert!(LINE_BYTES_MAX <= u16::MAX as usize, "token places fit 16 bits");

impl<'a> Line<'a> {
    /// A line that ends with `\n` or `\r\n`.
    pub(super) fn new(whole: &'a [u8]) -> Self {
        let bytes = whole.strip_suffix(b"\n").expect("callers found the line end");
        Self { bytes: bytes.strip_suffix(b"\r").unwrap_or(bytes), whole: whole.len() }
    }

    pub(super) const fn whole_len(&self) -> usize {
        self.whole
    }

    /// Everything up to the first space. A line that begins with a space has no command.
    #[inline]
    pub(super) fn command(&self) -> &'a [u8] {
        let end = memchr::memchr(b' ', self.bytes).unwrap_or(self.bytes.len());
        &self.bytes[..end]
    }

    /// The first tokens, of which at most [`TOKENS_MAX`] are kept.
    #[inline]
    pub(super) fn tokens(&self) -> Tokens<'a> {
        let mut tokens = Tokens { line: self.bytes, ends: [(0, 0); TOKENS_MAX], count: 0 };
        let mut at = 0;
        while tokens.count < TOKENS_MAX {
            let Some(range) = next_token(self.bytes, at) else { break };
            at = range.end;
            tokens.ends[tokens.count] = (range.start as u16, range.end as u16);
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

#[inline]
fn next_token(line: &[u8], from: usize) -> Option<Range<usize>> {
    let start = from + line[from..].iter().position(|&b| b != b' ')?;
    let len = line[start..].iter().position(|&b| b == b' ').unwrap_or(line.len() - start);
    Some(start..start + len)
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
}
