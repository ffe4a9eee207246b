//! Content and log together: what changes one appends to the other.

use super::checkpoint::Checkpointing;
use super::log::Log;
use super::tokens;
use crate::commands::Marks;
use crate::config::Config;
use crate::paging::Pages;
use crate::record::{Effect, Garbled, RecordView, RecordWriter};
use crate::store::{Misfit, Store};
use bytes::Bytes;
use core::fmt;
use std::collections::VecDeque;
use storytime_journal::Lsn;
use storytime_machine::{Conn, Cx};

/// Content and log.
#[derive(Debug)]
pub(crate) struct Engine {
    pub(crate) store: Store,
    pub(crate) marks: Marks,
    /// The record being made.
    pub(crate) record: RecordWriter,
    pub(crate) log: Log,
    pub(super) checkpointing: Checkpointing,
    /// The content is being replaced.
    pub(super) reset: Reset,
    /// The snapshot is a replica's.
    pub(super) seeding: bool,
    /// The content that waiting replies tell of is there no more.
    pub(super) orphaned: bool,
    /// Pages, if content is bigger than memory.
    pub(super) pages: Option<Pages<Waiter>>,
    /// Records from elsewhere that are appended and not applied: each waits for its pages.
    pub(super) applying: VecDeque<(Lsn, Bytes)>,
    /// Of these, so many whose pages were asked for ahead of their turn.
    pub(super) asked_ahead: usize,
    /// How many may be.
    ahead_max: usize,
    /// Pages that the first of them waits for.
    pub(super) missing: u32,
    /// A record from elsewhere did not fit: the server has to end.
    pub(super) broken: Option<NotApplied>,
    /// Effects of records from elsewhere, for figures.
    pub(super) foreign_effects: u64,
}

/// Who waits for a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waiter {
    /// A reply of a connection, by its number.
    Reply(Conn, u64),
    /// The record from elsewhere that is applied next.
    Record,
}

/// Most records from elsewhere that are appended and not applied.
const APPLYING_MAX: usize = 4096;

/// Whether the content is being replaced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Reset {
    /// It is not.
    #[default]
    No,
    /// The first piece is for the journal alone.
    AwaitHead,
    /// Pieces come.
    Pieces,
    /// All are there; they become durable.
    AwaitDurable,
}

/// A record that cannot be applied: the content is not what it was when the record was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotApplied {
    /// The bytes are no record.
    Garbled,
    /// The record belongs to another history.
    Misfit,
}

impl fmt::Display for NotApplied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Garbled => write!(f, "{Garbled}"),
            Self::Misfit => write!(f, "{Misfit}"),
        }
    }
}

impl Engine {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            store: Store::new(0),
            marks: Marks::new(config.paging.map(|paging| paging.page_rows)),
            record: RecordWriter::default(),
            log: Log::new(config),
            checkpointing: Checkpointing::default(),
            reset: Reset::No,
            seeding: false,
            orphaned: false,
            pages: config.paging.map(|paging| {
                let path = [&config.dir[..], b"/pages"].concat();
                Pages::new(paging, path.into(), tokens::PAGING_BASE)
            }),
            applying: VecDeque::new(),
            asked_ahead: 0,
            ahead_max: config.paging.map_or(0, |paging| paging.apply_ahead as usize),
            missing: 0,
            broken: None,
            foreign_effects: 0,
        }
    }

    /// Applies a record that was not made here and now: by recovery, or by another server. Returns
    /// how many effects it has on the content.
    ///
    /// # Errors
    /// If it does not fit. What it did before that stays.
    pub(crate) fn apply(&mut self, record: &[u8]) -> Result<u64, NotApplied> {
        let view = RecordView::new(record).map_err(|Garbled| NotApplied::Garbled)?;
        let mut effects = 0;
        self.marks.begin();
        for effect in view.effects() {
            let (db, effect) = effect.map_err(|Garbled| NotApplied::Garbled)?;
            self.marks.wrote(db, &effect);
            self.store.apply(db, &effect).map_err(|Misfit| NotApplied::Misfit)?;
            // Where a record came from is no change of the content.
            effects += u64::from(!matches!(effect, Effect::Origin { .. }));
        }
        Ok(effects)
    }

    /// Whether another record from elsewhere may be appended.
    pub(super) fn takes_records(&self) -> bool {
        self.applying.len() < APPLYING_MAX
    }

    /// The last record whose effects are in the content.
    pub(super) fn applied(&self) -> Lsn {
        let next = self.applying.front().map(|(lsn, _)| Lsn(lsn.0 - 1));
        next.unwrap_or_else(|| self.log.last())
    }

    /// Applies records from elsewhere, one after the other, as far as their pages are there. One
    /// that waits for a page holds up those behind it, as the one thread did that databases of the
    /// time had for this.
    pub(super) fn apply_waiting(&mut self, cx: &mut Cx) {
        while self.missing == 0
            && let Some((lsn, record)) = self.applying.pop_front()
        {
            match self.apply(&record) {
                Ok(effects) => {
                    self.foreign_effects += effects;
                    self.marks.recorded(lsn);
                }
                Err(why) => self.broken = Some(why),
            }
            self.asked_ahead = self.asked_ahead.saturating_sub(1);
            // Its pages are asked for as it is applied: what waits for them is the next record.
            self.missing = self.need_pages(cx, Waiter::Record);
        }
        self.ask_ahead(cx);
    }

    /// Asks for the pages of records whose turn has not come, as a prefetcher beside a database
    /// does that reads its relay log.
    fn ask_ahead(&mut self, cx: &mut Cx) {
        let Self { pages: Some(pages), marks, applying, .. } = self else { return };
        let until = self.ahead_max.min(applying.len());
        while self.asked_ahead < until {
            marks.touches.clear();
            // What is no record is found when its turn comes.
            let view = RecordView::new(&applying[self.asked_ahead].1);
            let effects = view.iter().flat_map(|view| view.effects());
            for (db, effect) in effects.flatten() {
                marks.touch_effect(db, &effect);
            }
            for touch in marks.touches.drain(..) {
                pages.fetch(cx, touch.hash);
            }
            self.asked_ahead += 1;
        }
    }

    /// Asks for the pages that were touched; how many have to be read.
    pub(super) fn need_pages(&mut self, cx: &mut Cx, waiter: Waiter) -> u32 {
        let Self { pages: Some(pages), marks, .. } = self else { return 0 };
        let mut missing = 0;
        for touch in marks.touches.drain(..) {
            missing += u32::from(pages.need(cx, touch, waiter));
        }
        missing
    }

    /// Appends the record that was made, if it has effects; its number.
    pub(super) fn append(&mut self) -> Option<Lsn> {
        if self.record.is_empty() {
            return None;
        }
        let lsn = self.log.append(self.record.bytes());
        let lsn = lsn.expect("room is looked for before a request runs");
        self.marks.recorded(lsn);
        Some(lsn)
    }

    pub(super) fn invariants(&self) {
        self.store.invariants();
        self.log.invariants();
        if let Some(pages) = &self.pages {
            pages.invariants();
        }
        assert!(self.log.durable() <= self.log.last(), "what is durable was appended");
    }
}
