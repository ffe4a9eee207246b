//! What replication needs of the server that it is a part of.

use bytes::Bytes;
use storytime_journal::{AppendError, Lsn};
use storytime_machine::Cx;

/// How far the server's log is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogState {
    /// The oldest record that can be read.
    pub oldest: Lsn,
    /// The newest that survives a power cut.
    pub durable: Lsn,
    /// The newest.
    pub last: Lsn,
    /// The newest whose effects are in the content.
    pub applied: Lsn,
}

/// The content and the journal of a server.
///
/// Everything is done or refused at once, so that what cannot be done waits in the master's
/// connection, and nowhere else.
pub trait Host {
    /// How far the log is.
    fn log(&self) -> LogState;

    /// Appends a record at the next position, and applies it as soon as it can.
    ///
    /// # Errors
    /// If the journal or the content does not take it now. [`super::Replication::on_durable`] tries
    /// again.
    fn append(&mut self, cx: &mut Cx, record: &[u8]) -> Result<Lsn, AppendError>;

    /// Reads durable records from `from` on; answered by [`super::Replication::on_records`] or
    /// [`super::Replication::on_read_failed`]. One read at a time.
    fn read(&mut self, cx: &mut Cx, from: Lsn, bytes_max: usize);

    /// Begins a snapshot of the content as of the last record. False if another is under way. While
    /// it is taken, what changes is kept for it, up to this many bytes and one key or owner more.
    fn begin_snapshot(&mut self, cx: &mut Cx, kept_bytes_max: u64) -> bool;

    /// Whether more has changed than is kept: the snapshot has no further pieces, and is to be
    /// given up.
    fn is_snapshot_overrun(&self) -> bool;

    /// The snapshot's next piece; `None` behind the last. Not asked of one that is overrun.
    fn next_piece(&mut self, cx: &mut Cx) -> Option<Bytes>;

    /// Gives the snapshot up.
    fn abandon_snapshot(&mut self, cx: &mut Cx);

    /// Throws content and journal away, and begins anew behind `at`. A reset under way is given up.
    fn begin_reset(&mut self, cx: &mut Cx, at: Lsn);

    /// The next piece of the new content; the first one is for the journal alone. False if it is
    /// not taken now: [`super::Replication::resume`] offers it again.
    fn reset_piece(&mut self, cx: &mut Cx, piece: &Bytes) -> bool;

    /// There are no further pieces; [`super::Replication::on_reset_done`] follows when all of them
    /// survive a power cut.
    fn end_reset(&mut self, cx: &mut Cx);
}
