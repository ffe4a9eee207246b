//! Cuts standard input into the data of jobs.

use super::options::Lines;
use super::shell::DATA_BYTES_MAX;
use bytes::{Bytes, BytesMut};

/// Input on its way to jobs.
#[derive(Debug)]
pub(super) struct Workloads {
    lines: Lines,
    buffer: BytesMut,
    /// Bytes at the front of the buffer that hold no end of a line.
    searched: usize,
    ended: bool,
}

/// A job's data would be longer than [`DATA_BYTES_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooLong;

impl Workloads {
    pub(super) fn new(lines: Lines) -> Self {
        Self { lines, buffer: BytesMut::new(), searched: 0, ended: false }
    }

    /// More input.
    ///
    /// # Errors
    /// It is too long for one job.
    pub(super) fn add(&mut self, piece: &[u8]) -> Result<(), TooLong> {
        assert!(!self.ended, "nothing comes behind the end");
        if self.buffer.len() + piece.len() > DATA_BYTES_MAX {
            return Err(TooLong);
        }
        self.buffer.extend_from_slice(piece);
        Ok(())
    }

    /// The input has ended.
    pub(super) fn end(&mut self) {
        self.ended = true;
    }

    /// Whether the end was told.
    pub(super) const fn has_ended(&self) -> bool {
        self.ended
    }

    /// The data of the next job, if it is there.
    pub(super) fn next(&mut self) -> Option<Bytes> {
        if self.lines == Lines::Together {
            return self.ended.then(|| self.buffer.split().freeze());
        }
        let newline = memchr::memchr(b'\n', &self.buffer[self.searched..]);
        let (line, data) = match newline {
            Some(at) => (self.searched + at + 1, self.searched + at),
            None if self.ended && !self.buffer.is_empty() => (self.buffer.len(), self.buffer.len()),
            None => {
                self.searched = self.buffer.len();
                return None;
            }
        };
        self.searched = 0;
        let mut line = self.buffer.split_to(line);
        if self.lines == Lines::Stripped {
            line.truncate(data);
        }
        Some(line.freeze())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(lines: Lines, pieces: &[&str]) -> Vec<String> {
        let mut workloads = Workloads::new(lines);
        let mut all = Vec::new();
        for piece in pieces {
            workloads.add(piece.as_bytes()).expect("it is short");
            all.extend(core::iter::from_fn(|| workloads.next()));
        }
        workloads.end();
        match lines {
            Lines::Together => all.extend(workloads.next()),
            _ => all.extend(core::iter::from_fn(|| workloads.next())),
        }
        all.iter().map(|data| String::from_utf8_lossy(data).into_owned()).collect()
    }

    #[test]
    fn lines_are_jobs_however_they_arrive() {
        for pieces in [&["a\nbb\n\nc"][..], &["a", "\nb", "b\n", "\n", "c"]] {
            assert_eq!(cut(Lines::Each, pieces), ["a\n", "bb\n", "\n", "c"]);
            assert_eq!(cut(Lines::Stripped, pieces), ["a", "bb", "", "c"]);
            assert_eq!(cut(Lines::Together, pieces), ["a\nbb\n\nc"]);
        }
    }

    #[test]
    fn no_input_is_one_empty_job_or_no_line() {
        assert_eq!(cut(Lines::Together, &[]), [""]);
        assert!(cut(Lines::Each, &[]).is_empty());
    }

    #[test]
    fn input_is_bounded() {
        let mut workloads = Workloads::new(Lines::Together);
        let piece = vec![b'x'; DATA_BYTES_MAX / 4];
        assert!((0..4).all(|_| workloads.add(&piece).is_ok()));
        assert_eq!(workloads.add(b"y"), Err(TooLong));
    }
}
