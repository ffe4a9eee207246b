//! The outcome of a check and its text.

use crate::step::Area;
use core::fmt::Write as _;

/// Which layer must have lied.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Kind {
    /// Nothing was acknowledged, so nothing is proven.
    NoEvidence,
    /// Everything acknowledged is there.
    Honest,
    /// A flush did not leave the page cache: data, lengths and names of the recent past are gone.
    FileSystem,
    /// The controller's cache forgot what it had not drained: the most recent acknowledgements are
    /// lost, everything before them is there.
    Controller,
    /// The drive's cache drained in its own order: older acknowledged data is lost while newer is
    /// there; lengths and names are intact.
    Drive,
    /// Evidence that fits no single layer, or damage that is no lie about flushing.
    Mixed,
}

/// Steps of one area.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Tally {
    /// Flushes acknowledged.
    pub acknowledged: u64,
    /// Of these, not on the disk.
    pub lost: u64,
}

/// What the verifier found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Verdict {
    /// The run.
    pub run: u64,
    /// Who lied.
    pub kind: Kind,
    /// Steps whose flush was acknowledged. An overwritten one counts as surviving when its cell
    /// holds the same or a newer generation.
    pub acknowledged: u64,
    /// Of these, on the disk.
    pub surviving: u64,
    /// Of these, not on the disk.
    pub lost: u64,
    /// Cells whose sectors hold different generations, or that were damaged during a write that was
    /// never acknowledged. No lie by itself.
    pub torn: u64,
    /// Cells that hold neither zeros nor their own content, with no write under way; or that cannot
    /// be read.
    pub corrupt: u64,
    /// Cells that hold a generation which was never announced.
    pub invented: u64,
    /// Lost steps that are older than a surviving one: acknowledged before it was even announced.
    pub holes: u64,
    /// Cells whose length or name, once acknowledged, is gone.
    pub metadata_lost: u64,
    /// How old the oldest lost acknowledgement was at the last one, milliseconds.
    pub oldest_loss_ms: u64,
    /// By area, in the order of [`Area::ALL`].
    pub tallies: [Tally; 3],
}

impl Kind {
    /// A word or two for reports and expectations.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoEvidence => "no evidence",
            Self::Honest => "honest",
            Self::FileSystem => "file system",
            Self::Controller => "controller",
            Self::Drive => "drive",
            Self::Mixed => "mixed",
        }
    }

    const fn sentence(self) -> &'static str {
        match self {
            Self::NoEvidence => "nothing was acknowledged, so nothing is proven",
            Self::Honest => "every acknowledged write is on the disk",
            Self::FileSystem => {
                "the FILE SYSTEM lied: data, lengths and names that it called flushed are gone"
            }
            Self::Controller => "the CONTROLLER lied: the newest acknowledged writes are gone",
            Self::Drive => {
                "the DRIVE lied: acknowledged writes are gone while newer ones are there"
            }
            Self::Mixed => "damage that no single lie about flushing explains",
        }
    }
}

impl Verdict {
    /// Several lines of text for a terminal, with a line break at the end.
    pub fn render(&self) -> String {
        let mut text = format!("disk check of run {}\n", self.run);
        let mut line = |name: &str, count: u64| {
            // Writing into a string cannot fail.
            let _ = writeln!(text, "  {name:<14}{count:>10}");
        };
        line("acknowledged", self.acknowledged);
        line("surviving", self.surviving);
        line("lost", self.lost);
        line("torn", self.torn);
        line("corrupt", self.corrupt);
        line("invented", self.invented);
        if self.lost > 0 {
            for (area, tally) in Area::ALL.into_iter().zip(self.tallies) {
                let (name, Tally { acknowledged, lost }) = (area.as_str(), tally);
                let _ = writeln!(text, "  {name:<8} lost {lost} of {acknowledged} acknowledged");
            }
            let _ = writeln!(
                text,
                "  {} older than a survivor, {} lengths or names gone\n  \
                 oldest loss {} ms before the last acknowledgement",
                self.holes, self.metadata_lost, self.oldest_loss_ms
            );
        }
        let _ = writeln!(text, "verdict: {}\n  {}", self.kind.as_str(), self.kind.sentence());
        text
    }
}
