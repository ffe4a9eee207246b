//! Directories: what programs see, what is durable, and the log of changes between the two.
//!
//! Not modelled: hard links, permissions, times, renaming of directories, room taken by names.

use super::chooser::{Choice, Chooser};
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use storytime_machine::{DiskError, Time, hash};

/// The data directory.
pub(super) const ROOT: u32 = 0;

/// What a name stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Target {
    File(u32),
    Directory(u32),
}

/// A directory and a name in it.
pub(super) type Key = (u32, Bytes);

/// One name's new meaning.
#[derive(Clone, Debug)]
pub(super) struct Edit {
    key: Key,
    target: Option<Target>,
    /// Whether its directory was synced since.
    synced: bool,
}

/// An atomic change: one edit, or two for a rename.
#[derive(Clone, Debug)]
pub(super) struct Change {
    pub(super) seq: u64,
    edits: Vec<Edit>,
}

#[derive(Clone, Debug, Default)]
struct Directory {
    view: BTreeMap<Bytes, Target>,
    durable: BTreeMap<Bytes, Target>,
}

/// All names of a disk.
#[derive(Clone, Debug)]
pub(super) struct Names {
    directories: BTreeMap<u32, Directory>,
    next_directory: u32,
    log: Vec<Change>,
    /// Since when the log waits to be flushed.
    pub(super) dirty_since: Option<Time>,
    /// Changes up to this one were acknowledged by a file system that lied.
    pub(super) acknowledged: u64,
}

/// How a power cut picks among changes of names.
pub(super) enum PickNames<'a> {
    /// None survives.
    None,
    /// Those up to a version.
    UpTo(u64),
    /// A prefix of each directory's changes.
    Prefixes(&'a mut dyn Chooser),
    /// A subset in which none lacks one that it builds on.
    Subset(&'a mut dyn Chooser),
}

impl Names {
    pub(super) fn new() -> Self {
        Self {
            directories: BTreeMap::from([(ROOT, Directory::default())]),
            next_directory: ROOT + 1,
            log: Vec::new(),
            dirty_since: None,
            acknowledged: 0,
        }
    }

    /// Changes that wait to be flushed.
    pub(super) fn pending(&self) -> &[Change] {
        &self.log
    }

    /// What a path stands for.
    pub(super) fn look_up(&self, path: &[u8]) -> Option<Target> {
        let mut at = Target::Directory(ROOT);
        if path.is_empty() {
            return Some(at);
        }
        for part in path.split(|&b| b == b'/') {
            let Target::Directory(directory) = at else { return None };
            at = *self.directories.get(&directory)?.view.get(part)?;
        }
        Some(at)
    }

    /// The directory of a path.
    pub(super) fn directory(&self, path: &[u8]) -> Result<u32, DiskError> {
        match self.look_up(path) {
            Some(Target::Directory(directory)) => Ok(directory),
            Some(Target::File(_)) => Err(DiskError::Invalid),
            None => Err(DiskError::NotFound),
        }
    }

    fn key(&self, path: &Bytes) -> Result<Key, DiskError> {
        let parent = storytime_machine::disk::parent(path);
        let skip = if parent.is_empty() { 0 } else { parent.len() + 1 };
        let directory = self.directory(parent).map_err(|_| DiskError::NotFound)?;
        // The name outlives the request: keep it, not the buffer that it came in.
        Ok((directory, Bytes::copy_from_slice(&path[skip..])))
    }

    /// Gives a new file a name.
    pub(super) fn create(
        &mut self,
        now: Time,
        seq: u64,
        path: &Bytes,
        file: u32,
    ) -> Result<(), DiskError> {
        let key = self.key(path)?;
        self.change(now, seq, vec![(key, Some(Target::File(file)))]);
        Ok(())
    }

    /// Makes a directory, unless it is there.
    pub(super) fn make_directory(
        &mut self,
        now: Time,
        seq: u64,
        path: &Bytes,
    ) -> Result<(), DiskError> {
        match self.look_up(path) {
            Some(Target::Directory(_)) => return Ok(()),
            Some(Target::File(_)) => return Err(DiskError::Invalid),
            None => {}
        }
        let key = self.key(path)?;
        let directory = self.next_directory;
        self.next_directory += 1;
        self.directories.insert(directory, Directory::default());
        self.change(now, seq, vec![(key, Some(Target::Directory(directory)))]);
        Ok(())
    }

    /// Takes a file's name away.
    pub(super) fn unlink(&mut self, now: Time, seq: u64, path: &Bytes) -> Result<(), DiskError> {
        match self.look_up(path) {
            Some(Target::File(_)) => {}
            Some(Target::Directory(_)) => return Err(DiskError::Invalid),
            None => return Err(DiskError::NotFound),
        }
        let key = self.key(path)?;
        self.change(now, seq, vec![(key, None)]);
        Ok(())
    }

    /// Gives a file another name.
    pub(super) fn rename(
        &mut self,
        now: Time,
        seq: u64,
        from: &Bytes,
        to: &Bytes,
    ) -> Result<(), DiskError> {
        let target = match self.look_up(from) {
            Some(Target::File(file)) => Target::File(file),
            Some(Target::Directory(_)) => return Err(DiskError::Invalid),
            None => return Err(DiskError::NotFound),
        };
        if matches!(self.look_up(to), Some(Target::Directory(_))) {
            return Err(DiskError::Invalid);
        }
        let (from, to) = (self.key(from)?, self.key(to)?);
        if from != to {
            self.change(now, seq, vec![(from, None), (to, Some(target))]);
        }
        Ok(())
    }

    /// Names in a directory, sorted.
    pub(super) fn list(&self, path: &[u8]) -> Result<Vec<Bytes>, DiskError> {
        let directory = self.directory(path)?;
        Ok(self.directories[&directory].view.keys().cloned().collect())
    }

    fn change(&mut self, now: Time, seq: u64, edits: Vec<(Key, Option<Target>)>) {
        let edits: Vec<Edit> =
            edits.into_iter().map(|(key, target)| Edit { key, target, synced: false }).collect();
        for edit in &edits {
            if let Some(directory) = self.directories.get_mut(&edit.key.0) {
                set(&mut directory.view, edit);
            }
        }
        self.dirty_since.get_or_insert(now);
        self.log.push(Change { seq, edits });
    }

    /// Takes the changes that a sync of `directory` makes durable, in order: those whose
    /// directories are now all synced, and what they build on.
    pub(super) fn take_synced(&mut self, directory: u32) -> Vec<Change> {
        let mut keys: BTreeSet<Key> = BTreeSet::new();
        let mut taken = Vec::new();
        for mut change in core::mem::take(&mut self.log).into_iter().rev() {
            for edit in &mut change.edits {
                edit.synced |= edit.key.0 == directory;
            }
            let ready = change.edits.iter().all(|edit| edit.synced);
            if ready || change.edits.iter().any(|edit| keys.contains(&edit.key)) {
                keys.extend(change.edits.iter().map(|edit| edit.key.clone()));
                taken.push(change);
            } else {
                self.log.push(change);
            }
        }
        self.log.reverse();
        taken.reverse();
        if self.log.is_empty() {
            self.dirty_since = None;
        }
        taken
    }

    /// Takes all changes.
    pub(super) fn take_all(&mut self) -> Vec<Change> {
        self.dirty_since = None;
        core::mem::take(&mut self.log)
    }

    /// Makes changes durable.
    pub(super) fn settle(&mut self, changes: &[Change]) {
        for edit in changes.iter().flat_map(|change| &change.edits) {
            if let Some(directory) = self.directories.get_mut(&edit.key.0) {
                set(&mut directory.durable, edit);
            }
        }
    }

    /// The power goes: some changes survive, the others never happened. Returns how many were lost,
    /// how many of these a lying file system had acknowledged, and a digest of those that survived.
    pub(super) fn crash(&mut self, pick: PickNames<'_>) -> (u64, u64, u64) {
        let log = self.take_all();
        let keep = match pick {
            PickNames::None => vec![false; log.len()],
            PickNames::UpTo(seq) => log.iter().map(|change| change.seq <= seq).collect(),
            PickNames::Prefixes(chooser) => prefixes(&log, chooser),
            PickNames::Subset(chooser) => subset(&log, chooser),
        };
        let (mut lost, mut lied, mut survivors) = (0, 0, 0);
        for (change, keep) in log.into_iter().zip(keep) {
            if keep {
                survivors = change.digest(survivors);
                self.settle(core::slice::from_ref(&change));
            } else {
                lost += 1;
                lied += u64::from(change.seq <= self.acknowledged);
            }
        }
        self.acknowledged = 0;
        for directory in self.directories.values_mut() {
            directory.view.clone_from(&directory.durable);
        }
        let reachable = self.reachable();
        self.directories.retain(|number, _| reachable.contains(number));
        (lost, lied, survivors)
    }

    fn reachable(&self) -> BTreeSet<u32> {
        let (mut found, mut queue) = (BTreeSet::from([ROOT]), vec![ROOT]);
        while let Some(number) = queue.pop() {
            for target in self.directories.get(&number).into_iter().flat_map(|d| d.view.values()) {
                if let Target::Directory(child) = *target
                    && found.insert(child)
                {
                    queue.push(child);
                }
            }
        }
        found
    }

    /// Files that have a name, had one before the last flush, or get one in `in_device`.
    pub(super) fn files<'a>(
        &'a self,
        in_device: impl Iterator<Item = &'a Change>,
    ) -> BTreeSet<u32> {
        let named =
            self.directories.values().flat_map(|d| d.view.values().chain(d.durable.values()));
        let edited = self.log.iter().chain(in_device).flat_map(|change| &change.edits);
        named
            .chain(edited.filter_map(|edit| edit.target.as_ref()))
            .filter_map(|target| match target {
                Target::File(file) => Some(*file),
                Target::Directory(_) => None,
            })
            .collect()
    }

    /// Folds everything into a digest.
    pub(super) fn digest(&self, mut state: u64) -> u64 {
        for (number, directory) in &self.directories {
            for (kind, names) in [&directory.view, &directory.durable].into_iter().enumerate() {
                state = hash::fold(state, u64::from(*number) << 1 | kind as u64);
                for (name, target) in names {
                    state = fold_target(hash::digest_bytes(state, name), Some(*target));
                }
            }
        }
        hash::fold(state, self.log.len() as u64)
    }
}

fn fold_target(state: u64, target: Option<Target>) -> u64 {
    let word = match target {
        Some(Target::File(file)) => u64::from(file) << 1,
        Some(Target::Directory(directory)) => u64::from(directory) << 1 | 1,
        None => u64::MAX,
    };
    hash::fold(state, word)
}

fn set(names: &mut BTreeMap<Bytes, Target>, edit: &Edit) {
    match edit.target {
        Some(target) => names.insert(edit.key.1.clone(), target),
        None => names.remove(&edit.key.1),
    };
}

/// A prefix of each directory's changes; one that concerns two directories is within both or lost.
fn prefixes(log: &[Change], chooser: &mut dyn Chooser) -> Vec<bool> {
    let mut left: BTreeMap<u32, u32> = BTreeMap::new();
    for change in log {
        for directory in change.directories() {
            *left.entry(directory).or_default() += 1;
        }
    }
    for (&directory, count) in &mut left {
        *count = chooser.choose(Choice::Names { directory }, *count + 1).min(*count);
    }
    let mut keep = Vec::with_capacity(log.len());
    for change in log {
        let within = change.directories().all(|directory| left[&directory] > 0);
        for directory in change.directories() {
            let left = left.get_mut(&directory).expect("counted above");
            *left = if within { *left - 1 } else { 0 };
        }
        keep.push(within);
    }
    keep
}

fn subset(log: &[Change], chooser: &mut dyn Chooser) -> Vec<bool> {
    let mut missing: BTreeSet<&Key> = BTreeSet::new();
    let mut keep = Vec::with_capacity(log.len());
    for (index, change) in log.iter().enumerate() {
        let chosen = chooser.choose(Choice::Change { index: index as u32 }, 2) > 0;
        let stands = chosen && !change.edits.iter().any(|edit| missing.contains(&edit.key));
        if !stands {
            missing.extend(change.edits.iter().map(|edit| &edit.key));
        }
        keep.push(stands);
    }
    keep
}

impl Change {
    /// Folds its edits into a digest.
    fn digest(&self, state: u64) -> u64 {
        self.edits.iter().fold(state, |state, edit| {
            let state = hash::fold(state, u64::from(edit.key.0));
            fold_target(hash::digest_bytes(state, &edit.key.1), edit.target)
        })
    }

    /// Its directories, each once.
    fn directories(&self) -> impl Iterator<Item = u32> {
        let first = self.edits[0].key.0;
        let other = self.edits.get(1).map(|edit| edit.key.0).filter(|&other| other != first);
        core::iter::once(first).chain(other)
    }
}
