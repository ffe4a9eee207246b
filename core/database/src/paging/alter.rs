//! Rows laid out anew, with another number of neighbours on a page: what a change of a table's
//! clustered key does, and what most other changes of a table did to databases of the time.
//!
//! The whole file is read, and written to a new one that takes its place. Until then whoever reads
//! goes on with the old one, and whoever writes waits, a replica for its next record, too. For a
//! moment in the end everybody waits: until nothing is under way with the old file. Then the pool
//! is empty.
//!
//! A restart lays rows out as its command line says. A new file that was not finished stays until
//! the next one overwrites it.

use super::{ALTER, ALTERED, PAGE_BYTES, Pages, Touch};
use bytes::Bytes;
use storytime_machine::disk::parent;
use storytime_machine::{Cx, DiskError, DiskOk, DiskOp, DiskResult, FileId, IO_BYTES_MAX, Token};

/// Pages that are read, written and synced at a time.
const CHUNK_PAGES: u64 = 64;
/// Most rows on a page.
pub(crate) const PAGE_ROWS_MAX: u64 = 1 << 20;

const _: () = assert!(CHUNK_PAGES as usize * PAGE_BYTES <= IO_BYTES_MAX);

/// Why rows are not laid out anew: the caller's mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CannotAlter {
    /// The file is not open yet.
    NotOpen,
    /// It is under way.
    UnderWay,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Altered {
    /// So many rows are on a page from now on.
    Done(u64),
    /// All is as before.
    Failed(DiskError),
}

/// What is awaited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Await {
    /// The new file.
    Opened,
    /// That it is as long as the old one.
    Length(FileId),
    /// The next pages of the old file.
    Pages(FileId),
    /// That they are in the new file.
    Written(FileId),
    /// That they are durable there.
    Synced(FileId),
    /// That nothing is under way with the old file.
    Quiet(FileId),
    /// That the new file has the old one's name.
    Renamed(FileId),
    /// That the name is durable.
    Named(FileId),
}

/// Rows being laid out anew. `W` is whoever waits.
#[derive(Debug)]
pub(super) struct Alter<W> {
    page_rows: u64,
    awaits: Await,
    /// Pages copied.
    copied: u64,
    /// Who waits for the new file, and for which page.
    held: Vec<(Touch, W)>,
}

impl<W> Alter<W> {
    /// Whether nobody may begin anything with the old file any more.
    const fn is_ending(&self) -> bool {
        matches!(self.awaits, Await::Quiet(_) | Await::Renamed(_) | Await::Named(_))
    }
}

impl<W: Copy> Pages<W> {
    /// Begins to lay rows out anew, so many neighbours on a page.
    ///
    /// # Errors
    /// If that cannot be.
    pub(crate) fn alter(&mut self, cx: &mut Cx, page_rows: u64) -> Result<(), CannotAlter> {
        assert!((1..=PAGE_ROWS_MAX).contains(&page_rows), "the caller looked");
        if self.file.is_none() {
            return Err(CannotAlter::NotOpen);
        }
        if self.alter.is_some() {
            return Err(CannotAlter::UnderWay);
        }
        let awaits = Await::Opened;
        self.alter = Some(Alter { page_rows, awaits, copied: 0, held: Vec::new() });
        self.alter_op(cx, DiskOp::Open { path: self.new_path(), create: true });
        Ok(())
    }

    /// Pages copied and pages to copy; `None` if rows are not being laid out anew.
    pub(crate) fn altering(&self) -> Option<(u64, u64)> {
        self.alter.as_ref().map(|alter| (alter.copied, self.config.pages))
    }

    /// Holds whoever has to wait for the new file; whether that is so.
    pub(super) fn hold(&mut self, touch: Touch, waiter: W) -> bool {
        match &mut self.alter {
            Some(alter) if touch.write || alter.is_ending() => {
                alter.held.push((touch, waiter));
                true
            }
            _ => false,
        }
    }

    /// Whether nothing may be begun with the file for a moment: another takes its place.
    pub(super) fn is_file_leaving(&self) -> bool {
        self.alter.as_ref().is_some_and(Alter::is_ending)
    }

    fn new_path(&self) -> Bytes {
        Bytes::from([&self.path[..], b"-new"].concat())
    }

    fn alter_op(&self, cx: &mut Cx, op: DiskOp) {
        cx.disk(Token(self.base + ALTER), op);
    }

    /// Asks the disk for something that nobody waits for.
    fn and_forget(&self, cx: &mut Cx, op: DiskOp) {
        cx.disk(Token(self.base + ALTERED), op);
    }

    /// Goes on to what is awaited next, and asks the disk for it.
    fn alter_next(&mut self, cx: &mut Cx, awaits: Await, op: DiskOp) {
        if let Some(alter) = &mut self.alter {
            alter.awaits = awaits;
        }
        self.alter_op(cx, op);
    }

    /// An operation of it completed.
    pub(super) fn alter_done(&mut self, cx: &mut Cx, result: DiskResult, there: &mut Vec<W>) {
        let (Some(alter), Some(old)) = (&mut self.alter, self.file) else {
            unreachable!("nothing is asked for once it has ended")
        };
        let copied = alter.copied;
        match (alter.awaits, result) {
            (Await::Opened, Ok(DiskOk::File { file, .. })) => {
                let len = self.config.pages * PAGE_BYTES as u64;
                self.alter_next(cx, Await::Length(file), DiskOp::SetLen { file, len });
            }
            (Await::Length(new), Ok(_)) => self.copy_pages(cx, new, old),
            (Await::Pages(new), Ok(DiskOk::Data(data))) => {
                let at = copied * PAGE_BYTES as u64;
                self.alter_next(cx, Await::Written(new), DiskOp::Write { file: new, at, data });
            }
            (Await::Written(new), Ok(_)) => {
                self.alter_next(cx, Await::Synced(new), DiskOp::Sync { file: new });
            }
            (Await::Synced(new), Ok(_)) => {
                alter.copied = (copied + CHUNK_PAGES).min(self.config.pages);
                self.counters.altered += alter.copied - copied;
                self.copy_pages(cx, new, old);
            }
            (Await::Renamed(new), Ok(_)) => {
                let path = Bytes::copy_from_slice(parent(&self.path));
                self.alter_next(cx, Await::Named(new), DiskOp::SyncDir { path });
            }
            // The bytes mean nothing: whether their name is durable does not matter.
            (Await::Named(new), _) => self.use_new_file(cx, new, old, there),
            (_, Err(why)) => self.alter_failed(cx, why, there),
            (awaits, Ok(done)) => unreachable!("{awaits:?} does not await {done:?}"),
        }
    }

    /// Copies the next pages, or waits for the old file to be left alone.
    fn copy_pages(&mut self, cx: &mut Cx, new: FileId, old: FileId) {
        let Some(alter) = &mut self.alter else { return };
        let left = self.config.pages - alter.copied;
        if left == 0 {
            alter.awaits = Await::Quiet(new);
            return self.alter_if_quiet(cx);
        }
        let at = alter.copied * PAGE_BYTES as u64;
        let len = (left.min(CHUNK_PAGES) * PAGE_BYTES as u64) as u32;
        self.alter_next(cx, Await::Pages(new), DiskOp::Read { file: old, at, len });
    }

    /// Something that was under way with the old file may have been the last.
    pub(super) fn alter_if_quiet(&mut self, cx: &mut Cx) {
        let Some(Alter { awaits: Await::Quiet(new), .. }) = self.alter else { return };
        if self.reading.is_empty() && self.writing == 0 {
            let (from, to) = (self.new_path(), self.path.clone());
            self.alter_next(cx, Await::Renamed(new), DiskOp::Rename { from, to });
        }
    }

    /// The new file is in its place: who waited for it goes on with it.
    fn use_new_file(&mut self, cx: &mut Cx, new: FileId, old: FileId, there: &mut Vec<W>) {
        assert!(self.reading.is_empty() && self.writing == 0, "the old file was left alone");
        let Some(alter) = self.alter.take() else { return };
        self.and_forget(cx, DiskOp::Close { file: old });
        self.file = Some(new);
        self.empty_pool();
        self.config.page_rows = alter.page_rows;
        self.news = Some(Altered::Done(alter.page_rows));
        self.need_again(cx, alter.held, there);
    }

    fn alter_failed(&mut self, cx: &mut Cx, why: DiskError, there: &mut Vec<W>) {
        let Some(alter) = self.alter.take() else { return };
        let new = match alter.awaits {
            Await::Opened => None,
            Await::Length(new)
            | Await::Pages(new)
            | Await::Written(new)
            | Await::Synced(new)
            | Await::Quiet(new)
            | Await::Renamed(new)
            | Await::Named(new) => Some(new),
        };
        if let Some(file) = new {
            // Its room is given back.
            self.and_forget(cx, DiskOp::SetLen { file, len: 0 });
            self.and_forget(cx, DiskOp::Close { file });
        }
        self.counters.failures += 1;
        self.news = Some(Altered::Failed(why));
        self.need_again(cx, alter.held, there);
    }

    /// Who was held needs pages now, of whichever file there is.
    fn need_again(&mut self, cx: &mut Cx, held: Vec<(Touch, W)>, there: &mut Vec<W>) {
        for (touch, waiter) in held {
            if !self.need(cx, touch, waiter) {
                there.push(waiter);
            }
        }
    }

    /// How it ended, if that is news.
    pub(crate) const fn take_news(&mut self) -> Option<Altered> {
        self.news.take()
    }
}
