//! Pages that stand for rows bigger than memory.
//!
//! The content of a database is in memory, all of it. What a larger one costs is input and output:
//! a file of pages, of which a pool holds the ones used last. Whoever needs a page that is not in
//! the pool waits for a read of 16 KiB; a page that was written is written back when the pool needs
//! its place, or when it has been waiting for too long. The bytes of the file mean nothing: a read
//! that fails, or a power cut, loses nothing but the time.
//!
//! Not modelled: an index above the pages, pages that split, a log of pages.

mod alter;

pub(crate) use alter::{Altered, CannotAlter, PAGE_ROWS_MAX};

use crate::commands::marks::Touch;
use crate::config::Paging;
use alter::Alter;
use bytes::Bytes;
use core::time::Duration;
use hashbrown::HashMap;
use std::collections::VecDeque;
use storytime_machine::hash::FixedState;
use storytime_machine::{Cx, DiskOk, DiskOp, DiskResult, FileId, Time, Token};

/// Length of a page, bytes.
pub const PAGE_BYTES: usize = 16 << 10;
/// A written page waits for others for so long before it is written back.
const DIRTY_MAX: Duration = Duration::from_secs(1);
/// Time between two looks for pages that have waited. What was written since the last is synced, so
/// that its transfers are the disk's work now and not somebody's surprise later.
const FLUSH_TICK: Duration = Duration::from_millis(100);
/// Most pages written back at a time because they have waited.
const WRITES_MAX: usize = 4096;
/// Names of disk operations and timers that are used from the base on.
pub(crate) const PAGING_TOKENS: u64 = 1 << 40;
/// The file is opened; and made as long as it is to be.
const OPEN: u64 = 0;
const LENGTHEN: u64 = 1;
/// A page is written back.
const WRITE: u64 = 2;
/// A directory above the file is made.
const MAKE_DIRECTORY: u64 = 3;
/// What was written back is synced.
const SYNC: u64 = 4;
/// Rows are laid out anew.
const ALTER: u64 = 5;
/// What is left of that is put away.
const ALTERED: u64 = 6;
/// Pages are read under these names and those behind.
const READ: u64 = 16;

/// What happened in the pool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PagingCounters {
    /// Pages needed that were there.
    pub hits: u64,
    /// Pages that had to be read.
    pub reads: u64,
    /// Pages written back.
    pub writes: u64,
    /// Reads and writes that failed.
    pub failures: u64,
    /// Pages laid out anew.
    pub altered: u64,
}

/// A page in the pool.
#[derive(Clone, Copy, Debug)]
struct Frame {
    page: u64,
    /// Neighbours in the order of use, by place.
    newer: u32,
    older: u32,
    /// Whether it was written since it was written back.
    dirty: bool,
}

/// No neighbour.
const NONE: u32 = u32::MAX;

/// The pool and the file. `W` is whoever waits for a page.
#[derive(Debug)]
pub(crate) struct Pages<W> {
    config: Paging,
    base: u64,
    path: Bytes,
    /// The file, once it is open and long enough.
    file: Option<FileId>,
    opened: Option<FileId>,
    /// Directories above the file are made up to here in its path.
    made: usize,
    frames: Vec<Frame>,
    /// Places in `frames`, by page.
    index: HashMap<u64, u32, FixedState>,
    newest: u32,
    oldest: u32,
    /// Pages being read, whoever waits for them, and whether they are about to be written.
    reading: HashMap<u64, (Vec<W>, bool), FixedState>,
    /// Written pages, the first written first, with when that was.
    dirty: VecDeque<(u64, Time)>,
    /// Writes under way.
    writing: usize,
    /// Whether anything was written back since the last sync.
    unsynced: bool,
    /// Whether a sync is due as soon as no write is under way.
    sync_due: bool,
    /// Whether the timer is set.
    ticking: bool,
    zeros: Bytes,
    /// Rows are being laid out anew; and how that ended.
    alter: Option<Alter<W>>,
    news: Option<Altered>,
    counters: PagingCounters,
}

impl<W: Copy> Pages<W> {
    pub(crate) fn new(config: Paging, path: Bytes, base: Token) -> Self {
        assert!(config.pages > 0 && config.pool_pages > 0, "the command line was checked");
        Self {
            config,
            base: base.0,
            path,
            file: None,
            opened: None,
            made: 0,
            frames: Vec::new(),
            index: HashMap::default(),
            newest: NONE,
            oldest: NONE,
            reading: HashMap::default(),
            dirty: VecDeque::new(),
            writing: 0,
            unsynced: false,
            sync_due: false,
            ticking: false,
            zeros: Bytes::from(vec![0; PAGE_BYTES]),
            alter: None,
            news: None,
            counters: PagingCounters::default(),
        }
    }

    /// Makes the directories above the file; then it is opened.
    pub(crate) fn open(&mut self, cx: &mut Cx) {
        self.make_directory(cx, 0);
    }

    /// Makes the directory whose name ends at the first slash behind `from`, if there is one.
    fn make_directory(&mut self, cx: &mut Cx, from: usize) {
        let slash = self.path[from..].iter().position(|&byte| byte == b'/');
        let (token, op) = match slash {
            Some(slash) => {
                self.made = from + slash + 1;
                let path = self.path.slice(..from + slash);
                (MAKE_DIRECTORY, DiskOp::MakeDir { path })
            }
            None => (OPEN, DiskOp::Open { path: self.path.clone(), create: true }),
        };
        cx.disk(Token(self.base + token), op);
    }

    pub(crate) const fn owns(&self, token: Token) -> bool {
        token.0 >= self.base && token.0 - self.base < PAGING_TOKENS
    }

    /// Neighbouring rows on a page.
    pub(crate) const fn page_rows(&self) -> u64 {
        self.config.page_rows
    }

    pub(crate) const fn counters(&self) -> PagingCounters {
        self.counters
    }

    /// Pages being read and written.
    pub(crate) fn under_way(&self) -> u64 {
        (self.reading.len() + self.writing) as u64
    }

    /// A page is needed. Whether it has to be read first: `waiter` is told when it is there.
    pub(crate) fn need(&mut self, cx: &mut Cx, touch: Touch, waiter: W) -> bool {
        let Some(file) = self.file else { return false };
        if self.hold(touch, waiter) {
            return true;
        }
        let page = touch.hash % self.config.pages;
        if let Some(&place) = self.index.get(&page) {
            self.counters.hits += 1;
            self.use_again(place);
            if touch.write {
                self.soil(cx, place);
            }
            return false;
        }
        if let Some((waiters, write)) = self.reading.get_mut(&page) {
            waiters.push(waiter);
            *write |= touch.write;
            return true;
        }
        self.read(cx, file, page, vec![waiter], touch.write);
        true
    }

    /// A page will be needed soon: it is read, and nobody waits.
    pub(crate) fn fetch(&mut self, cx: &mut Cx, hash: u64) {
        let Some(file) = self.file.filter(|_| !self.is_file_leaving()) else { return };
        let page = hash % self.config.pages;
        if !self.index.contains_key(&page) && !self.reading.contains_key(&page) {
            self.read(cx, file, page, Vec::new(), false);
        }
    }

    fn read(&mut self, cx: &mut Cx, file: FileId, page: u64, waiters: Vec<W>, write: bool) {
        self.reading.insert(page, (waiters, write));
        self.counters.reads += 1;
        let (at, len) = (page * PAGE_BYTES as u64, PAGE_BYTES as u32);
        cx.disk(Token(self.base + READ + page), DiskOp::Read { file, at, len });
    }

    /// An operation completed; whoever waited for its page is put into `there`.
    ///
    /// # Errors
    /// If the file cannot be had.
    pub(crate) fn on_disk(
        &mut self,
        cx: &mut Cx,
        token: Token,
        result: DiskResult,
        there: &mut Vec<W>,
    ) -> Result<(), &'static str> {
        const NO_FILE: &str = "the file of pages cannot be opened or made long enough";
        match token.0 - self.base {
            MAKE_DIRECTORY if result.is_err() => return Err(NO_FILE),
            MAKE_DIRECTORY => self.make_directory(cx, self.made),
            OPEN => match result {
                Ok(DiskOk::File { file, .. }) => {
                    self.opened = Some(file);
                    let len = self.config.pages * PAGE_BYTES as u64;
                    cx.disk(Token(self.base + LENGTHEN), DiskOp::SetLen { file, len });
                }
                _ => return Err(NO_FILE),
            },
            LENGTHEN => match result {
                Ok(_) => self.file = self.opened,
                Err(_) => return Err(NO_FILE),
            },
            WRITE => {
                self.writing -= 1;
                self.counters.failures += u64::from(result.is_err());
                self.sync_if_due(cx);
                self.alter_if_quiet(cx);
            }
            ALTER => self.alter_done(cx, result, there),
            ALTERED => self.counters.failures += u64::from(result.is_err()),
            SYNC => self.counters.failures += u64::from(result.is_err()),
            read => {
                self.counters.failures += u64::from(result.is_err());
                let page = read - READ;
                let found = self.reading.remove(&page);
                let (mut waiters, write) = found.expect("a page is read once at a time");
                there.append(&mut waiters);
                self.enter(cx, page, write);
                self.alter_if_quiet(cx);
            }
        }
        Ok(())
    }

    /// A page was read: it takes the place of the one that was not used for longest.
    fn enter(&mut self, cx: &mut Cx, page: u64, write: bool) {
        let frame = Frame { page, newer: NONE, older: NONE, dirty: false };
        let place = if (self.frames.len() as u64) < self.config.pool_pages {
            self.frames.push(frame);
            (self.frames.len() - 1) as u32
        } else {
            let place = self.oldest;
            let Frame { page: old, dirty, .. } = self.frames[place as usize];
            if dirty {
                self.write_back(cx, old);
            }
            self.unlink(place);
            self.index.remove(&old);
            self.frames[place as usize] = frame;
            place
        };
        self.link_newest(place);
        self.index.insert(page, place);
        if write {
            self.soil(cx, place);
        }
    }

    /// A page in the pool is written.
    fn soil(&mut self, cx: &mut Cx, place: u32) {
        let frame = &mut self.frames[place as usize];
        if frame.dirty {
            return;
        }
        frame.dirty = true;
        self.dirty.push_back((frame.page, cx.now()));
        if !self.ticking {
            self.ticking = true;
            cx.after(Token(self.base), FLUSH_TICK);
        }
    }

    fn write_back(&mut self, cx: &mut Cx, page: u64) {
        let Some(file) = self.file else { return };
        self.counters.writes += 1;
        self.writing += 1;
        self.unsynced = true;
        let (at, data) = (page * PAGE_BYTES as u64, self.zeros.clone());
        cx.disk(Token(self.base + WRITE), DiskOp::Write { file, at, data });
    }

    /// Writes back what has waited for too long.
    pub(crate) fn on_timer(&mut self, cx: &mut Cx) {
        self.ticking = false;
        if self.is_file_leaving() {
            self.ticking = true;
            return cx.after(Token(self.base), FLUSH_TICK);
        }
        while let Some(&(page, since)) = self.dirty.front() {
            // Pages that left the pool were written back then.
            let place = self.index.get(&page).copied();
            let place = place.filter(|&place| self.frames[place as usize].dirty);
            let due = cx.now().since(since) >= DIRTY_MAX && self.writing < WRITES_MAX;
            if place.is_some() && !due {
                break;
            }
            self.dirty.pop_front();
            if let Some(place) = place {
                self.frames[place as usize].dirty = false;
                self.write_back(cx, page);
            }
        }
        self.sync_due = self.unsynced;
        self.sync_if_due(cx);
        if !self.dirty.is_empty() || self.unsynced {
            self.ticking = true;
            cx.after(Token(self.base), FLUSH_TICK);
        }
    }

    fn sync_if_due(&mut self, cx: &mut Cx) {
        if self.sync_due
            && self.writing == 0
            && let Some(file) = self.file
        {
            (self.sync_due, self.unsynced) = (false, false);
            cx.disk(Token(self.base + SYNC), DiskOp::Sync { file });
        }
    }

    /// Nothing is in the pool any more, and nothing waits to be written back.
    fn empty_pool(&mut self) {
        self.frames.clear();
        self.index.clear();
        self.dirty.clear();
        (self.newest, self.oldest) = (NONE, NONE);
        (self.unsynced, self.sync_due) = (false, false);
    }

    fn use_again(&mut self, place: u32) {
        if self.newest != place {
            self.unlink(place);
            self.link_newest(place);
        }
    }

    fn unlink(&mut self, place: u32) {
        let Frame { newer, older, .. } = self.frames[place as usize];
        match newer {
            NONE => self.newest = older,
            newer => self.frames[newer as usize].older = older,
        }
        match older {
            NONE => self.oldest = newer,
            older => self.frames[older as usize].newer = newer,
        }
    }

    fn link_newest(&mut self, place: u32) {
        let before = core::mem::replace(&mut self.newest, place);
        let frame = &mut self.frames[place as usize];
        (frame.newer, frame.older) = (NONE, before);
        match before {
            NONE => self.oldest = place,
            before => self.frames[before as usize].newer = place,
        }
    }

    pub(crate) fn invariants(&self) {
        assert!(self.frames.len() as u64 <= self.config.pool_pages, "the pool has its size");
        assert_eq!(self.index.len(), self.frames.len(), "every page is found");
        assert!(self.alter.is_none() || self.file.is_some(), "the old file stays open");
        assert_eq!(self.newest == NONE, self.frames.is_empty(), "the order holds all pages");
    }
}
