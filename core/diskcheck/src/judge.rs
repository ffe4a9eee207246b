//! From evidence to the name of the lie.
//!
//! # Order
//!
//! The recorder numbers announcements and acknowledgements in one sequence. A lost step is a
//! **hole** when it was acknowledged before some surviving step was even announced: the survivor
//! cannot have been written first. Steps that were under way together prove nothing about order,
//! and neither do survivors without an acknowledgement: they may have come to the disk past every
//! cache.
//!
//! # Decision table
//!
//! `damage` is content that was never announced, or corruption without any other loss; losses that
//! corruption explains are no evidence about flushes.
//!
//! | acknowledged | damage | lost | lengths or names gone | anything survives | holes | verdict |
//! |---|---|---|---|---|---|---|
//! | any | yes | – | – | – | – | mixed |
//! | 0 | no | – | – | – | – | no evidence |
//! | some | no | no | – | – | – | honest |
//! | some | no | yes | yes | no | – | file system |
//! | some | no | yes | yes | yes | yes | file system |
//! | some | no | yes | yes | yes | no | controller |
//! | some | no | yes | no | – | no | controller |
//! | some | no | yes | no | – | yes | drive |
//!
//! Why: a page cache holds data, lengths and names alike and writes files back one by one and late,
//! so a lying file system loses all three, or what is there of them fits together badly. A
//! controller drains in the order in which it was given work: it loses the newest, whatever it is,
//! and nothing else. A drive's cache drains in any order and knows nothing of files: data here and
//! there, never a name.
//!
//! Not told apart: a page cache that happened to be written back all at once, and a drive that
//! happened to lose nothing but the newest, both look like a controller. More steps before the cut
//! make both unlikely.

use crate::stamp::{self, Content};
use crate::step::{Area, Cell, NAMES, Phase, Step};
use crate::verdict::{Kind, Tally, Verdict};
use crate::wire::Shape;

/// What was found of one cell, over all its sectors.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Found {
    /// Oldest generation among its readable sectors, 0 for blank and absent ones; `None` without
    /// any.
    oldest: Option<u32>,
    /// Newest generation among its whole sectors.
    newest: u32,
    absent: bool,
    torn: bool,
    corrupt: bool,
}

/// Everything reported and everything found of one run.
#[derive(Debug)]
pub struct Evidence {
    shape: Shape,
    steps: Vec<Step>,
    /// By area.
    cells: [Vec<CellEvidence>; 3],
}

#[derive(Clone, Copy, Default, Debug)]
struct CellEvidence {
    found: Found,
    /// Last generation announced.
    announced: u32,
    /// Last generation acknowledged.
    acknowledged: u32,
}

impl Found {
    /// One more sector.
    pub fn add(&mut self, content: Content) {
        let generation = match content {
            Content::Corrupt => {
                self.corrupt = true;
                return;
            }
            Content::Absent => {
                self.absent = true;
                0
            }
            Content::Blank => 0,
            Content::Torn { oldest } => {
                self.torn = true;
                oldest
            }
            Content::Generation(generation) => {
                self.newest = self.newest.max(generation);
                generation
            }
        };
        self.oldest = Some(self.oldest.map_or(generation, |oldest| oldest.min(generation)));
    }
}

impl CellEvidence {
    /// Whether a write that was never acknowledged may have been under way at the cut.
    const fn under_way(&self) -> bool {
        self.announced > self.acknowledged
    }

    /// Damaged, and no write under way explains it.
    const fn corrupt(&self) -> bool {
        self.found.corrupt && !self.under_way()
    }

    const fn invented(&self) -> bool {
        self.found.newest > self.announced
    }

    fn torn(&self) -> bool {
        let mixed = self.found.oldest.is_some_and(|oldest| oldest < self.found.newest);
        mixed || self.found.torn || (self.found.corrupt && self.under_way())
    }

    /// Whether no sector holds anything older than this generation. A cell of which no sector can
    /// be read proves nothing against the write under way that damaged it.
    fn holds(&self, generation: u32) -> bool {
        self.found.oldest.is_none_or(|oldest| oldest >= generation)
    }

    /// Whether an acknowledged length or name is gone. An older generation under a small file's
    /// name means that the rename is.
    fn metadata_lost(&self, area: Area) -> bool {
        match area {
            Area::Blocks => self.found.absent,
            Area::Log => self.found.absent && self.acknowledged > 0,
            Area::Names => {
                let renamed_back = self.found.newest > 0 && self.found.newest < self.acknowledged;
                self.acknowledged > 0 && (self.found.absent || renamed_back)
            }
        }
    }
}

impl Evidence {
    /// What the recorder said of a run; nothing is found yet.
    pub fn new(shape: Shape, steps: Vec<Step>) -> Self {
        let count = |area: Area| {
            let used =
                steps.iter().filter(|s| s.cell.area == area).map(|s| s.cell.index as usize + 1);
            used.max().unwrap_or(0)
        };
        let blocks = shape.blocks as usize;
        let counts = [blocks, count(Area::Log), count(Area::Names).min(NAMES as usize)];
        let mut cells = counts.map(|count| vec![CellEvidence::default(); count]);
        for step in &steps {
            let Some(cell) = cells[step.cell.area.index()].get_mut(step.cell.index as usize) else {
                continue;
            };
            cell.announced = cell.announced.max(step.generation);
            if step.phase == Phase::Synced {
                cell.acknowledged = cell.acknowledged.max(step.generation);
            }
        }
        Self { shape, steps, cells }
    }

    /// The run.
    pub const fn shape(&self) -> Shape {
        self.shape
    }

    /// How many cells of an area must be read.
    pub fn cells(&self, area: Area) -> u32 {
        self.cells[area.index()].len() as u32
    }

    /// Notes that a cell is absent or cannot be read.
    pub fn add_missing(&mut self, cell: Cell, content: Content) {
        self.cells[cell.area.index()][cell.index as usize].found.add(content);
    }

    /// Notes one sector of a cell; `sector` is shorter than a sector where the file ends.
    pub fn add_sector(&mut self, cell: Cell, part: usize, sector: &[u8]) {
        let evidence = &mut self.cells[cell.area.index()][cell.index as usize];
        let content = stamp::check(sector, self.shape.run, cell, part, evidence.announced);
        evidence.found.add(content);
    }

    fn cell(&self, cell: Cell) -> Option<&CellEvidence> {
        self.cells[cell.area.index()].get(cell.index as usize)
    }

    /// The announcement's number of the newest acknowledged step of which something is on the disk;
    /// 0 if nothing is.
    fn newest_survivor(&self) -> u32 {
        let survives = |s: &&Step| {
            let newest = |cell: &CellEvidence| cell.found.newest == s.generation;
            s.phase == Phase::Synced && self.cell(s.cell).is_some_and(newest)
        };
        self.steps.iter().filter(survives).map(|s| s.intended_at).max().unwrap_or(0)
    }

    /// Weighs it all.
    pub fn judge(&self) -> Verdict {
        let mut verdict = self.count_cells();
        let survivor = self.newest_survivor();
        let last_ms = self.steps.iter().map(|s| s.synced_ms).max().unwrap_or(0);
        let mut forgotten = 0;
        for step in self.steps.iter().filter(|s| s.phase == Phase::Synced) {
            let Some(cell) = self.cell(step.cell) else { continue };
            let tally: &mut Tally = &mut verdict.tallies[step.cell.area.index()];
            tally.acknowledged += 1;
            if cell.corrupt() {
                tally.lost += 1;
            } else if !cell.holds(step.generation) {
                tally.lost += 1;
                forgotten += 1;
                verdict.holes += u64::from(step.synced_at < survivor);
                let age = u64::from(last_ms.saturating_sub(step.synced_ms));
                verdict.oldest_loss_ms = verdict.oldest_loss_ms.max(age);
            }
        }
        verdict.acknowledged = verdict.tallies.iter().map(|t| t.acknowledged).sum();
        verdict.lost = verdict.tallies.iter().map(|t| t.lost).sum();
        verdict.surviving = verdict.acknowledged - verdict.lost;
        verdict.kind = name(&verdict, forgotten, survivor > 0);
        verdict
    }

    fn count_cells(&self) -> Verdict {
        let mut verdict = Verdict {
            run: self.shape.run,
            kind: Kind::NoEvidence,
            acknowledged: 0,
            surviving: 0,
            lost: 0,
            torn: 0,
            corrupt: 0,
            invented: 0,
            holes: 0,
            metadata_lost: 0,
            oldest_loss_ms: 0,
            tallies: [Tally::default(); 3],
        };
        for area in Area::ALL {
            for cell in &self.cells[area.index()] {
                verdict.torn += u64::from(cell.torn());
                verdict.corrupt += u64::from(cell.corrupt());
                verdict.invented += u64::from(cell.invented());
                verdict.metadata_lost += u64::from(cell.metadata_lost(area));
            }
        }
        verdict
    }
}

/// The decision table.
const fn name(found: &Verdict, forgotten: u64, survives: bool) -> Kind {
    let lost = forgotten > 0;
    let damage = found.invented > 0 || (found.corrupt > 0 && !lost);
    let metadata = found.metadata_lost > 0;
    let holes = found.holes > 0;
    match (damage, lost, metadata, survives, holes) {
        (true, ..) => Kind::Mixed,
        (false, false, ..) if found.acknowledged == 0 => Kind::NoEvidence,
        (false, false, ..) => Kind::Honest,
        (false, true, true, false, _) | (false, true, true, true, true) => Kind::FileSystem,
        (false, true, true, true, false) | (false, true, false, _, false) => Kind::Controller,
        (false, true, false, _, true) => Kind::Drive,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Blocks 0, 1, 2 … written one after the other, each acknowledged before the next.
    fn evidence(blocks: u32, log: u32) -> Evidence {
        let shape = Shape { run: 1, blocks, block_bytes: 512 };
        let cells = (0..blocks).map(|index| Cell { area: Area::Blocks, index });
        let records = (0..log).map(|index| Cell { area: Area::Log, index });
        let steps = cells.chain(records).enumerate().map(|(number, cell)| Step {
            cell,
            generation: 1,
            phase: Phase::Synced,
            intended_at: 2 * number as u32 + 1,
            synced_at: 2 * number as u32 + 2,
            synced_ms: 10 * number as u32,
        });
        Evidence::new(shape, steps.collect())
    }

    /// Each letter is a block: `1` its generation, `-` blank, `x` corrupt, `2` never announced;
    /// behind a space the log's records, `.` absent.
    fn verdict(found: &str) -> Verdict {
        let (blocks, log) = found.split_once(' ').unwrap_or((found, ""));
        let mut evidence = evidence(blocks.len() as u32, log.len() as u32);
        for (area, found) in [(Area::Blocks, blocks), (Area::Log, log)] {
            for (index, letter) in found.chars().enumerate() {
                let content = match letter {
                    '-' => Content::Blank,
                    '.' => Content::Absent,
                    'x' => Content::Corrupt,
                    digit => Content::Generation(digit.to_digit(10).expect("a digit")),
                };
                evidence.add_missing(Cell { area, index: index as u32 }, content);
            }
        }
        evidence.judge()
    }

    #[test]
    fn every_row_of_the_table_is_decided() {
        for (found, kind) in [
            ("1112", Kind::Mixed),
            ("-112", Kind::Mixed),
            ("11x1", Kind::Mixed),
            ("1111 11", Kind::Honest),
            (".... ..", Kind::FileSystem),
            ("---- ..", Kind::FileSystem),
            ("1-11 1.", Kind::FileSystem),
            ("11-- ..", Kind::Controller),
            ("1111 1.", Kind::Controller),
            ("11-- --", Kind::Controller),
            ("---- --", Kind::Controller),
            ("1-11 11", Kind::Drive),
            ("-111 --", Kind::Drive),
            ("-11x 11", Kind::Drive),
        ] {
            assert_eq!(verdict(found).kind, kind, "{found}");
        }
        assert_eq!(evidence(1, 0).judge().kind, Kind::Honest, "nothing found is nothing lost");
        let none = Evidence::new(Shape { run: 1, blocks: 1, block_bytes: 512 }, Vec::new());
        assert_eq!(none.judge().kind, Kind::NoEvidence);
    }

    #[test]
    fn losses_holes_and_their_age_are_counted() {
        let verdict = verdict("1-1-1 -.");
        assert_eq!((verdict.acknowledged, verdict.surviving, verdict.lost), (7, 3, 4));
        assert_eq!((verdict.holes, verdict.metadata_lost, verdict.oldest_loss_ms), (2, 1, 50));
        assert_eq!(verdict.tallies[1], Tally { acknowledged: 2, lost: 2 });
    }

    #[test]
    fn steps_under_way_together_are_no_holes() {
        let mut evidence = evidence(2, 0);
        evidence.steps[1].intended_at = 1;
        evidence.steps[0].intended_at = 2;
        evidence.steps[0].synced_at = 3;
        evidence.add_missing(Cell { area: Area::Blocks, index: 0 }, Content::Blank);
        evidence.add_missing(Cell { area: Area::Blocks, index: 1 }, Content::Generation(1));
        let verdict = evidence.judge();
        assert_eq!((verdict.lost, verdict.holes, verdict.kind), (1, 0, Kind::Controller));
    }

    #[test]
    fn damage_of_a_write_under_way_is_torn_and_no_lie() {
        let mut evidence = evidence(2, 0);
        evidence.cells[0][1].announced = 2;
        evidence.add_missing(Cell { area: Area::Blocks, index: 0 }, Content::Generation(1));
        evidence.add_missing(Cell { area: Area::Blocks, index: 1 }, Content::Corrupt);
        let verdict = evidence.judge();
        assert_eq!((verdict.lost, verdict.torn, verdict.corrupt), (0, 1, 0));
        assert_eq!(verdict.kind, Kind::Honest);
    }
}
