//! What a disk is like: speed, size, profile, lies and faults.

use super::FAULT_DAMAGE_MAX;
use core::fmt;
use core::str::FromStr;
use core::time::Duration;
use storytime_machine::Ratio;

/// Everything that can be chosen about a disk. The default is an honest 7,200 rpm disk of the year
/// 2007 under the `posix` profile, without faults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskConfig {
    /// What a power cut does to what was not flushed.
    pub profile: Profile,
    /// Which layers say that a flush is done when it is not.
    pub lies: Lies,
    /// Room for files, bytes, counted by length in whole pages.
    pub capacity_bytes: u64,
    /// Random transfers per second.
    pub iops: u32,
    /// Sequential transfer rate, bytes per second.
    pub bandwidth_bytes_per_s: u64,
    /// What an honest cache flush takes beyond the transfer.
    pub flush: Duration,
    /// What an operation takes that the page cache answers.
    pub cached: Duration,
    /// How much the page cache holds, bytes. Reads of anything else go to the device.
    pub cache_bytes_max: u64,
    /// How long written data and names stay in the page cache before they go to the device without
    /// being asked.
    pub write_back: Duration,
    /// Unflushed bytes at which the oldest dirty file is written back at once.
    pub dirty_bytes_max: u64,
    /// The cache of a lying controller.
    pub controller: CacheConfig,
    /// The cache of a lying drive.
    pub drive: CacheConfig,
    /// When a full disk says so.
    pub full: Full,
    /// What the cached view becomes after a failed flush.
    pub after_failed_sync: AfterFailedSync,
    /// Chance that a sector that a power cut caught in flight is torn. Never under `friendly`.
    pub tears: Ratio,
    /// Faults drawn at random.
    pub faults: DiskFaults,
}

/// What a power cut does to what was not covered by an honest flush.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Profile {
    /// Everything up to some moment survives, in order, and nothing after it; sectors are never
    /// torn; a flush of one file flushes the whole disk. What careless programs hope for.
    Friendly,
    /// Each sector holds its durable content or any later one, or a torn one (the new bytes up to
    /// some point, then the old); lengths are chosen independently; of each directory's changes a
    /// prefix survives.
    #[default]
    Posix,
    /// As `Posix`, and a torn sector ends in garbage, new blocks that were not written hold stale
    /// bytes, and any subset of the name changes survives in which none lacks one it builds on.
    Hostile,
    /// As `Posix`, and flushes lie. Where [`DiskConfig::lies`] names no layer, the drive lies.
    Liar,
}

/// Which layers lie about flushes. A flush passes through them in this order and goes no further
/// than the first one that lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Lies {
    /// Syncs do nothing: data, lengths and names wait in the page cache for the periodic
    /// write-back. A cut loses everything recent; files may be shorter, or not there.
    pub file_system: bool,
    /// The controller acknowledges into a cache without a battery that drains in order. A cut loses
    /// the most recent acknowledged writes, of whatever kind; what survives is a prefix.
    pub controller: bool,
    /// The drive acknowledges into a small cache that drains in any order. A cut leaves holes of
    /// old bytes between newer ones; lengths and names are right.
    pub drive: bool,
}

/// A volatile cache that acknowledges flushes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheConfig {
    /// What it holds, bytes; when full it makes room at once.
    pub bytes_max: u64,
    /// How fast it drains, transfers per second.
    pub iops: u32,
    /// How fast it drains, bytes per second.
    pub bytes_per_s: u64,
}

/// When a full disk says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Full {
    /// The write that does not fit fails.
    #[default]
    AtWrite,
    /// Writes succeed into the cache; the sync fails with `NoSpace`, and data stays in the cache.
    AtSync,
}

/// What readers see after a flush failed and threw data away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum AfterFailedSync {
    /// The lost data, marked clean, until it is evicted or the host crashes.
    #[default]
    KeepsNew,
    /// What the medium has.
    RevertsToOld,
}

/// Random faults, each as a chance per operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskFaults {
    /// A sync fails with `Io`: each dirty sector is durable or gone, and the next sync says `Ok`.
    pub sync_fails: Ratio,
    /// A read finds an unreadable sector and fails with `Io`, as will all reads of it until it is
    /// written again.
    pub read_fails: Ratio,
    /// A read finds a sector with a flipped bit on the medium, which stays until it is written
    /// again.
    pub rot: Ratio,
    /// An honest sync puts one of its sectors in another place: that place is overwritten, the
    /// right one keeps its old bytes.
    pub misdirect: Ratio,
    /// The device stops for a while.
    pub stall: Stall,
}

/// Pauses of the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stall {
    /// Per device operation.
    pub chance: Ratio,
    /// Shortest.
    pub min: Duration,
    /// Longest.
    pub max: Duration,
}

impl DiskConfig {
    /// The default disk under a profile.
    pub fn new(profile: Profile) -> Self {
        Self { profile, ..Self::default() }.resolved()
    }

    /// Asserts what makes no sense.
    ///
    /// # Panics
    /// If a rate is zero or a range is empty.
    pub fn assert_valid(&self) {
        assert!(self.iops > 0 && self.bandwidth_bytes_per_s > 0, "a disk that never transfers");
        for cache in [self.controller, self.drive] {
            assert!(cache.iops > 0 && cache.bytes_per_s > 0, "a cache that never drains");
        }
        assert!(self.faults.stall.min <= self.faults.stall.max, "an empty range of stalls");
    }

    /// With the profile's own lies filled in.
    pub(super) fn resolved(mut self) -> Self {
        if self.profile == Profile::Liar && !self.lies.any() {
            self.lies.drive = true;
        }
        self.assert_valid();
        self
    }
}

impl Default for DiskConfig {
    fn default() -> Self {
        Self {
            profile: Profile::Posix,
            lies: Lies::default(),
            capacity_bytes: 250_000_000_000,
            iops: 120,
            bandwidth_bytes_per_s: 60_000_000,
            flush: Duration::from_micros(8_300),
            cached: Duration::from_micros(5),
            cache_bytes_max: 1 << 30,
            write_back: Duration::from_secs(30),
            dirty_bytes_max: 256 << 20,
            controller: CacheConfig { bytes_max: 256 << 20, iops: 120, bytes_per_s: 60_000_000 },
            drive: CacheConfig { bytes_max: 8 << 20, iops: 120, bytes_per_s: 60_000_000 },
            full: Full::AtWrite,
            after_failed_sync: AfterFailedSync::KeepsNew,
            tears: Ratio::new(1, 8),
            faults: DiskFaults::NONE,
        }
    }
}

impl DiskFaults {
    /// Nothing goes wrong by itself.
    pub const NONE: Self = Self {
        sync_fails: Ratio::NEVER,
        read_fails: Ratio::NEVER,
        rot: Ratio::NEVER,
        misdirect: Ratio::NEVER,
        stall: Stall { chance: Ratio::NEVER, min: Duration::ZERO, max: Duration::ZERO },
    };
}

impl Default for DiskFaults {
    fn default() -> Self {
        Self::NONE
    }
}

impl Lies {
    /// No layer lies.
    pub const NONE: Self = Self { file_system: false, controller: false, drive: false };
    /// Only the file system lies.
    pub const FILE_SYSTEM: Self = Self { file_system: true, ..Self::NONE };
    /// Only the controller lies.
    pub const CONTROLLER: Self = Self { controller: true, ..Self::NONE };
    /// Only the drive lies.
    pub const DRIVE: Self = Self { drive: true, ..Self::NONE };

    /// Whether any layer lies.
    pub const fn any(self) -> bool {
        self.file_system || self.controller || self.drive
    }
}

impl Profile {
    /// Every profile, mildest first.
    pub const ALL: [Self; 4] = [Self::Friendly, Self::Posix, Self::Hostile, Self::Liar];

    /// Its name in scenario files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Friendly => "friendly",
            Self::Posix => "posix",
            Self::Hostile => "hostile",
            Self::Liar => "liar",
        }
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Profile {
    type Err = &'static str;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|profile| profile.as_str() == s);
        found.ok_or("expected a disk profile: friendly, posix, hostile or liar")
    }
}

/// A sector that is not what it should be, for checkers that must know what was hurt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Which file, by the disk's own number (see
    /// [`SimDisk::file_number`](super::SimDisk::file_number)).
    pub file: u32,
    /// Which sector of the file.
    pub sector: u64,
    /// What happened to it.
    pub kind: DamageKind,
}

/// What happened to a damaged sector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DamageKind {
    /// A failed sync threw its new content away.
    LostByFailedSync,
    /// A bit flipped.
    Rotted,
    /// It cannot be read.
    Unreadable,
    /// Its new content went elsewhere.
    WrittenElsewhere,
    /// Another sector's content was put here.
    Overwritten,
}

/// Damage done so far; the list stops at [`FAULT_DAMAGE_MAX`], the count goes on.
#[derive(Clone, Debug, Default)]
pub(super) struct DamageLog {
    pub(super) list: Vec<Damage>,
    pub(super) count: u64,
}

impl DamageLog {
    pub(super) fn note(&mut self, file: u32, sector: u64, kind: DamageKind) {
        self.count += 1;
        if self.list.len() < FAULT_DAMAGE_MAX {
            self.list.push(Damage { file, sector, kind });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_print_as_they_parse() {
        for profile in Profile::ALL {
            assert_eq!(profile.to_string().parse(), Ok(profile));
        }
        assert!("Posix".parse::<Profile>().is_err());
    }

    #[test]
    fn a_liar_lies_at_the_drive_unless_told_otherwise() {
        assert_eq!(DiskConfig::new(Profile::Liar).lies, Lies::DRIVE);
        let config = DiskConfig { lies: Lies::CONTROLLER, ..DiskConfig::new(Profile::Posix) };
        assert_eq!(
            DiskConfig { profile: Profile::Liar, ..config }.resolved().lies,
            Lies::CONTROLLER
        );
        assert_eq!(DiskConfig::default().lies, Lies::NONE);
    }
}
