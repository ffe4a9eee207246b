//! Writing packets.

use super::{HEADER_BYTES, Kind, Magic};
use bytes::{BufMut as _, Bytes};
use storytime_machine::Tx;

/// Data from this length on is passed on by reference count, not copied. Bytes.
pub const SHARED_BYTES_MIN: usize = 4 << 10;

/// Writes a packet without data, or whose data is the last of `arguments`.
///
/// # Panics
/// If the number of arguments is not the kind's, or one but the last holds NUL: a bug.
pub fn put(tx: &mut Tx, magic: Magic, kind: Kind, arguments: &[&[u8]]) {
    assert_eq!(arguments.len(), kind.arguments() + usize::from(kind.has_data()));
    let len = arguments.iter().map(|argument| argument.len() + 1).sum::<usize>();
    let len = len.saturating_sub(1);
    tx.write_with(|out| {
        out.reserve(HEADER_BYTES + len);
        header(out, magic, kind, len);
        for (nth, argument) in arguments.iter().enumerate() {
            if nth > 0 {
                out.put_u8(0);
            }
            debug_assert!(nth + 1 == arguments.len() || !argument.contains(&0));
            out.put_slice(argument);
        }
    });
}

/// Writes a packet with data, which is shared if it is long.
///
/// # Panics
/// As [`put`].
pub fn put_with_data(tx: &mut Tx, magic: Magic, kind: Kind, arguments: &[&[u8]], data: &Bytes) {
    assert!(kind.has_data() && arguments.len() == kind.arguments(), "{}", kind.name());
    let before = arguments.iter().map(|argument| argument.len() + 1).sum::<usize>();
    let share = data.len() >= SHARED_BYTES_MIN;
    tx.write_with(|out| {
        header(out, magic, kind, before + data.len());
        for argument in arguments {
            debug_assert!(!argument.contains(&0));
            out.put_slice(argument);
            out.put_u8(0);
        }
        if !share {
            out.put_slice(data);
        }
    });
    if share {
        tx.push(data.clone());
    }
}

fn header(out: &mut bytes::BytesMut, magic: Magic, kind: Kind, len: usize) {
    let len = u32::try_from(len).expect("limits keep packets below 4 GiB");
    out.put_slice(&magic.bytes());
    out.put_u32(kind as u32);
    out.put_u32(len);
}
