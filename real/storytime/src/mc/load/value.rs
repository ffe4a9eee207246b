//! Values that can be checked: which key they belong to, and that they are whole.

use std::io::Write as _;

/// Bytes at the front that name the key.
const NAME_BYTES: usize = 16;

/// Makes and checks values.
#[derive(Debug)]
pub(super) struct Values {
    /// What every value consists of behind the key's name.
    body: Vec<u8>,
    /// The value made last.
    made: Vec<u8>,
}

impl Values {
    /// Makes values of up to `made_bytes_max` bytes and checks those of up to `bytes_max`: another
    /// run may have left longer ones.
    pub(super) fn new(made_bytes_max: usize, bytes_max: usize) -> Self {
        // Bytes of all kinds, line ends among them, with a period that no power of two has.
        let body: Vec<u8> = (0..bytes_max).map(|n| (n % 251) as u8).collect();
        Self { made: body[..made_bytes_max].to_vec(), body }
    }

    /// A value of a key.
    pub(super) fn make(&mut self, key: u32, bytes: usize) -> &[u8] {
        let name = name(key);
        let named = bytes.min(NAME_BYTES);
        self.made[..named].copy_from_slice(&name[..named]);
        &self.made[..bytes]
    }

    /// Whether this is a whole value of a key.
    pub(super) fn is_of(&self, key: u32, value: &[u8]) -> bool {
        let named = value.len().min(NAME_BYTES);
        value.len() <= self.body.len()
            && value[..named] == name(key)[..named]
            && value[named..] == self.body[named..value.len()]
    }
}

fn name(key: u32) -> [u8; NAME_BYTES] {
    let mut name = [0; NAME_BYTES];
    write!(&mut name[..], "{key:016x}").expect("it has sixteen digits");
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_told_from_another_keys_and_from_a_part_that_is_damaged() {
        let mut values = Values::new(1000, 2000);
        for bytes in [0, 1, 15, 16, 17, 1000] {
            let mut value = values.make(7, bytes).to_vec();
            values.make(8, 1000);
            assert!(values.is_of(7, &value), "{bytes}");
            if bytes >= NAME_BYTES {
                assert!(!values.is_of(8, &value), "{bytes}");
                *value.last_mut().expect("it has bytes") ^= 1;
                assert!(!values.is_of(7, &value), "{bytes}");
            }
        }
    }
}
