//! `stats cachedump`: some keys of one class.

use crate::session::Session;
use bytes::BytesMut;
use core::fmt::Write as _;

/// Most that is shown, bytes.
const BYTES_MAX: usize = 2 << 20;
/// Items that fit in any case: the shortest line has so many bytes.
const LINE_BYTES_MIN: usize = 18;

/// `ITEM <key> [<bytes> b; <expiry> s]`, at most `items` of them, 0 for as many as fit.
pub(super) fn class(session: &Session<'_>, class: u8, items: u32) -> BytesMut {
    let mut lines = BytesMut::new();
    if class == 0 || class > session.shared.classes() {
        return lines;
    }
    let fit = BYTES_MAX / LINE_BYTES_MIN;
    let mut left = if items == 0 { fit } else { fit.min(items as usize) };
    let epoch = session.epoch;
    session.shared.each_cache(|cache| {
        let mut shown = 0;
        cache.walk_class(class, left, session.now, &mut |item| {
            shown += 1;
            let key = item.key();
            // Only keys that a text request can hold.
            if lines.len() + key.len() + 64 < BYTES_MAX && key.iter().all(|&b| b > b' ') {
                let expires = item.expires().at().map_or(0, |at| epoch.date(at));
                lines.extend_from_slice(b"ITEM ");
                lines.extend_from_slice(key);
                write!(lines, " [{} b; {expires} s]\r\n", item.value_len())
                    .expect("output buffers grow as needed");
            }
        });
        left -= shown;
    });
    lines
}
