//! All commands, by name.

use super::spec::Spec;
use super::{counters, expire, generic, hashes, lists, rows, scan, sets, sorted, strings};
use hashbrown::HashTable;
use storytime_machine::hash::digest_bytes;

/// Longest name of a command, bytes.
const NAME_BYTES_MAX: usize = 32;

/// The families.
const FAMILIES: &[&[Spec]] = &[
    strings::COMMANDS,
    counters::COMMANDS,
    generic::COMMANDS,
    expire::COMMANDS,
    scan::COMMANDS,
    hashes::COMMANDS,
    lists::COMMANDS,
    sets::COMMANDS,
    sorted::COMMANDS,
    rows::COMMANDS,
    crate::server::COMMANDS,
];

/// All commands.
#[derive(Debug)]
pub struct Commands {
    /// In the order of their names.
    sorted: Vec<&'static Spec>,
    /// By the hash of their names.
    index: HashTable<&'static Spec>,
}

/// Names that peers ask for hash as they like: the table does not grow with them.
fn hash(name: &[u8]) -> u64 {
    digest_bytes(0, name)
}

impl Commands {
    /// The table.
    pub fn new() -> Self {
        let mut sorted: Vec<_> = FAMILIES.iter().copied().flatten().collect();
        sorted.sort_by_key(|spec| spec.name);
        assert!(sorted.windows(2).all(|two| two[0].name < two[1].name), "names are unique");
        assert!(sorted.iter().all(|spec| spec.name.len() <= NAME_BYTES_MAX), "names are short");
        let mut index = HashTable::with_capacity(sorted.len());
        for &spec in &sorted {
            index.insert_unique(hash(spec.name.as_bytes()), spec, |spec: &&Spec| {
                hash(spec.name.as_bytes())
            });
        }
        Self { sorted, index }
    }

    /// A command by its name, in any letters.
    pub fn find(&self, name: &[u8]) -> Option<&'static Spec> {
        let mut small = [0; NAME_BYTES_MAX];
        let small = small.get_mut(..name.len())?;
        small.copy_from_slice(name);
        small.make_ascii_lowercase();
        self.index.find(hash(small), |spec| spec.name.as_bytes() == small).copied()
    }

    /// All of them.
    pub fn all(&self) -> impl ExactSizeIterator<Item = &'static Spec> {
        self.sorted.iter().copied()
    }
}

impl Default for Commands {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_found_in_any_letters() {
        let commands = Commands::new();
        assert_eq!(commands.find(b"GeT").map(|spec| spec.name), Some("get"));
        assert_eq!(commands.find(b"row.put").map(|spec| spec.name), Some("row.put"));
        assert!(commands.find(b"gets").is_none());
        assert!(commands.find(&[b'a'; 100]).is_none());
        assert!(commands.all().all(|spec| spec.name == spec.name.to_ascii_lowercase()));
    }
}
