//! The output side of a connection: what the machine has said and the transport has not taken.

use crate::FileId;
use crate::limits::{FILE_RANGE_BYTES_MAX, PUSH_COPY_BYTES_MAX};
use bytes::{Buf, Bytes, BytesMut};
use std::collections::VecDeque;
use std::io::IoSlice;

/// Most empty output buffers that a process keeps for whoever writes next: one step may write to
/// many connections.
const SPARES_MAX: usize = 64;

/// Pending output of one connection.
///
/// Bytes leave in the order in which they were put, pushed or named as file ranges.
#[derive(Debug, Default)]
pub struct Tx {
    /// Everything before the tail.
    queue: VecDeque<Chunk>,
    /// Small outputs, coalesced.
    tail: BytesMut,
    /// Bytes in queue and tail, file ranges included.
    pending: usize,
    /// How many of them are in files still.
    in_files: usize,
    /// While TLS is being started: how many pending bytes still go in clear text.
    clear: Option<usize>,
    /// Whether a read for the file range at the head is under way.
    reading: bool,
}

#[derive(Debug)]
enum Chunk {
    Bytes(Bytes),
    File(FileRange),
}

/// Part of a file on its way to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileRange {
    pub(crate) file: FileId,
    pub(crate) at: u64,
    pub(crate) len: u64,
}

impl Tx {
    /// Copies `bytes` behind the pending output. For everything small.
    #[inline]
    pub fn put(&mut self, bytes: &[u8]) {
        self.tail.extend_from_slice(bytes);
        self.pending += bytes.len();
    }

    /// Appends by reference count: for large values that are shared. Short ones are copied.
    pub fn push(&mut self, bytes: Bytes) {
        if bytes.len() <= PUSH_COPY_BYTES_MAX {
            return self.put(&bytes);
        }
        self.seal_tail();
        self.pending += bytes.len();
        self.queue.push_back(Chunk::Bytes(bytes));
    }

    /// Appends `len` bytes of an open file from `at`, without the machine reading them. The file
    /// must stay open until they have left. If the file ends earlier or cannot be read, the
    /// connection is reset (its length was promised to the peer) and the machine told
    /// `gone(FileFailed)`.
    ///
    /// File bytes count towards [`pending`](Self::pending) but not towards the memory caps: only
    /// [`FILE_CHUNK_BYTES`](crate::FILE_CHUNK_BYTES) of them are in memory at a time.
    ///
    /// # Panics
    /// If `len` is above [`FILE_RANGE_BYTES_MAX`]: no file is
    /// that long.
    pub fn push_file(&mut self, file: FileId, at: u64, len: u64) {
        assert!(len <= FILE_RANGE_BYTES_MAX, "no file is that long");
        if len == 0 {
            return;
        }
        self.seal_tail();
        self.pending += len as usize;
        self.in_files += len as usize;
        self.queue.push_back(Chunk::File(FileRange { file, at, len }));
    }

    /// Bytes that the transport has not taken yet: the sign of a slow reader.
    #[inline]
    pub const fn pending(&self) -> usize {
        self.pending
    }

    /// The coalescing tail, for encoders that write in place. Only append to it.
    #[inline]
    pub fn write_with(&mut self, write: impl FnOnce(&mut BytesMut)) {
        let before = self.tail.len();
        write(&mut self.tail);
        assert!(self.tail.len() >= before, "output was taken back");
        self.pending += self.tail.len() - before;
    }

    /// Takes all of the output out again, as one piece. For a [`Tx`] of a machine's own, that
    /// collects a reply which leaves by other means than a connection, such as datagrams.
    ///
    /// # Panics
    /// If file ranges are in it: their bytes are not here.
    pub fn collect(&mut self) -> BytesMut {
        assert!(self.in_files == 0 && !self.reading, "a collected reply holds no files");
        let mut all = BytesMut::new();
        while let Some(Chunk::Bytes(bytes)) = self.queue.pop_front() {
            all.extend_from_slice(&bytes);
        }
        let tail = self.tail.split();
        if all.is_empty() {
            all = tail;
        } else {
            all.extend_from_slice(&tail);
        }
        self.pending = 0;
        all
    }

    /// Takes over a buffer to write into, if it has none of its own and there is one to spare.
    #[inline]
    pub(crate) fn borrow(&mut self, spares: &mut Vec<BytesMut>) {
        if self.tail.capacity() == 0
            && let Some(spare) = spares.pop()
        {
            self.tail = spare;
        }
    }

    /// Hands its buffer over for others to write into, once everything has left: a connection that
    /// is idle holds none.
    #[inline]
    pub(crate) fn give_back(&mut self, spares: &mut Vec<BytesMut>) {
        if self.pending == 0 {
            assert!(self.tail.is_empty(), "nothing is pending");
            let spare = core::mem::take(&mut self.tail);
            if spares.len() < SPARES_MAX {
                spares.push(spare);
            }
        }
    }

    fn seal_tail(&mut self) {
        if !self.tail.is_empty() {
            self.queue.push_back(Chunk::Bytes(self.tail.split().freeze()));
        }
    }

    /// Bytes held in memory: pending output without the file ranges.
    #[inline]
    pub(crate) const fn memory(&self) -> usize {
        self.pending - self.in_files
    }

    /// From here on output waits for TLS.
    pub(crate) fn start_tls(&mut self) {
        assert!(self.clear.is_none(), "TLS is started once");
        self.clear = Some(self.pending);
    }

    /// TLS is up: everything may leave.
    pub(crate) fn secured(&mut self) {
        self.clear = None;
    }

    /// Bytes that may leave now.
    #[inline]
    pub(crate) const fn sendable(&self) -> usize {
        match self.clear {
            None => self.pending,
            Some(clear) => clear,
        }
    }

    /// Whether all clear-text output has left and the handshake may begin.
    pub(crate) const fn tls_due(&self) -> bool {
        matches!(self.clear, Some(0))
    }

    /// Offers sendable bytes up to the first file range. Returns how many slices were filled.
    #[inline]
    pub(crate) fn slices<'a>(&'a self, into: &mut [IoSlice<'a>]) -> usize {
        match into {
            [first, ..] if self.only_tail() && !self.tail.is_empty() => {
                *first = IoSlice::new(&self.tail);
                1
            }
            _ => self.slices_of_all(into),
        }
    }

    /// Whether all there is may leave, and lies in the tail: what a small reply is.
    #[inline]
    fn only_tail(&self) -> bool {
        self.queue.is_empty() && self.clear.is_none()
    }

    fn slices_of_all<'a>(&'a self, into: &mut [IoSlice<'a>]) -> usize {
        let mut room = self.sendable();
        let mut filled = 0;
        let chunks = self.queue.iter().map(|chunk| match chunk {
            Chunk::Bytes(bytes) => Some(&bytes[..]),
            Chunk::File(_) => None,
        });
        for bytes in chunks.chain(core::iter::once(Some(&self.tail[..]))) {
            let Some(bytes) = bytes else { break };
            if filled == into.len() || room == 0 {
                break;
            }
            let len = bytes.len().min(room);
            if len > 0 {
                into[filled] = IoSlice::new(&bytes[..len]);
                filled += 1;
                room -= len;
            }
        }
        filled
    }

    /// Moves up to `max` sendable bytes behind `into`. With an empty `into` and nothing but a tail
    /// that fits, buffers are swapped and nothing is copied.
    #[inline]
    pub(crate) fn take(&mut self, max: usize, into: &mut BytesMut) -> usize {
        if self.only_tail() && self.tail.len() <= max {
            let taken = self.tail.len();
            if into.is_empty() {
                into.clear();
                core::mem::swap(into, &mut self.tail);
            } else {
                into.extend_from_slice(&self.tail);
                self.tail.clear();
            }
            self.pending -= taken;
            return taken;
        }
        self.take_slowly(max, into)
    }

    fn take_slowly(&mut self, max: usize, into: &mut BytesMut) -> usize {
        let mut taken = 0;
        loop {
            let mut slice = [IoSlice::new(&[])];
            if taken == max || self.slices(&mut slice) == 0 {
                return taken;
            }
            let len = slice[0].len().min(max - taken);
            into.extend_from_slice(&slice[0][..len]);
            self.advance(len);
            taken += len;
        }
    }

    /// The transport took `n` bytes.
    ///
    /// # Panics
    /// If it took more than was offered: a bug of the driver.
    #[inline]
    pub(crate) fn advance(&mut self, n: usize) {
        assert!(n <= self.sendable(), "the transport took more than was offered");
        self.pending -= n;
        if self.only_tail() && n == self.tail.len() {
            self.tail.clear();
        } else {
            self.advance_slowly(n);
        }
    }

    fn advance_slowly(&mut self, n: usize) {
        if let Some(clear) = &mut self.clear {
            *clear -= n;
        }
        let mut left = n;
        while left > 0 {
            match self.queue.front_mut() {
                Some(Chunk::Bytes(bytes)) if bytes.len() > left => {
                    bytes.advance(left);
                    return;
                }
                Some(Chunk::Bytes(bytes)) => {
                    left -= bytes.len();
                    self.queue.pop_front();
                }
                Some(Chunk::File(_)) => panic!("the transport took bytes of an unread file"),
                None => {
                    self.tail.advance(left);
                    return;
                }
            }
        }
    }

    /// The file range at the head, if its next piece has to be read. Marks it as being read.
    pub(crate) fn begin_file_read(&mut self) -> Option<FileRange> {
        match self.queue.front() {
            Some(Chunk::File(range)) if !self.reading => {
                self.reading = true;
                Some(*range)
            }
            _ => None,
        }
    }

    /// A piece of the file range at the head was read.
    ///
    /// # Errors
    /// If it is empty: the file ended before the promised length.
    pub(crate) fn end_file_read(&mut self, bytes: Bytes) -> Result<(), FileEndedEarly> {
        assert!(self.reading, "a file piece that was not asked for");
        self.reading = false;
        let Some(Chunk::File(range)) = self.queue.front_mut() else {
            panic!("the file range at the head vanished while it was read");
        };
        let len = bytes.len() as u64;
        assert!(len <= range.len, "more of the file was read than asked for");
        if len == 0 {
            return Err(FileEndedEarly);
        }
        range.at += len;
        range.len -= len;
        self.in_files -= len as usize;
        if range.len == 0 {
            self.queue.pop_front();
        }
        self.queue.push_front(Chunk::Bytes(bytes));
        Ok(())
    }

    /// Forgets all output but keeps small buffers for the slot's next user.
    pub(crate) fn reset(&mut self) {
        const KEEP_BYTES: usize = 16 << 10;
        self.queue.clear();
        if self.tail.capacity() > KEEP_BYTES {
            self.tail = BytesMut::new();
        }
        self.tail.clear();
        (self.pending, self.in_files) = (0, 0);
        (self.clear, self.reading) = (None, false);
    }
}

/// See [`Tx::end_file_read`].
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct FileEndedEarly;

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(tx: &mut Tx, step: usize) -> Vec<u8> {
        let mut all = BytesMut::new();
        while tx.take(step, &mut all) > 0 {}
        all.to_vec()
    }

    #[test]
    fn output_leaves_in_order_whatever_the_step() {
        for step in 1..2000 {
            let mut tx = Tx::default();
            tx.put(b"head ");
            tx.push(Bytes::from(vec![b'x'; 1000]));
            tx.put(b" tail");
            assert_eq!(tx.pending(), 1010);
            let got = drain(&mut tx, step);
            assert_eq!(&got[..5], b"head ");
            assert_eq!(&got[1005..], b" tail");
            assert_eq!(tx.pending(), 0);
        }
    }

    #[test]
    fn a_small_reply_leaves_in_whatever_pieces_the_transport_takes() {
        let mut tx = Tx::default();
        tx.put(b"STORED\r\n");
        for taken in [3, 1, 4] {
            let mut slices = [IoSlice::new(&[]); 2];
            assert_eq!(tx.slices(&mut slices), 1);
            assert_eq!(slices[0].len(), tx.pending());
            assert_eq!(&slices[0][..1], &b"STORED\r\n"[8 - tx.pending()..][..1]);
            tx.advance(taken);
        }
        assert_eq!((tx.pending(), tx.slices(&mut [IoSlice::new(&[])])), (0, 0));
        tx.put(b"END");
        assert_eq!(drain(&mut tx, 9), b"END");
    }

    #[test]
    fn file_ranges_stop_the_slices_until_read() {
        let mut tx = Tx::default();
        tx.put(b"a");
        tx.push_file(FileId(7), 10, 5);
        tx.put(b"z");
        assert_eq!((tx.pending(), tx.memory()), (7, 2));
        assert_eq!(drain(&mut tx, 100), b"a");
        assert_eq!(tx.begin_file_read().map(|r| (r.at, r.len)), Some((10, 5)));
        assert_eq!(tx.begin_file_read(), None, "one read at a time");
        tx.end_file_read(Bytes::from_static(b"FIL")).unwrap();
        assert_eq!(drain(&mut tx, 100), b"FIL");
        assert_eq!(tx.begin_file_read().map(|r| (r.at, r.len)), Some((13, 2)));
        assert_eq!(tx.end_file_read(Bytes::new()), Err(FileEndedEarly));
    }

    #[test]
    fn output_behind_a_tls_start_waits() {
        let mut tx = Tx::default();
        tx.put(b"clear");
        tx.start_tls();
        tx.put(b"secret");
        assert!(!tx.tls_due());
        assert_eq!(drain(&mut tx, 3), b"clear");
        assert!(tx.tls_due() && tx.sendable() == 0);
        tx.secured();
        assert_eq!(drain(&mut tx, 100), b"secret");
    }
}
