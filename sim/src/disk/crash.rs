//! Power cuts and dying processes.

use super::SimDisk;
use super::chooser::{Choice, Chooser, CrashPlan, Plan};
use super::config::Profile;
use super::flush::{Outcome, Pick, digest_sector};
use super::names::PickNames;
use super::pages::PAGE_BYTES;
use super::queue::{Lane, Pending};
use std::collections::{BTreeMap, BTreeSet};
use storytime_machine::{DiskOp, Ratio, Time, hash};

/// What a power cut did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PowerCut {
    /// Sectors whose newest or an older unflushed version survived.
    pub sectors_kept: u64,
    /// Sectors whose newest version did not survive, acknowledged or not.
    pub sectors_lost: u64,
    /// Of the surviving ones, those of which only a part did.
    pub sectors_torn: u64,
    /// Changes of names that did not survive, acknowledged or not.
    pub names_lost: u64,
    /// Acknowledged sectors and changes of names lost because the file system lied.
    pub lost_by_file_system: u64,
    /// Those lost because the controller lied.
    pub lost_by_controller: u64,
    /// Those lost because the drive lied.
    pub lost_by_drive: u64,
    /// Digest of what survived beyond the durable state of before. Two cuts of one disk in one
    /// [`generation`](SimDisk::generation) that agree in it left the same content.
    pub survivors: u64,
}

impl PowerCut {
    /// Acknowledged sectors and changes of names that were lost, at any layer.
    pub const fn acknowledged_lost(&self) -> u64 {
        self.lost_by_file_system + self.lost_by_controller + self.lost_by_drive
    }

    fn add(&mut self, outcome: Outcome) {
        self.sectors_kept += outcome.kept;
        self.sectors_lost += outcome.lost;
        self.sectors_torn += outcome.torn;
        self.lost_by_file_system += outcome.lost_acknowledged;
        if outcome.survivors != 0 {
            self.survivors = hash::fold(self.survivors, outcome.survivors);
        }
    }
}

impl SimDisk {
    /// A process ends: its files close. Queued operations may or may not have happened; the page
    /// cache survives.
    pub fn process_died(&mut self, now: Time, owner: u32) {
        self.advance(now);
        let mut plan = self.random_plan(Ratio::NEVER);
        self.interrupt(Some(owner), &mut plan);
        for number in self.handles.close_all(Some(owner)) {
            self.closed(number);
        }
    }

    /// The power goes, with choices drawn at random.
    pub fn power_cut(&mut self, now: Time) -> PowerCut {
        let friendly = self.config.profile == Profile::Friendly;
        let mut plan = self.random_plan(if friendly { Ratio::NEVER } else { self.config.tears });
        self.power_cut_with(now, &mut plan)
    }

    /// A clone to cut the power of in one way after the other: to the same effect, and cheaper to
    /// clone again.
    pub(crate) fn on_the_brink(&self, now: Time) -> Self {
        let mut disk = self.clone();
        disk.advance(now);
        disk.cache.clear();
        for number in 0..disk.files.len() as u32 {
            disk.with_file(number, super::File::spill);
        }
        disk
    }

    fn random_plan(&mut self, tears: Ratio) -> Plan {
        Plan::new(CrashPlan::Random { seed: self.rng.u64(), tears })
    }

    /// The power goes, with choices of `chooser`. What remains is what a host finds that boots on
    /// this disk: no queued operation, open file or cache.
    pub fn power_cut_with(&mut self, now: Time, chooser: &mut dyn Chooser) -> PowerCut {
        self.advance(now);
        self.stats.power_cuts += 1;
        self.generation += 1;
        let mut cut = PowerCut::default();
        // What is queued behind acknowledged writes that are lost is lost before them.
        let all_lost = self.config.lies.file_system || self.device.controller_holds();
        if all_lost {
            self.queue.take_all(None);
        } else {
            self.interrupt(None, chooser);
        }
        self.lose_device(chooser, &mut cut);
        if all_lost {
            self.crash_files(&mut Pick::Durable, &mut cut);
            self.crash_names(PickNames::None, &mut cut);
        } else {
            self.crash_unflushed(chooser, &mut cut);
        }
        self.handles.close_all(None);
        self.queue.reset(self.now);
        self.cache.clear();
        self.dirty.clear();
        self.chore = Time::MAX;
        self.sweep();
        cut
    }

    fn lose_device(&mut self, chooser: &mut dyn Chooser, cut: &mut PowerCut) {
        let (sectors, names) = self.device.lose_controller();
        cut.sectors_lost += sectors;
        cut.names_lost += names;
        cut.lost_by_controller += sectors + names;
        for (place, bytes) in self.device.take_all() {
            let (file, sector) = place;
            if chooser.choose(Choice::InDrive { file, sector }, 2) > 0 {
                self.store(place, &bytes[..]);
                let place = u64::from(file) << 40 | sector;
                cut.survivors = hash::fold(cut.survivors, digest_sector(place, &bytes[..]));
            } else {
                cut.sectors_lost += 1;
                cut.lost_by_drive += 1;
            }
        }
    }

    fn crash_unflushed(&mut self, chooser: &mut dyn Chooser, cut: &mut PowerCut) {
        let hostile = self.config.profile == Profile::Hostile;
        if self.config.profile == Profile::Friendly {
            let versions = self.unflushed_versions();
            let options = versions.len() as u32 + 1;
            let kept =
                if options > 1 { chooser.choose(Choice::Moment, options) as usize } else { 0 };
            let last = kept.min(versions.len()).checked_sub(1).map_or(0, |index| versions[index]);
            self.crash_files(&mut Pick::UpTo(last), cut);
            self.crash_names(PickNames::UpTo(last), cut);
        } else {
            self.crash_files(&mut Pick::Each { chooser: &mut *chooser, hostile }, cut);
            let pick = if hostile { PickNames::Subset } else { PickNames::Prefixes };
            self.crash_names(pick(chooser), cut);
        }
    }

    /// All versions that are not durable, in order.
    fn unflushed_versions(&mut self) -> Vec<u64> {
        let mut versions: BTreeSet<u64> =
            self.names.pending().iter().map(|change| change.seq).collect();
        for number in 0..self.files.len() as u32 {
            self.with_file(number, |file| {
                file.spill(); // Counts its dirty bytes anew: by sectors.
                versions.extend(file.lens.iter().map(|length| length.seq));
                for cached in file.view.values() {
                    versions.extend(cached.dirty_sectors().map(|sector| cached.seqs[sector]));
                    versions.extend(cached.older.iter().map(|older| older.seq));
                }
            });
        }
        versions.into_iter().collect()
    }

    fn crash_files(&mut self, pick: &mut Pick<'_>, cut: &mut PowerCut) {
        let mut rng = self.rng.clone();
        for number in 0..self.files.len() as u32 {
            let outcome = self.with_file(number, |file| file.crash(number, pick, &mut rng));
            cut.add(outcome.unwrap_or_default());
        }
        self.rng = rng;
    }

    fn crash_names(&mut self, pick: PickNames<'_>, cut: &mut PowerCut) {
        let (lost, acknowledged, survivors) = self.names.crash(pick);
        cut.names_lost += lost;
        cut.lost_by_file_system += acknowledged;
        cut.survivors = hash::fold(cut.survivors, survivors);
    }

    /// Takes queued operations of one process, or of all, out of the queue; of each lane a prefix
    /// is carried out. When the power goes (`owner` is `None`) it ends before the first sync.
    fn interrupt(&mut self, owner: Option<u32>, chooser: &mut dyn Chooser) {
        let mut lanes: BTreeMap<Lane, Vec<Pending>> = BTreeMap::new();
        for pending in self.queue.take_all(owner) {
            if let (Lane::File(file), DiskOp::Write { data, .. }) = (pending.lane, &pending.op)
                && let Some(file) = self.file_mut(file)
            {
                file.queued_bytes -= data.len() as u64;
            }
            if pending.lane != Lane::Refused {
                lanes.entry(pending.lane).or_default().push(pending);
            }
        }
        let is_sync = |op: &DiskOp| matches!(op, DiskOp::Sync { .. } | DiskOp::SyncDir { .. });
        for (lane, mut queued) in lanes {
            if owner.is_none()
                && let Some(sync) = queued.iter().position(|pending| is_sync(&pending.op))
            {
                queued.truncate(sync);
            }
            let total = queued.iter().map(|pending| steps(&pending.op)).sum::<u32>();
            if total == 0 {
                continue;
            }
            let file = if let Lane::File(file) = lane { Some(file) } else { None };
            let mut left = chooser.choose(Choice::InFlight { file }, total + 1);
            for Pending { owner, op, .. } in queued {
                let Some(op) = first_steps(op, &mut left) else { break };
                // Nobody is left to hear of an error.
                let _ = self.carry_out(owner, op);
            }
        }
    }
}

/// In how many steps an operation happens.
fn steps(op: &DiskOp) -> u32 {
    match op {
        DiskOp::Read { .. } | DiskOp::List { .. } => 0,
        DiskOp::Write { data, .. } => data.len().div_ceil(PAGE_BYTES) as u32,
        _ => 1,
    }
}

/// What the first `left` steps of an operation are; takes them off.
fn first_steps(op: DiskOp, left: &mut u32) -> Option<DiskOp> {
    let wanted = steps(&op);
    let granted = wanted.min(*left);
    *left -= granted;
    match op {
        _ if granted == wanted => Some(op),
        DiskOp::Write { file, at, data } if granted > 0 => {
            Some(DiskOp::Write { file, at, data: data.slice(..granted as usize * PAGE_BYTES) })
        }
        _ => None,
    }
}
