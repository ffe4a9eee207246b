//! What is written: cells, their generations, and the steps of a run.

use core::fmt;

/// The unit in which disks tear, bytes: each one is stamped by itself.
pub const SECTOR_BYTES: usize = 512;
/// Small files that a run cycles through.
pub const NAMES: u32 = 64;
/// Most blocks of the overwritten file.
pub const BLOCKS_MAX: u32 = 1 << 20;
/// Largest block, bytes.
pub const BLOCK_BYTES_MAX: u32 = 1 << 20;

/// Which of the three kinds of writing a step belongs to. Each tempts a different layer to lie.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Area {
    /// Blocks of one file of fixed length, overwritten in place: data alone.
    Blocks,
    /// Records appended to a growing file, one sector each: data and length.
    Log,
    /// Small files, created under another name and renamed: data, length and name.
    Names,
}

/// One place that holds content: a block, a log record, a small file.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Cell {
    /// Which kind.
    pub area: Area,
    /// Its number within the area, from 0.
    pub index: u32,
}

/// How far the recorder heard of a step.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Phase {
    /// About to be written: it may or may not be on the disk.
    Intended,
    /// The write completed, the flush has not.
    Written,
    /// The flush was acknowledged: it must be on the disk.
    Synced,
}

/// One step as the recorder remembers it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Step {
    /// What was written.
    pub cell: Cell,
    /// Which content: 1, 2, 3 … per cell.
    pub generation: u32,
    /// How far it came.
    pub phase: Phase,
    /// Number of the intention among all events of the run, from 1.
    pub intended_at: u32,
    /// Number of the acknowledgement among all events of the run; 0 while there is none.
    pub synced_at: u32,
    /// When the acknowledgement arrived, milliseconds since the run began, by the recorder's clock.
    pub synced_ms: u32,
}

impl Area {
    /// All of them, in the order of [`Area::index`].
    pub const ALL: [Self; 3] = [Self::Blocks, Self::Log, Self::Names];

    /// 0, 1 or 2.
    pub const fn index(self) -> usize {
        match self {
            Self::Blocks => 0,
            Self::Log => 1,
            Self::Names => 2,
        }
    }

    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Blocks => "block",
            Self::Log => "log",
            Self::Names => "name",
        }
    }

    /// The area with this word.
    pub fn from_word(word: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|area| area.as_str().as_bytes() == word)
    }
}

impl Phase {
    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Intended => "intended",
            Self::Written => "written",
            Self::Synced => "synced",
        }
    }

    /// The phase with this word.
    pub fn from_word(word: &[u8]) -> Option<Self> {
        let all = [Self::Intended, Self::Written, Self::Synced];
        all.into_iter().find(|phase| phase.as_str().as_bytes() == word)
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.area.as_str(), self.index)
    }
}

/// The name of the append-only file beside `file`.
pub fn log_path(file: &str) -> String {
    format!("{file}.log")
}

/// The name of a small file beside `file`.
pub fn small_path(file: &str, index: u32) -> String {
    format!("{file}.{index}")
}

/// The name under which a small file is created before it is renamed.
pub fn fresh_path(file: &str, index: u32) -> String {
    format!("{file}.{index}.new")
}
