//! Binary packets. Headers are right: over one that is wrong the original loses the replies to what
//! came before it. No number gets shorter: whether spaces follow it then depends on what the
//! original has sent already.

use crate::Draw;
use storytime_machine::{Ratio, Rng};

/// Behind every stream: `quit`.
pub(crate) const FAREWELL: &[u8] =
    &[0x80, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

fn packet(opcode: u8, opaque: u32, cas: u64, extras: &[u8], key: &[u8], value: &[u8]) -> Vec<u8> {
    let body = (extras.len() + key.len() + value.len()) as u32;
    let mut packet = vec![0x80, opcode];
    packet.extend_from_slice(&(key.len() as u16).to_be_bytes());
    packet.extend_from_slice(&[extras.len() as u8, 0, 0, 0]);
    packet.extend_from_slice(&body.to_be_bytes());
    packet.extend_from_slice(&opaque.to_be_bytes());
    packet.extend_from_slice(&cas.to_be_bytes());
    packet.extend_from_slice(extras);
    packet.extend_from_slice(key);
    packet.extend_from_slice(value);
    packet
}

fn extras(rng: &mut Rng, opcode: u8) -> Vec<u8> {
    let exptime = [0u32, 0, 1000][rng.index(3)].to_be_bytes();
    match opcode {
        0x01..=0x03 | 0x11..=0x13 => {
            [[0u32, 7, 0xffff_ffff][rng.index(3)].to_be_bytes(), exptime].concat()
        }
        0x05 | 0x06 | 0x15 | 0x16 => {
            let delta = [1u64, 5][rng.index(2)].to_be_bytes();
            let initial = [0u64, 10][rng.index(2)].to_be_bytes();
            let exptime = [0u32, 0xffff_ffff][rng.index(2)].to_be_bytes();
            [&delta[..], &initial, &exptime].concat()
        }
        0x1c | 0x1d | 0x1e | 0x23 | 0x24 => exptime.to_vec(),
        _ => Vec::new(),
    }
}

/// A packet.
pub(crate) fn request(draw: &mut Draw) -> Vec<u8> {
    const OPCODES: [u8; 30] = [
        0x00, 0x01, 0x01, 0x01, 0x02, 0x03, 0x04, 0x05, 0x05, 0x09, 0x0a, 0x0a, 0x0c, 0x0d, 0x0e,
        0x0f, 0x11, 0x12, 0x13, 0x14, 0x15, 0x15, 0x19, 0x1a, 0x1c, 0x1d, 0x1e, 0x23, 0x24, 0x1b,
    ];
    let rng = &mut draw.rng;
    let opcode = OPCODES[rng.index(OPCODES.len())];
    let extras = extras(rng, opcode);
    let has_key = !matches!(opcode, 0x0a | 0x1b);
    let key: &[u8] = if has_key { [&b"a"[..], b"b", b"n"][rng.index(3)] } else { b"" };
    let has_value = matches!(opcode, 0x01..=0x03 | 0x11..=0x13 | 0x0e | 0x0f | 0x19 | 0x1a);
    let value: &[u8] =
        if has_value { [&b"10"[..], b"", b"value", b"99999"][rng.index(4)] } else { b"" };
    let cas = if rng.chance(Ratio::new(1, 10)) { 999_999 } else { 0 };
    packet(opcode, rng.below(1000) as u32, cas, &extras, key, value)
}
