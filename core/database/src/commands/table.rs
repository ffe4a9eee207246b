//! All commands, by name.

use super::spec::Spec;
use super::{counters, expire, generic, hashes, lists, rows, scan, sets, sorted, strings};

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

/// All commands, in the order of their names.
#[derive(Debug)]
pub struct Commands {
    sorted: Vec<&'static Spec>,
}

impl Commands {
    /// The table.
    pub fn new() -> Self {
        let mut sorted: Vec<_> = FAMILIES.iter().copied().flatten().collect();
        sorted.sort_by_key(|spec| spec.name);
        assert!(sorted.windows(2).all(|two| two[0].name < two[1].name), "names are unique");
        assert!(sorted.iter().all(|spec| spec.name.len() <= NAME_BYTES_MAX), "names are short");
        Self { sorted }
    }

    /// A command by its name, in any letters.
    pub fn find(&self, name: &[u8]) -> Option<&'static Spec> {
        let mut small = [0; NAME_BYTES_MAX];
        let small = small.get_mut(..name.len())?;
        small.copy_from_slice(name);
        small.make_ascii_lowercase();
        let place = self.sorted.binary_search_by(|spec| spec.name.as_bytes().cmp(small)).ok()?;
        Some(self.sorted[place])
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
